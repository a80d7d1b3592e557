#include "net/crowd.h"

#include "base/alloc.h"
#include "base/text.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>

#define BUCKETS 4096    /* a power of two */
#define SHARE 5         /* one part in so many of a processor is everybody's */
#define HEAVY_US 4000   /* beyond that share */
#define SPENT_MAX 50000 /* forgotten in a quarter of a second */
#define SPELL_MAX 1000  /* what is longer was the scheduler's doing */

struct crowd_place {
	struct crowd_place *next;
	uint8_t origin[NET_ORIGIN_LEN];
	unsigned count;
	/* of all workers, without a lock: a sum that is lost now and then changes nothing */
	_Atomic int64_t spent_us, spent_at_us;
};

struct crowd {
	const struct net_limits *limits;
	pthread_mutex_t lock;
	uint64_t seed; /* nobody outside knows who shares a bucket */
	unsigned total;
	struct crowd_place *buckets[BUCKETS];
};

enum un_err
crowd_new(const struct net_limits *limits, struct crowd **ret_crowd)
{
	struct crowd *crowd = mem_zalloc(1, sizeof *crowd);

	if (!crowd)
		return UN_ERR_NO_MEMORY;
	crowd->limits = limits;
	pthread_mutex_init(&crowd->lock, NULL);
	/* without random numbers it is only easier to make one bucket long */
	(void)!getrandom(&crowd->seed, sizeof crowd->seed, GRND_NONBLOCK);
	*ret_crowd = crowd;
	return UN_OK;
}

void
crowd_free(struct crowd *crowd)
{
	if (!crowd)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (crowd->buckets[i]) {
			struct crowd_place *place = crowd->buckets[i];

			crowd->buckets[i] = place->next;
			mem_free(place);
		}
	}
	pthread_mutex_destroy(&crowd->lock);
	mem_free(crowd);
}

static struct crowd_place **
bucket_of(struct crowd *crowd, const uint8_t origin[NET_ORIGIN_LEN])
{
	uint64_t words[2], hash;

	memcpy(words, origin, sizeof words);
	hash = (words[0] ^ crowd->seed) * 0x9e3779b97f4a7c15u;
	hash = (hash ^ (hash >> 29) ^ words[1]) * 0xbf58476d1ce4e5b9u;
	return &crowd->buckets[(hash >> 40) & (BUCKETS - 1)];
}

/* NULL: there was no memory. */
static struct crowd_place *
find_or_make(struct crowd *crowd, const uint8_t origin[NET_ORIGIN_LEN])
{
	struct crowd_place **bucket = bucket_of(crowd, origin), *place;

	for (place = *bucket; place; place = place->next) {
		if (text_equal(place->origin, origin, NET_ORIGIN_LEN))
			return place;
	}
	place = mem_zalloc(1, sizeof *place);
	if (!place)
		return NULL;
	memcpy(place->origin, origin, NET_ORIGIN_LEN);
	place->next = *bucket;
	*bucket = place;
	return place;
}

static void
drop_if_empty(struct crowd *crowd, struct crowd_place *place)
{
	struct crowd_place **at = bucket_of(crowd, place->origin);

	if (place->count)
		return;
	while (*at != place)
		at = &(*at)->next;
	*at = place->next;
	mem_free(place);
}

static enum crowd_verdict
enter_place(struct crowd *crowd, const struct net_peer *peer, struct crowd_place **ret_place)
{
	struct crowd_place *place = NULL;

	if (peer->family != NET_UNIX) {
		place = find_or_make(crowd, peer->origin);
		if (!place)
			return CROWD_FULL;
		if (place->count >= crowd->limits->connections_per_address) {
			drop_if_empty(crowd, place);
			return CROWD_FULL_ADDRESS;
		}
		place->count++;
	}
	*ret_place = place;
	return CROWD_IN;
}

enum crowd_verdict
crowd_enter(struct crowd *crowd, const struct net_peer *peer, bool own,
            struct crowd_place **ret_place)
{
	unsigned most = crowd->limits->connections;
	enum crowd_verdict verdict = CROWD_FULL;

	if (!own)
		most -= most / 4;
	pthread_mutex_lock(&crowd->lock);
	if (crowd->total < most)
		verdict = enter_place(crowd, peer, ret_place);
	if (verdict == CROWD_IN)
		crowd->total++;
	pthread_mutex_unlock(&crowd->lock);
	return verdict;
}

void
crowd_leave(struct crowd *crowd, struct crowd_place *place)
{
	pthread_mutex_lock(&crowd->lock);
	crowd->total--;
	if (place) {
		place->count--;
		drop_if_empty(crowd, place);
	}
	pthread_mutex_unlock(&crowd->lock);
}

static int64_t
spent_us(const struct crowd_place *place, int64_t now_us)
{
	int64_t since = atomic_load_explicit(&place->spent_at_us, memory_order_relaxed);
	int64_t spent = atomic_load_explicit(&place->spent_us, memory_order_relaxed);

	if (now_us > since)
		spent -= (now_us - since) / SHARE;
	return spent < 0 ? 0 : spent;
}

void
crowd_spend(struct crowd_place *place, int64_t from_us, int64_t to_us)
{
	int64_t spell = to_us - from_us < SPELL_MAX ? to_us - from_us : SPELL_MAX;
	int64_t spent = spent_us(place, to_us) + spell;

	atomic_store_explicit(&place->spent_us, spent < SPENT_MAX ? spent : SPENT_MAX,
	                      memory_order_relaxed);
	atomic_store_explicit(&place->spent_at_us, to_us, memory_order_relaxed);
}

bool
crowd_is_heavy(const struct crowd_place *place, int64_t now_us)
{
	return place && spent_us(place, now_us) > HEAVY_US;
}
