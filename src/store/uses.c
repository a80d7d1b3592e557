#include "store/uses.h"

#include "store/sql.h"

static void
bind_secret(struct sql *sql, const struct secret_id *secret)
{
	sql_bind_text(sql, 1, secret->scope.project);
	sql_bind_text(sql, 2, secret->scope.domain);
	sql_bind_text(sql, 3, secret->name);
}

enum un_err
use_note(struct store_txn *txn, const struct secret_id *secret, const struct use_row *row,
         struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(store_txn_view(txn),
	               "INSERT INTO secret_uses (project, domain, name, execution_project,"
	               " execution_domain, execution, version, releases, first_at, last_at)"
	               " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8, ?8)"
	               " ON CONFLICT (project, domain, name, execution, execution_project,"
	               " execution_domain, version)"
	               " DO UPDATE SET releases = releases + 1, last_at = excluded.last_at",
	               &sql, detail);
	if (err)
		return err;
	bind_secret(sql, secret);
	sql_bind_text(sql, 4, row->execution_project);
	sql_bind_text(sql, 5, row->execution_domain);
	sql_bind_text(sql, 6, row->execution);
	sql_bind_int(sql, 7, row->version);
	sql_bind_int(sql, 8, row->last_us);
	return sql_run(sql, detail);
}

enum un_err
use_list(struct store_view *view, const struct secret_id *secret, const struct use_cursor *after,
         bool (*each)(void *ctx, const struct use_row *row), void *ctx, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "SELECT id, execution, execution_project, execution_domain, version,"
	               " releases, first_at, last_at FROM secret_uses"
	               " INDEXED BY secret_uses_by_time"
	               " WHERE project = ?1 AND domain = ?2 AND name = ?3"
	               " AND (last_at, id) < (?4, ?5) ORDER BY last_at DESC, id DESC",
	               &sql, detail);
	if (err)
		return err;
	bind_secret(sql, secret);
	sql_bind_int(sql, 4, after->last_us ? after->last_us : INT64_MAX);
	sql_bind_int(sql, 5, after->last_us ? after->id : INT64_MAX);
	while (sql_next(sql, &err, detail)) {
		const struct use_row found = {
			.id = sql_int(sql, 0),
			.execution = sql_text(sql, 1),
			.execution_project = sql_text(sql, 2),
			.execution_domain = sql_text(sql, 3),
			.version = (uint32_t)sql_int(sql, 4),
			.releases = (uint64_t)sql_int(sql, 5),
			.first_us = sql_int(sql, 6),
			.last_us = sql_int(sql, 7),
		};

		if (!each(ctx, &found))
			break;
	}
	sql_close(sql);
	return err;
}

enum un_err
use_last(struct store_view *view, const struct secret_id *secret, int64_t *ret_us,
         struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "SELECT last_at FROM secret_uses INDEXED BY secret_uses_by_time"
	               " WHERE project = ?1 AND domain = ?2 AND name = ?3"
	               " ORDER BY last_at DESC LIMIT 1",
	               &sql, detail);
	if (err)
		return err;
	bind_secret(sql, secret);
	return sql_number(sql, 0, ret_us, detail);
}

enum un_err
release_note(struct store_txn *txn, const uint8_t journal[USES_JOURNAL_ID_LEN], uint64_t number,
             int64_t seq, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(store_txn_view(txn),
	               "INSERT INTO journal_releases (journal, number, seq) VALUES (?1, ?2, ?3)",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_blob(sql, 1, journal, USES_JOURNAL_ID_LEN);
	sql_bind_int(sql, 2, (int64_t)number);
	sql_bind_int(sql, 3, seq);
	return sql_run(sql, detail);
}

enum un_err
release_find(struct store_view *view, const uint8_t journal[USES_JOURNAL_ID_LEN], uint64_t number,
             int64_t *ret_seq, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view, "SELECT seq FROM journal_releases WHERE journal = ?1 AND number = ?2",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_blob(sql, 1, journal, USES_JOURNAL_ID_LEN);
	sql_bind_int(sql, 2, (int64_t)number);
	return sql_number(sql, 0, ret_seq, detail);
}
