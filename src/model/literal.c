#include "model/literal.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>


void
place_init(struct place *place, const char *what, const char *name)
{
	int len = snprintf(place->text, sizeof place->text, "%s '%.128s'", what, name);

	place->len = len < 0 ? 0 : (size_t)len;
	if (place->len >= sizeof place->text)
		place->len = sizeof place->text - 1;
}

static size_t
push(struct place *place, const char *more)
{
	size_t before = place->len;

	(void)snprintf(place->text + before, sizeof place->text - before, "%s", more);
	place->len = strlen(place->text);
	return before;
}

size_t
place_push_index(struct place *place, size_t index)
{
	char text[32];

	(void)snprintf(text, sizeof text, "[%zu]", index);
	return push(place, text);
}

size_t
place_push_name(struct place *place, const char *name)
{
	char text[72];

	(void)snprintf(text, sizeof text, ".%.64s", name);
	return push(place, text);
}

void
place_pop(struct place *place, size_t len)
{
	place->len = len;
	place->text[len] = '\0';
}

static const char *
simple_name(const literal_type *type)
{
	switch (type->simple) {
	case FLYTEIDL__CORE__SIMPLE_TYPE__NONE:
		return "None";
	case FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER:
		return "int";
	case FLYTEIDL__CORE__SIMPLE_TYPE__FLOAT:
		return "float";
	case FLYTEIDL__CORE__SIMPLE_TYPE__STRING:
		return "str";
	case FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN:
		return "bool";
	case FLYTEIDL__CORE__SIMPLE_TYPE__DATETIME:
		return "datetime";
	case FLYTEIDL__CORE__SIMPLE_TYPE__DURATION:
		return "timedelta";
	case FLYTEIDL__CORE__SIMPLE_TYPE__BINARY:
		return "bytes";
	case FLYTEIDL__CORE__SIMPLE_TYPE__STRUCT:
		return type->structure && type->structure->tag && type->structure->tag[0]
		               ? type->structure->tag
		               : "dict";
	case FLYTEIDL__CORE__SIMPLE_TYPE__ERROR:
	default:
		return "?";
	}
}

static bool
is_none_type(const literal_type *type)
{
	return type->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE &&
	       type->simple == FLYTEIDL__CORE__SIMPLE_TYPE__NONE;
}

static enum un_err append_type(struct buf *out, const literal_type *type, unsigned depth);

static enum un_err
append_inner(struct buf *out, const char *before, const literal_type *inner, unsigned depth)
{
	enum un_err err = buf_append_text(out, before);

	err = err ? err : append_type(out, inner, depth + 1);
	return err ? err : buf_append_byte(out, ']');
}

/* Optional[T] for two variants one of which is None, else Union[A, B]. */
static enum un_err
append_union(struct buf *out, const Flyteidl__Core__UnionType *of, unsigned depth)
{
	enum un_err err;

	if (of && of->n_variants == 2 && is_none_type(of->variants[1]))
		return append_inner(out, "Optional[", of->variants[0], depth);
	if (of && of->n_variants == 2 && is_none_type(of->variants[0]))
		return append_inner(out, "Optional[", of->variants[1], depth);
	err = buf_append_text(out, "Union[");
	for (size_t i = 0; !err && of && i < of->n_variants; i++) {
		err = buf_append_text(out, i ? ", " : "");
		err = err ? err : append_type(out, of->variants[i], depth + 1);
	}
	return err ? err : buf_append_byte(out, ']');
}

static enum un_err
append_type(struct buf *out, const literal_type *type, unsigned depth)
{
	if (!type)
		return buf_append_byte(out, '?');
	if (depth > LITERAL_DEPTH_MAX)
		return UN_ERR_TYPE_UNSUPPORTED;
	switch (type->type_case) {
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE:
		return buf_append_text(out, simple_name(type));
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE:
		return append_inner(out, "list[", type->collection_type, depth);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE:
		return append_inner(out, "dict[str, ", type->map_value_type, depth);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE:
		return append_union(out, type->union_type, depth);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE:
		return buf_append_text(out, "enum");
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_BLOB:
		return buf_append_text(out, "file");
	default:
		return buf_append_byte(out, '?');
	}
}

enum un_err
literal_type_append(struct buf *out, const literal_type *type)
{
	return append_type(out, type, 0);
}

static bool is_supported(const literal_type *type, unsigned depth);

static bool
has_supported_fields(const Flyteidl__Core__TypeStructure *structure, unsigned depth)
{
	for (size_t i = 0; structure && i < structure->n_dataclass_type; i++) {
		if (!is_supported(structure->dataclass_type[i]->value, depth + 1))
			return false;
	}
	return true;
}

static bool
is_supported(const literal_type *type, unsigned depth)
{
	if (!type || depth > LITERAL_DEPTH_MAX)
		return false;
	switch (type->type_case) {
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE:
		return simple_name(type)[0] != '?' && has_supported_fields(type->structure, depth);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE:
		return is_supported(type->collection_type, depth + 1);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE:
		return is_supported(type->map_value_type, depth + 1);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE:
		for (size_t i = 0; i < type->union_type->n_variants; i++) {
			if (!is_supported(type->union_type->variants[i], depth + 1))
				return false;
		}
		return type->union_type->n_variants > 0;
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE:
		return true;
	default:
		return false;
	}
}

/* The type as text, cut to what an error has room for. */
static void
name_type(const literal_type *type, char text[LITERAL_PLACE_MAX])
{
	struct buf out;

	buf_init(&out, LITERAL_PLACE_MAX - 1, BUF_PLAIN);
	if (literal_type_append(&out, type) && !out.len)
		(void)snprintf(text, LITERAL_PLACE_MAX, "?");
	else
		(void)snprintf(text, LITERAL_PLACE_MAX, "%s", buf_text(&out));
	buf_fini(&out);
}

enum un_err
literal_type_check(const char *what, const char *name, const literal_type *type,
                   struct un_detail *detail)
{
	char text[LITERAL_PLACE_MAX];

	if (is_supported(type, 0))
		return UN_OK;
	name_type(type, text);
	un_hint(detail, "supported: " LITERAL_TYPES_SUPPORTED);
	return un_fail(detail, UN_ERR_TYPE_UNSUPPORTED,
	               "the type of %s '%.128s' is not supported: %s", what, name, text);
}

static const char *
primitive_name(const Flyteidl__Core__Primitive *primitive)
{
	static const char *const names[] = {
	        [FLYTEIDL__CORE__PRIMITIVE__VALUE__NOT_SET] = "nothing",
	        [FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER] = "int",
	        [FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE] = "float",
	        [FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE] = "str",
	        [FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN] = "bool",
	        [FLYTEIDL__CORE__PRIMITIVE__VALUE_DATETIME] = "datetime",
	        [FLYTEIDL__CORE__PRIMITIVE__VALUE_DURATION] = "timedelta",
	};

	if ((unsigned)primitive->value_case >= sizeof names / sizeof names[0])
		return "nothing";
	return names[primitive->value_case];
}

/* What a literal is, in one word. */
static const char *
value_name(const literal *value)
{
	if (value && value->value_case == FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION)
		return "list";
	if (value && value->value_case == FLYTEIDL__CORE__LITERAL__VALUE_MAP)
		return "dict";
	if (!value || value->value_case != FLYTEIDL__CORE__LITERAL__VALUE_SCALAR || !value->scalar)
		return "nothing";
	switch (value->scalar->value_case) {
	case FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE:
		return primitive_name(value->scalar->primitive);
	case FLYTEIDL__CORE__SCALAR__VALUE_BINARY:
		return "bytes";
	case FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE:
		return "None";
	case FLYTEIDL__CORE__SCALAR__VALUE_GENERIC:
		return "dataclass";
	case FLYTEIDL__CORE__SCALAR__VALUE_BLOB:
		return "file";
	case FLYTEIDL__CORE__SCALAR__VALUE_UNION:
		return "Optional";
	default:
		return "nothing";
	}
}

/* The walk of a check. */
struct checking {
	struct place place;
	struct un_detail *detail;
	unsigned depth;
};

static enum un_err check(struct checking *at, const literal_type *type, const literal *value);

static enum un_err
fail_type(struct checking *at, const literal_type *type, const literal *value)
{
	char text[LITERAL_PLACE_MAX];

	name_type(type, text);
	return un_fail(at->detail, UN_ERR_INPUT_TYPE, "%s must be %s, not %s", at->place.text,
	               text, value_name(value));
}

static bool
is_primitive(const literal *value, Flyteidl__Core__Primitive__ValueCase kind)
{
	return value->value_case == FLYTEIDL__CORE__LITERAL__VALUE_SCALAR && value->scalar &&
	       value->scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE &&
	       value->scalar->primitive->value_case == kind;
}

static bool
is_scalar(const literal *value, Flyteidl__Core__Scalar__ValueCase kind)
{
	return value->value_case == FLYTEIDL__CORE__LITERAL__VALUE_SCALAR && value->scalar &&
	       value->scalar->value_case == kind;
}

static bool
is_of_simple(const literal_type *type, const literal *value)
{
	switch (type->simple) {
	case FLYTEIDL__CORE__SIMPLE_TYPE__NONE:
		return is_scalar(value, FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE);
	case FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER:
		return is_primitive(value, FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER);
	case FLYTEIDL__CORE__SIMPLE_TYPE__FLOAT:
		return is_primitive(value, FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE) ||
		       is_primitive(value, FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER);
	case FLYTEIDL__CORE__SIMPLE_TYPE__STRING:
		return is_primitive(value, FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE);
	case FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN:
		return is_primitive(value, FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN);
	case FLYTEIDL__CORE__SIMPLE_TYPE__DATETIME:
		return is_primitive(value, FLYTEIDL__CORE__PRIMITIVE__VALUE_DATETIME);
	case FLYTEIDL__CORE__SIMPLE_TYPE__DURATION:
		return is_primitive(value, FLYTEIDL__CORE__PRIMITIVE__VALUE_DURATION);
	case FLYTEIDL__CORE__SIMPLE_TYPE__BINARY:
		return is_scalar(value, FLYTEIDL__CORE__SCALAR__VALUE_BINARY);
	case FLYTEIDL__CORE__SIMPLE_TYPE__STRUCT:
		/* other SDKs pack a dataclass with msgpack and say so in the tag */
		return is_scalar(value, FLYTEIDL__CORE__SCALAR__VALUE_GENERIC) ||
		       (is_scalar(value, FLYTEIDL__CORE__SCALAR__VALUE_BINARY) &&
		        value->scalar->binary->tag && value->scalar->binary->tag[0]);
	default:
		return false;
	}
}

static enum un_err
check_list(struct checking *at, const literal_type *type, const literal *value)
{
	if (value->value_case != FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION)
		return fail_type(at, type, value);
	for (size_t i = 0; i < value->collection->n_literals; i++) {
		size_t back = place_push_index(&at->place, i);
		enum un_err err =
		        check(at, type->collection_type, value->collection->literals[i]);

		if (err)
			return err;
		place_pop(&at->place, back);
	}
	return UN_OK;
}

static enum un_err
check_dict(struct checking *at, const literal_type *type, const literal *value)
{
	if (value->value_case != FLYTEIDL__CORE__LITERAL__VALUE_MAP)
		return fail_type(at, type, value);
	for (size_t i = 0; i < value->map->n_literals; i++) {
		/* keys are values of users too: an index says where without showing one */
		size_t back = place_push_index(&at->place, i);
		enum un_err err = check(at, type->map_value_type, value->map->literals[i]->value);

		if (err)
			return err;
		place_pop(&at->place, back);
	}
	return UN_OK;
}

static enum un_err
check_union(struct checking *at, const literal_type *type, const literal *value)
{
	const Flyteidl__Core__UnionType *of = type->union_type;
	const literal *inner = value;

	if (is_scalar(value, FLYTEIDL__CORE__SCALAR__VALUE_UNION))
		inner = value->scalar->union_->value;
	for (size_t i = 0; of && inner && i < of->n_variants; i++) {
		struct checking trial = *at;
		enum un_err err;

		trial.detail = NULL;
		err = check(&trial, of->variants[i], inner);
		if (err != UN_ERR_INPUT_TYPE)
			return err;
	}
	return fail_type(at, type, inner);
}

static enum un_err
check_enum(struct checking *at, const literal_type *type, const literal *value)
{
	const Flyteidl__Core__EnumType *of = type->enum_type;

	if (!is_primitive(value, FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE))
		return fail_type(at, type, value);
	for (size_t i = 0; i < of->n_values; i++) {
		if (strcmp(of->values[i], value->scalar->primitive->string_value) == 0)
			return UN_OK;
	}
	return un_fail(at->detail, UN_ERR_INPUT_TYPE,
	               "%s is none of the %zu values that it may have", at->place.text,
	               of->n_values);
}

static enum un_err
check_one(struct checking *at, const literal_type *type, const literal *value)
{
	switch (type->type_case) {
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE:
		return is_of_simple(type, value) ? UN_OK : fail_type(at, type, value);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE:
		return check_list(at, type, value);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE:
		return check_dict(at, type, value);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE:
		return check_union(at, type, value);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE:
		return check_enum(at, type, value);
	default:
		un_hint(at->detail, "supported: " LITERAL_TYPES_SUPPORTED);
		return un_fail(at->detail, UN_ERR_TYPE_UNSUPPORTED,
		               "the type of %s is not supported", at->place.text);
	}
}

static enum un_err
check(struct checking *at, const literal_type *type, const literal *value)
{
	enum un_err err;

	if (!type || !value)
		return un_fail(at->detail, UN_ERR_INPUT_TYPE, "%s has no %s", at->place.text,
		               type ? "value" : "type");
	if (at->depth == LITERAL_DEPTH_MAX)
		return un_fail(at->detail, UN_ERR_TOO_LARGE, "%s is nested too deep",
		               at->place.text);
	at->depth++;
	err = check_one(at, type, value);
	at->depth--;
	return err;
}

enum un_err
literal_check(const char *what, const char *name, const literal_type *type, const literal *value,
              struct un_detail *detail)
{
	struct checking at = {.detail = detail};

	place_init(&at.place, what, name);
	return check(&at, type, value);
}
