/* pool.h - small blocks of memory that come and go with every request, kept and wiped.
 *
 * nghttp2 allocates a handful of blocks for each stream, hundreds of streams at a time: more than
 * malloc keeps at hand. Blocks up to POOL_BLOCK_MAX bytes are kept in lists by size and given out
 * again; each is wiped when it is freed, for header fields hold what clients authenticate with. A
 * pool belongs to one thread. */
#ifndef NET_POOL_H
#define NET_POOL_H

#include "base/err.h"

#include <stddef.h>

#define POOL_CLASSES 5
#define POOL_BLOCK_MAX 1024  /* 64 << (POOL_CLASSES - 1) */
#define POOL_KEPT_MAX 1024   /* blocks of one size */

struct pool_block;

struct pool {
	struct pool_block *unused[POOL_CLASSES];
	unsigned count[POOL_CLASSES];
};

void pool_fini(struct pool *pool); /* frees what is kept; blocks given out must be back */

void *pool_alloc(struct pool *pool, size_t len) MUST_CHECK; /* not zeroed */
void *pool_zalloc(struct pool *pool, size_t count, size_t len) MUST_CHECK;
void *pool_realloc(struct pool *pool, void *block, size_t len) MUST_CHECK;
void pool_free(struct pool *pool, void *block); /* wipes; NULL is fine */

#endif
