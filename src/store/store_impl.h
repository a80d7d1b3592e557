/* store_impl.h - what the engine's files know of a store. Not for record files. */
#ifndef STORE_STORE_IMPL_H
#define STORE_STORE_IMPL_H

#include "store/conn.h"
#include "store/store.h"

#include <pthread.h>
#include <stdatomic.h>

struct store_txn {
	struct conn *conn;
	bool scrub;
};

struct store {
	char *dir;
	char *path; /* of the database */
	int dir_fd;
	int lock_fd;
	struct conn *conn; /* the writer thread's, once it runs */
	void (*batch_done)(void *ctx);
	void *batch_ctx;

	pthread_t thread;
	bool running;
	pthread_mutex_t mutex; /* over the queue */
	pthread_cond_t wake;
	struct store_write *first, *last;
	size_t waiting;
	bool sleeping; /* the writer waits for `wake`: only then is a signal needed */
	bool closing;

	/* Counts transactions that readers must not miss; raised after COMMIT, before `done`. */
	atomic_uint_fast64_t commits;
	atomic_uint_fast64_t writes, failures, checkpoints, checkpoint_failures, wal_bytes;
	atomic_bool scrub_pending, disk_full;

	/* the writer thread's own */
	struct store_txn txn;
	bool tainted;           /* a commit failed: what it wrote must go from the log */
	int wal_pages;          /* frames in the log after the last commit */
	int checkpoint_at;      /* frames at which the next one is due */
	bool said_full;         /* the log was told that the disk is full, and nothing since */
	int64_t said_full_ms;   /* when; 0: never */
	uint64_t refused_full;  /* writes since then */
	int64_t scrub_by_ms;    /* when a scrub shall be tried again, whatever goes on */
	struct un_detail scratch;
};

void *writer_main(void *store); /* the thread */
int writer_wal_hook(void *store, sqlite3 *db, const char *name, int pages);

/* lock.c */
MUST_CHECK enum un_err store_lock(const char *dir, int dir_fd, int *ret_fd,
                                  struct un_detail *detail);
/* inspect.c: the file before SQLite sees it, and the tables after. */
MUST_CHECK enum un_err inspect_file(int dir_fd, bool create, bool *ret_is_new,
                                    struct un_detail *detail);
MUST_CHECK enum un_err inspect_tables(struct conn *conn, int dir_fd, struct un_detail *detail);
/* Runs a check of pages ("PRAGMA quick_check(1)"); the verdict is "ok" or what is wrong. */
#define INSPECT_VERDICT_MAX 256
MUST_CHECK enum un_err inspect_pages(struct conn *conn, const char *pragma,
                                     char ret_verdict[INSPECT_VERDICT_MAX],
                                     struct un_detail *detail);
/* Says which file, and what to do about it. */
enum un_err inspect_damaged(struct un_detail *detail, const char *what);

#endif
