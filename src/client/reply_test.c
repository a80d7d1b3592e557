#include "client/reply.h"

#include "test.h"

#include <stdlib.h>

static enum un_err
parse(const char *text, struct reply_head *head)
{
	return reply_parse_head((const uint8_t *)text, strlen(text), head);
}

TEST(reply, reads_a_plain_head)
{
	struct reply_head head;

	EXPECT_OK(
		parse("HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\ncontent-length: 12\r\n"
	              "\r\n",
	              &head));
	EXPECT_INT(200, head.status);
	EXPECT_INT(12, head.content_length);
	EXPECT_STR("application/proto", head.content_type);
	EXPECT(!head.chunked && !head.close);
}

TEST(reply, decodes_the_hint_and_keeps_terminals_still)
{
	struct reply_head head;

	EXPECT_OK(parse("HTTP/1.1 404 Not Found\r\nunion-error: secret-not-found\r\n"
	                "union-hint: it%20is at%3A a%1b[31mb\r\ncontent-length: 0\r\n\r\n", &head));
	EXPECT_STR("secret-not-found", head.slug);
	EXPECT_STR("it is at: a [31mb", head.hint);
}

TEST(reply, refuses_what_two_readers_could_read_in_two_ways)
{
	static const char *const bad[] = {
	        "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
	        "HTTP/1.1 200\n\r\ncontent-length: 0\r\n\r\n",
	        "HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n",
	        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\n",
	        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
	        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
	        "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\n",
	        "HTTP/1.1 200 OK\r\ncontent-length: 1 2\r\n\r\n",
	        "HTTP/1.1 200 OK\r\ncontent-length: 9999999999999999999\r\n\r\n",
	        "HTTP/1.1 200 OK\r\ncontent-length : 1\r\n\r\n",
	        "HTTP/1.1 200 OK\r\n content-length: 1\r\n\r\n",
	        "HTTP/1.1 200 OK\r\na: b\r\n c\r\ncontent-length: 1\r\n\r\n",
	        "HTTP/1.1 200 OK\r\na: b\nx: y\r\ncontent-length: 1\r\n\r\n",
	        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\n",
	        "HTTP/1.1 200 OK\r\n\r\n",
	};
	struct reply_head head;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		EXPECT_ERR(UN_ERR_PROTOCOL, parse(bad[i], &head));
}

/* Pushes `wire` in steps of `step` bytes and collects the body. */
static enum un_err
decode(const struct reply_head *head, const char *wire, size_t step, char *out, size_t *ret_used)
{
	struct reply_body body;
	size_t len = strlen(wire), at = 0, got = 0;

	reply_body_init(&body, head);
	while (at < len && !reply_body_is_done(&body)) {
		struct reply_piece piece;
		size_t want = len - at < step ? len - at : step;
		enum un_err err = reply_body_push(&body, (const uint8_t *)wire + at, want, &piece);

		if (err)
			return err;
		memcpy(out + got, piece.data, piece.len);
		got += piece.len;
		at += piece.used;
	}
	out[got] = '\0';
	*ret_used = at;
	return reply_body_is_done(&body) ? UN_OK : UN_ERR_AGAIN;
}

TEST(reply, reads_chunks_cut_anywhere)
{
	static const char wire[] =
		"5\r\nhello\r\n1\r\n,\r\n006\r\n world\r\n0\r\nx-a: b\r\n\r\nNEXT";
	struct reply_head head = {.chunked = true, .content_length = -1};

	for (size_t step = 1; step <= sizeof wire; step++) {
		char out[64];
		size_t used;

		EXPECT_OK(decode(&head, wire, step, out, &used));
		EXPECT_STR("hello, world", out);
		EXPECT_STR("NEXT", wire + used);
	}
}

TEST(reply, refuses_broken_chunks)
{
	static const char *const bad[] = {
	        "5;x=y\r\nhello\r\n0\r\n\r\n", "\r\n", "5\nhello", "5\r\nhelloX\r\n",
	        "123456789\r\n", "5 \r\nhello\r\n", "-5\r\n", "0\r\nx\n\r\n",
	};
	struct reply_head head = {.chunked = true, .content_length = -1};
	char out[64];
	size_t used;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		EXPECT_ERR(UN_ERR_PROTOCOL, decode(&head, bad[i], 64, out, &used));
}

TEST(reply, ends_a_plain_body_at_its_length)
{
	struct reply_head head = {.content_length = 5};
	char out[64];
	size_t used;

	EXPECT_OK(decode(&head, "helloNEXT", 3, out, &used));
	EXPECT_STR("hello", out);
	EXPECT_INT(5, used);
	EXPECT_ERR(UN_ERR_AGAIN, decode(&head, "hell", 3, out, &used));
}

TEST(reply, takes_the_slug_before_the_code_before_the_status)
{
	static const char json[] = "{\"code\":\"not_found\",\"message\":\"no such secret 'a'\"}";
	struct reply_head head = {.status = 409, .content_type = "application/json"};
	struct un_detail detail = {0};

	EXPECT_ERR(un_err_from_grpc(GRPC_NOT_FOUND),
	           reply_read_error(&head, (const uint8_t *)json, sizeof json - 1, &detail));
	EXPECT_STR("no such secret 'a'", detail.message);
	strcpy(head.slug, "secret-not-found");
	EXPECT_ERR(UN_ERR_SECRET_NOT_FOUND,
	           reply_read_error(&head, (const uint8_t *)json, sizeof json - 1, &detail));
	strcpy(head.slug, "a-slug-of-tomorrow");
	EXPECT_ERR(un_err_from_grpc(GRPC_NOT_FOUND),
	           reply_read_error(&head, (const uint8_t *)json, sizeof json - 1, &detail));
	head = (struct reply_head){.status = 503, .content_type = "text/html"};
	EXPECT_ERR(UN_ERR_UNREACHABLE,
	           reply_read_error(&head, (const uint8_t *)json, sizeof json - 1, &detail));
}

TEST(reply, reads_the_end_of_a_stream)
{
	static const char bad[] =
		"{\"error\":{\"code\":\"aborted\",\"message\":\"gone\"},\"metadata\":"
		"{\"x\":[\"a\",\"b\"],\"union-error\":[\"aborted\"],"
		"\"union-hint\":[\"start it again\"]}}";
	struct un_detail detail = {0};

	EXPECT_OK(reply_read_end((const uint8_t *)"{}", 2, NULL));
	EXPECT_OK(reply_read_end((const uint8_t *)"{\"metadata\":{}}", 15, NULL));
	EXPECT_ERR(UN_ERR_ABORTED, reply_read_end((const uint8_t *)bad, sizeof bad - 1, &detail));
	EXPECT_STR("gone", detail.message);
	EXPECT_STR("start it again", detail.hint);
	EXPECT_ERR(UN_ERR_PROTOCOL, reply_read_end((const uint8_t *)"", 0, NULL));
}

/* Whatever bit is flipped: an answer or UN_ERR_PROTOCOL, and no byte read outside (sanitizers). */
TEST(reply, survives_every_flipped_bit_and_every_cut)
{
	static const char good[] = "HTTP/1.1 400 Bad\r\ncontent-type: application/json\r\n"
	                           "union-hint: a%20b\r\ncontent-length: 3\r\n\r\n";

	for (size_t bit = 0; bit < 8 * (sizeof good - 1); bit++) {
		struct reply_head head;
		uint8_t *copy = mem_dup(good, sizeof good - 1);
		enum un_err err;

		EXPECT(copy);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		err = reply_parse_head(copy, sizeof good - 1, &head);
		EXPECT(err == UN_OK || err == UN_ERR_PROTOCOL);
		err = reply_parse_head(copy, bit / 8, &head);
		EXPECT(err == UN_ERR_PROTOCOL);
		mem_free(copy);
	}
}

TEST_MAIN()
