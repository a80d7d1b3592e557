/* supervise.h - watches the running task: output, end, timeout, signals, cancel, lease.
 *
 * Both outputs, and the log they make together, go through the redaction before anybody else sees
 * them. Whatever ends the task, all that it left behind in the sandbox is killed, and what was
 * written until then is read to its end.
 */
#ifndef LAUNCH_SUPERVISE_H
#define LAUNCH_SUPERVISE_H

#include "base/err.h"
#include "launch/cgroup.h"
#include "launch/child.h"
#include "launch/report.h"
#include "launch/sandbox.h"
#include "redact/redact.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#define SUPERVISE_GRACE_MS 5000 /* between SIGTERM and SIGKILL */

struct supervision {
	struct sandbox *sandbox;
	struct child *child;
	struct cgroup *cgroup;     /* NULL: none */
	struct reporter *reporter; /* NULL: none; then output goes to `emit` only */
	const struct redact_set *values;
	redact_emit *emit; /* clean output, beside the reporter; NULL: none */
	void *ctx;
	int signal_fd;      /* signalfd of what is forwarded; -1: none */
	int64_t timeout_ms; /* 0: none */
};

enum ending_cause {
	ENDED_ITSELF,
	ENDED_TIMEOUT,
	ENDED_CANCELLED, /* the control plane asked for it */
	ENDED_TOLD,      /* this process was told to stop by a signal */
	ENDED_LEASE_LOST,
};

struct ending {
	enum ending_cause cause;
	bool by_signal;
	int status; /* exit status, or the signal's number */
	int told_signal;
	const char *memory_limit; /* lent: the task was killed for exceeding it; NULL: it was not */
};

/* Until the task is gone. The child is reaped and the sandbox empty afterwards, also on an error
 * (of memory, or of `emit`). */
MUST_CHECK enum un_err supervise(const struct supervision *plan, struct ending *ret_ending);

/* The signals to forward: to be blocked before the first thread is made. */
void supervise_signals(sigset_t *ret_set);

#endif
