/* inputs.h - the inputs of a workflow or task as options of the command line. One thread. */
#ifndef UNION_INPUTS_H
#define UNION_INPUTS_H

#include "cli.h"
#include "proto-all.h"

/* Turns `--name value` into literals by the entity's signature; defaults fill what is not given.
 * *ret_help: --help was asked for, and nothing else was done. Free with inputs_free.
 * UN_ERR_INPUT_UNKNOWN, UN_ERR_INPUT_MISSING, UN_ERR_INPUT_TYPE, UN_ERR_USAGE. */
MUST_CHECK enum un_err inputs_read(struct cli *cli, const Union__V1__CompiledScript *compiled,
                                   Flyteidl__Core__LiteralMap **ret_inputs, bool *ret_help);
void inputs_free(Flyteidl__Core__LiteralMap *inputs);
/* The inputs with their types, defaults and the docstring, on stdout. */
MUST_CHECK enum un_err inputs_print_help(struct cli *cli,
                                         const Union__V1__CompiledScript *compiled);

#endif
