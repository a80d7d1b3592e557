/* access.h - the records of who may log in, and of what was granted to whom.
 *
 * Plain rows: what a role allows is decided in src/authz/. Texts are taken as checked. Functions
 * with a transaction run on the writer thread, those with a view also on a reader. */
#ifndef STORE_ACCESS_H
#define STORE_ACCESS_H

#include "base/err.h"
#include "model/scope.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define API_KEYS_MAX 10000
#define API_KEY_HASH_LEN 32
#define GRANTS_MAX 100000
#define GRANT_PRINCIPAL_MAX 128 /* each with its NUL */
#define GRANT_ROLE_MAX 32

struct api_key_row {
	int64_t id; /* chosen by api_key_insert; never used twice */
	char name[API_KEY_NAME_MAX + 1];
	uint8_t hash[API_KEY_HASH_LEN]; /* of its secret, keyed by the keeper */
	struct scope scope;             /* where it belongs; it gives no right */
	uint64_t epoch;                 /* tokens of an older one are void */
	int64_t created_us;
	int64_t expires_us;   /* 0: never */
	int64_t last_used_us; /* 0: never */
	char created_by[GRANT_PRINCIPAL_MAX];
};

/* `row` without id. UN_ERR_EXISTS: the name is taken. UN_ERR_RANGE: API_KEYS_MAX is reached. */
MUST_CHECK enum un_err api_key_insert(struct store_txn *txn, const struct api_key_row *row,
                                      int64_t *ret_id, struct un_detail *detail);
/* UN_ERR_NOT_FOUND. */
MUST_CHECK enum un_err api_key_get(struct store_view *view, const char *name,
                                   struct api_key_row *ret_row, struct un_detail *detail);
/* With everything that was granted to it: a later key of this name begins with nothing.
 * UN_ERR_NOT_FOUND: there is none, or not that one any more. */
MUST_CHECK enum un_err api_key_delete(struct store_txn *txn, int64_t id, const char *name,
                                      uint32_t *ret_grants, struct un_detail *detail);
/* No row of this number is fine: the key was deleted meanwhile. */
MUST_CHECK enum un_err api_key_set_used(struct store_txn *txn, int64_t id, int64_t at_us,
                                        struct un_detail *detail);
/* By name, those after `after` ("": all); `each` returns false to stop. The row is lent. */
MUST_CHECK enum un_err api_key_walk(struct store_view *view, const char *after,
                                    bool (*each)(void *ctx, const struct api_key_row *row),
                                    void *ctx, struct un_detail *detail);

struct grant_row {
	int64_t id; /* chosen by grant_insert */
	char principal[GRANT_PRINCIPAL_MAX]; /* "key:NAME" */
	struct scope scope;
	char role[GRANT_ROLE_MAX];
	int64_t created_us;
	char created_by[GRANT_PRINCIPAL_MAX];
};

/* `row` without id. UN_ERR_EXISTS. UN_ERR_RANGE: GRANTS_MAX is reached. Whether there is such a
 * principal is not looked at. */
MUST_CHECK enum un_err grant_insert(struct store_txn *txn, const struct grant_row *row,
                                    int64_t *ret_id, struct un_detail *detail);
/* The one of this principal, role and scope. UN_ERR_NOT_FOUND. */
MUST_CHECK enum un_err grant_delete(struct store_txn *txn, const struct grant_row *row,
                                    struct un_detail *detail);
/* Fills the rest of the one of this principal, role and scope. UN_ERR_NOT_FOUND. */
MUST_CHECK enum un_err grant_get(struct store_view *view, struct grant_row *row,
                                 struct un_detail *detail);
/* By principal, project, domain, role: those after `after` (NULL: all); `each` returns false to
 * stop. The row is lent. */
MUST_CHECK enum un_err grant_walk(struct store_view *view, const struct grant_row *after,
                                  bool (*each)(void *ctx, const struct grant_row *row), void *ctx,
                                  struct un_detail *detail);

#endif
