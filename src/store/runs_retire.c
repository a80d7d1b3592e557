#include "store/runs.h"
#include "store/sql.h"

enum un_err
run_list_ended(struct store_view *view, int64_t after, unsigned limit, run_ended_each *each,
               void *ctx, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "SELECT id, created_at, ended_at FROM executions WHERE id > ?1 AND "
	               "id < (SELECT max(id) FROM executions) ORDER BY id LIMIT ?2",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, after);
	sql_bind_int(sql, 2, limit);
	while (!err && sql_next(sql, &err, detail)) {
		const struct run_ended row = {.id = sql_int(sql, 0),
		                              .created_us = sql_int(sql, 1),
		                              .ended_us = sql_int(sql, 2)};

		if (!each(ctx, &row))
			break;
	}
	sql_close(sql);
	return err;
}

enum un_err
run_remove(struct store_txn *txn, int64_t id, struct un_detail *detail)
{
	static const char *const texts[] = {
		"DELETE FROM executions WHERE id = ?1 AND state >= 3",
		"DELETE FROM run_values WHERE execution = ?1",
		"DELETE FROM attempts WHERE execution = ?1",
		"DELETE FROM run_nodes WHERE execution = ?1",
	};
	struct store_view *view = store_txn_view(txn);
	enum un_err err = UN_OK;

	for (size_t i = 0; i < sizeof texts / sizeof texts[0] && !err; i++) {
		struct sql *sql;

		err = sql_open(view, texts[i], &sql, detail);
		if (err)
			return err;
		sql_bind_int(sql, 1, id);
		err = sql_run(sql, detail);
		if (!err && i == 0 && sql_changes(view) == 0)
			return UN_ERR_CONFLICT;
	}
	return err;
}
