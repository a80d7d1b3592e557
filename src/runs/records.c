#include "runs/runs_impl.h"

#include "base/alloc.h"
#include "base/log.h"

#include <string.h>

static const char *
text(const char *text)
{
	return text == NULL ? "" : text;
}

/* ---- writing ---- */

#ifdef UN_FAULTS
long runs_writes_left = -1;

static bool
is_dead(void)
{
	if (runs_writes_left > 0)
		runs_writes_left--;
	else if (runs_writes_left == 0)
		return true;
	return false;
}
#else
static bool
is_dead(void)
{
	return false;
}
#endif

enum un_err
runs_write(struct runs *runs,
           enum un_err (*apply)(struct store_txn *txn, void *ctx, struct un_detail *detail),
           void *ctx, struct un_detail *detail)
{
	if (is_dead())
		return UN_ERR_SHUTTING_DOWN;
	return store_write_wait(runs->options.store, apply, ctx, detail);
}

static struct run_node_row
node_row(const struct execution *execution, const struct template_graph *graph, int64_t id,
         uint32_t place, int64_t change)
{
	const struct exec_node *node = &execution->nodes[place];

	return (struct run_node_row){
	        .execution = id,
	        .place = place,
	        .node = graph->graph->nodes[place].id,
	        .task = graph->nodes[place].entity,
	        .state = (int)node->state,
	        .change = change,
	        .attempts = node->attempts,
	        .max_attempts = graph->graph->nodes[place].retries + 1,
	        .task_failures = node->task_failures,
	        .system_failures = node->system_failures,
	        .not_before_us = node->not_before_us,
	        .created_us = node->created_us,
	        .started_us = node->started_us,
	        .updated_us = node->updated_us,
	        .ended_us = node->ended_us,
	        .error_kind = (int)node->error.kind,
	        .error_code = text(node->error.code),
	        .error_message = text(node->error.message),
	};
}

static struct run_attempt_row
attempt_row(const struct exec_node *node, int64_t id, uint32_t place)
{
	const struct attempt *attempt = &node->last;
	struct run_attempt_row row = {
	        .execution = id,
	        .place = place,
	        .number = attempt->number,
	        .state = (int)attempt->state,
	        .outcome = (int)attempt->outcome,
	        .cancel = attempt->cancel,
	        .created_us = attempt->created_us,
	        .claimed_us = attempt->claimed_us,
	        .ended_us = attempt->ended_us,
	        .pid = attempt->pid,
	        .pid_start = attempt->pid_start,
	        .exit_code = attempt->exit_code,
	};

	memcpy(row.id, attempt->id, sizeof row.id);
	memcpy(row.lease_hash, attempt->lease_hash, sizeof row.lease_hash);
	return row;
}

struct save {
	const struct run *run;
	const struct run_extra *extra;
};

static enum un_err
save_nodes(struct store_txn *txn, const struct run *run, struct un_detail *detail)
{
	const struct execution *execution = run->execution;
	enum un_err err = UN_OK;

	for (uint32_t i = 0; i < execution->graph->node_count && !err; i++) {
		const struct exec_node *node = &execution->nodes[i];

		if (node->dirty) {
			struct run_node_row row =
			        node_row(execution, &run->graph, run->id, i, run->change + 1);

			err = run_node_put(txn, &row, detail);
		}
		if (!err && node->attempt_dirty) {
			struct run_attempt_row row = attempt_row(node, run->id, i);

			err = run_attempt_put(txn, &row, detail);
		}
	}
	return err;
}

static enum un_err
save_apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	const struct save *save = ctx;
	const struct execution *execution = save->run->execution;
	struct run_row row = {
	        .id = save->run->id,
	        .state = (int)execution->state,
	        .change = save->run->change + 1,
	        .updated_us = execution->updated_us,
	        .ended_us = execution->ended_us,
	        .error_kind = (int)execution->error.kind,
	        .error_code = text(execution->error.code),
	        .error_message = text(execution->error.message),
	        .abort_cause = text(execution->abort_cause),
	};
	enum un_err err;

	err = run_update(txn, &row, save->run->change, detail);
	if (!err)
		err = save_nodes(txn, save->run, detail);
	for (size_t i = 0; save->extra != NULL && i < save->extra->value_count && !err; i++)
		err = run_value_put(txn, save->run->id, save->extra->values[i].place,
		                    save->extra->values[i].which, save->extra->values[i].bytes,
		                    detail);
	for (size_t i = 0; save->extra != NULL && i < save->extra->event_count && !err; i++)
		err = audit_append(txn, &save->extra->events[i], detail);
	return err;
}

enum un_err
run_save(struct runs *runs, struct run *run, const struct run_extra *extra,
         struct un_detail *detail)
{
	struct save save = {run, extra};
	struct execution *execution = run->execution;
	enum un_err err;

	err = runs_write(runs, save_apply, &save, detail);
	if (err) {
		log_error("runs", "cannot record a step of execution %s: %s", execution->name,
		          un_message(err, detail));
		run_reload(runs, run);
		return err;
	}
	run->change++;
	execution->dirty = false;
	for (size_t i = 0; i < execution->graph->node_count; i++)
		execution->nodes[i].dirty = execution->nodes[i].attempt_dirty = false;
	return UN_OK;
}

static enum un_err
apply_undelivered(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	const struct run_undelivered *what = ctx;
	enum un_err err = UN_OK;

	for (size_t i = 0; i < what->count && !err; i++) {
		struct audit_event event = {
		        .action = AUDIT_SECRET_RELEASE,
		        .verdict = AUDIT_FAILED,
		        .secret = what->rows[i].id,
		        .version = what->rows[i].version,
		        .request_id = what->request_id,
		        .reason = un_err_slug(what->why),
		        .journal = what->journal,
		};

		event.journal.number += i;
		err = audit_append(txn, &event, detail);
	}
	return err;
}

void
run_record_undelivered(struct runs *runs, const struct run_undelivered *what)
{
	struct run_undelivered copy = *what;
	struct un_detail detail = {0};
	enum un_err err;

	if (what->count == 0)
		return;
	err = runs_write(runs, apply_undelivered, &copy, &detail);
	if (err) /* the next start finds it in the journal */
		log_error("runs", "cannot record a release that was not delivered: %s",
		          un_message(err, &detail));
}

enum un_err
run_insert_nodes(struct store_txn *txn, const struct execution *execution,
                 const struct template_graph *graph, int64_t id, int64_t change,
                 struct un_detail *detail)
{
	enum un_err err = UN_OK;

	for (uint32_t i = 0; i < graph->graph->node_count && !err; i++) {
		struct run_node_row row = node_row(execution, graph, id, i, change);

		err = run_node_put(txn, &row, detail);
	}
	return err;
}

/* ---- reading ---- */

enum un_err
runs_read(struct runs *runs, struct store_view **ret_view, struct un_detail *detail)
{
	enum un_err err = store_read_begin(runs->options.reader, detail);

	if (!err)
		*ret_view = store_reader_view(runs->options.reader);
	return err;
}

void
runs_read_end(struct runs *runs)
{
	store_read_end(runs->options.reader);
}

void
run_free(struct run *run)
{
	if (run == NULL)
		return;
	execution_free(run->execution); /* reads the graph's size */
	template_graph_fini(&run->graph);
	arena_free(run->arena);
	mem_free(run);
}

static enum un_err
read_error(struct run_error *error, int kind, const char *code, const char *message)
{
	if (code[0] == '\0')
		return UN_OK;
	return run_error_set(error, code, message, (enum error_kind)kind);
}

struct read_nodes {
	struct execution *execution;
	uint32_t seen;
};

static enum un_err
read_node(void *ctx, const struct run_node_row *row)
{
	struct read_nodes *read = ctx;
	struct exec_node *node;

	if (row->place != read->seen || row->place >= read->execution->graph->node_count ||
	    row->state < NODE_WAITING || row->state > NODE_SKIPPED ||
	    strcmp(row->node, read->execution->graph->nodes[row->place].id) != 0)
		return UN_ERR_DAMAGED;
	read->seen++;
	node = &read->execution->nodes[row->place];
	*node = (struct exec_node){
	        .state = (enum node_state)row->state,
	        .attempts = row->attempts,
	        .task_failures = row->task_failures,
	        .system_failures = row->system_failures,
	        .not_before_us = row->not_before_us,
	        .created_us = row->created_us,
	        .started_us = row->started_us,
	        .updated_us = row->updated_us,
	        .ended_us = row->ended_us,
	};
	return read_error(&node->error, row->error_kind, row->error_code, row->error_message);
}

static enum un_err
read_attempt(struct store_view *view, int64_t id, uint32_t place, struct exec_node *node,
             struct un_detail *detail)
{
	struct run_attempt_row row;
	enum un_err err;

	err = run_attempt_get(view, id, place, node->attempts - 1, &row, detail);
	if (err)
		return err == UN_ERR_NOT_FOUND ? UN_ERR_DAMAGED : err;
	node->last = (struct attempt){
	        .state = (enum attempt_state)row.state,
	        .outcome = (enum outcome)row.outcome,
	        .number = row.number,
	        .cancel = row.cancel,
	        .created_us = row.created_us,
	        .claimed_us = row.claimed_us,
	        .ended_us = row.ended_us,
	        .pid = row.pid,
	        .pid_start = row.pid_start,
	        .exit_code = row.exit_code,
	};
	memcpy(node->last.id, row.id, sizeof node->last.id);
	memcpy(node->last.lease_hash, row.lease_hash, sizeof node->last.lease_hash);
	return UN_OK;
}

static enum un_err
read_nodes(struct store_view *view, struct execution *execution, int64_t id,
           struct un_detail *detail)
{
	struct read_nodes read = {execution, 0};
	enum un_err err;

	err = run_node_list(view, id, -1, 0, GRAPH_NODES_MAX, read_node, &read, detail);
	if (!err && read.seen != execution->graph->node_count)
		err = UN_ERR_DAMAGED;
	for (uint32_t i = 0; i < execution->graph->node_count && !err; i++) {
		if (execution->nodes[i].attempts > 0)
			err = read_attempt(view, id, i, &execution->nodes[i], detail);
	}
	return err;
}

/* Copies what the row says; its texts are lent and end with the next read. */
static enum un_err
read_row(struct run *run, const struct run_row *row, struct run_error *ret_error, char **ret_cause)
{
	enum un_err err;

	run->id = row->id;
	run->change = row->change;
	err = read_error(ret_error, row->error_kind, row->error_code, row->error_message);
	if (!err && row->abort_cause[0] != '\0' &&
	    (*ret_cause = mem_strdup(row->abort_cause)) == NULL)
		err = UN_ERR_NO_MEMORY;
	if (!err)
		err = arena_unpack(run->arena, &flyteidl__admin__execution_spec__descriptor,
		                   row->spec.bytes, row->spec.len, &run->spec);
	return err;
}

static enum un_err
load(struct store_view *view, int64_t id, struct run *run, struct un_detail *detail)
{
	struct run_error error = {0};
	char *cause = NULL;
	struct run_row row;
	enum un_err err;

	err = run_get_by_id(view, id, &row, detail);
	if (!err)
		err = read_row(run, &row, &error, &cause);
	if (!err)
		err = template_load_graph(view, run->arena, row.entity, &run->graph, detail);
	if (!err)
		err = execution_new(run->graph.graph, row.created_us, &run->execution);
	if (err) {
		run_error_fini(&error);
		mem_free(cause);
		return err;
	}
	run->execution->id = id;
	run->execution->state = (enum run_state)row.state;
	run->execution->max_parallelism = row.max_parallelism;
	run->execution->updated_us = row.updated_us;
	run->execution->ended_us = row.ended_us;
	run->execution->error = error;
	run->execution->abort_cause = cause;
	run->execution->dirty = false;
	memcpy(run->execution->name, row.name, sizeof run->execution->name);
	memcpy(run->execution->at.project, row.project, sizeof row.project);
	memcpy(run->execution->at.domain, row.domain, sizeof row.domain);
	return read_nodes(view, run->execution, id, detail);
}

enum un_err
run_load(struct runs *runs, int64_t id, struct run **ret_run, struct un_detail *detail)
{
	struct run *run = mem_zalloc(1, sizeof *run);
	struct store_view *view;
	enum un_err err;

	if (run == NULL)
		return UN_ERR_NO_MEMORY;
	err = arena_new(RUN_ARENA_MAX, &run->arena);
	if (!err)
		err = runs_read(runs, &view, detail);
	if (!err) {
		err = load(view, id, run, detail);
		if (!err && runs->options.lost_after_us > 0)
			run->execution->lease_ttl_us = runs->options.lost_after_us;
		runs_read_end(runs);
	}
	if (err) {
		run_free(run);
		return err;
	}
	*ret_run = run;
	return UN_OK;
}

/* Leases count from now, as after a restart: heartbeats are not recorded. */
static void
refresh_leases(struct run *run, int64_t now_us)
{
	for (size_t i = 0; i < run->execution->graph->node_count; i++) {
		struct attempt *attempt = &run->execution->nodes[i].last;

		if (attempt->state == ATTEMPT_CLAIMED)
			attempt->lease_until_us = now_us + run->execution->lease_ttl_us;
		if (attempt->state == ATTEMPT_CREATED)
			attempt->lease_until_us = attempt->created_us + CLAIM_WITHIN_US;
	}
}

void
run_reload(struct runs *runs, struct run *run)
{
	struct un_detail detail = {0};
	struct run *fresh = NULL;
	struct run swap;
	enum un_err err;

	run->hold_us = runs_now(runs) + RUNS_RETRY_US;
	err = run_load(runs, run->id, &fresh, &detail);
	if (err) {
		run->stale = true;
		log_error("runs", "cannot read execution %s again: %s", run->execution->name,
		          un_message(err, &detail));
		return;
	}
	for (size_t i = 0; i < run->execution->graph->node_count; i++) {
		if (run->execution->nodes[i].starting)
			fresh->execution->nodes[i].starting = true;
	}
	swap = *run;
	*run = *fresh;
	run->next = swap.next;
	run->share = swap.share;
	run->hold_us = swap.hold_us;
	run->stale = false;
	*fresh = swap;
	run_free(fresh);
	refresh_leases(run, runs_now(runs));
	if (execution_settle(run->execution, runs_now(runs)) != UN_OK)
		run->stale = true;
}
