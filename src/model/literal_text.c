#include "model/literal_text.h"

#include "base/alloc.h"
#include "base/text.h"
#include "model/literal_reading.h"

#include <stdlib.h>
#include <string.h>

#define FIELD_NAME_MAX 256

typedef Flyteidl__Core__LiteralMap__LiteralsEntry dict_entry;
typedef Flyteidl__Core__TypeStructure__DataclassTypeEntry field_entry;

static bool
is_simple(const literal_type *type, Flyteidl__Core__SimpleType simple)
{
	return type->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE &&
	       type->simple == simple;
}

static enum un_err from_json(struct reading *in, const literal_type *type, literal **ret_value);

/* A scalar inside JSON: the number or text as it is written, read as on the command line. */
static enum un_err
simple_from_json(struct reading *in, const literal_type *type, literal **ret_value)
{
	enum json_kind kind = json_reader_peek(&in->json), wanted = JSON_STRING;
	char number[JSON_NUMBER_MAX];
	struct buf text;
	enum un_err err;

	if (is_simple(type, FLYTEIDL__CORE__SIMPLE_TYPE__NONE))
		wanted = JSON_NULL;
	else if (is_simple(type, FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN))
		wanted = kind == JSON_TRUE ? JSON_TRUE : JSON_FALSE;
	else if (is_simple(type, FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER) ||
	         (is_simple(type, FLYTEIDL__CORE__SIMPLE_TYPE__FLOAT) && kind != JSON_STRING))
		wanted = JSON_NUMBER;
	if (kind != wanted)
		return reading_fail(in, type);
	if (wanted == JSON_NUMBER) {
		err = json_reader_number(&in->json, number);
		err = err ? err : literal_scalar_from_text(type, number, ret_value);
		return reading_judge(in, type, err);
	}
	if (wanted != JSON_STRING) {
		err = json_reader_word(&in->json);
		if (!err)
			err = wanted == JSON_NULL
			              ? literal_of_none(ret_value)
			              : literal_of_bool(wanted == JSON_TRUE, ret_value);
		return reading_judge(in, type, err);
	}
	buf_init(&text, LITERAL_TEXT_MAX, BUF_PLAIN);
	err = json_reader_string(&in->json, &text);
	if (!err)
		err = type->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE
		              ? literal_enum_from_text(in, type, buf_text(&text), ret_value)
		              : literal_scalar_from_text(type, buf_text(&text), ret_value);
	buf_fini(&text);
	return reading_judge(in, type, err);
}

static enum un_err
list_from_json(struct reading *in, const literal_type *type, literal **ret_value)
{
	Flyteidl__Core__LiteralCollection *list;
	literal *value;
	enum un_err err;

	if (json_reader_peek(&in->json) != JSON_ARRAY)
		return reading_fail(in, type);
	err = literal_of_list(&value);
	if (err)
		return err;
	list = value->collection;
	err = json_reader_enter(&in->json);
	while (!err && json_reader_next(&in->json)) {
		size_t back = place_push_index(&in->place, list->n_literals);

		err = pointers_grow((void **)&list->literals, list->n_literals);
		if (!err)
			err = from_json(in, type->collection_type,
			                &list->literals[list->n_literals]);
		if (!err)
			list->n_literals++;
		if (!err)
			place_pop(&in->place, back);
	}
	err = err ? err : json_reader_error(&in->json);
	if (err) {
		literal_free(value);
		return reading_judge(in, type, err);
	}
	*ret_value = value;
	return UN_OK;
}

static int
compare_keys(const void *a, const void *b)
{
	return strcmp((*(const dict_entry *const *)a)->key, (*(const dict_entry *const *)b)->key);
}

/* Sorted: the same input is the same bytes on the wire. */
static enum un_err
sort_dict(struct reading *in, literal_map *map)
{
	if (map->n_literals > 1)
		qsort(map->literals, map->n_literals, sizeof map->literals[0], compare_keys);
	for (size_t i = 1; i < map->n_literals; i++) {
		if (strcmp(map->literals[i - 1]->key, map->literals[i]->key) == 0)
			return un_fail(in->detail, UN_ERR_INPUT_TYPE, "%s has a key twice",
			               in->place.text);
	}
	return UN_OK;
}

/* One `"key": value`, appended to the map even when only the key was read: the map frees it. */
static enum un_err
item_from_json(struct reading *in, const literal_type *type, literal_map *map)
{
	struct buf key;
	dict_entry *entry;
	enum un_err err = pointers_grow((void **)&map->literals, map->n_literals);

	if (err)
		return err;
	entry = mem_alloc(sizeof *entry);
	if (!entry)
		return UN_ERR_NO_MEMORY;
	flyteidl__core__literal_map__literals_entry__init(entry);
	map->literals[map->n_literals++] = entry;
	buf_init(&key, LITERAL_TEXT_MAX, BUF_PLAIN);
	err = json_reader_key(&in->json, &key);
	if (!err) {
		entry->key = mem_strdup(buf_text(&key));
		err = entry->key ? UN_OK : UN_ERR_NO_MEMORY;
	}
	if (!err) {
		size_t back = place_push_name(&in->place, buf_text(&key));

		err = from_json(in, type, &entry->value);
		if (!err)
			place_pop(&in->place, back);
	}
	buf_fini(&key);
	return err;
}

static enum un_err
dict_from_json(struct reading *in, const literal_type *type, literal **ret_value)
{
	literal *value;
	enum un_err err;

	if (json_reader_peek(&in->json) != JSON_OBJECT)
		return reading_fail(in, type);
	err = literal_of_dict(&value);
	if (err)
		return err;
	err = json_reader_enter(&in->json);
	while (!err && json_reader_next(&in->json))
		err = item_from_json(in, type->map_value_type, value->map);
	err = err ? err : json_reader_error(&in->json);
	err = err ? err : sort_dict(in, value->map);
	if (err) {
		literal_free(value);
		return reading_judge(in, type, err);
	}
	*ret_value = value;
	return UN_OK;
}

/* The type of a field. A name that is none is an error that names the nearest. */
static enum un_err
find_field(struct reading *in, const Flyteidl__Core__TypeStructure *structure, const char *name,
           const literal_type **ret_type)
{
	const char *names[64], *nearest;
	size_t count = 0;

	for (size_t i = 0; i < structure->n_dataclass_type; i++) {
		const field_entry *field = structure->dataclass_type[i];

		if (strcmp(field->key, name) == 0 && field->value) {
			*ret_type = field->value;
			return UN_OK;
		}
		if (count < sizeof names / sizeof names[0])
			names[count++] = field->key;
	}
	nearest = text_nearest(name, names, count);
	if (nearest)
		un_hint(in->detail, "did you mean '%.64s'?", nearest);
	return un_fail(in->detail, UN_ERR_INPUT_TYPE, "%s: %.64s has no field '%.64s'",
	               in->place.text, structure->tag, name);
}

static bool
has_field(const Google__Protobuf__Struct *of, const char *name)
{
	for (size_t i = 0; i < of->n_fields; i++) {
		if (strcmp(of->fields[i]->key, name) == 0)
			return true;
	}
	return false;
}

/* One `"field": value` of a dataclass, read as its type says. */
static enum un_err
field_from_json(struct reading *in, const Flyteidl__Core__TypeStructure *structure,
                Google__Protobuf__Struct *to)
{
	Google__Protobuf__Value *member = NULL;
	const literal_type *type = NULL;
	literal *value = NULL;
	struct buf name;
	size_t back;
	enum un_err err;

	buf_init(&name, FIELD_NAME_MAX, BUF_PLAIN);
	err = json_reader_key(&in->json, &name);
	err = err ? err : find_field(in, structure, buf_text(&name), &type);
	if (!err && has_field(to, buf_text(&name)))
		err = un_fail(in->detail, UN_ERR_INPUT_TYPE, "%s has the field '%.64s' twice",
		              in->place.text, buf_text(&name));
	if (err)
		goto out;
	back = place_push_name(&in->place, buf_text(&name));
	err = from_json(in, type, &value);
	err = err ? err : literal_to_plain(value, &member);
	err = err ? err : plain_add_field(to, buf_text(&name), member);
	if (!err)
		place_pop(&in->place, back);
out:
	literal_free(value);
	buf_fini(&name);
	return err;
}

/* A dataclass, or an object of any shape when the type does not name its fields. */
static enum un_err
struct_from_json(struct reading *in, const literal_type *type, literal **ret_value)
{
	const Flyteidl__Core__TypeStructure *structure = type->structure;
	Google__Protobuf__Value *any = NULL;
	literal *value;
	enum un_err err;

	if (json_reader_peek(&in->json) != JSON_OBJECT)
		return reading_fail(in, type);
	err = literal_of_struct(&value);
	if (err)
		return err;
	if (structure && structure->n_dataclass_type) {
		err = json_reader_enter(&in->json);
		while (!err && json_reader_next(&in->json))
			err = field_from_json(in, structure, value->scalar->generic);
		err = err ? err : json_reader_error(&in->json);
	} else {
		err = plain_from_json(&in->json, &any);
		if (!err) {
			Google__Protobuf__Struct *empty = value->scalar->generic;

			value->scalar->generic = any->struct_value;
			any->struct_value = empty;
		}
		plain_free(any);
	}
	if (err) {
		literal_free(value);
		return reading_judge(in, type, err);
	}
	*ret_value = value;
	return UN_OK;
}

/* The first variant that takes it. With one candidate, its error is the error. */
static enum un_err
union_from_json(struct reading *in, const literal_type *type, literal **ret_value)
{
	const Flyteidl__Core__UnionType *of = type->union_type;
	bool null = json_reader_peek(&in->json) == JSON_NULL;

	for (size_t i = 0; i < of->n_variants; i++) {
		const literal_type *variant = of->variants[i];
		struct reading trial = *in;
		literal *value = NULL;
		enum un_err err;

		if (null != is_simple(variant, FLYTEIDL__CORE__SIMPLE_TYPE__NONE))
			continue;
		err = from_json(&trial, variant, &value);
		if (!err) {
			in->json = trial.json;
			return literal_of_union(value, variant, ret_value);
		}
		if (err != UN_ERR_INPUT_TYPE || of->n_variants <= 2) {
			in->place = trial.place;
			return err;
		}
	}
	return reading_fail(in, type);
}

static enum un_err
from_json(struct reading *in, const literal_type *type, literal **ret_value)
{
	if (!type)
		return UN_ERR_TYPE_UNSUPPORTED;
	switch (type->type_case) {
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE:
		return list_from_json(in, type, ret_value);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE:
		return dict_from_json(in, type, ret_value);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE:
		return union_from_json(in, type, ret_value);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE:
		if (type->simple == FLYTEIDL__CORE__SIMPLE_TYPE__STRUCT)
			return struct_from_json(in, type, ret_value);
		return simple_from_json(in, type, ret_value);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE:
		return simple_from_json(in, type, ret_value);
	default:
		return UN_ERR_TYPE_UNSUPPORTED;
	}
}

static enum un_err
whole_from_json(struct reading *in, const literal_type *type, literal **ret_value)
{
	literal *value = NULL;
	enum un_err err = from_json(in, type, &value);

	if (!err && json_reader_end(&in->json)) {
		err = un_fail(in->detail, UN_ERR_INPUT_TYPE,
		              "%s: something follows the JSON value, at byte %zu",
		              in->place.text, json_reader_offset(&in->json));
		literal_free(value);
	}
	if (!err)
		*ret_value = value;
	return err;
}

static enum un_err whole_from_text(struct reading *in, const literal_type *type, const char *text,
                                   literal **ret_value);

/* null and None are None where that is allowed; all else is for the other variants. */
static enum un_err
union_from_text(struct reading *in, const literal_type *type, const char *text,
                literal **ret_value)
{
	const Flyteidl__Core__UnionType *of = type->union_type;
	bool none = false;

	for (size_t i = 0; i < of->n_variants; i++)
		none |= is_simple(of->variants[i], FLYTEIDL__CORE__SIMPLE_TYPE__NONE);
	none = none && literal_is_none_word(text);
	for (size_t i = 0; i < of->n_variants; i++) {
		const literal_type *variant = of->variants[i];
		struct reading trial = *in;
		literal *value = NULL;
		enum un_err err;

		if (none != is_simple(variant, FLYTEIDL__CORE__SIMPLE_TYPE__NONE))
			continue;
		err = whole_from_text(&trial, variant, text, &value);
		if (!err)
			return literal_of_union(value, variant, ret_value);
		if (err != UN_ERR_INPUT_TYPE || of->n_variants <= 2)
			return err;
	}
	return reading_fail(in, type);
}

static enum un_err
whole_from_text(struct reading *in, const literal_type *type, const char *text,
                literal **ret_value)
{
	enum un_err err;

	switch (type->type_case) {
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE:
		return union_from_text(in, type, text, ret_value);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_ENUM_TYPE:
		return literal_enum_from_text(in, type, text, ret_value);
	case FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE:
		if (type->simple == FLYTEIDL__CORE__SIMPLE_TYPE__STRUCT)
			break;
		err = literal_scalar_from_text(type, text, ret_value);
		return reading_judge(in, type, err);
	default:
		break;
	}
	json_reader_init(&in->json, text, strlen(text));
	return whole_from_json(in, type, ret_value);
}

static enum un_err
too_large(struct reading *in)
{
	return un_fail(in->detail, UN_ERR_TOO_LARGE, "%s is larger than %u MiB", in->place.text,
	               LITERAL_TEXT_MAX >> 20);
}

enum un_err
literal_from_text(const char *name, const literal_type *type, const char *text,
                  literal **ret_value, struct un_detail *detail)
{
	struct reading in = {.detail = detail};
	enum un_err err = literal_type_check("input", name, type, detail);

	if (err)
		return err;
	place_init(&in.place, "input", name);
	if (strnlen(text, LITERAL_TEXT_MAX + 1) > LITERAL_TEXT_MAX)
		return too_large(&in);
	return whole_from_text(&in, type, text, ret_value);
}

enum un_err
literal_from_json(const char *name, const literal_type *type, const char *json, size_t len,
                  literal **ret_value, struct un_detail *detail)
{
	struct reading in = {.detail = detail};
	enum un_err err = literal_type_check("input", name, type, detail);

	if (err)
		return err;
	place_init(&in.place, "input", name);
	if (len > LITERAL_TEXT_MAX)
		return too_large(&in);
	json_reader_init(&in.json, json, len);
	return whole_from_json(&in, type, ret_value);
}
