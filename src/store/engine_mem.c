/* The memory of SQLite: every block is zeroed before it goes back. Pages, bound blobs and sort
 * buffers hold sealed values and sealed DEKs; none of that shall be found in freed memory. */
#include "base/alloc.h"
#include "store/conn.h"

#include <malloc.h>
#include <string.h>

static void *
wiping_malloc(int len)
{
	return len > 0 ? mem_alloc((size_t)len) : NULL;
}

static int
wiping_size(void *block)
{
	return block ? (int)malloc_usable_size(block) : 0;
}

static void
wiping_free(void *block)
{
	if (block)
		mem_wipe_free(block, malloc_usable_size(block));
}

static void *
wiping_realloc(void *old, int len)
{
	size_t had = malloc_usable_size(old);
	void *block;

	if ((size_t)len <= had && (size_t)len >= had / 2)
		return old;
	block = mem_alloc((size_t)len);
	if (!block)
		return NULL;
	memcpy(block, old, (size_t)len < had ? (size_t)len : had);
	mem_wipe_free(old, had);
	return block;
}

static int
wiping_roundup(int len)
{
	return (len + 7) & ~7;
}

static int
wiping_init(void *data)
{
	(void)data;
	return SQLITE_OK;
}

static void
wiping_shutdown(void *data)
{
	(void)data;
}

void
engine_trim(void)
{
	(void)malloc_trim(0);
}

void
engine_set_malloc(void)
{
	static const sqlite3_mem_methods methods = {
		.xMalloc = wiping_malloc,
		.xFree = wiping_free,
		.xRealloc = wiping_realloc,
		.xSize = wiping_size,
		.xRoundup = wiping_roundup,
		.xInit = wiping_init,
		.xShutdown = wiping_shutdown,
	};

	(void)sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
}
