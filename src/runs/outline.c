#include "runs/outline.h"

#include "base/alloc.h"
#include "runs/binding.h"
#include "runs/execution.h"
#include "runs/template.h"

#include <string.h>

struct outline {
	struct store_view *view;
	int64_t execution;
	struct arena *arena;
	struct template_graph made;
	const pb_literal_map **known; /* outputs by place; read when first asked for */
};

enum un_err
outline_new(struct store_view *view, int64_t execution, int64_t entity,
            struct outline **ret_outline, struct un_detail *detail)
{
	struct outline *outline = mem_zalloc(1, sizeof *outline);
	enum un_err err;

	if (outline == NULL)
		return UN_ERR_NO_MEMORY;
	outline->view = view;
	outline->execution = execution;
	err = arena_new(GRAPH_ARENA_MAX, &outline->arena);
	if (!err)
		err = template_load_graph(view, outline->arena, entity, &outline->made, detail);
	if (err) {
		outline_free(outline);
		return err;
	}
	*ret_outline = outline;
	return UN_OK;
}

void
outline_free(struct outline *outline)
{
	if (outline == NULL)
		return;
	template_graph_fini(&outline->made);
	arena_free(outline->arena);
	mem_free(outline);
}

/* ---- what is where ---- */

/* The path of a sub-workflow is its prefix without the "-" at its end. */
static bool
is_at(const struct graph_scope *scope, const char *path)
{
	size_t len = strlen(path);

	return strlen(scope->prefix) == len + 1 && strncmp(scope->prefix, path, len) == 0;
}

int
outline_find(const struct outline *outline, const char *path)
{
	const struct graph *graph = outline->made.graph;

	if (path[0] == '\0')
		return OUTLINE_TOP;
	for (size_t i = 1; i < graph->scope_count; i++)
		if (is_at(&graph->scopes[i], path))
			return (int)i;
	return -1;
}

size_t
outline_count(const struct outline *outline, int scope)
{
	const struct graph *graph = outline->made.graph;

	return graph->scope_count == 0 ? graph->node_count :
	                                 graph->scopes[scope].workflow->n_nodes;
}

struct outline_node
outline_node(const struct outline *outline, int scope, size_t i)
{
	const struct graph *graph = outline->made.graph;
	struct outline_node node = {.scope = -1};
	uint32_t target;

	if (graph->scope_count == 0) {
		node.path = node.id = graph->nodes[i].id;
		return node;
	}
	target = graph->scopes[scope].targets[i];
	node.id = graph->scopes[scope].workflow->nodes[i]->id;
	if (target & GRAPH_SCOPE) {
		node.scope = (int)(target & ~GRAPH_SCOPE);
		node.path = arena_strndup(outline->arena, graph->scopes[node.scope].prefix,
		                          strlen(graph->scopes[node.scope].prefix) - 1);
		if (node.path == NULL) /* the arena is full: an answer all the same */
			node.path = node.id;
	} else {
		node.path = graph->nodes[target].id;
	}
	return node;
}

/* ---- what became of it ---- */

struct sum {
	struct outline *outline;
	struct run_node_row *row;
	size_t states[NODE_SKIPPED + 1];
	size_t count;
	uint32_t past;
};

static enum un_err
add_row(void *ctx, const struct run_node_row *row)
{
	struct sum *sum = ctx;
	struct run_node_row *total = sum->row;

	if (row->place >= sum->past)
		return UN_OK;
	sum->states[row->state]++;
	sum->count++;
	if (total->created_us == 0 || row->created_us < total->created_us)
		total->created_us = row->created_us;
	if (row->started_us != 0 && (total->started_us == 0 || row->started_us < total->started_us))
		total->started_us = row->started_us;
	if (row->updated_us > total->updated_us)
		total->updated_us = row->updated_us;
	if (row->ended_us > total->ended_us)
		total->ended_us = row->ended_us;
	if (row->error_code[0] == '\0' || total->error_code[0] != '\0')
		return UN_OK;
	total->error_kind = row->error_kind;
	total->error_code = arena_strndup(sum->outline->arena, row->error_code,
	                                  strlen(row->error_code));
	total->error_message = arena_strndup(sum->outline->arena, row->error_message,
	                                     strlen(row->error_message));
	return total->error_code == NULL || total->error_message == NULL ? UN_ERR_NO_MEMORY : UN_OK;
}

static int
state_of(const struct sum *sum)
{
	const size_t *in = sum->states;

	if (in[NODE_READY] + in[NODE_ACTIVE] > 0)
		return NODE_ACTIVE;
	if (in[NODE_SUCCEEDED] == sum->count)
		return NODE_SUCCEEDED;
	if (in[NODE_SKIPPED] == sum->count)
		return NODE_SKIPPED;
	if (in[NODE_FAILED] + in[NODE_TIMED_OUT] > 0)
		return in[NODE_FAILED] > 0 ? NODE_FAILED : NODE_TIMED_OUT;
	if (in[NODE_WAITING] == sum->count)
		return NODE_WAITING;
	if (in[NODE_ABORTED] > 0 || in[NODE_WAITING] == 0)
		return NODE_ABORTED; /* some were done when another part of the workflow failed */
	return NODE_ACTIVE;          /* between two of its nodes */
}

enum un_err
outline_row(struct outline *outline, const struct outline_node *node, struct run_node_row *ret_row,
            struct un_detail *detail)
{
	struct run_node_row row = {.execution = outline->execution,
	                           .node = node->path,
	                           .error_code = "",
	                           .error_message = ""};
	struct sum sum = {.outline = outline, .row = &row};
	const struct graph_scope *scope;
	enum un_err err;

	if (node->scope < 0)
		return run_node_get(outline->view, outline->execution, node->path, ret_row, detail);
	scope = &outline->made.graph->scopes[node->scope];
	sum.past = scope->past;
	err = run_node_list(outline->view, outline->execution, -1, scope->first,
	                    scope->past - scope->first, add_row, &sum, detail);
	if (err)
		return err;
	row.state = state_of(&sum);
	if (row.state == NODE_ACTIVE || row.state == NODE_WAITING)
		row.ended_us = 0;
	*ret_row = row;
	return UN_OK;
}

/* ---- values ---- */

static const pb_literal_map *
read_value(struct outline *outline, int64_t place, enum run_which which)
{
	pb_literal_map *map = NULL;
	struct run_bytes bytes;

	if (run_value_get(outline->view, outline->execution, place, which, &bytes, NULL) != UN_OK ||
	    arena_unpack(outline->arena, &flyteidl__core__literal_map__descriptor, bytes.bytes,
	                 bytes.len, &map) != UN_OK)
		return NULL;
	return map;
}

static const pb_literal_map *
output_of(void *ctx, uint32_t node)
{
	struct outline *outline = ctx;

	if (outline->known[node] == NULL)
		outline->known[node] = read_value(outline, node, RUN_OUTPUTS);
	return outline->known[node];
}

enum un_err
outline_value(struct outline *outline, int scope, enum run_which which, struct buf *out,
              struct un_detail *detail)
{
	const struct graph *graph = outline->made.graph;
	const struct binding_values values = {
		.inputs = read_value(outline, RUN_PLACE_SELF, RUN_INPUTS),
		.output = output_of,
		.ctx = outline,
	};

	if (outline->known == NULL)
		outline->known =
			arena_alloc(outline->arena, graph->node_count, sizeof *outline->known);
	if (outline->known == NULL)
		return UN_ERR_NO_MEMORY;
	return which == RUN_INPUTS ? binding_resolve_scope_inputs(graph, (uint32_t)scope, &values,
	                                                          out, detail) :
	                             binding_resolve_scope_outputs(graph, (uint32_t)scope, &values,
	                                                           out, detail);
}
