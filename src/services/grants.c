#include "services/grants.h"

#include "audit/audit.h"
#include "authz/directory.h"
#include "base/clock.h"
#include "base/page_token.h"
#include "services/access_view.h"
#include "services/caller.h"
#include "services/plane.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAGE_DEFAULT 100
#define PAGE_MAX 1000
#define CURSOR_FORMAT 1

Union__V1__Grant *
grant_message(struct rpc_call *call, const struct grant_row *row)
{
	struct shown {
		Union__V1__Grant message;
		Google__Protobuf__Timestamp created;
		struct grant_row row;
	} *shown = rpc_alloc(call, sizeof *shown);

	if (!shown)
		return NULL;
	shown->row = *row;
	union__v1__grant__init(&shown->message);
	shown->message.principal = shown->row.principal;
	shown->message.role = shown->row.role;
	shown->message.project = shown->row.scope.project;
	shown->message.domain = shown->row.scope.domain;
	shown->message.created_by = shown->row.created_by;
	google__protobuf__timestamp__init(&shown->created);
	shown->created.seconds = row->created_us / 1000000;
	shown->created.nanos = (int32_t)(row->created_us % 1000000) * 1000;
	if (row->created_us)
		shown->message.created_at = &shown->created;
	return &shown->message;
}

/* ---- create, delete ---- */

struct job {
	struct rpc_call *call;
	struct plane_worker *worker;
	enum audit_action action;
	struct grant_row grant;
	struct scope_novelty novelty;
	void (*reply)(struct job *job);
	char request_id[AUDIT_REQUEST_MAX + 1];
	char by[PRINCIPAL_TEXT_MAX];
	struct store_write write;
	struct loop_task task;
	enum un_err err;
	struct un_detail detail;
};

static enum un_err
append_audit(struct store_txn *txn, const struct job *job, struct un_detail *detail)
{
	char subject[AUDIT_SUBJECT_MAX];
	const struct audit_event event = {
		.action = job->action,
		.verdict = AUDIT_ALLOWED,
		.principal = job->by,
		.scope = &job->grant.scope,
		.subject = subject,
		.request_id = job->request_id,
	};

	(void)snprintf(subject, sizeof subject, "%s to %s", job->grant.role, job->grant.principal);
	return audit_append(txn, &event, detail);
}

/* On the writer thread. There is the key, and it stays there until this is written. */
static enum un_err
apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct job *job = ctx;
	struct api_key_row key;
	enum un_err err;

	if (job->action == AUDIT_GRANT_DELETE) {
		err = grant_delete(txn, &job->grant, detail);
		return err ? err : append_audit(txn, job, detail);
	}
	err = api_key_get(store_txn_view(txn), job->grant.principal + strlen("key:"), &key, detail);
	if (err == UN_ERR_NOT_FOUND)
		un_hint(detail, "see what there is with: union get api-key");
	if (!err)
		err = grant_insert(txn, &job->grant, &job->grant.id, detail);
	if (!err)
		err = scope_note(txn, "", &job->grant.scope, &job->novelty, detail);
	return err ? err : append_audit(txn, job, detail);
}

static void
on_written(struct loop_task *task)
{
	struct job *job = task->ctx;

	if (job->err) {
		rpc_fail(job->call, job->err, &job->detail);
		return;
	}
	access_view_refresh(job->worker);
	job->reply(job);
}

/* On the writer thread; the job is the loop's again from here on. */
static void
written(void *ctx, enum un_err err, const struct un_detail *detail)
{
	struct job *job = ctx;

	job->err = err;
	if (err)
		job->detail = *detail;
	rpc_call_post(job->call, &job->task);
}

static void
commit(struct job *job)
{
	enum un_err err;

	job->task = (struct loop_task){.fn = on_written, .ctx = job};
	job->write = (struct store_write){.apply = apply, .done = written, .ctx = job};
	err = store_submit(plane_store(job->worker->plane), &job->write);
	if (err)
		rpc_fail(job->call, err, NULL);
}

/* "key:NAME" of what was given; only API keys can be granted anything. */
static enum un_err
read_principal(const char *text, char ret_principal[GRANT_PRINCIPAL_MAX], struct un_detail *detail)
{
	struct principal principal;
	enum un_err err = principal_parse(text, geteuid(), &principal, detail);

	if (!err && principal.kind != PRINCIPAL_API_KEY)
		err = un_fail(detail, UN_ERR_INVALID, "a role is granted to an API key: key:NAME");
	if (!err)
		principal_format(&principal, ret_principal);
	return err;
}

static enum un_err
read_grant(const char *principal, const char *role, struct grant_row *row, struct un_detail *detail)
{
	enum authz_role known;
	enum un_err err = read_principal(principal, row->principal, detail);

	if (!err)
		err = authz_role_parse(role, &known, detail);
	if (!err)
		(void)snprintf(row->role, sizeof row->role, "%s", authz_role_text(known));
	return err;
}

/* What both requests say, in their words. */
struct asked {
	const char *principal, *role, *project, *domain;
};

/* NULL: the call has failed. */
static struct job *
job_new(struct rpc_call *call, const struct asked *asked, enum authz_action action)
{
	struct job *job = rpc_alloc(call, sizeof *job);
	struct un_detail detail = {0};
	struct principal by;
	enum un_err err;

	if (!job) {
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
		return NULL;
	}
	err = read_grant(asked->principal, asked->role, &job->grant, &detail);
	if (!err)
		err = scope_init(&job->grant.scope, asked->project, asked->domain, &detail);
	if (err) {
		rpc_fail(call, err, &detail);
		return NULL;
	}
	if (!caller_may(call, action, &job->grant.scope))
		return NULL;
	job->call = call;
	job->worker = rpc_worker(call);
	caller_principal(call, &by);
	principal_format(&by, job->by);
	(void)snprintf(job->request_id, sizeof job->request_id, "%s", rpc_request_id(call));
	return job;
}

static void
reply_created(struct job *job)
{
	Union__V1__CreateGrantResponse reply = UNION__V1__CREATE_GRANT_RESPONSE__INIT;

	reply.grant = grant_message(job->call, &job->grant);
	reply.project_is_new = job->novelty.project_is_new;
	reply.domain_is_new = job->novelty.domain_is_new;
	if (caller_sees(job->call, AUTHZ_GRANT_READ, NULL)) { /* they name scopes of others */
		reply.nearest_project = job->novelty.nearest_project;
		reply.nearest_domain = job->novelty.nearest_domain;
	}
	if (reply.grant)
		rpc_reply(job->call, &reply.base);
	else
		rpc_fail(job->call, UN_ERR_NO_MEMORY, NULL);
}

void
grants_create(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Union__V1__CreateGrantRequest *request = (const void *)message;
	const struct asked asked = {request->principal, request->role, request->project,
	                            request->domain};
	struct job *job = job_new(call, &asked, AUTHZ_GRANT_CREATE);

	(void)ctx;
	if (!job)
		return;
	job->action = AUDIT_GRANT_CREATE;
	job->grant.created_us = clock_wall_us();
	(void)snprintf(job->grant.created_by, sizeof job->grant.created_by, "%s", job->by);
	job->reply = reply_created;
	commit(job);
}

static void
reply_deleted(struct job *job)
{
	Union__V1__DeleteGrantResponse reply = UNION__V1__DELETE_GRANT_RESPONSE__INIT;

	rpc_reply(job->call, &reply.base);
}

void
grants_delete(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Union__V1__DeleteGrantRequest *request = (const void *)message;
	const struct asked asked = {request->principal, request->role, request->project,
	                            request->domain};
	struct job *job = job_new(call, &asked, AUTHZ_GRANT_DELETE);

	(void)ctx;
	if (!job)
		return;
	job->action = AUDIT_GRANT_DELETE;
	job->reply = reply_deleted;
	commit(job);
}

/* ---- list ---- */

struct listing {
	struct rpc_call *call;
	const Union__V1__ListGrantsRequest *request;
	char principal[GRANT_PRINCIPAL_MAX]; /* "": all */
	char own[PRINCIPAL_TEXT_MAX];        /* of the caller, when it is an API key */
	struct scope_filter may;
	Union__V1__Grant **grants;
	struct grant_row last;
	size_t count, limit;
	bool more;
	enum un_err err;
};

/* Lends the texts of `row`, to be written or to be filled. */
#define CURSOR_FIELDS(row)                                                                         \
	{                                                                                          \
		{(row)->principal, sizeof(row)->principal},                                        \
			{(row)->scope.project, sizeof(row)->scope.project},                        \
			{(row)->scope.domain, sizeof(row)->scope.domain},                          \
		{                                                                                  \
			(row)->role, sizeof(row)->role                                             \
		}                                                                                  \
	}

static bool
take_row(void *ctx, const struct grant_row *row)
{
	struct listing *list = ctx;
	const Union__V1__ListGrantsRequest *request = list->request;

	if ((list->principal[0] && strcmp(list->principal, row->principal) != 0) ||
	    (request->project[0] && strcmp(request->project, row->scope.project) != 0) ||
	    (request->domain[0] && strcmp(request->domain, row->scope.domain) != 0) ||
	    (list->may.sees && strcmp(list->own, row->principal) != 0 &&
	     !list->may.sees(list->may.ctx, &row->scope)))
		return true;
	list->more = list->count == list->limit;
	if (list->more)
		return false;
	list->last = *row;
	list->grants[list->count] = grant_message(list->call, row);
	if (!list->grants[list->count]) {
		list->err = UN_ERR_NO_MEMORY;
		return false;
	}
	list->count++;
	return true;
}

/* Everybody may see what was granted to herself, and what lies in scopes that she administers. */
static bool
may_list(struct listing *list, const struct scope *within, struct caller_filter *filter)
{
	struct principal caller;

	caller_principal(list->call, &caller);
	if (caller.kind == PRINCIPAL_API_KEY)
		principal_format(&caller, list->own);
	if (list->own[0] && (!list->principal[0] || strcmp(list->principal, list->own) == 0) &&
	    caller_filter_init(filter, list->call, AUTHZ_GRANT_READ, within) == AUTHZ_REACH_NONE)
		return true;
	return caller_may_list(list->call, AUTHZ_GRANT_READ, within, filter);
}

static enum un_err
read_list(struct listing *list, struct scope *within, struct grant_row *after,
          struct un_detail *detail)
{
	const Union__V1__ListGrantsRequest *request = list->request;
	enum un_err err = scope_init(within, request->project, request->domain, detail);

	if (!err && request->principal[0])
		err = read_principal(request->principal, list->principal, detail);
	if (!err && request->token[0])
		err = page_token_parse(request->token, CURSOR_FORMAT,
		                       (struct page_token_field[])CURSOR_FIELDS(after), 4, detail);
	list->limit = request->limit ? request->limit : PAGE_DEFAULT;
	if (list->limit > PAGE_MAX)
		list->limit = PAGE_MAX;
	return err;
}

static enum un_err
read_rows(struct listing *list, const struct grant_row *after, struct un_detail *detail)
{
	struct plane_worker *worker = rpc_worker(list->call);
	enum un_err err;

	list->grants = rpc_alloc(list->call, list->limit * sizeof *list->grants);
	if (!list->grants)
		return UN_ERR_NO_MEMORY;
	err = store_read_begin(worker->reader, detail);
	if (!err)
		err = grant_walk(store_reader_view(worker->reader), after, take_row, list, detail);
	return err ? err : list->err;
}

void
grants_list(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	struct listing list = {.call = call, .request = (const void *)message};
	Union__V1__ListGrantsResponse reply = UNION__V1__LIST_GRANTS_RESPONSE__INIT;
	struct grant_row after = {0};
	struct un_detail detail = {0};
	struct caller_filter filter = {0};
	char cursor[PAGE_TOKEN_MAX] = "";
	struct scope within;
	enum un_err err = read_list(&list, &within, &after, &detail);

	(void)ctx;
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	if (!may_list(&list, &within, &filter))
		return;
	list.may = filter.filter;
	err = read_rows(&list, &after, &detail);
	if (!err && list.more)
		err = page_token_format(CURSOR_FORMAT,
		                        (struct page_token_field[])CURSOR_FIELDS(&list.last), 4,
		                        cursor, sizeof cursor);
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	reply.grants = list.grants;
	reply.n_grants = list.count;
	reply.token = cursor;
	rpc_reply(call, &reply.base);
}
