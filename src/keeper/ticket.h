/* ticket.h - what a launcher shows to get the secrets of one attempt. docs/formats/ticket.md.
 *
 * The keeper mints a ticket and the keeper alone can check it; uniond carries it and may read which
 * attempt it names. A ticket is a bearer capability: it lives in a secbuf, is never logged, and is
 * good until it expires, for one attempt, one scope and a list of names. Any thread. */
#ifndef KEEPER_TICKET_H
#define KEEPER_TICKET_H

#include "base/buf.h"
#include "base/err.h"
#include "crypto/hash.h"
#include "crypto/secbuf.h"
#include "envelope/envelope.h"
#include "model/scope.h"

#include <stdbool.h>

#define TICKET_VERSION 1
#define TICKET_NAMES_MAX 100
#define TICKET_MAC_LEN HASH_LEN
#define TICKET_LIFETIME_MAX_US (7ll * 24 * 3600 * 1000000)
#define TICKET_LEN_MIN (1 + ATTEMPT_ID_LEN + 3 * 4 + 8 + 2 + TICKET_MAC_LEN)
#define TICKET_LEN_MAX                                                                             \
	(TICKET_LEN_MIN + 3 * SCOPE_PART_MAX + TICKET_NAMES_MAX * (4 + SECRET_NAME_MAX))

/* What to put into a ticket. All pointers are lent. */
struct ticket_grant {
	uint8_t attempt[ATTEMPT_ID_LEN];
	const char *org;          /* "" for the one organization of a plane */
	const struct scope *at;   /* where the task runs: both parts */
	int64_t expires_us;       /* of clock_wall_us */
	const char *const *names; /* that the attempt may receive */
	size_t count;             /* 0 to TICKET_NAMES_MAX */
};

/* UN_ERR_BAD_SCOPE, UN_ERR_BAD_NAME, UN_ERR_TOO_LARGE (names), UN_ERR_RANGE (expiry not in the
 * future, or beyond TICKET_LIFETIME_MAX_US). */
MUST_CHECK enum un_err ticket_check_grant(const struct ticket_grant *grant, int64_t now_us,
                                          struct un_detail *detail);
/* Appends the ticket to `out`, which lies in locked memory. `key` is for this purpose only. */
MUST_CHECK enum un_err ticket_pack(const struct secbuf *key, const struct ticket_grant *grant,
                                   struct buf *out);

/* A ticket's fields; names are lent from the ticket's bytes and have no NUL. */
struct ticket_view {
	uint8_t attempt[ATTEMPT_ID_LEN];
	char org[SCOPE_PART_MAX + 1];
	struct scope at;
	int64_t expires_us;
	struct ticket_name {
		const uint8_t *bytes;
		size_t len;
	} names[TICKET_NAMES_MAX];
	size_t count;
};

/* Reads the fields without checking the MAC: what it says is a claim, nothing more.
 * UN_ERR_BAD_TICKET. */
MUST_CHECK enum un_err ticket_unpack(const uint8_t *bytes, size_t len,
                                     struct ticket_view *ret_view);
/* The MAC first, then the fields, then the time. UN_ERR_BAD_TICKET for every fault: a refusal does
 * not say which. */
MUST_CHECK enum un_err ticket_verify(const struct secbuf *key, const uint8_t *bytes, size_t len,
                                     int64_t now_us, struct ticket_view *ret_view);
/* For uniond, to find the attempt that a ticket names; the keeper decides whether it is true. */
MUST_CHECK enum un_err ticket_attempt(const struct secbuf *ticket,
                                      uint8_t ret_attempt[ATTEMPT_ID_LEN]);

/* Whether a checked ticket reaches `id`: its organization, one of its names, in its cascade. */
bool ticket_reaches(const struct ticket_view *view, const struct secret_id *id);

#endif
