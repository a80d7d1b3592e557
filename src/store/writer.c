/* The writer: one thread, one connection, every write and every checkpoint.
 *
 * Group commit. While a transaction is being synced, the next writes gather in the queue; they
 * become the next transaction. Nothing is delayed on purpose. Each write has a savepoint, so that
 * one that fails is undone alone. A failure that makes SQLite give up the whole transaction (disk
 * full, I/O error, no memory) is met by applying the batch once more, each write in a transaction
 * of its own: innocent neighbours get through if they can, each failing write gets its own error.
 *
 * Checkpoints. SQLite before 3.51.3 can lose data when two connections write or checkpoint at the
 * same moment, so only this connection does either. Passive ones, which wait for nobody, come every
 * CHECKPOINT_PAGES frames. The log starts over by itself once all of it is folded in and no reader
 * uses it; where readers never leave a gap, a restart is forced when it has grown to RESTART_PAGES,
 * waiting a few milliseconds for the readers of that moment. When nothing happens for IDLE_MS, and
 * soon after a scrub was asked for, the log is folded in, overwritten and cut off. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/store_impl.h"

#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#define BATCH_MS 15 /* a transaction takes no further writes after that */
#define IDLE_MS 300
#define CHECKPOINT_PAGES 2000
#define RESTART_PAGES 16384 /* 64 MiB */
#define RESTART_WAIT_MS 20
#define SCRUB_WAIT_MS 5
#define SCRUB_RETRY_MS 50
#define SAY_FULL_MS (60 * 1000)
#define ROOM_BYTES (4u << 20) /* for a large value, and the log it goes through */

int
writer_wal_hook(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct store *store = arg;

	(void)db;
	(void)name;
	store->wal_pages = pages;
	atomic_store_explicit(&store->wal_bytes, (uint_fast64_t)pages * 4096, memory_order_relaxed);
	return SQLITE_OK;
}

static enum un_err
run(struct store *store, const char *text, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err = sql_open(&store->conn->view, text, &sql, detail);

	return err ? err : sql_run(sql, detail);
}

static bool
in_transaction(const struct store *store)
{
	return !sqlite3_get_autocommit(store->conn->db);
}

static void
roll_back(struct store *store)
{
	conn_reset_statements(store->conn);
	if (in_transaction(store))
		(void)sqlite3_exec(store->conn->db, "ROLLBACK", NULL, NULL, NULL);
	store->txn.scrub = false;
}

/* Remembers why a write failed; without memory for it the code alone must do. */
static void
note_failure(struct store *store, struct store_write *write, enum un_err err)
{
	write->err = err;
	if (!write->failure)
		write->failure = mem_alloc(sizeof *write->failure);
	if (write->failure)
		*write->failure = store->scratch;
}

static void
forget_failure(struct store_write *write)
{
	mem_free(write->failure);
	write->failure = NULL;
	write->err = UN_OK;
}

static enum un_err
apply(struct store *store, struct store_write *write)
{
	enum un_err err;

	store->scratch.message[0] = '\0';
	store->scratch.hint[0] = '\0';
	err = write->apply(&store->txn, write->ctx, &store->scratch);
	conn_reset_statements(store->conn);
	return err;
}

/* One write within the transaction. */
static void
apply_in_savepoint(struct store *store, struct store_write *write)
{
	bool scrub = store->txn.scrub;
	enum un_err err;

	err = run(store, "SAVEPOINT one", &store->scratch);
	if (!err) {
		err = apply(store, write);
		if (err) {
			note_failure(store, write, err);
			store->txn.scrub = scrub;
			if (in_transaction(store))
				err = run(store, "ROLLBACK TO one", NULL);
			else
				return;
		}
		if (!err)
			err = run(store, "RELEASE one", &store->scratch);
		if (err && !write->err)
			note_failure(store, write, err);
		if (err)
			roll_back(store); /* the savepoint's state is unknown: start over, one by
			                     one */
		return;
	}
	note_failure(store, write, err);
	roll_back(store);
}

static void
committed(struct store *store)
{
	if (store->txn.scrub) {
		store->txn.scrub = false;
		atomic_store(&store->scrub_pending, true);
		store->scrub_by_ms = clock_mono_ms() + SCRUB_RETRY_MS;
	}
	atomic_fetch_add_explicit(&store->commits, 1, memory_order_release);
}

static bool
checkpoint(struct store *store, int mode, int wait_ms)
{
	int frames = 0, folded = 0, rc;

	(void)sqlite3_busy_timeout(store->conn->db, wait_ms);
	rc = sqlite3_wal_checkpoint_v2(store->conn->db, NULL, mode, &frames, &folded);
	(void)sqlite3_busy_timeout(store->conn->db, RESTART_WAIT_MS);
	atomic_fetch_add_explicit(&store->checkpoints, 1, memory_order_relaxed);
	if (rc != SQLITE_OK && rc != SQLITE_BUSY)
		atomic_fetch_add_explicit(&store->checkpoint_failures, 1, memory_order_relaxed);
	return rc == SQLITE_OK;
}

/* Folds everything in and cuts the log off, which the vfs overwrites with zeros. That also removes
 * the frames of a commit that failed (`tainted`): they stand behind the valid end of the log, and a
 * crash before they are overwritten would bring back a write whose owner was told that it failed.
 */
static bool
empty_log(struct store *store)
{
	if (!checkpoint(store, SQLITE_CHECKPOINT_TRUNCATE, SCRUB_WAIT_MS))
		return false;
	store->wal_pages = 0;
	store->checkpoint_at = CHECKPOINT_PAGES;
	atomic_store_explicit(&store->wal_bytes, 0, memory_order_relaxed);
	atomic_store(&store->scrub_pending, false);
	store->tainted = false;
	return true;
}

/* A commit failed. Before anybody is told, what it wrote goes from the log. */
static void
forget_commit(struct store *store)
{
	roll_back(store);
	store->tainted = true;
	(void)empty_log(store);
}

/* A write on its own: no savepoint needed. */
static void
apply_alone(struct store *store, struct store_write *write)
{
	enum un_err err;

	forget_failure(write);
	store->scratch.message[0] = '\0';
	store->scratch.hint[0] = '\0';
	err = run(store, "BEGIN IMMEDIATE", &store->scratch);
	if (!err)
		err = apply(store, write);
	if (!err && !in_transaction(store)) /* undone below an apply that did not notice */
		err = un_fail(&store->scratch, UN_ERR_IO, "the database gave the write up");
	if (!err) {
		err = run(store, "COMMIT", &store->scratch);
		if (err)
			forget_commit(store);
	}
	if (err) {
		note_failure(store, write, err);
		roll_back(store);
		return;
	}
	committed(store);
}

/* Applies the writes from `first` on; returns the first one that did not fit into this batch. With
 * *ret_lost the transaction is gone and the writes before the returned one must be applied again.
 */
static struct store_write *
apply_batch(struct store *store, struct store_write *first, bool *ret_lost)
{
	int64_t until_ms = clock_mono_ms() + BATCH_MS;
	struct store_write *write = first;
	size_t count = 0;

	*ret_lost = false;
	if (run(store, "BEGIN IMMEDIATE", NULL) != UN_OK)
		*ret_lost = true;
	while (write && count < STORE_BATCH_MAX && !*ret_lost) {
		apply_in_savepoint(store, write);
		*ret_lost = !in_transaction(store);
		write = write->next;
		count++;
		if (count % 16 == 0 && clock_mono_ms() >= until_ms)
			break;
	}
	return *ret_lost && count == 0 ? first->next : write;
}

static void
commit_batch(struct store *store, struct store_write *first, const struct store_write *end)
{
	enum un_err err;

	store->scratch.message[0] = '\0';
	store->scratch.hint[0] = '\0';
	err = run(store, "COMMIT", &store->scratch);
	if (!err) {
		committed(store);
		return;
	}
	forget_commit(store);
	for (struct store_write *write = first; write != end; write = write->next) {
		if (!write->err)
			note_failure(store, write, err);
	}
}

static bool
has_room(const struct store *store)
{
	struct statvfs disk;

	return fstatvfs(store->dir_fd, &disk) || disk.f_bavail * disk.f_frsize >= ROOM_BYTES;
}

/* Whoever looks after the machine is told once a minute, and when it is over. */
static void
note_room(struct store *store, uint64_t refused, bool wrote)
{
	int64_t now = clock_mono_ms();

	if (refused) {
		atomic_store(&store->disk_full, true);
		store->refused_full += refused;
		if (store->said_full_ms && now - store->said_full_ms < SAY_FULL_MS)
			return;
		log_error("store", "the disk is full: %llu writes were refused in %s",
		          (unsigned long long)store->refused_full, store->dir);
		store->said_full_ms = now;
		store->said_full = true;
		store->refused_full = 0;
	} else if (wrote && atomic_load(&store->disk_full) && has_room(store)) {
		atomic_store(&store->disk_full, false);
		if (store->said_full)
			log_notice("store", "there is room on the disk again");
		store->said_full = false;
	}
}

/* Tells the owners. A write may be gone or queued again after its `done`. */
static void
finish_batch(struct store *store, struct store_write *first, const struct store_write *end)
{
	static const struct un_detail nothing;
	uint64_t count = 0, failures = 0, full = 0;

	while (first != end) {
		struct store_write *write = first;
		struct un_detail *failure = write->failure;

		first = write->next;
		write->failure = NULL;
		count++;
		failures += write->err != UN_OK;
		full += write->err == UN_ERR_DISK_FULL;
		write->done(write->ctx, write->err, failure ? failure : &nothing);
		mem_free(failure);
	}
	atomic_fetch_add_explicit(&store->writes, count, memory_order_relaxed);
	atomic_fetch_add_explicit(&store->failures, failures, memory_order_relaxed);
	note_room(store, full, count > failures);
	if (store->batch_done)
		store->batch_done(store->batch_ctx);
}

/* Takes one batch off the front of the list, which is not empty; returns the rest. */
static struct store_write *
run_batch(struct store *store, struct store_write *first)
{
	struct store_write *end;
	bool lost;

	if (!first->next) {
		end = NULL;
		apply_alone(store, first);
	} else {
		end = apply_batch(store, first, &lost);
		if (!lost)
			commit_batch(store, first, end);
		for (struct store_write *write = first; lost && write != end; write = write->next)
			apply_alone(store, write);
	}
	finish_batch(store, first, end);
	return end;
}

static void
after_batch(struct store *store, bool more)
{
	if (store->tainted && empty_log(store))
		return;
	if (atomic_load(&store->scrub_pending) &&
	    (!more || clock_mono_ms() >= store->scrub_by_ms)) {
		if (empty_log(store))
			return;
		store->scrub_by_ms = clock_mono_ms() + SCRUB_RETRY_MS;
	}
	if (store->wal_pages < store->checkpoint_at - CHECKPOINT_PAGES)
		store->checkpoint_at = CHECKPOINT_PAGES; /* the log has started over */
	if (store->wal_pages >= RESTART_PAGES)
		(void)checkpoint(store, SQLITE_CHECKPOINT_RESTART, RESTART_WAIT_MS);
	else if (store->wal_pages >= store->checkpoint_at)
		(void)checkpoint(store, SQLITE_CHECKPOINT_PASSIVE, 0);
	else
		return;
	store->checkpoint_at = store->wal_pages + CHECKPOINT_PAGES;
}

/* With the mutex held. How long the writer may sleep; -1: until it is woken. */
static int
sleep_ms(const struct store *store)
{
	if (store->tainted || atomic_load(&store->scrub_pending))
		return SCRUB_RETRY_MS;
	return store->wal_pages > 0 ? IDLE_MS : -1;
}

static bool
wait_for_work(struct store *store, int ms)
{
	struct timespec until;
	int rc = 0;

	if (ms < 0)
		return pthread_cond_wait(&store->wake, &store->mutex) == 0;
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (rc == 0 && !store->first && !store->closing)
		rc = pthread_cond_timedwait(&store->wake, &store->mutex, &until);
	return rc == 0;
}

/* All that is queued; NULL: time for idle work, or (with `closing`) for the end. */
static struct store_write *
take_queue(struct store *store)
{
	struct store_write *taken;

	(void)pthread_mutex_lock(&store->mutex);
	while (!store->first && !store->closing) {
		int ms = sleep_ms(store);

		store->sleeping = true;
		if (!wait_for_work(store, ms))
			break;
	}
	store->sleeping = false;
	taken = store->first;
	store->first = NULL;
	store->last = NULL;
	store->waiting = 0;
	(void)pthread_mutex_unlock(&store->mutex);
	return taken;
}

static bool
has_work(struct store *store)
{
	bool more;

	(void)pthread_mutex_lock(&store->mutex);
	more = store->first != NULL;
	(void)pthread_mutex_unlock(&store->mutex);
	return more;
}

static bool
is_over(struct store *store)
{
	bool over;

	(void)pthread_mutex_lock(&store->mutex);
	over = store->closing && !store->first;
	(void)pthread_mutex_unlock(&store->mutex);
	return over;
}

void *
writer_main(void *arg)
{
	struct store *store = arg;

	for (;;) {
		struct store_write *work = take_queue(store);

		if (!work && is_over(store))
			break;
		if (!work) {
			(void)empty_log(store);
			(void)sqlite3_db_release_memory(store->conn->db);
			engine_trim();
		}
		while (work) {
			work = run_batch(store, work);
			after_batch(store, work || has_work(store));
		}
	}
	(void)empty_log(store);
	return NULL;
}
