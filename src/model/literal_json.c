#include "model/literal_json.h"

#include "base/alloc.h"
#include "base/text.h"
#include "model/json.h"
#include "model/times.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_DOUBLE_MAX 9007199254740992.0 /* 2^53 */

typedef Google__Protobuf__Value plain;

static enum un_err append_literal(struct buf *out, const literal *value, unsigned depth);
static enum un_err append_plain(struct buf *out, const plain *value, unsigned depth);

/* The shortest decimal that reads back as the same double. `is_float`: with a point, also when
 * whole. */
static enum un_err
append_number(struct buf *out, double number, bool is_float)
{
	char text[40];

	if (!isfinite(number))
		return buf_append_text(out, isnan(number)  ? "\"NaN\""
		                            : number > 0.0 ? "\"Infinity\""
		                                           : "\"-Infinity\"");
	if (!is_float && floor(number) == number && fabs(number) <= EXACT_DOUBLE_MAX)
		return buf_appendf(out, "%.0f", number);
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, number);
		if (strtod(text, NULL) == number)
			break;
	}
	if (!strpbrk(text, ".e"))
		return buf_appendf(out, "%s.0", text);
	return buf_append_text(out, text);
}

static enum un_err
append_time(struct buf *out, const Google__Protobuf__Timestamp *at)
{
	char text[TIMES_TEXT_MAX];

	/* outside of what can be written as a date: then as seconds, so that nothing is hidden */
	if (instant_format(at->seconds, at->nanos, text))
		return buf_appendf(out, "\"%" PRId64 "s\"", at->seconds);
	return buf_appendf(out, "\"%s\"", text);
}

static enum un_err
append_base64(struct buf *out, const ProtobufCBinaryData *bytes)
{
	enum un_err err = buf_append_byte(out, '"');

	err = err ? err : text_append_base64(out, bytes->data, bytes->len);
	return err ? err : buf_append_byte(out, '"');
}

static enum un_err
append_primitive(struct buf *out, const Flyteidl__Core__Primitive *from)
{
	char text[TIMES_TEXT_MAX];

	switch (from->value_case) {
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER:
		return buf_appendf(out, "%" PRId64, from->integer);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE:
		return append_number(out, from->float_value, true);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE:
		return json_append_string(out, from->string_value);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN:
		return buf_append_text(out, from->boolean ? "true" : "false");
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_DATETIME:
		return append_time(out, from->datetime);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_DURATION:
		duration_format(from->duration->seconds, from->duration->nanos, text);
		return buf_appendf(out, "\"%s\"", text);
	default:
		return buf_append_text(out, "null");
	}
}

/* A member of an object: the entries of all map messages are a key and a value. */
struct member {
	const char *key;
	const void *value;
};

static int
compare_members(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->key, ((const struct member *)b)->key);
}

typedef enum un_err append_value(struct buf *out, const void *value, unsigned depth);

/* Sorts `members` and appends them; takes the array over. */
static enum un_err
append_object(struct buf *out, struct member *members, size_t count, append_value *append,
              unsigned depth)
{
	enum un_err err = members ? buf_append_byte(out, '{') : UN_ERR_NO_MEMORY;

	if (!err && count)
		qsort(members, count, sizeof *members, compare_members);
	for (size_t i = 0; !err && i < count; i++) {
		err = buf_append_text(out, i ? ", " : "");
		err = err ? err : json_append_string(out, members[i].key);
		err = err ? err : buf_append_text(out, ": ");
		err = err ? err : append(out, members[i].value, depth + 1);
	}
	mem_free(members);
	return err ? err : buf_append_byte(out, '}');
}

static enum un_err
append_any_plain(struct buf *out, const void *value, unsigned depth)
{
	return append_plain(out, value, depth);
}

static enum un_err
append_any_literal(struct buf *out, const void *value, unsigned depth)
{
	return append_literal(out, value, depth);
}

static enum un_err
append_struct(struct buf *out, const Google__Protobuf__Struct *from, unsigned depth)
{
	struct member *members = mem_zalloc(from->n_fields, sizeof *members);

	for (size_t i = 0; members && i < from->n_fields; i++)
		members[i] = (struct member){from->fields[i]->key, from->fields[i]->value};
	return append_object(out, members, from->n_fields, append_any_plain, depth);
}

static enum un_err
append_map(struct buf *out, const literal_map *from, unsigned depth)
{
	struct member *members = mem_zalloc(from->n_literals, sizeof *members);

	for (size_t i = 0; members && i < from->n_literals; i++)
		members[i] = (struct member){from->literals[i]->key, from->literals[i]->value};
	return append_object(out, members, from->n_literals, append_any_literal, depth);
}

static enum un_err
append_plain_list(struct buf *out, const Google__Protobuf__ListValue *from, unsigned depth)
{
	enum un_err err = buf_append_byte(out, '[');

	for (size_t i = 0; !err && i < from->n_values; i++) {
		err = buf_append_text(out, i ? ", " : "");
		err = err ? err : append_plain(out, from->values[i], depth + 1);
	}
	return err ? err : buf_append_byte(out, ']');
}

static enum un_err
append_plain(struct buf *out, const plain *value, unsigned depth)
{
	if (depth > LITERAL_DEPTH_MAX)
		return UN_ERR_TOO_LARGE;
	switch (value ? value->kind_case : GOOGLE__PROTOBUF__VALUE__KIND__NOT_SET) {
	case GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE:
		return append_number(out, value->number_value, false);
	case GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE:
		return json_append_string(out, value->string_value);
	case GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE:
		return buf_append_text(out, value->bool_value ? "true" : "false");
	case GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE:
		return append_struct(out, value->struct_value, depth);
	case GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE:
		return append_plain_list(out, value->list_value, depth);
	default:
		return buf_append_text(out, "null");
	}
}

static enum un_err
append_list(struct buf *out, const Flyteidl__Core__LiteralCollection *from, unsigned depth)
{
	enum un_err err = buf_append_byte(out, '[');

	for (size_t i = 0; !err && i < from->n_literals; i++) {
		err = buf_append_text(out, i ? ", " : "");
		err = err ? err : append_literal(out, from->literals[i], depth + 1);
	}
	return err ? err : buf_append_byte(out, ']');
}

static enum un_err
append_blob(struct buf *out, const Flyteidl__Core__Blob *blob)
{
	enum un_err err = buf_append_text(out, "{\"uri\": ");

	err = err ? err : json_append_string(out, blob->uri);
	return err ? err : buf_append_byte(out, '}');
}

static enum un_err
append_scalar(struct buf *out, const Flyteidl__Core__Scalar *from, unsigned depth)
{
	switch (from->value_case) {
	case FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE:
		return append_primitive(out, from->primitive);
	case FLYTEIDL__CORE__SCALAR__VALUE_BINARY:
		return append_base64(out, &from->binary->value);
	case FLYTEIDL__CORE__SCALAR__VALUE_GENERIC:
		return append_struct(out, from->generic, depth);
	case FLYTEIDL__CORE__SCALAR__VALUE_UNION:
		return append_literal(out, from->union_->value, depth + 1);
	case FLYTEIDL__CORE__SCALAR__VALUE_BLOB:
		return append_blob(out, from->blob);
	default:
		return buf_append_text(out, "null");
	}
}

static enum un_err
append_literal(struct buf *out, const literal *value, unsigned depth)
{
	if (depth > LITERAL_DEPTH_MAX)
		return UN_ERR_TOO_LARGE;
	switch (value ? value->value_case : FLYTEIDL__CORE__LITERAL__VALUE__NOT_SET) {
	case FLYTEIDL__CORE__LITERAL__VALUE_SCALAR:
		return append_scalar(out, value->scalar, depth);
	case FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION:
		return append_list(out, value->collection, depth);
	case FLYTEIDL__CORE__LITERAL__VALUE_MAP:
		return append_map(out, value->map, depth);
	default:
		return buf_append_text(out, "null");
	}
}

enum un_err
literal_to_json(struct buf *out, const literal *value)
{
	return append_literal(out, value, 0);
}

enum un_err
literal_map_to_json(struct buf *out, const literal_map *map)
{
	if (!map)
		return buf_append_text(out, "{}");
	return append_map(out, map, 0);
}
