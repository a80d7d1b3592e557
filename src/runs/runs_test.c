#include "runs/runs.h"

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

static void *
make(const ProtobufCMessageDescriptor *descriptor)
{
	ProtobufCMessage *message = arena_alloc(arena, 1, descriptor->sizeof_message);

	protobuf_c_message_init(descriptor, message);
	return message;
}
#define MAKE(type) make(&type##__descriptor)

static pb_identifier *
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
static pb_variable_map *
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

static pb_interface *
interface_of(size_t inputs, size_t outputs)
{
	pb_interface *interface = MAKE(flyteidl__core__typed_interface);

	interface->inputs = variables(inputs);
	interface->outputs = variables(outputs);
	return interface;
}

static Flyteidl__Admin__TaskCreateRequest *
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

static void
set_retries(Flyteidl__Admin__TaskCreateRequest *request, uint32_t retries)
{
	pb_task *task = request->spec->template_;

	task->metadata = MAKE(flyteidl__core__task_metadata);
	task->metadata->retries = MAKE(flyteidl__core__retry_strategy);
	task->metadata->retries->retries = retries;
}

/* "input" of `var`: from node `from` ("" : of the workflow), its output `of`. */
static pb_binding *
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

static pb_node *
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
static Union__V1__LaunchRequest *
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

static pb_literal_map *
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

static void
answered(void *ctx, enum un_err err, const struct un_detail *detail, struct runs_claimed *claimed)
{
	struct answer *answer = ctx;

	(void)detail;
	*answer = (struct answer){err, claimed, true};
}

static const uint8_t some_key[BOX_PUBLIC_LEN] = {9};

static enum un_err
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

static enum un_err
finish_as(struct plane_fixture *f, struct launcher *launcher, int outcome, pb_literal_map *outputs)
{
	Union__V1__FinishRequest request = UNION__V1__FINISH_REQUEST__INIT;

	request.lease.data = launcher->lease;
	request.lease.len = LEASE_LEN;
	request.outcome = (Union__V1__FinishRequest__Outcome)outcome;
	request.outputs = outputs;
	return runs_finish(f->runs, &request, &f->detail);
}

static struct launcher *
named(struct plane_fixture *f, const char *label)
{
	for (size_t i = f->engine.count; i-- > 0;) {
		if (strcmp(f->engine.launchers[i].label, label) == 0)
			return &f->engine.launchers[i];
	}
	return NULL;
}

static void
dies(struct plane_fixture *f, struct launcher *launcher)
{
	launcher->alive = false;
	f->engine.exited(f->engine.ctx, launcher->attempt);
}

/* ---- records ---- */

static const struct runs_asker asker = {"uid:0", "req"};

static int
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

static int
node_state(struct plane_fixture *f, const char *node)
{
	struct run_node_row row;

	EXPECT_OK(store_read_begin(f->reader, NULL));
	EXPECT_OK(run_node_get(store_reader_view(f->reader), 1, node, &row, NULL));
	store_read_end(f->reader);
	return row.state;
}

static int64_t
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

static void
begin(struct plane_fixture *f, unsigned slots)
{
	EXPECT_OK(arena_new(64u << 20, &arena));
	fixture_begin(f, slots);
}

static void
end(struct plane_fixture *f)
{
	fixture_end(f);
	arena_free(arena);
}

static void
launch(struct plane_fixture *f, Union__V1__LaunchRequest *request)
{
	struct runs_name name;

	request->execution->inputs = ints(5);
	EXPECT_OK(runs_launch(f->runs, request, &asker, &name, &f->detail));
}

TEST(runs, values_flow_through_a_workflow_to_its_outputs)
{
	struct plane_fixture f;
	int64_t a;

	begin(&f, 8);
	launch(&f, diamond());
	EXPECT_INT(2, f.engine.count);
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), &a));
	EXPECT_INT(5, a);
	EXPECT_OK(claim_as(&f, named(&f, "n1.0"), NULL));
	EXPECT_OK(finish_as(&f, named(&f, "n0.0"), OUTCOME_SUCCEEDED, ints(6)));
	EXPECT_NULL(named(&f, "n2.0"));
	EXPECT_OK(finish_as(&f, named(&f, "n1.0"), OUTCOME_SUCCEEDED, ints(7)));
	EXPECT_OK(claim_as(&f, named(&f, "n2.0"), &a));
	EXPECT_INT(6, a);
	EXPECT_INT(1, runs_active_count(f.runs));
	EXPECT_OK(finish_as(&f, named(&f, "n2.0"), OUTCOME_SUCCEEDED, ints(8)));
	EXPECT_INT(RUN_SUCCEEDED, state_of(&f));
	EXPECT_INT(8, output_of_run(&f));
	EXPECT_INT(0, runs_active_count(f.runs));
	/* said again, it is taken again and changes nothing */
	EXPECT_OK(finish_as(&f, named(&f, "n2.0"), OUTCOME_FAILED, NULL));
	EXPECT_INT(RUN_SUCCEEDED, state_of(&f));
	end(&f);
}


/* ---- claims ---- */

TEST(runs, an_attempt_is_claimed_once)
{
	struct plane_fixture f;

	begin(&f, 8);
	launch(&f, diamond());
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	EXPECT_ERR(UN_ERR_BAD_TICKET, claim_as(&f, named(&f, "n0.0"), NULL));
	end(&f);
}

TEST(runs, of_two_claims_at_the_same_time_one_gets_the_attempt)
{
	struct plane_fixture f;
	struct answer first = {0}, second = {0};
	struct runs_claim claim = {NULL, some_key, "req"};

	begin(&f, 8);
	launch(&f, diamond());
	f.vault.hold = true;
	claim.ticket = named(&f, "n0.0")->ticket;
	runs_claim(f.runs, &claim, answered, &first);
	runs_claim(f.runs, &claim, answered, &second);
	EXPECT(!first.called && second.called);
	EXPECT_ERR(UN_ERR_BAD_TICKET, second.err);
	test_vault_answer(&f.vault);
	EXPECT(first.called);
	EXPECT_OK(first.err);
	runs_claimed_free(first.claimed);
	end(&f);
}

TEST(runs, a_claim_that_is_too_late_gets_nothing_even_with_the_keepers_answer)
{
	struct plane_fixture f;
	struct answer answer = {0};
	struct runs_claim claim = {NULL, some_key, "req"};

	begin(&f, 8);
	launch(&f, diamond());
	f.vault.hold = true;
	claim.ticket = named(&f, "n0.0")->ticket;
	runs_claim(f.runs, &claim, answered, &answer);
	f.now_us += CLAIM_WITHIN_US + 1;
	runs_tick(f.runs);
	test_vault_answer(&f.vault);
	EXPECT_ERR(UN_ERR_BAD_TICKET, answer.err);
	EXPECT_NULL(answer.claimed);
	end(&f);
}

TEST(runs, a_ticket_that_is_not_the_keepers_claims_nothing)
{
	struct plane_fixture f;
	struct launcher *launcher;
	uint8_t *bytes;

	begin(&f, 8);
	launch(&f, diamond());
	launcher = named(&f, "n0.0");
	bytes = secbuf_edit(launcher->ticket);
	for (size_t i = 0; i < secbuf_len(launcher->ticket); i++) {
		bytes[i] ^= 1;
		EXPECT_ERR(UN_ERR_BAD_TICKET, claim_as(&f, launcher, NULL));
		bytes[i] ^= 1;
	}
	EXPECT_OK(claim_as(&f, launcher, NULL));
	end(&f);
}

/* ---- failure ---- */

TEST(runs, a_task_that_asks_for_it_is_tried_again_after_a_while)
{
	struct plane_fixture f;
	Union__V1__LaunchRequest *request;

	begin(&f, 8);
	request = diamond();
	set_retries(request->tasks[0], 1);
	launch(&f, request);
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	EXPECT_OK(finish_as(&f, named(&f, "n0.0"), OUTCOME_FAILED_RETRYABLE, NULL));
	runs_tick(f.runs);
	EXPECT_NULL(named(&f, "n0.1"));
	f.now_us += BACKOFF_FIRST_US;
	runs_tick(f.runs);
	EXPECT_OK(claim_as(&f, named(&f, "n0.1"), NULL));
	EXPECT_INT(RUN_RUNNING, state_of(&f));
	EXPECT_OK(finish_as(&f, named(&f, "n0.1"), OUTCOME_FAILED_RETRYABLE, NULL));
	EXPECT_INT(NODE_FAILED, node_state(&f, "n0"));
	EXPECT_INT(RUN_FAILING, state_of(&f));
	end(&f);
}

static bool
told_to_end(struct plane_fixture *f, struct launcher *launcher)
{
	bool cancel = false;

	EXPECT_OK(runs_heartbeat(f->runs, launcher->lease, LEASE_LEN, &cancel));
	return cancel;
}

TEST(runs, a_failure_ends_what_runs_beside_it)
{
	struct plane_fixture f;

	begin(&f, 8);
	launch(&f, diamond());
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	EXPECT_OK(claim_as(&f, named(&f, "n1.0"), NULL));
	EXPECT(!told_to_end(&f, named(&f, "n1.0")));
	EXPECT_OK(finish_as(&f, named(&f, "n0.0"), OUTCOME_FAILED, NULL));
	EXPECT(told_to_end(&f, named(&f, "n1.0")));
	EXPECT(named(&f, "n1.0")->cancelled);
	EXPECT_INT(RUN_FAILING, state_of(&f));
	EXPECT_OK(finish_as(&f, named(&f, "n1.0"), OUTCOME_CANCELLED, NULL));
	EXPECT_INT(RUN_FAILED, state_of(&f));
	EXPECT_INT(NODE_ABORTED, node_state(&f, "n1"));
	EXPECT_INT(NODE_ABORTED, node_state(&f, "n2"));
	end(&f);
}

TEST(runs, a_result_of_the_wrong_type_fails_the_task)
{
	struct plane_fixture f;

	begin(&f, 8);
	launch(&f, diamond());
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	EXPECT_OK(finish_as(&f, named(&f, "n0.0"), OUTCOME_SUCCEEDED, NULL));
	EXPECT_INT(NODE_FAILED, node_state(&f, "n0"));
	end(&f);
}

TEST(runs, an_abort_ends_everything_and_is_final)
{
	struct plane_fixture f;
	struct runs_name name = {{"p", "d"}, "r1"};

	begin(&f, 8);
	launch(&f, diamond());
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	EXPECT_OK(runs_abort(f.runs, &name, "enough", &asker, &f.detail));
	EXPECT_ERR(UN_ERR_CONFLICT, runs_abort(f.runs, &name, "again", &asker, &f.detail));
	EXPECT(told_to_end(&f, named(&f, "n0.0")));
	EXPECT_ERR(UN_ERR_BAD_TICKET, claim_as(&f, named(&f, "n1.0"), NULL));
	dies(&f, named(&f, "n1.0"));
	EXPECT_OK(finish_as(&f, named(&f, "n0.0"), OUTCOME_CANCELLED, NULL));
	EXPECT_INT(RUN_ABORTED, state_of(&f));
	EXPECT_ERR(UN_ERR_CONFLICT, runs_abort(f.runs, &name, "again", &asker, &f.detail));
	end(&f);
}

TEST(runs, a_launcher_that_dies_is_replaced_a_few_times)
{
	struct plane_fixture f;
	char label[16];

	begin(&f, 8);
	launch(&f, diamond());
	for (int i = 0; i <= SYSTEM_RETRIES; i++) {
		snprintf(label, sizeof label, "n0.%d", i);
		EXPECT_OK(claim_as(&f, named(&f, label), NULL));
		dies(&f, named(&f, label));
		f.now_us += BACKOFF_MOST_US;
		runs_tick(f.runs);
	}
	EXPECT_INT(NODE_FAILED, node_state(&f, "n0"));
	end(&f);
}

TEST(runs, what_ends_the_launchers_that_do_not_end_by_themselves)
{
	struct plane_fixture f;
	struct runs_name name = {{"p", "d"}, "r1"};

	begin(&f, 8);
	launch(&f, diamond());
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	EXPECT_OK(runs_abort(f.runs, &name, "enough", &asker, &f.detail));
	EXPECT(!named(&f, "n0.0")->killed);
	f.now_us += RUNS_KILL_AFTER_US;
	runs_tick(f.runs);
	EXPECT(named(&f, "n0.0")->killed);
	end(&f);
}

/* ---- leases ---- */

TEST(runs, a_lost_lease_is_worth_nothing_once_another_attempt_may_begin)
{
	struct plane_fixture f;
	struct launcher *old;
	bool cancel;

	begin(&f, 8);
	launch(&f, diamond());
	old = named(&f, "n0.0");
	EXPECT_OK(claim_as(&f, old, NULL));
	old->alive = false; /* as far as the engine can see */
	f.engine.launchers[1].alive = false;
	EXPECT_OK(fixture_restart(&f));
	f.now_us += LEASE_MARGIN_US;
	runs_tick(f.runs);
	EXPECT_ERR(UN_ERR_BAD_TICKET, runs_heartbeat(f.runs, old->lease, LEASE_LEN, &cancel));
	EXPECT_ERR(UN_ERR_BAD_TICKET, finish_as(&f, old, OUTCOME_SUCCEEDED, ints(1)));
	f.now_us += BACKOFF_MOST_US;
	runs_tick(f.runs);
	EXPECT(named(&f, "n0.1") != NULL);
	end(&f);
}

TEST(runs, a_launcher_that_lives_but_is_silent_is_ended_before_it_is_replaced)
{
	struct plane_fixture f;

	begin(&f, 8);
	launch(&f, diamond());
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	f.now_us += LEASE_TTL_US + LEASE_MARGIN_US;
	runs_tick(f.runs);
	EXPECT(named(&f, "n0.0")->killed);
	EXPECT_NULL(named(&f, "n0.1"));
	f.now_us += BACKOFF_MOST_US;
	runs_tick(f.runs);
	EXPECT_NULL(named(&f, "n0.1"));
	dies(&f, named(&f, "n0.0"));
	f.now_us += BACKOFF_MOST_US;
	runs_tick(f.runs);
	EXPECT(named(&f, "n0.1") != NULL);
	end(&f);
}

TEST(runs, heartbeats_keep_a_lease)
{
	struct plane_fixture f;

	begin(&f, 8);
	launch(&f, diamond());
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	for (int i = 0; i < 10; i++) {
		f.now_us += LEASE_TTL_US - 1;
		EXPECT(!told_to_end(&f, named(&f, "n0.0")));
		runs_tick(f.runs);
	}
	EXPECT(!named(&f, "n0.0")->killed);
	EXPECT_OK(finish_as(&f, named(&f, "n0.0"), OUTCOME_SUCCEEDED, ints(1)));
	end(&f);
}

/* ---- turns ---- */

TEST(runs, attempts_wait_for_a_free_slot)
{
	struct plane_fixture f;

	begin(&f, 1);
	launch(&f, diamond());
	EXPECT_INT(1, f.engine.count);
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	EXPECT_OK(finish_as(&f, named(&f, "n0.0"), OUTCOME_SUCCEEDED, ints(1)));
	EXPECT_INT(2, f.engine.count);
	end(&f);
}

TEST(runs, executions_take_turns)
{
	struct plane_fixture f;
	Union__V1__LaunchRequest *request;
	struct runs_name name;

	begin(&f, 1);
	request = diamond();
	launch(&f, request);
	request->execution->name = "r2";
	EXPECT_OK(runs_launch(f.runs, request, &asker, &name, &f.detail));
	EXPECT_OK(claim_as(&f, &f.engine.launchers[0], NULL));
	EXPECT_OK(finish_as(&f, &f.engine.launchers[0], OUTCOME_SUCCEEDED, ints(1)));
	EXPECT_INT(2, f.engine.count);
	EXPECT_STR("n0.0", f.engine.launchers[1].label); /* of r2, though n1 of r1 is ready too */
	end(&f);
}

TEST(runs, a_locked_key_ring_only_delays)
{
	struct plane_fixture f;

	begin(&f, 8);
	f.vault.sealed = true;
	launch(&f, diamond());
	EXPECT_INT(0, f.engine.count);
	EXPECT_INT(RUN_RUNNING, state_of(&f));
	f.vault.sealed = false;
	f.now_us += 1000000;
	runs_tick(f.runs);
	EXPECT_INT(2, f.engine.count);
	end(&f);
}

/* ---- secrets ---- */

static void
ask_for(Flyteidl__Admin__TaskCreateRequest *request, const char *key)
{
	pb_task *task = request->spec->template_;

	task->security_context = MAKE(flyteidl__core__security_context);
	task->security_context->secrets =
	        arena_alloc(arena, 1, sizeof *task->security_context->secrets);
	task->security_context->secrets[0] = MAKE(flyteidl__core__secret);
	task->security_context->secrets[0]->key = (char *)(uintptr_t)key;
	task->security_context->n_secrets = 1;
}

TEST(runs, a_secret_out_of_reach_fails_the_execution_before_its_task_starts)
{
	struct plane_fixture f;
	Union__V1__LaunchRequest *request;
	struct run_row row;

	begin(&f, 8);
	request = diamond();
	sample_put(f.store, "other", "d", "db", 1);
	ask_for(request->tasks[1], "db");
	launch(&f, request);
	for (size_t i = 0; i < 2; i++) {
		EXPECT_OK(claim_as(&f, &f.engine.launchers[i], NULL));
		EXPECT_OK(finish_as(&f, &f.engine.launchers[i], OUTCOME_SUCCEEDED, ints(1)));
	}
	EXPECT_INT(2, f.engine.count);
	EXPECT_INT(RUN_FAILED, state_of(&f));
	EXPECT_OK(store_read_begin(f.reader, NULL));
	EXPECT_OK(run_get(store_reader_view(f.reader), "p", "d", "r1", &row, NULL));
	EXPECT_STR("secret-out-of-reach", row.error_code);
	EXPECT(strstr(row.error_message, "'db'") != NULL);
	end(&f);
}

TEST(runs, a_release_is_in_the_audit_trail_before_the_claim_is_answered)
{
	struct plane_fixture f;
	Union__V1__LaunchRequest *request;
	struct audit_head head;
	uint64_t bad;

	begin(&f, 8);
	request = diamond();
	sample_put(f.store, "p", "", "db", 1);
	ask_for(request->tasks[0], "db");
	launch(&f, request);
	runs_writes_left = 0; /* the record cannot be written */
	EXPECT_ERR(UN_ERR_SHUTTING_DOWN, claim_as(&f, named(&f, "n0.0"), NULL));
	runs_writes_left = -1;
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	EXPECT_OK(store_read_begin(f.reader, NULL));
	EXPECT_OK(audit_verify(store_reader_view(f.reader), NULL, &head, &bad, NULL));
	EXPECT_INT(3, head.seq); /* execution, secret, attempt */
	end(&f);
}

/* ---- crashes ---- */

/* No node has two claimed attempts whose launchers live. */
static void
expect_no_twins(struct plane_fixture *f)
{
	for (size_t i = 0; i < f->engine.count; i++) {
		for (size_t j = 0; j < i; j++) {
			struct launcher *a = &f->engine.launchers[i], *b = &f->engine.launchers[j];

			if (a->alive && b->alive && a->claimed && b->claimed)
				EXPECT(strncmp(a->label, b->label, 2) != 0);
		}
	}
}

/* One launcher's life in single steps, so that a crash can come between any two. */
static void
step_all(struct plane_fixture *f)
{
	for (size_t i = 0; i < f->engine.count; i++) {
		struct launcher *launcher = &f->engine.launchers[i];
		enum un_err err;

		if (!launcher->alive)
			continue;
		if (!launcher->claimed) {
			err = claim_as(f, launcher, NULL);
			if (err == UN_ERR_BAD_TICKET)
				dies(f, launcher);
			expect_no_twins(f);
			continue;
		}
		err = finish_as(f, launcher, OUTCOME_SUCCEEDED, ints(8));
		if (err == UN_OK || err == UN_ERR_BAD_TICKET)
			dies(f, launcher);
	}
}

TEST(runs, a_crash_after_any_durable_step_loses_nothing_and_doubles_nothing)
{
	long crash;
	bool reached = true;

	for (crash = 1; reached && crash < 40; crash++) {
		struct plane_fixture f;
		struct runs_name name;
		Union__V1__LaunchRequest *request;
		int rounds = 0;

		begin(&f, 8);
		request = diamond();
		request->execution->inputs = ints(5);
		runs_writes_left = crash;
		EXPECT_OK(runs_launch(f.runs, request, &asker, &name, &f.detail));
		for (int i = 0; i < 8 && runs_writes_left != 0; i++)
			step_all(&f);
		reached = runs_writes_left == 0;
		if (reached)
			step_all(&f); /* launchers notice that nobody answers */
		runs_writes_left = -1;
		EXPECT_OK(fixture_restart(&f));
		while (state_of(&f) == RUN_RUNNING && rounds++ < 50) {
			step_all(&f);
			f.now_us += 1000000;
			runs_tick(f.runs);
		}
		EXPECT_INT(RUN_SUCCEEDED, state_of(&f));
		EXPECT_INT(8, output_of_run(&f));
		end(&f);
	}
	EXPECT(!reached && crash > 8);
}

TEST(runs, a_write_that_fails_is_tried_again_and_nothing_is_done_before)
{
	struct plane_fixture f;
	int rounds = 0;

	begin(&f, 8);
	launch(&f, diamond());
	runs_writes_left = 0;
	for (int i = 0; i < 5; i++) {
		step_all(&f);
		f.now_us += 1000000;
		runs_tick(f.runs);
	}
	EXPECT_INT(2, f.engine.count);
	runs_writes_left = -1;
	while (state_of(&f) == RUN_RUNNING && rounds++ < 50) {
		step_all(&f);
		f.now_us += 1000000;
		runs_tick(f.runs);
	}
	EXPECT_INT(RUN_SUCCEEDED, state_of(&f));
	end(&f);
}

TEST(runs, a_name_is_given_once)
{
	struct plane_fixture f;
	struct runs_name name = {0};
	Union__V1__LaunchRequest *request;

	begin(&f, 8);
	request = diamond();
	launch(&f, request);
	EXPECT_ERR(UN_ERR_EXISTS, runs_launch(f.runs, request, &asker, &name, &f.detail));
	EXPECT_STR("r1", name.name);
	end(&f);
}

TEST_MAIN()
