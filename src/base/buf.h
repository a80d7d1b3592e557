/* buf.h - bytes that grow, up to a maximum given when the buffer is made.
 *
 * Not for values: a secret lives in a secbuf. A buffer made with BUF_WIPE zeroes every byte it
 * gives back to the allocator (for wire data that may carry a foreign client's plaintext). `data`
 * always has a NUL behind its last byte, so text can be read as a C string. Not thread safe. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum buf_kind {
	BUF_PLAIN,
	BUF_WIPE,
};

struct buf {
	uint8_t *data; /* NULL while empty and never grown */
	size_t len;
	size_t cap;
	size_t max; /* an append beyond it is UN_ERR_TOO_LARGE */
	enum buf_kind kind;
};

void buf_init(struct buf *buf, size_t max, enum buf_kind kind);
void buf_fini(struct buf *buf);  /* frees; the buffer can be used again as an empty one */
void buf_clear(struct buf *buf); /* length 0, keeps (BUF_WIPE: zeroes) the memory */

/* UN_ERR_TOO_LARGE or UN_ERR_NO_MEMORY; then nothing was appended. */
MUST_CHECK enum un_err buf_append(struct buf *buf, const void *bytes, size_t len);
MUST_CHECK enum un_err buf_append_text(struct buf *buf, const char *text);
MUST_CHECK enum un_err buf_append_byte(struct buf *buf, uint8_t byte);
MUST_CHECK enum un_err buf_appendf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
/* Room for `len` more bytes at data + len, not counted in `len` yet; then buf_added. */
MUST_CHECK enum un_err buf_reserve(struct buf *buf, size_t len);
void buf_added(struct buf *buf, size_t len);

void buf_drop_front(struct buf *buf, size_t len); /* removes the first `len` bytes */
const char *buf_text(const struct buf *buf);      /* never NULL; lent until the next append */

/* Gives the bytes away; the caller frees them with mem_free. The buffer is empty then. */
uint8_t *buf_take(struct buf *buf, size_t *ret_len);

#endif
