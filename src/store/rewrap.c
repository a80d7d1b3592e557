#include "store/rewrap.h"

#include "store/secrets_rows.h"

#include <string.h>

static enum un_err
read_stale(const struct sql *sql, struct stale_dek *ret_dek, struct un_detail *detail)
{
	struct secret_head head;
	const uint8_t *bytes;
	size_t len;

	secret_head_read(sql, &head);
	ret_dek->id = head.id;
	ret_dek->row = sql_int(sql, HEAD_COUNT);
	ret_dek->version = (uint32_t)(ret_dek->row & SECRET_VERSION_MAX);
	ret_dek->generation = (uint32_t)sql_int(sql, HEAD_COUNT + 1);
	bytes = sql_blob(sql, HEAD_COUNT + 2, &len);
	if (len != STORED_DEK_LEN)
		return un_fail(detail, UN_ERR_DAMAGED, "the secret '%s' is incomplete",
		               head.id.name);
	memcpy(ret_dek->stored_dek, bytes, len);
	return UN_OK;
}

/* By the index on generations. The list below goes through the secrets in their order, which
 * without this would read the whole database at every start to find nothing. */
static enum un_err
any_stale(struct store_view *view, uint32_t generation, bool *ret_any, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view, "SELECT 1 FROM versions WHERE generation < ?1 LIMIT 1", &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, generation);
	err = sql_step(sql, ret_any, detail);
	sql_close(sql);
	return err;
}

enum un_err
dek_list_stale(struct store_view *view, uint32_t generation, const struct secret_id *after,
               bool (*each)(void *ctx, const struct stale_dek *dek), void *ctx,
               struct un_detail *detail)
{
	static const struct secret_id beginning;
	struct stale_dek dek;
	struct sql *sql;
	enum un_err err;
	bool row;

	err = any_stale(view, generation, &row, detail);
	if (err || !row)
		return err;
	err = sql_open(view,
	               "SELECT " HEAD_COLUMNS ", v.id, v.generation, v.stored_dek"
	               " FROM secrets AS s CROSS JOIN versions AS v"
	               " ON v.id > s.id << 20 AND v.id < (s.id + 1) << 20"
	               " WHERE (s.org, s.project, s.domain, s.name) > (?1, ?3, ?4, ?2)"
	               " AND v.generation < ?5 ORDER BY s.org, s.project, s.domain, s.name, v.id",
	               &sql, detail);
	if (err)
		return err;
	secret_bind_id(sql, after ? after : &beginning);
	sql_bind_int(sql, 5, generation);
	while (sql_next(sql, &err, detail)) {
		err = read_stale(sql, &dek, detail);
		if (err || !each(ctx, &dek))
			break;
	}
	sql_close(sql);
	return err;
}

enum un_err
dek_count_stale(struct store_view *view, uint32_t generation, uint64_t *ret_count,
                struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;
	int64_t count;

	err = sql_open(view, "SELECT count(*) FROM versions WHERE generation < ?1", &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, generation);
	err = sql_number(sql, 0, &count, detail);
	if (!err)
		*ret_count = (uint64_t)count;
	return err;
}

enum un_err
dek_swap(struct store_txn *txn, const struct stale_dek *dek, const uint8_t fresh[STORED_DEK_LEN],
         struct un_detail *detail)
{
	struct store_view *view = store_txn_view(txn);
	uint32_t generation;
	struct sql *sql;
	enum un_err err;

	if (envelope_stored_generation(fresh, STORED_DEK_LEN, &generation) != UN_OK)
		return un_fail(detail, UN_ERR_PROTOCOL, "the sealed key is malformed");
	err = sql_open(view,
	               "UPDATE versions SET stored_dek = ?3, generation = ?4"
	               " WHERE id = ?1 AND stored_dek = ?2",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, dek->row);
	sql_bind_blob(sql, 2, dek->stored_dek, STORED_DEK_LEN);
	sql_bind_blob(sql, 3, fresh, STORED_DEK_LEN);
	sql_bind_int(sql, 4, generation);
	err = sql_run(sql, detail);
	if (!err && sql_changes(view) == 0)
		err = un_fail(detail, UN_ERR_CONFLICT, "the key of '%s' has changed meanwhile",
		              dek->id.name);
	return err;
}
