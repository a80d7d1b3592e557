/* outq.h - bytes on their way out (or in): put at the end, taken from the front, wiped once taken.
 *
 * What passes a server may be a foreign client's plaintext, so every byte taken is zeroed when the
 * queue runs empty or moves. Not thread safe. */
#ifndef NET_OUTQ_H
#define NET_OUTQ_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct outq {
	uint8_t *data;
	size_t start; /* first byte not taken yet */
	size_t end;
	size_t cap;
};

void outq_fini(struct outq *q); /* wipes and frees; may be used again */

/* Room for `len` bytes at *ret_room; then outq_added. UN_ERR_NO_MEMORY. */
MUST_CHECK enum un_err outq_reserve(struct outq *q, size_t len, uint8_t **ret_room);
void outq_added(struct outq *q, size_t len);
MUST_CHECK enum un_err outq_put(struct outq *q, const void *bytes, size_t len);

static inline size_t
outq_len(const struct outq *q)
{
	return q->end - q->start;
}

static inline uint8_t *
outq_peek(const struct outq *q)
{
	return q->data + q->start;
}

void outq_take(struct outq *q, size_t len);
/* Gives memory beyond `keep` bytes back, if the queue is empty. */
void outq_trim(struct outq *q, size_t keep);

#endif
