/* audit_job.h - making a record of an act durable, for acts that are no transaction of the store.
 *
 * An act is recorded before it happens: if the record cannot be written, it does not happen. */
#ifndef SERVICES_AUDIT_JOB_H
#define SERVICES_AUDIT_JOB_H

#include "audit/audit.h"
#include "rpc/service.h"

/* Runs on the call's loop when the record is durable, or when it could not be written; ends the
 * call sooner or later. */
typedef void audit_job_done(struct rpc_call *call, enum un_err err, const struct un_detail *detail,
                            void *context);

/* Records `event`, whose texts live as long as the call; its request id is the call's. */
void audit_job_record(struct rpc_call *call, const struct audit_event *event, audit_job_done *done,
                      void *context);
/* Records `action` of the caller, with `reason` (a static word, or NULL). `done` always runs, once,
 * perhaps before this returns. The call must not end before. */
void audit_job_start(struct rpc_call *call, enum audit_action action, enum audit_verdict verdict,
                     const char *reason, audit_job_done *done, void *context);

#endif
