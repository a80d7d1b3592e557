/* plane.h - the other end of union-exec, for its tests and its benchmark: one attempt on a Unix
 * socket.
 *
 * Everything on the wire is real: sealed values, delivered keys, Connect over HTTP/1.1. What it
 * does is what a test tells it, so that the launcher also meets a control plane that refuses, hangs
 * or is gone. One thread; a failure of its own ends the process. */
#ifndef TESTS_LAUNCH_PLANE_H
#define TESTS_LAUNCH_PLANE_H

#include "base/buf.h"
#include "envelope/envelope.h"
#include "union/v1/attempts.pb-c.h"

#include <stdbool.h>
#include <sys/types.h>

#define PLANE_SECRETS_MAX 16
#define PLANE_WORDS_MAX 16
#define PLANE_PAIRS_MAX 16

struct plane_secret {
	const char *name;
	const char *group;
	const char *env_var;
	uint32_t mount;
	const void *value;
	size_t len;
};

struct plane {
	/* what the attempt is: set before plane_run */
	const char *words[PLANE_WORDS_MAX + 1];
	struct plane_secret secrets[PLANE_SECRETS_MAX];
	size_t secret_count;
	const char *envs[PLANE_PAIRS_MAX][2];
	size_t env_count;
	const uint8_t *bundle; /* NULL: none */
	size_t bundle_len;
	const Flyteidl__Core__TypedInterface *interface;
	const Flyteidl__Core__LiteralMap *inputs;
	Union__V1__GuardPolicy guard;
	int64_t lease_ms;
	int64_t timeout_ms;
	bool wrong_attempt;     /* keys are delivered for another attempt */
	bool claim_refused;
	bool cancel;            /* said at the first heartbeat */
	bool silent_after_claim; /* every later call is left unanswered */
	int drop_calls;         /* so many calls after the claim are cut off in the middle */
	int signal_at_log;      /* sent to the launcher at the first log bytes; 0: none */
	const char *hidden; /* --hide */
	const char *sdk;
	bool other_sdk;         /* the task is not of ours */
	const char *endpoint; /* NULL: the socket itself */
	const char *ca_file;
	bool plain;             /* --no-namespaces */
	const char *options[16]; /* more of union-exec, ended by NULL */
	const char *memory;      /* limits of the task; NULL: none */
	const char *cpu;
	const char *config[2];   /* of the task: name and value; NULL: none */

	/* what came */
	struct buf log;
	uint64_t log_pushes;
	unsigned heartbeats;
	unsigned claims;
	bool finished;
	Union__V1__FinishRequest *finish;
	int exit_status; /* of union-exec; 128 + signal */
	char workdir[128];
	double run_ms; /* from the start of union-exec, or from its ticket, to its end */

	/* its own */
	char folder[64];
	char socket[96];
	int listen_fd;
	pid_t launcher;
	int launcher_fd;
	int ticket_fd; /* to a launcher that has none yet */
	uint8_t attempt[ATTEMPT_ID_LEN];
	struct secbuf *deks[PLANE_SECRETS_MAX];
	uint8_t lease[32];
};

void plane_init(struct plane *plane);
void plane_fini(struct plane *plane);
/* Starts `program` for the attempt and serves it until it has ended. */
void plane_run(struct plane *plane, const char *program);
/* Only starts it, and only serves it: for tests that look at it meanwhile. */
void plane_start(struct plane *plane, const char *program);
bool plane_serve_until_log(struct plane *plane, const char *text); /* false: it ended before */
void plane_serve(struct plane *plane);
/* Starts it without a ticket, as the local engine does for an attempt that it expects; and gives it
 * one. */
void plane_start_ahead(struct plane *plane, const char *program);
void plane_give_ticket(struct plane *plane);

#endif
