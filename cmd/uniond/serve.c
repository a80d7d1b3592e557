#include "conceal.h"
#include "program.h"
#include "ready.h"
#include "systemd.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "services/plane.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define DAY_US (86400ll * 1000000)

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

/* What launchers start with. */
struct launchers {
	char path[PATH_MAX + sizeof "PATH="];
	char note[64]; /* of take_descriptors */
	char *environment[LAUNCHER_ENVIRONMENT_MAX + 3];
};

/* What a launcher may know of the environment that uniond was started in: nothing but where
 * programs, the home and the language are. Values of whoever started uniond stay here. */
static void
pick_environment(const struct config *config, struct launchers *launchers)
{
	static const char *const names[] = {"PATH=", "HOME=", "USER=",   "LOGNAME=",     "LANG=",
	                                    "LC_",   "TZ=",   "TMPDIR=", "ASAN_OPTIONS="};
	char **picked = launchers->environment;
	size_t count = 0;

	if (config->tasks_path[0]) {
		(void)snprintf(launchers->path, sizeof launchers->path, "PATH=%s",
		               config->tasks_path);
		picked[count++] = launchers->path;
	}
	for (char **e = environ; *e && count < LAUNCHER_ENVIRONMENT_MAX; e++) {
		for (size_t i = config->tasks_path[0] ? 1 : 0; i < sizeof names / sizeof names[0];
		     i++) {
			if (strncmp(*e, names[i], strlen(names[i])) == 0) {
				picked[count++] = *e;
				break;
			}
		}
	}
	if (launchers->note[0])
		picked[count++] = launchers->note;
	picked[count] = NULL;
}

#define DESCRIPTORS_MAX (1u << 20)
#define DESCRIPTORS_OURS 256 /* database, keeper, uploads, launchers */

/* A connection is a descriptor, and the soft limit is made for programs that use select(2): this
 * one takes what it may. Launchers get the old one back, by *ret_note. The configuration never
 * promises more connections than there are descriptors. */
static void
take_descriptors(struct config *config, char *ret_note, size_t size)
{
	uint64_t *connections = &config->limits[CONFIG_CONNECTIONS];
	struct rlimit limit, more;

	ret_note[0] = '\0';
	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	more = limit;
	more.rlim_cur = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
	if (!config->embedded && more.rlim_cur > limit.rlim_cur &&
	    setrlimit(RLIMIT_NOFILE, &more) == 0) {
		(void)snprintf(ret_note, size, "UNION_NOFILE=%llu",
		               (unsigned long long)limit.rlim_cur);
		limit = more;
	}
	if (*connections + DESCRIPTORS_OURS <= limit.rlim_cur)
		return;
	*connections = limit.rlim_cur > 2 * DESCRIPTORS_OURS ? limit.rlim_cur - DESCRIPTORS_OURS
	                                                     : limit.rlim_cur / 2;
	if (!config->embedded)
		log_notice("uniond", "RLIMIT_NOFILE allows %llu connections",
		           (unsigned long long)*connections);
}

struct announcement {
	int ready_fd;
	const struct config *config;
	struct systemd systemd;
	struct buf concealed;
};

static void
announce(void *ctx)
{
	struct announcement *what = ctx;
	const struct config *config = what->config;
	char where[sizeof config->listen_unix + sizeof config->listen_tcp + 64];

	(void)snprintf(where, sizeof where, "%s%s%s%s", config->listen_unix,
	               config->listen_tcp[0] ? " and " : "", config->listen_tcp,
	               what->systemd.socket_count > what->systemd.has_unix
	                       ? " and sockets that were passed in"
	                       : "");
	log_notice("uniond", "version %s serves %s", UNION_VERSION, where);
	ready_say(what->ready_fd);
	what->ready_fd = -1;
	systemd_tell(&what->systemd, "READY=1\nSTATUS=Serving %s", where);
}

static void
on_event(void *ctx, enum plane_event event)
{
	struct announcement *what = ctx;

	switch (event) {
	case PLANE_RELOADING:
		systemd_tell(&what->systemd, "RELOADING=1\nMONOTONIC_USEC=%lld",
		             (long long)clock_mono_us());
		break;
	case PLANE_RELOADED:
		systemd_tell(&what->systemd, "READY=1");
		break;
	case PLANE_STOPPING:
		systemd_tell(&what->systemd, "STOPPING=1\nSTATUS=Answering what is in flight");
		break;
	case PLANE_ALIVE:
		systemd_tell(&what->systemd, "WATCHDOG=1");
		break;
	}
}

static struct plane_options
options_of(struct announcement *what, const struct places *places, char *const *environment)
{
	const struct config *config = what->config;

	return (struct plane_options){
		.data_dir = config->data_dir,
		.listen_unix = config->listen_unix,
		.listen_tcp = config->listen_tcp,
		.passed = what->systemd.sockets,
		.passed_count = what->systemd.socket_count,
		.unix_is_passed = what->systemd.has_unix,
		.on_event = on_event,
		.event_ctx = what,
		.alive_every_s = what->systemd.alive_every_s,
		.drain_ms = (unsigned)config->drain_timeout_s * 1000,
		.beyond_loopback = config->tls_certificate[0] || config->unencrypted,
		.limits = config_limits(config),
		.tls_certificate = config->tls_certificate,
		.tls_key = config->tls_key,
		.tls_client_ca = config->tls_client_ca,
		.key_provider = config->key_provider,
		.passphrase_file = config->passphrase_file,
		.passphrase_fd = config->passphrase_fd,
		.uniond_path = places->uniond,
		.launcher_path = places->launcher,
		.sdk_dir = places->sdk,
		.launcher_environment = environment,
		.workers = (unsigned)config->workers,
		.parallel_tasks = (unsigned)config->parallel_tasks,
		.project_executions = (unsigned)config->project_executions,
		.project_tasks = (unsigned)config->project_tasks,
		.idle_timeout_s = (unsigned)config->idle_timeout_s,
		.retention = {.executions_us = (int64_t)config->retention_days[0] * DAY_US,
		              .logs_us = (int64_t)config->retention_days[1] * DAY_US,
		              .bundles_us = (int64_t)config->retention_days[2] * DAY_US},
		.lost_after_s = (unsigned)config->lost_after_s,
		.token_seconds = (unsigned)config->token_seconds,
		.audit_reads = config->audit_reads,
		.guard = &config->guard,
		.tasks = {.uid_range = config->tasks_uid_range,
	                  .concealed = buf_text(&what->concealed),
	                  .readable = config->tasks_show,
	                  .writable = config->tasks_writable,
	                  .offline = config->tasks_offline,
	                  .processes = config->tasks_processes},
		.open_metrics = config->open_metrics != 0,
		.embedded = config->embedded,
	};
}

int
serve_program(struct config *config, int ready_fd)
{
	struct announcement what = {
		.ready_fd = ready_fd, .config = config, .systemd = {.notify_fd = -1}};
	struct plane_options options;
	struct un_detail detail = {0};
	struct plane *plane = NULL;
	struct launchers launchers;
	struct places places;
	enum un_err err;
	int status;

	buf_init(&what.concealed, CONCEAL_LIST_MAX, BUF_PLAIN);
	err = systemd_take(&what.systemd, config, &detail);
	if (!err)
		err = systemd_find_credentials(config, &detail);
	if (!err)
		err = check_files(config, &detail);
	if (!err)
		err = conceal_list(config, getenv("HOME"), &what.concealed, &detail);
	if (!err)
		err = find_places(&places, &detail);
	if (err)
		goto out;
	take_descriptors(config, launchers.note, sizeof launchers.note);
	pick_environment(config, &launchers);
	options = options_of(&what, &places, launchers.environment);
	err = plane_new(&options, &plane, &detail);
	if (err)
		goto out;
	err = plane_run(plane, announce, &what, &detail);
out:
	plane_free(plane);
	buf_fini(&what.concealed);
	if (err)
		systemd_tell(&what.systemd, "STATUS=%s", un_message(err, &detail));
	systemd_release(&what.systemd);
	if (!err) {
		log_notice("uniond", "stopped");
		return 0;
	}
	ready_refuse(what.ready_fd, err, &detail);
	status = program_fail("uniond", err, &detail);
	if (!config->embedded && strstr(un_hint_text(err, &detail), "union restore"))
		(void)fprintf(stderr,
		              "uniond: hint: here, as this user: uniond restore --data %s FILE\n",
		              config->data_dir);
	return status;
}
