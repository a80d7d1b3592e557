/* unpack.h - decompression with limits, by the libraries (and snappy, which is a page of code).
 *
 * What comes out is held in memory up to a limit and looked into; what is larger goes through in
 * pieces and is only searched. Held bytes are wiped: they may hold a value. */
#ifndef GUARD_UNPACK_H
#define GUARD_UNPACK_H

#include "guard/inside.h"

enum codec {
	CODEC_GZIP, /* any number of members */
	CODEC_ZLIB,
	CODEC_DEFLATE,
	CODEC_ZSTD,      /* any number of frames */
	CODEC_LZ4_FRAME, /* the same */
	CODEC_XZ,        /* the same */
	CODEC_BZIP2,     /* the same */
	CODEC_LZMA,      /* as in a zip */
	CODEC_BROTLI,
	CODEC_LZ4_BLOCK, /* the last two only into a block of known size */
	CODEC_SNAPPY,
};

/* Unpacks all of it and searches what comes out; `inside`: looks into that, and at what follows the
 * packed bytes. Says so when it is damaged or too much. */
MUST_CHECK enum un_err guard_unpack(struct guard *guard, enum codec codec, bool inside,
                                    const uint8_t *bytes, size_t len);

/* A block that is known to have `size` bytes unpacked. */
struct block {
	uint8_t *bytes; /* NULL: it could not be unpacked, which was said */
	size_t len;
	size_t room;
};
MUST_CHECK enum un_err guard_unpack_block(struct guard *guard, enum codec codec,
                                          const uint8_t *bytes, size_t len, uint64_t size,
                                          struct block *ret_block);
/* The same for one of `most` bytes at most. */
MUST_CHECK enum un_err guard_unpack_within(struct guard *guard, enum codec codec,
                                           const uint8_t *bytes, size_t len, uint64_t most,
                                           struct block *ret_block);
void guard_block_free(struct guard *guard, struct block *block); /* wipes */

/* Whether these bytes begin a zlib stream: tries the first of them. */
bool zlib_begins(const uint8_t *bytes, size_t len);
/* Into exactly `room` bytes. False: malformed. */
bool snappy_unpack(const uint8_t *bytes, size_t len, uint8_t *out, size_t room);

#endif
