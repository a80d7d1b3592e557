#include "target.h"

#include "base/clock.h"
#include "base/io.h"
#include "client/api_key.h"
#include "client/endpoint.h"
#include "client/token_cache.h"
#include "process.h"
#include "value_input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMAND_TIMEOUT_MS 60000
#define SECRET_FILE_MAX 4096

/* ---- files ---- */

static bool
home_file(const char *rest, char path[CLI_PATH_MAX])
{
	const char *home = cli_home();

	return home && snprintf(path, CLI_PATH_MAX, "%s%s", home, rest) < CLI_PATH_MAX;
}

bool
target_login_file(char path[CLI_PATH_MAX])
{
	return home_file("/.union/config.yaml", path);
}

void
target_token_folder(char path[CLI_PATH_MAX])
{
	const char *runtime = cli_env("XDG_RUNTIME_DIR"), *cache = cli_env("XDG_CACHE_HOME");
	struct stat st;

	path[0] = '\0';
	/* in memory, where there is such a place */
	if (runtime && runtime[0] == '/' && stat(runtime, &st) == 0 && st.st_uid == geteuid() &&
	    !(st.st_mode & 077))
		(void)snprintf(path, CLI_PATH_MAX, "%.4000s/union/tokens", runtime);
	else if (cache && cache[0] == '/')
		(void)snprintf(path, CLI_PATH_MAX, "%.4000s/union/tokens", cache);
	else if (!home_file("/.cache/union/tokens", path))
		path[0] = '\0';
}

/* The first of the user's configuration files that is there; none is fine. */
static enum un_err
load_config(struct cli *cli, struct config *config)
{
	static const char *const variables[] = {"UNION_CONFIG", "UNIONAI_CONFIG"};
	static const char *const files[] = {"/.union/config.yaml", "/.uctl/config.yaml"};
	const char *file = cli->option[OPT_CONFIG];
	char path[CLI_PATH_MAX];
	enum un_err err;

	for (size_t i = 0; i < 2 && !file; i++)
		file = cli_env(variables[i]);
	if (file) {
		err = config_load(file, config, &cli->detail);
		if (err == UN_ERR_NOT_FOUND)
			err = un_fail(&cli->detail, UN_ERR_BAD_CONFIG,
			              "no such configuration file: %.400s", file);
		return err;
	}
	err = config_load(cli->paths.config_file, config, &cli->detail);
	for (size_t i = 0; i < 2 && err == UN_ERR_NOT_FOUND; i++) {
		if (home_file(files[i], path))
			err = config_load(path, config, &cli->detail);
	}
	return err == UN_ERR_NOT_FOUND ? UN_OK : err;
}

/* ---- credentials ---- */

static enum un_err
take_api_key(const char *name, const char *value, struct api_key *key, struct un_detail *detail)
{
	struct secbuf *text = NULL;
	char why[UN_DETAIL_MAX];
	enum un_err err = secbuf_copy(value, strlen(value), &text);

	if (!err)
		err = api_key_parse(text, key, detail);
	secbuf_free(text);
	if (err == UN_ERR_BAD_CONFIG) {
		(void)snprintf(why, sizeof why, "%s", detail->message);
		err = un_fail(detail, err, "%s: %.900s", name, why);
	}
	return err;
}

/* The first variable that holds an API key, in the order of existing clients; key->secret NULL:
 * none does. */
static enum un_err
find_api_key(struct api_key *key, struct un_detail *detail)
{
	static const char *const names[] = {
		"UNION_API_KEY",        "UNION_SERVERLESS_API_KEY", "UNIONAI_SERVERLESS_API_KEY",
		"_UNION_EAGER_API_KEY", "_UNION_UNION_API_KEY",     "FLYTE_API_KEY",
		"EAGER_API_KEY"};

	key->secret = NULL;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *value = cli_env(names[i]);

		if (value)
			return take_api_key(names[i], value, key, detail);
	}
	return UN_OK;
}

static enum un_err
read_secret_file(const char *path, struct secbuf **ret_secret, struct un_detail *detail)
{
	struct secbuf *secret = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum un_err err;

	if (fd < 0)
		return un_fail_errno(detail, errno, "cannot read the client secret in %.400s",
		                     path);
	err = secbuf_read(fd, SECRET_FILE_MAX, &secret);
	(void)close(fd);
	if (err)
		return un_fail(detail, err, "cannot read the client secret in %.400s", path);
	value_drop_newline(secret);
	if (!secbuf_len(secret)) {
		secbuf_free(secret);
		return un_fail(detail, UN_ERR_BAD_CONFIG, "the client secret in %.400s is empty",
		               path);
	}
	*ret_secret = secret;
	return UN_OK;
}

static enum un_err
take_config_secret(const struct config *config, struct secbuf **ret_secret,
                   struct un_detail *detail)
{
	const char *value;

	if (!config->secret_env[0])
		return read_secret_file(config->secret_file, ret_secret, detail);
	value = cli_env(config->secret_env);
	if (!value)
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "the configuration takes the client secret from %s, which is not "
		               "set",
		               config->secret_env);
	return secbuf_copy(value, strlen(value), ret_secret);
}

bool
target_is_made_for(const char *maker, const char *url)
{
	struct endpoint a, b;
	const char *host = strstr(maker, "://") ? strstr(maker, "://") + 3 : maker;
	bool has_port;

	host += strspn(host, "/");
	has_port = strchr(strrchr(host, ']') ? strrchr(host, ']') : host, ':') != NULL;
	if (endpoint_parse(maker, &a, NULL) || endpoint_parse(url, &b, NULL) || a.kind != b.kind ||
	    a.kind == ENDPOINT_UNIX)
		return false;
	return strcasecmp(a.host, b.host) == 0 && (!has_port || a.port == b.port);
}

static enum un_err
settle_config(struct target *target, struct un_detail *detail)
{
	target->auth = target->config.auth;
	if (target->auth != CONFIG_AUTH_CLIENT_SECRET)
		return UN_OK;
	(void)snprintf(target->client, sizeof target->client, "%s", target->config.client_id);
	return take_config_secret(&target->config, &target->secret, detail);
}

static void
settle_api_key(struct target *target, struct api_key *key)
{
	target->auth = CONFIG_AUTH_CLIENT_SECRET;
	target->by_api_key = true;
	(void)snprintf(target->client, sizeof target->client, "%s", key->client);
	target->secret = key->secret;
	key->secret = NULL;
	target->config.scopes[0] = target->config.audience[0] = '\0';
}

enum un_err
target_find(struct cli *cli, struct target *ret_target)
{
	const char *given = cli->option[OPT_ENDPOINT];
	struct target target = {.secret = NULL};
	struct api_key key = {.secret = NULL};
	enum un_err err = cli_find_paths(cli);

	given = given ? given : cli_env("UNION_ENDPOINT");
	if (!err)
		err = load_config(cli, &target.config);
	if (!err && (given || !cli->option[OPT_CONFIG]))
		err = find_api_key(&key, &cli->detail);
	if (err)
		return err;
	if (given)
		(void)snprintf(target.url, sizeof target.url, "%s", given);
	else if (key.secret)
		(void)snprintf(target.url, sizeof target.url, "https://%s", key.endpoint);
	else
		(void)snprintf(target.url, sizeof target.url, "%s", target.config.endpoint);
	if (key.secret && target_is_made_for(key.endpoint, target.url))
		settle_api_key(&target, &key);
	else if (!given || target_is_made_for(target.config.endpoint, target.url))
		err = settle_config(&target, &cli->detail);
	secbuf_free(key.secret);
	if (err)
		target_fini(&target);
	else
		*ret_target = target;
	return err;
}

void
target_fini(struct target *target)
{
	secbuf_free(target->secret);
	target->secret = NULL;
}

/* ---- a command that prints a token ---- */

static enum un_err
run(char **argv, struct secbuf **ret_output, struct un_detail *detail)
{
	struct process process = {
		.file = argv[0], .argv = argv, .environment = cli_environ(), .fd_count = 1};
	int pipe_fds[2], status;
	enum un_err err;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return un_err_from_errno(errno);
	process.ours[0] = pipe_fds[1];
	process.theirs[0] = STDOUT_FILENO;
	err = process_start(&process, &pid);
	(void)close(pipe_fds[1]);
	if (!err) {
		err = io_wait(pipe_fds[0], POLLIN, clock_mono_ms() + COMMAND_TIMEOUT_MS);
		if (!err)
			err = secbuf_read(pipe_fds[0], TOKEN_TEXT_MAX, ret_output);
		if (err)
			(void)kill(pid, SIGTERM);
		status = process_wait(pid);
		if (!err && status)
			err = un_fail(detail, UN_ERR_BAD_CONFIG, "it ended with status %d", status);
	}
	(void)close(pipe_fds[0]);
	return err;
}

static bool
is_token(const struct secbuf *text)
{
	for (size_t i = 0; i < secbuf_len(text); i++) {
		if (secbuf_peek(text)[i] <= 0x20 || secbuf_peek(text)[i] >= 0x7f)
			return false;
	}
	return secbuf_len(text) > 0;
}

enum un_err
target_run_command(void *ctx, struct secbuf **ret_token, struct un_detail *detail)
{
	struct target *target = ctx;
	char *argv[CONFIG_COMMAND_WORDS_MAX + 1] = {NULL}, *word = target->config.command;
	struct secbuf *token = NULL;
	char why[UN_DETAIL_MAX];
	enum un_err err;

	for (unsigned i = 0; i < target->config.command_words; i++) {
		argv[i] = word;
		word += strlen(word) + 1;
	}
	err = run(argv, &token, detail);
	if (!err) {
		value_drop_newline(token);
		if (!is_token(token))
			err = un_fail(detail, UN_ERR_BAD_CONFIG, "it printed no token");
	}
	if (err) {
		secbuf_free(token);
		(void)snprintf(why, sizeof why, "%s", un_message(err, detail));
		return un_fail(detail, err, "the command for a token, '%.200s': %.600s", argv[0],
		               why);
	}
	*ret_token = token;
	return UN_OK;
}
