#include "base/clock.h"
#include "base/text.h"
#include "cli.h"
#include "json_out.h"
#include "model/scope.h"
#include "proto-all.h"
#include "show.h"
#include "table.h"
#include "when.h"

#include <inttypes.h>
#include <string.h>

#define PAGE_MAX 1000
#define LIMIT_DEFAULT 100

/* One of the three is used. */
struct output {
	struct table *table;
	struct json_out *json;
	bool lines;
	uint64_t left;
};

static void
describe(struct json_out *json, const Union__V1__AuditRecord *record)
{
	char at[CLOCK_TEXT_MAX], last[CLOCK_TEXT_MAX];

	show_time(record->at, true, at);
	show_time(record->last_at, true, last);
	jout_number(json, "number", (int64_t)record->number);
	jout_text(json, "at", at);
	jout_text(json, "action", record->action);
	jout_text(json, "verdict", record->verdict);
	jout_text(json, "principal", record->principal);
	jout_text(json, "project", record->project);
	jout_text(json, "domain", record->domain);
	jout_text(json, "secret", record->name);
	jout_number(json, "version", record->version);
	jout_text(json, "execution", record->execution);
	jout_text(json, "execution_project", record->execution_project);
	jout_text(json, "execution_domain", record->execution_domain);
	jout_text(json, "node", record->node);
	jout_number(json, "attempt", record->attempt);
	jout_text(json, "request_id", record->request_id);
	jout_text(json, "reason", record->reason);
	jout_text(json, "subject", record->subject);
	jout_text(json, "address", record->address);
	jout_number(json, "count", (int64_t)record->count);
	jout_text(json, "last_at", last);
	jout_number(json, "release", (int64_t)record->release);
}

/* "db_password.3 in fraud/production", "viewer to key:ci in fraud", or where alone. */
static void
what_of(const Union__V1__AuditRecord *record, char text[512])
{
	bool has_scope = record->project[0] || record->domain[0];
	char where[2 * SCOPE_PART_MAX + 8] = "", what[300] = "";

	if (has_scope || record->name[0])
		(void)snprintf(where, sizeof where, "%s/%s", show_any(record->project),
		               show_any(record->domain));
	if (record->name[0] && record->version)
		(void)snprintf(what, sizeof what, "%s.%u", record->name, record->version);
	else
		(void)snprintf(what, sizeof what, "%s",
		               record->name[0] ? record->name : record->subject);
	(void)snprintf(text, 512, "%s%s%s", what, what[0] && where[0] ? " in " : "", where);
}

static enum un_err
add_row(struct table *table, const Union__V1__AuditRecord *record)
{
	char number[24], at[CLOCK_TEXT_MAX], what[512], count[24], who[300];

	(void)snprintf(number, sizeof number, "%" PRIu64, record->number);
	(void)snprintf(count, sizeof count, record->count > 1 ? "%" PRIu64 : "", record->count);
	(void)snprintf(who, sizeof who, "%s",
	               record->principal[0] ? record->principal : record->address);
	show_time(record->at, false, at);
	what_of(record, what);
	return table_add(table, (const char *const[]){number, at, record->action, record->verdict,
	                                              who, what, record->execution, count});
}

static enum un_err
add_record(struct output *out, const Union__V1__AuditRecord *record)
{
	struct json_out line;

	if (out->table)
		return add_row(out->table, record);
	if (out->json) {
		jout_open(out->json, NULL, '{');
		describe(out->json, record);
		jout_close(out->json, '}');
		return UN_OK;
	}
	jout_init(&line);
	line.compact = true;
	jout_open(&line, NULL, '{');
	describe(&line, record);
	jout_close(&line, '}');
	return jout_print(&line);
}

static enum un_err
list_pages(struct cli *cli, Union__V1__ListAuditRequest *request, struct output *out)
{
	Union__V1__ListAuditResponse *page = NULL, *before = NULL;
	enum un_err err;

	do {
		request->limit = out->left < PAGE_MAX ? (uint32_t)out->left : PAGE_MAX;
		err = cli_call(cli, "/union.v1.AuditService/ListAudit", request,
		               &union__v1__list_audit_response__descriptor, &page);
		channel_message_free(before);
		before = NULL;
		for (size_t i = 0; !err && i < page->n_records && out->left; i++, out->left--)
			err = add_record(out, page->records[i]);
		if (!err && page->token[0] && strcmp(page->token, request->token) == 0)
			err = un_fail(&cli->detail, UN_ERR_PROTOCOL,
			              "the control plane repeats a page");
		if (!err)
			request->token = page->token;
		before = page; /* the next request lends its token */
		page = NULL;
	} while (!err && request->token[0] && out->left);
	channel_message_free(before);
	return err;
}

/* Nothing was found: a filter may be too narrow, or there never was such a principal. */
static enum un_err
say_none(struct cli *cli, const Union__V1__ListAuditRequest *asked)
{
	Union__V1__ListAuditRequest request = UNION__V1__LIST_AUDIT_REQUEST__INIT;
	Union__V1__ListAuditResponse *any = NULL;
	enum un_err err;

	(void)fprintf(stderr, "No records\n");
	if (!asked->principal[0])
		return UN_OK;
	request.principal = asked->principal;
	request.limit = 1;
	err = cli_call(cli, "/union.v1.AuditService/ListAudit", &request,
	               &union__v1__list_audit_response__descriptor, &any);
	if (!err && !any->n_records)
		cli_note(cli, "%.100s is in no record at all that you may see", asked->principal);
	channel_message_free(any);
	return err;
}

static enum un_err
print_table(struct cli *cli, Union__V1__ListAuditRequest *request, struct output *out)
{
	static const char *const titles[] = {"?NUMBER", "AT",    "ACTION",     "VERDICT",
	                                     "<BY",     "<WHAT", "<EXECUTION", "?COUNT"};
	enum un_err err = table_new(titles, sizeof titles / sizeof titles[0], &out->table);
	uint64_t limit = out->left;

	if (!err)
		err = list_pages(cli, request, out);
	if (!err && out->left < limit)
		err = table_print(out->table);
	else if (!err)
		err = say_none(cli, request);
	table_free(out->table);
	return err;
}

static enum un_err
print_json(struct cli *cli, Union__V1__ListAuditRequest *request, struct output *out)
{
	struct json_out json;
	enum un_err err;

	jout_init(&json);
	out->json = &json;
	jout_open(&json, NULL, '{');
	jout_open(&json, "records", '[');
	err = list_pages(cli, request, out);
	jout_close(&json, ']');
	jout_close(&json, '}');
	if (!err)
		return jout_print(&json);
	jout_fini(&json);
	return err;
}

static char *
given(const struct cli *cli, int option)
{
	return (char *)(cli->option[option] ? cli->option[option] : "");
}

static enum un_err
read_limit(struct cli *cli, uint64_t *ret_limit)
{
	const char *text = cli->option[OPT_LIMIT];

	*ret_limit = cli->option[OPT_SINCE] ? UINT64_MAX : LIMIT_DEFAULT;
	if (!text || (text_parse_u64(text, ret_limit) == UN_OK && *ret_limit > 0))
		return UN_OK;
	return un_fail(&cli->detail, UN_ERR_USAGE, "--limit takes a number from 1 on");
}

int
command_get_audit(struct cli *cli)
{
	Union__V1__ListAuditRequest request = UNION__V1__LIST_AUDIT_REQUEST__INIT;
	Google__Protobuf__Timestamp since = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	const char *format = given(cli, OPT_OUTPUT);
	struct output out = {.lines = strcmp(format, "jsonl") == 0};
	enum un_err err = read_limit(cli, &out.left);

	request.name = given(cli, OPT_SECRET);
	request.principal = given(cli, OPT_PRINCIPAL);
	request.execution = given(cli, OPT_EXECUTION);
	request.action = given(cli, OPT_ACTION);
	request.verdict = given(cli, OPT_VERDICT);
	request.project = given(cli, OPT_PROJECT);
	request.domain = given(cli, OPT_DOMAIN);
	if (!err && cli->option[OPT_SINCE]) {
		err = when_past(cli, "--since", cli->option[OPT_SINCE], &since);
		request.since = &since;
	}
	if (!err && out.lines)
		err = list_pages(cli, &request, &out);
	else if (!err)
		err = cli_wants_json(cli) ? print_json(cli, &request, &out)
		                          : print_table(cli, &request, &out);
	return err ? cli_fail(cli, err) : cli_finish(cli);
}
