#include "program.h"
#include "ready.h"

#include "base/alloc.h"
#include "base/log.h"
#include "services/plane.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Where the other programs are: beside this one in the build tree, in PREFIX/{bin,lib/union} when
 * installed. */
struct places {
	char uniond[PATH_MAX];
	char launcher[PATH_MAX];
	char sdk[PATH_MAX];
};

static bool
first_there(char out[PATH_MAX], const char *dir, const char *const *candidates)
{
	for (; *candidates; candidates++) {
		int len = snprintf(out, PATH_MAX, "%s/%s", dir, *candidates);

		if (len > 0 && len < PATH_MAX && access(out, R_OK) == 0)
			return true;
	}
	out[0] = '\0';
	return false;
}

static enum un_err
find_places(struct places *places, struct un_detail *detail)
{
	static const char *const launchers[] = {"union-exec", "../libexec/union/union-exec", NULL};
	static const char *const sdks[] = {"../lib/union/python", "../python", NULL};
	char dir[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", places->uniond, sizeof places->uniond - 1);
	char *slash;

	if (len <= 0)
		return un_fail(detail, UN_ERR_IO,
		               "cannot tell where this program is: /proc is not mounted");
	places->uniond[len] = '\0';
	memcpy(dir, places->uniond, (size_t)len + 1);
	slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	if (!first_there(places->launcher, dir, launchers))
		return un_fail(detail, UN_ERR_NOT_FOUND, "union-exec is not beside %s",
		               places->uniond);
	if (!first_there(places->sdk, dir, sdks))
		log_warn("uniond", "the Python package is not beside %s", places->uniond);
	return UN_OK;
}

#define LAUNCHER_ENVIRONMENT_MAX 64

extern char **environ;

/* What a launcher may know of the environment that uniond was started in: nothing but where
 * programs, the home and the language are. Values of whoever started uniond stay here. */
static void
pick_environment(char *picked[LAUNCHER_ENVIRONMENT_MAX + 1])
{
	static const char *const names[] = {"PATH=", "HOME=", "USER=",   "LOGNAME=",     "LANG=",
	                                    "LC_",   "TZ=",   "TMPDIR=", "ASAN_OPTIONS="};
	size_t count = 0;

	for (char **e = environ; *e && count < LAUNCHER_ENVIRONMENT_MAX; e++) {
		for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
			if (strncmp(*e, names[i], strlen(names[i])) == 0) {
				picked[count++] = *e;
				break;
			}
		}
	}
	picked[count] = NULL;
}

struct announcement {
	int ready_fd;
	const struct config *config;
};

static void
announce(void *ctx)
{
	struct announcement *what = ctx;

	log_notice("uniond", "version %s serves %s%s%s", UNION_VERSION, what->config->listen_unix,
	           what->config->listen_tcp[0] ? " and " : "", what->config->listen_tcp);
	ready_say(what->ready_fd);
	what->ready_fd = -1;
}

static struct plane_options
options_of(const struct config *config, const struct places *places, char *const *environment)
{
	return (struct plane_options){
		.data_dir = config->data_dir,
		.listen_unix = config->listen_unix,
		.listen_tcp = config->listen_tcp,
		.beyond_loopback = config->tls_certificate[0] || config->unencrypted,
		.limits = config_limits(config),
		.tls_certificate = config->tls_certificate,
		.tls_key = config->tls_key,
		.tls_client_ca = config->tls_client_ca,
		.key_provider = config->key_provider,
		.passphrase_file = config->passphrase_file,
		.uniond_path = places->uniond,
		.launcher_path = places->launcher,
		.sdk_dir = places->sdk,
		.launcher_environment = environment,
		.workers = (unsigned)config->workers,
		.parallel_tasks = (unsigned)config->parallel_tasks,
		.idle_timeout_s = (unsigned)config->idle_timeout_s,
		.embedded = config->embedded,
	};
}

int
serve_program(const struct config *config, int ready_fd)
{
	struct announcement what = {.ready_fd = ready_fd, .config = config};
	struct plane_options options;
	struct un_detail detail = {0};
	struct plane *plane = NULL;
	char *environment[LAUNCHER_ENVIRONMENT_MAX + 1];
	struct places places;
	enum un_err err;

	err = check_files(config, &detail);
	if (!err)
		err = find_places(&places, &detail);
	if (err)
		goto out;
	pick_environment(environment);
	options = options_of(config, &places, environment);
	err = plane_new(&options, &plane, &detail);
	if (err)
		goto out;
	err = plane_run(plane, announce, &what, &detail);
out:
	plane_free(plane);
	if (!err) {
		log_notice("uniond", "stopped");
		return 0;
	}
	ready_refuse(what.ready_fd, err, &detail);
	return program_fail("uniond", err, &detail);
}
