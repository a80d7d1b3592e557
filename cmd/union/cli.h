/* cli.h - what every subcommand of `union` is given: its arguments, its streams, its control plane.
 *
 * Data goes to stdout and everything else to stderr. A subcommand returns its exit status; an error
 * is told once, by cli_fail. One thread. */
#ifndef UNION_CLI_H
#define UNION_CLI_H

#include "base/buf.h"
#include "base/err.h"
#include "client/channel.h"
#include "client/session.h"
#include "commands.h"
#include "crypto/secbuf.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CLI_ARGS_MAX 2
#define CLI_REPEAT_MAX 256
#define CLI_PATH_MAX 4096
#define CALL_TIMEOUT_MS 30000

struct paths {
	char data_dir[CLI_PATH_MAX];
	char state_dir[CLI_PATH_MAX];
	char config_file[CLI_PATH_MAX];
	char program_dir[CLI_PATH_MAX]; /* where this program lies */
	char log_file[CLI_PATH_MAX];
	char uniond[CLI_PATH_MAX];
	char sdk_dir[CLI_PATH_MAX]; /* the Python package's folder */
};

struct cli {
	const struct command_spec *command;
	const char *group; /* help was asked for with the first word of several commands */
	const char *option[OPT_COUNT]; /* the last one given; "" for a flag; NULL: not given */
	const char *repeated[CLI_REPEAT_MAX]; /* of the option that may repeat, in order */
	size_t repeated_count;
	struct secbuf *value; /* of the secret option */
	const char *args[CLI_ARGS_MAX];
	unsigned arg_count;
	char **rest; /* NULL-terminated */
	int rest_count;

	struct paths paths;
	bool has_paths;
	bool color_out;
	bool color_err;

	struct channel *channel;
	struct session *session; /* of who logs in there; NULL: by the connection */
	bool embedded;         /* the channel leads to this user's own plane */
	char url[CLI_PATH_MAX]; /* of the channel's endpoint */
	int wake_fd;           /* -1: none */
	struct un_detail detail; /* of the error being told */
};

/* Tells the error with its hint and returns the exit status. */
int cli_fail(struct cli *cli, enum un_err err);
/* The same for an error with its own words. */
int cli_failf(struct cli *cli, enum un_err err, const char *format, ...) PRINTF_LIKE(3, 4);
void cli_note(struct cli *cli, const char *format, ...) PRINTF_LIKE(2, 3);
/* Of a project or domain never used before: a typing error shows. `nearest` may be "". */
void cli_note_new(struct cli *cli, const char *what, const char *name, const char *nearest);
/* "union: WORD: text" on stderr with the word coloured; control characters become blanks. */
void cli_say(struct cli *cli, const char *word, const char *color, const char *text);
bool cli_wants_json(const struct cli *cli);
/* The exit status 0, or 1 when standard output did not take everything. */
int cli_finish(struct cli *cli);

/* Text from anywhere, safe for a terminal: control characters become blanks. */
void print_clean(FILE *out, const char *text, size_t len);

/* NULL for unset and for empty. The only place that reads the environment. */
const char *cli_env(const char *name);
char **cli_environ(void);
const char *cli_home(void); /* NULL: not to be found */
/* Fills cli->paths from the environment, once. */
MUST_CHECK enum un_err cli_find_paths(struct cli *cli);
const char *cli_project(const struct cli *cli); /* --project, FLYTE_DEFAULT_PROJECT, "default" */
const char *cli_domain(const struct cli *cli);  /* --domain, FLYTE_DEFAULT_DOMAIN, "development" */

/* Connects cli->channel: --endpoint, UNION_ENDPOINT, the configuration, else the user's own plane,
 * started when it does not run. */
MUST_CHECK enum un_err cli_connect(struct cli *cli);
/* As cli_connect, but never starts a plane: UN_ERR_UNREACHABLE. */
MUST_CHECK enum un_err cli_connect_running(struct cli *cli);
void cli_disconnect(struct cli *cli);
/* Where the keys of planes are pinned. */
void cli_pins_path(const struct cli *cli, char path[CLI_PATH_MAX]);

/* One call with the usual deadline; connects first. Free with channel_message_free. */
MUST_CHECK enum un_err cli_call(struct cli *cli, const char *method, const void *request,
                                const ProtobufCMessageDescriptor *reply_type, void *ret_reply);

#endif
