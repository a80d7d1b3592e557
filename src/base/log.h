/* log.h - one line an event, logfmt, to one descriptor.
 *
 *   time=2026-11-23T13:07:00.123Z level=notice area=store msg="migrated to schema 3"
 *
 * A function logs or returns an error, never both: only programs and their loops log. Nothing here
 * takes a secbuf; foreign strings are escaped and cut at LOG_LINE_MAX. Any thread; a line is one
 * write(2). */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

#define LOG_LINE_MAX 2048

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* Before this, lines of `notice` and above go to descriptor 2. */
void log_set(int fd, enum log_level most);
/* "error", "warn", "notice", "info" or "debug"; UN_ERR_INVALID for anything else. */
MUST_CHECK enum un_err log_level_parse(const char *text, enum log_level *ret_level);

/* `area` is a static word such as "store"; the text says what happened. Quoted and escaped. */
void log_line(enum log_level level, const char *area, const char *format, ...) PRINTF_LIKE(3, 4);

#define log_error(area, ...) log_line(LOG_LEVEL_ERROR, area, __VA_ARGS__)
#define log_warn(area, ...) log_line(LOG_LEVEL_WARN, area, __VA_ARGS__)
#define log_notice(area, ...) log_line(LOG_LEVEL_NOTICE, area, __VA_ARGS__)
#define log_info(area, ...) log_line(LOG_LEVEL_INFO, area, __VA_ARGS__)
#define log_debug(area, ...) log_line(LOG_LEVEL_DEBUG, area, __VA_ARGS__)

#endif
