/* args.h - the command line, read by the tables that docs/commands/ gives. One thread. */
#ifndef UNION_ARGS_H
#define UNION_ARGS_H

#include "cli.h"

/* Finds the command and fills `cli`. `argv` is changed: the bytes of a secret option go into locked
 * memory and are wiped from it. *ret_help: help is wanted, of cli->command (NULL: of everything).
 * UN_ERR_USAGE with the nearest word in the hint. */
MUST_CHECK enum un_err args_parse(struct cli *cli, int argc, char **argv, bool *ret_help);
/* The command with this name, or NULL. */
const struct command_spec *args_find_command(const char *first, const char *second);

#endif
