/* Building goes in four passes over the templates, because each needs the whole of the one before:
 * expand (every sub-workflow at its node, depth first, so that the nodes of a scope are one range),
 * connect (who waits for whom), order (Kahn: what cannot be ordered is a cycle), and check (types
 * of all bindings). A sub-workflow's first nodes wait for what the node it stands at waits for; who
 * waits for that node waits for the whole sub-workflow. */
#include "runs/graph.h"

#include "base/alloc.h"
#include "model/name.h"
#include "runs/binding.h"
#include "runs/type.h"

#include <stdio.h>
#include <string.h>

/* FAIL_AFTER_EXECUTABLE_NODES_COMPLETE, whose generated name is longer than a line */
#define FAIL_LATE ((Flyteidl__Core__WorkflowMetadata__OnFailurePolicy)1)

struct builder {
	const struct graph_source *source;
	struct graph *graph;
	struct un_detail *detail;
	size_t node_cap, scope_cap;
};

bool
graph_is_node_id(const char *id)
{
	size_t len = strlen(id);

	if (len == 0 || len > GRAPH_ID_MAX || id[0] == '-' || id[0] == '_')
		return false;
	return strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") ==
	       len;
}

/* ---- reading numbers out of templates ---- */

static enum un_err
check_retries(const Flyteidl__Core__RetryStrategy *strategy, uint32_t *ret,
              struct un_detail *detail)
{
	if (strategy == NULL)
		return UN_OK;
	if (strategy->retries > GRAPH_RETRIES_MAX)
		return un_fail(detail, UN_ERR_RANGE, "more than %d retries", GRAPH_RETRIES_MAX);
	*ret = strategy->retries;
	return UN_OK;
}

static enum un_err
check_timeout(const Google__Protobuf__Duration *timeout, int64_t *ret_ms, struct un_detail *detail)
{
	const int64_t most = 366ll * 24 * 3600;

	if (timeout == NULL || (timeout->seconds == 0 && timeout->nanos == 0))
		return UN_OK;
	if (timeout->seconds < 0 || timeout->seconds > most || timeout->nanos < 0 ||
	    timeout->nanos > 999999999)
		return un_fail(detail, UN_ERR_RANGE, "a timeout is more than 0 and at most a year");
	*ret_ms = timeout->seconds * 1000 + (timeout->nanos + 999999) / 1000000;
	return UN_OK;
}

static enum un_err
check_variables(const char *what, const pb_variable_map *variables, struct un_detail *detail)
{
	if (variables == NULL)
		return UN_OK;
	if (variables->n_variables > GRAPH_BINDINGS_MAX)
		return un_fail(detail, UN_ERR_TOO_LARGE, "more than %d %ss", GRAPH_BINDINGS_MAX,
		               what);
	for (size_t i = 0; i < variables->n_variables; i++) {
		const char *name = variables->variables[i]->key;

		if (name[0] == '\0' || strlen(name) > 128)
			return un_fail(detail, UN_ERR_INVALID,
			               "the name of an %s has 1 to 128 bytes", what);
		if (!type_is_whole(type_of_variable(variables, name)))
			return un_fail(detail, UN_ERR_TYPE_UNSUPPORTED,
			               "the type of %s '%s' is not supported", what, name);
	}
	return UN_OK;
}

static enum un_err
check_interface(const pb_interface *interface, struct un_detail *detail)
{
	enum un_err err;

	if (interface == NULL)
		return UN_OK;
	err = check_variables("input", interface->inputs, detail);
	if (err)
		return err;
	return check_variables("output", interface->outputs, detail);
}

enum un_err
graph_check_task(const pb_task *task, struct un_detail *detail)
{
	uint32_t retries = 0;
	int64_t timeout_ms = 0;
	enum un_err err;

	if (task->target_case != FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER ||
	    task->container->n_args + task->container->n_command == 0)
		return un_fail(detail, UN_ERR_INVALID, "a task needs a container with a command");
	err = check_interface(task->interface, detail);
	if (err || task->metadata == NULL)
		return err;
	err = check_retries(task->metadata->retries, &retries, detail);
	if (err)
		return err;
	return check_timeout(task->metadata->timeout, &timeout_ms, detail);
}

static enum un_err
node_limits(struct graph_node *node, const Flyteidl__Core__NodeMetadata *own,
            struct un_detail *detail)
{
	const Flyteidl__Core__TaskMetadata *task = node->task->metadata;
	const Flyteidl__Core__RetryStrategy *retries = task == NULL ? NULL : task->retries;
	const Google__Protobuf__Duration *timeout = task == NULL ? NULL : task->timeout;
	enum un_err err;

	if (own != NULL && own->retries != NULL)
		retries = own->retries;
	if (own != NULL && own->timeout != NULL)
		timeout = own->timeout;
	err = check_retries(retries, &node->retries, detail);
	if (err)
		return err;
	return check_timeout(timeout, &node->timeout_ms, detail);
}

/* ---- growing ---- */

/* Doubles an array that lives in the arena; the old one stays there until the end. */
static void *
grown(struct arena *arena, void *old, size_t *cap, size_t len)
{
	size_t bigger = *cap == 0 ? 16 : *cap * 2;
	void *array = arena_alloc(arena, bigger, len);

	if (array == NULL)
		return NULL;
	if (old != NULL)
		memcpy(array, old, *cap * len);
	*cap = bigger;
	return array;
}

static enum un_err
add_node(struct builder *b, struct graph_node **ret_node)
{
	struct graph *graph = b->graph;

	if (graph->node_count == GRAPH_NODES_MAX)
		return un_fail(b->detail, UN_ERR_TOO_LARGE, "more than %d nodes", GRAPH_NODES_MAX);
	if (graph->node_count == b->node_cap) {
		graph->nodes =
			grown(graph->arena, graph->nodes, &b->node_cap, sizeof *graph->nodes);
		if (graph->nodes == NULL)
			return UN_ERR_NO_MEMORY;
	}
	*ret_node = &graph->nodes[graph->node_count++];
	return UN_OK;
}

static enum un_err
add_scope(struct builder *b, const struct graph_scope *scope, uint32_t *ret_place)
{
	struct graph *graph = b->graph;

	if (graph->scope_count == GRAPH_NODES_MAX)
		return un_fail(b->detail, UN_ERR_TOO_LARGE, "more than %d sub-workflows",
		               GRAPH_NODES_MAX);
	if (graph->scope_count == b->scope_cap) {
		graph->scopes =
		        grown(graph->arena, graph->scopes, &b->scope_cap, sizeof *graph->scopes);
		if (graph->scopes == NULL)
			return UN_ERR_NO_MEMORY;
	}
	graph->scopes[graph->scope_count] = *scope;
	*ret_place = (uint32_t)graph->scope_count++;
	return UN_OK;
}

/* ---- expand ---- */

static enum un_err expand(struct builder *b, const struct graph_scope *like, uint32_t *ret_place);

static enum un_err
expand_task(struct builder *b, uint32_t scope, const pb_node *node, const char *path,
            uint32_t *ret_target)
{
	const pb_identifier *id = node->task_node->reference_id;
	struct graph_node *made = NULL;
	enum un_err err;

	if (node->task_node->reference_case != FLYTEIDL__CORE__TASK_NODE__REFERENCE_REFERENCE_ID)
		return un_fail(b->detail, UN_ERR_INVALID, "node '%s' names no task", path);
	*ret_target = (uint32_t)b->graph->node_count;
	err = add_node(b, &made);
	if (err)
		return err;
	made->id = path;
	made->scope = scope;
	made->bindings = node->inputs;
	made->binding_count = node->n_inputs;
	err = b->source->task(b->source->ctx, b->graph->arena, id, &made->task);
	if (err == UN_ERR_NOT_FOUND)
		return un_fail(b->detail, err,
		               "node '%s': task '%.128s' version '%.64s' is not registered", path,
		               id->name, id->version);
	if (err)
		return err;
	return node_limits(made, node->metadata, b->detail);
}

static enum un_err
expand_sub(struct builder *b, uint32_t scope, const pb_node *node, const char *path,
           uint32_t *ret_target)
{
	const pb_identifier *id = node->workflow_node->sub_workflow_ref;
	struct graph_scope inner = {
	        .parent = scope, .at = node, .depth = b->graph->scopes[scope].depth + 1};
	uint32_t place = 0;
	enum un_err err;

	if (node->workflow_node->reference_case ==
	    FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_LAUNCHPLAN_REF)
		return un_fail(b->detail, UN_ERR_INVALID,
		               "node '%s' starts a launch plan, which is not supported", path);
	if (node->workflow_node->reference_case !=
	    FLYTEIDL__CORE__WORKFLOW_NODE__REFERENCE_SUB_WORKFLOW_REF)
		return un_fail(b->detail, UN_ERR_INVALID, "node '%s' names no workflow", path);
	if (inner.depth > GRAPH_DEPTH_MAX)
		return un_fail(b->detail, UN_ERR_TOO_LARGE,
		               "node '%s': sub-workflows more than %d deep", path, GRAPH_DEPTH_MAX);
	err = b->source->sub(b->source->ctx, b->graph->arena, id, &inner.workflow);
	if (err == UN_ERR_NOT_FOUND)
		return un_fail(b->detail, UN_ERR_INVALID,
		               "node '%s': sub-workflow '%.128s' did not come with the workflow",
		               path, id->name);
	if (err)
		return err;
	inner.prefix = arena_printf(b->graph->arena, "%s-", path);
	if (inner.prefix == NULL)
		return UN_ERR_NO_MEMORY;
	err = expand(b, &inner, &place);
	*ret_target = GRAPH_SCOPE | place;
	return err;
}

static enum un_err
expand_node(struct builder *b, uint32_t scope, const pb_node *node, uint32_t *ret_target)
{
	const char *path;

	if (!graph_is_node_id(node->id))
		return un_fail(b->detail, UN_ERR_INVALID, "bad node id '%.64s'", node->id);
	path = arena_printf(b->graph->arena, "%s%s", b->graph->scopes[scope].prefix, node->id);
	if (path == NULL)
		return UN_ERR_NO_MEMORY;
	if (strlen(path) > GRAPH_PATH_MAX)
		return un_fail(b->detail, UN_ERR_TOO_LARGE, "the path of node '%.64s' is too long",
		               node->id);
	if (node->n_inputs > GRAPH_BINDINGS_MAX)
		return un_fail(b->detail, UN_ERR_TOO_LARGE, "node '%s' has more than %d inputs",
		               path, GRAPH_BINDINGS_MAX);
	switch (node->target_case) {
	case FLYTEIDL__CORE__NODE__TARGET_TASK_NODE:
		return expand_task(b, scope, node, path, ret_target);
	case FLYTEIDL__CORE__NODE__TARGET_WORKFLOW_NODE:
		return expand_sub(b, scope, node, path, ret_target);
	case FLYTEIDL__CORE__NODE__TARGET_BRANCH_NODE:
		return un_fail(b->detail, UN_ERR_INVALID,
		               "node '%s' is a branch, which is not supported", path);
	case FLYTEIDL__CORE__NODE__TARGET_GATE_NODE:
		return un_fail(b->detail, UN_ERR_INVALID,
		               "node '%s' is a gate, which is not supported", path);
	case FLYTEIDL__CORE__NODE__TARGET_ARRAY_NODE:
		return un_fail(b->detail, UN_ERR_INVALID,
		               "node '%s' is an array (map task), which is not supported", path);
	default: return un_fail(b->detail, UN_ERR_INVALID, "node '%s' is of no known kind", path);
	}
}

static enum un_err
check_workflow(const pb_workflow *workflow, struct un_detail *detail)
{
	const char *name = workflow->id == NULL ? "" : workflow->id->name;

	if (workflow->n_nodes == 0)
		return un_fail(detail, UN_ERR_INVALID, "workflow '%.128s' has no nodes", name);
	if (workflow->n_nodes > GRAPH_NODES_MAX)
		return un_fail(detail, UN_ERR_TOO_LARGE, "workflow '%.128s' has more than %d nodes",
		               name, GRAPH_NODES_MAX);
	if (workflow->n_outputs > GRAPH_BINDINGS_MAX)
		return un_fail(detail, UN_ERR_TOO_LARGE,
		               "workflow '%.128s' has more than %d outputs", name,
		               GRAPH_BINDINGS_MAX);
	if (workflow->failure_node != NULL && workflow->failure_node->id[0] != '\0')
		return un_fail(detail, UN_ERR_INVALID,
		               "node '%.64s' is a failure node, which is not supported",
		               workflow->failure_node->id);
	for (size_t i = 0; i < workflow->n_nodes; i++) {
		for (size_t j = 0; j < i; j++) {
			if (strcmp(workflow->nodes[i]->id, workflow->nodes[j]->id) == 0)
				return un_fail(detail, UN_ERR_INVALID,
				               "two nodes of workflow '%.128s' have the id '%.64s'",
				               name, workflow->nodes[i]->id);
		}
	}
	return check_interface(workflow->interface, detail);
}

static enum un_err
expand(struct builder *b, const struct graph_scope *like, uint32_t *ret_place)
{
	struct graph_scope scope = *like;
	uint32_t place = 0;
	enum un_err err;

	err = check_workflow(scope.workflow, b->detail);
	if (err)
		return err;
	scope.first = (uint32_t)b->graph->node_count;
	scope.targets =
		arena_alloc(b->graph->arena, scope.workflow->n_nodes, sizeof *scope.targets);
	if (scope.targets == NULL)
		return UN_ERR_NO_MEMORY;
	err = add_scope(b, &scope, &place);
	for (size_t i = 0; i < scope.workflow->n_nodes && !err; i++)
		err = expand_node(b, place, scope.workflow->nodes[i], &scope.targets[i]);
	if (err)
		return err;
	b->graph->scopes[place].past = (uint32_t)b->graph->node_count;
	*ret_place = place;
	return UN_OK;
}

struct graph_target
graph_target_of(const struct graph *graph, uint32_t scope, const char *node_id)
{
	const struct graph_scope *at;

	if (scope >= graph->scope_count)
		return (struct graph_target){.kind = TARGET_NOTHING};
	if (node_id[0] == '\0' || strcmp(node_id, "start-node") == 0)
		return (struct graph_target){.kind = TARGET_INPUT};
	at = &graph->scopes[scope];
	for (size_t i = 0; i < at->workflow->n_nodes; i++) {
		if (strcmp(at->workflow->nodes[i]->id, node_id) != 0)
			continue;
		return (struct graph_target){
		        .kind = at->targets[i] & GRAPH_SCOPE ? TARGET_SCOPE : TARGET_NODE,
		        .place = at->targets[i] & ~GRAPH_SCOPE,
		};
	}
	return (struct graph_target){.kind = TARGET_NOTHING};
}

/* ---- connect ---- */

/* A set of nodes while one node's dependencies are gathered. */
struct wanted {
	bool *has;
	size_t count;
};

static void
want(struct wanted *wanted, uint32_t node)
{
	if (!wanted->has[node]) {
		wanted->has[node] = true;
		wanted->count++;
	}
}

static enum un_err
want_target(const struct builder *b, uint32_t scope, const char *node_id, const char *path,
            struct wanted *wanted)
{
	struct graph_target target = graph_target_of(b->graph, scope, node_id);
	const struct graph_scope *inner;

	switch (target.kind) {
	case TARGET_INPUT: return UN_OK;
	case TARGET_NODE: want(wanted, target.place); return UN_OK;
	case TARGET_SCOPE:
		inner = &b->graph->scopes[target.place];
		for (uint32_t i = inner->first; i < inner->past; i++)
			want(wanted, i);
		return UN_OK;
	default:
		return un_fail(b->detail, UN_ERR_INVALID,
		               "node '%s' refers to node '%.64s', which is not there", path,
		               node_id);
	}
}

static enum un_err
want_data(const struct builder *b, uint32_t scope, const pb_binding_data *data, const char *path,
          unsigned depth, struct wanted *wanted)
{
	enum un_err err = UN_OK;

	if (depth > BINDING_DEPTH_MAX)
		return un_fail(b->detail, UN_ERR_TOO_LARGE,
		               "node '%s': lists and maps nested more than %d deep", path,
		               BINDING_DEPTH_MAX);
	if (data == NULL)
		return UN_OK; /* the check of types says it better */
	switch (data->value_case) {
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_PROMISE:
		return want_target(b, scope, data->promise->node_id, path, wanted);
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_COLLECTION:
		for (size_t i = 0; i < data->collection->n_bindings && !err; i++)
			err = want_data(b, scope, data->collection->bindings[i], path, depth + 1,
			                wanted);
		return err;
	case FLYTEIDL__CORE__BINDING_DATA__VALUE_MAP:
		for (size_t i = 0; i < data->map->n_bindings && !err; i++)
			err = want_data(b, scope, data->map->bindings[i]->value, path, depth + 1,
			                wanted);
		return err;
	default: return UN_OK;
	}
}

/* What the node at `node` of `scope` waits for, in its own scope. */
static enum un_err
want_all(const struct builder *b, uint32_t scope, const pb_node *node, const char *path,
         struct wanted *wanted)
{
	enum un_err err = UN_OK;

	for (size_t i = 0; i < node->n_upstream_node_ids && !err; i++)
		err = want_target(b, scope, node->upstream_node_ids[i], path, wanted);
	for (size_t i = 0; i < node->n_inputs && !err; i++)
		err = want_data(b, scope, node->inputs[i]->binding, path, 0, wanted);
	return err;
}

static const pb_node *
template_of(const struct graph *graph, uint32_t node)
{
	const struct graph_scope *scope = &graph->scopes[graph->nodes[node].scope];

	for (size_t i = 0; i < scope->workflow->n_nodes; i++) {
		if (scope->targets[i] == node)
			return scope->workflow->nodes[i];
	}
	return NULL;
}

static enum un_err
connect_node(struct builder *b, uint32_t place, struct wanted *wanted)
{
	struct graph_node *node = &b->graph->nodes[place];
	uint32_t scope = node->scope;
	const pb_node *from = template_of(b->graph, place);
	uint32_t *deps;
	enum un_err err;

	memset(wanted->has, 0, b->graph->node_count * sizeof *wanted->has);
	wanted->count = 0;
	err = want_all(b, scope, from, node->id, wanted);
	/* first in its sub-workflow: it waits for what the node around it waits for */
	while (!err && wanted->count == 0 && b->graph->scopes[scope].at != NULL) {
		from = b->graph->scopes[scope].at;
		scope = b->graph->scopes[scope].parent;
		err = want_all(b, scope, from, node->id, wanted);
	}
	if (err)
		return err;
	b->graph->edge_count += wanted->count;
	if (b->graph->edge_count > GRAPH_EDGES_MAX)
		return un_fail(b->detail, UN_ERR_TOO_LARGE,
		               "more than %d connections between nodes", GRAPH_EDGES_MAX);
	deps = arena_alloc(b->graph->arena, wanted->count, sizeof *deps);
	if (deps == NULL)
		return UN_ERR_NO_MEMORY;
	for (uint32_t i = 0; i < b->graph->node_count; i++) {
		if (wanted->has[i])
			deps[node->dep_count++] = i;
	}
	node->deps = deps;
	return UN_OK;
}

static enum un_err
connect_nodes(struct builder *b)
{
	struct wanted wanted = {.count = 0};
	enum un_err err = UN_OK;

	wanted.has = arena_alloc(b->graph->arena, b->graph->node_count, sizeof *wanted.has);
	if (wanted.has == NULL)
		return UN_ERR_NO_MEMORY;
	for (uint32_t i = 0; i < b->graph->node_count && !err; i++) {
		for (uint32_t j = 0; j < i; j++) {
			if (strcmp(b->graph->nodes[i].id, b->graph->nodes[j].id) == 0)
				return un_fail(b->detail, UN_ERR_INVALID,
				               "two nodes have the path '%s'",
				               b->graph->nodes[i].id);
		}
		err = connect_node(b, i, &wanted);
	}
	return err;
}

/* ---- order ---- */

/* Takes away, again and again, all nodes that wait for nothing that is left. */
static enum un_err
check_cycles(struct builder *b)
{
	const struct graph *graph = b->graph;
	bool *gone = arena_alloc(graph->arena, graph->node_count, sizeof *gone);
	size_t left = graph->node_count;
	bool progress = true;

	if (gone == NULL)
		return UN_ERR_NO_MEMORY;
	while (left > 0 && progress) {
		progress = false;
		for (size_t i = 0; i < graph->node_count; i++) {
			size_t met = 0;

			if (gone[i])
				continue;
			while (met < graph->nodes[i].dep_count && gone[graph->nodes[i].deps[met]])
				met++;
			if (met == graph->nodes[i].dep_count) {
				gone[i] = progress = true;
				left--;
			}
		}
	}
	for (size_t i = 0; i < graph->node_count && left > 0; i++) {
		if (!gone[i])
			return un_fail(b->detail, UN_ERR_INVALID,
			               "node '%s' waits for itself: the nodes form a cycle",
			               graph->nodes[i].id);
	}
	return UN_OK;
}

/* ---- check ---- */

static enum un_err
check_bindings(const struct builder *b, uint32_t scope, pb_binding *const *bindings, size_t count,
               const pb_variable_map *wanted, const char *what)
{
	enum un_err err;

	for (size_t i = 0; i < count; i++) {
		const pb_type *type = type_of_variable(wanted, bindings[i]->var);
		struct un_detail why = {0};

		if (type == NULL)
			return un_fail(b->detail, UN_ERR_INVALID, "%s: there is no '%.128s'", what,
			               bindings[i]->var);
		for (size_t j = 0; j < i; j++) {
			if (strcmp(bindings[i]->var, bindings[j]->var) == 0)
				return un_fail(b->detail, UN_ERR_INVALID,
				               "%s: '%.128s' is bound twice", what,
				               bindings[i]->var);
		}
		err = binding_check(b->graph, scope, bindings[i]->binding, type, &why);
		if (err)
			return un_fail(b->detail, err, "%s: '%.128s': %s", what, bindings[i]->var,
			               un_message(err, &why));
	}
	for (size_t i = 0; wanted != NULL && i < wanted->n_variables; i++) {
		size_t j = 0;

		while (j < count && strcmp(bindings[j]->var, wanted->variables[i]->key) != 0)
			j++;
		if (j == count)
			return un_fail(b->detail, UN_ERR_INPUT_MISSING,
			               "%s: '%.128s' is bound to nothing", what,
			               wanted->variables[i]->key);
	}
	return UN_OK;
}

static enum un_err
check_all(struct builder *b)
{
	struct graph *graph = b->graph;
	char what[GRAPH_PATH_MAX + 64];
	enum un_err err = UN_OK;

	for (size_t i = 0; i < graph->node_count && !err; i++) {
		const struct graph_node *node = &graph->nodes[i];
		const pb_interface *interface = node->task->interface;

		snprintf(what, sizeof what, "inputs of node '%s'", node->id);
		err = check_bindings(b, node->scope, node->bindings, node->binding_count,
		                     interface == NULL ? NULL : interface->inputs, what);
	}
	for (uint32_t i = 0; i < graph->scope_count && !err; i++) {
		const struct graph_scope *scope = &graph->scopes[i];
		const pb_interface *interface = scope->workflow->interface;

		if (scope->at != NULL) {
			snprintf(what, sizeof what, "inputs of node '%s'", scope->prefix);
			what[strlen(what) - 2] = '\''; /* the prefix ends in '-' */
			what[strlen(what) - 1] = '\0';
			err = check_bindings(b, scope->parent, scope->at->inputs,
			                     scope->at->n_inputs,
			                     interface == NULL ? NULL : interface->inputs, what);
		}
		snprintf(what, sizeof what, "outputs of workflow '%.128s'",
		         scope->workflow->id == NULL ? "" : scope->workflow->id->name);
		if (!err)
			err = check_bindings(b, i, scope->workflow->outputs,
			                     scope->workflow->n_outputs,
			                     interface == NULL ? NULL : interface->outputs, what);
	}
	return err;
}

/* ---- whole ---- */

static enum un_err
graph_alloc(struct graph **ret_graph)
{
	struct graph *graph = mem_zalloc(1, sizeof *graph);
	enum un_err err;

	if (graph == NULL)
		return UN_ERR_NO_MEMORY;
	err = arena_new(GRAPH_ARENA_MAX, &graph->arena);
	if (err) {
		mem_free(graph);
		return err;
	}
	*ret_graph = graph;
	return UN_OK;
}

enum un_err
graph_new(const struct graph_source *source, const pb_workflow *workflow, struct graph **ret_graph,
          struct un_detail *detail)
{
	struct builder b = {.source = source, .detail = detail};
	struct graph_scope top = {.workflow = workflow, .prefix = ""};
	uint32_t place = 0;
	enum un_err err;

	err = graph_alloc(&b.graph);
	if (err)
		return err;
	b.graph->interface = workflow->interface;
	b.graph->fail_late =
		workflow->metadata != NULL && workflow->metadata->on_failure == FAIL_LATE;
	err = expand(&b, &top, &place);
	if (!err)
		err = connect_nodes(&b);
	if (!err)
		err = check_cycles(&b);
	if (!err)
		err = check_all(&b);
	if (err) {
		graph_free(b.graph);
		return err;
	}
	*ret_graph = b.graph;
	return UN_OK;
}

/* The node of a lone task is called like its function: "t1" of "using_secrets.t1". */
static char *
lone_node_id(struct arena *arena, const pb_task *task)
{
	const char *name = task->id == NULL ? "" : task->id->name;
	const char *dot = strrchr(name, '.');
	size_t len;
	char *id;

	if (dot != NULL)
		name = dot + 1;
	len = strlen(name) > GRAPH_ID_MAX ? GRAPH_ID_MAX : strlen(name);
	id = arena_strndup(arena, name, len);
	if (id != NULL && !graph_is_node_id(id))
		id = arena_strndup(arena, "n0", 2);
	return id;
}

enum un_err
graph_new_of_task(const pb_task *task, struct graph **ret_graph, struct un_detail *detail)
{
	struct graph *graph;
	enum un_err err;

	err = graph_check_task(task, detail);
	if (err)
		return err;
	err = graph_alloc(&graph);
	if (err)
		return err;
	graph->interface = task->interface;
	graph->nodes = arena_alloc(graph->arena, 1, sizeof *graph->nodes);
	if (graph->nodes == NULL ||
	    (graph->nodes[0].id = lone_node_id(graph->arena, task)) == NULL) {
		graph_free(graph);
		return UN_ERR_NO_MEMORY;
	}
	graph->node_count = 1;
	graph->nodes[0].task = task;
	err = node_limits(&graph->nodes[0], NULL, detail);
	if (err) {
		graph_free(graph);
		return err;
	}
	*ret_graph = graph;
	return UN_OK;
}

void
graph_free(struct graph *graph)
{
	if (graph == NULL)
		return;
	arena_free(graph->arena);
	mem_free(graph);
}

int
graph_find(const struct graph *graph, const char *id)
{
	for (size_t i = 0; i < graph->node_count; i++) {
		if (strcmp(graph->nodes[i].id, id) == 0)
			return (int)i;
	}
	return -1;
}
