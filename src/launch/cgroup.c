#include "launch/cgroup.h"

#include "base/io.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PERIOD_US 100000u
#define REMOVE_ROUNDS 50 /* of 2 ms: the last process is a zombie for a moment */

static bool
put(int dir_fd, const char *name, const char *text)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	io_close(&fd);
	return done;
}

static bool
put_number(int dir_fd, const char *name, uint64_t number)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%llu", (unsigned long long)number);
	return put(dir_fd, name, text);
}

static bool
limit_memory(const struct cgroup_part *part, uint64_t bytes)
{
	if (part->unified) {
		(void)put(part->fd, "memory.oom.group", "1");
		return put_number(part->fd, "memory.max", bytes);
	}
	if (!put_number(part->fd, "memory.limit_in_bytes", bytes))
		return false;
	(void)put_number(part->fd, "memory.memsw.limit_in_bytes", bytes);
	(void)put(part->fd, "memory.swappiness", "0");
	return true;
}

static bool
limit_cpu(const struct cgroup_part *part, const struct task_limits *limits)
{
	uint64_t quota = limits->cpu_milli * PERIOD_US / 1000;
	uint64_t share = limits->cpu_share_milli;
	char text[48];
	bool done = true;

	if (quota > 0 && quota < 1000)
		quota = 1000; /* the kernel's least */
	(void)snprintf(text, sizeof text, "%llu %u", (unsigned long long)quota, PERIOD_US);
	if (quota)
		done = part->unified ? put(part->fd, "cpu.max", text)
		                     : put_number(part->fd, "cpu.cfs_quota_us", quota);
	if (share && part->unified) /* 100 is one processor's worth, as without a weight */
		(void)put_number(part->fd, "cpu.weight",
		                 share < 10       ? 1
		                 : share > 100000 ? 10000
		                                  : share / 10);
	else if (share)
		(void)put_number(part->fd, "cpu.shares", share < 2 ? 2 : share * 1024 / 1000);
	return done;
}

static void
set_limits(struct cgroup *cgroup, const struct cgroup_part *part, const struct task_limits *limits,
           uint64_t processes)
{
	if (part->unified) /* a task's own memory has its values: none of it goes to the disk */
		(void)put(part->fd, "memory.swap.max", "0");
	if (part->memory && limits->memory)
		cgroup->memory |= limit_memory(part, limits->memory);
	if (part->cpu && (limits->cpu_milli || limits->cpu_share_milli))
		cgroup->cpu |= limit_cpu(part, limits);
	if (part->pids && processes)
		cgroup->pids |= put_number(part->fd, "pids.max", processes);
}

static bool
open_part(struct cgroup_part *part, const char *folder, const char *name)
{
	part->fd = -1;
	part->parent_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (part->parent_fd >= 0 && (mkdirat(part->parent_fd, name, 0755) == 0 || errno == EEXIST))
		part->fd = openat(part->parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (part->fd < 0)
		io_close(&part->parent_fd);
	return part->fd >= 0;
}

static void
add_place(struct cgroup *cgroup, const char *place, const struct task_limits *limits,
          uint64_t processes)
{
	struct cgroup_part *part = &cgroup->parts[cgroup->count];
	const char *equals = strchr(place, '=');
	size_t len = equals ? (size_t)(equals - place) : 0;

	if (!equals || cgroup->count == CONFINE_CGROUPS_MAX)
		return;
	memset(part, 0, sizeof *part);
	part->unified = len == 7 && strncmp(place, "unified", len) == 0;
	part->memory = part->unified || (len == 6 && strncmp(place, "memory", len) == 0);
	part->pids = part->unified || (len == 4 && strncmp(place, "pids", len) == 0);
	part->cpu = part->unified || (len == 3 && strncmp(place, "cpu", len) == 0);
	if (!part->unified && !(part->memory && limits->memory) && !(part->pids && processes) &&
	    !(part->cpu && (limits->cpu_milli || limits->cpu_share_milli)))
		return;
	if (open_part(part, equals + 1, cgroup->name)) {
		cgroup->count++;
		set_limits(cgroup, part, limits, processes);
	}
}

void
cgroup_make(struct cgroup *cgroup, const char *places, const char *name,
            const struct task_limits *limits, uint64_t processes)
{
	char place[PATH_MAX];

	memset(cgroup, 0, sizeof *cgroup);
	(void)snprintf(cgroup->name, sizeof cgroup->name, "%s", name);
	cgroup->limits = *limits;
	cgroup->processes = processes;
	for (size_t len; *places; places += len + (places[len] == ',')) {
		len = strcspn(places, ",");
		if (len == 0 || len >= sizeof place)
			continue;
		memcpy(place, places, len);
		place[len] = '\0';
		add_place(cgroup, place, limits, processes);
	}
}

void
cgroup_open(const struct cgroup *cgroup, struct confinement *confinement)
{
	for (size_t i = 0; i < cgroup->count; i++) {
		int fd = openat(cgroup->parts[i].fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);

		if (fd >= 0)
			confinement->cgroup_fds[confinement->cgroup_count++] = fd;
	}
}

/* The number behind `name` in a file of lines "name number". */
static uint64_t
read_field(int dir_fd, const char *file, const char *name)
{
	int fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC);
	char text[512], *at;
	ssize_t len = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
	uint64_t number = 0;

	io_close(&fd);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	for (at = strstr(text, name); at; at = strstr(at + 1, name)) {
		char *end = at + strlen(name);

		if ((at == text || at[-1] == '\n') && *end == ' ') {
			end[1 + strcspn(end + 1, "\n")] = '\0';
			return text_parse_u64(end + 1, &number) ? 0 : number;
		}
	}
	return 0;
}

int
cgroup_events(const struct cgroup *cgroup)
{
	for (size_t i = 0; i < cgroup->count; i++)
		if (cgroup->parts[i].unified)
			return openat(cgroup->parts[i].fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	return -1;
}

static bool
is_frozen(const struct cgroup_part *part)
{
	char digit = '0';
	int fd = openat(part->fd, "cgroup.freeze", O_RDONLY | O_CLOEXEC);
	bool frozen = fd >= 0 && read(fd, &digit, 1) == 1 && digit == '1';

	io_close(&fd);
	return frozen;
}

bool
cgroup_resume(struct cgroup *cgroup, int events_fd)
{
	char text[128];

	if (pread(events_fd, text, sizeof text, 0) < 0) /* read, or it stays readable */
		return true;
	for (size_t i = 0; i < cgroup->count; i++) {
		const struct cgroup_part *part = &cgroup->parts[i];

		if (!part->unified || !is_frozen(part))
			continue;
		if (faccessat(part->fd, "memory.max", W_OK, 0) != 0)
			return false;
		set_limits(cgroup, part, &cgroup->limits, cgroup->processes);
		(void)put(part->fd, "cgroup.freeze", "0");
	}
	return true;
}

uint64_t
cgroup_oom_kills(const struct cgroup *cgroup)
{
	uint64_t kills = 0;

	for (size_t i = 0; i < cgroup->count; i++)
		if (cgroup->parts[i].memory)
			kills += read_field(cgroup->parts[i].fd,
			                    cgroup->parts[i].unified ? "memory.events"
			                                             : "memory.oom_control",
			                    "oom_kill");
	return kills;
}

void
cgroup_kill(const struct cgroup *cgroup)
{
	for (size_t i = 0; i < cgroup->count; i++)
		if (cgroup->parts[i].unified)
			(void)put(cgroup->parts[i].fd, "cgroup.kill", "1");
}

void
cgroup_remove(struct cgroup *cgroup)
{
	for (size_t i = 0; i < cgroup->count; i++) {
		struct cgroup_part *part = &cgroup->parts[i];

		io_close(&part->fd);
		for (int round = 0; round < REMOVE_ROUNDS; round++) {
			if (unlinkat(part->parent_fd, cgroup->name, AT_REMOVEDIR) == 0 ||
			    errno != EBUSY)
				break;
			(void)poll(NULL, 0, 2);
		}
		io_close(&part->parent_fd);
	}
	cgroup->count = 0;
}
