/* arrow.c - the columns of Arrow IPC: a stream of messages, or a file, which is one between marks.
 *
 *      4  0xffffffff (not in the oldest format)
 *      4  length of the metadata; 0 ends the stream
 *         metadata: a FlatBuffers Message, padded
 *         body: the buffers of the columns, one behind the other
 *
 * What is not compressed lies there as it is, and is searched with the file. */
#include "guard/flat.h"
#include "guard/inside.h"
#include "guard/unpack.h"

#include "base/alloc.h"
#include "base/text.h"

#include <string.h>

#define COLUMNS_MAX 65536
#define NESTING_MAX 32
#define METADATA_MAX (64u << 20)

enum header {
	HEADER_SCHEMA = 1,
	HEADER_DICTIONARY = 2,
	HEADER_BATCH = 3,
};

enum type {
	TYPE_NULL = 1,
	TYPE_BINARY = 4,
	TYPE_UTF8 = 5,
	TYPE_LIST = 12,
	TYPE_STRUCT = 13,
	TYPE_UNION = 14,
	TYPE_FIXED_LIST = 16,
	TYPE_MAP = 17,
	TYPE_LARGE_BINARY = 19,
	TYPE_LARGE_UTF8 = 20,
	TYPE_RUN_ENDS = 22,
	TYPE_BINARY_VIEW = 23,
	TYPE_UTF8_VIEW = 24,
	TYPE_LIST_VIEW = 25,
	TYPE_LARGE_LIST_VIEW = 26,
};

enum compression {
	COMPRESSION_LZ4 = 0,
	COMPRESSION_ZSTD = 1,
};

/* One field with its buffers; children come behind their parent. */
struct column {
	const uint8_t *name; /* of the field at the top; lent by the input */
	size_t name_len;
	uint8_t buffers;
	bool views; /* and as many more as the batch says */
	bool top;
	uint64_t dictionary; /* number, where has_dictionary */
	bool has_dictionary;
};

struct arrow {
	struct guard *guard;
	struct column *columns;
	size_t count;
	size_t room;
};

static uint8_t
buffers_of(struct flat_table field, enum type type)
{
	switch (type) {
	case TYPE_NULL:
	case TYPE_RUN_ENDS:
		return 0;
	case TYPE_STRUCT:
	case TYPE_FIXED_LIST:
		return 1;
	case TYPE_UNION: /* mode 1 is dense */
		return flat_number(flat_child(field, 3), 0, 2) == 1 ? 2 : 1;
	case TYPE_BINARY:
	case TYPE_UTF8:
	case TYPE_LARGE_BINARY:
	case TYPE_LARGE_UTF8:
	case TYPE_LIST_VIEW:
	case TYPE_LARGE_LIST_VIEW:
		return 3;
	default:
		return 2;
	}
}

static enum un_err
add_column(struct arrow *arrow, const struct column *column)
{
	struct column *larger;
	size_t room = arrow->room ? arrow->room * 2 : 16;

	if (arrow->count == arrow->room) {
		larger = mem_realloc(arrow->columns, room * sizeof *larger);
		if (!larger)
			return UN_ERR_NO_MEMORY;
		arrow->columns = larger;
		arrow->room = room;
	}
	arrow->columns[arrow->count++] = *column;
	return UN_OK;
}

static enum un_err
read_field(struct arrow *arrow, struct flat_table field, const struct column *parent,
           unsigned nesting)
{
	enum type type = (enum type)flat_number(field, 2, 1);
	struct flat_table dictionary = flat_child(field, 4);
	struct flat_list children = flat_list(field, 5, 4);
	struct column column = {.top = nesting == 0};
	enum un_err err;

	if (nesting > NESTING_MAX || arrow->count > COLUMNS_MAX)
		return UN_OK;
	column.name = flat_text(field, 0, &column.name_len);
	if (parent) {
		column.name = parent->name;
		column.name_len = parent->name_len;
	}
	column.buffers = dictionary.at ? 2 : buffers_of(field, type);
	column.views = !dictionary.at && (type == TYPE_BINARY_VIEW || type == TYPE_UTF8_VIEW);
	column.has_dictionary = dictionary.at != 0;
	column.dictionary = flat_number(dictionary, 0, 8);
	err = add_column(arrow, &column);
	for (uint32_t i = 0; !err && !dictionary.at && i < children.count; i++)
		err = read_field(arrow, flat_list_table(children, i), &column, nesting + 1);
	return err;
}

static enum un_err
read_schema(struct arrow *arrow, struct flat_table schema)
{
	struct flat_list fields = flat_list(schema, 1, 4);
	enum un_err err = UN_OK;

	arrow->count = 0;
	for (uint32_t i = 0; !err && i < fields.count; i++)
		err = read_field(arrow, flat_list_table(fields, i), NULL, 0);
	return err;
}

static enum un_err
look_buffer(struct guard *guard, const uint8_t *bytes, size_t len, struct flat_table compression)
{
	struct span in = span_of(bytes, len);
	int64_t unpacked;

	if (!compression.at)
		return guard->searched ? UN_OK : guard_search(guard, bytes, len);
	if (len == 0)
		return UN_OK;
	unpacked = (int64_t)span_le(&in, 8);
	if (in.bad || unpacked < -1) {
		guard_blind_here(guard, "is damaged");
		return UN_OK;
	}
	if (unpacked == -1)
		return guard->searched ? UN_OK : guard_search(guard, in.at, in.left);
	switch (flat_number(compression, 0, 1)) {
	case COMPRESSION_LZ4:
		return guard_unpack(guard, CODEC_LZ4_FRAME, false, in.at, in.left);
	case COMPRESSION_ZSTD:
		return guard_unpack(guard, CODEC_ZSTD, false, in.at, in.left);
	default:
		guard_blind_here(guard, "is compressed in a way that is not known here");
		return UN_OK;
	}
}

/* Which column the buffers of a batch belong to, one after the other. */
struct owners {
	const struct arrow *arrow;
	const struct column *only; /* a dictionary's column; NULL: all */
	size_t column;
	uint64_t left; /* buffers of it */
	bool begun;
	struct flat_list views;
	uint32_t view;
};

static const struct column *
next_owner(struct owners *owners)
{
	if (owners->only)
		return owners->only;
	while (!owners->left) {
		const struct column *column;

		if (owners->begun)
			owners->column++;
		owners->begun = true;
		if (owners->column >= owners->arrow->count)
			return NULL;
		column = &owners->arrow->columns[owners->column];
		owners->left = column->buffers;
		if (column->views)
			owners->left += flat_list_u64(owners->views, owners->view++, 0);
	}
	owners->left--;
	return &owners->arrow->columns[owners->column];
}

static enum un_err
look_batch(struct arrow *arrow, struct flat_table batch, const struct column *only,
           const uint8_t *body, size_t len)
{
	struct flat_list buffers = flat_list(batch, 2, 16);
	struct flat_table compression = flat_child(batch, 3);
	struct owners owners = {.arrow = arrow, .only = only, .views = flat_list(batch, 4, 8)};
	enum un_err err = UN_OK;

	for (uint32_t i = 0; !err && i < buffers.count && !guard_step(arrow->guard); i++) {
		const struct column *owner = next_owner(&owners);
		uint64_t from = flat_list_u64(buffers, i, 0), size = flat_list_u64(buffers, i, 8);
		const uint8_t *bytes = span_within(body, len, from, size);
		size_t mark = guard_enter(arrow->guard, "%s", "");

		if (owner)
			(void)guard_enter_name(arrow->guard, " column \"", owner->name,
			                       owner->name_len, "\"");
		if (bytes)
			err = look_buffer(arrow->guard, bytes, (size_t)size, compression);
		else
			guard_blind_here(arrow->guard, "is damaged");
		guard_leave(arrow->guard, mark);
	}
	return err;
}

static const struct column *
column_of(const struct arrow *arrow, uint64_t dictionary)
{
	for (size_t i = 0; i < arrow->count; i++)
		if (arrow->columns[i].has_dictionary && arrow->columns[i].dictionary == dictionary)
			return &arrow->columns[i];
	return NULL;
}

static enum un_err
look_message(struct arrow *arrow, struct flat_table message, const uint8_t *body, size_t len)
{
	struct flat_table header = flat_child(message, 2);

	switch (flat_number(message, 1, 1)) {
	case HEADER_SCHEMA:
		return read_schema(arrow, header);
	case HEADER_DICTIONARY: {
		/* its buffers are those of the values, which are one column's */
		const struct column *column = column_of(arrow, flat_number(header, 0, 8));
		static const struct column nobody;

		return look_batch(arrow, flat_child(header, 1), column ? column : &nobody, body,
		                  len);
	}
	case HEADER_BATCH:
		return look_batch(arrow, header, NULL, body, len);
	default:
		guard_blind_here(arrow->guard, "has a message that is not known here");
		return UN_OK;
	}
}

/* The next message. *ret_end: there is none. */
static enum un_err
step(struct arrow *arrow, struct span *in, bool *ret_end)
{
	uint32_t len = (uint32_t)span_le(in, 4);
	const uint8_t *metadata, *body;
	struct flat_table message;
	uint64_t body_len;

	if (len == UINT32_MAX)
		len = (uint32_t)span_le(in, 4);
	*ret_end = len == 0;
	if (*ret_end)
		return UN_OK;
	metadata = len <= METADATA_MAX ? span_take(in, len) : NULL;
	if (metadata) {
		message = flat_root(metadata, len);
		body_len = flat_number(message, 3, 8);
		body = span_take(in, body_len);
		if (body)
			return look_message(arrow, message, body, (size_t)body_len);
	}
	*ret_end = true;
	guard_blind_here(arrow->guard, "is cut off or damaged");
	return UN_OK;
}

enum un_err
walk_arrow(struct guard *guard, const uint8_t *bytes, size_t len)
{
	struct arrow arrow = {.guard = guard};
	struct span in = span_of(bytes, len);
	bool end = false;
	enum un_err err = UN_OK;

	if (len >= 8 && text_equal(bytes, "ARROW1", 6))
		(void)span_take(&in, 8);
	while (!err && !end && in.left && !guard_step(guard))
		err = step(&arrow, &in, &end);
	mem_free(arrow.columns);
	return err;
}
