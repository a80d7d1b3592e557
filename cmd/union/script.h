/* script.h - what Python makes of a script: messages and a code bundle. One thread.
 *
 * Python's own words about a script (a syntax error, an exception) are shown as Python shows them.
 */
#ifndef UNION_SCRIPT_H
#define UNION_SCRIPT_H

#include "cli.h"
#include "proto-all.h"

/* The text after `python3 -c` that starts a program of the SDK. `-m` would take longer, and look
 * for modules in the current folder first: a types.py there would stand in for Python's. Its
 * beginning is understood by every Python there ever was. */
#define SCRIPT_START(module) \
	"import sys; sys.version_info < (3, 9) and sys.exit(197); " \
	"sys.path[:] = filter(None, sys.path); from union." module \
	" import main; sys.exit(main())"
#define SCRIPT_TOO_OLD 197 /* the exit status of an older Python */

struct script {
	Union__V1__CompiledScript *compiled;
	char folder[256];  /* temporary; holds the bundle */
	char bundle[300];
};

/* Runs the SDK's compiler. script_free removes the bundle, also after an error.
 * UN_ERR_SCRIPT_MISSING, UN_ERR_SCRIPT_ERROR, UN_ERR_ENTITY_NOT_FOUND, ... */
MUST_CHECK enum un_err script_compile(struct cli *cli, const char *path, const char *entity,
                                      struct script *ret_script);
void script_free(struct script *script);

const char *script_python(const struct cli *cli);
/* What the exit status of that Python means: 0 is UN_OK. */
MUST_CHECK enum un_err script_check_status(struct cli *cli, int status); /* the Python to use */

/* This process's environment with the SDK in front of its PYTHONPATH. */
struct script_environment {
	char **list;
	char *path;
};
MUST_CHECK enum un_err script_environment_init(struct script_environment *environment,
                                               struct cli *cli);
void script_environment_fini(struct script_environment *environment);

#endif
