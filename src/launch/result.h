/* result.h - what an attempt ends with: its outputs, or its error, as the control plane gets it.
 *
 * Reads outputs.pb and error.pb from the output folder (the last thing the task's process wrote),
 * with limits. No value leaves with them: outputs that contain one fail the attempt (leaving.h),
 * error messages are redacted. */
#ifndef LAUNCH_RESULT_H
#define LAUNCH_RESULT_H

#include "base/err.h"
#include "launch/leaving.h"
#include "launch/supervise.h"
#include "union/v1/attempts.pb-c.h"

#define RESULT_OUTPUTS_MAX (8u << 20)  /* bytes of outputs.pb */
#define RESULT_ERROR_MAX (1u << 20)    /* bytes of error.pb */
#define RESULT_MESSAGE_MAX (64u << 10) /* bytes of an error's message; the front is cut */
#define RESULT_DEPTH_MAX 64            /* of messages in messages */

struct result {
	Union__V1__FinishRequest finish; /* what it points to is owned by this result */
	Flyteidl__Core__LiteralMap *outputs;
	Flyteidl__Core__ExecutionError error;
	char *code;
	char *message;
};

void result_init(struct result *result);
void result_fini(struct result *result);

struct result_source {
	int dir_fd; /* the output folder */
	const Flyteidl__Core__TypedInterface *interface; /* NULL: no outputs */
	struct leaving leaving; /* with the values, which errors are cleaned of, too */
	int64_t timeout_ms;
};
/* How the task ended. Only running out of memory is an error here. */
MUST_CHECK enum un_err result_of_task(struct result *result, const struct result_source *source,
                                      const struct ending *ending);
/* An attempt whose task was never started. `user`: it is the task's fault, not ours. */
MUST_CHECK enum un_err result_of_failure(struct result *result, enum un_err failure,
                                         const struct un_detail *detail, bool user);
/* The task was begun: what goes wrong from there on may not be mended by beginning it again, unless
 * it allows that. */
void result_of_begun(struct result *result);
/* Whether `outcome` is the task's own doing, for the exit status. */
int result_exit_status(const struct result *result);

/* The name and meaning of a signal: "SIGKILL". */
const char *result_signal_name(int number, char text[16]);

/* What the task itself or who wrote it can mend. */
bool result_is_users_fault(enum un_err err);

#endif
