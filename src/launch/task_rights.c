#include "launch/task_rights.h"

#include "base/alloc.h"
#include "base/io.h"
#include "model/project_list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENTRIES_MAX 4096 /* of a folder on the way to one that is hidden */
#define DEPTH_MAX 32
#define HIDDEN_MAX 64

/* ---- files ---- */

static bool
allow(struct confinement *confinement, const char *path, bool writable)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	bool done = fd < 0; /* what is not there needs no rule */

	if (fd >= 0 && writable)
		done = confine_writable(confinement, fd, strcmp(path, "/dev") == 0);
	else if (fd >= 0)
		done = confine_readable(confinement, fd);
	io_close(&fd);
	return done;
}

static bool
allow_list(struct confinement *confinement, const char *list)
{
	char path[PATH_MAX];

	for (size_t len; *list; list += len + (list[len] == ':')) {
		len = strcspn(list, ":");
		if (len == 0 || len >= sizeof path)
			continue;
		memcpy(path, list, len);
		path[len] = '\0';
		if (!allow(confinement, path, true))
			return false;
	}
	return true;
}

struct around {
	struct confinement *confinement;
	char hidden[HIDDEN_MAX][PATH_MAX];
	size_t hidden_count;
	unsigned depth;
};

enum relation { APART, HIDDEN, ON_THE_WAY };

static enum relation
relation_of(const struct around *around, const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < around->hidden_count; i++) {
		if (strcmp(around->hidden[i], path) == 0)
			return HIDDEN;
		if (strncmp(around->hidden[i], path, len) == 0 && around->hidden[i][len] == '/')
			return ON_THE_WAY;
	}
	return APART;
}

/* Allows all that is in `folder` but what is hidden: Landlock knows no exceptions. */
static bool
allow_around(struct around *around, const char *folder)
{
	DIR *dir = opendir(*folder ? folder : "/");
	struct dirent *entry;
	bool fine = true;

	if (!dir)
		return errno == EACCES || errno == ENOENT;
	around->depth++;
	for (int count = 0; fine && count < ENTRIES_MAX && (entry = readdir(dir)) != NULL;) {
		char path[PATH_MAX];
		int len = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		enum relation relation;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    len < 0 || (size_t)len >= sizeof path)
			continue;
		count++;
		relation = relation_of(around, path);
		if (relation == APART && entry->d_type != DT_LNK)
			fine = allow(around->confinement, path, false);
		else if (relation == ON_THE_WAY && around->depth < DEPTH_MAX)
			fine = allow_around(around, path);
	}
	around->depth--;
	(void)closedir(dir);
	return fine;
}

/* False: there are too many. */
static bool
hide_list(struct around *around, const char *list)
{
	char path[PATH_MAX];

	for (size_t len; *list; list += len + (list[len] == ':')) {
		len = strcspn(list, ":");
		if (len == 0 || len >= sizeof path || list[0] != '/')
			continue;
		memcpy(path, list, len);
		path[len] = '\0';
		if (around->hidden_count == HIDDEN_MAX)
			return false;
		if (realpath(path, around->hidden[around->hidden_count]))
			around->hidden_count++;
	}
	return true;
}

/* Without mounts of our own: the folders of the control plane and of the other attempts, and what
 * else is concealed. */
static bool
allow_all_but_hidden(const struct task_rights_plan *plan, struct confinement *confinement)
{
	struct around *around = mem_zalloc(1, sizeof *around);
	char *work, *shared, data[PATH_MAX];
	bool fine;

	if (!around)
		return false;
	around->confinement = confinement;
	around->hidden_count = 2;
	work = around->hidden[0];
	shared = around->hidden[1];
	(void)snprintf(work, PATH_MAX, "%s", plan->workdir);
	*strrchr(work, '/') = '\0';
	if (plan->hidden && realpath(plan->hidden, data) && strncmp(work, data, strlen(data)) == 0)
		memcpy(work, data, sizeof data);
	(void)snprintf(shared, PATH_MAX, "%s", plan->sandbox->private_path);
	*strrchr(shared, '/') = '\0';
	fine = (!plan->concealed || hide_list(around, plan->concealed)) && allow_around(around, "");
	mem_free(around);
	return fine;
}

static bool
set_files(const struct task_rights_plan *plan, struct confinement *confinement)
{
	static const char *const places[] = {"/tmp", "/var/tmp", "/dev", "/dev/shm", "/proc"};
	const struct sandbox *sandbox = plan->sandbox;
	char temporary[PATH_MAX];
	bool fine;

	(void)snprintf(temporary, sizeof temporary, "%s/tmp", plan->workdir);
	fine = (sandbox->mounts ? allow(confinement, "/", false)
	                        : allow_all_but_hidden(plan, confinement)) &&
	       allow(confinement, plan->workdir, false) &&
	       allow(confinement, sandbox->private_path, false) &&
	       allow(confinement, temporary, true) &&
	       confine_writable(confinement, plan->bundle_fd, false) &&
	       confine_writable(confinement, plan->outputs_fd, false) &&
	       (!plan->writable || allow_list(confinement, plan->writable));
	for (size_t i = 0; fine && i < sizeof places / sizeof *places; i++)
		if (sandbox->mounts || strcmp(places[i], "/dev") == 0 ||
		    strcmp(places[i], "/proc") == 0)
			fine = allow(confinement, places[i], true);
	return fine;
}

static void
set_walls(const struct task_rights_plan *plan, struct confinement *confinement)
{
	struct sandbox *sandbox = plan->sandbox;
	int abi = 0;

	if (sandbox->without & SANDBOX_FILES) {
		sandbox_note(sandbox, "no Landlock", ECANCELED);
	} else if (!confine_files(confinement, &abi) || !set_files(plan, confinement)) {
		sandbox_note(sandbox, "no Landlock", errno);
		io_close(&confinement->ruleset_fd);
	} else if (abi < 6 && confinement->network == CONFINE_NETWORK_SHARED) {
		sandbox_note(sandbox, "abstract sockets stay in reach", EOPNOTSUPP);
	}
	if (sandbox->without & SANDBOX_CALLS)
		sandbox_note(sandbox, "no seccomp", ECANCELED);
	else if (!confine_calls(confinement))
		sandbox_note(sandbox, "no seccomp", errno);
}

/* ---- limits ---- */

/* The first processors of those that we may use: no more than that at once, at least. */
static void
keep_few_cpus(struct confinement *confinement, uint64_t milli)
{
	uint64_t wanted = (milli + 999) / 1000, kept = 0;
	cpu_set_t given;

	if (sched_getaffinity(0, sizeof given, &given) != 0)
		return;
	CPU_ZERO(&confinement->cpus);
	for (size_t cpu = 0; cpu < CPU_SETSIZE && kept < wanted; cpu++) {
		if (CPU_ISSET(cpu, &given)) {
			CPU_SET(cpu, &confinement->cpus);
			kept++;
		}
	}
	confinement->few_cpus = kept > 0;
}

static void
set_limits(struct task_rights *rights, const struct task_rights_plan *plan)
{
	struct confinement *confinement = &rights->confinement;
	struct sandbox *sandbox = plan->sandbox;
	const Flyteidl__Core__WorkflowExecutionIdentifier *execution = plan->claim->execution;
	/* counted by user, and of a user namespace by itself: exact where the task has either */
	bool counted = sandbox->uid != 0 || (sandbox->mounts && geteuid() != 0);
	char name[CGROUP_NAME_LEN];

	(void)snprintf(name, sizeof name, "%s", strrchr(plan->workdir, '/') + 1);
	if (plan->cgroups && !(sandbox->without & SANDBOX_CGROUPS) && execution)
		cgroup_make(&rights->cgroup, plan->cgroups, name, &rights->limits,
		            counted ? 0 : plan->processes);
	cgroup_open(&rights->cgroup, confinement);
	if (counted)
		confinement->processes = plan->processes;
	else if (plan->processes && !rights->cgroup.pids)
		sandbox_note(sandbox, "no limit of processes", EOPNOTSUPP);
	if (rights->limits.memory && !rights->cgroup.memory) {
		confinement->data = rights->limits.memory;
		sandbox_note(sandbox, "memory is limited by process, not by task", EOPNOTSUPP);
	}
	if (rights->limits.cpu_milli && !rights->cgroup.cpu) {
		keep_few_cpus(confinement, rights->limits.cpu_milli);
		sandbox_note(sandbox, "only whole processors are limited", EOPNOTSUPP);
	}
}

/* ---- network ---- */

static enum un_err
wants_network(const struct task_rights_plan *plan, bool *ret_wants, struct un_detail *detail)
{
	const Flyteidl__Core__TaskTemplate *task = plan->claim->task;
	const Flyteidl__Core__WorkflowExecutionIdentifier *execution = plan->claim->execution;

	*ret_wants = !plan->offline || !execution ||
	             !project_list_has(plan->offline, execution->project);
	for (size_t i = 0; task && i < task->n_config; i++) {
		if (strcmp(task->config[i]->key, NETWORK_CONFIG_KEY) != 0)
			continue;
		if (strcmp(task->config[i]->value, "none") != 0)
			return un_fail(detail, UN_ERR_INVALID,
			               "the task's network '%.32s' is not 'none'",
			               task->config[i]->value);
		*ret_wants = false;
	}
	return UN_OK;
}

enum un_err
task_rights_without_network(struct task_rights *rights, struct un_detail *detail)
{
	rights->confinement.network = CONFINE_NETWORK_CALLS;
	if (rights->confinement.filter_len && confine_calls(&rights->confinement))
		return UN_OK;
	return un_fail(detail, UN_ERR_UNSUPPORTED,
	               "the task shall have no network, and this machine cannot see to that");
}

enum un_err
task_rights_init(struct task_rights *rights, const struct task_rights_plan *plan,
                 struct un_detail *detail)
{
	bool network = true;
	enum un_err err;

	memset(rights, 0, sizeof *rights);
	confine_init(&rights->confinement);
	rights->confinement.uid = plan->sandbox->uid;
	err = task_limits_of(plan->claim, &rights->limits, detail);
	if (!err)
		err = wants_network(plan, &network, detail);
	if (err)
		return err;
	if (!network)
		rights->confinement.network = CONFINE_NETWORK_OWN;
	set_limits(rights, plan);
	set_walls(plan, &rights->confinement);
	if (!network && (!plan->sandbox->mounts || plan->sandbox->without & SANDBOX_NETWORK))
		err = task_rights_without_network(rights, detail);
	return err;
}

void
task_rights_fini(struct task_rights *rights)
{
	cgroup_kill(&rights->cgroup);
	for (size_t i = 0; i < rights->confinement.cgroup_count; i++)
		io_close(&rights->confinement.cgroup_fds[i]);
	rights->confinement.cgroup_count = 0;
	cgroup_remove(&rights->cgroup);
	if (rights->confinement.ruleset_fd > 0)
		confine_fini(&rights->confinement);
}
