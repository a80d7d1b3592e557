#include "rpc/json_priv.h"

#include "base/text.h"
#include "model/wire.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

struct printer {
	struct buf *out;
	unsigned flags;
	unsigned depth;
};

static enum un_err print_message(struct printer *p, const ProtobufCMessage *message);

static enum un_err
print_number(struct printer *p, double number, bool is_float)
{
	char text[40];

	if (isnan(number))
		return buf_append_text(p->out, "\"NaN\"");
	if (isinf(number))
		return buf_append_text(p->out, number < 0 ? "\"-Infinity\"" : "\"Infinity\"");
	json_print_double(number, is_float, text);
	return buf_append_text(p->out, text);
}

static enum un_err
print_enum(struct printer *p, const ProtobufCFieldDescriptor *field, int number)
{
	const ProtobufCEnumDescriptor *type = field->descriptor;
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);

	if (!strcmp(type->name, "google.protobuf.NullValue"))
		return buf_append_text(p->out, "null");
	if (!value)
		return buf_appendf(p->out, "%d", number);
	return buf_appendf(p->out, "\"%s\"", value->name);
}

static enum un_err
print_bytes(struct printer *p, const ProtobufCBinaryData *bytes)
{
	enum un_err err = buf_append_byte(p->out, '"');

	if (!err)
		err = text_append_base64(p->out, bytes->data, bytes->len);
	return err ? err : buf_append_byte(p->out, '"');
}

/* One value at `at`; keys of maps are always quoted. */
static enum un_err
print_scalar(struct printer *p, const ProtobufCFieldDescriptor *field, const void *at)
{
	const char *text;

	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		return buf_appendf(p->out, "%" PRId32, *(const int32_t *)at);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return buf_appendf(p->out, "%" PRIu32, *(const uint32_t *)at);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		return buf_appendf(p->out, "\"%" PRId64 "\"", *(const int64_t *)at);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return buf_appendf(p->out, "\"%" PRIu64 "\"", *(const uint64_t *)at);
	case PROTOBUF_C_TYPE_FLOAT:
		return print_number(p, (double)*(const float *)at, true);
	case PROTOBUF_C_TYPE_DOUBLE:
		return print_number(p, *(const double *)at, false);
	case PROTOBUF_C_TYPE_BOOL:
		return buf_append_text(p->out, *(const protobuf_c_boolean *)at ? "true" : "false");
	case PROTOBUF_C_TYPE_ENUM:
		return print_enum(p, field, *(const int *)at);
	case PROTOBUF_C_TYPE_STRING:
		text = *(char *const *)at;
		return json_append_text(p->out, text ? text : "", text ? strlen(text) : 0);
	case PROTOBUF_C_TYPE_BYTES:
		return print_bytes(p, at);
	case PROTOBUF_C_TYPE_MESSAGE:
		return print_message(p, *(ProtobufCMessage *const *)at);
	default:
		return UN_ERR_INTERNAL;
	}
}

static enum un_err
print_key(struct printer *p, const ProtobufCFieldDescriptor *field, const void *at)
{
	bool quoted = field->type == PROTOBUF_C_TYPE_STRING || json_element_size(field) == 8;
	enum un_err err = quoted ? UN_OK : buf_append_byte(p->out, '"');

	if (!err)
		err = print_scalar(p, field, at);
	if (!err && !quoted)
		err = buf_append_byte(p->out, '"');
	return err ? err : buf_append_byte(p->out, ':');
}

static enum un_err
print_map(struct printer *p, ProtobufCMessage *const *entries, size_t count)
{
	enum un_err err = buf_append_byte(p->out, '{');

	for (size_t i = 0; !err && i < count; i++) {
		const ProtobufCFieldDescriptor *fields = entries[i]->descriptor->fields;

		if (i)
			err = buf_append_byte(p->out, ',');
		if (!err)
			err = print_key(p, &fields[0], json_member(entries[i], &fields[0]));
		if (!err)
			err = print_scalar(p, &fields[1], json_member(entries[i], &fields[1]));
	}
	return err ? err : buf_append_byte(p->out, '}');
}

static enum un_err
print_array(struct printer *p, const ProtobufCFieldDescriptor *field, const char *array,
            size_t count)
{
	size_t size = json_element_size(field);
	enum un_err err = buf_append_byte(p->out, '[');

	for (size_t i = 0; !err && i < count; i++) {
		if (i)
			err = buf_append_byte(p->out, ',');
		if (!err)
			err = print_scalar(p, field, array + i * size);
	}
	return err ? err : buf_append_byte(p->out, ']');
}

static bool
is_default(const ProtobufCFieldDescriptor *field, const void *at)
{
	static const char zeros[8];

	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		return !*(char *const *)at || !**(char *const *)at;
	case PROTOBUF_C_TYPE_BYTES:
		return !((const ProtobufCBinaryData *)at)->len;
	case PROTOBUF_C_TYPE_MESSAGE:
		return !*(void *const *)at;
	default:
		return text_equal(at, zeros, json_element_size(field));
	}
}

static bool
is_present(struct printer *p, const ProtobufCMessage *message,
           const ProtobufCFieldDescriptor *field)
{
	const void *member = json_member(message, field);
	bool pointer = field->type == PROTOBUF_C_TYPE_MESSAGE ||
	               field->type == PROTOBUF_C_TYPE_STRING;

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return *(size_t *)json_quantifier(message, field) || p->flags & JSON_WITH_DEFAULTS;
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
		return *(uint32_t *)json_quantifier(message, field) == field->id &&
		       (field->type != PROTOBUF_C_TYPE_MESSAGE || *(void *const *)member);
	if (field->label == PROTOBUF_C_LABEL_REQUIRED)
		return !pointer || *(void *const *)member;
	if (field->label == PROTOBUF_C_LABEL_OPTIONAL)
		return pointer ? *(void *const *)member != NULL
		               : *(protobuf_c_boolean *)json_quantifier(message, field);
	if (field->type != PROTOBUF_C_TYPE_MESSAGE && p->flags & JSON_WITH_DEFAULTS)
		return true;
	return !is_default(field, member);
}

static enum un_err
print_field(struct printer *p, const ProtobufCMessage *message,
            const ProtobufCFieldDescriptor *field)
{
	const void *member = json_member(message, field);
	size_t count;

	if (field->label != PROTOBUF_C_LABEL_REPEATED)
		return print_scalar(p, field, member);
	count = *(size_t *)json_quantifier(message, field);
	if (json_is_map(message->descriptor, field))
		return print_map(p, *(ProtobufCMessage *const *const *)member, count);
	return print_array(p, field, *(const char *const *)member, count);
}

static enum un_err
print_plain(struct printer *p, const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	enum un_err err = buf_append_byte(p->out, '{');
	bool first = true;

	for (unsigned i = 0; !err && i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		char camel[128];

		if (!is_present(p, message, field))
			continue;
		json_camel(field->name, camel, sizeof camel);
		err = buf_appendf(p->out, "%s\"%s\":", first ? "" : ",", camel);
		if (!err)
			err = print_field(p, message, field);
		first = false;
	}
	return err ? err : buf_append_byte(p->out, '}');
}

/* google.protobuf.Value: whichever member is set, bare. */
static enum un_err
print_value(struct printer *p, const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;

	for (unsigned i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		const void *member = json_member(message, field);

		if (!is_present(p, message, field))
			continue;
		if (field->type == PROTOBUF_C_TYPE_DOUBLE && !isfinite(*(const double *)member))
			return UN_ERR_INVALID; /* JSON has no such number, and here no text for it
			                        */
		return print_scalar(p, field, member);
	}
	return buf_append_text(p->out, "null");
}

static enum un_err
print_time(struct printer *p, const ProtobufCMessage *message, enum json_special special)
{
	const ProtobufCFieldDescriptor *fields = message->descriptor->fields;
	int64_t seconds = *(int64_t *)json_member(message, &fields[0]);
	int32_t nanos = *(int32_t *)json_member(message, &fields[1]);
	char text[JSON_TIME_MAX];
	enum un_err err;

	err = special == JSON_TIMESTAMP ? json_print_timestamp(seconds, nanos, text)
	                                : json_print_duration(seconds, nanos, text);
	return err ? err : buf_appendf(p->out, "\"%s\"", text);
}

static enum un_err
print_message(struct printer *p, const ProtobufCMessage *message)
{
	enum json_special special;
	enum un_err err;

	if (!message)
		return buf_append_text(p->out, "{}");
	if (p->depth > WIRE_DEPTH_MAX)
		return UN_ERR_INVALID;
	p->depth++;
	special = json_special_of(message->descriptor);
	switch (special) {
	case JSON_TIMESTAMP:
	case JSON_DURATION:
		err = print_time(p, message, special);
		break;
	case JSON_VALUE:
		err = print_value(p, message);
		break;
	case JSON_STRUCT: /* one field: the map, the list, or the value itself */
	case JSON_LIST:
	case JSON_WRAPPER:
		err = print_field(p, message, &message->descriptor->fields[0]);
		break;
	default:
		err = print_plain(p, message);
		break;
	}
	p->depth--;
	return err;
}

enum un_err
json_format(const ProtobufCMessage *message, unsigned flags, struct buf *out)
{
	struct printer p = {.out = out, .flags = flags};

	return print_message(&p, message);
}
