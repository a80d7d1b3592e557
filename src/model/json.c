#include "model/json.h"

#include "base/text.h"

#include <string.h>

void
json_reader_init(struct json_reader *in, const char *text, size_t len)
{
	*in = (struct json_reader){.start = text, .at = text, .end = text + len};
}

static enum un_err
fail(struct json_reader *in)
{
	in->bad = true;
	return UN_ERR_PROTOCOL;
}

/* The next byte that is no blank, or 0 at the end; reads the blanks only. */
static char
look(struct json_reader *in)
{
	while (in->at < in->end &&
	       (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r'))
		in->at++;
	return in->at < in->end ? *in->at : '\0';
}

enum json_kind
json_reader_peek(struct json_reader *in)
{
	char c = in->bad ? '\0' : look(in);

	switch (c) {
	case 'n':
		return JSON_NULL;
	case 't':
		return JSON_TRUE;
	case 'f':
		return JSON_FALSE;
	case '"':
		return JSON_STRING;
	case '[':
		return JSON_ARRAY;
	case '{':
		return JSON_OBJECT;
	default:
		return c == '-' || (c >= '0' && c <= '9') ? JSON_NUMBER : JSON_BAD;
	}
}

enum un_err
json_reader_word(struct json_reader *in)
{
	static const char *const words[] = {"null", "true", "false"};
	enum json_kind kind = json_reader_peek(in);
	const char *word;
	size_t len;

	if (kind != JSON_NULL && kind != JSON_TRUE && kind != JSON_FALSE)
		return fail(in);
	word = words[kind - JSON_NULL];
	len = strlen(word);
	if ((size_t)(in->end - in->at) < len || strncmp(in->at, word, len) != 0)
		return fail(in);
	in->at += len;
	return UN_OK;
}

static size_t
skip_digits(struct json_reader *in)
{
	const char *from = in->at;

	while (in->at < in->end && *in->at >= '0' && *in->at <= '9')
		in->at++;
	return (size_t)(in->at - from);
}

static bool
skip_byte(struct json_reader *in, char a, char b)
{
	if (in->at >= in->end || (*in->at != a && *in->at != b))
		return false;
	in->at++;
	return true;
}

enum un_err
json_reader_number(struct json_reader *in, char text[JSON_NUMBER_MAX])
{
	const char *from;
	bool leading_zero;
	size_t len;

	if (json_reader_peek(in) != JSON_NUMBER)
		return fail(in);
	from = in->at;
	(void)skip_byte(in, '-', '-');
	leading_zero = in->at < in->end && *in->at == '0';
	len = skip_digits(in);
	if (len == 0 || (leading_zero && len > 1))
		return fail(in);
	if (skip_byte(in, '.', '.') && skip_digits(in) == 0)
		return fail(in);
	if (skip_byte(in, 'e', 'E')) {
		(void)skip_byte(in, '+', '-');
		if (skip_digits(in) == 0)
			return fail(in);
	}
	len = (size_t)(in->at - from);
	if (len >= JSON_NUMBER_MAX)
		return fail(in);
	memcpy(text, from, len);
	text[len] = '\0';
	return UN_OK;
}

static enum un_err
append_utf8(struct buf *out, uint32_t point)
{
	uint8_t bytes[4];
	size_t len;

	if (point < 0x80) {
		return buf_append_byte(out, (uint8_t)point);
	} else if (point < 0x800) {
		bytes[0] = (uint8_t)(0xc0 | point >> 6);
		len = 2;
	} else if (point < 0x10000) {
		bytes[0] = (uint8_t)(0xe0 | point >> 12);
		len = 3;
	} else {
		bytes[0] = (uint8_t)(0xf0 | point >> 18);
		len = 4;
	}
	for (size_t i = 1; i < len; i++)
		bytes[i] = (uint8_t)(0x80 | (point >> (6 * (len - 1 - i)) & 0x3f));
	return buf_append(out, bytes, len);
}

static bool
read_hex4(struct json_reader *in, uint32_t *ret_number)
{
	uint32_t number = 0;

	if (in->end - in->at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = *in->at++;

		if (c >= '0' && c <= '9')
			number = number << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			number = number << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return false;
	}
	*ret_number = number;
	return true;
}

/* After "\u": one code point, from two escapes when it is a surrogate pair. */
static enum un_err
read_escaped_point(struct json_reader *in, struct buf *out)
{
	uint32_t point, low;

	if (!read_hex4(in, &point) || point == 0)
		return fail(in);
	if (point >= 0xdc00 && point <= 0xdfff)
		return fail(in);
	if (point >= 0xd800 && point <= 0xdbff) {
		if (!skip_byte(in, '\\', '\\') || !skip_byte(in, 'u', 'u') ||
		    !read_hex4(in, &low) || low < 0xdc00 || low > 0xdfff)
			return fail(in);
		point = 0x10000 + ((point & 0x3ff) << 10) + (low & 0x3ff);
	}
	return append_utf8(out, point);
}

static enum un_err
read_escape(struct json_reader *in, struct buf *out)
{
	static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
	const char *found;
	char c;

	if (in->at >= in->end)
		return fail(in);
	c = *in->at++;
	if (c == 'u')
		return read_escaped_point(in, out);
	found = c ? strchr(names, c) : NULL;
	if (!found)
		return fail(in);
	return buf_append_byte(out, (uint8_t)bytes[found - names]);
}

/* Reads to the quote, the backslash or the end; what lies between is plain. */
static enum un_err
read_plain(struct json_reader *in, struct buf *out)
{
	const char *from = in->at;
	size_t len;

	while (in->at < in->end && *in->at != '"' && *in->at != '\\') {
		if ((unsigned char)*in->at < 0x20)
			return fail(in);
		in->at++;
	}
	len = (size_t)(in->at - from);
	if (!text_is_utf8(from, len))
		return fail(in);
	return buf_append(out, from, len);
}

enum un_err
json_reader_string(struct json_reader *in, struct buf *out)
{
	enum un_err err = UN_OK;

	if (json_reader_peek(in) != JSON_STRING)
		return fail(in);
	in->at++;
	while (!err) {
		err = read_plain(in, out);
		if (err)
			break;
		if (in->at >= in->end)
			return fail(in);
		if (*in->at++ == '"')
			return UN_OK;
		err = read_escape(in, out);
	}
	in->bad = true;
	return err;
}

enum un_err
json_reader_enter(struct json_reader *in)
{
	enum json_kind kind = json_reader_peek(in);

	if ((kind != JSON_ARRAY && kind != JSON_OBJECT) || in->depth == JSON_DEPTH_MAX)
		return fail(in);
	in->at++;
	in->objects &= ~(UINT32_C(1) << in->depth);
	in->objects |= (uint32_t)(kind == JSON_OBJECT) << in->depth;
	in->depth++;
	in->fresh = true;
	return UN_OK;
}

bool
json_reader_next(struct json_reader *in)
{
	bool object = in->depth && in->objects >> (in->depth - 1) & 1;
	char c = in->bad || !in->depth ? '\0' : look(in);
	bool fresh = in->fresh;

	in->fresh = false;
	if (c && c == (object ? '}' : ']')) {
		in->at++;
		in->depth--;
		return false;
	}
	if (fresh && c && c != ',')
		return true;
	if (fresh || c != ',') {
		in->bad = true;
		return false;
	}
	in->at++;
	return true;
}

enum un_err
json_reader_key(struct json_reader *in, struct buf *out)
{
	enum un_err err = json_reader_string(in, out);

	if (err)
		return err;
	if (look(in) != ':')
		return fail(in);
	in->at++;
	return UN_OK;
}

enum un_err
json_reader_error(const struct json_reader *in)
{
	return in->bad ? UN_ERR_PROTOCOL : UN_OK;
}

enum un_err
json_reader_end(struct json_reader *in)
{
	if (in->bad || in->depth)
		return UN_ERR_PROTOCOL;
	(void)look(in);
	return in->at == in->end ? UN_OK : fail(in);
}

size_t
json_reader_offset(const struct json_reader *in)
{
	return (size_t)(in->at - in->start);
}

static enum un_err
append_escaped(struct buf *out, unsigned char c)
{
	static const char shorts[] = "\b\f\n\r\t\"\\", names[] = "bfnrt\"\\";
	const char *found = strchr(shorts, c);

	if (found)
		return buf_appendf(out, "\\%c", names[found - shorts]);
	return buf_appendf(out, "\\u%04x", c);
}

enum un_err
json_append_string(struct buf *out, const char *text)
{
	enum un_err err = buf_append_byte(out, '"');

	while (!err && *text) {
		unsigned char c = (unsigned char)*text;
		size_t len = text_utf8_len(text, strnlen(text, 4));

		if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f) {
			err = append_escaped(out, c);
			len = 1;
		} else if (len == 0) {
			err = buf_append_text(out, "\\ufffd");
			len = 1;
		} else if (c == 0xc2 && (unsigned char)text[1] < 0xa0) {
			err = buf_appendf(out, "\\u%04x", (unsigned char)text[1]);
		} else {
			err = buf_append(out, text, len);
		}
		text += len;
	}
	return err ? err : buf_append_byte(out, '"');
}
