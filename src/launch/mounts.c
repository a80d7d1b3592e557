#include "launch/mounts.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLAIN_FLAGS (MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define COVER_OPTIONS "mode=0711,size=64k"
#define LINKS_MAX 8

void
mounts_init(struct mounts *mounts, uid_t uid)
{
	mounts->uid = uid;
	mounts->kept_count = mounts->cover_count = 0;
	mounts->point = NULL;
	mounts->has_point = false;
}

void
mounts_fini(struct mounts *mounts)
{
	for (size_t i = 0; i < mounts->kept_count; i++)
		io_close(&mounts->kept[i].fd);
	for (size_t i = 0; i < mounts->cover_count; i++)
		io_close(&mounts->covers[i].fd);
	mounts->kept_count = mounts->cover_count = 0;
}

static bool
is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(path, folder, len) == 0 && path[len] == '/';
}

static bool
is_within(const char *path, const char *folder)
{
	return strcmp(path, folder) == 0 || is_below(path, folder);
}

bool
mounts_keep(struct mounts *mounts, const char *path, bool writable)
{
	struct mounts_kept *kept = &mounts->kept[mounts->kept_count];

	if (mounts->kept_count == MOUNTS_KEPT_MAX)
		return false;
	if (!realpath(path, kept->path))
		return true;
	kept->fd = open(kept->path, O_PATH | O_CLOEXEC);
	kept->writable = writable;
	if (kept->fd >= 0)
		mounts->kept_count++;
	return true;
}

/* Whether `path` lies in a hidden folder, or around one. */
static bool
touches_hidden(const struct mounts *mounts, const char *path)
{
	for (size_t i = 0; i < mounts->cover_count; i++)
		if (mounts->covers[i].hidden && (is_within(path, mounts->covers[i].path) ||
		                                 is_within(mounts->covers[i].path, path)))
			return true;
	return false;
}

static bool
holds_hidden(const struct mounts *mounts, const char *path)
{
	char real[PATH_MAX];

	return !realpath(path, real) || touches_hidden(mounts, real);
}

bool
mounts_keep_list(struct mounts *mounts, const char *list, bool writable)
{
	char path[PATH_MAX];

	for (size_t len; *list; list += len + (list[len] == ':')) {
		len = strcspn(list, ":");
		if (len == 0 || len >= sizeof path || list[0] != '/')
			continue;
		memcpy(path, list, len);
		path[len] = '\0';
		if (!holds_hidden(mounts, path) && !mounts_keep(mounts, path, writable))
			return false;
	}
	return true;
}

static bool
add_cover(struct mounts *mounts, const char *path, struct mounts_cover like)
{
	struct mounts_cover *cover = &mounts->covers[mounts->cover_count];

	for (size_t i = 0; i < mounts->cover_count; i++)
		if (is_within(path, mounts->covers[i].path))
			return true;
	if (mounts->cover_count == MOUNTS_COVERS_MAX || strlen(path) >= sizeof cover->path) {
		errno = E2BIG;
		return false;
	}
	*cover = like;
	memcpy(cover->path, path, strlen(path) + 1);
	cover->fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (cover->fd < 0)
		return false;
	mounts->cover_count++;
	return true;
}

bool
mounts_hide(struct mounts *mounts, const char *path)
{
	char real[PATH_MAX];

	return realpath(path, real) &&
	       add_cover(mounts, real, (struct mounts_cover){.hidden = true});
}

bool
mounts_cover_run(struct mounts *mounts)
{
	/* the last two are where some systems have their programs */
	static const char *const needed[] = {"/run/systemd/resolve", "/run/resolvconf",
	                                     "/run/NetworkManager/resolv.conf",
	                                     "/run/current-system", "/run/wrappers"};
	struct stat facts;

	if (lstat("/run", &facts) != 0 || !S_ISDIR(facts.st_mode))
		return true;
	for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
		if (lstat(needed[i], &facts) == 0 && !mounts_keep(mounts, needed[i], false))
			return false;
	return add_cover(mounts, "/run", (struct mounts_cover){0});
}

/* The first folder on the way to `path` that a stranger cannot pass; false: there is none. */
static bool
find_barrier(const char *path, char barrier[PATH_MAX])
{
	for (const char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		struct stat facts;

		memcpy(barrier, path, (size_t)(at - path));
		barrier[at - path] = '\0';
		if (stat(barrier, &facts) == 0 && !(facts.st_mode & S_IXOTH))
			return true;
	}
	return false;
}

static bool
cover_barriers(struct mounts *mounts)
{
	char barrier[PATH_MAX];

	for (size_t i = 0; mounts->uid && i < mounts->kept_count; i++)
		if (find_barrier(mounts->kept[i].path, barrier) &&
		    !add_cover(mounts, barrier, (struct mounts_cover){0}))
			return false;
	return true;
}

/* An empty one of its kind, for something to be mounted on. */
static bool
make_point(const char *path, int fd)
{
	struct stat facts;
	char parent[PATH_MAX];
	int made;

	if (fstat(fd, &facts) != 0)
		return false;
	if (S_ISDIR(facts.st_mode))
		return io_make_dirs(path, 0511) == UN_OK;
	memcpy(parent, path, strlen(path) + 1);
	*strrchr(parent, '/') = '\0';
	if (*parent && io_make_dirs(parent, 0511) != UN_OK)
		return false;
	made = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	io_close(&made);
	return access(path, F_OK) == 0;
}

/* By descriptor: /proc may be another one by now. */
static bool
show_at(const char *path, int fd, bool writable)
{
	int tree = make_point(path, fd) ? open_tree(fd, "",
	                                            AT_EMPTY_PATH | OPEN_TREE_CLONE |
	                                                    OPEN_TREE_CLOEXEC | AT_RECURSIVE)
	                                : -1;
	bool shown =
		tree >= 0 && move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) == 0;
	int saved_errno = errno;

	io_close(&tree);
	errno = saved_errno;
	return shown &&
	       (writable ||
	        mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID, NULL) == 0);
}

/* Shows what is kept below a cover again. */
static bool
show_kept(struct mounts *mounts, const char *cover)
{
	for (size_t i = 0; i < mounts->kept_count; i++) {
		struct mounts_kept *kept = &mounts->kept[i];

		if (is_within(kept->path, cover) && !show_at(kept->path, kept->fd, kept->writable))
			return false;
	}
	return true;
}

static bool
close_cover(const char *path)
{
	return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | PLAIN_FLAGS, NULL) == 0;
}

/* A cover within another one has nothing to do. */
static void
mark_covered(struct mounts *mounts)
{
	for (size_t i = 0; i < mounts->cover_count; i++)
		for (size_t j = 0; j < mounts->cover_count; j++)
			if (is_below(mounts->covers[i].path, mounts->covers[j].path))
				mounts->covers[i].covered = true;
}

/* Where a cover was laid over it, the place of the private folder is in that cover. */
static void
make_private_point(struct mounts *mounts, const char *cover)
{
	if (mounts->point && is_below(mounts->point, cover))
		mounts->has_point = io_make_dirs(mounts->point, 0511) == UN_OK;
}

static bool
make_covers(struct mounts *mounts, size_t *ret_done)
{
	bool fine = true;

	for (*ret_done = 0; fine && *ret_done < mounts->cover_count; ++*ret_done) {
		const struct mounts_cover *cover = &mounts->covers[*ret_done];

		fine = cover->covered ||
		       mount("union", cover->path, "tmpfs", PLAIN_FLAGS, COVER_OPTIONS) == 0;
	}
	for (size_t i = 0; fine && i < mounts->cover_count; i++) {
		const struct mounts_cover *cover = &mounts->covers[i];

		if (cover->covered)
			continue;
		make_private_point(mounts, cover->path);
		fine = show_kept(mounts, cover->path) && close_cover(cover->path);
	}
	return fine;
}

bool
mounts_apply(struct mounts *mounts)
{
	mode_t before = umask(022);
	size_t done = 0;
	bool fine = cover_barriers(mounts);
	int saved_errno;

	mark_covered(mounts);
	fine = fine && make_covers(mounts, &done);
	saved_errno = errno;
	while (!fine && done-- > 0) {
		if (!mounts->covers[done].covered)
			(void)umount2(mounts->covers[done].path, MNT_DETACH);
		mounts->covers[done].covered = true; /* it covers nothing */
	}
	(void)umask(before);
	errno = saved_errno;
	return fine;
}

static bool
has_kept_below(const struct mounts *mounts, const char *folder)
{
	for (size_t i = 0; i < mounts->kept_count; i++)
		if (is_below(mounts->kept[i].path, folder))
			return true;
	return false;
}

static bool
replace_tmp(struct mounts *mounts, const char *path, const char *temporary)
{
	char real[PATH_MAX];
	struct mounts_cover *cover = &mounts->covers[mounts->cover_count];

	if (!realpath(path, real) || strcmp(path, real) != 0)
		return true; /* none, or a link to another one */
	if (!has_kept_below(mounts, path))
		return mount(temporary, path, NULL, MS_BIND, NULL) == 0;
	if (!add_cover(mounts, path, (struct mounts_cover){.writable = true}))
		return false;
	mark_covered(mounts);
	/* the covers in it are gone with it, and what they showed is shown without them */
	if (cover->fd < 0 || mount("union", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") != 0)
		return false;
	make_private_point(mounts, path);
	return show_kept(mounts, path);
}

bool
mounts_private_tmp(struct mounts *mounts, const char *temporary)
{
	mode_t before = umask(022);
	bool fine = replace_tmp(mounts, "/tmp", temporary) &&
	            replace_tmp(mounts, "/var/tmp", temporary);

	(void)umask(before);
	return fine;
}

bool
mounts_hide_socket(const char *path)
{
	int tree;
	bool hidden;

	if (access(path, F_OK) != 0)
		return true;
	tree = open_tree(AT_FDCWD, ".", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	hidden = tree >= 0 && fchdir(tree) == 0 &&
	         mount("/dev/null", path, NULL, MS_BIND, NULL) == 0;
	return hidden; /* the copy lasts as long as its descriptor */
}

static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
#define DEVICE_COUNT (sizeof devices / sizeof *devices)

static bool
show_devices(const int fds[DEVICE_COUNT])
{
	for (size_t i = 0; i < DEVICE_COUNT; i++) {
		char path[64];

		(void)snprintf(path, sizeof path, "/dev/%s", devices[i]);
		if (fds[i] >= 0 && !show_at(path, fds[i], true))
			return false;
	}
	return true;
}

static bool
fill_dev(const int fds[DEVICE_COUNT])
{
	bool fine = show_devices(fds) && mkdir("/dev/shm", 0755) == 0 &&
	            mount("union", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") == 0 &&
	            mkdir("/dev/pts", 0755) == 0 && symlink("/proc/self/fd", "/dev/fd") == 0 &&
	            symlink("fd/0", "/dev/stdin") == 0 && symlink("fd/1", "/dev/stdout") == 0 &&
	            symlink("fd/2", "/dev/stderr") == 0;

	/* some containers do not let us: a task without terminals is no worse a task */
	if (fine && mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
	                  "newinstance,ptmxmode=0666") == 0)
		fine = symlink("pts/ptmx", "/dev/ptmx") == 0;
	return fine && mount(NULL, "/dev", NULL,
	                     MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, NULL) == 0;
}

bool
mounts_private_dev(struct mounts *mounts)
{
	mode_t before = umask(022);
	int fds[DEVICE_COUNT], saved_errno;
	bool fine;

	for (size_t i = 0; i < DEVICE_COUNT; i++) {
		char path[64];

		(void)snprintf(path, sizeof path, "/dev/%s", devices[i]);
		fds[i] = open(path, O_PATH | O_CLOEXEC);
	}
	fine = mount("union", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755,size=64k") == 0;
	if (fine && !fill_dev(fds)) {
		saved_errno = errno;
		(void)umount2("/dev", MNT_DETACH);
		errno = saved_errno;
		fine = false;
	}
	saved_errno = errno;
	for (size_t i = 0; i < DEVICE_COUNT; i++)
		io_close(&fds[i]);
	(void)umask(before);
	errno = saved_errno;
	return fine;
}

/* ---- what is never to be seen ---- */

static bool
is_cover(const struct mounts *mounts, const char *path)
{
	for (size_t i = 0; i < mounts->cover_count; i++)
		if (!mounts->covers[i].covered && strcmp(mounts->covers[i].path, path) == 0)
			return true;
	return false;
}

static bool
is_kept(const struct mounts *mounts, const char *path)
{
	for (size_t i = 0; i < mounts->kept_count; i++)
		if (strcmp(mounts->kept[i].path, path) == 0)
			return true;
	return false;
}

/* One empty folder does for all that have nothing to show: a bind is the cheapest mount. */
static bool
conceal_folder(struct mounts *mounts, const char *path, char empty[PATH_MAX])
{
	bool shows = has_kept_below(mounts, path);

	if (!shows && *empty)
		return mount(empty, path, NULL, MS_BIND, NULL) == 0;
	if (!add_cover(mounts, path, (struct mounts_cover){0}) ||
	    mount("union", path, "tmpfs", PLAIN_FLAGS, COVER_OPTIONS) != 0)
		return false;
	make_private_point(mounts, path);
	if (!show_kept(mounts, path) || !close_cover(path))
		return false;
	if (!shows)
		memcpy(empty, path, strlen(path) + 1);
	return true;
}

static bool
conceal(struct mounts *mounts, const char *path, char empty[PATH_MAX])
{
	char real[PATH_MAX];
	struct stat facts;

	/* not there, or behind a cover, or one itself: a service's home is its data folder */
	if (!realpath(path, real) || lstat(real, &facts) != 0 || is_kept(mounts, real) ||
	    is_cover(mounts, real))
		return true;
	if (S_ISDIR(facts.st_mode))
		return conceal_folder(mounts, real, empty);
	return mount("/dev/null", real, NULL, MS_BIND, NULL) == 0;
}

bool
mounts_conceal_list(struct mounts *mounts, const char *list)
{
	char path[PATH_MAX], empty[PATH_MAX] = "";
	mode_t before = umask(022);
	bool fine = true;

	for (size_t len; fine && *list; list += len + (list[len] == ':')) {
		len = strcspn(list, ":");
		if (len == 0 || list[0] != '/')
			continue;
		fine = len < sizeof path;
		if (!fine)
			break;
		memcpy(path, list, len);
		path[len] = '\0';
		fine = conceal(mounts, path, empty);
	}
	(void)umask(before);
	return fine;
}

/* ---- a program behind a cover ---- */

static const struct mounts_cover *
cover_of(const struct mounts *mounts, const char *path)
{
	for (size_t i = 0; i < mounts->cover_count; i++)
		if (!mounts->covers[i].covered && is_below(path, mounts->covers[i].path))
			return &mounts->covers[i];
	return NULL;
}

/* What lies below the cover at `path`, or -1. No link leads there: each part is the thing itself.
 */
static int
open_covered(const struct mounts_cover *cover, const char *path)
{
	const char *at = path + strlen(cover->path) + 1;
	char part[NAME_MAX + 1];
	int fd = openat(cover->fd, ".", O_PATH | O_CLOEXEC);

	while (fd >= 0 && *at) {
		size_t len = strcspn(at, "/");
		int next = -1;

		if (len > 0 && len < sizeof part && !(len == 2 && strncmp(at, "..", 2) == 0)) {
			memcpy(part, at, len);
			part[len] = '\0';
			next = openat(fd, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		}
		io_close(&fd);
		fd = next;
		at += len;
		at += *at == '/';
	}
	return fd;
}

/* PATH of PATH/bin/NAME. */
static bool
installation_of(const char *program, char path[PATH_MAX])
{
	char *slash;

	memcpy(path, program, strlen(program) + 1);
	slash = strrchr(path, '/');
	*slash = '\0';
	slash = strrchr(path, '/');
	if (!slash || slash == path || strcmp(slash, "/bin") != 0)
		return false;
	*slash = '\0';
	return true;
}

/* Installations belong to us or to root, and are not folders that anybody may write. */
static bool
is_installation(int fd)
{
	struct stat facts;

	return fstat(fd, &facts) == 0 && S_ISDIR(facts.st_mode) &&
	       (facts.st_uid == 0 || facts.st_uid == geteuid()) && !(facts.st_mode & S_IWOTH);
}

/* Virtual ones say so in a file, conda's have a folder of records. */
static bool
is_environment(int fd)
{
	return faccessat(fd, "pyvenv.cfg", F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	       faccessat(fd, "conda-meta", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
show_covered(struct mounts *mounts, const struct mounts_cover *cover, const char *path)
{
	int fd = -1;

	if (!touches_hidden(mounts, path) && access(path, F_OK) != 0)
		fd = open_covered(cover, path);
	if (fd >= 0 && is_installation(fd)) {
		mode_t before = umask(022);

		if (!cover->writable)
			(void)mount(NULL, cover->path, NULL, MS_REMOUNT | MS_BIND | PLAIN_FLAGS,
			            NULL);
		(void)!show_at(path, fd, false);
		if (!cover->writable)
			(void)!close_cover(cover->path);
		(void)umask(before);
	}
	io_close(&fd);
}

/* All of an environment; of anything else only what it takes to run: PATH may be a home. */
static void
show_installation(struct mounts *mounts, const struct mounts_cover *cover, const char *program)
{
	static const char *const parts[] = {"bin", "lib", "lib64", "libexec"};
	char path[PATH_MAX];
	size_t len;
	int fd;
	bool whole;

	if (!installation_of(program, path) || !is_below(path, cover->path))
		return;
	fd = open_covered(cover, path);
	whole = fd >= 0 && is_environment(fd);
	io_close(&fd);
	if (whole) {
		show_covered(mounts, cover, path);
		return;
	}
	len = strlen(path);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if ((size_t)snprintf(path + len, sizeof path - len, "/%s", parts[i]) <
		    sizeof path - len)
			show_covered(mounts, cover, path);
	}
}

/* Where the link at `path`, open as `fd`, leads. */
static bool
follow_link(int fd, const char *path, char next[PATH_MAX])
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(fd, "", target, sizeof target - 1);
	const char *slash = strrchr(path, '/');
	int wrote;

	if (len <= 0)
		return false;
	target[len] = '\0';
	if (target[0] == '/')
		wrote = snprintf(next, PATH_MAX, "%s", target);
	else
		wrote = snprintf(next, PATH_MAX, "%.*s/%s", (int)(slash - path), path, target);
	return wrote > 0 && wrote < PATH_MAX;
}

void
mounts_show_program(struct mounts *mounts, const char *program)
{
	char path[PATH_MAX], next[PATH_MAX];

	if (program[0] != '/' || strlen(program) >= sizeof path)
		return;
	memcpy(path, program, strlen(program) + 1);
	for (int links = 0; links < LINKS_MAX; links++) {
		const struct mounts_cover *cover = cover_of(mounts, path);
		int fd;
		bool is_link;

		if (cover) {
			fd = open_covered(cover, path);
			if (fd >= 0)
				show_installation(mounts, cover, path);
		} else {
			fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		}
		is_link = fd >= 0 && follow_link(fd, path, next);
		io_close(&fd);
		if (!is_link)
			return;
		memcpy(path, next, sizeof path);
	}
}

void
mounts_show_programs(struct mounts *mounts, const char *word, const char *path)
{
	const char *last = strrchr(word, '/');
	char program[PATH_MAX];

	mounts_show_program(mounts, word);
	for (size_t len; *path; path += len + (path[len] == ':')) {
		int wrote;

		len = strcspn(path, ":");
		wrote = snprintf(program, sizeof program, "%.*s/%s", (int)len, path,
		                 last ? last + 1 : word);
		if (wrote > 0 && (size_t)wrote < sizeof program && access(program, F_OK) != 0)
			mounts_show_program(mounts, program);
	}
}
