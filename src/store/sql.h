/* sql.h - SQL for the record files of this folder, and for nobody else.
 *
 *   err = sql_open(view, "SELECT value FROM meta WHERE key = ?1", &sql, detail);
 *   if (err) return err;
 *   sql_bind_text(sql, 1, key);
 *   err = sql_step(sql, &row, detail);
 *   if (!err && row) ... sql_text(sql, 0) ...
 *   sql_close(sql);
 *
 * The text of a statement must be a string literal (or otherwise live for ever): statements are
 * prepared once a connection and found again by the address of their text. What is bound must live
 * until sql_close; what a column lends is valid until the next sql_step or sql_close. Belongs to
 * the thread of its view. */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sql;

MUST_CHECK enum un_err sql_open(struct store_view *view, const char *text, struct sql **ret_sql,
                                struct un_detail *detail);
void sql_close(struct sql *sql); /* NULL is fine */

/* Parameters count from 1. A failure to bind is returned by the next sql_step. */
void sql_bind_int(struct sql *sql, int at, int64_t number);
void sql_bind_text(struct sql *sql, int at, const char *text);
void sql_bind_blob(struct sql *sql, int at, const void *bytes,
                   size_t len); /* NULL, 0: empty blob */
void sql_bind_null(struct sql *sql, int at);

/* *ret_row says whether there is a row. UN_ERR_EXISTS: a unique key is taken. UN_ERR_CONFLICT:
 * another constraint. UN_ERR_DISK_FULL, UN_ERR_DAMAGED, UN_ERR_IO, UN_ERR_NO_MEMORY. */
MUST_CHECK enum un_err sql_step(struct sql *sql, bool *ret_row, struct un_detail *detail);
/* For loops: true while there is a row. What ended it is in *ret_err: UN_OK, or as above. */
MUST_CHECK bool sql_next(struct sql *sql, enum un_err *ret_err, struct un_detail *detail);
/* Steps to the one row of a statement and lends it (see sql_lend). Without a row: `absent`. */
MUST_CHECK enum un_err sql_lend_row(struct sql *sql, enum un_err absent, struct un_detail *detail);
/* The number in the first column of the first row, `absent` without a row. Closes the statement. */
MUST_CHECK enum un_err sql_number(struct sql *sql, int64_t absent, int64_t *ret_number,
                                  struct un_detail *detail);
/* Steps a statement without result rows to its end and closes it. */
MUST_CHECK enum un_err sql_run(struct sql *sql, struct un_detail *detail);

/* Columns count from 0. Text is never NULL; a blob is NULL when empty or NULL. */
int64_t sql_int(const struct sql *sql, int column);
const char *sql_text(const struct sql *sql, int column);
const uint8_t *sql_blob(const struct sql *sql, int column, size_t *ret_len);
bool sql_is_null(const struct sql *sql, int column);
/* Copies text with its NUL, cut at size - 1. */
void sql_copy_text(const struct sql *sql, int column, char *text, size_t size);

/* Leaves the current row lent to the caller of a typed function: the statement is closed by the
 * next sql_open on the view, or at the end of the read or write transaction. */
void sql_lend(struct sql *sql);

int64_t sql_changes(struct store_view *view);        /* rows of the last INSERT, UPDATE, DELETE */
int64_t sql_last_insert_id(struct store_view *view); /* rowid of the last INSERT */
/* A number that the connection remembers across transactions, 0 at first: for secrets_write.c. */
int64_t *sql_memo(struct store_view *view);
bool sql_view_may_write(const struct store_view *view);

#endif
