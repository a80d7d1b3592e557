#include "base/log.h"

#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static atomic_int log_fd = 2;
static atomic_int log_most = LOG_LEVEL_NOTICE;
static const char *const level_names[] = {"error", "warn", "notice", "info", "debug"};

void
log_set(int fd, enum log_level most)
{
	atomic_store(&log_fd, fd);
	atomic_store(&log_most, (int)most);
}

enum un_err
log_level_parse(const char *text, enum log_level *ret_level)
{
	for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
		if (strcmp(level_names[i], text) == 0) {
			*ret_level = (enum log_level)i;
			return UN_OK;
		}
	}
	return UN_ERR_INVALID;
}

/* Appends `text` in logfmt quotes; control bytes become \xNN, so that nobody forges a line. */
static size_t
quote(char *line, size_t used, size_t max, const char *text)
{
	for (const char *p = text; *p && used + 8 < max; p++) {
		unsigned char c = (unsigned char)*p;

		if (c == '"' || c == '\\') {
			line[used++] = '\\';
			line[used++] = (char)c;
		} else if (c < 0x20 || c == 0x7f) {
			used += (size_t)snprintf(line + used, max - used, "\\x%02x", c);
		} else {
			line[used++] = (char)c;
		}
	}
	return used;
}

void
log_line(enum log_level level, const char *area, const char *format, ...)
{
	char text[LOG_LINE_MAX], line[LOG_LINE_MAX + 128], when[CLOCK_TEXT_MAX];
	va_list args;
	size_t used;
	ssize_t ignored;

	if ((int)level > atomic_load(&log_most))
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	clock_format(clock_wall_us(), when);
	used = (size_t)snprintf(line, sizeof line, "time=%s level=%s area=%s msg=\"", when,
	                        level_names[level], area);
	used = quote(line, used, sizeof line - 3, text);
	line[used++] = '"';
	line[used++] = '\n';
	ignored = write(atomic_load(&log_fd), line, used);
	(void)ignored;
}
