#include "store/runs.h"

#include "base/clock.h"
#include "store/testing.h"
#include "test.h"

struct put {
	struct entity_row entity;
	struct run_row run;
	int64_t id;
};

static enum un_err
put_entity(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct put *put = ctx;

	return entity_insert(txn, &put->entity, &put->id, detail);
}

static enum un_err
put_run(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct put *put = ctx;

	return run_insert(txn, &put->run, &put->id, detail);
}

/* In this order, so that scopes are mixed. */
static const char *const rows[][2] = {
        {"p", "d"}, {"q", "d"}, {"p", "e"}, {"p", "d"}, {"r", "d"}, {"q", "e"},
        {"p", "d"}, {"q", "d"}, {"r", "e"}, {"p", "e"}, {"q", "d"}, {"p", "d"},
};
#define ROWS (sizeof rows / sizeof rows[0])

static void
fill(struct store *store)
{
	static const uint8_t spec[] = "spec";
	char name[16];

	for (size_t i = 0; i < ROWS; i++) {
		struct put put = {.entity = {.key = {ENTITY_TASK, rows[i][0], rows[i][1], name,
		                                     "v"},
		                             .spec = {spec, sizeof spec}}};

		(void)snprintf(name, sizeof name, "n%zu", i);
		EXPECT_OK(store_write_wait(store, put_entity, &put, NULL));
		put.run = (struct run_row){.entity = put.id,
		                           .principal = "uid:1",
		                           .error_code = "",
		                           .error_message = "",
		                           .abort_cause = "",
		                           .spec = {spec, sizeof spec}};
		(void)snprintf(put.run.project, sizeof put.run.project, "%s", rows[i][0]);
		(void)snprintf(put.run.domain, sizeof put.run.domain, "%s", rows[i][1]);
		(void)snprintf(put.run.name, sizeof put.run.name, "n%zu", i);
		EXPECT_OK(store_write_wait(store, put_run, &put, NULL));
	}
}

struct listing {
	char text[256];
	int64_t last;
	unsigned count;
};

static enum un_err
each_run(void *ctx, const struct run_row *row)
{
	struct listing *listing = ctx;
	size_t used = strlen(listing->text);

	(void)snprintf(listing->text + used, sizeof listing->text - used, "%s ", row->name);
	listing->last = row->id;
	listing->count++;
	return UN_OK;
}

static enum un_err
each_entity(void *ctx, const struct entity_row *row)
{
	struct listing *listing = ctx;
	size_t used = strlen(listing->text);

	(void)snprintf(listing->text + used, sizeof listing->text - used, "%s ", row->key.name);
	listing->last = row->id;
	listing->count++;
	return UN_OK;
}

/* A grant for every domain of p, and one for q in d. */
static bool
sees(void *ctx, const struct scope *scope)
{
	(void)ctx;
	return strcmp(scope->project, "p") == 0 ||
	       (strcmp(scope->project, "q") == 0 && strcmp(scope->domain, "d") == 0);
}

static const struct scope_filter may = {.sees = sees};

TEST(runs_seen, pages_are_full_of_what_may_be_seen_newest_first)
{
	static const struct {
		struct scope within;
		const char *expected;
	} cases[] = {
	        {{"", ""}, "n11 n10 n9 n7 n6 n3 n2 n1 n0 "},
	        {{"p", ""}, "n11 n9 n6 n3 n2 n0 "},
	        {{"", "d"}, "n11 n10 n7 n6 n3 n1 n0 "},
	        {{"q", "d"}, "n10 n7 n1 "},
	        {{"q", "e"}, ""},
	        {{"r", ""}, ""},
	};
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct store_reader *reader;

	fill(store);
	EXPECT_OK(store_reader_open(store, &reader, NULL));
	EXPECT_OK(store_read_begin(reader, NULL));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0] * 12; i++) {
		struct run_seen seen = {.within = cases[i / 12].within,
		                        .may = &may,
		                        .before = INT64_MAX,
		                        .limit = (unsigned)(i % 12) + 1};
		struct store_view *view = store_reader_view(reader);
		const struct entity_key like = {.kind = ENTITY_TASK, .name = ""};
		struct listing runs = {.text = ""}, entities = {.text = ""};
		unsigned before;

		do {
			before = runs.count;
			EXPECT_OK(run_list_seen(view, &seen, each_run, &runs, NULL));
			EXPECT(runs.count - before <= seen.limit);
			seen.before = runs.last;
		} while (runs.count - before == seen.limit);
		EXPECT_STR(cases[i / 12].expected, runs.text);
		seen.before = INT64_MAX;
		do {
			before = entities.count;
			EXPECT_OK(entity_list_seen(view, &like, &seen, each_entity, &entities,
			                           NULL));
			seen.before = entities.last;
		} while (entities.count - before == seen.limit);
		EXPECT_STR(cases[i / 12].expected, entities.text);
	}
	store_reader_close(reader);
	store_close(store);
	scratch_end(&scratch);
}

TEST(runs_seen, entities_are_of_the_kind_and_name_that_was_asked_for)
{
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct run_seen seen = {.may = &may, .before = INT64_MAX, .limit = 10};
	struct entity_key like = {.kind = ENTITY_TASK, .name = "n9"};
	struct listing found = {.text = ""}, none = {.text = ""};
	struct store_reader *reader;

	fill(store);
	EXPECT_OK(store_reader_open(store, &reader, NULL));
	EXPECT_OK(store_read_begin(reader, NULL));
	EXPECT_OK(entity_list_seen(store_reader_view(reader), &like, &seen, each_entity, &found,
	                           NULL));
	EXPECT_STR("n9 ", found.text);
	like = (struct entity_key){.kind = ENTITY_WORKFLOW, .name = ""};
	EXPECT_OK(entity_list_seen(store_reader_view(reader), &like, &seen, each_entity, &none,
	                           NULL));
	EXPECT_STR("", none.text);
	store_reader_close(reader);
	store_close(store);
	scratch_end(&scratch);
}

TEST_MAIN()
