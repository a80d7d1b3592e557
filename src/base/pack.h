/* pack.h - fixed-size fields and length-prefixed bytes, big-endian: what our own formats are made
 * of.
 *
 * Writing goes to a struct buf. Reading goes through a cursor that never passes its end: after the
 * first short read every further one fails too, so a parser may check once at the end. Any thread.
 */
#ifndef BASE_PACK_H
#define BASE_PACK_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

MUST_CHECK enum un_err pack_u8(struct buf *out, uint8_t number);
MUST_CHECK enum un_err pack_u16(struct buf *out, uint16_t number);
MUST_CHECK enum un_err pack_u32(struct buf *out, uint32_t number);
MUST_CHECK enum un_err pack_u64(struct buf *out, uint64_t number);
/* u32 length, then the bytes. */
MUST_CHECK enum un_err pack_bytes(struct buf *out, const void *bytes, size_t len);
MUST_CHECK enum un_err pack_text(struct buf *out, const char *text);

struct unpack {
	const uint8_t *at;
	size_t left;
	bool bad;
};

void unpack_init(struct unpack *in, const void *bytes, size_t len);
uint8_t unpack_u8(struct unpack *in); /* 0 when bad */
uint16_t unpack_u16(struct unpack *in);
uint32_t unpack_u32(struct unpack *in);
uint64_t unpack_u64(struct unpack *in);
/* Lends `len` bytes; NULL (and bad) when fewer are left. */
const uint8_t *unpack_fixed(struct unpack *in, size_t len);
/* Lends length-prefixed bytes of at most `max`; NULL and *ret_len 0 when bad. */
const uint8_t *unpack_bytes(struct unpack *in, size_t max, size_t *ret_len);
/* Copies length-prefixed text into `text` of `size` bytes with its NUL; bad if it has a NUL or does
 * not fit. */
void unpack_text(struct unpack *in, char *text, size_t size);
/* UN_ERR_PROTOCOL when anything was short or bytes are left over. */
MUST_CHECK enum un_err unpack_end(const struct unpack *in);

#endif
