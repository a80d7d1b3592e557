/* The launcher's side: claim, heartbeat, logs, finish.
 *
 * A claim asks the keeper first and records second. Of two launchers with one ticket both may get
 * an answer of the keeper, sealed to each; only one gets the record, and the other's answer is
 * thrown away unseen. The audit entries of what is released are part of that record, so nothing
 * leaves before they are durable. */
#include "runs/runs_impl.h"

#include "base/alloc.h"
#include "base/io.h"
#include "base/log.h"
#include "model/secret_request.h"
#include "runs/bundles.h"
#include "runs/logs.h"
#include "runs/type.h"
#include "store/secrets.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- lives ---- */

struct live *
live_find(struct runs *runs, const uint8_t id[ATTEMPT_ID_LEN])
{
	struct live *live = runs->lives;

	while (live != NULL && !bytes_equal(live->id, id, ATTEMPT_ID_LEN))
		live = live->next;
	return live;
}

enum un_err
live_add(struct runs *runs, struct run *run, uint32_t place, struct live **ret_live)
{
	struct live *live = mem_zalloc(1, sizeof *live);

	if (live == NULL)
		return UN_ERR_NO_MEMORY;
	live->run = run->id;
	live->share = run->share;
	share_count(runs, live->share, 0, 1);
	live->place = place;
	memcpy(live->id, run->execution->nodes[place].last.id, ATTEMPT_ID_LEN);
	live->next = runs->lives;
	runs->lives = live;
	runs->live_count++;
	*ret_live = live;
	return UN_OK;
}

static void
live_drop(struct runs *runs, struct live **at)
{
	struct live *live = *at;

	*at = live->next;
	share_count(runs, live->share, 0, -1);
	mem_free(live);
	runs->live_count--;
}

void
live_drop_ended(struct runs *runs, struct run *run)
{
	struct live **at = &runs->lives;

	while (*at != NULL) {
		const struct attempt *last;

		if ((*at)->run != run->id) {
			at = &(*at)->next;
			continue;
		}
		last = &run->execution->nodes[(*at)->place].last;
		if (last->state == ATTEMPT_ENDED ||
		    !bytes_equal(last->id, (*at)->id, ATTEMPT_ID_LEN))
			live_drop(runs, at);
		else
			at = &(*at)->next;
	}
}

static void
hash_lease(const uint8_t *lease, uint8_t ret_hash[HASH_LEN])
{
	static const char purpose[] = "union lease 1";
	const struct hash_part parts[] = {{purpose, sizeof purpose - 1}, {lease, LEASE_LEN}};

	hash_parts(parts, 2, ret_hash);
}

/* The attempt that a lease names: claimed, not ended, of a run that can be worked with. */
static enum un_err
find_lease(struct runs *runs, const uint8_t *lease, size_t len, struct live **ret_live,
           struct run **ret_run)
{
	uint8_t hash[HASH_LEN];

	if (len != LEASE_LEN)
		return UN_ERR_BAD_TICKET;
	hash_lease(lease, hash);
	for (struct live *live = runs->lives; live != NULL; live = live->next) {
		struct run *run = runs_find(runs, live->run);
		const struct attempt *attempt;

		if (run == NULL)
			continue;
		attempt = &run->execution->nodes[live->place].last;
		if (attempt->state != ATTEMPT_CLAIMED ||
		    !bytes_equal(attempt->lease_hash, hash, HASH_LEN))
			continue;
		if (run->stale)
			return UN_ERR_AGAIN;
		*ret_live = live;
		*ret_run = run;
		return UN_OK;
	}
	return UN_ERR_BAD_TICKET;
}

/* The engine says that the launcher is gone. */
void
runs_attempt_exited(void *ctx, const uint8_t attempt[ATTEMPT_ID_LEN])
{
	struct runs *runs = ctx;
	struct live *live = live_find(runs, attempt);
	struct un_detail detail = {0};
	struct run *run;
	enum un_err err;

	if (live == NULL)
		return; /* it had finished before */
	live->watched = false;
	run = runs_find(runs, live->run);
	if (run == NULL || run->stale)
		return; /* its lease decides */
	log_notice("runs", "the launcher of %s, node %s, ended without a result",
	           run->execution->name, run->graph.graph->nodes[live->place].id);
	err = execution_finish(run->execution, live->place, OUTCOME_LOST, NULL, 0, runs_now(runs));
	if (err) {
		run_reload(runs, run);
		return;
	}
	if (run_save(runs, run, NULL, &detail) == UN_OK)
		run_after(runs, run);
	runs_tick(runs);
}

/* ---- claim ---- */

struct claiming {
	struct runs *runs;
	uint8_t attempt[ATTEMPT_ID_LEN];
	struct runs_claimed *claimed; /* being built */
	struct wanted_secrets wanted;
	struct secret_id *ids; /* of the secrets found; in the arena */
	struct keeper_row *rows;
	const char *request_id;
	runs_claim_done *done;
	void *ctx;
};

void
runs_claimed_free(struct runs_claimed *claimed)
{
	if (claimed == NULL)
		return;
	secbuf_free(claimed->lease);
	arena_free(claimed->arena);
	mem_free(claimed);
}

/* A claim that can never succeed ends its attempt now and with the reason, instead of letting
 * launcher after launcher find it out. What may pass (no keeper, no memory, a locked ring) is left
 * to the next. */
static void
claim_give_up(struct claiming *claiming, enum un_err why, const struct un_detail *detail)
{
	struct runs *runs = claiming->runs;
	struct live *live = live_find(runs, claiming->attempt);
	struct run *run = live == NULL ? NULL : runs_find(runs, live->run);
	struct run_error error = {0};
	struct un_detail ignored = {0};
	enum un_err err;

	if (run == NULL || run->stale || un_err_may_retry(why) || why == UN_ERR_BAD_TICKET ||
	    why == UN_ERR_SEALED || why == UN_ERR_CANCELLED)
		return;
	err = run_error_set(&error, un_err_slug(why), un_message(why, detail), ERROR_SYSTEM);
	if (!err)
		err = execution_finish(run->execution, live->place, OUTCOME_FAILED, &error, 0,
		                       runs_now(runs));
	run_error_fini(&error);
	if (err) {
		run_reload(runs, run);
		return;
	}
	if (run_save(runs, run, NULL, &ignored) == UN_OK)
		run_after(runs, run);
}

static void
claim_end(struct claiming *claiming, enum un_err err, const struct un_detail *detail)
{
	struct live *live = live_find(claiming->runs, claiming->attempt);

	if (live != NULL)
		live->claiming = false;
	if (err) {
		claim_give_up(claiming, err, detail);
		runs_claimed_free(claiming->claimed);
		claiming->claimed = NULL;
	}
	claiming->done(claiming->ctx, err, detail, claiming->claimed);
	mem_free(claiming);
}

static void *
copied(struct arena *arena, const void *bytes, size_t len)
{
	void *copy = arena_alloc(arena, 1, len);

	if (copy != NULL && len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

/* One found secret into the answer; the row for the keeper beside it. */
static enum un_err
add_secret(struct claiming *claiming, size_t i, const Flyteidl__Core__Secret *asked,
           const struct secret_sealed *sealed, struct un_detail *detail)
{
	struct arena *arena = claiming->claimed->arena;
	Union__V1__AttemptSecret *secret = arena_alloc(arena, 1, sizeof *secret);
	struct secret_id *id = &claiming->ids[i];

	*id = sealed->head.id;
	claiming->rows[i] = (struct keeper_row){
	        .id = id,
	        .version = sealed->version,
	        .stored = copied(arena, sealed->stored_dek, STORED_DEK_LEN),
	};
	if (secret == NULL || claiming->rows[i].stored == NULL)
		return UN_ERR_NO_MEMORY;
	union__v1__attempt_secret__init(secret);
	secret->name = id->name;
	secret->group = asked->group;
	secret->group_version = asked->group_version;
	secret->env_var = asked->env_var;
	secret->mount = (uint32_t)asked->mount_requirement;
	secret->project = id->scope.project;
	secret->domain = id->scope.domain;
	secret->version = sealed->version;
	secret->sealed_value.len = sealed->sealed_value_len;
	secret->sealed_value.data = copied(arena, sealed->sealed_value, sealed->sealed_value_len);
	if (secret->sealed_value.data == NULL)
		return un_fail(detail, UN_ERR_TOO_LARGE,
		               "the secrets of the task have more than %u bytes together",
		               RUNS_RELEASE_MAX);
	claiming->claimed->response.secrets[i] = secret;
	return UN_OK;
}

static enum un_err
find_secrets(struct claiming *claiming, const struct run *run, const pb_task *task,
             struct un_detail *detail)
{
	struct runs *runs = claiming->runs;
	Union__V1__ClaimResponse *response = &claiming->claimed->response;
	struct arena *arena = claiming->claimed->arena;
	struct secret_id at = {.scope = run->execution->at};
	struct secret_sealed sealed;
	struct store_view *view;
	size_t count;
	enum un_err err;

	err = template_secrets(arena, task, &claiming->wanted, detail);
	if (err)
		return err;
	count = claiming->wanted.count;
	claiming->ids = arena_alloc(arena, count, sizeof *claiming->ids);
	claiming->rows = arena_alloc(arena, count, sizeof *claiming->rows);
	response->secrets = arena_alloc(arena, count, sizeof *response->secrets);
	if (claiming->ids == NULL || claiming->rows == NULL || response->secrets == NULL)
		return UN_ERR_NO_MEMORY;
	err = runs_read(runs, &view, detail);
	for (size_t i = 0; i < count && !err; i++) {
		const struct secret_request *request = &claiming->wanted.requests[i];

		memcpy(at.name, request->name, sizeof at.name);
		err = secret_resolve(view, &at, request->version, &sealed, detail);
		if (!err)
			err = add_secret(claiming, i, task->security_context->secrets[i], &sealed,
			                 detail);
	}
	runs_read_end(runs);
	response->n_secrets = count;
	return err;
}

/* Everything of the answer that needs no key: task, inputs, environment, bundle. */
static enum un_err
describe(struct claiming *claiming, const struct run *run, uint32_t place,
         struct un_detail *detail)
{
	Union__V1__ClaimResponse *response = &claiming->claimed->response;
	struct arena *arena = claiming->claimed->arena;
	Flyteidl__Core__WorkflowExecutionIdentifier *id = arena_alloc(arena, 1, sizeof *id);
	Google__Protobuf__Duration *ttl = arena_alloc(arena, 1, sizeof *ttl);
	const struct graph_node *node = &run->graph.graph->nodes[place];
	struct store_view *view;
	struct run_bytes bytes;
	enum un_err err;

	if (id == NULL || ttl == NULL)
		return UN_ERR_NO_MEMORY;
	flyteidl__core__workflow_execution_identifier__init(id);
	id->project = copied(arena, run->execution->at.project, sizeof run->execution->at.project);
	id->domain = copied(arena, run->execution->at.domain, sizeof run->execution->at.domain);
	id->name = copied(arena, run->execution->name, sizeof run->execution->name);
	response->execution = id;
	response->node_id = arena_strndup(arena, node->id, strlen(node->id));
	response->attempt = run->execution->nodes[place].last.number;
	google__protobuf__duration__init(ttl);
	ttl->seconds = run->execution->lease_ttl_us / 1000000;
	response->lease_ttl = ttl;
	if (node->timeout_ms > 0) {
		Google__Protobuf__Duration *timeout = arena_alloc(arena, 1, sizeof *timeout);

		if (timeout == NULL)
			return UN_ERR_NO_MEMORY;
		google__protobuf__duration__init(timeout);
		timeout->seconds = node->timeout_ms / 1000;
		timeout->nanos = (int32_t)(node->timeout_ms % 1000) * 1000000;
		response->timeout = timeout;
	}
	if (id->project == NULL || id->domain == NULL || id->name == NULL ||
	    response->node_id == NULL)
		return UN_ERR_NO_MEMORY;
	err = runs_read(claiming->runs, &view, detail);
	if (err)
		return err;
	err = run_value_get(view, run->id, place, RUN_INPUTS, &bytes, detail);
	if (!err)
		err = arena_unpack(arena, &flyteidl__core__literal_map__descriptor, bytes.bytes,
		                   bytes.len, &response->inputs);
	runs_read_end(claiming->runs);
	return err;
}

/* A copy in the arena: the run may end before the answer is sent. */
static enum un_err
copy_message(struct arena *arena, const ProtobufCMessage *message, void *ret_copy)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *packed = mem_alloc(len);
	enum un_err err;

	if (packed == NULL)
		return UN_ERR_NO_MEMORY;
	protobuf_c_message_pack(message, packed);
	err = arena_unpack(arena, message->descriptor, packed, len, ret_copy);
	mem_free(packed);
	return err;
}

static enum un_err
describe_task(struct claiming *claiming, const struct run *run, uint32_t place)
{
	Union__V1__ClaimResponse *response = &claiming->claimed->response;
	struct arena *arena = claiming->claimed->arena;
	const Flyteidl__Admin__Envs *envs = run->spec->envs;
	Flyteidl__Admin__Envs *copy;
	enum un_err err;

	response->guard = (Union__V1__GuardPolicy)guard_policy_of(claiming->runs->options.guard,
	                                                          run->execution->at.project);
	err = copy_message(arena, &run->graph.graph->nodes[place].task->base, &response->task);
	if (err || envs == NULL)
		return err;
	err = copy_message(arena, &envs->base, &copy);
	if (err)
		return err;
	response->n_envs = copy->n_values;
	response->envs = copy->values;
	return UN_OK;
}

/* The native URL of the code bundle: in the task's configuration, where our SDK puts it, or in the
 * command line, where other SDKs do. NULL: none of ours. */
const char *
run_bundle_of(const pb_task *task)
{
	const size_t prefix = sizeof BUNDLE_URL_PREFIX - 1;

	for (size_t i = 0; i < task->n_config; i++) {
		if (strcmp(task->config[i]->key, BUNDLE_CONFIG_KEY) == 0)
			return task->config[i]->value;
	}
	if (task->target_case != FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER)
		return NULL;
	for (size_t i = 0; i < task->container->n_args; i++) {
		if (strncmp(task->container->args[i], BUNDLE_URL_PREFIX, prefix) == 0)
			return task->container->args[i];
	}
	return NULL;
}

static enum un_err
describe_bundle(struct claiming *claiming, const struct run *run, uint32_t place,
                struct un_detail *detail)
{
	Union__V1__ClaimResponse *response = &claiming->claimed->response;
	const char *url = run_bundle_of(run->graph.graph->nodes[place].task);
	uint64_t len;
	enum un_err err;
	int fd;

	if (url == NULL || url[0] == '\0')
		return UN_OK;
	err = bundles_open_url(claiming->runs->bundles_fd, url, &fd, &len);
	if (err)
		return un_fail(detail, err, "the code bundle '%.200s' is not there", url);
	(void)futimens(fd, NULL); /* in use: retention.c */
	io_close(&fd);
	response->bundle_url = arena_strndup(claiming->claimed->arena, RUNS_BUNDLE_PATH,
	                                     sizeof RUNS_BUNDLE_PATH - 1);
	response->bundle_size = len;
	return response->bundle_url == NULL ? UN_ERR_NO_MEMORY : UN_OK;
}

static enum un_err
put_keys(struct claiming *claiming, const uint8_t *deks, size_t count)
{
	Union__V1__ClaimResponse *response = &claiming->claimed->response;
	uint8_t *copy;

	if (count != response->n_secrets)
		return UN_ERR_INTERNAL;
	copy = copied(claiming->claimed->arena, deks, count * DELIVERED_DEK_LEN);
	if (copy == NULL)
		return UN_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		response->secrets[i]->boxed_dek.data = copy + i * DELIVERED_DEK_LEN;
		response->secrets[i]->boxed_dek.len = DELIVERED_DEK_LEN;
	}
	return UN_OK;
}

static enum un_err
make_lease(struct runs_claimed *claimed, uint8_t ret_hash[HASH_LEN])
{
	enum un_err err = secbuf_new(LEASE_LEN, &claimed->lease);

	if (err)
		return err;
	random_bytes(secbuf_edit(claimed->lease), LEASE_LEN);
	hash_lease(secbuf_peek(claimed->lease), ret_hash);
	claimed->response.lease.data = secbuf_edit(claimed->lease);
	claimed->response.lease.len = LEASE_LEN;
	return UN_OK;
}

/* The record of the claim, with one audit entry for the attempt and one for each secret. */
static enum un_err
record_claim(struct claiming *claiming, struct run *run, uint32_t place,
             const struct vault_release *release, struct un_detail *detail)
{
	size_t count = claiming->wanted.count;
	struct audit_event *events =
	        arena_alloc(claiming->claimed->arena, count + 1, sizeof *events);
	const struct attempt *attempt = &run->execution->nodes[place].last;
	char principal[AUDIT_PRINCIPAL_MAX + 1];
	struct run_extra extra = {.events = events, .event_count = count + 1};

	if (events == NULL)
		return UN_ERR_NO_MEMORY;
	snprintf(principal, sizeof principal, "execution:%s", run->execution->name);
	for (size_t i = 0; i < count + 1; i++) {
		events[i] = (struct audit_event){
		        .action = i < count ? AUDIT_SECRET_RELEASE : AUDIT_ATTEMPT_CLAIM,
		        .verdict = AUDIT_ALLOWED,
		        .principal = principal,
		        .secret = i < count ? &claiming->ids[i] : NULL,
		        .version = i < count ? claiming->rows[i].version : 0,
		        .execution = run->execution->name,
		        .node = run->graph.graph->nodes[place].id,
		        .attempt = attempt->number,
		        .request_id = claiming->request_id,
		        .scope = &run->execution->at,
		        .execution_at = &run->execution->at,
		};
		if (i < count) {
			events[i].journal = release->journal;
			events[i].journal.number += i;
		}
	}
	return run_save(claiming->runs, run, &extra, detail);
}

static void
claim_released(void *ctx, enum un_err err, const struct un_detail *detail,
               const struct vault_release *release)
{
	struct claiming *claiming = ctx;
	struct runs *runs = claiming->runs;
	struct live *live = live_find(runs, claiming->attempt);
	struct run *run = live == NULL ? NULL : runs_find(runs, live->run);
	struct un_detail why = {0};
	uint8_t hash[HASH_LEN];

	if (!err && (run == NULL || run->stale))
		err = UN_ERR_BAD_TICKET; /* it ended while the keeper was asked */
	if (!err)
		err = put_keys(claiming, release->deks, release->count);
	if (!err)
		err = make_lease(claiming->claimed, hash);
	if (!err)
		err = execution_claim(run->execution, live->place, hash, runs_now(runs));
	if (!err) {
		err = record_claim(claiming, run, live->place, release, &why);
		detail = &why;
	}
	if (err && release != NULL)
		run_record_undelivered(runs, &(struct run_undelivered){
		        claiming->rows, claiming->wanted.count, claiming->request_id,
		        release->journal, err});
	claim_end(claiming, err, detail);
}

static enum un_err
claim_prepare(struct claiming *claiming, struct run *run, uint32_t place,
              struct un_detail *detail)
{
	struct runs_claimed *claimed = mem_zalloc(1, sizeof *claimed);
	enum un_err err;

	if (claimed == NULL)
		return UN_ERR_NO_MEMORY;
	claiming->claimed = claimed;
	union__v1__claim_response__init(&claimed->response);
	err = arena_new(RUNS_RELEASE_MAX + (32u << 20), &claimed->arena);
	if (!err)
		err = describe(claiming, run, place, detail);
	if (!err)
		err = describe_task(claiming, run, place);
	if (!err)
		err = describe_bundle(claiming, run, place, detail);
	if (!err)
		err = find_secrets(claiming, run, run->graph.graph->nodes[place].task, detail);
	return err;
}

void
runs_claim(struct runs *runs, const struct runs_claim *claim, runs_claim_done *done, void *ctx)
{
	struct claiming *claiming = mem_zalloc(1, sizeof *claiming);
	struct un_detail detail = {0};
	struct keeper_release what;
	struct live *live = NULL;
	struct run *run = NULL;
	enum un_err err;

	if (claiming == NULL) {
		done(ctx, UN_ERR_NO_MEMORY, NULL, NULL);
		return;
	}
	*claiming = (struct claiming){
	        .runs = runs, .request_id = claim->request_id, .done = done, .ctx = ctx};
	err = ticket_attempt(claim->ticket, claiming->attempt);
	if (!err)
		live = live_find(runs, claiming->attempt);
	if (live != NULL)
		run = runs_find(runs, live->run);
	if (!err && (run == NULL || run->stale || live->claiming ||
	             run->execution->nodes[live->place].last.state != ATTEMPT_CREATED))
		err = UN_ERR_BAD_TICKET;
	if (err) {
		memset(claiming->attempt, 0,
		       sizeof claiming->attempt); /* another claim's flag stays */
		claim_end(claiming, err, NULL);
		return;
	}
	live->claiming = true;
	err = claim_prepare(claiming, run, live->place, &detail);
	if (err) {
		claim_end(claiming, err, &detail);
		return;
	}
	what = (struct keeper_release){.ticket = claim->ticket,
	                               .launcher_public = claim->public_key,
	                               .rows = claiming->rows,
	                               .count = claiming->wanted.count};
	err = runs->options.vault.release(runs->options.vault.ctx, &what, claim_released, claiming);
	if (err)
		claim_end(claiming, err, NULL);
}

/* ---- while it runs ---- */

static void
is_heard(struct runs *runs, struct run *run, struct live *live)
{
	live->doubted = false;
	execution_heartbeat(run->execution, live->place, runs_now(runs));
}

enum un_err
runs_heartbeat(struct runs *runs, const uint8_t *lease, size_t len, bool *ret_cancel)
{
	struct live *live;
	struct run *run;
	enum un_err err;

	err = find_lease(runs, lease, len, &live, &run);
	if (err)
		return err;
	is_heard(runs, run, live);
	*ret_cancel = run->execution->nodes[live->place].last.cancel;
	return UN_OK;
}

enum un_err
runs_push_logs(struct runs *runs, const Union__V1__PushLogsRequest *request,
               struct un_detail *detail)
{
	struct log_piece piece;
	struct log_name name;
	struct live *live;
	struct run *run;
	enum un_err err;

	if (request->data.len > RUNS_LOG_PIECE_MAX)
		return un_fail(detail, UN_ERR_TOO_LARGE, "a piece of a log has at most %u bytes",
		               RUNS_LOG_PIECE_MAX);
	err = find_lease(runs, request->lease.data, request->lease.len, &live, &run);
	if (err)
		return err;
	name = (struct log_name){
	        .execution = run->execution->name,
	        .execution_id = run->id,
	        .node = run->graph.graph->nodes[live->place].id,
	        .attempt = run->execution->nodes[live->place].last.number,
	};
	piece = (struct log_piece){.offset = request->offset,
	                           .bytes = request->data.data,
	                           .len = request->data.len,
	                           .max = RUNS_LOG_MAX};
	err = logs_write(runs->logs_fd, &name, &piece, &live->log_len, detail);
	logs_tell(&name, err, &runs->logs_wait);
	if (err)
		return err;
	is_heard(runs, run, live);
	hub_wake(runs->options.hub, run->id);
	return UN_OK;
}

/* ---- finish ---- */

/* What the launcher says, with its outputs held against the task's interface. */
static enum outcome
judge(const Union__V1__FinishRequest *request, const pb_task *task, struct run_error *error,
      enum un_err *ret_err)
{
	const pb_variable_map *declared = task->interface == NULL ? NULL : task->interface->outputs;
	struct un_detail why = {0};
	enum un_err err;

	*ret_err = UN_OK;
	if (request->outcome == UNION__V1__FINISH_REQUEST__OUTCOME__SUCCEEDED) {
		err = type_check_map("output", declared, request->outputs, &why);
		if (!err)
			return OUTCOME_SUCCEEDED;
		*ret_err =
			run_error_set(error, un_err_slug(err), un_message(err, &why), ERROR_USER);
		return OUTCOME_FAILED;
	}
	if (request->error != NULL && request->error->code[0] != '\0')
		*ret_err = run_error_set(error, request->error->code, request->error->message,
		                         (enum error_kind)request->error->kind);
	return (enum outcome)request->outcome;
}

/* Said again after the first answer was lost. */
static enum un_err
finished_before(struct runs *runs, const Union__V1__FinishRequest *request)
{
	struct run_attempt_row row;
	struct store_view *view;
	uint8_t hash[HASH_LEN];
	enum un_err err;

	hash_lease(request->lease.data, hash);
	err = runs_read(runs, &view, NULL);
	if (err)
		return err;
	err = run_attempt_find(view, hash, &row, NULL);
	runs_read_end(runs);
	if (err == UN_ERR_NOT_FOUND)
		return UN_ERR_BAD_TICKET;
	if (err)
		return err;
	/* one that counts as lost has no say any more */
	return row.state == ATTEMPT_ENDED && row.outcome != OUTCOME_LOST ? UN_OK
	                                                                 : UN_ERR_BAD_TICKET;
}

static enum un_err
finish_live(struct runs *runs, struct run *run, struct live *live,
            const Union__V1__FinishRequest *request, struct un_detail *detail)
{
	const pb_task *task = run->graph.graph->nodes[live->place].task;
	pb_literal_map none = FLYTEIDL__CORE__LITERAL_MAP__INIT;
	const pb_literal_map *outputs = request->outputs != NULL ? request->outputs : &none;
	struct run_error error = {0};
	struct run_extra extra = {0};
	uint8_t *packed = NULL;
	enum outcome outcome;
	enum un_err err;

	outcome = judge(request, task, &error, &err);
	if (!err && outcome == OUTCOME_SUCCEEDED) {
		size_t len = flyteidl__core__literal_map__get_packed_size(outputs);

		packed = mem_alloc(len);
		if (packed == NULL) {
			err = UN_ERR_NO_MEMORY;
		} else {
			flyteidl__core__literal_map__pack(outputs, packed);
			extra.values[extra.value_count++] =
			        (struct run_value){live->place, RUN_OUTPUTS, {packed, len}};
		}
	}
	if (!err) {
		err = execution_finish(run->execution, live->place, outcome, &error,
		                       request->exit_code, runs_now(runs));
		if (err)
			run_reload(runs, run);
		else
			err = run_save(runs, run, &extra, detail);
	}
	mem_free(packed);
	run_error_fini(&error);
	return err;
}

enum un_err
runs_finish(struct runs *runs, const Union__V1__FinishRequest *request, struct un_detail *detail)
{
	struct live *live;
	struct run *run;
	enum un_err err;

	if (request->lease.len != LEASE_LEN)
		return UN_ERR_BAD_TICKET;
	if (request->outcome <= UNION__V1__FINISH_REQUEST__OUTCOME__UNSPECIFIED ||
	    request->outcome > UNION__V1__FINISH_REQUEST__OUTCOME__CANCELLED)
		return un_fail(detail, UN_ERR_INVALID, "the outcome is not one");
	err = find_lease(runs, request->lease.data, request->lease.len, &live, &run);
	if (err == UN_ERR_BAD_TICKET)
		return finished_before(runs, request);
	if (err)
		return err;
	err = finish_live(runs, run, live, request, detail);
	if (err)
		return err;
	run_after(runs, run);
	runs_tick(runs);
	return UN_OK;
}

enum un_err
runs_open_bundle(struct runs *runs, const uint8_t *lease, size_t len, int *ret_fd,
                 uint64_t *ret_len, struct un_detail *detail)
{
	struct live *live;
	struct run *run;
	const char *url;
	enum un_err err;

	err = find_lease(runs, lease, len, &live, &run);
	if (err)
		return err;
	url = run_bundle_of(run->graph.graph->nodes[live->place].task);
	if (url == NULL)
		return un_fail(detail, UN_ERR_NOT_FOUND, "the task has no code bundle");
	return bundles_open_url(runs->bundles_fd, url, ret_fd, ret_len);
}
