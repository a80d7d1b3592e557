#include "store/secrets_rows.h"

#include <string.h>

static enum un_err
check_sealed(const struct secret_write *write, uint32_t *ret_generation, struct un_detail *detail)
{
	if (write->sealed_value_len <= SEALED_VALUE_OVERHEAD)
		return un_fail(detail, UN_ERR_EMPTY_VALUE, "the value is empty");
	if (write->sealed_value_len > SECRET_SEALED_MAX)
		return un_fail(detail, UN_ERR_VALUE_TOO_LARGE, "the value is larger than 1 MiB");
	if (write->version == 0 || write->version > SECRET_VERSION_MAX)
		return un_fail(detail, UN_ERR_RANGE, "the secret '%s' cannot have more versions",
		               write->id->name);
	if (envelope_stored_generation(write->stored_dek, STORED_DEK_LEN, ret_generation) != UN_OK)
		return un_fail(detail, UN_ERR_PROTOCOL, "the sealed key is malformed");
	return UN_OK;
}

/* Numbers only go up, and only this connection gives them out: it looks once and remembers. Those
 * of writes that failed are left out. */
static enum un_err
next_row(struct store_view *view, int64_t *ret_row, struct un_detail *detail)
{
	int64_t *next = sql_memo(view);
	struct sql *sql;
	enum un_err err;
	bool row;

	if (*next) {
		*ret_row = (*next)++;
		return UN_OK;
	}
	err = sql_open(view, "SELECT coalesce(max(id) >> 20, 0) + 1 FROM versions", &sql, detail);
	if (err)
		return err;
	err = sql_step(sql, &row, detail);
	if (!err) {
		*ret_row = sql_int(sql, 0);
		*next = *ret_row + 1;
	}
	sql_close(sql);
	return err;
}

static enum un_err
insert_large(struct store_view *view, int64_t id, const struct secret_write *write,
             struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view, "INSERT INTO large_values (id, sealed_value) VALUES (?1, ?2)", &sql,
	               detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, id);
	sql_bind_blob(sql, 2, write->sealed_value, write->sealed_value_len);
	return sql_run(sql, detail);
}

static enum un_err
insert_version(struct store_view *view, int64_t row, uint32_t generation,
               const struct secret_write *write, struct un_detail *detail)
{
	int64_t id = row << VERSION_BITS | write->version;
	bool is_large = write->sealed_value_len > INLINE_SEALED_MAX;
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "INSERT INTO versions (id, generation, created_at, stored_dek, sealed_value)"
	               " VALUES (?1, ?2, ?3, ?4, ?5)",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, id);
	sql_bind_int(sql, 2, generation);
	sql_bind_int(sql, 3, write->at_us);
	sql_bind_blob(sql, 4, write->stored_dek, STORED_DEK_LEN);
	if (is_large)
		sql_bind_null(sql, 5);
	else
		sql_bind_blob(sql, 5, write->sealed_value, write->sealed_value_len);
	err = sql_run(sql, detail);
	if (!err && is_large)
		err = insert_large(view, id, write, detail);
	return err;
}

static enum un_err
fail_exists(const struct secret_id *id, struct un_detail *detail)
{
	char scope[SCOPE_TEXT_MAX];

	scope_format(&id->scope, scope);
	if (detail)
		detail->hint[0] = '\0';
	return un_fail(detail, UN_ERR_SECRET_EXISTS, "the secret '%s' exists already at %s",
	               id->name, scope);
}

static enum un_err
insert_head(struct store_view *view, int64_t row, const struct secret_write *write,
            struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(
		view,
		"INSERT INTO secrets (org, name, project, domain, id, type, version, created_at,"
		" updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)",
		&sql, detail);
	if (err)
		return err;
	secret_bind_id(sql, write->id);
	sql_bind_int(sql, 5, row);
	sql_bind_int(sql, 6, write->type);
	sql_bind_int(sql, 7, write->version);
	sql_bind_int(sql, 8, write->at_us);
	return sql_run(sql, detail);
}

static enum un_err
count_in_scope(struct store_view *view, const struct secret_id *id, int change,
               struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "UPDATE scopes SET secrets = secrets + ?4"
	               " WHERE org = ?1 AND project = ?2 AND domain = ?3",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_text(sql, 1, id->org);
	sql_bind_text(sql, 2, id->scope.project);
	sql_bind_text(sql, 3, id->scope.domain);
	sql_bind_int(sql, 4, change);
	return sql_run(sql, detail);
}

/* A scope that is there already, the usual case, costs one statement. */
static enum un_err
enter_scope(struct store_txn *txn, const struct secret_id *id, struct scope_novelty *novelty,
            struct un_detail *detail)
{
	struct store_view *view = store_txn_view(txn);
	enum un_err err = count_in_scope(view, id, 1, detail);

	if (err || sql_changes(view) > 0)
		return err;
	err = scope_note(txn, id->org, &id->scope, novelty, detail);
	return err ? err : count_in_scope(view, id, 1, detail);
}

enum un_err
secret_insert(struct store_txn *txn, const struct secret_write *write,
              struct scope_novelty *ret_novelty, struct un_detail *detail)
{
	struct store_view *view = store_txn_view(txn);
	struct scope_novelty novelty = {0};
	uint32_t generation;
	int64_t row;
	enum un_err err;

	err = check_sealed(write, &generation, detail);
	if (!err && write->version != 1)
		err = un_fail(detail, UN_ERR_CONFLICT, "a new secret begins with version 1");
	if (!err)
		err = next_row(view, &row, detail);
	if (err)
		return err;
	err = insert_head(view, row, write, detail);
	if (err == UN_ERR_EXISTS)
		return fail_exists(write->id, detail);
	if (!err)
		err = insert_version(view, row, generation, write, detail);
	if (!err)
		err = enter_scope(txn, write->id, &novelty, detail);
	if (!err && ret_novelty)
		*ret_novelty = novelty;
	return err;
}

static enum un_err
update_head(struct store_view *view, const struct secret_write *write, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "UPDATE secrets SET version = ?5, updated_at = ?6"
	               " WHERE org = ?1 AND name = ?2 AND project = ?3 AND domain = ?4",
	               &sql, detail);
	if (err)
		return err;
	secret_bind_id(sql, write->id);
	sql_bind_int(sql, 5, write->version);
	sql_bind_int(sql, 6, write->at_us);
	return sql_run(sql, detail);
}

enum un_err
secret_add_version(struct store_txn *txn, const struct secret_write *write,
                   struct un_detail *detail)
{
	struct store_view *view = store_txn_view(txn);
	struct secret_head head;
	uint32_t generation;
	int64_t row;
	enum un_err err;

	err = secret_find(view, write->id, &head, &row, detail);
	if (!err)
		err = check_sealed(write, &generation, detail);
	if (!err && write->version != head.version + 1)
		err = un_fail(detail, UN_ERR_CONFLICT,
		              "the secret '%s' was updated meanwhile: its newest version is %u",
		              write->id->name, head.version);
	if (!err)
		err = insert_version(view, row, generation, write, detail);
	if (!err)
		err = update_head(view, write, detail);
	return err;
}

static enum un_err
delete_versions(struct store_view *view, int64_t row, struct un_detail *detail)
{
	static const char *const texts[] = {
		"DELETE FROM large_values WHERE id > ?1 << 20 AND id < (?1 + 1) << 20",
		"DELETE FROM versions WHERE id > ?1 << 20 AND id < (?1 + 1) << 20",
	};
	enum un_err err = UN_OK;

	for (size_t i = 0; !err && i < sizeof texts / sizeof texts[0]; i++) {
		struct sql *sql;

		err = sql_open(view, texts[i], &sql, detail);
		if (err)
			break;
		sql_bind_int(sql, 1, row);
		err = sql_run(sql, detail);
	}
	return err;
}

enum un_err
secret_delete(struct store_txn *txn, const struct secret_id *id, struct secret_head *ret_head,
              struct un_detail *detail)
{
	struct store_view *view = store_txn_view(txn);
	struct secret_head head;
	struct sql *sql;
	int64_t row;
	enum un_err err;

	err = secret_find(view, id, &head, &row, detail);
	if (!err)
		err = delete_versions(view, row, detail);
	if (!err)
		err = sql_open(view,
		               "DELETE FROM secrets"
		               " WHERE org = ?1 AND name = ?2 AND project = ?3 AND domain = ?4",
		               &sql, detail);
	if (err)
		return err;
	secret_bind_id(sql, id);
	err = sql_run(sql, detail);
	if (!err)
		err = count_in_scope(view, id, -1, detail);
	if (err)
		return err;
	store_txn_scrub(txn);
	if (ret_head)
		*ret_head = head;
	return UN_OK;
}
