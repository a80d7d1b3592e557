/* channel_impl.h - the inside of a channel, for the files that speak HTTP over it.
 *
 * One request is one write: head and body lie in one wiping buffer. The reply is read in steps of
 * CHANNEL_READ_STEP into `in`, and the body is taken from there piece by piece, so that unary
 * calls, streams and files share one reader. After any error in the middle of a reply the
 * connection is closed: where the next one begins is not known any more. */
#ifndef CLIENT_CHANNEL_IMPL_H
#define CLIENT_CHANNEL_IMPL_H

#include "base/buf.h"
#include "client/channel.h"
#include "client/reply.h"

#define CHANNEL_READ_STEP 16384
#define CHANNEL_ERROR_BODY_MAX 65536
#define CHANNEL_REQUEST_HEAD_MAX 16384

struct channel {
	struct endpoint endpoint;
	const struct wire_remote *remote;
	struct channel_auth *auth; /* NULL: nobody logs in */
	struct wire wire;
	struct buf in; /* read and not yet taken */
	bool in_stream;
	bool known; /* on this connection a call was let in: its token is good */
};

/* A reply in the making. */
struct answer {
	struct reply_head head;
	struct reply_body body;
	int64_t deadline_ms;
};

int64_t channel_deadline(int64_t deadline_ms); /* 0 becomes CHANNEL_TIMEOUT_MS from now */
/* The line, host and user-agent; with `type`: the content's type and length. */
MUST_CHECK enum un_err channel_add_head(struct channel *channel, struct buf *out, const char *line,
                                        const char *type, size_t len);
/* Connects if needed. */
MUST_CHECK enum un_err channel_send(struct channel *channel, const struct buf *request,
                                    int64_t deadline_ms, struct un_detail *detail);
/* Heads until one is final. Its errors, and those of channel_read_piece, are told by
 * channel_failed. */
MUST_CHECK enum un_err channel_read_head(struct channel *channel, struct answer *answer);
/* The next piece of the body, appended to `out`; nothing more when reply_body_is_done. */
MUST_CHECK enum un_err channel_read_piece(struct channel *channel, struct answer *answer,
                                          struct buf *out);
MUST_CHECK enum un_err channel_read_body(struct channel *channel, struct answer *answer,
                                         struct buf *out);
/* The reply was read to its end. */
void channel_answered(struct channel *channel, const struct answer *answer);
/* Reads the rest of a reply that is an error and says which. */
enum un_err channel_read_refusal(struct channel *channel, struct answer *answer,
                                 struct un_detail *detail);
/* Hangs up, and adds what an error of the wire itself leaves unsaid. */
enum un_err channel_failed(struct channel *channel, enum un_err err, struct un_detail *detail);
void channel_hang_up(struct channel *channel);

#endif
