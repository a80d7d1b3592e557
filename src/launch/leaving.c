#include "launch/leaving.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "guard/guard.h"
#include "launch/looker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINE_MAX_LEN 1024
#define URI_SHOWN_MAX 60

struct look {
	const struct leaving *leaving;
	struct guard *guard;   /* for what is said, and for what is only searched */
	struct looker *looker; /* for all else */
	bool code;             /* not the task's: it was there before */
	bool lost;             /* a file cannot even be searched */
	uint64_t files;        /* looked at, and their bytes */
	uint64_t bytes;
};

/* ---- files and folders ---- */

/* Of this thread alone, and back again: what outputs name decides the task. */
static void
read_as(uid_t uid, gid_t gid)
{
	(void)syscall(SYS_setfsgid, gid);
	(void)syscall(SYS_setfsuid, uid);
}

/* Opens what the task may read, or could if it had wanted to: its own. */
static int
open_for_task(const struct look *look, int dir_fd, const char *path, int flags)
{
	uid_t uid = look->leaving->uid;
	struct stat facts;
	int fd;

	flags |= O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	if (!uid)
		return openat(dir_fd, path, flags);
	read_as(uid, uid);
	fd = openat(dir_fd, path, flags);
	read_as(geteuid(), getegid());
	if (fd < 0 && errno == EACCES && fstatat(dir_fd, path, &facts, 0) == 0 &&
	    facts.st_uid == uid)
		fd = openat(dir_fd, path, flags);
	return fd;
}

/* By the looker: in depth, or, when that was too much for it, as it is. What cannot even be
 * searched does not leave, whatever the policy. */
static enum un_err
look_there(struct look *look, int fd, uint64_t size, const char *name)
{
	char path[GUARD_PATH_MAX + 1];
	enum un_err err;

	guard_path_of(look->guard, name, path);
	err = looker_file(look->looker, path, false, fd, size, look->guard);
	if (err != UN_ERR_RESULT_UNSEEN)
		return err;
	err = guard_cannot(look->guard, name, looker_why(look->looker));
	if (!err)
		err = looker_file(look->looker, path, true, fd, size, look->guard);
	if (err == UN_ERR_RESULT_UNSEEN)
		look->lost = true;
	return err;
}

/* Code is there before the task is, and most of it is text: no other process is needed for that. */
static enum un_err
look_here(struct look *look, int fd, uint64_t size, const char *name, bool *ret_done)
{
	void *map = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
	enum un_err err;

	*ret_done = false;
	if (map == MAP_FAILED)
		return UN_OK;
	err = guard_file(look->guard, name, map, (size_t)size);
	(void)munmap(map, (size_t)size);
	*ret_done = !guard_wants_more(look->guard);
	return err;
}

static enum un_err
look_at(struct look *look, int fd, uint64_t size, const char *name)
{
	bool done = size == 0;
	enum un_err err = UN_OK;

	look->files++;
	look->bytes += size;
	if (!done && look->code)
		err = look_here(look, fd, size, name, &done);
	if (!err && !done)
		err = look_there(look, fd, size, name);
	return err;
}

static enum un_err look_folder(struct look *look, int fd, const char *name, unsigned depth);

/* Takes `fd` over. */
static enum un_err
look_opened(struct look *look, int fd, const char *name, unsigned depth)
{
	struct stat facts;
	enum un_err err;

	if (fstat(fd, &facts) != 0)
		err = guard_cannot(look->guard, name, "cannot be read");
	else if (S_ISREG(facts.st_mode))
		err = look_at(look, fd, (uint64_t)facts.st_size, name);
	else if (S_ISDIR(facts.st_mode))
		return look_folder(look, fd, name, depth);
	else
		err = guard_cannot(look->guard, name, "is no file");
	(void)close(fd);
	return err;
}

/* A name can carry a value as well, and so can what a link says. */
static enum un_err
look_at_names(const struct look *look, int dir_fd, const char *path, const char *own)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(dir_fd, own, target, sizeof target - 1);
	enum un_err err = guard_name(look->guard, path);

	if (err || len < 0)
		return err;
	target[len] = '\0';
	return guard_name(look->guard, target);
}

/* One entry of a folder; a link is followed to a file, never to a folder. */
static enum un_err
look_entry(struct look *look, int dir_fd, const char *folder, const struct dirent *entry,
           unsigned depth)
{
	char path[PATH_MAX];
	struct stat facts = {0};
	enum un_err err;
	int fd;

	(void)snprintf(path, sizeof path, "%s%s%s", folder, *folder ? "/" : "", entry->d_name);
	err = look_at_names(look, dir_fd, path, entry->d_name);
	if (err)
		return err;
	if (fstatat(dir_fd, entry->d_name, &facts, 0) == 0 && S_ISDIR(facts.st_mode)) {
		fd = open_for_task(look, dir_fd, entry->d_name, O_DIRECTORY | O_NOFOLLOW);
		if (fd < 0 || depth == LEAVING_FOLDER_DEPTH) {
			io_close(&fd);
			return guard_cannot(look->guard, path,
			                    "is a link to a folder, or too deep");
		}
		return look_folder(look, fd, path, depth + 1);
	}
	if (!S_ISREG(facts.st_mode)) /* also to open a device may do something */
		return guard_cannot(look->guard, path, "is no file");
	fd = open_for_task(look, dir_fd, entry->d_name, 0);
	if (fd < 0)
		return guard_cannot(look->guard, path, "cannot be read");
	return look_opened(look, fd, path, depth);
}

/* Takes `fd` over. */
static enum un_err
look_folder(struct look *look, int fd, const char *name, unsigned depth)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	enum un_err err = UN_OK;

	if (!dir) {
		(void)close(fd);
		return guard_cannot(look->guard, name, "cannot be read");
	}
	while (!err && (entry = readdir(dir)) != NULL) {
		const char *own = entry->d_name;

		if (strcmp(own, ".") == 0 || strcmp(own, "..") == 0 ||
		    (!*name && !depth && strcmp(own, "outputs.pb") == 0))
			continue;
		err = look_entry(look, dirfd(dir), name, entry, depth);
	}
	(void)closedir(dir);
	return err;
}

static const char *
path_of(const char *uri)
{
	if (strncmp(uri, "file://", 7) == 0)
		uri += 7;
	return *uri == '/' ? uri : NULL;
}

/* What an output refers to: a file or folder here, or something elsewhere. */
static enum un_err
on_reference(void *ctx, struct guard *guard, const char *uri)
{
	struct look *look = ctx;
	const char *path = path_of(uri), *name;
	char shown[URI_SHOWN_MAX + 1];
	struct stat facts;
	int fd;

	if (!path) {
		(void)snprintf(shown, sizeof shown, "%s", uri);
		return guard_cannot(guard, shown, "is not on this machine");
	}
	name = strrchr(path, '/');
	name = name[1] ? name + 1 : path;
	fd = open_for_task(look, AT_FDCWD, path, O_PATH);
	if (fd < 0)
		return guard_cannot(guard, name, "is not there");
	if (fstat(fd, &facts) != 0 || (!S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode))) {
		(void)close(fd);
		return guard_cannot(guard, name, "is no file");
	}
	(void)close(fd);
	fd = open_for_task(look, AT_FDCWD, path, 0);
	if (fd < 0)
		return guard_cannot(guard, name, "cannot be read");
	return look_opened(look, fd, name, 0);
}

/* ---- what is said ---- */

static void
say(const struct leaving *leaving, const char *line)
{
	if (leaving->say)
		leaving->say(leaving->ctx, line);
}

static void
size_text(uint64_t bytes, char text[32])
{
	if (bytes < 1u << 20)
		(void)snprintf(text, 32, "%llu KiB", (unsigned long long)(bytes + 1023) >> 10);
	else
		(void)snprintf(text, 32, "%llu MiB", (unsigned long long)bytes >> 20);
}

static void
list_blind(const struct guard *guard, char text[LINE_MAX_LEN])
{
	size_t count = guard_blind_count(guard), len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < count && i < GUARD_BLIND_SHOWN && len + 200 < LINE_MAX_LEN; i++)
		len += (size_t)snprintf(text + len, LINE_MAX_LEN - len, "%s%.180s", i ? "; " : "",
		                        guard_blind(guard, i));
	if (count > GUARD_BLIND_SHOWN && len < LINE_MAX_LEN)
		(void)snprintf(text + len, LINE_MAX_LEN - len, "; and %zu more",
		               count - GUARD_BLIND_SHOWN);
}

/* What could not be looked into: refused or told, as the policy says. */
static enum un_err
judge_blind(const struct look *look, struct un_detail *detail)
{
	char blind[LINE_MAX_LEN], line[LINE_MAX_LEN + 64];

	if (!guard_blind_count(look->guard))
		return UN_OK;
	list_blind(look->guard, blind);
	if (look->leaving->policy == GUARD_STRICT)
		return un_fail(detail, UN_ERR_RESULT_UNSEEN, "a result cannot be looked into: %s",
		               blind);
	(void)snprintf(line, sizeof line, "the guard let pass what it cannot look into: %s", blind);
	say(look->leaving, line);
	return UN_OK;
}

static enum un_err
name_find(const struct look *look, const char *what, enum un_err err, struct un_detail *detail)
{
	const char *path = guard_path(look->guard), *secret = guard_secret(look->guard);

	if (err == UN_ERR_RESULT_UNSEEN && look->lost)
		return un_fail(detail, err, "a result cannot be searched: %s",
		               guard_blind(look->guard, 0));
	if (err != UN_ERR_RESULT_HAS_SECRET)
		return err;
	if (!*path)
		return un_fail(detail, err, "beside the outputs there is the value of secret '%s'",
		               secret);
	return un_fail(detail, err, "%s '%s' contains the value of secret '%s'", what, path,
	               secret);
}

static bool
wants_stop(void *ctx)
{
	const struct leaving *leaving = ((const struct look *)ctx)->leaving;

	return leaving->stop && leaving->stop(leaving->ctx);
}

static enum un_err
begin(struct look *look, const struct leaving *leaving)
{
	int64_t time_ms = leaving->time_ms ? leaving->time_ms : LEAVING_MS;
	struct guard_options options = {.values = leaving->values,
	                                .longest = leaving->longest,
	                                .strict = leaving->policy == GUARD_STRICT,
	                                .plain = true,
	                                .deadline_ms = clock_mono_ms() + time_ms,
	                                .refers = on_reference,
	                                .stop = wants_stop,
	                                .ctx = look};
	struct looker_options looker = {.secrets = leaving->secrets,
	                                .helper = leaving->helper,
	                                .strict = options.strict,
	                                .deadline_ms = options.deadline_ms,
	                                .stop = wants_stop,
	                                .ctx = look,
	                                .look = leaving->look};
	enum un_err err = guard_new(&options, &look->guard);

	look->leaving = leaving;
	return err ? err : looker_new(&looker, &look->looker);
}

static void
end(struct look *look)
{
	looker_free(look->looker);
	guard_free(look->guard);
}

/* Searched here; what only a parser can look into, and where in it a value is, by the looker. */
static enum un_err
look_at_outputs(struct look *look, const Flyteidl__Core__LiteralMap *outputs)
{
	enum un_err err = guard_outputs(look->guard, outputs), deeper;

	if ((err && err != UN_ERR_RESULT_HAS_SECRET) || !guard_wants_more(look->guard))
		return err;
	deeper = looker_outputs(look->looker, outputs, look->guard);
	if (deeper != UN_ERR_RESULT_UNSEEN)
		return deeper ? deeper : err;
	return err ? err : guard_cannot(look->guard, "an output", looker_why(look->looker));
}

static void
say_size(const struct look *look)
{
	char line[128], size[32];

	if (!look->files)
		return;
	size_text(look->bytes, size);
	(void)snprintf(line, sizeof line, "the guard looked into %llu %s of the results, %s",
	               (unsigned long long)look->files, look->files == 1 ? "file" : "files", size);
	say(look->leaving, line);
}

enum un_err
leaving_check(const struct leaving *leaving, int outputs_fd,
              const Flyteidl__Core__LiteralMap *outputs, struct un_detail *detail)
{
	struct look look = {0};
	enum un_err err;
	int fd;

	if (!leaving->longest)
		return UN_OK;
	if (leaving->policy == GUARD_OFF) {
		say(leaving, "the guard is off in this project: nobody looks into the results");
		return UN_OK;
	}
	err = begin(&look, leaving);
	if (!err)
		err = name_find(&look, "output", look_at_outputs(&look, outputs), detail);
	fd = err ? -1 : openat(outputs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		err = name_find(&look, "file", look_folder(&look, fd, "", 0), detail);
	else if (!err)
		err = un_fail(detail, UN_ERR_RESULT_UNSEEN,
		              "the folder of the results cannot be read");
	if (err == UN_ERR_ABORTED || (!err && wants_stop(&look)))
		err = un_fail(detail, UN_ERR_ABORTED,
		              "the attempt was ended before its results were looked into");
	if (!err)
		err = judge_blind(&look, detail);
	if (!err)
		say_size(&look);
	end(&look);
	return err;
}

enum un_err
leaving_check_code(const struct leaving *leaving, int code_fd, struct un_detail *detail)
{
	struct leaving ours = *leaving;
	struct look look = {0};
	char line[GUARD_PATH_MAX + 300];
	enum un_err err;
	int fd;

	if (leaving->policy == GUARD_OFF || !leaving->longest)
		return UN_OK;
	ours.uid = 0; /* the code is not the task's yet */
	look.code = true;
	err = begin(&look, &ours);
	fd = err ? -1 : openat(code_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		err = look_folder(&look, fd, "", 0);
	if (err == UN_ERR_RESULT_HAS_SECRET) {
		(void)snprintf(line, sizeof line,
		               "the code has the value of secret '%s' in '%s', for all to see who "
		               "can read the code",
		               guard_secret(look.guard), guard_path(look.guard));
		if (leaving->policy == GUARD_STRICT) {
			err = un_fail(detail, UN_ERR_BUNDLE_HAS_SECRET, "%s", line);
		} else {
			err = UN_OK;
			say(leaving, line);
		}
	}
	if (err == UN_ERR_RESULT_UNSEEN)
		err = UN_OK; /* code that is odd is not what is looked for here */
	end(&look);
	return err;
}
