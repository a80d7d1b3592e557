#include "model/project_list.h"

#include <stdio.h>
#include <string.h>

#define BETWEEN " \t\n,"

bool
project_list_next(const char **list, char project[SCOPE_PART_MAX + 2])
{
	const char *at = *list + strspn(*list, BETWEEN);
	size_t len = strcspn(at, BETWEEN);

	(void)snprintf(project, SCOPE_PART_MAX + 2, "%.*s", (int)len, at);
	*list = at + len;
	return len > 0;
}

bool
project_list_has(const char *list, const char *project)
{
	char listed[SCOPE_PART_MAX + 2];

	while (project_list_next(&list, listed))
		if (strcmp(listed, project) == 0)
			return true;
	return false;
}

enum un_err
project_list_check(const char *list, const char *name, struct un_detail *detail)
{
	char listed[SCOPE_PART_MAX + 2];
	struct scope scope;

	while (project_list_next(&list, listed))
		if (scope_init(&scope, listed, NULL, NULL))
			return un_fail(detail, UN_ERR_BAD_CONFIG,
			               "'%s' names '%s', which is no project", name, listed);
	return UN_OK;
}
