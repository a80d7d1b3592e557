/* The way back. The backup becomes a database of its own beside the real one, is checked page by
 * page and migrated there; only then does it take the real one's name. What must never happen is
 * that an old write-ahead log meets the new database: SQLite would apply it. So the old log is
 * folded in, or put aside together with its database, before the exchange. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "store/backup.h"
#include "store/schema.h"
#include "store/store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STAGED_MAX 64
#define PATH_ROOM 8192

struct place {
	const char *dir;
	int dir_fd;
	char staged[STAGED_MAX];
};

static void
path_in(const struct place *place, const char *name, char path[PATH_ROOM])
{
	(void)snprintf(path, PATH_ROOM, "%s/%s", place->dir, name);
}

static enum un_err
open_place(const char *dir, struct place *place, struct un_detail *detail)
{
	uint64_t random;

	*place = (struct place){.dir = dir, .dir_fd = -1};
	if (strlen(dir) > PATH_ROOM / 2)
		return un_fail(detail, UN_ERR_INVALID, "the directory's name is too long");
	random_bytes(&random, sizeof random);
	(void)snprintf(place->staged, sizeof place->staged, ".union-restore-%016llx",
	               (unsigned long long)random);
	place->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->dir_fd < 0)
		return un_fail_errno(detail, errno, "cannot open the directory %s", dir);
	return UN_OK;
}

static void
close_place(struct place *place)
{
	char name[STAGED_MAX + 16];

	if (place->dir_fd < 0)
		return;
	(void)unlinkat(place->dir_fd, place->staged, 0);
	(void)snprintf(name, sizeof name, "%s-journal", place->staged);
	(void)unlinkat(place->dir_fd, name, 0);
	(void)snprintf(name, sizeof name, "%s-wal", place->staged);
	(void)unlinkat(place->dir_fd, name, 0);
	(void)snprintf(name, sizeof name, "%s-shm", place->staged);
	(void)unlinkat(place->dir_fd, name, 0);
	io_close(&place->dir_fd);
}

/* The database section becomes the staged file. */
static enum un_err
stage(struct place *place, const char *path, struct backup_header *ret_header, struct buf *keyring,
      struct un_detail *detail)
{
	enum un_err err;
	int fd, out_fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return un_fail_errno(detail, errno, "cannot open the backup %s", path);
	out_fd =
		openat(place->dir_fd, place->staged, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out_fd < 0)
		err = un_fail_errno(detail, errno, "cannot make a file in %s", place->dir);
	else
		err = backup_file_read(fd, out_fd, ret_header, keyring, detail);
	if (!err) {
		err = io_fsync(out_fd);
		if (err)
			err = un_fail(detail, err, "cannot sync the restored database");
	}
	io_close(&out_fd);
	io_close(&fd);
	return err;
}

static enum un_err
check_pages(struct conn *conn, struct un_detail *detail)
{
	char verdict[INSPECT_VERDICT_MAX];
	int64_t loose = 0;
	enum un_err err;

	err = inspect_pages(conn, "PRAGMA integrity_check(1)", verdict, detail);
	if (!err && strcmp(verdict, "ok") != 0)
		err = un_fail(detail, UN_ERR_DAMAGED, "the database in the backup is damaged: %s",
		              verdict);
	if (!err)
		err = conn_number(conn, "SELECT count(*) FROM pragma_foreign_key_check", &loose,
		                  detail);
	if (!err && loose)
		err = un_fail(detail, UN_ERR_DAMAGED, "the database in the backup is incomplete");
	return err;
}

/* One file without a log, whole, of today's schema. */
static enum un_err
prepare_staged(const struct place *place, struct un_detail *detail)
{
	struct conn *conn = NULL;
	char path[PATH_ROOM];
	enum un_err err;
	int from;

	path_in(place, place->staged, path);
	err = conn_open(path, CONN_WRITER, &conn, detail);
	if (!err)
		err = conn_exec(conn, "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL",
		                detail);
	if (!err)
		err = check_pages(conn, detail);
	if (!err)
		err = schema_migrate(conn, &from, detail);
	if (!err && from == 0)
		err = un_fail(detail, UN_ERR_DAMAGED, "the backup holds an empty database");
	conn_shut(conn);
	if (err)
		un_hint(detail, "use another backup");
	return err;
}

enum un_err
store_check_backup(const char *path, const char *work_dir, struct backup_header *ret_header,
                   struct buf *keyring, struct un_detail *detail)
{
	struct place place;
	enum un_err err;

	err = open_place(work_dir, &place, detail);
	if (!err)
		err = stage(&place, path, ret_header, keyring, detail);
	if (!err)
		err = prepare_staged(&place, detail);
	close_place(&place);
	return err;
}

/* Folds the log of the database in place into it. One that is damaged is left as it is: SQLite
 * would throw the log of a database with a broken header away. */
static enum un_err
settle_old(const struct place *place, struct un_detail *detail)
{
	struct conn *conn = NULL;
	char path[PATH_ROOM];
	bool is_new;
	enum un_err err;

	err = inspect_file(place->dir_fd, false, &is_new, detail);
	if (err)
		return err == UN_ERR_DAMAGED ? UN_OK : err;
	path_in(place, STORE_DATABASE, path);
	err = conn_open(path, CONN_WRITER, &conn, detail);
	if (!err)
		err = conn_exec(conn, "PRAGMA wal_checkpoint(TRUNCATE)", detail);
	conn_shut(conn);
	return err == UN_ERR_DAMAGED ? UN_OK : err;
}

static enum un_err
sync_place(const struct place *place, struct un_detail *detail)
{
	enum un_err err = io_fsync(place->dir_fd);

	return err ? un_fail(detail, err, "cannot sync %s", place->dir) : UN_OK;
}

/* Gives the old database a second name, and its log (only a damaged one still has one) the matching
 * one, so that the two can be looked at together. */
static enum un_err
keep_old(const struct place *place, char ret_aside[RESTORE_ASIDE_MAX], struct un_detail *detail)
{
	char when[CLOCK_TEXT_MAX], log[RESTORE_ASIDE_MAX + 8];
	size_t kept = 0;

	clock_format(clock_wall_us(), when);
	for (const char *c = when; *c; c++) {
		if (*c != '-' && *c != ':')
			when[kept++] = *c;
	}
	when[kept] = '\0';
	(void)snprintf(ret_aside, RESTORE_ASIDE_MAX, "%s.before-restore-%s", STORE_DATABASE, when);
	if (linkat(place->dir_fd, STORE_DATABASE, place->dir_fd, ret_aside, 0) != 0)
		return un_fail_errno(detail, errno, "cannot keep the old database as %s",
		                     ret_aside);
	(void)snprintf(log, sizeof log, "%s-wal", ret_aside);
	if (renameat(place->dir_fd, STORE_DATABASE "-wal", place->dir_fd, log) != 0 &&
	    errno != ENOENT)
		return un_fail_errno(detail, errno, "cannot put the old write-ahead log aside");
	(void)unlinkat(place->dir_fd, STORE_DATABASE "-shm", 0);
	return sync_place(place, detail);
}

static enum un_err
exchange(const struct place *place, char ret_aside[RESTORE_ASIDE_MAX], struct un_detail *detail)
{
	enum un_err err = UN_OK;

	ret_aside[0] = '\0';
	if (faccessat(place->dir_fd, STORE_DATABASE, F_OK, 0) == 0) {
		err = settle_old(place, detail);
		if (!err)
			err = keep_old(place, ret_aside, detail);
	}
	if (err)
		return err;
	err = io_rename_at(place->dir_fd, place->staged, STORE_DATABASE);
	if (err)
		return un_fail(detail, err, "cannot put the restored database in place");
	return sync_place(place, detail);
}

enum un_err
store_restore(const char *dir, const char *path, struct backup_header *ret_header,
              char ret_aside[RESTORE_ASIDE_MAX], struct un_detail *detail)
{
	char aside[RESTORE_ASIDE_MAX] = "";
	struct backup_header header = {0};
	struct place place = {.dir_fd = -1};
	int lock_fd = -1;
	enum un_err err;

	err = io_make_dirs(dir, 0700);
	if (err)
		return un_fail(detail, err, "cannot make the data directory %s", dir);
	err = open_place(dir, &place, detail);
	if (!err)
		err = store_lock(dir, place.dir_fd, &lock_fd, detail);
	if (!err)
		err = stage(&place, path, &header, NULL, detail);
	if (!err)
		err = prepare_staged(&place, detail);
	if (!err)
		err = exchange(&place, aside, detail);
	if (!err) {
		*ret_header = header;
		memcpy(ret_aside, aside, sizeof aside);
	}
	close_place(&place);
	io_close(&lock_fd);
	return err;
}
