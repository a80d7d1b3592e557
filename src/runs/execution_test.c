#include "runs/execution.h"

#include "base/alloc.h"
#include "test.h"

#define SECOND 1000000ll

/* A graph by hand: `deps` has a string a node, of the places it waits for. */
static struct graph_node nodes[4];
static struct graph graph;
static uint32_t places[4][4];
static const char *const ids[] = {"a", "b", "c", "d"};

static struct execution *
begin(const char *const deps[], size_t count)
{
	struct execution *execution;

	memset(nodes, 0, sizeof nodes);
	graph = (struct graph){.nodes = nodes, .node_count = count};
	for (size_t i = 0; i < count; i++) {
		nodes[i].id = ids[i];
		nodes[i].deps = places[i];
		for (; deps[i][nodes[i].dep_count] != '\0'; nodes[i].dep_count++)
			places[i][nodes[i].dep_count] =
				(uint32_t)(deps[i][nodes[i].dep_count] - '0');
	}
	EXPECT_OK(execution_new(&graph, SECOND, &execution));
	EXPECT_OK(execution_settle(execution, SECOND));
	return execution;
}

static void
run(struct execution *execution, uint32_t place, int64_t now_us)
{
	static const uint8_t id[ATTEMPT_ID_LEN] = {1}, hash[HASH_LEN] = {2};

	execution_begin(execution, place, id, now_us);
	EXPECT_OK(execution_claim(execution, place, hash, now_us));
}

static void
finish(struct execution *execution, uint32_t place, enum outcome outcome, int64_t now_us)
{
	EXPECT_OK(execution_finish(execution, place, outcome, NULL, 0, now_us));
}

static const char *const diamond[] = {"", "0", "0", "12"};
static const char *const pair[] = {"", "", "0"};

TEST(execution, nodes_begin_when_all_they_wait_for_has_succeeded)
{
	struct execution *execution = begin(diamond, 4);

	EXPECT_INT(NODE_READY, execution->nodes[0].state);
	EXPECT_INT(NODE_WAITING, execution->nodes[1].state);
	run(execution, 0, SECOND);
	finish(execution, 0, OUTCOME_SUCCEEDED, SECOND);
	EXPECT_INT(NODE_READY, execution->nodes[1].state);
	EXPECT_INT(NODE_READY, execution->nodes[2].state);
	run(execution, 1, SECOND);
	run(execution, 2, SECOND);
	finish(execution, 1, OUTCOME_SUCCEEDED, SECOND);
	EXPECT_INT(NODE_WAITING, execution->nodes[3].state);
	finish(execution, 2, OUTCOME_SUCCEEDED, SECOND);
	EXPECT_INT(NODE_READY, execution->nodes[3].state);
	run(execution, 3, SECOND);
	finish(execution, 3, OUTCOME_SUCCEEDED, SECOND);
	EXPECT(execution->succeeded && !execution_is_over(execution));
	EXPECT_OK(execution_end(execution, NULL, SECOND));
	EXPECT_INT(RUN_SUCCEEDED, execution->state);
	execution_free(execution);
}

TEST(execution, where_the_policy_says_so_others_go_on_after_a_failure)
{
	struct execution *execution = begin(pair, 3);

	graph.fail_late = true;
	run(execution, 0, SECOND);
	finish(execution, 0, OUTCOME_FAILED, SECOND);
	EXPECT_INT(NODE_SKIPPED, execution->nodes[2].state);
	EXPECT_INT(NODE_READY, execution->nodes[1].state);
	EXPECT_INT(RUN_RUNNING, execution->state);
	run(execution, 1, SECOND);
	finish(execution, 1, OUTCOME_SUCCEEDED, SECOND);
	EXPECT_INT(RUN_FAILED, execution->state);
	EXPECT(strstr(execution->error.message, "'a'") != NULL);
	execution_free(execution);
}

TEST(execution, at_most_so_many_attempts_of_one_execution_run)
{
	struct execution *execution = begin(pair, 3);
	int64_t due;

	execution->max_parallelism = 1;
	EXPECT_INT(0, execution_next(execution, SECOND, &due));
	run(execution, 0, SECOND);
	EXPECT_INT(-1, execution_next(execution, SECOND, &due));
	finish(execution, 0, OUTCOME_SUCCEEDED, SECOND);
	EXPECT_INT(1, execution_next(execution, SECOND, &due));
	execution_free(execution);
}

TEST(execution, each_try_waits_twice_as_long_as_the_one_before)
{
	struct execution *execution = begin(pair, 1);
	int64_t now = SECOND, due, waited = BACKOFF_FIRST_US;

	nodes[0].retries = 8;
	for (int i = 0; i < 8; i++) {
		run(execution, 0, now);
		finish(execution, 0, OUTCOME_FAILED_RETRYABLE, now);
		EXPECT_INT(-1, execution_next(execution, now, &due));
		EXPECT_INT(waited, due - now);
		now = due;
		waited = waited * 2 < BACKOFF_MOST_US ? waited * 2 : BACKOFF_MOST_US;
	}
	run(execution, 0, now);
	finish(execution, 0, OUTCOME_FAILED_RETRYABLE, now);
	EXPECT_INT(RUN_FAILED, execution->state);
	execution_free(execution);
}

TEST(execution, a_timeout_that_nobody_enforces_is_enforced_here_and_is_a_timeout)
{
	struct execution *execution = begin(pair, 1);
	int64_t due, now = SECOND;

	nodes[0].timeout_ms = 1000;
	run(execution, 0, now);
	now += 1000000 + TIMEOUT_GRACE_US;
	execution_heartbeat(execution, 0, now - 1);
	EXPECT_OK(execution_expire(execution, now, &due));
	EXPECT(execution->nodes[0].last.cancel);
	EXPECT_INT(NODE_ACTIVE, execution->nodes[0].state);
	finish(execution, 0, OUTCOME_CANCELLED, now);
	EXPECT_INT(NODE_TIMED_OUT, execution->nodes[0].state);
	EXPECT_INT(RUN_FAILED, execution->state);
	execution_free(execution);
}

TEST(execution, a_lease_is_over_only_after_its_margin)
{
	struct execution *execution = begin(pair, 1);
	int64_t due, now = SECOND;

	run(execution, 0, now);
	EXPECT_OK(execution_expire(execution, now + LEASE_TTL_US, &due));
	EXPECT_INT(NODE_ACTIVE, execution->nodes[0].state);
	EXPECT_INT(now + LEASE_TTL_US + LEASE_MARGIN_US, due);
	EXPECT_OK(execution_expire(execution, due, &due));
	EXPECT_INT(NODE_FAILED, execution->nodes[0].state);
	EXPECT_INT(OUTCOME_LOST, execution->nodes[0].last.outcome);
	execution_free(execution);
}

TEST(execution, a_task_without_retries_that_may_have_run_is_not_begun_again)
{
	static const enum outcome outcomes[] = {OUTCOME_LOST, OUTCOME_CANCELLED};

	for (size_t i = 0; i < 2; i++) {
		for (uint32_t retries = 0; retries < 2; retries++) {
			struct execution *execution = begin(pair, 1);

			nodes[0].retries = retries;
			for (uint32_t time = 0; time <= retries; time++) {
				EXPECT_INT(NODE_READY, execution->nodes[0].state);
				run(execution, 0, SECOND);
				finish(execution, 0, outcomes[i], SECOND);
			}
			EXPECT_INT(NODE_FAILED, execution->nodes[0].state);
			EXPECT_INT(RUN_FAILED, execution->state);
			execution_free(execution);
		}
	}
}

TEST(execution, what_never_began_may_begin_again_without_retries)
{
	struct execution *execution = begin(pair, 1);

	run(execution, 0, SECOND);
	finish(execution, 0, OUTCOME_SYSTEM_FAILED, SECOND);
	EXPECT_INT(NODE_READY, execution->nodes[0].state);
	execution_free(execution);
}

TEST(execution, a_restart_withdraws_what_nobody_claimed_and_costs_no_try)
{
	static const uint8_t id[ATTEMPT_ID_LEN] = {1};
	struct execution *execution = begin(pair, 3);

	execution_begin(execution, 0, id, SECOND);
	run(execution, 1, SECOND);
	EXPECT_OK(execution_recover(execution, 100 * SECOND));
	EXPECT_INT(NODE_READY, execution->nodes[0].state);
	EXPECT_INT(0, execution->nodes[0].system_failures);
	EXPECT_INT(NODE_ACTIVE, execution->nodes[1].state);
	EXPECT_INT(100 * SECOND + LEASE_TTL_US, execution->nodes[1].last.lease_until_us);
	execution_free(execution);
}

TEST(execution, an_abort_waits_for_what_still_runs)
{
	struct execution *execution = begin(pair, 3);

	run(execution, 0, SECOND);
	EXPECT_OK(execution_abort(execution, "why", SECOND));
	EXPECT_INT(RUN_ABORTING, execution->state);
	EXPECT_INT(NODE_ABORTED, execution->nodes[1].state);
	EXPECT(execution->nodes[0].last.cancel);
	finish(execution, 0, OUTCOME_LOST, SECOND);
	EXPECT_INT(RUN_ABORTED, execution->state);
	EXPECT_INT(NODE_ABORTED, execution->nodes[0].state);
	execution_free(execution);
}

TEST(execution, a_result_that_comes_in_spite_of_an_abort_is_kept)
{
	struct execution *execution = begin(pair, 1);

	run(execution, 0, SECOND);
	EXPECT_OK(execution_abort(execution, "why", SECOND));
	finish(execution, 0, OUTCOME_SUCCEEDED, SECOND);
	EXPECT_INT(NODE_SUCCEEDED, execution->nodes[0].state);
	EXPECT_INT(RUN_ABORTED, execution->state);
	execution_free(execution);
}

TEST(execution, a_long_traceback_loses_its_beginning)
{
	struct run_error error = {0};
	char *text = mem_alloc(RUN_ERROR_TEXT_MAX + 100);

	memset(text, 'x', RUN_ERROR_TEXT_MAX + 99);
	memcpy(text + RUN_ERROR_TEXT_MAX + 94, "Error", 6);
	EXPECT_OK(run_error_set(&error, "code", text, ERROR_USER));
	EXPECT_INT(RUN_ERROR_TEXT_MAX, strlen(error.message));
	EXPECT_STR("Error", error.message + RUN_ERROR_TEXT_MAX - 5);
	run_error_fini(&error);
	mem_free(text);
}

/* Runs once for each allocation, with that one failing. */
TORTURE(execution, moves_whole_or_says_that_it_could_not)
{
	struct execution *execution = NULL;
	enum un_err err;

	memset(nodes, 0, sizeof nodes);
	graph = (struct graph){.nodes = nodes, .node_count = 1};
	nodes[0].id = "a";
	err = execution_new(&graph, SECOND, &execution);
	if (!err)
		err = execution_settle(execution, SECOND);
	if (!err) {
		execution_begin(execution, 0, (const uint8_t[ATTEMPT_ID_LEN]){1}, SECOND);
		err = execution_finish(execution, 0, OUTCOME_FAILED, NULL, 1, SECOND);
		EXPECT(err == UN_ERR_NO_MEMORY || execution->state == RUN_FAILED);
	}
	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY);
	execution_free(execution);
}

TEST_MAIN()
