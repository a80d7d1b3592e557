/* parquet.c - the columns of a Parquet file: every page of every column, whatever its type.
 *
 *   "PAR1", pages, FileMetaData (Thrift), its length in 4 bytes, "PAR1"
 *   a page: PageHeader (Thrift), then compressed_page_size bytes                            */
#include "guard/parquet.h"
#include "guard/thrift.h"
#include "guard/unpack.h"

#include "base/alloc.h"
#include "base/text.h"

#include <string.h>

#define FOOTER_MAX (64u << 20)
#define LEAVES_MAX 65536
#define NESTING_MAX 64
#define NAME_MAX_LEN 128

enum physical {
	PHYSICAL_INT32 = 1,
	PHYSICAL_INT64 = 2,
	PHYSICAL_FLOAT = 4,
	PHYSICAL_DOUBLE = 5,
	PHYSICAL_FIXED = 7,
};

enum encoding {
	ENCODING_SHARED = 7, /* DELTA_BYTE_ARRAY */
	ENCODING_SPLIT = 9,  /* BYTE_STREAM_SPLIT */
};

enum page_type {
	PAGE_DATA = 0,
	PAGE_INDEX = 1,
	PAGE_DICTIONARY = 2,
	PAGE_DATA_2 = 3,
};

struct leaf {
	uint8_t physical;
	bool optional; /* whether there are definition levels, */
	bool repeated; /* and repetition levels */
	uint32_t width;
};

struct chunk {
	int64_t codec;
	int64_t size;
	int64_t first;      /* data page */
	int64_t dictionary; /* page; 0: none */
	bool encrypted;
	bool elsewhere; /* in another file */
	char name[NAME_MAX_LEN];
	size_t name_len;
};

struct page {
	int64_t type;
	int64_t unpacked;
	int64_t packed;
	int64_t encoding;
	int64_t levels; /* bytes in front of the values that are never compressed */
	bool stored;    /* the values are not, either */
};

struct parquet {
	struct guard *guard;
	const uint8_t *bytes;
	size_t len; /* up to the footer */
	struct leaf *leaves;
	uint32_t leaf_count;
	uint32_t leaf; /* of the current chunk */
};

/* ---- the schema: elements in the order of a walk, each with the number of its children ---- */

struct level {
	uint32_t left;
	bool optional;
	bool repeated;
};

static struct leaf
read_element(struct span *in, int64_t *ret_children)
{
	struct thrift_field field = {0};
	struct leaf leaf = {0};

	*ret_children = 0;
	while (thrift_next(in, &field)) {
		if (field.id == 1)
			leaf.physical = (uint8_t)thrift_number(in, field.type);
		else if (field.id == 2)
			leaf.width = (uint32_t)thrift_number(in, field.type);
		else if (field.id == 3)
			switch (thrift_number(in, field.type)) {
			case 2:
				leaf.repeated = true;
				/* fall through */
			case 1:
				leaf.optional = true;
			}
		else if (field.id == 5)
			*ret_children = thrift_number(in, field.type);
		else
			thrift_skip(in, field.type);
	}
	return leaf;
}

static enum un_err
read_schema(struct parquet *parquet, struct span *in, enum thrift_type type)
{
	uint32_t count = thrift_list(in, type, THRIFT_STRUCT);
	struct level levels[NESTING_MAX];
	unsigned depth = 0;

	if (parquet->leaves || count > LEAVES_MAX) {
		in->bad = true;
		return UN_OK;
	}
	parquet->leaves = mem_zalloc(count ? count : 1, sizeof *parquet->leaves);
	if (!parquet->leaves)
		return UN_ERR_NO_MEMORY;
	for (uint32_t i = 0; i < count && !in->bad; i++) {
		int64_t children;
		struct leaf leaf = read_element(in, &children);

		if (i == 0) { /* the root is no column, and always there */
			leaf.optional = leaf.repeated = false;
		} else if (depth) {
			leaf.optional |= levels[depth - 1].optional;
			leaf.repeated |= levels[depth - 1].repeated;
			levels[depth - 1].left--;
		}
		if (children > 0 && depth < NESTING_MAX)
			levels[depth++] = (struct level){
				.left = children < UINT32_MAX ? (uint32_t)children : UINT32_MAX,
				.optional = leaf.optional,
				.repeated = leaf.repeated};
		else if (i)
			parquet->leaves[parquet->leaf_count++] = leaf;
		while (depth && levels[depth - 1].left == 0)
			depth--;
	}
	return UN_OK;
}

/* ---- pages ---- */

static void
read_data_header(struct span *in, struct page *page)
{
	struct thrift_field field = {0};

	while (thrift_next(in, &field)) {
		if (field.id == 2)
			page->encoding = thrift_number(in, field.type);
		else
			thrift_skip(in, field.type);
	}
}

static void
read_data_header_2(struct span *in, struct page *page)
{
	struct thrift_field field = {0};

	while (thrift_next(in, &field)) {
		if (field.id == 4)
			page->encoding = thrift_number(in, field.type);
		else if (field.id == 5 || field.id == 6)
			page->levels += (int32_t)thrift_number(in, field.type);
		else if (field.id == 7)
			page->stored = !thrift_number(in, field.type);
		else
			thrift_skip(in, field.type);
	}
}

static struct page
read_page_header(struct span *in)
{
	struct thrift_field field = {0};
	struct page page = {.type = -1};

	while (thrift_next(in, &field)) {
		if (field.id == 1)
			page.type = thrift_number(in, field.type);
		else if (field.id == 2)
			page.unpacked = thrift_number(in, field.type);
		else if (field.id == 3)
			page.packed = thrift_number(in, field.type);
		else if (field.id == 5 && field.type == THRIFT_STRUCT)
			read_data_header(in, &page);
		else if (field.id == 8 && field.type == THRIFT_STRUCT)
			read_data_header_2(in, &page);
		else
			thrift_skip(in, field.type);
	}
	return page;
}

/* A page of the first kind begins with its levels, each with a length in front. */
static void
skip_levels(const struct leaf *leaf, struct span *in)
{
	if (leaf->repeated)
		(void)span_take(in, span_le(in, 4));
	if (leaf->optional)
		(void)span_take(in, span_le(in, 4));
}

/* The values of a data page, searched as they lie, put in the order in which they are read. */
static enum un_err
look_values(struct guard *guard, const struct leaf *leaf, const struct page *page,
            const uint8_t *bytes, size_t len)
{
	struct span in = span_of(bytes, len);
	size_t width = leaf->width;

	if (page->type == PAGE_DATA)
		skip_levels(leaf, &in);
	if (page->encoding == ENCODING_SHARED)
		return parquet_shared_texts(guard, in.at, in.left);
	if (page->encoding != ENCODING_SPLIT)
		return UN_OK;
	if (leaf->physical == PHYSICAL_INT32 || leaf->physical == PHYSICAL_FLOAT)
		width = 4;
	else if (leaf->physical == PHYSICAL_INT64 || leaf->physical == PHYSICAL_DOUBLE)
		width = 8;
	else if (leaf->physical != PHYSICAL_FIXED)
		width = 0;
	return parquet_split_values(guard, in.at, in.left, width);
}

static bool
codec_of(int64_t number, enum codec *ret_codec)
{
	switch (number) {
	case 1:
		*ret_codec = CODEC_SNAPPY;
		return true;
	case 2:
		*ret_codec = CODEC_GZIP;
		return true;
	case 4:
		*ret_codec = CODEC_BROTLI;
		return true;
	case 6:
		*ret_codec = CODEC_ZSTD;
		return true;
	case 7:
		*ret_codec = CODEC_LZ4_BLOCK;
		return true;
	default:
		return false;
	}
}

static enum un_err
look_page(struct parquet *parquet, const struct chunk *chunk, const struct page *page,
          const uint8_t *bytes, size_t len)
{
	struct guard *guard = parquet->guard;
	const struct leaf none = {0}, *leaf = parquet->leaf < parquet->leaf_count
	                                              ? &parquet->leaves[parquet->leaf]
	                                              : &none;
	size_t levels = (size_t)page->levels;
	bool data = page->type == PAGE_DATA || page->type == PAGE_DATA_2;
	struct block block;
	enum codec codec = CODEC_SNAPPY;
	enum un_err err;

	if (page->levels < 0 || levels > len || page->unpacked < page->levels) {
		guard_blind_here(guard, "has a damaged page");
		return UN_OK;
	}
	if (chunk->codec == 0 || page->stored) {
		err = guard->searched ? UN_OK : guard_search(guard, bytes, len);
		return !err && data ? look_values(guard, leaf, page, bytes + levels, len - levels)
		                    : err;
	}
	if (!codec_of(chunk->codec, &codec)) {
		guard_blind_here(guard, "is compressed in a way that is not known here");
		return UN_OK;
	}
	err = guard_unpack_block(guard, codec, bytes + levels, len - levels,
	                         (uint64_t)(page->unpacked - page->levels), &block);
	if (err || !block.bytes)
		return err;
	err = guard_search(guard, block.bytes, block.len);
	if (!err && data)
		err = look_values(guard, leaf, page, block.bytes, block.len);
	guard_block_free(guard, &block);
	return err;
}

static enum un_err
look_chunk(struct parquet *parquet, const struct chunk *chunk)
{
	struct guard *guard = parquet->guard;
	int64_t first = chunk->dictionary > 0 && chunk->dictionary < chunk->first
	                        ? chunk->dictionary
	                        : chunk->first;
	const uint8_t *bytes = NULL;
	struct span in;
	enum un_err err = UN_OK;

	if (chunk->encrypted || chunk->elsewhere) {
		guard_blind_here(guard, chunk->encrypted ? "is encrypted" : "is in another file");
		return UN_OK;
	}
	if (first >= 0 && chunk->size >= 0)
		bytes = span_within(parquet->bytes, parquet->len, (uint64_t)first,
		                    (uint64_t)chunk->size);
	if (!bytes) {
		guard_blind_here(guard, "is damaged");
		return UN_OK;
	}
	in = span_of(bytes, (size_t)chunk->size);
	while (!err && in.left && !guard_step(guard)) {
		struct page page = read_page_header(&in);
		const uint8_t *body =
			page.packed >= 0 ? span_take(&in, (uint64_t)page.packed) : NULL;

		if (!body || page.type < 0) {
			guard_blind_here(guard, "has a damaged page");
			return UN_OK;
		}
		err = look_page(parquet, chunk, &page, body, (size_t)page.packed);
	}
	return err;
}

/* ---- the metadata ---- */

static void
read_path(struct span *in, enum thrift_type type, struct chunk *chunk)
{
	uint32_t count = thrift_list(in, type, THRIFT_BINARY);

	for (uint32_t i = 0; i < count && !in->bad; i++) {
		size_t len, room = sizeof chunk->name - chunk->name_len;
		const uint8_t *part = thrift_binary(in, THRIFT_BINARY, &len);

		if (!part || len + 1 > room)
			continue;
		if (i)
			chunk->name[chunk->name_len++] = '.';
		memcpy(chunk->name + chunk->name_len, part, len);
		chunk->name_len += len;
	}
}

static void
read_column_metadata(struct span *in, struct chunk *chunk)
{
	struct thrift_field field = {0};

	while (thrift_next(in, &field)) {
		if (field.id == 3)
			read_path(in, field.type, chunk);
		else if (field.id == 4)
			chunk->codec = thrift_number(in, field.type);
		else if (field.id == 7)
			chunk->size = thrift_number(in, field.type);
		else if (field.id == 9)
			chunk->first = thrift_number(in, field.type);
		else if (field.id == 11)
			chunk->dictionary = thrift_number(in, field.type);
		else
			thrift_skip(in, field.type);
	}
}

static enum un_err
read_chunk(struct parquet *parquet, struct span *in)
{
	struct thrift_field field = {0};
	struct chunk chunk = {0};
	size_t mark;
	enum un_err err;

	while (thrift_next(in, &field)) {
		if (field.id == 3 && field.type == THRIFT_STRUCT) {
			read_column_metadata(in, &chunk);
			continue;
		}
		chunk.elsewhere |= field.id == 1;
		chunk.encrypted |= field.id == 8 || field.id == 9;
		thrift_skip(in, field.type);
	}
	if (in->bad)
		return UN_OK;
	mark = guard_enter_name(parquet->guard, " column \"", chunk.name, chunk.name_len, "\"");
	err = look_chunk(parquet, &chunk);
	guard_leave(parquet->guard, mark);
	return err;
}

static enum un_err
read_row_group(struct parquet *parquet, struct span *in)
{
	struct thrift_field field = {0};
	enum un_err err = UN_OK;

	parquet->leaf = 0;
	while (!err && thrift_next(in, &field)) {
		uint32_t count;

		if (field.id != 1) {
			thrift_skip(in, field.type);
			continue;
		}
		count = thrift_list(in, field.type, THRIFT_STRUCT);
		for (; count && !err && !in->bad && !parquet->guard->over; count--) {
			err = read_chunk(parquet, in);
			parquet->leaf++;
		}
	}
	return err;
}

static enum un_err
read_footer(struct parquet *parquet, struct span *in)
{
	struct thrift_field field = {0};
	enum un_err err = UN_OK;

	while (!err && !parquet->guard->over && thrift_next(in, &field)) {
		if (field.id == 2) {
			err = read_schema(parquet, in, field.type);
		} else if (field.id == 4) {
			uint32_t count = thrift_list(in, field.type, THRIFT_STRUCT);

			for (; count && !err && !in->bad && !parquet->guard->over; count--)
				err = read_row_group(parquet, in);
		} else {
			thrift_skip(in, field.type);
		}
	}
	return err;
}

enum un_err
walk_parquet(struct guard *guard, const uint8_t *bytes, size_t len)
{
	struct parquet parquet = {.guard = guard, .bytes = bytes};
	const uint8_t *footer = NULL;
	struct span in;
	uint64_t footer_len;
	enum un_err err;

	if (len >= 12 && text_equal(bytes + len - 4, "PARE", 4)) {
		guard_blind_here(guard, "is encrypted");
		return UN_OK;
	}
	if (len >= 12 && text_equal(bytes + len - 4, "PAR1", 4)) {
		in = span_of(bytes + len - 8, 4);
		footer_len = span_le(&in, 4);
		if (footer_len <= len - 8 && footer_len <= FOOTER_MAX)
			footer = bytes + len - 8 - footer_len;
	}
	if (!footer) {
		guard_blind_here(guard, "is cut off or damaged");
		return UN_OK;
	}
	parquet.len = (size_t)(footer - bytes);
	in = span_of(footer, (size_t)footer_len);
	err = read_footer(&parquet, &in);
	mem_free(parquet.leaves);
	if (!err && in.bad)
		guard_blind_here(guard, "has damaged metadata");
	return err;
}
