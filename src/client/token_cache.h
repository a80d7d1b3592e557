/* token_cache.h - tokens that outlive a command, so that the next one need not log in.
 *
 * One file a token, in a folder that is this user's alone; its name is a hash of the endpoint, the
 * client and its secret, so that another key never meets an older key's token. It holds the token
 * and its end, never a secret; who can read it may act as the client for some minutes, so a file or
 * folder that others can read or change is an error. One thread. */
#ifndef CLIENT_TOKEN_CACHE_H
#define CLIENT_TOKEN_CACHE_H

#include "base/err.h"
#include "crypto/secbuf.h"

#include <stdint.h>

#define TOKEN_TEXT_MAX 8192

/* All lent. */
struct token_place {
	const char *folder; /* made with mode 0700 when it is missing */
	const char *url;    /* of the endpoint */
	const char *client;
	const struct secbuf *secret;
};

/* UN_ERR_NOT_FOUND: none, or one that is (almost) over. UN_ERR_DENIED: not this user's alone. */
MUST_CHECK enum un_err token_cache_get(const struct token_place *place, int64_t now_us,
                                       struct secbuf **ret_token, int64_t *ret_until_us,
                                       struct un_detail *detail);
/* `until_us` of clock_wall_us: not used later than that. */
MUST_CHECK enum un_err token_cache_put(const struct token_place *place, const struct secbuf *token,
                                       int64_t until_us, struct un_detail *detail);
void token_cache_drop(const struct token_place *place);

#endif
