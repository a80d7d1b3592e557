/* Entities of runs.h: tasks, workflows and launch plans, each version once. */
#include "store/runs.h"

#include "crypto/hash.h"
#include "store/sql.h"

#define ENTITY_COLUMNS                                                                             \
	"id, kind, project, domain, name, version, state, created_at, updated_at, spec"

static void
entity_read(struct sql *sql, struct entity_row *row)
{
	row->id = sql_int(sql, 0);
	row->key = (struct entity_key){
		.kind = (enum entity_kind)sql_int(sql, 1),
		.project = sql_text(sql, 2),
		.domain = sql_text(sql, 3),
		.name = sql_text(sql, 4),
		.version = sql_text(sql, 5),
	};
	row->state = (int)sql_int(sql, 6);
	row->created_us = sql_int(sql, 7);
	row->updated_us = sql_int(sql, 8);
	row->spec.bytes = sql_blob(sql, 9, &row->spec.len);
}

/* ?1 to ?5 */
static void
bind_key(struct sql *sql, const struct entity_key *key)
{
	sql_bind_int(sql, 1, key->kind);
	sql_bind_text(sql, 2, key->project);
	sql_bind_text(sql, 3, key->domain);
	sql_bind_text(sql, 4, key->name);
	sql_bind_text(sql, 5, key->version);
}

static enum un_err
entity_found(struct sql *sql, struct entity_row *ret_row, struct un_detail *detail)
{
	enum un_err err = sql_lend_row(sql, UN_ERR_NOT_FOUND, detail);

	if (!err)
		entity_read(sql, ret_row);
	return err;
}

enum un_err
entity_get(struct store_view *view, const struct entity_key *key, struct entity_row *ret_row,
           struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	if (key->version[0] == '\0')
		err = sql_open(
			view,
			"SELECT " ENTITY_COLUMNS " FROM entities WHERE kind = ?1 AND "
			"project = ?2 AND domain = ?3 AND name = ?4 ORDER BY id DESC LIMIT 1",
			&sql, detail);
	else
		err = sql_open(view,
		               "SELECT " ENTITY_COLUMNS " FROM entities WHERE kind = ?1 AND "
		               "project = ?2 AND domain = ?3 AND name = ?4 AND version = ?5",
		               &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, key->kind);
	sql_bind_text(sql, 2, key->project);
	sql_bind_text(sql, 3, key->domain);
	sql_bind_text(sql, 4, key->name);
	if (key->version[0] != '\0')
		sql_bind_text(sql, 5, key->version);
	return entity_found(sql, ret_row, detail);
}

enum un_err
entity_get_by_id(struct store_view *view, int64_t id, struct entity_row *ret_row,
                 struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view, "SELECT " ENTITY_COLUMNS " FROM entities WHERE id = ?1", &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, id);
	return entity_found(sql, ret_row, detail);
}

enum un_err
entity_insert(struct store_txn *txn, const struct entity_row *row, int64_t *ret_id,
              struct un_detail *detail)
{
	struct store_view *view = store_txn_view(txn);
	struct entity_row found;
	struct sql *sql;
	enum un_err err;

	err = entity_get(view, &row->key, &found, detail);
	if (!err) {
		*ret_id = found.id;
		if (found.spec.len == row->spec.len &&
		    (row->spec.len == 0 ||
		     bytes_equal(found.spec.bytes, row->spec.bytes, row->spec.len)))
			return UN_ERR_EXISTS;
		return un_fail(
			detail, UN_ERR_INVALID,
			"'%.128s' version '%.64s' is registered already, with other contents",
			row->key.name, row->key.version);
	}
	if (err != UN_ERR_NOT_FOUND)
		return err;
	err = sql_open(view,
	               "INSERT INTO entities (kind, project, domain, name, version, state, "
	               "created_at, updated_at, spec) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8)",
	               &sql, detail);
	if (err)
		return err;
	bind_key(sql, &row->key);
	sql_bind_int(sql, 6, row->state);
	sql_bind_int(sql, 7, row->created_us);
	sql_bind_blob(sql, 8, row->spec.bytes, row->spec.len);
	err = sql_run(sql, detail);
	if (!err)
		*ret_id = sql_last_insert_id(view);
	return err;
}

enum un_err
entity_set_state(struct store_txn *txn, const struct entity_key *key, int state, int64_t now_us,
                 struct un_detail *detail)
{
	struct store_view *view = store_txn_view(txn);
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "UPDATE entities SET state = ?6, updated_at = ?7 WHERE kind = ?1 AND "
	               "project = ?2 AND domain = ?3 AND name = ?4 AND version = ?5",
	               &sql, detail);
	if (err)
		return err;
	bind_key(sql, key);
	sql_bind_int(sql, 6, state);
	sql_bind_int(sql, 7, now_us);
	err = sql_run(sql, detail);
	if (!err && sql_changes(view) == 0)
		return UN_ERR_NOT_FOUND;
	return err;
}

/* check-source: allow parameters, a query, and where its rows go */
enum un_err
entity_list(struct store_view *view, const struct entity_key *like, int64_t before, unsigned limit,
            entity_each *each, void *ctx, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "SELECT " ENTITY_COLUMNS " FROM entities WHERE id < ?6 AND kind = ?1 "
	               "AND (?2 = '' OR project = ?2) AND (?3 = '' OR domain = ?3) "
	               "AND (?4 = '' OR name = ?4) AND (?5 = '' OR version = ?5) "
	               "ORDER BY id DESC LIMIT ?7",
	               &sql, detail);
	if (err)
		return err;
	bind_key(sql, like);
	sql_bind_int(sql, 6, before);
	sql_bind_int(sql, 7, limit);
	while (!err && sql_next(sql, &err, detail)) {
		struct entity_row found;

		entity_read(sql, &found);
		err = each(ctx, &found);
	}
	sql_close(sql);
	return err;
}
