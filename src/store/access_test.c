#include "store/access.h"

#include "store/testing.h"
#include "test.h"

struct change {
	struct api_key_row key;
	struct grant_row grant;
	int64_t id;
	uint32_t grants;
};

static struct change
change_of(const char *name, const char *role, const char *project, const char *domain)
{
	struct change change = {0};

	(void)snprintf(change.key.name, sizeof change.key.name, "%s", name);
	(void)snprintf(change.key.created_by, sizeof change.key.created_by, "uid:1000");
	memset(change.key.hash, name[0], sizeof change.key.hash);
	EXPECT_OK(scope_init(&change.key.scope, project, domain, NULL));
	change.key.created_us = 1000000;
	(void)snprintf(change.grant.principal, sizeof change.grant.principal, "key:%s", name);
	(void)snprintf(change.grant.role, sizeof change.grant.role, "%s", role);
	(void)snprintf(change.grant.created_by, sizeof change.grant.created_by, "uid:1000");
	change.grant.scope = change.key.scope;
	change.grant.created_us = 2000000;
	return change;
}

static enum un_err
insert_key(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct change *change = ctx;

	enum un_err err = api_key_insert(txn, &change->key, &change->key.id, detail);

	change->id = change->key.id;
	return err;
}

static enum un_err
delete_key(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct change *change = ctx;

	return api_key_delete(txn, change->key.id, change->key.name, &change->grants, detail);
}

static enum un_err
use_key(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	const struct change *change = ctx;

	return api_key_set_used(txn, change->id, change->key.last_used_us, detail);
}

static enum un_err
insert_grant(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct change *change = ctx;

	return grant_insert(txn, &change->grant, &change->id, detail);
}

static enum un_err
delete_grant(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	const struct change *change = ctx;

	return grant_delete(txn, &change->grant, detail);
}

struct seen {
	char text[1024];
	size_t stop_after;
	size_t count;
};

static bool
see_key(void *ctx, const struct api_key_row *row)
{
	struct seen *seen = ctx;
	size_t used = strlen(seen->text);

	(void)snprintf(seen->text + used, sizeof seen->text - used, "%s ", row->name);
	return ++seen->count != seen->stop_after;
}

static bool
see_grant(void *ctx, const struct grant_row *row)
{
	struct seen *seen = ctx;
	size_t used = strlen(seen->text);

	(void)snprintf(seen->text + used, sizeof seen->text - used, "%s/%s/%s/%s ", row->principal,
	               row->scope.project, row->scope.domain, row->role);
	return ++seen->count != seen->stop_after;
}

struct fixture {
	struct scratch scratch;
	struct store *store;
	struct store_reader *reader;
};

static struct fixture
fixture_begin(void)
{
	struct fixture f = {.scratch = scratch_begin()};

	f.store = scratch_open(&f.scratch);
	EXPECT_OK(store_reader_open(f.store, &f.reader, NULL));
	return f;
}

static void
fixture_end(struct fixture *f)
{
	store_reader_close(f->reader);
	store_close(f->store);
	scratch_end(&f->scratch);
}

static struct store_view *
view_of(struct fixture *f)
{
	EXPECT_OK(store_read_begin(f->reader, NULL));
	return store_reader_view(f->reader);
}

TEST(access, keeps_a_key_as_it_was_made)
{
	struct fixture f = fixture_begin();
	struct change ci = change_of("ci", "runner", "fraud", "production");
	struct api_key_row row;
	struct un_detail detail = {0};

	ci.key.expires_us = 77;
	ci.key.epoch = 3;
	EXPECT_OK(store_write_wait(f.store, insert_key, &ci, &detail));
	EXPECT_OK(api_key_get(view_of(&f), "ci", &row, &detail));
	EXPECT_INT(ci.id, row.id);
	EXPECT_BYTES(ci.key.hash, row.hash, API_KEY_HASH_LEN);
	EXPECT_STR("fraud", row.scope.project);
	EXPECT_STR("production", row.scope.domain);
	EXPECT_STR("uid:1000", row.created_by);
	EXPECT_INT(3, row.epoch);
	EXPECT_INT(1000000, row.created_us);
	EXPECT_INT(77, row.expires_us);
	EXPECT_INT(0, row.last_used_us);
	EXPECT_ERR(UN_ERR_EXISTS, store_write_wait(f.store, insert_key, &ci, &detail));
	EXPECT_STR("the API key 'ci' exists already", detail.message);
	EXPECT_ERR(UN_ERR_NOT_FOUND, api_key_get(view_of(&f), "cd", &row, &detail));

	ci.key.last_used_us = 5000;
	EXPECT_OK(store_write_wait(f.store, use_key, &ci, &detail));
	ci.key.last_used_us = 4000; /* it never goes back */
	EXPECT_OK(store_write_wait(f.store, use_key, &ci, &detail));
	EXPECT_OK(api_key_get(view_of(&f), "ci", &row, &detail));
	EXPECT_INT(5000, row.last_used_us);
	fixture_end(&f);
}

TEST(access, deletes_a_key_with_its_grants_and_never_uses_its_number_again)
{
	struct fixture f = fixture_begin();
	struct change ci = change_of("ci", "runner", "fraud", "");
	struct change ci2 = change_of("ci2", "admin", "", "");
	struct seen seen = {0};
	int64_t first;

	EXPECT_OK(store_write_wait(f.store, insert_key, &ci, NULL));
	first = ci.id;
	EXPECT_OK(store_write_wait(f.store, insert_grant, &ci, NULL));
	EXPECT_OK(store_write_wait(f.store, insert_grant, &ci2, NULL));
	EXPECT_OK(store_write_wait(f.store, delete_key, &ci, NULL));
	EXPECT_INT(1, ci.grants);
	EXPECT_ERR(UN_ERR_NOT_FOUND, store_write_wait(f.store, delete_key, &ci, NULL));
	EXPECT_OK(grant_walk(view_of(&f), NULL, see_grant, &seen, NULL));
	EXPECT_STR("key:ci2///admin ", seen.text);
	EXPECT_OK(store_write_wait(f.store, insert_key, &ci, NULL));
	EXPECT(ci.id > first);
	fixture_end(&f);
}

TEST(access, gives_a_role_in_a_scope_once_and_takes_exactly_that_one_back)
{
	struct fixture f = fixture_begin();
	struct change a = change_of("ci", "runner", "fraud", "production");
	struct change b = change_of("ci", "runner", "fraud", "");
	struct seen seen = {0};
	struct un_detail detail = {0};

	EXPECT_OK(store_write_wait(f.store, insert_grant, &a, &detail));
	EXPECT_ERR(UN_ERR_EXISTS, store_write_wait(f.store, insert_grant, &a, &detail));
	EXPECT_STR("key:ci has the role 'runner' at project 'fraud', domain 'production'",
	           detail.message);
	EXPECT_ERR(UN_ERR_NOT_FOUND, store_write_wait(f.store, delete_grant, &b, &detail));
	EXPECT_OK(store_write_wait(f.store, insert_grant, &b, &detail));
	a.grant.created_us = 0;
	a.grant.created_by[0] = '\0';
	EXPECT_OK(grant_get(view_of(&f), &a.grant, &detail));
	EXPECT_INT(2000000, a.grant.created_us);
	EXPECT_STR("uid:1000", a.grant.created_by);
	EXPECT_OK(store_write_wait(f.store, delete_grant, &a, &detail));
	EXPECT_ERR(UN_ERR_NOT_FOUND, grant_get(view_of(&f), &a.grant, &detail));
	EXPECT_OK(grant_walk(view_of(&f), NULL, see_grant, &seen, NULL));
	EXPECT_STR("key:ci/fraud//runner ", seen.text);
	fixture_end(&f);
}

TEST(access, walks_in_order_from_where_the_page_before_ended)
{
	static const char *const names[] = {"b", "a", "c"};
	struct fixture f = fixture_begin();
	struct seen keys = {.stop_after = 2}, rest = {0}, grants = {.stop_after = 1};
	struct change last = {0};

	for (size_t i = 0; i < 3; i++) {
		struct change change = change_of(names[i], "viewer", "p", "");

		EXPECT_OK(store_write_wait(f.store, insert_key, &change, NULL));
		EXPECT_OK(store_write_wait(f.store, insert_grant, &change, NULL));
		last = change_of("a", "viewer", "p", "");
	}
	EXPECT_OK(api_key_walk(view_of(&f), "", see_key, &keys, NULL));
	EXPECT_STR("a b ", keys.text);
	EXPECT_OK(api_key_walk(view_of(&f), "b", see_key, &rest, NULL));
	EXPECT_STR("c ", rest.text);
	EXPECT_OK(grant_walk(view_of(&f), &last.grant, see_grant, &grants, NULL));
	EXPECT_STR("key:b/p//viewer ", grants.text);
	fixture_end(&f);
}

TEST(access, deletes_no_key_that_only_has_the_name)
{
	struct fixture f = fixture_begin();
	struct change old = change_of("ci", "runner", "", "");
	struct change young = change_of("ci", "viewer", "fraud", "");

	EXPECT_OK(store_write_wait(f.store, insert_key, &old, NULL));
	EXPECT_OK(store_write_wait(f.store, delete_key, &old, NULL));
	EXPECT_OK(store_write_wait(f.store, insert_key, &young, NULL));
	EXPECT_ERR(UN_ERR_NOT_FOUND, store_write_wait(f.store, delete_key, &old, NULL));
	EXPECT_OK(store_write_wait(f.store, delete_key, &young, NULL));
	fixture_end(&f);
}

TEST_MAIN()
