#include "runs/template.h"

#include "base/alloc.h"
#include "model/name.h"
#include "runs/type.h"

#include <stdlib.h>
#include <string.h>

#define PACK_DEPTH_MAX 128

/* ---- one order for what has none ---- */

static bool
is_map_entry(const ProtobufCMessageDescriptor *descriptor)
{
	size_t len = strlen(descriptor->name);

	return len > 5 && strcmp(descriptor->name + len - 5, "Entry") == 0 &&
	       descriptor->n_fields == 2 && strcmp(descriptor->fields[0].name, "key") == 0 &&
	       descriptor->fields[0].type == PROTOBUF_C_TYPE_STRING;
}

static const char *
entry_key(const ProtobufCMessage *entry)
{
	const char *key;

	memcpy(&key, (const uint8_t *)entry + entry->descriptor->fields[0].offset, sizeof key);
	return key;
}

static int
compare_entries(const void *a, const void *b)
{
	const ProtobufCMessage *const *first = a, *const *second = b;

	return strcmp(entry_key(*first), entry_key(*second));
}

static int
compare_texts(const void *a, const void *b)
{
	const char *const *first = a, *const *second = b;

	return strcmp(*first, *second);
}

/* flytekit makes this list from a set, in another order each time it is run. */
static void
sort_upstream(pb_node *node)
{
	if (node->n_upstream_node_ids > 1)
		qsort(node->upstream_node_ids, node->n_upstream_node_ids,
		      sizeof *node->upstream_node_ids, compare_texts);
}

static enum un_err sort_all(ProtobufCMessage *message, unsigned depth);

static enum un_err
sort_repeated(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, unsigned depth)
{
	ProtobufCMessage **items;
	size_t count;
	enum un_err err = UN_OK;

	memcpy(&count, (uint8_t *)message + field->quantifier_offset, sizeof count);
	memcpy(&items, (uint8_t *)message + field->offset, sizeof items);
	for (size_t i = 0; i < count && !err; i++)
		err = sort_all(items[i], depth + 1);
	if (!err && count > 1 && is_map_entry(field->descriptor))
		qsort(items, count, sizeof *items, compare_entries);
	return err;
}

static enum un_err
sort_all(ProtobufCMessage *message, unsigned depth)
{
	enum un_err err = UN_OK;

	if (depth > PACK_DEPTH_MAX)
		return UN_ERR_TOO_LARGE;
	if (message->descriptor == &flyteidl__core__node__descriptor)
		sort_upstream((pb_node *)(void *)message);
	for (unsigned i = 0; i < message->descriptor->n_fields && !err; i++) {
		const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
		ProtobufCMessage *inner;
		uint32_t set;

		if (field->type != PROTOBUF_C_TYPE_MESSAGE)
			continue;
		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			err = sort_repeated(message, field, depth);
			continue;
		}
		if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
			memcpy(&set, (uint8_t *)message + field->quantifier_offset, sizeof set);
			if (set != field->id)
				continue;
		}
		memcpy(&inner, (uint8_t *)message + field->offset, sizeof inner);
		if (inner != NULL)
			err = sort_all(inner, depth + 1);
	}
	return err;
}

static enum un_err
pack_onto(const ProtobufCMessage *message, struct buf *out)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	enum un_err err = buf_reserve(out, len);

	if (err)
		return err;
	buf_added(out, protobuf_c_message_pack(message, out->data + out->len));
	return UN_OK;
}

enum un_err
template_pack(struct arena *arena, const ProtobufCMessage *message, struct buf *out)
{
	ProtobufCMessage *copy;
	struct buf first;
	enum un_err err;

	/* the copy is sorted, not the message: it is lent */
	buf_init(&first, RUN_SPEC_MAX, BUF_PLAIN);
	err = pack_onto(message, &first);
	if (!err)
		err = arena_unpack(arena, message->descriptor, first.data, first.len, &copy);
	buf_fini(&first);
	if (!err)
		err = sort_all(copy, 0);
	if (!err)
		err = pack_onto(copy, out);
	return err;
}

/* ---- keys ---- */

static bool
is_printable(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < 0x21 || *text == 0x7f)
			return false;
	}
	return true;
}

enum un_err
template_key(const char *what, enum entity_kind kind, const pb_identifier *id, bool version_needed,
             struct entity_key *ret_key, struct un_detail *detail)
{
	enum un_err err;

	if (id == NULL)
		return un_fail(detail, UN_ERR_INVALID, "the %s has no identifier", what);
	err = name_check_scope_part("project", id->project, detail);
	if (err)
		return err;
	err = name_check_scope_part("domain", id->domain, detail);
	if (err)
		return err;
	if (id->name[0] == '\0' || strlen(id->name) > ENTITY_NAME_MAX || !is_printable(id->name))
		return un_fail(detail, UN_ERR_INVALID,
		               "the name of a %s has 1 to %d printable bytes and no blanks", what,
		               ENTITY_NAME_MAX);
	if ((version_needed && id->version[0] == '\0') ||
	    strlen(id->version) > ENTITY_VERSION_MAX || !is_printable(id->version))
		return un_fail(detail, UN_ERR_INVALID,
		               "the version of a %s has 1 to %d printable bytes and no blanks",
		               what, ENTITY_VERSION_MAX);
	*ret_key = (struct entity_key){kind, id->project, id->domain, id->name, id->version};
	return UN_OK;
}

static enum un_err
insert(struct store_txn *txn, struct arena *arena, const struct entity_key *key,
       const ProtobufCMessage *spec, int64_t now_us, struct un_detail *detail)
{
	struct entity_row row = {.key = *key, .created_us = now_us, .state = 1};
	int64_t id;
	struct buf packed;
	enum un_err err;

	buf_init(&packed, RUN_SPEC_MAX, BUF_PLAIN);
	err = template_pack(arena, spec, &packed);
	if (!err) {
		row.spec = (struct run_bytes){packed.data, packed.len};
		err = entity_insert(txn, &row, &id, detail);
	} else if (err == UN_ERR_TOO_LARGE) {
		err = un_fail(detail, err, "'%.128s' has more than %u bytes", key->name,
		              RUN_SPEC_MAX);
	}
	buf_fini(&packed);
	return err;
}

/* Puts the name of what is wrong in front of why. */
static enum un_err
blame(struct un_detail *detail, enum un_err err, const char *what, const char *name,
      const struct un_detail *why)
{
	if (err == UN_ERR_EXISTS || err == UN_ERR_NO_MEMORY)
		return err;
	un_hint(detail, "%s", why->hint);
	return un_fail(detail, err, "%s '%.128s': %s", what, name, un_message(err, why));
}

/* ---- tasks ---- */

enum un_err
template_secrets(struct arena *arena, const pb_task *task, struct wanted_secrets *ret_wanted,
                 struct un_detail *detail)
{
	const Flyteidl__Core__SecurityContext *context = task->security_context;
	size_t count = context == NULL ? 0 : context->n_secrets;
	struct secret_layout layout = {0};
	struct secret_request *requests;
	enum un_err err = UN_OK;

	if (count > SECRET_REQUESTS_MAX)
		return un_fail(detail, UN_ERR_TOO_LARGE, "more than %d secret requests",
		               SECRET_REQUESTS_MAX);
	requests = arena_alloc(arena, count, sizeof *requests);
	if (requests == NULL)
		return UN_ERR_NO_MEMORY;
	for (size_t i = 0; i < count && !err; i++)
		err = secret_request_unpack(&requests[i], context->secrets[i], detail);
	if (!err) {
		err = secret_layout_init(&layout, requests, count, detail);
		secret_layout_fini(&layout);
	}
	if (err)
		return err;
	*ret_wanted = (struct wanted_secrets){count, requests};
	return UN_OK;
}

enum un_err
template_add_task(struct store_txn *txn, struct arena *arena,
                  const Flyteidl__Admin__TaskCreateRequest *request, int64_t now_us,
                  struct un_detail *detail)
{
	struct wanted_secrets wanted;
	struct entity_key key;
	struct un_detail why = {0};
	enum un_err err;

	err = template_key("task", ENTITY_TASK, request->id, true, &key, detail);
	if (err)
		return err;
	if (request->spec == NULL || request->spec->template_ == NULL)
		return un_fail(detail, UN_ERR_INVALID, "task '%.128s' has no template", key.name);
	err = graph_check_task(request->spec->template_, &why);
	if (!err)
		err = template_secrets(arena, request->spec->template_, &wanted, &why);
	if (!err)
		err = insert(txn, arena, &key, &request->spec->base, now_us, &why);
	return err ? blame(detail, err, "task", key.name, &why) : UN_OK;
}

/* ---- what a graph is made of ---- */

struct loaded_task {
	struct loaded_task *next;
	const pb_identifier *id;
	const pb_task *task;
	int64_t entity;
};

struct loader {
	struct store_view *view;
	struct arena *arena;
	const Flyteidl__Admin__WorkflowSpec *spec;
	struct loaded_task *tasks;
	struct un_detail *detail;
};

static bool
same_id(const pb_identifier *a, const pb_identifier *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->version, b->version) == 0 &&
	       strcmp(a->project, b->project) == 0 && strcmp(a->domain, b->domain) == 0;
}

static enum un_err
load_task(void *ctx, struct arena *arena, const pb_identifier *id, const pb_task **ret_task)
{
	struct loader *loader = ctx;
	const struct entity_key key = {ENTITY_TASK, id->project, id->domain, id->name, id->version};
	Flyteidl__Admin__TaskSpec *spec;
	struct loaded_task *loaded;
	struct entity_row row;
	enum un_err err;

	(void)arena; /* tasks outlive the building: they go with the loader's */
	for (loaded = loader->tasks; loaded != NULL; loaded = loaded->next) {
		if (same_id(loaded->id, id)) {
			*ret_task = loaded->task;
			return UN_OK;
		}
	}
	loaded = arena_alloc(loader->arena, 1, sizeof *loaded);
	if (loaded == NULL)
		return UN_ERR_NO_MEMORY;
	err = entity_get(loader->view, &key, &row, loader->detail);
	if (err)
		return err;
	err = arena_unpack(loader->arena, &flyteidl__admin__task_spec__descriptor, row.spec.bytes,
	                   row.spec.len, &spec);
	if (err)
		return err;
	*loaded = (struct loaded_task){loader->tasks, id, spec->template_, row.id};
	loader->tasks = loaded;
	*ret_task = loaded->task;
	return UN_OK;
}

static enum un_err
load_sub(void *ctx, struct arena *arena, const pb_identifier *id, const pb_workflow **ret_workflow)
{
	const struct loader *loader = ctx;

	(void)arena;
	for (size_t i = 0; i < loader->spec->n_sub_workflows; i++) {
		const pb_workflow *sub = loader->spec->sub_workflows[i];

		if (sub->id != NULL && same_id(sub->id, id)) {
			*ret_workflow = sub;
			return UN_OK;
		}
	}
	return UN_ERR_NOT_FOUND;
}

static int64_t
entity_of_task(const struct loader *loader, const pb_task *task)
{
	for (const struct loaded_task *loaded = loader->tasks; loaded != NULL;
	     loaded = loaded->next) {
		if (loaded->task == task)
			return loaded->entity;
	}
	return 0;
}

static enum un_err
build_workflow(struct loader *loader, struct graph **ret_graph)
{
	const struct graph_source source = {load_task, load_sub, loader};

	return graph_new(&source, loader->spec->template_, ret_graph, loader->detail);
}

enum un_err
template_add_workflow(struct store_txn *txn, struct arena *arena,
                      const Flyteidl__Admin__WorkflowCreateRequest *request, int64_t now_us,
                      struct un_detail *detail)
{
	struct un_detail why = {0};
	struct loader loader = {store_txn_view(txn), arena, request->spec, NULL, &why};
	struct graph *graph = NULL;
	struct entity_key key;
	enum un_err err;

	err = template_key("workflow", ENTITY_WORKFLOW, request->id, true, &key, detail);
	if (err)
		return err;
	if (request->spec == NULL || request->spec->template_ == NULL)
		return un_fail(detail, UN_ERR_INVALID, "workflow '%.128s' has no template",
		               key.name);
	err = build_workflow(&loader, &graph);
	graph_free(graph);
	if (err == UN_ERR_NOT_FOUND) /* the workflow is what is wrong with the request */
		err = UN_ERR_INVALID;
	if (!err)
		err = insert(txn, arena, &key, &request->spec->base, now_us, &why);
	return err ? blame(detail, err, "workflow", key.name, &why) : UN_OK;
}

/* ---- graphs of what is stored ---- */

static enum un_err
load_lone_task(struct loader *loader, const struct entity_row *row, struct graph **ret_graph)
{
	Flyteidl__Admin__TaskSpec *spec;
	struct loaded_task *loaded = arena_alloc(loader->arena, 1, sizeof *loaded);
	enum un_err err;

	if (loaded == NULL)
		return UN_ERR_NO_MEMORY;
	err = arena_unpack(loader->arena, &flyteidl__admin__task_spec__descriptor, row->spec.bytes,
	                   row->spec.len, &spec);
	if (err)
		return err;
	*loaded = (struct loaded_task){NULL, spec->template_->id, spec->template_, row->id};
	loader->tasks = loaded;
	return graph_new_of_task(spec->template_, ret_graph, loader->detail);
}

static enum un_err
load_workflow(struct loader *loader, const struct entity_row *row, struct graph **ret_graph)
{
	Flyteidl__Admin__WorkflowSpec *spec;
	enum un_err err;

	err = arena_unpack(loader->arena, &flyteidl__admin__workflow_spec__descriptor,
	                   row->spec.bytes, row->spec.len, &spec);
	if (err)
		return err;
	loader->spec = spec;
	return build_workflow(loader, ret_graph);
}

enum un_err
template_load_graph(struct store_view *view, struct arena *arena, int64_t entity,
                    struct template_graph *ret_graph, struct un_detail *detail)
{
	struct loader loader = {view, arena, NULL, NULL, detail};
	struct template_graph made = {0};
	struct entity_row row;
	enum un_err err;

	err = entity_get_by_id(view, entity, &row, detail);
	if (err)
		return err;
	if (row.key.kind == ENTITY_TASK)
		err = load_lone_task(&loader, &row, &made.graph);
	else
		err = load_workflow(&loader, &row, &made.graph);
	if (err)
		return err;
	made.nodes = arena_alloc(arena, made.graph->node_count, sizeof *made.nodes);
	if (made.nodes == NULL) {
		graph_free(made.graph);
		return UN_ERR_NO_MEMORY;
	}
	for (size_t i = 0; i < made.graph->node_count; i++)
		made.nodes[i].entity = entity_of_task(&loader, made.graph->nodes[i].task);
	*ret_graph = made;
	return UN_OK;
}

void
template_graph_fini(struct template_graph *graph)
{
	graph_free(graph->graph);
	*graph = (struct template_graph){0};
}

/* ---- launch plans ---- */

static enum un_err
check_defaults(const Flyteidl__Admin__LaunchPlanSpec *plan, const pb_interface *interface,
               struct un_detail *detail)
{
	const pb_variable_map *inputs = interface == NULL ? NULL : interface->inputs;
	size_t count = plan->default_inputs == NULL ? 0 : plan->default_inputs->n_parameters;
	size_t fixed = plan->fixed_inputs == NULL ? 0 : plan->fixed_inputs->n_literals;

	for (size_t i = 0; i < count; i++) {
		const char *name = plan->default_inputs->parameters[i]->key;
		const Flyteidl__Core__Parameter *given = plan->default_inputs->parameters[i]->value;
		const pb_type *type = type_of_variable(inputs, name);

		if (type == NULL)
			return un_fail(detail, UN_ERR_INPUT_UNKNOWN,
			               "the workflow has no input '%.128s'", name);
		if (given != NULL &&
		    given->behavior_case == FLYTEIDL__CORE__PARAMETER__BEHAVIOR_DEFAULT &&
		    !type_fits_literal(given->default_, type))
			return un_fail(detail, UN_ERR_INPUT_TYPE,
			               "the default of '%.128s' has the wrong type", name);
	}
	for (size_t i = 0; i < fixed; i++) {
		const char *name = plan->fixed_inputs->literals[i]->key;

		if (!type_fits_literal(plan->fixed_inputs->literals[i]->value,
		                       type_of_variable(inputs, name)))
			return un_fail(detail, UN_ERR_INPUT_TYPE,
			               "the fixed input '%.128s' has the wrong type", name);
	}
	return UN_OK;
}

static enum un_err
workflow_of(struct store_view *view, struct arena *arena, const pb_identifier *id,
            struct template_launch *ret_launch, struct un_detail *detail)
{
	Flyteidl__Admin__WorkflowSpec *spec;
	struct entity_key key;
	struct entity_row row;
	enum un_err err;

	err = template_key("workflow", ENTITY_WORKFLOW, id, false, &key, detail);
	if (err)
		return err;
	err = entity_get(view, &key, &row, detail);
	if (err == UN_ERR_NOT_FOUND)
		return un_fail(detail, UN_ERR_ENTITY_NOT_FOUND,
		               "workflow '%.128s' version '%.64s' is not registered", key.name,
		               key.version);
	if (err)
		return err;
	ret_launch->entity = row.id;
	err = arena_unpack(arena, &flyteidl__admin__workflow_spec__descriptor, row.spec.bytes,
	                   row.spec.len, &spec);
	if (err)
		return err;
	ret_launch->interface = spec->template_->interface;
	return UN_OK;
}

enum un_err
template_add_launch_plan(struct store_txn *txn, struct arena *arena,
                         const Flyteidl__Admin__LaunchPlanCreateRequest *request, int64_t now_us,
                         struct un_detail *detail)
{
	struct template_launch launch = {0};
	struct un_detail why = {0};
	struct entity_key key;
	enum un_err err;

	err = template_key("launch plan", ENTITY_LAUNCH_PLAN, request->id, true, &key, detail);
	if (err)
		return err;
	if (request->spec == NULL)
		return un_fail(detail, UN_ERR_INVALID, "launch plan '%.128s' has no spec",
		               key.name);
	err = workflow_of(store_txn_view(txn), arena, request->spec->workflow_id, &launch, &why);
	if (!err)
		err = check_defaults(request->spec, launch.interface, &why);
	if (!err)
		err = insert(txn, arena, &key, &request->spec->base, now_us, &why);
	return err ? blame(detail, err, "launch plan", key.name, &why) : UN_OK;
}

/* ---- what to run ---- */

static enum un_err
task_of(struct store_view *view, struct arena *arena, const pb_identifier *id,
        struct template_launch *ret_launch, struct un_detail *detail)
{
	Flyteidl__Admin__TaskSpec *spec;
	struct entity_key key;
	struct entity_row row;
	enum un_err err;

	err = template_key("task", ENTITY_TASK, id, false, &key, detail);
	if (err)
		return err;
	err = entity_get(view, &key, &row, detail);
	if (err == UN_ERR_NOT_FOUND)
		return un_fail(detail, UN_ERR_ENTITY_NOT_FOUND,
		               "task '%.128s' version '%.64s' is not registered", key.name,
		               key.version);
	if (err)
		return err;
	ret_launch->entity = row.id;
	err = arena_unpack(arena, &flyteidl__admin__task_spec__descriptor, row.spec.bytes,
	                   row.spec.len, &spec);
	if (err)
		return err;
	ret_launch->interface = spec->template_->interface;
	return UN_OK;
}

static enum un_err
plan_of(struct store_view *view, struct arena *arena, const pb_identifier *id,
        struct template_launch *ret_launch, struct un_detail *detail)
{
	Flyteidl__Admin__LaunchPlanSpec *spec;
	struct entity_key key;
	struct entity_row row;
	enum un_err err;

	err = template_key("launch plan", ENTITY_LAUNCH_PLAN, id, false, &key, detail);
	if (err)
		return err;
	err = entity_get(view, &key, &row, detail);
	if (err == UN_ERR_NOT_FOUND)
		return un_fail(detail, UN_ERR_ENTITY_NOT_FOUND,
		               "launch plan '%.128s' version '%.64s' is not registered", key.name,
		               key.version);
	if (err)
		return err;
	err = arena_unpack(arena, &flyteidl__admin__launch_plan_spec__descriptor, row.spec.bytes,
	                   row.spec.len, &spec);
	if (err)
		return err;
	ret_launch->plan = spec;
	return workflow_of(view, arena, spec->workflow_id, ret_launch, detail);
}

enum un_err
template_find_launch(struct store_view *view, struct arena *arena, const pb_identifier *id,
                     struct template_launch *ret_launch, struct un_detail *detail)
{
	struct template_launch found = {0};
	enum un_err err;

	if (id == NULL)
		return un_fail(detail, UN_ERR_INVALID, "it is not said what to execute");
	switch (id->resource_type) {
	case FLYTEIDL__CORE__RESOURCE_TYPE__TASK:
		err = task_of(view, arena, id, &found, detail);
		break;
	case FLYTEIDL__CORE__RESOURCE_TYPE__WORKFLOW:
		err = workflow_of(view, arena, id, &found, detail);
		break;
	case FLYTEIDL__CORE__RESOURCE_TYPE__LAUNCH_PLAN:
	case FLYTEIDL__CORE__RESOURCE_TYPE__UNSPECIFIED:
		err = plan_of(view, arena, id, &found, detail);
		break;
	default:
		return un_fail(detail, UN_ERR_INVALID,
		               "only tasks and launch plans can be executed");
	}
	if (!err)
		*ret_launch = found;
	return err;
}

/* What the plan or, before it, the person says about one input; NULL: nothing. */
static const pb_literal *
input_value(const struct template_launch *launch, const pb_literal_map *given, const char *name)
{
	const Flyteidl__Admin__LaunchPlanSpec *plan = launch->plan;
	const pb_literal *value = literal_of(given, name);

	if (value == NULL && plan != NULL)
		value = literal_of(plan->fixed_inputs, name);
	if (value != NULL || plan == NULL || plan->default_inputs == NULL)
		return value;
	for (size_t i = 0; i < plan->default_inputs->n_parameters; i++) {
		const Flyteidl__Core__Parameter *parameter =
		        plan->default_inputs->parameters[i]->value;

		if (strcmp(plan->default_inputs->parameters[i]->key, name) == 0 &&
		    parameter != NULL &&
		    parameter->behavior_case == FLYTEIDL__CORE__PARAMETER__BEHAVIOR_DEFAULT)
			return parameter->default_;
	}
	return NULL;
}

static enum un_err
check_given(const struct template_launch *launch, const pb_literal_map *given,
            const pb_variable_map *declared, struct un_detail *detail)
{
	for (size_t i = 0; given != NULL && i < given->n_literals; i++) {
		const char *name = given->literals[i]->key;

		if (type_of_variable(declared, name) == NULL)
			return un_fail(detail, UN_ERR_INPUT_UNKNOWN, "there is no input '%.128s'",
			               name);
		if (launch->plan != NULL && literal_of(launch->plan->fixed_inputs, name) != NULL)
			return un_fail(detail, UN_ERR_INVALID,
			               "input '%.128s' is fixed by the launch plan", name);
	}
	return UN_OK;
}

enum un_err
template_complete_inputs(struct arena *arena, const struct template_launch *launch,
                         const pb_literal_map *given, pb_literal_map **ret_inputs,
                         struct un_detail *detail)
{
	const pb_variable_map *declared =
		launch->interface == NULL ? NULL : launch->interface->inputs;
	size_t count = declared == NULL ? 0 : declared->n_variables;
	pb_literal_map *map = arena_alloc(arena, 1, sizeof *map);
	pb_literal_entry *entries = arena_alloc(arena, count, sizeof *entries);
	enum un_err err;

	if (map == NULL || entries == NULL)
		return UN_ERR_NO_MEMORY;
	err = check_given(launch, given, declared, detail);
	if (err)
		return err;
	flyteidl__core__literal_map__init(map);
	map->literals = arena_alloc(arena, count, sizeof *map->literals);
	if (map->literals == NULL)
		return UN_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		const pb_literal *value = input_value(launch, given, declared->variables[i]->key);

		if (value == NULL)
			continue; /* the check says so, with its type */
		flyteidl__core__literal_map__literals_entry__init(&entries[i]);
		entries[i].key = declared->variables[i]->key;
		entries[i].value = (pb_literal *)(uintptr_t)value;
		map->literals[map->n_literals++] = &entries[i];
	}
	err = type_check_map("input", declared, map, detail);
	if (!err)
		*ret_inputs = map;
	return err;
}
