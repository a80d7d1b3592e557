/* Which control plane a command talks to, and where this user's files are. */
#include "base/alloc.h"
#include "base/clock.h"
#include "cli.h"
#include "client/embedded.h"
#include "remote_loader.h"
#include "target.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 10000

static bool
put(char out[CLI_PATH_MAX], const char *folder, const char *rest)
{
	int len = snprintf(out, CLI_PATH_MAX, "%s%s", folder, rest);

	return len >= 0 && len < CLI_PATH_MAX;
}

const char *
cli_home(void)
{
	const char *home = cli_env("HOME");
	const struct passwd *entry;

	if (home && home[0] == '/')
		return home;
	entry = getpwuid(geteuid());
	return entry && entry->pw_dir[0] == '/' ? entry->pw_dir : NULL;
}

/* $XDG_..., which counts only when it is absolute, else a folder below the home. */
static bool
user_folder(const char *variable, const char *below_home, char out[CLI_PATH_MAX])
{
	const char *value = cli_env(variable), *home;

	if (value && value[0] == '/')
		return put(out, value, "/union");
	home = cli_home();
	return home && put(out, home, below_home);
}

/* The first of the places, seen from where this program lies, that holds `file`. */
static bool
find_beside(const char *folder, const char *const *places, const char *file, char out[CLI_PATH_MAX])
{
	char path[CLI_PATH_MAX];

	for (; *places; places++) {
		if (put(out, folder, *places) && put(path, out, file) && access(path, F_OK) == 0)
			return true;
	}
	return false;
}

static enum un_err
find_program_folder(struct cli *cli)
{
	ssize_t len = readlink("/proc/self/exe", cli->paths.program_dir, CLI_PATH_MAX - 1);
	char *slash;

	if (len <= 0)
		return un_fail(&cli->detail, UN_ERR_IO,
		               "cannot see where this program lies: is /proc there?");
	cli->paths.program_dir[len] = '\0';
	slash = strrchr(cli->paths.program_dir, '/');
	if (slash)
		*slash = '\0';
	return UN_OK;
}

enum un_err
cli_find_paths(struct cli *cli)
{
	static const char *const uniond_places[] = {"/uniond", "/../libexec/union/uniond",
	                                            "/../lib/union/uniond", "/../sbin/uniond",
	                                            NULL};
	static const char *const sdk_places[] = {"/python", "/../lib/union/python", "/../python",
	                                         NULL};
	struct paths *paths = &cli->paths;
	char config_dir[CLI_PATH_MAX];
	enum un_err err;

	if (cli->has_paths)
		return UN_OK;
	if (!user_folder("XDG_DATA_HOME", "/.local/share/union", paths->data_dir) ||
	    !user_folder("XDG_STATE_HOME", "/.local/state/union", paths->state_dir) ||
	    !user_folder("XDG_CONFIG_HOME", "/.config/union", config_dir) ||
	    !put(paths->config_file, config_dir, "/config.yaml") ||
	    !put(paths->log_file, paths->state_dir, "/uniond.log")) {
		un_hint(&cli->detail, "set HOME");
		return un_fail(&cli->detail, UN_ERR_BAD_CONFIG, "cannot find the home folder");
	}
	err = find_program_folder(cli);
	if (err)
		return err;
	if (!find_beside(paths->program_dir, uniond_places, "", paths->uniond))
		(void)put(paths->uniond, paths->program_dir, "/uniond");
	if (!find_beside(paths->program_dir, sdk_places, "/union/compile.py", paths->sdk_dir))
		paths->sdk_dir[0] = '\0';
	cli->has_paths = true;
	return UN_OK;
}

void
cli_pins_path(const struct cli *cli, char path[CLI_PATH_MAX])
{
	const char *folder = cli->embedded ? cli->paths.data_dir : cli->paths.state_dir;

	(void)snprintf(path, CLI_PATH_MAX, "%.4000s/known_planes", folder);
}

/* What a control plane needs of the environment. A value that somebody exported in a shell must not
 * live on in a process that runs for days. */
static bool
may_inherit(const char *entry)
{
	static const char *const names[] = {
		"HOME",          "USER",         "LOGNAME",     "SHELL", "PATH",
		"LANG",          "TZ",           "TMPDIR",      "TERM",  "ASAN_OPTIONS",
		"UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"};
	size_t len = strcspn(entry, "=");

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strlen(names[i]) == len && strncmp(names[i], entry, len) == 0)
			return true;
	}
	if (strncmp(entry, "XDG_", 4) == 0 || strncmp(entry, "LC_", 3) == 0)
		return true;
	/* our own settings, and no credential among them */
	return strncmp(entry, "UNION_", 6) == 0 && !memmem(entry, len, "KEY", 3) &&
	       !memmem(entry, len, "SECRET", 6) && !memmem(entry, len, "TOKEN", 5) &&
	       !memmem(entry, len, "PASS", 4);
}

static char **
clean_environment(void)
{
	char **from = cli_environ(), **out;
	size_t count = 0, kept = 0;

	while (from[count])
		count++;
	out = mem_zalloc(count + 1, sizeof *out);
	for (size_t i = 0; out && i < count; i++) {
		if (may_inherit(from[i]))
			out[kept++] = from[i];
	}
	return out;
}

static enum un_err
connect_embedded(struct cli *cli, bool start)
{
	struct embedded embedded = {
		.data_dir = cli->paths.data_dir,
		.log_path = cli->paths.log_file,
		.uniond = cli->paths.uniond,
	};
	int64_t deadline_ms = clock_mono_ms() + EMBEDDED_START_MS;
	char **environment;
	enum un_err err;

	cli->embedded = true;
	(void)snprintf(cli->url, sizeof cli->url, "unix://%.4000s/%s", cli->paths.data_dir,
	               EMBEDDED_SOCKET);
	if (!start)
		return embedded_find(&embedded, cli->wake_fd, deadline_ms, &cli->channel,
		                     &cli->detail);
	environment = clean_environment();
	if (!environment)
		return UN_ERR_NO_MEMORY;
	embedded.environment = environment;
	err = embedded_connect(&embedded, cli->wake_fd, deadline_ms, &cli->channel, &cli->detail);
	mem_free(environment);
	return err;
}

/* ---- logging in ---- */

/* A login in a browser is not ours to do; servers that ask for none are served all the same. */
static enum un_err
no_browser(struct channel_auth *auth, struct channel *channel, bool refused, int64_t deadline_ms,
           const struct secbuf **ret_token, struct un_detail *detail)
{
	(void)auth;
	(void)channel;
	(void)deadline_ms;
	if (!refused) {
		*ret_token = NULL;
		return UN_OK;
	}
	un_hint(detail, "log in with an API key: union create login --host HOST --api-key -");
	return un_fail(detail, UN_ERR_UNAUTHENTICATED,
	               "the configuration's authType is a login that 'union' cannot do: it opens "
	               "no browser");
}

static enum un_err
log_in(struct cli *cli, const struct target *target)
{
	static struct channel_auth browser = {.token = no_browser};
	static char folder[CLI_PATH_MAX];
	struct session_options options = {
		.place = {.url = cli->url, .client = target->client, .secret = target->secret},
		.scopes = target->config.scopes[0] ? target->config.scopes : NULL,
		.audience = target->config.audience[0] ? target->config.audience : NULL,
	};
	enum un_err err;

	if (target->auth == CONFIG_AUTH_NONE)
		return UN_OK;
	if (target->auth == CONFIG_AUTH_BROWSER || target->auth == CONFIG_AUTH_OTHER) {
		channel_set_auth(cli->channel, &browser);
		return UN_OK;
	}
	if (target->auth == CONFIG_AUTH_COMMAND) {
		options.fetch = target_run_command;
		options.fetch_ctx = (void *)(uintptr_t)target;
	}
	target_token_folder(folder);
	options.place.folder = folder[0] ? folder : NULL;
	err = session_new(&options, &cli->session);
	if (!err)
		channel_set_auth(cli->channel, session_auth(cli->session));
	return err;
}

enum un_err
cli_connect_to(struct cli *cli, const struct target *target)
{
	const struct config *config = &target->config;
	const struct wire_remote like = {
		.ca_file = config->ca_file[0] ? config->ca_file : NULL,
		.certificate_file = config->certificate_file[0] ? config->certificate_file : NULL,
		.key_file = config->key_file[0] ? config->key_file : NULL,
		.skip_verify = config->skip_verify,
	};
	const struct wire_remote *remote = NULL;
	struct endpoint endpoint;
	enum un_err err = endpoint_parse(target->url, &endpoint, &cli->detail);

	if (!err && endpoint.kind == ENDPOINT_HTTPS)
		err = remote_load(cli->paths.program_dir, &like, &remote, &cli->detail);
	if (err)
		return err;
	if (endpoint.kind == ENDPOINT_HTTPS && target->config.skip_verify)
		cli_note(cli, "insecureSkipVerify: who answers as %.200s is not checked",
		         endpoint.host);
	cli->embedded = false;
	if (endpoint.kind == ENDPOINT_HTTPS)
		(void)snprintf(cli->url, sizeof cli->url, "https://%s:%u", endpoint.host,
		               endpoint.port);
	else
		(void)snprintf(cli->url, sizeof cli->url, "%s", target->url);
	err = channel_new(target->url, remote, &cli->channel, &cli->detail);
	if (err)
		return err;
	channel_set_wake(cli->channel, cli->wake_fd);
	if (endpoint.kind != ENDPOINT_UNIX)
		err = log_in(cli, target);
	if (!err)
		err = channel_connect(cli->channel, clock_mono_ms() + CONNECT_TIMEOUT_MS,
		                      &cli->detail);
	if (!err)
		return UN_OK;
	cli_disconnect(cli);
	if (err == UN_ERR_UNREACHABLE)
		un_hint(&cli->detail, "does it run, and is this its address: %.300s", cli->url);
	return err;
}

void
cli_disconnect(struct cli *cli)
{
	channel_free(cli->channel);
	cli->channel = NULL;
	session_free(cli->session);
	cli->session = NULL;
}

static enum un_err
connect_somewhere(struct cli *cli, bool start)
{
	static struct target target; /* the session lends from it */
	enum un_err err;

	cli_disconnect(cli);
	target_fini(&target);
	err = target_find(cli, &target);
	if (err)
		return err;
	if (!target.url[0])
		return connect_embedded(cli, start);
	return cli_connect_to(cli, &target);
}

enum un_err
cli_connect(struct cli *cli)
{
	return connect_somewhere(cli, true);
}

enum un_err
cli_connect_running(struct cli *cli)
{
	return connect_somewhere(cli, false);
}
