/* unpack_more.c - xz, LZMA as in a zip, bzip2 and brotli, by their libraries. */
#include "guard/flow.h"

#include <brotli/decode.h>
#include <bzlib.h>
#include <lzma.h>

#define LZMA_HEAD 4u /* bytes of version and length, in front of the properties */
#define LZMA_PROPERTIES 5u

static void *
alloc_parts(void *unused, size_t count, size_t len)
{
	(void)unused;
	return len && count > SIZE_MAX / len ? NULL : flow_alloc(NULL, count * len);
}

static void *
alloc_ints(void *unused, int count, int len)
{
	return count < 0 || len < 0 ? NULL : alloc_parts(unused, (size_t)count, (size_t)len);
}

/* ---- xz and LZMA ---- */

static enum un_err
run_lzma(struct flow *flow, struct span *in, lzma_stream *lzma)
{
	lzma_ret state = LZMA_OK;
	enum un_err err = UN_OK;

	while (!err && !flow->why && state == LZMA_OK) {
		size_t room, before = in->left;

		err = flow_room(flow, FLOW_STEP, &room);
		if (err || flow->why)
			break;
		lzma->next_in = in->at;
		lzma->avail_in = before;
		lzma->next_out = flow->held.bytes + flow->held.len;
		lzma->avail_out = room;
		state = lzma_code(lzma, LZMA_FINISH);
		(void)span_take(in, before - lzma->avail_in);
		flow_added(flow, room - lzma->avail_out);
	}
	if (state == LZMA_MEM_ERROR)
		return UN_ERR_NO_MEMORY;
	if (!err && !flow->why && state != LZMA_STREAM_END)
		flow->why = state == LZMA_MEMLIMIT_ERROR ? "needs too large a window"
		            : state == LZMA_BUF_ERROR    ? "is cut off"
		                                         : "is damaged";
	return err;
}

enum un_err
flow_xz(struct flow *flow, struct span *in)
{
	lzma_allocator allocator = {.alloc = alloc_parts, .free = flow_free};
	lzma_stream lzma = LZMA_STREAM_INIT;
	enum un_err err;

	lzma.allocator = &allocator;
	if (lzma_stream_decoder(&lzma, FLOW_WINDOW_MAX, LZMA_CONCATENATED) != LZMA_OK)
		return UN_ERR_NO_MEMORY;
	err = run_lzma(flow, in, &lzma);
	lzma_end(&lzma);
	return err;
}

/* 2 bytes version, 2 length of what comes: 1 byte properties, 4 size of the window; then the
 * stream, which may know its end or not. */
enum un_err
flow_lzma(struct flow *flow, struct span *in)
{
	lzma_allocator allocator = {.alloc = alloc_parts, .free = flow_free};
	lzma_filter filters[2] = {{.id = LZMA_FILTER_LZMA1}, {.id = LZMA_VLI_UNKNOWN}};
	lzma_stream lzma = LZMA_STREAM_INIT;
	const uint8_t *head = span_take(in, LZMA_HEAD),
		      *properties = span_take(in, LZMA_PROPERTIES);
	lzma_ret state = LZMA_DATA_ERROR;
	enum un_err err = UN_OK;

	if (!head || !properties || head[2] != LZMA_PROPERTIES || head[3] ||
	    lzma_properties_decode(&filters[0], &allocator, properties, LZMA_PROPERTIES) !=
	            LZMA_OK) {
		flow->why = "is damaged";
		return UN_OK;
	}
	lzma.allocator = &allocator;
	if (lzma_raw_decoder_memusage(filters) <= FLOW_WINDOW_MAX)
		state = lzma_raw_decoder(&lzma, filters);
	else
		flow->why = "needs too large a window";
	flow_free(NULL, filters[0].options);
	if (state == LZMA_OK)
		err = run_lzma(flow, in, &lzma);
	else if (state == LZMA_MEM_ERROR)
		err = UN_ERR_NO_MEMORY;
	else if (!flow->why)
		flow->why = "is damaged";
	lzma_end(&lzma);
	/* without an end of its own it goes on until there is no more */
	if (!err && flow->why && !in->left && flow->held.len)
		flow->why = NULL;
	return err;
}

/* ---- bzip2 ---- */

static enum un_err
run_bzip2(struct flow *flow, struct span *in, bz_stream *bzip2, bool *ret_end)
{
	int state = BZ_OK;
	enum un_err err = UN_OK;

	while (!err && !flow->why && state == BZ_OK) {
		size_t room, piece = in->left < (1u << 30) ? in->left : 1u << 30, got;

		err = flow_room(flow, FLOW_STEP, &room);
		if (err || flow->why)
			break;
		bzip2->next_in = (char *)(uintptr_t)in->at; /* only read */
		bzip2->avail_in = (unsigned)piece;
		bzip2->next_out = (char *)flow->held.bytes + flow->held.len;
		bzip2->avail_out = (unsigned)(room < (1u << 30) ? room : 1u << 30);
		got = bzip2->avail_out;
		state = BZ2_bzDecompress(bzip2);
		(void)span_take(in, piece - bzip2->avail_in);
		got -= bzip2->avail_out;
		flow_added(flow, got);
		if (state == BZ_OK && !got && (!in->left || piece == bzip2->avail_in))
			flow->why = in->left ? "is damaged" : "is cut off";
	}
	if (state == BZ_MEM_ERROR)
		return UN_ERR_NO_MEMORY;
	*ret_end = state == BZ_STREAM_END;
	if (!err && !flow->why && !*ret_end)
		flow->why = "is damaged";
	return err;
}

enum un_err
flow_bzip2(struct flow *flow, struct span *in)
{
	bool end = true;
	enum un_err err = UN_OK;

	do {
		bz_stream bzip2 = {.bzalloc = alloc_ints, .bzfree = flow_free};

		if (BZ2_bzDecompressInit(&bzip2, 0, 0) != BZ_OK)
			return UN_ERR_NO_MEMORY;
		err = run_bzip2(flow, in, &bzip2, &end);
		(void)BZ2_bzDecompressEnd(&bzip2);
	} while (!err && !flow->why && end && in->left > 4 && in->at[0] == 'B' &&
	         in->at[1] == 'Z' && in->at[2] == 'h');
	return err;
}

/* ---- brotli ---- */

enum un_err
flow_brotli(struct flow *flow, struct span *in)
{
	BrotliDecoderState *brotli = BrotliDecoderCreateInstance(flow_alloc, flow_free, NULL);
	BrotliDecoderResult state = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
	enum un_err err = UN_OK;

	if (!brotli)
		return UN_ERR_NO_MEMORY;
	while (!err && !flow->why && state == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT) {
		size_t before = in->left, left = before, room, had;
		const uint8_t *from = in->at;
		uint8_t *to;

		err = flow_room(flow, FLOW_STEP, &room);
		if (err || flow->why)
			break;
		to = flow->held.bytes + flow->held.len;
		had = room;
		state = BrotliDecoderDecompressStream(brotli, &left, &from, &room, &to, NULL);
		(void)span_take(in, before - left);
		flow_added(flow, had - room);
		if (state == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT && had == room)
			flow->why = "is damaged"; /* a block of known size is full */
	}
	if (!err && !flow->why && state != BROTLI_DECODER_RESULT_SUCCESS)
		flow->why = state == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT ? "is cut off"
		                                                            : "is damaged";
	BrotliDecoderDestroyInstance(brotli);
	return err;
}
