#include "cli.h"

#include "base/clock.h"
#include "log_lines.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RED "\033[1;31m"
#define YELLOW "\033[33m"
#define RESET "\033[0m"

const char *
cli_env(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? value : NULL;
}

char **
cli_environ(void)
{
	return environ;
}

void
print_clean(FILE *out, const char *text, size_t len)
{
	const uint8_t *at = (const uint8_t *)text, *end = at + len;

	while (at < end) {
		size_t control = control_len(at, (size_t)(end - at));

		(void)putc(control ? ' ' : *at, out);
		at += control ? control : 1;
	}
}

void
cli_say(struct cli *cli, const char *word, const char *color, const char *text)
{
	const char *eol;

	(void)fflush(stdout);
	(void)fprintf(stderr, "union: %s%s:%s ", cli->color_err ? color : "", word,
	              cli->color_err ? RESET : "");
	/* a traceback keeps its lines; nothing else may move the terminal */
	for (; (eol = strchr(text, '\n')); text = eol + 1) {
		print_clean(stderr, text, (size_t)(eol - text));
		(void)putc('\n', stderr);
	}
	print_clean(stderr, text, strlen(text));
	(void)putc('\n', stderr);
}

int
cli_fail(struct cli *cli, enum un_err err)
{
	const char *hint = un_hint_text(err, &cli->detail);

	cli_say(cli, "error", RED, un_message(err, &cli->detail));
	if (hint[0])
		cli_say(cli, "hint", YELLOW, hint);
	return un_err_exit_status(err);
}

int
cli_failf(struct cli *cli, enum un_err err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(cli->detail.message, sizeof cli->detail.message, format, args);
	va_end(args);
	return cli_fail(cli, err);
}

void
cli_note(struct cli *cli, const char *format, ...)
{
	char text[UN_DETAIL_MAX];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	cli_say(cli, "note", YELLOW, text);
}

void
cli_note_new(struct cli *cli, const char *what, const char *name, const char *nearest)
{
	if (!name[0])
		return;
	if (nearest && nearest[0])
		cli_note(cli, "%s '%s' is new; did you mean '%s'?", what, name, nearest);
	else
		cli_note(cli, "%s '%s' is new", what, name);
}

bool
cli_wants_json(const struct cli *cli)
{
	return cli->option[OPT_OUTPUT] && strcmp(cli->option[OPT_OUTPUT], "json") == 0;
}

int
cli_finish(struct cli *cli)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	if (errno == EPIPE)
		return 1; /* the reader has seen enough */
	return cli_failf(cli, UN_ERR_IO, "cannot write to standard output: %s",
	                 strerrordesc_np(errno));
}

const char *
cli_project(const struct cli *cli)
{
	const char *value = cli->option[OPT_PROJECT];

	if (!value)
		value = cli_env("FLYTE_DEFAULT_PROJECT");
	return value ? value : "default";
}

const char *
cli_domain(const struct cli *cli)
{
	const char *value = cli->option[OPT_DOMAIN];

	if (!value)
		value = cli_env("FLYTE_DEFAULT_DOMAIN");
	return value ? value : "development";
}

enum un_err
cli_call(struct cli *cli, const char *method, const void *request,
         const ProtobufCMessageDescriptor *reply_type, void *ret_reply)
{
	struct channel_call call = {
	        .method = method,
	        .request = request,
	        .reply = reply_type,
	        .deadline_ms = clock_mono_ms() + CALL_TIMEOUT_MS,
	};
	enum un_err err = cli->channel ? UN_OK : cli_connect(cli);

	if (err)
		return err;
	return channel_unary(cli->channel, &call, (ProtobufCMessage **)ret_reply, &cli->detail);
}
