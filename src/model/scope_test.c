#include "model/scope.h"

#include "test.h"

static struct scope
scope_of(const char *project, const char *domain)
{
	struct scope scope;

	EXPECT_OK(scope_init(&scope, project, domain, NULL));
	return scope;
}

TEST(scope, reads_absent_and_empty_parts_as_any)
{
	struct scope none = scope_of(NULL, NULL), empty = scope_of("", "");

	EXPECT(scope_equal(&none, &empty));
	EXPECT_STR("", none.project);
	EXPECT_STR("", none.domain);
}

TEST(scope, refuses_bad_parts_and_leaves_the_struct_alone)
{
	struct scope scope = scope_of("p", "d");
	struct secret_id id;

	EXPECT_ERR(UN_ERR_BAD_SCOPE, scope_init(&scope, "P", "d", NULL));
	EXPECT_ERR(UN_ERR_BAD_SCOPE, scope_init(&scope, "q", "d-", NULL));
	EXPECT_STR("p", scope.project);
	EXPECT_STR("d", scope.domain);
	EXPECT_ERR(UN_ERR_BAD_NAME, secret_id_init(&id, "p", "d", "a b", NULL));
	EXPECT_ERR(UN_ERR_BAD_NAME, secret_id_init(&id, "p", "d", NULL, NULL));
}

TEST(scope, two_secrets_are_the_same_only_with_all_parts_equal)
{
	struct secret_id a, b;

	EXPECT_OK(secret_id_init(&a, "p", "d", "n", NULL));
	EXPECT_OK(secret_id_init(&b, "p", "d", "n", NULL));
	EXPECT(secret_id_equal(&a, &b));
	EXPECT_OK(secret_id_init(&b, "p", "d", "N", NULL));
	EXPECT(!secret_id_equal(&a, &b));
	EXPECT_OK(secret_id_init(&b, "p", "", "n", NULL));
	EXPECT(!secret_id_equal(&a, &b));
	EXPECT_OK(secret_id_init(&b, "", "d", "n", NULL));
	EXPECT(!secret_id_equal(&a, &b));
}

/* What a lookup would choose among `stored`, by rank alone; -1: nothing. */
static int
winner(const struct scope *at, const struct scope *stored, size_t count)
{
	int best = -1, best_rank = CASCADE_PLACES;

	for (size_t i = 0; i < count; i++) {
		int rank = cascade_rank(at, &stored[i]);

		if (rank >= 0 && rank < best_rank) {
			best_rank = rank;
			best = (int)i;
		}
	}
	return best;
}

/* Places that share a part with (p, d), or look like it, and must never be reached from it. */
static const char *const neighbours[][2] = {
        {"p", "other"}, {"other", "d"}, {"other", "other"}, {"other", ""}, {"", "other"},
        {"d", "p"},     {"p2", "d"},    {"p", "d2"},        {"d", ""},     {"", "p"},
        {"p-", "d"},    {"_", "d"},     {"p", "_"},
};
#define NEIGHBOURS (sizeof neighbours / sizeof neighbours[0])

/* All 16 subsets of the four places, each once alone and once among every neighbour. */
TEST(cascade, takes_the_narrowest_of_every_subset_and_never_a_neighbour)
{
	static const char *const places[CASCADE_PLACES][2] = {
	        {"p", "d"}, {"p", ""}, {"", "d"}, {"", ""}};
	/* by bit mask of the places that exist, bit 0 = (P,D); -1: nothing is found */
	static const int expected[16] = {-1, 0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 2, 0, 1, 0};
	struct scope at = scope_of("p", "d");

	for (unsigned subset = 0; subset < 16; subset++) {
		for (unsigned with_neighbours = 0; with_neighbours < 2; with_neighbours++) {
			struct scope stored[CASCADE_PLACES + NEIGHBOURS];
			int place_of[CASCADE_PLACES + NEIGHBOURS];
			size_t count = 0;
			int won;

			for (size_t i = 0; with_neighbours && i < NEIGHBOURS; i++) {
				struct scope *next = &stored[count];

				/* not all are names one may give; the rule must hold anyway */
				memset(next, 0, sizeof *next);
				strncat(next->project, neighbours[i][0], SCOPE_PART_MAX);
				strncat(next->domain, neighbours[i][1], SCOPE_PART_MAX);
				place_of[count++] = -2;
			}
			for (int i = CASCADE_PLACES - 1; i >= 0; i--) {
				if (!(subset & 1u << i))
					continue;
				stored[count] = scope_of(places[i][0], places[i][1]);
				place_of[count++] = i;
			}
			won = winner(&at, stored, count);
			EXPECT_INT(expected[subset], won < 0 ? -1 : place_of[won]);
		}
	}
}

TEST(cascade, ranks_its_own_places_in_order)
{
	struct scope at = scope_of("fraud", "production"), places[CASCADE_PLACES];

	cascade_places(&at, places);
	for (int i = 0; i < CASCADE_PLACES; i++)
		EXPECT_INT(i, cascade_rank(&at, &places[i]));
	EXPECT_STR("fraud", places[1].project);
	EXPECT_STR("", places[1].domain);
	EXPECT_STR("", places[2].project);
	EXPECT_STR("production", places[2].domain);
}

TEST(scope, reads_as_a_sentence_fits)
{
	char text[SCOPE_TEXT_MAX];
	struct scope scope = scope_of("fraud", "production");

	scope_format(&scope, text);
	EXPECT_STR("project 'fraud', domain 'production'", text);
	scope = scope_of("fraud", "");
	scope_format(&scope, text);
	EXPECT_STR("project 'fraud', every domain", text);
	scope = scope_of("", "x");
	scope_format(&scope, text);
	EXPECT_STR("every project, domain 'x'", text);
	scope = scope_of("", "");
	scope_format(&scope, text);
	EXPECT_STR("the whole organization", text);
}

TEST_MAIN()
