/* zip.c - the members of a zip archive, by its directory; also of npz, wheels, torch files. */
#include "guard/inside.h"
#include "guard/span.h"
#include "guard/unpack.h"

#include "base/text.h"

#define END_LEN 22u
#define COMMENT_MAX 65535u
#define LOCATOR_LEN 20u
#define ENTRY_LEN 46u
#define LOCAL_LEN 30u
#define DESCRIPTOR_MAX 24u

enum method {
	METHOD_STORED = 0,
	METHOD_DEFLATE = 8,
	METHOD_BZIP2 = 12,
	METHOD_LZMA = 14,
	METHOD_ZSTD = 93,
	METHOD_XZ = 95,
};

struct directory {
	uint64_t offset;
	uint64_t len;
	uint64_t count;
};

struct entry {
	uint16_t flags;
	uint16_t method;
	uint64_t packed;
	uint64_t unpacked;
	uint64_t offset;
	const uint8_t *name;
	uint16_t name_len;
};

static bool
is_mark(const uint8_t *at, uint8_t third, uint8_t fourth)
{
	return at[0] == 'P' && at[1] == 'K' && at[2] == third && at[3] == fourth;
}

/* The record at the end, in front of a comment of any length. */
static const uint8_t *
find_end(const uint8_t *bytes, size_t len)
{
	size_t first = len > END_LEN + COMMENT_MAX ? len - END_LEN - COMMENT_MAX : 0;

	if (len < END_LEN)
		return NULL;
	for (size_t at = len - END_LEN + 1; at-- > first;)
		if (is_mark(bytes + at, 5, 6))
			return bytes + at;
	return NULL;
}

static bool
read_end(const uint8_t *bytes, size_t len, struct directory *ret_directory)
{
	const uint8_t *end = find_end(bytes, len), *large;
	struct span in;
	uint64_t offset;

	if (!end)
		return false;
	in = span_of(end + 10, END_LEN - 10);
	ret_directory->count = span_le(&in, 2);
	ret_directory->len = span_le(&in, 4);
	ret_directory->offset = span_le(&in, 4);
	if ((size_t)(end - bytes) < LOCATOR_LEN || !is_mark(end - LOCATOR_LEN, 6, 7))
		return true;
	in = span_of(end - LOCATOR_LEN + 8, 8);
	offset = span_le(&in, 8);
	large = span_within(bytes, len, offset, 56);
	if (!large || !is_mark(large, 6, 6))
		return false;
	in = span_of(large + 32, 24);
	ret_directory->count = span_le(&in, 8);
	ret_directory->len = span_le(&in, 8);
	ret_directory->offset = span_le(&in, 8);
	return true;
}

/* Field 1 of the extra fields: what did not fit into 32 bits, in this order. */
static void
read_extra(struct entry *entry, const uint8_t *extra, size_t len)
{
	struct span in = span_of(extra, len);

	while (in.left >= 4) {
		uint16_t id = (uint16_t)span_le(&in, 2);
		size_t size = (size_t)span_le(&in, 2);
		const uint8_t *data = span_take(&in, size);
		struct span field;

		if (!data || id != 1)
			continue;
		field = span_of(data, size);
		if (entry->unpacked == UINT32_MAX)
			entry->unpacked = span_le(&field, 8);
		if (entry->packed == UINT32_MAX)
			entry->packed = span_le(&field, 8);
		if (entry->offset == UINT32_MAX)
			entry->offset = span_le(&field, 8);
	}
}

static bool
read_entry(struct span *in, struct entry *ret_entry)
{
	const uint8_t *head = span_take(in, ENTRY_LEN), *extra;
	struct span fields;
	uint16_t extra_len, comment_len;

	if (!head || !is_mark(head, 1, 2))
		return false;
	fields = span_of(head + 8, ENTRY_LEN - 8);
	ret_entry->flags = (uint16_t)span_le(&fields, 2);
	ret_entry->method = (uint16_t)span_le(&fields, 2);
	(void)span_le(&fields, 8); /* time, date, checksum */
	ret_entry->packed = span_le(&fields, 4);
	ret_entry->unpacked = span_le(&fields, 4);
	ret_entry->name_len = (uint16_t)span_le(&fields, 2);
	extra_len = (uint16_t)span_le(&fields, 2);
	comment_len = (uint16_t)span_le(&fields, 2);
	(void)span_le(&fields, 8); /* disk and attributes */
	ret_entry->offset = span_le(&fields, 4);
	ret_entry->name = span_take(in, ret_entry->name_len);
	extra = span_take(in, extra_len);
	(void)span_take(in, comment_len);
	if (in->bad)
		return false;
	read_extra(ret_entry, extra, extra_len);
	return true;
}

static bool
codec_of(uint16_t method, enum codec *ret_codec)
{
	switch (method) {
	case METHOD_DEFLATE:
		*ret_codec = CODEC_DEFLATE;
		return true;
	case METHOD_BZIP2:
		*ret_codec = CODEC_BZIP2;
		return true;
	case METHOD_LZMA:
		*ret_codec = CODEC_LZMA;
		return true;
	case METHOD_ZSTD:
		*ret_codec = CODEC_ZSTD;
		return true;
	case METHOD_XZ:
		*ret_codec = CODEC_XZ;
		return true;
	default:
		return false;
	}
}

/* *ret_whole: what the member takes up in the archive, with its own header. */
static enum un_err
look_member(struct guard *guard, const uint8_t *bytes, size_t len, const struct entry *entry,
            uint64_t *ret_whole)
{
	const uint8_t *local = span_within(bytes, len, entry->offset, LOCAL_LEN), *data;
	enum codec codec = CODEC_DEFLATE;
	struct span in;
	uint64_t skip;

	if (!local || !is_mark(local, 3, 4)) {
		guard_blind_here(guard, "is damaged");
		return UN_OK;
	}
	in = span_of(local + 26, 4);
	skip = LOCAL_LEN + span_le(&in, 2);
	skip += span_le(&in, 2);
	data = span_within(bytes, len, entry->offset + skip, entry->packed);
	*ret_whole = skip + entry->packed;
	if (!data) {
		guard_blind_here(guard, "is damaged");
		return UN_OK;
	}
	if (entry->flags & (1u | 1u << 6)) {
		guard_blind_here(guard, "is encrypted");
		return UN_OK;
	}
	if (entry->method == METHOD_STORED)
		return guard_part(guard, data, (size_t)entry->packed, entry->packed > 0);
	if (codec_of(entry->method, &codec))
		return guard_unpack(guard, codec, true, data, (size_t)entry->packed);
	guard_blind_here(guard, "is packed in a way that is not known here");
	return UN_OK;
}

enum un_err
walk_zip(struct guard *guard, const uint8_t *bytes, size_t len)
{
	struct directory directory = {0};
	const uint8_t *list = NULL;
	uint64_t explained = 0, seen = 0;
	struct span in;
	enum un_err err = UN_OK;

	if (read_end(bytes, len, &directory))
		list = span_within(bytes, len, directory.offset, directory.len);
	if (!list) {
		guard_blind_here(guard, "is cut off or damaged");
		return UN_OK;
	}
	in = span_of(list, (size_t)directory.len);
	for (; !err && in.left && !guard_step(guard); seen++) {
		struct entry entry = {0};
		uint64_t whole = 0;
		size_t mark;

		if (!read_entry(&in, &entry))
			break;
		mark = guard_enter_name(guard, "/", entry.name, entry.name_len, "");
		err = look_member(guard, bytes, len, &entry, &whole);
		guard_leave(guard, mark);
		explained += whole + DESCRIPTOR_MAX;
	}
	/* Members may lie in the archive that its directory does not tell of. */
	if (!err && !guard->over && (in.left || seen < directory.count))
		guard_blind_here(guard, "has a damaged directory");
	else if (!err && !guard->over && directory.offset > explained)
		guard_blind_here(guard, "has something between its members");
	return err;
}
