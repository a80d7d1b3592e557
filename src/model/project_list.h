/* project_list.h - projects as a configuration lists them: blanks or commas between. Pure. */
#ifndef MODEL_PROJECT_LIST_H
#define MODEL_PROJECT_LIST_H

#include "base/err.h"
#include "model/scope.h"

#include <stdbool.h>

/* Copies the next project of the list and moves on; one that is longer than any can be is cut to a
 * length that none has. False: there is none. */
bool project_list_next(const char **list, char project[SCOPE_PART_MAX + 2]);
bool project_list_has(const char *list, const char *project);
/* UN_ERR_BAD_CONFIG: one cannot be a project; the message calls the list `name`. */
MUST_CHECK enum un_err project_list_check(const char *list, const char *name,
                                          struct un_detail *detail);

#endif
