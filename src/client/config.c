#include "client/config.h"

#include "base/io.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define EVENTS_MAX 256

enum where {
	AT_START,
	AT_TOP,   /* in the outer mapping, a key is next */
	AT_ADMIN, /* in admin:, a key is next */
	AT_END,
};

struct reader {
	yaml_parser_t parser;
	const char *name;
	struct config *config;
	struct un_detail *detail;
	unsigned events;
	bool has_insecure;
	bool has_admin;
};

static enum un_err
refuse(const struct reader *reader, const yaml_event_t *event, const char *what, const char *word)
{
	return un_fail(reader->detail, UN_ERR_BAD_CONFIG, "%s line %zu: %s%s%.100s%s", reader->name,
	               event->start_mark.line + 1, what, word ? " '" : "", word ? word : "",
	               word ? "'" : "");
}

static enum un_err
next_event(struct reader *reader, yaml_event_t *event)
{
	if (++reader->events > EVENTS_MAX)
		return un_fail(reader->detail, UN_ERR_BAD_CONFIG, "%s is too long", reader->name);
	if (yaml_parser_parse(&reader->parser, event))
		return UN_OK;
	return un_fail(reader->detail, UN_ERR_BAD_CONFIG, "%s line %zu: %s", reader->name,
	               reader->parser.problem_mark.line + 1,
	               reader->parser.problem ? reader->parser.problem : "this is not YAML");
}

static enum un_err
take_text(const struct reader *reader, const yaml_event_t *event, char *out, size_t size)
{
	size_t len = event->data.scalar.length;

	if (out[0])
		return refuse(reader, event, "this key was given before", NULL);
	if (!len || len >= size || memchr(event->data.scalar.value, 0, len))
		return refuse(reader, event, "the value is empty or too long", NULL);
	memcpy(out, event->data.scalar.value, len + 1);
	return UN_OK;
}

static enum un_err
take_flag(struct reader *reader, const yaml_event_t *event)
{
	const char *word = (const char *)event->data.scalar.value;

	if (reader->has_insecure)
		return refuse(reader, event, "this key was given before", NULL);
	if (strcmp(word, "true") != 0 && strcmp(word, "false") != 0)
		return refuse(reader, event, "true or false is needed, not", word);
	reader->has_insecure = true;
	reader->config->insecure = word[0] == 't';
	return UN_OK;
}

/* The value of admin.`key` is next. */
static enum un_err
read_admin_value(struct reader *reader, const char *key)
{
	yaml_event_t event;
	enum un_err err = next_event(reader, &event);

	if (err)
		return err;
	if (event.type != YAML_SCALAR_EVENT)
		err = refuse(reader, &event, "a single value is needed for", key);
	else if (strcmp(key, "endpoint") == 0)
		err = take_text(reader, &event, reader->config->endpoint, CONFIG_TEXT_MAX);
	else if (strcmp(key, "caCertFilePath") == 0)
		err = take_text(reader, &event, reader->config->ca_file, CONFIG_TEXT_MAX);
	else if (strcmp(key, "insecure") == 0)
		err = take_flag(reader, &event);
	else
		err = refuse(reader, &event, "unknown or not yet supported key: admin", key);
	yaml_event_delete(&event);
	return err;
}

static enum un_err
enter_admin(struct reader *reader, const yaml_event_t *key_event)
{
	yaml_event_t event;
	enum un_err err;

	if (strcmp((const char *)key_event->data.scalar.value, "admin") != 0)
		return refuse(reader, key_event, "unknown key",
		              (const char *)key_event->data.scalar.value);
	if (reader->has_admin)
		return refuse(reader, key_event, "this key was given before", NULL);
	reader->has_admin = true;
	err = next_event(reader, &event);
	if (err)
		return err;
	if (event.type != YAML_MAPPING_START_EVENT)
		err = refuse(reader, &event, "admin holds a table", NULL);
	yaml_event_delete(&event);
	return err;
}

static enum un_err
take_event(struct reader *reader, const yaml_event_t *event, enum where *at)
{
	enum un_err err;

	switch (event->type) {
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return UN_OK;
	case YAML_STREAM_END_EVENT:
		*at = AT_END;
		return UN_OK;
	case YAML_MAPPING_START_EVENT:
		if (*at != AT_START)
			break;
		*at = AT_TOP;
		return UN_OK;
	case YAML_MAPPING_END_EVENT:
		*at = *at == AT_ADMIN ? AT_TOP : AT_START;
		return UN_OK;
	case YAML_SCALAR_EVENT:
		if (*at == AT_ADMIN)
			return read_admin_value(reader, (const char *)event->data.scalar.value);
		if (*at != AT_TOP) {
			if (!event->data.scalar.length)
				return UN_OK; /* an empty document */
			break;
		}
		err = enter_admin(reader, event);
		if (!err)
			*at = AT_ADMIN;
		return err;
	default:
		break;
	}
	return refuse(reader, event, "this does not belong here", NULL);
}

/* admin.endpoint and admin.insecure become one URL. */
static enum un_err
settle(struct config *config, const char *name, struct un_detail *detail)
{
	char host[CONFIG_TEXT_MAX];
	const char *bare = config->endpoint;

	if (!config->insecure || !config->endpoint[0])
		return UN_OK;
	if (strncmp(bare, "dns:///", 7) == 0)
		bare += 7;
	if (strncmp(bare, "http://", 7) == 0 || strncmp(bare, "unix://", 7) == 0)
		return UN_OK;
	if (strstr(bare, "://"))
		return un_fail(detail, UN_ERR_BAD_CONFIG, "%s: insecure: true contradicts %.200s",
		               name, bare);
	(void)snprintf(host, sizeof host, "%s", bare);
	if (snprintf(config->endpoint, CONFIG_TEXT_MAX, "http://%.4000s", host) >= CONFIG_TEXT_MAX)
		return un_fail(detail, UN_ERR_BAD_CONFIG, "%s: the endpoint is too long", name);
	return UN_OK;
}

enum un_err
config_parse(const char *text, size_t len, const char *name, struct config *ret_config,
             struct un_detail *detail)
{
	struct config config = {0};
	struct reader reader = {.name = name, .config = &config, .detail = detail};
	enum where at = AT_START;
	enum un_err err = UN_OK;

	if (!yaml_parser_initialize(&reader.parser))
		return UN_ERR_NO_MEMORY;
	yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, len);
	while (!err && at != AT_END) {
		yaml_event_t event;

		err = next_event(&reader, &event);
		if (err)
			break;
		err = take_event(&reader, &event, &at);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&reader.parser);
	if (!err)
		err = settle(&config, name, detail);
	if (!err)
		*ret_config = config;
	return err;
}

enum un_err
config_load(const char *path, struct config *ret_config, struct un_detail *detail)
{
	struct buf text;
	enum un_err err;

	buf_init(&text, CONFIG_FILE_MAX, BUF_PLAIN);
	err = io_read_file(AT_FDCWD, path, &text);
	if (!err)
		err = config_parse(buf_text(&text), text.len, path, ret_config, detail);
	else if (err != UN_ERR_NOT_FOUND)
		err = un_fail(detail, UN_ERR_BAD_CONFIG, "cannot read %.400s: %s", path,
		              un_err_text(err));
	buf_fini(&text);
	return err;
}
