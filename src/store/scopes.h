/* scopes.h - every project and domain that was ever used, so that a typing error can be noticed.
 *
 * Projects and domains are free-form: a new one is accepted, and said to be new. */
#ifndef STORE_SCOPES_H
#define STORE_SCOPES_H

#include "base/err.h"
#include "model/scope.h"
#include "store/store.h"

#include <stdbool.h>

struct scope_novelty {
	bool project_is_new;
	bool domain_is_new;
	char nearest_project[SCOPE_PART_MAX + 1]; /* a known one close to a new one, or "" */
	char nearest_domain[SCOPE_PART_MAX + 1];
};

/* What of a list may be seen: rows of scopes that `sees` says no to are left out as if they were
 * not there. All zero: everything. */
struct scope_filter {
	bool (*sees)(void *ctx, const struct scope *scope);
	void *ctx;
};

/* Records that `scope` was used, and says what about it is new. Empty parts are never new. Whoever
 * accepts a scope from a person calls this (secret_insert does). */
MUST_CHECK enum un_err scope_note(struct store_txn *txn, const char *org, const struct scope *scope,
                                  struct scope_novelty *ret_novelty, struct un_detail *detail);

#endif
