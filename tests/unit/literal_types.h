/* literal_types.h - types for tests, made in one expression: list_of(optional_of(INT)). From a pool
 * that a test program never has to free. */
#ifndef LITERAL_TYPES_H
#define LITERAL_TYPES_H

#include "model/literal.h"

#include <assert.h>

#define POOL_MAX 512

static inline literal_type *
type_new(void)
{
	static literal_type pool[POOL_MAX];
	static size_t used;

	assert(used < POOL_MAX);
	flyteidl__core__literal_type__init(&pool[used]);
	return &pool[used++];
}

static inline literal_type *
simple_of(Flyteidl__Core__SimpleType simple)
{
	literal_type *type = type_new();

	type->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE;
	type->simple = simple;
	return type;
}

#define INT simple_of(FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER)
#define FLOAT simple_of(FLYTEIDL__CORE__SIMPLE_TYPE__FLOAT)
#define STR simple_of(FLYTEIDL__CORE__SIMPLE_TYPE__STRING)
#define BOOL simple_of(FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN)
#define DATETIME simple_of(FLYTEIDL__CORE__SIMPLE_TYPE__DATETIME)
#define DURATION simple_of(FLYTEIDL__CORE__SIMPLE_TYPE__DURATION)
#define BYTES simple_of(FLYTEIDL__CORE__SIMPLE_TYPE__BINARY)
#define NONE simple_of(FLYTEIDL__CORE__SIMPLE_TYPE__NONE)
#define STRUCT simple_of(FLYTEIDL__CORE__SIMPLE_TYPE__STRUCT)

static inline literal_type *
list_of(literal_type *item)
{
	literal_type *type = type_new();

	type->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE;
	type->collection_type = item;
	return type;
}

static inline literal_type *
dict_of(literal_type *item)
{
	literal_type *type = type_new();

	type->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE;
	type->map_value_type = item;
	return type;
}

static inline literal_type *
optional_of(literal_type *item)
{
	static struct {
		Flyteidl__Core__UnionType type;
		literal_type *variants[2];
	} pool[POOL_MAX];
	static size_t used;
	literal_type *type = type_new();

	assert(used < POOL_MAX);
	flyteidl__core__union_type__init(&pool[used].type);
	pool[used].variants[0] = item;
	pool[used].variants[1] = NONE;
	pool[used].type.variants = pool[used].variants;
	pool[used].type.n_variants = 2;
	type->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_UNION_TYPE;
	type->union_type = &pool[used++].type;
	return type;
}

/* dataclass_new("Point"), then dataclass_add(type, "x", INT) for each of at most four fields. */
struct dataclass_pool {
	Flyteidl__Core__TypeStructure structure;
	Flyteidl__Core__TypeStructure__DataclassTypeEntry entries[4], *pointers[4];
};

static inline literal_type *
dataclass_new(const char *name)
{
	static struct dataclass_pool pool[16];
	static size_t used;
	literal_type *type = STRUCT;

	assert(used < 16);
	flyteidl__core__type_structure__init(&pool[used].structure);
	pool[used].structure.tag = (char *)(uintptr_t)name;
	pool[used].structure.dataclass_type = pool[used].pointers;
	type->structure = &pool[used++].structure;
	return type;
}

static inline void
dataclass_add(literal_type *type, const char *name, literal_type *field)
{
	struct dataclass_pool *pool = (struct dataclass_pool *)(void *)type->structure;
	size_t at = type->structure->n_dataclass_type++;

	assert(at < 4);
	flyteidl__core__type_structure__dataclass_type_entry__init(&pool->entries[at]);
	pool->entries[at].key = (char *)(uintptr_t)name;
	pool->entries[at].value = field;
	pool->pointers[at] = &pool->entries[at];
}

#endif
