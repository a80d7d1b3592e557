/* Registration and launch: everything that comes in one call goes into one write, checked there,
 * where nothing else can come in between. */
#include "runs/runs_impl.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

struct launch {
	const struct runs *runs;
	const Union__V1__LaunchRequest *request;
	const struct runs_asker *asker;
	struct runs_name *name;
	int64_t now_us;
	int64_t id; /* of the execution, when it is there */
};

/* ---- one entity ---- */

struct add {
	enum un_err (*fn)(struct store_txn *txn, struct arena *arena, const void *request,
	                  int64_t now_us, struct un_detail *detail);
	const void *request;
	int64_t now_us;
};

static enum un_err
add_task(struct store_txn *txn, struct arena *arena, const void *request, int64_t now_us,
         struct un_detail *detail)
{
	return template_add_task(txn, arena, request, now_us, detail);
}

static enum un_err
add_workflow(struct store_txn *txn, struct arena *arena, const void *request, int64_t now_us,
             struct un_detail *detail)
{
	return template_add_workflow(txn, arena, request, now_us, detail);
}

static enum un_err
add_launch_plan(struct store_txn *txn, struct arena *arena, const void *request, int64_t now_us,
                struct un_detail *detail)
{
	return template_add_launch_plan(txn, arena, request, now_us, detail);
}

static enum un_err
add_apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	const struct add *add = ctx;
	struct arena *arena;
	enum un_err err;

	err = arena_new(RUN_ARENA_MAX, &arena);
	if (err)
		return err;
	err = add->fn(txn, arena, add->request, add->now_us, detail);
	arena_free(arena);
	return err;
}

enum un_err
runs_add_task(struct runs *runs, const Flyteidl__Admin__TaskCreateRequest *request,
              struct un_detail *detail)
{
	struct add add = {add_task, request, runs_now(runs)};

	return runs_write(runs, add_apply, &add, detail);
}

enum un_err
runs_add_workflow(struct runs *runs, const Flyteidl__Admin__WorkflowCreateRequest *request,
                  struct un_detail *detail)
{
	struct add add = {add_workflow, request, runs_now(runs)};

	return runs_write(runs, add_apply, &add, detail);
}

enum un_err
runs_add_launch_plan(struct runs *runs, const Flyteidl__Admin__LaunchPlanCreateRequest *request,
                     struct un_detail *detail)
{
	struct add add = {add_launch_plan, request, runs_now(runs)};

	return runs_write(runs, add_apply, &add, detail);
}

struct set_plan {
	struct entity_key key;
	int state;
	int64_t now_us;
};

static enum un_err
set_plan_apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	const struct set_plan *set = ctx;

	return entity_set_state(txn, &set->key, set->state, set->now_us, detail);
}

enum un_err
runs_set_launch_plan(struct runs *runs, const Flyteidl__Admin__LaunchPlanUpdateRequest *request,
                     struct un_detail *detail)
{
	struct set_plan set = {.state = (int)request->state, .now_us = runs_now(runs)};
	enum un_err err;

	err = template_key("launch plan", ENTITY_LAUNCH_PLAN, request->id, true, &set.key, detail);
	if (err)
		return err;
	if (set.state != 0 && set.state != 1)
		return un_fail(detail, UN_ERR_INVALID, "a launch plan is active or inactive");
	return runs_write(runs, set_plan_apply, &set, detail);
}

/* ---- executions ---- */

static void
make_name(char name[SCOPE_PART_MAX + 1])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8_t bytes[12];

	random_bytes(bytes, sizeof bytes);
	name[0] = 'r';
	for (size_t i = 0; i < sizeof bytes; i++)
		name[i + 1] = letters[bytes[i] % 32];
	name[sizeof bytes + 1] = '\0';
}

static enum un_err
check_envs(const Flyteidl__Admin__Envs *envs, struct un_detail *detail)
{
	static const char start[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	static const char rest[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

	if (envs == NULL)
		return UN_OK;
	if (envs->n_values > RUNS_ENVS_MAX)
		return un_fail(detail, UN_ERR_TOO_LARGE, "more than %d environment variables",
		               RUNS_ENVS_MAX);
	for (size_t i = 0; i < envs->n_values; i++) {
		const char *key = envs->values[i]->key;

		if (strspn(key, start) == 0 || key[strspn(key, rest)] != '\0' ||
		    strlen(key) > ENV_NAME_MAX)
			return un_fail(detail, UN_ERR_INVALID,
			               "'%.128s' cannot be the name of an environment variable",
			               key);
		if (strlen(envs->values[i]->value) > 128 * 1024)
			return un_fail(detail, UN_ERR_TOO_LARGE,
			               "the environment variable '%.128s' is too long", key);
	}
	return UN_OK;
}

static enum un_err
check_request(const Union__V1__LaunchRequest *request, struct runs_name *name,
              struct un_detail *detail)
{
	const Flyteidl__Admin__ExecutionCreateRequest *create = request->execution;
	enum un_err err;

	if (create == NULL || create->spec == NULL)
		return un_fail(detail, UN_ERR_INVALID, "the execution has no spec");
	if (request->n_tasks + request->n_workflows + request->n_launch_plans > RUNS_LAUNCH_MAX)
		return un_fail(detail, UN_ERR_TOO_LARGE, "more than %d tasks and workflows",
		               RUNS_LAUNCH_MAX);
	err = name_check_scope_part("project", create->project, detail);
	if (err)
		return err;
	err = name_check_scope_part("domain", create->domain, detail);
	if (err)
		return err;
	err = scope_init(&name->at, create->project, create->domain, detail);
	if (err)
		return err;
	if (create->name[0] == '\0') {
		make_name(name->name);
	} else {
		err = name_check_execution(create->name, detail);
		if (err)
			return err;
		(void)snprintf(name->name, sizeof name->name, "%s", create->name);
	}
	if (create->spec->max_parallelism < 0)
		return un_fail(detail, UN_ERR_RANGE, "max_parallelism is negative");
	return check_envs(create->spec->envs, detail);
}

static enum un_err
registered(enum un_err err)
{
	return err == UN_ERR_EXISTS ? UN_OK : err;
}

static enum un_err
register_all(struct store_txn *txn, struct arena *arena, const struct launch *launch,
             struct un_detail *detail)
{
	const Union__V1__LaunchRequest *request = launch->request;
	enum un_err err = UN_OK;

	for (size_t i = 0; i < request->n_tasks && !err; i++)
		err = registered(template_add_task(txn, arena, request->tasks[i], launch->now_us,
		                                   detail));
	for (size_t i = 0; i < request->n_workflows && !err; i++)
		err = registered(template_add_workflow(txn, arena, request->workflows[i],
		                                       launch->now_us, detail));
	for (size_t i = 0; i < request->n_launch_plans && !err; i++)
		err = registered(template_add_launch_plan(txn, arena, request->launch_plans[i],
		                                          launch->now_us, detail));
	return err;
}

/* The spec as it is kept: without the inputs, which have a place of their own. */
static enum un_err
pack_spec(const Flyteidl__Admin__ExecutionSpec *spec, struct buf *out)
{
	Flyteidl__Admin__ExecutionSpec kept = *spec;
	size_t len;
	enum un_err err;

	kept.inputs = NULL;
	len = flyteidl__admin__execution_spec__get_packed_size(&kept);
	err = buf_reserve(out, len);
	if (!err)
		buf_added(out, flyteidl__admin__execution_spec__pack(&kept, out->data + out->len));
	return err;
}

static enum un_err
insert_row(struct store_txn *txn, struct launch *launch, int64_t entity, struct un_detail *detail)
{
	const Flyteidl__Admin__ExecutionSpec *spec = launch->request->execution->spec;
	const struct audit_event event = {
	        .at_us = launch->now_us,
	        .action = AUDIT_EXECUTION_CREATE,
	        .verdict = AUDIT_ALLOWED,
	        .principal = launch->asker->principal,
	        .scope = &launch->name->at,
	        .execution = launch->name->name,
	        .execution_at = &launch->name->at,
	        .request_id = launch->asker->request_id,
	};
	struct run_row row = {
	        .state = RUN_RUNNING,
	        .change = 1,
	        .max_parallelism = (uint32_t)spec->max_parallelism,
	        .entity = entity,
	        .principal = launch->asker->principal,
	        .created_us = launch->now_us,
	};
	struct scope_novelty novelty;
	struct buf packed;
	enum un_err err;

	err = scope_note(txn, "", &launch->name->at, &novelty, detail);
	if (err)
		return err;
	if (launch->asker->novelty)
		*launch->asker->novelty = novelty;
	memcpy(row.project, launch->name->at.project, sizeof row.project);
	memcpy(row.domain, launch->name->at.domain, sizeof row.domain);
	memcpy(row.name, launch->name->name, sizeof row.name);
	buf_init(&packed, RUN_SPEC_MAX, BUF_PLAIN);
	err = pack_spec(spec, &packed);
	if (!err) {
		row.spec = (struct run_bytes){packed.data, packed.len};
		err = run_insert(txn, &row, &launch->id, detail);
		if (err == UN_ERR_EXISTS)
			err = un_fail(detail, err, "there is an execution '%s' already",
			              launch->name->name);
	}
	buf_fini(&packed);
	return err ? err : audit_append(txn, &event, detail);
}

static enum un_err
insert_inputs(struct store_txn *txn, const struct launch *launch, const pb_literal_map *inputs,
              struct un_detail *detail)
{
	size_t len = flyteidl__core__literal_map__get_packed_size(inputs);
	uint8_t *packed;
	enum un_err err;

	if (len > RUN_SPEC_MAX)
		return un_fail(detail, UN_ERR_TOO_LARGE, "the inputs have more than %u bytes",
		               RUN_SPEC_MAX);
	packed = mem_alloc(len);
	if (packed == NULL)
		return UN_ERR_NO_MEMORY;
	flyteidl__core__literal_map__pack(inputs, packed);
	err = run_value_put(txn, launch->id, RUN_PLACE_SELF, RUN_INPUTS,
	                    (struct run_bytes){packed, len}, detail);
	mem_free(packed);
	return err;
}

static enum un_err
insert_execution(struct store_txn *txn, struct arena *arena, struct launch *launch,
                 struct un_detail *detail)
{
	const Flyteidl__Admin__ExecutionCreateRequest *create = launch->request->execution;
	struct store_view *view = store_txn_view(txn);
	struct template_graph graph = {0};
	struct template_launch found = {0};
	struct execution *execution = NULL;
	pb_literal_map *inputs = NULL;
	enum un_err err;

	err = template_find_launch(view, arena, create->spec->launch_plan, &found, detail);
	if (!err)
		err = template_complete_inputs(
		        arena, &found,
		        create->inputs != NULL ? create->inputs : create->spec->inputs, &inputs,
		        detail);
	if (!err)
		err = template_load_graph(view, arena, found.entity, &graph, detail);
	if (!err)
		err = insert_row(txn, launch, found.entity, detail);
	if (!err)
		err = insert_inputs(txn, launch, inputs, detail);
	if (!err)
		err = execution_new(graph.graph, launch->now_us, &execution);
	if (!err)
		err = execution_settle(execution, launch->now_us);
	if (!err)
		err = run_insert_nodes(txn, execution, &graph, launch->id, 1, detail);
	execution_free(execution);
	template_graph_fini(&graph);
	return err;
}

static enum un_err
launch_apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct launch *launch = ctx;
	struct arena *arena;
	enum un_err err;

	err = arena_new(RUN_ARENA_MAX, &arena);
	if (err)
		return err;
	err = register_all(txn, arena, launch, detail);
	if (!err)
		err = insert_execution(txn, arena, launch, detail);
	arena_free(arena);
	return err;
}

enum un_err
runs_launch(struct runs *runs, const Union__V1__LaunchRequest *request,
            const struct runs_asker *asker, struct runs_name *ret_name, struct un_detail *detail)
{
	struct runs_name name = {0};
	struct launch launch = {runs, request, asker, &name, runs_now(runs), 0};
	struct run *run = NULL;
	enum un_err err;

	err = check_request(request, &name, detail);
	if (err)
		return err;
	err = share_check(runs, name.at.project, detail);
	if (err)
		return err;
	err = runs_write(runs, launch_apply, &launch, detail);
	if (err == UN_ERR_EXISTS)
		*ret_name = name;
	if (err)
		return err;
	*ret_name = name;
	/* It is accepted: from here on it cannot fail any more, only wait. */
	err = run_load(runs, launch.id, &run, detail);
	if (err) {
		runs->missing = true;
	} else {
		runs_add(runs, run);
		hub_wake(runs->options.hub, run->id);
	}
	runs_tick(runs);
	return UN_OK;
}

enum un_err
runs_abort(struct runs *runs, const struct runs_name *name, const char *cause,
           const struct runs_asker *asker, struct un_detail *detail)
{
	const struct audit_event event = {
	        .action = AUDIT_EXECUTION_ABORT,
	        .verdict = AUDIT_ALLOWED,
	        .principal = asker->principal,
	        .scope = &name->at,
	        .execution = name->name,
	        .execution_at = &name->at,
	        .request_id = asker->request_id,
	};
	const struct run_extra extra = {.events = &event, .event_count = 1};
	struct store_view *view;
	struct run_row row;
	struct run *run = NULL;
	enum un_err err;

	err = runs_read(runs, &view, detail);
	if (err)
		return err;
	err = run_get(view, name->at.project, name->at.domain, name->name, &row, detail);
	runs_read_end(runs);
	if (err == UN_ERR_EXECUTION_NOT_FOUND)
		return un_fail(detail, err, "no execution '%s'", name->name);
	if (err)
		return err;
	run = runs_find(runs, row.id);
	if (run == NULL)
		return un_fail(detail, UN_ERR_CONFLICT, "execution '%s' is over already",
		               name->name);
	if (run->stale)
		return UN_ERR_AGAIN;
	err = execution_abort(run->execution, cause, runs_now(runs));
	if (err == UN_ERR_CONFLICT)
		return un_fail(detail, err, "execution '%s' is ending already", name->name);
	if (err) {
		run_reload(runs, run);
		return err;
	}
	err = run_save(runs, run, &extra, detail);
	if (err)
		return err;
	run_after(runs, run);
	runs_tick(runs);
	return UN_OK;
}
