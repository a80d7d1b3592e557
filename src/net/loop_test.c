#include "net/loop.h"

#include "base/clock.h"
#include "test.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static char order[64];

static void
note(const char *what)
{
	strncat(order, what, sizeof order - strlen(order) - 1);
}

static void
note_task(struct loop_task *task)
{
	note(task->ctx);
}

static void
note_timer(struct loop_timer *timer)
{
	note(timer->ctx);
}

static void
note_hook(struct loop_hook *hook)
{
	note(hook->ctx);
}

static struct loop *
fresh(void)
{
	struct loop *loop = NULL;

	order[0] = '\0';
	EXPECT_OK(loop_new(&loop));
	return loop;
}

TEST(loop, runs_timers_in_order_and_hooks_last)
{
	struct loop *loop = fresh();
	struct loop_timer timers[3] = {{.fn = note_timer, .ctx = (void *)"c"},
	                               {.fn = note_timer, .ctx = (void *)"a"},
	                               {.fn = note_timer, .ctx = (void *)"b"}};
	struct loop_hook hook = {.fn = note_hook, .ctx = (void *)"|"};
	int64_t now = clock_mono_ms();

	loop_hook_add(loop, &hook);
	EXPECT_OK(loop_timer_set(loop, &timers[0], now - 1));
	EXPECT_OK(loop_timer_set(loop, &timers[1], now - 3));
	EXPECT_OK(loop_timer_set(loop, &timers[2], now - 2));
	EXPECT_OK(loop_step(loop, 0));
	EXPECT_STR("abc|", order);
	loop_hook_remove(loop, &hook);
	EXPECT_OK(loop_step(loop, 0));
	EXPECT_STR("abc|", order);
	loop_free(loop);
}

TEST(loop, forgets_a_cancelled_timer)
{
	struct loop *loop = fresh();
	struct loop_timer timers[200];
	int64_t now = clock_mono_ms();

	for (int i = 0; i < 200; i++) {
		timers[i] =
			(struct loop_timer){.fn = note_timer, .ctx = (void *)(i == 77 ? "x" : "")};
		EXPECT_OK(loop_timer_set(loop, &timers[i], now - (i * 37) % 200));
	}
	for (int i = 0; i < 200; i++) {
		if (i != 77)
			loop_timer_cancel(loop, &timers[i]);
	}
	loop_timer_cancel(loop, &timers[3]); /* twice is fine */
	EXPECT_OK(loop_step(loop, 0));
	EXPECT_STR("x", order);
	loop_free(loop);
}

struct poster {
	struct loop *loop;
	struct loop_task task;
};

static void *
post_from_elsewhere(void *ctx)
{
	struct poster *poster = ctx;

	loop_post_task(poster->loop, &poster->task);
	return NULL;
}

static void
stop_task(struct loop_task *task)
{
	note("stop");
	loop_stop(task->ctx);
}

TEST(loop, runs_what_another_thread_posts)
{
	struct loop *loop = fresh();
	struct poster poster = {.loop = loop, .task = {.fn = stop_task, .ctx = loop}};
	pthread_t thread;

	EXPECT_INT(0, pthread_create(&thread, NULL, post_from_elsewhere, &poster));
	EXPECT_OK(loop_run(loop));
	EXPECT_INT(0, pthread_join(thread, NULL));
	EXPECT_STR("stop", order);
	loop_free(loop);
}

static void
note_ctx(void *ctx)
{
	note(ctx);
}

TORTURE(loop, posts_in_order_or_says_no)
{
	struct loop *loop = NULL;
	struct loop_task task = {.fn = note_task, .ctx = (void *)"2"};
	bool first;

	order[0] = '\0';
	if (loop_new(&loop))
		return;
	first = loop_post(loop, note_ctx, (void *)"1") == UN_OK;
	loop_post_task(loop, &task);
	EXPECT_OK(loop_step(loop, 0));
	EXPECT_STR(first ? "12" : "2", order);
	loop_free(loop);
}

static struct loop *watched_loop;
static struct loop_watch watches[2];

static void
remove_both(struct loop_watch *watch, uint32_t events)
{
	note("w");
	loop_watch_remove(watched_loop, &watches[0]);
	loop_watch_remove(watched_loop, &watches[1]);
}

TEST(loop, does_not_call_a_watch_removed_in_the_same_iteration)
{
	struct loop *loop = fresh();
	int pair[2];

	watched_loop = loop;
	EXPECT_INT(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	for (int i = 0; i < 2; i++) {
		watches[i] =
			(struct loop_watch){.fd = pair[i], .events = EPOLLOUT, .fn = remove_both};
		EXPECT_OK(loop_watch_add(loop, &watches[i]));
	}
	EXPECT_OK(loop_step(loop, 1000));
	EXPECT_STR("w", order);
	close(pair[0]);
	close(pair[1]);
	loop_free(loop);
}

/* ---- lanes ---- */

static struct loop *lane_loop;
static struct loop_watch lane_watches[3];

/* As long as a lane has in one iteration, and more. */
static void
note_and_take_long(struct loop_watch *watch, uint32_t events)
{
	int64_t until_us = clock_mono_us() + 2000;

	note(watch->ctx);
	while (clock_mono_us() < until_us)
		;
}

static void
note_watch(struct loop_watch *watch, uint32_t events)
{
	note(watch->ctx);
}

static void
note_and_move(struct loop_watch *watch, uint32_t events)
{
	note(watch->ctx);
	EXPECT_OK(loop_watch_move(lane_loop, watch, LOOP_NOW));
}

static void
add_lane_watch(int at, int fd, enum loop_lane lane,
               void (*fn)(struct loop_watch *watch, uint32_t events), const char *name)
{
	lane_watches[at] = (struct loop_watch){.fd = dup(fd),
	                                       .lane = lane,
	                                       .events = EPOLLOUT,
	                                       .fn = fn,
	                                       .ctx = (void *)(uintptr_t)name};
	EXPECT_OK(loop_watch_add(lane_loop, &lane_watches[at]));
}

static void
end_lanes(int count, const int pair[2])
{
	for (int i = 0; i < count; i++) {
		loop_watch_remove(lane_loop, &lane_watches[i]);
		close(lane_watches[i].fd);
	}
	close(pair[0]);
	close(pair[1]);
	loop_free(lane_loop);
}

TEST(loop, gives_expensive_ones_one_turn_after_the_others_and_each_in_its_turn)
{
	int pair[2];

	lane_loop = fresh();
	EXPECT_INT(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	add_lane_watch(0, pair[0], LOOP_LATER, note_and_take_long, "1");
	add_lane_watch(1, pair[0], LOOP_LATER, note_and_take_long, "2");
	add_lane_watch(2, pair[0], LOOP_NOW, note_watch, "n");
	for (int i = 0; i < 5; i++)
		EXPECT_OK(loop_step(lane_loop, 1000));
	EXPECT_STR("n1n2n1n2n1", order); /* never one twice while the other waits */
	end_lanes(3, pair);
}

TEST(loop, moves_a_watch_from_inside_of_its_own_call)
{
	int pair[2];

	lane_loop = fresh();
	EXPECT_INT(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	add_lane_watch(0, pair[0], LOOP_SOON, note_and_move, "m");
	add_lane_watch(1, pair[0], LOOP_LATER, note_watch, "");
	for (int i = 0; i < 3; i++)
		EXPECT_OK(loop_step(lane_loop, 1000));
	EXPECT_STR("mmm", order);
	EXPECT_INT(LOOP_NOW, lane_watches[0].lane);
	end_lanes(2, pair);
}

static void
note_and_remove_all(struct loop_watch *watch, uint32_t events)
{
	note_and_take_long(watch, events);
	for (int i = 0; i < 3; i++)
		loop_watch_remove(lane_loop, &lane_watches[i]);
}

TEST(loop, forgets_who_waits_in_a_lane_and_is_removed)
{
	int pair[2];

	lane_loop = fresh();
	EXPECT_INT(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	for (int i = 0; i < 3; i++)
		add_lane_watch(i, pair[0], LOOP_LATER, note_and_remove_all, "x");
	EXPECT_OK(loop_step(lane_loop, 1000));
	EXPECT_OK(loop_step(lane_loop, 0));
	EXPECT_STR("x", order);
	end_lanes(3, pair);
}

TEST_MAIN()
