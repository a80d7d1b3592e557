/* tls.h - server side TLS 1.2 and 1.3 with ALPN (h2, http/1.1) on OpenSSL.
 *
 * Nothing of OpenSSL is initialised before the first tls_server_new. A tls_server is shared by all
 * workers; tls_server_reload may be called from any thread, connections made before it keep what
 * they have. */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_server;

struct tls_config {
	const char *certificate_path; /* PEM, leaf first */
	const char *key_path;         /* PEM */
	const char *client_ca_path;   /* PEM or NULL; with it a client certificate is required */
};

/* Could a server be made of it? Files there and readable, the key belongs to the certificate and
 * not everybody can read it. UN_ERR_BAD_CONFIG names the file and why. *ret_expires_s (wall, NULL
 * is fine) is when the certificate ends, also when that is in the past. */
MUST_CHECK enum un_err tls_check(const struct tls_config *config, int64_t *ret_expires_s,
                                 struct un_detail *detail);
/* As tls_check. An expired certificate is served, with a warning from whoever starts: clients
 * judge. The caller owns *ret_tls. */
MUST_CHECK enum un_err tls_server_new(const struct tls_config *config, struct tls_server **ret_tls,
                                      struct un_detail *detail);
/* Reads the files again; after a failure, or for a certificate that has expired, the old one stays
 * in use. */
MUST_CHECK enum un_err tls_server_reload(struct tls_server *tls, struct un_detail *detail);
int64_t tls_server_expires_s(struct tls_server *tls); /* any thread */
void tls_server_free(struct tls_server *tls);         /* NULL is fine */

/* ---- one connection; `fd` stays the caller's and is non-blocking ---- */
struct tls_conn;

MUST_CHECK enum un_err tls_conn_new(struct tls_server *tls, int fd, struct tls_conn **ret_conn);
/* UN_ERR_AGAIN: wait until `fd` can be read, or written if *ret_wants_write. */
MUST_CHECK enum un_err tls_conn_shake(struct tls_conn *conn, bool *ret_wants_write);
bool tls_conn_is_h2(const struct tls_conn *conn); /* as ALPN decided */
/* *ret_len 0: the other side ended. UN_ERR_AGAIN, UN_ERR_IO. */
MUST_CHECK enum un_err tls_conn_read(struct tls_conn *conn, void *bytes, size_t size,
                                     size_t *ret_len);
/* After UN_ERR_AGAIN the same bytes must be offered again (more may follow them). */
MUST_CHECK enum un_err tls_conn_write(struct tls_conn *conn, const void *bytes, size_t len,
                                      size_t *ret_len);
bool tls_conn_pending(const struct tls_conn *conn); /* decrypted bytes wait inside */
void tls_conn_end(struct tls_conn *conn);           /* says goodbye; writes at most once */
void tls_conn_free(struct tls_conn *conn);          /* NULL is fine */

#endif
