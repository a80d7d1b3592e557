#include "services/api_keys.h"

#include "audit/audit.h"
#include "authz/directory.h"
#include "base/clock.h"
#include "crypto/base64.h"
#include "crypto/hash.h"
#include "keeper/keeper.h"
#include "services/access_view.h"
#include "services/caller.h"
#include "services/plane.h"
#include "store/access.h"
#include "union/v1/access.pb-c.h"

#include <stdio.h>
#include <string.h>

#define SECRET_LEN 32
#define PAGE_DEFAULT 100
#define PAGE_MAX 1000
#define KEEPER_TRIES_MAX 3

struct job {
	struct rpc_call *call;
	struct plane_worker *worker;
	struct api_key_row key;
	struct grant_row grant;
	bool grants;           /* a role comes with the key */
	struct secbuf *secret; /* its text, until the reply */
	unsigned keeper_tries;
	uint32_t deleted_grants;
	char principal[PRINCIPAL_TEXT_MAX];
	char request_id[AUDIT_REQUEST_MAX + 1];
	struct store_write write;
	struct loop_task task;
	enum un_err err;
	struct un_detail detail;
};

/* ---- what all of them share ---- */

static struct job *
job_new(struct rpc_call *call)
{
	struct job *job = rpc_alloc(call, sizeof *job);
	struct principal principal;

	if (!job) {
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
		return NULL;
	}
	job->call = call;
	job->worker = rpc_worker(call);
	caller_principal(call, &principal);
	principal_format(&principal, job->principal);
	(void)snprintf(job->request_id, sizeof job->request_id, "%s", rpc_request_id(call));
	return job;
}

static void
fail(struct job *job, enum un_err err, const struct un_detail *detail)
{
	secbuf_free(job->secret);
	job->secret = NULL;
	rpc_fail(job->call, err, detail);
}

static enum un_err
append_audit(struct store_txn *txn, const struct job *job, enum audit_action action,
             struct un_detail *detail)
{
	char subject[AUDIT_SUBJECT_MAX];
	const struct audit_event event = {
		.action = action,
		.verdict = AUDIT_ALLOWED,
		.principal = job->principal,
		.scope = &job->key.scope,
		.subject = subject,
		.request_id = job->request_id,
	};

	if (action == AUDIT_GRANT_CREATE)
		(void)snprintf(subject, sizeof subject, "%s to key:%s", job->grant.role,
		               job->key.name);
	else
		(void)snprintf(subject, sizeof subject, "key:%s", job->key.name);
	return audit_append(txn, &event, detail);
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
commit(struct job *job,
       enum un_err (*apply)(struct store_txn *txn, void *ctx, struct un_detail *detail),
       void (*committed)(struct loop_task *task))
{
	enum un_err err;

	job->task = (struct loop_task){.fn = committed, .ctx = job};
	job->write = (struct store_write){.apply = apply, .done = written, .ctx = job};
	err = store_submit(plane_store(job->worker->plane), &job->write);
	if (err)
		fail(job, err, NULL);
}

static void
fill_time(Google__Protobuf__Timestamp *time, int64_t wall_us)
{
	google__protobuf__timestamp__init(time);
	time->seconds = wall_us / 1000000;
	time->nanos = (int32_t)(wall_us % 1000000 * 1000);
}

/* A key as it is shown; the parts live with it. */
struct shown {
	Union__V1__ApiKey message;
	Google__Protobuf__Timestamp created, expires, used;
	struct api_key_row row;
};

static void
fill_key(struct shown *shown, const struct api_key_row *row)
{
	Union__V1__ApiKey *message = &shown->message;

	shown->row = *row;
	union__v1__api_key__init(message);
	message->name = shown->row.name;
	message->project = shown->row.scope.project;
	message->domain = shown->row.scope.domain;
	message->created_by = shown->row.created_by;
	fill_time(&shown->created, row->created_us);
	message->created_at = &shown->created;
	fill_time(&shown->expires, row->expires_us);
	message->expires_at = row->expires_us ? &shown->expires : NULL;
	fill_time(&shown->used, row->last_used_us);
	message->last_used_at = row->last_used_us ? &shown->used : NULL;
	message->expired = row->expires_us && row->expires_us <= clock_wall_us();
}

/* ---- CreateApiKey ---- */

static enum un_err
apply_create(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct job *job = ctx;
	enum un_err err = api_key_insert(txn, &job->key, &job->key.id, detail);

	if (!err)
		err = append_audit(txn, job, AUDIT_API_KEY_CREATE, detail);
	if (!err && job->grants)
		err = grant_insert(txn, &job->grant, &job->grant.id, detail);
	if (!err && job->grants)
		err = append_audit(txn, job, AUDIT_GRANT_CREATE, detail);
	return err;
}

static void
created(struct loop_task *task)
{
	struct job *job = task->ctx;
	Union__V1__CreateApiKeyResponse reply = UNION__V1__CREATE_API_KEY_RESPONSE__INIT;
	Union__V1__Grant grant = UNION__V1__GRANT__INIT;
	Google__Protobuf__Timestamp granted;
	struct secbuf *secret = job->secret;
	struct shown shown;

	if (job->err) {
		fail(job, job->err, &job->detail);
		return;
	}
	access_view_refresh(job->worker);
	fill_key(&shown, &job->key);
	fill_time(&granted, job->grant.created_us);
	grant.principal = job->grant.principal;
	grant.role = job->grant.role;
	grant.project = job->grant.scope.project;
	grant.domain = job->grant.scope.domain;
	grant.created_at = &granted;
	grant.created_by = job->grant.created_by;
	reply.key = &shown.message;
	reply.grant = job->grants ? &grant : NULL;
	reply.client_secret.data = secbuf_edit(secret);
	reply.client_secret.len = secbuf_len(secret);
	rpc_reply(job->call, &reply.base);
	secbuf_free(secret);
}

static void ask_for_hash(struct job *job);

static void
on_hashed(void *context, const struct keeper_answer *answer)
{
	struct job *job = context;

	if (answer->err == UN_ERR_UNREACHABLE && ++job->keeper_tries < KEEPER_TRIES_MAX) {
		ask_for_hash(job); /* it died under this request: the next one may answer */
		return;
	}
	if (answer->err || answer->len != API_KEY_HASH_LEN) {
		fail(job, answer->err ? answer->err : UN_ERR_INTERNAL, answer->detail);
		return;
	}
	memcpy(job->key.hash, answer->bytes, API_KEY_HASH_LEN);
	commit(job, apply_create, created);
}

static void
ask_for_hash(struct job *job)
{
	struct keeper_call call = {.done = on_hashed, .context = job};
	enum un_err err = keeper_hash_credential(job->worker->keeper, job->secret, call);

	if (err)
		fail(job, err, NULL);
}

/* 32 random bytes as 43 characters that need no quoting anywhere: that text is the secret. */
static enum un_err
make_secret(struct secbuf **ret_secret)
{
	struct secbuf *bytes = NULL, *text = NULL;
	enum un_err err = secbuf_new(SECRET_LEN, &bytes);

	if (!err)
		err = secbuf_new(base64_len(SECRET_LEN, BASE64_URL), &text);
	if (!err) {
		random_bytes(secbuf_edit(bytes), SECRET_LEN);
		base64_encode(secbuf_peek(bytes), SECRET_LEN, BASE64_URL, secbuf_edit(text));
		*ret_secret = text;
	}
	secbuf_free(bytes);
	return err;
}

static enum un_err
read_expiry(const Google__Protobuf__Timestamp *expires, int64_t now_us, int64_t *ret_us,
            struct un_detail *detail)
{
	if (!expires) {
		*ret_us = 0;
		return UN_OK;
	}
	if (expires->seconds <= now_us / 1000000)
		return un_fail(detail, UN_ERR_RANGE, "the expiry has passed already");
	if (expires->seconds > INT64_C(253402300799) || expires->nanos < 0 ||
	    expires->nanos > 999999999)
		return un_fail(detail, UN_ERR_RANGE, "the expiry is out of range");
	*ret_us = expires->seconds * 1000000 + expires->nanos / 1000;
	return UN_OK;
}

static enum un_err
read_create(const Union__V1__CreateApiKeyRequest *request, struct job *job,
            struct un_detail *detail)
{
	enum authz_role role;
	enum un_err err = name_check_api_key(request->name, detail);

	if (!err)
		err = scope_init(&job->key.scope, request->project, request->domain, detail);
	if (!err && request->role[0])
		err = authz_role_parse(request->role, &role, detail);
	job->key.created_us = clock_wall_us();
	if (!err)
		err = read_expiry(request->expires_at, job->key.created_us, &job->key.expires_us,
		                  detail);
	if (err)
		return err;
	(void)snprintf(job->key.name, sizeof job->key.name, "%s", request->name);
	(void)snprintf(job->key.created_by, sizeof job->key.created_by, "%s", job->principal);
	job->key.epoch = 1;
	job->grants = request->role[0] != '\0';
	job->grant.scope = job->key.scope;
	job->grant.created_us = job->key.created_us;
	(void)snprintf(job->grant.principal, sizeof job->grant.principal, "key:%s", request->name);
	(void)snprintf(job->grant.role, sizeof job->grant.role, "%s", request->role);
	(void)snprintf(job->grant.created_by, sizeof job->grant.created_by, "%s", job->principal);
	return UN_OK;
}

void
api_keys_create(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	struct job *job = job_new(call);
	struct un_detail detail = {0};
	enum un_err err;

	(void)ctx;
	if (!job)
		return;
	err = read_create((const void *)message, job, &detail);
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	if (!caller_may(call, AUTHZ_APIKEY_CREATE, &job->key.scope))
		return;
	if (job->grants && !caller_may(call, AUTHZ_GRANT_CREATE, &job->grant.scope))
		return;
	err = make_secret(&job->secret);
	if (err)
		fail(job, err, NULL);
	else
		ask_for_hash(job);
}

/* ---- DeleteApiKey ---- */

static enum un_err
apply_delete(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct job *job = ctx;
	enum un_err err = api_key_delete(txn, job->key.id, job->key.name, &job->deleted_grants,
	                                 detail);

	return err ? err : append_audit(txn, job, AUDIT_API_KEY_DELETE, detail);
}

static void
deleted(struct loop_task *task)
{
	struct job *job = task->ctx;
	Union__V1__DeleteApiKeyResponse reply = UNION__V1__DELETE_API_KEY_RESPONSE__INIT;

	if (job->err) {
		fail(job, job->err, &job->detail);
		return;
	}
	access_view_refresh(job->worker);
	plane_recheck_callers(job->worker->plane);
	reply.grants = job->deleted_grants;
	rpc_reply(job->call, &reply.base);
}

void
api_keys_delete(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Union__V1__DeleteApiKeyRequest *request = (const void *)message;
	const struct directory_key *key;
	struct caller_filter any; /* of keys that she may delete */
	struct job *job = job_new(call);
	struct un_detail detail = {0};
	struct scope scope;
	enum un_err err;

	(void)ctx;
	if (!job)
		return;
	err = name_check_api_key(request->name, &detail);
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	if (!caller_may_list(call, AUTHZ_APIKEY_DELETE, NULL, &any))
		return;
	/* who may not see it there is told that it is not there; a key that gets the same name
	 * meanwhile, elsewhere perhaps, is another one */
	key = directory_find_key(caller_access(call), request->name);
	scope = key ? key->scope
	            : (struct scope){0}; /* what was lent ends with the next question */
	job->key.id = key ? key->id : 0;
	if (!key || !caller_sees(call, AUTHZ_APIKEY_READ, &scope)) {
		rpc_failf(call, UN_ERR_NOT_FOUND, "there is no API key '%s'", request->name);
		return;
	}
	if (!caller_may(call, AUTHZ_APIKEY_DELETE, &scope))
		return;
	(void)snprintf(job->key.name, sizeof job->key.name, "%s", request->name);
	job->key.scope = scope;
	commit(job, apply_delete, deleted);
}

/* ---- ListApiKeys ---- */

struct listing {
	struct rpc_call *call;
	const Union__V1__ListApiKeysRequest *request;
	Union__V1__ApiKey **keys;
	size_t count, limit;
	bool more;
	enum un_err err;
};

static bool
list_row(void *ctx, const struct api_key_row *row)
{
	struct listing *list = ctx;
	struct shown *shown;

	if ((list->request->project[0] && strcmp(list->request->project, row->scope.project)) ||
	    (list->request->domain[0] && strcmp(list->request->domain, row->scope.domain)) ||
	    !caller_sees(list->call, AUTHZ_APIKEY_READ, &row->scope))
		return true;
	if (list->count == list->limit) {
		list->more = true;
		return false;
	}
	shown = rpc_alloc(list->call, sizeof *shown);
	if (!shown) {
		list->err = UN_ERR_NO_MEMORY;
		return false;
	}
	fill_key(shown, row);
	list->keys[list->count++] = &shown->message;
	return true;
}

void
api_keys_list(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	struct plane_worker *worker = rpc_worker(call);
	struct listing list = {.call = call, .request = (const void *)message};
	Union__V1__ListApiKeysResponse reply = UNION__V1__LIST_API_KEYS_RESPONSE__INIT;
	struct un_detail detail = {0};
	struct caller_filter filter;
	struct scope within;
	enum un_err err = scope_init(&within, list.request->project, list.request->domain, &detail);

	(void)ctx;
	if (!err && list.request->token[0])
		err = name_check_api_key(list.request->token, &detail);
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	if (!caller_may_list(call, AUTHZ_APIKEY_READ, &within, &filter))
		return;
	list.limit = list.request->limit ? list.request->limit : PAGE_DEFAULT;
	if (list.limit > PAGE_MAX)
		list.limit = PAGE_MAX;
	list.keys = rpc_alloc(call, list.limit * sizeof *list.keys);
	err = list.keys ? store_read_begin(worker->reader, &detail) : UN_ERR_NO_MEMORY;
	if (!err)
		err = api_key_walk(store_reader_view(worker->reader), list.request->token, list_row,
		                   &list, &detail);
	if (!err)
		err = list.err;
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	reply.keys = list.keys;
	reply.n_keys = list.count;
	if (list.more)
		reply.token = list.keys[list.count - 1]->name;
	rpc_reply(call, &reply.base);
}
