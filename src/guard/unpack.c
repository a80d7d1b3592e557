#include "guard/flow.h"

#include "base/alloc.h"
#include "base/text.h"

#include <lz4.h>
#include <string.h>
#include <zlib.h>
#define ZSTD_STATIC_LINKING_ONLY /* for an allocator of our own */
#include <zstd.h>

#define LZ4_BACK 65536u /* bytes that a block of LZ4 may look back */

/* ---- memory that is wiped ---- */

void *
flow_alloc(void *unused, size_t len)
{
	size_t *block = mem_alloc(len + 16); /* its length stands in front, which keeps alignment */

	if (!block)
		return NULL;
	*block = len;
	return (uint8_t *)block + 16;
}

void
flow_free(void *unused, void *bytes)
{
	uint8_t *block = bytes;
	size_t len;

	if (!block)
		return;
	memcpy(&len, block - 16, sizeof len);
	mem_wipe_free(block - 16, len + 16);
}

static void *
zlib_alloc(void *unused, unsigned count, unsigned len)
{
	return flow_alloc(unused, (size_t)count * len);
}

static enum un_err
resize(struct flow *flow, size_t room)
{
	uint8_t *bytes;

	if (room > flow->guard->held_left + flow->held.room)
		room = flow->held.room + flow->guard->held_left;
	if (room <= flow->held.room)
		return UN_ERR_TOO_LARGE;
	bytes = mem_alloc(room);
	if (!bytes)
		return UN_ERR_NO_MEMORY;
	if (flow->held.len)
		memcpy(bytes, flow->held.bytes, flow->held.len);
	mem_wipe_free(flow->held.bytes, flow->held.room);
	flow->guard->held_left -= room - flow->held.room;
	flow->held.bytes = bytes;
	flow->held.room = room;
	return UN_OK;
}

void
guard_block_free(struct guard *guard, struct block *block)
{
	mem_wipe_free(block->bytes, block->room);
	guard->held_left += block->room;
	*block = (struct block){0};
}

/* Searches what is held and keeps the end of it. */
static enum un_err
spill(struct flow *flow)
{
	struct block *held = &flow->held;
	size_t keep = held->len < flow->guard->overlap ? held->len : flow->guard->overlap;
	enum un_err err;

	if (!flow->spilled)
		flow->format = format_of(held->bytes, held->len, false);
	flow->spilled = true;
	err = guard_search(flow->guard, held->bytes, held->len);
	memmove(held->bytes, held->bytes + held->len - keep, keep);
	held->len = keep;
	if (!err && guard_late(flow->guard))
		flow->why = "takes too long to unpack";
	return err;
}

/* Room for `want` more bytes, or in a block of known size for what is left of it. */
enum un_err
flow_room(struct flow *flow, size_t want, size_t *ret_room)
{
	struct block *held = &flow->held;
	enum un_err err = UN_OK;

	if (!flow->exact && held->len + want > flow->max && held->len > flow->guard->overlap)
		err = spill(flow);
	if (!err && !flow->exact && held->room - held->len < want) {
		size_t twice = held->room * 2, least = held->len + want;

		err = resize(flow, twice > least && twice <= flow->max ? twice : least);
		if (err == UN_ERR_TOO_LARGE || (!err && held->room - held->len < want)) {
			err = UN_OK;
			flow->why = "unpacks to more than can be held here";
		}
	}
	*ret_room = held->room - held->len;
	return err;
}

void
flow_added(struct flow *flow, size_t len)
{
	flow->held.len += len;
	if (len > flow->guard->unpacked_left) {
		flow->guard->unpacked_left = 0;
		flow->why = "unpacks to too much";
		return;
	}
	flow->guard->unpacked_left -= len;
}

/* ---- the codecs: each takes from `in` what is its own ---- */

static enum un_err
inflate_one(struct flow *flow, struct span *in, z_stream *zip, bool *ret_end)
{
	enum un_err err = UN_OK;
	int state = Z_OK;

	while (!err && !flow->why && state == Z_OK) {
		size_t room, piece = in->left < (1u << 30) ? in->left : 1u << 30, got;

		err = flow_room(flow, FLOW_STEP, &room);
		if (err || flow->why)
			break;
		zip->next_in = (uint8_t *)(uintptr_t)in->at; /* zlib's old signature; only read */
		zip->avail_in = (unsigned)piece;
		zip->next_out = flow->held.bytes + flow->held.len;
		zip->avail_out = (unsigned)(room < (1u << 30) ? room : 1u << 30);
		got = zip->avail_out;
		state = inflate(zip, Z_NO_FLUSH);
		(void)span_take(in, piece - zip->avail_in);
		flow_added(flow, got - zip->avail_out);
	}
	if (state == Z_MEM_ERROR)
		return UN_ERR_NO_MEMORY;
	*ret_end = state == Z_STREAM_END;
	if (!err && !flow->why && !*ret_end)
		flow->why = in->left ? "is damaged" : "is cut off";
	return err;
}

/* 2 mark, 1 method, 1 flags, 6 time and system; if the flags say so: 2 length and that much (0x04),
 * a name (0x08), a comment (0x10), 2 checksum (0x02). */
static size_t
gzip_head_len(struct span in)
{
	size_t len = in.left;
	const uint8_t *head = span_take(&in, 10), *end;
	unsigned flags = head ? head[3] : 0;

	if (flags & 0x04)
		(void)span_take(&in, span_le(&in, 2));
	for (unsigned text = 0x08; text <= 0x10; text <<= 1) {
		if (!(flags & text) || in.bad)
			continue;
		end = in.left ? memchr(in.at, 0, in.left) : NULL;
		(void)span_take(&in, end ? (uint64_t)(end - in.at) + 1 : in.left);
	}
	return in.bad ? len : len - in.left;
}

/* Names and comments, however long, do not come out with what is packed. `known`: so much of the
 * front is searched by whoever has the whole. */
static enum un_err
search_gzip_head(struct flow *flow, const struct span *in, size_t known)
{
	size_t len = gzip_head_len(*in);

	return len > known ? guard_search(flow->guard, in->at, len) : UN_OK;
}

static enum un_err
run_zlib(struct flow *flow, struct span *in, int window_bits)
{
	z_stream zip = {.zalloc = zlib_alloc, .zfree = flow_free};
	bool end = false;
	enum un_err err = UN_OK;

	if (window_bits > 15)
		err = search_gzip_head(flow, in, flow->exact ? in->left : PACKED_HEAD);
	if (err)
		return err;
	if (inflateInit2(&zip, window_bits) != Z_OK)
		return UN_ERR_NO_MEMORY;
	err = inflate_one(flow, in, &zip, &end);
	while (!err && end && window_bits > 15 && in->left > 2 && in->at[0] == 0x1f &&
	       in->at[1] == 0x8b && inflateReset(&zip) == Z_OK && !flow->why) {
		/* each member has a name and a comment of its own */
		err = search_gzip_head(flow, in, 0);
		if (!err)
			err = inflate_one(flow, in, &zip, &end);
	}
	(void)inflateEnd(&zip);
	return err;
}

bool
zlib_begins(const uint8_t *bytes, size_t len)
{
	z_stream zip = {.zalloc = zlib_alloc, .zfree = flow_free};
	uint8_t out[512];
	int state;

	if (len < 8 || (bytes[0] & 0x8f) != 0x08 || (bytes[1] & 0x20) ||
	    (bytes[0] << 8 | bytes[1]) % 31 != 0 || inflateInit2(&zip, 15) != Z_OK)
		return false;
	zip.next_in = (uint8_t *)(uintptr_t)bytes;
	zip.avail_in = len < 256 ? (unsigned)len : 256;
	zip.next_out = out;
	zip.avail_out = sizeof out;
	state = inflate(&zip, Z_SYNC_FLUSH);
	(void)inflateEnd(&zip);
	explicit_bzero(out, sizeof out);
	return state == Z_STREAM_END || (state == Z_OK && zip.avail_out < sizeof out) ||
	       (state == Z_BUF_ERROR && len > 256);
}

static enum un_err
run_zstd(struct flow *flow, struct span *in)
{
	ZSTD_customMem memory = {.customAlloc = flow_alloc, .customFree = flow_free};
	ZSTD_DCtx *zstd = ZSTD_createDCtx_advanced(memory);
	size_t state = 1;
	enum un_err err = UN_OK;

	if (!zstd)
		return UN_ERR_NO_MEMORY;
	/* 8 MiB is what decoders must support; 128 MiB is what `zstd --long` makes */
	(void)ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, 27);
	while (!err && !flow->why) {
		ZSTD_inBuffer from = {.src = in->at, .size = in->left};
		ZSTD_outBuffer to = {0};
		size_t room;

		if (state == 0 && (in->left < 4 || in->at[3] != 0xfd || in->at[0] != 0x28))
			break; /* the end of a frame, and no other comes */
		err = flow_room(flow, FLOW_STEP, &room);
		if (err || flow->why)
			break;
		to.dst = flow->held.bytes + flow->held.len;
		to.size = room;
		state = ZSTD_decompressStream(zstd, &to, &from);
		if (ZSTD_isError(state))
			flow->why = "is damaged, or needs a dictionary";
		else if (state && to.pos == 0 && from.pos == 0)
			flow->why = in->left || !room ? "is damaged" : "is cut off";
		(void)span_take(in, from.pos);
		flow_added(flow, to.pos);
	}
	(void)ZSTD_freeDCtx(zstd);
	return err;
}

/* One block, behind what came before it. */
static enum un_err
lz4_block(struct flow *flow, const uint8_t *bytes, size_t len, bool stored, size_t most)
{
	size_t room, back;
	int got;
	enum un_err err = flow_room(flow, most, &room);

	if (err || flow->why)
		return err;
	if (room > most)
		room = most;
	if (stored) {
		if (len > room) {
			flow->why = "is damaged";
			return UN_OK;
		}
		memcpy(flow->held.bytes + flow->held.len, bytes, len);
		flow_added(flow, len);
		return UN_OK;
	}
	back = flow->held.len < LZ4_BACK ? flow->held.len : LZ4_BACK;
	got = LZ4_decompress_safe_usingDict(
		(const char *)bytes, (char *)flow->held.bytes + flow->held.len, (int)len, (int)room,
		(const char *)flow->held.bytes + flow->held.len - back, (int)back);
	if (got < 0)
		flow->why = "is damaged";
	else
		flow_added(flow, (size_t)got);
	return UN_OK;
}

/*      4  mark
 *      1  flags: version 01, 0x10 checksum a block, 0x08 size, 0x04 checksum, 0x01 dictionary
 *      1  greatest size of a block
 *     +8  size of all, +4 number of the dictionary, +1 checksum
 *     then blocks: 4 size (0x80000000: stored), bytes, +4 checksum; a size of 0 ends them     */
static enum un_err
run_lz4_frame(struct flow *flow, struct span *in)
{
	enum un_err err = UN_OK;

	while (!err && !flow->why && in->left >= 7 && in->at[0] == 0x04 && in->at[1] == 0x22 &&
	       in->at[2] == 0x4d && in->at[3] == 0x18) {
		unsigned flags, power;

		(void)span_le(in, 4);
		flags = span_byte(in);
		power = span_byte(in) >> 4 & 7;
		(void)span_take(in, (flags & 8 ? 8u : 0u) + (flags & 1 ? 4u : 0u) + 1);
		if (flags >> 6 != 1 || power < 4 || flags & 1) {
			flow->why = "is damaged, or needs a dictionary";
			break;
		}
		while (!err && !flow->why && !in->bad) {
			uint32_t size = (uint32_t)span_le(in, 4);
			const uint8_t *bytes;

			if (in->bad || size == 0)
				break;
			bytes = span_take(in, size & 0x7fffffffu);
			(void)span_take(in, flags & 0x10 ? 4 : 0);
			if (bytes && (size & 0x7fffffffu) <= 8u << 20)
				err = lz4_block(flow, bytes, size & 0x7fffffffu, size >> 31,
				                (size_t)1 << (8 + 2 * power));
			else
				flow->why = "is damaged";
		}
		(void)span_take(in, flags & 4 ? 4 : 0);
		if (in->bad && !flow->why)
			flow->why = "is cut off";
	}
	return err;
}

static enum un_err
run(struct flow *flow, enum codec codec, struct span *in)
{
	switch (codec) {
	case CODEC_GZIP:
		return run_zlib(flow, in, flow->exact ? 15 + 32 : 15 + 16);
	case CODEC_ZLIB:
		return run_zlib(flow, in, 15);
	case CODEC_DEFLATE:
		return run_zlib(flow, in, -15);
	case CODEC_ZSTD:
		return run_zstd(flow, in);
	case CODEC_LZ4_FRAME:
		return run_lz4_frame(flow, in);
	case CODEC_XZ:
		return flow_xz(flow, in);
	case CODEC_LZMA:
		return flow_lzma(flow, in);
	case CODEC_BZIP2:
		return flow_bzip2(flow, in);
	case CODEC_BROTLI:
		return flow_brotli(flow, in);
	case CODEC_LZ4_BLOCK:
		return in->left <= INT32_MAX ? lz4_block(flow, in->at, in->left, false, flow->max)
		                             : UN_OK;
	case CODEC_SNAPPY:
		if (snappy_unpack(in->at, in->left, flow->held.bytes, flow->max))
			flow_added(flow, flow->max);
		break;
	}
	return UN_OK;
}

enum un_err
guard_unpack(struct guard *guard, enum codec codec, bool inside, const uint8_t *bytes, size_t len)
{
	struct flow flow = {.guard = guard, .max = GUARD_HELD_MAX};
	struct span in = span_of(bytes, len);
	size_t least = guard->overlap + (8u << 20); /* a block of LZ4 and what it looks back at */
	bool searched = guard->searched;
	enum un_err err;

	if (flow.max > guard->held_left)
		flow.max = guard->held_left;
	if (flow.max < least)
		flow.max = least;
	err = run(&flow, codec, &in);
	guard->searched = false;
	if (!err && (flow.spilled || !inside)) {
		err = guard_search(guard, flow.held.bytes, flow.held.len);
		if (!err && inside && flow.format != FORMAT_TEXT)
			guard_blind_here(guard, "is too large, unpacked, to look into");
	} else if (!err && flow.held.len) {
		err = guard_look(guard, flow.held.bytes, flow.held.len, true);
	}
	guard->searched = searched;
	guard_block_free(guard, &flow.held);
	if (!err && flow.why)
		guard_blind_here(guard, flow.why);
	if (!err && inside && !flow.why && in.left)
		err = guard_part(guard, in.at, in.left, true);
	if (!err && !flow.why)
		guard_cover(guard, bytes, len - in.left, PACKED_HEAD);
	return err;
}

static enum un_err
unpack_to(struct guard *guard, enum codec codec, struct span in, uint64_t size, bool less,
          struct block *ret_block)
{
	struct flow flow = {.guard = guard, .max = (size_t)size, .exact = true};
	const uint8_t *bytes = in.at;
	size_t len = in.left;
	enum un_err err = UN_OK;

	*ret_block = (struct block){0};
	if (size == 0)
		return UN_OK;
	if (size > GUARD_HELD_MAX || size > guard->held_left) {
		guard_blind_here(guard, "has a part that unpacks to more than can be held here");
		return UN_OK;
	}
	err = resize(&flow, (size_t)size);
	if (!err)
		err = run(&flow, codec, &in);
	if (err || flow.why || (!less && flow.held.len != size)) {
		guard_block_free(guard, &flow.held);
		if (!err)
			guard_blind_here(guard, flow.why ? flow.why : "is damaged");
		return err;
	}
	*ret_block = flow.held;
	if (codec == CODEC_LZ4_BLOCK || codec == CODEC_SNAPPY)
		in.left = 0; /* what is left over makes them malformed */
	/* Zstandard may begin with a frame that is skipped */
	if (codec != CODEC_ZSTD || text_equal(bytes, "\x28\xb5\x2f\xfd", len < 4 ? 0 : 4))
		guard_cover(guard, bytes, len - in.left, BLOCK_HEAD);
	return UN_OK;
}

enum un_err
guard_unpack_block(struct guard *guard, enum codec codec, const uint8_t *bytes, size_t len,
                   uint64_t size, struct block *ret_block)
{
	return unpack_to(guard, codec, span_of(bytes, len), size, false, ret_block);
}

enum un_err
guard_unpack_within(struct guard *guard, enum codec codec, const uint8_t *bytes, size_t len,
                    uint64_t most, struct block *ret_block)
{
	return unpack_to(guard, codec, span_of(bytes, len), most, true, ret_block);
}
