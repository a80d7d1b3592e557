#include "model/wire.h"

#include "base/text.h"

#include <string.h>

struct reader {
	const uint8_t *at;
	const uint8_t *end;
};

size_t
wire_utf8_len(const uint8_t *bytes, size_t len)
{
	size_t at = 0;

	while (at < len) {
		uint64_t eight;
		size_t step;

		if (len - at >= 8) {
			memcpy(&eight, bytes + at, 8);
			if (!(eight & 0x8080808080808080u)) {
				at += 8;
				continue;
			}
		}
		step = text_utf8_len((const char *)bytes + at, len - at);
		if (!step)
			return at;
		at += step;
	}
	return len;
}

static bool
take_varint(struct reader *in, uint64_t *ret_number)
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
skip(struct reader *in, uint64_t len)
{
	if (len > (uint64_t)(in->end - in->at))
		return false;
	in->at += len;
	return true;
}

static enum un_err
refuse(const ProtobufCFieldDescriptor *field, const char *why, struct un_detail *detail)
{
	return un_fail(detail, UN_ERR_PROTOCOL, "malformed message: field '%s' %s", field->name,
	               why);
}

/* What is asked of a message. */
struct rules {
	unsigned depth; /* levels of messages that may still follow */
	bool any_text;  /* strings may hold anything */
};

static enum un_err check(const ProtobufCMessageDescriptor *type, struct reader *in,
                         struct rules rules, struct un_detail *detail);

/* The bytes of one length-delimited field. */
static enum un_err
check_bytes(const ProtobufCFieldDescriptor *field, struct reader *in, struct rules rules,
            struct un_detail *detail)
{
	size_t len = (size_t)(in->end - in->at);

	if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
		if (!rules.depth)
			return refuse(field, "nests too deep", detail);
		rules.depth--;
		return check(field->descriptor, in, rules, detail);
	}
	if (field->type != PROTOBUF_C_TYPE_STRING || !len || rules.any_text)
		return UN_OK;
	if (memchr(in->at, '\0', len))
		return refuse(field, "is text with a NUL in it", detail);
	if (wire_utf8_len(in->at, len) != len)
		return refuse(field, "is not UTF-8", detail);
	return UN_OK;
}

static const ProtobufCFieldDescriptor *
find_field(const ProtobufCMessageDescriptor *type, uint64_t number)
{
	/* fields stand in the order of their numbers, most often without gaps */
	if (number && number <= type->n_fields && type->fields[number - 1].id == number)
		return &type->fields[number - 1];
	return number <= UINT32_MAX
	               ? protobuf_c_message_descriptor_get_field(type, (unsigned)number)
	               : NULL;
}

static enum un_err
check(const ProtobufCMessageDescriptor *type, struct reader *in, struct rules rules,
      struct un_detail *detail)
{
	while (in->at < in->end) {
		const ProtobufCFieldDescriptor *field;
		uint64_t tag, len = 0;
		bool fine = take_varint(in, &tag);

		if (fine && (tag & 7) == PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) {
			struct reader inner;
			enum un_err err = UN_OK;

			fine = take_varint(in, &len) && len <= (uint64_t)(in->end - in->at);
			field = fine ? find_field(type, tag >> 3) : NULL;
			inner = (struct reader){in->at, in->at + (fine ? len : 0)};
			if (field)
				err = check_bytes(field, &inner, rules, detail);
			if (err)
				return err;
			fine = fine && skip(in, len);
		} else if (fine && (tag & 7) == PROTOBUF_C_WIRE_TYPE_VARINT) {
			fine = take_varint(in, &len);
		} else if (fine) {
			fine = ((tag & 7) == PROTOBUF_C_WIRE_TYPE_64BIT && skip(in, 8)) ||
			       ((tag & 7) == PROTOBUF_C_WIRE_TYPE_32BIT && skip(in, 4));
		}
		if (!fine || !(tag >> 3))
			return un_fail(detail, UN_ERR_PROTOCOL,
			               "malformed message: the bytes are not a %s",
			               type->short_name);
	}
	return UN_OK;
}

enum un_err
wire_check_within(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len,
                  unsigned depth_max, struct un_detail *detail)
{
	struct reader in = {bytes, bytes + len};

	if (!len)
		return UN_OK;
	return check(type, &in, (struct rules){.depth = depth_max}, detail);
}

bool
wire_can_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len,
                unsigned depth_max)
{
	struct reader in = {bytes, bytes + len};
	struct rules rules = {.depth = depth_max, .any_text = true};

	return !len || check(type, &in, rules, NULL) == UN_OK;
}

enum un_err
wire_check(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len,
           struct un_detail *detail)
{
	return wire_check_within(type, bytes, len, WIRE_DEPTH_MAX, detail);
}
