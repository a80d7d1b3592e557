/* nodes_view.h - the nodes of a run on stderr. A view that is NULL shows nothing. One thread. */
#ifndef UNION_NODES_VIEW_H
#define UNION_NODES_VIEW_H

#include "cli.h"
#include "proto-all.h"

struct nodes_view;

MUST_CHECK enum un_err nodes_view_new(struct cli *cli, struct nodes_view **ret_view);
void nodes_view_free(struct nodes_view *view);
/* Shows a change; an event that changes nothing is not shown. *ret_over: the node has ended now. */
MUST_CHECK enum un_err nodes_view_update(struct nodes_view *view,
                                         const Union__V1__NodeEvent *event, bool *ret_over);
/* Around anything else that is written to the terminal. */
void nodes_view_hide(struct nodes_view *view);
void nodes_view_show(struct nodes_view *view);

#endif
