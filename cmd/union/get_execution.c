#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "execution_name.h"
#include "listing.h"
#include "literal_show.h"
#include "show.h"

#include <inttypes.h>
#include <string.h>

#define LIST_DEFAULT 20
#define PAGE_MAX 100
#define NODES_MAX 100000
#define NODES_DEPTH_MAX 16 /* of sub-workflows; a server allows fewer */

typedef Flyteidl__Admin__Execution execution_message;

static void
show_duration(const Google__Protobuf__Duration *duration, char text[32])
{
	int64_t seconds = duration ? duration->seconds : 0;

	if (!duration)
		text[0] = '\0';
	else if (seconds < 60)
		(void)snprintf(text, 32, "%" PRId64 ".%ds", seconds, duration->nanos / 100000000);
	else if (seconds < 3600)
		(void)snprintf(text, 32, "%" PRId64 "m%02ds", seconds / 60, (int)(seconds % 60));
	else
		(void)snprintf(text, 32, "%" PRId64 "h%02dm", seconds / 3600,
		               (int)(seconds / 60 % 60));
}

static void
json_duration(struct json_out *json, const Google__Protobuf__Duration *duration)
{
	char text[40];

	if (!duration) {
		jout_null(json, "duration_seconds");
		return;
	}
	(void)snprintf(text, sizeof text, "%.3f",
	               (double)duration->seconds + duration->nanos / 1e9);
	jout_raw(json, "duration_seconds", text);
}

static void
json_time(struct json_out *json, const char *key, const Google__Protobuf__Timestamp *at)
{
	char text[CLOCK_TEXT_MAX];

	show_time(at, true, text);
	jout_text(json, key, text);
}

static void
json_error(struct json_out *json, const Flyteidl__Core__ExecutionError *error)
{
	if (!error) {
		jout_null(json, "error");
		return;
	}
	jout_open(json, "error", '{');
	jout_text(json, "code", error->code);
	jout_text(json, "message", error->message);
	jout_close(json, '}');
}

static const Flyteidl__Core__ExecutionError *
execution_error(const Flyteidl__Admin__ExecutionClosure *closure)
{
	return closure->output_result_case ==
	                       FLYTEIDL__ADMIN__EXECUTION_CLOSURE__OUTPUT_RESULT_ERROR
	               ? closure->error
	               : NULL;
}

static const char *
entity_name(const execution_message *execution)
{
	return execution->spec && execution->spec->launch_plan ? execution->spec->launch_plan->name
	                                                       : "";
}

/* Who started it: "uid:1000", "key:ci"; "" from a server that does not say. */
static const char *
starter(const execution_message *execution)
{
	const Flyteidl__Admin__ExecutionMetadata *metadata =
		execution->spec ? execution->spec->metadata : NULL;

	return metadata && metadata->principal ? metadata->principal : "";
}

static void
json_execution(struct json_out *json, const execution_message *execution)
{
	const Flyteidl__Admin__ExecutionClosure *closure = execution->closure;

	jout_text(json, "name", execution->id->name);
	jout_text(json, "project", execution->id->project);
	jout_text(json, "domain", execution->id->domain);
	jout_text(json, "entity", entity_name(execution));
	jout_text(json, "phase", show_execution_phase((int)closure->phase));
	jout_text(json, "principal", starter(execution));
	json_time(json, "created_at", closure->created_at);
	json_time(json, "started_at", closure->started_at);
	json_time(json, "updated_at", closure->updated_at);
	json_duration(json, closure->duration);
	json_error(json, execution_error(closure));
}

static bool
is_whole(const execution_message *execution)
{
	return execution->id && execution->closure;
}

static enum un_err
list_page(struct cli *cli, const struct execution_name *in, uint32_t limit, const char *token,
          Flyteidl__Admin__ExecutionList **ret_page)
{
	Flyteidl__Admin__ResourceListRequest request = FLYTEIDL__ADMIN__RESOURCE_LIST_REQUEST__INIT;
	Flyteidl__Admin__NamedEntityIdentifier id = FLYTEIDL__ADMIN__NAMED_ENTITY_IDENTIFIER__INIT;
	Flyteidl__Admin__Sort sort = FLYTEIDL__ADMIN__SORT__INIT;

	id.project = (char *)in->scope.project;
	id.domain = (char *)in->scope.domain;
	sort.key = (char *)"created_at";
	sort.direction = FLYTEIDL__ADMIN__SORT__DIRECTION__DESCENDING;
	request.id = &id;
	request.limit = limit;
	request.token = (char *)token;
	request.sort_by = &sort;
	return cli_call(cli, "/flyteidl.service.AdminService/ListExecutions", &request,
	                &flyteidl__admin__execution_list__descriptor, ret_page);
}

static enum un_err
add_row(struct table *table, const execution_message *execution)
{
	char started[CLOCK_TEXT_MAX], duration[32];

	show_time(execution->closure->created_at, false, started);
	show_duration(execution->closure->duration, duration);
	return table_add(table,
	                 (const char *const[]){execution->id->name, entity_name(execution),
	                                       show_execution_phase((int)execution->closure->phase),
	                                       started, duration});
}

static enum un_err
add(struct listing *listing, const execution_message *execution)
{
	listing->count++;
	if (!is_whole(execution))
		return UN_ERR_PROTOCOL;
	if (listing->table)
		return add_row(listing->table, execution);
	jout_open(listing->json, NULL, '{');
	json_execution(listing->json, execution);
	jout_close(listing->json, '}');
	return UN_OK;
}

/* Pages until `limit` executions were added. */
static enum un_err
fill(struct cli *cli, void *ctx, struct listing *listing)
{
	const struct execution_name *in = ctx;
	uint64_t limit = LIST_DEFAULT;
	char token[512] = "";
	enum un_err err = UN_OK;

	if (cli->option[OPT_LIMIT] && (text_parse_u64(cli->option[OPT_LIMIT], &limit) || !limit))
		return un_fail(&cli->detail, UN_ERR_USAGE, "--limit needs a number from 1 on");
	while (!err && listing->count < limit) {
		uint64_t left = limit - listing->count;
		Flyteidl__Admin__ExecutionList *page = NULL;

		err = list_page(cli, in, (uint32_t)(left < PAGE_MAX ? left : PAGE_MAX), token,
		                &page);
		for (size_t i = 0; !err && i < page->n_executions && listing->count < limit; i++)
			err = add(listing, page->executions[i]);
		if (!err &&
		    (size_t)snprintf(token, sizeof token, "%s", page->token) >= sizeof token)
			err = UN_ERR_PROTOCOL;
		if (!err && !page->n_executions)
			token[0] = '\0';
		channel_message_free(page);
		if (!token[0])
			break;
	}
	return err;
}

static enum un_err
list_executions(struct cli *cli, struct execution_name *in)
{
	static const char *const titles[] = {"NAME", "<ENTITY", "PHASE", "?CREATED", "?DURATION"};
	char nothing[2 * SCOPE_PART_MAX + 64];
	const struct listing_plan plan = {
		"executions", titles, sizeof titles / sizeof titles[0], fill, nothing, NULL, in};

	(void)snprintf(nothing, sizeof nothing, "No executions in project '%s', domain '%s'",
	               in->scope.project, in->scope.domain);
	return listing_print(cli, &plan);
}

/* What a node executes is not in its record; the first events of a watch tell. */
struct node_tasks {
	Union__V1__WatchEvent **events;
	size_t count, room, last;
};

static enum un_err
keep_event(struct node_tasks *tasks, Union__V1__WatchEvent *event)
{
	if (tasks->count == tasks->room) {
		size_t room = tasks->room ? tasks->room * 2 : 16;
		Union__V1__WatchEvent **larger;

		if (tasks->count >= NODES_MAX)
			return UN_ERR_TOO_LARGE;
		larger = mem_realloc(tasks->events, room * sizeof *larger);
		if (!larger)
			return UN_ERR_NO_MEMORY;
		tasks->events = larger;
		tasks->room = room;
	}
	tasks->events[tasks->count++] = event;
	return UN_OK;
}

static enum un_err
node_tasks_load(struct node_tasks *tasks, struct cli *cli, struct execution_name *execution)
{
	Union__V1__WatchRequest request = UNION__V1__WATCH_REQUEST__INIT;
	struct channel_call call = {
		.method = "/union.v1.RunService/Watch",
		.request = &request.base,
		.reply = &union__v1__watch_event__descriptor,
	};
	int64_t deadline_ms = clock_mono_ms() + CALL_TIMEOUT_MS;
	struct channel_stream *stream = NULL;
	bool more = true;
	enum un_err err;

	request.id = &execution->id;
	err = channel_stream_open(cli->channel, &call, &stream, &cli->detail);
	while (!err && more) {
		Union__V1__WatchEvent *event = NULL;

		err = channel_stream_next(stream, deadline_ms, (ProtobufCMessage **)&event,
		                          &cli->detail);
		more = !err && event && event->event_case == UNION__V1__WATCH_EVENT__EVENT_NODE;
		if (more)
			err = keep_event(tasks, event);
		if (err || !more)
			channel_message_free(event);
	}
	channel_stream_free(stream);
	return err;
}

static void
node_tasks_fini(struct node_tasks *tasks)
{
	for (size_t i = 0; i < tasks->count; i++)
		channel_message_free(tasks->events[i]);
	mem_free(tasks->events);
}

/* Nodes are listed nearly in the order of their events: the search goes on from the last hit. */
static const char *
task_of(struct node_tasks *tasks, const char *node_id)
{
	for (size_t i = 0; i < tasks->count; i++) {
		size_t at = (tasks->last + i) % tasks->count;

		if (strcmp(tasks->events[at]->node->node_id, node_id) == 0) {
			tasks->last = at;
			return tasks->events[at]->node->task_name;
		}
	}
	return "";
}

/* Where nodes are shown, and their tasks. */
struct node_list {
	struct node_tasks tasks;
	struct table *table;
	struct json_out *json;
};

typedef enum un_err each_node_fn(struct node_list *list,
                                 const Flyteidl__Admin__NodeExecution *node);

/* One walk over the nodes of an execution. */
struct node_walk {
	struct cli *cli;
	struct execution_name *execution;
	each_node_fn *each;
	struct node_list *list;
	size_t count;
};

/* The tasks in `parent` ("": the workflow itself); sub-workflows are walked through. */
static enum un_err
walk_nodes(struct node_walk *walk, const char *parent, unsigned depth)
{
	Flyteidl__Admin__NodeExecutionListRequest request =
		FLYTEIDL__ADMIN__NODE_EXECUTION_LIST_REQUEST__INIT;
	char token[512] = "";
	enum un_err err = depth < NODES_DEPTH_MAX ? UN_OK : UN_ERR_PROTOCOL;

	request.workflow_execution_id = &walk->execution->id;
	request.limit = PAGE_MAX;
	request.token = token;
	request.unique_parent_id = (char *)(uintptr_t)parent;
	while (!err) {
		Flyteidl__Admin__NodeExecutionList *page = NULL;

		err = cli_call(walk->cli, "/flyteidl.service.AdminService/ListNodeExecutions",
		               &request, &flyteidl__admin__node_execution_list__descriptor, &page);
		for (size_t i = 0; !err && i < page->n_node_executions; i++, walk->count++) {
			const Flyteidl__Admin__NodeExecution *node = page->node_executions[i];

			if (!node->id || !node->closure)
				err = UN_ERR_PROTOCOL;
			else if (node->metadata && node->metadata->is_parent_node)
				err = walk_nodes(walk, node->id->node_id, depth + 1);
			else
				err = walk->each(walk->list, node);
		}
		if (!err &&
		    (size_t)snprintf(token, sizeof token, "%s", page->token) >= sizeof token)
			err = UN_ERR_PROTOCOL;
		channel_message_free(page);
		if (!token[0] || walk->count >= NODES_MAX)
			break;
	}
	return err;
}

static enum un_err
for_each_node(struct cli *cli, struct execution_name *execution, each_node_fn *each,
              struct node_list *list)
{
	struct node_walk walk = {cli, execution, each, list, 0};
	enum un_err err = node_tasks_load(&list->tasks, cli, execution);

	if (!err)
		err = walk_nodes(&walk, "", 0);
	node_tasks_fini(&list->tasks);
	return err;
}

static const Flyteidl__Core__ExecutionError *
node_error(const Flyteidl__Admin__NodeExecution *node)
{
	return node->closure->output_result_case ==
	                       FLYTEIDL__ADMIN__NODE_EXECUTION_CLOSURE__OUTPUT_RESULT_ERROR
	               ? node->closure->error
	               : NULL;
}

/* The line that says most: of a traceback, what was raised. */
static void
main_line(const char *message, char ret_line[256])
{
	const char *at = message, *line = message;
	bool in_frames = false;

	while (strncmp(message, "Traceback ", 10) == 0 && (at = strchr(at, '\n'))) {
		at++;
		if (in_frames && *at != ' ')
			line = at; /* of exceptions that follow each other: the last */
		in_frames = *at == ' ';
	}
	(void)snprintf(ret_line, 256, "%.*s", (int)strcspn(line, "\n"), line);
}

static enum un_err
node_row(struct node_list *list, const Flyteidl__Admin__NodeExecution *node)
{
	const Flyteidl__Core__ExecutionError *error = node_error(node);
	char started[CLOCK_TEXT_MAX], duration[32], line[256] = "";

	show_time(node->closure->started_at, false, started);
	show_duration(node->closure->duration, duration);
	if (error)
		main_line(error->message, line);
	return table_add(list->table,
	                 (const char *const[]){node->id->node_id,
	                                       task_of(&list->tasks, node->id->node_id),
	                                       show_node_phase((int)node->closure->phase), started,
	                                       duration, line});
}

static enum un_err
node_json(struct node_list *list, const Flyteidl__Admin__NodeExecution *node)
{
	struct json_out *json = list->json;

	jout_open(json, NULL, '{');
	jout_text(json, "node_id", node->id->node_id);
	jout_text(json, "task", task_of(&list->tasks, node->id->node_id));
	jout_text(json, "phase", show_node_phase((int)node->closure->phase));
	json_time(json, "started_at", node->closure->started_at);
	json_duration(json, node->closure->duration);
	json_error(json, node_error(node));
	jout_close(json, '}');
	return UN_OK;
}

static enum un_err
print_nodes(struct cli *cli, struct execution_name *in)
{
	static const char *const titles[] = {"NODE",     "<TASK",     "PHASE",
	                                     "?STARTED", "?DURATION", "<ERROR"};
	struct node_list list = {0};
	enum un_err err = table_new(titles, sizeof titles / sizeof titles[0], &list.table);

	if (!err)
		err = for_each_node(cli, in, node_row, &list);
	if (!err)
		err = table_print(list.table);
	table_free(list.table);
	return err;
}

/* A traceback keeps its lines. */
static void
print_lines(const char *text, const char *indent)
{
	const char *eol;

	for (; (eol = strchr(text, '\n')) && eol[1]; text = eol + 1) {
		print_clean(stdout, text, (size_t)(eol - text));
		(void)printf("\n%s", indent);
	}
	print_clean(stdout, text, strcspn(text, "\n"));
	(void)putchar('\n');
}

static enum un_err
print_one(struct cli *cli, struct execution_name *in, const execution_message *execution,
          const Flyteidl__Admin__WorkflowExecutionGetDataResponse *data)
{
	const Flyteidl__Admin__ExecutionClosure *closure = execution->closure;
	const Flyteidl__Core__ExecutionError *error = execution_error(closure);
	char created[CLOCK_TEXT_MAX], duration[32];
	enum un_err err;

	show_time(closure->created_at, false, created);
	show_duration(closure->duration, duration);
	(void)printf("Name:      %s\nProject:   %s\nDomain:    %s\nEntity:    %s\nPhase:     %s\n"
	             "Created:   %s\nDuration:  %s\n",
	             execution->id->name, execution->id->project, execution->id->domain,
	             entity_name(execution), show_execution_phase((int)closure->phase), created,
	             duration);
	if (starter(execution)[0]) {
		(void)printf("By:        ");
		print_lines(starter(execution), "");
	}
	if (error) {
		(void)printf("Error:     ");
		print_lines(error->message, "           ");
	}
	if (data->full_inputs && data->full_inputs->n_literals) {
		(void)printf("Inputs:    ");
		err = literal_map_print(data->full_inputs);
		if (err)
			return err;
	}
	(void)putchar('\n');
	err = print_nodes(cli, in);
	if (err || closure->phase != FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__SUCCEEDED)
		return err;
	(void)printf("\nOutputs:\n");
	return literal_map_print(data->full_outputs);
}

static enum un_err
print_one_json(struct cli *cli, struct execution_name *in, const execution_message *execution,
               const Flyteidl__Admin__WorkflowExecutionGetDataResponse *data)
{
	struct json_out json;
	struct node_list list = {.json = &json};
	enum un_err err;

	jout_init(&json);
	jout_open(&json, NULL, '{');
	json_execution(&json, execution);
	literal_map_show(&json, "inputs", data->full_inputs);
	if (execution->closure->phase == FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__SUCCEEDED)
		literal_map_show(&json, "outputs", data->full_outputs);
	else
		jout_null(&json, "outputs");
	jout_open(&json, "nodes", '[');
	err = for_each_node(cli, in, node_json, &list);
	jout_close(&json, ']');
	jout_close(&json, '}');
	if (!err)
		return jout_print(&json);
	jout_fini(&json);
	return err;
}

static enum un_err
get_one(struct cli *cli, struct execution_name *in)
{
	Flyteidl__Admin__WorkflowExecutionGetRequest request =
		FLYTEIDL__ADMIN__WORKFLOW_EXECUTION_GET_REQUEST__INIT;
	Flyteidl__Admin__WorkflowExecutionGetDataRequest data_request =
		FLYTEIDL__ADMIN__WORKFLOW_EXECUTION_GET_DATA_REQUEST__INIT;
	Flyteidl__Admin__WorkflowExecutionGetDataResponse *data = NULL;
	execution_message *execution = NULL;
	enum un_err err;

	request.id = data_request.id = &in->id;
	err = cli_call(cli, "/flyteidl.service.AdminService/GetExecution", &request,
	               &flyteidl__admin__execution__descriptor, &execution);
	if (!err && !is_whole(execution))
		err = UN_ERR_PROTOCOL;
	if (!err)
		err = cli_call(
			cli, "/flyteidl.service.AdminService/GetExecutionData", &data_request,
			&flyteidl__admin__workflow_execution_get_data_response__descriptor, &data);
	if (!err)
		err = cli_wants_json(cli) ? print_one_json(cli, in, execution, data)
		                          : print_one(cli, in, execution, data);
	channel_message_free(execution);
	channel_message_free(data);
	return err;
}

int
command_get_execution(struct cli *cli)
{
	struct execution_name execution;
	const char *name = cli->arg_count ? cli->args[0] : NULL;
	enum un_err err = execution_name_init(&execution, cli, name);

	if (!err)
		err = name ? get_one(cli, &execution) : list_executions(cli, &execution);
	return err ? cli_fail(cli, err) : cli_finish(cli);
}
