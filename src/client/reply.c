#include "client/reply.h"

#include "base/text.h"
#include "client/connect_error.h"
#include "client/percent.h"

#include <string.h>
#include <strings.h>

#define TRAILER_MAX 8192
#define CHUNK_DIGITS_MAX 8

static bool
is_token(uint8_t c)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr(others, c));
}

size_t
reply_head_len(const uint8_t *bytes, size_t len)
{
	const uint8_t *end = len ? memmem(bytes, len, "\r\n\r\n", 4) : NULL;

	return end ? (size_t)(end - bytes) + 4 : 0;
}

/* One line without its CRLF; no other control character but TAB may be in it. */
struct line {
	const char *text;
	size_t len;
};

static enum un_err
next_line(const uint8_t **at, const uint8_t *end, struct line *ret_line)
{
	const uint8_t *eol = memmem(*at, (size_t)(end - *at), "\r\n", 2);

	if (!eol)
		return UN_ERR_PROTOCOL;
	for (const uint8_t *p = *at; p < eol; p++) {
		if ((*p < 0x20 && *p != '\t') || *p == 0x7f)
			return UN_ERR_PROTOCOL;
	}
	*ret_line = (struct line){.text = (const char *)*at, .len = (size_t)(eol - *at)};
	*at = eol + 2;
	return UN_OK;
}

static enum un_err
parse_status(const struct line *line, struct reply_head *head)
{
	static const char version[] = "HTTP/1.1 ";
	size_t start = sizeof version - 1;

	if (line->len < start + 3 || strncmp(line->text, version, start) != 0)
		return UN_ERR_PROTOCOL;
	if (line->len > start + 3 && line->text[start + 3] != ' ')
		return UN_ERR_PROTOCOL;
	for (size_t i = start; i < start + 3; i++) {
		if (line->text[i] < '0' || line->text[i] > '9')
			return UN_ERR_PROTOCOL;
		head->status = head->status * 10 + (line->text[i] - '0');
	}
	return head->status >= 100 && head->status <= 599 ? UN_OK : UN_ERR_PROTOCOL;
}

static enum un_err
copy_field(char *out, size_t size, struct line value)
{
	if (out[0] || value.len >= size)
		return UN_ERR_PROTOCOL;
	memcpy(out, value.text, value.len);
	out[value.len] = '\0';
	return UN_OK;
}

static enum un_err
parse_length(struct reply_head *head, struct line value)
{
	int64_t number = 0;

	if (head->content_length >= 0 || !value.len || value.len > 18)
		return UN_ERR_PROTOCOL;
	for (size_t i = 0; i < value.len; i++) {
		if (value.text[i] < '0' || value.text[i] > '9')
			return UN_ERR_PROTOCOL;
		number = number * 10 + (value.text[i] - '0');
	}
	head->content_length = number;
	return UN_OK;
}

static bool
is_named(struct line name, const char *wanted)
{
	return name.len == strlen(wanted) && strncasecmp(name.text, wanted, name.len) == 0;
}

static enum un_err
take_field(struct reply_head *head, struct line name, struct line value)
{
	if (is_named(name, "content-length"))
		return parse_length(head, value);
	if (is_named(name, "transfer-encoding")) {
		if (head->chunked || !is_named(value, "chunked"))
			return UN_ERR_PROTOCOL;
		head->chunked = true;
	} else if (is_named(name, "content-encoding")) {
		return is_named(value, "identity") ? UN_OK : UN_ERR_PROTOCOL; /* never asked for */
	} else if (is_named(name, "connection")) {
		head->close = is_named(value, "close");
	} else if (is_named(name, "content-type")) {
		return copy_field(head->content_type, sizeof head->content_type, value);
	} else if (is_named(name, "union-error")) {
		return copy_field(head->slug, sizeof head->slug, value);
	} else if (is_named(name, "union-hint")) {
		return percent_decode(value.text, value.len, head->hint, sizeof head->hint);
	}
	return UN_OK;
}

static enum un_err
parse_field(struct reply_head *head, const struct line *line)
{
	struct line name = {.text = line->text}, value;

	while (name.len < line->len && is_token((uint8_t)line->text[name.len]))
		name.len++;
	if (!name.len || name.len == line->len || line->text[name.len] != ':')
		return UN_ERR_PROTOCOL;
	value = (struct line){.text = line->text + name.len + 1, .len = line->len - name.len - 1};
	while (value.len && (*value.text == ' ' || *value.text == '\t')) {
		value.text++;
		value.len--;
	}
	while (value.len && (value.text[value.len - 1] == ' ' || value.text[value.len - 1] == '\t'))
		value.len--;
	return take_field(head, name, value);
}

enum un_err
reply_parse_head(const uint8_t *bytes, size_t len, struct reply_head *ret_head)
{
	struct reply_head head = {.content_length = -1};
	const uint8_t *at = bytes, *end = bytes + len;
	struct line line;
	enum un_err err;

	if (len > REPLY_HEAD_MAX || len < 4)
		return UN_ERR_PROTOCOL;
	err = next_line(&at, end, &line);
	if (err == UN_OK)
		err = parse_status(&line, &head);
	while (err == UN_OK) {
		err = next_line(&at, end, &line);
		if (err || !line.len)
			break;
		err = parse_field(&head, &line);
	}
	if (err)
		return err;
	if (at != end || (head.chunked && head.content_length >= 0))
		return UN_ERR_PROTOCOL;
	if (head.status >= 200 && head.status != 204 && head.status != 304 && !head.chunked &&
	    head.content_length < 0)
		return UN_ERR_PROTOCOL; /* a body that ends with the connection may be cut unseen */
	*ret_head = head;
	return UN_OK;
}

enum body_state {
	BODY_PLAIN,
	BODY_CHUNK_SIZE,
	BODY_CHUNK_SIZE_LF,
	BODY_CHUNK_DATA,
	BODY_CHUNK_CR,
	BODY_CHUNK_LF,
	BODY_TRAILER,
	BODY_TRAILER_LF,
	BODY_DONE,
};

void
reply_body_init(struct reply_body *body, const struct reply_head *head)
{
	*body = (struct reply_body){.line_empty = true};
	if (head->chunked) {
		body->state = BODY_CHUNK_SIZE;
		return;
	}
	body->left = head->content_length > 0 ? (uint64_t)head->content_length : 0;
	body->state = body->left ? BODY_PLAIN : BODY_DONE;
}

bool
reply_body_is_done(const struct reply_body *body)
{
	return body->state == BODY_DONE;
}

static enum un_err
push_size(struct reply_body *body, uint8_t c)
{
	int digit = text_hex_digit((char)c);

	if (c == '\r' && body->digits) {
		body->state = BODY_CHUNK_SIZE_LF;
		return UN_OK;
	}
	if (digit < 0 || ++body->digits > CHUNK_DIGITS_MAX)
		return UN_ERR_PROTOCOL; /* chunk extensions included: nobody sends them */
	body->left = body->left << 4 | (uint64_t)digit;
	return UN_OK;
}

static enum un_err
push_trailer(struct reply_body *body, uint8_t c)
{
	if (++body->trailer > TRAILER_MAX || c == '\n' || c == '\0')
		return UN_ERR_PROTOCOL;
	if (c == '\r')
		body->state = BODY_TRAILER_LF;
	else
		body->line_empty = false;
	return UN_OK;
}

/* Everything between data: sizes, line ends, trailers. */
static enum un_err
push_framing(struct reply_body *body, uint8_t c)
{
	switch ((enum body_state)body->state) {
	case BODY_CHUNK_SIZE:
		return push_size(body, c);
	case BODY_TRAILER:
		return push_trailer(body, c);
	case BODY_CHUNK_CR:
		body->state = BODY_CHUNK_LF;
		return c == '\r' ? UN_OK : UN_ERR_PROTOCOL;
	case BODY_CHUNK_SIZE_LF:
		body->state = body->left ? BODY_CHUNK_DATA : BODY_TRAILER;
		return c == '\n' ? UN_OK : UN_ERR_PROTOCOL;
	case BODY_CHUNK_LF:
		body->state = BODY_CHUNK_SIZE;
		body->digits = 0;
		return c == '\n' ? UN_OK : UN_ERR_PROTOCOL;
	case BODY_TRAILER_LF:
		body->state = body->line_empty ? BODY_DONE : BODY_TRAILER;
		body->line_empty = true;
		return c == '\n' ? UN_OK : UN_ERR_PROTOCOL;
	case BODY_PLAIN:
	case BODY_CHUNK_DATA:
	case BODY_DONE:
		break;
	}
	return UN_ERR_PROTOCOL;
}

enum un_err
reply_body_push(struct reply_body *body, const uint8_t *bytes, size_t len,
                struct reply_piece *ret_piece)
{
	struct reply_piece piece = {.data = bytes};

	while (piece.used < len && body->state != BODY_DONE) {
		enum un_err err;

		if (body->state == BODY_PLAIN || body->state == BODY_CHUNK_DATA) {
			size_t room = len - piece.used;

			piece.data = bytes + piece.used;
			piece.len = body->left < room ? (size_t)body->left : room;
			piece.used += piece.len;
			body->left -= piece.len;
			if (!body->left)
				body->state = body->state == BODY_PLAIN ? BODY_DONE : BODY_CHUNK_CR;
			break;
		}
		err = push_framing(body, bytes[piece.used++]);
		if (err)
			return err;
	}
	*ret_piece = piece;
	return UN_OK;
}

static enum un_err
err_from_status(int status)
{
	switch (status) {
	case 400:
		return UN_ERR_INVALID;
	case 401:
		return UN_ERR_UNAUTHENTICATED;
	case 403:
		return UN_ERR_DENIED;
	case 404:
		return UN_ERR_UNSUPPORTED; /* of the path, not of the thing asked for */
	case 408:
	case 504:
		return UN_ERR_TIMEOUT;
	case 413:
		return UN_ERR_TOO_LARGE;
	case 429:
	case 502:
	case 503:
		return UN_ERR_UNREACHABLE;
	default:
		return UN_ERR_INTERNAL;
	}
}

static bool
slug_is_known(const char *slug)
{
	return slug[0] && strcmp(un_err_slug(un_err_from_slug(slug)), slug) == 0;
}

static void
fill_detail(struct un_detail *detail, const char *message, const char *hint)
{
	if (!detail)
		return;
	if (message[0])
		(void)un_fail(detail, UN_OK, "%s", message);
	if (hint[0])
		un_hint(detail, "%s", hint);
}

enum un_err
reply_read_error(const struct reply_head *head, const uint8_t *json, size_t len,
            struct un_detail *detail)
{
	struct connect_error error = {0};
	bool is_json = strncasecmp(head->content_type, "application/json", 16) == 0;

	if (!is_json || connect_error_parse(json, len, &error) || !error.present)
		error = (struct connect_error){0};
	fill_detail(detail, error.message, head->hint[0] ? head->hint : error.hint);
	if (slug_is_known(head->slug))
		return un_err_from_slug(head->slug);
	if (error.present)
		return un_err_from_grpc(error.status);
	if (detail && !detail->message[0])
		(void)un_fail(detail, UN_OK, "the server answered with HTTP status %d",
		              head->status);
	return err_from_status(head->status);
}

enum un_err
reply_read_end(const uint8_t *json, size_t len, struct un_detail *detail)
{
	struct connect_error error = {0};

	if (connect_error_parse(json, len, &error))
		return un_fail(detail, UN_ERR_PROTOCOL,
		               "the server ended a stream with a malformed message");
	if (!error.present)
		return UN_OK;
	fill_detail(detail, error.message, error.hint);
	if (slug_is_known(error.slug))
		return un_err_from_slug(error.slug);
	return un_err_from_grpc(error.status);
}
