/* log_lines.h - the output of several tasks as whole lines, each preceded by its node.
 *
 * A chunk may end anywhere in a line; what is left waits for the rest, up to LOG_LINE_MAX_BYTES. On
 * a terminal only colours of a task's output are obeyed. One thread. */
#ifndef UNION_LOG_LINES_H
#define UNION_LOG_LINES_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LOG_LINE_MAX_BYTES 65536

/* The bytes of the control character at `at`, of one or, as UTF-8, of two; 0: it is none. */
size_t control_len(const uint8_t *at, size_t len);

struct log_lines;

MUST_CHECK enum un_err log_lines_new(FILE *out, bool terminal, struct log_lines **ret_lines);
void log_lines_free(struct log_lines *lines);
MUST_CHECK enum un_err log_lines_push(struct log_lines *lines, const char *node_id,
                                      uint32_t attempt, const uint8_t *bytes, size_t len);
/* Writes what waits for its end: the attempt is over. node_id NULL: of all. */
void log_lines_flush(struct log_lines *lines, const char *node_id);

#endif
