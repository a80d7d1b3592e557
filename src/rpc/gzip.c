#include "rpc/gzip.h"

#include "base/alloc.h"

#include <limits.h>
#include <string.h>

#include <zlib.h>

#define GZIP_BITS (15 + 16) /* largest window, gzip framing */
#define STEP (32u << 10)

/* zlib keeps a window of the plain bytes: its memory is wiped too. The length stands in front. */
struct block {
	size_t len;
	_Alignas(16) uint8_t bytes[];
};

static void *
block_alloc(void *opaque, unsigned count, unsigned size)
{
	size_t len = (size_t)count * size;
	struct block *block = mem_alloc(sizeof *block + len);

	(void)opaque;
	if (!block)
		return NULL;
	block->len = len;
	return block->bytes;
}

static void
block_free(void *opaque, void *bytes)
{
	struct block *block = (struct block *)((uint8_t *)bytes - offsetof(struct block, bytes));

	(void)opaque;
	mem_wipe_free(block, sizeof *block + block->len);
}

bool
gzip_is(const uint8_t *bytes, size_t len)
{
	return len >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

static enum un_err
unpack_all(z_stream *z, size_t max, struct outq *out)
{
	size_t done = 0;
	int result = Z_OK;

	while (result == Z_OK) {
		size_t step =
			max - done < STEP ? max - done + 1 : STEP; /* one more shows the excess */
		enum un_err err;
		uint8_t *room;

		err = outq_reserve(out, step, &room);
		if (err)
			return err;
		z->next_out = room;
		z->avail_out = (unsigned)step;
		result = inflate(z, Z_NO_FLUSH);
		outq_added(out, step - z->avail_out);
		done += step - z->avail_out;
		if (done > max)
			return UN_ERR_TOO_LARGE;
	}
	if (result == Z_MEM_ERROR)
		return UN_ERR_NO_MEMORY;
	return result == Z_STREAM_END && !z->avail_in ? UN_OK : UN_ERR_PROTOCOL;
}

enum un_err
gzip_unpack(const uint8_t *bytes, size_t len, size_t max, struct outq *out)
{
	z_stream z = {.zalloc = block_alloc, .zfree = block_free};
	enum un_err err;

	if (len > UINT_MAX)
		return UN_ERR_TOO_LARGE;
	z.next_in = (uint8_t *)(uintptr_t)bytes;
	z.avail_in = (unsigned)len;
	if (inflateInit2(&z, GZIP_BITS) != Z_OK)
		return UN_ERR_NO_MEMORY;
	err = unpack_all(&z, max, out);
	(void)inflateEnd(&z);
	return err;
}

enum un_err
gzip_pack(const uint8_t *bytes, size_t len, struct outq *out)
{
	z_stream z = {.zalloc = block_alloc, .zfree = block_free};
	enum un_err err;
	uint8_t *room;
	size_t bound;

	if (len > UINT_MAX / 2)
		return UN_ERR_TOO_LARGE;
	if (deflateInit2(&z, 1, Z_DEFLATED, GZIP_BITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return UN_ERR_NO_MEMORY;
	bound = deflateBound(&z, (unsigned long)len);
	err = outq_reserve(out, bound, &room);
	if (!err) {
		z.next_in = (uint8_t *)(uintptr_t)bytes;
		z.avail_in = (unsigned)len;
		z.next_out = room;
		z.avail_out = (unsigned)bound;
		err = deflate(&z, Z_FINISH) == Z_STREAM_END ? UN_OK : UN_ERR_INTERNAL;
		outq_added(out, bound - z.avail_out);
	}
	(void)deflateEnd(&z);
	return err;
}
