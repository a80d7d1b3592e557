/* audit_notes.h - records of decisions that are no transaction of their own: reads and refusals.
 *
 * One for each worker, on its loop; nothing is shared. A read that releases nothing is summed: one
 * record for each principal, action, scope and second, with how many there were, durable within a
 * second. A refusal is durable before the caller learns of it, up to AUDIT_REFUSALS_EACH a second
 * and principal; beyond that, and for whoever has not proved who she is, refusals are summed too:
 * nobody can fill a disk by asking. docs/architecture/audit.md. */
#ifndef SERVICES_AUDIT_NOTES_H
#define SERVICES_AUDIT_NOTES_H

#include "audit/audit.h"
#include "authz/authz.h"
#include "rpc/service.h"

#define AUDIT_REFUSALS_EACH 10 /* records of their own: a second, a principal and a worker */

struct audit_notes;

enum audit_reads {
	AUDIT_READS_SUMMED,
	AUDIT_READS_EACH, /* a record for each, durable before the reply */
	AUDIT_READS_OFF,
};
/* "summed", "each", "off". UN_ERR_INVALID. */
MUST_CHECK enum un_err audit_reads_parse(const char *text, enum audit_reads *ret_reads);

/* `loop` is the worker's. */
MUST_CHECK enum un_err audit_notes_new(struct store *store, struct loop *loop,
                                       enum audit_reads reads, struct audit_notes **ret_notes);
/* On the loop's thread: makes durable what has gathered. NULL is fine. */
void audit_notes_free(struct audit_notes *notes);

/* Of an action that was allowed; does nothing unless it is a read. Inside the handler. */
void audit_allowed(struct rpc_call *call, const struct principal *who, enum authz_action action,
                   const struct scope *scope);
/* Ends the call with `err` (UN_ERR_DENIED, UN_ERR_UNAUTHENTICATED), now or when the record is
 * durable. `detail` is copied; NULL is fine. */
void audit_refuse(struct rpc_call *call, const struct principal *who, enum authz_action action,
                  const struct scope *scope, enum un_err err, const struct un_detail *detail);
/* Of a caller who has not proved who she is, whatever she asked for: summed by address. Does not
 * end the call; `err` is what she is told. */
void audit_stranger(struct rpc_call *call, enum un_err err);
/* The same of a web route, whose worker's notes and peer these are. */
void audit_stranger_web(struct audit_notes *notes, const struct net_peer *peer, enum un_err err);

#endif
