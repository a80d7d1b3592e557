/* api_key.h - an API key as people carry it: base64 of "endpoint:client_id:client_secret:org".
 *
 * Existing clients want a bare host for the endpoint; here it may have a port. "None" stands for no
 * organization. The secret goes from one secbuf into another; no copy is left. Any thread. */
#ifndef CLIENT_API_KEY_H
#define CLIENT_API_KEY_H

#include "base/err.h"
#include "crypto/secbuf.h"

#define API_KEY_TEXT_MAX 4096
#define API_KEY_ENDPOINT_MAX 280
#define API_KEY_CLIENT_MAX 256

struct api_key {
	char endpoint[API_KEY_ENDPOINT_MAX]; /* "union.example.com" or "union.example.com:8443" */
	char client[API_KEY_CLIENT_MAX];
	struct secbuf *secret;
};

/* The caller frees ret_key->secret. UN_ERR_BAD_CONFIG: this is no API key; nothing of it is quoted.
 */
MUST_CHECK enum un_err api_key_parse(const struct secbuf *text, struct api_key *ret_key,
                                     struct un_detail *detail);
/* The text, without a NUL. */
MUST_CHECK enum un_err api_key_format(const struct api_key *key, struct secbuf **ret_text);

#endif
