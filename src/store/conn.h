/* conn.h - one SQLite connection with its prepared statements. Only for src/store's engine files.
 */
#ifndef STORE_CONN_H
#define STORE_CONN_H

#include "base/err.h"
#include "store/sql.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#define CONN_STATEMENTS 512 /* slots; a power of two, filled to three quarters at most */

struct store_view {
	struct conn *conn;
};

struct sql {
	const char *text;
	sqlite3_stmt *stmt;
	struct conn *conn;
	struct sql *next_lent;
	int bind_rc;
	bool busy;
	bool kept; /* in the table; else finalized by sql_close */
};

struct conn {
	sqlite3 *db;
	struct store_view view;
	struct sql *statements[CONN_STATEMENTS];
	size_t statement_count;
	size_t busy_count;
	struct sql *lent;
	int64_t memo; /* see sql_memo */
	bool may_write;
};

enum conn_kind {
	CONN_WRITER, /* read, write, create; through the store's own vfs */
	CONN_READER, /* read-only */
};

/* Opens and sets every pragma of its kind. On UN_OK the caller owns *ret_conn. */
MUST_CHECK enum un_err conn_open(const char *path, enum conn_kind kind, struct conn **ret_conn,
                                 struct un_detail *detail);
void conn_shut(struct conn *conn); /* NULL is fine */

/* Several statements without parameters and results. */
MUST_CHECK enum un_err conn_exec(struct conn *conn, const char *text, struct un_detail *detail);
/* The first column of the first row as a number; 0 when there is no row. */
MUST_CHECK enum un_err conn_number(struct conn *conn, const char *text, int64_t *ret_number,
                                   struct un_detail *detail);
/* Closes what a caller left open or was lent. */
void conn_reset_statements(struct conn *conn);
void conn_end_lending(struct conn *conn);

/* The error for a result code of SQLite, with its text (which never quotes a bound value). */
enum un_err conn_fail(sqlite3 *db, int rc, struct un_detail *detail);

/* Once in each process before any connection: zeroing allocator, vfs. */
MUST_CHECK enum un_err engine_init(struct un_detail *detail);
extern const char engine_vfs_name[];
#define ENGINE_PAGES_MAX 33554431 /* 137 GB; see engine_vfs.c */
void engine_set_malloc(void); /* engine_mem.c */
void engine_trim(void);       /* gives freed pages back to the system */
int engine_add_vfs(void);     /* engine_vfs.c */

#endif
