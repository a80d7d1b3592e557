#include "services/audit_service.h"

#include "audit/audit.h"
#include "base/text.h"
#include "keeper/fingerprint.h"
#include "keeper/keeper.h"
#include "services/secret_service_impl.h"
#include "store/uses.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAGE 100
#define PAGE_MAX 1000
#define TOKEN_MAX 48

static uint32_t
page_of(uint32_t asked)
{
	if (!asked)
		return PAGE;
	return asked < PAGE_MAX ? asked : PAGE_MAX;
}

static int64_t
us_of(const Google__Protobuf__Timestamp *at)
{
	if (!at || at->seconds < 0 || at->seconds > INT64_MAX / 2000000)
		return 0;
	return at->seconds * 1000000 + at->nanos / 1000;
}

/* ---- ListAudit ---- */

struct record_list {
	struct rpc_call *call;
	struct caller_filter *sees;
	Union__V1__ListAuditResponse *reply;
	uint32_t limit;
	bool failed;
};

static char *
keep_text(struct record_list *list, const char *text)
{
	char *kept = text[0] ? rpc_strdup(list->call, text) : (char *)text;

	if (!text[0])
		return (char *)"";
	if (!kept)
		list->failed = true;
	return kept;
}

static void
fill_record(struct record_list *list, const struct audit_record *from,
            Union__V1__AuditRecord *record)
{
	record->number = from->seq;
	record->at = new_timestamp(list->call, from->at_us);
	record->action = (char *)audit_action_text(from->action);
	record->verdict = (char *)audit_verdict_text(from->verdict);
	record->principal = keep_text(list, from->principal);
	record->project = keep_text(list, from->secret.scope.project);
	record->domain = keep_text(list, from->secret.scope.domain);
	record->name = keep_text(list, from->secret.name);
	record->version = from->version;
	record->execution = keep_text(list, from->execution);
	record->execution_project = keep_text(list, from->execution_at.project);
	record->execution_domain = keep_text(list, from->execution_at.domain);
	record->node = keep_text(list, from->node);
	record->attempt = from->attempt;
	record->request_id = keep_text(list, from->request_id);
	record->reason = keep_text(list, from->reason);
	record->subject = keep_text(list, from->subject);
	record->address = keep_text(list, from->address);
	record->count = from->count;
	record->last_at = new_timestamp(list->call, from->last_us);
	record->release = from->journal.number;
	record->hash.data = rpc_alloc(list->call, HASH_LEN);
	record->hash.len = HASH_LEN;
	if (!record->at || !record->last_at || !record->hash.data) {
		list->failed = true;
		return;
	}
	memcpy(record->hash.data, from->hash, HASH_LEN);
}

static bool
take_record(void *ctx, const struct audit_record *from)
{
	struct record_list *list = ctx;
	const struct scope_filter *filter = &list->sees->filter;
	Union__V1__AuditRecord *record;

	if (filter->sees && !filter->sees(filter->ctx, &from->secret.scope))
		return true;
	record = rpc_alloc(list->call, sizeof *record);
	if (!record) {
		list->failed = true;
		return false;
	}
	union__v1__audit_record__init(record);
	fill_record(list, from, record);
	list->reply->records[list->reply->n_records++] = record;
	return !list->failed && list->reply->n_records < list->limit;
}

/* As principal_format writes them; else nobody ever was called so. */
static bool
is_principal(const char *text)
{
	static const char execution[] = "execution:";
	struct principal principal;

	if (strcmp(text, "nobody") == 0 || strcmp(text, "keeper") == 0 ||
	    strncmp(text, execution, sizeof execution - 1) == 0)
		return true;
	return strchr(text, ':') && principal_parse(text, 0, &principal, NULL) == UN_OK;
}

/* False: the call has ended. */
static bool
read_filter(struct rpc_call *call, const Union__V1__ListAuditRequest *request,
            struct audit_filter *filter)
{
	*filter = (struct audit_filter){
		.since_us = us_of(request->since),
		.until_us = us_of(request->until),
		.principal = request->principal,
		.project = request->project,
		.domain = request->domain,
		.name = request->name,
		.execution = request->execution,
		.limit = UINT32_MAX,
	};
	if (request->principal[0] && !is_principal(request->principal)) {
		rpc_failf(call, UN_ERR_INVALID,
		          "'%.60s' is no principal: it is key:NAME, uid:NUMBER or execution:NAME",
		          request->principal);
		return false;
	}
	if (request->action[0]) {
		filter->action = audit_action_of_text(request->action);
		if (!filter->action) {
			rpc_failf(call, UN_ERR_INVALID, "'%.60s' is no action", request->action);
			return false;
		}
	}
	if (request->verdict[0]) {
		while (++filter->verdict <= AUDIT_FAILED)
			if (strcmp(audit_verdict_text(filter->verdict), request->verdict) == 0)
				break;
		if (filter->verdict > AUDIT_FAILED) {
			rpc_failf(call, UN_ERR_INVALID,
			          "a verdict is allowed, denied or failed, not '%.60s'",
			          request->verdict);
			return false;
		}
	}
	if (request->token[0] && (text_parse_u64(request->token, &filter->before_seq) ||
	                          filter->before_seq > INT64_MAX)) {
		rpc_failf(call, UN_ERR_INVALID, "the token is not one of ours");
		return false;
	}
	return true;
}

static void
list_audit(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Union__V1__ListAuditRequest *request = (const void *)message;
	Union__V1__ListAuditResponse reply = UNION__V1__LIST_AUDIT_RESPONSE__INIT;
	struct record_list list = {.call = call, .reply = &reply, .limit = page_of(request->limit)};
	struct caller_filter *sees = rpc_alloc(call, sizeof *sees);
	char token[TOKEN_MAX] = "";
	struct un_detail detail = {0};
	struct audit_filter filter;
	struct store_view *view;
	struct scope within;
	uint64_t next = 0;
	enum un_err err;

	(void)ctx;
	err = scope_init(&within, request->project, request->domain, &detail);
	if (!err && !sees)
		err = UN_ERR_NO_MEMORY;
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	if (!read_filter(call, request, &filter) ||
	    !caller_may_list(call, AUTHZ_AUDIT_READ, &within, sees))
		return;
	view = begin_read(call);
	if (!view)
		return;
	list.sees = sees;
	reply.records = rpc_alloc(call, list.limit * sizeof(void *));
	err = reply.records ? audit_list(view, &filter, take_record, &list, &next, &detail)
	                    : UN_ERR_NO_MEMORY;
	if (!err && list.failed)
		err = UN_ERR_NO_MEMORY;
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	if (next)
		(void)snprintf(token, sizeof token, "%" PRIu64, next);
	reply.token = token;
	rpc_reply(call, &reply.base);
}

/* ---- GetAuditKey ---- */

static void
on_info(void *context, const struct keeper_answer *answer)
{
	struct rpc_call *call = context;
	Union__V1__GetAuditKeyResponse reply = UNION__V1__GET_AUDIT_KEY_RESPONSE__INIT;
	char fingerprint[FINGERPRINT_TEXT_MAX];

	if (answer->err || answer->info->state != KEEPER_OPEN) {
		rpc_fail(call, answer->err ? answer->err : UN_ERR_SEALED, answer->detail);
		return;
	}
	fingerprint_format(answer->info->audit_public, fingerprint);
	reply.public_key.data = (uint8_t *)answer->info->audit_public;
	reply.public_key.len = SIGN_PUBLIC_LEN;
	reply.fingerprint = fingerprint;
	rpc_reply(call, &reply.base);
}

static void
get_audit_key(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	struct plane_worker *worker = rpc_worker(call);
	enum un_err err;

	(void)ctx;
	(void)message;
	if (!caller_may(call, AUTHZ_PLANE_READ, NULL))
		return;
	err = keeper_ask_info(worker->keeper, (struct keeper_call){on_info, call, 0});
	if (err)
		rpc_fail(call, err, NULL);
}

/* ---- ListSecretUses ---- */

struct use_page {
	struct rpc_call *call;
	Union__V1__ListSecretUsesResponse *reply;
	uint32_t limit;
	struct use_cursor last;
	bool failed, more;
};

static bool
take_use(void *ctx, const struct use_row *row)
{
	struct use_page *page = ctx;
	Union__V1__SecretUse *use;
	struct scope at;
	bool sees;

	if (page->reply->n_uses == page->limit) {
		page->more = true;
		return false;
	}
	use = rpc_alloc(page->call, sizeof *use);
	if (!use || scope_init(&at, row->execution_project, row->execution_domain, NULL)) {
		page->failed = true;
		return false;
	}
	union__v1__secret_use__init(use);
	sees = caller_sees(page->call, AUTHZ_EXECUTION_READ, &at);
	use->execution = rpc_strdup(page->call, sees ? row->execution : "");
	use->project = rpc_strdup(page->call, sees ? row->execution_project : "");
	use->domain = rpc_strdup(page->call, sees ? row->execution_domain : "");
	use->version = row->version;
	use->releases = row->releases;
	use->first_at = new_timestamp(page->call, row->first_us);
	use->last_at = new_timestamp(page->call, row->last_us);
	if (!use->execution || !use->project || !use->domain || !use->first_at || !use->last_at) {
		page->failed = true;
		return false;
	}
	page->reply->uses[page->reply->n_uses++] = use;
	page->last = (struct use_cursor){row->last_us, row->id};
	return true;
}

static bool
read_cursor(struct rpc_call *call, const char *token, struct use_cursor *ret_cursor)
{
	const char *dot = strchr(token, '.');
	uint64_t last_us = 0, id = 0;
	char first[TOKEN_MAX] = "";

	if (dot && (size_t)(dot - token) < sizeof first)
		memcpy(first, token, (size_t)(dot - token));
	if (!token[0] ||
	    (dot && text_parse_u64(first, &last_us) == UN_OK &&
	     text_parse_u64(dot + 1, &id) == UN_OK && last_us <= INT64_MAX && id <= INT64_MAX)) {
		*ret_cursor = (struct use_cursor){(int64_t)last_us, (int64_t)id};
	}
	return true;
	rpc_failf(call, UN_ERR_INVALID, "the token is not one of ours");
	return false;
}

static void
list_secret_uses(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Union__V1__ListSecretUsesRequest *request = (const void *)message;
	Union__V1__ListSecretUsesResponse reply = UNION__V1__LIST_SECRET_USES_RESPONSE__INIT;
	struct use_page page = {.call = call, .reply = &reply, .limit = page_of(request->limit)};
	char token[TOKEN_MAX] = "";
	struct un_detail detail = {0};
	struct use_cursor after;
	struct store_view *view;
	struct secret_id id;
	enum un_err err;

	(void)ctx;
	if (!read_secret_id(call, request->id, &id) || !read_cursor(call, request->token, &after) ||
	    !caller_may(call, AUTHZ_SECRET_READ, &id.scope))
		return;
	view = begin_read(call);
	if (!view)
		return;
	reply.uses = rpc_alloc(call, page.limit * sizeof(void *));
	err = reply.uses ? use_list(view, &id, &after, take_use, &page, &detail) : UN_ERR_NO_MEMORY;
	if (!err && page.failed)
		err = UN_ERR_NO_MEMORY;
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	if (page.more)
		(void)snprintf(token, sizeof token, "%" PRId64 ".%" PRId64, page.last.last_us,
		               page.last.id);
	reply.token = token;
	rpc_reply(call, &reply.base);
}

/* ---- ListUnusedSecrets ---- */

/* Made after `since`, or used after it: neither is unused. A use before the secret was made was one
 * of another that had its name. */
static enum un_err
add_unused(struct rpc_call *call, const struct secret_head *head, int64_t since_us,
           Union__V1__ListUnusedSecretsResponse *reply)
{
	struct plane_worker *worker = rpc_worker(call);
	Union__V1__UnusedSecret *one;
	struct un_detail detail = {0};
	int64_t used_us = 0;
	enum un_err err;

	if (head->created_at_us >= since_us)
		return UN_OK;
	err = use_last(store_reader_view(worker->reader), &head->id, &used_us, &detail);
	if (err || used_us >= since_us)
		return err;
	one = rpc_alloc(call, sizeof *one);
	if (!one)
		return UN_ERR_NO_MEMORY;
	union__v1__unused_secret__init(one);
	one->id = new_secret_id(call, &head->id);
	one->version = head->version;
	one->created_at = new_timestamp(call, head->created_at_us);
	if (used_us >= head->created_at_us)
		one->last_used_at = new_timestamp(call, used_us);
	if (!one->id || !one->created_at)
		return UN_ERR_NO_MEMORY;
	reply->secrets[reply->n_secrets++] = one;
	return UN_OK;
}

static void
list_unused_secrets(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Union__V1__ListUnusedSecretsRequest *request = (const void *)message;
	Union__V1__ListUnusedSecretsResponse reply = UNION__V1__LIST_UNUSED_SECRETS_RESPONSE__INIT;
	struct secret_filter filter = {.org = "", .cursor = request->token};
	struct caller_filter *sees = rpc_alloc(call, sizeof *sees);
	struct un_detail detail = {0};
	struct head_page page;
	enum un_err err = scope_init(&filter.scope, request->project, request->domain, &detail);

	(void)ctx;
	if (!err && !sees)
		err = UN_ERR_NO_MEMORY;
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	filter.limit = request->limit && request->limit < PAGE_MAX ? request->limit : PAGE_MAX;
	if (!caller_may_list(call, AUTHZ_SECRET_READ, &filter.scope, sees))
		return;
	filter.may = sees->filter;
	if (!read_head_page(call, filter, false, &page))
		return;
	reply.token = page.cursor;
	reply.secrets = rpc_alloc(call, (page.count + 1) * sizeof(void *));
	if (!reply.secrets)
		err = UN_ERR_NO_MEMORY;
	for (size_t i = 0; !err && i < page.count; i++)
		err = add_unused(call, &page.heads[i], us_of(request->since), &reply);
	if (err)
		rpc_fail(call, err, NULL);
	else
		rpc_reply(call, &reply.base);
}

static const struct rpc_method methods[] = {
	{.name = "ListAudit",
         .input = &union__v1__list_audit_request__descriptor,
         .output = &union__v1__list_audit_response__descriptor,
         .handler = list_audit},
	{.name = "ExportAudit",
         .input = &union__v1__export_audit_request__descriptor,
         .output = &union__v1__audit_chunk__descriptor,
         .server_streaming = true,
         .handler = audit_service_export},
	{.name = "GetAuditKey",
         .input = &union__v1__get_audit_key_request__descriptor,
         .output = &union__v1__get_audit_key_response__descriptor,
         .handler = get_audit_key},
	{.name = "ListSecretUses",
         .input = &union__v1__list_secret_uses_request__descriptor,
         .output = &union__v1__list_secret_uses_response__descriptor,
         .handler = list_secret_uses},
	{.name = "ListUnusedSecrets",
         .input = &union__v1__list_unused_secrets_request__descriptor,
         .output = &union__v1__list_unused_secrets_response__descriptor,
         .handler = list_unused_secrets},
};

static const char *const names[] = {"union.v1.AuditService", NULL};

const struct rpc_service audit_service = {
	.names = names,
	.methods = methods,
	.method_count = sizeof methods / sizeof methods[0],
};
