/* The module union-tls.so. One OpenSSL context a connection is enough: a command makes one. */
#include "client/remote.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct tls {
	SSL_CTX *context;
	SSL *ssl;
};

/* With TLS 1.3 a client learns only after its handshake that its certificate is not accepted. */
static const char *
refusal_of(const SSL *ssl)
{
	unsigned long error = ERR_peek_last_error();

	if (ERR_GET_LIB(error) != ERR_LIB_SSL)
		return NULL;
	switch (ERR_GET_REASON(error)) {
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
		return "asks for a certificate of the client's";
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
	case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
		return SSL_get_certificate(ssl) ? "does not accept the certificate of this client"
		                                : "asks for a certificate of the client's";
	default:
		return NULL;
	}
}

/* Waits for what OpenSSL asks for. UN_ERR_UNREACHABLE: the connection is over. */
static enum un_err
wait_for(struct wire *wire, int result, int64_t deadline_ms)
{
	struct tls *tls = wire->tls;

	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return wire_wait(wire->fd, POLLIN, wire->wake_fd, deadline_ms);
	case SSL_ERROR_WANT_WRITE:
		return wire_wait(wire->fd, POLLOUT, wire->wake_fd, deadline_ms);
	default:
		wire->refusal = refusal_of(tls->ssl);
		return UN_ERR_UNREACHABLE;
	}
}

static enum un_err
tls_read(struct wire *wire, void *bytes, size_t len, int64_t deadline_ms, size_t *ret_len)
{
	struct tls *tls = wire->tls;

	for (;;) {
		size_t got = 0;
		enum un_err err;
		int result;

		ERR_clear_error();
		result = SSL_read_ex(tls->ssl, bytes, len, &got);
		if (result > 0) {
			*ret_len = got;
			return UN_OK;
		}
		if (SSL_get_error(tls->ssl, result) == SSL_ERROR_ZERO_RETURN) {
			*ret_len = 0;
			return UN_OK;
		}
		err = wait_for(wire, result, deadline_ms);
		if (err)
			return err;
	}
}

static enum un_err
tls_write(struct wire *wire, const void *bytes, size_t len, int64_t deadline_ms)
{
	struct tls *tls = wire->tls;

	while (len) {
		size_t done = 0;
		enum un_err err;
		int result;

		ERR_clear_error();
		result = SSL_write_ex(tls->ssl, bytes, len, &done);
		if (result > 0)
			return UN_OK;
		err = wait_for(wire, result, deadline_ms);
		if (err)
			return err;
	}
	return UN_OK;
}

static void
tls_free(struct tls *tls)
{
	SSL_free(tls->ssl);
	SSL_CTX_free(tls->context);
	mem_free(tls);
}

static void
tls_close(struct wire *wire)
{
	struct tls *tls = wire->tls;

	(void)SSL_shutdown(tls->ssl);
	tls_free(tls);
	wire->tls = NULL;
	io_close(&wire->fd);
}

/* What TLS says to itself between two requests (session tickets) is no data. */
static bool
tls_is_stale(struct wire *wire)
{
	struct pollfd poll_fd = {.fd = wire->fd, .events = POLLIN | POLLRDHUP};
	struct tls *tls = wire->tls;
	size_t got = 0;
	char byte;
	int result;

	if (poll(&poll_fd, 1, 0) == 0)
		return false;
	ERR_clear_error();
	result = SSL_peek_ex(tls->ssl, &byte, 1, &got);
	return result > 0 || SSL_get_error(tls->ssl, result) != SSL_ERROR_WANT_READ;
}

static const struct wire_ops tls_ops = {
	.read = tls_read,
	.write = tls_write,
	.is_stale = tls_is_stale,
	.close = tls_close,
};

/* Nobody is asked for a passphrase: the key is one that a file protects. */
static int
no_passphrase(char *buf, int size, int writes, void *ctx)
{
	(void)buf;
	(void)size;
	(void)writes;
	(void)ctx;
	return 0;
}

static bool
use_certificate(SSL_CTX *context, const struct wire_remote *remote)
{
	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
	return SSL_CTX_use_certificate_chain_file(context, remote->certificate_file) == 1 &&
	       SSL_CTX_use_PrivateKey_file(context, remote->key_file, SSL_FILETYPE_PEM) == 1 &&
	       SSL_CTX_check_private_key(context) == 1;
}

static enum un_err
set_up(struct tls *tls, const struct wire_remote *remote, const struct endpoint *endpoint, int fd)
{
	static const unsigned char protocols[] = "\x08http/1.1";
	X509_VERIFY_PARAM *param;
	struct in6_addr address;
	bool is_address = inet_pton(AF_INET, endpoint->host, &address) == 1 ||
	                  inet_pton(AF_INET6, endpoint->host, &address) == 1;
	bool ok;

	tls->context = SSL_CTX_new(TLS_client_method());
	if (!tls->context)
		return UN_ERR_NO_MEMORY;
	SSL_CTX_set_verify(tls->context, remote->skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
	                   NULL);
	ok = SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) == 1;
	ok = ok && SSL_CTX_set_alpn_protos(tls->context, protocols, sizeof protocols - 1) == 0;
	if (ok)
		ok = (remote->ca_file ? SSL_CTX_load_verify_file(tls->context, remote->ca_file)
		                      : SSL_CTX_set_default_verify_paths(tls->context)) == 1;
	if (!ok)
		return UN_ERR_BAD_CONFIG;
	if (remote->certificate_file && !use_certificate(tls->context, remote))
		return UN_ERR_FILE_MISSING;
	SSL_CTX_set_mode(tls->context, SSL_MODE_AUTO_RETRY | SSL_MODE_RELEASE_BUFFERS);
	tls->ssl = SSL_new(tls->context);
	if (!tls->ssl || SSL_set_fd(tls->ssl, fd) != 1)
		return UN_ERR_NO_MEMORY;
	param = SSL_get0_param(tls->ssl);
	if (is_address)
		return X509_VERIFY_PARAM_set1_ip_asc(param, endpoint->host) ? UN_OK
		                                                            : UN_ERR_NO_MEMORY;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (!X509_VERIFY_PARAM_set1_host(param, endpoint->host, 0) ||
	    !SSL_set_tlsext_host_name(tls->ssl, endpoint->host))
		return UN_ERR_NO_MEMORY;
	return UN_OK;
}

static enum un_err
explain(struct tls *tls, const struct endpoint *endpoint, enum un_err err, struct un_detail *detail)
{
	long verdict = SSL_get_verify_result(tls->ssl);
	char reason[256];

	if (err == UN_ERR_INTERRUPTED)
		return err;
	if (err == UN_ERR_TIMEOUT)
		return un_fail(detail, err, "%s did not finish the TLS handshake in time",
		               endpoint->host);
	if (verdict != X509_V_OK) {
		un_hint(detail, "name its authority: --ca-file of union create login, "
		                "admin.caCertFilePath in the configuration, or "
		                "SSL_CERT_FILE; and use a host that is in the certificate");
		return un_fail(detail, UN_ERR_UNAUTHENTICATED,
		               "the certificate of %s is not accepted: %s", endpoint->host,
		               X509_verify_cert_error_string(verdict));
	}
	ERR_error_string_n(ERR_peek_last_error(), reason, sizeof reason);
	return un_fail(detail, UN_ERR_UNREACHABLE, "no TLS with %s port %u: %s", endpoint->host,
	               endpoint->port, ERR_peek_last_error() ? reason : "it hung up");
}

static enum un_err
start_tls(const struct wire_remote *remote, struct wire *wire, const struct endpoint *endpoint,
          int64_t deadline_ms, struct un_detail *detail)
{
	struct tls *tls = mem_zalloc(1, sizeof *tls);
	enum un_err err;

	if (!tls)
		return UN_ERR_NO_MEMORY;
	err = set_up(tls, remote, endpoint, wire->fd);
	if (err) {
		tls_free(tls);
		if (err == UN_ERR_FILE_MISSING)
			return un_fail(detail, UN_ERR_BAD_CONFIG,
			               "cannot use the certificate %.200s with the key %.200s",
			               remote->certificate_file, remote->key_file);
		return err == UN_ERR_BAD_CONFIG
		               ? un_fail(detail, err, "cannot read the authorities in %.300s",
		                         remote->ca_file ? remote->ca_file : "the system's store")
		               : err;
	}
	wire->tls = tls;
	wire->refusal = NULL;
	while (!err) {
		int result;

		ERR_clear_error();
		result = SSL_connect(tls->ssl);
		if (result == 1)
			break;
		err = wait_for(wire, result, deadline_ms);
	}
	if (err) {
		err = explain(tls, endpoint, err, detail);
		tls_free(tls);
		wire->tls = NULL;
		return err;
	}
	wire->ops = &tls_ops;
	return UN_OK;
}

static enum un_err
connect_by_name(const struct wire_remote *remote, const struct endpoint *endpoint, int wake_fd,
                int64_t deadline_ms, int *ret_fd, struct un_detail *detail)
{
	struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
	struct addrinfo *found = NULL;
	enum un_err err = UN_ERR_UNREACHABLE;
	char port[8];
	int failure;

	(void)snprintf(port, sizeof port, "%u", endpoint->port);
	failure = getaddrinfo(endpoint->host, port, &wanted, &found);
	if (failure)
		return un_fail(detail, UN_ERR_UNREACHABLE, "cannot find '%s': %s", endpoint->host,
		               gai_strerror(failure));
	errno = 0;
	for (struct addrinfo *at = found; at && err == UN_ERR_UNREACHABLE; at = at->ai_next)
		err = wire_connect_address(at->ai_addr, at->ai_addrlen, wake_fd, deadline_ms,
		                           ret_fd);
	failure = errno;
	freeaddrinfo(found);
	if (err == UN_ERR_UNREACHABLE || err == UN_ERR_TIMEOUT)
		return un_fail(detail, err, "cannot reach %s port %s: %s", endpoint->host, port,
		               err == UN_ERR_TIMEOUT ? "no answer in time"
		                                     : strerrordesc_np(failure));
	return err;
}

struct wire_remote
un_remote_offer(void)
{
	return (struct wire_remote){.connect = connect_by_name, .start_tls = start_tls};
}
