/* authz.h - who may do what: one table (access.def), and everything that is not in it is refused.
 *
 * A principal is who asks. The local user (whoever runs the control plane, and root) may do
 * everything but act as a launcher; an execution acts through a lease and may only work on its own
 * attempt; an API key may do what its grants say: roles, each in a scope. Whoever else there is, is
 * nobody. Grants come from a snapshot (directory.h) that the caller lends. No I/O, no state; any
 * thread. docs/architecture/authz.md. */
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

struct directory_view; /* directory.h */

enum principal_kind {
	PRINCIPAL_NOBODY, /* not authenticated, or no one this plane serves */
	PRINCIPAL_LOCAL_USER,
	PRINCIPAL_EXECUTION,
	PRINCIPAL_API_KEY,
	PRINCIPAL_KINDS,
};

struct principal {
	enum principal_kind kind;
	uid_t uid;                       /* of the local user, or of nobody where it is known */
	bool has_uid;
	uint8_t attempt[ATTEMPT_ID_LEN]; /* of an execution: the one its lease is for */
	char execution[64];              /* its name, for the audit */
	char key[API_KEY_NAME_MAX + 1];  /* of an API key: its name ... */
	int64_t key_id; /* ... and its number: a later key of the same name is another one */
};

/* Who is behind a connection of user `uid`, on a plane that runs as `plane_uid`. */
void principal_of_uid(uid_t uid, uid_t plane_uid, struct principal *ret_principal);
/* Who holds the lease of `attempt`; runs/ has checked that. */
void principal_of_lease(const uint8_t attempt[ATTEMPT_ID_LEN], const char *execution,
                        struct principal *ret_principal);
/* Who has logged in with the API key `name`; `id` 0: whichever key has this name now. */
void principal_of_key(const char *name, int64_t id, struct principal *ret_principal);
/* Whether both are one and the same; not in constant time: nothing in it is secret. */
bool principal_equal(const struct principal *a, const struct principal *b);
/* For audit and logs: "uid:1000", "execution:f3a7", "key:ci", "nobody". */
void principal_format(const struct principal *principal, char text[PRINCIPAL_TEXT_MAX]);
/* "key:NAME" (or just NAME) and "uid:NUMBER"; others cannot be named. UN_ERR_INVALID. */
MUST_CHECK enum un_err principal_parse(const char *text, uid_t plane_uid,
                                       struct principal *ret_principal, struct un_detail *detail);

enum authz_role {
#define AUTHZ_ROLE(symbol, text, what) AUTHZ_ROLE_##symbol,
#define AUTHZ_ACTION(...)
#include "authz/access.def"
#undef AUTHZ_ROLE
#undef AUTHZ_ACTION
	AUTHZ_ROLES,
};
const char *authz_role_text(enum authz_role role); /* "secret-writer" */
/* UN_ERR_INVALID, with the list of roles in the hint. */
MUST_CHECK enum un_err authz_role_parse(const char *text, enum authz_role *ret_role,
                                        struct un_detail *detail);

/* SECRET_READ is names, versions, times: there is no action that reads a value. */
enum authz_action {
#define AUTHZ_ROLE(...)
#define AUTHZ_ACTION(symbol, ...) AUTHZ_##symbol,
#include "authz/access.def"
#undef AUTHZ_ROLE
#undef AUTHZ_ACTION
	AUTHZ_ACTIONS,
};
const char *authz_action_text(enum authz_action action); /* "secret.create" */
/* UN_ERR_INVALID, with the nearest action in the hint. */
MUST_CHECK enum un_err authz_action_parse(const char *text, enum authz_action *ret_action,
                                          struct un_detail *detail);

/* What the action is done to. Lent; NULL is "the whole plane", or none. */
struct authz_target {
	const struct scope *scope;
	const uint8_t *attempt; /* ATTEMPT_ID_LEN */
};

/* Whether a grant for `granted` covers `scope`. */
bool authz_covers(const struct scope *granted, const struct scope *scope);

/* A verdict, and the grant it follows from. Where several would do it is the widest one. */
struct authz_decision {
	bool allowed;
	bool by_grant; /* role and scope are set; else they are not */
	enum authz_role role;
	struct scope scope;
};

/* `access` may be NULL: then API keys may do nothing. */
void authz_decide(const struct principal *principal, const struct directory_view *access,
                  enum authz_action action, const struct authz_target *target,
                  struct authz_decision *ret_decision);
/* UN_OK or UN_ERR_DENIED; UN_ERR_UNAUTHENTICATED for nobody. The detail tells the person what she
 * may not do, and nothing about what is there: it follows from the arguments only. */
MUST_CHECK enum un_err authz_check(const struct principal *principal,
                                   const struct directory_view *access, enum authz_action action,
                                   const struct authz_target *target, struct un_detail *detail);
/* The verdict and what it follows from, in a sentence. Returns the verdict. */
bool authz_explain(const struct principal *principal, const struct directory_view *access,
                   enum authz_action action, const struct authz_target *target,
                   char text[AUTHZ_TEXT_MAX]);

/* How much of a list the principal may see: of all that `within` filters for (an empty project or
 * domain does not filter). */
enum authz_reach {
	AUTHZ_REACH_NONE,
	AUTHZ_REACH_SOME, /* each row has to be asked for */
	AUTHZ_REACH_ALL,
};
enum authz_reach authz_reach(const struct principal *principal, const struct directory_view *access,
                             enum authz_action action, const struct scope *within);

/* The roles that would allow `action` on `scope` if they were granted there (*ret_scope: at the
 * whole organization, where nothing narrower helps), fewest rights first. Returns how many; 0: no
 * role allows it. */
unsigned authz_needed(enum authz_action action, const struct scope *scope,
                      enum authz_role ret_roles[AUTHZ_ROLES], struct scope *ret_scope);

#endif
