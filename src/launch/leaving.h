/* leaving.h - the guard at work: outputs of a task, the files that they mean, and its code.
 *
 * Finds and opens files; what is looked for and where is guard/'s. Here outputs and code are only
 * searched; whatever a parser is needed for is looked into by another process (looker.h), as is
 * every file that the task has made. Of a folder every regular file below it is looked at. Not
 * thread safe. */
#ifndef LAUNCH_LEAVING_H
#define LAUNCH_LEAVING_H

#include "base/err.h"
#include "flyteidl/core/literals.pb-c.h"
#include "launch/looker.h"
#include "model/guard_policy.h"
#include "redact/redact.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define LEAVING_MS 600000 /* what a look may take */
#define LEAVING_FOLDER_DEPTH 32

struct leaving {
	const struct redact_set *values; /* made of these: */
	const struct task_secrets *secrets;
	struct looker_helper *helper; /* where this thread cannot fork; NULL: it can */
	looker_fn *look;              /* of the looker; NULL but in tests */
	int64_t time_ms;              /* instead of LEAVING_MS; 0: that */
	size_t longest; /* bytes of the longest value; 0: there is none, and nothing to look for */
	enum guard_policy policy;
	uid_t uid; /* of the task: what it may not read is not looked at for it; 0: who we are */
	void (*say)(void *ctx, const char *line); /* into the attempt's log; NULL: nobody */
	bool (*stop)(void *ctx); /* nobody wants the results any more; NULL: they do */
	void *ctx;
};

/* Looks at the outputs, at local files that they refer to, and at every file in `outputs_fd`
 * (decks) but outputs.pb. UN_ERR_RESULT_HAS_SECRET, UN_ERR_RESULT_UNSEEN (strict), UN_ERR_ABORTED
 * (stopped), or UN_ERR_NO_MEMORY. */
MUST_CHECK enum un_err leaving_check(const struct leaving *leaving, int outputs_fd,
                                     const Flyteidl__Core__LiteralMap *outputs,
                                     struct un_detail *detail);
/* Looks at the unpacked code. A value in it is refused where the policy is strict
 * (UN_ERR_BUNDLE_HAS_SECRET), and else told. */
MUST_CHECK enum un_err leaving_check_code(const struct leaving *leaving, int code_fd,
                                          struct un_detail *detail);

#endif
