#include "net/shaker.h"

#include "test.h"

static int over;

static void
count_over(struct loop_task *task)
{
	struct shake *shake = task->ctx;

	EXPECT_INT(UN_ERR_SHUTTING_DOWN, shake->err);
	over++;
}

/* Connections that are freed only when their step is over must hear of it in any case. */
TEST(shaker, tells_everybody_once_that_it_has_stopped)
{
	struct shake shakes[3];
	struct shaker *shaker = NULL;
	struct loop *loop = NULL;

	EXPECT_OK(loop_new(&loop));
	EXPECT_OK(shaker_new(2, &shaker));
	shaker_stop(shaker);
	for (int i = 0; i < 3; i++) {
		shakes[i] = (struct shake){.loop = loop,
		                           .task = {.fn = count_over, .ctx = &shakes[i]},
		                           .heavy = i == 1};
		shaker_ask(shaker, &shakes[i]);
	}
	EXPECT_OK(loop_step(loop, 0));
	EXPECT_INT(3, over);
	EXPECT_OK(loop_step(loop, 0));
	EXPECT_INT(3, over);
	shaker_free(shaker);
	loop_free(loop);
}

TORTURE(shaker, is_there_as_a_whole_or_not_at_all)
{
	struct shaker *shaker = NULL;

	if (!shaker_new(1, &shaker))
		EXPECT(shaker != NULL);
	shaker_free(shaker);
}

TEST_MAIN()
