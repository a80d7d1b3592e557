/* secret_buf.h - a struct buf that writes into a secbuf, for packing what must not leave it.
 *
 * It never grows, moves or frees the memory: its maximum is one byte below the secbuf's length (buf
 * keeps a NUL behind its last byte). Do not call buf_fini on it; the secbuf wipes. */
#ifndef KEEPER_SECRET_BUF_H
#define KEEPER_SECRET_BUF_H

#include "base/buf.h"
#include "crypto/secbuf.h"

static inline struct buf
secret_buf_over(struct secbuf *memory)
{
	size_t len = secbuf_len(memory);

	return (struct buf){
		.data = secbuf_edit(memory), .cap = len, .max = len - 1, .kind = BUF_PLAIN};
}

#endif
