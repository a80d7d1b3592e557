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

/* The rows between both, without them, newest first. */
MUST_CHECK enum un_err trail_walk_back(struct store_view *view, int64_t before, int64_t after,
                                       struct trail_visit visit, struct un_detail *detail);

/* Texts: NULL or "" does not filter; numbers: 0 does not filter. */
struct trail_filter {
	int64_t before_seq; /* 0: from the newest */
	int64_t since_us, until_us;
	uint32_t action, verdict;
	const char *principal, *project, *domain, *name, *execution;
};

/* One call looks at no more than so many rows, and at the words of so many blocks. */
#define TRAIL_SCAN_MAX 20000
#define TRAIL_BLOCKS_MAX 2000

/* Newest first. *ret_next: where to go on (before_seq), because `visit` stopped or enough was
 * looked at; 0: this was all. */
MUST_CHECK enum un_err trail_list(struct store_view *view, const struct trail_filter *filter,
                                  struct trail_visit visit, int64_t *ret_next,
                                  struct un_detail *detail);

/* Rows are found through blocks of TRAIL_BLOCK rows, each of which knows the words in it. Rows of
 * blocks that are not made yet are looked at one by one; whoever writes the trail makes them. */
#define TRAIL_BLOCK 1024
#define TRAIL_WORDS_LEN 4096
/* How many whole blocks there are, and how many of them are made. */
MUST_CHECK enum un_err trail_blocks(struct store_view *view, int64_t *ret_whole, int64_t *ret_made,
                                    struct un_detail *detail);
/* The words of rows block * TRAIL_BLOCK + 1 to (block + 1) * TRAIL_BLOCK, all of which exist. */
MUST_CHECK enum un_err trail_block_make(struct store_view *view, int64_t block,
                                        uint8_t ret_words[TRAIL_WORDS_LEN],
                                        struct un_detail *detail);
MUST_CHECK enum un_err trail_block_put(struct store_txn *txn, int64_t block,
                                       const uint8_t words[TRAIL_WORDS_LEN],
                                       struct un_detail *detail);
/* UN_ERR_NOT_FOUND: it is not made. */
MUST_CHECK enum un_err trail_block_get(struct store_view *view, int64_t block,
                                       uint8_t ret_words[TRAIL_WORDS_LEN],
                                       struct un_detail *detail);

#endif
