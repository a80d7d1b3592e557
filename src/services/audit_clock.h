/* audit_clock.h - has the keeper sign how far the audit trail has come, and makes the blocks that
 * searches go by.
 *
 * One a plane, on the control loop. A second after the first new record it has a head signed over
 * all there are, and appends it; while nothing is recorded it does nothing. At the start it
 * compares trail, journal and the keeper's last head: a release that the trail lacks gets its
 * record (later ones: audit_releases.h), and what is not as it was signed is told and recorded.
 * docs/architecture/audit.md. */
#ifndef SERVICES_AUDIT_CLOCK_H
#define SERVICES_AUDIT_CLOCK_H

#include "audit/audit.h"
#include "keeper/keeper.h"
#include "net/loop.h"
#include "store/store.h"

struct audit_clock;

struct audit_clock_options {
	struct loop *loop; /* the control loop */
	struct store *store;
	struct store_reader *reader; /* of the control loop */
	struct keeper_client *keeper; /* of the control loop */
	const char *data_dir; /* read by audit_clock_new only */
};

MUST_CHECK enum un_err audit_clock_new(const struct audit_clock_options *options,
                                       struct audit_clock **ret_clock);
/* Before anything is served: compares, and records the start. Waits. */
MUST_CHECK enum un_err audit_clock_start(struct audit_clock *clock, struct un_detail *detail);
/* After everything is served: records the stop and has a last head signed. Waits a little. */
void audit_clock_stop(struct audit_clock *clock);
void audit_clock_free(struct audit_clock *clock); /* NULL is fine */

/* Something was recorded. Any thread, cheap. */
void audit_clock_kick(struct audit_clock *clock);

/* A head over all that is durable now. `done` runs on the control loop, once; `head` is NULL unless
 * UN_OK. The request is the caller's, and lives until then. */
struct audit_clock_sign {
	void (*done)(void *ctx, enum un_err err, const struct un_detail *detail,
	             const struct signed_head *head);
	void *ctx;
	struct loop_task task; /* the rest is the clock's */
	struct audit_clock *clock;
	struct audit_clock_sign *next;
};
/* Any thread. */
void audit_clock_sign(struct audit_clock *clock, struct audit_clock_sign *request);

#endif
