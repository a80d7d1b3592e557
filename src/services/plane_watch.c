/* What a plane hears while it serves: signals, changed certificates, and whether its workers still
 * turn. Everything here is on the control loop. */
#include "services/plane_impl.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTLE_MS 500 /* certificate and key are replaced one after the other */

static void
tell(struct plane *plane, enum plane_event event)
{
	if (plane->options.on_event)
		plane->options.on_event(plane->options.event_ctx, event);
}

/* ---- certificates ---- */

static void
reload(struct plane *plane, const char *why)
{
	struct un_detail detail = {0};
	enum un_err err;

	tell(plane, PLANE_RELOADING);
	err = server_reload_tls(plane->server, &detail);
	if (err)
		log_error("uniond", "%s: the old certificate stays: %s", why,
		          un_message(err, &detail));
	else
		log_notice("uniond", "%s: reloaded", why);
	tell(plane, PLANE_RELOADED);
}

/* The folder may hold other files, and certificates are often links: what counts is the file at
 * the end of the path. One that is gone has a stamp, too. */
static struct file_stamp
stamp_of(const char *path)
{
	struct file_stamp stamp = {0};
	struct stat info;

	if (*path && stat(path, &info) == 0)
		stamp = (struct file_stamp){
			.device = info.st_dev,
			.inode = info.st_ino,
			.size = info.st_size,
			.changed_ns =
				info.st_ctim.tv_sec * INT64_C(1000000000) + info.st_ctim.tv_nsec,
		};
	return stamp;
}

static bool
has_changed(struct file_stamp *stamp, const char *path)
{
	struct file_stamp now = stamp_of(path);
	bool changed = now.device != stamp->device || now.inode != stamp->inode ||
	               now.size != stamp->size || now.changed_ns != stamp->changed_ns;

	*stamp = now;
	return changed;
}

static bool
files_have_changed(struct plane *plane)
{
	struct plane_watch *watch = &plane->watch;
	bool certificate = has_changed(&watch->certificate, plane->options.tls_certificate);
	bool key = has_changed(&watch->key, plane->options.tls_key);

	return certificate || key;
}

static void
settled(struct loop_timer *timer)
{
	struct plane *plane = timer->ctx;

	if (files_have_changed(plane))
		reload(plane, "a certificate has changed");
}

/* Whatever happens in the folders of certificate and key: after a moment of quiet both are looked
 * at, and read again if they are others. What does not fit together yet is refused, and looked at
 * again at the next change. */
static void
on_file_event(struct loop_watch *watch, uint32_t events)
{
	struct plane *plane = watch->ctx;
	_Alignas(struct inotify_event) char bytes[4096];
	bool any = false;

	(void)events;
	while (read(watch->fd, bytes, sizeof bytes) > 0)
		any = true;
	if (any && loop_timer_set(plane->loop, &plane->watch.settle, clock_mono_ms() + SETTLE_MS))
		log_error("uniond", "out of memory for a timer");
}

static bool
watch_folder_of(int fd, const char *path)
{
	char folder[PLANE_PATH_MAX];
	char *slash;

	(void)snprintf(folder, sizeof folder, "%s", path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return false;
	*slash = '\0';
	return inotify_add_watch(fd, folder, IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE) >= 0;
}

/* Without it (no inotify left) SIGHUP does the same. */
static void
watch_files(struct plane *plane)
{
	const struct plane_options *options = &plane->options;
	int fd;

	if (!options->tls_certificate[0])
		return;
	(void)files_have_changed(plane);
	fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	plane->watch.settle = (struct loop_timer){.fn = settled, .ctx = plane};
	plane->watch.files =
		(struct loop_watch){.fd = fd, .events = EPOLLIN, .fn = on_file_event, .ctx = plane};
	if (fd >= 0 && watch_folder_of(fd, options->tls_certificate) &&
	    watch_folder_of(fd, options->tls_key) &&
	    !loop_watch_add(plane->loop, &plane->watch.files))
		return;
	log_warn("uniond", "cannot watch the certificate for changes: reload with SIGHUP");
	io_close(&plane->watch.files.fd);
}

/* ---- signals ---- */

static void
on_signal(struct loop_watch *watch, uint32_t events)
{
	struct plane *plane = watch->ctx;
	struct signalfd_siginfo info;

	(void)events;
	while (read(watch->fd, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGHUP) {
			(void)files_have_changed(plane); /* not twice */
			reload(plane, "SIGHUP");
			continue;
		}
		log_notice("uniond", "stopping: %s", sigabbrev_np((int)info.ssi_signo));
		plane_stop(plane);
	}
}

static enum un_err
watch_signals(struct plane *plane)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL); /* workers inherit it */
	(void)signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return un_err_from_errno(errno);
	plane->watch.signals =
		(struct loop_watch){.fd = fd, .events = EPOLLIN, .fn = on_signal, .ctx = plane};
	return loop_watch_add(plane->loop, &plane->watch.signals);
}

/* ---- signs of life ---- */

static void
turned(struct loop_task *task)
{
	struct worker_pulse *pulse = task->ctx;

	atomic_store(&pulse->turned, true);
}

/* A sign of life says that every worker has come round since the last one: one that hangs keeps the
 * watchdog without food. */
static void
on_pulse(struct loop_timer *timer)
{
	struct plane *plane = timer->ctx;
	bool all = true;

	for (unsigned i = 0; i < plane->worker_count; i++)
		all = all && atomic_load(&plane->watch.pulses[i].turned);
	if (all)
		tell(plane, PLANE_ALIVE);
	for (unsigned i = 0; i < plane->worker_count; i++) {
		struct worker_pulse *pulse = &plane->watch.pulses[i];

		if (atomic_exchange(&pulse->turned, false))
			loop_post_task(server_worker_loop(plane->server, i), &pulse->task);
	}
	if (loop_timer_set(plane->loop, timer,
	                   clock_mono_ms() + (int64_t)plane->options.alive_every_s * 1000))
		log_error("uniond", "out of memory for a timer");
}

/* ---- life ---- */

void
plane_watch_init(struct plane *plane)
{
	plane->watch.signals.fd = -1;
	plane->watch.files.fd = -1;
}

enum un_err
plane_watch_open(struct plane *plane)
{
	return watch_signals(plane);
}

enum un_err
plane_watch_serving(struct plane *plane)
{
	watch_files(plane);
	if (!plane->options.alive_every_s)
		return UN_OK;
	for (unsigned i = 0; i < plane->worker_count; i++) {
		struct worker_pulse *pulse = &plane->watch.pulses[i];

		pulse->task = (struct loop_task){.fn = turned, .ctx = pulse};
		atomic_store(&pulse->turned, true);
	}
	plane->watch.pulse = (struct loop_timer){.fn = on_pulse, .ctx = plane};
	return loop_timer_set(plane->loop, &plane->watch.pulse, clock_mono_ms());
}

void
plane_watch_stopping(struct plane *plane)
{
	loop_timer_cancel(plane->loop, &plane->watch.pulse);
	loop_timer_cancel(plane->loop, &plane->watch.settle);
	tell(plane, PLANE_STOPPING);
}

void
plane_watch_close(struct plane *plane)
{
	struct loop_watch *watches[] = {&plane->watch.signals, &plane->watch.files};

	for (size_t i = 0; i < sizeof watches / sizeof watches[0]; i++) {
		if (watches[i]->fd < 0)
			continue;
		loop_watch_remove(plane->loop, watches[i]);
		io_close(&watches[i]->fd);
	}
}
