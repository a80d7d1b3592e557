/* Foreign bytes as a launch: whatever workflows are in it are built into graphs or refused, and a
 * graph that was built orders its nodes and resolves or refuses its values. */
#include "runs/binding.h"
#include "runs/graph.h"
#include "runs/type.h"

#include <assert.h>
#include <string.h>

static enum un_err
find_task(void *ctx, struct arena *arena, const pb_identifier *id, const pb_task **ret_task)
{
	const Union__V1__LaunchRequest *launch = ctx;

	(void)arena;
	for (size_t i = 0; i < launch->n_tasks; i++) {
		const Flyteidl__Admin__TaskCreateRequest *task = launch->tasks[i];

		if (task->id != NULL && strcmp(task->id->name, id->name) == 0 &&
		    task->spec != NULL && task->spec->template_ != NULL &&
		    graph_check_task(task->spec->template_, NULL) == UN_OK) {
			*ret_task = task->spec->template_;
			return UN_OK;
		}
	}
	return UN_ERR_NOT_FOUND;
}

static enum un_err
find_sub(void *ctx, struct arena *arena, const pb_identifier *id, const pb_workflow **ret)
{
	const Union__V1__LaunchRequest *launch = ctx;

	(void)arena;
	for (size_t i = 0; i < launch->n_workflows; i++) {
		const Flyteidl__Admin__WorkflowSpec *spec = launch->workflows[i]->spec;

		if (spec != NULL && spec->template_ != NULL && spec->template_->id != NULL &&
		    strcmp(spec->template_->id->name, id->name) == 0) {
			*ret = spec->template_;
			return UN_OK;
		}
	}
	return UN_ERR_NOT_FOUND;
}

static const pb_literal_map *
no_output(void *ctx, uint32_t node)
{
	(void)ctx;
	(void)node;
	return NULL;
}

static void
use(const struct graph *graph, const pb_literal_map *inputs)
{
	const struct binding_values values = {inputs, no_output, NULL};
	struct buf out;

	assert(graph->node_count > 0 && graph->node_count <= GRAPH_NODES_MAX);
	for (uint32_t i = 0; i < graph->node_count; i++) {
		for (size_t j = 0; j < graph->nodes[i].dep_count; j++)
			assert(graph->nodes[i].deps[j] < graph->node_count);
		buf_init(&out, BINDING_VALUES_MAX, BUF_PLAIN);
		if (binding_resolve_inputs(graph, i, &values, &out, NULL) == UN_OK)
			assert(out.len <= BINDING_VALUES_MAX);
		buf_fini(&out);
	}
	buf_init(&out, BINDING_VALUES_MAX, BUF_PLAIN);
	(void)!binding_resolve_outputs(graph, &values, &out, NULL);
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	Union__V1__LaunchRequest *launch;
	struct arena *arena;

	if (len > 65536 || arena_new(16u << 20, &arena) != UN_OK)
		return 0;
	if (arena_unpack(arena, &union__v1__launch_request__descriptor, bytes, len, &launch) !=
	    UN_OK) {
		arena_free(arena);
		return 0;
	}
	for (size_t i = 0; i < launch->n_workflows; i++) {
		const struct graph_source source = {find_task, find_sub, launch};
		const Flyteidl__Admin__WorkflowSpec *spec = launch->workflows[i]->spec;
		struct graph *graph = NULL;

		if (spec == NULL || spec->template_ == NULL)
			continue;
		if (graph_new(&source, spec->template_, &graph, NULL) == UN_OK)
			use(graph, launch->execution == NULL ? NULL : launch->execution->inputs);
		graph_free(graph);
	}
	arena_free(arena);
	return 0;
}
