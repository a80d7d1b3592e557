#include "client/connect_error.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 16

struct json {
	const uint8_t *at;
	const uint8_t *end;
};

static void
skip_blanks(struct json *in)
{
	while (in->at < in->end &&
	       (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r'))
		in->at++;
}

static bool
take(struct json *in, uint8_t c)
{
	skip_blanks(in);
	if (in->at == in->end || *in->at != c)
		return false;
	in->at++;
	return true;
}

/* Text that may be cut; `room` counts the NUL. */
struct text {
	char *at;
	size_t len;
	size_t room;
};

static void
add_byte(struct text *out, uint8_t c)
{
	if (!out || out->len + 1 >= out->room)
		return;
	out->at[out->len++] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
	out->at[out->len] = '\0';
}

static void
add_rune(struct text *out, uint32_t rune)
{
	if (rune < 0x80) {
		add_byte(out, (uint8_t)rune);
	} else if (rune < 0x800) {
		add_byte(out, (uint8_t)(0xc0 | rune >> 6));
		add_byte(out, (uint8_t)(0x80 | (rune & 63)));
	} else if (rune < 0x10000) {
		add_byte(out, (uint8_t)(0xe0 | rune >> 12));
		add_byte(out, (uint8_t)(0x80 | (rune >> 6 & 63)));
		add_byte(out, (uint8_t)(0x80 | (rune & 63)));
	} else {
		add_byte(out, (uint8_t)(0xf0 | rune >> 18));
		add_byte(out, (uint8_t)(0x80 | (rune >> 12 & 63)));
		add_byte(out, (uint8_t)(0x80 | (rune >> 6 & 63)));
		add_byte(out, (uint8_t)(0x80 | (rune & 63)));
	}
}

static enum un_err
read_hex4(struct json *in, uint32_t *ret_unit)
{
	uint32_t unit = 0;

	if (in->end - in->at < 4)
		return UN_ERR_PROTOCOL;
	for (int i = 0; i < 4; i++) {
		uint8_t c = *in->at++;

		unit <<= 4;
		if (c >= '0' && c <= '9')
			unit |= (uint32_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			unit |= (uint32_t)(c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			unit |= (uint32_t)(c - 'A' + 10);
		else
			return UN_ERR_PROTOCOL;
	}
	*ret_unit = unit;
	return UN_OK;
}

static enum un_err
read_unicode(struct json *in, struct text *out)
{
	uint32_t unit, low;
	enum un_err err = read_hex4(in, &unit);

	if (err)
		return err;
	if (unit >= 0xdc00 && unit <= 0xdfff)
		return UN_ERR_PROTOCOL;
	if (unit >= 0xd800 && unit <= 0xdbff) {
		if (in->end - in->at < 2 || in->at[0] != '\\' || in->at[1] != 'u')
			return UN_ERR_PROTOCOL;
		in->at += 2;
		err = read_hex4(in, &low);
		if (err || low < 0xdc00 || low > 0xdfff)
			return UN_ERR_PROTOCOL;
		unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
	}
	add_rune(out, unit);
	return UN_OK;
}

static enum un_err
read_escape(struct json *in, struct text *out)
{
	static const char names[] = "\"\\/bfnrt";
	uint8_t c;

	if (in->at == in->end)
		return UN_ERR_PROTOCOL;
	c = *in->at++;
	if (c == 'u')
		return read_unicode(in, out);
	if (!c || !strchr(names, c))
		return UN_ERR_PROTOCOL;
	add_byte(out, c == '"' || c == '\\' || c == '/' ? c : ' ');
	return UN_OK;
}

/* `out` NULL skips. */
static enum un_err
read_string(struct json *in, struct text *out)
{
	if (!take(in, '"'))
		return UN_ERR_PROTOCOL;
	while (in->at < in->end) {
		uint8_t c = *in->at++;
		enum un_err err;

		if (c == '"')
			return UN_OK;
		if (c < 0x20)
			return UN_ERR_PROTOCOL;
		if (c != '\\') {
			add_byte(out, c);
			continue;
		}
		err = read_escape(in, out);
		if (err)
			return err;
	}
	return UN_ERR_PROTOCOL;
}

static enum un_err
skip_word(struct json *in)
{
	const uint8_t *from = in->at;

	while (in->at < in->end && (*in->at == '-' || *in->at == '+' || *in->at == '.' ||
	                            (*in->at >= '0' && *in->at <= '9') ||
	                            (*in->at >= 'a' && *in->at <= 'z') || *in->at == 'E'))
		in->at++;
	return in->at > from ? UN_OK : UN_ERR_PROTOCOL;
}

static enum un_err skip_value(struct json *in, int depth);

static enum un_err
skip_members(struct json *in, uint8_t close, int depth)
{
	if (depth >= DEPTH_MAX)
		return UN_ERR_PROTOCOL;
	if (take(in, close))
		return UN_OK;
	for (;;) {
		enum un_err err = UN_OK;

		if (close == '}') {
			err = read_string(in, NULL);
			if (!err && !take(in, ':'))
				err = UN_ERR_PROTOCOL;
		}
		if (!err)
			err = skip_value(in, depth + 1);
		if (err)
			return err;
		if (take(in, close))
			return UN_OK;
		if (!take(in, ','))
			return UN_ERR_PROTOCOL;
	}
}

static enum un_err
skip_value(struct json *in, int depth)
{
	if (take(in, '{'))
		return skip_members(in, '}', depth);
	if (take(in, '['))
		return skip_members(in, ']', depth);
	if (in->at < in->end && *in->at == '"')
		return read_string(in, NULL);
	return skip_word(in);
}

static enum grpc_status
status_of(const char *code)
{
	static const char *const names[] = {
	        [GRPC_CANCELLED] = "canceled",
	        [GRPC_UNKNOWN] = "unknown",
	        [GRPC_INVALID_ARGUMENT] = "invalid_argument",
	        [GRPC_DEADLINE_EXCEEDED] = "deadline_exceeded",
	        [GRPC_NOT_FOUND] = "not_found",
	        [GRPC_ALREADY_EXISTS] = "already_exists",
	        [GRPC_PERMISSION_DENIED] = "permission_denied",
	        [GRPC_RESOURCE_EXHAUSTED] = "resource_exhausted",
	        [GRPC_FAILED_PRECONDITION] = "failed_precondition",
	        [GRPC_ABORTED] = "aborted",
	        [GRPC_OUT_OF_RANGE] = "out_of_range",
	        [GRPC_UNIMPLEMENTED] = "unimplemented",
	        [GRPC_INTERNAL] = "internal",
	        [GRPC_UNAVAILABLE] = "unavailable",
	        [GRPC_DATA_LOSS] = "data_loss",
	        [GRPC_UNAUTHENTICATED] = "unauthenticated",
	};

	for (size_t i = 1; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(names[i], code) == 0)
			return (enum grpc_status)i;
	}
	return GRPC_UNKNOWN;
}

/* {"union-error": ["slug"], "union-hint": ["text"]}; other names are skipped. */
static enum un_err
read_metadata(struct json *in, struct connect_error *error)
{
	if (!take(in, '{'))
		return UN_ERR_PROTOCOL;
	if (take(in, '}'))
		return UN_OK;
	for (;;) {
		char name[32] = "";
		struct text key = {.at = name, .room = sizeof name};
		struct text slug = {.at = error->slug, .room = sizeof error->slug};
		struct text hint = {.at = error->hint, .room = sizeof error->hint};
		struct text *out = NULL;
		enum un_err err = read_string(in, &key);

		if (err || !take(in, ':'))
			return UN_ERR_PROTOCOL;
		if (strcmp(name, "union-error") == 0)
			out = &slug;
		else if (strcmp(name, "union-hint") == 0)
			out = &hint;
		if (!out)
			err = skip_value(in, 2);
		else if (!take(in, '[') || read_string(in, out) || !take(in, ']'))
			err = UN_ERR_PROTOCOL;
		if (err)
			return err;
		if (take(in, '}'))
			return UN_OK;
		if (!take(in, ','))
			return UN_ERR_PROTOCOL;
	}
}

static enum un_err read_object(struct json *in, struct connect_error *error, int depth);

static enum un_err
read_member(struct json *in, const char *name, struct connect_error *error, int depth)
{
	char code[32] = "";
	struct text to_code = {.at = code, .room = sizeof code};
	struct text to_message = {.at = error->message, .room = sizeof error->message};
	enum un_err err;

	if (strcmp(name, "code") == 0) {
		err = read_string(in, &to_code);
		error->present = true;
		error->status = status_of(code);
		return err;
	}
	if (strcmp(name, "message") == 0) {
		error->message[0] = '\0';
		return read_string(in, &to_message);
	}
	if (strcmp(name, "error") == 0 && depth == 0)
		return take(in, '{') ? read_object(in, error, 1) : UN_ERR_PROTOCOL;
	if (strcmp(name, "metadata") == 0 && depth == 0)
		return read_metadata(in, error);
	return skip_value(in, depth + 1);
}

/* Behind the opening brace. */
static enum un_err
read_object(struct json *in, struct connect_error *error, int depth)
{
	if (take(in, '}'))
		return UN_OK;
	for (;;) {
		char name[32] = "";
		struct text key = {.at = name, .room = sizeof name};
		enum un_err err = read_string(in, &key);

		if (!err && !take(in, ':'))
			err = UN_ERR_PROTOCOL;
		if (!err) {
			skip_blanks(in);
			err = read_member(in, name, error, depth);
		}
		if (err)
			return err;
		if (take(in, '}'))
			return UN_OK;
		if (!take(in, ','))
			return UN_ERR_PROTOCOL;
	}
}

enum un_err
connect_error_parse(const uint8_t *json, size_t len, struct connect_error *ret_error)
{
	struct json in = {.at = json, .end = json + len};
	struct connect_error error = {0};
	enum un_err err;

	if (!take(&in, '{'))
		return UN_ERR_PROTOCOL;
	err = read_object(&in, &error, 0);
	if (err)
		return err;
	skip_blanks(&in);
	if (in.at != in.end)
		return UN_ERR_PROTOCOL;
	*ret_error = error;
	return UN_OK;
}
