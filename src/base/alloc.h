/* alloc.h - all memory that is not a secret.
 *
 * Thin wrappers of malloc that can be made to fail, one call at a time, in builds with UN_FAULTS:
 * that is what TORTURE tests are made of. Callers treat NULL as UN_ERR_NO_MEMORY. Any thread. */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include "base/err.h"

#include <stddef.h>

void *mem_alloc(size_t len) MUST_CHECK;                 /* not zeroed; len 0 allocates 1 byte */
void *mem_zalloc(size_t count, size_t len) MUST_CHECK;  /* zeroed; refuses overflow with NULL */
void *mem_realloc(void *old, size_t len) MUST_CHECK;    /* on NULL the old block still lives */
char *mem_strdup(const char *text) MUST_CHECK;
char *mem_strndup(const char *text, size_t len) MUST_CHECK; /* adds the NUL */
void *mem_dup(const void *bytes, size_t len) MUST_CHECK;
void mem_free(void *block); /* NULL is fine */
/* Wipes `len` bytes, then frees. For buffers that held foreign plaintext on its way into a secbuf.
 */
void mem_wipe_free(void *block, size_t len);

#ifdef UN_FAULTS
/* The faults of tests. `fault_arm(kind, n)`: the n-th call from now (1 is the next) of that kind
 * fails, once. `fault_fired()` says whether it did. Calls on all threads count. */
enum fault_kind {
	FAULT_ALLOC,
	FAULT_WRITE,
	FAULT_FSYNC,
	FAULT_RENAME,
	FAULT_KINDS,
};
void fault_arm(enum fault_kind kind, long nth);
void fault_disarm(void);
bool fault_fired(void);
bool fault_now(enum fault_kind kind); /* for wrappers: counts one call; true: fail it */
#endif

#endif
