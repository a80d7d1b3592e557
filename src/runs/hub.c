#include "runs/hub.h"

#include "base/alloc.h"

#include <pthread.h>

struct hub {
	pthread_mutex_t lock;
	struct hub_listener *first;
	bool stopped;
};

enum un_err
hub_new(struct hub **ret_hub)
{
	struct hub *hub = mem_zalloc(1, sizeof *hub);

	if (hub == NULL)
		return UN_ERR_NO_MEMORY;
	pthread_mutex_init(&hub->lock, NULL);
	*ret_hub = hub;
	return UN_OK;
}

void
hub_free(struct hub *hub)
{
	if (hub == NULL)
		return;
	pthread_mutex_destroy(&hub->lock);
	mem_free(hub);
}

void
hub_add(struct hub *hub, struct hub_listener *listener)
{
	pthread_mutex_lock(&hub->lock);
	listener->next = hub->first;
	hub->first = listener;
	pthread_mutex_unlock(&hub->lock);
}

void
hub_remove(struct hub *hub, struct hub_listener *listener)
{
	pthread_mutex_lock(&hub->lock);
	for (struct hub_listener **at = &hub->first; *at != NULL; at = &(*at)->next) {
		if (*at == listener) {
			*at = listener->next;
			break;
		}
	}
	pthread_mutex_unlock(&hub->lock);
}

void
hub_wake(struct hub *hub, int64_t execution)
{
	pthread_mutex_lock(&hub->lock);
	for (struct hub_listener *at = hub->first; at != NULL; at = at->next) {
		if (at->execution == execution)
			at->wake(at);
	}
	pthread_mutex_unlock(&hub->lock);
}

void
hub_stop(struct hub *hub)
{
	pthread_mutex_lock(&hub->lock);
	hub->stopped = true;
	for (struct hub_listener *at = hub->first; at != NULL; at = at->next)
		at->wake(at);
	pthread_mutex_unlock(&hub->lock);
}

bool
hub_has_stopped(struct hub *hub)
{
	bool stopped;

	pthread_mutex_lock(&hub->lock);
	stopped = hub->stopped;
	pthread_mutex_unlock(&hub->lock);
	return stopped;
}
