#include "services/login.h"

#include "audit/audit.h"
#include "authz/login_budget.h"
#include "authz/token.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "keeper/keeper.h"
#include "model/json.h"
#include "services/discovery.h"
#include "services/oauth_form.h"
#include "services/plane.h"
#include "store/access.h"

#include <stdio.h>
#include <string.h>

#define KEEPER_TRIES_MAX 3
#define ANSWER_MAX 1024
#define TRIER_MAX (NET_ADDRESS_MAX + 16)

enum outcome {
	OUTCOME_OK,
	OUTCOME_FAILED,
	OUTCOME_LIMITED,
	OUTCOMES,
};

struct login {
	struct token_mint *mint;
	int64_t token_ms;
	struct login_budget *budget;
	struct metric *metrics[OUTCOMES]; /* NULL until login_add_metrics */
};

/* Lives from the request to whichever is later: the last answer of keeper or store, or the end of
 * the call. All on the call's loop but `apply` and `written`. */
struct job {
	struct login *login;
	struct plane_worker *worker;
	struct web_call *call; /* NULL once it has ended */
	struct buf form;
	struct oauth_request request; /* the secret until the keeper has it */
	char trier[TRIER_MAX];        /* where the client is */
	unsigned keeper_tries;
	bool waiting; /* for the keeper or the store, which will call back */
	enum un_err verdict;
	struct token_facts facts;
	char principal[PRINCIPAL_TEXT_MAX];
	struct store_write write;
	struct loop_task task;
	enum un_err err; /* of the write */
};

enum un_err
login_new(unsigned token_seconds, struct login **ret_login)
{
	struct login *login = mem_zalloc(1, sizeof *login);
	enum un_err err;

	if (!login)
		return UN_ERR_NO_MEMORY;
	login->token_ms = (token_seconds ? token_seconds : LOGIN_TOKEN_SECONDS) * INT64_C(1000);
	err = token_mint_new(&login->mint);
	if (!err)
		err = login_budget_new(&login->budget);
	if (err)
		login_free(login);
	else
		*ret_login = login;
	return err;
}

void
login_free(struct login *login)
{
	if (!login)
		return;
	token_mint_free(login->mint);
	login_budget_free(login->budget);
	mem_free(login);
}

enum un_err
login_add_metrics(struct login *login, struct metrics *metrics)
{
	static const char *const labels[OUTCOMES] = {"result=\"ok\"", "result=\"failed\"",
	                                             "result=\"limited\""};

	for (int i = 0; i < OUTCOMES; i++) {
		const struct metric_def def = {METRIC_COUNTER, "union_logins_total",
		                               "logins with an API key, by result", labels[i]};
		enum un_err err = metrics_add(metrics, &def, &login->metrics[i]);

		if (err)
			return err;
	}
	return UN_OK;
}

enum un_err
login_check(const struct login *login, const struct directory_view *access, const char *token,
            size_t len, struct principal *ret_principal)
{
	const struct directory_key *key;
	struct token_facts facts;
	enum un_err err = token_check(login->mint, token, len, clock_mono_ms(), &facts);

	if (err)
		return err;
	key = directory_find_key_id(access, facts.id);
	if (!key || key->epoch != facts.epoch)
		return UN_ERR_UNAUTHENTICATED;
	principal_of_key(key->name, key->id, ret_principal);
	return UN_OK;
}

/* ---- answers ---- */

static void
job_free(struct job *job)
{
	secbuf_free(job->request.secret);
	buf_fini(&job->form);
	mem_free(job);
}

static void
answer(struct job *job, int status, const struct buf *json)
{
	web_add_header(job->call, "cache-control", "no-store");
	web_add_header(job->call, "pragma", "no-cache");
	web_reply(job->call, status, "application/json", json->data, json->len);
}

/* An error in the words of RFC 6749, and of err.def for our own clients. `why` quotes nothing. */
static void
refuse(struct job *job, int status, const char *code, enum un_err err, const char *why)
{
	const char *hint = un_err_hint(err);
	struct buf json;
	enum un_err failure;

	buf_init(&json, ANSWER_MAX, BUF_PLAIN);
	failure = buf_appendf(&json, "{\"error\":\"%s\",\"error_description\":", code);
	if (!failure)
		failure = json_append_string(&json, why);
	if (!failure)
		failure = buf_append_text(&json, "}");
	if (failure)
		buf_clear(&json);
	if (status == 401)
		web_add_header(job->call, "www-authenticate", "Basic realm=\"union\"");
	web_add_header(job->call, "union-error", un_err_slug(err));
	if (hint[0])
		web_add_header(job->call, "union-hint", hint);
	answer(job, status, &json);
	buf_fini(&json);
}

/* The server's own trouble: the client may try again. */
static void
refuse_for_now(struct job *job, enum un_err err)
{
	refuse(job, 503, "temporarily_unavailable", err, un_err_text(err));
}

static void
refuse_limited(struct job *job, unsigned wait_s)
{
	char seconds[16];

	metric_add(job->login->metrics[OUTCOME_LIMITED], 1);
	(void)snprintf(seconds, sizeof seconds, "%u", wait_s);
	web_add_header(job->call, "retry-after", seconds);
	refuse(job, 429, "invalid_client", UN_ERR_LOGIN_LIMITED, un_err_text(UN_ERR_LOGIN_LIMITED));
}

static void
give_token(struct job *job)
{
	int64_t left_ms = job->facts.expires_ms - clock_mono_ms();
	struct secbuf *token = NULL;
	struct buf json;
	enum un_err err = token_issue(job->login->mint, &job->facts, &token);

	if (err) {
		refuse_for_now(job, err);
		return;
	}
	buf_init(&json, ANSWER_MAX, BUF_WIPE);
	err = buf_append_text(&json, "{\"access_token\":\"");
	if (!err)
		err = buf_append(&json, secbuf_peek(token), secbuf_len(token));
	if (!err)
		err = buf_appendf(&json,
		                  "\",\"token_type\":\"Bearer\",\"expires_in\":%lld,"
		                  "\"scope\":\"all\"}",
		                  left_ms < 1000 ? 1LL : (long long)(left_ms / 1000));
	secbuf_free(token);
	if (err)
		refuse_for_now(job, err);
	else
		answer(job, 200, &json);
	buf_fini(&json);
}

/* ---- the record ---- */

static enum un_err
apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	const struct job *job = ctx;
	const struct audit_event event = {
		.action = AUDIT_LOGIN,
		.verdict = job->verdict ? AUDIT_DENIED : AUDIT_ALLOWED,
		.principal = job->principal,
		.address = job->trier,
		.reason = job->verdict ? un_err_slug(job->verdict) : NULL,
	};

	if (!job->verdict) {
		enum un_err err = api_key_set_used(txn, job->facts.id, clock_wall_us(), detail);

		if (err)
			return err;
	}
	return audit_append(txn, &event, detail);
}

/* The job is the loop's again from here on. */
static void
written(void *ctx, enum un_err err, const struct un_detail *detail)
{
	struct job *job = ctx;

	(void)detail;
	job->err = err;
	loop_post_task(job->worker->loop, &job->task);
}

static void
on_recorded(struct loop_task *task)
{
	struct job *job = task->ctx;

	job->waiting = false;
	job->worker->logins--;
	if (!job->call) {
		job_free(job);
		return;
	}
	if (job->verdict)
		refuse(job, 401, "invalid_client", job->verdict, un_err_text(job->verdict));
	else if (job->err)
		refuse_for_now(job, job->err); /* without its record a login does not happen */
	else
		give_token(job);
}

static void
record(struct job *job)
{
	enum un_err err;

	(void)snprintf(job->principal, sizeof job->principal, "key:%s", job->request.client);
	job->worker->logins++;
	job->task = (struct loop_task){.fn = on_recorded, .ctx = job};
	job->write = (struct store_write){.apply = apply, .done = written, .ctx = job};
	job->waiting = true;
	err = store_submit(plane_store(job->worker->plane), &job->write);
	if (!err)
		return;
	job->err = err;
	on_recorded(&job->task);
}

/* ---- the decision ---- */

/* Constant in the secret, and the same for a name that nobody has. */
static enum un_err
decide(struct job *job, const uint8_t hash[HASH_LEN])
{
	static const uint8_t of_nobody[HASH_LEN];
	const struct directory_view *access = directory_peek(&job->worker->access);
	const struct directory_key *key = directory_find_key(access, job->request.client);
	int64_t now_us = clock_wall_us(), left_ms = job->login->token_ms;

	if (!bytes_equal(key ? key->hash : of_nobody, hash, HASH_LEN) || !key)
		return UN_ERR_LOGIN_FAILED;
	if (key->expires_us && key->expires_us <= now_us)
		return UN_ERR_KEY_EXPIRED;
	if (key->expires_us && (key->expires_us - now_us) / 1000 < left_ms)
		left_ms = (key->expires_us - now_us) / 1000;
	job->facts = (struct token_facts){
		.id = key->id, .epoch = key->epoch, .expires_ms = clock_mono_ms() + left_ms};
	return UN_OK;
}

static void on_hashed(void *context, const struct keeper_answer *hashed);

static void
ask_for_hash(struct job *job)
{
	struct keeper_call call = {.done = on_hashed, .context = job};
	enum un_err err = keeper_hash_credential(job->worker->keeper, job->request.secret, call);

	job->waiting = !err;
	if (err)
		refuse_for_now(job, err);
}

static void
on_hashed(void *context, const struct keeper_answer *hashed)
{
	struct job *job = context;
	const struct login_try try = {job->request.client, job->trier};
	int64_t now_ms = clock_mono_ms();
	bool within = true;

	job->waiting = false;
	if (!job->call) {
		job_free(job); /* nobody waits: what was taken from the budget stays taken */
		return;
	}
	if (hashed->err == UN_ERR_UNREACHABLE && ++job->keeper_tries < KEEPER_TRIES_MAX) {
		ask_for_hash(job); /* it died under this request: the next one may answer */
		return;
	}
	secbuf_free(job->request.secret);
	job->request.secret = NULL;
	if (hashed->err || hashed->len != HASH_LEN) {
		login_budget_give_back(job->login->budget, &try, now_ms);
		refuse_for_now(job, hashed->err ? hashed->err : UN_ERR_INTERNAL);
		return;
	}
	job->verdict = decide(job, hashed->bytes);
	if (job->verdict)
		within = login_budget_failed(job->login->budget, &try, now_ms);
	else
		login_budget_give_back(job->login->budget, &try, now_ms);
	if (!within) {
		refuse_limited(job, 1);
		return;
	}
	metric_add(job->login->metrics[job->verdict ? OUTCOME_FAILED : OUTCOME_OK], 1);
	if (job->verdict)
		log_notice("login", "refused key:%s from %s: %s", job->request.client, job->trier,
		           un_err_slug(job->verdict));
	record(job);
}

/* ---- the request ---- */

static void
begin(struct job *job)
{
	static const struct {
		int status;
		const char *code;
		enum un_err err;
	} faults[] = {
		[OAUTH_INVALID_REQUEST] = {400, "invalid_request", UN_ERR_INVALID},
		[OAUTH_INVALID_CLIENT] = {401, "invalid_client", UN_ERR_LOGIN_FAILED},
		[OAUTH_UNSUPPORTED_GRANT] = {400, "unsupported_grant_type", UN_ERR_UNSUPPORTED},
		[OAUTH_NO_MEMORY] = {503, "temporarily_unavailable", UN_ERR_NO_MEMORY},
	};
	const struct login_try try = {job->request.client, job->trier};
	const char *why = "credentials do not belong into a URL";
	enum oauth_fault fault = OAUTH_INVALID_REQUEST;
	unsigned wait_s = 0;

	if (!web_query(job->call)[0])
		fault = oauth_form_parse(web_header(job->call, "content-type"),
		                         web_header(job->call, "authorization"), job->form.data,
		                         job->form.len, &job->request, &why);
	buf_fini(&job->form);
	if (fault) {
		metric_add(job->login->metrics[OUTCOME_FAILED], 1);
		refuse(job, faults[fault].status, faults[fault].code, faults[fault].err, why);
		return;
	}
	if (login_budget_take(job->login->budget, &try, clock_mono_ms(), &wait_s))
		ask_for_hash(job);
	else
		refuse_limited(job, wait_s);
}

static void
on_request(struct web_call *call, void *ctx)
{
	const struct net_peer *peer = web_peer(call);
	struct job *job = mem_zalloc(1, sizeof *job);

	if (!job) {
		web_fail(call, UN_ERR_NO_MEMORY, NULL);
		return;
	}
	job->login = ctx;
	job->worker = web_worker(call);
	job->call = call;
	buf_init(&job->form, OAUTH_FORM_MAX, BUF_WIPE);
	if (peer->family == NET_UNIX)
		(void)snprintf(job->trier, sizeof job->trier, "uid-%u", (unsigned)peer->uid);
	else
		(void)snprintf(job->trier, sizeof job->trier, "%s", peer->address);
	web_set_state(call, job);
}

static void
on_body(struct web_call *call, void *ctx, const uint8_t *bytes, size_t len)
{
	struct job *job = web_state(call);
	enum un_err err = buf_append(&job->form, bytes, len);

	(void)ctx;
	if (err)
		refuse_for_now(job, err);
}

static void
on_end(struct web_call *call, void *ctx)
{
	(void)ctx;
	begin(web_state(call));
}

static void
on_close(struct web_call *call, void *ctx)
{
	struct job *job = web_state(call);

	(void)ctx;
	if (!job)
		return;
	job->call = NULL;
	if (!job->waiting)
		job_free(job);
}

const struct http_route login_route = {
	.method = "POST",
	.path = DISCOVERY_TOKEN_PATH,
	.body_max = OAUTH_FORM_MAX,
	.on_request = on_request,
	.on_body = on_body,
	.on_end = on_end,
	.on_close = on_close,
};
