/* Workflows are written here as text, because what matters is their shape:
 *
 *   one(int)->int  two(int,int)->int     the tasks there are
 *   "n0=one(.a) n1=two(n0.o,.a) -> n1.o"  nodes, and what the workflow (a: int) -> (o: int) returns
 *
 * An argument is N.o (a promise), .a (an input of the workflow), 7 (an int), 'x' (a str), or [x;y]
 * (a list). "@n0" after a node makes it wait for n0. */
#include "runs/graph.h"

#include "base/buf.h"
#include "runs/binding.h"
#include "runs/type.h"
#include "test.h"

#include <ctype.h>

static struct arena *arena;

static void *
make(const ProtobufCMessageDescriptor *descriptor)
{
	ProtobufCMessage *message = arena_alloc(arena, 1, descriptor->sizeof_message);

	protobuf_c_message_init(descriptor, message);
	return message;
}
#define MAKE(type) make(&type##__descriptor)

static char *
word(const char *text, size_t len)
{
	return arena_strndup(arena, text, len);
}

static pb_type *
simple(Flyteidl__Core__SimpleType kind)
{
	pb_type *type = MAKE(flyteidl__core__literal_type);

	type->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE;
	type->simple = kind;
	return type;
}

static pb_type *
list_of(pb_type *inner)
{
	pb_type *type = MAKE(flyteidl__core__literal_type);

	type->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE;
	type->collection_type = inner;
	return type;
}

static pb_type *
type_of_letter(char letter)
{
	switch (letter) {
	case 'i': return simple(FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER);
	case 'f': return simple(FLYTEIDL__CORE__SIMPLE_TYPE__FLOAT);
	case 's': return simple(FLYTEIDL__CORE__SIMPLE_TYPE__STRING);
	default: return list_of(simple(FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER));
	}
}

/* One variable a letter of `types`, named from `names`. */
static pb_variable_map *
variables(const char *types, const char *names)
{
	pb_variable_map *map = MAKE(flyteidl__core__variable_map);

	map->variables = arena_alloc(arena, strlen(types), sizeof *map->variables);
	for (size_t i = 0; types[i] != '\0'; i++) {
		Flyteidl__Core__VariableMap__VariablesEntry *entry =
			MAKE(flyteidl__core__variable_map__variables_entry);

		entry->key = word(names + i, 1);
		entry->value = MAKE(flyteidl__core__variable);
		entry->value->type = type_of_letter(types[i]);
		map->variables[map->n_variables++] = entry;
	}
	return map;
}

static pb_interface *
interface_of(const char *inputs, const char *outputs)
{
	pb_interface *interface = MAKE(flyteidl__core__typed_interface);

	interface->inputs = variables(inputs, "abc");
	interface->outputs = variables(outputs, "o");
	return interface;
}

static pb_identifier *
id_of(const char *name)
{
	pb_identifier *id = MAKE(flyteidl__core__identifier);

	id->name = word(name, strlen(name));
	return id;
}

/* The tasks there are, by name. */
static enum un_err
find_task(void *ctx, struct arena *where, const pb_identifier *id, const pb_task **ret_task)
{
	static const struct {
		const char *name, *inputs, *outputs;
	} known[] = {
		{"one", "i", "i"}, {"two", "ii", "i"},  {"text", "s", "s"},
		{"sum", "l", "i"}, {"many", "i", "l"}, {"half", "f", "f"},
	};
	pb_task *task;

	(void)ctx;
	(void)where;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (strcmp(known[i].name, id->name) != 0)
			continue;
		task = MAKE(flyteidl__core__task_template);
		task->interface = interface_of(known[i].inputs, known[i].outputs);
		*ret_task = task;
		return UN_OK;
	}
	return UN_ERR_NOT_FOUND;
}

static const pb_workflow *subs[4];

static enum un_err
find_sub(void *ctx, struct arena *where, const pb_identifier *id, const pb_workflow **ret)
{
	(void)ctx;
	(void)where;
	for (size_t i = 0; i < 4; i++) {
		if (subs[i] != NULL && strcmp(subs[i]->id->name, id->name) == 0) {
			*ret = subs[i];
			return UN_OK;
		}
	}
	return UN_ERR_NOT_FOUND;
}

static pb_binding_data *argument(const char **at);

static pb_binding_data *
argument_list(const char **at)
{
	pb_binding_data *data = MAKE(flyteidl__core__binding_data);

	data->value_case = FLYTEIDL__CORE__BINDING_DATA__VALUE_COLLECTION;
	data->collection = MAKE(flyteidl__core__binding_data_collection);
	data->collection->bindings = arena_alloc(arena, 8, sizeof *data->collection->bindings);
	while (**at != ']') {
		data->collection->bindings[data->collection->n_bindings++] = argument(at);
		if (**at == ';')
			(*at)++;
	}
	(*at)++;
	return data;
}

static pb_binding_data *
argument_scalar(const char **at)
{
	pb_binding_data *data = MAKE(flyteidl__core__binding_data);
	Flyteidl__Core__Primitive *primitive = MAKE(flyteidl__core__primitive);

	data->value_case = FLYTEIDL__CORE__BINDING_DATA__VALUE_SCALAR;
	data->scalar = MAKE(flyteidl__core__scalar);
	data->scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE;
	data->scalar->primitive = primitive;
	if (**at == '\'') {
		primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE;
		primitive->string_value = word(*at + 1, 1);
		*at += 3;
	} else {
		primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER;
		primitive->integer = *(*at)++ - '0';
	}
	return data;
}

static pb_binding_data *
argument(const char **at)
{
	pb_binding_data *data;
	size_t len;

	if (**at == '[') {
		(*at)++;
		return argument_list(at);
	}
	if (**at == '\'' || isdigit((unsigned char)**at))
		return argument_scalar(at);
	len = strcspn(*at, ".");
	data = MAKE(flyteidl__core__binding_data);
	data->value_case = FLYTEIDL__CORE__BINDING_DATA__VALUE_PROMISE;
	data->promise = MAKE(flyteidl__core__output_reference);
	data->promise->node_id = word(*at, len);
	data->promise->var = word(*at + len + 1, 1);
	*at += len + 2;
	if (**at == '#') { /* "n0.o#1": the second of a list */
		data->promise->attr_path = arena_alloc(arena, 1, sizeof *data->promise->attr_path);
		data->promise->attr_path[0] = MAKE(flyteidl__core__promise_attribute);
		data->promise->attr_path[0]->value_case =
			FLYTEIDL__CORE__PROMISE_ATTRIBUTE__VALUE_INT_VALUE;
		data->promise->attr_path[0]->int_value = (*at)[1] - '0';
		data->promise->n_attr_path = 1;
		*at += 2;
	}
	return data;
}

static pb_binding *
binding(const char *var, const char **at)
{
	pb_binding *made = MAKE(flyteidl__core__binding);

	made->var = word(var, 1);
	made->binding = argument(at);
	return made;
}

static pb_node *
node(const char **at)
{
	pb_node *made = MAKE(flyteidl__core__node);
	size_t len = strcspn(*at, "=");
	const char *name = *at + len + 1;
	size_t name_len = strcspn(name, "(");
	char *target = word(name, name_len);

	made->id = word(*at, len);
	if (target[0] == 'W') {
		made->target_case = FLYTEIDL__CORE__NODE__TARGET_WORKFLOW_NODE;
		made->workflow_node = MAKE(flyteidl__core__workflow_node);
		made->workflow_node->reference_case =
			FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_SUB_WORKFLOW_REF;
		made->workflow_node->sub_workflow_ref = id_of(target);
	} else {
		made->target_case = FLYTEIDL__CORE__NODE__TARGET_TASK_NODE;
		made->task_node = MAKE(flyteidl__core__task_node);
		made->task_node->reference_case = FLYTEIDL__CORE__TASK_NODE__REFERENCE_REFERENCE_ID;
		made->task_node->reference_id = id_of(target);
	}
	made->inputs = arena_alloc(arena, 4, sizeof *made->inputs);
	*at = name + name_len + 1;
	while (**at != ')') {
		made->inputs[made->n_inputs] = binding(&"abc"[made->n_inputs], at);
		made->n_inputs++;
		if (**at == ',')
			(*at)++;
	}
	(*at)++;
	if (**at == '@') {
		made->upstream_node_ids = arena_alloc(arena, 1, sizeof *made->upstream_node_ids);
		made->upstream_node_ids[0] = word(*at + 1, strcspn(*at + 1, " "));
		made->n_upstream_node_ids = 1;
		*at += strcspn(*at, " ");
	}
	return made;
}

static pb_workflow *
workflow(const char *name, const char *text)
{
	pb_workflow *made = MAKE(flyteidl__core__workflow_template);

	made->id = id_of(name);
	made->interface = interface_of("i", "i");
	made->nodes = arena_alloc(arena, 16, sizeof *made->nodes);
	made->outputs = arena_alloc(arena, 1, sizeof *made->outputs);
	while (*text != '\0') {
		while (*text == ' ')
			text++;
		if (strncmp(text, "->", 2) == 0) {
			text += 3;
			made->outputs[made->n_outputs++] = binding("o", &text);
		} else if (*text != '\0') {
			made->nodes[made->n_nodes++] = node(&text);
		}
	}
	return made;
}

static enum un_err
build(const char *text, struct graph **ret_graph, struct un_detail *detail)
{
	const struct graph_source source = {find_task, find_sub, NULL};

	return graph_new(&source, workflow("main", text), ret_graph, detail);
}

static void
begin(void)
{
	memset(subs, 0, sizeof subs);
	assert_int_equal(arena_new(16u << 20, &arena), UN_OK);
}

static void
end(struct graph *graph)
{
	graph_free(graph);
	arena_free(arena);
}

/* "0 1 < 2": what node 2 waits for. */
static void
expect_deps(const struct graph *graph, const char *id, const char *expected)
{
	const struct graph_node *at = &graph->nodes[graph_find(graph, id)];
	char got[256] = "";

	for (size_t i = 0; i < at->dep_count; i++)
		snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i > 0 ? " " : "",
		         graph->nodes[at->deps[i]].id);
	EXPECT_STR(expected, got);
}

TEST(graph, a_node_waits_for_what_it_takes_and_what_it_was_told_to)
{
	struct graph *graph;

	begin();
	EXPECT_OK(build("n0=one(.a) n1=one(.a) n2=two(n0.o,n1.o) n3=one(1)@n2 -> n3.o", &graph,
	                NULL));
	expect_deps(graph, "n0", "");
	expect_deps(graph, "n2", "n0 n1");
	expect_deps(graph, "n3", "n2");
	end(graph);
}

TEST(graph, a_sub_workflow_stands_at_its_node_and_is_waited_for_as_a_whole)
{
	struct graph *graph;

	begin();
	subs[0] = workflow("W", "n0=one(.a) n1=one(n0.o) -> n0.o");
	EXPECT_OK(build("n0=one(.a) n1=W(n0.o) n2=one(n1.o) -> n2.o", &graph, NULL));
	EXPECT_INT(4, graph->node_count);
	expect_deps(graph, "n1-n0", "n0");
	expect_deps(graph, "n1-n1", "n1-n0");
	expect_deps(graph, "n2", "n1-n0 n1-n1");
	end(graph);
}

static const struct refusal {
	enum un_err err;
	const char *text; /* of the workflow */
	const char *says; /* part of the message */
} refusals[] = {
	{UN_ERR_INVALID, "", "has no nodes"},
	{UN_ERR_INVALID, "n0=one(.a) n0=one(.a) -> n0.o", "two nodes"},
	{UN_ERR_INVALID, "n0=one(n1.o) n1=one(n0.o) -> n0.o", "cycle"},
	{UN_ERR_INVALID, "n0=one(n0.o) -> n0.o", "cycle"},
	{UN_ERR_INVALID, "n0=one(n7.o) -> n0.o", "n7"},
	{UN_ERR_INVALID, "n0=one(.a)@n7 -> n0.o", "n7"},
	{UN_ERR_INVALID, "n0=one(.b) -> n0.o", "no input 'b'"},
	{UN_ERR_INVALID, "n0=one(.a) n1=one(n0.x) -> n1.o", "no output 'x'"},
	{UN_ERR_INVALID, "n0=one(.a,.a) -> n0.o", "there is no 'b'"},
	{UN_ERR_INPUT_MISSING, "n0=two(.a) -> n0.o", "'b' is bound to nothing"},
	{UN_ERR_INPUT_MISSING, "n0=one(.a)", "'o' is bound to nothing"},
	{UN_ERR_INPUT_TYPE, "n0=one('x') -> n0.o", "must be int, and is str"},
	{UN_ERR_INPUT_TYPE, "n0=text('x') -> n0.o", "must be int"},
	{UN_ERR_INPUT_TYPE, "n0=sum([1;'x']) -> n0.o", "must be int, and is str"},
	{UN_ERR_INPUT_TYPE, "n0=sum(1) -> n0.o", "list[int]"},
	{UN_ERR_INPUT_TYPE, "n0=one([1]) -> n0.o", "a list is given"},
	{UN_ERR_INPUT_TYPE, "n0=one(.a#0) -> n0.o", "path"},
	{UN_ERR_NOT_FOUND, "n0=none(.a) -> n0.o", "'none'"},
	{UN_ERR_INVALID, "n0=W9(.a) -> n0.o", "'W9'"},
	{UN_ERR_INVALID, "n 0=one(.a) -> n0.o", "bad node id"},
};

TEST(graph, what_cannot_run_is_refused_and_named)
{
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		struct un_detail detail = {0};
		struct graph *graph = NULL;
		enum un_err err;

		begin();
		err = build(refusals[i].text, &graph, &detail);
		if (err != refusals[i].err || strstr(detail.message, refusals[i].says) == NULL)
			fail_msg("'%s': %s: '%s'", refusals[i].text, un_err_slug(err),
			         detail.message);
		end(graph);
	}
}

TEST(graph, kinds_of_nodes_that_are_not_supported_are_named)
{
	static const Flyteidl__Core__Node__TargetCase kinds[] = {
		FLYTEIDL__CORE__NODE__TARGET_BRANCH_NODE, FLYTEIDL__CORE__NODE__TARGET_GATE_NODE,
		FLYTEIDL__CORE__NODE__TARGET_ARRAY_NODE, FLYTEIDL__CORE__NODE__TARGET__NOT_SET};
	const struct graph_source source = {find_task, find_sub, NULL};

	for (size_t i = 0; i < 4; i++) {
		struct un_detail detail = {0};
		struct graph *graph = NULL;
		pb_workflow *made;

		begin();
		made = workflow("main", "n0=one(.a) odd=one(.a) -> n0.o");
		made->nodes[1]->target_case = kinds[i];
		EXPECT_ERR(UN_ERR_INVALID, graph_new(&source, made, &graph, &detail));
		EXPECT(strstr(detail.message, "'odd'") != NULL);
		end(graph);
	}
}

TEST(graph, sub_workflows_without_end_are_refused)
{
	struct un_detail detail = {0};
	struct graph *graph = NULL;

	begin();
	subs[0] = workflow("W", "n0=W(.a) -> n0.o");
	EXPECT_ERR(UN_ERR_TOO_LARGE, build("n0=W(.a) -> n0.o", &graph, &detail));
	end(graph);
}

/* ---- values ---- */

static pb_literal_map *outputs_of[8];

static const pb_literal_map *
known_output(void *ctx, uint32_t place)
{
	(void)ctx;
	return outputs_of[place];
}

static pb_literal *
literal_of_list(const int *items, size_t count)
{
	pb_literal *literal = MAKE(flyteidl__core__literal);

	literal->value_case = FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION;
	literal->collection = MAKE(flyteidl__core__literal_collection);
	literal->collection->literals = arena_alloc(arena, count, sizeof(pb_literal *));
	for (size_t i = 0; i < count; i++) {
		pb_literal *item = MAKE(flyteidl__core__literal);

		item->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
		item->scalar = MAKE(flyteidl__core__scalar);
		item->scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE;
		item->scalar->primitive = MAKE(flyteidl__core__primitive);
		item->scalar->primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER;
		item->scalar->primitive->integer = items[i];
		literal->collection->literals[literal->collection->n_literals++] = item;
	}
	return literal;
}

static pb_literal_map *
map_of(const char *name, pb_literal *value)
{
	pb_literal_map *map = MAKE(flyteidl__core__literal_map);

	map->literals = arena_alloc(arena, 1, sizeof *map->literals);
	map->literals[0] = MAKE(flyteidl__core__literal_map__literals_entry);
	map->literals[0]->key = word(name, 1);
	map->literals[0]->value = value;
	map->n_literals = 1;
	return map;
}

static pb_literal_map *
int_map(const char *name, int number)
{
	return map_of(name, literal_of_list(&number, 1)->collection->literals[0]);
}

static enum un_err
resolve(const struct graph *graph, const char *id, pb_literal_map **ret_map)
{
	const struct binding_values values = {int_map("a", 5), known_output, NULL};
	struct buf packed;
	enum un_err err;

	buf_init(&packed, BINDING_VALUES_MAX, BUF_PLAIN);
	if (id == NULL)
		err = binding_resolve_outputs(graph, &values, &packed, NULL);
	else
		err = binding_resolve_inputs(graph, (uint32_t)graph_find(graph, id), &values,
		                             &packed, NULL);
	if (!err)
		err = arena_unpack(arena, &flyteidl__core__literal_map__descriptor, packed.data,
		                   packed.len, ret_map);
	buf_fini(&packed);
	return err;
}

static int64_t
int_of(const pb_literal *literal)
{
	return literal->scalar->primitive->integer;
}

TEST(binding, values_pass_in_and_out_of_sub_workflows)
{
	struct graph *graph;
	pb_literal_map *map;

	begin();
	subs[0] = workflow("W", "n0=one(.a) -> n0.o");
	subs[1] = workflow("W2", "n0=W(.a) n1=one(n0.o) -> n0.o");
	EXPECT_OK(build("n0=one(.a) n1=W2(n0.o) n2=sum([n1.o;.a;7]) -> n1.o", &graph, NULL));
	outputs_of[0] = int_map("o", 10);
	outputs_of[1] = int_map("o", 20); /* n1-n0-n0 */
	EXPECT_OK(resolve(graph, "n1-n0-n0", &map));
	EXPECT_INT(10, int_of(literal_of(map, "a")));
	EXPECT_OK(resolve(graph, "n1-n1", &map));
	EXPECT_INT(20, int_of(literal_of(map, "a")));
	EXPECT_OK(resolve(graph, "n2", &map));
	EXPECT_INT(3, literal_of(map, "a")->collection->n_literals);
	EXPECT_INT(20, int_of(literal_of(map, "a")->collection->literals[0]));
	EXPECT_INT(5, int_of(literal_of(map, "a")->collection->literals[1]));
	EXPECT_INT(7, int_of(literal_of(map, "a")->collection->literals[2]));
	EXPECT_OK(resolve(graph, NULL, &map));
	EXPECT_INT(20, int_of(literal_of(map, "o")));
	end(graph);
}

TEST(binding, a_path_leads_into_a_list_or_nowhere)
{
	static const int items[] = {4, 9};
	struct graph *graph;
	pb_literal_map *map;

	begin();
	EXPECT_OK(build("n0=many(.a) n1=one(n0.o#1) n2=one(n0.o#2) -> n1.o", &graph, NULL));
	outputs_of[0] = map_of("o", literal_of_list(items, 2));
	EXPECT_OK(resolve(graph, "n1", &map));
	EXPECT_INT(9, int_of(literal_of(map, "a")));
	EXPECT_ERR(UN_ERR_INPUT_MISSING, resolve(graph, "n2", &map));
	end(graph);
}

TEST(binding, what_a_node_did_not_leave_is_missing)
{
	struct graph *graph;
	pb_literal_map *map;

	begin();
	EXPECT_OK(build("n0=one(.a) n1=half(n0.o) -> n0.o", &graph, NULL));
	outputs_of[0] = NULL;
	EXPECT_ERR(UN_ERR_INPUT_MISSING, resolve(graph, "n1", &map));
	outputs_of[0] = int_map("o", 3);
	EXPECT_OK(resolve(graph, "n1", &map)); /* an int for a float */
	end(graph);
}

TEST_MAIN()
