/* task_rights.h - what one task may do on this machine, put together: its confinement and its
 * control groups, from what its template asks for, what the engine grants and what the sandbox is.
 *
 * What the kernel has not got becomes a note of the sandbox; only `network: none`, which would be a
 * promise broken, is an error where nothing can hold it. */
#ifndef LAUNCH_TASK_RIGHTS_H
#define LAUNCH_TASK_RIGHTS_H

#include "base/err.h"
#include "launch/cgroup.h"
#include "launch/confine.h"
#include "launch/task_limits.h"
#include "launch/sandbox.h"
#include "union/v1/attempts.pb-c.h"

#define NETWORK_CONFIG_KEY "network" /* of a task's configuration; "none" */

struct task_rights_plan {
	const Union__V1__ClaimResponse *claim;
	struct sandbox *sandbox;
	const char *workdir;
	const char *hidden;   /* or NULL */
	const char *concealed; /* list of paths with colons; or NULL */
	const char *writable; /* list of folders with colons; or NULL */
	const char *cgroups;  /* as cgroup.h says; or NULL */
	const char *offline; /* projects whose tasks have no network: see project_list.h; or NULL */
	uint64_t processes;  /* at most; 0: any number */
	int bundle_fd;
	int outputs_fd;
};

struct task_rights {
	struct confinement confinement;
	struct cgroup cgroup;
	struct task_limits limits;
};

MUST_CHECK enum un_err task_rights_init(struct task_rights *rights,
                                        const struct task_rights_plan *plan,
                                        struct un_detail *detail);
/* The network namespace was refused: other means. UN_ERR_UNSUPPORTED: there are none. */
MUST_CHECK enum un_err task_rights_without_network(struct task_rights *rights,
                                                   struct un_detail *detail);
/* After the task. Harmless on zeros, and twice. */
void task_rights_fini(struct task_rights *rights);

#endif
