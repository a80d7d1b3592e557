#include "authz/authz.h"

#include "crypto/hash.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

void
principal_of_uid(uid_t uid, uid_t plane_uid, struct principal *ret_principal)
{
	bool local = uid == plane_uid || uid == 0;

	*ret_principal = (struct principal){.kind = local ? PRINCIPAL_LOCAL_USER : PRINCIPAL_NOBODY,
	                                    .uid = uid,
	                                    .has_uid = true};
}

void
principal_of_lease(const uint8_t attempt[ATTEMPT_ID_LEN], const char *execution,
                   struct principal *ret_principal)
{
	*ret_principal = (struct principal){.kind = PRINCIPAL_EXECUTION};
	memcpy(ret_principal->attempt, attempt, ATTEMPT_ID_LEN);
	(void)snprintf(ret_principal->execution, sizeof ret_principal->execution, "%s", execution);
}

void
principal_format(const struct principal *principal, char text[PRINCIPAL_TEXT_MAX])
{
	if (principal->kind == PRINCIPAL_EXECUTION)
		(void)snprintf(text, PRINCIPAL_TEXT_MAX, "execution:%s", principal->execution);
	else if (principal->has_uid)
		(void)snprintf(text, PRINCIPAL_TEXT_MAX, "uid:%lu", (unsigned long)principal->uid);
	else
		(void)snprintf(text, PRINCIPAL_TEXT_MAX, "nobody");
}

static const char *const action_texts[AUTHZ_ACTIONS] = {
        [AUTHZ_SECRET_CREATE] = "secret.create",
        [AUTHZ_SECRET_UPDATE] = "secret.update",
        [AUTHZ_SECRET_DELETE] = "secret.delete",
        [AUTHZ_SECRET_READ] = "secret.read",
        [AUTHZ_ENTITY_REGISTER] = "entity.register",
        [AUTHZ_ENTITY_READ] = "entity.read",
        [AUTHZ_EXECUTION_CREATE] = "execution.create",
        [AUTHZ_EXECUTION_READ] = "execution.read",
        [AUTHZ_EXECUTION_ABORT] = "execution.abort",
        [AUTHZ_DATA_UPLOAD] = "data.upload",
        [AUTHZ_PLANE_READ] = "plane.read",
        [AUTHZ_PLANE_STOP] = "plane.stop",
        [AUTHZ_PLANE_BACKUP] = "plane.backup",
        [AUTHZ_KEYS_ROTATE] = "keys.rotate",
        [AUTHZ_KEYS_UNLOCK] = "keys.unlock",
        [AUTHZ_AUDIT_READ] = "audit.read",
        [AUTHZ_ATTEMPT_WORK] = "attempt.work",
};

const char *
authz_action_text(enum authz_action action)
{
	assert(action < AUTHZ_ACTIONS);
	return action_texts[action];
}

/* What a row demands beyond the kind of principal. */
enum condition {
	NEVER, /* what is not written below */
	ALWAYS,
	OWN_ATTEMPT,
};

static const enum condition table[PRINCIPAL_KINDS][AUTHZ_ACTIONS] = {
        [PRINCIPAL_LOCAL_USER] =
                {
                        [AUTHZ_SECRET_CREATE] = ALWAYS,
                        [AUTHZ_SECRET_UPDATE] = ALWAYS,
                        [AUTHZ_SECRET_DELETE] = ALWAYS,
                        [AUTHZ_SECRET_READ] = ALWAYS,
                        [AUTHZ_ENTITY_REGISTER] = ALWAYS,
                        [AUTHZ_ENTITY_READ] = ALWAYS,
                        [AUTHZ_EXECUTION_CREATE] = ALWAYS,
                        [AUTHZ_EXECUTION_READ] = ALWAYS,
                        [AUTHZ_EXECUTION_ABORT] = ALWAYS,
                        [AUTHZ_DATA_UPLOAD] = ALWAYS,
                        [AUTHZ_PLANE_READ] = ALWAYS,
                        [AUTHZ_PLANE_STOP] = ALWAYS,
                        [AUTHZ_PLANE_BACKUP] = ALWAYS,
                        [AUTHZ_KEYS_ROTATE] = ALWAYS,
                        [AUTHZ_KEYS_UNLOCK] = ALWAYS,
                        [AUTHZ_AUDIT_READ] = ALWAYS,
                },
        [PRINCIPAL_EXECUTION] = {[AUTHZ_ATTEMPT_WORK] = OWN_ATTEMPT},
};

static bool
is_own(const struct principal *principal, const struct authz_target *target)
{
	return target && target->attempt &&
	       bytes_equal(principal->attempt, target->attempt, ATTEMPT_ID_LEN);
}

static bool
allowed(const struct principal *principal, enum authz_action action,
        const struct authz_target *target)
{
	assert(principal->kind < PRINCIPAL_KINDS && action < AUTHZ_ACTIONS);
	switch (table[principal->kind][action]) {
	case ALWAYS:
		return true;
	case OWN_ATTEMPT:
		return is_own(principal, target);
	case NEVER:
		break;
	}
	return false; /* fail safe */
}

enum un_err
authz_check(const struct principal *principal, enum authz_action action,
            const struct authz_target *target, struct un_detail *detail)
{
	if (allowed(principal, action, target))
		return UN_OK;
	if (principal->kind == PRINCIPAL_NOBODY) {
		un_hint(detail, "run the command as the user who started the control plane");
		return un_fail(detail, UN_ERR_UNAUTHENTICATED,
		               "this control plane serves the user that runs it, and no one else");
	}
	return un_fail(detail, UN_ERR_DENIED, "not allowed: %s", authz_action_text(action));
}

bool
authz_explain(const struct principal *principal, enum authz_action action,
              const struct authz_target *target, char text[AUTHZ_TEXT_MAX])
{
	static const char *const kinds[PRINCIPAL_KINDS] = {
	        [PRINCIPAL_NOBODY] = "whoever is neither the local user nor a running task",
	        [PRINCIPAL_LOCAL_USER] = "the user who runs the control plane",
	        [PRINCIPAL_EXECUTION] = "a running task",
	};
	static const char *const rules[] = {
	        [NEVER] = "may not",
	        [ALWAYS] = "may",
	        [OWN_ATTEMPT] = "may, for its own attempt only,",
	};
	bool verdict = allowed(principal, action, target);
	char who[PRINCIPAL_TEXT_MAX], where[SCOPE_TEXT_MAX] = "the control plane";

	principal_format(principal, who);
	if (target && target->scope)
		scope_format(target->scope, where);
	(void)snprintf(text, AUTHZ_TEXT_MAX, "%s: %s on %s by %s, because %s %s do it",
	               verdict ? "allowed" : "denied", authz_action_text(action), where, who,
	               kinds[principal->kind], rules[table[principal->kind][action]]);
	return verdict;
}
