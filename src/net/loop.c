#include "net/loop.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define EVENTS_MAX 128 /* taken from the kernel at once */
#define TIMERS_MAX 64  /* run in one iteration */
#define LANE_US 300    /* what a lane but the first has in one iteration */
#define HEAP_FIRST_CAP 64

struct lane {
	struct loop_watch door; /* the set of its descriptors, itself watched in the first lane */
	bool open;              /* some of them are ready */
	/* taken from the kernel; what there was no time for is first in the next iteration */
	struct epoll_event events[EVENTS_MAX];
	int count, at;
};

struct loop {
	struct lane lanes[LOOP_LANES];
	struct loop_watch wake; /* an eventfd: something was posted */
	int64_t now_ms;
	_Atomic(pthread_t) thread; /* who runs it; 0: nobody */
	atomic_bool stop;

	struct loop_timer **heap; /* from 1, the earliest first */
	size_t timer_count;
	size_t heap_cap;

	pthread_mutex_t lock; /* of the two below */
	struct loop_task *tasks;
	struct loop_task **tasks_end;

	struct loop_hook *hooks;
};

static void
wake_read(struct loop_watch *watch, uint32_t events)
{
	uint64_t number;
	ssize_t got = read(watch->fd, &number, sizeof number);

	(void)got; /* the tasks are looked at in every iteration anyway */
	(void)events;
}

static void
lane_is_ready(struct loop_watch *watch, uint32_t events)
{
	struct lane *lane = watch->ctx;

	lane->open = true;
	(void)events;
}

static enum un_err
make_lanes(struct loop *loop)
{
	enum un_err err = UN_OK;

	for (int i = 0; i < LOOP_LANES; i++)
		loop->lanes[i].door = (struct loop_watch){
			.fd = -1, .events = EPOLLIN, .fn = lane_is_ready, .ctx = &loop->lanes[i]};
	for (int i = 0; !err && i < LOOP_LANES; i++) {
		loop->lanes[i].door.fd = epoll_create1(EPOLL_CLOEXEC);
		if (loop->lanes[i].door.fd < 0)
			return UN_ERR_IO;
		if (i)
			err = loop_watch_add(loop, &loop->lanes[i].door);
	}
	return err;
}

enum un_err
loop_new(struct loop **ret_loop)
{
	struct loop *loop = mem_zalloc(1, sizeof *loop);
	enum un_err err = UN_ERR_IO;

	if (!loop)
		return UN_ERR_NO_MEMORY;
	pthread_mutex_init(&loop->lock, NULL);
	loop->tasks_end = &loop->tasks;
	loop->now_ms = clock_mono_ms();
	loop->wake = (struct loop_watch){.fd = -1, .events = EPOLLIN, .fn = wake_read, .ctx = loop};
	err = make_lanes(loop);
	if (err)
		goto out;
	err = UN_ERR_IO;
	loop->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake.fd < 0)
		goto out;
	err = loop_watch_add(loop, &loop->wake);
	if (err)
		goto out;
	*ret_loop = loop;
	return UN_OK;
out:
	loop_free(loop);
	return err;
}

static struct loop_task *
tasks_take(struct loop *loop)
{
	struct loop_task *tasks;

	pthread_mutex_lock(&loop->lock);
	tasks = loop->tasks;
	loop->tasks = NULL;
	loop->tasks_end = &loop->tasks;
	pthread_mutex_unlock(&loop->lock);
	return tasks;
}

static void
tasks_run(struct loop *loop)
{
	struct loop_task *task = tasks_take(loop);

	while (task) {
		struct loop_task *next = task->next; /* the function may free or queue it again */

		task->next = NULL;
		task->fn(task);
		task = next;
	}
}

void
loop_free(struct loop *loop)
{
	if (!loop)
		return;
	tasks_run(loop);
	io_close(&loop->wake.fd);
	for (int i = 0; i < LOOP_LANES; i++)
		io_close(&loop->lanes[i].door.fd);
	pthread_mutex_destroy(&loop->lock);
	mem_free(loop->heap);
	mem_free(loop);
}

/* ---- watches ---- */

static enum un_err
control(struct loop *loop, int what, struct loop_watch *watch)
{
	struct epoll_event event = {.events = watch->events, .data.ptr = watch};

	if (epoll_ctl(loop->lanes[watch->lane].door.fd, what, watch->fd, &event))
		return un_err_from_errno(errno);
	return UN_OK;
}

enum un_err
loop_watch_add(struct loop *loop, struct loop_watch *watch)
{
	enum un_err err = control(loop, EPOLL_CTL_ADD, watch);

	watch->active = err == UN_OK;
	return err;
}

enum un_err
loop_watch_set(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
	if (watch->events == events)
		return UN_OK;
	watch->events = events;
	return control(loop, EPOLL_CTL_MOD, watch);
}

void
loop_watch_remove(struct loop *loop, struct loop_watch *watch)
{
	struct lane *lane = &loop->lanes[watch->lane];

	if (!watch->active)
		return;
	watch->active = false;
	(void)epoll_ctl(lane->door.fd, EPOLL_CTL_DEL, watch->fd, NULL);
	for (int i = lane->at; i < lane->count; i++) {
		if (lane->events[i].data.ptr == watch)
			lane->events[i].data.ptr = NULL;
	}
}

enum un_err
loop_watch_move(struct loop *loop, struct loop_watch *watch, enum loop_lane lane)
{
	if (watch->lane == lane)
		return UN_OK;
	loop_watch_remove(loop, watch);
	watch->lane = lane;
	return loop_watch_add(loop, watch);
}

/* ---- timers: a binary heap ---- */

static void
heap_put(struct loop *loop, size_t place, struct loop_timer *timer)
{
	loop->heap[place] = timer;
	timer->place = place;
}

static void
heap_settle(struct loop *loop, size_t place, struct loop_timer *timer)
{
	while (place > 1 && loop->heap[place / 2]->due_ms > timer->due_ms) {
		heap_put(loop, place, loop->heap[place / 2]);
		place /= 2;
	}
	for (;;) {
		size_t child = place * 2;

		if (child > loop->timer_count)
			break;
		if (child < loop->timer_count &&
		    loop->heap[child + 1]->due_ms < loop->heap[child]->due_ms)
			child++;
		if (loop->heap[child]->due_ms >= timer->due_ms)
			break;
		heap_put(loop, place, loop->heap[child]);
		place = child;
	}
	heap_put(loop, place, timer);
}

enum un_err
loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t due_ms)
{
	if (!timer->place && loop->timer_count + 1 >= loop->heap_cap) {
		size_t cap = loop->heap_cap ? loop->heap_cap * 2 : HEAP_FIRST_CAP;
		struct loop_timer **heap = mem_realloc(loop->heap, cap * sizeof *heap);

		if (!heap)
			return UN_ERR_NO_MEMORY;
		loop->heap = heap;
		loop->heap_cap = cap;
	}
	timer->due_ms = due_ms;
	heap_settle(loop, timer->place ? timer->place : ++loop->timer_count, timer);
	return UN_OK;
}

void
loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
	size_t place = timer->place;
	struct loop_timer *last;

	if (!place)
		return;
	timer->place = 0;
	last = loop->heap[loop->timer_count--];
	if (last != timer)
		heap_settle(loop, place, last);
}

static void
timers_run(struct loop *loop)
{
	/* thousands may be due at once: those who have something to say come between */
	for (int i = 0; i < TIMERS_MAX && loop->timer_count; i++) {
		struct loop_timer *timer = loop->heap[1];

		if (timer->due_ms > loop->now_ms)
			return;
		loop_timer_cancel(loop, timer);
		timer->fn(timer);
	}
}

/* ---- posting ---- */

static void
wake_up(struct loop *loop)
{
	uint64_t one = 1;
	ssize_t put;

	do
		put = write(loop->wake.fd, &one, sizeof one);
	while (put < 0 && errno == EINTR); /* EAGAIN: it is awake already */
}

void
loop_post_task(struct loop *loop, struct loop_task *task)
{
	bool was_empty;

	pthread_mutex_lock(&loop->lock);
	was_empty = !loop->tasks;
	task->next = NULL;
	*loop->tasks_end = task;
	loop->tasks_end = &task->next;
	/* inside the lock: the loop may be freed as soon as the task has run */
	if (was_empty)
		wake_up(loop);
	pthread_mutex_unlock(&loop->lock);
}

struct posted {
	struct loop_task task;
	void (*fn)(void *ctx);
};

static void
posted_run(struct loop_task *task)
{
	struct posted *posted = (struct posted *)task;
	void (*fn)(void *ctx) = posted->fn;
	void *ctx = task->ctx;

	mem_free(posted);
	fn(ctx);
}

enum un_err
loop_post(struct loop *loop, void (*fn)(void *ctx), void *ctx)
{
	struct posted *posted = mem_zalloc(1, sizeof *posted);

	if (!posted)
		return UN_ERR_NO_MEMORY;
	posted->task.fn = posted_run;
	posted->task.ctx = ctx;
	posted->fn = fn;
	loop_post_task(loop, &posted->task);
	return UN_OK;
}

/* ---- hooks ---- */

void
loop_hook_add(struct loop *loop, struct loop_hook *hook)
{
	struct loop_hook **at = &loop->hooks;

	while (*at)
		at = &(*at)->next;
	hook->next = NULL;
	*at = hook;
}

void
loop_hook_remove(struct loop *loop, struct loop_hook *hook)
{
	for (struct loop_hook **at = &loop->hooks; *at; at = &(*at)->next) {
		if (*at == hook) {
			*at = hook->next;
			return;
		}
	}
}

static void
hooks_run(struct loop *loop)
{
	for (struct loop_hook *hook = loop->hooks, *next; hook; hook = next) {
		next = hook->next;
		hook->fn(hook);
	}
}

/* ---- running ---- */

static int
wait_ms(struct loop *loop, int timeout_ms)
{
	int left;

	for (int i = 1; i < LOOP_LANES; i++) {
		if (loop->lanes[i].at < loop->lanes[i].count)
			return 0;
	}
	if (!loop->timer_count)
		return timeout_ms;
	left = clock_left_ms(loop->heap[1]->due_ms);
	return timeout_ms < 0 || left < timeout_ms ? left : timeout_ms;
}

static enum un_err
lane_fetch(struct lane *lane, int timeout_ms)
{
	int count = epoll_wait(lane->door.fd, lane->events, EVENTS_MAX, timeout_ms);

	lane->at = 0;
	lane->count = count < 0 ? 0 : count;
	lane->open = lane->count > 0;
	return count < 0 && errno != EINTR ? UN_ERR_IO : UN_OK;
}

static void
lane_step(struct lane *lane)
{
	struct epoll_event *event = &lane->events[lane->at++];
	struct loop_watch *watch = event->data.ptr;

	if (watch)
		watch->fn(watch, event->events);
}

/* As many as there is time for, one at least. */
static enum un_err
lane_run(struct lane *lane)
{
	int64_t until_us = clock_mono_us() + LANE_US;
	enum un_err err = UN_OK;

	do {
		if (lane->at == lane->count)
			err = lane_fetch(lane, 0);
		if (lane->at < lane->count)
			lane_step(lane);
	} while (!err && lane->open && clock_mono_us() < until_us);
	return err;
}

static enum un_err
iterate(struct loop *loop, int timeout_ms)
{
	struct lane *first = &loop->lanes[LOOP_NOW];
	enum un_err err = lane_fetch(first, wait_ms(loop, timeout_ms));

	loop->now_ms = clock_mono_ms();
	while (!err && first->at < first->count)
		lane_step(first);
	for (int i = LOOP_SOON; !err && i < LOOP_LANES; i++) {
		if (loop->lanes[i].open)
			err = lane_run(&loop->lanes[i]);
	}
	if (err)
		return err;
	tasks_run(loop);
	timers_run(loop);
	hooks_run(loop);
	return UN_OK;
}

enum un_err
loop_step(struct loop *loop, int timeout_ms)
{
	atomic_store(&loop->thread, pthread_self());
	return iterate(loop, timeout_ms);
}

enum un_err
loop_run(struct loop *loop)
{
	enum un_err err = UN_OK;

	atomic_store(&loop->thread, pthread_self());
	while (err == UN_OK && !atomic_load(&loop->stop))
		err = iterate(loop, -1);
	return err;
}

void
loop_stop(struct loop *loop)
{
	atomic_store(&loop->stop, true);
	wake_up(loop);
}

bool
loop_is_mine(const struct loop *loop)
{
	return pthread_equal(atomic_load(&((struct loop *)loop)->thread), pthread_self());
}

int64_t
loop_now_ms(const struct loop *loop)
{
	return loop->now_ms;
}
