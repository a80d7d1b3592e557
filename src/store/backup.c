#include "store/backup.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "store/store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAGES_AT_ONCE 2048
#define TEMPORARY_MAX 64

struct backup {
	int fd; /* of the copy, which has no name any more */
	struct backup_sum sum;
	struct buf pending; /* header, chunk or end, not handed out yet */
	bool ended;
};

/* A private, empty file of a name that clean_up() of store.c knows. */
static enum un_err
make_temporary(struct store *store, char name[TEMPORARY_MAX], struct un_detail *detail)
{
	uint64_t random;
	int fd;

	random_bytes(&random, sizeof random);
	(void)snprintf(name, TEMPORARY_MAX, ".union-backup-%016llx", (unsigned long long)random);
	fd = openat(store->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return un_fail_errno(detail, errno, "cannot make a file in %s", store->dir);
	io_close(&fd);
	return UN_OK;
}

/* The copy needs no care for crashes: it is thrown away then. */
static enum un_err
open_copy(const struct store *store, const char *name, sqlite3 **ret_db, struct un_detail *detail)
{
	char path[8192];
	enum un_err err;
	sqlite3 *db = NULL;
	int rc;

	(void)snprintf(path, sizeof path, "%s/%s", store->dir, name);
	rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
	                     engine_vfs_name);
	if (rc == SQLITE_OK)
		rc = sqlite3_exec(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL,
		                  NULL, NULL);
	if (rc == SQLITE_OK) {
		*ret_db = db;
		return UN_OK;
	}
	err = conn_fail(db, rc, detail);
	(void)sqlite3_close(db);
	return err;
}

static enum un_err
copy_pages(struct conn *from, sqlite3 *to, struct un_detail *detail)
{
	sqlite3_backup *copy = sqlite3_backup_init(to, "main", from->db, "main");
	int rc;

	if (!copy)
		return conn_fail(to, sqlite3_errcode(to), detail);
	do {
		rc = sqlite3_backup_step(copy, PAGES_AT_ONCE);
	} while (rc == SQLITE_OK);
	rc = sqlite3_backup_finish(copy);
	return rc == SQLITE_OK ? UN_OK : conn_fail(to, rc, detail);
}

/* One read transaction around all of it: writes go on, the copy does not see them. */
static enum un_err
copy_snapshot(struct store *store, const char *name, int64_t *ret_schema, struct un_detail *detail)
{
	struct conn *from = NULL;
	sqlite3 *to = NULL;
	enum un_err err;

	err = conn_open(store->path, CONN_READER, &from, detail);
	if (!err)
		err = conn_exec(from, "BEGIN", detail);
	if (!err)
		err = conn_number(from, "PRAGMA user_version", ret_schema, detail);
	if (!err)
		err = open_copy(store, name, &to, detail);
	if (!err)
		err = copy_pages(from, to, detail);
	if (sqlite3_close(to) != SQLITE_OK && !err)
		err = un_fail(detail, UN_ERR_IO, "cannot finish the copy of the database");
	conn_shut(from);
	return err;
}

static enum un_err
take_snapshot(struct store *store, struct backup *backup, int64_t *ret_schema,
              struct un_detail *detail)
{
	char name[TEMPORARY_MAX];
	enum un_err err;

	err = make_temporary(store, name, detail);
	if (err)
		return err;
	err = copy_snapshot(store, name, ret_schema, detail);
	if (!err) {
		backup->fd = openat(store->dir_fd, name, O_RDONLY | O_CLOEXEC);
		if (backup->fd < 0)
			err = un_fail_errno(detail, errno, "cannot read the copy of the database");
	}
	(void)unlinkat(store->dir_fd, name, 0);
	return err;
}

enum un_err
store_backup_begin(struct store *store, const struct backup_header *header,
                   struct backup **ret_backup, struct un_detail *detail)
{
	struct backup_header whole = *header;
	struct backup *backup = mem_zalloc(1, sizeof *backup);
	int64_t schema;
	enum un_err err;

	if (!backup)
		return un_fail(detail, UN_ERR_NO_MEMORY, "out of memory");
	backup->fd = -1;
	buf_init(&backup->pending, BACKUP_PRELUDE_LEN + BACKUP_HEADER_MAX + HASH_LEN, BUF_WIPE);
	err = take_snapshot(store, backup, &schema, detail);
	if (err)
		goto out;
	whole.schema = (uint32_t)schema;
	whole.created_at_us = clock_wall_us();
	(void)snprintf(whole.program, sizeof whole.program, "%s", UNION_VERSION);
	err = backup_header_pack(&whole, &backup->pending, &backup->sum);
	if (err) {
		err = un_fail(detail, err, "cannot make the backup's header: %s", un_err_text(err));
		goto out;
	}
	*ret_backup = backup;
	backup = NULL; /* the caller's */
out:
	store_backup_end(backup);
	return err;
}

/* Puts the next chunk, or the end, into `pending`. */
static enum un_err
fill_pending(struct backup *backup)
{
	uint8_t *chunk = mem_alloc(BACKUP_CHUNK_MAX);
	enum un_err err;
	ssize_t got;

	if (!chunk)
		return UN_ERR_NO_MEMORY;
	do {
		got = read(backup->fd, chunk, BACKUP_CHUNK_MAX);
	} while (got < 0 && errno == EINTR);
	if (got < 0) {
		err = un_err_from_errno(errno);
	} else if (got > 0) {
		err = backup_chunk_pack(&backup->sum, chunk, (size_t)got, &backup->pending);
	} else {
		err = backup_end_pack(&backup->sum, &backup->pending);
		backup->ended = !err;
	}
	mem_wipe_free(chunk, BACKUP_CHUNK_MAX);
	return err;
}

enum un_err
store_backup_read(struct backup *backup, uint8_t *bytes, size_t size, size_t *ret_len,
                  struct un_detail *detail)
{
	size_t len;

	if (backup->pending.len == 0 && !backup->ended) {
		enum un_err err = fill_pending(backup);

		if (err)
			return un_fail(detail, err, "cannot read the copy of the database: %s",
			               un_err_text(err));
	}
	len = backup->pending.len < size ? backup->pending.len : size;
	if (len)
		memcpy(bytes, backup->pending.data, len);
	buf_drop_front(&backup->pending, len);
	*ret_len = len;
	return UN_OK;
}

void
store_backup_end(struct backup *backup)
{
	if (!backup)
		return;
	io_close(&backup->fd);
	buf_fini(&backup->pending);
	mem_free(backup);
}

enum un_err
store_backup(struct store *store, const struct backup_header *header,
             enum un_err (*emit)(void *ctx, const uint8_t *bytes, size_t len), void *ctx,
             struct un_detail *detail)
{
	uint8_t *bytes = mem_alloc(BACKUP_FRAME_MAX);
	struct backup *backup = NULL;
	size_t len = 1;
	enum un_err err;

	if (!bytes)
		return un_fail(detail, UN_ERR_NO_MEMORY, "out of memory");
	err = store_backup_begin(store, header, &backup, detail);
	while (!err && backup && len) {
		err = store_backup_read(backup, bytes, BACKUP_FRAME_MAX, &len, detail);
		if (!err && len) {
			err = emit(ctx, bytes, len);
			if (err)
				err = un_fail(detail, err, "cannot write the backup: %s",
				              un_err_text(err));
		}
	}
	store_backup_end(backup);
	mem_wipe_free(bytes, BACKUP_FRAME_MAX);
	return err;
}
