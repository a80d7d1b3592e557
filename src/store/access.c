#include "store/access.h"

#include "store/sql.h"

#include <string.h>

#define KEY_COLUMNS                                                                                \
	"id, name, hash, project, domain, epoch, created_at, created_by, expires_at, last_used_at"

/* A table that keeps what `text` counts below `max`. */
static enum un_err
check_room(struct store_view *view, const char *text, int64_t max, const char *what,
           struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err = sql_open(view, text, &sql, detail);
	bool row;

	if (err)
		return err;
	err = sql_step(sql, &row, detail);
	if (!err && row && sql_int(sql, 0) >= max)
		err = un_fail(detail, UN_ERR_RANGE, "there are %lld %s already, which is the most",
		              (long long)max, what);
	sql_close(sql);
	return err;
}

/* ---- API keys ---- */

static enum un_err
key_read(const struct sql *sql, struct api_key_row *ret_row, struct un_detail *detail)
{
	const uint8_t *hash;
	size_t len;

	ret_row->id = sql_int(sql, 0);
	sql_copy_text(sql, 1, ret_row->name, sizeof ret_row->name);
	hash = sql_blob(sql, 2, &len);
	if (!hash || len != API_KEY_HASH_LEN)
		return un_fail(detail, UN_ERR_DAMAGED, "the API key '%s' is incomplete",
		               ret_row->name);
	memcpy(ret_row->hash, hash, API_KEY_HASH_LEN);
	sql_copy_text(sql, 3, ret_row->scope.project, sizeof ret_row->scope.project);
	sql_copy_text(sql, 4, ret_row->scope.domain, sizeof ret_row->scope.domain);
	ret_row->epoch = (uint64_t)sql_int(sql, 5);
	ret_row->created_us = sql_int(sql, 6);
	sql_copy_text(sql, 7, ret_row->created_by, sizeof ret_row->created_by);
	ret_row->expires_us = sql_int(sql, 8);
	ret_row->last_used_us = sql_int(sql, 9);
	return UN_OK;
}

enum un_err
api_key_insert(struct store_txn *txn, const struct api_key_row *row, int64_t *ret_id,
               struct un_detail *detail)
{
	struct store_view *view = store_txn_view(txn);
	struct sql *sql;
	enum un_err err;

	err = check_room(view, "SELECT count(*) FROM api_keys", API_KEYS_MAX, "API keys", detail);
	if (!err)
		err = sql_open(view,
		               "INSERT INTO api_keys (name, hash, project, domain, epoch,"
		               " created_at, created_by, expires_at, last_used_at)"
		               " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
		               &sql, detail);
	if (err)
		return err;
	sql_bind_text(sql, 1, row->name);
	sql_bind_blob(sql, 2, row->hash, API_KEY_HASH_LEN);
	sql_bind_text(sql, 3, row->scope.project);
	sql_bind_text(sql, 4, row->scope.domain);
	sql_bind_int(sql, 5, (int64_t)row->epoch);
	sql_bind_int(sql, 6, row->created_us);
	sql_bind_text(sql, 7, row->created_by);
	sql_bind_int(sql, 8, row->expires_us);
	sql_bind_int(sql, 9, row->last_used_us);
	err = sql_run(sql, detail);
	if (err == UN_ERR_EXISTS)
		return un_fail(detail, err, "the API key '%s' exists already", row->name);
	if (!err)
		*ret_id = sql_last_insert_id(view);
	return err;
}

enum un_err
api_key_get(struct store_view *view, const char *name, struct api_key_row *ret_row,
            struct un_detail *detail)
{
	struct api_key_row found = {0};
	struct sql *sql;
	enum un_err err;
	bool row;

	err = sql_open(view, "SELECT " KEY_COLUMNS " FROM api_keys WHERE name = ?1", &sql, detail);
	if (err)
		return err;
	sql_bind_text(sql, 1, name);
	err = sql_step(sql, &row, detail);
	if (!err && !row)
		err = un_fail(detail, UN_ERR_NOT_FOUND, "no API key '%s'", name);
	if (!err)
		err = key_read(sql, &found, detail);
	sql_close(sql);
	if (!err)
		*ret_row = found;
	return err;
}

static enum un_err
delete_grants_of(struct store_view *view, const char *name, uint32_t *ret_grants,
                 struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view, "DELETE FROM grants WHERE principal = 'key:' || ?1", &sql, detail);
	if (err)
		return err;
	sql_bind_text(sql, 1, name);
	err = sql_run(sql, detail);
	if (!err)
		*ret_grants = (uint32_t)sql_changes(view);
	return err;
}

enum un_err
api_key_delete(struct store_txn *txn, int64_t id, const char *name, uint32_t *ret_grants,
               struct un_detail *detail)
{
	struct store_view *view = store_txn_view(txn);
	struct sql *sql;
	enum un_err err;

	err = sql_open(view, "DELETE FROM api_keys WHERE name = ?1 AND id = ?2", &sql, detail);
	if (err)
		return err;
	sql_bind_text(sql, 1, name);
	sql_bind_int(sql, 2, id);
	err = sql_run(sql, detail);
	if (!err && sql_changes(view) == 0)
		err = un_fail(detail, UN_ERR_NOT_FOUND, "no API key '%s'", name);
	if (!err)
		err = delete_grants_of(view, name, ret_grants, detail);
	return err;
}

enum un_err
api_key_set_used(struct store_txn *txn, int64_t id, int64_t at_us, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(store_txn_view(txn),
	               "UPDATE api_keys SET last_used_at = max(last_used_at, ?2) WHERE id = ?1",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, id);
	sql_bind_int(sql, 2, at_us);
	return sql_run(sql, detail);
}

enum un_err
api_key_walk(struct store_view *view, const char *after,
             bool (*each)(void *ctx, const struct api_key_row *row), void *ctx,
             struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;
	bool row = true;

	err = sql_open(view, "SELECT " KEY_COLUMNS " FROM api_keys WHERE name > ?1 ORDER BY name",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_text(sql, 1, after);
	for (;;) {
		struct api_key_row found = {0};

		err = sql_step(sql, &row, detail);
		if (!err && row)
			err = key_read(sql, &found, detail);
		if (err || !row || !each(ctx, &found))
			break;
	}
	sql_close(sql);
	return err;
}

/* ---- grants ---- */

#define GRANT_COLUMNS "id, principal, project, domain, role, created_at, created_by"

static void
bind_grant(struct sql *sql, const struct grant_row *row)
{
	sql_bind_text(sql, 1, row->principal);
	sql_bind_text(sql, 2, row->scope.project);
	sql_bind_text(sql, 3, row->scope.domain);
	sql_bind_text(sql, 4, row->role);
}

static enum un_err
fail_grant(enum un_err err, const struct grant_row *row, const char *what, struct un_detail *detail)
{
	char scope[SCOPE_TEXT_MAX];

	scope_format(&row->scope, scope);
	return un_fail(detail, err, "%s %s the role '%s' at %s", row->principal, what, row->role,
	               scope);
}

enum un_err
grant_insert(struct store_txn *txn, const struct grant_row *row, int64_t *ret_id,
             struct un_detail *detail)
{
	struct store_view *view = store_txn_view(txn);
	struct sql *sql;
	enum un_err err;

	err = check_room(view, "SELECT count(*) FROM grants", GRANTS_MAX, "grants", detail);
	if (!err)
		err = sql_open(view,
		               "INSERT INTO grants (principal, project, domain, role, created_at,"
		               " created_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
		               &sql, detail);
	if (err)
		return err;
	bind_grant(sql, row);
	sql_bind_int(sql, 5, row->created_us);
	sql_bind_text(sql, 6, row->created_by);
	err = sql_run(sql, detail);
	if (err == UN_ERR_EXISTS)
		return fail_grant(err, row, "has", detail);
	if (!err)
		*ret_id = sql_last_insert_id(view);
	return err;
}

enum un_err
grant_delete(struct store_txn *txn, const struct grant_row *row, struct un_detail *detail)
{
	struct store_view *view = store_txn_view(txn);
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "DELETE FROM grants WHERE principal = ?1 AND project = ?2 AND domain = ?3"
	               " AND role = ?4",
	               &sql, detail);
	if (err)
		return err;
	bind_grant(sql, row);
	err = sql_run(sql, detail);
	if (!err && sql_changes(view) == 0)
		err = fail_grant(UN_ERR_NOT_FOUND, row, "does not have", detail);
	return err;
}

static void
grant_read(const struct sql *sql, struct grant_row *ret_row)
{
	ret_row->id = sql_int(sql, 0);
	sql_copy_text(sql, 1, ret_row->principal, sizeof ret_row->principal);
	sql_copy_text(sql, 2, ret_row->scope.project, sizeof ret_row->scope.project);
	sql_copy_text(sql, 3, ret_row->scope.domain, sizeof ret_row->scope.domain);
	sql_copy_text(sql, 4, ret_row->role, sizeof ret_row->role);
	ret_row->created_us = sql_int(sql, 5);
	sql_copy_text(sql, 6, ret_row->created_by, sizeof ret_row->created_by);
}

enum un_err
grant_get(struct store_view *view, struct grant_row *row, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;
	bool found;

	err = sql_open(view,
	               "SELECT " GRANT_COLUMNS " FROM grants"
	               " WHERE principal = ?1 AND project = ?2 AND domain = ?3 AND role = ?4",
	               &sql, detail);
	if (err)
		return err;
	bind_grant(sql, row);
	err = sql_step(sql, &found, detail);
	if (!err && !found)
		err = fail_grant(UN_ERR_NOT_FOUND, row, "does not have", detail);
	if (!err) {
		row->id = sql_int(sql, 0);
		row->created_us = sql_int(sql, 5);
		sql_copy_text(sql, 6, row->created_by, sizeof row->created_by);
	}
	sql_close(sql);
	return err;
}

enum un_err
grant_walk(struct store_view *view, const struct grant_row *after,
           bool (*each)(void *ctx, const struct grant_row *row), void *ctx,
           struct un_detail *detail)
{
	static const struct grant_row first;
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "SELECT " GRANT_COLUMNS " FROM grants"
	               " WHERE (principal, project, domain, role) > (?1, ?2, ?3, ?4)"
	               " ORDER BY principal, project, domain, role",
	               &sql, detail);
	if (err)
		return err;
	bind_grant(sql, after ? after : &first);
	while (sql_next(sql, &err, detail)) {
		struct grant_row found = {0};

		grant_read(sql, &found);
		if (!each(ctx, &found))
			break;
	}
	sql_close(sql);
	return err;
}
