#include "guard/crew.h"

#include "base/alloc.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

struct crew {
	pthread_t threads[CREW_MAX];
	unsigned count;
	pthread_mutex_t mutex;
	pthread_cond_t told; /* there is work, or the end */
	pthread_cond_t done;
	void (*work)(void *ctx);
	void *ctx;
	unsigned turn; /* of work */
	int busy;      /* below 0: some were there before they were counted */
	bool end;
};

static void *
serve(void *arg)
{
	struct crew *crew = arg;
	unsigned turn = 0;

	(void)pthread_mutex_lock(&crew->mutex);
	if (--crew->busy == 0)
		(void)pthread_cond_signal(&crew->done);
	for (;;) {
		while (crew->turn == turn && !crew->end)
			(void)pthread_cond_wait(&crew->told, &crew->mutex);
		if (crew->end)
			break;
		turn = crew->turn;
		(void)pthread_mutex_unlock(&crew->mutex);
		crew->work(crew->ctx);
		(void)pthread_mutex_lock(&crew->mutex);
		if (--crew->busy == 0)
			(void)pthread_cond_signal(&crew->done);
	}
	(void)pthread_mutex_unlock(&crew->mutex);
	return NULL;
}

enum un_err
crew_new(struct crew **ret_crew)
{
	struct crew *crew = mem_zalloc(1, sizeof *crew);
	long wanted = sysconf(_SC_NPROCESSORS_ONLN) - 1;
	sigset_t all, before;

	if (!crew)
		return UN_ERR_NO_MEMORY;
	if (wanted > CREW_MAX)
		wanted = CREW_MAX;
	(void)pthread_mutex_init(&crew->mutex, NULL);
	(void)pthread_cond_init(&crew->told, NULL);
	(void)pthread_cond_init(&crew->done, NULL);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	while ((long)crew->count < wanted &&
	       pthread_create(&crew->threads[crew->count], NULL, serve, crew) == 0)
		crew->count++;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	/* a thread asks the kernel for this and that before its first line */
	(void)pthread_mutex_lock(&crew->mutex);
	crew->busy += (int)crew->count;
	(void)pthread_mutex_unlock(&crew->mutex);
	crew_wait(crew);
	*ret_crew = crew;
	return UN_OK;
}

void
crew_free(struct crew *crew)
{
	if (!crew)
		return;
	(void)pthread_mutex_lock(&crew->mutex);
	crew->end = true;
	(void)pthread_cond_broadcast(&crew->told);
	(void)pthread_mutex_unlock(&crew->mutex);
	while (crew->count)
		(void)pthread_join(crew->threads[--crew->count], NULL);
	(void)pthread_cond_destroy(&crew->told);
	(void)pthread_cond_destroy(&crew->done);
	(void)pthread_mutex_destroy(&crew->mutex);
	mem_free(crew);
}

void
crew_start(struct crew *crew, void (*work)(void *ctx), void *ctx)
{
	if (!crew || !crew->count)
		return;
	(void)pthread_mutex_lock(&crew->mutex);
	crew->work = work;
	crew->ctx = ctx;
	crew->busy = (int)crew->count;
	crew->turn++;
	(void)pthread_cond_broadcast(&crew->told);
	(void)pthread_mutex_unlock(&crew->mutex);
}

void
crew_wait(struct crew *crew)
{
	if (!crew)
		return;
	(void)pthread_mutex_lock(&crew->mutex);
	while (crew->busy)
		(void)pthread_cond_wait(&crew->done, &crew->mutex);
	(void)pthread_mutex_unlock(&crew->mutex);
}
