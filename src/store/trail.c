#include "store/trail.h"

#include "store/sql.h"

#include <string.h>

#define TRAIL_COLUMNS                                                                              \
	"seq, at, action, verdict, principal, project, domain, name, execution, entry, hash"

enum un_err
trail_append(struct store_txn *txn, const struct trail_row *row, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(store_txn_view(txn),
	               "INSERT INTO trail (" TRAIL_COLUMNS ")"
	               " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, row->seq);
	sql_bind_int(sql, 2, row->at_us);
	sql_bind_int(sql, 3, row->action);
	sql_bind_int(sql, 4, row->verdict);
	sql_bind_text(sql, 5, row->principal);
	sql_bind_text(sql, 6, row->project);
	sql_bind_text(sql, 7, row->domain);
	sql_bind_text(sql, 8, row->name);
	sql_bind_text(sql, 9, row->execution);
	sql_bind_blob(sql, 10, row->entry, row->entry_len);
	sql_bind_blob(sql, 11, row->hash, TRAIL_HASH_LEN);
	return sql_run(sql, detail);
}

enum un_err
trail_last(struct store_view *view, int64_t *ret_seq, uint8_t ret_hash[TRAIL_HASH_LEN],
           struct un_detail *detail)
{
	const uint8_t *hash;
	struct sql *sql;
	enum un_err err;
	size_t len;
	bool row;

	err = sql_open(view, "SELECT seq, hash FROM trail ORDER BY seq DESC LIMIT 1", &sql, detail);
	if (err)
		return err;
	err = sql_step(sql, &row, detail);
	if (err)
		goto out;
	if (!row) {
		*ret_seq = 0;
		memset(ret_hash, 0, TRAIL_HASH_LEN);
		goto out;
	}
	hash = sql_blob(sql, 1, &len);
	if (len != TRAIL_HASH_LEN) {
		err = un_fail(detail, UN_ERR_DAMAGED, "the newest audit entry is damaged");
		goto out;
	}
	*ret_seq = sql_int(sql, 0);
	memcpy(ret_hash, hash, TRAIL_HASH_LEN);
out:
	sql_close(sql);
	return err;
}

/* A hash of the wrong length is shown as NULL. */
static void
read_row(const struct sql *sql, struct trail_row *ret_row)
{
	size_t hash_len;

	*ret_row = (struct trail_row){
		.seq = sql_int(sql, 0),
		.at_us = sql_int(sql, 1),
		.action = (uint32_t)sql_int(sql, 2),
		.verdict = (uint32_t)sql_int(sql, 3),
		.principal = sql_text(sql, 4),
		.project = sql_text(sql, 5),
		.domain = sql_text(sql, 6),
		.name = sql_text(sql, 7),
		.execution = sql_text(sql, 8),
	};
	ret_row->entry = sql_blob(sql, 9, &ret_row->entry_len);
	ret_row->hash = sql_blob(sql, 10, &hash_len);
	if (hash_len != TRAIL_HASH_LEN)
		ret_row->hash = NULL;
}

static enum un_err
visit_rows(struct sql *sql, struct trail_visit visit, struct un_detail *detail)
{
	struct trail_row found;
	enum un_err err;

	while (sql_next(sql, &err, detail)) {
		read_row(sql, &found);
		if (!visit.each(visit.ctx, &found))
			break;
	}
	sql_close(sql);
	return err;
}

enum un_err
trail_walk(struct store_view *view, int64_t seq, struct trail_visit visit, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view, "SELECT " TRAIL_COLUMNS " FROM trail WHERE seq > ?1 ORDER BY seq",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, seq);
	return visit_rows(sql, visit, detail);
}

enum un_err
trail_walk_back(struct store_view *view, int64_t before, int64_t after, struct trail_visit visit,
                struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "SELECT " TRAIL_COLUMNS
	               " FROM trail WHERE seq < ?1 AND seq > ?2 ORDER BY seq DESC",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, before);
	sql_bind_int(sql, 2, after);
	return visit_rows(sql, visit, detail);
}
