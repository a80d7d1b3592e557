#include "redact/heads.h"

#define BITS_LEAST 12 /* of a number of bits: as a power of two */
#define BITS_MOST 20
#define BITS_EACH 32 /* for each pattern */

enum un_err
heads_build(struct heads *heads, const struct automaton *automaton, uint64_t key, bool coded)
{
	unsigned log = BITS_LEAST;
	uint8_t *bits;
	enum un_err err;

	while (log < BITS_MOST && ((size_t)1 << log) < automaton->count * BITS_EACH)
		log++;
	err = secbuf_new((size_t)1 << (log - 3), &heads->table);
	if (err)
		return err;
	heads->key = key | 1;
	heads->shift = 64 - log;
	heads->bits = bits = secbuf_edit(heads->table);
	for (size_t i = 0; i < automaton->count; i++) {
		const struct pattern *pattern = &automaton->patterns[i];
		uint32_t head;
		uint64_t bit;

		if (coded ? !pattern->coded : pattern->kind == PATTERN_EXACT)
			continue;
		if (pattern->len < HEAD) { /* whatever follows it */
			memset(bits, 0xff, (size_t)1 << (log - 3));
			break;
		}
		memcpy(&head, automaton->text + pattern->offset, sizeof head);
		bit = head * heads->key >> heads->shift;
		bits[bit >> 3] |= (uint8_t)(1u << (bit & 7));
	}
	return UN_OK;
}

void
heads_fini(struct heads *heads)
{
	secbuf_free(heads->table);
}
