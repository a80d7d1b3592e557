#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef UN_FAULTS
#include <stdatomic.h>

static atomic_long fault_countdown[FAULT_KINDS];
static atomic_bool fault_has_fired;

void
fault_arm(enum fault_kind kind, long nth)
{
	fault_disarm();
	atomic_store(&fault_countdown[kind], nth);
}

void
fault_disarm(void)
{
	for (int i = 0; i < FAULT_KINDS; i++)
		atomic_store(&fault_countdown[i], 0);
	atomic_store(&fault_has_fired, false);
}

bool
fault_fired(void)
{
	return atomic_load(&fault_has_fired);
}

bool
fault_now(enum fault_kind kind)
{
	if (atomic_load(&fault_countdown[kind]) <= 0)
		return false;
	if (atomic_fetch_sub(&fault_countdown[kind], 1) != 1)
		return false;
	atomic_store(&fault_has_fired, true);
	return true;
}

#define FAIL_ALLOC() fault_now(FAULT_ALLOC)
#else
#define FAIL_ALLOC() false
#endif

void *
mem_alloc(size_t len)
{
	if (FAIL_ALLOC())
		return NULL;
	return malloc(len ? len : 1);
}

void *
mem_zalloc(size_t count, size_t len)
{
	size_t product;

	if (FAIL_ALLOC() || __builtin_mul_overflow(count, len, &product))
		return NULL;
	return calloc(count ? count : 1, len ? len : 1);
}

void *
mem_realloc(void *old, size_t len)
{
	if (FAIL_ALLOC())
		return NULL;
	return realloc(old, len ? len : 1);
}

void *
mem_dup(const void *bytes, size_t len)
{
	void *copy = mem_alloc(len);

	if (copy && len)
		memcpy(copy, bytes, len);
	return copy;
}

char *
mem_strndup(const char *text, size_t len)
{
	char *copy;

	if (len == SIZE_MAX)
		return NULL;
	copy = mem_alloc(len + 1);
	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

char *
mem_strdup(const char *text)
{
	return mem_strndup(text, strlen(text));
}

void
mem_free(void *block)
{
	free(block);
}

void
mem_wipe_free(void *block, size_t len)
{
	if (!block)
		return;
	explicit_bzero(block, len);
	free(block);
}
