/* command.h - the command line and the environment of a task, from what the claim says.
 *
 * Pure, but for looking a program up. */
#ifndef LAUNCH_COMMAND_H
#define LAUNCH_COMMAND_H

#include "base/err.h"
#include "launch/environment.h"
#include "union/v1/attempts.pb-c.h"

#include <limits.h>

#define COMMAND_WORDS_MAX 4096
#define COMMAND_BYTES_MAX (1u << 20)

/* Where an attempt keeps its things; all absolute. */
struct attempt_paths {
	char inputs[PATH_MAX];   /* the file inputs.pb */
	char outputs[PATH_MAX];  /* the folder */
	char temporary[PATH_MAX];
	char raw[PATH_MAX];
	char checkpoints[PATH_MAX];
	char secrets[PATH_MAX];
	char bundle[PATH_MAX]; /* the packed file, for a command that unpacks it; "": none */
	const char *sdk;       /* NULL: none */
	const char *home;      /* of a task that is a user of its own; NULL: ours */
};

struct command {
	char **words; /* ends with NULL */
	size_t count;
};
/* Whether the command names the native URL of a bundle: a runtime that unpacks it by itself. */
bool command_unpacks(const Union__V1__ClaimResponse *claim);
/* command and args of the container, with what belongs into them. UN_ERR_INVALID: there is none. */
MUST_CHECK enum un_err command_init(struct command *command, const Union__V1__ClaimResponse *claim,
                                    const struct attempt_paths *paths, struct un_detail *detail);
void command_fini(struct command *command);

/* Texts that the environment lends: keep them as long as it. */
struct command_facts {
	char attempt[16];
	char python_path[2 * PATH_MAX];
};
/* All of the environment but the secrets. `inherited` is this process's own (NAME=VALUE, ends with
 * NULL): a few of its names are passed on. */
MUST_CHECK enum un_err command_environment(const Union__V1__ClaimResponse *claim,
                                           const struct attempt_paths *paths,
                                           char *const *inherited, struct command_facts *facts,
                                           struct environment *environment,
                                           struct un_detail *detail);

#endif
