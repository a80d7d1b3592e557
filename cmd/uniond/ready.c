#include "ready.h"

#include "base/buf.h"
#include "base/io.h"

#include <ctype.h>

#define LINE_MAX_BYTES (8 * UN_DETAIL_MAX)

static void
send_line(int fd, struct buf *line)
{
	enum un_err ignored = io_write_all(fd, buf_text(line), line->len);

	(void)ignored; /* a starter that has gone needs no answer */
	io_close(&fd);
}

void
ready_say(int fd)
{
	struct buf line;

	if (fd < 0)
		return;
	buf_init(&line, LINE_MAX_BYTES, BUF_PLAIN);
	if (buf_append_text(&line, "ready\n") == UN_OK)
		send_line(fd, &line);
	buf_fini(&line);
}

static enum un_err
append_encoded(struct buf *out, const char *text)
{
	enum un_err err = UN_OK;

	if (!*text)
		return buf_append_byte(out, '%');
	for (const unsigned char *p = (const unsigned char *)text; *p && !err; p++) {
		if (isalnum(*p) || *p == '-' || *p == '_' || *p == '.' || *p == '/')
			err = buf_append_byte(out, *p);
		else
			err = buf_appendf(out, "%%%02X", *p);
	}
	return err;
}

void
ready_refuse(int fd, enum un_err err, const struct un_detail *detail)
{
	struct buf line;
	enum un_err failed;

	if (fd < 0)
		return;
	buf_init(&line, LINE_MAX_BYTES, BUF_PLAIN);
	failed = buf_appendf(&line, "error %s ", un_err_slug(err));
	if (!failed)
		failed = append_encoded(&line, un_message(err, detail));
	if (!failed)
		failed = buf_append_byte(&line, ' ');
	if (!failed)
		failed = append_encoded(&line, un_hint_text(err, detail));
	if (!failed)
		failed = buf_append_byte(&line, '\n');
	if (!failed)
		send_line(fd, &line);
	buf_fini(&line);
}
