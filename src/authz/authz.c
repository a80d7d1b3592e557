#include "authz/authz.h"

#include "authz/directory.h"
#include "base/text.h"
#include "crypto/hash.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define KEY_PREFIX "key:"
#define UID_PREFIX "uid:"

/* ---- principals ---- */

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
principal_of_key(const char *name, int64_t id, struct principal *ret_principal)
{
	*ret_principal = (struct principal){.kind = PRINCIPAL_API_KEY, .key_id = id};
	(void)snprintf(ret_principal->key, sizeof ret_principal->key, "%s", name);
}

bool
principal_equal(const struct principal *a, const struct principal *b)
{
	return a->kind == b->kind && a->has_uid == b->has_uid && a->uid == b->uid &&
	       a->key_id == b->key_id && text_equal(a->attempt, b->attempt, sizeof a->attempt) &&
	       strcmp(a->execution, b->execution) == 0 && strcmp(a->key, b->key) == 0;
}

void
principal_format(const struct principal *principal, char text[PRINCIPAL_TEXT_MAX])
{
	if (principal->kind == PRINCIPAL_EXECUTION)
		(void)snprintf(text, PRINCIPAL_TEXT_MAX, "execution:%s", principal->execution);
	else if (principal->kind == PRINCIPAL_API_KEY)
		(void)snprintf(text, PRINCIPAL_TEXT_MAX, KEY_PREFIX "%s", principal->key);
	else if (principal->has_uid)
		(void)snprintf(text, PRINCIPAL_TEXT_MAX, UID_PREFIX "%lu",
		               (unsigned long)principal->uid);
	else
		(void)snprintf(text, PRINCIPAL_TEXT_MAX, "nobody");
}

enum un_err
principal_parse(const char *text, uid_t plane_uid, struct principal *ret_principal,
                struct un_detail *detail)
{
	uint64_t uid;
	enum un_err err;

	if (strncmp(text, UID_PREFIX, strlen(UID_PREFIX)) == 0) {
		if (text_parse_u64(text + strlen(UID_PREFIX), &uid) != UN_OK || uid > UINT32_MAX)
			return un_fail(detail, UN_ERR_INVALID,
			               "'" UID_PREFIX "' is followed by a user's number");
		principal_of_uid((uid_t)uid, plane_uid, ret_principal);
		return UN_OK;
	}
	if (strncmp(text, KEY_PREFIX, strlen(KEY_PREFIX)) == 0)
		text += strlen(KEY_PREFIX);
	err = name_check_api_key(text, detail);
	if (!err)
		principal_of_key(text, 0, ret_principal);
	return err;
}

/* ---- the table ---- */

enum cell {
	CELL_NO, /* what is not written in the table */
	CELL_YES,
	CELL_OWN,
	CELL_IN,
	CELL_ORG,
	CELL_ANY,
};

struct rule {
	const char *text;
	enum cell local, execution;
	enum cell roles[AUTHZ_ROLES];
};

static const struct rule table[AUTHZ_ACTIONS] = {
#define AUTHZ_ROLE(...)
#define AUTHZ_ACTION(symbol, text, what, local, execution, ...)                                    \
	[AUTHZ_##symbol] = {text, CELL_##local, CELL_##execution, {CELLS(__VA_ARGS__)}},
#define CELLS(a, b, c, d, e) CELL_##a, CELL_##b, CELL_##c, CELL_##d, CELL_##e
#include "authz/access.def"
#undef CELLS
#undef AUTHZ_ROLE
#undef AUTHZ_ACTION
};

static const char *const role_texts[AUTHZ_ROLES] = {
#define AUTHZ_ROLE(symbol, text, what) [AUTHZ_ROLE_##symbol] = text,
#define AUTHZ_ACTION(...)
#include "authz/access.def"
#undef AUTHZ_ROLE
#undef AUTHZ_ACTION
};

const char *
authz_action_text(enum authz_action action)
{
	assert(action < AUTHZ_ACTIONS);
	return table[action].text;
}

const char *
authz_role_text(enum authz_role role)
{
	assert(role < AUTHZ_ROLES);
	return role_texts[role];
}

enum un_err
authz_role_parse(const char *text, enum authz_role *ret_role, struct un_detail *detail)
{
	for (int role = 0; role < AUTHZ_ROLES; role++) {
		if (strcmp(text, role_texts[role]) == 0) {
			*ret_role = (enum authz_role)role;
			return UN_OK;
		}
	}
	if (!detail)
		return UN_ERR_INVALID;
	un_hint(detail, "the roles are: %s, %s, %s, %s, %s", role_texts[0], role_texts[1],
	        role_texts[2], role_texts[3], role_texts[4]);
	return un_fail(detail, UN_ERR_INVALID, "no role '%.40s'", text);
}

enum un_err
authz_action_parse(const char *text, enum authz_action *ret_action, struct un_detail *detail)
{
	const char *texts[AUTHZ_ACTIONS], *nearest;

	for (int action = 0; action < AUTHZ_ACTIONS; action++) {
		texts[action] = table[action].text;
		if (strcmp(text, texts[action]) == 0) {
			*ret_action = (enum authz_action)action;
			return UN_OK;
		}
	}
	nearest = text_nearest(text, texts, AUTHZ_ACTIONS);
	if (nearest)
		un_hint(detail, "the nearest is '%s'", nearest);
	else
		un_hint(detail, "an action reads like 'secret.create' or 'execution.read'; "
		                "docs/reference/access.md has all of them");
	return un_fail(detail, UN_ERR_INVALID, "no action '%.40s'", text);
}

/* ---- decisions ---- */

bool
authz_covers(const struct scope *granted, const struct scope *scope)
{
	return (!granted->project[0] || strcmp(granted->project, scope->project) == 0) &&
	       (!granted->domain[0] || strcmp(granted->domain, scope->domain) == 0);
}

/* The roles, as bits, that allow an action by a grant for the whole organization, by a narrower one
 * that covers the target, and by one at any scope. */
struct helpers {
	unsigned org, covering, anywhere;
};

#define IS_ORG(cell) ((cell) == CELL_IN || (cell) == CELL_ORG || (cell) == CELL_ANY)
#define IS_COVERING(cell) ((cell) == CELL_IN || (cell) == CELL_ANY)
#define IS_ANYWHERE(cell) ((cell) == CELL_ANY)
#define BITS(is, a, b, c, d, e)                                                                    \
	(is(CELL_##a) | is(CELL_##b) << 1 | is(CELL_##c) << 2 | is(CELL_##d) << 3 |                \
	 is(CELL_##e) << 4)

static const struct helpers helpers[AUTHZ_ACTIONS] = {
#define AUTHZ_ROLE(...)
#define AUTHZ_ACTION(symbol, text, what, local, execution, ...)                                    \
	[AUTHZ_##symbol] = {BITS(IS_ORG, __VA_ARGS__), BITS(IS_COVERING, __VA_ARGS__),             \
	                    BITS(IS_ANYWHERE, __VA_ARGS__)},
#include "authz/access.def"
#undef AUTHZ_ROLE
#undef AUTHZ_ACTION
};
static_assert(AUTHZ_ROLES == 5, "a column for each role");

static const struct scope whole_organization;

static const struct directory_key *
key_of(const struct principal *principal, const struct directory_view *access)
{
	if (principal->kind != PRINCIPAL_API_KEY)
		return NULL;
	return principal->key_id ? directory_find_key_id(access, principal->key_id)
	                         : directory_find_key(access, principal->key);
}

static void
allow_by(unsigned roles, const char *project, const char *domain,
         struct authz_decision *ret_decision)
{
	*ret_decision = (struct authz_decision){.allowed = true, .by_grant = true};
	while (!(roles & 1u << ret_decision->role))
		ret_decision->role++;
	memcpy(ret_decision->scope.project, project, strlen(project) + 1);
	memcpy(ret_decision->scope.domain, domain, strlen(domain) + 1);
}

/* A grant of any scope will do: the first there is. */
static void
allow_by_any(const struct directory_key *key, unsigned helping, struct authz_decision *ret_decision)
{
	const struct directory_grant *grant = key->grants;

	while (!(helping & 1u << grant->role))
		grant++;
	allow_by(1u << grant->role, grant->scope.project, grant->scope.domain, ret_decision);
}

/* The widest grant that covers `scope` decides. */
static void
decide_by_grants(const struct directory_view *access, const struct directory_key *key,
                 enum authz_action action, const struct scope *scope,
                 struct authz_decision *ret_decision)
{
	const struct helpers *help = &helpers[action];
	struct directory_roles roles;

	if (!(key->roles_anywhere & help->org))
		return;
	if (key->roles_everywhere & help->org) {
		allow_by(key->roles_everywhere & help->org, "", "", ret_decision);
		return;
	}
	directory_roles_over(access, key, scope, &roles);
	if (roles.project & help->covering)
		allow_by(roles.project & help->covering, scope->project, "", ret_decision);
	else if (roles.domain & help->covering)
		allow_by(roles.domain & help->covering, "", scope->domain, ret_decision);
	else if (roles.both & help->covering)
		allow_by(roles.both & help->covering, scope->project, scope->domain, ret_decision);
	else if (key->roles_anywhere & help->anywhere)
		allow_by_any(key, help->anywhere, ret_decision);
}

static bool
is_own(const struct principal *principal, const struct authz_target *target)
{
	return target && target->attempt &&
	       bytes_equal(principal->attempt, target->attempt, ATTEMPT_ID_LEN);
}

void
authz_decide(const struct principal *principal, const struct directory_view *access,
             enum authz_action action, const struct authz_target *target,
             struct authz_decision *ret_decision)
{
	const struct scope *scope = target && target->scope ? target->scope : &whole_organization;
	const struct directory_key *key;

	assert(principal->kind < PRINCIPAL_KINDS && action < AUTHZ_ACTIONS);
	ret_decision->allowed = ret_decision->by_grant = false; /* fail safe */
	ret_decision->role = AUTHZ_ROLE_VIEWER; /* no grant's, and of little consequence */
	ret_decision->scope.project[0] = ret_decision->scope.domain[0] = '\0';
	switch (principal->kind) {
	case PRINCIPAL_LOCAL_USER:
		ret_decision->allowed = table[action].local == CELL_YES;
		break;
	case PRINCIPAL_EXECUTION:
		ret_decision->allowed =
			table[action].execution == CELL_OWN && is_own(principal, target);
		break;
	case PRINCIPAL_API_KEY:
		key = key_of(principal, access);
		if (key)
			decide_by_grants(access, key, action, scope, ret_decision);
		break;
	default:
		break;
	}
}

static void
where_of(const struct authz_target *target, char where[SCOPE_TEXT_MAX])
{
	if (target && target->scope)
		scope_format(target->scope, where);
	else
		(void)snprintf(where, SCOPE_TEXT_MAX, "the control plane");
}

static void
hint_at_help(const struct principal *principal, enum authz_action action,
             const struct authz_target *target, struct un_detail *detail)
{
	const struct scope *scope = target && target->scope ? target->scope : &whole_organization;

	un_hint(detail,
	        "ask an administrator for a role that allows it; which do, says: union "
	        "explain access " KEY_PREFIX "%s %s%s%s%s%s",
	        principal->key, authz_action_text(action), scope->project[0] ? " --project " : "",
	        scope->project, scope->domain[0] ? " --domain " : "", scope->domain);
}

enum un_err
authz_check(const struct principal *principal, const struct directory_view *access,
            enum authz_action action, const struct authz_target *target, struct un_detail *detail)
{
	struct authz_decision decision;
	char where[SCOPE_TEXT_MAX];

	authz_decide(principal, access, action, target, &decision);
	if (decision.allowed)
		return UN_OK;
	if (principal->kind == PRINCIPAL_NOBODY) {
		un_hint(detail, "run the command as the user who started the control plane, or log "
		                "in with an API key");
		return un_fail(detail, UN_ERR_UNAUTHENTICATED,
		               "this control plane does not know who you are");
	}
	if (principal->kind != PRINCIPAL_API_KEY)
		return un_fail(detail, UN_ERR_DENIED, "not allowed: %s", authz_action_text(action));
	where_of(target, where);
	hint_at_help(principal, action, target, detail);
	return un_fail(detail, UN_ERR_DENIED, KEY_PREFIX "%s is not allowed %s at %s",
	               principal->key, authz_action_text(action), where);
}

static void
explain_key(const struct authz_decision *decision, const char *start, char text[AUTHZ_TEXT_MAX])
{
	char scope[SCOPE_TEXT_MAX];

	if (!decision->allowed) {
		(void)snprintf(text, AUTHZ_TEXT_MAX,
		               "%s, because no role granted to it allows that", start);
		return;
	}
	scope_format(&decision->scope, scope);
	(void)snprintf(text, AUTHZ_TEXT_MAX, "%s, because it has the role '%s' at %s", start,
	               authz_role_text(decision->role), scope);
}

bool
authz_explain(const struct principal *principal, const struct directory_view *access,
              enum authz_action action, const struct authz_target *target,
              char text[AUTHZ_TEXT_MAX])
{
	static const char *const kinds[PRINCIPAL_KINDS] = {
		[PRINCIPAL_NOBODY] = ("whoever is neither the local user, nor a running task, nor "
	                              "logged in"),
		[PRINCIPAL_LOCAL_USER] = "the user who runs the control plane",
		[PRINCIPAL_EXECUTION] = "a running task",
	};
	struct authz_decision decision;
	char who[PRINCIPAL_TEXT_MAX], where[SCOPE_TEXT_MAX], start[AUTHZ_TEXT_MAX / 2 + 128];
	const char *rule;

	authz_decide(principal, access, action, target, &decision);
	principal_format(principal, who);
	where_of(target, where);
	(void)snprintf(start, sizeof start, "%s: %s at %s by %s",
	               decision.allowed ? "allowed" : "denied", authz_action_text(action), where,
	               who);
	if (principal->kind == PRINCIPAL_API_KEY) {
		explain_key(&decision, start, text);
		return decision.allowed;
	}
	rule = decision.allowed ? "may" : "may not";
	if (principal->kind == PRINCIPAL_EXECUTION && table[action].execution == CELL_OWN)
		rule = "may, for its own attempt only,";
	(void)snprintf(text, AUTHZ_TEXT_MAX, "%s, because %s %s do it", start,
	               kinds[principal->kind], rule);
	return decision.allowed;
}

/* ---- lists ---- */

static bool
may_meet(const char *a, const char *b)
{
	return !a[0] || !b[0] || strcmp(a, b) == 0;
}

enum authz_reach
authz_reach(const struct principal *principal, const struct directory_view *access,
            enum authz_action action, const struct scope *within)
{
	const struct authz_target target = {.scope = within};
	const struct directory_key *key = key_of(principal, access);
	struct authz_decision decision;

	assert(within);
	authz_decide(principal, access, action, &target, &decision);
	if (decision.allowed)
		return AUTHZ_REACH_ALL;
	for (size_t i = 0; key && i < key->grant_count; i++) {
		const struct directory_grant *grant = &key->grants[i];

		if ((helpers[action].covering & 1u << grant->role) &&
		    may_meet(grant->scope.project, within->project) &&
		    may_meet(grant->scope.domain, within->domain))
			return AUTHZ_REACH_SOME;
	}
	return AUTHZ_REACH_NONE;
}

/* ---- what would help ---- */

static unsigned
rights_of(enum authz_role role)
{
	unsigned count = 0;

	for (int action = 0; action < AUTHZ_ACTIONS; action++)
		count += table[action].roles[role] != CELL_NO;
	return count;
}

unsigned
authz_needed(enum authz_action action, const struct scope *scope,
             enum authz_role ret_roles[AUTHZ_ROLES], struct scope *ret_scope)
{
	bool narrow = helpers[action].covering != 0;
	unsigned helping = narrow ? helpers[action].covering : helpers[action].org, count = 0;

	for (unsigned role = 0; role < AUTHZ_ROLES; role++) {
		unsigned at = count;

		if (!(helping & 1u << role))
			continue;
		while (at > 0 && rights_of(ret_roles[at - 1]) > rights_of((enum authz_role)role)) {
			ret_roles[at] = ret_roles[at - 1];
			at--;
		}
		ret_roles[at] = (enum authz_role)role;
		count++;
	}
	*ret_scope = narrow && scope ? *scope : whole_organization;
	return count;
}
