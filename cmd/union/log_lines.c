#include "log_lines.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <string.h>

#define NODE_ID_MAX 256

struct source {
	struct source *next;
	char node_id[NODE_ID_MAX];
	uint32_t attempt;
	struct buf line;
};

struct log_lines {
	FILE *out;
	bool terminal;
	struct source *first;
};

enum un_err
log_lines_new(FILE *out, bool terminal, struct log_lines **ret_lines)
{
	struct log_lines *lines = mem_zalloc(1, sizeof *lines);

	if (!lines)
		return UN_ERR_NO_MEMORY;
	lines->out = out;
	lines->terminal = terminal;
	*ret_lines = lines;
	return UN_OK;
}

void
log_lines_free(struct log_lines *lines)
{
	if (!lines)
		return;
	while (lines->first) {
		struct source *next = lines->first->next;

		buf_fini(&lines->first->line);
		mem_free(lines->first);
		lines->first = next;
	}
	mem_free(lines);
}

static enum un_err
find_source(struct log_lines *lines, const char *node_id, uint32_t attempt,
            struct source **ret_source)
{
	struct source *source;

	for (source = lines->first; source; source = source->next) {
		if (source->attempt == attempt && strcmp(source->node_id, node_id) == 0) {
			*ret_source = source;
			return UN_OK;
		}
	}
	source = mem_zalloc(1, sizeof *source);
	if (!source)
		return UN_ERR_NO_MEMORY;
	(void)snprintf(source->node_id, sizeof source->node_id, "%s", node_id);
	source->attempt = attempt;
	buf_init(&source->line, LOG_LINE_MAX_BYTES, BUF_PLAIN);
	source->next = lines->first;
	lines->first = source;
	*ret_source = source;
	return UN_OK;
}

/* C0, DEL, and C1 as it is in UTF-8: some terminals obey that, too. */
size_t
control_len(const uint8_t *at, size_t len)
{
	if (*at < 0x20 || *at == 0x7f)
		return 1;
	return len > 1 && at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0 ? 2 : 0;
}

/* The length of "ESC [ digits m" at `at`, which only colours; 0: it is something else. */
static size_t
color_len(const uint8_t *at, size_t len)
{
	size_t i = 2;

	if (len < 3 || at[0] != 0x1b || at[1] != '[')
		return 0;
	while (i < len && ((at[i] >= '0' && at[i] <= '9') || at[i] == ';'))
		i++;
	return i < len && at[i] == 'm' ? i + 1 : 0;
}

static void
write_line(struct log_lines *lines, const struct source *source)
{
	const uint8_t *at = source->line.data, *end = at + source->line.len;

	if (source->attempt)
		(void)fprintf(lines->out, "%s#%u | ", source->node_id, source->attempt + 1);
	else
		(void)fprintf(lines->out, "%s | ", source->node_id);
	while (at < end) {
		size_t color = color_len(at, (size_t)(end - at)), control;

		if (color) {
			(void)fwrite(at, 1, color, lines->out);
			at += color;
			continue;
		}
		control = *at == '\t' ? 0 : control_len(at, (size_t)(end - at));
		(void)putc(lines->terminal && control ? ' ' : *at, lines->out);
		at += lines->terminal && control ? control : 1;
	}
	(void)putc('\n', lines->out);
}

enum un_err
log_lines_push(struct log_lines *lines, const char *node_id, uint32_t attempt,
               const uint8_t *bytes, size_t len)
{
	struct source *source;
	enum un_err err = find_source(lines, node_id, attempt, &source);

	while (!err && len) {
		const uint8_t *eol = memchr(bytes, '\n', len);
		size_t piece = eol ? (size_t)(eol - bytes) : len;
		size_t room = LOG_LINE_MAX_BYTES - source->line.len;
		bool full = piece >= room;

		if (full)
			piece = room;
		err = buf_append(&source->line, bytes, piece);
		if (err)
			break;
		if (eol && !full)
			piece++;
		bytes += piece;
		len -= piece;
		if (!eol && !full)
			break;
		write_line(lines, source);
		buf_clear(&source->line);
	}
	(void)fflush(lines->out);
	return err;
}

void
log_lines_flush(struct log_lines *lines, const char *node_id)
{
	for (struct source *source = lines->first; source; source = source->next) {
		if (!source->line.len || (node_id && strcmp(source->node_id, node_id) != 0))
			continue;
		write_line(lines, source);
		buf_clear(&source->line);
	}
	(void)fflush(lines->out);
}
