/* name.h - what a name, a project, a domain, an environment variable may look like. Pure rules.
 *
 * Sources: the name pattern is the one that existing servers document; the rest is ours. */
#ifndef MODEL_NAME_H
#define MODEL_NAME_H

#include "base/err.h"

#include <stdbool.h>

#define SECRET_NAME_MAX 128
#define SCOPE_PART_MAX 63
#define API_KEY_NAME_MAX 64
#define ENV_NAME_MAX 128
#define SECRET_VALUE_MAX (1u << 20) /* bytes */

/* ^[-a-zA-Z0-9_]+$, 1 to 128 bytes. UN_ERR_BAD_NAME; never quotes more than 128 bytes back. */
MUST_CHECK enum un_err name_check_secret(const char *name, struct un_detail *detail);
/* ^[-a-zA-Z0-9_]+$, 1 to 64 bytes: what a client calls itself when it logs in. UN_ERR_INVALID. */
MUST_CHECK enum un_err name_check_api_key(const char *name, struct un_detail *detail);
/* ^[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?$, 1 to 63 bytes. UN_ERR_BAD_SCOPE. `what` is "project" or
 * "domain". */
MUST_CHECK enum un_err name_check_scope_part(const char *what, const char *part,
                                             struct un_detail *detail);
/* ^[A-Za-z_][A-Za-z0-9_]*$, and not a name the runtime or the loader gives a meaning to (LD_*,
 * PATH, PYTHON*, FLYTE_*, _UNION_*, HOME, IFS, ...). UN_ERR_INVALID. */
MUST_CHECK enum un_err name_check_env_var(const char *name, struct un_detail *detail);
/* ^[a-z][-a-z0-9]*$, 1 to 63 bytes. UN_ERR_INVALID. */
MUST_CHECK enum un_err name_check_execution(const char *name, struct un_detail *detail);

#endif
