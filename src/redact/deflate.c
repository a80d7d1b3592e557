#include "redact/deflate.h"

#include "base/alloc.h"
#include "crypto/secbuf.h"

#include <zlib.h>

#define BLOCKS_MAX 8 /* that zlib asks for: its state and its window */
#define OUT_MAX 4096
#define AUTO_HEADER 32 /* zlib's word for: gzip or zlib, whichever it is */
#define GROWTH_FREE 65536

struct deflate {
	z_stream stream;
	struct secbuf *blocks[BLOCKS_MAX];
	size_t block_count;
	struct secbuf *out;
	uint64_t taken;
	uint64_t given;
	bool open;
};

static void *
allocate(void *ctx, unsigned count, unsigned len)
{
	struct deflate *deflate = ctx;
	struct secbuf *block;

	if (deflate->block_count == BLOCKS_MAX || secbuf_new((size_t)count * len, &block))
		return Z_NULL;
	deflate->blocks[deflate->block_count++] = block;
	return secbuf_edit(block);
}

/* All blocks are given back together. */
static void
release(void *ctx, void *block)
{
	(void)ctx;
	(void)block;
}

enum un_err
deflate_new(struct deflate **ret_deflate)
{
	struct deflate *deflate = mem_zalloc(1, sizeof *deflate);

	if (!deflate)
		return UN_ERR_NO_MEMORY;
	deflate->stream = (z_stream){.zalloc = allocate, .zfree = release, .opaque = deflate};
	if (secbuf_new(OUT_MAX, &deflate->out) ||
	    inflateInit2(&deflate->stream, AUTO_HEADER + MAX_WBITS) != Z_OK) {
		deflate_free(deflate);
		return UN_ERR_NO_MEMORY;
	}
	*ret_deflate = deflate;
	return UN_OK;
}

void
deflate_start(struct deflate *deflate)
{
	deflate->open = inflateReset2(&deflate->stream, AUTO_HEADER + MAX_WBITS) == Z_OK;
	deflate->taken = deflate->given = 0;
}

enum deflate_state
deflate_take(struct deflate *deflate, uint8_t byte, void (*put)(void *ctx, uint8_t byte), void *ctx)
{
	const uint8_t *out = secbuf_peek(deflate->out);
	int result = Z_OK;

	if (!deflate->open)
		return DEFLATE_ENDED;
	deflate->stream.next_in = &byte;
	deflate->stream.avail_in = 1;
	deflate->taken++;
	do {
		deflate->stream.next_out = secbuf_edit(deflate->out);
		deflate->stream.avail_out = OUT_MAX;
		result = inflate(&deflate->stream, Z_NO_FLUSH);
		for (size_t i = 0; i < OUT_MAX - deflate->stream.avail_out; i++)
			put(ctx, out[i]);
		deflate->given += OUT_MAX - deflate->stream.avail_out;
	} while (result == Z_OK && !deflate->stream.avail_out &&
	         deflate->given < deflate->taken * DEFLATE_RATIO + GROWTH_FREE);
	deflate->stream.next_in = Z_NULL;
	deflate->open = (result == Z_OK || result == Z_BUF_ERROR) &&
	                deflate->given < deflate->taken * DEFLATE_RATIO + GROWTH_FREE;
	return deflate->open ? DEFLATE_MORE : DEFLATE_ENDED;
}

void
deflate_free(struct deflate *deflate)
{
	if (!deflate)
		return;
	(void)inflateEnd(&deflate->stream);
	for (size_t i = 0; i < deflate->block_count; i++)
		secbuf_free(deflate->blocks[i]);
	secbuf_free(deflate->out);
	mem_free(deflate);
}
