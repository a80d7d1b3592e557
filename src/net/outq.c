#include "net/outq.h"

#include "base/alloc.h"

#include <assert.h>
#include <string.h>

#define FIRST_CAP 1024

void
outq_fini(struct outq *q)
{
	mem_wipe_free(q->data, q->end);
	*q = (struct outq){0};
}

enum un_err
outq_reserve(struct outq *q, size_t len, uint8_t **ret_room)
{
	size_t held = outq_len(q), cap = q->cap ? q->cap : FIRST_CAP;
	uint8_t *data;

	if (q->cap - q->end >= len && q->data) {
		*ret_room = q->data + q->end;
		return UN_OK;
	}
	if (len > SIZE_MAX / 4 - held)
		return UN_ERR_NO_MEMORY;
	/* move to the front only when half is free, so that moving stays cheap on average */
	if (q->data && held <= q->cap / 2 && q->cap - held >= len) {
		memmove(q->data, q->data + q->start, held);
		explicit_bzero(q->data + held, q->end - held);
	} else {
		while (cap < held + len)
			cap *= 2;
		data = mem_alloc(cap);
		if (!data)
			return UN_ERR_NO_MEMORY;
		if (q->data && held)
			memcpy(data, q->data + q->start, held);
		mem_wipe_free(q->data, q->end);
		q->data = data;
		q->cap = cap;
	}
	q->start = 0;
	q->end = held;
	*ret_room = q->data + held;
	return UN_OK;
}

void
outq_added(struct outq *q, size_t len)
{
	assert(len <= q->cap - q->end);
	q->end += len;
}

enum un_err
outq_put(struct outq *q, const void *bytes, size_t len)
{
	uint8_t *room;
	enum un_err err = outq_reserve(q, len, &room);

	if (err)
		return err;
	if (len)
		memcpy(room, bytes, len);
	q->end += len;
	return UN_OK;
}

void
outq_take(struct outq *q, size_t len)
{
	assert(len <= outq_len(q));
	q->start += len;
	if (q->start == q->end && q->end) {
		explicit_bzero(q->data, q->end);
		q->start = 0;
		q->end = 0;
	}
}

void
outq_trim(struct outq *q, size_t keep)
{
	if (!outq_len(q) && q->cap > keep)
		outq_fini(q);
}
