#include "launch/nesting.h"

struct cursor {
	const uint8_t *at;
	const uint8_t *end;
};

static bool
take_varint(struct cursor *in, uint64_t *ret_number)
{
	uint64_t number = 0;

	for (unsigned shift = 0; shift < 70 && in->at < in->end; shift += 7) {
		uint8_t byte = *in->at++;

		if (shift < 64)
			number |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret_number = number;
			return true;
		}
	}
	return false;
}

static bool
skip(struct cursor *in, uint64_t len)
{
	if (len > (uint64_t)(in->end - in->at))
		return false;
	in->at += len;
	return true;
}

/* The bytes of one field; a message among them is looked into. */
static bool
take_field(const ProtobufCMessageDescriptor *type, struct cursor *in, uint64_t tag, unsigned depth)
{
	const ProtobufCFieldDescriptor *field;
	const uint8_t *start;
	uint64_t len;

	switch (tag & 7) {
	case 0:
		return take_varint(in, &len);
	case 1:
		return skip(in, 8);
	case 5:
		return skip(in, 4);
	case 2:
		break;
	default:
		return false;
	}
	if (!take_varint(in, &len))
		return false;
	start = in->at;
	if (!skip(in, len))
		return false;
	field = tag >> 3 <= UINT32_MAX
	                ? protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3))
	                : NULL;
	if (!field || field->type != PROTOBUF_C_TYPE_MESSAGE)
		return true;
	return nesting_is_fine(field->descriptor, start, (size_t)len, depth);
}

bool
nesting_is_fine(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len,
                unsigned depth)
{
	struct cursor in = {.at = bytes, .end = bytes + len};
	uint64_t tag;

	if (depth == 0)
		return false;
	while (in.at < in.end)
		if (!take_varint(&in, &tag) || !take_field(type, &in, tag, depth - 1))
			return false;
	return true;
}
