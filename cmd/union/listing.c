#include "listing.h"

#include <assert.h>
#include <string.h>

static enum un_err
print_json(struct cli *cli, const struct listing_plan *plan)
{
	struct json_out json;
	struct listing listing = {.json = &json};
	enum un_err err;

	jout_init(&json);
	jout_open(&json, NULL, '{');
	jout_open(&json, plan->name, '[');
	err = plan->fill(cli, plan->ctx, &listing);
	jout_close(&json, ']');
	jout_close(&json, '}');
	if (!err)
		return jout_print(&json);
	jout_fini(&json);
	return err;
}

enum un_err
listing_print(struct cli *cli, const struct listing_plan *plan)
{
	struct listing listing = {0};
	enum un_err err;

	if (cli_wants_json(cli))
		return print_json(cli, plan);
	err = table_new(plan->titles, plan->title_count, &listing.table);
	if (!err)
		err = plan->fill(cli, plan->ctx, &listing);
	if (!err && listing.count) {
		err = table_print(listing.table);
	} else if (!err) {
		(void)fprintf(stderr, "%s\n", plan->nothing);
		if (plan->advise)
			plan->advise(cli);
	}
	table_free(listing.table);
	return err;
}

static const ProtobufCFieldDescriptor *
field_of(const ProtobufCMessageDescriptor *message, const char *name)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(message, name);

	assert(field);
	return field;
}

static char **
token_of(ProtobufCMessage *message)
{
	return (char **)(void *)((char *)message + field_of(message->descriptor, "token")->offset);
}

static enum un_err
visit(const ProtobufCMessage *page, const char *items, listing_each *each, void *arg)
{
	const ProtobufCFieldDescriptor *field = field_of(page->descriptor, items);
	const char *base = (const char *)page;
	void *const *list;
	enum un_err err = UN_OK;
	size_t count;

	memcpy(&count, base + field->quantifier_offset, sizeof count);
	memcpy(&list, base + field->offset, sizeof list);
	for (size_t i = 0; !err && i < count; i++)
		err = each(arg, list[i]);
	return err;
}

enum un_err
listing_pages(struct cli *cli, const struct listing_method *method, ProtobufCMessage *request,
              listing_each *each, void *arg)
{
	ProtobufCMessage *page = NULL, *before = NULL;
	char **token = token_of(request);
	const char *next;
	enum un_err err;

	do {
		err = cli_call(cli, method->path, request, method->reply, &page);
		if (!err)
			err = visit(page, method->items, each, arg);
		if (!err) {
			next = *token_of(page);
			if (next[0] && strcmp(next, *token) == 0)
				err = un_fail(&cli->detail, UN_ERR_PROTOCOL,
				              "the control plane repeats a page");
			else
				*token = *token_of(page);
		}
		channel_message_free(before);
		before = page; /* the next request lends its token */
		page = NULL;
	} while (!err && (*token)[0]);
	channel_message_free(before);
	return err;
}
