/* The peer is a thread at the other end of a socket pair that plays a script: it reads a whole
 * request, then writes what the test gave it, cut where the test says. */
#include "client/channel.h"

#include "base/clock.h"
#include "base/io.h"
#include "crypto/hash.h"
#include "crypto/secbuf.h"
#include "proto-all.h"

#include "test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer {
	int fd;
	const void *reply;
	size_t len;
	size_t step; /* bytes a write */
	char request[8192];
	size_t got;
	pthread_t thread;
};

static size_t
request_len(const struct peer *peer)
{
	const char *end = memmem(peer->request, peer->got, "\r\n\r\n", 4);
	const char *length = strcasestr(peer->request, "\r\ncontent-length:");
	size_t head;

	if (!end)
		return SIZE_MAX;
	head = (size_t)(end - peer->request) + 4;
	return length && length < end ? head + strtoul(length + 17, NULL, 10) : head;
}

static void *
play(void *arg)
{
	struct peer *peer = arg;
	const char *at = peer->reply;
	size_t left = peer->len;

	while (peer->got < sizeof peer->request - 1 && peer->got < request_len(peer)) {
		ssize_t got = read(peer->fd, peer->request + peer->got,
		                   sizeof peer->request - 1 - peer->got);

		if (got <= 0)
			break;
		peer->got += (size_t)got;
	}
	while (left) {
		size_t want = left < peer->step ? left : peer->step;

		if (send(peer->fd, at, want, MSG_NOSIGNAL) < 0)
			break;
		at += want;
		left -= want;
	}
	(void)shutdown(peer->fd, SHUT_WR);
	return NULL;
}

static struct channel *
start(struct peer *peer, const void *reply, size_t len, size_t step)
{
	struct channel *channel = NULL;
	int pair[2];

	EXPECT_OK(crypto_init());
	EXPECT_INT(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	*peer = (struct peer){.fd = pair[1], .reply = reply, .len = len, .step = step};
	EXPECT_INT(0, pthread_create(&peer->thread, NULL, play, peer));
	EXPECT_OK(channel_new("unix:///nowhere/union.sock", NULL, &channel, NULL));
	channel_adopt(channel, pair[0]);
	return channel;
}

static void
stop(struct peer *peer, struct channel *channel)
{
	channel_free(channel);
	EXPECT_INT(0, pthread_join(peer->thread, NULL));
	(void)close(peer->fd);
}

static const Union__V1__GetInfoRequest info_request = UNION__V1__GET_INFO_REQUEST__INIT;

static const struct channel_call *
info_call(void)
{
	static struct channel_call call;

	call = (struct channel_call){
		.method = "/union.v1.PlaneService/GetInfo",
		.request = &info_request.base,
		.reply = &union__v1__get_info_response__descriptor,
		.deadline_ms = clock_mono_ms() + 10000,
	};
	return &call;
}

static const char info_reply[] = "HTTP/1.1 200 OK\r\ncontent-type: application/proto\r\n"
				 "content-length: 5\r\n\r\n\x0a\x03"
				 "1.2";

TEST(channel, calls_and_reads_the_reply_cut_anywhere)
{
	for (size_t step = 1; step < sizeof info_reply; step += 7) {
		struct peer peer;
		struct channel *channel = start(&peer, info_reply, sizeof info_reply - 1, step);
		ProtobufCMessage *reply = NULL;

		EXPECT_OK(channel_unary(channel, info_call(), &reply, NULL));
		EXPECT_STR("1.2", ((Union__V1__GetInfoResponse *)reply)->version);
		channel_message_free(reply);
		stop(&peer, channel);
		EXPECT(strstr(peer.request, "POST /union.v1.PlaneService/GetInfo HTTP/1.1\r\n"));
		EXPECT(strstr(peer.request, "\r\nconnect-protocol-version: 1\r\n"));
		EXPECT(strstr(peer.request, "\r\ncontent-type: application/proto\r\n"));
	}
}

TEST(channel, hands_on_the_servers_error_and_hint)
{
	static const char refusal[] =
		"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\n"
		"union-error: secret-not-found\r\nunion-hint: it%20is%20in%20x\r\n"
		"transfer-encoding: chunked\r\n\r\n"
		"21\r\n{\"code\":\"not_found\",\"message\":\"n\"\r\n1\r\n}\r\n0\r\n\r\n";
	struct peer peer;
	struct channel *channel = start(&peer, refusal, sizeof refusal - 1, 64);
	struct un_detail detail = {0};
	ProtobufCMessage *reply = NULL;

	EXPECT_ERR(UN_ERR_SECRET_NOT_FOUND, channel_unary(channel, info_call(), &reply, &detail));
	EXPECT_NULL(reply);
	EXPECT_STR("n", detail.message);
	EXPECT_STR("it is in x", detail.hint);
	stop(&peer, channel);
}

TEST(channel, says_that_the_connection_broke_wherever_it_breaks)
{
	for (size_t cut = 0; cut < sizeof info_reply - 1; cut += 3) {
		struct peer peer;
		struct channel *channel = start(&peer, info_reply, cut, 4096);
		ProtobufCMessage *reply = NULL;

		EXPECT_ERR(UN_ERR_UNREACHABLE, channel_unary(channel, info_call(), &reply, NULL));
		EXPECT_NULL(reply);
		stop(&peer, channel);
	}
}

TEST(channel, refuses_a_reply_over_the_limit_or_of_another_type)
{
	static const char html[] =
		"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 0\r\n\r\n";
	struct channel_call call = *info_call();
	struct peer peer;
	struct channel *channel = start(&peer, info_reply, sizeof info_reply - 1, 4096);
	ProtobufCMessage *reply = NULL;

	call.reply_max = 4;
	EXPECT_ERR(UN_ERR_TOO_LARGE, channel_unary(channel, &call, &reply, NULL));
	stop(&peer, channel);
	channel = start(&peer, html, sizeof html - 1, 4096);
	EXPECT_ERR(UN_ERR_PROTOCOL, channel_unary(channel, info_call(), &reply, NULL));
	EXPECT_NULL(reply);
	stop(&peer, channel);
}

TEST(channel, wakes_from_a_wait)
{
	int pipes[2], pair[2];
	struct channel *channel = NULL;
	ProtobufCMessage *reply = NULL;

	EXPECT_INT(0, pipe2(pipes, O_CLOEXEC));
	EXPECT_INT(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	EXPECT_OK(channel_new("unix:///nowhere", NULL, &channel, NULL));
	channel_adopt(channel, pair[0]);
	channel_set_wake(channel, pipes[0]);
	EXPECT_INT(1, write(pipes[1], "x", 1));
	EXPECT_ERR(UN_ERR_INTERRUPTED, channel_unary(channel, info_call(), &reply, NULL));
	channel_free(channel);
	(void)close(pair[1]);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

TEST(channel, ends_a_wait_at_its_deadline)
{
	int pair[2];
	struct channel_call call = *info_call();
	struct channel *channel = NULL;
	ProtobufCMessage *reply = NULL;

	EXPECT_INT(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	EXPECT_OK(channel_new("unix:///nowhere", NULL, &channel, NULL));
	channel_adopt(channel, pair[0]);
	call.deadline_ms = clock_mono_ms() + 1;
	EXPECT_ERR(UN_ERR_TIMEOUT, channel_unary(channel, &call, &reply, NULL));
	channel_free(channel);
	(void)close(pair[1]);
}

#define STREAM_HEAD                                                                                \
	"HTTP/1.1 200 OK\r\ncontent-type: application/connect+proto\r\ntransfer-encoding: "        \
	"chunked\r\n\r\n"

static const char stream_reply[] = STREAM_HEAD "11\r\n"
					       "\0\0\0\0\3\x0a\1a"
					       "\0\0\0\0\4\x0a\2bc\r\n"
					       "7\r\n\2\0\0\0\2{}\r\n0\r\n\r\n";

TEST(channel, reads_a_stream_cut_anywhere)
{
	for (size_t step = 1; step < sizeof stream_reply; step += 5) {
		struct peer peer;
		struct channel *channel = start(&peer, stream_reply, sizeof stream_reply - 1, step);
		struct channel_stream *stream = NULL;
		struct channel_call call = *info_call();
		ProtobufCMessage *message = NULL;

		call.reply = &union__v1__backup_chunk__descriptor;
		EXPECT_OK(channel_stream_open(channel, &call, &stream, NULL));
		EXPECT_OK(channel_stream_next(stream, call.deadline_ms, &message, NULL));
		EXPECT_INT(1, ((Union__V1__BackupChunk *)message)->data.len);
		channel_message_free(message);
		EXPECT_OK(channel_stream_next(stream, call.deadline_ms, &message, NULL));
		EXPECT_INT(2, ((Union__V1__BackupChunk *)message)->data.len);
		channel_message_free(message);
		EXPECT_OK(channel_stream_next(stream, call.deadline_ms, &message, NULL));
		EXPECT_NULL(message);
		channel_stream_free(stream);
		stop(&peer, channel);
		EXPECT(strstr(peer.request, "\r\ncontent-type: application/connect+proto\r\n"));
	}
}

TEST(channel, never_takes_a_cut_stream_for_a_whole_one)
{
	for (size_t cut = sizeof STREAM_HEAD - 1; cut < sizeof stream_reply - 1; cut++) {
		struct peer peer;
		struct channel *channel = start(&peer, stream_reply, cut, 4096);
		struct channel_stream *stream = NULL;
		struct channel_call call = *info_call();
		ProtobufCMessage *message = NULL;
		enum un_err err = UN_OK;
		bool whole = cut >= sizeof stream_reply - 1 - 7; /* only framing is missing */

		call.reply = &union__v1__backup_chunk__descriptor;
		EXPECT_OK(channel_stream_open(channel, &call, &stream, NULL));
		do {
			message = NULL;
			err = channel_stream_next(stream, call.deadline_ms, &message, NULL);
			channel_message_free(message);
		} while (!err && message);
		EXPECT(whole ? err == UN_OK : err == UN_ERR_UNREACHABLE);
		channel_stream_free(stream);
		stop(&peer, channel);
	}
}

TEST(channel, puts_and_gets_files_with_a_credential)
{
	static const char created[] = "HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n";
	static const char file_reply[] = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
	struct channel_header header = {.name = "content-md5", .value = "abc"};
	struct channel_file file = {
		.url = "http://localhost/b/1", .headers = &header, .header_count = 1};
	struct channel *channel;
	struct peer peer;
	uint64_t size = 0;
	char text[8];

	channel = start(&peer, created, sizeof created - 1, 4096);
	file.fd = memfd_create("bundle", MFD_CLOEXEC);
	EXPECT_INT(3, write(file.fd, "abc", 3));
	EXPECT_INT(0, lseek(file.fd, 0, SEEK_SET));
	file.size = 3;
	EXPECT_OK(channel_put_file(channel, &file, NULL));
	stop(&peer, channel);
	EXPECT(strstr(peer.request, "PUT /b/1 HTTP/1.1\r\n"));
	EXPECT(strstr(peer.request, "\r\ncontent-md5: abc\r\n"));
	EXPECT_STR("abc", strstr(peer.request, "\r\n\r\n") + 4);

	channel = start(&peer, file_reply, sizeof file_reply - 1, 3);
	EXPECT_OK(secbuf_copy("\xff\xfe\xfd\xfc", 4, (struct secbuf **)&file.credential));
	EXPECT_OK(channel_get_file(channel, &file, &size, NULL) == UN_ERR_TOO_LARGE ? UN_OK
	                                                                            : UN_ERR_IO);
	stop(&peer, channel);
	EXPECT(strstr(peer.request, "\r\nauthorization: Bearer __79_A\r\n"));
	channel = start(&peer, file_reply, sizeof file_reply - 1, 3);
	file.size = 5;
	EXPECT_OK(channel_get_file(channel, &file, &size, NULL));
	EXPECT_INT(5, size);
	EXPECT_INT(5, pread(file.fd, text, 8, 3));
	EXPECT_BYTES("hello", text, 5);
	stop(&peer, channel);
	secbuf_free((struct secbuf *)file.credential);
	(void)close(file.fd);
}

TORTURE(channel, answers_whole_or_not_at_all)
{
	struct channel *channel = NULL;
	ProtobufCMessage *reply = NULL;
	struct peer peer;
	enum un_err err;
	int pair[2];

	EXPECT_INT(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	peer = (struct peer){
		.fd = pair[1], .reply = info_reply, .len = sizeof info_reply - 1, .step = 4096};
	EXPECT_INT(0, pthread_create(&peer.thread, NULL, play, &peer));
	err = channel_new("unix:///nowhere", NULL, &channel, NULL);
	if (err) {
		(void)close(pair[0]);
	} else {
		channel_adopt(channel, pair[0]);
		err = channel_unary(channel, info_call(), &reply, NULL);
	}
	EXPECT((err == UN_OK) == (reply != NULL));
	channel_message_free(reply);
	channel_free(channel);
	EXPECT_INT(0, pthread_join(peer.thread, NULL));
	(void)close(peer.fd);
}

TEST_MAIN()
