#include "model/scope.h"

#include <stdio.h>
#include <string.h>

/* NULL and "" are "any". Checks first, so that a bad part never gets into the struct. */
static enum un_err
part_init(char to[SCOPE_PART_MAX + 1], const char *what, const char *part, struct un_detail *detail)
{
	enum un_err err;

	if (!part || !*part) {
		to[0] = '\0';
		return UN_OK;
	}
	err = name_check_scope_part(what, part, detail);
	if (err)
		return err;
	memcpy(to, part, strlen(part) + 1);
	return UN_OK;
}

enum un_err
scope_init(struct scope *scope, const char *project, const char *domain, struct un_detail *detail)
{
	struct scope made = {.project = ""};
	enum un_err err = part_init(made.project, "project", project, detail);

	if (err)
		return err;
	err = part_init(made.domain, "domain", domain, detail);
	if (err)
		return err;
	*scope = made;
	return UN_OK;
}

enum un_err
secret_id_init(struct secret_id *id, const char *project, const char *domain, const char *name,
               struct un_detail *detail)
{
	struct secret_id made = {.org = ""};
	enum un_err err = scope_init(&made.scope, project, domain, detail);

	if (err)
		return err;
	name = name ? name : "";
	err = name_check_secret(name, detail);
	if (err)
		return err;
	memcpy(made.name, name, strlen(name) + 1);
	*id = made;
	return UN_OK;
}

bool
scope_equal(const struct scope *a, const struct scope *b)
{
	return strcmp(a->project, b->project) == 0 && strcmp(a->domain, b->domain) == 0;
}

bool
secret_id_equal(const struct secret_id *a, const struct secret_id *b)
{
	return strcmp(a->org, b->org) == 0 && scope_equal(&a->scope, &b->scope) &&
	       strcmp(a->name, b->name) == 0;
}

void
cascade_places(const struct scope *at, struct scope ret_places[CASCADE_PLACES])
{
	for (size_t i = 0; i < CASCADE_PLACES; i++)
		ret_places[i] = *at;
	memset(ret_places[1].domain, 0, sizeof ret_places[1].domain);
	memset(ret_places[2].project, 0, sizeof ret_places[2].project);
	memset(&ret_places[3], 0, sizeof ret_places[3]);
}

int
cascade_rank(const struct scope *at, const struct scope *candidate)
{
	struct scope places[CASCADE_PLACES];

	cascade_places(at, places);
	for (int i = 0; i < CASCADE_PLACES; i++) {
		if (scope_equal(&places[i], candidate))
			return i;
	}
	return -1;
}

void
scope_format(const struct scope *scope, char text[SCOPE_TEXT_MAX])
{
	if (scope->project[0] && scope->domain[0])
		(void)snprintf(text, SCOPE_TEXT_MAX, "project '%s', domain '%s'", scope->project,
		               scope->domain);
	else if (scope->project[0])
		(void)snprintf(text, SCOPE_TEXT_MAX, "project '%s', every domain", scope->project);
	else if (scope->domain[0])
		(void)snprintf(text, SCOPE_TEXT_MAX, "every project, domain '%s'", scope->domain);
	else
		(void)snprintf(text, SCOPE_TEXT_MAX, "the whole organization");
}
