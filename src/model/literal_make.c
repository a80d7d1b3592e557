/* New literals. A half-built one is freed as any other. */
#include "base/alloc.h"
#include "model/literal.h"

#include <string.h>

#define MESSAGE_COPY_MAX (64u << 20)

typedef Flyteidl__Core__Primitive primitive;
typedef Flyteidl__Core__Scalar scalar;

void
literal_free(literal *value)
{
	if (value)
		flyteidl__core__literal__free_unpacked(value, NULL);
}

static literal *
new_literal(void)
{
	literal *value = mem_alloc(sizeof *value);

	if (value)
		flyteidl__core__literal__init(value);
	return value;
}

static literal *
new_scalar(scalar **ret_scalar)
{
	literal *value = new_literal();

	if (!value)
		return NULL;
	value->scalar = mem_alloc(sizeof *value->scalar);
	if (!value->scalar) {
		literal_free(value);
		return NULL;
	}
	flyteidl__core__scalar__init(value->scalar);
	value->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	*ret_scalar = value->scalar;
	return value;
}

static literal *
new_primitive(primitive **ret_primitive)
{
	scalar *inner;
	literal *value = new_scalar(&inner);

	if (!value)
		return NULL;
	inner->primitive = mem_alloc(sizeof *inner->primitive);
	if (!inner->primitive) {
		literal_free(value);
		return NULL;
	}
	flyteidl__core__primitive__init(inner->primitive);
	inner->value_case = FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE;
	*ret_primitive = inner->primitive;
	return value;
}

enum un_err
literal_of_int(int64_t number, literal **ret_value)
{
	primitive *inner;
	literal *value = new_primitive(&inner);

	if (!value)
		return UN_ERR_NO_MEMORY;
	inner->integer = number;
	inner->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER;
	*ret_value = value;
	return UN_OK;
}

enum un_err
literal_of_float(double number, literal **ret_value)
{
	primitive *inner;
	literal *value = new_primitive(&inner);

	if (!value)
		return UN_ERR_NO_MEMORY;
	inner->float_value = number;
	inner->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE;
	*ret_value = value;
	return UN_OK;
}

enum un_err
literal_of_bool(bool is, literal **ret_value)
{
	primitive *inner;
	literal *value = new_primitive(&inner);

	if (!value)
		return UN_ERR_NO_MEMORY;
	inner->boolean = is;
	inner->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN;
	*ret_value = value;
	return UN_OK;
}

enum un_err
literal_of_text(const char *text, literal **ret_value)
{
	primitive *inner;
	literal *value = new_primitive(&inner);

	if (!value)
		return UN_ERR_NO_MEMORY;
	inner->string_value = mem_strdup(text);
	inner->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE;
	if (!inner->string_value) {
		literal_free(value);
		return UN_ERR_NO_MEMORY;
	}
	*ret_value = value;
	return UN_OK;
}

enum un_err
literal_of_bytes(const void *bytes, size_t len, literal **ret_value)
{
	scalar *inner;
	literal *value = new_scalar(&inner);

	if (!value)
		return UN_ERR_NO_MEMORY;
	inner->binary = mem_alloc(sizeof *inner->binary);
	if (!inner->binary)
		goto failed;
	flyteidl__core__binary__init(inner->binary);
	inner->value_case = FLYTEIDL__CORE__SCALAR__VALUE_BINARY;
	inner->binary->value.data = mem_dup(bytes, len);
	if (!inner->binary->value.data)
		goto failed;
	inner->binary->value.len = len;
	*ret_value = value;
	return UN_OK;
failed:
	literal_free(value);
	return UN_ERR_NO_MEMORY;
}

enum un_err
literal_of_none(literal **ret_value)
{
	scalar *inner;
	literal *value = new_scalar(&inner);

	if (!value)
		return UN_ERR_NO_MEMORY;
	inner->none_type = mem_alloc(sizeof *inner->none_type);
	if (!inner->none_type) {
		literal_free(value);
		return UN_ERR_NO_MEMORY;
	}
	flyteidl__core__void__init(inner->none_type);
	inner->value_case = FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE;
	*ret_value = value;
	return UN_OK;
}

enum un_err
literal_of_instant(int64_t wall_us, literal **ret_value)
{
	int64_t seconds = wall_us / 1000000 - (wall_us % 1000000 < 0);
	primitive *inner;
	literal *value = new_primitive(&inner);

	if (!value)
		return UN_ERR_NO_MEMORY;
	inner->datetime = mem_alloc(sizeof *inner->datetime);
	if (!inner->datetime) {
		literal_free(value);
		return UN_ERR_NO_MEMORY;
	}
	google__protobuf__timestamp__init(inner->datetime);
	inner->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_DATETIME;
	inner->datetime->seconds = seconds;
	inner->datetime->nanos = (int32_t)(wall_us - seconds * 1000000) * 1000;
	*ret_value = value;
	return UN_OK;
}

enum un_err
literal_of_duration(int64_t us, literal **ret_value)
{
	primitive *inner;
	literal *value = new_primitive(&inner);

	if (!value)
		return UN_ERR_NO_MEMORY;
	inner->duration = mem_alloc(sizeof *inner->duration);
	if (!inner->duration) {
		literal_free(value);
		return UN_ERR_NO_MEMORY;
	}
	google__protobuf__duration__init(inner->duration);
	inner->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_DURATION;
	inner->duration->seconds = us / 1000000; /* both parts have the sign of the whole */
	inner->duration->nanos = (int32_t)(us % 1000000) * 1000;
	*ret_value = value;
	return UN_OK;
}

enum un_err
literal_of_list(literal **ret_value)
{
	literal *value = new_literal();

	if (!value)
		return UN_ERR_NO_MEMORY;
	value->collection = mem_alloc(sizeof *value->collection);
	if (!value->collection) {
		literal_free(value);
		return UN_ERR_NO_MEMORY;
	}
	flyteidl__core__literal_collection__init(value->collection);
	value->value_case = FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION;
	*ret_value = value;
	return UN_OK;
}

enum un_err
literal_of_dict(literal **ret_value)
{
	literal *value = new_literal();

	if (!value)
		return UN_ERR_NO_MEMORY;
	value->map = mem_alloc(sizeof *value->map);
	if (!value->map) {
		literal_free(value);
		return UN_ERR_NO_MEMORY;
	}
	flyteidl__core__literal_map__init(value->map);
	value->value_case = FLYTEIDL__CORE__LITERAL__VALUE_MAP;
	*ret_value = value;
	return UN_OK;
}

enum un_err
literal_of_struct(literal **ret_value)
{
	scalar *inner;
	literal *value = new_scalar(&inner);

	if (!value)
		return UN_ERR_NO_MEMORY;
	inner->generic = mem_alloc(sizeof *inner->generic);
	if (!inner->generic) {
		literal_free(value);
		return UN_ERR_NO_MEMORY;
	}
	google__protobuf__struct__init(inner->generic);
	inner->value_case = FLYTEIDL__CORE__SCALAR__VALUE_GENERIC;
	*ret_value = value;
	return UN_OK;
}

enum un_err
message_copy(const ProtobufCMessage *message, ProtobufCMessage **ret_copy)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes;
	ProtobufCMessage *copy;

	if (len > MESSAGE_COPY_MAX)
		return UN_ERR_TOO_LARGE;
	bytes = mem_alloc(len);
	if (!bytes)
		return UN_ERR_NO_MEMORY;
	(void)protobuf_c_message_pack(message, bytes);
	copy = protobuf_c_message_unpack(message->descriptor, NULL, len, bytes);
	mem_free(bytes);
	if (!copy)
		return UN_ERR_NO_MEMORY;
	*ret_copy = copy;
	return UN_OK;
}

enum un_err
literal_of_union(literal *value, const literal_type *type, literal **ret_value)
{
	ProtobufCMessage *type_copy = NULL;
	scalar *inner;
	literal *made = new_scalar(&inner);
	enum un_err err = made ? message_copy(&type->base, &type_copy) : UN_ERR_NO_MEMORY;

	if (err)
		goto failed;
	inner->union_ = mem_alloc(sizeof *inner->union_);
	if (!inner->union_) {
		err = UN_ERR_NO_MEMORY;
		goto failed;
	}
	flyteidl__core__union__init(inner->union_);
	inner->value_case = FLYTEIDL__CORE__SCALAR__VALUE_UNION;
	inner->union_->value = value;
	inner->union_->type = (literal_type *)type_copy;
	*ret_value = made;
	return UN_OK;
failed:
	if (type_copy)
		protobuf_c_message_free_unpacked(type_copy, NULL);
	literal_free(made);
	literal_free(value);
	return err;
}
