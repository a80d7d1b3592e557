/* shorts.h - values of 4 to 7 bytes: only as they are, and only as words of their own. */
#ifndef REDACT_SHORTS_H
#define REDACT_SHORTS_H

#include "redact/machine.h"

#define SHORT_MAX (REDACT_CODED_MIN - 1)
#define SHORT_BITS 12

struct short_value {
	uint8_t bytes[SHORT_MAX];
	uint8_t len;
	uint32_t name;
	uint32_t next; /* with the same hash, from 1; 0: none */
};

struct short_tables {                    /* in a secbuf */
	uint32_t head[1u << SHORT_BITS]; /* by the hash of the first four bytes, from 1 */
	struct short_value values[];
};

struct shorts {
	struct secbuf *lock;
	struct short_tables *tables;
	size_t count;
};

/* Room for `count` values; none may be added after. */
MUST_CHECK enum un_err shorts_init(struct shorts *shorts, size_t count);
void shorts_add(struct shorts *shorts, const uint8_t *bytes, size_t len, uint32_t name);
/* Finds all that begin in [from, the end). `ended`: what follows is no part of a word.
 * Returns where one may have begun that cannot be told yet; UINT64_MAX: none. */
uint64_t shorts_search(const struct shorts *shorts, struct reader *reader, uint64_t from,
                       bool ended);
void shorts_fini(struct shorts *shorts);

#endif
