/* What anybody may send to the token endpoint, before a login: a line of content-type, a line of
 * authorization (each may be empty: not sent), then the form. */
#include "crypto/hash.h"
#include "services/oauth_form.h"

#include <stdlib.h>
#include <string.h>

#define LINE_SIZE 4096

/* Cuts a line off the front. */
static const char *
line(const uint8_t **bytes, size_t *len, char out[LINE_SIZE])
{
	const uint8_t *eol = *len ? memchr(*bytes, '\n', *len) : NULL;
	size_t size = eol ? (size_t)(eol - *bytes) : *len;
	size_t kept = size < LINE_SIZE - 1 ? size : LINE_SIZE - 1;

	memcpy(out, *bytes, kept);
	out[kept] = '\0';
	*bytes += eol ? size + 1 : size;
	*len -= eol ? size + 1 : size;
	return out[0] ? out : NULL;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct oauth_request request = {.secret = NULL};
	char type[LINE_SIZE], authorization[LINE_SIZE];
	const char *first, *second, *why = NULL;

	if (!len || crypto_init())
		return 0;
	first = line(&bytes, &len, type);
	second = line(&bytes, &len, authorization);
	if (oauth_form_parse(first, second, bytes, len, &request, &why) == OAUTH_FINE) {
		if (name_check_api_key(request.client, NULL) || !secbuf_len(request.secret))
			abort();
		secbuf_free(request.secret);
	} else if (request.secret || !why) {
		abort();
	}
	return 0;
}
