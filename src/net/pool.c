#include "net/pool.h"

#include "base/alloc.h"

#include <stdint.h>
#include <string.h>

#define LEAST 64

struct pool_block {
	union {
		struct pool_block *next; /* while it is unused */
		size_t len;              /* as asked for, while it is given out */
	};
	_Alignas(16) uint8_t bytes[];
};

/* The list for blocks of `len` bytes; POOL_CLASSES: none, it is too large. */
static unsigned
class_of(size_t len)
{
	unsigned class = 0;

	while (class < POOL_CLASSES && len > (size_t)LEAST << class)
		class++;
	return class;
}

void *
pool_alloc(struct pool *pool, size_t len)
{
	unsigned class = class_of(len);
	struct pool_block *block;

	if (len > SIZE_MAX / 2)
		return NULL;
	block = class < POOL_CLASSES ? pool->unused[class] : NULL;
	if (block) {
		pool->unused[class] = block->next;
		pool->count[class]--;
	} else {
		size_t room = class < POOL_CLASSES ? (size_t)LEAST << class : len;

		block = mem_alloc(sizeof *block + room);
		if (!block)
			return NULL;
	}
	block->len = len;
	return block->bytes;
}

void *
pool_zalloc(struct pool *pool, size_t count, size_t len)
{
	void *bytes;

	if (len && count > SIZE_MAX / 2 / len)
		return NULL;
	bytes = pool_alloc(pool, count * len);
	return bytes ? memset(bytes, 0, count * len) : NULL;
}

static struct pool_block *
block_of(void *bytes)
{
	return (struct pool_block *)((uint8_t *)bytes - offsetof(struct pool_block, bytes));
}

void
pool_free(struct pool *pool, void *bytes)
{
	struct pool_block *block;
	unsigned class;

	if (!bytes)
		return;
	block = block_of(bytes);
	class = class_of(block->len);
	explicit_bzero(block->bytes, block->len);
	if (class == POOL_CLASSES || pool->count[class] >= POOL_KEPT_MAX) {
		mem_free(block);
		return;
	}
	block->next = pool->unused[class];
	pool->unused[class] = block;
	pool->count[class]++;
}

void *
pool_realloc(struct pool *pool, void *bytes, size_t len)
{
	size_t old_len = bytes ? block_of(bytes)->len : 0;
	void *larger;

	if (bytes && class_of(len) < POOL_CLASSES && class_of(len) == class_of(old_len)) {
		if (len < old_len)
			explicit_bzero((uint8_t *)bytes + len, old_len - len);
		block_of(bytes)->len = len;
		return bytes;
	}
	larger = pool_alloc(pool, len);
	if (!larger)
		return NULL;
	if (bytes)
		memcpy(larger, bytes, old_len < len ? old_len : len);
	pool_free(pool, bytes);
	return larger;
}

void
pool_fini(struct pool *pool)
{
	for (unsigned class = 0; class < POOL_CLASSES; class ++) {
		while (pool->unused[class]) {
			struct pool_block *block = pool->unused[class];

			pool->unused[class] = block->next;
			mem_free(block);
		}
		pool->count[class] = 0;
	}
}
