/* address.h - "ADDRESS:PORT" as people write it: 127.0.0.1:8080, [::]:443. Numeric only: a name
 * would be asked of somebody else. Any thread. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include "base/err.h"
#include "net/peer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_ADDRESSES_MAX 4

struct net_address {
	char host[NET_ADDRESS_MAX]; /* without brackets */
	uint16_t port;
	bool loopback; /* 127.0.0.0/8 or ::1 */
};

/* One to NET_ADDRESSES_MAX addresses, with blanks between them. UN_ERR_BAD_CONFIG. */
MUST_CHECK enum un_err net_addresses_parse(const char *text,
                                           struct net_address ret_addresses[NET_ADDRESSES_MAX],
                                           size_t *ret_count, struct un_detail *detail);

#endif
