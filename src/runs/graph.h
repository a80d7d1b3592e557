/* graph.h - a workflow as one flat list of task nodes.
 *
 * Built once from templates, then only read: sub-workflows are expanded, so that node "n0" of the
 * sub-workflow at node "n1" is "n1-n0"; what each node waits for is a list of other nodes. A graph
 * that was built is sound: ids are unique, references exist, there is no cycle, and every input of
 * every node and every output of the workflow is bound to something of a fitting type. What can
 * still go wrong later is a value: a path into a structure that is not there.
 *
 * Pure. Not thread safe while it is built; then any thread may read. */
#ifndef RUNS_GRAPH_H
#define RUNS_GRAPH_H

#include "base/err.h"
#include "runs/arena.h"
#include "runs/pb.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRAPH_NODES_MAX 1000  /* after expansion */
#define GRAPH_EDGES_MAX 20000
#define GRAPH_DEPTH_MAX 8     /* of sub-workflows */
#define GRAPH_BINDINGS_MAX 200 /* of one node, and outputs of one workflow */
#define GRAPH_ID_MAX 63       /* of one node's own id */
#define GRAPH_PATH_MAX 191    /* "n1-n0-n2" */
#define GRAPH_ARENA_MAX (64u << 20)
#define GRAPH_RETRIES_MAX 100

/* Where templates come from. Both lend what they find for as long as the graph lives; unpacking
 * into the graph's arena is the way. UN_ERR_NOT_FOUND: there is none. `sub` looks only among the
 * sub-workflows that were registered with the workflow itself. */
struct graph_source {
	enum un_err (*task)(void *ctx, struct arena *arena, const pb_identifier *id,
	                    const pb_task **ret_task);
	enum un_err (*sub)(void *ctx, struct arena *arena, const pb_identifier *id,
	                   const pb_workflow **ret_workflow);
	void *ctx;
};

struct graph_node {
	const char *id; /* the path */
	const pb_task *task;
	pb_binding *const *bindings;
	size_t binding_count;
	uint32_t scope;         /* of graph.scopes: where its bindings are read */
	const uint32_t *deps;   /* nodes that must have succeeded */
	size_t dep_count;
	uint32_t retries;       /* beyond the first attempt, for errors of the task */
	int64_t timeout_ms;     /* 0: none */
};

/* One expanded workflow: the top one (0) or a sub-workflow at one node. */
struct graph_scope {
	const pb_workflow *workflow;
	uint32_t parent;      /* 0 for the top one as well */
	const pb_node *at;    /* of parent; NULL: the top one */
	const char *prefix;   /* of node paths: "" or "n1-" */
	uint32_t first, past; /* its nodes, with those of its own sub-workflows */
	uint32_t *targets;    /* by place in workflow->nodes: a node, or GRAPH_SCOPE | a scope */
	unsigned depth;
};
#define GRAPH_SCOPE 0x80000000u

struct graph {
	struct arena *arena; /* owns everything here */
	const pb_interface *interface; /* may be NULL: nothing in, nothing out */
	struct graph_node *nodes;
	size_t node_count;
	struct graph_scope *scopes; /* empty for a graph of one task */
	size_t scope_count;
	size_t edge_count;
	bool fail_late; /* other nodes go on after one has failed */
};

/* Checks and builds. UN_ERR_INVALID, UN_ERR_INPUT_TYPE, UN_ERR_INPUT_MISSING, UN_ERR_NOT_FOUND,
 * UN_ERR_TOO_LARGE; `detail` names the node. `workflow` is lent to the graph. */
MUST_CHECK enum un_err graph_new(const struct graph_source *source, const pb_workflow *workflow,
                                 struct graph **ret_graph, struct un_detail *detail);
/* The graph of a task that is run by itself: one node whose inputs are the graph's. */
MUST_CHECK enum un_err graph_new_of_task(const pb_task *task, struct graph **ret_graph,
                                         struct un_detail *detail);
void graph_free(struct graph *graph); /* NULL is fine */

/* The node with this path, or -1. */
int graph_find(const struct graph *graph, const char *id);

/* What a promise in `scope` points at. */
struct graph_target {
	enum {
		TARGET_NOTHING,
		TARGET_INPUT, /* an input of the scope's workflow */
		TARGET_NODE,
		TARGET_SCOPE,
	} kind;
	uint32_t place;
};
struct graph_target graph_target_of(const struct graph *graph, uint32_t scope, const char *node_id);

/* A task template by itself: an interface whose types are whole, a container with a command,
 * retries and sizes within their limits. UN_ERR_INVALID, UN_ERR_TYPE_UNSUPPORTED. */
MUST_CHECK enum un_err graph_check_task(const pb_task *task, struct un_detail *detail);

/* ^[A-Za-z0-9][-_A-Za-z0-9]*$, at most GRAPH_ID_MAX. */
bool graph_is_node_id(const char *id);

#endif
