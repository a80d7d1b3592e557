/* crowd.h - how many connections there are, in all and from one place.
 *
 * One crowd for all workers of a server. A place is what `origin` of a net_peer says: an IPv4
 * address, the /64 of an IPv6 address, or a user of this machine. Any thread. */
#ifndef NET_CROWD_H
#define NET_CROWD_H

#include "base/err.h"
#include "net/limit.h"
#include "net/peer.h"

#include <stdbool.h>
#include <stdint.h>

struct crowd;
struct crowd_place;

enum crowd_verdict {
	CROWD_IN,
	CROWD_FULL,         /* there are too many in all */
	CROWD_FULL_ADDRESS, /* too many from there */
};

/* `limits` is lent. */
MUST_CHECK enum un_err crowd_new(const struct net_limits *limits, struct crowd **ret_crowd);
void crowd_free(struct crowd *crowd); /* everybody has left; NULL is fine */

/* One more connection, if there is room. `own`: of this process's user, for whom a quarter of all
 * is kept. After CROWD_IN *ret_place goes to crowd_leave; it is NULL for Unix sockets, which have
 * no limit of their own. */
enum crowd_verdict crowd_enter(struct crowd *crowd, const struct net_peer *peer, bool own,
                               struct crowd_place **ret_place);
void crowd_leave(struct crowd *crowd, struct crowd_place *place);

/* ---- what a place costs: times are of clock_mono_us ---- */

/* A worker was busy for somebody there. */
void crowd_spend(struct crowd_place *place, int64_t from_us, int64_t to_us);
/* It has had more than a fifth of a processor of late: others go first. NULL: never. */
bool crowd_is_heavy(const struct crowd_place *place, int64_t now_us);

#endif
