/* Resolution follows a promise from scope to scope: an input of a sub-workflow is a binding of the
 * node it stands at, read in the scope around it; an output of a sub-workflow is a binding of its
 * own, read inside. Values are not copied: new lists and maps are made in an arena that points at
 * what exists, packed once, and thrown away. The arena's maximum is what stops a small workflow
 * that doubles a list at every step. */
#include "runs/binding.h"

#include "base/alloc.h"
#include "runs/type.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define RESOLVE_ARENA_MAX (32u << 20)

/* ---- on types ---- */

static const pb_type *
target_type(const struct graph *graph, uint32_t scope, const pb_promise *promise)
{
	struct graph_target target = graph_target_of(graph, scope, promise->node_id);
	const pb_interface *interface;

	switch (target.kind) {
	case TARGET_INPUT:
		interface = graph->scopes[scope].workflow->interface;
		return interface == NULL ? NULL : type_of_variable(interface->inputs, promise->var);
	case TARGET_NODE: interface = graph->nodes[target.place].task->interface; break;
	case TARGET_SCOPE: interface = graph->scopes[target.place].workflow->interface; break;
	default: return NULL;
	}
	return interface == NULL ? NULL : type_of_variable(interface->outputs, promise->var);
}

/* Walks the path on the type. *ret_type NULL: it leads into a structure, whose fields have no
 * types. */
static enum un_err
path_type(const pb_promise *promise, const pb_type *type, const pb_type **ret_type,
          struct un_detail *detail)
{
	if (promise->n_attr_path > BINDING_PATH_MAX)
		return un_fail(detail, UN_ERR_TOO_LARGE, "a path of more than %d steps",
		               BINDING_PATH_MAX);
	for (size_t i = 0; i < promise->n_attr_path; i++) {
		const pb_attribute *step = promise->attr_path[i];
		bool by_name = step->value_case ==
		               FLYTEIDL__CORE__PROMISE_ATTRIBUTE__VALUE_STRING_VALUE;

		if (type->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE &&
		    type->simple == FLYTEIDL__CORE__SIMPLE_TYPE__STRUCT) {
			*ret_type = NULL;
			return UN_OK;
		}
		if (type->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE &&
		    !by_name)
			type = type->collection_type;
		else if (type->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE &&
		         by_name)
			type = type->map_value_type;
		else
			return un_fail(detail, UN_ERR_INPUT_TYPE,
			               "step %zu of the path does not fit the type it goes into",
			               i + 1);
		if (type == NULL)
			return un_fail(detail, UN_ERR_INVALID, "a type is not set");
	}
	*ret_type = type;
	return UN_OK;
}

static enum un_err
check_promise(const struct graph *graph, uint32_t scope, const pb_promise *promise,
              const pb_type *to, struct un_detail *detail)
{
	char wanted[TYPE_TEXT_MAX], given[TYPE_TEXT_MAX];
	const pb_type *type;
	enum un_err err;

	if (graph_target_of(graph, scope, promise->node_id).kind == TARGET_NOTHING)
		return un_fail(detail, UN_ERR_INVALID, "there is no node '%.64s'",
		               promise->node_id);
	type = target_type(graph, scope, promise);
	if (type == NULL) {
		if (promise->node_id[0] == '\0')
			return un_fail(detail, UN_ERR_INVALID, "the workflow has no input '%.128s'",
			               promise->var);
		return un_fail(detail, UN_ERR_INVALID, "node '%.64s' has no output '%.128s'",
		               promise->node_id, promise->var);
	}
	err = path_type(promise, type, &type, detail);
	if (err)
		return err;
	if (type == NULL || type_fits(type, to))
		return UN_OK;
	type_format(type, given);
	type_format(to, wanted);
	return un_fail(detail, UN_ERR_INPUT_TYPE, "it must be %s, and '%.128s' of %s%.64s is %s",
	               wanted, promise->var, promise->node_id[0] == '\0' ? "the workflow" : "node ",
	               promise->node_id, given);
}

static enum un_err check_data(const struct graph *graph, uint32_t scope,
                              const pb_binding_data *data, const pb_type *to, unsigned depth,
                              struct un_detail *detail);

static enum un_err
check_list(const struct graph *graph, uint32_t scope, const pb_binding_data *data,
           const pb_type *to, unsigned depth, struct un_detail *detail)
{
	const Flyteidl__Core__BindingDataCollection *list = data->collection;
	enum un_err err = UN_OK;

	if (to->type_case != FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE)
		return un_fail(detail, UN_ERR_INPUT_TYPE, "a list is given where none is wanted");
	for (size_t i = 0; i < list->n_bindings && !err; i++)
		err = check_data(graph, scope, list->bindings[i], to->collection_type, depth + 1,
		                 detail);
	return err;
}

static enum un_err
check_dict(const struct graph *graph, uint32_t scope, const pb_binding_data *data,
           const pb_type *to, unsigned depth, struct un_detail *detail)
{
	const Flyteidl__Core__BindingDataMap *map = data->map;
	enum un_err err = UN_OK;

	if (to->type_case != FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE)
		return un_fail(detail, UN_ERR_INPUT_TYPE, "a dict is given where none is wanted");
	for (size_t i = 0; i < map->n_bindings && !err; i++)
		err = check_data(graph, scope, map->bindings[i]->value, to->map_value_type,
		                 depth + 1, detail);
	return err;
}

static enum un_err
check_scalar(const pb_binding_data *data, const pb_type *to, struct un_detail *detail)
{
	pb_literal literal = FLYTEIDL__CORE__LITERAL__INIT;
	char wanted[TYPE_TEXT_MAX];

	literal.value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	literal.scalar = data->scalar;
	if (type_fits_literal(&literal, to))
		return UN_OK;
	type_format(to, wanted);
	return un_fail(detail, UN_ERR_INPUT_TYPE, "it must be %s, and is %s", wanted,
	               type_word_of_literal(&literal));
}

/* A list or map may stand for any of the variants that takes it. */
static enum un_err
check_variants(const struct graph *graph, uint32_t scope, const pb_binding_data *data,
               const pb_type *to, unsigned depth, struct un_detail *detail)
{
	for (size_t i = 0; i < to->union_type->n_variants; i++) {
		if (check_data(graph, scope, data, to->union_type->variants[i], depth + 1, NULL) ==
		    UN_OK)
			return UN_OK;
	}
	return un_fail(detail, UN_ERR_INPUT_TYPE, "it fits none of the types that are wanted");
}

static enum un_err
check_data(const struct graph *graph, uint32_t scope, const pb_binding_data *data,
           const pb_type *to, unsigned depth, struct un_detail *detail)
{
	if (depth > BINDING_DEPTH_MAX)
		return un_fail(detail, UN_ERR_TOO_LARGE, "lists and maps nested more than %d deep",
		               BINDING_DEPTH_MAX);
	if (data == NULL || to == NULL)
		return un_fail(detail, UN_ERR_INVALID, "it is bound to nothing");
	switch (data->value_case) {
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_PROMISE:
		return check_promise(graph, scope, data->promise, to, detail);
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_SCALAR: return check_scalar(data, to, detail);
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_COLLECTION:
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_MAP: break;
	default: return un_fail(detail, UN_ERR_INVALID, "it is bound to nothing");
	}
	if (to->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE)
		return check_variants(graph, scope, data, to, depth, detail);
	if (data->value_case == FLYTEIDL__CORE__BINDING_DATA__VALUE_COLLECTION)
		return check_list(graph, scope, data, to, depth, detail);
	return check_dict(graph, scope, data, to, depth, detail);
}

enum un_err
binding_check(const struct graph *graph, uint32_t scope, const pb_binding_data *data,
              const pb_type *to, struct un_detail *detail)
{
	return check_data(graph, scope, data, to, 0, detail);
}

/* ---- on values ---- */

struct resolve {
	const struct graph *graph;
	const struct binding_values *values;
	struct arena *arena;
	struct un_detail *detail;
	size_t *spent; /* bytes of values pointed at so far: each counts as often as it is used */
};

static enum un_err resolve_data(const struct resolve *r, uint32_t scope,
                                const pb_binding_data *data, unsigned hops, pb_literal **ret);

static enum un_err
too_large(const struct resolve *r)
{
	return un_fail(r->detail, UN_ERR_TOO_LARGE, "the values are larger than %u bytes",
	               BINDING_VALUES_MAX);
}

static pb_literal *
literal_new(const struct resolve *r)
{
	pb_literal *literal = arena_alloc(r->arena, 1, sizeof *literal);

	if (literal != NULL)
		flyteidl__core__literal__init(literal);
	return literal;
}

static pb_literal *
literal_new_scalar(const struct resolve *r, Flyteidl__Core__Scalar__ValueCase value_case)
{
	pb_literal *literal = literal_new(r);
	Flyteidl__Core__Scalar *scalar = arena_alloc(r->arena, 1, sizeof *scalar);

	if (literal == NULL || scalar == NULL)
		return NULL;
	flyteidl__core__scalar__init(scalar);
	scalar->value_case = value_case;
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	literal->scalar = scalar;
	return literal;
}

static const pb_binding_data *
binding_of(pb_binding *const *bindings, size_t count, const char *var)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(bindings[i]->var, var) == 0)
			return bindings[i]->binding;
	}
	return NULL;
}

static enum un_err generic_to_literal(const struct resolve *r, Google__Protobuf__Value *value,
                                      unsigned depth, pb_literal **ret);

static enum un_err
generic_list_to_literal(const struct resolve *r, const Google__Protobuf__ListValue *list,
                        unsigned depth, pb_literal **ret)
{
	pb_literal *literal = literal_new(r);
	Flyteidl__Core__LiteralCollection *items = arena_alloc(r->arena, 1, sizeof *items);
	enum un_err err = UN_OK;

	if (literal == NULL || items == NULL)
		return too_large(r);
	flyteidl__core__literal_collection__init(items);
	items->literals = arena_alloc(r->arena, list->n_values, sizeof *items->literals);
	if (items->literals == NULL)
		return too_large(r);
	for (; items->n_literals < list->n_values && !err; items->n_literals++)
		err = generic_to_literal(r, list->values[items->n_literals], depth + 1,
		                         &items->literals[items->n_literals]);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION;
	literal->collection = items;
	*ret = literal;
	return err;
}

static enum un_err
generic_primitive(const struct resolve *r, const Google__Protobuf__Value *value, pb_literal **ret)
{
	pb_literal *literal = literal_new_scalar(r, FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE);
	Flyteidl__Core__Primitive *primitive = arena_alloc(r->arena, 1, sizeof *primitive);

	if (literal == NULL || primitive == NULL)
		return too_large(r);
	flyteidl__core__primitive__init(primitive);
	literal->scalar->primitive = primitive;
	if (value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE) {
		primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE;
		primitive->string_value = value->string_value;
	} else if (value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE) {
		primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_BOOLEAN;
		primitive->boolean = value->bool_value;
	} else {
		primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE;
		primitive->float_value = value->number_value;
	}
	*ret = literal;
	return UN_OK;
}

static enum un_err
generic_to_literal(const struct resolve *r, Google__Protobuf__Value *value, unsigned depth,
                   pb_literal **ret)
{
	if (value == NULL || depth > TYPE_DEPTH_MAX)
		return un_fail(r->detail, UN_ERR_INPUT_TYPE, "the structure is too deep or empty");
	switch (value->kind_case) {
	case GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE:
		return generic_list_to_literal(r, value->list_value, depth, ret);
	case GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE:
		*ret = literal_new_scalar(r, FLYTEIDL__CORE__SCALAR__VALUE_GENERIC);
		if (*ret == NULL)
			return too_large(r);
		(*ret)->scalar->generic = value->struct_value;
		return UN_OK;
	case GOOGLE__PROTOBUF__VALUE__KIND_NUMBER_VALUE:
	case GOOGLE__PROTOBUF__VALUE__KIND_STRING_VALUE:
	case GOOGLE__PROTOBUF__VALUE__KIND_BOOL_VALUE: return generic_primitive(r, value, ret);
	default: break;
	}
	*ret = literal_new_scalar(r, FLYTEIDL__CORE__SCALAR__VALUE_NONE_TYPE);
	if (*ret == NULL || ((*ret)->scalar->none_type = arena_alloc(
				     r->arena, 1, sizeof *(*ret)->scalar->none_type)) == NULL)
		return too_large(r);
	flyteidl__core__void__init((*ret)->scalar->none_type);
	return UN_OK;
}

/* The rest of a path that has entered a structure. */
static enum un_err
follow_generic(const struct resolve *r, const Google__Protobuf__Struct *fields,
               const pb_promise *promise, size_t at, pb_literal **ret)
{
	Google__Protobuf__Value *value = NULL;

	for (; at < promise->n_attr_path; at++) {
		const pb_attribute *step = promise->attr_path[at];
		bool by_name = step->value_case ==
		               FLYTEIDL__CORE__PROMISE_ATTRIBUTE__VALUE_STRING_VALUE;
		Google__Protobuf__Value *next = NULL;

		if (by_name && fields != NULL) {
			for (size_t i = 0; i < fields->n_fields; i++) {
				if (strcmp(fields->fields[i]->key, step->string_value) == 0)
					next = fields->fields[i]->value;
			}
		} else if (!by_name && value != NULL &&
		           value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_LIST_VALUE &&
		           step->int_value >= 0 &&
		           (size_t)step->int_value < value->list_value->n_values) {
			next = value->list_value->values[step->int_value];
		}
		if (next == NULL)
			return un_fail(r->detail, UN_ERR_INPUT_MISSING,
			               "step %zu of the path into '%.128s' leads nowhere", at + 1,
			               promise->var);
		value = next;
		fields = value->kind_case == GOOGLE__PROTOBUF__VALUE__KIND_STRUCT_VALUE ?
		                 value->struct_value :
		                 NULL;
	}
	return generic_to_literal(r, value, 0, ret);
}

static enum un_err
follow_path(const struct resolve *r, const pb_promise *promise, pb_literal *value,
            pb_literal **ret)
{
	for (size_t i = 0; i < promise->n_attr_path; i++) {
		const pb_attribute *step = promise->attr_path[i];
		const pb_literal *next = NULL;

		if (value == NULL)
			return un_fail(r->detail, UN_ERR_INPUT_MISSING, "'%.128s' has no value",
			               promise->var);
		if (value->value_case == FLYTEIDL__CORE__LITERAL__VALUE_SCALAR &&
		    value->scalar->value_case == FLYTEIDL__CORE__SCALAR__VALUE_GENERIC)
			return follow_generic(r, value->scalar->generic, promise, i, ret);
		if (value->value_case == FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION &&
		    step->value_case == FLYTEIDL__CORE__PROMISE_ATTRIBUTE__VALUE_INT_VALUE &&
		    step->int_value >= 0 &&
		    (size_t)step->int_value < value->collection->n_literals)
			next = value->collection->literals[step->int_value];
		else if (value->value_case == FLYTEIDL__CORE__LITERAL__VALUE_MAP &&
		         step->value_case == FLYTEIDL__CORE__PROMISE_ATTRIBUTE__VALUE_STRING_VALUE)
			next = literal_of(value->map, step->string_value);
		if (next == NULL)
			return un_fail(r->detail, UN_ERR_INPUT_MISSING,
			               "step %zu of the path into '%.128s' leads nowhere", i + 1,
			               promise->var);
		value = (pb_literal *)(uintptr_t)next;
	}
	*ret = value;
	return UN_OK;
}

static enum un_err
resolve_input(const struct resolve *r, uint32_t scope, const char *var, unsigned hops,
              pb_literal **ret)
{
	const struct graph_scope *at = &r->graph->scopes[scope];
	const pb_literal *value;

	if (at->at != NULL)
		return resolve_data(r, at->parent,
		                    binding_of(at->at->inputs, at->at->n_inputs, var), hops + 1,
		                    ret);
	value = literal_of(r->values->inputs, var);
	if (value == NULL)
		return un_fail(r->detail, UN_ERR_INPUT_MISSING, "input '%.128s' is missing", var);
	*ret = (pb_literal *)(uintptr_t)value;
	return UN_OK;
}

static enum un_err
resolve_promise(const struct resolve *r, uint32_t scope, const pb_promise *promise, unsigned hops,
                pb_literal **ret)
{
	struct graph_target target = graph_target_of(r->graph, scope, promise->node_id);
	const pb_workflow *sub;
	const pb_literal *value;
	pb_literal *found = NULL;
	enum un_err err = UN_OK;

	switch (target.kind) {
	case TARGET_INPUT: err = resolve_input(r, scope, promise->var, hops, &found); break;
	case TARGET_SCOPE:
		sub = r->graph->scopes[target.place].workflow;
		err = resolve_data(r, target.place,
		                   binding_of(sub->outputs, sub->n_outputs, promise->var), hops + 1,
		                   &found);
		break;
	case TARGET_NODE:
		value = literal_of(r->values->output(r->values->ctx, target.place), promise->var);
		if (value == NULL)
			return un_fail(r->detail, UN_ERR_INPUT_MISSING,
			               "node '%.64s' has left no output '%.128s'", promise->node_id,
			               promise->var);
		found = (pb_literal *)(uintptr_t)value;
		break;
	default: return un_fail(r->detail, UN_ERR_INTERNAL, "a promise leads nowhere");
	}
	if (!err)
		err = follow_path(r, promise, found, ret);
	if (err || target.kind == TARGET_SCOPE ||
	    (target.kind == TARGET_INPUT && r->graph->scopes[scope].at != NULL))
		return err; /* what it is made of has been counted further in */
	*r->spent += flyteidl__core__literal__get_packed_size(*ret);
	return *r->spent > BINDING_VALUES_MAX ? too_large(r) : UN_OK;
}

static enum un_err
resolve_list(const struct resolve *r, uint32_t scope, const pb_binding_data *data, unsigned hops,
             pb_literal **ret)
{
	size_t count = data->collection->n_bindings;
	pb_literal *literal = literal_new(r);
	Flyteidl__Core__LiteralCollection *list = arena_alloc(r->arena, 1, sizeof *list);
	enum un_err err = UN_OK;

	if (literal == NULL || list == NULL)
		return too_large(r);
	flyteidl__core__literal_collection__init(list);
	list->literals = arena_alloc(r->arena, count, sizeof *list->literals);
	if (list->literals == NULL)
		return too_large(r);
	for (; list->n_literals < count && !err; list->n_literals++)
		err = resolve_data(r, scope, data->collection->bindings[list->n_literals], hops,
		                   &list->literals[list->n_literals]);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION;
	literal->collection = list;
	*ret = literal;
	return err;
}

static pb_literal_map *
map_new(const struct resolve *r, size_t count)
{
	pb_literal_map *map = arena_alloc(r->arena, 1, sizeof *map);
	pb_literal_entry *entries = arena_alloc(r->arena, count, sizeof *entries);

	if (map == NULL || entries == NULL)
		return NULL;
	flyteidl__core__literal_map__init(map);
	map->literals = arena_alloc(r->arena, count, sizeof *map->literals);
	if (map->literals == NULL)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		flyteidl__core__literal_map__literals_entry__init(&entries[i]);
		map->literals[i] = &entries[i];
	}
	return map;
}

static enum un_err
resolve_map(const struct resolve *r, uint32_t scope, const pb_binding_data *data, unsigned hops,
            pb_literal **ret)
{
	size_t count = data->map->n_bindings;
	pb_literal *literal = literal_new(r);
	pb_literal_map *map = map_new(r, count);
	enum un_err err = UN_OK;

	if (literal == NULL || map == NULL)
		return too_large(r);
	for (; map->n_literals < count && !err; map->n_literals++) {
		pb_literal_entry *entry = map->literals[map->n_literals];

		entry->key = data->map->bindings[map->n_literals]->key;
		err = resolve_data(r, scope, data->map->bindings[map->n_literals]->value, hops,
		                   &entry->value);
	}
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_MAP;
	literal->map = map;
	*ret = literal;
	return err;
}

static enum un_err
resolve_data(const struct resolve *r, uint32_t scope, const pb_binding_data *data, unsigned hops,
             pb_literal **ret)
{
	pb_literal *literal;

	if (data == NULL || hops > BINDING_HOPS_MAX * BINDING_DEPTH_MAX)
		return un_fail(r->detail, UN_ERR_INPUT_MISSING, "a value is bound to nothing");
	switch (data->value_case) {
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_PROMISE:
		return resolve_promise(r, scope, data->promise, hops, ret);
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_COLLECTION:
		return resolve_list(r, scope, data, hops, ret);
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_MAP: return resolve_map(r, scope, data, hops, ret);
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_SCALAR: break;
	default: return un_fail(r->detail, UN_ERR_INPUT_MISSING, "a value is bound to nothing");
	}
	literal = literal_new(r);
	if (literal == NULL)
		return too_large(r);
	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	literal->scalar = data->scalar;
	*ret = literal;
	return UN_OK;
}

/* A number out of a structure is a float until the type that waits for it says int. */
static void
make_integer(pb_literal *value, const pb_type *to)
{
	Flyteidl__Core__Primitive *primitive;
	double number;

	if (to->type_case != FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE ||
	    to->simple != FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER ||
	    value->value_case != FLYTEIDL__CORE__LITERAL__VALUE_SCALAR ||
	    value->scalar->value_case != FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE)
		return;
	primitive = value->scalar->primitive;
	if (primitive->value_case != FLYTEIDL__CORE__PRIMITIVE__VALUE_FLOAT_VALUE)
		return;
	number = primitive->float_value;
	if (number != floor(number) || number < -9007199254740992.0 || number > 9007199254740992.0)
		return;
	primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER;
	primitive->integer = (int64_t)number;
}

/* True where the literal was made here and not lent from another node. */
static bool
from_structure(const pb_binding_data *data)
{
	return data != NULL && data->value_case == FLYTEIDL__CORE__BINDING_DATA__VALUE_PROMISE &&
	       data->promise->n_attr_path > 0;
}

static enum un_err
map_pack(const struct resolve *r, const pb_literal_map *map, struct buf *out)
{
	size_t len = flyteidl__core__literal_map__get_packed_size(map);
	enum un_err err;

	if (len > BINDING_VALUES_MAX)
		return too_large(r);
	err = buf_reserve(out, len);
	if (err)
		return err;
	buf_added(out, flyteidl__core__literal_map__pack(map, out->data + out->len));
	return UN_OK;
}

static enum un_err
resolve_all(const struct resolve *r, uint32_t scope, pb_binding *const *bindings, size_t count,
            const pb_variable_map *declared, struct buf *out)
{
	pb_literal_map *map = map_new(r, count);
	struct un_detail why = {0};
	struct resolve inner = *r;
	enum un_err err;

	if (map == NULL)
		return too_large(r);
	inner.detail = &why;
	for (size_t i = 0; i < count; i++) {
		pb_literal_entry *entry = map->literals[map->n_literals];
		const pb_type *type = type_of_variable(declared, bindings[i]->var);

		if (type == NULL) /* bound, and nobody wants it */
			continue;
		entry->key = bindings[i]->var;
		err = resolve_data(&inner, scope, bindings[i]->binding, 0, &entry->value);
		if (err)
			return un_fail(r->detail, err, "'%.128s': %s", bindings[i]->var,
			               un_message(err, &why));
		if (from_structure(bindings[i]->binding))
			make_integer(entry->value, type);
		map->n_literals++;
	}
	err = type_check_map("value", declared, map, r->detail);
	if (err)
		return err;
	return map_pack(r, map, out);
}

/* Bindings, where they are read, and what wants them. */
struct wish {
	uint32_t scope;
	pb_binding *const *bindings;
	size_t count;
	const pb_variable_map *declared;
};

static enum un_err
resolve_wish(const struct graph *graph, const struct wish *wish,
             const struct binding_values *values, struct buf *out, struct un_detail *detail)
{
	size_t spent = 0;
	struct resolve r = {
	        .graph = graph, .values = values, .detail = detail, .spent = &spent};
	enum un_err err = arena_new(RESOLVE_ARENA_MAX, &r.arena);

	if (err)
		return err;
	err = resolve_all(&r, wish->scope, wish->bindings, wish->count, wish->declared, out);
	arena_free(r.arena);
	return err;
}

/* A graph of one task has no bindings: what it gets and leaves is the execution's. */
static enum un_err
pack_whole(const pb_literal_map *map, struct buf *out, struct un_detail *detail)
{
	const struct resolve r = {.detail = detail};
	pb_literal_map none = FLYTEIDL__CORE__LITERAL_MAP__INIT;

	return map_pack(&r, map != NULL ? map : &none, out);
}

static const pb_variable_map *
inputs_of(const pb_interface *interface)
{
	return interface == NULL ? NULL : interface->inputs;
}

enum un_err
binding_resolve_inputs(const struct graph *graph, uint32_t node,
                       const struct binding_values *values, struct buf *out,
                       struct un_detail *detail)
{
	const struct graph_node *at = &graph->nodes[node];
	const struct wish wish = {at->scope, at->bindings, at->binding_count,
	                          inputs_of(at->task->interface)};

	if (graph->scope_count == 0)
		return pack_whole(values->inputs, out, detail);
	return resolve_wish(graph, &wish, values, out, detail);
}

enum un_err
binding_resolve_outputs(const struct graph *graph, const struct binding_values *values,
                        struct buf *out, struct un_detail *detail)
{
	if (graph->scope_count == 0)
		return pack_whole(values->output(values->ctx, 0), out, detail);
	return binding_resolve_scope_outputs(graph, 0, values, out, detail);
}

enum un_err
binding_resolve_scope_inputs(const struct graph *graph, uint32_t scope,
                             const struct binding_values *values, struct buf *out,
                             struct un_detail *detail)
{
	const struct graph_scope *at = &graph->scopes[scope];
	const struct wish wish = {at->parent, at->at->inputs, at->at->n_inputs,
	                          inputs_of(at->workflow->interface)};

	return resolve_wish(graph, &wish, values, out, detail);
}

enum un_err
binding_resolve_scope_outputs(const struct graph *graph, uint32_t scope,
                              const struct binding_values *values, struct buf *out,
                              struct un_detail *detail)
{
	const pb_workflow *workflow = graph->scopes[scope].workflow;
	const struct wish wish = {
		scope, workflow->outputs, workflow->n_outputs,
		workflow->interface == NULL ? NULL : workflow->interface->outputs};

	return resolve_wish(graph, &wish, values, out, detail);
}
