/* checks.h - what tests of whole attempts ask of a struct plane. For files of tests only. */
#ifndef TESTS_LAUNCH_CHECKS_H
#define TESTS_LAUNCH_CHECKS_H

#include "launch/plane.h"
#include "test.h"

#include <string.h>

#define SUCCEEDED UNION__V1__FINISH_REQUEST__OUTCOME__SUCCEEDED
#define FAILED UNION__V1__FINISH_REQUEST__OUTCOME__FAILED
#define RETRYABLE UNION__V1__FINISH_REQUEST__OUTCOME__FAILED_RETRYABLE

static inline void
use_shell(struct plane *plane, const char *script)
{
	plane_init(plane);
	plane->words[0] = "/bin/sh";
	plane->words[1] = "-c";
	plane->words[2] = script;
}

static inline void
add_secret(struct plane *plane, const char *name, const char *value)
{
	plane->secrets[plane->secret_count++] =
	        (struct plane_secret){.name = name, .value = value, .len = strlen(value)};
}

static inline void
expect_outcome(const struct plane *plane, int outcome, int exit_status)
{
	if (!plane->finished || (int)plane->finish->outcome != outcome)
		print_message("log: %s\nerror: %s\n", buf_text(&plane->log),
		              plane->finished && plane->finish->error
		                      ? plane->finish->error->message
		                      : "none");
	EXPECT(plane->finished);
	EXPECT_INT(outcome, plane->finish->outcome);
	EXPECT_INT(exit_status, plane->exit_status);
}

/* Whether the kernel gave the whole sandbox: on some machines it does not, and the log says so. */
static inline bool
is_sandboxed(const struct plane *plane)
{
	return strncmp(buf_text(&plane->log), "[union-exec: the kernel refused", 31) != 0;
}

/* The log without that line. */
static inline const char *
task_log(const struct plane *plane)
{
	const char *text = buf_text(&plane->log), *end = strchr(text, '\n');

	return is_sandboxed(plane) || !end ? text : end + 1;
}

static inline void
expect_log(const struct plane *plane, const char *text)
{
	EXPECT_STR(text, task_log(plane));
}

static inline void
expect_error(const struct plane *plane, const char *code, const char *part)
{
	EXPECT(plane->finish->error != NULL);
	EXPECT_STR(code, plane->finish->error->code);
	if (!strstr(plane->finish->error->message, part))
		print_message("%s\n", plane->finish->error->message);
	EXPECT(strstr(plane->finish->error->message, part) != NULL);
}

#endif
