/* execution_name.h - which execution a command means. One thread. */
#ifndef UNION_EXECUTION_NAME_H
#define UNION_EXECUTION_NAME_H

#include "cli.h"
#include "model/scope.h"
#include "proto-all.h"

struct execution_name {
	struct scope scope;
	Flyteidl__Core__WorkflowExecutionIdentifier
		id; /* lends from scope and from the command line */
};

/* Checks the scope and, when it is not NULL, the name. */
MUST_CHECK enum un_err execution_name_init(struct execution_name *execution, struct cli *cli,
                                           const char *name);

#endif
