/* oauth_form.h - what a client sends to the token endpoint, read strictly. Pure; any thread.
 *
 * RFC 6749 with client_credentials: a form, and the client's credentials either in an Authorization
 * header (Basic) or in the form, never in both. The secret goes from the request straight into a
 * secbuf; what else was decoded on the way is wiped. */
#ifndef SERVICES_OAUTH_FORM_H
#define SERVICES_OAUTH_FORM_H

#include "base/err.h"
#include "crypto/secbuf.h"
#include "model/name.h"

#include <stddef.h>
#include <stdint.h>

#define OAUTH_FORM_MAX 4096
#define OAUTH_SECRET_MAX 256 /* bytes of a secret that is looked at at all */

/* What is wrong, in the words of RFC 6749. */
enum oauth_fault {
	OAUTH_FINE,
	OAUTH_INVALID_REQUEST,
	OAUTH_INVALID_CLIENT, /* no credentials, or such as no client of ours can have */
	OAUTH_UNSUPPORTED_GRANT,
	OAUTH_NO_MEMORY,
};

struct oauth_request {
	char client[API_KEY_NAME_MAX + 1];
	struct secbuf *secret; /* 1 to OAUTH_SECRET_MAX bytes */
};

/* `type` and `authorization` are headers; NULL: not sent. On OAUTH_FINE the caller frees
 * ret_request->secret. *ret_why is a static sentence that quotes nothing of the request. */
MUST_CHECK enum oauth_fault oauth_form_parse(const char *type, const char *authorization,
                                             const uint8_t *form, size_t len,
                                             struct oauth_request *ret_request,
                                             const char **ret_why);

#endif
