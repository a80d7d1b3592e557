/* What is written is tried first: a configuration that does not log in helps nobody. */
#include "base/io.h"
#include "base/text.h"
#include "cli.h"
#include "client/api_key.h"
#include "client/endpoint.h"
#include "model/name.h"
#include "proto-all.h"
#include "target.h"
#include "value_input.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_TEXT_MAX 32768

_Static_assert(CONFIG_TEXT_MAX >= PATH_MAX, "a whole path fits");

struct login {
	struct target target;
	struct endpoint endpoint;
	char host[API_KEY_ENDPOINT_MAX + 16]; /* with its port, as it is written */
	char file[CLI_PATH_MAX];              /* the configuration */
	char secret_file[CLI_PATH_MAX];       /* "": no secret is kept */
	const char *auth_type;                /* as other clients write it; NULL: none */
};

/* ---- what was asked for ---- */

static enum un_err
read_host(struct cli *cli, struct login *login)
{
	const char *given = cli->option[OPT_HOST];
	struct endpoint *endpoint = &login->endpoint;
	enum un_err err;

	if (!given)
		return un_fail(&cli->detail, UN_ERR_USAGE, "--host is needed: which server?");
	err = endpoint_parse(given, endpoint, &cli->detail);
	if (err)
		return err;
	if (endpoint->kind == ENDPOINT_UNIX)
		return un_fail(&cli->detail, UN_ERR_USAGE,
		               "a socket of this machine needs no login: use --endpoint");
	(void)snprintf(login->host, sizeof login->host, strchr(endpoint->host, ':') ? "[%s]" : "%s",
	               endpoint->host);
	if (endpoint->port != 443)
		(void)snprintf(login->host + strlen(login->host),
		               sizeof login->host - strlen(login->host), ":%u", endpoint->port);
	(void)snprintf(login->target.url, sizeof login->target.url, "%s://%s",
	               endpoint->kind == ENDPOINT_HTTPS ? "https" : "http", login->host);
	return UN_OK;
}

static enum un_err
read_key_text(struct cli *cli, const char *path, struct secbuf **ret_text)
{
	int fd = STDIN_FILENO;
	enum un_err err;

	if (strcmp(path, "-") == 0 && isatty(STDIN_FILENO))
		return terminal_ask("API key: ", API_KEY_TEXT_MAX, ret_text, &cli->detail);
	if (strcmp(path, "-") != 0)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return un_fail_errno(&cli->detail, errno, "cannot read %.400s", path);
	err = secbuf_read(fd, API_KEY_TEXT_MAX, ret_text);
	if (fd != STDIN_FILENO)
		(void)close(fd);
	return err ? un_fail(&cli->detail, err, "cannot read the API key from %.400s", path)
	           : UN_OK;
}

static enum un_err
use_api_key(struct cli *cli, struct login *login)
{
	struct api_key key = {.secret = NULL};
	struct secbuf *text = NULL;
	enum un_err err = read_key_text(cli, cli->option[OPT_API_KEY], &text);

	if (!err)
		err = api_key_parse(text, &key, &cli->detail);
	secbuf_free(text);
	if (err)
		return err;
	if (!target_is_made_for(key.endpoint, login->target.url)) {
		un_hint(&cli->detail, "union create login --host %.200s", key.endpoint);
		err = un_fail(&cli->detail, UN_ERR_USAGE,
		              "this API key is for %.200s, not for %.200s", key.endpoint,
		              login->host);
		secbuf_free(key.secret);
		return err;
	}
	login->auth_type = "ClientSecret";
	login->target.auth = CONFIG_AUTH_CLIENT_SECRET;
	login->target.secret = key.secret;
	(void)snprintf(login->target.client, sizeof login->target.client, "%s", key.client);
	return UN_OK;
}

static enum un_err
use_client_secret(struct cli *cli, struct login *login)
{
	const char *client = cli->option[OPT_CLIENT_ID];
	const char *variable = cli->option[OPT_CLIENT_SECRET_ENV_VAR];
	const char *value = variable ? cli_env(variable) : NULL;

	if (!client || !variable)
		return un_fail(&cli->detail, UN_ERR_USAGE,
		               "--auth client-secret needs --client-id and "
		               "--client-secret-env-var");
	if (!value)
		return un_fail(&cli->detail, UN_ERR_USAGE, "%.200s is not set", variable);
	login->auth_type = "ClientSecret";
	login->target.auth = CONFIG_AUTH_CLIENT_SECRET;
	(void)snprintf(login->target.client, sizeof login->target.client, "%s", client);
	(void)snprintf(login->target.config.secret_env, CONFIG_WORD_MAX, "%s", variable);
	return secbuf_copy(value, strlen(value), &login->target.secret);
}

static enum un_err
use_command(struct cli *cli, struct login *login)
{
	struct config *config = &login->target.config;
	const char *at = cli->option[OPT_COMMAND];

	if (!at || strlen(at) + 2 > sizeof config->command)
		return un_fail(&cli->detail, UN_ERR_USAGE,
		               "--auth external-command needs --command");
	for (at += strspn(at, " "); *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");

		if (config->command_words == CONFIG_COMMAND_WORDS_MAX)
			return un_fail(&cli->detail, UN_ERR_USAGE, "--command is too long");
		memcpy(config->command + config->command_len, at, len);
		config->command_len += len + 1;
		config->command_words++;
		at += len;
	}
	if (!config->command_words)
		return un_fail(&cli->detail, UN_ERR_USAGE, "--command is empty");
	login->auth_type = "ExternalCommand";
	login->target.auth = CONFIG_AUTH_COMMAND;
	return UN_OK;
}

static enum un_err
read_options(struct cli *cli, struct login *login)
{
	const char *auth = cli->option[OPT_AUTH], *ca_file = cli->option[OPT_CA_FILE];
	struct config *config = &login->target.config;

	if (ca_file && !realpath(ca_file, config->ca_file))
		return un_fail(&cli->detail, UN_ERR_FILE_MISSING, "no such file: %.400s", ca_file);
	if (cli->option[OPT_API_KEY] && auth)
		return un_fail(&cli->detail, UN_ERR_USAGE, "give either --api-key or --auth");
	if (cli->option[OPT_API_KEY])
		return use_api_key(cli, login);
	if (auth && strcmp(auth, "client-secret") == 0)
		return use_client_secret(cli, login);
	if (auth && strcmp(auth, "external-command") == 0)
		return use_command(cli, login);
	return UN_OK;
}

/* ---- what is there ---- */

static enum un_err
check_old(struct cli *cli, const struct login *login)
{
	static struct config old;
	struct un_detail unread = {0};
	enum un_err err = config_load(login->file, &old, &unread);

	if (err == UN_ERR_NOT_FOUND || cli->option[OPT_REPLACE])
		return UN_OK;
	if (!err && target_is_made_for(old.endpoint, login->target.url))
		return UN_OK;
	un_hint(&cli->detail, "--replace writes a new one, and keeps the old one beside it");
	if (err)
		return un_fail(&cli->detail, UN_ERR_EXISTS, "%.400s is there: %.300s", login->file,
		               unread.message);
	return un_fail(&cli->detail, UN_ERR_EXISTS, "%.400s names another control plane: %.200s",
	               login->file, old.endpoint);
}

/* ---- what is written ---- */

/* A scalar in single quotes. */
static enum un_err
add_line(struct buf *out, const char *key, const char *text)
{
	enum un_err err = buf_appendf(out, "%s: '", key);

	for (; *text && !err; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return UN_ERR_INVALID;
		err = buf_append(out, *text == '\'' ? "''" : text, *text == '\'' ? 2 : 1);
	}
	return err ? err : buf_append_text(out, "'\n");
}

static enum un_err
add_command(struct buf *out, const struct config *config)
{
	const char *word = config->command;
	enum un_err err = buf_append_text(out, "  command:\n");

	for (unsigned i = 0; i < config->command_words && !err; i++) {
		err = buf_append_text(out, "    - '");
		for (; *word && !err; word++)
			err = buf_append(out, *word == '\'' ? "''" : word, *word == '\'' ? 2 : 1);
		word++;
		if (!err)
			err = buf_append_text(out, "'\n");
	}
	return err;
}

static enum un_err
make_text(const struct login *login, struct buf *out)
{
	const struct config *config = &login->target.config;
	bool secret = login->target.auth == CONFIG_AUTH_CLIENT_SECRET;
	const char *insecure = login->endpoint.kind == ENDPOINT_HTTP ? "true" : "false";
	enum un_err err = buf_appendf(out, "admin:\n  endpoint: dns:///%s\n  insecure: %s\n",
	                              login->host, insecure);

	if (!err && login->auth_type)
		err = add_line(out, "  authType", login->auth_type);
	if (!err && secret)
		err = add_line(out, "  clientId", login->target.client);
	if (!err && secret && login->secret_file[0])
		err = add_line(out, "  clientSecretLocation", login->secret_file);
	if (!err && secret && config->secret_env[0])
		err = add_line(out, "  clientSecretEnvVar", config->secret_env);
	if (!err && login->target.auth == CONFIG_AUTH_COMMAND)
		err = add_command(out, config);
	if (!err && config->ca_file[0])
		err = add_line(out, "  caCertFilePath", config->ca_file);
	if (!err)
		err = buf_appendf(
			out,
			"logger:\n  show-source: true\n  level: 0\nunion:\n  connection:\n"
			"    host: dns:///%s\n    insecure: %s\n",
			login->host, insecure);
	if (!err && login->auth_type)
		err = buf_appendf(out, "  auth:\n    type: %s\n", login->auth_type);
	return err;
}

/* "/home/me/.union/secret-union.example.com-ci", in a file that is its owner's alone: a
 * configuration is something that people show each other. */
static void
name_secret_file(struct login *login)
{
	const char *slash = strrchr(login->file, '/');

	if (login->target.auth != CONFIG_AUTH_CLIENT_SECRET || login->target.config.secret_env[0])
		return;
	(void)snprintf(login->secret_file, sizeof login->secret_file, "%.*s/secret-%s-%s",
	               (int)(slash - login->file), login->file, login->host, login->target.client);
	for (char *at = login->secret_file + (slash - login->file) + 1; *at; at++) {
		if (*at == ':' || *at == '[' || *at == ']' || *at == '/')
			*at = '_';
	}
}

static enum un_err
write_files(struct cli *cli, struct login *login)
{
	const char *slash = strrchr(login->file, '/');
	char folder[CLI_PATH_MAX];
	struct buf text;
	int fd = -1;
	enum un_err err;

	(void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - login->file), login->file);
	buf_init(&text, FILE_TEXT_MAX, BUF_PLAIN);
	err = make_text(login, &text);
	if (!err)
		err = io_make_dirs(folder, 0700);
	if (!err) {
		fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = fd < 0 ? un_err_from_errno(errno) : UN_OK;
	}
	if (!err && login->secret_file[0])
		err = io_replace_file(fd, strrchr(login->secret_file, '/') + 1,
		                      secbuf_peek(login->target.secret),
		                      secbuf_len(login->target.secret), 0600);
	if (!err && faccessat(fd, slash + 1, F_OK, 0) == 0)
		err = io_rename_at(fd, slash + 1, "config.yaml.old");
	if (!err)
		err = io_replace_file(fd, slash + 1, text.data, text.len, 0600);
	if (err)
		err = un_fail(&cli->detail, err, "cannot write %.400s: %s", login->file,
		              un_err_text(err));
	buf_fini(&text);
	io_close(&fd);
	return err;
}

/* ---- the command ---- */

/* Who the control plane takes this user for. */
static enum un_err
ask_who(struct cli *cli, char name[CONFIG_WORD_MAX])
{
	Flyteidl__Service__UserInfoRequest request = FLYTEIDL__SERVICE__USER_INFO_REQUEST__INIT;
	Flyteidl__Service__UserInfoResponse *reply = NULL;
	enum un_err err = cli_call(cli, "/flyteidl.service.IdentityService/UserInfo", &request,
	                           &flyteidl__service__user_info_response__descriptor, &reply);

	if (!err)
		(void)snprintf(name, CONFIG_WORD_MAX, "%.200s", reply->subject);
	channel_message_free(reply);
	return err;
}

static void
tell(struct cli *cli, const struct login *login, const char *name)
{
	(void)fprintf(stderr, "Logged in to %s as %s; written to %s\n", login->host, name,
	              login->file);
	if (login->secret_file[0])
		(void)fprintf(stderr, "The secret is in %s\n", login->secret_file);
	if (access(cli->paths.config_file, F_OK) == 0)
		cli_note(cli, "%.400s is there, and comes first", cli->paths.config_file);
	else if (cli_env("UNION_API_KEY"))
		cli_note(cli, "UNION_API_KEY is set, and comes first");
}

int
command_create_login(struct cli *cli)
{
	static struct login login; /* the session lends from it */
	char name[CONFIG_WORD_MAX] = "";
	enum un_err err = cli_find_paths(cli);

	if (!err && !target_login_file(login.file))
		err = un_fail(&cli->detail, UN_ERR_BAD_CONFIG, "cannot find the home folder");
	if (!err)
		err = read_host(cli, &login);
	if (!err)
		err = check_old(cli, &login);
	if (!err)
		err = read_options(cli, &login);
	if (!err)
		err = cli_connect_to(cli, &login.target);
	if (!err)
		err = ask_who(cli, name);
	if (!err) {
		name_secret_file(&login);
		err = write_files(cli, &login);
	}
	if (!err)
		tell(cli, &login, name);
	target_fini(&login.target);
	return err ? cli_fail(cli, err) : cli_finish(cli);
}
