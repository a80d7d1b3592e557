#include "store/meta.h"

#include "store/sql.h"

enum un_err
meta_get(struct store_view *view, const char *key, struct buf *out, struct un_detail *detail)
{
	struct sql *sql;
	const uint8_t *bytes;
	enum un_err err;
	size_t len;
	bool row;

	err = sql_open(view, "SELECT value FROM meta WHERE key = ?1", &sql, detail);
	if (err)
		return err;
	sql_bind_text(sql, 1, key);
	err = sql_step(sql, &row, detail);
	if (!err && !row)
		err = un_fail(detail, UN_ERR_NOT_FOUND, "no record '%s'", key);
	if (err)
		goto out;
	bytes = sql_blob(sql, 0, &len);
	buf_clear(out);
	err = buf_append(out, bytes, len);
out:
	sql_close(sql);
	return err;
}

enum un_err
meta_set_view(struct store_view *view, const char *key, const void *bytes, size_t len,
              struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	if (len > META_VALUE_MAX)
		return un_fail(detail, UN_ERR_TOO_LARGE, "the record '%s' is too large", key);
	err = sql_open(view, "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", &sql,
	               detail);
	if (err)
		return err;
	sql_bind_text(sql, 1, key);
	sql_bind_blob(sql, 2, bytes, len);
	return sql_run(sql, detail);
}

enum un_err
meta_set(struct store_txn *txn, const char *key, const void *bytes, size_t len,
         struct un_detail *detail)
{
	return meta_set_view(store_txn_view(txn), key, bytes, len, detail);
}

enum un_err
meta_delete(struct store_txn *txn, const char *key, struct un_detail *detail)
{
	struct store_view *view = store_txn_view(txn);
	struct sql *sql;
	enum un_err err;

	err = sql_open(view, "DELETE FROM meta WHERE key = ?1", &sql, detail);
	if (err)
		return err;
	sql_bind_text(sql, 1, key);
	err = sql_run(sql, detail);
	if (!err && sql_changes(view) == 0)
		err = un_fail(detail, UN_ERR_NOT_FOUND, "no record '%s'", key);
	return err;
}
