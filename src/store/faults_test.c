/* Each allocation, write and sync failing once, at every point: the call says so and left nothing
 * behind, or it worked. Needs a build with faults; in others each body runs once. */
#include "store/backup.h"
#include "store/secrets_testing.h"
#include "test.h"

#include <sys/wait.h>

#ifndef UN_FAULTS
enum fault_kind { FAULT_ALLOC, FAULT_WRITE, FAULT_FSYNC };
#define fault_arm(kind, nth) ((void)(kind), (void)(nth))
#define fault_disarm() ((void)0)
#define fault_fired() false
#endif

static bool
is_there(struct store *store, const struct secret_id *id, uint32_t version)
{
	struct store_reader *reader;
	struct secret_head head;
	enum un_err err;

	EXPECT_OK(store_reader_open(store, &reader, NULL));
	EXPECT_OK(store_read_begin(reader, NULL));
	err = secret_get(store_reader_view(reader), id, &head, NULL);
	EXPECT(err == UN_OK || err == UN_ERR_SECRET_NOT_FOUND);
	store_reader_close(reader);
	return err == UN_OK && head.version == version;
}

static bool
is_expected(enum un_err err, enum fault_kind kind)
{
	if (err == UN_OK)
		return true;
	if (kind == FAULT_ALLOC)
		return err == UN_ERR_NO_MEMORY || err == UN_ERR_INTERNAL || err == UN_ERR_IO;
	return err == UN_ERR_DISK_FULL || err == UN_ERR_IO;
}

/* Create, update with a large value, delete: with the n-th `kind` of each failing. */
static void
torture_writes(enum fault_kind kind)
{
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	bool fired = true;

	sample_put(store, "p", "d", "first", 1);
	for (long nth = 1; fired; nth++) {
		struct sample sample;
		char name[32];
		enum un_err err;

		(void)snprintf(name, sizeof name, "k%ld", nth);
		sample_init(&sample, "p", "d", name, (int)(nth % 200) + 1);
		fault_arm(kind, nth);
		err = sample_insert(store, &sample, NULL);
		fired = fault_fired();
		fault_disarm();
		EXPECT(is_expected(err, kind));
		EXPECT(is_there(store, &sample.id, 1) == (err == UN_OK));
		if (err)
			EXPECT_OK(sample_insert(store, &sample, NULL)); /* and now it works */

		sample.write.version = 2;
		sample.write.sealed_value_len = 50000;
		fault_arm(kind, nth);
		err = sample_update(store, &sample, NULL);
		fired = fault_fired() || fired;
		fault_disarm();
		EXPECT(is_expected(err, kind));
		EXPECT(is_there(store, &sample.id, err ? 1 : 2));

		fault_arm(kind, nth);
		err = sample_delete(store, &sample, NULL);
		fired = fault_fired() || fired;
		fault_disarm();
		EXPECT(is_expected(err, kind));
		EXPECT(is_there(store, &sample.id, 1) || is_there(store, &sample.id, 2) || !err);
		EXPECT(!is_there(store, &sample.id, 1) || err);
		sample_fini(&sample);
		if (nth % 16 == 0) {
			store_close(store);
			store = scratch_open(&scratch);
		}
		EXPECT(nth < 3000);
	}
	store_close(store);
	scratch_end(&scratch);
}

TEST(faults, a_write_without_memory_is_refused_whole)
{
	torture_writes(FAULT_ALLOC);
}

TEST(faults, a_write_that_the_disk_refuses_leaves_nothing)
{
	torture_writes(FAULT_WRITE);
}

TEST(faults, a_write_that_cannot_be_synced_leaves_nothing)
{
	torture_writes(FAULT_FSYNC);
}

static enum un_err
insert_apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	const struct sample *sample = ctx;

	return secret_insert(txn, &sample->write, NULL, detail);
}

static void
die_when_told(void *ctx, enum un_err err, const struct un_detail *detail)
{
	(void)ctx;
	(void)detail;
	_exit(err == UN_OK ? 0 : 1);
}

/* Dies at the very moment at which the owner of the write hears of it. */
static void
insert_and_die(struct store *store, struct sample *sample, long nth)
{
	struct store_write write = {.apply = insert_apply, .done = die_when_told, .ctx = sample};

	sample_put(store, "p", "d", "first", 1);
	fault_arm(FAULT_FSYNC, nth);
	if (store_submit(store, &write) != UN_OK)
		_exit(2);
	for (;;)
		(void)pause();
}

TEST(faults, a_commit_that_failed_does_not_come_back_after_a_crash)
{
	for (long nth = 1; nth <= 2; nth++) {
		struct scratch scratch = scratch_begin();
		struct sample sample;
		struct store *store;
		int status;
		pid_t child;

		store_close(scratch_open(&scratch));
		sample_init(&sample, "p", "d", "maybe", 1);
		child = fork();
		if (child == 0)
			insert_and_die(scratch_open(&scratch), &sample, nth);
		EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status));
		store = scratch_open(&scratch);
		EXPECT(is_there(store, &sample.id, 1) == (WEXITSTATUS(status) == 0));
		store_close(store);
		sample_fini(&sample);
		scratch_end(&scratch);
	}
}

static bool
nothing(void *ctx, const struct secret_head *head)
{
	(void)ctx;
	(void)head;
	return true;
}

/* Opens, reads, lists and closes a store that is there. */
static enum un_err
open_and_read(const struct scratch *scratch)
{
	struct store_options options = {.dir = scratch->dir, .create = true};
	struct secret_filter filter = {.org = "", .limit = 1};
	struct secret_visit visit = {.each = nothing};
	char cursor[SECRET_CURSOR_MAX];
	struct store *store = NULL;
	struct store_reader *reader = NULL;
	struct secret_sealed sealed;
	struct secret_id at;
	enum un_err err;

	EXPECT_OK(secret_id_init(&at, "p", "d", "first", NULL));
	err = store_open(&options, &store, NULL);
	if (!err)
		err = store_reader_open(store, &reader, NULL);
	if (!err)
		err = store_read_begin(reader, NULL);
	if (!err)
		err = secret_resolve(store_reader_view(reader), &at, 0, &sealed, NULL);
	if (!err) {
		EXPECT_INT(1, sealed.sealed_value[99]);
		err = secret_list(store_reader_view(reader), &filter, visit, cursor, NULL);
	}
	store_reader_close(reader);
	store_close(store);
	return err;
}

TEST(faults, opening_and_reading_work_or_fail_whole)
{
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	bool fired = true;

	sample_put(store, "p", "d", "first", 1);
	sample_put(store, "p", "d", "second", 1);
	store_close(store);
	for (long nth = 1; fired; nth += nth < 200 ? 1 : 7) {
		enum un_err err;

		fault_arm(FAULT_ALLOC, nth);
		err = open_and_read(&scratch);
		fired = fault_fired();
		fault_disarm();
		EXPECT(is_expected(err, FAULT_ALLOC));
		EXPECT(nth < 20000);
	}
	EXPECT_OK(open_and_read(&scratch));
	scratch_end(&scratch);
}

static enum un_err
drop(void *ctx, const uint8_t *bytes, size_t len)
{
	(void)ctx;
	(void)bytes;
	(void)len;
	return UN_OK;
}

TEST(faults, a_backup_works_or_fails_and_leaves_no_copy)
{
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct backup_header header = {.schema = 0};

	EXPECT_OK(crypto_init());
	sample_put(store, "p", "d", "first", 1);
	for (int kind = FAULT_ALLOC; kind <= FAULT_FSYNC; kind++) {
		bool fired = true;

		for (long nth = 1; fired; nth += nth < 100 ? 1 : 7) {
			const struct dirent *entry;
			enum un_err err;
			DIR *dir;

			fault_arm((enum fault_kind)kind, nth);
			err = store_backup(store, &header, drop, NULL, NULL);
			fired = fault_fired();
			fault_disarm();
			EXPECT(is_expected(err, (enum fault_kind)kind));
			dir = opendir(scratch.dir);
			while ((entry = readdir(dir)) != NULL)
				EXPECT(strncmp(entry->d_name, ".union-", 7) != 0);
			(void)closedir(dir);
		}
	}
	store_close(store);
	scratch_end(&scratch);
}

TEST_MAIN()
