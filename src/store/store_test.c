#include "store/store.h"

#include "base/buf.h"
#include "base/io.h"
#include "store/meta.h"
#include "store/testing.h"
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

/* One write of the tests: sets meta[key] = "v", or fails after having done so. */
struct put {
	char key[32];
	enum un_err fail;
	enum un_err result;
	unsigned order;
	struct store_write write;
};

static unsigned done_count;

static enum un_err
put_apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct put *put = ctx;
	enum un_err err = meta_set(txn, put->key, "v", 1, detail);

	if (!err && put->fail)
		err = un_fail(detail, put->fail, "refused %s", put->key);
	return err;
}

static void
put_done(void *ctx, enum un_err err, const struct un_detail *detail)
{
	struct put *put = ctx;

	(void)detail;
	put->result = err;
	put->order = done_count++;
}

static struct put *
put_new(unsigned i, enum un_err fail)
{
	struct put *put = mem_zalloc(1, sizeof *put);

	assert_non_null(put);
	(void)snprintf(put->key, sizeof put->key, "key.%u", i);
	put->fail = fail;
	put->write = (struct store_write){.apply = put_apply, .done = put_done, .ctx = put};
	return put;
}

static enum un_err
put_wait(struct store *store, const char *key)
{
	struct put put = {.fail = UN_OK};

	(void)snprintf(put.key, sizeof put.key, "%s", key);
	return store_write_wait(store, put_apply, &put, NULL);
}

static bool
has(struct store_reader *reader, const char *key)
{
	struct buf value;
	enum un_err err;

	buf_init(&value, META_VALUE_MAX, BUF_PLAIN);
	err = store_read_begin(reader, NULL);
	if (!err)
		err = meta_get(store_reader_view(reader), key, &value, NULL);
	buf_fini(&value);
	assert_true(err == UN_OK || err == UN_ERR_NOT_FOUND);
	return err == UN_OK;
}

TEST(store, makes_private_files_and_keeps_what_was_acknowledged)
{
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct store_reader *reader;
	struct stat file;

	EXPECT_OK(put_wait(store, "a"));
	EXPECT(fstatat(scratch.dir_fd, STORE_DATABASE, &file, 0) == 0);
	EXPECT_INT(0600, file.st_mode & 0777);
	EXPECT(fstatat(scratch.dir_fd, STORE_DATABASE "-wal", &file, 0) == 0);
	EXPECT_INT(0600, file.st_mode & 0777);
	store_close(store);
	store = scratch_open(&scratch);
	EXPECT_OK(store_reader_open(store, &reader, NULL));
	EXPECT(has(reader, "a"));
	EXPECT(!has(reader, "b"));
	store_reader_close(reader);
	store_close(store);
	scratch_end(&scratch);
}

TEST(store, keeps_a_second_process_out_and_says_which_one_is_in)
{
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch), *second = NULL;
	struct store_options options = {.dir = scratch.dir, .create = true};
	struct un_detail detail = {0};
	char pid[32];

	EXPECT_ERR(UN_ERR_BUSY, store_open(&options, &second, &detail));
	EXPECT_NULL(second);
	(void)snprintf(pid, sizeof pid, "process %ld", (long)getpid());
	assert_non_null(strstr(detail.message, pid));
	store_close(store);
	EXPECT_OK(store_open(&options, &second, &detail));
	store_close(second);
	scratch_end(&scratch);
}

TEST(store, undoes_a_failing_write_alone_and_keeps_the_order)
{
	enum { COUNT = 300 };
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct store_reader *reader;
	struct put *puts[COUNT];

	done_count = 0;
	for (unsigned i = 0; i < COUNT; i++) {
		puts[i] = put_new(i, i % 7 == 3 ? UN_ERR_CONFLICT : UN_OK);
		EXPECT_OK(store_submit(store, &puts[i]->write));
	}
	EXPECT_OK(put_wait(store, "last")); /* comes after all of them */
	EXPECT_OK(store_reader_open(store, &reader, NULL));
	for (unsigned i = 0; i < COUNT; i++) {
		EXPECT_ERR(i % 7 == 3 ? UN_ERR_CONFLICT : UN_OK, puts[i]->result);
		EXPECT_INT(i, puts[i]->order);
		EXPECT(has(reader, puts[i]->key) == (i % 7 != 3));
		mem_free(puts[i]);
	}
	store_reader_close(reader);
	store_close(store);
	scratch_end(&scratch);
}

TEST(store, a_begin_after_an_acknowledgement_sees_the_write)
{
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct store_reader *reader;
	char key[32];

	EXPECT_OK(store_reader_open(store, &reader, NULL));
	EXPECT_OK(store_read_begin(reader, NULL));
	for (unsigned i = 0; i < 200; i++) {
		(void)snprintf(key, sizeof key, "k%u", i);
		EXPECT(!has(reader, key));
		EXPECT_OK(put_wait(store, key));
		EXPECT(has(reader, key)); /* no read_end in between */
	}
	store_reader_close(reader);
	store_close(store);
	scratch_end(&scratch);
}

TEST(store, one_read_transaction_stays_the_same_while_others_write)
{
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct store_reader *reader;
	struct buf value;

	buf_init(&value, META_VALUE_MAX, BUF_PLAIN);
	EXPECT_OK(store_reader_open(store, &reader, NULL));
	EXPECT_OK(store_read_begin(reader, NULL));
	EXPECT_OK(put_wait(store, "later"));
	EXPECT_ERR(UN_ERR_NOT_FOUND, meta_get(store_reader_view(reader), "later", &value, NULL));
	EXPECT_OK(store_read_begin(reader, NULL));
	EXPECT_OK(meta_get(store_reader_view(reader), "later", &value, NULL));
	buf_fini(&value);
	store_reader_trim(reader);
	EXPECT(has(reader, "later"));
	store_reader_close(reader);
	store_close(store);
	scratch_end(&scratch);
}

struct racer {
	pthread_t thread;
	struct store *store;
	unsigned number;
	unsigned missed; /* writes that were acknowledged and not seen */
	atomic_bool *over;
};

enum { RACERS = 4, LAPS = 150 };

/* Writes, and must see each write as soon as it is acknowledged. */
static void *
race(void *arg)
{
	struct racer *racer = arg;
	struct store_reader *reader;
	char key[32];

	if (store_reader_open(racer->store, &reader, NULL) != UN_OK)
		return NULL;
	for (unsigned lap = 0; lap < LAPS; lap++) {
		(void)snprintf(key, sizeof key, "r%u.%u", racer->number, lap);
		if (put_wait(racer->store, key) != UN_OK || !has(reader, key))
			racer->missed++;
		if (lap % 8 == 7)
			store_read_end(reader);
	}
	store_reader_close(reader);
	return NULL;
}

/* Reads all the time, so that the writer never finds a gap. */
static void *
read_on(void *arg)
{
	struct racer *racer = arg;
	struct store_reader *reader;

	if (store_reader_open(racer->store, &reader, NULL) != UN_OK)
		return NULL;
	while (!atomic_load(racer->over)) {
		(void)has(reader, "r0.0");
		store_read_end(reader);
	}
	store_reader_close(reader);
	return NULL;
}

TEST(store, many_threads_see_their_own_writes_at_once)
{
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct racer racers[RACERS + 1];
	atomic_bool over = false;

	for (unsigned i = 0; i <= RACERS; i++) {
		racers[i] = (struct racer){.store = store, .number = i, .over = &over};
		EXPECT(pthread_create(&racers[i].thread, NULL, i < RACERS ? race : read_on,
		                      &racers[i]) == 0);
	}
	for (unsigned i = 0; i <= RACERS; i++) {
		if (i == RACERS)
			atomic_store(&over, true);
		EXPECT(pthread_join(racers[i].thread, NULL) == 0);
		EXPECT_INT(0, racers[i].missed);
	}
	store_close(store);
	scratch_end(&scratch);
}

TEST(store, refuses_writes_when_too_many_wait_and_takes_them_again)
{
	enum { COUNT = STORE_QUEUE_MAX + 600 };
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct put *puts = mem_zalloc(COUNT, sizeof *puts);
	unsigned refused = 0;

	assert_non_null(puts);
	for (unsigned i = 0; i < COUNT; i++) {
		enum un_err err;

		(void)snprintf(puts[i].key, sizeof puts[i].key, "key.%u", i % 100);
		puts[i].write =
			(struct store_write){.apply = put_apply, .done = put_done, .ctx = &puts[i]};
		err = store_submit(store, &puts[i].write);
		EXPECT(err == UN_OK || err == UN_ERR_AGAIN);
		refused += err != UN_OK;
	}
	EXPECT(refused < COUNT); /* how many depends on the speed of the writer */
	enum un_err err;

	do {
		err = put_wait(store, "after");
	} while (err == UN_ERR_AGAIN);
	EXPECT_OK(err);
	store_close(store);
	mem_free(puts);
	scratch_end(&scratch);
}

TEST(store, finishes_what_is_queued_when_it_closes)
{
	enum { COUNT = 2000 };
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct put *puts[COUNT];

	for (unsigned i = 0; i < COUNT; i++) {
		puts[i] = put_new(i, UN_OK);
		puts[i]->result = UN_ERR_INTERNAL;
		EXPECT_OK(store_submit(store, &puts[i]->write));
	}
	store_close(store);
	for (unsigned i = 0; i < COUNT; i++) {
		EXPECT_OK(puts[i]->result);
		mem_free(puts[i]);
	}
	scratch_end(&scratch);
}

TEST(store, refuses_to_create_when_not_asked_to)
{
	struct scratch scratch = scratch_begin();
	struct store_options options = {.dir = scratch.dir};
	struct store *store = NULL;

	EXPECT_ERR(UN_ERR_NOT_FOUND, store_open(&options, &store, NULL));
	EXPECT_NULL(store);
	scratch_end(&scratch);
}

TEST_MAIN()
