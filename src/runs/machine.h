/* machine.h - what this machine can give each attempt: a uid of its own, and places for its control
 * groups. Found out once at start; what the machine cannot give is left out. On the loop's thread.
 */
#ifndef RUNS_MACHINE_H
#define RUNS_MACHINE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Beyond what user databases, containers of users (subuid) and service managers give out. */
#define MACHINE_UIDS "2000000000-2000065535"

/* What the configuration says of tasks; NULL and "" leave it at what is usual. */
struct machine_options {
	const char *uid_range; /* "FIRST-LAST" or "none"; usual: MACHINE_UIDS where we may */
	const char *concealed; /* paths that tasks do not see; with colons */
	const char *readable;  /* folders that tasks see in places that are covered; with colons */
	const char *writable;  /* folders that tasks may change; with colons */
	const char *offline;   /* projects whose tasks have no network; with commas */
	uint64_t processes;    /* of one task; 0: any number */
};

struct machine;

/* The users of a uid_range; 0: it cannot be one, on any machine. Enough for all: "" and "none". */
uint64_t machine_range_count(const char *uid_range);

/* `workdir`: of attempts; whose uids are in use there, is looked up. UN_ERR_BAD_CONFIG: the range
 * is none, or asked for and we may not use it. */
MUST_CHECK enum un_err machine_new(const struct machine_options *options, const char *workdir,
                                   struct machine **ret_machine, struct un_detail *detail);
void machine_free(struct machine *machine);
/* One that nobody has; 0: there is none to give. Where tasks may write to folders that stay
 * (`writable`), a uid that another project had, or whose files are there, is only given when there
 * is no other. */
uid_t machine_take_uid(struct machine *machine, const char *project);
/* Whether there are any, taken or not. */
bool machine_has_uids(const struct machine *machine);
/* It is in use, as we learn. */
void machine_keep_uid(struct machine *machine, uid_t uid);
/* Its attempt is over. */
void machine_give_uid(struct machine *machine, uid_t uid);
/* After a control plane has ended whose attempts run on: freezes their groups, and gives up the
 * controllers of the group that a service manager made for it. The kernel lets no process into a
 * group that passes controllers on, so the manager could not start it again. The attempts'
 * launchers set the limits and thaw when machine_new has taken the controllers again. v2 only;
 * false: there was nothing to do. */
bool machine_let_go(void);
/* As --cgroups of union-exec takes it; "" without. */
const char *machine_cgroups(const struct machine *machine);

#endif
