/* store.h - the engine under all records: one writer with group commit, many readers.
 *
 * The database lives in one directory, which a lock file keeps to one process. Every write of that
 * process goes through one thread and one connection: submitted writes are applied in order of
 * submission, many to a transaction, each in a savepoint of its own, and `done` is called when the
 * transaction is durable. Readers are read-only connections, one a thread.
 *
 * What always holds:
 *  - a write whose `done` got UN_OK survives a crash of the process, the kernel and the power;
 *  - a write that failed left nothing behind, and did not disturb its neighbours;
 *  - a store_read_begin() that comes after a `done` sees that write.
 * Records are reached through the typed headers of this folder (secrets.h, meta.h, trail.h,
 * runs.h), whose functions take the view of a transaction or of a reader. No type here belongs to
 * an engine: another one can stand behind the same names. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_DATABASE "union.db"
#define STORE_LOCK "uniond.lock"
#define STORE_QUEUE_MAX 16384 /* writes that wait; one more is refused with UN_ERR_AGAIN */
#define STORE_BATCH_MAX 512   /* writes in one transaction */

struct store;
struct store_txn;
struct store_reader;
struct store_view; /* where typed functions read: a transaction or a reader */

struct store_options {
	const char *dir; /* read during store_open only */
	bool create;     /* make directory (0700) and database (0600) when there are none */
	/* Optional: called on the writer thread after the last `done` of each batch, so that a
	 * completion queue can be woken once a batch instead of once a write. */
	void (*batch_done)(void *ctx);
	void *batch_ctx;
};

/* Takes the lock, checks the database, brings its schema up to date, starts the writer.
 * UN_ERR_BUSY: another process has it (named in the detail). UN_ERR_DAMAGED, UN_ERR_SCHEMA_NEWER,
 * UN_ERR_NOT_FOUND (no database and not `create`), UN_ERR_DENIED, UN_ERR_DISK_FULL, UN_ERR_IO. */
MUST_CHECK enum un_err store_open(const struct store_options *options, struct store **ret_store,
                                  struct un_detail *detail);
/* Finishes what was submitted, folds the write-ahead log into the database, gives the lock back.
 * All readers must be closed before. NULL is fine. */
void store_close(struct store *store);

/* One write. The caller owns it, and must keep it and `ctx` alive until `done` has been called. */
struct store_write {
	/* On the writer thread. Any error undoes all that this call did, and only that. It may be
	 * called again after such an undo (when a neighbour took the whole transaction down):
	 * results left in `ctx` count only when `done` says UN_OK. It must not wait for anything.
	 */
	enum un_err (*apply)(struct store_txn *txn, void *ctx, struct un_detail *detail);
	/* On the writer thread, once, in the order of submission, after the commit is durable. Post
	 * to your own loop and return. The write may be freed or submitted again in here. `detail`
	 * is lent, never NULL. */
	void (*done)(void *ctx, enum un_err err, const struct un_detail *detail);
	void *ctx;

	struct store_write *next; /* the rest belongs to the store */
	struct un_detail *failure;
	enum un_err err;
};

/* Queues a write; any thread. `done` will be called exactly once if UN_OK is returned, else never.
 * UN_ERR_AGAIN: too many are waiting. UN_ERR_SHUTTING_DOWN: store_close has begun. */
MUST_CHECK enum un_err store_submit(struct store *store, struct store_write *write);
/* The same, waiting for the commit. Any thread but the writer's. */
MUST_CHECK enum un_err store_write_wait(struct store *store,
                                        enum un_err (*apply)(struct store_txn *txn, void *ctx,
                                                             struct un_detail *detail),
                                        void *ctx, struct un_detail *detail);

struct store_view *store_txn_view(struct store_txn *txn);
/* This transaction deletes what must not stay on disk: right after the commit the write-ahead log
 * is folded in, overwritten with zeros and cut off (as soon as no reader stands in the way). */
void store_txn_scrub(struct store_txn *txn);

/* A read-only connection for one thread. Open readers before traffic starts: it takes about 0.1 ms.
 */
MUST_CHECK enum un_err store_reader_open(struct store *store, struct store_reader **ret_reader,
                                         struct un_detail *detail);
void store_reader_close(struct store_reader *reader); /* NULL is fine */

/* Call at the beginning of every request, and store_read_end once after a batch of them (before
 * waiting for events). The first call opens a read transaction; later ones reuse it for as long as
 * no write has been acknowledged since it began, and open a fresh one otherwise. So a batch costs
 * one transaction, and no request ever misses a write that was acknowledged before it arrived. All
 * that was lent by the view before is void after either call. */
MUST_CHECK enum un_err store_read_begin(struct store_reader *reader, struct un_detail *detail);
void store_read_end(struct store_reader *reader);
bool store_is_reading(const struct store_reader *reader); /* between begin and end */
struct store_view *store_reader_view(struct store_reader *reader);
/* Gives cached memory back; for a worker that has nothing to do. Outside of a read transaction. */
void store_reader_trim(struct store_reader *reader);

/* For metrics and tests. Any thread; each figure is exact, their combination is not. */
struct store_stats {
	uint64_t commits;  /* transactions */
	uint64_t writes;   /* items in them */
	uint64_t failures; /* items that ended with an error */
	uint64_t checkpoints;
	uint64_t checkpoint_failures; /* those that could not write; retried */
	uint64_t wal_bytes;           /* in use by the write-ahead log after the last commit */
	bool scrub_pending;           /* a deleted row is still in the write-ahead log */
	bool disk_full;               /* a write found no room, and there is still too little */
};
void store_stats(const struct store *store, struct store_stats *ret_stats);

const char *store_dir(const struct store *store); /* lent while the store lives */
int store_schema_newest(void);                    /* the schema this program writes */

#endif
