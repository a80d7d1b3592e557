#include "authz/directory.h"

#include "authz/access_testing.h"
#include "store/testing.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

TEST(directory, finds_keys_by_name_and_number_and_roles_by_scope)
{
	struct access_sample sample = {.key_count = 0};
	const struct directory_key *key;
	struct directory_roles roles;
	struct directory_view *view;
	char name[16];

	for (int i = 0; i < 40; i++) {
		(void)snprintf(name, sizeof name, "key-%d", i);
		sample_key(&sample, name);
	}
	sample.keys[7].epoch = 9;
	sample.keys[7].hash[31] = 0x77;
	sample_grant(&sample, "key-7", "runner", "fraud", "");
	sample_grant(&sample, "key-8", "viewer", "fraud", "");
	sample_grant(&sample, "key-7", "secret-writer", "fraud", "");
	sample_grant(&sample, "key-7", "admin", "fraud", "prod");
	sample_grant(&sample, "key-7", "viewer", "", "prod");
	sample_grant(&sample, "key-9", "runner", "", "");
	view = sample_view(&sample);
	EXPECT_INT(40, directory_key_count(view));
	for (int i = 0; i < 40; i++) {
		key = directory_find_key(view, sample.keys[i].name);
		EXPECT_STR(sample.keys[i].name, key->name);
		EXPECT(directory_find_key_id(view, sample.keys[i].id) == key);
	}
	key = directory_find_key(view, "key-7");
	EXPECT_INT(9, key->epoch);
	EXPECT_INT(0x77, key->hash[31]);
	EXPECT_INT(4, key->grant_count);
	directory_roles_over(view, key, &(struct scope){"fraud", "prod"}, &roles);
	EXPECT_INT(0, roles.organization);
	EXPECT_INT(1u << AUTHZ_ROLE_RUNNER | 1u << AUTHZ_ROLE_SECRET_WRITER, roles.project);
	EXPECT_INT(1u << AUTHZ_ROLE_VIEWER, roles.domain);
	EXPECT_INT(1u << AUTHZ_ROLE_ADMIN, roles.both);
	directory_roles_over(view, key, &(struct scope){"fraud", ""}, &roles);
	EXPECT_INT(1u << AUTHZ_ROLE_RUNNER | 1u << AUTHZ_ROLE_SECRET_WRITER, roles.project);
	EXPECT_INT(0, roles.domain | roles.both);
	directory_roles_over(view, key, &(struct scope){"", "fraud"}, &roles);
	EXPECT_INT(0, roles.organization | roles.project | roles.domain | roles.both);
	directory_roles_over(view, directory_find_key(view, "key-9"),
	                     &(struct scope){"fraud", "prod"}, &roles);
	EXPECT_INT(1u << AUTHZ_ROLE_RUNNER, roles.organization);
	EXPECT_INT(0, roles.project | roles.domain | roles.both);
	EXPECT_NULL(directory_find_key(view, "key-40"));
	EXPECT_NULL(directory_find_key_id(view, 1));
	EXPECT_NULL(directory_find_key(NULL, "key-7"));
	directory_view_unref(view);
}

TORTURE(directory, makes_a_whole_view_or_none)
{
	struct access_sample sample = {.key_count = 0};
	struct directory_view *view = NULL;
	enum un_err err;

	sample_key(&sample, "ci");
	sample_grant(&sample, "ci", "admin", "", "");
	err = directory_view_new(sample.keys, 1, sample.grants, 1, &view);
	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY);
	EXPECT((err == UN_OK) == (view != NULL));
	directory_view_unref(view);
}

/* ---- from the database ---- */

static enum un_err
insert(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	const struct access_sample *sample = ctx;
	enum un_err err = UN_OK;
	int64_t id;

	for (size_t i = 0; i < sample->key_count && !err; i++)
		err = api_key_insert(txn, &sample->keys[i], &id, detail);
	for (size_t i = 0; i < sample->grant_count && !err; i++)
		err = grant_insert(txn, &sample->grants[i], &id, detail);
	return err;
}

static enum un_err
remove_key(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct api_key_row row;
	uint32_t grants;
	enum un_err err = api_key_get(store_txn_view(txn), ctx, &row, detail);

	return err ? err : api_key_delete(txn, row.id, row.name, &grants, detail);
}

TEST(directory, shows_what_is_in_the_database_after_each_refresh)
{
	struct access_sample sample = {.key_count = 0};
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct directory_reader mine = {0}, other = {0};
	struct directory *directory;
	struct directory_view *kept;
	struct store_reader *reader;
	char ci[] = "ci";

	sample_key(&sample, "ci");
	sample_key(&sample, "cd");
	sample_grant(&sample, "ci", "admin", "", "");
	EXPECT_OK(store_reader_open(store, &reader, NULL));
	EXPECT_OK(directory_new(&directory));
	directory_reader_init(&mine, directory);
	directory_reader_init(&other, directory);
	EXPECT_NULL(directory_peek(&mine));
	EXPECT_OK(store_write_wait(store, insert, &sample, NULL));
	EXPECT_OK(directory_refresh(directory, reader, NULL));
	EXPECT_INT(2, directory_key_count(directory_peek(&mine)));
	EXPECT(directory_peek(&mine) == directory_peek(&other));
	kept = directory_take(&other);
	EXPECT_OK(store_write_wait(store, remove_key, ci, NULL));
	EXPECT_OK(directory_refresh(directory, reader, NULL));
	EXPECT_NULL(directory_find_key(directory_peek(&mine), "ci"));
	EXPECT(directory_find_key(directory_peek(&mine), "cd") != NULL);
	EXPECT(directory_find_key(kept, "ci") != NULL);
	EXPECT(!directory_is_stale(directory));
	directory_view_unref(kept);
	directory_reader_fini(&mine);
	directory_reader_fini(&other);
	directory_free(directory);
	store_reader_close(reader);
	store_close(store);
	scratch_end(&scratch);
}

#ifdef UN_FAULTS
TEST(directory, shows_nothing_when_it_cannot_read_what_there_is)
{
	struct access_sample sample = {.key_count = 0};
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct directory_reader mine = {0};
	struct directory *directory;
	struct store_reader *reader;
	bool failed = true;

	sample_key(&sample, "ci");
	EXPECT_OK(store_reader_open(store, &reader, NULL));
	EXPECT_OK(store_write_wait(store, insert, &sample, NULL));
	EXPECT_OK(directory_new(&directory));
	directory_reader_init(&mine, directory);
	for (long nth = 1; failed; nth++) {
		EXPECT_OK(directory_refresh(directory, reader, NULL));
		fault_arm(FAULT_ALLOC, nth);
		failed = directory_refresh(directory, reader, NULL) != UN_OK;
		fault_disarm();
		EXPECT_INT(failed, directory_is_stale(directory));
		EXPECT_INT(failed ? 0 : 1, directory_key_count(directory_peek(&mine)));
		EXPECT(nth < 1000);
	}
	directory_reader_fini(&mine);
	directory_free(directory);
	store_reader_close(reader);
	store_close(store);
	scratch_end(&scratch);
}
#endif

/* ---- many threads ---- */

#define READERS 3
#define SWAPS 2000

struct race {
	struct directory *directory;
	atomic_uint shown; /* the number of the newest view whose show has returned */
	atomic_bool over;
};

/* Key and grant of a view agree, and no view is older than what was shown before looking. */
static void *
look(void *ctx)
{
	struct race *race = ctx;
	struct directory_reader reader;
	uint64_t last = 0;

	directory_reader_init(&reader, race->directory);
	while (!atomic_load(&race->over)) {
		unsigned shown = atomic_load(&race->shown);
		const struct directory_view *view = directory_peek(&reader);
		const struct directory_key *key = directory_find_key(view, "ci");
		struct directory_roles roles;

		if (!key)
			continue;
		directory_roles_over(view, key, &(struct scope){"p", "d"}, &roles);
		assert(key->epoch >= shown && key->epoch >= last);
		last = key->epoch;
		assert(key->grant_count == 1);
		assert(roles.project == 1u << (key->epoch % AUTHZ_ROLES));
	}
	directory_reader_fini(&reader);
	return NULL;
}

TEST(directory, is_swapped_under_readers_who_see_whole_views_and_never_go_back)
{
	struct race race = {.shown = 0};
	pthread_t threads[READERS];

	EXPECT_OK(directory_new(&race.directory));
	for (size_t i = 0; i < READERS; i++)
		EXPECT_INT(0, pthread_create(&threads[i], NULL, look, &race));
	for (unsigned number = 1; number <= SWAPS; number++) {
		struct access_sample sample = {.key_count = 0};

		sample_key(&sample, "ci");
		sample.keys[0].epoch = number;
		sample_grant(&sample, "ci", authz_role_text(number % AUTHZ_ROLES), "p", "");
		directory_show(race.directory, sample_view(&sample));
		atomic_store(&race.shown, number);
	}
	atomic_store(&race.over, true);
	for (size_t i = 0; i < READERS; i++)
		EXPECT_INT(0, pthread_join(threads[i], NULL));
	directory_free(race.directory);
}

TEST_MAIN()
