/* launch.h - hands a compiled script to the control plane: its code, then the execution. One
 * thread. */
#ifndef UNION_LAUNCH_H
#define UNION_LAUNCH_H

#include "cli.h"
#include "execution_name.h"
#include "script.h"

#define EXECUTION_NAME_SIZE 24

/* Uploads the bundle, registers and starts. The execution's name is made here when none is given,
 * so that a launch whose answer was lost can be sent again without starting a second one. */
MUST_CHECK enum un_err launch(struct cli *cli, struct script *script,
                              Flyteidl__Core__LiteralMap *inputs, struct execution_name *execution);
void launch_make_name(char name[EXECUTION_NAME_SIZE]);

#endif
