/* trail.h - the rows of the audit trail. What they mean and how they hang together: audit/audit.h.
 */
#ifndef STORE_TRAIL_H
#define STORE_TRAIL_H

#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRAIL_HASH_LEN 32

struct trail_row {
	int64_t seq; /* counts from 1 without gaps */
	int64_t at_us;
	uint32_t action;
	uint32_t verdict;
	const char *principal;
	const char *project;
	const char *domain;
	const char *name;
	const char *execution;
	const uint8_t *entry; /* the bytes that `hash` covers */
	size_t entry_len;
	const uint8_t *hash; /* TRAIL_HASH_LEN */
};

MUST_CHECK enum un_err trail_append(struct store_txn *txn, const struct trail_row *row,
                                    struct un_detail *detail);
/* *ret_seq 0 and a hash of zeros when there is none. */
MUST_CHECK enum un_err trail_last(struct store_view *view, int64_t *ret_seq,
                                  uint8_t ret_hash[TRAIL_HASH_LEN], struct un_detail *detail);

struct trail_visit {
	bool (*each)(void *ctx, const struct trail_row *row); /* false stops; the row is lent */
	void *ctx;
};

/* All rows after `seq`, oldest first. */
MUST_CHECK enum un_err trail_walk(struct store_view *view, int64_t seq, struct trail_visit visit,
                                  struct un_detail *detail);

/* Texts: NULL or "" does not filter; numbers: 0 does not filter. */
struct trail_filter {
	int64_t before_seq; /* 0: from the newest */
	int64_t since_us, until_us;
	uint32_t action, verdict;
	const char *principal, *project, *domain, *name, *execution;
	uint32_t limit;
};

/* Newest first. Goes through the rows: there is no index but the number. */
MUST_CHECK enum un_err trail_list(struct store_view *view, const struct trail_filter *filter,
                                  struct trail_visit visit, struct un_detail *detail);

#endif
