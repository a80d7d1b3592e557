/* run_local.h - `union run` without --remote: in the current Python. One thread. */
#ifndef UNION_RUN_LOCAL_H
#define UNION_RUN_LOCAL_H

#include "cli.h"
#include "proto-all.h"

/* Runs `python3 -m union.local` with the inputs and prints the outputs. Returns the exit status. */
int run_local(struct cli *cli, const Flyteidl__Core__LiteralMap *inputs);

#endif
