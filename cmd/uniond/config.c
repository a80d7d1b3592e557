#include "config.h"

#include "base/alloc.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define IDLE_TIMEOUT_EMBEDDED_S 900
#define SECTION_MAX 32

enum config_kind {
	CONFIG_TEXT,
	CONFIG_NUMBER,
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

static const struct config_key keys[] = {
	TEXT_KEY("", "data", data_dir),
	NUMBER_KEY("", "workers", workers, 64),
	NUMBER_KEY("", "idle_timeout", idle_timeout_s, 7 * 86400),
	NUMBER_KEY("", "parallel_tasks", parallel_tasks, 1024),
	TEXT_KEY("listen", "unix", listen_unix),
	TEXT_KEY("listen", "tcp", listen_tcp),
	TEXT_KEY("tls", "certificate", tls_certificate),
	TEXT_KEY("tls", "key", tls_key),
	TEXT_KEY("tls", "client_ca", tls_client_ca),
	TEXT_KEY("keys", "provider", key_provider),
	TEXT_KEY("keys", "passphrase_file", passphrase_file),
	TEXT_KEY("log", "level", log_level),
};
#define KEY_COUNT (sizeof keys / sizeof keys[0])

void
config_init(struct config *config)
{
	*config = (struct config){0};
	(void)snprintf(config->key_provider, sizeof config->key_provider, "file");
	(void)snprintf(config->log_level, sizeof config->log_level, "notice");
	config->idle_timeout_s = IDLE_TIMEOUT_EMBEDDED_S;
}

/* Where the parser stands in the file. */
struct reading {
	const char *path;
	struct config *config;
	struct un_detail *detail;
	char section[SECTION_MAX];
	char key[SECTION_MAX]; /* read, and waiting for its value; "" */
	unsigned depth;        /* of mappings */
	bool seen[KEY_COUNT];
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
	if (text_parse_u64(value, &number) || number > key->size)
		return refuse(at, event, "not a number in range:", at->key);
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
	if (!key_of(at->section, text) && !(at->depth == 1 && is_section(text))) {
		err = refuse(at, event, "unknown key", text);
		un_hint(at->detail, "uniond -T prints every key with its value");
		return err;
	}
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
	yaml_parser_set_input_string(&parser, (const unsigned char *)buf_text(&text), text.len);
	err = read_events(&at, &parser);
	yaml_parser_delete(&parser);
out:
	buf_fini(&text);
	return err;
}

static bool
is_loopback(const char *address_and_port)
{
	char address[128];
	const char *colon = strrchr(address_and_port, ':');
	struct in_addr v4;

	if (!colon || (size_t)(colon - address_and_port) >= sizeof address)
		return false;
	memcpy(address, address_and_port, (size_t)(colon - address_and_port));
	address[colon - address_and_port] = '\0';
	if (strcmp(address, "[::1]") == 0)
		return true;
	return inet_pton(AF_INET, address, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

enum un_err
config_check(struct config *config, struct un_detail *detail)
{
	enum log_level level;

	if (config->data_dir[0] != '/')
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'data' must be an absolute path, not '%s'", config->data_dir);
	if (!config->listen_unix[0] &&
	    (size_t)snprintf(config->listen_unix, sizeof config->listen_unix, "%s/uniond.sock",
	                     config->data_dir) >= sizeof config->listen_unix)
		return un_fail(detail, UN_ERR_BAD_CONFIG, "'data' is too long");
	if (config->listen_tcp[0] && !is_loopback(config->listen_tcp)) {
		(void)un_fail(detail, UN_ERR_BAD_CONFIG,
		              "'listen.tcp: %s' is not a loopback address with a port",
		              config->listen_tcp);
		un_hint(detail, "this version knows no principal but the local user: "
		                "use 127.0.0.1:PORT or [::1]:PORT");
		return UN_ERR_BAD_CONFIG;
	}
	if (!config->tls_certificate[0] != !config->tls_key[0])
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'tls.certificate' and 'tls.key' go together");
	if (config->tls_certificate[0] && !config->listen_tcp[0])
		return un_fail(detail, UN_ERR_BAD_CONFIG, "'tls' needs 'listen.tcp'");
	if (strcmp(config->key_provider, "file") != 0 &&
	    strcmp(config->key_provider, "passphrase") != 0)
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'keys.provider' is 'file' or 'passphrase', not '%s'",
		               config->key_provider);
	if (log_level_parse(config->log_level, &level))
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'log.level' is error, warn, notice, info or debug, not '%s'",
		               config->log_level);
	return UN_OK;
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
		err = buf_appendf(out, "%llu", (unsigned long long)number);
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
