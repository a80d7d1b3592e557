#include "net/tls.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

struct tls_server {
	pthread_mutex_t lock; /* of ctx, which a reload replaces */
	SSL_CTX *ctx;
	char *certificate_path;
	char *key_path;
	char *client_ca_path; /* or NULL */
	int64_t expires_s;    /* under lock */
};

struct tls_conn {
	SSL *ssl;
};

/* In words of ours where OpenSSL's ("system lib", "PEM lib") say nothing to whoever wrote the path.
 */
static const char *
reason_why(const char *path)
{
	unsigned long first = ERR_peek_error(), last = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(last);

	if (access(path, R_OK))
		return un_err_text(un_err_from_errno(errno));
	if (ERR_GET_LIB(last) == ERR_LIB_X509 && ERR_GET_REASON(last) == X509_R_KEY_VALUES_MISMATCH)
		return "it does not belong to the certificate";
	if (ERR_GET_LIB(first) == ERR_LIB_PEM && ERR_GET_REASON(first) == PEM_R_NO_START_LINE)
		return "there is none in it, in PEM";
	return reason ? reason : "unreadable";
}

static enum un_err
refuse(struct un_detail *detail, const char *what, const char *path)
{
	enum un_err err = un_fail(detail, UN_ERR_BAD_CONFIG, "cannot use the %s %s: %s", what, path,
	                          reason_why(path));

	ERR_clear_error();
	return err;
}

/* ALPN: our order counts; a client that offers neither is refused, as RFC 7301 says. */
static int
choose_protocol(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_len,
                const unsigned char *offered, unsigned int offered_len, void *ctx)
{
	static const unsigned char ours[] = "\x02h2\x08http/1.1";
	unsigned char *name;

	(void)ssl;
	(void)ctx;
	if (SSL_select_next_proto(&name, ret_len, ours, sizeof ours - 1, offered, offered_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret_name = name;
	return SSL_TLSEXT_ERR_OK;
}

/* A key with a passphrase is refused: nobody is there to be asked. */
static int
no_passphrase(char *buf, int size, int writes, void *ctx)
{
	(void)buf;
	(void)size;
	(void)writes;
	(void)ctx;
	return 0;
}

static enum un_err
check_key_mode(const char *path, struct un_detail *detail)
{
	struct stat info;

	if (stat(path, &info))
		return un_fail(detail, UN_ERR_BAD_CONFIG, "cannot use the private key %s: %s", path,
		               un_err_text(un_err_from_errno(errno)));
	if (info.st_mode & S_IRWXO) {
		un_hint(detail, "chmod o= %s", path);
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "the private key %s is open to every user of this machine", path);
	}
	return UN_OK;
}

static enum un_err
load_client_ca(SSL_CTX *ctx, const char *path, struct un_detail *detail)
{
	STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(path);

	if (!names || SSL_CTX_load_verify_locations(ctx, path, NULL) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return refuse(detail, "client CA", path);
	}
	SSL_CTX_set_client_CA_list(ctx, names);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return UN_OK;
}

static enum un_err
load(const struct tls_config *config, SSL_CTX *ctx, struct un_detail *detail)
{
	enum un_err err;

	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, config->certificate_path) != 1)
		return refuse(detail, "certificate", config->certificate_path);
	err = check_key_mode(config->key_path, detail);
	if (err)
		return err;
	if (SSL_CTX_use_PrivateKey_file(ctx, config->key_path, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(ctx) != 1)
		return refuse(detail, "private key", config->key_path);
	return config->client_ca_path ? load_client_ca(ctx, config->client_ca_path, detail) : UN_OK;
}

static int64_t
expires_s(const SSL_CTX *ctx)
{
	const X509 *leaf = SSL_CTX_get0_certificate(ctx);
	struct tm parts;

	if (!leaf || ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &parts) != 1)
		return 0;
	return timegm(&parts);
}

/* Clients of today speak 1.3. What is fast and sound comes first; a client without AES instructions
 * gets ChaCha20. 1.2 has forward secrecy and an AEAD in any case. */
static void
choose_ciphers(SSL_CTX *ctx)
{
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20");
	SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
	                              "TLS_CHACHA20_POLY1305_SHA256");
	SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384");
	/* decrypted bytes are wiped once read; renegotiation has no use here */
	SSL_CTX_set_options(ctx, SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_RENEGOTIATION |
	                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION |
	                                 SSL_OP_PRIORITIZE_CHACHA);
}

/* Sessions resume by tickets that only clients keep, under a key of this ctx: a reload ends them,
 * and nobody makes us remember sessions. One ticket a handshake is enough. Where certificates are
 * asked for there are none: who resumes is not looked at again, and hers may have ended. */
static enum un_err
make_ctx(const struct tls_config *config, SSL_CTX **ret_ctx, struct un_detail *detail)
{
	static const unsigned char session_id[] = "union";
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	enum un_err err;

	if (!ctx)
		return UN_ERR_NO_MEMORY;
	choose_ciphers(ctx);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	                              SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_id_context(ctx, session_id, sizeof session_id - 1);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ctx, config->client_ca_path ? 0 : 1);
	if (config->client_ca_path)
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	err = load(config, ctx, detail);
	if (err) {
		SSL_CTX_free(ctx);
		return err;
	}
	*ret_ctx = ctx;
	return UN_OK;
}

enum un_err
tls_check(const struct tls_config *config, int64_t *ret_expires_s, struct un_detail *detail)
{
	SSL_CTX *ctx;
	enum un_err err = make_ctx(config, &ctx, detail);

	if (err)
		return err;
	if (ret_expires_s)
		*ret_expires_s = expires_s(ctx);
	SSL_CTX_free(ctx);
	return UN_OK;
}

static struct tls_config
config_of(const struct tls_server *tls)
{
	return (struct tls_config){tls->certificate_path, tls->key_path, tls->client_ca_path};
}

enum un_err
tls_server_new(const struct tls_config *config, struct tls_server **ret_tls,
               struct un_detail *detail)
{
	struct tls_server *tls = mem_zalloc(1, sizeof *tls);
	enum un_err err = UN_ERR_NO_MEMORY;

	if (!tls)
		return err;
	pthread_mutex_init(&tls->lock, NULL);
	tls->certificate_path = mem_strdup(config->certificate_path);
	tls->key_path = mem_strdup(config->key_path);
	if (config->client_ca_path)
		tls->client_ca_path = mem_strdup(config->client_ca_path);
	if (tls->certificate_path && tls->key_path &&
	    (!config->client_ca_path || tls->client_ca_path))
		err = make_ctx(config, &tls->ctx, detail);
	if (!err)
		tls->expires_s = expires_s(tls->ctx);
	if (err) {
		tls_server_free(tls);
		return err;
	}
	*ret_tls = tls;
	return UN_OK;
}

enum un_err
tls_server_reload(struct tls_server *tls, struct un_detail *detail)
{
	const struct tls_config config = config_of(tls);
	SSL_CTX *ctx, *old;
	enum un_err err = make_ctx(&config, &ctx, detail);

	if (err)
		return err;
	if (expires_s(ctx) < clock_wall_us() / 1000000) {
		SSL_CTX_free(ctx);
		return un_fail(detail, UN_ERR_BAD_CONFIG, "the certificate %s has expired",
		               tls->certificate_path);
	}
	pthread_mutex_lock(&tls->lock);
	old = tls->ctx;
	tls->ctx = ctx;
	tls->expires_s = expires_s(ctx);
	pthread_mutex_unlock(&tls->lock);
	SSL_CTX_free(old); /* connections hold on to it as long as they need it */
	return UN_OK;
}

int64_t
tls_server_expires_s(struct tls_server *tls)
{
	int64_t when;

	pthread_mutex_lock(&tls->lock);
	when = tls->expires_s;
	pthread_mutex_unlock(&tls->lock);
	return when;
}

void
tls_server_free(struct tls_server *tls)
{
	if (!tls)
		return;
	SSL_CTX_free(tls->ctx);
	pthread_mutex_destroy(&tls->lock);
	mem_free(tls->certificate_path);
	mem_free(tls->key_path);
	mem_free(tls->client_ca_path);
	mem_free(tls);
}

/* ---- one connection ---- */

enum un_err
tls_conn_new(struct tls_server *tls, int fd, struct tls_conn **ret_conn)
{
	struct tls_conn *conn = mem_zalloc(1, sizeof *conn);

	if (!conn)
		return UN_ERR_NO_MEMORY;
	pthread_mutex_lock(&tls->lock);
	conn->ssl = SSL_new(tls->ctx);
	pthread_mutex_unlock(&tls->lock);
	if (!conn->ssl || SSL_set_fd(conn->ssl, fd) != 1) {
		tls_conn_free(conn);
		return UN_ERR_NO_MEMORY;
	}
	SSL_set_accept_state(conn->ssl);
	*ret_conn = conn;
	return UN_OK;
}

static enum un_err
outcome(struct tls_conn *conn, int result)
{
	switch (SSL_get_error(conn->ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return UN_ERR_AGAIN;
	default:
		ERR_clear_error();
		return UN_ERR_IO;
	}
}

enum un_err
tls_conn_shake(struct tls_conn *conn, bool *ret_wants_write)
{
	int result;

	ERR_clear_error();
	result = SSL_do_handshake(conn->ssl);
	*ret_wants_write = result != 1 && SSL_want_write(conn->ssl);
	return result == 1 ? UN_OK : outcome(conn, result);
}

bool
tls_conn_is_h2(const struct tls_conn *conn)
{
	const unsigned char *name;
	unsigned len;

	SSL_get0_alpn_selected(conn->ssl, &name, &len);
	return len == 2 && text_equal(name, "h2", 2);
}

enum un_err
tls_conn_read(struct tls_conn *conn, void *bytes, size_t size, size_t *ret_len)
{
	int result;

	ERR_clear_error();
	result = SSL_read_ex(conn->ssl, bytes, size, ret_len);
	if (result == 1)
		return UN_OK;
	*ret_len = 0;
	if (SSL_get_error(conn->ssl, result) == SSL_ERROR_ZERO_RETURN)
		return UN_OK;
	return outcome(conn, result);
}

enum un_err
tls_conn_write(struct tls_conn *conn, const void *bytes, size_t len, size_t *ret_len)
{
	int result;

	ERR_clear_error();
	result = SSL_write_ex(conn->ssl, bytes, len, ret_len);
	return result == 1 ? UN_OK : outcome(conn, result);
}

bool
tls_conn_pending(const struct tls_conn *conn)
{
	return SSL_pending(conn->ssl) > 0;
}

void
tls_conn_end(struct tls_conn *conn)
{
	(void)SSL_shutdown(conn->ssl);
	ERR_clear_error();
}

void
tls_conn_free(struct tls_conn *conn)
{
	if (!conn)
		return;
	SSL_free(conn->ssl);
	mem_free(conn);
}
