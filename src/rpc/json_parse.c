#include "rpc/json_priv.h"
#include "rpc/json_scan.h"

#include "base/text.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A message is filled in place and is at every moment one that protobuf-c can free, so that an
 * error anywhere frees the root and nothing else. */

#define KEY_MAX 128 /* longer names belong to no field */
#define FLOAT_MOST 3.4028235677973362e38 /* what still rounds to the largest float */

static enum un_err parse_message(struct json_scan *in, ProtobufCMessage *message);
static enum un_err parse_value_at(struct json_scan *in, const ProtobufCFieldDescriptor *field,
                                  void *at);

static enum un_err
new_message(struct json_scan *in, const ProtobufCMessageDescriptor *type,
            ProtobufCMessage **ret_message)
{
	ProtobufCMessage *message = json_alloc(in, type->sizeof_message);

	if (!message)
		return UN_ERR_NO_MEMORY;
	type->message_init(message);
	*ret_message = message;
	return UN_OK;
}

/* ---- numbers ---- */

/* The text of a number, bare or in quotes, copied so that it ends with a NUL. */
static enum un_err
take_number_text(struct json_scan *in, char text[64])
{
	struct json_slice slice;
	bool escaped = false;
	enum un_err err;

	err = json_peek(in) == '"' ? json_take_raw(in, &slice, &escaped)
	                           : json_take_number(in, &slice);
	if (err)
		return err;
	if (escaped || !slice.len || slice.len >= 64)
		return json_refuse(in, "expected a number");
	memcpy(text, slice.at, slice.len);
	text[slice.len] = '\0';
	return UN_OK;
}

struct whole {
	bool minus;
	uint64_t amount;
};

/* 1e3 and 5.0 are whole numbers too. */
static enum un_err
take_whole(struct json_scan *in, struct whole *ret_whole)
{
	char text[64], *rest = NULL;
	const struct json_slice slice = {text, 0};
	struct json_slice all = slice;
	enum un_err err = take_number_text(in, text);
	double number;

	if (err)
		return err;
	all.len = strlen(text);
	if (!json_is_number(&all))
		return json_refuse(in, "expected a number");
	ret_whole->minus = text[0] == '-';
	if (!strpbrk(text, ".eE")) {
		errno = 0;
		ret_whole->amount = strtoull(text + ret_whole->minus, &rest, 10);
		return errno ? json_refuse(in, "the number is out of range") : UN_OK;
	}
	number = fabs(json_read_double(text));
	if (!(number < 9007199254740992.0) || number != floor(number))
		return json_refuse(in, "expected a whole number");
	ret_whole->amount = (uint64_t)number;
	return UN_OK;
}

static enum un_err
take_signed(struct json_scan *in, uint64_t most, int64_t *ret_number)
{
	struct whole whole;
	enum un_err err = take_whole(in, &whole);

	if (err)
		return err;
	if (whole.amount > most + whole.minus)
		return json_refuse(in, "the number is out of range");
	*ret_number = whole.minus ? (int64_t)(0 - whole.amount) : (int64_t)whole.amount;
	return UN_OK;
}

static enum un_err
take_unsigned(struct json_scan *in, uint64_t most, uint64_t *ret_number)
{
	struct whole whole;
	enum un_err err = take_whole(in, &whole);

	if (err)
		return err;
	if (whole.amount > most || (whole.minus && whole.amount))
		return json_refuse(in, "the number is out of range");
	*ret_number = whole.amount;
	return UN_OK;
}

static enum un_err
take_float(struct json_scan *in, double most, double *ret_number)
{
	char text[64];
	struct json_slice all = {text, 0};
	enum un_err err;

	if (json_take_word(in, "\"NaN\"")) {
		*ret_number = (double)NAN;
		return UN_OK;
	}
	if (json_take_word(in, "\"Infinity\"")) {
		*ret_number = (double)INFINITY;
		return UN_OK;
	}
	if (json_take_word(in, "\"-Infinity\"")) {
		*ret_number = -(double)INFINITY;
		return UN_OK;
	}
	err = take_number_text(in, text);
	if (err)
		return err;
	all.len = strlen(text);
	if (!json_is_number(&all))
		return json_refuse(in, "expected a number");
	*ret_number = json_read_double(text);
	return fabs(*ret_number) > most ? json_refuse(in, "the number is out of range") : UN_OK;
}

/* ---- the other scalars ---- */

static enum un_err
take_bool(struct json_scan *in, protobuf_c_boolean *at)
{
	if (json_take_word(in, "true"))
		*at = 1;
	else if (json_take_word(in, "false"))
		*at = 0;
	else
		return json_refuse(in, "expected true or false");
	return UN_OK;
}

static enum un_err
take_enum(struct json_scan *in, const ProtobufCEnumDescriptor *type, int *at)
{
	const ProtobufCEnumValue *value;
	struct json_slice raw;
	char name[KEY_MAX];
	bool escaped;
	int64_t number = 0;
	enum un_err err;

	if (json_peek(in) != '"') {
		err = take_signed(in, INT32_MAX, &number);
		if (!err)
			*at = (int)number;
		return err;
	}
	err = json_take_raw(in, &raw, &escaped);
	if (err)
		return err;
	if (raw.len >= sizeof name)
		return json_refuse(in, "no such enum value");
	name[json_decode_raw(&raw, name)] = '\0';
	value = protobuf_c_enum_descriptor_get_value_by_name(type, name);
	if (!value)
		return json_refuse(in, "no such enum value");
	*at = value->value;
	return UN_OK;
}

/* Decodes in place; both alphabets, padding or none. False: it is not base64. */
static bool
decode_base64(uint8_t *bytes, size_t len, size_t *ret_len)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t put = 0, padding = 0;

	while (len && bytes[len - 1] == '=' && padding < 2) {
		len--;
		padding++;
	}
	if (len % 4 == 1 || (padding && (len + padding) % 4))
		return false;
	for (size_t i = 0; i < len; i++) {
		int digit = text_base64_digit((char)bytes[i]);

		if (digit < 0)
			return false;
		bits = bits << 6 | (uint32_t)digit;
		have += 6;
		if (have >= 8) {
			have -= 8;
			bytes[put++] = (uint8_t)(bits >> have);
			bits &= (1u << have) - 1;
		}
	}
	*ret_len = put;
	return !bits; /* bits left over must be zero: one text for one sequence of bytes */
}

static enum un_err
take_bytes(struct json_scan *in, ProtobufCBinaryData *at)
{
	char *text = NULL;
	size_t len = 0;
	enum un_err err = json_take_string(in, &text, &len);

	if (err)
		return err;
	if (!decode_base64((uint8_t *)text, len, &len)) {
		json_free(in, text);
		return json_refuse(in, "expected base64");
	}
	at->data = (uint8_t *)text;
	at->len = len;
	return UN_OK;
}

static enum un_err
take_text(struct json_scan *in, char **at)
{
	size_t len;

	return json_take_string(in, at, &len);
}

static enum un_err
take_integer(struct json_scan *in, const ProtobufCFieldDescriptor *field, void *at)
{
	bool wide = json_element_size(field) == 8;
	int64_t number = 0;
	uint64_t amount = 0;
	enum un_err err;

	switch (field->type) {
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		err = take_unsigned(in, wide ? UINT64_MAX : UINT32_MAX, &amount);
		break;
	default:
		err = take_signed(in, wide ? INT64_MAX : INT32_MAX, &number);
		amount = (uint64_t)number;
		break;
	}
	if (err)
		return err;
	if (wide)
		*(uint64_t *)at = amount;
	else
		*(uint32_t *)at = (uint32_t)amount;
	return UN_OK;
}

/* One value into `at`, which is zero or the field's default. Nothing is there after an error that
 * protobuf-c would not free. */
static enum un_err
parse_value_at(struct json_scan *in, const ProtobufCFieldDescriptor *field, void *at)
{
	ProtobufCMessage *message;
	double number = 0;
	enum un_err err;

	switch (field->type) {
	case PROTOBUF_C_TYPE_FLOAT:
		err = take_float(in, FLOAT_MOST, &number);
		if (!err)
			*(float *)at = (float)number;
		return err;
	case PROTOBUF_C_TYPE_DOUBLE:
		return take_float(in, DBL_MAX, at);
	case PROTOBUF_C_TYPE_BOOL:
		return take_bool(in, at);
	case PROTOBUF_C_TYPE_ENUM:
		return take_enum(in, field->descriptor, at);
	case PROTOBUF_C_TYPE_STRING:
		return take_text(in, at);
	case PROTOBUF_C_TYPE_BYTES:
		return take_bytes(in, at);
	case PROTOBUF_C_TYPE_MESSAGE:
		err = new_message(in, field->descriptor, &message);
		if (err)
			return err;
		*(ProtobufCMessage **)at = message;
		return parse_message(in, message);
	default:
		return take_integer(in, field, at);
	}
}

/* ---- repeated fields and maps ---- */

/* Room for one more element; the sizes are 4, 8, 16 ... so that the count tells when it is full. */
static enum un_err
grow(struct json_scan *in, const ProtobufCFieldDescriptor *field, void **array, size_t count)
{
	size_t size = json_element_size(field);
	void *larger;

	if (count && (count < 4 || count & (count - 1)))
		return UN_OK;
	larger = json_alloc(in, (count ? count * 2 : 4) * size);
	if (!larger)
		return UN_ERR_NO_MEMORY;
	if (count)
		memcpy(larger, *array, count * size);
	json_free(in, *array);
	*array = larger;
	return UN_OK;
}

static enum un_err
append_value(struct json_scan *in, ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	size_t *count = json_quantifier(message, field), size = json_element_size(field);
	void **array = json_member(message, field);
	enum un_err err = grow(in, field, array, *count);
	char *at;

	if (err)
		return err;
	at = (char *)*array + *count * size;
	if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE) {
		err = parse_value_at(in, field, at);
		*count += *(void **)at != NULL; /* a half-filled message is freed with the root */
		return err;
	}
	err = parse_value_at(in, field, at);
	*count += !err;
	return err;
}

static enum un_err
parse_array(struct json_scan *in, ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	enum un_err err = json_enter(in);
	bool first = true;

	if (!err)
		err = json_expect(in, '[');
	while (!err && !json_take(in, ']')) {
		if (!first)
			err = json_expect(in, ',');
		if (!err)
			err = append_value(in, message, field);
		first = false;
	}
	json_leave(in);
	return err;
}

static enum un_err
set_key(struct json_scan *in, const ProtobufCFieldDescriptor *field, ProtobufCMessage *entry)
{
	void *at = json_member(entry, field);

	if (field->type == PROTOBUF_C_TYPE_STRING)
		return take_text(in, at);
	if (json_peek(in) != '"')
		return json_refuse(in, "expected a string");
	if (field->type == PROTOBUF_C_TYPE_BOOL) {
		*(protobuf_c_boolean *)at = json_take_word(in, "\"true\"");
		if (*(protobuf_c_boolean *)at || json_take_word(in, "\"false\""))
			return UN_OK;
		return json_refuse(in, "expected \"true\" or \"false\"");
	}
	return take_integer(in, field, at);
}

/* The keys of one map seen so far: a table of indexes, at most half full. */
struct keys {
	uint32_t *table;
	size_t len;
};

static struct json_slice
key_bytes(const ProtobufCMessage *entry)
{
	const ProtobufCFieldDescriptor *field = &entry->descriptor->fields[0];
	const char *at = json_member(entry, field);

	if (field->type != PROTOBUF_C_TYPE_STRING)
		return (struct json_slice){at, json_element_size(field)};
	at = *(char *const *)(uintptr_t)at;
	return (struct json_slice){at, strlen(at)};
}

static uint32_t *
key_slot(struct keys *keys, ProtobufCMessage *const *entries, struct json_slice key)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	size_t at;

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ (uint8_t)key.at[i]) * UINT64_C(0x100000001b3);
	for (at = hash & (keys->len - 1); keys->table[at]; at = (at + 1) & (keys->len - 1)) {
		struct json_slice other = key_bytes(entries[keys->table[at] - 1]);

		if (other.len == key.len && text_equal(other.at, key.at, key.len))
			break;
	}
	return &keys->table[at];
}

/* Enters the key of the last of `count` entries. */
static enum un_err
keys_add(struct json_scan *in, struct keys *keys, ProtobufCMessage *const *entries, size_t count)
{
	uint32_t *slot;

	if (count * 2 > keys->len) {
		struct keys larger = {NULL, keys->len ? keys->len * 2 : 16};

		larger.table = json_alloc(in, larger.len * sizeof *larger.table);
		if (!larger.table)
			return UN_ERR_NO_MEMORY;
		for (size_t i = 0; i + 1 < count; i++)
			*key_slot(&larger, entries, key_bytes(entries[i])) = (uint32_t)i + 1;
		json_free(in, keys->table);
		*keys = larger;
	}
	slot = key_slot(keys, entries, key_bytes(entries[count - 1]));
	if (*slot)
		return json_refuse(in, "a key stands here twice");
	*slot = (uint32_t)count;
	return UN_OK;
}

static enum un_err
parse_entry(struct json_scan *in, ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
            struct keys *keys)
{
	const ProtobufCFieldDescriptor *fields =
	        ((const ProtobufCMessageDescriptor *)field->descriptor)->fields;
	size_t *count = json_quantifier(message, field);
	void **array = json_member(message, field);
	ProtobufCMessage *entry = NULL;
	enum un_err err = grow(in, field, array, *count);

	if (!err)
		err = new_message(in, field->descriptor, &entry);
	if (err)
		return err;
	((ProtobufCMessage **)*array)[(*count)++] = entry;
	err = set_key(in, &fields[0], entry);
	if (!err)
		err = keys_add(in, keys, *array, *count);
	if (!err)
		err = json_expect(in, ':');
	return err ? err : parse_value_at(in, &fields[1], json_member(entry, &fields[1]));
}

static enum un_err
parse_map(struct json_scan *in, ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	struct keys keys = {NULL, 0};
	enum un_err err = json_enter(in);
	bool first = true;

	if (!err)
		err = json_expect(in, '{');
	while (!err && !json_take(in, '}')) {
		if (!first)
			err = json_expect(in, ',');
		if (!err)
			err = parse_entry(in, message, field, &keys);
		first = false;
	}
	json_free(in, keys.table);
	json_leave(in);
	return err;
}

/* ---- messages ---- */

static bool
is_value_type(const ProtobufCFieldDescriptor *field)
{
	return field->type == PROTOBUF_C_TYPE_MESSAGE &&
	       json_special_of(field->descriptor) == JSON_VALUE;
}

static enum un_err
parse_field(struct json_scan *in, ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	uint32_t *chosen;
	enum un_err err;

	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		if (json_take_word(in, "null"))
			return UN_OK;
		return json_is_map(message->descriptor, field) ? parse_map(in, message, field)
		                                               : parse_array(in, message, field);
	}
	if (!is_value_type(field) && json_take_word(in, "null"))
		return UN_OK; /* as if it was not there */
	if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)) {
		err = parse_value_at(in, field, json_member(message, field));
		if (!err && field->label == PROTOBUF_C_LABEL_OPTIONAL &&
		    field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE)
			*(protobuf_c_boolean *)json_quantifier(message, field) = 1;
		return err;
	}
	chosen = json_quantifier(message, field);
	if (*chosen)
		return json_refuse(in, "two members of one oneof");
	err = parse_value_at(in, field, json_member(message, field));
	/* a message begun is owned by the oneof even when it did not end well */
	if (!err || (field->type == PROTOBUF_C_TYPE_MESSAGE &&
	             *(void **)json_member(message, field)))
		*chosen = field->id;
	return err;
}

static const ProtobufCFieldDescriptor *
find_field(const ProtobufCMessageDescriptor *type, const char *key, size_t len)
{
	for (unsigned i = 0; i < type->n_fields; i++) {
		if (json_name_matches(type->fields[i].name, key, len))
			return &type->fields[i];
	}
	return NULL;
}

static enum un_err
take_name(struct json_scan *in, const ProtobufCMessageDescriptor *type,
          const ProtobufCFieldDescriptor **ret_field)
{
	struct json_slice raw;
	char key[KEY_MAX];
	size_t len;
	bool escaped;
	enum un_err err = json_take_raw(in, &raw, &escaped);

	*ret_field = NULL;
	if (err || raw.len >= sizeof key)
		return err;
	len = json_decode_raw(&raw, key);
	*ret_field = find_field(type, key, len);
	return UN_OK;
}

#define SEEN_WORDS 4 /* messages with more than 256 fields do not exist here */

static enum un_err
parse_member(struct json_scan *in, ProtobufCMessage *message, uint64_t seen[SEEN_WORDS])
{
	const ProtobufCFieldDescriptor *field;
	const char *outer = in->field;
	enum un_err err = take_name(in, message->descriptor, &field);
	size_t index;

	if (err)
		return err;
	if (!field) {
		if (in->flags & JSON_REFUSE_UNKNOWN)
			return json_refuse(in, "no such field");
		err = json_expect(in, ':');
		return err ? err : json_skip(in);
	}
	in->field = field->name;
	index = (size_t)(field - message->descriptor->fields);
	if (index >= SEEN_WORDS * 64)
		return UN_ERR_UNSUPPORTED;
	if (seen[index / 64] >> (index % 64) & 1)
		return json_refuse(in, "the field stands here twice");
	seen[index / 64] |= UINT64_C(1) << (index % 64);
	err = json_expect(in, ':');
	if (!err)
		err = parse_field(in, message, field);
	if (!err)
		in->field = outer;
	return err;
}

static enum un_err
parse_plain(struct json_scan *in, ProtobufCMessage *message)
{
	uint64_t seen[SEEN_WORDS] = {0};
	enum un_err err = json_expect(in, '{');
	bool first = true;

	while (!err && !json_take(in, '}')) {
		if (!first)
			err = json_expect(in, ',');
		if (!err)
			err = parse_member(in, message, seen);
		first = false;
	}
	return err;
}

/* google.protobuf.Value: the kind follows from the first character. Numbers of its members: null 1,
 * number 2, string 3, bool 4, struct 5, list 6. */
static enum un_err
parse_any_value(struct json_scan *in, ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	const ProtobufCFieldDescriptor *field;
	char next = json_peek(in);
	unsigned number = next == '"'                  ? 3
	                  : next == '{'                ? 5
	                  : next == '['                ? 6
	                  : next == 't' || next == 'f' ? 4
	                                               : 2;

	if (json_take_word(in, "null")) {
		field = protobuf_c_message_descriptor_get_field(type, 1);
		*(uint32_t *)json_quantifier(message, field) = 1;
		return UN_OK;
	}
	field = protobuf_c_message_descriptor_get_field(type, number);
	return parse_field(in, message, field);
}

static enum un_err
parse_time(struct json_scan *in, ProtobufCMessage *message, enum json_special special)
{
	const ProtobufCFieldDescriptor *fields = message->descriptor->fields;
	int64_t *seconds = json_member(message, &fields[0]);
	int32_t *nanos = json_member(message, &fields[1]);
	struct json_slice raw;
	bool escaped;
	enum un_err err = json_take_raw(in, &raw, &escaped);

	if (err)
		return err;
	err = special == JSON_TIMESTAMP ? json_read_timestamp(raw.at, raw.len, seconds, nanos)
	                                : json_read_duration(raw.at, raw.len, seconds, nanos);
	if (err)
		return json_refuse(in, special == JSON_TIMESTAMP
		                               ? "expected a time as in RFC 3339"
		                               : "expected seconds as in \"1.5s\"");
	return UN_OK;
}

static enum un_err
parse_message(struct json_scan *in, ProtobufCMessage *message)
{
	enum json_special special = json_special_of(message->descriptor);
	const ProtobufCFieldDescriptor *first = message->descriptor->fields;
	enum un_err err = json_enter(in);

	if (err)
		return err;
	switch (special) {
	case JSON_TIMESTAMP:
	case JSON_DURATION:
		err = parse_time(in, message, special);
		break;
	case JSON_VALUE:
		err = parse_any_value(in, message);
		break;
	case JSON_STRUCT:
		err = parse_map(in, message, first);
		break;
	case JSON_LIST:
		err = parse_array(in, message, first);
		break;
	case JSON_WRAPPER:
		err = parse_value_at(in, first, json_member(message, first));
		break;
	default:
		err = parse_plain(in, message);
		break;
	}
	json_leave(in);
	return err;
}

enum un_err
json_parse(const char *text, size_t len, const ProtobufCMessageDescriptor *type,
           const struct json_options *options, ProtobufCMessage **ret_message,
           struct un_detail *detail)
{
	struct json_scan in = {.start = text,
	                       .at = text,
	                       .end = text + len,
	                       .allocator = options->allocator,
	                       .flags = options->flags,
	                       .detail = detail};
	ProtobufCMessage *message = NULL;
	enum un_err err = new_message(&in, type, &message);

	if (err)
		return err;
	err = parse_message(&in, message);
	if (!err && (json_peek(&in) || in.at != in.end))
		err = json_refuse(&in, "something stands behind the value");
	if (err) {
		protobuf_c_message_free_unpacked(message, options->allocator);
		return err == UN_ERR_NO_MEMORY ? un_fail(detail, err, "%s", un_err_text(err)) : err;
	}
	*ret_message = message;
	return UN_OK;
}
