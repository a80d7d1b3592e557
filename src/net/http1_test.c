#include "net/http1.h"

#include "test.h"

#define FIELD_MAX 64

/* Scans and parses a whole head; 0 or the status to refuse with (1: it is not whole). */
static int
parse(const char *text, size_t len, struct http1_head *head, char *copy)
{
	size_t scanned = 0, head_len = 0;
	enum un_err err;

	memcpy(copy, text, len);
	err = http1_scan((const uint8_t *)copy, len, 32768, &scanned, &head_len);
	if (err == UN_ERR_AGAIN)
		return 1;
	if (err)
		return err == UN_ERR_TOO_LARGE ? 431 : 400;
	return http1_parse(copy, head_len, FIELD_MAX, head);
}

static int
status_of(const char *text)
{
	static char copy[70000];
	struct http1_head head;

	return parse(text, strlen(text), &head, copy);
}

static const char good[] = "POST /a.b.C/D?x=1 HTTP/1.1\r\n"
                           "Host: example\r\n"
                           "Content-Type:application/json \t\r\n"
                           "X-Empty:\r\n"
                           "Expect: 100-continue\r\n"
                           "Content-Length: 12\r\n"
                           "\r\n";

TEST(http1, reads_what_a_request_says)
{
	struct http1_head head;
	char copy[512];

	EXPECT_INT(0, parse(good, sizeof good - 1, &head, copy));
	EXPECT_BYTES("POST", head.method.at, head.method.len);
	EXPECT_INT(12, head.target.len);
	EXPECT_BYTES("/a.b.C/D?x=1", head.target.at, 12);
	EXPECT_INT(5, head.field_count);
	EXPECT_BYTES("content-type", head.fields[1].name.at, head.fields[1].name.len);
	EXPECT_BYTES("application/json", head.fields[1].value.at, head.fields[1].value.len);
	EXPECT_INT(0, head.fields[2].value.len);
	EXPECT_INT(12, head.content_length);
	EXPECT(head.keep_alive && head.expect_continue && !head.chunked);
}

TEST(http1, finds_the_end_however_the_bytes_come)
{
	size_t scanned = 0, len = 0;

	for (size_t have = 0; have + 1 < sizeof good - 1; have++)
		EXPECT_ERR(UN_ERR_AGAIN,
		           http1_scan((const uint8_t *)good, have, 32768, &scanned, &len));
	EXPECT_OK(http1_scan((const uint8_t *)good, sizeof good - 1, 32768, &scanned, &len));
	EXPECT_INT(sizeof good - 1, len);
}

TEST(http1, refuses_what_others_may_read_differently)
{
	static const struct {
		const char *text;
		int status;
	} bad[] = {
		{"GET / HTTP/1.1\nHost: a\n\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
		{"GET / HTTP/1.1\rHost: a\r\n\r\n", 400},
		{"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET /\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
		{"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
		{"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
		{"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET /a\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n", 400},
		{"GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
	         400},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1111111111111111111\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
	         "Content-Length: 1\r\n\r\n",
	         400},
		{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
		{"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
	         "Transfer-Encoding: chunked\r\n\r\n",
	         400},
		{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"POST / HTTP/1.1\r\nHost: a\r\nExpect: a cookie\r\n\r\n", 417},
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (status_of(bad[i].text) != bad[i].status)
			print_message("case %zu: %d\n", i, status_of(bad[i].text));
		EXPECT_INT(bad[i].status, status_of(bad[i].text));
	}
}

TEST(http1, refuses_a_nul_anywhere)
{
	struct http1_head head;
	char bytes[sizeof good], copy[sizeof good];

	for (size_t i = 0; i + 1 < sizeof good; i++) {
		memcpy(bytes, good, sizeof good);
		bytes[i] = '\0';
		EXPECT_INT(400, parse(bytes, sizeof good - 1, &head, copy));
	}
}

TEST(http1, holds_its_limits)
{
	static char text[40000];
	size_t len;

	len = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (int i = 1; i < FIELD_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "X-%d: y\r\n", i);
	memcpy(text + len, "\r\n", 3);
	EXPECT_INT(0, status_of(text));
	memcpy(text + len, "X-more: y\r\n\r\n", 14);
	EXPECT_INT(431, status_of(text));
	memset(text, 'a', sizeof text - 1);
	memcpy(text, "GET /", 5);
	EXPECT_INT(431, status_of(text));
}

TEST(http1, keeps_alive_as_the_version_says)
{
	struct http1_head head;
	char copy[256];

#define PARSE(text) EXPECT_INT(0, parse(text, sizeof(text) - 1, &head, copy))
	PARSE("GET / HTTP/1.0\r\n\r\n");
	EXPECT(!head.keep_alive);
	PARSE("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
	EXPECT(head.keep_alive);
	PARSE("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	EXPECT(head.keep_alive);
	PARSE("GET / HTTP/1.1\r\nHost: a\r\nConnection: TE , close\r\n\r\n");
	EXPECT(!head.keep_alive);
}

/* Every bit of a good head turned over, and every length of it: some of it may be read, none of it
 * may lead outside (the sanitizers watch). */
TEST(http1, survives_every_bit_and_every_length)
{
	struct http1_head head;
	char bytes[sizeof good];

	for (size_t i = 0; i < (sizeof good - 1) * 8; i++) {
		char *copy = mem_alloc(sizeof good - 1);

		memcpy(bytes, good, sizeof good);
		bytes[i / 8] = (char)(bytes[i / 8] ^ (1 << i % 8));
		(void)parse(bytes, sizeof good - 1, &head, copy);
		mem_free(copy);
	}
	for (size_t len = 0; len + 1 < sizeof good; len++) {
		char *copy = mem_alloc(len);

		EXPECT(parse(good, len, &head, copy) != 0);
		mem_free(copy);
	}
}

/* ---- bodies ---- */

static enum un_err
read_body(const char *text, size_t step, char *out, bool *ret_done)
{
	struct http1_head head = {.chunked = true};
	struct http1_body body;
	size_t len = strlen(text), used = 0;

	http1_body_init(&body, &head);
	out[0] = '\0';
	while (used < len && !http1_body_is_done(&body)) {
		size_t left = len - used < step ? len - used : step, before = left;
		const uint8_t *at = (const uint8_t *)text + used;

		while (left && !http1_body_is_done(&body)) {
			const uint8_t *piece;
			size_t piece_len;
			enum un_err err = http1_body_next(&body, &at, &left, &piece, &piece_len);

			if (err)
				return err;
			if (piece_len)
				strncat(out, (const char *)piece, piece_len);
		}
		used += before - left;
	}
	*ret_done = http1_body_is_done(&body);
	return UN_OK;
}

TEST(http1, puts_chunks_together)
{
	static const char chunks[] = "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\n";
	char out[64];
	bool done;

	for (size_t step = 1; step < sizeof chunks; step++) {
		EXPECT_OK(read_body(chunks, step, out, &done));
		EXPECT(done);
		EXPECT_STR("abc0123456789", out);
	}
}

TEST(http1, refuses_odd_chunks)
{
	static const char *const bad[] = {
	        "3;x=1\r\nabc\r\n0\r\n\r\n", "3\nabc\r\n",  "3\r\nabcd\r\n", "x\r\n", "\r\n",
	        "-1\r\n",                    "0x3\r\nabc\r\n", "1111111111111111\r\n",
	        "0\r\nTrailer: x\r\n\r\n",
	};
	char out[64];
	bool done;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		EXPECT_ERR(UN_ERR_PROTOCOL, read_body(bad[i], 64, out, &done));
}

TEST_MAIN()
