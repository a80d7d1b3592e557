/* peer.h - who is at the other end of a connection. Pure data. */
#ifndef NET_PEER_H
#define NET_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define NET_ADDRESS_MAX 64
#define NET_ORIGIN_LEN 16

enum net_family {
	NET_UNIX,
	NET_TCP,
};

struct net_peer {
	enum net_family family;
	bool tls;
	/* NET_UNIX: from SO_PEERCRED, as of connect(2). NET_TCP: the uid of the socket's owner when
	 * it is one of this machine, reached over loopback; else (uid_t)-1. gid and pid are -1
	 * there. */
	uid_t uid;
	gid_t gid;
	pid_t pid;
	char address[NET_ADDRESS_MAX]; /* NET_TCP: "127.0.0.1:40312"; NET_UNIX: "unix" */
	/* NET_TCP: what is counted as one place: an IPv4 address (mapped), the /64 of an IPv6
	 * address, or a user of this machine. */
	uint8_t origin[NET_ORIGIN_LEN];
};

#endif
