#include "net/http1.h"

#include "base/text.h"

#include <string.h>
#include <strings.h>

/* RFC 9110 token characters */
static bool
is_token(unsigned char c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return c && strchr("!#$%&'*+-.^_`|~", c);
}

enum un_err
http1_scan(const uint8_t *bytes, size_t len, size_t max, size_t *scanned, size_t *ret_len)
{
	for (size_t i = *scanned; i < len; i++) {
		uint8_t c = bytes[i];

		if (c == '\0' || (i && bytes[i - 1] == '\r' && c != '\n'))
			return UN_ERR_PROTOCOL;
		if (i >= max)
			return UN_ERR_TOO_LARGE;
		if (c != '\n')
			continue;
		if (!i || bytes[i - 1] != '\r')
			return UN_ERR_PROTOCOL;
		if (i == 1) /* an empty line where a request should begin */
			return UN_ERR_PROTOCOL;
		if (i >= 3 && bytes[i - 2] == '\n') {
			*ret_len = i + 1;
			return UN_OK;
		}
	}
	*scanned = len;
	return UN_ERR_AGAIN;
}

struct cursor {
	char *at, *end;
};

/* Takes the text up to `stop`, which must come, and `stop` itself. */
static bool
take_until(struct cursor *in, char stop, struct http1_text *ret_text)
{
	char *mark = memchr(in->at, stop, (size_t)(in->end - in->at));

	if (!mark)
		return false;
	*ret_text = (struct http1_text){in->at, (size_t)(mark - in->at)};
	in->at = mark + 1;
	return true;
}

static bool
take_line(struct cursor *in, struct http1_text *ret_line)
{
	if (!take_until(in, '\n', ret_line) || !ret_line->len ||
	    ret_line->at[ret_line->len - 1] != '\r')
		return false;
	ret_line->len--;
	return true;
}

static bool
target_is_fine(const struct http1_text *target, const struct http1_text *method)
{
	if (!target->len)
		return false;
	if (target->len == 1 && target->at[0] == '*')
		return method->len == 7 && text_equal(method->at, "OPTIONS", 7);
	if (target->at[0] != '/')
		return false;
	for (size_t i = 0; i < target->len; i++) {
		unsigned char c = (unsigned char)target->at[i];

		if (c <= 0x20 || c >= 0x7f || c == '#' || c == '\\')
			return false;
	}
	return true;
}

static int
parse_request_line(struct http1_text line, struct http1_head *head)
{
	struct cursor in = {line.at, line.at + line.len};

	if (!take_until(&in, ' ', &head->method) || !head->method.len || head->method.len > 16)
		return 400;
	for (size_t i = 0; i < head->method.len; i++) {
		if (!is_token((unsigned char)head->method.at[i]))
			return 400;
	}
	if (!take_until(&in, ' ', &head->target) || !target_is_fine(&head->target, &head->method))
		return 400;
	if (in.end - in.at != 8 || !text_equal(in.at, "HTTP/", 5) || in.at[6] != '.')
		return 400;
	if (in.at[5] != '1' || (in.at[7] != '0' && in.at[7] != '1'))
		return 505;
	head->minor = in.at[7] - '0';
	return 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static int
parse_field(struct http1_text line, struct http1_text *name, struct http1_text *value)
{
	struct cursor in = {line.at, line.at + line.len};

	/* a blank first would be a folded line; is_token refuses it, and blanks before the colon */
	if (!take_until(&in, ':', name) || !name->len)
		return 400;
	for (size_t i = 0; i < name->len; i++) {
		unsigned char c = (unsigned char)name->at[i];

		if (!is_token(c))
			return 400;
		if (c >= 'A' && c <= 'Z')
			name->at[i] = (char)(c | 0x20);
	}
	while (in.at < in.end && is_blank(in.at[0]))
		in.at++;
	while (in.end > in.at && is_blank(in.end[-1]))
		in.end--;
	for (const char *c = in.at; c < in.end; c++) {
		if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
			return 400;
	}
	*value = (struct http1_text){in.at, (size_t)(in.end - in.at)};
	return 0;
}

static bool
text_is(const struct http1_text *text, const char *word)
{
	size_t len = strlen(word);

	return text->len == len && !strncasecmp(text->at, word, len);
}

static bool
parse_length(const struct http1_text *text, uint64_t *ret_len)
{
	uint64_t len = 0;

	if (!text->len || text->len > 18) /* 18 digits cannot overflow */
		return false;
	for (size_t i = 0; i < text->len; i++) {
		if (text->at[i] < '0' || text->at[i] > '9')
			return false;
		len = len * 10 + (uint64_t)(text->at[i] - '0');
	}
	*ret_len = len;
	return true;
}

/* connection: a list of words; only close and keep-alive mean something here. */
static void
parse_connection(const struct http1_text *value, struct http1_head *head)
{
	struct cursor in = {value->at, value->at + value->len};
	bool more = true;

	while (more) {
		struct http1_text word;

		more = take_until(&in, ',', &word);
		if (!more)
			word = (struct http1_text){in.at, (size_t)(in.end - in.at)};
		while (word.len && is_blank(word.at[0])) {
			word.at++;
			word.len--;
		}
		while (word.len && is_blank(word.at[word.len - 1]))
			word.len--;
		if (text_is(&word, "close"))
			head->keep_alive = false;
		else if (text_is(&word, "keep-alive") && head->minor == 0)
			head->keep_alive = true;
	}
}

struct seen {
	bool host, length, coding;
};

/* The few fields that frame a message. */
static int
use_field(const struct http1_text *name, const struct http1_text *value, struct http1_head *head,
          struct seen *seen)
{
	if (text_is(name, "host")) {
		if (seen->host)
			return 400;
		seen->host = true;
		head->host = *value;
	} else if (text_is(name, "content-length")) {
		if (seen->length || !parse_length(value, &head->content_length))
			return 400;
		seen->length = true;
	} else if (text_is(name, "transfer-encoding")) {
		if (seen->coding || head->minor == 0)
			return 400;
		seen->coding = true;
		if (!text_is(value, "chunked"))
			return 501;
		head->chunked = true;
	} else if (text_is(name, "connection")) {
		parse_connection(value, head);
	} else if (text_is(name, "expect")) {
		if (!text_is(value, "100-continue"))
			return 417;
		head->expect_continue = head->minor == 1;
	}
	return 0;
}

int
http1_parse(char *bytes, size_t len, size_t field_max, struct http1_head *head)
{
	struct cursor in = {bytes, bytes + len};
	struct seen seen = {false, false, false};
	struct http1_text line;
	int status;

	head->field_count = 0;
	head->host = (struct http1_text){bytes, 0};
	head->expect_continue = head->chunked = false;
	head->content_length = HTTP1_LEN_UNKNOWN;
	if (!take_line(&in, &line))
		return 400;
	status = parse_request_line(line, head);
	if (status)
		return status;
	head->keep_alive = head->minor == 1;
	for (;;) {
		size_t at = head->field_count;

		if (!take_line(&in, &line))
			return 400;
		if (!line.len)
			break;
		if (at >= field_max || at >= HTTP1_FIELDS_MAX)
			return 431;
		status = parse_field(line, &head->fields[at].name, &head->fields[at].value);
		if (!status)
			status = use_field(&head->fields[at].name, &head->fields[at].value, head,
			                   &seen);
		if (status)
			return status;
		head->field_count++;
	}
	if (in.at != in.end || (seen.length && seen.coding))
		return 400;
	if (head->minor == 1 && (!seen.host || !head->host.len))
		return 400;
	return 0;
}

/* ---- bodies ---- */

void
http1_body_init(struct http1_body *body, const struct http1_head *head)
{
	*body = (struct http1_body){.state = HTTP1_BODY_DONE};
	if (head->chunked) {
		body->state = HTTP1_CHUNK_LEN;
	} else if (head->content_length != HTTP1_LEN_UNKNOWN && head->content_length) {
		body->state = HTTP1_BODY_PLAIN;
		body->left = head->content_length;
	}
}

bool
http1_body_is_done(const struct http1_body *body)
{
	return body->state == HTTP1_BODY_DONE;
}

/* One byte of a chunk's length line. */
static enum un_err
chunk_len(struct http1_body *body, uint8_t c)
{
	int digit = text_hex_digit((char)c);

	if (digit >= 0) {
		if (++body->digits > 15)
			return UN_ERR_PROTOCOL;
		body->left = body->left * 16 + (uint64_t)digit;
		return UN_OK;
	}
	if (c != '\r' || !body->digits)
		return UN_ERR_PROTOCOL;
	body->state = HTTP1_CHUNK_LEN_LF;
	return UN_OK;
}

static enum un_err
expect(struct http1_body *body, uint8_t c, char wanted, int next)
{
	if (c != (uint8_t)wanted)
		return UN_ERR_PROTOCOL;
	body->state = (unsigned)next;
	return UN_OK;
}

/* One byte of what stands around the data of chunks. */
static enum un_err
body_byte(struct http1_body *body, uint8_t c)
{
	switch (body->state) {
	case HTTP1_CHUNK_LEN:
		return chunk_len(body, c);
	case HTTP1_CHUNK_LEN_LF:
		return expect(body, c, '\n', body->left ? HTTP1_CHUNK_DATA : HTTP1_LAST_CR);
	case HTTP1_CHUNK_CR:
		return expect(body, c, '\r', HTTP1_CHUNK_LF);
	case HTTP1_CHUNK_LF:
		body->digits = 0;
		body->left = 0;
		return expect(body, c, '\n', HTTP1_CHUNK_LEN);
	case HTTP1_LAST_CR: /* no trailers: nobody who calls us sends any */
		return expect(body, c, '\r', HTTP1_LAST_LF);
	case HTTP1_LAST_LF:
		return expect(body, c, '\n', HTTP1_BODY_DONE);
	default:
		return UN_ERR_PROTOCOL;
	}
}

enum un_err
http1_body_next(struct http1_body *body, const uint8_t **at, size_t *left,
                const uint8_t **ret_piece, size_t *ret_len)
{
	*ret_len = 0;
	while (*left && body->state != HTTP1_BODY_DONE) {
		enum un_err err;

		if (body->state == HTTP1_BODY_PLAIN || body->state == HTTP1_CHUNK_DATA) {
			size_t len = body->left < *left ? (size_t)body->left : *left;

			*ret_piece = *at;
			*ret_len = len;
			*at += len;
			*left -= len;
			body->left -= len;
			if (!body->left)
				body->state = body->state == HTTP1_BODY_PLAIN ? HTTP1_BODY_DONE
				                                              : HTTP1_CHUNK_CR;
			return UN_OK;
		}
		err = body_byte(body, **at);
		if (err)
			return err;
		++*at;
		--*left;
	}
	return UN_OK;
}
