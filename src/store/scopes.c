#include "store/scopes.h"

#include "base/text.h"
#include "store/sql.h"

#include <string.h>

#define COMPARED_MAX 256 /* names a new one is compared with */

struct known {
	char names[COMPARED_MAX][SCOPE_PART_MAX + 1];
	const char *list[COMPARED_MAX];
	size_t count;
};

static enum un_err
is_known(struct store_view *view, const char *text, const char *org, const char *part,
         bool *ret_known, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err = sql_open(view, text, &sql, detail);

	if (err)
		return err;
	sql_bind_text(sql, 1, org);
	sql_bind_text(sql, 2, part);
	err = sql_step(sql, ret_known, detail);
	sql_close(sql);
	return err;
}

static enum un_err
find_nearest(struct store_view *view, const char *text, const char *org, const char *part,
             char ret_nearest[SCOPE_PART_MAX + 1], struct un_detail *detail)
{
	struct known known = {.count = 0};
	struct sql *sql;
	const char *nearest;
	enum un_err err = sql_open(view, text, &sql, detail);
	bool row = true;

	if (err)
		return err;
	sql_bind_text(sql, 1, org);
	while (known.count < COMPARED_MAX) {
		err = sql_step(sql, &row, detail);
		if (err || !row)
			break;
		sql_copy_text(sql, 0, known.names[known.count], sizeof known.names[0]);
		known.list[known.count] = known.names[known.count];
		known.count++;
	}
	sql_close(sql);
	if (err)
		return err;
	nearest = text_nearest(part, known.list, known.count);
	if (nearest)
		memcpy(ret_nearest, nearest, strlen(nearest) + 1);
	return UN_OK;
}

/* The row of exactly this scope; *ret_known says whether it was there. */
static enum un_err
add_scope(struct store_view *view, const char *org, const struct scope *scope, bool *ret_known,
          struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "INSERT INTO scopes (org, project, domain, secrets) VALUES (?1, ?2, ?3, 0)"
	               " ON CONFLICT DO NOTHING",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_text(sql, 1, org);
	sql_bind_text(sql, 2, scope->project);
	sql_bind_text(sql, 3, scope->domain);
	err = sql_run(sql, detail);
	if (!err)
		*ret_known = sql_changes(view) == 0;
	return err;
}

static enum un_err
find_novelty(struct store_view *view, const char *org, const struct scope *scope,
             struct scope_novelty *novelty, struct un_detail *detail)
{
	enum un_err err = UN_OK;
	bool known = true;

	if (scope->project[0]) {
		err = is_known(view, "SELECT 1 FROM scopes WHERE org = ?1 AND project = ?2 LIMIT 1",
		               org, scope->project, &known, detail);
		novelty->project_is_new = !known;
	}
	if (!err && novelty->project_is_new)
		err = find_nearest(
			view,
			"SELECT DISTINCT project FROM scopes WHERE org = ?1 AND project <> ''", org,
			scope->project, novelty->nearest_project, detail);
	known = true;
	if (!err && scope->domain[0]) {
		err = is_known(view, "SELECT 1 FROM scopes WHERE org = ?1 AND domain = ?2 LIMIT 1",
		               org, scope->domain, &known, detail);
		novelty->domain_is_new = !known;
	}
	if (!err && novelty->domain_is_new)
		err = find_nearest(
			view, "SELECT DISTINCT domain FROM scopes WHERE org = ?1 AND domain <> ''",
			org, scope->domain, novelty->nearest_domain, detail);
	return err;
}

static enum un_err
has_scope(struct store_view *view, const char *org, const struct scope *scope, bool *ret_known,
          struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(view, "SELECT 1 FROM scopes WHERE org = ?1 AND project = ?2 AND domain = ?3",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_text(sql, 1, org);
	sql_bind_text(sql, 2, scope->project);
	sql_bind_text(sql, 3, scope->domain);
	err = sql_step(sql, ret_known, detail);
	sql_close(sql);
	return err;
}

enum un_err
scope_note(struct store_txn *txn, const char *org, const struct scope *scope,
           struct scope_novelty *ret_novelty, struct un_detail *detail)
{
	struct store_view *view = store_txn_view(txn);
	struct scope_novelty novelty = {0};
	enum un_err err;
	bool known;

	err = has_scope(view, org, scope, &known, detail);
	if (!err && !known)
		err = find_novelty(view, org, scope, &novelty, detail);
	if (!err && !known)
		err = add_scope(view, org, scope, &known, detail);
	if (!err)
		*ret_novelty = novelty;
	return err;
}
