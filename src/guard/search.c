/* search.c - the search of many bytes: in pieces that overlap, with a crew if there is one.
 *
 * A piece begins where another ends, and goes on into it as far as a value may reach: so what lies
 * over an edge is in one of the two. Of several finds the first in the bytes counts. */
#include "guard/crew.h"
#include "guard/inside.h"

#include <pthread.h>
#include <stdatomic.h>

#define PIECE (8u << 20)
#define ALONE (2 * PIECE) /* fewer bytes are not worth a thread */

struct search {
	const struct redact_set *values;
	const uint8_t *bytes;
	size_t len;
	size_t overlap;
	atomic_size_t next; /* piece */
	atomic_bool stop;
	pthread_mutex_t mutex;
	const char *found;
	size_t found_at;
};

/* Searches the next piece that nobody has taken. False: there is none. */
static bool
search_piece(struct search *search)
{
	size_t at = atomic_fetch_add(&search->next, 1) * PIECE, len, want = PIECE + search->overlap;
	const char *secret;

	if (at >= search->len || atomic_load(&search->stop))
		return false;
	len = search->len - at < want ? search->len - at : want;
	secret = redact_find(search->values, search->bytes + at, len);
	if (!secret)
		return true;
	(void)pthread_mutex_lock(&search->mutex);
	if (!search->found || at < search->found_at) {
		search->found = secret;
		search->found_at = at;
	}
	(void)pthread_mutex_unlock(&search->mutex);
	atomic_store(&search->stop, true);
	return false;
}

static void
run(void *ctx)
{
	while (search_piece(ctx))
		;
}

const char *
guard_find(struct guard *guard, const uint8_t *bytes, size_t len)
{
	struct search search = {.values = guard->options.values,
	                        .bytes = bytes,
	                        .len = len,
	                        .overlap = guard->overlap,
	                        .mutex = PTHREAD_MUTEX_INITIALIZER};
	struct crew *crew = len < ALONE ? NULL : guard->options.crew;

	crew_start(crew, run, &search);
	while (search_piece(&search) && atomic_load(&search.next) * PIECE < len)
		if (guard_gives_up(guard))
			atomic_store(&search.stop, true);
	crew_wait(crew);
	return search.found;
}
