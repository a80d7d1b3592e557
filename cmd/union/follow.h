/* follow.h - watches an execution until it ends, however often the connection breaks. One thread.
 *
 * Nodes and the tasks' output go to stderr, the results as JSON to stdout. On a terminal the nodes
 * are a block of lines at its end, updated in place; elsewhere each change is a line. */
#ifndef UNION_FOLLOW_H
#define UNION_FOLLOW_H

#include "cli.h"
#include "execution_name.h"

/* The exit status of `union run`: 0 only when the execution succeeded; 130: following was
 * interrupted, and the execution goes on. */
int follow(struct cli *cli, struct execution_name *execution);
/* Only the tasks' output, on stdout, until the execution ends; its end is no failure of this. */
int follow_logs(struct cli *cli, struct execution_name *execution);

#endif
