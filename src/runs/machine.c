#include "runs/machine.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UIDS_MAX (1u << 20)
#define NOBODYS 0u
#define STRANGER UINT32_MAX /* of a project that is not known any more */
#define WRITABLE_MAX 64
#define ENTRIES_MAX 100000
#define CGROUP_ROOT "/sys/fs/cgroup"
#define PLACES_MAX 2048
#define NEW_S 60
#define OWN_GROUP "union-own"     /* where we go, so that our group may have subgroups */
#define TASKS_GROUP "union-tasks" /* theirs */

struct machine {
	uid_t first;
	uint32_t count; /* 0: no uids */
	uint32_t next;
	uint8_t *taken;   /* a bit each */
	uint32_t *owners; /* the project that had it last, as a number; NULL: nothing stays */
	bool full;        /* said already: no uid is left that no other project had */
	char places[PLACES_MAX];
};

/* ---- uids ---- */

static bool
is_taken(const struct machine *machine, uint32_t at)
{
	return (machine->taken[at / 8] >> at % 8 & 1) != 0;
}

static bool
parse_range(const char *text, uint64_t *ret_first, uint64_t *ret_last)
{
	char first[24];
	const char *dash = strchr(text, '-');

	if (!dash || (size_t)(dash - text) >= sizeof first)
		return false;
	memcpy(first, text, (size_t)(dash - text));
	first[dash - text] = '\0';
	return text_parse_u64(first, ret_first) == UN_OK &&
	       text_parse_u64(dash + 1, ret_last) == UN_OK && *ret_first > 0 &&
	       *ret_last >= *ret_first && *ret_last < UINT32_MAX - 1 &&
	       *ret_last - *ret_first < UIDS_MAX;
}

uint64_t
machine_range_count(const char *uid_range)
{
	uint64_t first, last;

	if (!*uid_range || strcmp(uid_range, "none") == 0)
		return UINT64_MAX;
	return parse_range(uid_range, &first, &last) ? last - first + 1 : 0;
}

/* The next number of columns that blanks part, as the kernel writes them. */
static bool
next_number(const char **at, uint64_t *ret_number)
{
	char digits[24];
	size_t len;

	*at += strspn(*at, " ");
	len = strcspn(*at, " \n");
	if (len >= sizeof digits)
		return false;
	memcpy(digits, *at, len);
	digits[len] = '\0';
	*at += len;
	return text_parse_u64(digits, ret_number) == UN_OK;
}

/* Whether the ids exist in this namespace. */
static bool
is_mapped(const char *path, uint64_t first, uint64_t last)
{
	uint64_t inside, outside, count;
	struct buf list;
	bool found = false;
	const char *at;

	buf_init(&list, 65536, BUF_PLAIN);
	at = io_read_file(AT_FDCWD, path, &list) == UN_OK ? buf_text(&list) : "";
	while (!found && next_number(&at, &inside) && next_number(&at, &outside) &&
	       next_number(&at, &count)) {
		found = first >= inside && last - inside < count;
		at += strspn(at, "\n");
	}
	buf_fini(&list);
	return found;
}

static bool
may_set_ids(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	const uint32_t needed = 1u << CAP_SETUID | 1u << CAP_SETGID;

	return syscall(SYS_capget, &head, data) == 0 && (data[0].effective & needed) == needed;
}

static enum un_err
set_range(struct machine *machine, const char *given, struct un_detail *detail)
{
	const char *text = given && *given ? given : MACHINE_UIDS;
	uint64_t first, last;

	if (strcmp(text, "none") == 0)
		return UN_OK;
	if (!parse_range(text, &first, &last))
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "'tasks.uid_range: %s' is not FIRST-LAST, or none", text);
	if (!may_set_ids() || !is_mapped("/proc/self/uid_map", first, last) ||
	    !is_mapped("/proc/self/gid_map", first, last)) {
		if (text != given)
			return UN_OK;
		(void)un_fail(detail, UN_ERR_BAD_CONFIG,
		              "'tasks.uid_range: %s' needs CAP_SETUID, CAP_SETGID and these ids",
		              text);
		un_hint(detail, "see AmbientCapabilities= in docs/architecture/launch.md");
		return UN_ERR_BAD_CONFIG;
	}
	machine->first = (uid_t)first;
	machine->count = (uint32_t)(last - first + 1);
	machine->taken = mem_zalloc((machine->count + 7) / 8, 1);
	if (!machine->taken)
		return UN_ERR_NO_MEMORY;
	/* Somewhere else each time: what an earlier server's attempts left, if anything, is far. */
	if (getrandom(&machine->next, sizeof machine->next, 0) < 0)
		machine->next = 0;
	machine->next %= machine->count;
	return UN_OK;
}

void
machine_keep_uid(struct machine *machine, uid_t uid)
{
	uint32_t at = uid - machine->first;

	if (uid < machine->first || at >= machine->count)
		return;
	machine->taken[at / 8] |= (uint8_t)(1u << at % 8);
	if (machine->owners) /* until the taker says which project it is */
		machine->owners[at] = STRANGER;
}

void
machine_give_uid(struct machine *machine, uid_t uid)
{
	if (uid >= machine->first && uid - machine->first < machine->count)
		machine->taken[(uid - machine->first) / 8] &=
			(uint8_t) ~(1u << (uid - machine->first) % 8);
}

bool
machine_has_uids(const struct machine *machine)
{
	return machine->count > 0;
}

/* Not 0, and not STRANGER, for any name; two projects with one number are taken for one: of 65,536
 * uids and as many projects that is as good as never. */
static uint32_t
number_of(const char *project)
{
	uint32_t hash = 2166136261u;

	for (; *project; project++)
		hash = (hash ^ (uint8_t)*project) * 16777619u;
	return hash == NOBODYS || hash == STRANGER ? 1 : hash;
}

static uid_t
take(struct machine *machine, uint32_t project)
{
	for (uint32_t tried = 0; tried < machine->count; tried++) {
		uint32_t at = machine->next;

		machine->next = (at + 1) % machine->count;
		if (!is_taken(machine, at) &&
		    (!machine->owners || !project || machine->owners[at] == NOBODYS ||
		     machine->owners[at] == project)) {
			machine_keep_uid(machine, machine->first + at);
			return machine->first + at;
		}
	}
	return 0;
}

uid_t
machine_take_uid(struct machine *machine, const char *project)
{
	uint32_t number = number_of(project ? project : "");
	uid_t uid = take(machine, number);

	if (!uid && machine->owners) {
		uid = take(machine, 0);
		if (uid && !machine->full)
			log_warn("runs",
			         "every uid of tasks.uid_range was in use before: tasks may own "
			         "what other projects left in tasks.writable");
		machine->full = machine->full || uid;
	}
	if (uid && machine->owners)
		machine->owners[uid - machine->first] = number;
	return uid;
}

/* Whose files lie in folders that stay is known for as many entries as can be looked at soon. */
static void
note_owners(struct machine *machine, const char *list)
{
	char paths[PATH_MAX], *folders[WRITABLE_MAX + 1] = {NULL};
	size_t count = 0, seen = 0;
	FTSENT *entry;
	FTS *walk;

	(void)snprintf(paths, sizeof paths, "%s", list);
	for (char *at = paths; at && count < WRITABLE_MAX;) {
		char *colon = strchr(at, ':');

		if (colon)
			*colon++ = '\0';
		if (*at == '/')
			folders[count++] = at;
		at = colon;
	}
	walk = count ? fts_open(folders, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL) : NULL;
	while (walk && seen < ENTRIES_MAX && (entry = fts_read(walk)) != NULL) {
		uid_t uid = entry->fts_statp ? entry->fts_statp->st_uid : 0;

		seen++;
		if (entry->fts_info != FTS_NS && uid >= machine->first &&
		    uid - machine->first < machine->count)
			machine->owners[uid - machine->first] = STRANGER;
	}
	if (seen == ENTRIES_MAX)
		log_warn("runs",
		         "more than %d files are in tasks.writable: of the rest it is not known "
		         "whose they are",
		         ENTRIES_MAX);
	if (walk)
		(void)fts_close(walk);
}

static enum un_err
watch_writable(struct machine *machine, const char *list)
{
	if (!list || !*list)
		return UN_OK;
	if (!machine->count) {
		log_warn("runs",
		         "tasks have one user for all, so what one project's tasks leave in "
		         "tasks.writable is for those of every other to read and change");
		return UN_OK;
	}
	machine->owners = mem_zalloc(machine->count, sizeof *machine->owners);
	if (!machine->owners)
		return UN_ERR_NO_MEMORY;
	note_owners(machine, list);
	return UN_OK;
}

/* An attempt's folder has the group of its uid. What a killed launcher left there keeps it. */
static void
keep_those_in(struct machine *machine, const char *workdir)
{
	DIR *dir = machine->count ? opendir(workdir) : NULL;
	struct dirent *entry;
	struct stat facts;

	while (dir && (entry = readdir(dir)) != NULL)
		if (fstatat(dirfd(dir), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0)
			machine_keep_uid(machine, facts.st_gid);
	if (dir)
		(void)closedir(dir);
}

/* ---- control groups ---- */

static bool
put(const char *folder, const char *name, const char *text)
{
	char path[PATH_MAX];
	int fd = -1;
	bool done = false;

	if (snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path)
		fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		done = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	io_close(&fd);
	return done;
}

/* What earlier attempts left; those in use cannot be removed, and a new one may be just before. */
static void
remove_empty(const char *folder)
{
	int64_t before_s = clock_wall_us() / 1000000 - NEW_S;
	DIR *dir = opendir(folder);
	struct dirent *entry;
	struct stat facts;

	while (dir && (entry = readdir(dir)) != NULL)
		if (strncmp(entry->d_name, "a-", 2) == 0 &&
		    fstatat(dirfd(dir), entry->d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0 &&
		    facts.st_mtime < before_s)
			(void)unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
	if (dir)
		(void)closedir(dir);
}

static void
add_place(struct machine *machine, const char *kind, const char *folder)
{
	size_t len = strlen(machine->places);

	if (snprintf(machine->places + len, sizeof machine->places - len, "%s%s=%s", len ? "," : "",
	             kind, folder) >= (int)(sizeof machine->places - len))
		machine->places[len] = '\0';
	remove_empty(folder);
}

/* A folder for groups below our own in one v1 hierarchy. */
static void
find_v1(struct machine *machine, const char *controllers, const char *own)
{
	static const char *const kinds[] = {"memory", "pids", "cpu"};
	char folder[PATH_MAX], list[64];

	if (snprintf(list, sizeof list, ",%s,", controllers) >= (int)sizeof list)
		return;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		char wanted[16];

		(void)snprintf(wanted, sizeof wanted, ",%s,", kinds[i]);
		if (strstr(list, wanted) &&
		    snprintf(folder, sizeof folder, CGROUP_ROOT "/%s%s/" TASKS_GROUP, kinds[i],
		             strcmp(own, "/") == 0 ? "" : own) < (int)sizeof folder &&
		    (mkdir(folder, 0755) == 0 || errno == EEXIST) && access(folder, W_OK) == 0)
			add_place(machine, kinds[i], folder);
	}
}

/* Whether `pid` is us, or a child of ours. */
static bool
is_of_us(uint64_t pid)
{
	uint64_t parent = 0;
	struct buf facts;
	const char *at;
	char path[64];

	if (pid == (uint64_t)getpid())
		return true;
	(void)snprintf(path, sizeof path, "/proc/%" PRIu64 "/stat", pid);
	buf_init(&facts, 4096, BUF_PLAIN);
	/* "12 (name) S 11 ...", and a name may have brackets */
	at = io_read_file(AT_FDCWD, path, &facts) == UN_OK ? strrchr(buf_text(&facts), ')') : NULL;
	if (!at || strlen(at) < 4) {
		buf_fini(&facts);
		return false;
	}
	at += 3;
	if (!next_number(&at, &parent))
		parent = 0;
	buf_fini(&facts);
	return parent == (uint64_t)getpid();
}

/* Moves us and our children out of `folder`, if nobody else is in it: only then is it ours, and a
 * group with processes of its own may give no controllers to others. */
static bool
move_down(const char *folder)
{
	char path[PATH_MAX], own[PATH_MAX];
	struct buf list;
	uint64_t pid = 0;
	bool fine = snprintf(path, sizeof path, "%s/cgroup.procs", folder) < (int)sizeof path &&
	            snprintf(own, sizeof own, "%s/" OWN_GROUP, folder) < (int)sizeof own;

	buf_init(&list, 65536, BUF_PLAIN);
	fine = fine && io_read_file(AT_FDCWD, path, &list) == UN_OK;
	for (const char *at = fine ? buf_text(&list) : ""; fine && *at; at += strspn(at, "\n"))
		fine = next_number(&at, &pid) && is_of_us(pid);
	fine = fine && (mkdir(own, 0755) == 0 || errno == EEXIST);
	for (const char *at = fine ? buf_text(&list) : ""; fine && *at; at += strspn(at, "\n")) {
		char digits[24];

		fine = next_number(&at, &pid);
		(void)snprintf(digits, sizeof digits, "%" PRIu64, pid);
		fine = fine && put(own, "cgroup.procs", digits);
	}
	buf_fini(&list);
	return fine;
}

/* Whether the group passes the memory controller on. */
static bool
passes_memory_on(const char *folder)
{
	char path[PATH_MAX];
	struct buf list;
	bool found = false;

	buf_init(&list, 4096, BUF_PLAIN);
	if (snprintf(path, sizeof path, "%s/cgroup.subtree_control", folder) < (int)sizeof path &&
	    io_read_file(AT_FDCWD, path, &list) == UN_OK)
		found = strstr(buf_text(&list), "memory") != NULL;
	buf_fini(&list);
	return found;
}

/* The group that was given to us in the v2 hierarchy. After a restart we are in the subgroup
 * already; what a manager runs beside its service it puts into another (systemd: ".control"). */
static bool
own_v2(const char *own, char *folder, size_t size)
{
	static const char *const subgroups[] = {"/" OWN_GROUP, "/.control"};
	int wrote = snprintf(folder, size, CGROUP_ROOT "%s", strcmp(own, "/") == 0 ? "" : own);

	if (wrote < 0 || (size_t)wrote >= size)
		return false;
	for (size_t i = 0; i < sizeof subgroups / sizeof *subgroups; i++) {
		size_t len = strlen(folder), tail = strlen(subgroups[i]);

		if (len > tail && strcmp(folder + len - tail, subgroups[i]) == 0)
			folder[len - tail] = '\0';
	}
	return true;
}

static void
find_v2(struct machine *machine, const char *own)
{
	char folder[PATH_MAX], tasks[PATH_MAX];

	if (!own_v2(own, folder, sizeof folder) ||
	    snprintf(tasks, sizeof tasks, "%s/" TASKS_GROUP, folder) >= (int)sizeof tasks)
		return;
	if (!passes_memory_on(folder) &&
	    (access(folder, W_OK) != 0 || !move_down(folder) ||
	     !put(folder, "cgroup.subtree_control", "+memory +pids +cpu")))
		return;
	if ((mkdir(tasks, 0755) == 0 || errno == EEXIST) &&
	    put(tasks, "cgroup.subtree_control", "+memory +pids +cpu"))
		add_place(machine, "unified", tasks);
}

static void
freeze_all(const char *tasks)
{
	DIR *dir = opendir(tasks);
	struct dirent *entry;
	char path[PATH_MAX];

	while (dir && (entry = readdir(dir)) != NULL)
		if (strncmp(entry->d_name, "a-", 2) == 0 &&
		    snprintf(path, sizeof path, "%s/%s", tasks, entry->d_name) < (int)sizeof path)
			(void)put(path, "cgroup.freeze", "1");
	if (dir)
		(void)closedir(dir);
}

bool
machine_let_go(void)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX], folder[PATH_MAX], tasks[PATH_MAX];
	bool found = false;

	while (file && !found && fgets(line, sizeof line, file)) {
		line[strcspn(line, "\n")] = '\0';
		found = strncmp(line, "0::", 3) == 0;
	}
	if (file)
		(void)fclose(file);
	if (!found || !own_v2(line + 3, folder, sizeof folder) ||
	    snprintf(tasks, sizeof tasks, "%s/" TASKS_GROUP, folder) >= (int)sizeof tasks ||
	    access(tasks, W_OK) != 0)
		return false;
	freeze_all(tasks);
	return put(tasks, "cgroup.subtree_control", "-memory -pids -cpu") &&
	       put(folder, "cgroup.subtree_control", "-memory -pids -cpu");
}

static void
find_groups(struct machine *machine)
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	bool unified = access(CGROUP_ROOT "/cgroup.controllers", F_OK) == 0;
	char line[PATH_MAX];

	while (file && fgets(line, sizeof line, file)) {
		char *controllers = strchr(line, ':'), *own;

		line[strcspn(line, "\n")] = '\0';
		own = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!own || strchr(own, ','))
			continue; /* the list has commas between places */
		*own++ = '\0';
		if (!controllers[1] && unified)
			find_v2(machine, own);
		else if (controllers[1])
			find_v1(machine, controllers + 1, own);
	}
	if (file)
		(void)fclose(file);
}

const char *
machine_cgroups(const struct machine *machine)
{
	return machine->places;
}

enum un_err
machine_new(const struct machine_options *options, const char *workdir,
            struct machine **ret_machine, struct un_detail *detail)
{
	struct machine *machine = mem_zalloc(1, sizeof *machine);
	enum un_err err;

	if (!machine)
		return UN_ERR_NO_MEMORY;
	err = set_range(machine, options->uid_range, detail);
	if (!err)
		err = watch_writable(machine, options->writable);
	if (err) {
		machine_free(machine);
		return err;
	}
	keep_those_in(machine, workdir);
	find_groups(machine);
	log_info("runs", "tasks have %s of their own; control groups: %s",
	         machine->count ? "users" : "no users",
	         *machine->places ? machine->places : "none");
	*ret_machine = machine;
	return UN_OK;
}

void
machine_free(struct machine *machine)
{
	if (!machine)
		return;
	mem_free(machine->taken);
	mem_free(machine->owners);
	mem_free(machine);
}
