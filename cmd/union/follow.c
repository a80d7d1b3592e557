#include "follow.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "literal_show.h"
#include "log_lines.h"
#include "nodes_view.h"
#include "show.h"

#include <string.h>
#include <unistd.h>

#define HINT_LINE "\nhint: "
#define POSITIONS_MAX 10000
#define SILENCE_MS 60000   /* then the stream is opened again: a dead peer shows itself */
#define GIVE_UP_MS 120000  /* without any connection */
#define FIRST_PAUSE_MS 50
#define LONGEST_PAUSE_MS 2000

struct follow {
	struct cli *cli;
	struct execution_name *execution;
	struct nodes_view *view; /* NULL: only the logs are wanted */
	struct log_lines *lines;
	Union__V1__LogPosition **positions;
	size_t position_count;
	int64_t give_up_ms;
	int64_t pause_ms;
	bool ended;
	int phase;
	enum un_err failure; /* of the execution */
};

static void
free_positions(struct follow *follow)
{
	for (size_t i = 0; i < follow->position_count; i++) {
		mem_free(follow->positions[i]->node_id);
		mem_free(follow->positions[i]);
	}
	mem_free(follow->positions);
}

static enum un_err
find_position(struct follow *follow, const Union__V1__LogChunk *chunk,
              Union__V1__LogPosition **ret_position)
{
	Union__V1__LogPosition *position, **larger;

	for (size_t i = 0; i < follow->position_count; i++) {
		position = follow->positions[i];
		if (position->attempt == chunk->attempt &&
		    strcmp(position->node_id, chunk->node_id) == 0) {
			*ret_position = position;
			return UN_OK;
		}
	}
	if (follow->position_count >= POSITIONS_MAX)
		return UN_ERR_TOO_LARGE;
	larger = mem_realloc(follow->positions, (follow->position_count + 1) * sizeof *larger);
	if (!larger)
		return UN_ERR_NO_MEMORY;
	follow->positions = larger;
	position = mem_alloc(sizeof *position);
	if (!position)
		return UN_ERR_NO_MEMORY;
	union__v1__log_position__init(position);
	position->attempt = chunk->attempt;
	position->node_id = mem_strdup(chunk->node_id);
	if (!position->node_id) {
		mem_free(position);
		return UN_ERR_NO_MEMORY;
	}
	follow->positions[follow->position_count++] = position;
	*ret_position = position;
	return UN_OK;
}

/* What overlaps with what was shown already (after a broken stream) is dropped. */
static enum un_err
take_log(struct follow *follow, const Union__V1__LogChunk *chunk)
{
	Union__V1__LogPosition *position;
	uint64_t seen;
	enum un_err err = find_position(follow, chunk, &position);

	if (err)
		return err;
	seen = position->offset > chunk->offset ? position->offset - chunk->offset : 0;
	if (seen >= chunk->data.len)
		return UN_OK;
	nodes_view_hide(follow->view);
	err = log_lines_push(follow->lines, chunk->node_id, chunk->attempt, chunk->data.data + seen,
	                     chunk->data.len - seen);
	nodes_view_show(follow->view);
	if (!err && ferror(stdout))
		follow->ended = true; /* nobody reads on; cli_finish says it */
	position->offset = chunk->offset + chunk->data.len;
	return err;
}

static enum un_err
take_node(struct follow *follow, const Union__V1__NodeEvent *event)
{
	bool over = false;
	enum un_err err = nodes_view_update(follow->view, event, &over);

	if (!err && over) {
		nodes_view_hide(follow->view);
		log_lines_flush(follow->lines, event->node_id);
		nodes_view_show(follow->view);
	}
	return err;
}

/* A refusal before the task began has its hint as a last line "hint: ...". */
static void
take_message(struct cli *cli, enum un_err err, const char *message)
{
	const char *hint = NULL;

	for (const char *at = message; (at = strstr(at, HINT_LINE)); at++)
		hint = at;
	if (!hint || strchr(hint + 1, '\n')) {
		(void)un_fail(&cli->detail, err, "%s", message);
		return;
	}
	(void)un_fail(&cli->detail, err, "%.*s", (int)(hint - message), message);
	un_hint(&cli->detail, "%s", hint + strlen(HINT_LINE));
}

/* The failure of an execution as one of ours: its code may be a slug. */
static enum un_err
failure_of(struct cli *cli, const Union__V1__ExecutionEvent *event)
{
	const Flyteidl__Core__ExecutionError *error = event->error;
	enum un_err fallback = UN_ERR_RUN_FAILED, err;

	if (event->phase == FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__ABORTED)
		fallback = UN_ERR_ABORTED;
	if (!error)
		return fallback;
	if (error->message[0])
		take_message(cli, fallback, error->message);
	err = un_err_from_slug(error->code);
	return strcmp(un_err_slug(err), error->code) == 0 ? err : fallback;
}

static enum un_err
take_execution(struct follow *follow, const Union__V1__ExecutionEvent *event)
{
	follow->phase = (int)event->phase;
	if (!execution_has_ended(follow->phase))
		return UN_OK;
	follow->ended = true;
	nodes_view_hide(follow->view);
	log_lines_flush(follow->lines, NULL);
	nodes_view_show(follow->view);
	if (!follow->view)
		return UN_OK;
	if (event->phase == FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__SUCCEEDED)
		return literal_map_print(event->outputs);
	follow->failure = failure_of(follow->cli, event);
	return UN_OK;
}

static enum un_err
take_event(struct follow *follow, const Union__V1__WatchEvent *event)
{
	switch (event->event_case) {
	case UNION__V1__WATCH_EVENT__EVENT_NODE:
		return take_node(follow, event->node);
	case UNION__V1__WATCH_EVENT__EVENT_EXECUTION:
		return take_execution(follow, event->execution);
	case UNION__V1__WATCH_EVENT__EVENT_LOG:
		return take_log(follow, event->log);
	default:
		return UN_OK; /* of a newer server */
	}
}

/* Reads one stream until its end, the end of the execution or an error. */
static enum un_err
watch_once(struct follow *follow)
{
	Union__V1__WatchRequest request = UNION__V1__WATCH_REQUEST__INIT;
	struct channel_call call = {
	        .method = "/union.v1.RunService/Watch",
	        .request = &request.base,
	        .reply = &union__v1__watch_event__descriptor,
	};
	struct cli *cli = follow->cli;
	struct channel_stream *stream = NULL;
	enum un_err err;

	request.id = &follow->execution->id;
	request.logs = 1;
	request.from = follow->positions;
	request.n_from = follow->position_count;
	err = channel_stream_open(cli->channel, &call, &stream, &cli->detail);
	while (!err && !follow->ended) {
		Union__V1__WatchEvent *event = NULL;

		err = channel_stream_next(stream, clock_mono_ms() + SILENCE_MS,
		                          (ProtobufCMessage **)&event, &cli->detail);
		if (!err && !event)
			break;
		if (!err) {
			follow->give_up_ms = clock_mono_ms() + GIVE_UP_MS;
			follow->pause_ms = FIRST_PAUSE_MS;
			err = take_event(follow, event);
			channel_message_free(event);
		}
	}
	channel_stream_free(stream);
	return err;
}

static bool
may_reconnect(enum un_err err)
{
	return err == UN_OK || err == UN_ERR_UNREACHABLE || err == UN_ERR_TIMEOUT ||
	       err == UN_ERR_SHUTTING_DOWN || err == UN_ERR_PROTOCOL || err == UN_ERR_AGAIN ||
	       err == UN_ERR_BUSY;
}

/* Waits a little longer each time, then connects again; the user's own plane is started again if it
 * has died. */
static enum un_err
reconnect(struct follow *follow)
{
	struct cli *cli = follow->cli;
	enum un_err err = UN_ERR_UNREACHABLE;

	while (clock_mono_ms() < follow->give_up_ms) {
		err = wire_wait(-1, 0, cli->wake_fd, clock_mono_ms() + follow->pause_ms);
		if (err != UN_ERR_TIMEOUT)
			return err;
		follow->pause_ms *= 2;
		if (follow->pause_ms > LONGEST_PAUSE_MS)
			follow->pause_ms = LONGEST_PAUSE_MS;
		cli->detail = (struct un_detail){0};
		err = cli_connect(cli);
		if (!may_reconnect(err) || !err)
			return err;
	}
	return err;
}

static void
say_how_to_go_on(struct follow *follow)
{
	const char *name = follow->execution->id.name;
	const char *project = follow->execution->id.project, *domain = follow->execution->id.domain;
	char scope[256] = "";

	if (strcmp(project, "default") != 0 || strcmp(domain, "development") != 0)
		(void)snprintf(scope, sizeof scope, " --project %s --domain %s", project, domain);
	(void)fprintf(stderr,
	              "The execution '%s' goes on without being followed.\n"
	              "  see its output:  union logs %s --follow%s\n"
	              "  see its state:   union get execution %s%s\n"
	              "  stop it:         union abort execution %s%s\n",
	              name, name, scope, name, scope, name, scope);
}

static enum un_err
watch_to_the_end(struct follow *follow)
{
	follow->give_up_ms = clock_mono_ms() + GIVE_UP_MS;
	follow->pause_ms = FIRST_PAUSE_MS;
	while (!follow->ended) {
		enum un_err err = watch_once(follow);

		if (follow->ended || !may_reconnect(err))
			return err;
		err = reconnect(follow);
		if (err)
			return err;
	}
	return UN_OK;
}

static int
follow_with(struct follow *state, FILE *out, int fd)
{
	struct cli *cli = state->cli;
	enum un_err err = log_lines_new(out, isatty(fd), &state->lines);
	int status;

	if (!err)
		err = watch_to_the_end(state);
	if (state->lines)
		log_lines_flush(state->lines, NULL);
	if (err == UN_ERR_INTERRUPTED) {
		(void)fputc('\n', stderr);
		say_how_to_go_on(state);
		status = un_err_exit_status(err);
	} else if (err) {
		status = cli_fail(cli, err);
		if (err != UN_ERR_EXECUTION_NOT_FOUND && err != UN_ERR_IO)
			say_how_to_go_on(state);
	} else {
		status = state->failure ? cli_fail(cli, state->failure) : cli_finish(cli);
	}
	free_positions(state);
	log_lines_free(state->lines);
	return status;
}

int
follow(struct cli *cli, struct execution_name *execution)
{
	struct follow state = {.cli = cli, .execution = execution};
	enum un_err err = nodes_view_new(cli, &state.view);
	int status = err ? cli_fail(cli, err) : follow_with(&state, stderr, STDERR_FILENO);

	nodes_view_free(state.view);
	return status;
}

int
follow_logs(struct cli *cli, struct execution_name *execution)
{
	struct follow state = {.cli = cli, .execution = execution};

	return follow_with(&state, stdout, STDOUT_FILENO);
}
