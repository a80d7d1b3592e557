/* Who makes a request, decided from what is known of it. The token itself is login's matter: here
 * one is good. */
#include "services/authenticate.h"

#include "services/audit_notes.h"
#include "services/login.h"
#include "services/plane.h"
#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADERS_MAX 6

struct head {
	const char *authority;
	const char *names[HEADERS_MAX], *values[HEADERS_MAX];
};

struct rpc_call {
	struct net_peer peer;
	struct head head;
	unsigned wiped; /* bits of headers */
	void *principal;
	struct plane_worker *worker;
};

struct web_call {
	struct net_peer peer;
	struct head head;
	struct plane_worker *worker;
};

static unsigned strangers; /* recorded */

static const char *
find(const struct head *head, const char *name)
{
	for (size_t i = 0; i < HEADERS_MAX && head->names[i]; i++) {
		if (strcmp(head->names[i], name) == 0)
			return head->values[i];
	}
	return NULL;
}

const char *
rpc_header(const struct rpc_call *call, const char *name)
{
	return find(&call->head, name);
}

void
rpc_wipe_header(struct rpc_call *call, const char *name)
{
	for (unsigned i = 0; i < HEADERS_MAX && call->head.names[i]; i++) {
		if (strcmp(call->head.names[i], name) == 0)
			call->wiped |= 1u << i;
	}
}

const char *
rpc_authority(const struct rpc_call *call)
{
	return call->head.authority;
}

const struct net_peer *
rpc_peer(const struct rpc_call *call)
{
	return &call->peer;
}

void *
rpc_worker(const struct rpc_call *call)
{
	return call->worker;
}

/* What calls allocate lives as long as they do; here until worker_end. */
static void *allocated[64];
static size_t allocated_count;

void *
rpc_alloc(struct rpc_call *call, size_t len)
{
	(void)call;
	EXPECT(allocated_count < sizeof allocated / sizeof allocated[0]);
	return allocated[allocated_count++] = calloc(1, len);
}

void
rpc_set_principal(struct rpc_call *call, void *principal, void (*release)(void *principal))
{
	(void)release;
	call->principal = principal;
}

void *
rpc_principal(const struct rpc_call *call)
{
	return call->principal;
}

const char *
web_header(const struct web_call *call, const char *name)
{
	return find(&call->head, name);
}

const char *
web_authority(const struct web_call *call)
{
	return call->head.authority;
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

struct login *
plane_login(const struct plane *plane)
{
	(void)plane;
	return NULL;
}

enum un_err
login_check(const struct login *login, const struct directory_view *access, const char *token,
            size_t len, struct principal *ret_principal)
{
	(void)login;
	(void)access;
	if (len != 4 || memcmp(token, "good", 4))
		return UN_ERR_UNAUTHENTICATED;
	principal_of_key("ci", 7, ret_principal);
	return UN_OK;
}

void
audit_stranger_web(struct audit_notes *notes, const struct net_peer *peer, enum un_err err)
{
	(void)notes;
	(void)peer;
	EXPECT_INT(UN_ERR_UNAUTHENTICATED, err);
	strangers++;
}

/* A worker that knows of no key and no grant. */
static void
worker_begin(struct plane_worker *worker)
{
	struct directory *directory;

	*worker = (struct plane_worker){.index = 0};
	EXPECT_OK(directory_new(&directory));
	directory_reader_init(&worker->access, directory);
}

static void
worker_end(struct plane_worker *worker)
{
	struct directory *directory = worker->access.directory;

	while (allocated_count)
		free(allocated[--allocated_count]);
	directory_reader_fini(&worker->access);
	directory_free(directory);
}

/* ---- the table ---- */

enum from {
	OWN_SOCKET,
	OTHERS_SOCKET,
	OWN_LOOPBACK,
	OTHERS_LOOPBACK,
	NETWORK,
	OWN_TLS, /* of this machine's own user, over TLS: still one who has to log in */
};

static const struct row {
	enum from from;
	struct head head;
	const char *who; /* NULL: refused */
} rows[] = {
	{OWN_SOCKET, {"x"}, "local"},
	{OTHERS_SOCKET, {"x"}, NULL},
	{OWN_LOOPBACK, {"localhost"}, "local"},
	{OWN_LOOPBACK, {"LOCALHOST:80"}, "local"},
	{OWN_LOOPBACK, {"127.0.0.1:8080"}, "local"},
	{OWN_LOOPBACK, {"127.9.9.9"}, "local"},
	{OWN_LOOPBACK, {"[::1]:80"}, "local"},
	/* another name that was made to point here: a page in the user's browser asks so */
	{OWN_LOOPBACK, {"evil.example"}, NULL},
	{OWN_LOOPBACK, {"localhost.evil.example"}, NULL},
	{OWN_LOOPBACK, {"127.0.0.1.evil.example"}, NULL},
	{OWN_LOOPBACK, {"localhost@evil.example"}, NULL},
	{OWN_LOOPBACK, {"128.0.0.1"}, NULL},
	{OWN_LOOPBACK, {""}, NULL},
	{OTHERS_LOOPBACK, {"localhost"}, NULL},
	{NETWORK, {"localhost"}, NULL},
	{OWN_TLS, {"localhost"}, NULL},
	/* a proxy of the user's own speaks for others */
	{OWN_LOOPBACK, {"localhost", {"x-forwarded-for"}, {"192.0.2.1"}}, NULL},
	{OWN_LOOPBACK, {"localhost", {"forwarded"}, {"for=192.0.2.1"}}, NULL},
	{OWN_LOOPBACK, {"localhost", {"via"}, {"1.1 proxy"}}, NULL},
	{OWN_SOCKET, {"x", {"x-forwarded-for"}, {"192.0.2.1"}}, "local"},
	/* tokens, whatever the connection */
	{OWN_TLS, {"x", {"authorization"}, {"Bearer good"}}, "key:ci"},
	{NETWORK, {"x", {"authorization"}, {"bearer   good"}}, "key:ci"},
	{OTHERS_SOCKET, {"x", {"authorization"}, {"Bearer good"}}, "key:ci"},
	{OWN_TLS, {"x", {"flyte-authorization"}, {"Bearer good"}}, "key:ci"},
	{NETWORK, {"x", {"via", "authorization"}, {"1.1 p", "Bearer good"}}, "key:ci"},
	/* what is wrong with a token is never a way back to another identity */
	{OWN_SOCKET, {"x", {"authorization"}, {"Bearer bad"}}, NULL},
	{OWN_SOCKET, {"x", {"authorization"}, {""}}, NULL},
	{OWN_SOCKET, {"x", {"authorization"}, {"Basic Z29vZA=="}}, NULL},
	{OWN_SOCKET, {"x", {"authorization"}, {"good"}}, NULL},
	{OWN_SOCKET, {"x", {"authorization"}, {"Bearergood"}}, NULL},
	{OWN_SOCKET,
         {"x", {"authorization", "flyte-authorization"}, {"Bearer good", "Bearer good"}},
         NULL},
	{OWN_SOCKET,
         {"x", {"authorization", "flyte-authorization"}, {"Bearer bad", "Bearer good"}},
         NULL},
};

static struct net_peer
peer_of(enum from from)
{
	bool is_unix = from == OWN_SOCKET || from == OTHERS_SOCKET;
	bool own = from == OWN_SOCKET || from == OWN_LOOPBACK || from == OWN_TLS;

	return (struct net_peer){
		.family = is_unix ? NET_UNIX : NET_TCP,
		.uid = own               ? geteuid()
	               : from == NETWORK ? (uid_t)-1
	                                 : 4242,
		.tls = from == OWN_TLS,
	};
}

TEST(authenticate, knows_calls_by_the_table)
{
	struct plane_worker worker;

	worker_begin(&worker);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *row = &rows[i];
		struct rpc_call call = {peer_of(row->from), row->head, 0, NULL, &worker};
		struct un_detail detail = {0};
		char text[PRINCIPAL_TEXT_MAX] = "";

		EXPECT_INT(row->who ? UN_OK : UN_ERR_UNAUTHENTICATED,
		           authenticate_call(&call, NULL, &detail));
		if (call.principal)
			principal_format(call.principal, text);
		if (row->who && strcmp(row->who, "local") == 0)
			EXPECT_INT(PRINCIPAL_LOCAL_USER,
			           ((struct principal *)call.principal)->kind);
		else
			EXPECT_STR(row->who ? row->who : "", text);
		EXPECT(row->who || detail.message[0]); /* a person learns what to do */
		EXPECT(!strstr(detail.message, "good") && !strstr(detail.message, "bad"));
	}
	worker_end(&worker);
}

TEST(authenticate, knows_routes_by_the_same_table_and_records_strangers)
{
	struct plane_worker worker;
	unsigned refused = 0;

	worker_begin(&worker);
	strangers = 0;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct web_call call = {peer_of(rows[i].from), rows[i].head, &worker};
		struct principal principal;
		struct un_detail detail = {0};

		EXPECT_INT(rows[i].who ? UN_OK : UN_ERR_UNAUTHENTICATED,
		           authenticate_web(&call, &principal, &detail));
		refused += !rows[i].who;
	}
	EXPECT_INT(refused, strangers);
	worker_end(&worker);
}

TEST(authenticate, wipes_the_token_of_who_is_let_in_only)
{
	struct plane_worker worker;
	struct rpc_call good = {peer_of(OWN_TLS),
	                        {"x", {"x", "authorization"}, {"y", "Bearer good"}},
	                        0,
	                        NULL,
	                        &worker};
	struct rpc_call bad = good;
	struct un_detail detail = {0};

	worker_begin(&worker);
	bad.head.values[1] = "Bearer bad";
	EXPECT_OK(authenticate_call(&good, NULL, &detail));
	EXPECT_INT(2, good.wiped);
	EXPECT_ERR(UN_ERR_UNAUTHENTICATED, authenticate_call(&bad, NULL, &detail));
	EXPECT_NULL(bad.principal);
	EXPECT_INT(0, bad.wiped); /* it is asked again when the body is there, and refused again */
	worker_end(&worker);
}

TEST(authenticate, shows_numbers_to_who_may_inspect_only)
{
	struct plane_worker worker;
	struct web_call own = {peer_of(OWN_SOCKET), {"x"}, &worker};
	struct web_call stranger = {peer_of(NETWORK), {"x"}, &worker};
	struct web_call key = {
		peer_of(OWN_TLS), {"x", {"authorization"}, {"Bearer good"}}, &worker};
	struct un_detail detail = {0};

	worker_begin(&worker);
	EXPECT_OK(authenticate_metrics(&own, NULL, &detail));
	EXPECT_ERR(UN_ERR_UNAUTHENTICATED, authenticate_metrics(&stranger, NULL, &detail));
	EXPECT_ERR(UN_ERR_DENIED, authenticate_metrics(&key, NULL, &detail));
	worker_end(&worker);
}

TEST_MAIN()
