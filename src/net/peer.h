/* peer.h - who is at the other end of a connection. Pure data. */
#ifndef NET_PEER_H
#define NET_PEER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define NET_ADDRESS_MAX 64

enum net_family {
	NET_UNIX,
	NET_TCP,
};

struct net_peer {
	enum net_family family;
	bool tls;
	uid_t uid; /* NET_UNIX: from SO_PEERCRED, as of connect(2) */
	gid_t gid;
	pid_t pid;
	char address[NET_ADDRESS_MAX]; /* NET_TCP: "127.0.0.1:40312"; NET_UNIX: "unix" */
};

#endif
