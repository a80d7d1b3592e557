#include "runs/arena.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ARENA_BLOCK 8192
#define ARENA_ALIGN 16

struct arena_block {
	struct arena_block *next;
	size_t len;  /* of bytes */
	size_t used;
	_Alignas(ARENA_ALIGN) uint8_t bytes[];
};

struct arena {
	struct arena_block *newest;
	size_t left; /* of the maximum */
	bool failed; /* some allocation did not fit: an unpack that fails then failed for memory */
	ProtobufCAllocator allocator;
};

static void *
arena_allocator_alloc(void *ctx, size_t len)
{
	return arena_alloc(ctx, 1, len);
}

static void
arena_allocator_free(void *ctx, void *block)
{
	(void)ctx;
	(void)block; /* goes with the arena */
}

enum un_err
arena_new(size_t max, struct arena **ret_arena)
{
	struct arena *arena = mem_zalloc(1, sizeof *arena);

	if (arena == NULL)
		return UN_ERR_NO_MEMORY;
	arena->left = max;
	arena->allocator = (ProtobufCAllocator){
	        .alloc = arena_allocator_alloc,
	        .free = arena_allocator_free,
	        .allocator_data = arena,
	};
	*ret_arena = arena;
	return UN_OK;
}

void
arena_free(struct arena *arena)
{
	struct arena_block *block;

	if (arena == NULL)
		return;
	while ((block = arena->newest) != NULL) {
		arena->newest = block->next;
		mem_free(block);
	}
	mem_free(arena);
}

static struct arena_block *
arena_grow(struct arena *arena, size_t len)
{
	size_t block_len = len > ARENA_BLOCK ? len : ARENA_BLOCK;
	struct arena_block *block;

	block = mem_zalloc(1, sizeof *block + block_len);
	if (block == NULL)
		return NULL;
	block->len = block_len;
	block->next = arena->newest;
	arena->newest = block;
	return block;
}

void *
arena_alloc(struct arena *arena, size_t count, size_t len)
{
	struct arena_block *block = arena->newest;
	void *result;

	if (__builtin_mul_overflow(count, len, &len) ||
	    __builtin_add_overflow(len, (size_t)(ARENA_ALIGN - 1), &len) ||
	    (len &= ~(size_t)(ARENA_ALIGN - 1)) > arena->left) {
		arena->failed = true;
		return NULL;
	}
	if (len == 0)
		len = ARENA_ALIGN;
	if (block == NULL || block->len - block->used < len)
		block = arena_grow(arena, len);
	if (block == NULL) {
		arena->failed = true;
		return NULL;
	}
	result = block->bytes + block->used;
	block->used += len;
	arena->left -= len < arena->left ? len : arena->left;
	return result;
}

char *
arena_strndup(struct arena *arena, const char *text, size_t len)
{
	char *copy = arena_alloc(arena, 1, len + 1);

	if (copy != NULL)
		memcpy(copy, text, len);
	return copy;
}

char *
arena_printf(struct arena *arena, const char *format, ...)
{
	va_list args, again;
	char *text = NULL;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len >= 0)
		text = arena_alloc(arena, 1, (size_t)len + 1);
	if (text != NULL)
		vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	return text;
}

enum un_err
arena_unpack(struct arena *arena, const ProtobufCMessageDescriptor *descriptor, const void *bytes,
             size_t len, void *ret_message)
{
	ProtobufCMessage *message;

	arena->failed = false;
	message = protobuf_c_message_unpack(descriptor, &arena->allocator, len, bytes);
	if (message == NULL)
		return arena->failed ? UN_ERR_NO_MEMORY : UN_ERR_PROTOCOL;
	memcpy(ret_message, &message, sizeof message);
	return UN_OK;
}
