#include "rpc/json_scan.h"

#include "base/text.h"

#include "model/wire.h"

#include <stdint.h>
#include <string.h>

enum un_err
json_refuse(struct json_scan *in, const char *why)
{
	return un_fail(in->detail, UN_ERR_PROTOCOL, "malformed JSON at byte %zu%s%s%s: %s",
	               (size_t)(in->at - in->start), in->field ? ", in field '" : "",
	               in->field ? in->field : "", in->field ? "'" : "", why);
}

void *
json_alloc(struct json_scan *in, size_t len)
{
	void *block = in->allocator->alloc(in->allocator->allocator_data, len);

	if (block)
		memset(block, 0, len);
	return block;
}

void
json_free(struct json_scan *in, void *block)
{
	if (block)
		in->allocator->free(in->allocator->allocator_data, block);
}

char
json_peek(struct json_scan *in)
{
	while (in->at < in->end &&
	       (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r'))
		in->at++;
	return in->at < in->end ? *in->at : '\0';
}

bool
json_take(struct json_scan *in, char wanted)
{
	if (json_peek(in) != wanted || in->at == in->end)
		return false;
	in->at++;
	return true;
}

enum un_err
json_expect(struct json_scan *in, char wanted)
{
	char why[] = "expected ' '";

	if (json_take(in, wanted))
		return UN_OK;
	why[10] = wanted;
	return json_refuse(in, why);
}

bool
json_take_word(struct json_scan *in, const char *word)
{
	size_t len = strlen(word);

	(void)json_peek(in);
	if ((size_t)(in->end - in->at) < len || !text_equal(in->at, word, len))
		return false;
	in->at += len;
	return true;
}

enum un_err
json_enter(struct json_scan *in)
{
	if (in->depth >= JSON_DEPTH_MAX)
		return json_refuse(in, "nested too deep");
	in->depth++;
	return UN_OK;
}

void
json_leave(struct json_scan *in)
{
	in->depth--;
}

/* ---- strings ---- */

static int
hex4(const char *at)
{
	int code = 0;

	for (int i = 0; i < 4; i++) {
		char c = at[i];
		int digit = c >= '0' && c <= '9'   ? c - '0'
		            : c >= 'a' && c <= 'f' ? c - 'a' + 10
		            : c >= 'A' && c <= 'F' ? c - 'A' + 10
		                                   : -1;

		if (digit < 0)
			return -1;
		code = code * 16 + digit;
	}
	return code;
}

/* The length of the escape at `at` (which is a backslash), 0 if it is none. */
static size_t
escape_len(const char *at, const char *end)
{
	int code, low;

	if (end - at < 2)
		return 0;
	if (at[1] != 'u')
		return at[1] && strchr("\"\\/bfnrt", at[1]) ? 2 : 0;
	code = end - at < 6 ? -1 : hex4(at + 2);
	if (code < 0 || (code >= 0xdc00 && code < 0xe000))
		return 0;
	if (code < 0xd800 || code >= 0xe000)
		return 6;
	/* the first half of a pair: the second must follow */
	if (end - at < 12 || at[6] != '\\' || at[7] != 'u')
		return 0;
	low = hex4(at + 8);
	return low >= 0xdc00 && low < 0xe000 ? 12 : 0;
}

enum un_err
json_take_raw(struct json_scan *in, struct json_slice *ret_raw, bool *ret_escaped)
{
	const char *from;

	if (json_peek(in) != '"')
		return json_refuse(in, "expected a string");
	from = ++in->at;
	*ret_escaped = false;
	while (in->at < in->end && *in->at != '"') {
		size_t step = 1;

		if ((unsigned char)*in->at < 0x20)
			return json_refuse(in, "a control character in a string");
		if (*in->at == '\\') {
			*ret_escaped = true;
			step = escape_len(in->at, in->end);
		}
		if (!step)
			return json_refuse(in, "a bad escape");
		in->at += step;
	}
	if (in->at >= in->end)
		return json_refuse(in, "the string does not end");
	*ret_raw = (struct json_slice){from, (size_t)(in->at - from)};
	if (ret_raw->len && wire_utf8_len((const uint8_t *)from, ret_raw->len) != ret_raw->len)
		return json_refuse(in, "a string that is not UTF-8");
	in->at++;
	return UN_OK;
}

static size_t
put_utf8(char *text, unsigned code)
{
	if (code < 0x80) {
		text[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		text[0] = (char)(0xc0 | code >> 6);
		text[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		text[0] = (char)(0xe0 | code >> 12);
		text[1] = (char)(0x80 | (code >> 6 & 0x3f));
		text[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	text[0] = (char)(0xf0 | code >> 18);
	text[1] = (char)(0x80 | (code >> 12 & 0x3f));
	text[2] = (char)(0x80 | (code >> 6 & 0x3f));
	text[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

size_t
json_decode_raw(const struct json_slice *raw, char *text)
{
	static const char plain[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
	const char *at = raw->at, *end = raw->at + raw->len;
	size_t len = 0;

	while (at < end) {
		unsigned code;

		if (*at != '\\') {
			text[len++] = *at++;
			continue;
		}
		if (at[1] != 'u') {
			text[len++] = strchr(plain, at[1])[1];
			at += 2;
			continue;
		}
		code = (unsigned)hex4(at + 2);
		at += 6;
		if (code >= 0xd800 && code < 0xdc00) {
			code = 0x10000 + ((code - 0xd800) << 10) +
			       ((unsigned)hex4(at + 2) - 0xdc00);
			at += 6;
		}
		len += put_utf8(text + len, code);
	}
	text[len] = '\0';
	return len;
}

enum un_err
json_take_string(struct json_scan *in, char **ret_text, size_t *ret_len)
{
	struct json_slice raw;
	bool escaped;
	enum un_err err = json_take_raw(in, &raw, &escaped);
	char *text;

	if (err)
		return err;
	text = json_alloc(in, raw.len + 1);
	if (!text)
		return UN_ERR_NO_MEMORY;
	if (escaped) {
		*ret_len = json_decode_raw(&raw, text);
	} else {
		memcpy(text, raw.at, raw.len);
		*ret_len = raw.len;
	}
	if (memchr(text, '\0', *ret_len)) {
		json_free(in, text);
		return json_refuse(in, "text with a NUL in it");
	}
	*ret_text = text;
	return UN_OK;
}

/* ---- numbers and the rest ---- */

static const char *
skip_digits(const char *at, const char *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

/* Where the number at `at` ends; NULL: there is none. */
static const char *
number_end(const char *at, const char *end)
{
	const char *from;

	if (at < end && *at == '-')
		at++;
	from = at;
	at = skip_digits(at, end);
	if (at == from || (*from == '0' && at - from > 1))
		return NULL;
	if (at < end && *at == '.') {
		from = ++at;
		at = skip_digits(at, end);
		if (at == from)
			return NULL;
	}
	if (at < end && (*at == 'e' || *at == 'E')) {
		at++;
		if (at < end && (*at == '+' || *at == '-'))
			at++;
		from = at;
		at = skip_digits(at, end);
		if (at == from)
			return NULL;
	}
	return at;
}

bool
json_is_number(const struct json_slice *slice)
{
	return number_end(slice->at, slice->at + slice->len) == slice->at + slice->len;
}

enum un_err
json_take_number(struct json_scan *in, struct json_slice *ret_number)
{
	const char *end;

	(void)json_peek(in);
	end = number_end(in->at, in->end);
	if (!end)
		return json_refuse(in, "expected a number");
	*ret_number = (struct json_slice){in->at, (size_t)(end - in->at)};
	in->at = end;
	return UN_OK;
}

static enum un_err
skip_members(struct json_scan *in, char close, bool named)
{
	bool first = true;

	while (!json_take(in, close)) {
		struct json_slice raw;
		bool escaped;
		enum un_err err = first ? UN_OK : json_expect(in, ',');

		if (!err && named)
			err = json_take_raw(in, &raw, &escaped);
		if (!err && named)
			err = json_expect(in, ':');
		if (!err)
			err = json_skip(in);
		if (err)
			return err;
		first = false;
	}
	return UN_OK;
}

enum un_err
json_skip(struct json_scan *in)
{
	char next = json_peek(in);
	struct json_slice slice;
	bool escaped;
	enum un_err err;

	if (next == '"')
		return json_take_raw(in, &slice, &escaped);
	if (next == '{' || next == '[') {
		err = json_enter(in);
		if (err)
			return err;
		in->at++;
		err = skip_members(in, next == '{' ? '}' : ']', next == '{');
		json_leave(in);
		return err;
	}
	if (json_take_word(in, "null") || json_take_word(in, "true") || json_take_word(in, "false"))
		return UN_OK;
	return json_take_number(in, &slice);
}
