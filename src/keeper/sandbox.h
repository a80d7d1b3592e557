/* sandbox.h - what the keeper gives up before it takes the first request.
 *
 * Afterwards it can talk on the descriptors it has, use memory, and replace files in the folder of
 * the keys; nothing else: no exec, no fork, no socket, no other file, no debugger, no core dump. */
#ifndef KEEPER_SANDBOX_H
#define KEEPER_SANDBOX_H

#include "base/err.h"

#include <stdbool.h>

/* Before any key is read: not dumpable, no new privileges, no core. UN_ERR_IO. */
MUST_CHECK enum un_err sandbox_harden(struct un_detail *detail);
/* After everything is open. *ret_landlocked is false on a kernel without Landlock: then seccomp is
 * alone, and a file could be opened by an absolute path. UN_ERR_UNSUPPORTED without seccomp. */
MUST_CHECK enum un_err sandbox_close(int dir_fd, struct un_detail *detail, bool *ret_landlocked);

#endif
