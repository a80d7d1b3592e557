/* literal.c - outputs of a task: every text, number and blob in them, and the files they mean. */
#include "guard/inside.h"
#include "guard/span.h"

#include "base/alloc.h"

#include <string.h>

#define NESTING_MAX 64

/* Scalars of kinds that this project's messages do not have: a Schema and a StructuredDataset,
 * which both begin with where their file is. */
#define SCALAR_SCHEMA 4
#define SCALAR_DATASET 8

static enum un_err look_literal(struct guard *guard, const Flyteidl__Core__Literal *literal,
                                unsigned nesting);

static enum un_err
look_uri(struct guard *guard, const char *uri)
{
	enum un_err err;

	if (!uri || !*uri)
		return UN_OK;
	err = guard_text(guard, uri, strlen(uri));
	if (err || guard->over)
		return err;
	if (guard->options.refers)
		return guard->options.refers(guard->options.ctx, guard, uri);
	guard_blind_here(guard, "refers to something elsewhere");
	return UN_OK;
}

/* Names and texts in brackets or behind a dot, as one would write it in Python. */
static size_t
enter_key(struct guard *guard, const char *key)
{
	return guard_enter_name(guard, ".", key, strlen(key), "");
}

static enum un_err look_value(struct guard *guard, const Google__Protobuf__Value *value,
                              unsigned nesting);

static enum un_err
look_struct(struct guard *guard, const Google__Protobuf__Struct *fields, unsigned nesting)
{
	struct list list = guard_list_begin(guard);
	enum un_err err = UN_OK;

	for (size_t i = 0; !err && i < fields->n_fields; i++) {
		size_t mark = enter_key(guard, fields->fields[i]->key);

		err = guard_text(guard, fields->fields[i]->key, strlen(fields->fields[i]->key));
		if (!err && fields->fields[i]->value)
			err = look_value(guard, fields->fields[i]->value, nesting + 1);
		guard_leave(guard, mark);
	}
	return err ? err : guard_list_end(guard, list);
}

static enum un_err
look_values(struct guard *guard, const Google__Protobuf__ListValue *values, unsigned nesting)
{
	struct list list = guard_list_begin(guard);
	enum un_err err = UN_OK;

	for (size_t i = 0; !err && i < values->n_values; i++) {
		size_t mark = guard_enter(guard, "[%zu]", i);

		err = look_value(guard, values->values[i], nesting + 1);
		guard_leave(guard, mark);
	}
	return err ? err : guard_list_end(guard, list);
}

static enum un_err
look_value(struct guard *guard, const Google__Protobuf__Value *value, unsigned nesting)
{
	if (nesting > NESTING_MAX || guard_tick(guard))
		return UN_OK;
	switch (value->kind_case) {
	case GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE:
		return guard_text(guard, value->string_value, strlen(value->string_value));
	case GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE:
		if (value->number_value >= 0 && value->number_value <= UINT8_MAX)
			return guard_join_number(guard, (int64_t)value->number_value);
		return UN_OK;
	case GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE:
		return look_struct(guard, value->struct_value, nesting);
	case GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE:
		return look_values(guard, value->list_value, nesting);
	default:
		return UN_OK;
	}
}

static enum un_err
look_primitive(struct guard *guard, const Flyteidl__Core__Primitive *primitive)
{
	switch (primitive->value_case) {
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE:
		return guard_text(guard, primitive->string_value, strlen(primitive->string_value));
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER:
		return guard_join_number(guard, primitive->integer);
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE:
		if (primitive->float_value >= 0 && primitive->float_value <= UINT8_MAX)
			return guard_join_number(guard, (int64_t)primitive->float_value);
		return UN_OK;
	default:
		return UN_OK;
	}
}

static enum un_err
look_binary(struct guard *guard, const Flyteidl__Core__Binary *binary)
{
	const uint8_t *bytes = binary->value.data;
	size_t len = binary->value.len;

	if (guard->options.plain)
		guard->deeper |= len > 0;
	else if (strcmp(binary->tag, "msgpack") == 0 && len)
		return walk_msgpack(guard, bytes, len);
	return guard_part(guard, bytes, len, true);
}

/* What our messages do not know of a scalar: {1: uri} of the kinds above. */
static enum un_err
look_unknown(struct guard *guard, const Flyteidl__Core__Scalar *scalar)
{
	enum un_err err = UN_OK;

	for (size_t i = 0; !err && i < scalar->base.n_unknown_fields; i++) {
		const ProtobufCMessageUnknownField *field = &scalar->base.unknown_fields[i];
		struct span span = span_of(field->data, field->len);
		const uint8_t *uri;
		char *text;
		uint64_t len;

		if (field->tag != SCALAR_SCHEMA && field->tag != SCALAR_DATASET)
			continue;
		(void)span_varint(&span); /* of the message */
		if (span_byte(&span) != 0x0a)
			continue;
		len = span_varint(&span);
		uri = span_take(&span, len);
		if (!uri)
			continue;
		text = mem_strndup((const char *)uri, (size_t)len);
		if (!text)
			return UN_ERR_NO_MEMORY;
		err = look_uri(guard, text);
		mem_wipe_free(text, (size_t)len);
	}
	return err;
}

static enum un_err
look_scalar(struct guard *guard, const Flyteidl__Core__Scalar *scalar, unsigned nesting)
{
	switch (scalar->value_case) {
	case FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE:
		return look_primitive(guard, scalar->primitive);
	case FLYTEIDL__CORE__SCALAR__VALUE_BINARY:
		return look_binary(guard, scalar->binary);
	case FLYTEIDL__CORE__SCALAR__VALUE_BLOB:
		return look_uri(guard, scalar->blob->uri);
	case FLYTEIDL__CORE__SCALAR__VALUE_GENERIC:
		return look_struct(guard, scalar->generic, nesting);
	case FLYTEIDL__CORE__SCALAR__VALUE_UNION:
		if (!scalar->union_->value)
			return UN_OK;
		return look_literal(guard, scalar->union_->value, nesting + 1);
	case FLYTEIDL__CORE__SCALAR__VALUE_ERROR:
		return guard_text(guard, scalar->error->message, strlen(scalar->error->message));
	default:
		return look_unknown(guard, scalar);
	}
}

static enum un_err
look_map(struct guard *guard, const Flyteidl__Core__LiteralMap *map, unsigned nesting)
{
	struct list list = guard_list_begin(guard);
	enum un_err err = UN_OK;

	for (size_t i = 0; !err && i < map->n_literals; i++) {
		size_t mark = enter_key(guard, map->literals[i]->key);

		err = guard_text(guard, map->literals[i]->key, strlen(map->literals[i]->key));
		if (!err && map->literals[i]->value)
			err = look_literal(guard, map->literals[i]->value, nesting + 1);
		guard_leave(guard, mark);
	}
	return err ? err : guard_list_end(guard, list);
}

static enum un_err
look_collection(struct guard *guard, const Flyteidl__Core__LiteralCollection *parts,
                unsigned nesting)
{
	struct list list = guard_list_begin(guard);
	enum un_err err = UN_OK;

	for (size_t i = 0; !err && i < parts->n_literals; i++) {
		size_t mark = guard_enter(guard, "[%zu]", i);

		err = look_literal(guard, parts->literals[i], nesting + 1);
		guard_leave(guard, mark);
	}
	return err ? err : guard_list_end(guard, list);
}

static enum un_err
look_literal(struct guard *guard, const Flyteidl__Core__Literal *literal, unsigned nesting)
{

	if (nesting > NESTING_MAX || guard_tick(guard))
		return UN_OK;
	switch (literal->value_case) {
	case FLYTEIDL__CORE__LITERAL__VALUE_SCALAR:
		return look_scalar(guard, literal->scalar, nesting);
	case FLYTEIDL__CORE__LITERAL__VALUE_MAP:
		return look_map(guard, literal->map, nesting);
	case FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION:
		return look_collection(guard, literal->collection, nesting);
	default:
		return UN_OK;
	}
}

/* A message as the bytes that travel: every text is in them, and fields that nobody knows. */
static enum un_err
find_packed(struct guard *guard, const ProtobufCMessage *message, const char **ret_secret)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes = mem_alloc(len);

	if (!bytes)
		return UN_ERR_NO_MEMORY;
	(void)protobuf_c_message_pack(message, bytes);
	*ret_secret = redact_find(guard->options.values, bytes, len);
	mem_wipe_free(bytes, len);
	return UN_OK;
}

static enum un_err
look_output(struct guard *guard, const Flyteidl__Core__LiteralMap__LiteralsEntry *output)
{
	size_t mark = guard_enter_name(guard, "", output->key, strlen(output->key), "");
	const char *secret = redact_find(guard->options.values, (const uint8_t *)output->key,
	                                 strlen(output->key));
	enum un_err err = UN_OK;

	if (secret)
		return guard_hit(guard, secret);
	if (output->value)
		err = find_packed(guard, &output->value->base, &secret);
	guard->searched = !secret;
	if (!err && output->value)
		err = look_literal(guard, output->value, 0);
	if (!err && secret)
		err = guard_hit(guard, secret);
	guard_leave(guard, mark);
	return err;
}

static enum un_err
look_outputs(struct guard *guard, const Flyteidl__Core__LiteralMap *outputs)
{
	/* half of a value may be in each of two outputs */
	struct list list = guard_list_begin(guard);
	enum un_err err = UN_OK;

	for (size_t i = 0; !err && i < outputs->n_literals; i++)
		err = look_output(guard, outputs->literals[i]);
	return err ? err : guard_list_end(guard, list);
}

enum un_err
guard_outputs(struct guard *guard, const Flyteidl__Core__LiteralMap *outputs)
{
	const char *secret = NULL;
	enum un_err err = look_outputs(guard, outputs);

	if (!err && guard->joined) {
		guard->precise = true;
		err = look_outputs(guard, outputs);
		if (!err)
			err = guard_hit(guard, guard->joined);
	}
	if (!err)
		err = find_packed(guard, &outputs->base, &secret);
	return !err && secret ? guard_hit(guard, secret) : err;
}
