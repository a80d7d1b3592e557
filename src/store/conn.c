#include "store/conn.h"

#include "base/alloc.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#define BUSY_WAIT_MS 2000 /* for a reader that meets recovery or a checkpoint's last step */

static pthread_once_t engine_once = PTHREAD_ONCE_INIT;
static int engine_rc;

static void
engine_start(void)
{
	engine_set_malloc();
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	engine_rc = sqlite3_initialize();
	if (engine_rc == SQLITE_OK)
		engine_rc = engine_add_vfs();
}

enum un_err
engine_init(struct un_detail *detail)
{
	(void)pthread_once(&engine_once, engine_start);
	if (engine_rc != SQLITE_OK)
		return un_fail(detail, UN_ERR_INTERNAL, "cannot start the database engine: %s",
		               sqlite3_errstr(engine_rc));
	return UN_OK;
}

/* What an I/O error was, if the system said so. */
static enum un_err
io_error(sqlite3 *db)
{
	int saved_errno = db ? sqlite3_system_errno(db) : 0;

	if (saved_errno == ENOSPC || saved_errno == EDQUOT || saved_errno == EFBIG)
		return UN_ERR_DISK_FULL;
	return UN_ERR_IO;
}

enum un_err
conn_fail(sqlite3 *db, int rc, struct un_detail *detail)
{
	int extended = db ? sqlite3_extended_errcode(db) : rc;
	const char *text = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
	enum un_err err;

	if ((extended & 0xff) != (rc & 0xff))
		extended = rc;
	switch (rc & 0xff) {
	case SQLITE_FULL:
		err = UN_ERR_DISK_FULL;
		break;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		err = UN_ERR_DAMAGED;
		break;
	case SQLITE_NOMEM:
		err = UN_ERR_NO_MEMORY;
		break;
	case SQLITE_IOERR:
		err = extended == SQLITE_IOERR_NOMEM ? UN_ERR_NO_MEMORY : io_error(db);
		break;
	case SQLITE_CANTOPEN:
		err = db && sqlite3_system_errno(db) ? un_err_from_errno(sqlite3_system_errno(db))
		                                     : UN_ERR_IO;
		break;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		err = UN_ERR_DENIED;
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		err = UN_ERR_BUSY;
		break;
	case SQLITE_TOOBIG:
		err = UN_ERR_TOO_LARGE;
		break;
	case SQLITE_CONSTRAINT:
		err = extended == SQLITE_CONSTRAINT_UNIQUE ||
		                      extended == SQLITE_CONSTRAINT_PRIMARYKEY ||
		                      extended == SQLITE_CONSTRAINT_ROWID
		              ? UN_ERR_EXISTS
		              : UN_ERR_CONFLICT;
		break;
	case SQLITE_READONLY:
		err = UN_ERR_IO;
		break;
	default:
		err = UN_ERR_INTERNAL;
		break;
	}
	return un_fail(detail, err, "%s (database: %s)", un_err_text(err), text);
}

enum un_err
conn_exec(struct conn *conn, const char *text, struct un_detail *detail)
{
	int rc = sqlite3_exec(conn->db, text, NULL, NULL, NULL);

	return rc == SQLITE_OK ? UN_OK : conn_fail(conn->db, rc, detail);
}

enum un_err
conn_number(struct conn *conn, const char *text, int64_t *ret_number, struct un_detail *detail)
{
	sqlite3_stmt *stmt;
	enum un_err err = UN_OK;
	int64_t number = 0;
	int rc;

	rc = sqlite3_prepare_v2(conn->db, text, -1, &stmt, NULL);
	if (rc != SQLITE_OK)
		return conn_fail(conn->db, rc, detail);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		number = sqlite3_column_int64(stmt, 0);
	else if (rc != SQLITE_DONE)
		err = conn_fail(conn->db, rc, detail);
	(void)sqlite3_finalize(stmt);
	if (!err)
		*ret_number = number;
	return err;
}

static_assert(ENGINE_PAGES_MAX == 33554431, "as in the pragma");

/* No file of SQLite may hold a value's neighbour: temporary tables stay in memory. The schema is
 * not trusted to call functions. The writer checkpoints by itself (see writer.c). */
static const char writer_pragmas[] = "PRAGMA temp_store = MEMORY;"
				     "PRAGMA trusted_schema = OFF;"
				     "PRAGMA page_size = 4096;"
				     "PRAGMA max_page_count = 33554431;"
				     "PRAGMA secure_delete = ON;"
				     "PRAGMA foreign_keys = ON;"
				     "PRAGMA cache_size = -16384;"
				     "PRAGMA journal_size_limit = -1;"
				     "PRAGMA wal_autocheckpoint = 0;";

static const char reader_pragmas[] = "PRAGMA temp_store = MEMORY;"
				     "PRAGMA trusted_schema = OFF;"
				     "PRAGMA query_only = ON;"
				     "PRAGMA cache_size = -1024;"
				     "PRAGMA mmap_size = 1073741824;"
				     "PRAGMA wal_autocheckpoint = 0;";

static enum un_err
set_up(struct conn *conn, enum conn_kind kind, struct un_detail *detail)
{
	(void)sqlite3_extended_result_codes(conn->db, 1);
	(void)sqlite3_busy_timeout(conn->db, BUSY_WAIT_MS);
	(void)sqlite3_db_config(conn->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	(void)sqlite3_db_config(conn->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return conn_exec(conn, kind == CONN_WRITER ? writer_pragmas : reader_pragmas, detail);
}

enum un_err
conn_open(const char *path, enum conn_kind kind, struct conn **ret_conn, struct un_detail *detail)
{
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
	struct conn *conn;
	enum un_err err;
	int rc;

	err = engine_init(detail);
	if (err)
		return err;
	conn = mem_zalloc(1, sizeof *conn);
	if (!conn)
		return un_fail(detail, UN_ERR_NO_MEMORY, "out of memory");
	conn->view.conn = conn;
	conn->may_write = kind == CONN_WRITER;
	flags |= kind == CONN_WRITER ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
	                             : SQLITE_OPEN_READONLY;
	rc = sqlite3_open_v2(path, &conn->db, flags, engine_vfs_name);
	if (rc != SQLITE_OK)
		err = conn_fail(conn->db, rc, detail);
	else
		err = set_up(conn, kind, detail);
	if (err) {
		conn_shut(conn);
		return err;
	}
	*ret_conn = conn;
	return UN_OK;
}

void
conn_shut(struct conn *conn)
{
	if (!conn)
		return;
	for (size_t i = 0; i < CONN_STATEMENTS; i++) {
		if (!conn->statements[i])
			continue;
		(void)sqlite3_finalize(conn->statements[i]->stmt);
		mem_free(conn->statements[i]);
	}
	(void)sqlite3_close_v2(conn->db);
	mem_free(conn);
}

static size_t
slot_of(const char *text)
{
	uint64_t mixed = (uint64_t)(uintptr_t)text * 0x9e3779b97f4a7c15u;

	return (size_t)(mixed >> 40) & (CONN_STATEMENTS - 1);
}

/* Prepares `text`; keeps it in the table when `slot` is given and there is room. */
static enum un_err
prepare(struct conn *conn, const char *text, struct sql **slot, struct sql **ret_sql,
        struct un_detail *detail)
{
	struct sql *sql = mem_zalloc(1, sizeof *sql);
	unsigned flags = slot ? SQLITE_PREPARE_PERSISTENT : 0;
	int rc;

	if (!sql)
		return un_fail(detail, UN_ERR_NO_MEMORY, "out of memory");
	rc = sqlite3_prepare_v3(conn->db, text, -1, flags, &sql->stmt, NULL);
	if (rc != SQLITE_OK) {
		mem_free(sql);
		return conn_fail(conn->db, rc, detail);
	}
	sql->conn = conn;
	sql->text = text;
	if (slot && conn->statement_count < CONN_STATEMENTS / 4 * 3) {
		sql->kept = true;
		*slot = sql;
		conn->statement_count++;
	}
	*ret_sql = sql;
	return UN_OK;
}

enum un_err
sql_open(struct store_view *view, const char *text, struct sql **ret_sql, struct un_detail *detail)
{
	struct conn *conn = view->conn;
	size_t at = slot_of(text);
	struct sql *sql;
	enum un_err err;

	conn_end_lending(conn);
	while (conn->statements[at] && conn->statements[at]->text != text)
		at = (at + 1) & (CONN_STATEMENTS - 1);
	sql = conn->statements[at];
	if (!sql || sql->busy) { /* busy: used by a caller further up, so take a second one */
		err = prepare(conn, text, sql ? NULL : &conn->statements[at], &sql, detail);
		if (err)
			return err;
		assert(sql);
	}
	sql->busy = true;
	sql->bind_rc = SQLITE_OK;
	conn->busy_count++;
	*ret_sql = sql;
	return UN_OK;
}

void
sql_close(struct sql *sql)
{
	if (!sql)
		return;
	sql->conn->busy_count--;
	if (!sql->kept) {
		(void)sqlite3_finalize(sql->stmt);
		mem_free(sql);
		return;
	}
	(void)sqlite3_reset(sql->stmt);
	(void)sqlite3_clear_bindings(sql->stmt);
	sql->busy = false;
}

void
sql_lend(struct sql *sql)
{
	sql->next_lent = sql->conn->lent;
	sql->conn->lent = sql;
}

void
conn_end_lending(struct conn *conn)
{
	while (conn->lent) {
		struct sql *sql = conn->lent;

		conn->lent = sql->next_lent;
		sql_close(sql);
	}
}

void
conn_reset_statements(struct conn *conn)
{
	conn_end_lending(conn);
	if (conn->busy_count == 0)
		return;
	for (size_t i = 0; i < CONN_STATEMENTS; i++) {
		if (conn->statements[i] && conn->statements[i]->busy)
			sql_close(conn->statements[i]);
	}
}

static void
bound(struct sql *sql, int rc)
{
	if (rc != SQLITE_OK && sql->bind_rc == SQLITE_OK)
		sql->bind_rc = rc;
}

void
sql_bind_int(struct sql *sql, int at, int64_t number)
{
	bound(sql, sqlite3_bind_int64(sql->stmt, at, number));
}

void
sql_bind_text(struct sql *sql, int at, const char *text)
{
	bound(sql, sqlite3_bind_text(sql->stmt, at, text, -1, SQLITE_STATIC));
}

void
sql_bind_blob(struct sql *sql, int at, const void *bytes, size_t len)
{
	bound(sql, sqlite3_bind_blob64(sql->stmt, at, len ? bytes : "", len, SQLITE_STATIC));
}

void
sql_bind_null(struct sql *sql, int at)
{
	bound(sql, sqlite3_bind_null(sql->stmt, at));
}

enum un_err
sql_step(struct sql *sql, bool *ret_row, struct un_detail *detail)
{
	int rc = sql->bind_rc;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(sql->stmt);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return conn_fail(sql->conn->db, rc, detail);
	*ret_row = rc == SQLITE_ROW;
	return UN_OK;
}

bool
sql_next(struct sql *sql, enum un_err *ret_err, struct un_detail *detail)
{
	bool row = false;

	*ret_err = sql_step(sql, &row, detail);
	return !*ret_err && row;
}

enum un_err
sql_lend_row(struct sql *sql, enum un_err absent, struct un_detail *detail)
{
	enum un_err err;

	if (sql_next(sql, &err, detail)) {
		sql_lend(sql);
		return UN_OK;
	}
	sql_close(sql);
	return err ? err : absent;
}

enum un_err
sql_number(struct sql *sql, int64_t absent, int64_t *ret_number, struct un_detail *detail)
{
	enum un_err err;
	bool row = sql_next(sql, &err, detail);

	if (!err)
		*ret_number = row ? sql_int(sql, 0) : absent;
	sql_close(sql);
	return err;
}

enum un_err
sql_run(struct sql *sql, struct un_detail *detail)
{
	bool row = true;
	enum un_err err = UN_OK;

	while (!err && row)
		err = sql_step(sql, &row, detail);
	sql_close(sql);
	return err;
}

int64_t
sql_int(const struct sql *sql, int column)
{
	return sqlite3_column_int64(sql->stmt, column);
}

const char *
sql_text(const struct sql *sql, int column)
{
	const unsigned char *text = sqlite3_column_text(sql->stmt, column);

	return text ? (const char *)text : "";
}

const uint8_t *
sql_blob(const struct sql *sql, int column, size_t *ret_len)
{
	const void *bytes = sqlite3_column_blob(sql->stmt, column);

	*ret_len = bytes ? (size_t)sqlite3_column_bytes(sql->stmt, column) : 0;
	return bytes;
}

bool
sql_is_null(const struct sql *sql, int column)
{
	return sqlite3_column_type(sql->stmt, column) == SQLITE_NULL;
}

void
sql_copy_text(const struct sql *sql, int column, char *text, size_t size)
{
	const char *from = sql_text(sql, column);
	size_t len = strlen(from);

	assert(size > 0);
	if (len >= size)
		len = size - 1;
	memcpy(text, from, len);
	text[len] = '\0';
}

int64_t
sql_changes(struct store_view *view)
{
	return sqlite3_changes64(view->conn->db);
}

int64_t
sql_last_insert_id(struct store_view *view)
{
	return sqlite3_last_insert_rowid(view->conn->db);
}

int64_t *
sql_memo(struct store_view *view)
{
	return &view->conn->memo;
}

bool
sql_view_may_write(const struct store_view *view)
{
	return view->conn->may_write;
}
