#include "rpc/arena.h"

#include "base/alloc.h"

#include <string.h>

#define BLOCK_LEN (16u << 10)

struct arena_block {
	struct arena_block *next;
	size_t len;
	_Alignas(16) uint8_t bytes[];
};

void
arena_init(struct arena *arena, size_t max)
{
	arena->blocks = NULL;
	arena->at = arena->first;
	arena->left = sizeof arena->first;
	arena->held = 0;
	arena->max = max;
}

static bool
add_block(struct arena *arena, size_t len)
{
	size_t want = len > BLOCK_LEN ? len : BLOCK_LEN;
	struct arena_block *block = mem_alloc(sizeof *block + want);

	if (!block)
		return false;
	block->next = arena->blocks;
	block->len = want;
	arena->blocks = block;
	arena->at = block->bytes;
	arena->left = want;
	return true;
}

void *
arena_cut(struct arena *arena, size_t len)
{
	uint8_t *room;

	if (len > arena->max)
		return NULL;
	len = len ? (len + 15) & ~(size_t)15 : 16;
	if (len > arena->max - arena->held)
		return NULL;
	if (len > arena->left && !add_block(arena, len))
		return NULL;
	room = arena->at;
	arena->at += len;
	arena->left -= len;
	arena->held += len;
	return room;
}

void
arena_reset(struct arena *arena)
{
	size_t used = arena->blocks ? sizeof arena->first : sizeof arena->first - arena->left;

	explicit_bzero(arena->first, used);
	while (arena->blocks) {
		struct arena_block *block = arena->blocks;

		arena->blocks = block->next;
		mem_wipe_free(block, sizeof *block + block->len);
	}
	arena_init(arena, arena->max);
}
