/* union.v1.AccessService/ExplainAccess: asks the functions that decide, and says why. */
#include "base/clock.h"
#include "services/caller.h"
#include "services/grants.h"
#include "services/plane.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct question {
	struct principal who;
	enum authz_action action;
	struct scope scope;
};

/* *ret_self: the caller asks about herself. */
static enum un_err
read_question(struct rpc_call *call, const Union__V1__ExplainAccessRequest *request,
              struct question *ret_question, bool *ret_self, struct un_detail *detail)
{
	struct question question;
	char asked[PRINCIPAL_TEXT_MAX], caller[PRINCIPAL_TEXT_MAX];
	struct principal self;
	enum un_err err = UN_OK;

	caller_principal(call, &self);
	question.who = self;
	if (request->principal[0])
		err = principal_parse(request->principal, geteuid(), &question.who, detail);
	if (!err)
		err = authz_action_parse(request->action, &question.action, detail);
	if (!err)
		err = scope_init(&question.scope, request->project, request->domain, detail);
	if (err)
		return err;
	principal_format(&question.who, asked);
	principal_format(&self, caller);
	*ret_question = question;
	*ret_self = strcmp(asked, caller) == 0;
	return UN_OK;
}

static Union__V1__Grant *
needed_grant(struct rpc_call *call, const char *principal, enum authz_role role,
             const struct scope *scope)
{
	struct grant_row row = {.scope = *scope};

	(void)snprintf(row.principal, sizeof row.principal, "%s", principal);
	(void)snprintf(row.role, sizeof row.role, "%s", authz_role_text(role));
	return grant_message(call, &row);
}

static enum un_err
fill_needed(struct rpc_call *call, const struct question *question,
            Union__V1__ExplainAccessResponse *reply)
{
	enum authz_role roles[AUTHZ_ROLES];
	struct scope at;
	unsigned count = authz_needed(question->action, &question->scope, roles, &at);

	reply->needed = rpc_alloc(call, (count + 1) * sizeof *reply->needed);
	if (!reply->needed)
		return UN_ERR_NO_MEMORY;
	for (unsigned i = 0; i < count; i++) {
		reply->needed[i] = needed_grant(call, reply->principal, roles[i], &at);
		if (!reply->needed[i])
			return UN_ERR_NO_MEMORY;
		reply->n_needed++;
	}
	return UN_OK;
}

/* The grant that decided, with what the database knows of it. */
static enum un_err
fill_grant(struct rpc_call *call, const struct authz_decision *decision,
           Union__V1__ExplainAccessResponse *reply)
{
	struct plane_worker *worker = rpc_worker(call);
	struct grant_row row = {.scope = decision->scope};

	(void)snprintf(row.principal, sizeof row.principal, "%s", reply->principal);
	(void)snprintf(row.role, sizeof row.role, "%s", authz_role_text(decision->role));
	if (store_read_begin(worker->reader, NULL) == UN_OK)
		(void)!grant_get(store_reader_view(worker->reader), &row, NULL);
	reply->grant = grant_message(call, &row);
	return reply->grant ? UN_OK : UN_ERR_NO_MEMORY;
}

/* A key that has expired does not log in, whatever was granted to it. */
static bool
has_expired(const struct directory_view *access, const struct question *question)
{
	const struct directory_key *key = directory_find_key(access, question->who.key);

	return question->who.kind == PRINCIPAL_API_KEY && key && key->expires_us &&
	       key->expires_us <= clock_wall_us();
}

static enum un_err
answer(struct rpc_call *call, const struct question *question,
       Union__V1__ExplainAccessResponse *reply)
{
	const struct authz_target target = {.scope = &question->scope};
	const struct directory_view *access = caller_access(call);
	struct authz_decision decision;
	char principal[PRINCIPAL_TEXT_MAX], text[AUTHZ_TEXT_MAX];

	principal_format(&question->who, principal);
	reply->allowed =
		authz_explain(&question->who, access, question->action, &target, text);
	authz_decide(&question->who, access, question->action, &target, &decision);
	if (has_expired(access, question)) {
		reply->allowed = false;
		(void)snprintf(text, sizeof text,
		               "denied: %s by %s, because the API key has expired",
		               authz_action_text(question->action), principal);
	}
	reply->principal = rpc_strdup(call, principal);
	reply->text = rpc_strdup(call, text);
	if (!reply->principal || !reply->text)
		return UN_ERR_NO_MEMORY;
	if (decision.by_grant)
		return fill_grant(call, &decision, reply);
	if (!decision.allowed && question->who.kind == PRINCIPAL_API_KEY)
		return fill_needed(call, question, reply);
	return UN_OK;
}

/* Of a key that is not there it is said so to those who may see all keys. To others it is one
 * without grants, as is any key that has none in their scope. */
static bool
is_missing(struct rpc_call *call, const struct question *question)
{
	return question->who.kind == PRINCIPAL_API_KEY &&
	       !directory_find_key(caller_access(call), question->who.key) &&
	       caller_sees(call, AUTHZ_APIKEY_READ, NULL);
}

void
explain_access(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	Union__V1__ExplainAccessResponse reply = UNION__V1__EXPLAIN_ACCESS_RESPONSE__INIT;
	struct question question;
	struct un_detail detail = {0};
	bool self = false;
	enum un_err err = read_question(call, (const void *)message, &question, &self, &detail);

	(void)ctx;
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	if (!self && !caller_may(call, AUTHZ_ACCESS_EXPLAIN, &question.scope))
		return;
	if (is_missing(call, &question)) {
		un_hint(&detail, "see what there is with: union get api-key");
		err = un_fail(&detail, UN_ERR_NOT_FOUND, "no API key '%s'", question.who.key);
	} else
		err = answer(call, &question, &reply);
	if (err)
		rpc_fail(call, err, &detail);
	else
		rpc_reply(call, &reply.base);
}
