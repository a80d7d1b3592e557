/* http1.h - a strict parser of HTTP/1.1 requests. No I/O, any thread.
 *
 * A head is parsed in place once it is whole; http1_scan says when it is. Everything a proxy and a
 * server may read differently is refused: bare LF, folded lines, blanks around names,
 * content-length twice or beside transfer-encoding, absolute targets, chunk extensions, control
 * characters. */
#ifndef NET_HTTP1_H
#define NET_HTTP1_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP1_FIELDS_MAX 128
#define HTTP1_LEN_UNKNOWN UINT64_MAX

struct http1_text {
	char *at;
	size_t len;
};

struct http1_head {
	struct http1_text method;
	struct http1_text target;
	struct http1_text host; /* empty in HTTP/1.0 without one */
	struct {
		struct http1_text name; /* made lower case */
		struct http1_text value;
	} fields[HTTP1_FIELDS_MAX];
	size_t field_count;
	int minor; /* HTTP/1.minor */
	bool keep_alive;
	bool expect_continue;
	bool chunked;
	uint64_t content_length; /* HTTP1_LEN_UNKNOWN: not given */
};

/* Looks for the end of a head in `bytes`. `scanned` starts at 0 and is kept between calls with more
 * bytes. UN_OK: the head is *ret_len bytes. UN_ERR_AGAIN: not whole yet. UN_ERR_PROTOCOL: a bare
 * LF, CR or NUL; UN_ERR_TOO_LARGE: longer than `max`. */
MUST_CHECK enum un_err http1_scan(const uint8_t *bytes, size_t len, size_t max, size_t *scanned,
                                  size_t *ret_len);

/* Parses a whole head in place; the texts point into it. 0, or the HTTP status to refuse it with.
 */
MUST_CHECK int http1_parse(char *bytes, size_t len, size_t field_max, struct http1_head *ret_head);

/* The body of a request, piece by piece. */
struct http1_body {
	enum {
		HTTP1_BODY_PLAIN,
		HTTP1_CHUNK_LEN,
		HTTP1_CHUNK_LEN_LF,
		HTTP1_CHUNK_DATA,
		HTTP1_CHUNK_CR,
		HTTP1_CHUNK_LF,
		HTTP1_LAST_CR,
		HTTP1_LAST_LF,
		HTTP1_BODY_DONE,
	} state;
	uint64_t left;
	unsigned digits;
};

void http1_body_init(struct http1_body *body, const struct http1_head *head);
bool http1_body_is_done(const struct http1_body *body);
/* Uses bytes of the front of *at until it has a piece of the body (*ret_len > 0), the body is done,
 * or all bytes are used. UN_ERR_PROTOCOL. */
MUST_CHECK enum un_err http1_body_next(struct http1_body *body, const uint8_t **at, size_t *left,
                                       const uint8_t **ret_piece, size_t *ret_len);

#endif
