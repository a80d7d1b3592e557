/* loop.h - one epoll loop a thread: descriptors, timers, work posted from other threads.
 *
 * Everything here belongs to the thread that runs the loop, except loop_post, loop_post_task and
 * loop_stop, which any thread may call. Watches, timers, tasks and hooks live in the caller's
 * memory and are only linked while they are set: the loop allocates nothing for them. */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

struct loop;

/* Who comes first when many have something to say. Of the first lane everybody who is ready has a
 * turn in every iteration; the others have a third of a millisecond each, in which whoever waits
 * the longest goes first. What is expensive, or may be made so by strangers, belongs there. */
enum loop_lane {
	LOOP_NOW,
	LOOP_SOON,
	LOOP_LATER,
	LOOP_LANES,
};

/* A descriptor that is watched, level triggered. The owner closes the descriptor after removing it.
 */
struct loop_watch {
	int fd;
	enum loop_lane lane; /* changed by loop_watch_move once it was added */
	uint32_t events; /* EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLEXCLUSIVE, or 0 for errors only */
	void (*fn)(struct loop_watch *watch, uint32_t events);
	void *ctx;
	bool active; /* the loop's */
};

/* Fires once; set it again for more. */
struct loop_timer {
	void (*fn)(struct loop_timer *timer);
	void *ctx;
	int64_t due_ms; /* of clock_mono_ms; the loop's */
	size_t place;   /* in the heap, from 1; 0: not set. The loop's */
};

/* Work for the loop's thread. One task can be queued once at a time. */
struct loop_task {
	void (*fn)(struct loop_task *task);
	void *ctx;
	struct loop_task *next; /* the loop's */
};

/* Runs at the end of every iteration, after all descriptors, timers and tasks of that iteration, in
 * the order added: the place to end a read transaction or to write out what has gathered. */
struct loop_hook {
	void (*fn)(struct loop_hook *hook);
	void *ctx;
	struct loop_hook *next; /* the loop's */
};

MUST_CHECK enum un_err loop_new(struct loop **ret_loop);
/* Not while it runs. Tasks still queued are run first, so that what they own is released. NULL is
 * fine. */
void loop_free(struct loop *loop);

/* Until loop_stop. UN_ERR_IO: epoll itself failed. */
MUST_CHECK enum un_err loop_run(struct loop *loop);
/* One iteration that waits at most `timeout_ms` (-1: until something happens). For tests and tools.
 */
MUST_CHECK enum un_err loop_step(struct loop *loop, int timeout_ms);
void loop_stop(struct loop *loop); /* any thread */
/* The thread that runs loop_run or loop_step now is the caller's. */
bool loop_is_mine(const struct loop *loop);

/* The clock as it was when this iteration woke up. */
int64_t loop_now_ms(const struct loop *loop);

MUST_CHECK enum un_err loop_watch_add(struct loop *loop, struct loop_watch *watch);
/* Changes what is waited for; a no-op when it is that already. */
MUST_CHECK enum un_err loop_watch_set(struct loop *loop, struct loop_watch *watch, uint32_t events);
/* To another lane, also from inside of its own `fn`. An error: it is watched no more. */
MUST_CHECK enum un_err loop_watch_move(struct loop *loop, struct loop_watch *watch,
                                       enum loop_lane lane);
/* Afterwards `fn` is not called any more, also not for events of this iteration. */
void loop_watch_remove(struct loop *loop, struct loop_watch *watch);

/* At `due_ms` of clock_mono_ms; setting a set timer moves it. Needs memory only when more timers
 * are set than ever before. */
MUST_CHECK enum un_err loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t due_ms);
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer); /* not set: nothing happens */

/* Any thread, never fails: `task` runs on the loop's thread, in the order queued. It may be queued
 * again or freed from inside its own function. */
void loop_post_task(struct loop *loop, struct loop_task *task);
/* The same with memory of the loop's. UN_ERR_NO_MEMORY: it will not run. */
MUST_CHECK enum un_err loop_post(struct loop *loop, void (*fn)(void *ctx), void *ctx);

void loop_hook_add(struct loop *loop, struct loop_hook *hook);
void loop_hook_remove(struct loop *loop, struct loop_hook *hook);

#endif
