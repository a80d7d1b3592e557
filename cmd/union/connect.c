/* Which control plane a command talks to, and where this user's files are. */
#include "base/alloc.h"
#include "base/clock.h"
#include "cli.h"
#include "client/config.h"
#include "client/embedded.h"
#include "remote_loader.h"

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

static const char *
home_folder(void)
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
	home = home_folder();
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
	static const char *const names[] = {"HOME",     "USER",         "LOGNAME", "SHELL",
	                                    "PATH",     "LANG",         "TZ",      "TMPDIR",
	                                    "TERM",     "ASAN_OPTIONS", "UBSAN_OPTIONS",
	                                    "LSAN_OPTIONS", "TSAN_OPTIONS"};
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

static enum un_err
connect_to(struct cli *cli, const char *url, const char *ca_file)
{
	const struct wire_remote *remote = NULL;
	struct endpoint endpoint;
	enum un_err err = endpoint_parse(url, &endpoint, &cli->detail);

	if (!err && endpoint.kind == ENDPOINT_HTTPS)
		err = remote_load(cli->paths.program_dir, ca_file, &remote, &cli->detail);
	if (err)
		return err;
	cli->embedded = false;
	if (endpoint.kind == ENDPOINT_HTTPS)
		(void)snprintf(cli->url, sizeof cli->url, "https://%s:%u", endpoint.host,
		               endpoint.port);
	else
		(void)snprintf(cli->url, sizeof cli->url, "%s", url);
	err = channel_new(url, remote, &cli->channel, &cli->detail);
	if (err)
		return err;
	channel_set_wake(cli->channel, cli->wake_fd);
	err = channel_connect(cli->channel, clock_mono_ms() + CONNECT_TIMEOUT_MS, &cli->detail);
	if (!err)
		return UN_OK;
	channel_free(cli->channel);
	cli->channel = NULL;
	if (err == UN_ERR_UNREACHABLE)
		un_hint(&cli->detail, "does it run, and is this its address: %.300s", cli->url);
	return err;
}

static enum un_err
connect_somewhere(struct cli *cli, bool start)
{
	static struct config config; /* the channel lends from it */
	const char *url = cli->option[OPT_ENDPOINT];
	const char *file = cli->option[OPT_CONFIG];
	enum un_err err = cli_find_paths(cli);

	if (err)
		return err;
	channel_free(cli->channel);
	cli->channel = NULL;
	config = (struct config){0};
	err = config_load(file ? file : cli->paths.config_file, &config, &cli->detail);
	if (err == UN_ERR_NOT_FOUND && file)
		return un_fail(&cli->detail, UN_ERR_BAD_CONFIG,
		               "no such configuration file: %.400s", file);
	if (err && err != UN_ERR_NOT_FOUND)
		return err;
	if (!url)
		url = cli_env("UNION_ENDPOINT");
	if (!url && config.endpoint[0])
		url = config.endpoint;
	if (!url)
		return connect_embedded(cli, start);
	return connect_to(cli, url, config.ca_file[0] ? config.ca_file : NULL);
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
