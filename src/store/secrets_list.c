#include "base/page_token.h"
#include "store/secrets_rows.h"

#include <string.h>

#define CURSOR_FORMAT 1

/* One statement for each way to filter: each is a range of the tree, in its order. ?2 to ?4 are
 * where the page before ended. */
static const char list_all[] =
	"SELECT " HEAD_COLUMNS " FROM secrets AS s WHERE org = ?1"
	" AND (project, domain, name) > (?2, ?3, ?4) ORDER BY project, domain, name LIMIT ?5";
static const char list_project[] = "SELECT " HEAD_COLUMNS " FROM secrets AS s"
				   " WHERE org = ?1 AND project = ?6 AND (domain, name) > (?3, ?4) "
				   "ORDER BY domain, name LIMIT ?5";
static const char list_scope[] =
	"SELECT " HEAD_COLUMNS " FROM secrets AS s"
	" WHERE org = ?1 AND project = ?6 AND domain = ?7 AND name > ?4 ORDER BY name LIMIT ?5";
/* The tree does not begin with the domain: the scopes of that domain are gone through instead.
 * There is no ORDER BY, because SQLite would sort each scope anew for every page: it does not see
 * that the nesting, which CROSS JOIN fixes, gives this very order already. */
static const char list_domain[] =
	"SELECT " HEAD_COLUMNS " FROM scopes AS c CROSS JOIN secrets AS s"
	" ON s.org = ?1 AND s.project = c.project AND s.domain = ?7"
	" WHERE c.org = ?1 AND c.domain = ?7 AND c.secrets > 0 AND c.project >= ?2"
	" AND s.name > iif(c.project > ?2, '', ?4) LIMIT ?5";

/* Lends the texts of `id`, to be written or to be filled. */
#define CURSOR_FIELDS(id)                                                                          \
	{                                                                                          \
		{(id)->scope.project, sizeof(id)->scope.project},                                  \
			{(id)->scope.domain, sizeof(id)->scope.domain},                            \
		{                                                                                  \
			(id)->name, sizeof(id)->name                                               \
		}                                                                                  \
	}

static enum un_err
cursor_format(struct secret_id *id, char ret_cursor[SECRET_CURSOR_MAX])
{
	const struct page_token_field fields[] = CURSOR_FIELDS(id);

	return page_token_format(CURSOR_FORMAT, fields, 3, ret_cursor, SECRET_CURSOR_MAX);
}

static enum un_err
cursor_parse(const char *cursor, struct secret_id *ret_id, struct un_detail *detail)
{
	struct secret_id id = {0};
	const struct page_token_field fields[] = CURSOR_FIELDS(&id);
	enum un_err err = page_token_parse(cursor, CURSOR_FORMAT, fields, 3, detail);

	if (!err)
		*ret_id = id;
	return err;
}

static const char *
list_text(const struct scope *scope)
{
	if (scope->project[0])
		return scope->domain[0] ? list_scope : list_project;
	return scope->domain[0] ? list_domain : list_all;
}

/* Behind every name. */
#define AFTER_ALL_NAMES "\x7f"

struct list_walk {
	const struct secret_filter *filter;
	struct secret_id after;  /* where the statement begins */
	struct secret_head head; /* the last row that was given */
	uint32_t count;          /* rows given */
	bool more;               /* there is one more than were asked for */
	bool over;               /* the visitor has had enough, or there is no more */
};

static void
list_bind(struct sql *sql, const struct list_walk *walk)
{
	const struct secret_filter *filter = walk->filter;

	sql_bind_text(sql, 1, filter->org ? filter->org : "");
	sql_bind_text(sql, 2, walk->after.scope.project);
	sql_bind_text(sql, 3, walk->after.scope.domain);
	sql_bind_text(sql, 4, walk->after.name);
	/* one more tells whether there is more */
	sql_bind_int(sql, 5, (int64_t)filter->limit - walk->count + 1);
	if (filter->scope.project[0])
		sql_bind_text(sql, 6, filter->scope.project);
	if (filter->scope.domain[0])
		sql_bind_text(sql, 7, filter->scope.domain);
}

static bool
is_hidden(const struct scope_filter *may, const struct scope *scope)
{
	return may->sees && !may->sees(may->ctx, scope);
}

/* From `after` to the end, or to a row that is not to be seen: then the walk goes on behind all of
 * its scope, whose rows cost nothing. */
static enum un_err
list_run(struct store_view *view, struct list_walk *walk, struct secret_visit visit,
         struct un_detail *detail)
{
	struct secret_head head;
	struct sql *sql;
	enum un_err err;
	bool row = true;

	err = sql_open(view, list_text(&walk->filter->scope), &sql, detail);
	if (err)
		return err;
	list_bind(sql, walk);
	for (;;) {
		err = sql_step(sql, &row, detail);
		walk->over = err || !row;
		if (walk->over)
			break;
		secret_head_read(sql, &head);
		if (is_hidden(&walk->filter->may, &head.id.scope)) {
			walk->after = head.id;
			memcpy(walk->after.name, AFTER_ALL_NAMES, sizeof AFTER_ALL_NAMES);
			break;
		}
		walk->more = walk->count == walk->filter->limit;
		if (walk->more)
			break;
		walk->head = head;
		walk->count++;
		walk->over = !visit.each(visit.ctx, &head);
		if (walk->over)
			break;
	}
	sql_close(sql);
	return err;
}

enum un_err
secret_list(struct store_view *view, const struct secret_filter *filter, struct secret_visit visit,
            char ret_cursor[SECRET_CURSOR_MAX], struct un_detail *detail)
{
	struct list_walk walk = {.filter = filter};
	enum un_err err = UN_OK;

	if (filter->cursor && filter->cursor[0])
		err = cursor_parse(filter->cursor, &walk.after, detail);
	if (!err && filter->limit == 0)
		err = un_fail(detail, UN_ERR_INVALID, "a page has at least one row");
	if (err)
		return err;
	ret_cursor[0] = '\0';
	while (!err && !walk.over && !walk.more)
		err = list_run(view, &walk, visit, detail);
	if (!err && walk.more)
		err = cursor_format(&walk.head.id, ret_cursor);
	return err;
}

enum un_err
secret_scopes(struct store_view *view, const char *org, const char *name, struct secret_visit visit,
              struct un_detail *detail)
{
	struct secret_head head;
	struct sql *sql;
	enum un_err err;

	err = sql_open(view,
	               "SELECT " HEAD_COLUMNS " FROM scopes AS c CROSS JOIN secrets AS s"
	               " ON s.org = c.org AND s.project = c.project AND s.domain = c.domain"
	               " AND s.name = ?2 WHERE c.org = ?1 AND c.secrets > 0"
	               " ORDER BY c.project, c.domain",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_text(sql, 1, org);
	sql_bind_text(sql, 2, name);
	while (sql_next(sql, &err, detail)) {
		secret_head_read(sql, &head);
		if (!visit.each(visit.ctx, &head))
			break;
	}
	sql_close(sql);
	return err;
}

enum un_err
secret_versions(struct store_view *view, const struct secret_id *id,
                bool (*each)(void *ctx, uint32_t version, int64_t at_us), void *ctx,
                struct un_detail *detail)
{
	struct secret_head head;
	struct sql *sql;
	enum un_err err;
	int64_t number;
	bool row = true;

	err = secret_find(view, id, &head, &number, detail);
	if (err)
		return err;
	err = sql_open(view,
	               "SELECT id & 1048575, created_at FROM versions"
	               " WHERE id > ?1 << 20 AND id < (?1 + 1) << 20 ORDER BY id DESC",
	               &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, number);
	for (;;) {
		err = sql_step(sql, &row, detail);
		if (err || !row || !each(ctx, (uint32_t)sql_int(sql, 0), sql_int(sql, 1)))
			break;
	}
	sql_close(sql);
	return err;
}

enum un_err
secret_count(struct store_view *view, uint64_t *ret_count, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;
	int64_t count;

	err = sql_open(view, "SELECT coalesce(sum(secrets), 0) FROM scopes", &sql, detail);
	if (err)
		return err;
	err = sql_number(sql, 0, &count, detail);
	if (!err)
		*ret_count = (uint64_t)count;
	return err;
}
