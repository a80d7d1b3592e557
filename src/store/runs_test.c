#include "store/runs.h"

#include "store/testing.h"
#include "test.h"

static const uint8_t spec_a[] = "spec a", spec_b[] = "spec b";

struct entity_try {
	struct entity_row row;
	int64_t id;
};

static enum un_err
apply_entity(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct entity_try *try = ctx;

	return entity_insert(txn, &try->row, &try->id, detail);
}

static struct entity_try
entity_named(const char *name, const char *version, const uint8_t *spec)
{
	return (struct entity_try){.row = {
	        .key = {ENTITY_TASK, "p", "d", name, version},
	        .created_us = 7,
	        .spec = {spec, sizeof spec_a},
	}};
}

struct fixture {
	struct scratch scratch;
	struct store *store;
	struct store_reader *reader;
	struct un_detail detail;
};

static struct fixture
begin(void)
{
	struct fixture f = {.scratch = scratch_begin()};

	f.store = scratch_open(&f.scratch);
	EXPECT_OK(store_reader_open(f.store, &f.reader, NULL));
	return f;
}

static void
end(struct fixture *f)
{
	store_reader_close(f->reader);
	store_close(f->store);
	scratch_end(&f->scratch);
}

static struct store_view *
view(struct fixture *f)
{
	EXPECT_OK(store_read_begin(f->reader, NULL));
	return store_reader_view(f->reader);
}

TEST(runs, an_entity_is_registered_once_and_never_changed)
{
	struct fixture f = begin();
	struct entity_try a = entity_named("t", "v1", spec_a), b = entity_named("t", "v1", spec_b);
	int64_t id;

	EXPECT_OK(store_write_wait(f.store, apply_entity, &a, NULL));
	id = a.id;
	EXPECT_ERR(UN_ERR_EXISTS, store_write_wait(f.store, apply_entity, &a, NULL));
	EXPECT_INT(id, a.id);
	EXPECT_ERR(UN_ERR_INVALID, store_write_wait(f.store, apply_entity, &b, &f.detail));
	end(&f);
}

TEST(runs, an_empty_version_is_the_newest)
{
	struct fixture f = begin();
	struct entity_try a = entity_named("t", "v2", spec_a), b = entity_named("t", "v1", spec_b);
	struct entity_row row;
	const struct entity_key newest = {ENTITY_TASK, "p", "d", "t", ""};
	const struct entity_key other = {ENTITY_TASK, "p", "e", "t", ""};

	EXPECT_OK(store_write_wait(f.store, apply_entity, &a, NULL));
	EXPECT_OK(store_write_wait(f.store, apply_entity, &b, NULL));
	EXPECT_OK(entity_get(view(&f), &newest, &row, NULL));
	EXPECT_STR("v1", row.key.version);
	EXPECT_ERR(UN_ERR_NOT_FOUND, entity_get(view(&f), &other, &row, NULL));
	end(&f);
}

struct run_try {
	struct run_row row;
	int64_t expected, id;
};

static enum un_err
apply_run(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct run_try *try = ctx;

	return run_insert(txn, &try->row, &try->id, detail);
}

static enum un_err
apply_update(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct run_try *try = ctx;

	return run_update(txn, &try->row, try->expected, detail);
}

static int64_t
add_run(struct fixture *f, const char *name)
{
	struct entity_try entity = entity_named("t", "v1", spec_a);
	struct run_try run = {.row = {.principal = "p", .change = 1, .spec = {spec_a, 3}}};
	enum un_err err = store_write_wait(f->store, apply_entity, &entity, NULL);

	EXPECT(err == UN_OK || err == UN_ERR_EXISTS);
	run.row.entity = entity.id;
	strcpy(run.row.project, "p");
	strcpy(run.row.domain, "d");
	strcpy(run.row.name, name);
	EXPECT_OK(store_write_wait(f->store, apply_run, &run, &f->detail));
	return run.id;
}

TEST(runs, a_step_is_refused_when_another_came_between)
{
	struct fixture f = begin();
	struct run_try step = {.row = {.id = add_run(&f, "r"),
	                               .change = 2,
	                               .state = 5,
	                               .error_code = "",
	                               .error_message = "",
	                               .abort_cause = "why"},
	                       .expected = 1};
	struct run_row row;

	EXPECT_OK(store_write_wait(f.store, apply_update, &step, NULL));
	EXPECT_ERR(UN_ERR_CONFLICT, store_write_wait(f.store, apply_update, &step, NULL));
	EXPECT_OK(run_get(view(&f), "p", "d", "r", &row, NULL));
	EXPECT_INT(2, row.change);
	EXPECT_STR("why", row.abort_cause);
	EXPECT_ERR(UN_ERR_EXECUTION_NOT_FOUND, run_get(view(&f), "p", "d", "x", &row, NULL));
	end(&f);
}

static enum un_err
count_id(void *ctx, int64_t id)
{
	int64_t *sum = ctx;

	*sum = *sum * 10 + id;
	return UN_OK;
}

TEST(runs, active_executions_are_found_oldest_first)
{
	struct fixture f = begin();
	struct run_try over = {.row = {.change = 2,
	                               .state = 3,
	                               .error_code = "",
	                               .error_message = "",
	                               .abort_cause = ""},
	                       .expected = 1};
	int64_t sum = 0;

	EXPECT_INT(1, add_run(&f, "a"));
	over.row.id = add_run(&f, "b");
	EXPECT_INT(3, add_run(&f, "c"));
	EXPECT_OK(store_write_wait(f.store, apply_update, &over, NULL));
	EXPECT_OK(run_list_active(view(&f), 0, count_id, &sum, NULL));
	EXPECT_INT(13, sum);
	EXPECT_OK(run_count_active(view(&f), &sum, NULL));
	EXPECT_INT(2, sum);
	end(&f);
}

static enum un_err
apply_attempt(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	return run_attempt_put(txn, ctx, detail);
}

TEST(runs, an_attempt_is_found_by_its_lease_only_once_claimed)
{
	struct fixture f = begin();
	struct run_attempt_row row = {.execution = 1, .number = 3, .state = 1}, found;

	memset(row.lease_hash, 9, sizeof row.lease_hash);
	EXPECT_OK(store_write_wait(f.store, apply_attempt, &row, NULL));
	EXPECT_ERR(UN_ERR_NOT_FOUND, run_attempt_find(view(&f), row.lease_hash, &found, NULL));
	row.state = 2;
	EXPECT_OK(store_write_wait(f.store, apply_attempt, &row, NULL));
	EXPECT_OK(run_attempt_find(view(&f), row.lease_hash, &found, NULL));
	EXPECT_INT(3, found.number);
	EXPECT_BYTES(row.lease_hash, found.lease_hash, sizeof row.lease_hash);
	end(&f);
}

TEST_MAIN()
