#include "base/buf.h"

#include "base/alloc.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define BUF_FIRST_CAP 256

void
buf_init(struct buf *buf, size_t max, enum buf_kind kind)
{
	*buf = (struct buf){.max = max, .kind = kind};
}

static void
release(struct buf *buf)
{
	if (buf->kind == BUF_WIPE)
		mem_wipe_free(buf->data, buf->cap);
	else
		mem_free(buf->data);
}

void
buf_fini(struct buf *buf)
{
	release(buf);
	buf->data = NULL;
	buf->len = 0;
	buf->cap = 0;
}

void
buf_clear(struct buf *buf)
{
	if (buf->kind == BUF_WIPE && buf->data)
		explicit_bzero(buf->data, buf->cap);
	buf->len = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

static enum un_err
grow_to(struct buf *buf, size_t needed)
{
	size_t cap = buf->cap ? buf->cap : BUF_FIRST_CAP;
	uint8_t *data;

	while (cap < needed)
		cap = cap > SIZE_MAX / 2 ? needed : cap * 2;
	if (cap > buf->max && buf->max < SIZE_MAX && needed <= buf->max + 1)
		cap = buf->max + 1; /* the NUL */
	/* realloc may leave a copy behind: a wiping buffer moves its bytes itself */
	if (buf->kind == BUF_WIPE) {
		data = mem_alloc(cap);
		if (!data)
			return UN_ERR_NO_MEMORY;
		if (buf->len)
			memcpy(data, buf->data, buf->len);
		mem_wipe_free(buf->data, buf->cap);
	} else {
		data = mem_realloc(buf->data, cap);
		if (!data)
			return UN_ERR_NO_MEMORY;
	}
	buf->data = data;
	data[buf->len] = '\0'; /* also when nothing is appended after all */
	buf->cap = cap;
	return UN_OK;
}

enum un_err
buf_reserve(struct buf *buf, size_t len)
{
	if (len > buf->max - buf->len)
		return UN_ERR_TOO_LARGE;
	if (buf->cap - buf->len > len) /* one more for the NUL */
		return UN_OK;
	return grow_to(buf, buf->len + len + 1);
}

void
buf_added(struct buf *buf, size_t len)
{
	assert(len < buf->cap - buf->len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

enum un_err
buf_append(struct buf *buf, const void *bytes, size_t len)
{
	enum un_err err = buf_reserve(buf, len);

	if (err)
		return err;
	if (len)
		memcpy(buf->data + buf->len, bytes, len);
	buf_added(buf, len);
	return UN_OK;
}

enum un_err
buf_append_text(struct buf *buf, const char *text)
{
	return buf_append(buf, text, strlen(text));
}

enum un_err
buf_append_byte(struct buf *buf, uint8_t byte)
{
	return buf_append(buf, &byte, 1);
}

enum un_err
buf_appendf(struct buf *buf, const char *format, ...)
{
	va_list args, again;
	enum un_err err;
	int len;

	va_start(args, format);
	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	err = len < 0 ? UN_ERR_INTERNAL : buf_reserve(buf, (size_t)len);
	if (err == UN_OK) {
		(void)vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, format, again);
		buf_added(buf, (size_t)len);
	}
	va_end(again);
	return err;
}

void
buf_drop_front(struct buf *buf, size_t len)
{
	assert(len <= buf->len);
	if (!len)
		return;
	memmove(buf->data, buf->data + len, buf->len - len);
	if (buf->kind == BUF_WIPE)
		explicit_bzero(buf->data + buf->len - len, len);
	buf->len -= len;
	buf->data[buf->len] = '\0';
}

const char *
buf_text(const struct buf *buf)
{
	return buf->data ? (const char *)buf->data : "";
}

uint8_t *
buf_take(struct buf *buf, size_t *ret_len)
{
	uint8_t *data = buf->data;

	*ret_len = buf->len;
	buf->data = NULL;
	buf->len = 0;
	buf->cap = 0;
	return data;
}
