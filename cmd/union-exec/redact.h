/* redact.h - `union-exec redact`: takes the values of variables out of what a command prints. */
#ifndef UNION_EXEC_REDACT_H
#define UNION_EXEC_REDACT_H

/* `args`: what follows the word redact, up to NULL. Returns the exit status. */
int redact_command(char **args);

#endif
