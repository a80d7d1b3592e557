/* Secrets: looking up. Writing is in secrets_write.c, lists are in secrets_list.c. */
#include "store/secrets.h"

#include "store/secrets_rows.h"

#include <stdio.h>
#include <string.h>

#define HINTED_SCOPES 5

void
secret_head_read(const struct sql *sql, struct secret_head *ret_head)
{
	struct secret_id *id = &ret_head->id;

	sql_copy_text(sql, 0, id->org, sizeof id->org);
	sql_copy_text(sql, 1, id->scope.project, sizeof id->scope.project);
	sql_copy_text(sql, 2, id->scope.domain, sizeof id->scope.domain);
	sql_copy_text(sql, 3, id->name, sizeof id->name);
	ret_head->type = (uint32_t)sql_int(sql, 4);
	ret_head->version = (uint32_t)sql_int(sql, 5);
	ret_head->created_at_us = sql_int(sql, 6);
	ret_head->updated_at_us = sql_int(sql, 7);
}

void
secret_bind_id(struct sql *sql, const struct secret_id *id)
{
	sql_bind_text(sql, 1, id->org);
	sql_bind_text(sql, 2, id->name);
	sql_bind_text(sql, 3, id->scope.project);
	sql_bind_text(sql, 4, id->scope.domain);
}

struct hint {
	const struct secret_id *id;
	const struct scope_filter *may;
	char text[UN_DETAIL_MAX / 2];
	size_t named, others;
};

static bool
hint_one(void *ctx, const struct secret_head *head)
{
	struct hint *hint = ctx;
	char scope[SCOPE_TEXT_MAX];
	size_t used = strlen(hint->text);

	if (scope_equal(&head->id.scope, &hint->id->scope) ||
	    (hint->may->sees && !hint->may->sees(hint->may->ctx, &head->id.scope)))
		return true;
	scope_format(&head->id.scope, scope);
	if (hint->named == HINTED_SCOPES || used + strlen(scope) + 3 > sizeof hint->text) {
		hint->others++;
		return hint->others < 1000;
	}
	(void)snprintf(hint->text + used, sizeof hint->text - used, "%s%s", used ? "; " : "",
	               scope);
	hint->named++;
	return true;
}

void
secret_hint_scopes(struct store_view *view, const struct secret_id *id, enum un_err err,
                   const struct scope_filter *may, struct un_detail *detail)
{
	struct hint hint = {.id = id, .may = may};
	struct secret_visit visit = {.each = hint_one, .ctx = &hint};
	const char *lead = "the name exists at: ";

	if (err == UN_ERR_SECRET_EXISTS)
		lead = "to give it a new value: union update secret; the name also exists at: ";
	else if (err != UN_ERR_SECRET_NOT_FOUND)
		return;
	if (!detail || secret_scopes(view, id->org, id->name, visit, NULL) != UN_OK || !hint.named)
		return;
	if (hint.others)
		un_hint(detail, "%s%s; and %zu more", lead, hint.text, hint.others);
	else
		un_hint(detail, "%s%s", lead, hint.text);
}

static enum un_err
fail_not_found(const struct secret_id *id, struct un_detail *detail)
{
	char scope[SCOPE_TEXT_MAX];

	scope_format(&id->scope, scope);
	return un_fail(detail, UN_ERR_SECRET_NOT_FOUND, "no secret '%s' at %s", id->name, scope);
}

enum un_err
secret_find(struct store_view *view, const struct secret_id *id, struct secret_head *ret_head,
            int64_t *ret_row, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;
	bool row;

	err = sql_open(view,
	               "SELECT " HEAD_COLUMNS ", s.id FROM secrets AS s"
	               " WHERE org = ?1 AND name = ?2 AND project = ?3 AND domain = ?4",
	               &sql, detail);
	if (err)
		return err;
	secret_bind_id(sql, id);
	err = sql_step(sql, &row, detail);
	if (!err && row) {
		secret_head_read(sql, ret_head);
		*ret_row = sql_int(sql, HEAD_COUNT);
	}
	sql_close(sql);
	if (!err && !row)
		err = fail_not_found(id, detail);
	return err;
}

enum un_err
secret_get(struct store_view *view, const struct secret_id *id, struct secret_head *ret_head,
           struct un_detail *detail)
{
	int64_t row;

	return secret_find(view, id, ret_head, &row, detail);
}

/* One step in the tree for each place, narrowest first, until one hits; then one in the tree of
 * versions. SQLite takes the parts of a UNION ALL in the order written and stops at the LIMIT; the
 * test of all sixteen subsets stands guard. (project IN (..) AND domain IN (..) with an ORDER BY
 * means the same and costs twice as much: SQLite builds a temporary table for each IN.) */
#define PLACE "SELECT * FROM secrets WHERE org = ?1 AND name = ?2 AND "
static const char resolve_text[] =
	"SELECT " HEAD_COLUMNS ", v.id & 1048575, v.created_at, v.generation, v.stored_dek,"
	" coalesce(v.sealed_value, (SELECT l.sealed_value FROM large_values AS l WHERE l.id = "
	"v.id))"
	" FROM (" PLACE "project = ?3 AND domain = ?4 UNION ALL " PLACE
	"project = ?3 AND domain = ''"
	" UNION ALL " PLACE "project = '' AND domain = ?4 UNION ALL " PLACE
	"project = '' AND domain = ''"
	" LIMIT 1) AS s"
	" LEFT JOIN versions AS v ON v.id = (s.id << 20) + iif(?5 = 0, s.version, ?5)";

static enum un_err
fail_out_of_reach(const struct secret_id *at, struct un_detail *detail)
{
	struct scope places[CASCADE_PLACES];
	char text[CASCADE_PLACES][SCOPE_TEXT_MAX];

	if (!detail)
		return UN_ERR_SECRET_OUT_OF_REACH;
	cascade_places(&at->scope, places);
	for (size_t i = 0; i < CASCADE_PLACES; i++)
		scope_format(&places[i], text[i]);
	un_hint(detail, "create it at one of them: union create secret %s", at->name);
	return un_fail(detail, UN_ERR_SECRET_OUT_OF_REACH,
	               "no secret '%s' in any place this task can reach: %s; %s; %s; %s", at->name,
	               text[0], text[1], text[2], text[3]);
}

static enum un_err
read_sealed(struct sql *sql, uint32_t wanted, struct secret_sealed *ret_sealed,
            struct un_detail *detail)
{
	struct secret_sealed found = {0};
	size_t dek_len;

	secret_head_read(sql, &found.head);
	if (sql_is_null(sql, HEAD_COUNT)) {
		if (wanted)
			return un_fail(detail, UN_ERR_SECRET_NOT_FOUND,
			               "the secret '%s' has no version %u; its newest is %u",
			               found.head.id.name, wanted, found.head.version);
		return un_fail(detail, UN_ERR_DAMAGED,
		               "the secret '%s' has lost its newest version", found.head.id.name);
	}
	found.version = (uint32_t)sql_int(sql, HEAD_COUNT);
	found.version_at_us = sql_int(sql, HEAD_COUNT + 1);
	found.generation = (uint32_t)sql_int(sql, HEAD_COUNT + 2);
	found.stored_dek = sql_blob(sql, HEAD_COUNT + 3, &dek_len);
	found.sealed_value = sql_blob(sql, HEAD_COUNT + 4, &found.sealed_value_len);
	if (dek_len != STORED_DEK_LEN || !found.sealed_value)
		return un_fail(detail, UN_ERR_DAMAGED, "the secret '%s' is incomplete",
		               found.head.id.name);
	*ret_sealed = found;
	return UN_OK;
}

enum un_err
secret_resolve(struct store_view *view, const struct secret_id *at, uint32_t version,
               struct secret_sealed *ret_sealed, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;
	bool row;

	if (version > SECRET_VERSION_MAX)
		return un_fail(detail, UN_ERR_RANGE, "version %u is out of range", version);
	err = sql_open(view, resolve_text, &sql, detail);
	if (err)
		return err;
	secret_bind_id(sql, at);
	sql_bind_int(sql, 5, version);
	err = sql_step(sql, &row, detail);
	if (!err && !row)
		err = fail_out_of_reach(at, detail);
	if (!err)
		err = read_sealed(sql, version, ret_sealed, detail);
	if (err)
		sql_close(sql);
	else
		sql_lend(sql);
	return err;
}

static const char explain_text[] =
	"SELECT " HEAD_COLUMNS " FROM (" PLACE "project = ?3 AND domain = ?4 UNION ALL " PLACE
	"project = ?3 AND domain = '' UNION ALL " PLACE
	"project = '' AND domain = ?4 UNION ALL " PLACE "project = '' AND domain = '') AS s";

static enum un_err
find_places(struct store_view *view, const struct secret_id *at,
            struct secret_place places[CASCADE_PLACES], struct un_detail *detail)
{
	struct secret_head head;
	struct sql *sql;
	enum un_err err;

	err = sql_open(view, explain_text, &sql, detail);
	if (err)
		return err;
	secret_bind_id(sql, at);
	while (sql_next(sql, &err, detail)) {
		int rank;

		secret_head_read(sql, &head);
		rank = cascade_rank(&at->scope, &head.id.scope);
		if (rank >= 0) {
			places[rank].exists = true;
			places[rank].version = head.version;
		}
	}
	sql_close(sql);
	return err;
}

enum un_err
secret_explain(struct store_view *view, const struct secret_id *at,
               struct secret_place ret_places[CASCADE_PLACES], struct un_detail *detail)
{
	struct secret_place places[CASCADE_PLACES] = {0};
	struct scope scopes[CASCADE_PLACES];
	bool found = false;
	enum un_err err;

	err = find_places(view, at, places, detail);
	if (err)
		return err;
	cascade_places(&at->scope, scopes);
	for (size_t i = 0; i < CASCADE_PLACES; i++) {
		places[i].scope = scopes[i];
		places[i].wins = places[i].exists && !found;
		places[i].shadowed = places[i].exists && found;
		found = found || places[i].exists;
	}
	memcpy(ret_places, places, sizeof places);
	return UN_OK;
}
