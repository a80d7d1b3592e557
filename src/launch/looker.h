/* looker.h - the process in which results are looked into: it parses what a hostile task wrote, and
 * has nothing to give.
 *
 * A fork of the launcher, which inherits no secbuf (no lease, no key) and no descriptor. It is told
 * the values, which it looks for; then it can read and write one socket, map the descriptors that
 * come over it, and end: everything else that it might ask of the kernel is its death (seccomp),
 * and so is too much memory or time. What it says is checked: a path and the name of a secret,
 * cleaned.
 *
 * It is started when there is something to look into, and again after it died. Used by one thread,
 * which may be one that cannot fork: then by a helper that was made before. */
#ifndef LAUNCH_LOOKER_H
#define LAUNCH_LOOKER_H

#include "base/err.h"
#include "flyteidl/core/literals.pb-c.h"
#include "guard/guard.h"
#include "launch/task_secrets.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOOKER_MEMORY (1u << 30) /* bytes of data */
#define LOOKER_GRACE_MS 1000     /* for it to notice that its time is over */
#define LOOKER_DEATHS_MAX 8      /* after that many nothing more is looked into */

struct looker;

/* A thread that forks for one that soon cannot: one whose children are born in a PID namespace that
 * will be gone. NULL on lack of memory. */
struct looker_helper *looker_helper_new(void);
void looker_helper_free(struct looker_helper *helper); /* NULL is fine */

/* What the process does with a file; tests have others than guard_at. */
typedef enum un_err looker_fn(struct guard *guard, const char *path, bool flat,
                              const uint8_t *bytes, size_t len);

struct looker_options {
	const struct task_secrets *secrets; /* lent, with the helper */
	struct looker_helper *helper;       /* NULL: this thread forks */
	bool strict;
	int64_t deadline_ms;     /* of clock_mono_ms */
	bool (*stop)(void *ctx); /* asked while waiting; NULL: never */
	void *ctx;
	looker_fn *look; /* NULL: guard_at */
};

MUST_CHECK enum un_err looker_new(const struct looker_options *options, struct looker **ret_looker);
void looker_free(struct looker *looker); /* kills it; NULL is fine */

/* Each adds to `guard` what was found or could not be seen. UN_ERR_RESULT_HAS_SECRET;
 * UN_ERR_ABORTED: stopped; UN_ERR_RESULT_UNSEEN: it died, was killed for its time, or had too
 * little memory, and looker_why says so in words that go on the name of a file; UN_ERR_NO_MEMORY:
 * there is no process to be had. */
MUST_CHECK enum un_err looker_outputs(struct looker *looker,
                                      const Flyteidl__Core__LiteralMap *outputs,
                                      struct guard *guard);
/* A file of `size` bytes, mapped there; `path` is of guard_path_of. `flat`: only searched. */
MUST_CHECK enum un_err looker_file(struct looker *looker, const char *path, bool flat, int fd,
                                   uint64_t size, struct guard *guard);
const char *looker_why(const struct looker *looker);

#endif
