/* conceal.h - what of the control plane's own lies outside of its data folder, and is not for tasks
 * to see, whatever their user may read. */
#ifndef CONCEAL_CONCEAL_H
#define CONCEAL_CONCEAL_H

#include "base/buf.h"
#include "base/err.h"
#include "config.h"

#define CONCEAL_LIST_MAX (128u << 10)

/* The files that `config` names (or their folders, where others cannot pass them: then also what
 * comes to lie there later), its own file, and tasks.hide. Of `home` (absolute, or NULL): on a
 * server all, where the folder is the user's own; of a person's own control plane what `union`
 * and ssh keep there. Appended to `list` with colons between; `config` has been checked.
 * UN_ERR_BAD_CONFIG: a path has a colon itself. */
MUST_CHECK enum un_err conceal_list(const struct config *config, const char *home,
                                    struct buf *list, struct un_detail *detail);

#endif
