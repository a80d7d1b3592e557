/* tls.h - server side TLS 1.2 and 1.3 with ALPN (h2, http/1.1) on OpenSSL.
 *
 * Nothing of OpenSSL is initialised before the first tls_server_new. A tls_server is shared by all
 * workers; tls_server_reload may be called from any thread, connections made before it keep what they
 * have. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/err.h"

struct tls_server;

struct tls_config {
	const char *certificate_path; /* PEM, leaf first */
	const char *key_path;         /* PEM */
	const char *client_ca_path;   /* PEM or NULL; with it a client certificate is required */
};

/* UN_ERR_BAD_CONFIG names the file and why. The caller owns *ret_tls. */
MUST_CHECK enum un_err tls_server_new(const struct tls_config *config, struct tls_server **ret_tls,
                                      struct un_detail *detail);
/* Reads the files again; after a failure the old certificate stays in use. */
MUST_CHECK enum un_err tls_server_reload(struct tls_server *tls, struct un_detail *detail);
void tls_server_free(struct tls_server *tls); /* NULL is fine */

#endif
