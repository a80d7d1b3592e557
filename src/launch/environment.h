/* environment.h - the environment of a task, made from nothing, in locked memory.
 *
 * Entries are collected by reference and laid out once: the strings with values exist only in a
 * secbuf, which is wiped when the task has been started. A later entry of the same name replaces an
 * earlier one. Not thread safe. */
#ifndef LAUNCH_ENVIRONMENT_H
#define LAUNCH_ENVIRONMENT_H

#include "base/err.h"
#include "crypto/secbuf.h"

#include <stddef.h>

#define ENVIRONMENT_MAX 4096           /* entries */
#define ENVIRONMENT_STRING_MAX 131072 /* bytes of NAME=VALUE with its NUL: the kernel's limit */

struct environment;
MUST_CHECK enum un_err environment_new(struct environment **ret_environment);
/* Copies the name, lends the text. UN_ERR_INVALID for a name that is empty or has '='. */
MUST_CHECK enum un_err environment_set(struct environment *environment, const char *name,
                                       const char *text);
/* Lends the value, which secret_env_check_value has accepted for `name`. */
MUST_CHECK enum un_err environment_set_value(struct environment *environment, const char *name,
                                             const struct secbuf *value);
/* The text set for `name`, or NULL (also for one that is a value). */
const char *environment_get(const struct environment *environment, const char *name);
/* Lays it out. The vector lives as long as the environment. */
MUST_CHECK enum un_err environment_vector(struct environment *environment,
                                          char *const **ret_vector);
/* Zeroes the strings. NULL is fine. */
void environment_free(struct environment *environment);

#endif
