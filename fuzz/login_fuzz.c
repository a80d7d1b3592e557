/* What a client is told when it logs in, and the API key that a person has pasted. */
#include "client/api_key.h"
#include "client/session.h"
#include "crypto/hash.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct secbuf *token = NULL, *text = NULL, *again = NULL;
	struct api_key key = {.secret = NULL};
	int64_t seconds = 0;
	struct buf url;

	if (!len || crypto_init())
		return 0;
	if (session_read_token(bytes, len, &token, &seconds) == UN_OK &&
	    (seconds < 1 || !secbuf_len(token)))
		abort();
	secbuf_free(token);
	buf_init(&url, 2048, BUF_PLAIN);
	(void)!session_read_metadata(bytes, len, &url);
	buf_fini(&url);
	if (len > 100000 || secbuf_copy(bytes, len, &text))
		return 0;
	if (api_key_parse(text, &key, NULL) == UN_OK) {
		if (api_key_format(&key, &again) == UN_OK)
			secbuf_free(again);
		secbuf_free(key.secret);
	}
	secbuf_free(text);
	return 0;
}
