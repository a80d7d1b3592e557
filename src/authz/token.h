/* token.h - what a principal who has logged in shows with every call: made and checked here only.
 *
 * A token is text that nobody but its maker can read anything into: it names an API key (its number
 * and epoch too, for another key may have the name later) and the time it ends, under a MAC. The
 * key of the MAC is made at start, lies in a secbuf and dies with the process: after a restart
 * every token is void, and clients log in again. Whether the API key still exists is not in the
 * token: the caller asks the directory, with each call, so that a deleted key ends its tokens at
 * once. A mint may be used from any thread.
 *
 *   base64url( version 1 | expires 8 | id 8 | epoch 4 | nonce 8 | name 1.. | mac 16 ) */
#ifndef AUTHZ_TOKEN_H
#define AUTHZ_TOKEN_H

#include "base/err.h"
#include "crypto/secbuf.h"
#include "model/name.h"

#include <stddef.h>
#include <stdint.h>

#define TOKEN_MAC_LEN 16
#define TOKEN_HEAD_LEN 29 /* bytes before the name */
#define TOKEN_BYTES_MIN (TOKEN_HEAD_LEN + 1 + TOKEN_MAC_LEN)
#define TOKEN_BYTES_MAX (TOKEN_HEAD_LEN + API_KEY_NAME_MAX + TOKEN_MAC_LEN)
#define TOKEN_TEXT_MAX ((TOKEN_BYTES_MAX * 4 + 2) / 3) /* without a NUL */

struct token_mint;

struct token_facts {
	char name[API_KEY_NAME_MAX + 1]; /* of the API key */
	int64_t id;                      /* of its row */
	uint32_t epoch;
	int64_t expires_ms; /* of clock_mono_ms */
};

MUST_CHECK enum un_err token_mint_new(struct token_mint **ret_mint);
void token_mint_free(struct token_mint *mint); /* NULL is fine */

/* The text, without a NUL. Two tokens of the same facts differ. UN_ERR_INVALID: a name that no API
 * key has. */
MUST_CHECK enum un_err token_issue(const struct token_mint *mint, const struct token_facts *facts,
                                   struct secbuf **ret_text);
/* UN_ERR_UNAUTHENTICATED: not made by this mint, changed, or over. What it was is not said. */
MUST_CHECK enum un_err token_check(const struct token_mint *mint, const char *text, size_t len,
                                   int64_t now_ms, struct token_facts *ret_facts);

#endif
