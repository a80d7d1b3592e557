/* runs_story.h - a small workflow and its launchers, for the tests of runs. */
#ifndef RUNS_RUNS_STORY_H
#define RUNS_RUNS_STORY_H

#include "runs/runs_testing.h"
#include "runs/type.h"
#include "store/secrets_testing.h"
#include "test.h"

/* ---- templates ---- */

static Flyteidl__Core__LiteralType int_type = {
        .type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE,
        .simple = FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER,
};

/* Messages made in one arena for each test. */
static struct arena *arena;

static inline void *
make(const ProtobufCMessageDescriptor *descriptor)
{
	ProtobufCMessage *message = arena_alloc(arena, 1, descriptor->sizeof_message);

	protobuf_c_message_init(descriptor, message);
	return message;
}
#define MAKE(type) make(&type##__descriptor)

static inline pb_identifier *
id_of(Flyteidl__Core__ResourceType kind, const char *name)
{
	pb_identifier *id = MAKE(flyteidl__core__identifier);

	id->resource_type = kind;
	id->project = "p";
	id->domain = "d";
	id->name = (char *)(uintptr_t)name;
	id->version = "v1";
	return id;
}

/* A map of `count` ints named "a", "b", ... */
static inline pb_variable_map *
variables(size_t count)
{
	static char *const names[] = {"a", "b", "c"};
	pb_variable_map *map = MAKE(flyteidl__core__variable_map);

	flyteidl__core__literal_type__init(&int_type);
	int_type.type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE;
	int_type.simple = FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER;
	map->variables = arena_alloc(arena, count, sizeof *map->variables);
	for (; map->n_variables < count; map->n_variables++) {
		Flyteidl__Core__VariableMap__VariablesEntry *entry =
		        MAKE(flyteidl__core__variable_map__variables_entry);

		entry->key = names[map->n_variables];
		entry->value = MAKE(flyteidl__core__variable);
		entry->value->type = &int_type;
		map->variables[map->n_variables] = entry;
	}
	return map;
}

static inline pb_interface *
interface_of(size_t inputs, size_t outputs)
{
	pb_interface *interface = MAKE(flyteidl__core__typed_interface);

	interface->inputs = variables(inputs);
	interface->outputs = variables(outputs);
	return interface;
}

static inline Flyteidl__Admin__TaskCreateRequest *
task_of(const char *name, size_t inputs, size_t outputs)
{
	static char *args[] = {"true"};
	Flyteidl__Admin__TaskCreateRequest *request = MAKE(flyteidl__admin__task_create_request);
	pb_task *task = MAKE(flyteidl__core__task_template);

	request->id = task->id = id_of(FLYTEIDL__CORE__RESOURCE_TYPE__TASK, name);
	request->spec = MAKE(flyteidl__admin__task_spec);
	request->spec->template_ = task;
	task->interface = interface_of(inputs, outputs);
	task->target_case = FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER;
	task->container = MAKE(flyteidl__core__container);
	task->container->args = args;
	task->container->n_args = 1;
	return request;
}

static inline void
set_retries(Flyteidl__Admin__TaskCreateRequest *request, uint32_t retries)
{
	pb_task *task = request->spec->template_;

	task->metadata = MAKE(flyteidl__core__task_metadata);
	task->metadata->retries = MAKE(flyteidl__core__retry_strategy);
	task->metadata->retries->retries = retries;
}

/* "input" of `var`: from node `from` ("" : of the workflow), its output `of`. */
static inline pb_binding *
bind(const char *var, const char *from, const char *of)
{
	pb_binding *binding = MAKE(flyteidl__core__binding);

	binding->var = (char *)(uintptr_t)var;
	binding->binding = MAKE(flyteidl__core__binding_data);
	binding->binding->value_case = FLYTEIDL__CORE__BINDING_DATA__VALUE_PROMISE;
	binding->binding->promise = MAKE(flyteidl__core__output_reference);
	binding->binding->promise->node_id = (char *)(uintptr_t)from;
	binding->binding->promise->var = (char *)(uintptr_t)of;
	return binding;
}

static inline pb_node *
node_of(const char *id, const char *task, pb_binding *first, pb_binding *second)
{
	pb_node *node = MAKE(flyteidl__core__node);

	node->id = (char *)(uintptr_t)id;
	node->target_case = FLYTEIDL__CORE__NODE__TARGET_TASK_NODE;
	node->task_node = MAKE(flyteidl__core__task_node);
	node->task_node->reference_case = FLYTEIDL__CORE__TASK_NODE__REFERENCE_REFERENCE_ID;
	node->task_node->reference_id = id_of(FLYTEIDL__CORE__RESOURCE_TYPE__TASK, task);
	node->inputs = arena_alloc(arena, 2, sizeof *node->inputs);
	if (first != NULL)
		node->inputs[node->n_inputs++] = first;
	if (second != NULL)
		node->inputs[node->n_inputs++] = second;
	return node;
}

/* wf(a) -> a: n0 = one(a); n1 = one(a); n2 = two(n0.a, n1.a); returns n2.a. */
static inline Union__V1__LaunchRequest *
diamond(void)
{
	Union__V1__LaunchRequest *launch = MAKE(union__v1__launch_request);
	Flyteidl__Admin__WorkflowCreateRequest *request =
	        MAKE(flyteidl__admin__workflow_create_request);
	pb_workflow *workflow = MAKE(flyteidl__core__workflow_template);
	Flyteidl__Admin__ExecutionCreateRequest *create =
	        MAKE(flyteidl__admin__execution_create_request);
	pb_literal_map *inputs = MAKE(flyteidl__core__literal_map);

	launch->tasks = arena_alloc(arena, 2, sizeof *launch->tasks);
	launch->tasks[launch->n_tasks++] = task_of("one", 1, 1);
	launch->tasks[launch->n_tasks++] = task_of("two", 2, 1);
	workflow->interface = interface_of(1, 1);
	workflow->nodes = arena_alloc(arena, 3, sizeof *workflow->nodes);
	workflow->nodes[workflow->n_nodes++] = node_of("n0", "one", bind("a", "", "a"), NULL);
	workflow->nodes[workflow->n_nodes++] = node_of("n1", "one", bind("a", "", "a"), NULL);
	workflow->nodes[workflow->n_nodes++] =
	        node_of("n2", "two", bind("a", "n0", "a"), bind("b", "n1", "a"));
	workflow->outputs = arena_alloc(arena, 1, sizeof *workflow->outputs);
	workflow->outputs[workflow->n_outputs++] = bind("a", "n2", "a");
	request->id = workflow->id = id_of(FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW, "wf");
	request->spec = MAKE(flyteidl__admin__workflow_spec);
	request->spec->template_ = workflow;
	launch->workflows = arena_alloc(arena, 1, sizeof *launch->workflows);
	launch->workflows[launch->n_workflows++] = request;
	create->project = "p";
	create->domain = "d";
	create->name = "r1";
	create->spec = MAKE(flyteidl__admin__execution_spec);
	create->spec->launch_plan = request->id;
	create->inputs = inputs;
	launch->execution = create;
	return launch;
}

static inline pb_literal_map *
ints(int64_t a)
{
	pb_literal_map *map = MAKE(flyteidl__core__literal_map);
	pb_literal_entry *entry = MAKE(flyteidl__core__literal_map__literals_entry);

	entry->key = "a";
	entry->value = MAKE(flyteidl__core__literal);
	entry->value->value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	entry->value->scalar = MAKE(flyteidl__core__scalar);
	entry->value->scalar->value_case = FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE;
	entry->value->scalar->primitive = MAKE(flyteidl__core__primitive);
	entry->value->scalar->primitive->value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER;
	entry->value->scalar->primitive->integer = a;
	map->literals = arena_alloc(arena, 1, sizeof *map->literals);
	map->literals[map->n_literals++] = entry;
	return map;
}

/* ---- launchers ---- */

struct answer {
	enum un_err err;
	struct runs_claimed *claimed;
	bool called;
};

static inline void
answered(void *ctx, enum un_err err, const struct un_detail *detail, struct runs_claimed *claimed)
{
	struct answer *answer = ctx;

	(void)detail;
	*answer = (struct answer){err, claimed, true};
}

static const uint8_t some_key[BOX_PUBLIC_LEN] = {9};

static inline enum un_err
claim_as(struct plane_fixture *f, struct launcher *launcher, int64_t *ret_a)
{
	const struct runs_claim claim = {launcher->ticket, some_key, "req"};
	struct answer answer = {0};

	runs_claim(f->runs, &claim, answered, &answer);
	EXPECT(answer.called);
	if (answer.err)
		return answer.err;
	memcpy(launcher->lease, answer.claimed->response.lease.data, LEASE_LEN);
	launcher->claimed = true;
	if (ret_a != NULL)
		*ret_a = literal_of(answer.claimed->response.inputs, "a")
		                 ->scalar->primitive->integer;
	runs_claimed_free(answer.claimed);
	return UN_OK;
}

static inline enum un_err
finish_as(struct plane_fixture *f, struct launcher *launcher, int outcome, pb_literal_map *outputs)
{
	Union__V1__FinishRequest request = UNION__V1__FINISH_REQUEST__INIT;

	request.lease.data = launcher->lease;
	request.lease.len = LEASE_LEN;
	request.outcome = (Union__V1__FinishRequest__Outcome)outcome;
	request.outputs = outputs;
	return runs_finish(f->runs, &request, &f->detail);
}

static inline struct launcher *
named(struct plane_fixture *f, const char *label)
{
	for (size_t i = f->engine.count; i-- > 0;) {
		if (strcmp(f->engine.launchers[i].label, label) == 0)
			return &f->engine.launchers[i];
	}
	return NULL;
}

static inline void
dies(struct plane_fixture *f, struct launcher *launcher)
{
	launcher->alive = false;
	f->engine.exited(f->engine.ctx, launcher->attempt);
}

/* ---- records ---- */

static const struct runs_asker asker = {.principal = "uid:0", .request_id = "req"};

static inline int
state_of(struct plane_fixture *f)
{
	struct run_row row;
	int state;

	EXPECT_OK(store_read_begin(f->reader, NULL));
	EXPECT_OK(run_get(store_reader_view(f->reader), "p", "d", "r1", &row, NULL));
	state = row.state;
	store_read_end(f->reader);
	return state;
}

static inline int
node_state(struct plane_fixture *f, const char *node)
{
	struct run_node_row row;

	EXPECT_OK(store_read_begin(f->reader, NULL));
	EXPECT_OK(run_node_get(store_reader_view(f->reader), 1, node, &row, NULL));
	store_read_end(f->reader);
	return row.state;
}

static inline int64_t
output_of_run(struct plane_fixture *f)
{
	Flyteidl__Core__LiteralMap *map;
	struct run_bytes bytes;

	EXPECT_OK(store_read_begin(f->reader, NULL));
	EXPECT_OK(run_value_get(store_reader_view(f->reader), 1, RUN_PLACE_SELF, RUN_OUTPUTS,
	                        &bytes, NULL));
	EXPECT_OK(arena_unpack(arena, &flyteidl__core__literal_map__descriptor, bytes.bytes,
	                       bytes.len, &map));
	store_read_end(f->reader);
	return literal_of(map, "a")->scalar->primitive->integer;
}

static inline void
begin(struct plane_fixture *f, unsigned slots)
{
	EXPECT_OK(arena_new(64u << 20, &arena));
	fixture_begin(f, slots);
}

static inline void
end(struct plane_fixture *f)
{
	fixture_end(f);
	arena_free(arena);
}

static inline void
launch(struct plane_fixture *f, Union__V1__LaunchRequest *request)
{
	struct runs_name name;

	request->execution->inputs = ints(5);
	EXPECT_OK(runs_launch(f->runs, request, &asker, &name, &f->detail));
}

#endif
