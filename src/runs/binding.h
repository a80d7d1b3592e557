/* binding.h - where the inputs of a node and the outputs of a workflow come from.
 *
 * Checking happens once, on types, when a graph is built; resolving happens on values, when all
 * that a node waits for has succeeded. Pure; any thread. */
#ifndef RUNS_BINDING_H
#define RUNS_BINDING_H

#include "base/buf.h"
#include "base/err.h"
#include "runs/graph.h"

#define BINDING_DEPTH_MAX 16 /* of lists and maps in one binding */
#define BINDING_PATH_MAX 16  /* steps of one attr_path */
#define BINDING_HOPS_MAX (2 * GRAPH_DEPTH_MAX + 2)
#define BINDING_VALUES_MAX (4u << 20) /* bytes of one node's inputs, packed */

/* Whether `data`, read in `scope`, can give a `to`. UN_ERR_INVALID, UN_ERR_INPUT_TYPE; `detail`
 * says what is wrong without naming the place, which the caller does. */
MUST_CHECK enum un_err binding_check(const struct graph *graph, uint32_t scope,
                                     const pb_binding_data *data, const pb_type *to,
                                     struct un_detail *detail);

/* Values known so far. `output` gives those of a node that has succeeded (lent), or NULL. */
struct binding_values {
	const pb_literal_map *inputs; /* of the execution */
	const pb_literal_map *(*output)(void *ctx, uint32_t node);
	void *ctx;
};

/* Appends the packed LiteralMap of a node's inputs. UN_ERR_INPUT_TYPE, UN_ERR_INPUT_MISSING: a
 * value is not what its path or type promised; UN_ERR_TOO_LARGE. */
MUST_CHECK enum un_err binding_resolve_inputs(const struct graph *graph, uint32_t node,
                                              const struct binding_values *values,
                                              struct buf *out, struct un_detail *detail);
/* The same for the outputs of the whole graph. */
MUST_CHECK enum un_err binding_resolve_outputs(const struct graph *graph,
                                               const struct binding_values *values,
                                               struct buf *out, struct un_detail *detail);
/* The same for one sub-workflow: what went in (of a scope other than 0), and what came out. */
MUST_CHECK enum un_err binding_resolve_scope_inputs(const struct graph *graph, uint32_t scope,
                                                    const struct binding_values *values,
                                                    struct buf *out, struct un_detail *detail);
MUST_CHECK enum un_err binding_resolve_scope_outputs(const struct graph *graph, uint32_t scope,
                                                     const struct binding_values *values,
                                                     struct buf *out, struct un_detail *detail);

#endif
