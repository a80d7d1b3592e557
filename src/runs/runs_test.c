#include "runs/runs_story.h"

TEST(runs, values_flow_through_a_workflow_to_its_outputs)
{
	struct plane_fixture f;
	int64_t a;

	begin(&f, 8);
	launch(&f, diamond());
	EXPECT_INT(2, f.engine.count);
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), &a));
	EXPECT_INT(5, a);
	EXPECT_OK(claim_as(&f, named(&f, "n1.0"), NULL));
	EXPECT_OK(finish_as(&f, named(&f, "n0.0"), OUTCOME_SUCCEEDED, ints(6)));
	EXPECT_NULL(named(&f, "n2.0"));
	EXPECT_OK(finish_as(&f, named(&f, "n1.0"), OUTCOME_SUCCEEDED, ints(7)));
	EXPECT_OK(claim_as(&f, named(&f, "n2.0"), &a));
	EXPECT_INT(6, a);
	EXPECT_INT(1, runs_active_count(f.runs));
	EXPECT_OK(finish_as(&f, named(&f, "n2.0"), OUTCOME_SUCCEEDED, ints(8)));
	EXPECT_INT(RUN_SUCCEEDED, state_of(&f));
	EXPECT_INT(8, output_of_run(&f));
	EXPECT_INT(0, runs_active_count(f.runs));
	/* said again, it is taken again and changes nothing */
	EXPECT_OK(finish_as(&f, named(&f, "n2.0"), OUTCOME_FAILED, NULL));
	EXPECT_INT(RUN_SUCCEEDED, state_of(&f));
	end(&f);
}


/* ---- claims ---- */

TEST(runs, an_attempt_is_claimed_once)
{
	struct plane_fixture f;

	begin(&f, 8);
	launch(&f, diamond());
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	EXPECT_ERR(UN_ERR_BAD_TICKET, claim_as(&f, named(&f, "n0.0"), NULL));
	end(&f);
}

TEST(runs, of_two_claims_at_the_same_time_one_gets_the_attempt)
{
	struct plane_fixture f;
	struct answer first = {0}, second = {0};
	struct runs_claim claim = {NULL, some_key, "req"};

	begin(&f, 8);
	launch(&f, diamond());
	f.vault.hold = true;
	claim.ticket = named(&f, "n0.0")->ticket;
	runs_claim(f.runs, &claim, answered, &first);
	runs_claim(f.runs, &claim, answered, &second);
	EXPECT(!first.called && second.called);
	EXPECT_ERR(UN_ERR_BAD_TICKET, second.err);
	test_vault_answer(&f.vault);
	EXPECT(first.called);
	EXPECT_OK(first.err);
	runs_claimed_free(first.claimed);
	end(&f);
}

TEST(runs, a_claim_that_is_too_late_gets_nothing_even_with_the_keepers_answer)
{
	struct plane_fixture f;
	struct answer answer = {0};
	struct runs_claim claim = {NULL, some_key, "req"};

	begin(&f, 8);
	launch(&f, diamond());
	f.vault.hold = true;
	claim.ticket = named(&f, "n0.0")->ticket;
	runs_claim(f.runs, &claim, answered, &answer);
	f.now_us += CLAIM_WITHIN_US + 1;
	runs_tick(f.runs);
	test_vault_answer(&f.vault);
	EXPECT_ERR(UN_ERR_BAD_TICKET, answer.err);
	EXPECT_NULL(answer.claimed);
	end(&f);
}

TEST(runs, a_ticket_that_is_not_the_keepers_claims_nothing)
{
	struct plane_fixture f;
	struct launcher *launcher;
	uint8_t *bytes;

	begin(&f, 8);
	launch(&f, diamond());
	launcher = named(&f, "n0.0");
	bytes = secbuf_edit(launcher->ticket);
	for (size_t i = 0; i < secbuf_len(launcher->ticket); i++) {
		bytes[i] ^= 1;
		EXPECT_ERR(UN_ERR_BAD_TICKET, claim_as(&f, launcher, NULL));
		bytes[i] ^= 1;
	}
	EXPECT_OK(claim_as(&f, launcher, NULL));
	end(&f);
}

/* ---- failure ---- */

TEST(runs, a_task_that_asks_for_it_is_tried_again_after_a_while)
{
	struct plane_fixture f;
	Union__V1__LaunchRequest *request;

	begin(&f, 8);
	request = diamond();
	set_retries(request->tasks[0], 1);
	launch(&f, request);
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	EXPECT_OK(finish_as(&f, named(&f, "n0.0"), OUTCOME_FAILED_RETRYABLE, NULL));
	runs_tick(f.runs);
	EXPECT_NULL(named(&f, "n0.1"));
	f.now_us += BACKOFF_FIRST_US;
	runs_tick(f.runs);
	EXPECT_OK(claim_as(&f, named(&f, "n0.1"), NULL));
	EXPECT_INT(RUN_RUNNING, state_of(&f));
	EXPECT_OK(finish_as(&f, named(&f, "n0.1"), OUTCOME_FAILED_RETRYABLE, NULL));
	EXPECT_INT(NODE_FAILED, node_state(&f, "n0"));
	EXPECT_INT(RUN_FAILING, state_of(&f));
	end(&f);
}

TEST(runs, waits_for_what_is_left_even_when_the_wall_clock_was_set)
{
	struct plane_fixture f;
	Union__V1__LaunchRequest *request;

	begin(&f, 8);
	f.now_us -= 3600ll * 1000000; /* what an hour's jump of the wall clock makes of it */
	request = diamond();
	set_retries(request->tasks[0], 1);
	launch(&f, request);
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	EXPECT_OK(finish_as(&f, named(&f, "n0.0"), OUTCOME_FAILED_RETRYABLE, NULL));
	runs_tick(f.runs);
	EXPECT_INT(BACKOFF_FIRST_US, f.wait_us);
	end(&f);
}

static bool
told_to_end(struct plane_fixture *f, struct launcher *launcher)
{
	bool cancel = false;

	EXPECT_OK(runs_heartbeat(f->runs, launcher->lease, LEASE_LEN, &cancel));
	return cancel;
}

TEST(runs, a_failure_ends_what_runs_beside_it)
{
	struct plane_fixture f;

	begin(&f, 8);
	launch(&f, diamond());
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	EXPECT_OK(claim_as(&f, named(&f, "n1.0"), NULL));
	EXPECT(!told_to_end(&f, named(&f, "n1.0")));
	EXPECT_OK(finish_as(&f, named(&f, "n0.0"), OUTCOME_FAILED, NULL));
	EXPECT(told_to_end(&f, named(&f, "n1.0")));
	EXPECT(named(&f, "n1.0")->cancelled);
	EXPECT_INT(RUN_FAILING, state_of(&f));
	EXPECT_OK(finish_as(&f, named(&f, "n1.0"), OUTCOME_CANCELLED, NULL));
	EXPECT_INT(RUN_FAILED, state_of(&f));
	EXPECT_INT(NODE_ABORTED, node_state(&f, "n1"));
	EXPECT_INT(NODE_ABORTED, node_state(&f, "n2"));
	end(&f);
}

TEST(runs, a_result_of_the_wrong_type_fails_the_task)
{
	struct plane_fixture f;

	begin(&f, 8);
	launch(&f, diamond());
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	EXPECT_OK(finish_as(&f, named(&f, "n0.0"), OUTCOME_SUCCEEDED, NULL));
	EXPECT_INT(NODE_FAILED, node_state(&f, "n0"));
	end(&f);
}

TEST(runs, an_abort_ends_everything_and_is_final)
{
	struct plane_fixture f;
	struct runs_name name = {{"p", "d"}, "r1"};

	begin(&f, 8);
	launch(&f, diamond());
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	EXPECT_OK(runs_abort(f.runs, &name, "enough", &asker, &f.detail));
	EXPECT_ERR(UN_ERR_CONFLICT, runs_abort(f.runs, &name, "again", &asker, &f.detail));
	EXPECT(told_to_end(&f, named(&f, "n0.0")));
	EXPECT_ERR(UN_ERR_BAD_TICKET, claim_as(&f, named(&f, "n1.0"), NULL));
	dies(&f, named(&f, "n1.0"));
	EXPECT_OK(finish_as(&f, named(&f, "n0.0"), OUTCOME_CANCELLED, NULL));
	EXPECT_INT(RUN_ABORTED, state_of(&f));
	EXPECT_ERR(UN_ERR_CONFLICT, runs_abort(f.runs, &name, "again", &asker, &f.detail));
	end(&f);
}

TEST(runs, a_launcher_that_dies_is_replaced_as_often_as_the_task_may_be_tried)
{
	struct plane_fixture f;
	Union__V1__LaunchRequest *request;
	char label[16];

	begin(&f, 8);
	request = diamond();
	set_retries(request->tasks[0], 2);
	launch(&f, request);
	for (int i = 0; i <= 2; i++) {
		snprintf(label, sizeof label, "n0.%d", i);
		EXPECT_OK(claim_as(&f, named(&f, label), NULL));
		dies(&f, named(&f, label));
		f.now_us += BACKOFF_MOST_US;
		runs_tick(f.runs);
	}
	EXPECT_INT(NODE_FAILED, node_state(&f, "n0"));
	end(&f);
}

TEST(runs, what_ends_the_launchers_that_do_not_end_by_themselves)
{
	struct plane_fixture f;
	struct runs_name name = {{"p", "d"}, "r1"};

	begin(&f, 8);
	launch(&f, diamond());
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	EXPECT_OK(runs_abort(f.runs, &name, "enough", &asker, &f.detail));
	EXPECT(!named(&f, "n0.0")->killed);
	f.now_us += RUNS_KILL_AFTER_US;
	runs_tick(f.runs);
	EXPECT(named(&f, "n0.0")->killed);
	end(&f);
}

/* ---- leases ---- */

TEST(runs, a_lost_lease_is_worth_nothing_once_another_attempt_may_begin)
{
	struct plane_fixture f;
	Union__V1__LaunchRequest *request;
	struct launcher *old;
	bool cancel;

	begin(&f, 8);
	request = diamond();
	set_retries(request->tasks[0], 1);
	launch(&f, request);
	old = named(&f, "n0.0");
	EXPECT_OK(claim_as(&f, old, NULL));
	old->alive = false; /* as far as the engine can see */
	f.engine.launchers[1].alive = false;
	EXPECT_OK(fixture_restart(&f));
	f.now_us += LEASE_MARGIN_US;
	runs_tick(f.runs);
	EXPECT_ERR(UN_ERR_BAD_TICKET, runs_heartbeat(f.runs, old->lease, LEASE_LEN, &cancel));
	EXPECT_ERR(UN_ERR_BAD_TICKET, finish_as(&f, old, OUTCOME_SUCCEEDED, ints(1)));
	f.now_us += BACKOFF_MOST_US;
	runs_tick(f.runs);
	EXPECT(named(&f, "n0.1") != NULL);
	end(&f);
}

TEST(runs, a_launcher_that_lives_but_is_silent_is_ended_before_it_is_replaced)
{
	struct plane_fixture f;
	Union__V1__LaunchRequest *request;

	begin(&f, 8);
	request = diamond();
	set_retries(request->tasks[0], 1);
	launch(&f, request);
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	f.now_us += LEASE_TTL_US + LEASE_MARGIN_US;
	runs_tick(f.runs);
	EXPECT(!named(&f, "n0.0")->killed); /* it may have been us who were away */
	f.now_us += LEASE_MARGIN_US;
	runs_tick(f.runs);
	EXPECT(named(&f, "n0.0")->killed);
	EXPECT_NULL(named(&f, "n0.1"));
	f.now_us += BACKOFF_MOST_US;
	runs_tick(f.runs);
	EXPECT_NULL(named(&f, "n0.1"));
	dies(&f, named(&f, "n0.0"));
	f.now_us += BACKOFF_MOST_US;
	runs_tick(f.runs);
	EXPECT(named(&f, "n0.1") != NULL);
	end(&f);
}

TEST(runs, after_a_long_absence_of_the_server_a_result_is_still_taken)
{
	struct plane_fixture f;

	begin(&f, 8);
	launch(&f, diamond());
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	f.now_us += 100 * LEASE_TTL_US; /* stopped, and nothing was read */
	runs_tick(f.runs);
	EXPECT(!named(&f, "n0.0")->killed);
	EXPECT_OK(finish_as(&f, named(&f, "n0.0"), OUTCOME_SUCCEEDED, ints(1)));
	EXPECT_INT(NODE_SUCCEEDED, node_state(&f, "n0"));
	EXPECT_NULL(named(&f, "n0.1"));
	end(&f);
}

TEST(runs, a_word_ends_the_doubt)
{
	struct plane_fixture f;

	begin(&f, 8);
	launch(&f, diamond());
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	for (int i = 0; i < 3; i++) {
		f.now_us += LEASE_TTL_US + LEASE_MARGIN_US;
		runs_tick(f.runs);
		EXPECT(!told_to_end(&f, named(&f, "n0.0")));
	}
	EXPECT(!named(&f, "n0.0")->killed);
	end(&f);
}

TEST(runs, heartbeats_keep_a_lease)
{
	struct plane_fixture f;

	begin(&f, 8);
	launch(&f, diamond());
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	EXPECT_OK(claim_as(&f, named(&f, "n1.0"), NULL));
	for (int i = 0; i < 10; i++) {
		f.now_us += LEASE_TTL_US - 1;
		EXPECT(!told_to_end(&f, named(&f, "n0.0")));
		EXPECT(!told_to_end(&f, named(&f, "n1.0")));
		runs_tick(f.runs);
	}
	EXPECT(!named(&f, "n0.0")->killed);
	EXPECT_OK(finish_as(&f, named(&f, "n0.0"), OUTCOME_SUCCEEDED, ints(1)));
	end(&f);
}

/* ---- turns ---- */

TEST(runs, attempts_wait_for_a_free_slot)
{
	struct plane_fixture f;

	begin(&f, 1);
	launch(&f, diamond());
	EXPECT_INT(1, f.engine.count);
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	EXPECT_OK(finish_as(&f, named(&f, "n0.0"), OUTCOME_SUCCEEDED, ints(1)));
	EXPECT_INT(2, f.engine.count);
	end(&f);
}

TEST(runs, executions_take_turns)
{
	struct plane_fixture f;
	Union__V1__LaunchRequest *request;
	struct runs_name name;

	begin(&f, 1);
	request = diamond();
	launch(&f, request);
	request->execution->name = "r2";
	EXPECT_OK(runs_launch(f.runs, request, &asker, &name, &f.detail));
	EXPECT_OK(claim_as(&f, &f.engine.launchers[0], NULL));
	EXPECT_OK(finish_as(&f, &f.engine.launchers[0], OUTCOME_SUCCEEDED, ints(1)));
	EXPECT_INT(2, f.engine.count);
	EXPECT_STR("n0.0", f.engine.launchers[1].label); /* of r2, though n1 of r1 is ready too */
	end(&f);
}

TEST(runs, a_locked_key_ring_only_delays)
{
	struct plane_fixture f;

	begin(&f, 8);
	f.vault.sealed = true;
	launch(&f, diamond());
	EXPECT_INT(0, f.engine.count);
	EXPECT_INT(RUN_RUNNING, state_of(&f));
	f.vault.sealed = false;
	f.now_us += 1000000;
	runs_tick(f.runs);
	EXPECT_INT(2, f.engine.count);
	end(&f);
}

/* ---- secrets ---- */

static void
ask_for(Flyteidl__Admin__TaskCreateRequest *request, const char *key)
{
	pb_task *task = request->spec->template_;

	task->security_context = MAKE(flyteidl__core__security_context);
	task->security_context->secrets =
	        arena_alloc(arena, 1, sizeof *task->security_context->secrets);
	task->security_context->secrets[0] = MAKE(flyteidl__core__secret);
	task->security_context->secrets[0]->key = (char *)(uintptr_t)key;
	task->security_context->n_secrets = 1;
}

TEST(runs, a_secret_out_of_reach_fails_the_execution_before_its_task_starts)
{
	struct plane_fixture f;
	Union__V1__LaunchRequest *request;
	struct run_row row;

	begin(&f, 8);
	request = diamond();
	sample_put(f.store, "other", "d", "db", 1);
	ask_for(request->tasks[1], "db");
	launch(&f, request);
	for (size_t i = 0; i < 2; i++) {
		EXPECT_OK(claim_as(&f, &f.engine.launchers[i], NULL));
		EXPECT_OK(finish_as(&f, &f.engine.launchers[i], OUTCOME_SUCCEEDED, ints(1)));
	}
	EXPECT_INT(2, f.engine.count);
	EXPECT_INT(RUN_FAILED, state_of(&f));
	EXPECT_OK(store_read_begin(f.reader, NULL));
	EXPECT_OK(run_get(store_reader_view(f.reader), "p", "d", "r1", &row, NULL));
	EXPECT_STR("secret-out-of-reach", row.error_code);
	EXPECT(strstr(row.error_message, "'db'") != NULL);
	end(&f);
}

#ifdef UN_FAULTS
TEST(runs, a_release_is_in_the_audit_trail_before_the_claim_is_answered)
{
	struct plane_fixture f;
	Union__V1__LaunchRequest *request;
	struct audit_head head;
	uint64_t bad;

	begin(&f, 8);
	request = diamond();
	sample_put(f.store, "p", "", "db", 1);
	ask_for(request->tasks[0], "db");
	launch(&f, request);
	runs_writes_left = 0; /* the record cannot be written */
	EXPECT_ERR(UN_ERR_SHUTTING_DOWN, claim_as(&f, named(&f, "n0.0"), NULL));
	runs_writes_left = -1;
	EXPECT_OK(claim_as(&f, named(&f, "n0.0"), NULL));
	EXPECT_OK(store_read_begin(f.reader, NULL));
	EXPECT_OK(audit_verify(store_reader_view(f.reader), NULL, &head, &bad, NULL));
	EXPECT_INT(3, head.seq); /* execution, secret, attempt */
	end(&f);
}
#endif

TEST(runs, a_name_is_given_once)
{
	struct plane_fixture f;
	struct runs_name name = {0};
	Union__V1__LaunchRequest *request;

	begin(&f, 8);
	request = diamond();
	launch(&f, request);
	EXPECT_ERR(UN_ERR_EXISTS, runs_launch(f.runs, request, &asker, &name, &f.detail));
	EXPECT_STR("r1", name.name);
	end(&f);
}

/* ---- shares of projects ---- */

/* The diamond, whose first two tasks can begin at once, as `name` in `project`. */
static enum un_err
launch_in(struct plane_fixture *f, const char *project, const char *name)
{
	Union__V1__LaunchRequest *request = diamond();
	struct runs_name made;

	request->execution->project = (char *)(uintptr_t)project;
	request->execution->name = (char *)(uintptr_t)name;
	request->execution->inputs = ints(5);
	return runs_launch(f->runs, request, &asker, &made, &f->detail);
}

static void
restart_with_shares(struct plane_fixture *f, unsigned executions, unsigned tasks)
{
	f->project_executions = executions;
	f->project_tasks = tasks;
	EXPECT_OK(fixture_restart(f));
}

static unsigned
tasks_of(const struct plane_fixture *f, const char *project)
{
	for (const struct share *share = f->runs->shares; share; share = share->next)
		if (strcmp(share->project, project) == 0)
			return share->tasks;
	return 0;
}

TEST(runs, a_project_has_its_share_of_places_and_the_refusal_says_which)
{
	struct plane_fixture f;

	begin(&f, 1);
	restart_with_shares(&f, 2, 0);
	EXPECT_OK(launch_in(&f, "greedy", "r1"));
	EXPECT_OK(launch_in(&f, "greedy", "r2"));
	EXPECT_ERR(UN_ERR_AGAIN, launch_in(&f, "greedy", "r3"));
	EXPECT(strstr(un_message(UN_ERR_AGAIN, &f.detail), "2 executions of project 'greedy'"));
	EXPECT(strstr(un_hint_text(UN_ERR_AGAIN, &f.detail), "projects.executions"));
	EXPECT_OK(launch_in(&f, "modest", "r1"));
	/* the same after a restart, and with a place again when one is over */
	EXPECT_OK(fixture_restart(&f));
	EXPECT_ERR(UN_ERR_AGAIN, launch_in(&f, "greedy", "r3"));
	{
		struct runs_name name = {.name = "r2"};

		EXPECT_OK(scope_init(&name.at, "greedy", "d", NULL));
		EXPECT_OK(runs_abort(f.runs, &name, "enough", &asker, &f.detail));
	}
	EXPECT_OK(launch_in(&f, "greedy", "r3"));
	atomic_fetch_add(&f.runs->active, RUNS_ACTIVE_MAX - 3);
	EXPECT_ERR(UN_ERR_AGAIN, launch_in(&f, "modest", "r2"));
	EXPECT(strstr(un_message(UN_ERR_AGAIN, &f.detail), "on this server"));
	end(&f);
}

TEST(runs, the_last_places_are_for_projects_with_few)
{
	struct plane_fixture f;
	char name[8];

	begin(&f, 1);
	restart_with_shares(&f, 500, 0);
	for (int i = 0; i < RUNS_FEW; i++) {
		(void)snprintf(name, sizeof name, "r%d", i);
		EXPECT_OK(launch_in(&f, "greedy", name));
	}
	atomic_fetch_add(&f.runs->active, RUNS_ACTIVE_MAX - RUNS_KEPT - RUNS_FEW);
	EXPECT_ERR(UN_ERR_AGAIN, launch_in(&f, "greedy", "more"));
	EXPECT(strstr(un_message(UN_ERR_AGAIN, &f.detail), "almost full"));
	EXPECT_OK(launch_in(&f, "modest", "r1"));
	end(&f);
}

TEST(runs, a_free_place_is_for_the_project_with_the_fewest_tasks)
{
	struct plane_fixture f;

	begin(&f, 3);
	EXPECT_OK(launch_in(&f, "greedy", "r1"));
	EXPECT_OK(launch_in(&f, "greedy", "r2"));
	EXPECT_OK(launch_in(&f, "greedy", "r3"));
	EXPECT_OK(launch_in(&f, "modest", "r1"));
	EXPECT_INT(3, tasks_of(&f, "greedy"));
	EXPECT_INT(0, tasks_of(&f, "modest"));
	EXPECT_OK(claim_as(&f, &f.engine.launchers[0], NULL));
	EXPECT_OK(finish_as(&f, &f.engine.launchers[0], OUTCOME_SUCCEEDED, ints(1)));
	EXPECT_INT(2, tasks_of(&f, "greedy")); /* although more of its executions had their turn */
	EXPECT_INT(1, tasks_of(&f, "modest"));
	end(&f);
}

TEST(runs, a_project_has_no_more_tasks_at_once_than_it_may)
{
	struct plane_fixture f;

	begin(&f, 4);
	restart_with_shares(&f, 500, 1);
	EXPECT_OK(launch_in(&f, "greedy", "r1"));
	EXPECT_OK(launch_in(&f, "greedy", "r2"));
	EXPECT_INT(1, tasks_of(&f, "greedy"));
	EXPECT_OK(launch_in(&f, "modest", "r1"));
	EXPECT_INT(1, tasks_of(&f, "modest"));
	EXPECT_OK(claim_as(&f, &f.engine.launchers[0], NULL));
	EXPECT_OK(finish_as(&f, &f.engine.launchers[0], OUTCOME_SUCCEEDED, ints(1)));
	EXPECT_INT(3, f.engine.count);
	EXPECT_INT(1, tasks_of(&f, "greedy"));
	end(&f);
}

TEST_MAIN()
