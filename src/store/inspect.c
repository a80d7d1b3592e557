/* What can be told about a database before it is trusted, without reading all of it: is the file
 * one of ours, is it as long as it says, do its tables' roots make sense. A small database is read
 * whole. Damage in the middle of a large one is met by the query that reads the page
 * (UN_ERR_DAMAGED), and by every backup and restore, which check all pages. */
#include "base/io.h"
#include "store/store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_LEN 100
#define CHECK_WHOLE_PAGES 256 /* 1 MiB: about a millisecond */

static const char magic[16] = "SQLite format 3";

enum un_err
inspect_damaged(struct un_detail *detail, const char *what)
{
	un_hint(detail, "restore the last backup: union restore FILE");
	return un_fail(detail, UN_ERR_DAMAGED, "the database %s is damaged: %s", STORE_DATABASE,
	               what);
}

static enum un_err
make_new(int dir_fd, struct un_detail *detail)
{
	struct stat log;
	int fd;
	enum un_err err;

	if (fstatat(dir_fd, STORE_DATABASE "-wal", &log, 0) == 0 && log.st_size > 0)
		return inspect_damaged(detail, "its file is missing, its write-ahead log is there");
	fd = openat(dir_fd, STORE_DATABASE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return un_fail_errno(detail, errno, "cannot create %s", STORE_DATABASE);
	io_close(&fd);
	fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return un_fail_errno(detail, errno, "cannot open the data directory");
	err = io_fsync(fd);
	io_close(&fd);
	return err ? un_fail(detail, err, "cannot sync the data directory") : UN_OK;
}

static enum un_err
inspect_header(int fd, const struct stat *file, struct un_detail *detail)
{
	uint8_t header[HEADER_LEN];
	unsigned page_len;

	if (file->st_size < HEADER_LEN
	    || pread(fd, header, sizeof header, 0) != (ssize_t)sizeof header)
		return inspect_damaged(detail, "it is cut off");
	/* check-source: allow memcmp, a public file header */
	if (memcmp(header, magic, sizeof magic) != 0)
		return inspect_damaged(detail, "its header is overwritten");
	page_len = (unsigned)header[16] << 8 | header[17];
	if (page_len == 1)
		page_len = 65536;
	if (page_len < 512 || (page_len & (page_len - 1)) != 0)
		return inspect_damaged(detail, "its header is overwritten");
	return UN_OK;
}

enum un_err
inspect_file(int dir_fd, bool create, bool *ret_is_new, struct un_detail *detail)
{
	struct stat file;
	enum un_err err = UN_OK;
	int fd = openat(dir_fd, STORE_DATABASE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT && create) {
		*ret_is_new = true;
		return make_new(dir_fd, detail);
	}
	if (fd < 0)
		return un_fail_errno(detail, errno, "cannot open the database %s", STORE_DATABASE);
	if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode))
		err = inspect_damaged(detail, "it is not a regular file");
	else if (file.st_size > 0) /* empty: made, but never written: a crash at the first start */
		err = inspect_header(fd, &file, detail);
	if (!err && (file.st_mode & 077) && fchmod(fd, 0600) != 0)
		err = un_fail_errno(detail, errno, "cannot make %s private", STORE_DATABASE);
	if (!err)
		*ret_is_new = file.st_size == 0;
	io_close(&fd);
	return err;
}

/* The length can be compared only when no page lies in the log alone. */
static enum un_err
inspect_length(struct conn *conn, int dir_fd, struct un_detail *detail)
{
	struct stat file, log;
	int64_t pages, page_len;
	enum un_err err;

	err = conn_number(conn, "PRAGMA page_count", &pages, detail);
	if (!err)
		err = conn_number(conn, "PRAGMA page_size", &page_len, detail);
	if (err)
		return err;
	if (fstatat(dir_fd, STORE_DATABASE "-wal", &log, 0) == 0 && log.st_size > 0)
		return UN_OK;
	if (fstatat(dir_fd, STORE_DATABASE, &file, 0) != 0)
		return un_fail_errno(detail, errno, "cannot look at %s", STORE_DATABASE);
	if (file.st_size < pages * page_len)
		return inspect_damaged(detail, "its end is missing");
	return UN_OK;
}

/* Reads the root page of each table and the pages on the way to its first row. */
static enum un_err
inspect_roots(struct conn *conn, struct un_detail *detail)
{
	char probe[256];
	sqlite3_stmt *stmt;
	enum un_err err = UN_OK;
	int64_t ignored;
	int rc;

	rc = sqlite3_prepare_v2(conn->db, "SELECT name FROM sqlite_schema WHERE type = 'table'", -1,
	                        &stmt, NULL);
	if (rc != SQLITE_OK)
		return conn_fail(conn->db, rc, detail);
	while (!err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		(void)sqlite3_snprintf(sizeof probe, probe, "SELECT 1 FROM \"%w\" LIMIT 1",
		                       (const char *)sqlite3_column_text(stmt, 0));
		err = conn_number(conn, probe, &ignored, detail);
	}
	if (!err && rc != SQLITE_DONE)
		err = conn_fail(conn->db, rc, detail);
	(void)sqlite3_finalize(stmt);
	return err;
}

static enum un_err
check_once(struct conn *conn, const char *pragma, char verdict[INSPECT_VERDICT_MAX],
           struct un_detail *detail)
{
	const unsigned char *text;
	sqlite3_stmt *stmt;
	enum un_err err = UN_OK;
	int rc = sqlite3_prepare_v2(conn->db, pragma, -1, &stmt, NULL);

	if (rc != SQLITE_OK)
		return conn_fail(conn->db, rc, detail);
	rc = sqlite3_step(stmt);
	text = rc == SQLITE_ROW ? sqlite3_column_text(stmt, 0) : NULL;
	if (text)
		(void)snprintf(verdict, INSPECT_VERDICT_MAX, "%s", (const char *)text);
	else if (rc == SQLITE_ROW)
		err = un_fail(detail, UN_ERR_NO_MEMORY, "out of memory");
	else
		err = conn_fail(conn->db, rc, detail);
	(void)sqlite3_finalize(stmt);
	return err;
}

/* SQLite also finds fault when memory runs out during the check: only what is found twice counts.
 */
enum un_err
inspect_pages(struct conn *conn, const char *pragma, char ret_verdict[INSPECT_VERDICT_MAX],
              struct un_detail *detail)
{
	enum un_err err = check_once(conn, pragma, ret_verdict, detail);

	if (!err && strcmp(ret_verdict, "ok") != 0)
		err = check_once(conn, pragma, ret_verdict, detail);
	return err;
}

static enum un_err
inspect_whole(struct conn *conn, struct un_detail *detail)
{
	char verdict[INSPECT_VERDICT_MAX];
	enum un_err err = inspect_pages(conn, "PRAGMA quick_check(1)", verdict, detail);

	if (!err && strcmp(verdict, "ok") != 0)
		err = inspect_damaged(detail, verdict);
	return err;
}

enum un_err
inspect_tables(struct conn *conn, int dir_fd, struct un_detail *detail)
{
	int64_t pages = 0;
	enum un_err err;

	err = inspect_length(conn, dir_fd, detail);
	if (!err)
		err = inspect_roots(conn, detail);
	if (!err)
		err = conn_number(conn, "PRAGMA page_count", &pages, detail);
	if (!err && pages <= CHECK_WHOLE_PAGES)
		err = inspect_whole(conn, detail);
	return err;
}
