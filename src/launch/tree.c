#include "launch/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define STRAYS_AT_ONCE 8
#define DEPTH_MAX 200 /* a task may nest deeper than we may open: what is removed is brought up */

static int
open_folder(int dir_fd, const char *name)
{
	return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

enum un_err
tree_make(int dir_fd, const char *name, int *ret_fd, struct un_detail *detail)
{
	int fd;

	if (mkdirat(dir_fd, name, 0700) != 0)
		return un_fail_errno(detail, errno, "cannot make the folder '%s'", name);
	fd = open_folder(dir_fd, name);
	if (fd < 0)
		return un_fail_errno(detail, errno, "cannot open the folder '%s'", name);
	*ret_fd = fd;
	return UN_OK;
}

static bool
is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Calls `each` for every entry. The stream owns a descriptor of its own. */
static void
for_each(int dir_fd, void (*each)(int dir_fd, const char *name, void *ctx), void *ctx)
{
	int fd = open_folder(dir_fd, ".");
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	while ((entry = readdir(dir)) != NULL)
		if (!is_dots(entry->d_name))
			each(dir_fd, entry->d_name, ctx);
	(void)closedir(dir);
}

/* A regular file of ours that we may read. */
static bool
make_writable(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat facts;
	bool done = fd >= 0 && fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) &&
	            fchmod(fd, 0600) == 0;

	if (fd >= 0)
		(void)close(fd);
	return done;
}

static void
wipe_entry(int dir_fd, const char *name, void *unused)
{
	static const char zeros[4096];
	int fd = open_folder(dir_fd, name);
	struct stat facts;

	if (fd >= 0) {
		tree_wipe(fd);
		(void)close(fd);
		return;
	}
	fd = openat(dir_fd, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == EACCES && make_writable(dir_fd, name)) /* secret files are 0400 */
		fd = openat(dir_fd, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode)) {
		for (off_t left = facts.st_size; left > 0;) {
			size_t step = left < (off_t)sizeof zeros ? (size_t)left : sizeof zeros;
			ssize_t done = write(fd, zeros, step);

			if (done <= 0)
				break;
			left -= done;
		}
	}
	(void)close(fd);
}

void
tree_wipe(int dir_fd)
{
	for_each(dir_fd, wipe_entry, NULL);
}

struct giving {
	uid_t uid;
	int depth;
	int saved_errno;
};

static void
give_entry(int dir_fd, const char *name, void *ctx)
{
	struct giving *giving = ctx;
	int fd = giving->depth < DEPTH_MAX ? open_folder(dir_fd, name) : -1;

	if (fd >= 0) {
		giving->depth++;
		for_each(fd, give_entry, giving);
		giving->depth--;
		(void)close(fd);
	}
	if (fchownat(dir_fd, name, giving->uid, giving->uid, AT_SYMLINK_NOFOLLOW) != 0)
		giving->saved_errno = errno;
}

enum un_err
tree_give(int dir_fd, uid_t uid, struct un_detail *detail)
{
	struct giving giving = {.uid = uid};

	for_each(dir_fd, give_entry, &giving);
	if (!giving.saved_errno && fchown(dir_fd, uid, uid) != 0)
		giving.saved_errno = errno;
	return giving.saved_errno ? un_fail_errno(detail, giving.saved_errno,
	                                          "cannot give the task its own files")
	                          : UN_OK;
}

struct removal {
	int top_fd; /* of the tree's first folder; -1: not there yet */
	int depth;
	int saved_errno;
	uint64_t moved; /* the number of the folder that was brought up last; from a random one */
	bool again;     /* some were, and are still to be removed */
};

/* A task may leave a folder that nobody may open. Nothing of the task runs any more. */
static int
open_stubborn(int dir_fd, const char *name)
{
	int fd = open_folder(dir_fd, name);
	struct stat facts;

	if (fd < 0 && errno == EACCES && fstatat(dir_fd, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISDIR(facts.st_mode) && fchmodat(dir_fd, name, 0700, 0) == 0)
		fd = open_folder(dir_fd, name);
	return fd;
}

/* A folder too deep to go into becomes one of the first folder. */
static void
bring_up(struct removal *removal, int dir_fd, const char *name)
{
	char to[32];
	int fd = open_stubborn(dir_fd, name);

	(void)snprintf(to, sizeof to, "deep-%016llx", (unsigned long long)++removal->moved);
	if (fd < 0 || fchmod(fd, 0700) != 0 || renameat(dir_fd, name, removal->top_fd, to) != 0)
		removal->saved_errno = errno;
	else
		removal->again = true;
	if (fd >= 0)
		(void)close(fd);
}

static void
remove_entry(int dir_fd, const char *name, void *ctx)
{
	struct removal *removal = ctx;
	int fd;

	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT ||
	    unlinkat(dir_fd, name, AT_REMOVEDIR) == 0)
		return;
	if (removal->depth == DEPTH_MAX) {
		bring_up(removal, dir_fd, name);
		return;
	}
	fd = open_stubborn(dir_fd, name);
	if (fd >= 0) {
		if (removal->depth == 0)
			removal->top_fd = fd;
		removal->depth++;
		(void)fchmod(fd, 0700); /* a task may have made a folder read-only */
		for_each(fd, remove_entry, removal);
		removal->depth--;
		(void)close(fd);
	}
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
		removal->saved_errno = errno;
}

enum un_err
tree_remove(int dir_fd, const char *name)
{
	struct removal removal = {.top_fd = -1};

	if (getrandom(&removal.moved, sizeof removal.moved, 0) != (ssize_t)sizeof removal.moved)
		return un_err_from_errno(errno);
	do {
		removal.again = false;
		removal.saved_errno = 0;
		remove_entry(dir_fd, name, &removal);
	} while (removal.again);
	return removal.saved_errno ? un_err_from_errno(removal.saved_errno) : UN_OK;
}

struct stray {
	int fd; /* we hold its lock */
	char name[TREE_NAME_LEN];
};

/* Folders that nobody has locked. Called with dir_fd locked, so that none is just being made. */
static size_t
find_strays(int dir_fd, struct stray strays[STRAYS_AT_ONCE])
{
	int fd = open_folder(dir_fd, ".");
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	size_t count = 0;

	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return 0;
	}
	while (count < STRAYS_AT_ONCE && (entry = readdir(dir)) != NULL) {
		size_t len = strlen(entry->d_name);
		int one = is_dots(entry->d_name) || len >= TREE_NAME_LEN
		                  ? -1
		                  : open_folder(dir_fd, entry->d_name);

		if (one < 0)
			continue;
		if (flock(one, LOCK_EX | LOCK_NB) != 0) {
			(void)close(one);
			continue;
		}
		strays[count].fd = one;
		memcpy(strays[count++].name, entry->d_name, len + 1);
	}
	(void)closedir(dir);
	return count;
}

enum un_err
tree_claim(int dir_fd, bool wipe, char ret_name[TREE_NAME_LEN], int *ret_fd,
           struct un_detail *detail)
{
	struct stray strays[STRAYS_AT_ONCE];
	char name[TREE_NAME_LEN];
	uint64_t random;
	size_t count;
	enum un_err err;

	if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
		return un_err_from_errno(errno);
	(void)snprintf(name, sizeof name, "a-%016llx", (unsigned long long)random);
	if (flock(dir_fd, LOCK_EX) != 0)
		return un_fail_errno(detail, errno, "cannot lock the folder of attempts");
	count = find_strays(dir_fd, strays);
	err = tree_make(dir_fd, name, ret_fd, detail);
	if (!err)
		(void)flock(*ret_fd, LOCK_EX);
	(void)flock(dir_fd, LOCK_UN);
	for (size_t i = 0; i < count; i++) {
		if (wipe)
			tree_wipe(strays[i].fd);
		(void)!tree_remove(dir_fd, strays[i].name);
		(void)close(strays[i].fd);
	}
	if (!err)
		memcpy(ret_name, name, sizeof name);
	return err;
}
