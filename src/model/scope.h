/* scope.h - where a secret lives and in which order a task looks. Pure rules.
 *
 * An empty project or domain means "any". Fields are always NUL-terminated. */
#ifndef MODEL_SCOPE_H
#define MODEL_SCOPE_H

#include "base/err.h"
#include "model/name.h"

#include <stdbool.h>
#include <stddef.h>

struct scope {
	char project[SCOPE_PART_MAX + 1];
	char domain[SCOPE_PART_MAX + 1];
};

/* The identity of a secret. `org` is empty for the one organization of a plane. */
struct secret_id {
	char org[SCOPE_PART_MAX + 1];
	struct scope scope;
	char name[SECRET_NAME_MAX + 1];
};

/* Copies and checks; NULL reads as "". UN_ERR_BAD_SCOPE. */
MUST_CHECK enum un_err scope_init(struct scope *scope, const char *project, const char *domain,
                                  struct un_detail *detail);
/* Copies and checks. UN_ERR_BAD_SCOPE, UN_ERR_BAD_NAME. */
MUST_CHECK enum un_err secret_id_init(struct secret_id *id, const char *project, const char *domain,
                                      const char *name, struct un_detail *detail);
bool scope_equal(const struct scope *a, const struct scope *b);
bool secret_id_equal(const struct secret_id *a, const struct secret_id *b);

#define CASCADE_PLACES 4
/* The places a task in `at` looks in, first hit wins: (P,D), (P,any), (any,D), (any,any). `at` has
 * both parts. */
void cascade_places(const struct scope *at, struct scope ret_places[CASCADE_PLACES]);
/* The rank of `candidate` in the cascade of `at`: 0 is narrowest; -1: out of reach. */
int cascade_rank(const struct scope *at, const struct scope *candidate);

/* For people: "project 'fraud', domain 'production'", "every project, domain 'x'", "the whole
 * organization". */
#define SCOPE_TEXT_MAX 192
void scope_format(const struct scope *scope, char text[SCOPE_TEXT_MAX]);

#endif
