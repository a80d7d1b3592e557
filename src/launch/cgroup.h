/* cgroup.h - the control groups of one attempt: limits of memory, processor and processes.
 *
 * The engine says where groups can be made, as a list "KIND=FOLDER,..." of the kinds `unified` (a
 * cgroup v2 whose subgroups have the controllers), `memory`, `pids`, `cpu` (v1). One group for the
 * attempt is made in each that is needed, and removed at the end. One thread. */
#ifndef LAUNCH_CGROUP_H
#define LAUNCH_CGROUP_H

#include "launch/confine.h"
#include "launch/task_limits.h"

#include <stdbool.h>
#include <stdint.h>

#define CGROUP_NAME_LEN 40

struct cgroup_part {
	int parent_fd;
	int fd;                          /* the attempt's group */
	bool unified, memory, pids, cpu; /* what it holds */
};

struct cgroup {
	char name[CGROUP_NAME_LEN];
	struct cgroup_part parts[CONFINE_CGROUPS_MAX];
	size_t count;
	bool memory, pids, cpu; /* what is held to its limit */
	struct task_limits limits;
	uint64_t processes;
};

/* Makes what `limits` and `processes` (0: no limit) need of the places; what cannot be made is
 * simply not held. */
void cgroup_make(struct cgroup *cgroup, const char *places, const char *name,
                 const struct task_limits *limits, uint64_t processes);
/* Descriptors through which a process joins, for a confinement. */
void cgroup_open(const struct cgroup *cgroup, struct confinement *confinement);
/* Readable (POLLPRI) when the group is frozen or thawed; the caller's to close. -1: there is none.
 */
int cgroup_events(const struct cgroup *cgroup);
/* A control plane that ends under a service manager freezes the groups of its attempts and takes
 * the controllers away, with their limits. Once its next start gives them back this sets the limits
 * again and thaws. `events_fd` is read. false: still frozen, ask again soon. */
bool cgroup_resume(struct cgroup *cgroup, int events_fd);
/* How many processes the kernel has killed in there for lack of memory. */
uint64_t cgroup_oom_kills(const struct cgroup *cgroup);
/* Kills what runs in there, where the kernel can do that at once. */
void cgroup_kill(const struct cgroup *cgroup);
/* After the last process. Harmless on one that is zeroed. */
void cgroup_remove(struct cgroup *cgroup);

#endif
