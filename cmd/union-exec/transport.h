/* transport.h - what this build of union-exec can reach besides Unix sockets and loopback. */
#ifndef UNION_EXEC_TRANSPORT_H
#define UNION_EXEC_TRANSPORT_H

#include "client/wire.h"

/* NULL: nothing. `ca_file` is lent; NULL: the system's authorities. Once in a process. */
const struct wire_remote *transport_remote(const char *ca_file);

#endif
