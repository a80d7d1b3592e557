/* confine.h - what the task's process gives up between its birth and its program.
 *
 * The launcher prepares it, and may fail and say so; the new process applies it, with system calls
 * only, because it shares the launcher's memory until exec: limits, cgroups, capabilities, ids,
 * Landlock, seccomp, in this order. Nothing of it can be taken back by the program. */
#ifndef LAUNCH_CONFINE_H
#define LAUNCH_CONFINE_H

#include "base/err.h"

#include <linux/filter.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CONFINE_FILTER_MAX 256 /* instructions */
#define CONFINE_CGROUPS_MAX 4

enum confine_network {
	CONFINE_NETWORK_SHARED, /* the machine's */
	CONFINE_NETWORK_OWN,    /* a network of its own, with nothing in it but itself */
	CONFINE_NETWORK_CALLS,  /* no socket but Unix ones: where the kernel gives no network */
};

struct confinement {
	uid_t uid; /* the task's own, also its group; 0: it stays who the launcher is */
	enum confine_network network;
	long abi;            /* of Landlock */
	int ruleset_fd;      /* Landlock; -1: none */
	uint16_t filter_len; /* seccomp; 0: none */
	struct sock_filter filter[CONFINE_FILTER_MAX];
	int cgroup_fds[CONFINE_CGROUPS_MAX]; /* cgroup.procs of each; lent */
	size_t cgroup_count;
	uint64_t processes; /* RLIMIT_NPROC; 0: as it is */
	uint64_t data;      /* RLIMIT_DATA; 0: as it is */
	bool few_cpus;      /* only these */
	cpu_set_t cpus;
};

void confine_init(struct confinement *confinement);
void confine_fini(struct confinement *confinement);

/* A Landlock ruleset: everything can be read, nothing written but below what confine_writable
 * names, and no abstract socket and no signal leads out. False with errno where the kernel has
 * none. *ret_abi: what it can do; from 6 on, sockets and signals are covered. */
MUST_CHECK bool confine_files(struct confinement *confinement, int *ret_abi);
/* What lies in the folder may be changed; `devices`: it may only be read and written, as /dev. */
MUST_CHECK bool confine_writable(struct confinement *confinement, int dir_fd, bool devices);
/* What lies in the folder can be read and run: needed for all that is not below "/" of
 * confine_files, which is named by this as well. */
MUST_CHECK bool confine_readable(struct confinement *confinement, int dir_fd);
/* The seccomp filter, after `network` is set. False with errno: the kernel has none. */
MUST_CHECK bool confine_calls(struct confinement *confinement);

/* In the new process. 0, or an errno and what it was about. */
int confine_apply(const struct confinement *confinement, const char **ret_what);
/* Brings the loopback device of an own network up. In the new process, before confine_apply. */
void confine_loopback(void);
/* Kills every process of `uid`; from a process that may become it. */
void confine_kill_all_of(uid_t uid);

#endif
