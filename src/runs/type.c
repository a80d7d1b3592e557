#include "runs/type.h"

#include <stdio.h>
#include <string.h>

static bool fits(const pb_type *from, const pb_type *to, unsigned depth);
static bool fits_literal(const pb_literal *value, const pb_type *to, unsigned depth);

static bool
enum_has(const Flyteidl__Core__EnumType *type, const char *word)
{
	for (size_t i = 0; i < type->n_values; i++) {
		if (strcmp(type->values[i], word) == 0)
			return true;
	}
	return false;
}

static bool
fits_enum(const pb_type *from, const pb_type *to)
{
	/* a string may be one of the words: that shows when the value is there */
	if (from->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE)
		return from->simple == FLYTEIDL__CORE__SIMPLE_TYPE__STRING;
	if (from->type_case != FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE)
		return false;
	for (size_t i = 0; i < from->enum_type->n_values; i++) {
		if (!enum_has(to->enum_type, from->enum_type->values[i]))
			return false;
	}
	return true;
}

static bool
fits_union(const pb_type *from, const pb_type *to, unsigned depth)
{
	if (from->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE) {
		for (size_t i = 0; i < from->union_type->n_variants; i++) {
			if (!fits(from->union_type->variants[i], to, depth + 1))
				return false;
		}
		return from->union_type->n_variants > 0;
	}
	for (size_t i = 0; i < to->union_type->n_variants; i++) {
		if (fits(from, to->union_type->variants[i], depth + 1))
			return true;
	}
	return false;
}

static bool
type_is_none(const pb_type *type)
{
	return type->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE &&
	       type->simple == FLYTEIDL__CORE__SIMPLE_TYPE__NONE;
}

static bool
int_for_float(Flyteidl__Core__SimpleType from, Flyteidl__Core__SimpleType to)
{
	return from == FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER &&
	       to == FLYTEIDL__CORE__SIMPLE_TYPE__FLOAT;
}

static bool
fits(const pb_type *from, const pb_type *to, unsigned depth)
{
	if (from == NULL || to == NULL || depth > TYPE_DEPTH_MAX)
		return false;
	if (to->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE ||
	    from->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE) {
		if (to->type_case != FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE &&
		    from->union_type->n_variants == 0)
			return false;
		return fits_union(from, to, depth);
	}
	switch (to->type_case) {
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE:
		if (from->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE)
			return to->simple == FLYTEIDL__CORE__SIMPLE_TYPE__STRING;
		return from->type_case == to->type_case &&
		       (from->simple == to->simple || int_for_float(from->simple, to->simple));
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE:
		/* an empty list has elements of type None */
		return from->type_case == to->type_case &&
		       (type_is_none(from->collection_type) ||
		        fits(from->collection_type, to->collection_type, depth + 1));
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE:
		return from->type_case == to->type_case &&
		       (type_is_none(from->map_value_type) ||
		        fits(from->map_value_type, to->map_value_type, depth + 1));
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_BLOB:
		return from->type_case == to->type_case &&
		       from->blob->dimensionality == to->blob->dimensionality;
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE:
		return fits_enum(from, to);
	default:
		return false;
	}
}

bool
type_fits(const pb_type *from, const pb_type *to)
{
	return fits(from, to, 0);
}

static bool
fits_primitive(const Flyteidl__Core__Primitive *value, Flyteidl__Core__SimpleType to)
{
	switch (value->value_case) {
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER:
		return to == FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER ||
		       to == FLYTEIDL__CORE__SIMPLE_TYPE__FLOAT;
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE:
		return to == FLYTEIDL__CORE__SIMPLE_TYPE__FLOAT;
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE:
		return to == FLYTEIDL__CORE__SIMPLE_TYPE__STRING;
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN:
		return to == FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN;
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_DATETIME:
		return to == FLYTEIDL__CORE__SIMPLE_TYPE__DATETIME;
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_DURATION:
		return to == FLYTEIDL__CORE__SIMPLE_TYPE__DURATION;
	default:
		return false;
	}
}

static bool
fits_simple(const Flyteidl__Core__Scalar *value, Flyteidl__Core__SimpleType to)
{
	switch (value->value_case) {
	case FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE:
		return fits_primitive(value->primitive, to);
	case FLYTEIDL__CORE__SCALAR__VALUE_BINARY:
		/* newer clients carry structures as tagged binary */
		return to == FLYTEIDL__CORE__SIMPLE_TYPE__BINARY ||
		       (to == FLYTEIDL__CORE__SIMPLE_TYPE__STRUCT && value->binary->tag[0] != '\0');
	case FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE:
		return to == FLYTEIDL__CORE__SIMPLE_TYPE__NONE;
	case FLYTEIDL__CORE__SCALAR__VALUE_ERROR:
		return to == FLYTEIDL__CORE__SIMPLE_TYPE__ERROR;
	case FLYTEIDL__CORE__SCALAR__VALUE_GENERIC:
		return to == FLYTEIDL__CORE__SIMPLE_TYPE__STRUCT;
	default:
		return false;
	}
}

static bool
fits_scalar(const Flyteidl__Core__Scalar *value, const pb_type *to, unsigned depth)
{
	if (value->value_case == FLYTEIDL__CORE__SCALAR__VALUE_UNION)
		return value->union_->value != NULL &&
		       fits_literal(value->union_->value, to, depth + 1);
	switch (to->type_case) {
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE:
		return fits_simple(value, to->simple);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_BLOB:
		return value->value_case == FLYTEIDL__CORE__SCALAR__VALUE_BLOB;
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE:
		return value->value_case == FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE &&
		       value->primitive->value_case ==
		               FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE &&
		       enum_has(to->enum_type, value->primitive->string_value);
	default:
		return false;
	}
}

static bool
fits_collection(const Flyteidl__Core__LiteralCollection *value, const pb_type *to, unsigned depth)
{
	if (to->type_case != FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE)
		return false;
	for (size_t i = 0; i < value->n_literals; i++) {
		if (!fits_literal(value->literals[i], to->collection_type, depth + 1))
			return false;
	}
	return true;
}

static bool
fits_map(const pb_literal_map *value, const pb_type *to, unsigned depth)
{
	if (to->type_case != FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE)
		return false;
	for (size_t i = 0; i < value->n_literals; i++) {
		if (!fits_literal(value->literals[i]->value, to->map_value_type, depth + 1))
			return false;
	}
	return true;
}

static bool
fits_literal(const pb_literal *value, const pb_type *to, unsigned depth)
{
	if (value == NULL || to == NULL || depth > TYPE_DEPTH_MAX)
		return false;
	if (to->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE) {
		for (size_t i = 0; i < to->union_type->n_variants; i++) {
			if (fits_literal(value, to->union_type->variants[i], depth + 1))
				return true;
		}
		return false;
	}
	switch (value->value_case) {
	case FLYTEIDL__CORE__LITERAL__VALUE_SCALAR:
		return fits_scalar(value->scalar, to, depth);
	case FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION:
		return fits_collection(value->collection, to, depth);
	case FLYTEIDL__CORE__LITERAL__VALUE_MAP:
		return fits_map(value->map, to, depth);
	default:
		return false;
	}
}

bool
type_fits_literal(const pb_literal *value, const pb_type *to)
{
	return fits_literal(value, to, 0);
}

static bool
is_whole(const pb_type *type, unsigned depth)
{
	if (type == NULL || depth > TYPE_DEPTH_MAX)
		return false;
	switch (type->type_case) {
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE:
		return is_whole(type->collection_type, depth + 1);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE:
		return is_whole(type->map_value_type, depth + 1);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE:
		for (size_t i = 0; i < type->union_type->n_variants; i++) {
			if (!is_whole(type->union_type->variants[i], depth + 1))
				return false;
		}
		return type->union_type->n_variants > 0;
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE__NOT_SET:
		return false;
	default:
		return true;
	}
}

bool
type_is_whole(const pb_type *type)
{
	return is_whole(type, 0);
}

struct type_text {
	char *at;
	size_t left; /* with the NUL */
};

static void
type_text_add(struct type_text *text, const char *word)
{
	int len = snprintf(text->at, text->left, "%s", word);

	if (len < 0 || (size_t)len >= text->left) {
		text->at += text->left - 1;
		text->left = 1;
		return;
	}
	text->at += len;
	text->left -= (size_t)len;
}

static const char *
simple_word(Flyteidl__Core__SimpleType type)
{
	static const char *const words[] = {
	        "None", "int",       "float", "str",   "bool",
	        "datetime", "timedelta", "bytes", "error", "dict",
	};

	if ((size_t)type >= sizeof words / sizeof words[0])
		return "unknown";
	return words[type];
}

static void
type_text_of(struct type_text *text, const pb_type *type, unsigned depth)
{
	if (type == NULL || depth > TYPE_DEPTH_MAX) {
		type_text_add(text, "unknown");
		return;
	}
	switch (type->type_case) {
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE:
		type_text_add(text, simple_word(type->simple));
		return;
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE:
		type_text_add(text, "list[");
		type_text_of(text, type->collection_type, depth + 1);
		type_text_add(text, "]");
		return;
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE:
		type_text_add(text, "dict[str, ");
		type_text_of(text, type->map_value_type, depth + 1);
		type_text_add(text, "]");
		return;
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_BLOB:
		type_text_add(text, "file");
		return;
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE:
		type_text_add(text, "enum");
		return;
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE:
		for (size_t i = 0; i < type->union_type->n_variants; i++) {
			if (i > 0)
				type_text_add(text, " | ");
			type_text_of(text, type->union_type->variants[i], depth + 1);
		}
		return;
	default:
		type_text_add(text, "unknown");
	}
}

void
type_format(const pb_type *type, char text[TYPE_TEXT_MAX])
{
	struct type_text out = {.at = text, .left = TYPE_TEXT_MAX};

	text[0] = '\0';
	type_text_of(&out, type, 0);
}

static const char *
primitive_word(const Flyteidl__Core__Primitive *value)
{
	switch (value->value_case) {
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER: return "int";
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE: return "float";
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE: return "str";
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN: return "bool";
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_DATETIME: return "datetime";
	case FLYTEIDL__CORE__PRIMITIVE__VALUE_DURATION: return "timedelta";
	default: return "nothing";
	}
}

const char *
type_word_of_literal(const pb_literal *value)
{
	if (value == NULL)
		return "nothing";
	if (value->value_case == FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION)
		return "list";
	if (value->value_case == FLYTEIDL__CORE__LITERAL__VALUE_MAP)
		return "dict";
	if (value->value_case != FLYTEIDL__CORE__LITERAL__VALUE_SCALAR)
		return "nothing";
	switch (value->scalar->value_case) {
	case FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE:
		return primitive_word(value->scalar->primitive);
	case FLYTEIDL__CORE__SCALAR__VALUE_BLOB: return "file";
	case FLYTEIDL__CORE__SCALAR__VALUE_BINARY: return "bytes";
	case FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE: return "None";
	case FLYTEIDL__CORE__SCALAR__VALUE_ERROR: return "error";
	case FLYTEIDL__CORE__SCALAR__VALUE_GENERIC: return "dict";
	case FLYTEIDL__CORE__SCALAR__VALUE_UNION: return "union";
	default: return "nothing";
	}
}

const pb_type *
type_of_variable(const pb_variable_map *variables, const char *name)
{
	if (variables == NULL)
		return NULL;
	for (size_t i = 0; i < variables->n_variables; i++) {
		if (strcmp(variables->variables[i]->key, name) == 0)
			return variables->variables[i]->value == NULL ?
			               NULL :
			               variables->variables[i]->value->type;
	}
	return NULL;
}

const pb_literal *
literal_of(const pb_literal_map *map, const char *name)
{
	if (map == NULL)
		return NULL;
	for (size_t i = 0; i < map->n_literals; i++) {
		if (strcmp(map->literals[i]->key, name) == 0)
			return map->literals[i]->value;
	}
	return NULL;
}

enum un_err
type_check_map(const char *what, const pb_variable_map *declared, const pb_literal_map *values,
               struct un_detail *detail)
{
	size_t value_count = values == NULL ? 0 : values->n_literals;
	size_t declared_count = declared == NULL ? 0 : declared->n_variables;

	for (size_t i = 0; i < declared_count; i++) {
		const char *name = declared->variables[i]->key;
		const pb_literal *value = literal_of(values, name);
		const pb_type *type = type_of_variable(declared, name);
		char text[TYPE_TEXT_MAX];

		type_format(type, text);
		if (value == NULL)
			return un_fail(detail, UN_ERR_INPUT_MISSING, "%s '%.128s' (%s) is missing",
			               what, name, text);
		if (!type_fits_literal(value, type))
			return un_fail(detail, UN_ERR_INPUT_TYPE,
			               "%s '%.128s' must be %s, and is %s", what, name, text,
			               type_word_of_literal(value));
	}
	for (size_t i = 0; i < value_count; i++) {
		const char *name = values->literals[i]->key;

		if (type_of_variable(declared, name) == NULL)
			return un_fail(detail, UN_ERR_INPUT_UNKNOWN, "there is no %s '%.128s'",
			               what, name);
	}
	return UN_OK;
}
