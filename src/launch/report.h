/* report.h - the launcher's side of its attempt: keeps the lease, sends the log, tells the end.
 *
 * One thread of its own talks to the control plane over one channel, so that a slow or absent
 * control plane never holds up the task, its output or its timeout. While it cannot be reached the
 * task goes on, until the lease is over: then the task must be killed, because another attempt may
 * be started (report_left_ms() counts that down, with a margin, on a clock that runs during
 * suspend). A task that has ended runs nothing any more, so its result is offered for longer than
 * that, until the control plane takes it, or knows the lease no more. Made and used by one
 * thread. */
#ifndef LAUNCH_REPORT_H
#define LAUNCH_REPORT_H

#include "base/err.h"
#include "client/channel.h"
#include "crypto/secbuf.h"
#include "union/v1/attempts.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPORT_LOG_MAX                                                                             \
	(16u << 20) /* bytes of log of one attempt; the rest is dropped with a note */
#define REPORT_BATCH_MAX (256u << 10)
#define REPORT_BATCH_FULL (64u << 10) /* this much is sent at once, */
#define REPORT_BATCH_WAIT_MS 50       /* less after this long */
#define REPORT_BEAT_MS 5000           /* between heartbeats, or a third of a shorter lease */
#define REPORT_KEEP_MS                                                                             \
	(3600 * 1000) /* a result that nobody takes, if the lease is not longer */

#define REPORT_FULL_MS (60 * 1000) /* a log that meets a full disk, after the task's end */

struct reporter;

struct report_plan {
	struct channel *channel; /* taken over: freed with the reporter */
	struct secbuf *lease;    /* taken over */
	int64_t lease_start_ms;  /* clock_mono_ms when the claim was sent */
	int64_t lease_ttl_ms;
	/* The result is not taken at once, and may have to wait for long: what only the task needed
	 * can go. Once at most, while report_finish waits. NULL: nobody wants to know. */
	void (*on_wait)(void *ctx);
	void *ctx;
};

/* Takes the plan's parts over also when it fails. */
MUST_CHECK enum un_err report_new(const struct report_plan *plan, struct reporter **ret_reporter);
/* Fetches a file with the lease as credential; only before report_start. */
MUST_CHECK enum un_err report_fetch(struct reporter *reporter, struct channel_file *file,
                                    uint64_t *ret_size, struct un_detail *detail);
MUST_CHECK enum un_err report_start(struct reporter *reporter, struct un_detail *detail);

/* Redacted bytes for the attempt's log. */
MUST_CHECK enum un_err report_log(struct reporter *reporter, const uint8_t *bytes, size_t len);

enum report_state {
	REPORT_GOING,
	REPORT_CANCEL, /* the control plane wants the task ended */
	REPORT_LOST,   /* the lease is not valid any more: kill, and say nothing */
};
enum report_state report_state(struct reporter *reporter);
void report_ask(struct reporter *reporter); /* for the state now, not at the next heartbeat */
int report_event_fd(const struct reporter *reporter); /* readable when the state has changed */
int64_t report_left_ms(struct reporter *reporter);    /* until the task must be dead; 0: now */

/* Sends what is left of the log (to a full disk for REPORT_FULL_MS, then it is dropped), then
 * `finish` (whose lease is filled in), again and again until it is acknowledged, the lease is not
 * known any more, or REPORT_KEEP_MS (the time of the lease, if that is longer) are over. Ends the
 * thread. UN_ERR_UNREACHABLE, UN_ERR_BAD_TICKET,... */
MUST_CHECK enum un_err report_finish(struct reporter *reporter, Union__V1__FinishRequest *finish,
                                     struct un_detail *detail);
void report_free(struct reporter *reporter); /* stops the thread at once; NULL is fine */

#endif
