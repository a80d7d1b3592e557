/* authz.h - who may do what: one table, and everything that is not in it is refused.
 *
 * A principal is who asks. This version knows two: the local user (whoever runs the control plane,
 * and root), who may do everything but act as a launcher, and an execution, which acts through a
 * lease and may only work on its own attempt. Whoever else there is, is nobody. No I/O, no state;
 * any thread. docs/architecture/authz.md. */
#ifndef AUTHZ_AUTHZ_H
#define AUTHZ_AUTHZ_H

#include "base/err.h"
#include "envelope/envelope.h"
#include "model/scope.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PRINCIPAL_TEXT_MAX 128
#define AUTHZ_TEXT_MAX 512

enum principal_kind {
	PRINCIPAL_NOBODY, /* not authenticated, or no one this plane serves */
	PRINCIPAL_LOCAL_USER,
	PRINCIPAL_EXECUTION,
	PRINCIPAL_KINDS,
};

struct principal {
	enum principal_kind kind;
	uid_t uid;                       /* of the local user, or of nobody where it is known */
	bool has_uid;
	uint8_t attempt[ATTEMPT_ID_LEN]; /* of an execution: the one its lease is for */
	char execution[64];              /* its name, for the audit */
};

/* Who is behind a connection of user `uid`, on a plane that runs as `plane_uid`. */
void principal_of_uid(uid_t uid, uid_t plane_uid, struct principal *ret_principal);
/* Who holds the lease of `attempt`; runs/ has checked that. */
void principal_of_lease(const uint8_t attempt[ATTEMPT_ID_LEN], const char *execution,
                        struct principal *ret_principal);
/* For audit and logs: "uid:1000", "execution:f3a7", "nobody". */
void principal_format(const struct principal *principal, char text[PRINCIPAL_TEXT_MAX]);

enum authz_action {
	AUTHZ_SECRET_CREATE,
	AUTHZ_SECRET_UPDATE,
	AUTHZ_SECRET_DELETE,
	AUTHZ_SECRET_READ, /* names, versions, times; there is no action that reads a value */
	AUTHZ_ENTITY_REGISTER,
	AUTHZ_ENTITY_READ,
	AUTHZ_EXECUTION_CREATE,
	AUTHZ_EXECUTION_READ,
	AUTHZ_EXECUTION_ABORT,
	AUTHZ_DATA_UPLOAD,
	AUTHZ_PLANE_READ,
	AUTHZ_PLANE_STOP,
	AUTHZ_PLANE_BACKUP,
	AUTHZ_KEYS_ROTATE,
	AUTHZ_KEYS_UNLOCK,
	AUTHZ_AUDIT_READ,
	AUTHZ_ATTEMPT_WORK, /* heartbeat, logs, result, bundle of one attempt */
	AUTHZ_ACTIONS,
};
const char *authz_action_text(enum authz_action action); /* "secret.create" */

/* What the action is done to. Lent; NULL is "the whole plane", or none. */
struct authz_target {
	const struct scope *scope;
	const uint8_t *attempt; /* ATTEMPT_ID_LEN */
};

/* UN_OK or UN_ERR_DENIED; UN_ERR_UNAUTHENTICATED for nobody. The detail tells the person what she
 * may not do, and nothing about what is there. */
MUST_CHECK enum un_err authz_check(const struct principal *principal, enum authz_action action,
                                   const struct authz_target *target, struct un_detail *detail);
/* The verdict and the row of the table it follows from, in a sentence. Returns the verdict. */
bool authz_explain(const struct principal *principal, enum authz_action action,
                   const struct authz_target *target, char text[AUTHZ_TEXT_MAX]);

#endif
