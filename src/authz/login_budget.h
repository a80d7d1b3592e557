/* login_budget.h - how many logins may fail, before the next one is not even looked at.
 *
 * Secrets of API keys have 256 random bits: nobody guesses one. What a budget protects is work: a
 * login costs the keeper a hash and the disk a record. Four kinds of buckets, each with a burst and
 * a rate at which it fills again:
 *
 *   this client from this address   a forgotten job with a deleted key stops itself, nobody else
 *   this address (IPv6: its /64)    one machine trying many names; all its logins wait then
 *   this client, from anywhere      over it, failures are neither recorded nor told apart; the
 *                                   right secret is let in all the same, so that no stranger can
 *                                   lock a client out
 *   everybody                       the same, for a flood from many places
 *
 * A login that succeeds costs nothing. The table has a fixed size; when it is full, the bucket that
 * is nearest to being full again makes room: memory runs out in favour of clients. Any thread. */
#ifndef AUTHZ_LOGIN_BUDGET_H
#define AUTHZ_LOGIN_BUDGET_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define LOGIN_BUDGET_PAIR 10    /* failures at once, then one in 10 s */
#define LOGIN_BUDGET_ADDRESS 60 /* then one in 2 s */
#define LOGIN_BUDGET_CLIENT 30  /* then one in 10 s */
#define LOGIN_BUDGET_ALL 300    /* then one a second */

struct login_budget;

MUST_CHECK enum un_err login_budget_new(struct login_budget **ret_budget);
void login_budget_free(struct login_budget *budget); /* NULL is fine */

/* Who tries: the name it gives and where it is ("192.0.2.7:40312", "[2001:db8::1]:443", or any
 * other text for itself). Lent. */
struct login_try {
	const char *client;
	const char *address;
};

/* Takes one from the two buckets of the address. False: one is empty, *ret_wait_s says for how
 * long. */
MUST_CHECK bool login_budget_take(struct login_budget *budget, const struct login_try *try,
                                  int64_t now_ms, unsigned *ret_wait_s);
/* It succeeded, or nobody looked at it: gives back what was taken. */
void login_budget_give_back(struct login_budget *budget, const struct login_try *try,
                            int64_t now_ms);
/* It failed. False: too many did; this one is only counted. */
MUST_CHECK bool login_budget_failed(struct login_budget *budget, const struct login_try *try,
                                    int64_t now_ms);

#endif
