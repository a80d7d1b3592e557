/* mounts.h - what of the machine's files is to be seen in the sandbox.
 *
 * In a mount namespace of our own, folders are covered with empty ones in memory, and a few things
 * that the task needs are shown again in them, at their old paths. Covered are: the control plane's
 * folder and the other attempts' (and, for a task with a uid of its own, whatever folder it could
 * not pass on the way to its own), /tmp and /var/tmp, /dev, and /run with its sockets. */
#ifndef LAUNCH_MOUNTS_H
#define LAUNCH_MOUNTS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define MOUNTS_KEPT_MAX 16
#define MOUNTS_COVERS_MAX 12

struct mounts_kept {
	char path[PATH_MAX];
	int fd; /* O_PATH, from before */
	bool writable;
};

struct mounts_cover {
	char path[PATH_MAX];
	int fd;        /* O_PATH, of what is below it */
	bool hidden;   /* nothing of it is ever shown but what is kept */
	bool writable; /* by the task */
	bool covered;  /* by another one */
};

struct mounts {
	uid_t uid; /* of the task; 0: ours */
	struct mounts_kept kept[MOUNTS_KEPT_MAX];
	size_t kept_count;
	struct mounts_cover covers[MOUNTS_COVERS_MAX];
	size_t cover_count;
	const char *point; /* a folder that is made in a cover, empty; NULL: none. Lent */
	bool has_point;    /* it is there */
};

void mounts_init(struct mounts *mounts, uid_t uid);
void mounts_fini(struct mounts *mounts);
/* Before mounts_apply: `path` (absolute; one that is not there is fine) is shown again if a cover
 * would hide it. False: there are too many. */
bool mounts_keep(struct mounts *mounts, const char *path, bool writable);
/* Likewise for each path of a list with colons, but for one that holds a folder that is hidden. */
bool mounts_keep_list(struct mounts *mounts, const char *list, bool writable);
/* First of all: `path` is to be covered. */
bool mounts_hide(struct mounts *mounts, const char *path);
/* Before mounts_apply: /run is to be covered, with the sockets of sessions and of services in it,
 * but for what names of hosts are looked up with. */
bool mounts_cover_run(struct mounts *mounts);
/* Covers the folders that mounts_hide named, and shows again. What is shown must be opened again by
 * its path. False with errno, and nothing is covered. */
bool mounts_apply(struct mounts *mounts);
/* /tmp and /var/tmp become the folder `temporary`; where something that is kept lies below one, it
 * becomes a folder in memory instead. */
bool mounts_private_tmp(struct mounts *mounts, const char *temporary);
/* A /dev with what programs need, and a /dev/shm of its own. */
bool mounts_private_dev(struct mounts *mounts);
/* After all covers: what can still be seen at a path of a list with colons, file or folder, is
 * covered; but not what is kept, also in such a folder. False with errno: one is in sight. */
bool mounts_conceal_list(struct mounts *mounts, const char *list);
/* The installation PATH of a program PATH/bin/NAME, where a cover hides it, is shown again, and
 * likewise for a link's target: a virtual environment in somebody's home. All of an environment; of
 * what is none its bin and lib folders. Not what others own, and nothing of what is hidden. */
void mounts_show_program(struct mounts *mounts, const char *program);
/* The same for `word` and for its name in each folder of `path`, but for those that can be seen:
 * virtual environments are often kept where the sandbox has something else. */
void mounts_show_programs(struct mounts *mounts, const char *word, const char *path);

/* Nothing answers at `path` any more, a socket whose folder is our current one: that stays the same
 * folder, in a copy of its mount that has no path. True where there is no such path. */
bool mounts_hide_socket(const char *path);

#endif
