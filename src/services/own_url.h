/* own_url.h - URLs of this server, as the client that asks can reach it. Pure; any thread. */
#ifndef SERVICES_OWN_URL_H
#define SERVICES_OWN_URL_H

#include "base/err.h"
#include "net/peer.h"

#define OWN_URL_MAX 280

/* "https://union.example.com:8443": the scheme the client came with and the host it asked for
 * ("localhost" where it named none). UN_ERR_INVALID: that is no host. */
MUST_CHECK enum un_err own_url(const struct net_peer *peer, const char *authority,
                               char text[OWN_URL_MAX], struct un_detail *detail);

#endif
