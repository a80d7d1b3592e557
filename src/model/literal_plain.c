/* Members of a Struct: what a dataclass is made of on the wire. It knows doubles, text, bool, null,
 * lists and objects only, so other types go as text; the declared type brings them back. */
#include "base/alloc.h"
#include "base/text.h"
#include "model/literal_reading.h"
#include "model/literal_text.h"
#include "model/times.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_DOUBLE_MAX INT64_C(9007199254740992) /* 2^53 */

typedef Google__Protobuf__Value plain;

enum un_err
pointers_grow(void **items, size_t count)
{
	void *larger;

	if (count & (count - 1) || (count && count < 4))
		return UN_OK;
	larger = mem_realloc(*items, (count < 4 ? 4 : count * 2) * sizeof(void *));
	if (!larger)
		return UN_ERR_NO_MEMORY;
	*items = larger;
	return UN_OK;
}

void
plain_free(plain *value)
{
	if (value)
		google__protobuf__value__free_unpacked(value, NULL);
}

static plain *
new_plain(Google__Protobuf__Value__KindCase kind)
{
	plain *value = mem_alloc(sizeof *value);

	if (!value)
		return NULL;
	google__protobuf__value__init(value);
	value->kind_case = kind;
	return value;
}

static enum un_err
plain_of_number(double number, plain **ret_plain)
{
	plain *value = new_plain(GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE);

	if (!value)
		return UN_ERR_NO_MEMORY;
	value->number_value = number;
	*ret_plain = value;
	return UN_OK;
}

static enum un_err
plain_of_bool(bool is, plain **ret_plain)
{
	plain *value = new_plain(GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE);

	if (!value)
		return UN_ERR_NO_MEMORY;
	value->bool_value = is;
	*ret_plain = value;
	return UN_OK;
}

static enum un_err
plain_of_null(plain **ret_plain)
{
	*ret_plain = new_plain(GOOGLE__PROTOBUF__VALUE__KIND_NULL_VALUE);
	return *ret_plain ? UN_OK : UN_ERR_NO_MEMORY;
}

static enum un_err
plain_of_text(const char *text, plain **ret_plain)
{
	plain *value = new_plain(GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE);

	if (!value)
		return UN_ERR_NO_MEMORY;
	value->string_value = mem_strdup(text);
	if (!value->string_value) {
		plain_free(value);
		return UN_ERR_NO_MEMORY;
	}
	*ret_plain = value;
	return UN_OK;
}

static enum un_err
plain_of_list(plain **ret_plain)
{
	plain *value = new_plain(GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE);

	if (!value)
		return UN_ERR_NO_MEMORY;
	value->list_value = mem_alloc(sizeof *value->list_value);
	if (!value->list_value) {
		plain_free(value);
		return UN_ERR_NO_MEMORY;
	}
	google__protobuf__list_value__init(value->list_value);
	*ret_plain = value;
	return UN_OK;
}

static enum un_err
plain_of_struct(plain **ret_plain)
{
	plain *value = new_plain(GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE);

	if (!value)
		return UN_ERR_NO_MEMORY;
	value->struct_value = mem_alloc(sizeof *value->struct_value);
	if (!value->struct_value) {
		plain_free(value);
		return UN_ERR_NO_MEMORY;
	}
	google__protobuf__struct__init(value->struct_value);
	*ret_plain = value;
	return UN_OK;
}

/* Takes over `member`, also when it fails. */
static enum un_err
plain_add_item(Google__Protobuf__ListValue *to, plain *member)
{
	enum un_err err = pointers_grow((void **)&to->values, to->n_values);

	if (err) {
		plain_free(member);
		return err;
	}
	to->values[to->n_values++] = member;
	return UN_OK;
}

enum un_err
plain_add_field(Google__Protobuf__Struct *to, const char *name, plain *member)
{
	Google__Protobuf__Struct__FieldsEntry *entry = NULL;
	enum un_err err = pointers_grow((void **)&to->fields, to->n_fields);

	if (!err) {
		entry = mem_alloc(sizeof *entry);
		err = entry ? UN_OK : UN_ERR_NO_MEMORY;
	}
	if (err) {
		plain_free(member);
		return err;
	}
	google__protobuf__struct__fields_entry__init(entry);
	entry->value = member;
	to->fields[to->n_fields++] = entry;
	entry->key = mem_strdup(name);
	return entry->key ? UN_OK : UN_ERR_NO_MEMORY;
}

static enum un_err
plain_of_bytes(const ProtobufCBinaryData *bytes, plain **ret_plain)
{
	struct buf text;
	enum un_err err;

	buf_init(&text, 2 * LITERAL_TEXT_MAX, BUF_PLAIN);
	err = text_append_base64(&text, bytes->data, bytes->len);
	err = err ? err : plain_of_text(buf_text(&text), ret_plain);
	buf_fini(&text);
	return err;
}

static enum un_err
primitive_to_plain(const Flyteidl__Core__Primitive *from, plain **ret_plain)
{
	char text[TIMES_TEXT_MAX];
	enum un_err err;

	switch (from->value_case) {
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER:
		if (from->integer >= -EXACT_DOUBLE_MAX && from->integer <= EXACT_DOUBLE_MAX)
			return plain_of_number((double)from->integer, ret_plain);
		(void)snprintf(text, sizeof text, "%" PRId64, from->integer);
		return plain_of_text(text, ret_plain);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE:
		return plain_of_number(from->float_value, ret_plain);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE:
		return plain_of_text(from->string_value, ret_plain);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN:
		return plain_of_bool(from->boolean, ret_plain);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_DATETIME:
		err = instant_format(from->datetime->seconds, from->datetime->nanos, text);
		return err ? err : plain_of_text(text, ret_plain);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_DURATION:
		duration_format(from->duration->seconds, from->duration->nanos, text);
		return plain_of_text(text, ret_plain);
	default:
		return UN_ERR_TYPE_UNSUPPORTED;
	}
}

static enum un_err
struct_to_plain(const Google__Protobuf__Struct *from, plain **ret_plain)
{
	ProtobufCMessage *copy;
	plain *value;
	enum un_err err = message_copy(&from->base, &copy);

	if (err)
		return err;
	value = new_plain(GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE);
	if (!value) {
		protobuf_c_message_free_unpacked(copy, NULL);
		return UN_ERR_NO_MEMORY;
	}
	value->struct_value = (Google__Protobuf__Struct *)copy;
	*ret_plain = value;
	return UN_OK;
}

static enum un_err
list_to_plain(const Flyteidl__Core__LiteralCollection *from, plain **ret_plain)
{
	plain *value, *member;
	enum un_err err = plain_of_list(&value);

	if (err)
		return err;
	for (size_t i = 0; !err && i < from->n_literals; i++) {
		err = literal_to_plain(from->literals[i], &member);
		err = err ? err : plain_add_item(value->list_value, member);
	}
	if (err) {
		plain_free(value);
		return err;
	}
	*ret_plain = value;
	return UN_OK;
}

static enum un_err
dict_to_plain(const literal_map *from, plain **ret_plain)
{
	plain *value, *member;
	enum un_err err = plain_of_struct(&value);

	if (err)
		return err;
	for (size_t i = 0; !err && i < from->n_literals; i++) {
		err = literal_to_plain(from->literals[i]->value, &member);
		err = err ? err
		          : plain_add_field(value->struct_value, from->literals[i]->key, member);
	}
	if (err) {
		plain_free(value);
		return err;
	}
	*ret_plain = value;
	return UN_OK;
}

/* Only for literals that were read here: they are whole, and no deeper than JSON may be. */
enum un_err
literal_to_plain(const literal *value, plain **ret_plain)
{
	if (value->value_case == FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION)
		return list_to_plain(value->collection, ret_plain);
	if (value->value_case == FLYTEIDL__CORE__LITERAL__VALUE_MAP)
		return dict_to_plain(value->map, ret_plain);
	switch (value->scalar->value_case) {
	case FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE:
		return primitive_to_plain(value->scalar->primitive, ret_plain);
	case FLYTEIDL__CORE__SCALAR__VALUE_BINARY:
		return plain_of_bytes(&value->scalar->binary->value, ret_plain);
	case FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE:
		return plain_of_null(ret_plain);
	case FLYTEIDL__CORE__SCALAR__VALUE_GENERIC:
		return struct_to_plain(value->scalar->generic, ret_plain);
	case FLYTEIDL__CORE__SCALAR__VALUE_UNION:
		return literal_to_plain(value->scalar->union_->value, ret_plain);
	default:
		return UN_ERR_TYPE_UNSUPPORTED;
	}
}

static enum un_err
number_from_json(struct json_reader *in, plain **ret_plain)
{
	char text[JSON_NUMBER_MAX];
	enum un_err err = json_reader_number(in, text);
	uint64_t whole;
	double number;

	if (err)
		return err;
	if (!strpbrk(text, ".eE") && (text_parse_u64(text + (*text == '-'), &whole) ||
	                              whole > (uint64_t)EXACT_DOUBLE_MAX))
		return UN_ERR_RANGE;
	number = strtod(text, NULL);
	if (!isfinite(number))
		return UN_ERR_RANGE;
	return plain_of_number(number, ret_plain);
}

static enum un_err
array_from_json(struct json_reader *in, plain **ret_plain)
{
	plain *value, *member;
	enum un_err err = plain_of_list(&value);

	if (err)
		return err;
	err = json_reader_enter(in);
	while (!err && json_reader_next(in)) {
		err = plain_from_json(in, &member);
		err = err ? err : plain_add_item(value->list_value, member);
	}
	err = err ? err : json_reader_error(in);
	if (err) {
		plain_free(value);
		return err;
	}
	*ret_plain = value;
	return UN_OK;
}

static enum un_err
object_from_json(struct json_reader *in, plain **ret_plain)
{
	plain *value, *member;
	struct buf name;
	enum un_err err = plain_of_struct(&value);

	if (err)
		return err;
	buf_init(&name, LITERAL_TEXT_MAX, BUF_PLAIN);
	err = json_reader_enter(in);
	while (!err && json_reader_next(in)) {
		buf_clear(&name);
		err = json_reader_key(in, &name);
		err = err ? err : plain_from_json(in, &member);
		err = err ? err : plain_add_field(value->struct_value, buf_text(&name), member);
	}
	err = err ? err : json_reader_error(in);
	buf_fini(&name);
	if (err) {
		plain_free(value);
		return err;
	}
	*ret_plain = value;
	return UN_OK;
}

enum un_err
plain_from_json(struct json_reader *in, plain **ret_plain)
{
	enum json_kind kind = json_reader_peek(in);
	struct buf text;
	enum un_err err;

	switch (kind) {
	case JSON_NUMBER:
		return number_from_json(in, ret_plain);
	case JSON_ARRAY:
		return array_from_json(in, ret_plain);
	case JSON_OBJECT:
		return object_from_json(in, ret_plain);
	case JSON_STRING:
		buf_init(&text, LITERAL_TEXT_MAX, BUF_PLAIN);
		err = json_reader_string(in, &text);
		err = err ? err : plain_of_text(buf_text(&text), ret_plain);
		buf_fini(&text);
		return err;
	default:
		err = json_reader_word(in);
		if (err)
			return err;
		return kind == JSON_NULL ? plain_of_null(ret_plain)
		                         : plain_of_bool(kind == JSON_TRUE, ret_plain);
	}
}
