/* remote.h - TLS and name servers for a channel, in a module of their own (union-tls.so).
 *
 * The server's certificate is checked against the authorities of wire_remote.ca_file or of the
 * system, and against the host's name, unless wire_remote.skip_verify says that it shall not. TLS
 * 1.2 is the least. A wire belongs to one thread. */
#ifndef CLIENT_REMOTE_H
#define CLIENT_REMOTE_H

#include "client/wire.h"

typedef struct wire_remote remote_offer_fn(void);
#define REMOTE_OFFER "un_remote_offer"
remote_offer_fn un_remote_offer;

#endif
