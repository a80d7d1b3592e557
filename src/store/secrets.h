/* secrets.h - the records of secrets: identity, versions, sealed values, stored DEKs.
 *
 * Nothing here can open what it stores. Functions with a transaction run on the writer thread,
 * inside the `apply` of a write; those with a view also on a reader. Times are microseconds since
 * 1970 UTC. Identities are taken as checked (model/scope.h). What is lent is valid until the next
 * call on the same view, store_read_begin, store_read_end or the end of the transaction. */
#ifndef STORE_SECRETS_H
#define STORE_SECRETS_H

#include "base/err.h"
#include "envelope/envelope.h"
#include "model/scope.h"
#include "store/scopes.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECRET_SEALED_MAX (SECRET_VALUE_MAX + SEALED_VALUE_OVERHEAD)
#define SECRET_VERSION_MAX ((1u << 20) - 1)
#define SECRET_CURSOR_MAX 384 /* with its NUL */

/* What lists show. */
struct secret_head {
	struct secret_id id;
	uint32_t type;
	uint32_t version; /* the newest */
	int64_t created_at_us;
	int64_t updated_at_us;
};

/* One version with its sealed bytes, lent. */
struct secret_sealed {
	struct secret_head head;
	uint32_t version;
	int64_t version_at_us;
	uint32_t generation; /* of the KEK that sealed the DEK */
	const uint8_t *sealed_value;
	size_t sealed_value_len;
	const uint8_t *stored_dek; /* STORED_DEK_LEN bytes */
};

/* What is to be written. The stored DEK is bound to `version`, which therefore has to be chosen
 * before the write: 1 for a new secret, one more than the newest (secret_get) for an update. */
struct secret_write {
	const struct secret_id *id;
	uint32_t type; /* for secret_insert only */
	uint32_t version;
	const uint8_t *sealed_value;
	size_t sealed_value_len;
	const uint8_t *stored_dek; /* STORED_DEK_LEN bytes */
	int64_t at_us;
};

/* UN_ERR_SECRET_EXISTS. */
MUST_CHECK enum un_err secret_insert(struct store_txn *txn, const struct secret_write *write,
                                     struct scope_novelty *ret_novelty, struct un_detail *detail);
/* UN_ERR_SECRET_NOT_FOUND.
 * UN_ERR_CONFLICT: `version` is not the one that comes next; look again, seal again.
 * UN_ERR_RANGE: SECRET_VERSION_MAX is reached. */
MUST_CHECK enum un_err secret_add_version(struct store_txn *txn, const struct secret_write *write,
                                          struct un_detail *detail);
/* Removes the secret, every version and every stored DEK, overwritten on disk (store_txn_scrub).
 * UN_ERR_SECRET_NOT_FOUND. *ret_head: what was removed (NULL is fine). */
MUST_CHECK enum un_err secret_delete(struct store_txn *txn, const struct secret_id *id,
                                     struct secret_head *ret_head, struct un_detail *detail);

/* Exactly this identity. UN_ERR_SECRET_NOT_FOUND. */
MUST_CHECK enum un_err secret_get(struct store_view *view, const struct secret_id *id,
                                  struct secret_head *ret_head, struct un_detail *detail);
/* What a task in `at` gets for `name`: the first hit of the cascade, in one query. `version` 0 is
 * the newest. UN_ERR_SECRET_OUT_OF_REACH names the places looked at. UN_ERR_SECRET_NOT_FOUND: the
 * secret that wins has no such version. */
MUST_CHECK enum un_err secret_resolve(struct store_view *view, const struct secret_id *at,
                                      uint32_t version, struct secret_sealed *ret_sealed,
                                      struct un_detail *detail);

/* Rows for `each`; it returns false to stop. */
struct secret_visit {
	bool (*each)(void *ctx, const struct secret_head *head);
	void *ctx;
};

/* What to list: an empty project or domain does not filter. So both keep exactly one scope, a
 * domain keeps that domain in every project and for every project, none keeps the whole
 * organization. */
struct secret_filter {
	const char *org;
	struct scope scope;
	uint32_t limit;     /* at least 1 */
	const char *cursor; /* NULL or "": from the beginning; else ret_cursor of the page before */
	struct scope_filter may; /* pages are as full, and end, as if there was nothing else */
};

/* Ordered by project, domain, name. *ret_cursor is "" when this was the last page. A page never
 * repeats or skips a secret that was there all the time. UN_ERR_INVALID: the cursor is not one of
 * ours. */
MUST_CHECK enum un_err secret_list(struct store_view *view, const struct secret_filter *filter,
                                   struct secret_visit visit, char ret_cursor[SECRET_CURSOR_MAX],
                                   struct un_detail *detail);
/* Every scope where `name` exists. Looks into each known scope: for people, not for every request.
 */
MUST_CHECK enum un_err secret_scopes(struct store_view *view, const char *org, const char *name,
                                     struct secret_visit visit, struct un_detail *detail);
/* The versions there are, newest first; `each` returns false to stop. */
MUST_CHECK enum un_err secret_versions(struct store_view *view, const struct secret_id *id,
                                       bool (*each)(void *ctx, uint32_t version, int64_t at_us),
                                       void *ctx, struct un_detail *detail);
MUST_CHECK enum un_err secret_count(struct store_view *view, uint64_t *ret_count,
                                    struct un_detail *detail);

/* One of the four places of a cascade. */
struct secret_place {
	struct scope scope;
	bool exists;
	bool wins;
	bool shadowed; /* exists, and a narrower one wins */
	uint32_t version;
};
/* Where a task in `at` would find `at->name`; narrowest first. */
MUST_CHECK enum un_err secret_explain(struct store_view *view, const struct secret_id *at,
                                      struct secret_place ret_places[CASCADE_PLACES],
                                      struct un_detail *detail);

/* For UN_ERR_SECRET_EXISTS and UN_ERR_SECRET_NOT_FOUND of `id`: sets the hint to the other scopes
 * where the name exists, of those that `may` sees; leaves it alone when there are none. */
void secret_hint_scopes(struct store_view *view, const struct secret_id *id, enum un_err err,
                        const struct scope_filter *may, struct un_detail *detail);

#endif
