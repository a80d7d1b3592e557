#include "guard/thrift.h"

#define NESTING_MAX 24

bool
thrift_next(struct span *in, struct thrift_field *field)
{
	uint8_t head = span_byte(in);

	if (in->bad || head == THRIFT_STOP)
		return false;
	field->type = (enum thrift_type)(head & 0x0f);
	if (head >> 4)
		field->id += head >> 4;
	else
		field->id = (int)(int16_t)span_zigzag(in);
	return !in->bad;
}

static void
fail(struct span *in)
{
	in->bad = true;
	in->left = 0;
}

static uint32_t
read_list(struct span *in, enum thrift_type *ret_of)
{
	uint8_t head = span_byte(in);
	uint64_t count = head >> 4;

	*ret_of = (enum thrift_type)(head & 0x0f);
	if (count == 15)
		count = span_varint(in);
	if (count > in->left) /* each part has a byte at least */
		fail(in);
	return in->bad ? 0 : (uint32_t)count;
}

static void
skip(struct span *in, enum thrift_type type, bool in_list, unsigned nesting)
{
	struct thrift_field field = {0};
	enum thrift_type of = THRIFT_STOP, key;
	uint64_t count;
	uint8_t both;

	if (nesting > NESTING_MAX) {
		fail(in);
		return;
	}
	switch (type) {
	case THRIFT_TRUE:
	case THRIFT_FALSE:
		if (in_list)
			(void)span_byte(in);
		break;
	case THRIFT_BYTE:
		(void)span_byte(in);
		break;
	case THRIFT_I16:
	case THRIFT_I32:
	case THRIFT_I64:
		(void)span_varint(in);
		break;
	case THRIFT_DOUBLE:
		(void)span_take(in, 8);
		break;
	case THRIFT_BINARY:
		(void)span_take(in, span_varint(in));
		break;
	case THRIFT_LIST:
	case THRIFT_SET:
		for (uint32_t left = read_list(in, &of); left && !in->bad; left--)
			skip(in, of, true, nesting + 1);
		break;
	case THRIFT_MAP:
		count = span_varint(in);
		both = count ? span_byte(in) : 0;
		key = (enum thrift_type)(both >> 4);
		if (count > in->left)
			fail(in);
		for (; count && !in->bad; count--) {
			skip(in, key, true, nesting + 1);
			skip(in, (enum thrift_type)(both & 0x0f), true, nesting + 1);
		}
		break;
	case THRIFT_STRUCT:
		while (thrift_next(in, &field))
			skip(in, field.type, false, nesting + 1);
		break;
	default:
		fail(in);
	}
}

void
thrift_skip(struct span *in, enum thrift_type type)
{
	skip(in, type, false, 0);
}

int64_t
thrift_number(struct span *in, enum thrift_type type)
{
	if (type >= THRIFT_I16 && type <= THRIFT_I64)
		return span_zigzag(in);
	if (type == THRIFT_BYTE)
		return (int8_t)span_byte(in);
	if (type == THRIFT_TRUE || type == THRIFT_FALSE)
		return type == THRIFT_TRUE;
	thrift_skip(in, type);
	return 0;
}

const uint8_t *
thrift_binary(struct span *in, enum thrift_type type, size_t *ret_len)
{
	const uint8_t *bytes;
	uint64_t len;

	*ret_len = 0;
	if (type != THRIFT_BINARY) {
		thrift_skip(in, type);
		return NULL;
	}
	len = span_varint(in);
	bytes = span_take(in, len);
	*ret_len = bytes ? (size_t)len : 0;
	return bytes;
}

uint32_t
thrift_list(struct span *in, enum thrift_type type, enum thrift_type of)
{
	struct span before = *in;
	enum thrift_type found;
	uint32_t count;

	if (type == THRIFT_LIST) {
		count = read_list(in, &found);
		if (found == of || count == 0)
			return count;
		*in = before;
	}
	thrift_skip(in, type);
	return 0;
}
