#include "store/runs.h"

#include "store/sql.h"

#include <string.h>

/* ---- executions ---- */

#define RUN_COLUMNS                                                                                \
	"id, project, domain, name, state, change, max_parallelism, entity, principal, "           \
	"created_at, "                                                                             \
	"updated_at, ended_at, error_kind, error_code, error_message, abort_cause, spec"

static void
run_read(struct sql *sql, struct run_row *row)
{
	row->id = sql_int(sql, 0);
	sql_copy_text(sql, 1, row->project, sizeof row->project);
	sql_copy_text(sql, 2, row->domain, sizeof row->domain);
	sql_copy_text(sql, 3, row->name, sizeof row->name);
	row->state = (int)sql_int(sql, 4);
	row->change = sql_int(sql, 5);
	row->max_parallelism = (uint32_t)sql_int(sql, 6);
	row->entity = sql_int(sql, 7);
	row->principal = sql_text(sql, 8);
	row->created_us = sql_int(sql, 9);
	row->updated_us = sql_int(sql, 10);
	row->ended_us = sql_int(sql, 11);
	row->error_kind = (int)sql_int(sql, 12);
	row->error_code = sql_text(sql, 13);
	row->error_message = sql_text(sql, 14);
	row->abort_cause = sql_text(sql, 15);
	row->spec.bytes = sql_blob(sql, 16, &row->spec.len);
}

enum un_err
run_insert(struct store_txn *txn, const struct run_row *row, int64_t *ret_id,
           struct un_detail *detail)
{
	struct store_view *view = store_txn_view(txn);
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "INSERT INTO executions (project, domain, name, state, change, "
	               "max_parallelism, entity, principal, created_at, updated_at, ended_at, "
	               "error_kind, error_code, error_message, abort_cause, spec) VALUES "
	               "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, 0, 0, '', '', '', ?10)",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_text(sql, 1, row->project);
	sql_bind_text(sql, 2, row->domain);
	sql_bind_text(sql, 3, row->name);
	sql_bind_int(sql, 4, row->state);
	sql_bind_int(sql, 5, row->change);
	sql_bind_int(sql, 6, row->max_parallelism);
	sql_bind_int(sql, 7, row->entity);
	sql_bind_text(sql, 8, row->principal);
	sql_bind_int(sql, 9, row->created_us);
	sql_bind_blob(sql, 10, row->spec.bytes, row->spec.len);
	err = sql_run(sql, detail);
	if (!err)
		*ret_id = sql_last_insert_id(view);
	return err;
}

enum un_err
run_update(struct store_txn *txn, const struct run_row *row, int64_t expected_change,
           struct un_detail *detail)
{
	struct store_view *view = store_txn_view(txn);
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "UPDATE executions SET state = ?2, change = ?3, updated_at = ?4, "
	               "ended_at = ?5, error_kind = ?6, error_code = ?7, error_message = ?8, "
	               "abort_cause = ?9 WHERE id = ?1 AND change = ?10",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, row->id);
	sql_bind_int(sql, 2, row->state);
	sql_bind_int(sql, 3, row->change);
	sql_bind_int(sql, 4, row->updated_us);
	sql_bind_int(sql, 5, row->ended_us);
	sql_bind_int(sql, 6, row->error_kind);
	sql_bind_text(sql, 7, row->error_code);
	sql_bind_text(sql, 8, row->error_message);
	sql_bind_text(sql, 9, row->abort_cause);
	sql_bind_int(sql, 10, expected_change);
	err = sql_run(sql, detail);
	if (!err && sql_changes(view) == 0)
		return UN_ERR_CONFLICT;
	return err;
}

static enum un_err
run_found(struct sql *sql, struct run_row *ret_row, struct un_detail *detail)
{
	enum un_err err = sql_lend_row(sql, UN_ERR_EXECUTION_NOT_FOUND, detail);

	if (!err)
		run_read(sql, ret_row);
	return err;
}

enum un_err
run_get(struct store_view *view, const char *project, const char *domain, const char *name,
        struct run_row *ret_row, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "SELECT " RUN_COLUMNS " FROM executions WHERE project = ?1 AND domain = ?2 "
	               "AND name = ?3",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_text(sql, 1, project);
	sql_bind_text(sql, 2, domain);
	sql_bind_text(sql, 3, name);
	return run_found(sql, ret_row, detail);
}

enum un_err
run_get_by_id(struct store_view *view, int64_t id, struct run_row *ret_row,
              struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view, "SELECT " RUN_COLUMNS " FROM executions WHERE id = ?1", &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, id);
	return run_found(sql, ret_row, detail);
}

/* check-source: allow parameters, a query, and where its rows go */
enum un_err
run_list(struct store_view *view, const char *project, const char *domain, int64_t before,
         unsigned limit, run_each *each, void *ctx, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	if (project[0] != '\0' && domain[0] != '\0')
		err = sql_open(view,
		               "SELECT " RUN_COLUMNS " FROM executions WHERE project = ?1 AND "
		               "domain = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4",
		               &sql, detail);
	else
		err = sql_open(view,
		               "SELECT " RUN_COLUMNS " FROM executions WHERE (?1 = '' OR "
		               "project = ?1) AND (?2 = '' OR domain = ?2) AND id < ?3 "
		               "ORDER BY id DESC LIMIT ?4",
		               &sql, detail);
	if (err)
		return err;
	sql_bind_text(sql, 1, project);
	sql_bind_text(sql, 2, domain);
	sql_bind_int(sql, 3, before);
	sql_bind_int(sql, 4, limit);
	while (!err && sql_next(sql, &err, detail)) {
		struct run_row found;

		run_read(sql, &found);
		err = each(ctx, &found);
	}
	sql_close(sql);
	return err;
}

enum un_err
run_list_active(struct store_view *view, int64_t after, enum un_err (*each)(void *ctx, int64_t id),
                void *ctx, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view, "SELECT id FROM executions WHERE state < 3 AND id > ?1 ORDER BY id",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, after);
	while (!err && sql_next(sql, &err, detail))
		err = each(ctx, sql_int(sql, 0));
	sql_close(sql);
	return err;
}

enum un_err
run_count_active(struct store_view *view, int64_t *ret_count, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view, "SELECT count(*) FROM executions WHERE state < 3", &sql, detail);
	if (err)
		return err;
	return sql_number(sql, 0, ret_count, detail);
}

/* ---- nodes ---- */

#define NODE_COLUMNS                                                                               \
	"execution, place, node, task, state, change, attempts, max_attempts, task_failures, "     \
	"system_failures, not_before, created_at, started_at, updated_at, ended_at, error_kind, "  \
	"error_code, error_message"

static void
node_read(struct sql *sql, struct run_node_row *row)
{
	row->execution = sql_int(sql, 0);
	row->place = (uint32_t)sql_int(sql, 1);
	row->node = sql_text(sql, 2);
	row->task = sql_int(sql, 3);
	row->state = (int)sql_int(sql, 4);
	row->change = sql_int(sql, 5);
	row->attempts = (uint32_t)sql_int(sql, 6);
	row->max_attempts = (uint32_t)sql_int(sql, 7);
	row->task_failures = (uint32_t)sql_int(sql, 8);
	row->system_failures = (uint32_t)sql_int(sql, 9);
	row->not_before_us = sql_int(sql, 10);
	row->created_us = sql_int(sql, 11);
	row->started_us = sql_int(sql, 12);
	row->updated_us = sql_int(sql, 13);
	row->ended_us = sql_int(sql, 14);
	row->error_kind = (int)sql_int(sql, 15);
	row->error_code = sql_text(sql, 16);
	row->error_message = sql_text(sql, 17);
}

enum un_err
run_node_put(struct store_txn *txn, const struct run_node_row *row, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(store_txn_view(txn),
	               "INSERT OR REPLACE INTO run_nodes (" NODE_COLUMNS ") VALUES (?1, ?2, ?3, "
	               "?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, row->execution);
	sql_bind_int(sql, 2, row->place);
	sql_bind_text(sql, 3, row->node);
	sql_bind_int(sql, 4, row->task);
	sql_bind_int(sql, 5, row->state);
	sql_bind_int(sql, 6, row->change);
	sql_bind_int(sql, 7, row->attempts);
	sql_bind_int(sql, 8, row->max_attempts);
	sql_bind_int(sql, 9, row->task_failures);
	sql_bind_int(sql, 10, row->system_failures);
	sql_bind_int(sql, 11, row->not_before_us);
	sql_bind_int(sql, 12, row->created_us);
	sql_bind_int(sql, 13, row->started_us);
	sql_bind_int(sql, 14, row->updated_us);
	sql_bind_int(sql, 15, row->ended_us);
	sql_bind_int(sql, 16, row->error_kind);
	sql_bind_text(sql, 17, row->error_code);
	sql_bind_text(sql, 18, row->error_message);
	return sql_run(sql, detail);
}

/* check-source: allow parameters, a query, and where its rows go */
enum un_err
run_node_list(struct store_view *view, int64_t execution, int64_t change, uint32_t from,
              unsigned limit, run_node_each *each, void *ctx, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "SELECT " NODE_COLUMNS " FROM run_nodes WHERE execution = ?1 AND "
	               "place >= ?2 AND change > ?3 ORDER BY place LIMIT ?4",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, execution);
	sql_bind_int(sql, 2, from);
	sql_bind_int(sql, 3, change);
	sql_bind_int(sql, 4, limit);
	while (!err && sql_next(sql, &err, detail)) {
		struct run_node_row found;

		node_read(sql, &found);
		err = each(ctx, &found);
	}
	sql_close(sql);
	return err;
}

enum un_err
run_node_get(struct store_view *view, int64_t execution, const char *node,
             struct run_node_row *ret_row, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "SELECT " NODE_COLUMNS " FROM run_nodes WHERE execution = ?1 AND node = ?2",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, execution);
	sql_bind_text(sql, 2, node);
	err = sql_lend_row(sql, UN_ERR_NOT_FOUND, detail);
	if (!err)
		node_read(sql, ret_row);
	return err;
}

/* ---- values ---- */

enum un_err
run_value_put(struct store_txn *txn, int64_t execution, int64_t place, enum run_which which,
              struct run_bytes value, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(store_txn_view(txn),
	               "INSERT OR REPLACE INTO run_values (execution, place, which, value) "
	               "VALUES (?1, ?2, ?3, ?4)",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, execution);
	sql_bind_int(sql, 2, place);
	sql_bind_int(sql, 3, which);
	sql_bind_blob(sql, 4, value.bytes, value.len);
	return sql_run(sql, detail);
}

enum un_err
run_value_get(struct store_view *view, int64_t execution, int64_t place, enum run_which which,
              struct run_bytes *ret_value, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "SELECT value FROM run_values WHERE execution = ?1 AND place = ?2 AND "
	               "which = ?3",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, execution);
	sql_bind_int(sql, 2, place);
	sql_bind_int(sql, 3, which);
	err = sql_lend_row(sql, UN_ERR_NOT_FOUND, detail);
	if (!err)
		ret_value->bytes = sql_blob(sql, 0, &ret_value->len);
	return err;
}

/* ---- attempts ---- */

#define ATTEMPT_COLUMNS                                                                            \
	"execution, place, number, id, state, outcome, cancel, lease_hash, created_at, "           \
	"claimed_at, "                                                                             \
	"ended_at, pid, pid_start, exit_code"

enum un_err
run_attempt_put(struct store_txn *txn, const struct run_attempt_row *row, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(store_txn_view(txn),
	               "INSERT OR REPLACE INTO attempts (" ATTEMPT_COLUMNS ") VALUES (?1, ?2, ?3, "
	               "?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, row->execution);
	sql_bind_int(sql, 2, row->place);
	sql_bind_int(sql, 3, row->number);
	sql_bind_blob(sql, 4, row->id, sizeof row->id);
	sql_bind_int(sql, 5, row->state);
	sql_bind_int(sql, 6, row->outcome);
	sql_bind_int(sql, 7, row->cancel);
	sql_bind_blob(sql, 8, row->lease_hash, sizeof row->lease_hash);
	sql_bind_int(sql, 9, row->created_us);
	sql_bind_int(sql, 10, row->claimed_us);
	sql_bind_int(sql, 11, row->ended_us);
	sql_bind_int(sql, 12, row->pid);
	sql_bind_int(sql, 13, row->pid_start);
	sql_bind_int(sql, 14, row->exit_code);
	return sql_run(sql, detail);
}

static enum un_err
attempt_read(struct sql *sql, struct run_attempt_row *row, struct un_detail *detail)
{
	const uint8_t *id, *hash;
	size_t id_len, hash_len;

	id = sql_blob(sql, 3, &id_len);
	hash = sql_blob(sql, 7, &hash_len);
	if (id_len != sizeof row->id || hash_len != sizeof row->lease_hash)
		return un_fail(detail, UN_ERR_DAMAGED, "the record of an attempt is malformed");
	row->execution = sql_int(sql, 0);
	row->place = (uint32_t)sql_int(sql, 1);
	row->number = (uint32_t)sql_int(sql, 2);
	memcpy(row->id, id, sizeof row->id);
	row->state = (int)sql_int(sql, 4);
	row->outcome = (int)sql_int(sql, 5);
	row->cancel = sql_int(sql, 6) != 0;
	memcpy(row->lease_hash, hash, sizeof row->lease_hash);
	row->created_us = sql_int(sql, 8);
	row->claimed_us = sql_int(sql, 9);
	row->ended_us = sql_int(sql, 10);
	row->pid = sql_int(sql, 11);
	row->pid_start = sql_int(sql, 12);
	row->exit_code = (int32_t)sql_int(sql, 13);
	return UN_OK;
}

static enum un_err
attempt_found(struct sql *sql, struct run_attempt_row *ret_row, struct un_detail *detail)
{
	enum un_err err = sql_lend_row(sql, UN_ERR_NOT_FOUND, detail);

	return err ? err : attempt_read(sql, ret_row, detail);
}

enum un_err
run_attempt_get(struct store_view *view, int64_t execution, uint32_t place, uint32_t number,
                struct run_attempt_row *ret_row, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "SELECT " ATTEMPT_COLUMNS " FROM attempts WHERE execution = ?1 AND "
	               "place = ?2 AND number = ?3",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, execution);
	sql_bind_int(sql, 2, place);
	sql_bind_int(sql, 3, number);
	return attempt_found(sql, ret_row, detail);
}

enum un_err
run_attempt_find(struct store_view *view, const uint8_t lease_hash[RUN_LEASE_HASH_LEN],
                 struct run_attempt_row *ret_row, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "SELECT " ATTEMPT_COLUMNS " FROM attempts WHERE lease_hash = ?1 AND "
	               "state > 1",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_blob(sql, 1, lease_hash, RUN_LEASE_HASH_LEN);
	return attempt_found(sql, ret_row, detail);
}
