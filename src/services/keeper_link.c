#include "services/keeper_link.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"

void
keeper_link_init(struct keeper_link *link)
{
	*link = (struct keeper_link){.next_fd = -1, .watch = {.fd = -1}};
	(void)pthread_mutex_init(&link->lock, NULL);
}

/* The client's descriptor may be another one after each call into it: watch what is there now. */
static void
follow_socket(struct keeper_link *link)
{
	int fd = keeper_client_fd(link->client);
	uint32_t events = fd < 0 ? 0 : (uint32_t)keeper_client_events(link->client);

	if (link->watch.active && link->watch.fd != fd)
		loop_watch_remove(link->loop, &link->watch);
	if (fd < 0)
		return;
	link->watch.fd = fd;
	link->watch.events = events;
	if (link->watch.active ? loop_watch_set(link->loop, &link->watch, events)
	                       : loop_watch_add(link->loop, &link->watch))
		log_error("keeper", "cannot watch the keeper's socket");
}

static void
follow_deadline(struct keeper_link *link)
{
	int64_t due = keeper_client_deadline(link->client);

	if (due == INT64_MAX)
		loop_timer_cancel(link->loop, &link->timer);
	else if (loop_timer_set(link->loop, &link->timer, due))
		log_error("keeper", "out of memory for a timer");
}

static void
on_socket(struct loop_watch *watch, uint32_t events)
{
	struct keeper_link *link = watch->ctx;
	int fd = watch->fd;
	enum un_err err;

	(void)events;
	err = keeper_client_pump(link->client);
	if (err)
		log_warn("keeper", "lost the keeper: %s", un_err_text(err));
	if (keeper_client_fd(link->client) != fd && link->watch.active)
		loop_watch_remove(link->loop, &link->watch);
}

static void
on_deadline(struct loop_timer *timer)
{
	struct keeper_link *link = timer->ctx;

	keeper_client_expire(link->client, clock_mono_ms());
}

static void
on_batch_end(struct loop_hook *hook)
{
	struct keeper_link *link =
		(struct keeper_link *)((char *)hook - offsetof(struct keeper_link, hook));

	if (link->watch.active && keeper_client_fd(link->client) != link->watch.fd)
		loop_watch_remove(link->loop, &link->watch);
	keeper_client_flush(link->client);
	follow_socket(link);
	follow_deadline(link);
}

static void
attach_given(struct keeper_link *link)
{
	int fd;

	(void)pthread_mutex_lock(&link->lock);
	fd = link->next_fd;
	link->next_fd = -1;
	link->arriving = false;
	(void)pthread_mutex_unlock(&link->lock);
	if (fd < 0)
		return;
	if (link->watch.active)
		loop_watch_remove(link->loop, &link->watch); /* before the client closes it */
	keeper_client_attach(link->client, fd);
	follow_socket(link);
}

static void
on_arrival(struct loop_task *task)
{
	attach_given(task->ctx);
}

enum un_err
keeper_link_open(struct keeper_link *link, struct loop *loop)
{
	enum un_err err = keeper_client_new(&link->client);

	if (err)
		return err;
	link->loop = loop;
	link->watch = (struct loop_watch){.fd = -1, .fn = on_socket, .ctx = link};
	link->timer = (struct loop_timer){.fn = on_deadline, .ctx = link};
	link->hook = (struct loop_hook){.fn = on_batch_end};
	link->arrival = (struct loop_task){.fn = on_arrival, .ctx = link};
	loop_hook_add(loop, &link->hook);
	(void)pthread_mutex_lock(&link->lock);
	link->open = true;
	(void)pthread_mutex_unlock(&link->lock);
	attach_given(link);
	return UN_OK;
}

void
keeper_link_give(struct keeper_link *link, int fd)
{
	bool post;

	(void)pthread_mutex_lock(&link->lock);
	io_close(&link->next_fd);
	link->next_fd = fd;
	post = link->open && !link->arriving;
	if (post)
		link->arriving = true;
	(void)pthread_mutex_unlock(&link->lock);
	if (post)
		loop_post_task(link->loop, &link->arrival);
}

void
keeper_link_close(struct keeper_link *link)
{
	if (!link->client)
		return;
	(void)pthread_mutex_lock(&link->lock);
	link->open = false;
	(void)pthread_mutex_unlock(&link->lock);
	if (link->watch.active)
		loop_watch_remove(link->loop, &link->watch);
	loop_timer_cancel(link->loop, &link->timer);
	loop_hook_remove(link->loop, &link->hook);
	keeper_client_free(link->client);
	link->client = NULL;
}

void
keeper_link_fini(struct keeper_link *link)
{
	io_close(&link->next_fd);
	(void)pthread_mutex_destroy(&link->lock);
}
