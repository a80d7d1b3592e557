/* secbuf.h - the only place where a value, a key, a passphrase, a ticket or a lease may lie.
 *
 * All buffers come from one arena: guarded, locked in memory, out of core dumps (memfd_secret(2)
 * where the kernel has it, else mmap + mlock + MADV_DONTDUMP) and not inherited by a fork
 * (MADV_DONTFORK): a forked child has an empty arena of its own; there it may free its parent's
 * buffers, but to touch their bytes is a crash. A freed buffer is zeroed before anyone else can get
 * it. There is no text form, no == and no function that prints one. write(2) from a buffer and
 * read(2) into one work; what maps user pages in the kernel (O_DIRECT, vmsplice) does not. The
 * arena may be used from any thread; one buffer belongs to one thread at a time. */
#ifndef CRYPTO_SECBUF_H
#define CRYPTO_SECBUF_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECBUF_MAX (16u << 20) /* bytes of one buffer */

struct secbuf;

/* A zeroed buffer. UN_ERR_NO_MEMORY also when the lock limit (RLIMIT_MEMLOCK) is reached and
 * secbuf_require_lock() was called; otherwise memory that cannot be locked is used, and
 * secbuf_protection() says so. */
MUST_CHECK enum un_err secbuf_new(size_t len, struct secbuf **ret_buf);
/* A copy; the caller still has to wipe the source. */
MUST_CHECK enum un_err secbuf_copy(const void *bytes, size_t len, struct secbuf **ret_buf);
void secbuf_free(struct secbuf *buf); /* zeroes; NULL is fine */

const uint8_t *secbuf_peek(const struct secbuf *buf); /* lent until secbuf_free */
uint8_t *secbuf_edit(struct secbuf *buf);
size_t secbuf_len(const struct secbuf *buf);
void secbuf_shrink(struct secbuf *buf, size_t len); /* zeroes what is cut off */

/* Constant time in the bytes (not in the lengths). */
bool secbuf_equal(const struct secbuf *a, const struct secbuf *b);

/* Reads `fd` to its end straight into a buffer: no copy of a byte elsewhere. UN_ERR_TOO_LARGE when
 * there is more than `max`; an empty input gives an empty buffer. */
MUST_CHECK enum un_err secbuf_read(int fd, size_t max, struct secbuf **ret_buf);

enum secbuf_protection {
	SECBUF_SECRET_MEMORY, /* memfd_secret: not even the kernel maps it */
	SECBUF_LOCKED,        /* mlock */
	SECBUF_NOT_LOCKED,    /* the limit was reached at least once: may reach swap */
};
enum secbuf_protection secbuf_protection(void);
/* Touches what the next small buffers take, `len` bytes in all: the first touch of a page of secret
 * memory interrupts every processor. Only speed: nothing fails. */
void secbuf_reserve(size_t len);
void secbuf_require_lock(void); /* from now on fail instead of using memory that is not locked */

#endif
