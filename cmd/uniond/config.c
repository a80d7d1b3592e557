#include "config.h"

#include "base/alloc.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "model/project_list.h"
#include "net/address.h"
#include "runs/machine.h"
#include "runs/runs.h"
#include "services/login.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define IDLE_TIMEOUT_EMBEDDED_S 900
#define TASK_PROCESSES 4096
#define PROJECT_EXECUTIONS 500 /* of the 1000 that a server has places for */
#define DRAIN_TIMEOUT_S 5
#define RETENTION_EXECUTIONS 90 /* days */
#define RETENTION_LOGS 30
#define RETENTION_BUNDLES 365
#define SECTION_MAX 32

enum config_kind {
	CONFIG_TEXT,
	CONFIG_NUMBER,
	CONFIG_BOOL, /* a uint64_t, 0 or 1 */
};

struct config_key {
	const char *section; /* "" at the top */
	const char *name;
	enum config_kind kind;
	size_t offset;
	size_t size; /* of a text; greatest number */
};

#define TEXT_KEY(section, name, field)                                                             \
	{                                                                                          \
		section, name, CONFIG_TEXT, offsetof(struct config, field),                        \
			sizeof(((struct config *)NULL)->field)                                     \
	}
#define NUMBER_KEY(section, name, field, most)                                                     \
	{                                                                                          \
		section, name, CONFIG_NUMBER, offsetof(struct config, field), most                 \
	}
#define BOOL_KEY(section, name, field)                                                             \
	{                                                                                          \
		section, name, CONFIG_BOOL, offsetof(struct config, field), 1                      \
	}
#define LIMIT_KEY(name, which, most) NUMBER_KEY("limits", name, limits[which], most)

static const struct config_key keys[] = {
	TEXT_KEY("", "data", data_dir),
	NUMBER_KEY("", "workers", workers, 64),
	NUMBER_KEY("", "idle_timeout", idle_timeout_s, 7 * 86400),
	NUMBER_KEY("", "drain_timeout", drain_timeout_s, 3600),
	NUMBER_KEY("", "parallel_tasks", parallel_tasks, 1024),
	TEXT_KEY("listen", "unix", listen_unix),
	TEXT_KEY("listen", "tcp", listen_tcp),
	BOOL_KEY("listen", "unencrypted_on_the_network", unencrypted),
	BOOL_KEY("listen", "open_metrics", open_metrics),
	TEXT_KEY("tls", "certificate", tls_certificate),
	TEXT_KEY("tls", "key", tls_key),
	TEXT_KEY("tls", "client_ca", tls_client_ca),
	TEXT_KEY("keys", "provider", key_provider),
	TEXT_KEY("keys", "passphrase_file", passphrase_file),
	LIMIT_KEY("connections", CONFIG_CONNECTIONS, 1 << 20),
	LIMIT_KEY("connections_per_address", CONFIG_CONNECTIONS_PER_ADDRESS, 1 << 20),
	LIMIT_KEY("requests_per_connection", CONFIG_REQUESTS_PER_CONNECTION, UINT32_MAX),
	LIMIT_KEY("streams_per_connection", CONFIG_STREAMS, 1024),
	LIMIT_KEY("head_bytes", CONFIG_HEAD_BYTES, 1 << 20),
	LIMIT_KEY("bodies_bytes", CONFIG_BODIES_BYTES, 1ull << 40),
	LIMIT_KEY("output_bytes", CONFIG_OUTPUT_BYTES, 1 << 30),
	LIMIT_KEY("first_byte_s", CONFIG_FIRST_BYTE_S, 3600),
	LIMIT_KEY("head_s", CONFIG_HEAD_S, 3600),
	LIMIT_KEY("body_s", CONFIG_BODY_S, 3600),
	LIMIT_KEY("idle_s", CONFIG_IDLE_S, 86400),
	LIMIT_KEY("write_s", CONFIG_WRITE_S, 3600),
	LIMIT_KEY("call_s", CONFIG_CALL_S, 3600),
	NUMBER_KEY("runs", "lost_after", lost_after_s, 86400),
	NUMBER_KEY("projects", "executions", project_executions, 1000),
	NUMBER_KEY("projects", "parallel_tasks", project_tasks, 1024),
	NUMBER_KEY("retention", "executions", retention_days[0], 36500),
	NUMBER_KEY("retention", "logs", retention_days[1], 36500),
	NUMBER_KEY("retention", "bundles", retention_days[2], 36500),
	TEXT_KEY("tasks", "path", tasks_path),
	TEXT_KEY("tasks", "uid_range", tasks_uid_range),
	TEXT_KEY("tasks", "show", tasks_show),
	TEXT_KEY("tasks", "hide", tasks_hide),
	TEXT_KEY("tasks", "writable", tasks_writable),
	TEXT_KEY("tasks", "offline", tasks_offline),
	NUMBER_KEY("tasks", "processes", tasks_processes, 1 << 22),
	NUMBER_KEY("login", "token_seconds", token_seconds, 3600),
	TEXT_KEY("audit", "reads", audit_reads),
	TEXT_KEY("guard", "default", guard.fallback),
	TEXT_KEY("guard", "known", guard.known),
	TEXT_KEY("guard", "strict", guard.strict),
	TEXT_KEY("guard", "off", guard.off),
	TEXT_KEY("log", "level", log_level),
};
#define KEY_COUNT (sizeof keys / sizeof keys[0])

/* Where the parser stands in the file. */
struct reading {
	const char *path;
	struct config *config;
	struct un_detail *detail;
	char section[SECTION_MAX];
	char key[SECTION_MAX]; /* read, and waiting for its value; "" */
	unsigned depth;        /* of mappings */
	bool seen[KEY_COUNT];
	bool skipping;      /* the value of a key that is not known comes */
	unsigned skipped;   /* mappings and lists open inside it */
	struct buf unknown; /* what is said of such keys */
};

static enum un_err
refuse(const struct reading *at, const yaml_event_t *event, const char *what, const char *subject)
{
	return un_fail(at->detail, UN_ERR_BAD_CONFIG, "%s:%zu: %s%s%s%s", at->path,
	               event->start_mark.line + 1, what, subject ? " '" : "",
	               subject ? subject : "", subject ? "'" : "");
}

static const struct config_key *
key_of(const char *section, const char *name)
{
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

static bool
is_section(const char *name)
{
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (*name && strcmp(keys[i].section, name) == 0)
			return true;
	}
	return false;
}

/* The keys that could have been meant. */
static const char *
nearest_key(const char *section, const char *name)
{
	const char *names[2 * KEY_COUNT];
	size_t count = 0;

	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (strcmp(keys[i].section, section) == 0)
			names[count++] = keys[i].name;
		else if (!*section)
			names[count++] = keys[i].section;
	}
	return text_nearest(name, names, count);
}

/* Keys that are not known are gathered, so that a person sees all of them at once. */
static enum un_err
note_unknown(struct reading *at, const yaml_event_t *event, const char *name)
{
	const char *near = nearest_key(at->section, name);

	if (near && !at->unknown.len)
		un_hint(at->detail, "the nearest key is '%s'; uniond -T prints every key", near);
	else if (!at->unknown.len)
		un_hint(at->detail, "uniond -T prints every key with its value");
	at->skipping = true;
	at->skipped = 0;
	return buf_appendf(&at->unknown, "%s%s:%zu: unknown key '%.*s'",
	                   at->unknown.len ? ", " : "", at->path, event->start_mark.line + 1,
	                   SECTION_MAX, name);
}

/* True: the event was part of the value of a key that is not known. */
static bool
skip(struct reading *at, const yaml_event_t *event)
{
	if (!at->skipping)
		return false;
	if (event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT)
		at->skipped++;
	else if (event->type == YAML_MAPPING_END_EVENT || event->type == YAML_SEQUENCE_END_EVENT)
		at->skipped--;
	at->skipping = at->skipped > 0;
	return true;
}

static enum un_err
parse_number(const struct config_key *key, const char *value, uint64_t *ret_number)
{
	if (key->kind == CONFIG_NUMBER)
		return text_parse_u64(value, ret_number) || *ret_number > key->size ? UN_ERR_RANGE
		                                                                    : UN_OK;
	if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return UN_ERR_RANGE;
	*ret_number = value[0] == 't';
	return UN_OK;
}

static enum un_err
refuse_number(struct reading *at, const yaml_event_t *event, const struct config_key *key)
{
	if (key->kind == CONFIG_BOOL)
		return refuse(at, event, "neither true nor false:", at->key);
	un_hint(at->detail, "it is a whole number without a unit, at most %llu",
	        (unsigned long long)key->size);
	return refuse(at, event, "not a number in range:", at->key);
}

static enum un_err
set_value(struct reading *at, const yaml_event_t *event, const char *value)
{
	const struct config_key *key = key_of(at->section, at->key);
	uint64_t number;
	char *field;

	if (!key)
		return refuse(at, event, "this needs a mapping:", at->key);
	if (at->seen[key - keys])
		return refuse(at, event, "given twice:", at->key);
	at->seen[key - keys] = true;
	field = (char *)at->config + key->offset;
	if (key->kind == CONFIG_TEXT) {
		if (strlen(value) >= key->size)
			return refuse(at, event, "the value is too long:", at->key);
		memcpy(field, value, strlen(value) + 1);
		return UN_OK;
	}
	if (parse_number(key, value, &number))
		return refuse_number(at, event, key);
	memcpy(field, &number, sizeof number);
	return UN_OK;
}

static enum un_err
on_scalar(struct reading *at, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	enum un_err err;

	if (at->depth == 0)
		return refuse(at, event, "the file must be a mapping of keys", NULL);
	if (strlen(text) != event->data.scalar.length)
		return refuse(at, event, "a NUL byte", NULL);
	if (at->key[0]) {
		err = set_value(at, event, text);
		at->key[0] = '\0';
		return err;
	}
	if (!key_of(at->section, text) && !(at->depth == 1 && is_section(text)))
		return note_unknown(at, event, text);
	(void)snprintf(at->key, sizeof at->key, "%s", text);
	return UN_OK;
}

static enum un_err
on_mapping_start(struct reading *at, const yaml_event_t *event)
{
	at->depth++;
	if (at->depth == 1)
		return UN_OK;
	if (at->depth > 2 || !is_section(at->key))
		return refuse(at, event, "this takes a plain value:", at->key);
	memcpy(at->section, at->key, sizeof at->section);
	at->key[0] = '\0';
	return UN_OK;
}

static enum un_err
on_event(struct reading *at, const yaml_event_t *event)
{
	if (skip(at, event))
		return UN_OK;
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		return on_scalar(at, event);
	case YAML_MAPPING_START_EVENT:
		return on_mapping_start(at, event);
	case YAML_MAPPING_END_EVENT:
		at->depth--;
		at->section[0] = '\0';
		return UN_OK;
	case YAML_SEQUENCE_START_EVENT:
	case YAML_ALIAS_EVENT:
		return refuse(at, event, "lists and aliases are not used here", NULL);
	default:
		return UN_OK;
	}
}

static enum un_err
read_events(struct reading *at, yaml_parser_t *parser)
{
	for (bool more = true; more;) {
		yaml_event_t event;
		enum un_err err;

		if (!yaml_parser_parse(parser, &event))
			return un_fail(at->detail, UN_ERR_BAD_CONFIG, "%s:%zu: not YAML: %s",
			               at->path, parser->problem_mark.line + 1,
			               parser->problem ? parser->problem : "cannot be read");
		err = on_event(at, &event);
		more = event.type != YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
		if (err)
			return err;
	}
	return UN_OK;
}

enum un_err
config_read(struct config *config, const char *path, struct un_detail *detail)
{
	struct reading at = {.path = path, .config = config, .detail = detail};
	yaml_parser_t parser;
	struct buf text;
	enum un_err err;

	buf_init(&text, CONFIG_FILE_MAX, BUF_PLAIN);
	err = io_read_file(AT_FDCWD, path, &text);
	if (err) {
		(void)un_fail(detail, err, "cannot read the configuration '%s': %s", path,
		              un_err_text(err));
		goto out;
	}
	if (!yaml_parser_initialize(&parser)) {
		err = UN_ERR_NO_MEMORY;
		goto out;
	}
	buf_init(&at.unknown, UN_DETAIL_MAX, BUF_PLAIN);
	yaml_parser_set_input_string(&parser, (const unsigned char *)buf_text(&text), text.len);
	err = read_events(&at, &parser);
	yaml_parser_delete(&parser);
	if (at.unknown.len && (!err || err == UN_ERR_TOO_LARGE))
		err = un_fail(detail, UN_ERR_BAD_CONFIG, "%s", buf_text(&at.unknown));
	buf_fini(&at.unknown);
out:
	buf_fini(&text);
	return err;
}

static enum un_err
check_addresses(const struct config *config, struct un_detail *detail)
{
	struct net_address addresses[NET_ADDRESSES_MAX];
	size_t count = 0;
	enum un_err err;

	if (!config->listen_tcp[0])
		return UN_OK;
	err = net_addresses_parse(config->listen_tcp, addresses, &count, detail);
	for (size_t i = 0; i < count && !err; i++) {
		if (addresses[i].loopback || config->tls_certificate[0] || config->unencrypted)
			continue;
		un_hint(detail, "give 'tls.certificate' and 'tls.key'. With "
		                "'listen.unencrypted_on_the_network: true' everybody on the way "
		                "reads tokens and values");
		err = un_fail(detail, UN_ERR_BAD_CONFIG,
		              "'listen.tcp: %s' can be reached from elsewhere and has no TLS",
		              config->listen_tcp);
	}
	return err;
}

static enum un_err
check_tls(const struct config *config, struct un_detail *detail)
{
	if (!config->tls_certificate[0] != !config->tls_key[0])
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'tls.certificate' and 'tls.key' go together");
	if (config->tls_client_ca[0] && !config->tls_certificate[0])
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'tls.client_ca' needs 'tls.certificate' and 'tls.key'");
	if (config->tls_certificate[0] && config->unencrypted)
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'listen.unencrypted_on_the_network' and 'tls' exclude each other");
	return UN_OK;
}

/* A relative path in a list would be one of the task's own. */
static enum un_err
check_paths(const char *list, const char *name, struct un_detail *detail)
{
	for (const char *at = list; *at; at += strcspn(at, ":")) {
		at += at != list;
		if (*at != '/')
			return un_fail(detail, UN_ERR_BAD_CONFIG,
			               "'%s' is absolute paths with ':' between them, not '%s'",
			               name, list);
	}
	return UN_OK;
}

static enum un_err
check_runs(const struct config *config, struct un_detail *detail)
{
	if (config->lost_after_s < RUNS_LOST_AFTER_LEAST_S)
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'runs.lost_after' is %d to 86400 seconds, not %llu",
		               RUNS_LOST_AFTER_LEAST_S, (unsigned long long)config->lost_after_s);
	return UN_OK;
}

static enum un_err
check_tasks(const struct config *config, struct un_detail *detail)
{
	enum un_err err = check_paths(config->tasks_path, "tasks.path", detail);
	uint64_t users;

	if (!err)
		err = check_paths(config->tasks_show, "tasks.show", detail);
	if (!err)
		err = check_paths(config->tasks_hide, "tasks.hide", detail);
	if (!err)
		err = check_paths(config->tasks_writable, "tasks.writable", detail);
	if (!err)
		err = project_list_check(config->tasks_offline, "tasks.offline", detail);
	users = machine_range_count(config->tasks_uid_range);
	if (!err && !users)
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'tasks.uid_range' is FIRST-LAST, such as " MACHINE_UIDS
		               ", or none; not '%s'",
		               config->tasks_uid_range);
	if (!err && users < config->parallel_tasks)
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'tasks.uid_range' has %llu users for %llu tasks at once "
		               "('parallel_tasks')",
		               (unsigned long long)users,
		               (unsigned long long)config->parallel_tasks);
	return err;
}

enum un_err
config_check(struct config *config, struct un_detail *detail)
{
	enum log_level level;
	enum un_err err;

	if (!config->data_dir[0])
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'data' is missing: the absolute path of the data directory");
	if (config->data_dir[0] != '/')
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'data' must be an absolute path, not '%s'", config->data_dir);
	if (!config->listen_unix[0] &&
	    (size_t)snprintf(config->listen_unix, sizeof config->listen_unix, "%s/uniond.sock",
	                     config->data_dir) >= sizeof config->listen_unix)
		return un_fail(detail, UN_ERR_BAD_CONFIG, "'data' is too long");
	err = check_addresses(config, detail);
	if (!err)
		err = check_tls(config, detail);
	if (!err)
		err = check_runs(config, detail);
	if (!err)
		err = check_tasks(config, detail);
	if (err)
		return err;
	if (strcmp(config->key_provider, "file") != 0 &&
	    strcmp(config->key_provider, "passphrase") != 0)
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'keys.provider' is 'file' or 'passphrase', not '%s'",
		               config->key_provider);
	if (strcmp(config->audit_reads, "summed") != 0 &&
	    strcmp(config->audit_reads, "each") != 0 && strcmp(config->audit_reads, "off") != 0)
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'audit.reads' is summed, each or off, not '%s'",
		               config->audit_reads);
	if (log_level_parse(config->log_level, &level))
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'log.level' is error, warn, notice, info or debug, not '%s'",
		               config->log_level);
	return guard_policies_check(&config->guard, detail);
}

/* A YAML scalar in single quotes. */
static enum un_err
append_quoted(struct buf *out, const char *text)
{
	enum un_err err = buf_append_byte(out, '\'');

	for (const char *p = text; *p && !err; p++)
		err = *p == '\'' ? buf_append_text(out, "''") : buf_append_byte(out, (uint8_t)*p);
	return err ? err : buf_append_byte(out, '\'');
}

static enum un_err
append_key(const struct config *config, const struct config_key *key, struct buf *out)
{
	const char *field = (const char *)config + key->offset;
	uint64_t number;
	enum un_err err;

	err = buf_appendf(out, "%s%s: ", key->section[0] ? "  " : "", key->name);
	if (err)
		return err;
	if (key->kind == CONFIG_TEXT) {
		err = append_quoted(out, field);
	} else {
		memcpy(&number, field, sizeof number);
		err = key->kind == CONFIG_BOOL
		              ? buf_append_text(out, number ? "true" : "false")
		              : buf_appendf(out, "%llu", (unsigned long long)number);
	}
	return err ? err : buf_append_byte(out, '\n');
}

enum un_err
config_format(const struct config *config, struct buf *out)
{
	const char *section = "";
	enum un_err err = UN_OK;

	for (size_t i = 0; i < KEY_COUNT && !err; i++) {
		if (strcmp(section, keys[i].section) != 0) {
			section = keys[i].section;
			err = buf_appendf(out, "%s:\n", section);
		}
		if (!err)
			err = append_key(config, &keys[i], out);
	}
	return err;
}

static int
ms_of(uint64_t seconds)
{
	return (int)seconds * 1000; /* the table allows a day at most */
}

struct net_limits
config_limits(const struct config *config)
{
	const uint64_t *l = config->limits;

	return (struct net_limits){
		.connections = (unsigned)l[CONFIG_CONNECTIONS],
		.connections_per_address = (unsigned)l[CONFIG_CONNECTIONS_PER_ADDRESS],
		.requests_max = (unsigned)l[CONFIG_REQUESTS_PER_CONNECTION],
		.streams = (unsigned)l[CONFIG_STREAMS],
		.head_max = l[CONFIG_HEAD_BYTES],
		.body_total_max = l[CONFIG_BODIES_BYTES],
		.output_max = l[CONFIG_OUTPUT_BYTES],
		.first_byte_ms = ms_of(l[CONFIG_FIRST_BYTE_S]),
		.head_ms = ms_of(l[CONFIG_HEAD_S]),
		.body_ms = ms_of(l[CONFIG_BODY_S]),
		.idle_ms = ms_of(l[CONFIG_IDLE_S]),
		.write_ms = ms_of(l[CONFIG_WRITE_S]),
		.call_ms = ms_of(l[CONFIG_CALL_S]),
	};
}

/* The defaults, so that -T shows numbers that hold. */
static void
set_limits(struct config *config)
{
	struct net_limits limits = {0};

	net_limits_fill(&limits);
	config->limits[CONFIG_CONNECTIONS] = limits.connections;
	config->limits[CONFIG_CONNECTIONS_PER_ADDRESS] = limits.connections_per_address;
	config->limits[CONFIG_REQUESTS_PER_CONNECTION] = limits.requests_max;
	config->limits[CONFIG_STREAMS] = limits.streams;
	config->limits[CONFIG_HEAD_BYTES] = limits.head_max;
	config->limits[CONFIG_BODIES_BYTES] = limits.body_total_max;
	config->limits[CONFIG_OUTPUT_BYTES] = limits.output_max;
	config->limits[CONFIG_FIRST_BYTE_S] = (uint64_t)limits.first_byte_ms / 1000;
	config->limits[CONFIG_HEAD_S] = (uint64_t)limits.head_ms / 1000;
	config->limits[CONFIG_BODY_S] = (uint64_t)limits.body_ms / 1000;
	config->limits[CONFIG_IDLE_S] = (uint64_t)limits.idle_ms / 1000;
	config->limits[CONFIG_WRITE_S] = (uint64_t)limits.write_ms / 1000;
	config->limits[CONFIG_CALL_S] = (uint64_t)limits.call_ms / 1000;
}

void
config_init(struct config *config)
{
	*config = (struct config){0};
	(void)snprintf(config->key_provider, sizeof config->key_provider, "file");
	(void)snprintf(config->guard.fallback, sizeof config->guard.fallback, "known");
	(void)snprintf(config->log_level, sizeof config->log_level, "notice");
	(void)snprintf(config->audit_reads, sizeof config->audit_reads, "summed");
	config->idle_timeout_s = IDLE_TIMEOUT_EMBEDDED_S;
	config->drain_timeout_s = DRAIN_TIMEOUT_S;
	config->token_seconds = LOGIN_TOKEN_SECONDS;
	config->retention_days[0] = RETENTION_EXECUTIONS;
	config->retention_days[1] = RETENTION_LOGS;
	config->retention_days[2] = RETENTION_BUNDLES;
	config->lost_after_s = LEASE_TTL_US / 1000000;
	config->tasks_processes = TASK_PROCESSES;
	config->project_executions = PROJECT_EXECUTIONS;
	set_limits(config);
}
