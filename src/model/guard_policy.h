/* guard_policy.h - what becomes of results that the guard cannot look into: by project. Pure. */
#ifndef MODEL_GUARD_POLICY_H
#define MODEL_GUARD_POLICY_H

#include "base/err.h"

/* Their numbers are those of union.v1.GuardPolicy. */
enum guard_policy {
	GUARD_KNOWN =
		1, /* looked into where the format is known; the rest passes, and that is said */
	GUARD_STRICT = 2, /* the rest is refused */
	GUARD_OFF = 3,    /* results are not looked at; output and errors are still redacted */
};

#define GUARD_PROJECTS_MAX 4096

/* As a configuration file has it: words, and lists of projects with blanks or commas between. */
struct guard_policies {
	char fallback[16]; /* of projects in no list; "": known */
	char known[GUARD_PROJECTS_MAX];
	char strict[GUARD_PROJECTS_MAX];
	char off[GUARD_PROJECTS_MAX];
};

/* UN_ERR_BAD_CONFIG: a word that is no policy, a project that cannot be one, or in two lists. */
MUST_CHECK enum un_err guard_policies_check(const struct guard_policies *policies,
                                            struct un_detail *detail);
/* NULL policies: known. */
enum guard_policy guard_policy_of(const struct guard_policies *policies, const char *project);

#endif
