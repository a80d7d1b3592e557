/* session.h - logging in: where tokens come from, for a channel.
 *
 * Client credentials: the server says where its token endpoint is, and gets client and secret there
 * in exchange for a token; the token is kept between commands (token_cache.h), the secret is not.
 * The endpoint must be the server itself: a secret is sent to nobody else. Or a command prints a
 * token. One thread, and one channel. */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include "client/channel.h"
#include "client/token_cache.h"

/* All lent until session_free. */
struct session_options {
	struct token_place place; /* folder NULL: nothing is kept */
	const char *scopes;       /* separated by blanks; NULL: none asked for */
	const char *audience;     /* NULL: none */
	/* Instead of the above: a token from elsewhere. NULL: client credentials. */
	enum un_err (*fetch)(void *ctx, struct secbuf **ret_token, struct un_detail *detail);
	void *fetch_ctx;
};

struct session;

MUST_CHECK enum un_err session_new(const struct session_options *options,
                                   struct session **ret_session);
void session_free(struct session *session); /* NULL is fine */
struct channel_auth *session_auth(struct session *session);

/* What a token endpoint answers: {"access_token": ..., "expires_in": ...}. UN_ERR_PROTOCOL. */
MUST_CHECK enum un_err session_read_token(const uint8_t *json, size_t len,
                                          struct secbuf **ret_token, int64_t *ret_seconds);
/* The token endpoint of discovery's answer. UN_ERR_PROTOCOL. */
MUST_CHECK enum un_err session_read_metadata(const uint8_t *json, size_t len, struct buf *ret_url);

#endif
