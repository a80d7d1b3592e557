/* heads.h - whether a pattern may begin with these HEAD bytes: one look-up in a table of bits,
 * which spares the automaton most beginnings that lead nowhere. The table lies in a secbuf. */
#ifndef REDACT_HEADS_H
#define REDACT_HEADS_H

#include "redact/automaton.h"

#include <string.h>

#define HEAD 4

struct heads {
	struct secbuf *table;
	const uint8_t *bits;
	uint64_t key; /* odd */
	unsigned shift;
};

/* Of the patterns that coded text stands for, or of those of text. */
MUST_CHECK enum un_err heads_build(struct heads *heads, const struct automaton *automaton,
                                   uint64_t key, bool coded);
void heads_fini(struct heads *heads);

static inline bool
heads_have(const struct heads *heads, const uint8_t *bytes)
{
	uint32_t head;
	uint64_t bit;

	memcpy(&head, bytes, sizeof head);
	bit = head * heads->key >> heads->shift;
	return heads->bits[bit >> 3] >> (bit & 7) & 1;
}

#endif
