#include "client/session.h"

#include "base/clock.h"
#include "crypto/hash.h"
#include "proto-all.h"

#include "test.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static enum un_err
read_token(const char *json, char token[64], int64_t *ret_seconds)
{
	struct secbuf *got = NULL;
	enum un_err err;

	EXPECT_OK(crypto_init());
	err = session_read_token((const uint8_t *)json, strlen(json), &got, ret_seconds);
	if (!err) {
		memcpy(token, secbuf_peek(got), secbuf_len(got));
		token[secbuf_len(got)] = '\0';
	}
	secbuf_free(got);
	return err;
}

TEST(session, reads_what_token_endpoints_answer)
{
	int64_t seconds;
	char token[64];

	EXPECT_OK(read_token("{\"access_token\":\"abc\",\"token_type\":\"Bearer\","
	                     "\"expires_in\":899}",
	                     token, &seconds));
	EXPECT_STR("abc", token);
	EXPECT_INT(899, seconds);
	EXPECT_OK(read_token(" {\"x\":[1,{\"access_token\":\"no\"},[]],\"y\":{\"a\":{}},\"z\":null,"
	                     "\"expires_in\":99999999999,\"access_token\":\"a.b-c_d~\"}\n",
	                     token, &seconds));
	EXPECT_STR("a.b-c_d~", token);
	EXPECT_INT(400 * 86400, seconds);
}

TEST(session, refuses_an_answer_without_a_token_that_fits_a_header)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"{\"access_token\":\"abc\"}",
		"{\"expires_in\":1}",
		"{\"access_token\":\"\",\"expires_in\":1}",
		"{\"access_token\":\"a b\",\"expires_in\":1}",
		"{\"access_token\":\"a\\r\\nx: y\",\"expires_in\":1}",
		"{\"access_token\":\"abc\",\"expires_in\":0}",
		"{\"access_token\":\"abc\",\"expires_in\":-1}",
		"{\"access_token\":\"abc\",\"expires_in\":1.5}",
		"{\"access_token\":\"abc\",\"expires_in\":\"1\"}",
		"{\"access_token\":1,\"expires_in\":1}",
		"{\"access_token\":\"abc\",\"expires_in\":1} x",
		"{\"access_token\":\"abc\",\"expires_in\":1",
	};
	int64_t seconds;
	char token[64];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		EXPECT_ERR(UN_ERR_PROTOCOL, read_token(bad[i], token, &seconds));
}

TEST(session, reads_where_to_log_in)
{
	static const char good[] = "{\"issuer\":\"https://h\",\"scopes_supported\":[\"all\"],"
				   "\"token_endpoint\":\"https://h/oauth2/token\"}";
	static const char bad[] = "{\"issuer\":\"https://h\"}";
	struct buf url;

	buf_init(&url, 256, BUF_PLAIN);
	EXPECT_OK(session_read_metadata((const uint8_t *)good, sizeof good - 1, &url));
	EXPECT_STR("https://h/oauth2/token", buf_text(&url));
	buf_clear(&url);
	EXPECT_ERR(UN_ERR_PROTOCOL,
	           session_read_metadata((const uint8_t *)bad, sizeof bad - 1, &url));
	buf_fini(&url);
}

/* ---- against a server that plays a script ---- */

#define TURNS_MAX 8
#define JSON "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
#define DISCOVERY JSON "53\r\n\r\n{\"token_endpoint\":\"http://localhost/oauth2/token\"}   "
#define ELSEWHERE JSON "54\r\n\r\n{\"token_endpoint\":\"https://evil.example/oauth2/tok\"}  "
#define TOKEN(name) JSON "38\r\n\r\n{\"access_token\":\"" name "\",\"expires_in\":99}"
#define LET_IN "HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\ncontent-length: 0\r\n\r\n"
#define REFUSED                                                                                    \
	"HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\n"                          \
	"union-error: unauthenticated\r\ncontent-length: 2\r\n\r\n{}"

struct turn {
	const char *wanted; /* in the request */
	const char *reply;
};
struct server {
	const struct turn *turns;
	unsigned played;
	bool surprised;
	int fd;
	pthread_t thread;
};

/* One whole request; false: there is none any more. */
static bool
read_request(int fd, char request[4096])
{
	size_t got = 0;

	for (;;) {
		const char *end = got ? memmem(request, got, "\r\n\r\n", 4) : NULL;
		const char *length = end ? strcasestr(request, "\r\ncontent-length:") : NULL;
		size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
		ssize_t more;

		if (end && got >= (size_t)(end - request) + 4 + body)
			return true;
		more = read(fd, request + got, 4095 - got);
		if (more <= 0)
			return false;
		got += (size_t)more;
		request[got] = '\0';
	}
}

static void *
play(void *arg)
{
	struct server *server = arg;
	char request[4096];

	while (read_request(server->fd, request)) {
		const struct turn *turn = &server->turns[server->played];

		if (!turn->wanted || !strstr(request, turn->wanted)) {
			server->surprised = true;
			break;
		}
		server->played++;
		(void)!send(server->fd, turn->reply, strlen(turn->reply), MSG_NOSIGNAL);
	}
	(void)shutdown(server->fd, SHUT_RDWR);
	return NULL;
}

/* `calls` calls of a client that logs in; the error of the last, which wants `turns` to be all. */
static enum un_err
play_script(const struct turn *turns, unsigned calls)
{
	Union__V1__GetInfoRequest request = UNION__V1__GET_INFO_REQUEST__INIT;
	struct session_options options = {.place = {.url = "http://localhost", .client = "ci"}};
	struct server server = {.turns = turns};
	struct channel *channel = NULL;
	struct session *session = NULL;
	struct secbuf *secret = NULL;
	enum un_err err = UN_OK;
	int pair[2];

	EXPECT_OK(crypto_init());
	EXPECT_OK(secbuf_copy("s/cret", 6, &secret));
	options.place.secret = secret;
	EXPECT_INT(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	server.fd = pair[1];
	EXPECT_INT(0, pthread_create(&server.thread, NULL, play, &server));
	EXPECT_OK(channel_new("unix:///nowhere", NULL, &channel, NULL));
	EXPECT_OK(session_new(&options, &session));
	channel_adopt(channel, pair[0]);
	channel_set_auth(channel, session_auth(session));
	for (unsigned i = 0; i < calls; i++) {
		const struct channel_call call = {
			.method = "/union.v1.PlaneService/GetInfo",
			.request = &request.base,
			.reply = &union__v1__get_info_response__descriptor,
			.deadline_ms = clock_mono_ms() + 10000,
		};
		ProtobufCMessage *reply = NULL;
		struct un_detail detail = {0};

		err = channel_unary(channel, &call, &reply, &detail);
		channel_message_free(reply);
	}
	channel_free(channel);
	session_free(session);
	EXPECT_INT(0, pthread_join(server.thread, NULL));
	(void)close(server.fd);
	secbuf_free(secret);
	EXPECT(!server.surprised);
	EXPECT_NULL(turns[server.played].wanted);
	return err;
}

TEST(session, logs_in_once_and_shows_the_token_with_every_call)
{
	static const struct turn turns[TURNS_MAX] = {
		{"GET /.well-known/oauth-authorization-server ", DISCOVERY},
		{"grant_type=client_credentials&client_id=ci&client_secret=s%2Fcret", TOKEN("one")},
		{"authorization: Bearer one\r\n", LET_IN},
		{"authorization: Bearer one\r\n", LET_IN},
	};

	EXPECT_OK(play_script(turns, 2));
}

TEST(session, logs_in_again_when_its_token_is_refused)
{
	static const struct turn turns[TURNS_MAX] = {
		{"GET /.well-known/oauth-authorization-server ", DISCOVERY},
		{"POST /oauth2/token ", TOKEN("one")},
		{"authorization: Bearer one\r\n", LET_IN},
		{"authorization: Bearer one\r\n", REFUSED},
		{"GET /.well-known/oauth-authorization-server ", DISCOVERY},
		{"POST /oauth2/token ", TOKEN("two")},
		{"authorization: Bearer two\r\n", LET_IN},
	};

	EXPECT_OK(play_script(turns, 2));
}

TEST(session, gives_up_when_a_fresh_token_is_refused_too)
{
	static const struct turn turns[TURNS_MAX] = {
		{"GET /.well-known/oauth-authorization-server ", DISCOVERY},
		{"POST /oauth2/token ", TOKEN("one")},
		{"authorization: Bearer one\r\n", REFUSED},
		{"GET /.well-known/oauth-authorization-server ", DISCOVERY},
		{"POST /oauth2/token ", TOKEN("two")},
		{"authorization: Bearer two\r\n", REFUSED},
	};

	EXPECT_ERR(UN_ERR_UNAUTHENTICATED, play_script(turns, 1));
}

TEST(session, sends_its_secret_to_no_other_server)
{
	static const struct turn turns[TURNS_MAX] = {
		{"GET /.well-known/oauth-authorization-server ", ELSEWHERE},
	};

	EXPECT_ERR(UN_ERR_UNSUPPORTED, play_script(turns, 1));
}

TEST(session, tells_why_a_login_is_refused)
{
	static const struct turn turns[TURNS_MAX] = {
		{"GET /.well-known/oauth-authorization-server ", DISCOVERY},
		{"POST /oauth2/token ",
	         "HTTP/1.1 401 Unauthorized\r\nunion-error: key-expired\r\n"
	         "content-type: application/json\r\ncontent-length: 26\r\n\r\n"
	         "{\"error\":\"invalid_client\"}"},
	};

	EXPECT_ERR(UN_ERR_KEY_EXPIRED, play_script(turns, 1));
}

TEST_MAIN()
