/* The listeners of a plane, and everything that is served on them. */
#include "services/plane_impl.h"
#include "services/plane_services.h"

#include "base/text.h"
#include "net/tcp_owner.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define HOST_MAX 64

/* "127.0.0.1:8080" or "[::1]:8080". */
static enum un_err
split_address(const char *text, char host[HOST_MAX], uint16_t *ret_port, struct un_detail *detail)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	const char *from = text;
	uint64_t port;

	if (len > 1 && text[0] == '[' && text[len - 1] == ']') {
		from++;
		len -= 2;
	}
	if (!colon || len == 0 || len >= HOST_MAX || text_parse_u64(colon + 1, &port) ||
	    port > 65535)
		return un_fail(detail, UN_ERR_BAD_CONFIG, "'%s' is not ADDRESS:PORT", text);
	memcpy(host, from, len);
	host[len] = '\0';
	*ret_port = (uint16_t)port;
	return UN_OK;
}

/* Does the client call this machine by a name that can be no other's? */
static bool
is_loopback(const char *authority)
{
	static const char *const names[] = {"localhost", "[::1]"};
	char host[HOST_MAX];
	size_t len = strcspn(authority, ":");
	struct in_addr v4;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		size_t name_len = strlen(names[i]);

		if (strncasecmp(authority, names[i], name_len) == 0 &&
		    (authority[name_len] == '\0' || authority[name_len] == ':'))
			return true;
	}
	if (len >= sizeof host)
		return false;
	memcpy(host, authority, len);
	host[len] = '\0';
	return inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

/* This version knows one principal, the local user: whoever runs uniond, and root. Over a Unix
 * socket the listener has checked it; a loopback port is open to every user of the machine, so
 * there the owner of the other socket was looked up when the connection was accepted. */
static enum un_err
only_the_local_user(struct rpc_call *call, void *ctx, struct un_detail *detail)
{
	const struct net_peer *peer = rpc_peer(call);

	(void)ctx;
	/* A browser of the user's is that user, too: a page from elsewhere whose name was made to
	 * point here still asks for its own name. Over TLS that name's certificate is not ours. */
	if (peer->family == NET_TCP && !peer->tls && !is_loopback(rpc_authority(call)))
		return un_fail(detail, UN_ERR_UNAUTHENTICATED,
		               "this control plane is asked for by another machine's name");
	if (peer->uid == geteuid() || peer->uid == 0)
		return UN_OK;
	return un_fail(detail, UN_ERR_UNAUTHENTICATED,
	               "this control plane serves the user that runs it, and no one else");
}

static bool
ready(void *ctx, struct un_detail *why)
{
	struct plane *plane = ctx;

	if (keeper_supervisor_pid(plane->supervisor) == 0) {
		(void)un_fail(why, UN_ERR_UNREACHABLE, "the keeper is down");
		return false;
	}
	return true;
}

enum un_err
plane_open_server(struct plane *plane,
                  enum un_err (*worker_init)(void *ctx, struct loop *loop, unsigned index,
                                             void **ret_worker),
                  void (*worker_fini)(void *ctx, void *worker), struct un_detail *detail)
{
	const struct plane_options *options = &plane->options;
	const struct tls_config tls = {
		.certificate_path = options->tls_certificate,
		.key_path = options->tls_key,
		.client_ca_path = options->tls_client_ca[0] ? options->tls_client_ca : NULL,
	};
	bool with_tls = options->tls_certificate[0] != '\0';
	struct net_listener_config listeners[2] = {{.unix_path = options->listen_unix}};
	struct server_options server = {
		.listeners = listeners,
		.listener_count = 1,
		.tls = with_tls ? &tls : NULL,
		.workers = plane->worker_count,
		.authenticate = only_the_local_user,
		.worker_init = worker_init,
		.worker_fini = worker_fini,
		.worker_ctx = plane,
		.ready = ready,
		.ready_ctx = plane,
	};
	char host[HOST_MAX];
	enum un_err err;

	plane_services_offer(plane, &server);
	if (options->listen_tcp[0]) {
		struct net_listener_config *tcp = &listeners[server.listener_count++];

		err = split_address(options->listen_tcp, host, &tcp->port, detail);
		if (err)
			return err;
		tcp->host = host;
		tcp->tls_mode = with_tls ? NET_TLS_REQUIRED : NET_TLS_OFF;
	}
	return server_new(&server, &plane->server, detail);
}
