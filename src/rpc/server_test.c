#include "rpc/server.h"

#include "base/clock.h"
#include "net/unix.h"
#include "proto-all.h"
#include "test.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static atomic_int cancelled, inits, finis;

static void
give_up(struct rpc_call *call, void *ctx)
{
	(void)ctx;
	atomic_fetch_add(&cancelled, 1);
	EXPECT(rpc_is_cancelled(call));
	rpc_fail(call, UN_ERR_CANCELLED, NULL);
}

/* Answers "now" at once, and everything else when it is cancelled. */
static void
get_secret(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Cloudidl__Secret__GetSecretRequest *request =
		(const Cloudidl__Secret__GetSecretRequest *)message;
	Cloudidl__Secret__GetSecretResponse response = CLOUDIDL__SECRET__GET_SECRET_RESPONSE__INIT;

	(void)ctx;
	if (request->id && !strcmp(request->id->name, "now"))
		rpc_reply(call, &response.base);
	else
		rpc_on_cancel(call, give_up, NULL);
}

static enum un_err
init(void *ctx, struct loop *loop, unsigned index, void **ret_worker)
{
	EXPECT(loop != NULL && index < 2);
	atomic_fetch_add(&inits, 1);
	*ret_worker = ctx;
	return index == 1 && ctx ? UN_ERR_DISK_FULL : UN_OK;
}

static void
fini(void *ctx, void *worker)
{
	EXPECT(ctx == worker);
	atomic_fetch_add(&finis, 1);
}

static const char *const names[] = {"cloudidl.secret.SecretService", NULL};
static const struct rpc_method methods[] = {
	{.name = "GetSecret",
         .input = &cloudidl__secret__get_secret_request__descriptor,
         .output = &cloudidl__secret__get_secret_response__descriptor,
         .handler = get_secret},
};
static const struct rpc_service service = {names, NULL, methods, 1, NULL};
static const struct rpc_service *const services[] = {&service};

struct fixture {
	char folder[64];
	char path[128];
	struct net_listener_config listener;
	struct server_options options;
	struct server *server;
};

static void
fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	(void)snprintf(f->folder, sizeof f->folder, "/tmp/rpc-server-XXXXXX");
	EXPECT(mkdtemp(f->folder) != NULL);
	(void)snprintf(f->path, sizeof f->path, "%s/s", f->folder);
	f->listener.unix_path = f->path;
	f->options = (struct server_options){.listeners = &f->listener,
	                                     .listener_count = 1,
	                                     .workers = 2,
	                                     .services = services,
	                                     .service_count = 1,
	                                     .worker_init = init,
	                                     .worker_fini = fini};
	atomic_store(&cancelled, 0);
	atomic_store(&inits, 0);
	atomic_store(&finis, 0);
}

static void
fixture_end(struct fixture *f)
{
	server_free(f->server);
	(void)unlink(f->path);
	(void)rmdir(f->folder);
}

/* `field`: one more of the head, with its line end, or "". */
static int
ask_with(const struct fixture *f, const char *name, const char *field)
{
	char body[64], text[512];
	int fd = -1, len, body_len;

	body_len = snprintf(body, sizeof body, "{\"id\":{\"name\":\"%s\"}}", name);
	len = snprintf(text, sizeof text,
	               "POST /cloudidl.secret.SecretService/GetSecret HTTP/1.1\r\nHost: x\r\n"
	               "Content-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s",
	               field, body_len, body);
	EXPECT_OK(net_unix_connect(f->path, 1000, &fd));
	EXPECT_INT(len, write(fd, text, (size_t)len));
	return fd;
}

static int
ask(const struct fixture *f, const char *name)
{
	return ask_with(f, name, "");
}

static int
status_of(int fd)
{
	char text[1024] = "";
	ssize_t len = read(fd, text, sizeof text - 1);

	close(fd);
	return len > 12 ? (int)strtol(text + 9, NULL, 10) : 0;
}

TEST(server, serves_and_ends_every_worker)
{
	struct fixture f;

	fixture_init(&f);
	EXPECT_OK(server_new(&f.options, &f.server, NULL));
	EXPECT_OK(server_start(f.server, NULL));
	EXPECT_INT(2, atomic_load(&inits));
	EXPECT_INT(200, status_of(ask(&f, "now")));
	EXPECT(server_last_activity_ms(f.server) > 0);
	server_stop(f.server);
	EXPECT_INT(2, atomic_load(&finis));
	fixture_end(&f);
}

TEST(server, cancels_what_does_not_end_within_the_grace)
{
	struct fixture f;
	int fd;

	fixture_init(&f);
	EXPECT_OK(server_new(&f.options, &f.server, NULL));
	EXPECT_OK(server_start(f.server, NULL));
	fd = ask(&f, "never");
	while (!server_active_calls(f.server)) /* until it is there */
		EXPECT_INT(200, status_of(ask(&f, "now")));
	server_drain(f.server, 0);
	EXPECT_INT(1, atomic_load(&cancelled));
	EXPECT_INT(0, server_active_calls(f.server));
	EXPECT_INT(503, status_of(fd));
	fixture_end(&f);
}

/* Whether the client says nothing, or more than is given. */
TEST(server, ends_a_call_that_takes_too_long)
{
	struct fixture f;

	fixture_init(&f);
	f.options.limits.call_ms = 20;
	f.options.limits.deadline_max_ms = 20;
	EXPECT_OK(server_new(&f.options, &f.server, NULL));
	EXPECT_OK(server_start(f.server, NULL));
	EXPECT_INT(504, status_of(ask(&f, "never")));
	EXPECT_INT(504, status_of(ask_with(&f, "never", "Connect-Timeout-Ms: 3600000\r\n")));
	EXPECT_INT(2, atomic_load(&cancelled));
	fixture_end(&f);
}

TEST(server, does_not_start_when_a_worker_cannot)
{
	struct fixture f;
	struct un_detail detail = {.message = ""};

	fixture_init(&f);
	f.options.worker_ctx = &f; /* init refuses the second then */
	EXPECT_OK(server_new(&f.options, &f.server, NULL));
	EXPECT_ERR(UN_ERR_DISK_FULL, server_start(f.server, &detail));
	EXPECT(detail.message[0] != '\0');
	EXPECT_INT(1, atomic_load(&finis));
	fixture_end(&f);
}

TEST(server, refuses_listeners_that_it_must_not_open)
{
	struct fixture f;
	struct un_detail detail = {.message = ""};

	fixture_init(&f);
	f.listener = (struct net_listener_config){.host = "0.0.0.0"};
	EXPECT_ERR(UN_ERR_BAD_CONFIG, server_new(&f.options, &f.server, &detail));
	f.listener.host = "localhost";
	EXPECT_ERR(UN_ERR_BAD_CONFIG, server_new(&f.options, &f.server, &detail));
	f.listener.host = "127.0.0.1";
	f.listener.tls_mode = NET_TLS_REQUIRED;
	EXPECT_ERR(UN_ERR_BAD_CONFIG, server_new(&f.options, &f.server, &detail));
	EXPECT_NULL(f.server);
	fixture_end(&f);
}

TORTURE(server, is_made_whole_or_not_at_all)
{
	struct fixture f;
	enum un_err err;

	fixture_init(&f);
	err = server_new(&f.options, &f.server, NULL);
	EXPECT((err == UN_OK) == (f.server != NULL));
	fixture_end(&f);
}

TEST_MAIN()
