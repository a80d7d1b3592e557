#include "client/config.h"

#include "base/io.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#define EVENTS_MAX 4096

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
	bool has_insecure, has_skip_verify, has_admin, has_scopes, has_command;
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
take_flag(struct reader *reader, const yaml_event_t *event, bool *has, bool *flag)
{
	const char *word = (const char *)event->data.scalar.value;

	if (*has)
		return refuse(reader, event, "this key was given before", NULL);
	if (strcmp(word, "true") != 0 && strcmp(word, "false") != 0)
		return refuse(reader, event, "true or false is needed, not", word);
	*has = true;
	*flag = word[0] == 't';
	return UN_OK;
}

/* Reads the rest of a value that nobody asked for; `event` is its first. */
static enum un_err
skip_value(struct reader *reader, const yaml_event_t *event)
{
	int depth =
		event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT;

	while (depth) {
		yaml_event_t next;
		enum un_err err = next_event(reader, &next);

		if (err)
			return err;
		if (next.type == YAML_MAPPING_START_EVENT || next.type == YAML_SEQUENCE_START_EVENT)
			depth++;
		else if (next.type == YAML_MAPPING_END_EVENT ||
		         next.type == YAML_SEQUENCE_END_EVENT)
			depth--;
		yaml_event_delete(&next);
	}
	return UN_OK;
}

/* What a key of admin: means. */
enum key {
	KEY_ENDPOINT,
	KEY_CA_FILE,
	KEY_CERTIFICATE_FILE,
	KEY_KEY_FILE,
	KEY_INSECURE,
	KEY_SKIP_VERIFY,
	KEY_AUTH_TYPE,
	KEY_CLIENT_ID,
	KEY_SECRET_ENV,
	KEY_SECRET_FILE,
	KEY_SCOPES,
	KEY_AUDIENCE,
	KEY_COMMAND,
	KEY_IGNORED, /* of other clients, and without a meaning here */
	KEY_REFUSED, /* passing it over would send the requests another way */
	KEY_UNKNOWN,
};

static enum key
key_of(const char *word)
{
	static const struct {
		const char *word;
		enum key key;
	} keys[] = {
		{"endpoint", KEY_ENDPOINT},
		{"caCertFilePath", KEY_CA_FILE},
		{"clientCertFilePath", KEY_CERTIFICATE_FILE},
		{"clientKeyFilePath", KEY_KEY_FILE},
		{"insecure", KEY_INSECURE},
		{"insecureSkipVerify", KEY_SKIP_VERIFY},
		{"authType", KEY_AUTH_TYPE},
		{"clientId", KEY_CLIENT_ID},
		{"clientSecretEnvVar", KEY_SECRET_ENV},
		{"clientSecretLocation", KEY_SECRET_FILE},
		{"scopes", KEY_SCOPES},
		{"audience", KEY_AUDIENCE},
		{"command", KEY_COMMAND},
		{"authorizationHeader", KEY_IGNORED},
		{"authorizationServerUrl", KEY_IGNORED},
		{"defaultServiceConfig", KEY_IGNORED},
		{"deviceFlow", KEY_IGNORED},
		{"disableKeyring", KEY_IGNORED},
		{"maxBackoffDelay", KEY_IGNORED},
		{"maxMessageSizeBytes", KEY_IGNORED},
		{"maxRetries", KEY_IGNORED},
		{"perRetryTimeout", KEY_IGNORED},
		{"pkceConfig", KEY_IGNORED},
		{"rpcRetries", KEY_IGNORED},
		{"tokenRefreshWindow", KEY_IGNORED},
		{"tokenUrl", KEY_IGNORED},
		{"useAudienceFromAdmin", KEY_IGNORED},
		{"useAuth", KEY_IGNORED},
		{"httpProxyURL", KEY_REFUSED},
		{"proxyCommand", KEY_REFUSED},
	};

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		if (strcmp(keys[i].word, word) == 0)
			return keys[i].key;
	}
	return KEY_UNKNOWN;
}

static enum un_err
take_auth_type(struct reader *reader, const yaml_event_t *event)
{
	static const struct {
		const char *word;
		enum config_auth auth;
	} types[] = {
		{"ClientSecret", CONFIG_AUTH_CLIENT_SECRET},
		{"client_credentials", CONFIG_AUTH_CLIENT_SECRET},
		{"basic", CONFIG_AUTH_CLIENT_SECRET},
		{"ExternalCommand", CONFIG_AUTH_COMMAND},
		{"external_process", CONFIG_AUTH_COMMAND},
		{"Pkce", CONFIG_AUTH_BROWSER},
		{"standard", CONFIG_AUTH_BROWSER},
		{"DeviceFlow", CONFIG_AUTH_BROWSER},
	};
	struct config *config = reader->config;
	enum un_err err = take_text(reader, event, config->auth_type, CONFIG_WORD_MAX);

	config->auth = CONFIG_AUTH_OTHER;
	for (size_t i = 0; !err && i < sizeof types / sizeof types[0]; i++) {
		if (strcmp(types[i].word, config->auth_type) == 0)
			config->auth = types[i].auth;
	}
	return err;
}

static enum un_err
add_word(struct reader *reader, const yaml_event_t *event, bool is_command)
{
	struct config *config = reader->config;
	char *out = is_command ? config->command : config->scopes;
	size_t used = is_command ? config->command_len : strlen(config->scopes);
	size_t len = event->data.scalar.length;

	if (event->type != YAML_SCALAR_EVENT)
		return refuse(reader, event, "a list of words is needed", NULL);
	if (!len || len + 2 > CONFIG_TEXT_MAX - used || memchr(event->data.scalar.value, 0, len) ||
	    (is_command && config->command_words == CONFIG_COMMAND_WORDS_MAX))
		return refuse(reader, event, "the value is empty or too long", NULL);
	if (!is_command && used)
		out[used++] = ' ';
	memcpy(out + used, event->data.scalar.value, len + 1);
	if (is_command) {
		config->command_len = used + len + 1;
		config->command_words++;
	}
	return UN_OK;
}

/* A list of words, or one word alone. */
static enum un_err
take_list(struct reader *reader, const yaml_event_t *event, bool is_command)
{
	bool *has = is_command ? &reader->has_command : &reader->has_scopes;
	enum un_err err = UN_OK;
	bool over = false;

	if (*has)
		return refuse(reader, event, "this key was given before", NULL);
	*has = true;
	if (event->type != YAML_SEQUENCE_START_EVENT)
		return add_word(reader, event, is_command);
	while (!err && !over) {
		yaml_event_t next;

		err = next_event(reader, &next);
		if (err)
			break;
		over = next.type == YAML_SEQUENCE_END_EVENT;
		if (!over)
			err = add_word(reader, &next, is_command);
		yaml_event_delete(&next);
	}
	return err;
}

static enum un_err
take_scalar(struct reader *reader, const yaml_event_t *event, enum key key, const char *word)
{
	struct config *config = reader->config;

	if (event->type != YAML_SCALAR_EVENT)
		return refuse(reader, event, "a single value is needed for", word);
	switch (key) {
	case KEY_ENDPOINT:
		return take_text(reader, event, config->endpoint, CONFIG_TEXT_MAX);
	case KEY_CA_FILE:
		return take_text(reader, event, config->ca_file, CONFIG_TEXT_MAX);
	case KEY_CERTIFICATE_FILE:
		return take_text(reader, event, config->certificate_file, CONFIG_TEXT_MAX);
	case KEY_KEY_FILE:
		return take_text(reader, event, config->key_file, CONFIG_TEXT_MAX);
	case KEY_INSECURE:
		return take_flag(reader, event, &reader->has_insecure, &config->insecure);
	case KEY_SKIP_VERIFY:
		return take_flag(reader, event, &reader->has_skip_verify, &config->skip_verify);
	case KEY_AUTH_TYPE:
		return take_auth_type(reader, event);
	case KEY_CLIENT_ID:
		return take_text(reader, event, config->client_id, CONFIG_WORD_MAX);
	case KEY_SECRET_ENV:
		return take_text(reader, event, config->secret_env, CONFIG_WORD_MAX);
	case KEY_SECRET_FILE:
		return take_text(reader, event, config->secret_file, CONFIG_TEXT_MAX);
	case KEY_AUDIENCE:
		return take_text(reader, event, config->audience, CONFIG_TEXT_MAX);
	case KEY_REFUSED:
		return refuse(reader, event, "not supported: admin", word);
	default:
		return refuse(reader, event, "unknown key: admin", word);
	}
}

/* The value of admin.`word` is next. */
static enum un_err
read_admin_value(struct reader *reader, const char *word)
{
	enum key key = key_of(word);
	yaml_event_t event;
	enum un_err err = next_event(reader, &event);

	if (err)
		return err;
	if (key == KEY_IGNORED)
		err = skip_value(reader, &event);
	else if (key == KEY_SCOPES || key == KEY_COMMAND)
		err = take_list(reader, &event, key == KEY_COMMAND);
	else
		err = take_scalar(reader, &event, key, word);
	yaml_event_delete(&event);
	return err;
}

/* Sections that other clients keep in the same file. */
static bool
is_foreign_section(const char *word)
{
	static const char *const words[] = {"console", "database", "files", "image",    "images",
	                                    "local",   "logger",   "org",   "platform", "secrets",
	                                    "storage", "task",     "union"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcmp(words[i], word) == 0)
			return true;
	}
	return false;
}

static enum un_err
skip_section(struct reader *reader)
{
	yaml_event_t event;
	enum un_err err = next_event(reader, &event);

	if (err)
		return err;
	err = skip_value(reader, &event);
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
		if (is_foreign_section((const char *)event->data.scalar.value))
			return skip_section(reader);
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

	/* as other clients have it: who names a secret means to use it */
	if (config->secret_env[0] || config->secret_file[0])
		config->auth = CONFIG_AUTH_CLIENT_SECRET;
	if (config->auth == CONFIG_AUTH_CLIENT_SECRET && !config->client_id[0])
		return un_fail(detail, UN_ERR_BAD_CONFIG, "%s: a client secret without clientId",
		               name);
	if (config->auth == CONFIG_AUTH_CLIENT_SECRET && !config->secret_env[0] &&
	    !config->secret_file[0])
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "%s: authType: %s needs clientSecretEnvVar or clientSecretLocation",
		               name, config->auth_type);
	if (config->auth == CONFIG_AUTH_COMMAND && !config->command_words)
		return un_fail(detail, UN_ERR_BAD_CONFIG, "%s: authType: %s needs command", name,
		               config->auth_type);
	if (!config->certificate_file[0] != !config->key_file[0])
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "%s: clientCertFilePath and clientKeyFilePath need each other",
		               name);
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
