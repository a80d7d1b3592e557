#include "store/secrets_testing.h"
#include "test.h"

struct listing {
	char text[4096];
	unsigned count;
};

static bool
add_to_listing(void *ctx, const struct secret_head *head)
{
	struct listing *listing = ctx;
	size_t used = strlen(listing->text);

	(void)snprintf(listing->text + used, sizeof listing->text - used, "%s/%s/%s ",
	               head->id.scope.project, head->id.scope.domain, head->id.name);
	listing->count++;
	return true;
}

/* All pages of `limit` rows, one after the other. */
static void
list_pages_seen(struct store *store, const char *project, const char *domain, uint32_t limit,
                struct scope_filter may, struct listing *listing)
{
	char cursor[SECRET_CURSOR_MAX] = "";
	struct secret_filter filter = {.org = "", .limit = limit, .cursor = cursor, .may = may};
	struct secret_visit visit = {.each = add_to_listing, .ctx = listing};
	struct store_reader *reader;

	*listing = (struct listing){.count = 0};
	EXPECT_OK(scope_init(&filter.scope, project, domain, NULL));
	EXPECT_OK(store_reader_open(store, &reader, NULL));
	do {
		char next[SECRET_CURSOR_MAX];
		unsigned before = listing->count;

		EXPECT_OK(store_read_begin(reader, NULL));
		EXPECT_OK(secret_list(store_reader_view(reader), &filter, visit, next, NULL));
		EXPECT(listing->count - before <= limit);
		EXPECT(!next[0] || listing->count - before == limit);
		memcpy(cursor, next, sizeof cursor);
	} while (cursor[0]);
	store_reader_close(reader);
}

static void
list_pages(struct store *store, const char *project, const char *domain, uint32_t limit,
           struct listing *listing)
{
	list_pages_seen(store, project, domain, limit, (struct scope_filter){.sees = NULL},
	                listing);
}

TEST(secrets_list, filters_orders_and_pages)
{
	static const char *const rows[][3] = {
		{"", "", "z"},    {"", "", "a"},   {"", "d", "b"},  {"", "e", "b"},
		{"p", "", "c"},   {"p", "d", "b"}, {"p", "d", "a"}, {"p", "e", "a"},
		{"pp", "d", "a"}, {"q", "d", "a"}, {"q", "", "m"},
	};
	static const struct {
		const char *project, *domain, *expected;
	} cases[] = {
		{"", "",
	         "//a //z /d/b /e/b p//c p/d/a p/d/b p/e/a pp/d/a q//m q/d/a "},
		{"p", "", "p//c p/d/a p/d/b p/e/a "},
		{"", "d", "/d/b p/d/a p/d/b pp/d/a q/d/a "},
		{"p", "d", "p/d/a p/d/b "},
		{"q", "e", ""},
		{"none", "", ""},
		{"", "none", ""},
	};
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct listing listing;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		sample_put(store, rows[i][0], rows[i][1], rows[i][2], 1);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (uint32_t limit = 1; limit < 14; limit++) {
			list_pages(store, cases[i].project, cases[i].domain, limit, &listing);
			EXPECT_STR(cases[i].expected, listing.text);
		}
	}
	store_close(store);
	scratch_end(&scratch);
}

/* What a grant for project p, or for domain d, or for nothing would see. */
static bool
sees(void *ctx, const struct scope *scope)
{
	const char *which = ctx;

	return strcmp(which, "p") == 0 ? strcmp(scope->project, "p") == 0 :
	       strcmp(which, "d") == 0 ? strcmp(scope->domain, "d") == 0 :
	                                 false;
}

TEST(secrets_list, pages_of_what_may_be_seen_are_full_and_end_as_if_there_was_nothing_else)
{
	static const char *const rows[][3] = {
		{"", "", "z"},    {"", "d", "b"},  {"", "d", "c"},   {"p", "", "c"},
		{"p", "d", "b"},  {"p", "d", "a"}, {"p", "e", "a"},  {"pp", "d", "a"},
		{"pp", "e", "a"}, {"q", "d", "a"}, {"q", "e", "m"},  {"q", "e", "n"},
	};
	static const struct {
		const char *which, *project, *domain, *expected;
	} cases[] = {
		{"p", "", "", "p//c p/d/a p/d/b p/e/a "},
		{"p", "", "d", "p/d/a p/d/b "},
		{"p", "p", "", "p//c p/d/a p/d/b p/e/a "},
		{"p", "q", "", ""},
		{"d", "", "", "/d/b /d/c p/d/a p/d/b pp/d/a q/d/a "},
		{"d", "p", "", "p/d/a p/d/b "},
		{"d", "p", "e", ""},
		{"d", "", "e", ""},
		{"-", "", "", ""},
	};
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct listing listing;
	char which[2];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		sample_put(store, rows[i][0], rows[i][1], rows[i][2], 1);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		memcpy(which, cases[i].which, sizeof which);
		for (uint32_t limit = 1; limit < 14; limit++) {
			list_pages_seen(store, cases[i].project, cases[i].domain, limit,
			                (struct scope_filter){sees, which}, &listing);
			EXPECT_STR(cases[i].expected, listing.text);
		}
	}
	store_close(store);
	scratch_end(&scratch);
}

TEST(secrets_list, a_page_neither_repeats_nor_skips_when_rows_come_and_go)
{
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct store_reader *reader;
	char cursor[SECRET_CURSOR_MAX], next[SECRET_CURSOR_MAX];
	struct secret_filter filter = {.org = "", .limit = 2};
	struct listing listing = {.count = 0};
	struct secret_visit visit = {.each = add_to_listing, .ctx = &listing};
	struct sample gone;

	sample_put(store, "p", "d", "b", 1);
	sample_put(store, "p", "d", "d", 1);
	sample_put(store, "p", "d", "f", 1);
	EXPECT_OK(store_reader_open(store, &reader, NULL));
	EXPECT_OK(store_read_begin(reader, NULL));
	EXPECT_OK(secret_list(store_reader_view(reader), &filter, visit, cursor, NULL));
	sample_put(store, "p", "d", "a", 1); /* before: not seen */
	sample_put(store, "p", "d", "e", 1); /* after: seen */
	sample_init(&gone, "p", "d", "d", 1); /* where the cursor stands */
	EXPECT_OK(sample_delete(store, &gone, NULL));
	sample_fini(&gone);
	filter.cursor = cursor;
	EXPECT_OK(store_read_begin(reader, NULL));
	EXPECT_OK(secret_list(store_reader_view(reader), &filter, visit, next, NULL));
	EXPECT_STR("p/d/b p/d/d p/d/e p/d/f ", listing.text);
	EXPECT_STR("", next);
	store_reader_close(reader);
	store_close(store);
	scratch_end(&scratch);
}

TEST(secrets_list, refuses_a_cursor_that_is_not_its_own)
{
	static const char *const bad[] = {"x", "AAAA", "!!!!", "AgAAAAA", "AQAAAAEAAAABAAAAAQ=="};
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct store_reader *reader;
	char next[SECRET_CURSOR_MAX], longest[5000];
	struct secret_filter filter = {.org = "", .limit = 2};
	struct listing listing = {.count = 0};
	struct secret_visit visit = {.each = add_to_listing, .ctx = &listing};

	EXPECT_OK(store_reader_open(store, &reader, NULL));
	EXPECT_OK(store_read_begin(reader, NULL));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		filter.cursor = bad[i];
		EXPECT_ERR(UN_ERR_INVALID,
		           secret_list(store_reader_view(reader), &filter, visit, next, NULL));
	}
	memset(longest, 'A', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	filter.cursor = longest;
	EXPECT_ERR(UN_ERR_INVALID,
	           secret_list(store_reader_view(reader), &filter, visit, next, NULL));
	store_reader_close(reader);
	store_close(store);
	scratch_end(&scratch);
}

TEST_MAIN()
