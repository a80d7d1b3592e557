/* tree.h - folders of one attempt: made private, removed whole. By descriptor; no link is followed.
 */
#ifndef LAUNCH_TREE_H
#define LAUNCH_TREE_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

/* Makes dir_fd/name with mode 0700, which must not exist, and opens it. UN_ERR_EXISTS, UN_ERR_IO...
 */
MUST_CHECK enum un_err tree_make(int dir_fd, const char *name, int *ret_fd,
                                 struct un_detail *detail);
/* In a folder that processes share: makes one of our own (a random name, 0700), which is locked as
 * long as *ret_fd is open, and removes some whose makers are gone; `wipe`: with zeros first. */
#define TREE_NAME_LEN 24
MUST_CHECK enum un_err tree_claim(int dir_fd, bool wipe, char ret_name[TREE_NAME_LEN], int *ret_fd,
                                  struct un_detail *detail);
/* Overwrites each regular file below dir_fd with zeros (for values on a tmpfs). */
void tree_wipe(int dir_fd);
/* Makes everything at and below dir_fd belong to `uid`, and to the group of that number. */
MUST_CHECK enum un_err tree_give(int dir_fd, uid_t uid, struct un_detail *detail);
/* Removes dir_fd/name and all below it; what is not there is fine. The last error, if any. */
MUST_CHECK enum un_err tree_remove(int dir_fd, const char *name);

#endif
