/* Lists for those who may not see everything. Newest first is the order of the whole table; what
 * may be seen lies in a few of its scopes. So the scopes are gone through by an index (one step in
 * the tree for each, however many rows it has), the newest ids of those that may be seen are
 * merged, and only the rows of the page are read. */
#include "base/alloc.h"
#include "store/runs.h"
#include "store/sql.h"

#include <string.h>

/* The two statements of a table; ?1 project, ?2 domain, ?3 kind, ?4 name. */
struct seen_texts {
	const char *next_scope, *ids;
};

static const struct seen_texts executions = {
	"SELECT project, domain FROM executions WHERE (project, domain) > (?1, ?2)"
	" ORDER BY project, domain LIMIT 1",
	"SELECT id FROM executions WHERE project = ?1 AND domain = ?2 AND id < ?5 AND id > ?6"
	" ORDER BY id DESC LIMIT ?7",
};
/* The '+' keeps SQLite from going through all ids: a scope has few rows. */
static const struct seen_texts entities = {
	"SELECT project, domain FROM entities WHERE kind = ?3 AND (project, domain) > (?1, ?2)"
	" ORDER BY project, domain LIMIT 1",
	"SELECT id FROM entities WHERE kind = ?3 AND project = ?1 AND domain = ?2"
	" AND (?4 = '' OR name = ?4) AND +id < ?5 AND +id > ?6 ORDER BY +id DESC LIMIT ?7",
};

struct gathering {
	struct store_view *view;
	const struct seen_texts *texts;
	const struct run_seen *seen;
	int64_t kind; /* 0: of executions, which have none */
	const char *name;
	int64_t *ids; /* newest first; room for `seen->limit` and one more */
	unsigned count;
};

static void
bind_scope(struct sql *sql, const struct gathering *g, const struct scope *scope)
{
	sql_bind_text(sql, 1, scope->project);
	sql_bind_text(sql, 2, scope->domain);
	if (g->kind)
		sql_bind_int(sql, 3, g->kind);
}

/* The scope after `scope`, in its place. */
static enum un_err
next_scope(const struct gathering *g, struct scope *scope, bool *ret_found,
           struct un_detail *detail)
{
	struct scope next = {.project = ""};
	struct sql *sql;
	enum un_err err = sql_open(g->view, g->texts->next_scope, &sql, detail);

	if (err)
		return err;
	bind_scope(sql, g, scope);
	err = sql_step(sql, ret_found, detail);
	if (!err && *ret_found) {
		sql_copy_text(sql, 0, next.project, sizeof next.project);
		sql_copy_text(sql, 1, next.domain, sizeof next.domain);
	}
	sql_close(sql);
	*scope = next;
	return err;
}

/* Puts one id of a descending row into what was gathered. *at: where the last one went. */
static bool
merge(struct gathering *g, int64_t id, unsigned *at)
{
	while (*at < g->count && g->ids[*at] > id)
		++*at;
	if (*at == g->seen->limit)
		return false;
	if (g->count == g->seen->limit)
		g->count--;
	memmove(g->ids + *at + 1, g->ids + *at, (g->count - *at) * sizeof *g->ids);
	g->ids[*at] = id;
	g->count++;
	return true;
}

static enum un_err
gather_scope(struct gathering *g, const struct scope *scope, struct un_detail *detail)
{
	bool full = g->count == g->seen->limit, row = true;
	unsigned at = 0;
	struct sql *sql;
	enum un_err err = sql_open(g->view, g->texts->ids, &sql, detail);

	if (err)
		return err;
	bind_scope(sql, g, scope);
	if (g->kind)
		sql_bind_text(sql, 4, g->name);
	sql_bind_int(sql, 5, g->seen->before);
	sql_bind_int(sql, 6, full ? g->ids[g->count - 1] : 0);
	sql_bind_int(sql, 7, g->seen->limit);
	do
		err = sql_step(sql, &row, detail);
	while (!err && row && merge(g, sql_int(sql, 0), &at));
	sql_close(sql);
	return err;
}

static bool
is_within(const struct scope *within, const struct scope *scope)
{
	return (!within->project[0] || strcmp(within->project, scope->project) == 0) &&
	       (!within->domain[0] || strcmp(within->domain, scope->domain) == 0);
}

static enum un_err
gather(struct gathering *g, struct un_detail *detail)
{
	const struct run_seen *seen = g->seen;
	struct scope scope = {.project = ""};
	bool found = true;
	enum un_err err;

	g->ids = mem_zalloc((size_t)seen->limit + 1, sizeof *g->ids);
	if (!g->ids)
		return UN_ERR_NO_MEMORY;
	for (;;) {
		err = next_scope(g, &scope, &found, detail);
		if (err || !found)
			return err;
		if (!is_within(&seen->within, &scope) ||
		    !seen->may->sees(seen->may->ctx, &scope))
			continue;
		err = gather_scope(g, &scope, detail);
		if (err)
			return err;
	}
}

enum un_err
run_list_seen(struct store_view *view, const struct run_seen *seen, run_each *each, void *ctx,
              struct un_detail *detail)
{
	struct gathering g = {.view = view, .texts = &executions, .seen = seen};
	enum un_err err = gather(&g, detail);

	for (unsigned i = 0; i < g.count && !err; i++) {
		struct run_row row;

		err = run_get_by_id(view, g.ids[i], &row, detail);
		if (!err)
			err = each(ctx, &row);
	}
	mem_free(g.ids);
	return err;
}

enum un_err
entity_list_seen(struct store_view *view, const struct entity_key *like,
                 const struct run_seen *seen, entity_each *each, void *ctx,
                 struct un_detail *detail)
{
	struct gathering g = {.view = view,
	                      .texts = &entities,
	                      .seen = seen,
	                      .kind = (int64_t)like->kind,
	                      .name = like->name};
	enum un_err err = gather(&g, detail);

	for (unsigned i = 0; i < g.count && !err; i++) {
		struct entity_row row;

		err = entity_get_by_id(view, g.ids[i], &row, detail);
		if (!err)
			err = each(ctx, &row);
	}
	mem_free(g.ids);
	return err;
}
