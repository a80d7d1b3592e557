#include "runs/runs_story.h"

/* ---- crashes ---- */

/* No node has two claimed attempts whose launchers live. */
static void
expect_no_twins(struct plane_fixture *f)
{
	for (size_t i = 0; i < f->engine.count; i++) {
		for (size_t j = 0; j < i; j++) {
			struct launcher *a = &f->engine.launchers[i], *b = &f->engine.launchers[j];

			if (a->alive && b->alive && a->claimed && b->claimed)
				EXPECT(strncmp(a->label, b->label, 2) != 0);
		}
	}
}

/* One launcher's life in single steps, so that a crash can come between any two. */
static void
step_all(struct plane_fixture *f)
{
	for (size_t i = 0; i < f->engine.count; i++) {
		struct launcher *launcher = &f->engine.launchers[i];
		enum un_err err;

		if (!launcher->alive)
			continue;
		if (!launcher->claimed) {
			err = claim_as(f, launcher, NULL);
			if (err == UN_ERR_BAD_TICKET)
				dies(f, launcher);
			expect_no_twins(f);
			continue;
		}
		err = finish_as(f, launcher, OUTCOME_SUCCEEDED, ints(8));
		if (err == UN_OK || err == UN_ERR_BAD_TICKET)
			dies(f, launcher);
	}
}

TEST(crash, a_crash_after_any_durable_step_loses_nothing_and_doubles_nothing)
{
	long crash;
	bool reached = true;

	for (crash = 1; reached && crash < 40; crash++) {
		struct plane_fixture f;
		struct runs_name name;
		Union__V1__LaunchRequest *request;
		int rounds = 0;

		begin(&f, 8);
		request = diamond();
		request->execution->inputs = ints(5);
		runs_writes_left = crash;
		EXPECT_OK(runs_launch(f.runs, request, &asker, &name, &f.detail));
		for (int i = 0; i < 8 && runs_writes_left != 0; i++)
			step_all(&f);
		reached = runs_writes_left == 0;
		if (reached)
			step_all(&f); /* launchers notice that nobody answers */
		runs_writes_left = -1;
		EXPECT_OK(fixture_restart(&f));
		while (state_of(&f) == RUN_RUNNING && rounds++ < 50) {
			step_all(&f);
			f.now_us += 1000000;
			runs_tick(f.runs);
		}
		EXPECT_INT(RUN_SUCCEEDED, state_of(&f));
		EXPECT_INT(8, output_of_run(&f));
		end(&f);
	}
	EXPECT(!reached && crash > 8);
}

TEST(crash, a_write_that_fails_is_tried_again_and_nothing_is_done_before)
{
	struct plane_fixture f;
	int rounds = 0;

	begin(&f, 8);
	launch(&f, diamond());
	runs_writes_left = 0;
	for (int i = 0; i < 5; i++) {
		step_all(&f);
		f.now_us += 1000000;
		runs_tick(f.runs);
	}
	EXPECT_INT(2, f.engine.count);
	runs_writes_left = -1;
	while (state_of(&f) == RUN_RUNNING && rounds++ < 50) {
		step_all(&f);
		f.now_us += 1000000;
		runs_tick(f.runs);
	}
	EXPECT_INT(RUN_SUCCEEDED, state_of(&f));
	end(&f);
}

/* Each allocation of a launch fails once: it is refused whole, or accepted and run. */
TEST(crash, a_launch_that_runs_out_of_memory_is_refused_or_runs)
{
	bool fired = true;

	for (long nth = 1; fired && nth < 3000; nth += 1 + nth / 20) {
		struct plane_fixture f;
		struct runs_name name;
		Union__V1__LaunchRequest *request;
		enum un_err err;
		int rounds = 0;

		begin(&f, 8);
		request = diamond();
		request->execution->inputs = ints(5);
		fault_arm(FAULT_ALLOC, nth);
		err = runs_launch(f.runs, request, &asker, &name, &f.detail);
		fired = fault_fired();
		fault_disarm();
		while (!err && state_of(&f) == RUN_RUNNING && rounds++ < 50) {
			f.now_us += 1000000;
			runs_tick(f.runs);
			step_all(&f);
		}
		if (!err)
			EXPECT_INT(RUN_SUCCEEDED, state_of(&f));
		else
			EXPECT_INT(0, runs_active_count(f.runs));
		end(&f);
	}
	EXPECT(!fired);
}

TEST_MAIN()
