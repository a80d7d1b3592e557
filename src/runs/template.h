/* template.h - registered tasks, workflows and launch plans, and the graphs made of them.
 *
 * What is registered is stored as it came, in one canonical order of map entries, so that "the same
 * again" can be told from "something else under this name". Functions with a transaction run inside
 * the `apply` of a write; all of them allocate only in the arena that is given. */
#ifndef RUNS_TEMPLATE_H
#define RUNS_TEMPLATE_H

#include "base/buf.h"
#include "base/err.h"
#include "model/secret_request.h"
#include "runs/arena.h"
#include "runs/graph.h"
#include "store/runs.h"
#include "store/store.h"

/* Appends `message` with the entries of every map sorted by key, and the names of what a node waits
 * for, at any depth: neither has an order that means anything. */
MUST_CHECK enum un_err template_pack(struct arena *arena, const ProtobufCMessage *message,
                                     struct buf *out);

/* Where something is registered. UN_ERR_INVALID, UN_ERR_BAD_SCOPE; `what` is "task" and the like.
 * The key points into `id`. `version_needed`: an empty one is refused. */
MUST_CHECK enum un_err template_key(const char *what, enum entity_kind kind,
                                    const pb_identifier *id, bool version_needed,
                                    struct entity_key *ret_key, struct un_detail *detail);

/* Check and store. UN_ERR_EXISTS: exactly this is registered already. */
MUST_CHECK enum un_err template_add_task(struct store_txn *txn, struct arena *arena,
                                         const Flyteidl__Admin__TaskCreateRequest *request,
                                         int64_t now_us, struct un_detail *detail);
MUST_CHECK enum un_err template_add_workflow(struct store_txn *txn, struct arena *arena,
                                             const Flyteidl__Admin__WorkflowCreateRequest *request,
                                             int64_t now_us, struct un_detail *detail);
MUST_CHECK enum un_err
template_add_launch_plan(struct store_txn *txn, struct arena *arena,
                         const Flyteidl__Admin__LaunchPlanCreateRequest *request, int64_t now_us,
                         struct un_detail *detail);

/* The secrets a task asks for, checked: names, versions, and that no two collide on one variable or
 * file. In the arena. */
struct wanted_secrets {
	size_t count;
	struct secret_request *requests;
};
MUST_CHECK enum un_err template_secrets(struct arena *arena, const pb_task *task,
                                        struct wanted_secrets *ret_wanted,
                                        struct un_detail *detail);

/* A graph together with all it was made of. */
struct template_node {
	int64_t entity; /* of the node's task */
};
struct template_graph {
	struct graph *graph;
	struct template_node *nodes; /* by place */
};
/* The graph of a registered task or workflow, built in `arena`, which must outlive it. */
MUST_CHECK enum un_err template_load_graph(struct store_view *view, struct arena *arena,
                                           int64_t entity, struct template_graph *ret_graph,
                                           struct un_detail *detail);
void template_graph_fini(struct template_graph *graph);

/* What an execution is asked to run, and with what. */
struct template_launch {
	int64_t entity; /* the task or workflow */
	const pb_interface *interface;
	const Flyteidl__Admin__LaunchPlanSpec *plan; /* NULL for a task or workflow by itself */
};
MUST_CHECK enum un_err template_find_launch(struct store_view *view, struct arena *arena,
                                            const pb_identifier *id,
                                            struct template_launch *ret_launch,
                                            struct un_detail *detail);
/* The inputs given, completed with those of the plan, checked. In the arena; lends values. */
MUST_CHECK enum un_err template_complete_inputs(struct arena *arena,
                                                const struct template_launch *launch,
                                                const pb_literal_map *given,
                                                pb_literal_map **ret_inputs,
                                                struct un_detail *detail);

#endif
