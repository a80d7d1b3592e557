#include "authz/login_budget.h"

#include "base/alloc.h"
#include "crypto/hash.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>

#define WAYS 4
#define SETS 2048
#define ADDRESS_MAX 80

enum kind {
	KIND_PAIR,
	KIND_ADDRESS,
	KIND_CLIENT,
	KIND_ALL,
};

static const struct {
	int64_t burst, fill_ms; /* one more each so many milliseconds */
} rules[] = {
	[KIND_PAIR] = {LOGIN_BUDGET_PAIR, 10000},
	[KIND_ADDRESS] = {LOGIN_BUDGET_ADDRESS, 2000},
	[KIND_CLIENT] = {LOGIN_BUDGET_CLIENT, 10000},
	[KIND_ALL] = {LOGIN_BUDGET_ALL, 1000},
};

/* A bucket is one number: the time at which it will be full. Each failure moves it by fill_ms; it
 * is empty when it is burst * fill_ms away. A time that has passed is a full bucket, as good as
 * none. */
struct bucket {
	uint64_t tag;
	int64_t full_at_ms;
};

struct login_budget {
	pthread_mutex_t lock;
	struct secbuf *key; /* nobody shall choose names that share a set */
	struct bucket all;
	struct bucket sets[SETS][WAYS];
};

enum un_err
login_budget_new(struct login_budget **ret_budget)
{
	struct login_budget *budget = mem_zalloc(1, sizeof *budget);
	enum un_err err;

	if (!budget)
		return UN_ERR_NO_MEMORY;
	err = secbuf_new(HASH_LEN, &budget->key);
	if (err) {
		mem_free(budget);
		return err;
	}
	random_bytes(secbuf_edit(budget->key), HASH_LEN);
	(void)pthread_mutex_init(&budget->lock, NULL);
	*ret_budget = budget;
	return UN_OK;
}

void
login_budget_free(struct login_budget *budget)
{
	if (!budget)
		return;
	(void)pthread_mutex_destroy(&budget->lock);
	secbuf_free(budget->key);
	mem_free(budget);
}

/* The address without its port; of an IPv6 address the half that names the network, since who has
 * one has all 2^64. Returns the length. */
static size_t
network_of(const char *address, char out[ADDRESS_MAX])
{
	const char *host = address[0] == '[' ? address + 1 : address;
	size_t len = address[0] == '[' ? strcspn(host, "]") : strcspn(host, ":");
	struct in6_addr six;

	len = len < ADDRESS_MAX ? len : ADDRESS_MAX - 1;
	memcpy(out, host, len);
	out[len] = '\0';
	if (address[0] != '[' || inet_pton(AF_INET6, out, &six) != 1)
		return len;
	if (IN6_IS_ADDR_V4MAPPED(&six)) {
		memcpy(out, six.s6_addr + 12, 4);
		return 4;
	}
	memcpy(out, six.s6_addr, 8);
	return 8;
}

static struct bucket *
bucket_of(struct login_budget *budget, enum kind kind, const struct login_try *try, int64_t now_ms)
{
	const uint8_t word = (uint8_t)kind;
	char network[ADDRESS_MAX];
	size_t len = kind == KIND_CLIENT ? 0 : network_of(try->address, network);
	const char *client = kind == KIND_ADDRESS ? "" : try->client;
	const struct hash_part parts[] = {{&word, 1}, {network, len}, {client, strlen(client)}};
	struct bucket *set, *best;
	uint8_t mac[HASH_LEN];
	uint64_t tag;

	if (kind == KIND_ALL)
		return &budget->all;
	hash_mac(budget->key, parts, 3, mac);
	memcpy(&tag, mac, sizeof tag);
	set = budget->sets[mac[8] | (mac[9] << 8 & (SETS - 1))];
	best = set;
	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].tag == tag)
			return &set[i];
		if (set[i].full_at_ms < best->full_at_ms)
			best = &set[i];
	}
	*best = (struct bucket){.tag = tag, .full_at_ms = now_ms};
	return best;
}

/* How long until the bucket has one; 0: it has. */
static int64_t
wait_of(const struct bucket *bucket, enum kind kind, int64_t now_ms)
{
	int64_t over = bucket->full_at_ms - now_ms + rules[kind].fill_ms -
	               rules[kind].burst * rules[kind].fill_ms;

	return over > 0 ? over : 0;
}

static void
charge(struct bucket *bucket, enum kind kind, int64_t now_ms)
{
	if (bucket->full_at_ms < now_ms)
		bucket->full_at_ms = now_ms;
	bucket->full_at_ms += rules[kind].fill_ms;
}

bool
login_budget_take(struct login_budget *budget, const struct login_try *try, int64_t now_ms,
                  unsigned *ret_wait_s)
{
	static const enum kind kinds[] = {KIND_PAIR, KIND_ADDRESS};
	int64_t wait_ms = 0;

	(void)pthread_mutex_lock(&budget->lock);
	for (unsigned i = 0; !wait_ms && i < 2; i++)
		wait_ms = wait_of(bucket_of(budget, kinds[i], try, now_ms), kinds[i], now_ms);
	for (unsigned i = 0; !wait_ms && i < 2; i++)
		charge(bucket_of(budget, kinds[i], try, now_ms), kinds[i], now_ms);
	(void)pthread_mutex_unlock(&budget->lock);
	if (wait_ms)
		*ret_wait_s = (unsigned)((wait_ms + 999) / 1000);
	return !wait_ms;
}

void
login_budget_give_back(struct login_budget *budget, const struct login_try *try, int64_t now_ms)
{
	static const enum kind kinds[] = {KIND_PAIR, KIND_ADDRESS};

	(void)pthread_mutex_lock(&budget->lock);
	for (unsigned i = 0; i < 2; i++)
		bucket_of(budget, kinds[i], try, now_ms)->full_at_ms -= rules[kinds[i]].fill_ms;
	(void)pthread_mutex_unlock(&budget->lock);
}

bool
login_budget_failed(struct login_budget *budget, const struct login_try *try, int64_t now_ms)
{
	static const enum kind kinds[] = {KIND_CLIENT, KIND_ALL};
	bool within = true;

	(void)pthread_mutex_lock(&budget->lock);
	for (unsigned i = 0; within && i < 2; i++) {
		struct bucket *bucket = bucket_of(budget, kinds[i], try, now_ms);

		within = !wait_of(bucket, kinds[i], now_ms);
		if (within)
			charge(bucket, kinds[i], now_ms);
	}
	(void)pthread_mutex_unlock(&budget->lock);
	return within;
}
