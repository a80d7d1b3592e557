/* uses.h - which executions received which secrets, and where a release of the keeper's journal is
 * in the audit trail. Written in the transaction of the release: audit/audit.h does that. */
#ifndef STORE_USES_H
#define STORE_USES_H

#include "base/err.h"
#include "model/scope.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

#define USES_JOURNAL_ID_LEN 8

/* One version of a secret in one execution. Texts are lent. */
struct use_row {
	int64_t id;
	const char *execution;
	const char *execution_project, *execution_domain;
	uint32_t version;
	uint64_t releases;
	int64_t first_us, last_us;
};

/* Counts one release up; of `row` execution, its place, version and last_us are read. */
MUST_CHECK enum un_err use_note(struct store_txn *txn, const struct secret_id *secret,
                                const struct use_row *row, struct un_detail *detail);

/* Where a list goes on: behind the row of this time and number. Zeroed: from the newest. */
struct use_cursor {
	int64_t last_us, id;
};
/* Those of one secret, used last first; `each` returns false to stop. */
MUST_CHECK enum un_err use_list(struct store_view *view, const struct secret_id *secret,
                                const struct use_cursor *after,
                                bool (*each)(void *ctx, const struct use_row *row), void *ctx,
                                struct un_detail *detail);
/* When any version of the secret was released last; *ret_us 0: never. */
MUST_CHECK enum un_err use_last(struct store_view *view, const struct secret_id *secret,
                                int64_t *ret_us, struct un_detail *detail);

/* UN_ERR_EXISTS: this release has an entry already. */
MUST_CHECK enum un_err release_note(struct store_txn *txn,
                                    const uint8_t journal[USES_JOURNAL_ID_LEN], uint64_t number,
                                    int64_t seq, struct un_detail *detail);
/* *ret_seq 0: the release has no entry. */
MUST_CHECK enum un_err release_find(struct store_view *view,
                                    const uint8_t journal[USES_JOURNAL_ID_LEN], uint64_t number,
                                    int64_t *ret_seq, struct un_detail *detail);

#endif
