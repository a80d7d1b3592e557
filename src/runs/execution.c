#include "runs/execution.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

void
run_error_fini(struct run_error *error)
{
	mem_free(error->code);
	mem_free(error->message);
	*error = (struct run_error){0};
}

/* Moves forward to the beginning of a character, so that a cut text is still UTF-8. */
static const char *
character_from(const char *text)
{
	while (((unsigned char)*text & 0xc0) == 0x80)
		text++;
	return text;
}

enum un_err
run_error_set(struct run_error *error, const char *code, const char *message, enum error_kind kind)
{
	size_t len = strlen(message);
	struct run_error made = {.kind = kind};

	if (len > RUN_ERROR_TEXT_MAX)
		message = character_from(message + len - RUN_ERROR_TEXT_MAX);
	made.code = mem_strndup(code, strnlen(code, RUN_ERROR_CODE_MAX));
	made.message = mem_strdup(message);
	if (made.code == NULL || made.message == NULL) {
		run_error_fini(&made);
		return UN_ERR_NO_MEMORY;
	}
	run_error_fini(error);
	*error = made;
	return UN_OK;
}

enum un_err
execution_new(const struct graph *graph, int64_t now_us, struct execution **ret_execution)
{
	struct execution *execution = mem_zalloc(1, sizeof *execution);

	if (execution == NULL)
		return UN_ERR_NO_MEMORY;
	execution->nodes = mem_zalloc(graph->node_count, sizeof *execution->nodes);
	if (execution->nodes == NULL) {
		mem_free(execution);
		return UN_ERR_NO_MEMORY;
	}
	execution->graph = graph;
	execution->lease_ttl_us = LEASE_TTL_US;
	execution->created_us = execution->updated_us = now_us;
	execution->dirty = true;
	for (size_t i = 0; i < graph->node_count; i++) {
		execution->nodes[i].created_us = execution->nodes[i].updated_us = now_us;
		execution->nodes[i].dirty = true;
	}
	*ret_execution = execution;
	return UN_OK;
}

void
execution_free(struct execution *execution)
{
	if (execution == NULL)
		return;
	for (size_t i = 0; i < execution->graph->node_count; i++)
		run_error_fini(&execution->nodes[i].error);
	run_error_fini(&execution->error);
	mem_free(execution->abort_cause);
	mem_free(execution->nodes);
	mem_free(execution);
}

bool
execution_is_over(const struct execution *execution)
{
	return execution->state >= RUN_SUCCEEDED;
}

static bool
node_is_over(const struct exec_node *node)
{
	return node->state >= NODE_SUCCEEDED;
}

uint32_t
execution_active(const struct execution *execution)
{
	uint32_t active = 0;

	for (size_t i = 0; i < execution->graph->node_count; i++)
		active += execution->nodes[i].state == NODE_ACTIVE || execution->nodes[i].starting;
	return active;
}

static void
node_move(struct exec_node *node, enum node_state state, int64_t now_us)
{
	node->state = state;
	node->updated_us = now_us;
	node->dirty = true;
	if (state >= NODE_SUCCEEDED)
		node->ended_us = now_us;
}

static void
run_move(struct execution *execution, enum run_state state, int64_t now_us)
{
	execution->state = state;
	execution->updated_us = now_us;
	execution->dirty = true;
	if (state >= RUN_SUCCEEDED)
		execution->ended_us = now_us;
}

/* ---- consequences ---- */

enum deps {
	DEPS_PENDING,
	DEPS_MET,
	DEPS_NEVER, /* one of them has ended in another way than success */
};

static enum deps
deps_of(const struct execution *execution, size_t node)
{
	const struct graph_node *at = &execution->graph->nodes[node];
	enum deps deps = DEPS_MET;

	for (size_t i = 0; i < at->dep_count; i++) {
		const struct exec_node *other = &execution->nodes[at->deps[i]];

		if (other->state == NODE_SUCCEEDED)
			continue;
		if (node_is_over(other))
			return DEPS_NEVER;
		deps = DEPS_PENDING;
	}
	return deps;
}

/* One pass. A skipped node makes others skip, so passes are repeated until nothing moves. */
static bool
advance(struct execution *execution, int64_t now_us)
{
	bool moved = false;

	for (size_t i = 0; i < execution->graph->node_count; i++) {
		struct exec_node *node = &execution->nodes[i];
		enum deps deps;

		if (node->state != NODE_WAITING)
			continue;
		deps = deps_of(execution, i);
		if (deps == DEPS_MET) {
			node_move(node, NODE_READY, now_us);
			node->not_before_us = now_us;
		} else if (deps == DEPS_NEVER) {
			node_move(node, NODE_SKIPPED, now_us);
			moved = true;
		}
	}
	return moved;
}

/* FAILING and ABORTING: nothing new begins, and what runs is asked to end. */
static void
wind_down(struct execution *execution, int64_t now_us)
{
	for (size_t i = 0; i < execution->graph->node_count; i++) {
		struct exec_node *node = &execution->nodes[i];

		if (node->state == NODE_WAITING || node->state == NODE_READY) {
			node_move(node, NODE_ABORTED, now_us);
		} else if (node->state == NODE_ACTIVE && !node->last.cancel) {
			node->last.cancel = true;
			node->attempt_dirty = true;
			node->updated_us = now_us;
			node->dirty = true;
		}
	}
}

static const struct exec_node *
first_failed(const struct execution *execution)
{
	const struct exec_node *first = NULL;

	for (size_t i = 0; i < execution->graph->node_count; i++) {
		const struct exec_node *node = &execution->nodes[i];

		if ((node->state == NODE_FAILED || node->state == NODE_TIMED_OUT) &&
		    (first == NULL || node->ended_us < first->ended_us))
			first = node;
	}
	return first;
}

static enum un_err
note_failure(struct execution *execution, int64_t now_us)
{
	const struct exec_node *failed = first_failed(execution);
	size_t place, size;
	char *text;
	enum un_err err;

	if (failed == NULL || execution->error.code != NULL)
		return UN_OK;
	place = (size_t)(failed - execution->nodes);
	size = strlen(failed->error.message) + GRAPH_PATH_MAX + 32;
	text = mem_alloc(size);
	if (text == NULL)
		return UN_ERR_NO_MEMORY;
	(void)snprintf(text, size, "node '%s' failed: %s", execution->graph->nodes[place].id,
	               failed->error.message);
	err = run_error_set(&execution->error, failed->error.code, text, failed->error.kind);
	mem_free(text);
	if (err)
		return err;
	execution->updated_us = now_us;
	execution->dirty = true;
	return UN_OK;
}

static bool
all_nodes_over(const struct execution *execution)
{
	for (size_t i = 0; i < execution->graph->node_count; i++) {
		if (!node_is_over(&execution->nodes[i]))
			return false;
	}
	return true;
}

enum un_err
execution_settle(struct execution *execution, int64_t now_us)
{
	enum un_err err;

	if (execution_is_over(execution))
		return UN_OK;
	err = note_failure(execution, now_us);
	if (err)
		return err;
	if (execution->state == RUN_RUNNING && execution->error.code != NULL &&
	    !execution->graph->fail_late)
		run_move(execution, RUN_FAILING, now_us);
	if (execution->state == RUN_RUNNING) {
		while (advance(execution, now_us))
			;
	} else {
		wind_down(execution, now_us);
	}
	if (!all_nodes_over(execution))
		return UN_OK;
	if (execution->state == RUN_ABORTING)
		run_move(execution, RUN_ABORTED, now_us);
	else if (execution->error.code != NULL)
		run_move(execution, RUN_FAILED, now_us);
	else
		execution->succeeded = true;
	return UN_OK;
}

/* ---- beginning ---- */

int
execution_next(const struct execution *execution, int64_t now_us, int64_t *ret_due_us)
{
	uint32_t most = execution->max_parallelism;

	*ret_due_us = INT64_MAX;
	if (execution->state != RUN_RUNNING ||
	    (most > 0 && execution_active(execution) >= most))
		return -1;
	for (size_t i = 0; i < execution->graph->node_count; i++) {
		const struct exec_node *node = &execution->nodes[i];

		if (node->state != NODE_READY || node->starting)
			continue;
		if (node->not_before_us <= now_us)
			return (int)i;
		if (node->not_before_us < *ret_due_us)
			*ret_due_us = node->not_before_us;
	}
	return -1;
}

void
execution_begin(struct execution *execution, uint32_t place, const uint8_t attempt[ATTEMPT_ID_LEN],
                int64_t now_us)
{
	struct exec_node *node = &execution->nodes[place];

	node->last = (struct attempt){
	        .state = ATTEMPT_CREATED,
	        .number = node->attempts++,
	        .created_us = now_us,
	        .lease_until_us = now_us + CLAIM_WITHIN_US,
	};
	memcpy(node->last.id, attempt, ATTEMPT_ID_LEN);
	node->attempt_dirty = true;
	if (node->started_us == 0)
		node->started_us = now_us;
	node->starting = false;
	node_move(node, NODE_ACTIVE, now_us);
}

enum un_err
execution_claim(struct execution *execution, uint32_t place, const uint8_t lease_hash[HASH_LEN],
                int64_t now_us)
{
	struct exec_node *node = &execution->nodes[place];

	if (node->state != NODE_ACTIVE || node->last.state != ATTEMPT_CREATED ||
	    node->last.cancel || now_us >= node->last.lease_until_us)
		return UN_ERR_BAD_TICKET;
	node->last.state = ATTEMPT_CLAIMED;
	memcpy(node->last.lease_hash, lease_hash, HASH_LEN);
	node->last.claimed_us = now_us;
	node->last.lease_until_us = now_us + execution->lease_ttl_us;
	node->attempt_dirty = true;
	return UN_OK;
}

void
execution_heartbeat(struct execution *execution, uint32_t place, int64_t now_us)
{
	struct attempt *attempt = &execution->nodes[place].last;

	int64_t until_us = now_us + execution->lease_ttl_us;

	if (attempt->state == ATTEMPT_CLAIMED && until_us > attempt->lease_until_us)
		attempt->lease_until_us = until_us;
}

/* ---- ending ---- */

static int64_t
backoff_us(uint32_t failures)
{
	int64_t wait = BACKOFF_FIRST_US;

	while (failures-- > 1 && wait < BACKOFF_MOST_US)
		wait *= 2;
	return wait < BACKOFF_MOST_US ? wait : BACKOFF_MOST_US;
}

static void
attempt_end(struct exec_node *node, enum outcome outcome, int32_t exit_code, int64_t now_us)
{
	node->last.state = ATTEMPT_ENDED;
	node->last.outcome = outcome;
	node->last.exit_code = exit_code;
	node->last.ended_us = now_us;
	node->attempt_dirty = true;
}

static void
try_again(struct exec_node *node, uint32_t failures, int64_t now_us)
{
	node->not_before_us = now_us + backoff_us(failures);
	node_move(node, NODE_READY, now_us);
}

/* The text for a failure that came without one. */
static enum un_err
standard_error(enum outcome outcome, struct run_error *ret_error)
{
	switch (outcome) {
	case OUTCOME_TIMED_OUT:
		return run_error_set(ret_error, un_err_slug(UN_ERR_TASK_TIMED_OUT),
		                     un_err_text(UN_ERR_TASK_TIMED_OUT), ERROR_USER);
	case OUTCOME_LOST:
		return run_error_set(ret_error, "launcher-lost",
		                     "the launcher ended without reporting a result; how far the "
		                     "task came is not known",
		                     ERROR_SYSTEM);
	case OUTCOME_WITHDRAWN:
		return run_error_set(ret_error, "not-claimed",
		                     "no launcher took the attempt in time", ERROR_SYSTEM);
	case OUTCOME_CANCELLED:
		return run_error_set(ret_error, "cancelled",
		                     "the launcher was stopped while the task ran", ERROR_SYSTEM);
	case OUTCOME_SYSTEM_FAILED:
		return run_error_set(ret_error, "system", "the launcher could not run the task",
		                     ERROR_SYSTEM);
	default:
		return run_error_set(ret_error, un_err_slug(UN_ERR_TASK_FAILED),
		                     un_err_text(UN_ERR_TASK_FAILED), ERROR_USER);
	}
}

static enum un_err
note_error(struct exec_node *node, enum outcome outcome, const struct run_error *error)
{
	if (error == NULL || error->code == NULL)
		return standard_error(outcome, &node->error);
	return run_error_set(&node->error, error->code,
	                     error->message == NULL ? "" : error->message, error->kind);
}

/* A failed attempt of a node that may still have others. */
static void
after_failure(const struct execution *execution, uint32_t place, enum outcome outcome,
              int64_t now_us)
{
	struct exec_node *node = &execution->nodes[place];
	uint32_t retries = execution->graph->nodes[place].retries;
	bool may_retry = execution->state == RUN_RUNNING;

	switch (outcome) {
	case OUTCOME_FAILED_RETRYABLE:
	case OUTCOME_TIMED_OUT:
	case OUTCOME_LOST:      /* it may have done all of its work */
	case OUTCOME_CANCELLED: /* not by us, and in the middle of it */
		if (may_retry && node->task_failures < retries) {
			try_again(node, ++node->task_failures, now_us);
			return;
		}
		break;
	case OUTCOME_SYSTEM_FAILED: /* these have not begun it */
	case OUTCOME_WITHDRAWN:
		if (may_retry && node->system_failures < SYSTEM_RETRIES) {
			try_again(node, ++node->system_failures, now_us);
			return;
		}
		break;
	default: break;
	}
	node_move(node, outcome == OUTCOME_TIMED_OUT ? NODE_TIMED_OUT : NODE_FAILED, now_us);
}

enum un_err
execution_finish(struct execution *execution, uint32_t place, enum outcome outcome,
                 const struct run_error *error, int32_t exit_code, int64_t now_us)
{
	struct exec_node *node = &execution->nodes[place];
	enum un_err err;

	attempt_end(node, outcome, exit_code, now_us);
	if (outcome == OUTCOME_SUCCEEDED) {
		run_error_fini(&node->error);
		node_move(node, NODE_SUCCEEDED, now_us);
		return execution_settle(execution, now_us);
	}
	err = note_error(node, outcome, error);
	if (err)
		return err;
	if (node->last.cancel && execution->state != RUN_RUNNING)
		node_move(node, NODE_ABORTED, now_us);
	else /* asked to end while all goes on: by the backstop of its timeout */
		after_failure(execution, place, node->last.cancel ? OUTCOME_TIMED_OUT : outcome,
		              now_us);
	return execution_settle(execution, now_us);
}

enum un_err
execution_refuse(struct execution *execution, uint32_t place, const struct run_error *error,
                 int64_t now_us)
{
	struct exec_node *node = &execution->nodes[place];
	enum un_err err;

	node->starting = false;
	err = note_error(node, OUTCOME_FAILED, error);
	if (err)
		return err;
	node_move(node, NODE_FAILED, now_us);
	return execution_settle(execution, now_us);
}

enum un_err
execution_abort(struct execution *execution, const char *cause, int64_t now_us)
{
	char *copy;

	if (execution_is_over(execution) || execution->state == RUN_ABORTING)
		return UN_ERR_CONFLICT;
	copy = mem_strndup(cause, strnlen(cause, 1024));
	if (copy == NULL)
		return UN_ERR_NO_MEMORY;
	mem_free(execution->abort_cause);
	execution->abort_cause = copy;
	run_move(execution, RUN_ABORTING, now_us);
	return execution_settle(execution, now_us);
}

enum un_err
execution_end(struct execution *execution, const struct run_error *error, int64_t now_us)
{
	enum un_err err;

	execution->succeeded = false;
	if (error == NULL) {
		run_move(execution, RUN_SUCCEEDED, now_us);
		return UN_OK;
	}
	err = run_error_set(&execution->error, error->code, error->message, error->kind);
	if (!err)
		run_move(execution, RUN_FAILED, now_us);
	return err;
}

/* ---- time ---- */

/* When the attempt counts as lost if nothing is heard of it. */
static int64_t
attempt_due_us(const struct execution *execution, uint32_t place)
{
	const struct attempt *attempt = &execution->nodes[place].last;
	int64_t timeout_ms = execution->graph->nodes[place].timeout_ms;
	int64_t due;

	if (attempt->state == ATTEMPT_CREATED)
		return attempt->lease_until_us;
	due = attempt->lease_until_us + LEASE_MARGIN_US;
	/* the backstop only asks it to end: its lease decides when it is over */
	if (timeout_ms > 0 && !attempt->cancel &&
	    attempt->claimed_us + timeout_ms * 1000 + TIMEOUT_GRACE_US < due)
		due = attempt->claimed_us + timeout_ms * 1000 + TIMEOUT_GRACE_US;
	return due;
}

static enum un_err
expire_attempt(struct execution *execution, uint32_t place, int64_t now_us)
{
	struct exec_node *node = &execution->nodes[place];

	if (node->last.state == ATTEMPT_CREATED)
		return execution_finish(execution, place, OUTCOME_WITHDRAWN, NULL, 0, now_us);
	if (now_us >= node->last.lease_until_us + LEASE_MARGIN_US)
		return execution_finish(execution, place, OUTCOME_LOST, NULL, 0, now_us);
	/* a launcher that lives and does not enforce its timeout: refuse its heartbeats */
	node->last.cancel = true;
	node->attempt_dirty = true;
	return UN_OK;
}

enum un_err
execution_expire(struct execution *execution, int64_t now_us, int64_t *ret_due_us)
{
	int64_t next = INT64_MAX;

	for (uint32_t i = 0; i < execution->graph->node_count; i++) {
		enum un_err err;

		if (execution->nodes[i].state != NODE_ACTIVE)
			continue;
		if (attempt_due_us(execution, i) <= now_us) {
			err = expire_attempt(execution, i, now_us);
			if (err)
				return err;
		}
		if (execution->nodes[i].state == NODE_ACTIVE &&
		    attempt_due_us(execution, i) < next)
			next = attempt_due_us(execution, i);
	}
	*ret_due_us = next;
	return UN_OK;
}

enum un_err
execution_recover(struct execution *execution, int64_t now_us)
{
	for (uint32_t i = 0; i < execution->graph->node_count; i++) {
		struct exec_node *node = &execution->nodes[i];

		if (node->state != NODE_ACTIVE)
			continue;
		if (node->last.state == ATTEMPT_CLAIMED) {
			node->last.lease_until_us = now_us + execution->lease_ttl_us;
			continue;
		}
		/* Nobody has claimed it, and from now on nobody can. It costs the node nothing: a
		 * server that restarts often must not use up its tries. */
		attempt_end(node, OUTCOME_WITHDRAWN, 0, now_us);
		node->not_before_us = now_us;
		node_move(node, node->last.cancel ? NODE_ABORTED : NODE_READY, now_us);
	}
	return execution_settle(execution, now_us);
}

const char *
node_state_word(enum node_state state)
{
	static const char *const words[] = {
		"waiting", "ready",     "active",  "succeeded",
		"failed",  "timed out", "aborted", "skipped",
	};

	return (size_t)state < sizeof words / sizeof words[0] ? words[state] : "unknown";
}

const char *
run_state_word(enum run_state state)
{
	static const char *const words[] = {
	        "running", "failing", "aborting", "succeeded", "failed", "aborted",
	};

	return (size_t)state < sizeof words / sizeof words[0] ? words[state] : "unknown";
}
