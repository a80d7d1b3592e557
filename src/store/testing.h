/* testing.h - a data directory of its own for each test of this folder. */
#ifndef STORE_TESTING_H
#define STORE_TESTING_H

#include "base/io.h"
#include "store/store.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct scratch {
	char dir[128];
	int dir_fd;
};

static inline struct scratch
scratch_begin(void)
{
	struct scratch scratch = {.dir_fd = -1};
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	(void)snprintf(scratch.dir, sizeof scratch.dir, "%s/union-store-XXXXXX", base);
	if (!mkdtemp(scratch.dir))
		abort();
	scratch.dir_fd = open(scratch.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return scratch;
}

static inline void
scratch_empty(const struct scratch *scratch)
{
	DIR *dir = opendir(scratch->dir);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
			(void)unlinkat(scratch->dir_fd, entry->d_name, 0);
	}
	if (dir)
		(void)closedir(dir);
}

static inline void
scratch_end(struct scratch *scratch)
{
	scratch_empty(scratch);
	io_close(&scratch->dir_fd);
	(void)rmdir(scratch->dir);
}

static inline struct store *
scratch_open(const struct scratch *scratch)
{
	struct store_options options = {.dir = scratch->dir, .create = true};
	struct un_detail detail = {0};
	struct store *store = NULL;

	if (store_open(&options, &store, &detail) != UN_OK) {
		(void)fprintf(stderr, "# store_open: %s\n", detail.message);
		abort();
	}
	return store;
}

#endif
