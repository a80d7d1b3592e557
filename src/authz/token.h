/* token.h - what a principal who has logged in shows with every call: made and checked here only.
 *
 * A token is text that nobody but its maker can read anything into: it names an API key by number
 * and epoch, and the time it ends, under a MAC. The key of the MAC is made at start, lies in a
 * secbuf and dies with the process: after a restart every token is void, and clients log in again.
 * Whether the API key still exists is not in the token: the caller asks the directory, with each
 * call, so that a deleted key ends its tokens at once. A mint may be used from any thread.
 *
 *   base64url( version 1 | expires 8 | id 8 | epoch 8 | nonce 7 | mac 16 ): 64 characters */
#ifndef AUTHZ_TOKEN_H
#define AUTHZ_TOKEN_H

#include "base/err.h"
#include "crypto/secbuf.h"

#include <stddef.h>
#include <stdint.h>

#define TOKEN_LEN 64

struct token_mint;

struct token_facts {
	int64_t id; /* of the API key */
	uint64_t epoch;
	int64_t expires_ms; /* of clock_mono_ms */
};

MUST_CHECK enum un_err token_mint_new(struct token_mint **ret_mint);
void token_mint_free(struct token_mint *mint); /* NULL is fine */

/* The text, TOKEN_LEN bytes without a NUL. Two tokens of the same facts differ. */
MUST_CHECK enum un_err token_issue(const struct token_mint *mint, const struct token_facts *facts,
                                   struct secbuf **ret_text);
/* UN_ERR_UNAUTHENTICATED: not made by this mint, changed, or over. What it was is not said. */
MUST_CHECK enum un_err token_check(const struct token_mint *mint, const char *text, size_t len,
                                   int64_t now_ms, struct token_facts *ret_facts);

#endif
