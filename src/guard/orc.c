/* orc.c - the stripes of an ORC file.
 *
 *   "ORC", stripes, metadata, footer, postscript, its length in a byte
 *   all but the postscript is chunks, if it is packed: 3 bytes (length << 1 | stored), bytes
 *
 * Streams of a stripe lie one behind the other, each of whole chunks: so a stripe is read as one
 * row of chunks, whatever is in them. */
#include "guard/inside.h"
#include "guard/span.h"
#include "guard/unpack.h"

#define HEAD_LEN 3u
#define CHUNK_MAX (8u << 20) /* bytes unpacked */
#define GATHER (1u << 20)    /* bytes put together before they are searched */
#define FOOTER_MAX (16u << 20)

struct orc {
	struct guard *guard;
	const uint8_t *bytes;
	size_t len;
	bool packed;
	enum codec codec;
	uint64_t chunk; /* bytes unpacked, at most */
	uint64_t footer_len;
	uint64_t metadata_len;
};

/* ---- protobuf, as far as it is needed ---- */

/* The next field: *ret_number for numbers, *ret_bytes for bytes. 0: the end. */
static uint64_t
next_field(struct span *in, uint64_t *ret_number, struct span *ret_bytes)
{
	uint64_t tag = in->left ? span_varint(in) : 0;
	const uint8_t *bytes;

	*ret_number = 0;
	*ret_bytes = span_of(NULL, 0);
	switch (tag & 7) {
	case 0:
		*ret_number = tag ? span_varint(in) : 0;
		break;
	case 1:
		(void)span_take(in, 8);
		break;
	case 2:
		*ret_number = span_varint(in);
		bytes = span_take(in, *ret_number);
		if (bytes)
			*ret_bytes = span_of(bytes, (size_t)*ret_number);
		break;
	case 5:
		(void)span_take(in, 4);
		break;
	default:
		in->bad = true;
	}
	return in->bad ? 0 : tag >> 3;
}

/* False: packed in a way that is not known. */
static bool
set_codec(struct orc *orc, uint64_t number)
{
	static const enum codec codecs[] = {CODEC_DEFLATE, CODEC_SNAPPY, CODEC_SNAPPY,
	                                    CODEC_LZ4_BLOCK, CODEC_ZSTD};

	orc->packed = number != 0;
	if (!number)
		return true;
	if (number == 3 || number > 5) /* 3: LZO */
		return false;
	orc->codec = codecs[number - 1];
	return true;
}

static bool
read_postscript(struct orc *orc, struct span in)
{
	uint64_t id, number;
	struct span bytes;
	bool known = true;

	orc->chunk = 256u << 10;
	while ((id = next_field(&in, &number, &bytes)) != 0) {
		if (id == 1)
			orc->footer_len = number;
		else if (id == 2)
			known = set_codec(orc, number);
		else if (id == 3)
			orc->chunk = number < CHUNK_MAX ? number : CHUNK_MAX;
		else if (id == 5)
			orc->metadata_len = number;
	}
	return known;
}

/* ---- chunks ---- */

static enum un_err
add_chunk(struct orc *orc, struct buf *out, const uint8_t *bytes, size_t len)
{
	uint64_t most = orc->chunk;
	struct span in = span_of(bytes, len);
	struct block block;
	enum un_err err;

	if (orc->codec == CODEC_SNAPPY)
		most = span_varint(&in);
	if (in.bad || most > CHUNK_MAX) {
		guard_blind_here(orc->guard, "is damaged");
		return UN_OK;
	}
	err = guard_unpack_within(orc->guard, orc->codec, bytes, len, most, &block);
	if (!err && block.bytes)
		err = buf_append(out, block.bytes, block.len);
	guard_block_free(orc->guard, &block);
	return err;
}

/* One behind the other; of what was searched, only the end is kept in `out`. `keep`: all of it. */
static enum un_err
unpack_chunks(struct orc *orc, struct span in, bool keep, struct buf *out)
{
	struct guard *guard = orc->guard;
	enum un_err err = UN_OK;

	while (!err && in.left && !guard_step(guard)) {
		uint64_t head = span_le(&in, HEAD_LEN);
		size_t len = (size_t)(head >> 1);
		const uint8_t *bytes = span_take(&in, len);

		if (!bytes || len > CHUNK_MAX) {
			guard_blind_here(guard, "is damaged");
			break;
		}
		err = head & 1 ? buf_append(out, bytes, len) : add_chunk(orc, out, bytes, len);
		if (err || keep || out->len < GATHER + guard->overlap)
			continue;
		err = guard_search(guard, out->data, out->len);
		buf_drop_front(out, out->len - guard->overlap);
	}
	if (!err && out->len)
		err = guard_search(guard, out->data, out->len);
	if (err != UN_ERR_TOO_LARGE)
		return err;
	guard_blind_here(guard, "has a part that unpacks to more than can be held here");
	return UN_OK;
}

static enum un_err
look_region(struct orc *orc, uint64_t from, uint64_t len)
{
	const uint8_t *bytes = span_within(orc->bytes, orc->len, from, len);
	struct buf out;
	enum un_err err;

	if (!bytes) {
		guard_blind_here(orc->guard, "is damaged");
		return UN_OK;
	}
	buf_init(&out, GATHER + 2 * CHUNK_MAX + orc->guard->overlap, BUF_WIPE);
	err = unpack_chunks(orc, span_of(bytes, (size_t)len), false, &out);
	buf_fini(&out);
	return err;
}

static enum un_err
look_stripe(struct orc *orc, struct span in)
{
	uint64_t from = 0, len = 0, id, number;
	struct span bytes;

	while ((id = next_field(&in, &number, &bytes)) != 0) {
		if (id == 1)
			from = number;
		else if (id <= 4) /* index, data and footer */
			len += number < orc->len ? number : orc->len;
	}
	return look_region(orc, from, len);
}

static enum un_err
look_stripes(struct orc *orc, const struct buf *footer)
{
	struct span in = span_of(footer->data, footer->len), bytes;
	uint64_t id, number;
	size_t stripe = 0;
	enum un_err err = UN_OK;

	while (!err && !orc->guard->over && (id = next_field(&in, &number, &bytes)) != 0) {
		size_t mark;

		if (id != 3)
			continue;
		mark = guard_enter(orc->guard, " stripe %zu", ++stripe);
		err = look_stripe(orc, bytes);
		guard_leave(orc->guard, mark);
	}
	if (!err && in.bad)
		guard_blind_here(orc->guard, "is damaged");
	return err;
}

enum un_err
walk_orc(struct guard *guard, const uint8_t *bytes, size_t len)
{
	struct orc orc = {.guard = guard, .bytes = bytes};
	size_t end_len = len ? (size_t)bytes[len - 1] + 1 : 1;
	struct buf footer;
	enum un_err err = UN_OK;

	if (end_len > len || !read_postscript(&orc, span_of(bytes + len - end_len, end_len - 1))) {
		guard_blind_here(guard, "is packed in a way that is not known here");
		return UN_OK;
	}
	if (!orc.packed)
		return UN_OK;
	orc.len = len - end_len;
	if (orc.footer_len > orc.len || orc.footer_len > FOOTER_MAX ||
	    orc.metadata_len > orc.len - orc.footer_len) {
		guard_blind_here(guard, "is cut off or damaged");
		return UN_OK;
	}
	buf_init(&footer, FOOTER_MAX, BUF_WIPE);
	err = unpack_chunks(&orc, span_of(bytes + orc.len - orc.footer_len, (size_t)orc.footer_len),
	                    true, &footer);
	if (!err)
		err = look_region(&orc, orc.len - orc.footer_len - orc.metadata_len,
		                  orc.metadata_len);
	if (!err)
		err = look_stripes(&orc, &footer);
	buf_fini(&footer);
	return err;
}
