/* The token endpoint over a real store and a real keeper; only the wire is missing. */
#include "services/login.h"

#include "audit/audit.h"
#include "authz/login_budget.h"
#include "services/oauth_form.h"
#include "services/testing_call.h"
#include "services/testing_plane.h"
#include "store/access.h"

#define FORM "grant_type=client_credentials&client_id=%s&client_secret=%s"

/* ---- a request without a wire ---- */

struct web_call {
	struct plane_worker *worker;
	struct net_peer peer;
	const char *query;
	void *state;
	int status; /* of the answer; 0: none yet */
	char body[2048];
	char headers[2048]; /* "name: value\n" ... */
};

const char *
web_header(const struct web_call *call, const char *name)
{
	(void)call;
	return strcmp(name, "content-type") == 0 ? "application/x-www-form-urlencoded" : NULL;
}

const char *
web_query(const struct web_call *call)
{
	return call->query ? call->query : "";
}

const struct net_peer *
web_peer(const struct web_call *call)
{
	return &call->peer;
}

void *
web_worker(const struct web_call *call)
{
	return call->worker;
}

void
web_set_state(struct web_call *call, void *state)
{
	call->state = state;
}

void *
web_state(const struct web_call *call)
{
	return call->state;
}

void
web_add_header(struct web_call *call, const char *name, const char *value)
{
	size_t used = strlen(call->headers);

	(void)snprintf(call->headers + used, sizeof call->headers - used, "%s: %s\n", name, value);
}

void
web_reply(struct web_call *call, int status, const char *type, const void *bytes, size_t len)
{
	EXPECT_INT(0, call->status);
	EXPECT_STR("application/json", type);
	assert_true(len < sizeof call->body);
	memcpy(call->body, bytes, len);
	call->body[len] = '\0';
	call->status = status;
}

void
web_fail(struct web_call *call, enum un_err err, const struct un_detail *detail)
{
	(void)detail;
	call->status = 500;
	(void)snprintf(call->body, sizeof call->body, "%s", un_err_slug(err));
}

/* ---- a server with one key ---- */

struct fixture {
	struct plane plane;
	struct login *login;
	struct http_route route;
	int64_t expires_us; /* of the key */
};

static void
on_hash(void *context, const struct keeper_answer *answer)
{
	struct api_key_row *row = context;

	EXPECT_OK(answer->err);
	memcpy(row->hash, answer->bytes, API_KEY_HASH_LEN);
	row->epoch = 1;
}

static enum un_err
insert_key(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct api_key_row *row = ctx;

	return api_key_insert(txn, row, &row->id, detail);
}

static enum un_err
delete_key(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct api_key_row row;
	uint32_t grants;
	enum un_err err = api_key_get(store_txn_view(txn), ctx, &row, detail);

	return err ? err : api_key_delete(txn, row.id, row.name, &grants, detail);
}

static void
show(struct fixture *f)
{
	EXPECT_OK(directory_refresh(f->plane.access, f->plane.worker.reader, NULL));
	store_read_end(f->plane.worker.reader);
}

/* The key "ci" with the secret "right". */
static void
fixture_init(struct fixture *f, int64_t expires_us)
{
	struct api_key_row row = {.name = "ci", .created_us = 1, .expires_us = expires_us};
	struct secbuf *secret = NULL;

	*f = (struct fixture){.login = NULL};
	plane_init(&f->plane);
	EXPECT_OK(login_new(0, &f->login));
	f->route = login_route;
	f->route.ctx = f->login;
	EXPECT_OK(secbuf_copy("right", 5, &secret));
	EXPECT_OK(keeper_hash_credential(f->plane.worker.keeper, secret,
	                                 (struct keeper_call){.done = on_hash, .context = &row}));
	while (!row.epoch)
		plane_step(&f->plane);
	secbuf_free(secret);
	EXPECT_OK(store_write_wait(f->plane.store, insert_key, &row, NULL));
	show(f);
}

static void
fixture_fini(struct fixture *f)
{
	while (f->plane.worker.logins)
		plane_step(&f->plane);
	login_free(f->login);
	plane_fini(&f->plane);
}

/* Begins a request with this form from an address of its own. */
static void
ask(struct fixture *f, struct web_call *call, const char *address, const char *form)
{
	*call = (struct web_call){.worker = &f->plane.worker, .peer = {.family = NET_TCP}};
	(void)snprintf(call->peer.address, sizeof call->peer.address, "%s", address);
	f->route.on_request(call, f->route.ctx);
	f->route.on_body(call, f->route.ctx, (const uint8_t *)form, strlen(form));
	f->route.on_end(call, f->route.ctx);
}

/* The status of a whole request; its answer is in `call`. */
static int
answer_to(struct fixture *f, struct web_call *call, const char *address, const char *client,
          const char *secret)
{
	char form[512];

	(void)snprintf(form, sizeof form, FORM, client, secret);
	ask(f, call, address, form);
	while (!call->status)
		plane_step(&f->plane);
	f->route.on_close(call, f->route.ctx);
	return call->status;
}

/* Who the token of an answer stands for; "": nobody. */
static const char *
holder(struct fixture *f, const struct web_call *call)
{
	static char text[PRINCIPAL_TEXT_MAX];
	const char *token = strstr(call->body, "\"access_token\":\"");
	struct principal principal;
	enum un_err err;

	assert_non_null(token);
	token += 16;
	err = login_check(f->login, directory_peek(&f->plane.worker.access), token,
	                  strcspn(token, "\""), &principal);
	text[0] = '\0';
	if (!err)
		principal_format(&principal, text);
	return text;
}

TEST(login, gives_a_token_for_the_right_secret_that_ends_with_its_key)
{
	char name[] = "ci";
	struct web_call call;
	struct fixture f;

	fixture_init(&f, 0);
	EXPECT_INT(200, answer_to(&f, &call, "192.0.2.7:1", "ci", "right"));
	EXPECT_STR("key:ci", holder(&f, &call));
	EXPECT(strstr(call.body, "\"expires_in\":899") || strstr(call.body, "\"expires_in\":900"));
	EXPECT(strstr(call.headers, "cache-control: no-store\n"));
	EXPECT_OK(store_write_wait(f.plane.store, delete_key, name, NULL));
	show(&f);
	EXPECT_STR("", holder(&f, &call));
	fixture_fini(&f);
}

TEST(login, answers_a_wrong_secret_and_an_unknown_name_alike)
{
	struct web_call wrong, unknown;
	struct fixture f;

	fixture_init(&f, 0);
	EXPECT_INT(401, answer_to(&f, &wrong, "192.0.2.7:1", "ci", "wrong"));
	EXPECT_INT(401, answer_to(&f, &unknown, "192.0.2.8:1", "nobody", "right"));
	EXPECT_STR(wrong.body, unknown.body);
	EXPECT_STR(wrong.headers, unknown.headers);
	EXPECT(strstr(wrong.headers, "www-authenticate: Basic"));
	EXPECT(!strstr(wrong.body, "wrong") && !strstr(wrong.body, "ci\""));
	fixture_fini(&f);
}

TEST(login, tells_that_a_key_has_expired_only_to_who_has_its_secret)
{
	struct web_call call;
	struct fixture f;

	fixture_init(&f, 2);
	EXPECT_INT(401, answer_to(&f, &call, "192.0.2.7:1", "ci", "right"));
	EXPECT(strstr(call.headers, "union-error: key-expired\n"));
	EXPECT_INT(401, answer_to(&f, &call, "192.0.2.7:1", "ci", "wrong"));
	EXPECT(strstr(call.headers, "union-error: login-failed\n"));
	fixture_fini(&f);
}

TEST(login, gives_no_token_that_outlives_its_key)
{
	struct web_call call;
	struct fixture f;

	fixture_init(&f, clock_wall_us() + 60 * 1000000);
	EXPECT_INT(200, answer_to(&f, &call, "192.0.2.7:1", "ci", "right"));
	EXPECT(strstr(call.body, "\"expires_in\":59") || strstr(call.body, "\"expires_in\":60"));
	fixture_fini(&f);
}

TEST(login, stops_looking_at_a_client_that_fails_and_at_nobody_else)
{
	struct web_call call;
	struct fixture f;

	fixture_init(&f, 0);
	for (int i = 0; i < LOGIN_BUDGET_PAIR; i++)
		EXPECT_INT(401, answer_to(&f, &call, "192.0.2.7:1", "ci", "wrong"));
	EXPECT_INT(429, answer_to(&f, &call, "192.0.2.7:1", "ci", "right"));
	EXPECT(strstr(call.headers, "retry-after: "));
	EXPECT_INT(200, answer_to(&f, &call, "192.0.2.8:1", "ci", "right"));
	EXPECT_INT(401, answer_to(&f, &call, "192.0.2.7:1", "other", "wrong"));
	fixture_fini(&f);
}

TEST(login, leaves_nothing_behind_when_the_client_goes_away)
{
	struct web_call call;
	struct fixture f;
	char form[512];

	fixture_init(&f, 0);
	(void)snprintf(form, sizeof form, FORM, "ci", "right");
	/* in the middle of the form */
	call = (struct web_call){.worker = &f.plane.worker};
	f.route.on_request(&call, f.route.ctx);
	f.route.on_body(&call, f.route.ctx, (const uint8_t *)form, 10);
	f.route.on_close(&call, f.route.ctx);
	/* while the keeper is asked: its answer finds nobody */
	ask(&f, &call, "192.0.2.7:1", form);
	f.route.on_close(&call, f.route.ctx);
	EXPECT_INT(200, answer_to(&f, &call, "192.0.2.7:1", "ci", "right"));
	/* while the record is written */
	ask(&f, &call, "192.0.2.7:1", form);
	while (!f.plane.worker.logins)
		plane_step(&f.plane);
	f.route.on_close(&call, f.route.ctx);
	fixture_fini(&f);
}

TEST(login, refuses_credentials_in_a_url)
{
	struct web_call call = {.query = "client_id=ci"};
	struct fixture f;
	char form[512];

	fixture_init(&f, 0);
	call.worker = &f.plane.worker;
	(void)snprintf(form, sizeof form, FORM, "ci", "right");
	f.route.on_request(&call, f.route.ctx);
	f.route.on_body(&call, f.route.ctx, (const uint8_t *)form, strlen(form));
	f.route.on_end(&call, f.route.ctx);
	EXPECT_INT(400, call.status);
	f.route.on_close(&call, f.route.ctx);
	fixture_fini(&f);
	(void)call_init; /* of RPCs, which are not tested here */
	(void)call_fini;
}

TESTING_PLANE_MAIN()
