#include "rpc/json_priv.h"

#include "base/text.h"

#include "model/wire.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum json_special
json_special_of(const ProtobufCMessageDescriptor *type)
{
	static const struct {
		const char *name;
		enum json_special special;
	} table[] = {
		{"Timestamp", JSON_TIMESTAMP}, {"Duration", JSON_DURATION},
		{"Struct", JSON_STRUCT},       {"Value", JSON_VALUE},
		{"ListValue", JSON_LIST},      {"DoubleValue", JSON_WRAPPER},
		{"FloatValue", JSON_WRAPPER},  {"Int64Value", JSON_WRAPPER},
		{"UInt64Value", JSON_WRAPPER}, {"Int32Value", JSON_WRAPPER},
		{"UInt32Value", JSON_WRAPPER}, {"BoolValue", JSON_WRAPPER},
		{"StringValue", JSON_WRAPPER}, {"BytesValue", JSON_WRAPPER},
	};

	if (strncmp(type->name, "google.protobuf.", 16))
		return JSON_PLAIN;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (!strcmp(type->name + 16, table[i].name))
			return table[i].special;
	}
	return JSON_PLAIN;
}

/* Is `entry` the name protoc gives to the entries of the map `name`: "a_map" has AMapEntry? */
static bool
is_entry_name(const char *name, const char *entry)
{
	bool up = true;

	for (; *name; name++) {
		char c = *name;

		if (c == '_') {
			up = true;
			continue;
		}
		if (up && c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		up = false;
		if (*entry++ != c)
			return false;
	}
	return !strcmp(entry, "Entry");
}

bool
json_is_map(const ProtobufCMessageDescriptor *parent, const ProtobufCFieldDescriptor *field)
{
	const ProtobufCMessageDescriptor *entry = field->descriptor;
	size_t len;

	if (field->label != PROTOBUF_C_LABEL_REPEATED || field->type != PROTOBUF_C_TYPE_MESSAGE ||
	    entry->n_fields != 2 || entry->fields[0].id != 1 || entry->fields[1].id != 2)
		return false;
	len = strlen(parent->name);
	return !strncmp(entry->name, parent->name, len) && entry->name[len] == '.' &&
	       is_entry_name(field->name, entry->short_name);
}

size_t
json_element_size(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return 4;
	}
}

void
json_camel(const char *name, char *camel, size_t size)
{
	size_t len = 0;
	bool up = false;

	for (; *name && len + 1 < size; name++) {
		char c = *name;

		if (c == '_') {
			up = true;
			continue;
		}
		if (up && c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		up = false;
		camel[len++] = c;
	}
	camel[len] = '\0';
}

bool
json_name_matches(const char *name, const char *key, size_t len)
{
	char camel[128];

	if (strlen(name) == len && text_equal(name, key, len))
		return true;
	if (name[0] != key[0])
		return false;
	json_camel(name, camel, sizeof camel);
	return strlen(camel) == len && text_equal(camel, key, len);
}

/* ---- strings ---- */

static enum un_err
append_escape(struct buf *out, uint8_t c)
{
	static const char names[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (const char *name = names; *name; name += 2) {
		if ((uint8_t)*name == c) {
			const char text[2] = {'\\', name[1]};

			return buf_append(out, text, 2);
		}
	}
	return buf_appendf(out, "\\u%04x", c);
}

enum un_err
json_append_text(struct buf *out, const char *text, size_t len)
{
	const uint8_t *at = (const uint8_t *)text, *end = at + len;
	enum un_err err = buf_append_byte(out, '"');

	if (len && wire_utf8_len(at, len) != len)
		return UN_ERR_INVALID;
	while (!err && at < end) {
		const uint8_t *from = at;

		while (at < end && *at >= 0x20 && *at != '"' && *at != '\\' && *at != 0x7f)
			at++;
		err = buf_append(out, from, (size_t)(at - from));
		if (!err && at < end)
			err = append_escape(out, *at++);
	}
	return err ? err : buf_append_byte(out, '"');
}

/* ---- numbers ---- */

static locale_t c_locale;

static void
make_locale(void)
{
	c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static locale_t
plain_locale(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, make_locale);
	return c_locale;
}

void
json_print_double(double number, bool is_float, char text[40])
{
	locale_t mine = plain_locale(), before = mine ? uselocale(mine) : (locale_t)0;
	int digits = is_float ? FLT_DIG : DBL_DIG, most = is_float ? 9 : 17;

	if (fabs(number) < (is_float ? (double)FLT_MIN : DBL_MIN))
		digits = 1; /* the smallest numbers have fewer digits than all others */
	/* %g drops zeros at the end, so the first precision that reads back is the shortest */
	for (; digits <= most; digits++) {
		double again;

		(void)snprintf(text, 40, "%.*g", digits, number);
		again = strtod(text, NULL);
		if (is_float ? (float)again == (float)number : again == number)
			break;
	}
	if (before)
		(void)uselocale(before);
	if (!strcmp(text, "-0"))
		(void)snprintf(text, 40, "-0.0"); /* as an integer it would lose its sign */
}

double
json_read_double(const char *text)
{
	locale_t mine = plain_locale();

	return mine ? strtod_l(text, NULL, mine) : strtod(text, NULL);
}
