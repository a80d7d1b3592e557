/* endpoint.h - where a control plane is: unix:///path, http://127.0.0.1:port, https://host:port.
 *
 * Pure. Cleartext leads to loopback only: a value's seal does not hide names, logs or results. */
#ifndef CLIENT_ENDPOINT_H
#define CLIENT_ENDPOINT_H

#include "base/err.h"

#include <stdint.h>

#define ENDPOINT_PATH_MAX 4096
#define ENDPOINT_HOST_MAX 256

enum endpoint_kind {
	ENDPOINT_UNIX,
	ENDPOINT_HTTP,
	ENDPOINT_HTTPS,
};

struct endpoint {
	enum endpoint_kind kind;
	char path[ENDPOINT_PATH_MAX]; /* UNIX */
	char host[ENDPOINT_HOST_MAX]; /* without the brackets of an IPv6 address */
	uint16_t port;
};

/* UN_ERR_BAD_CONFIG. A bare "host:port" or "dns:///host:port" is https. */
MUST_CHECK enum un_err endpoint_parse(const char *text, struct endpoint *ret_endpoint,
                                      struct un_detail *detail);
/* The path of `url` when it points at this endpoint: "/path", or a whole URL of the same scheme,
 * host and port (for UNIX: http://localhost/path). UN_ERR_UNSUPPORTED otherwise. Lends. */
MUST_CHECK enum un_err endpoint_path_of(const struct endpoint *endpoint, const char *url,
                                        const char **ret_path, struct un_detail *detail);

#endif
