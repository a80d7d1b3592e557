/* reply.h - the strict reader of HTTP/1.1 replies: heads, bodies, and the errors in them.
 *
 * Pure: bytes in, facts out. What is not plainly well-formed is UN_ERR_PROTOCOL; nothing is
 * guessed, because two readers that guess differently about one connection are a way in. Any
 * thread. */
#ifndef CLIENT_REPLY_H
#define CLIENT_REPLY_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLY_HEAD_MAX 32768

struct reply_head {
	int status;
	int64_t content_length; /* -1: not given */
	bool chunked;
	bool close; /* the connection ends with this reply */
	char content_type[64];
	char slug[64];               /* union-error; empty: none */
	char hint[UN_DETAIL_MAX];    /* union-hint, decoded */
};

/* How many of the bytes are the head with its blank line; 0: not all of it is here yet. */
size_t reply_head_len(const uint8_t *bytes, size_t len);
/* Reads one whole head. UN_ERR_PROTOCOL. */
MUST_CHECK enum un_err reply_parse_head(const uint8_t *bytes, size_t len,
                                        struct reply_head *ret_head);

struct reply_body {
	int state;
	uint64_t left;   /* of the chunk, or of all */
	unsigned digits; /* of the chunk size read so far */
	size_t trailer;  /* bytes of trailer lines seen */
	bool line_empty;
};

/* What one push yielded: `used` bytes were read, `len` of them at `data` (lent) are body. */
struct reply_piece {
	const uint8_t *data;
	size_t len;
	size_t used;
};

void reply_body_init(struct reply_body *body, const struct reply_head *head);
/* Reads on until the first piece of data, the end of the body or the end of `bytes`. */
MUST_CHECK enum un_err reply_body_push(struct reply_body *body, const uint8_t *bytes, size_t len,
                                       struct reply_piece *ret_piece);
bool reply_body_is_done(const struct reply_body *body);

/* The error a reply carries: from the slug, else from Connect's code, else from the HTTP status.
 * `json` is the body (or a stream's last envelope); its message and hint go into `detail`. Text
 * from the peer is cleaned of control characters. UN_OK when the JSON of a stream's end has no
 * error. */
enum un_err reply_read_error(const struct reply_head *head, const uint8_t *json, size_t len,
                        struct un_detail *detail);
enum un_err reply_read_end(const uint8_t *json, size_t len, struct un_detail *detail);

#endif
