#include "store/store.h"

#include "base/alloc.h"
#include "base/io.h"
#include "store/schema.h"
#include "store/store_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_LEN_MAX 4000

static enum un_err
open_dir(struct store *store, const struct store_options *options, struct un_detail *detail)
{
	size_t len = strlen(options->dir);
	enum un_err err;

	if (len == 0 || len > PATH_LEN_MAX)
		return un_fail(detail, UN_ERR_INVALID,
		               "the data directory's name is empty or too long");
	store->dir = mem_strdup(options->dir);
	store->path = mem_alloc(len + sizeof "/" STORE_DATABASE);
	if (!store->dir || !store->path)
		return un_fail(detail, UN_ERR_NO_MEMORY, "out of memory");
	(void)snprintf(store->path, len + sizeof "/" STORE_DATABASE, "%s/%s", options->dir,
	               STORE_DATABASE);
	if (options->create) {
		err = io_make_dirs(store->dir, 0700);
		if (err)
			return un_fail_errno(detail, errno, "cannot make the data directory %s",
			                     store->dir);
	}
	store->dir_fd = open(store->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->dir_fd < 0)
		return un_fail_errno(detail, errno, "cannot open the data directory %s",
		                     store->dir);
	return UN_OK;
}

/* Temporary files that a crash left behind: all of ours begin with ".union-". */
static void
clean_up(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;

	if (!dir) {
		io_close(&fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (strncmp(entry->d_name, ".union-", 7) == 0)
			(void)unlinkat(dir_fd, entry->d_name, 0);
	}
	(void)closedir(dir);
}

static enum un_err
set_wal(struct store *store, struct un_detail *detail)
{
	sqlite3 *db = store->conn->db;
	sqlite3_stmt *stmt;
	enum un_err err = UN_OK;
	int rc;

	rc = sqlite3_prepare_v2(db, "PRAGMA journal_mode = WAL", -1, &stmt, NULL);
	if (rc != SQLITE_OK)
		return conn_fail(db, rc, detail);
	rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW)
		err = conn_fail(db, rc, detail);
	else if (strcmp((const char *)sqlite3_column_text(stmt, 0), "wal") != 0)
		err = un_fail(detail, UN_ERR_IO, "%s is on a file system without shared memory",
		              store->dir);
	(void)sqlite3_finalize(stmt);
	if (!err)
		err = conn_exec(store->conn, "PRAGMA synchronous = FULL", detail);
	return err;
}

static enum un_err
open_database(struct store *store, bool create, struct un_detail *detail)
{
	bool is_new;
	enum un_err err;
	int from;

	err = inspect_file(store->dir_fd, create, &is_new, detail);
	if (!err)
		err = conn_open(store->path, CONN_WRITER, &store->conn, detail);
	if (!err)
		err = set_wal(store, detail);
	if (!err)
		err = schema_migrate(store->conn, &from, detail);
	if (!err)
		err = inspect_tables(store->conn, store->dir_fd, detail);
	if (err)
		return err;
	store->txn.conn = store->conn;
	store->wal_pages = 1; /* unknown: let the first idle moment fold in what a crash left */
	store->checkpoint_at = 1;
	(void)sqlite3_wal_hook(store->conn->db, writer_wal_hook, store);
	return UN_OK;
}

static enum un_err
start_writer(struct store *store, struct un_detail *detail)
{
	pthread_condattr_t monotonic;
	int rc;

	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&store->mutex, NULL);
	(void)pthread_cond_init(&store->wake, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	rc = pthread_create(&store->thread, NULL, writer_main, store);
	if (rc != 0) {
		(void)pthread_cond_destroy(&store->wake);
		(void)pthread_mutex_destroy(&store->mutex);
		return un_fail_errno(detail, rc, "cannot start the writer thread");
	}
	store->running = true;
	return UN_OK;
}

enum un_err
store_open(const struct store_options *options, struct store **ret_store, struct un_detail *detail)
{
	struct store *store = mem_zalloc(1, sizeof *store);
	enum un_err err;

	if (!store)
		return un_fail(detail, UN_ERR_NO_MEMORY, "out of memory");
	store->dir_fd = -1;
	store->lock_fd = -1;
	store->batch_done = options->batch_done;
	store->batch_ctx = options->batch_ctx;
	err = open_dir(store, options, detail);
	if (err)
		goto out;
	err = store_lock(store->dir, store->dir_fd, &store->lock_fd, detail);
	if (err)
		goto out;
	clean_up(store->dir_fd);
	err = open_database(store, options->create, detail);
	if (err)
		goto out;
	err = start_writer(store, detail);
	if (err)
		goto out;
	*ret_store = store;
	store = NULL; /* the caller's */
out:
	store_close(store);
	return err;
}

static void
stop_writer(struct store *store)
{
	(void)pthread_mutex_lock(&store->mutex);
	store->closing = true;
	(void)pthread_cond_signal(&store->wake);
	(void)pthread_mutex_unlock(&store->mutex);
	(void)pthread_join(store->thread, NULL);
	(void)pthread_cond_destroy(&store->wake);
	(void)pthread_mutex_destroy(&store->mutex);
}

void
store_close(struct store *store)
{
	if (!store)
		return;
	if (store->running)
		stop_writer(store);
	conn_shut(store->conn);
	io_close(&store->lock_fd); /* the file stays: removing it would race with who opens it */
	io_close(&store->dir_fd);
	mem_free(store->path);
	mem_free(store->dir);
	mem_free(store);
}

enum un_err
store_submit(struct store *store, struct store_write *write)
{
	enum un_err err = UN_OK;

	write->next = NULL;
	write->failure = NULL;
	write->err = UN_OK;
	(void)pthread_mutex_lock(&store->mutex);
	if (store->closing) {
		err = UN_ERR_SHUTTING_DOWN;
	} else if (store->waiting >= STORE_QUEUE_MAX) {
		err = UN_ERR_AGAIN;
	} else {
		if (store->last)
			store->last->next = write;
		else
			store->first = write;
		store->last = write;
		store->waiting++;
		if (store->sleeping) {
			store->sleeping = false;
			(void)pthread_cond_signal(&store->wake);
		}
	}
	(void)pthread_mutex_unlock(&store->mutex);
	return err;
}

struct waited {
	sem_t ready;
	enum un_err (*apply)(struct store_txn *txn, void *ctx, struct un_detail *detail);
	void *ctx;
	struct un_detail *detail;
	enum un_err err;
};

static enum un_err
waited_apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	const struct waited *waited = ctx;

	return waited->apply(txn, waited->ctx, detail);
}

static void
waited_done(void *ctx, enum un_err err, const struct un_detail *detail)
{
	struct waited *waited = ctx;

	waited->err = err;
	if (err && waited->detail)
		*waited->detail = *detail;
	(void)sem_post(&waited->ready);
}

enum un_err
store_write_wait(struct store *store,
                 enum un_err (*apply)(struct store_txn *txn, void *ctx, struct un_detail *detail),
                 void *ctx, struct un_detail *detail)
{
	struct waited waited = {.apply = apply, .ctx = ctx, .detail = detail};
	struct store_write write = {.apply = waited_apply, .done = waited_done, .ctx = &waited};
	enum un_err err;

	(void)sem_init(&waited.ready, 0, 0);
	err = store_submit(store, &write);
	if (err) {
		err = un_fail(detail, err, "%s", un_err_text(err));
	} else {
		while (sem_wait(&waited.ready) != 0) {
			/* EINTR: the write is queued and will end */
		}
		err = waited.err;
	}
	(void)sem_destroy(&waited.ready);
	return err;
}

struct store_view *
store_txn_view(struct store_txn *txn)
{
	return &txn->conn->view;
}

void
store_txn_scrub(struct store_txn *txn)
{
	txn->scrub = true;
}

void
store_stats(const struct store *store, struct store_stats *ret_stats)
{
	*ret_stats = (struct store_stats){
		.commits = atomic_load(&store->commits),
		.writes = atomic_load(&store->writes),
		.failures = atomic_load(&store->failures),
		.checkpoints = atomic_load(&store->checkpoints),
		.checkpoint_failures = atomic_load(&store->checkpoint_failures),
		.wal_bytes = atomic_load(&store->wal_bytes),
		.scrub_pending = atomic_load(&store->scrub_pending),
		.disk_full = atomic_load(&store->disk_full),
	};
}

const char *
store_dir(const struct store *store)
{
	return store->dir;
}
