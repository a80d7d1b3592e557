/* outline.h - the nodes of a recorded execution as clients of the wire see them: a sub-workflow is
 * one node, and its nodes are inside it.
 *
 * The records are one flat list of tasks (graph.h); what a sub-workflow did is summed up from its
 * tasks, and what went in and came out is resolved again from its bindings. Reads the view it was
 * made with; the texts and rows it gives live as long as it does, or until the view is used again
 * where it says so. Not thread safe. */
#ifndef RUNS_OUTLINE_H
#define RUNS_OUTLINE_H

#include "base/buf.h"
#include "base/err.h"
#include "store/runs.h"

#define OUTLINE_TOP 0

struct outline;
MUST_CHECK enum un_err outline_new(struct store_view *view, int64_t execution, int64_t entity,
                                   struct outline **ret_outline, struct un_detail *detail);
void outline_free(struct outline *outline); /* NULL is fine */

/* The scope of a sub-workflow's path ("n1", "n1-n0"), OUTLINE_TOP for "", or -1: there is none. */
int outline_find(const struct outline *outline, const char *path);

/* The nodes of one scope, in the order of its workflow. */
struct outline_node {
	const char *path; /* in the execution */
	const char *id;   /* in its own workflow */
	int scope;        /* of the sub-workflow it is, or -1: a task */
};
size_t outline_count(const struct outline *outline, int scope);
struct outline_node outline_node(const struct outline *outline, int scope, size_t i);

/* A task's row (lent until the view is used again) or, for a sub-workflow, the like of one: no
 * task, no attempts; times and state are those of what is in it. */
MUST_CHECK enum un_err outline_row(struct outline *outline, const struct outline_node *node,
                                   struct run_node_row *ret_row, struct un_detail *detail);
/* Appends the packed LiteralMap of a sub-workflow. UN_ERR_INPUT_MISSING: not known yet. */
MUST_CHECK enum un_err outline_value(struct outline *outline, int scope, enum run_which which,
                                     struct buf *out, struct un_detail *detail);

#endif
