#include "net/shaker.h"

#include "base/alloc.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 8
#define NICE 5       /* who is in goes before who wants in, also for the kernel */
#define HEAVY_TURN 4 /* one in so many is of those who cost much, when there are both */

struct queue {
	struct shake *first, **end;
};

struct shaker {
	pthread_mutex_t lock;
	pthread_cond_t asked;
	struct queue light, heavy;
	unsigned turn;
	bool stopped;
	unsigned count;
	pthread_t threads[THREADS_MAX];
};

static struct shake *
queue_take(struct queue *queue)
{
	struct shake *shake = queue->first;

	if (!shake)
		return NULL;
	queue->first = shake->next;
	if (!queue->first)
		queue->end = &queue->first;
	return shake;
}

static void
queue_put(struct queue *queue, struct shake *shake)
{
	shake->next = NULL;
	*queue->end = shake;
	queue->end = &shake->next;
}

/* Under the lock. */
static struct shake *
next_shake(struct shaker *shaker)
{
	bool heavy = ++shaker->turn % HEAVY_TURN == 0;
	struct shake *shake = queue_take(heavy ? &shaker->heavy : &shaker->light);

	return shake ? shake : queue_take(heavy ? &shaker->light : &shaker->heavy);
}

static int64_t
thread_us(void)
{
	struct timespec used;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used))
		return 0;
	return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

static void
finish(struct shake *shake, enum un_err err)
{
	shake->err = err;
	loop_post_task(shake->loop, &shake->task); /* the caller's again */
}

static void *
shaker_main(void *ctx)
{
	struct shaker *shaker = ctx;

	/* of this thread alone, as Linux has it; without it workers only wait a little longer */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	pthread_mutex_lock(&shaker->lock);
	while (!shaker->stopped) {
		struct shake *shake = next_shake(shaker);
		int64_t from_us;
		enum un_err err;

		if (!shake) {
			pthread_cond_wait(&shaker->asked, &shaker->lock);
			continue;
		}
		pthread_mutex_unlock(&shaker->lock);
		from_us = thread_us();
		err = tls_conn_shake(shake->tls, &shake->wants_write);
		shake->cost_us = thread_us() - from_us;
		finish(shake, err);
		pthread_mutex_lock(&shaker->lock);
	}
	pthread_mutex_unlock(&shaker->lock);
	return NULL;
}

enum un_err
shaker_new(unsigned threads, struct shaker **ret_shaker)
{
	struct shaker *shaker = mem_zalloc(1, sizeof *shaker);
	sigset_t all, old;

	if (!shaker)
		return UN_ERR_NO_MEMORY;
	pthread_mutex_init(&shaker->lock, NULL);
	pthread_cond_init(&shaker->asked, NULL);
	shaker->light.end = &shaker->light.first;
	shaker->heavy.end = &shaker->heavy.first;
	sigfillset(&all); /* signals are for the main thread */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (shaker->count < threads && shaker->count < THREADS_MAX &&
	       !pthread_create(&shaker->threads[shaker->count], NULL, shaker_main, shaker))
		shaker->count++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!shaker->count) {
		shaker_free(shaker);
		return UN_ERR_NO_MEMORY;
	}
	*ret_shaker = shaker;
	return UN_OK;
}

void
shaker_ask(struct shaker *shaker, struct shake *shake)
{
	bool stopped;

	shake->wants_write = false;
	shake->cost_us = 0;
	pthread_mutex_lock(&shaker->lock);
	stopped = shaker->stopped;
	if (!stopped) {
		queue_put(shake->heavy ? &shaker->heavy : &shaker->light, shake);
		pthread_cond_signal(&shaker->asked);
	}
	pthread_mutex_unlock(&shaker->lock);
	if (stopped)
		finish(shake, UN_ERR_SHUTTING_DOWN);
}

void
shaker_stop(struct shaker *shaker)
{
	struct shake *shake;

	pthread_mutex_lock(&shaker->lock);
	shaker->stopped = true;
	pthread_cond_broadcast(&shaker->asked);
	pthread_mutex_unlock(&shaker->lock);
	for (; shaker->count; shaker->count--)
		(void)pthread_join(shaker->threads[shaker->count - 1], NULL);
	while ((shake = next_shake(shaker)))
		finish(shake, UN_ERR_SHUTTING_DOWN);
}

void
shaker_free(struct shaker *shaker)
{
	if (!shaker)
		return;
	shaker_stop(shaker);
	pthread_cond_destroy(&shaker->asked);
	pthread_mutex_destroy(&shaker->lock);
	mem_free(shaker);
}
