/* rewrap.h - finding the stored DEKs of older KEK generations, and replacing them one by one.
 *
 * Rotation reads a page, has each DEK sealed again by the keeper, and swaps it in if it is still
 * the one that was read. There is no state to keep: whoever starts over finds what is left. */
#ifndef STORE_REWRAP_H
#define STORE_REWRAP_H

#include "base/err.h"
#include "envelope/envelope.h"
#include "model/scope.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

struct stale_dek {
	int64_t row; /* for dek_swap */
	struct secret_id id;
	uint32_t version;
	uint32_t generation;
	uint8_t stored_dek[STORED_DEK_LEN];
};

/* Visits stored DEKs of generations below `generation`, in the order of identities, beginning after
 * the secret `after` (NULL: at the beginning). `each` returns false to stop; go on after the last
 * secret that is done with. */
MUST_CHECK enum un_err dek_list_stale(struct store_view *view, uint32_t generation,
                                      const struct secret_id *after,
                                      bool (*each)(void *ctx, const struct stale_dek *dek),
                                      void *ctx, struct un_detail *detail);
MUST_CHECK enum un_err dek_count_stale(struct store_view *view, uint32_t generation,
                                       uint64_t *ret_count, struct un_detail *detail);
/* Puts `fresh` in the place of dek->stored_dek. UN_ERR_CONFLICT: that is no longer there (deleted,
 * or swapped by another pass); nothing to do then. */
MUST_CHECK enum un_err dek_swap(struct store_txn *txn, const struct stale_dek *dek,
                                const uint8_t fresh[STORED_DEK_LEN], struct un_detail *detail);

#endif
