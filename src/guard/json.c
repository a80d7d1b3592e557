/* json.c - the strings of JSON texts, one or more of them (JSON lines), by their places.
 *
 * Not a judge of JSON: what is malformed is a text like any other, which was searched already. */
#include "guard/inside.h"

#include "base/text.h"

#include <string.h>

#define NESTING_MAX 64

struct json_walk {
	struct guard *guard;
	const char *at, *end;
	struct buf plain; /* the last string, decoded */
	unsigned nesting;
};

static enum un_err walk_value(struct json_walk *walk);

static char
peek(struct json_walk *walk)
{
	while (walk->at < walk->end &&
	       (*walk->at == ' ' || *walk->at == '\n' || *walk->at == '\r' || *walk->at == '\t'))
		walk->at++;
	return walk->at < walk->end ? *walk->at : '\0';
}

static bool
hex4(const char *at, const char *end, uint32_t *ret_code)
{
	*ret_code = 0;
	if (end - at < 4)
		return false;
	for (unsigned i = 0; i < 4; i++) {
		int digit = text_hex_digit(at[i]);

		if (digit < 0)
			return false;
		*ret_code = *ret_code << 4 | (uint32_t)digit;
	}
	return true;
}

static enum un_err
append_code(struct buf *out, uint32_t code)
{
	uint8_t bytes[4];
	size_t len = 0;

	if (code < 0x80) {
		bytes[len++] = (uint8_t)code;
	} else if (code < 0x800) {
		bytes[len++] = (uint8_t)(0xc0 | code >> 6);
	} else if (code < 0x10000) {
		bytes[len++] = (uint8_t)(0xe0 | code >> 12);
		bytes[len++] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
	} else {
		bytes[len++] = (uint8_t)(0xf0 | code >> 18);
		bytes[len++] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
		bytes[len++] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
	}
	if (code >= 0x80)
		bytes[len++] = (uint8_t)(0x80 | (code & 0x3f));
	return buf_append(out, bytes, len);
}

/* Behind a backslash. UN_ERR_PROTOCOL. */
static enum un_err
decode_escape(struct json_walk *walk)
{
	static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *letter;
	uint32_t code, low;

	if (walk->at == walk->end)
		return UN_ERR_PROTOCOL;
	letter = *walk->at ? strchr(letters, *walk->at) : NULL;
	if (letter) {
		walk->at++;
		return buf_append_byte(&walk->plain, (uint8_t)meant[letter - letters]);
	}
	if (*walk->at != 'u' || !hex4(walk->at + 1, walk->end, &code))
		return UN_ERR_PROTOCOL;
	walk->at += 5;
	if (code >> 10 == 0x36 && walk->end - walk->at >= 6 && walk->at[0] == '\\' &&
	    walk->at[1] == 'u' && hex4(walk->at + 2, walk->end, &low) && low >> 10 == 0x37) {
		code = 0x10000 + ((code & 0x3ff) << 10 | (low & 0x3ff));
		walk->at += 6;
	}
	return append_code(&walk->plain, code);
}

/* Reads a string, whose quote is next. *ret_text is lent by the input, or by `plain`. */
static enum un_err
read_string(struct json_walk *walk, const char **ret_text, size_t *ret_len, bool *ret_decoded)
{
	const char *start = ++walk->at;
	bool decoded = false;

	buf_clear(&walk->plain);
	for (;;) {
		enum un_err err;

		while (walk->at < walk->end && *walk->at != '"' && *walk->at != '\\')
			walk->at++;
		if (walk->at == walk->end)
			return UN_ERR_PROTOCOL;
		if (*walk->at == '"' && !decoded) {
			*ret_text = start;
			*ret_len = (size_t)(walk->at++ - start);
			*ret_decoded = false;
			return UN_OK;
		}
		err = buf_append(&walk->plain, start, (size_t)(walk->at - start));
		if (err)
			return err;
		if (*walk->at++ == '"')
			break;
		decoded = true;
		err = decode_escape(walk);
		if (err)
			return err;
		start = walk->at;
	}
	*ret_text = buf_text(&walk->plain);
	*ret_len = walk->plain.len;
	*ret_decoded = true;
	return UN_OK;
}

static enum un_err
walk_string(struct json_walk *walk)
{
	bool decoded, before = walk->guard->searched;
	const char *text;
	size_t len;
	enum un_err err = read_string(walk, &text, &len, &decoded);

	if (err)
		return err;
	if (decoded) /* these bytes are new */
		walk->guard->searched = false;
	err = guard_text(walk->guard, text, len);
	walk->guard->searched = before;
	return err;
}

static enum un_err
walk_number(struct json_walk *walk)
{
	const char *start = walk->at;
	int64_t number = 0;
	bool plain = true;

	while (walk->at < walk->end && strchr("+-.0123456789eE", *walk->at) && *walk->at) {
		plain = plain && *walk->at >= '0' && *walk->at <= '9' && number < 1000;
		number = plain ? number * 10 + (*walk->at - '0') : number;
		walk->at++;
	}
	if (walk->at == start)
		return UN_ERR_PROTOCOL;
	return plain ? guard_join_number(walk->guard, number) : UN_OK;
}

static enum un_err
walk_member(struct json_walk *walk)
{
	const char *key;
	size_t len, mark;
	bool decoded;
	enum un_err err =
		peek(walk) == '"' ? read_string(walk, &key, &len, &decoded) : UN_ERR_PROTOCOL;

	if (err)
		return err;
	mark = guard_enter_name(walk->guard, ".", key, len, "");
	err = guard_part(walk->guard, (const uint8_t *)key, len, false);
	if (!err && peek(walk) != ':')
		err = UN_ERR_PROTOCOL;
	if (!err) {
		walk->at++;
		err = walk_value(walk);
	}
	guard_leave(walk->guard, mark);
	return err;
}

static enum un_err
walk_items(struct json_walk *walk, char close)
{
	struct list list = guard_list_begin(walk->guard);
	enum un_err err = UN_OK;

	walk->at++;
	for (size_t i = 0; !err && peek(walk) != close; i++) {
		if (i) {
			if (peek(walk) != ',') {
				err = UN_ERR_PROTOCOL;
				break;
			}
			walk->at++;
		}
		if (close == '}') {
			err = walk_member(walk);
		} else {
			size_t mark = guard_enter(walk->guard, "[%zu]", i);

			err = walk_value(walk);
			guard_leave(walk->guard, mark);
		}
	}
	walk->at += !err;
	if (err == UN_ERR_PROTOCOL) {
		enum un_err end = guard_list_end(walk->guard, list);

		return end ? end : err;
	}
	return err ? err : guard_list_end(walk->guard, list);
}

static enum un_err
walk_value(struct json_walk *walk)
{
	char next = peek(walk);
	enum un_err err;

	if (next == '"')
		return walk_string(walk);
	if (next == '{' || next == '[') {
		if (walk->nesting == NESTING_MAX || guard_tick(walk->guard))
			return UN_ERR_PROTOCOL;
		walk->nesting++;
		err = walk_items(walk, next == '{' ? '}' : ']');
		walk->nesting--;
		return err;
	}
	if (next == 't' || next == 'f' || next == 'n' || next == 'N' || next == 'I') {
		while (walk->at < walk->end && *walk->at >= 'A' && *walk->at <= 'z')
			walk->at++;
		return UN_OK;
	}
	return walk_number(walk);
}

enum un_err
walk_json(struct guard *guard, const uint8_t *bytes, size_t len)
{
	struct json_walk walk = {
		.guard = guard, .at = (const char *)bytes, .end = (const char *)bytes + len};
	enum un_err err = UN_OK;

	if (len > GUARD_TEXT_MAX) {
		guard_blind_here(guard, "is too long to look into the strings of its JSON");
		return UN_OK;
	}
	buf_init(&walk.plain, len, BUF_WIPE);
	for (size_t i = 0; !err && peek(&walk); i++) {
		size_t mark = guard_enter(guard, "%s", "");

		if (i) /* JSON lines */
			(void)guard_enter(guard, " line %zu", i + 1);
		err = walk_value(&walk);
		guard_leave(guard, mark);
	}
	buf_fini(&walk.plain);
	return err == UN_ERR_PROTOCOL ? UN_OK : err;
}
