/* engine_local.h - attempts as processes of this machine: one launcher each, in a session of its
 * own, so that it outlives the server and finds the next one.
 *
 *   union-exec attempt --endpoint unix://SOCKET --ticket-fd 3 --workdir DIR --hide DIR [--sdk DIR]
 *                      [--uid N] [--cgroups LIST] [--show LIST] [--writable LIST] ...
 *
 * The ticket goes through a pipe: never in argv, the environment or a file. A launcher that is
 * started as soon as an attempt is expected is in its sandbox by the time its ticket is there; it
 * holds nothing until then, is used for one attempt, and ends when the pipe is closed empty: after
 * a few seconds, or when the server dies. Standard error is the server's log; input and output are
 * /dev/null. On the loop's thread. */
#ifndef RUNS_ENGINE_LOCAL_H
#define RUNS_ENGINE_LOCAL_H

#include "base/err.h"
#include "net/loop.h"
#include "runs/engine.h"
#include "runs/machine.h"

/* Texts are copied. */
struct engine_local_options {
	struct loop *loop;
	const char *launcher; /* path of union-exec */
	const char *endpoint; /* "unix:///run/.../uniond.sock" */
	const char *workdir;  /* made with mode 0700 if it is not there */
	const char *data_dir; /* of the control plane: hidden from tasks */
	const char *sdk_dir;  /* the folder that holds the Python package; "" without */
	char *const *environment; /* of launchers: NAME=VALUE, ended by NULL; lent while it lives */
	struct machine_options tasks;
};

/* Freed with engine->ops->free. */
MUST_CHECK enum un_err engine_local_new(const struct engine_local_options *options,
                                        struct engine **ret_engine, struct un_detail *detail);

#endif
