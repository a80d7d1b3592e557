/* json.h - reads JSON piece by piece, without a tree, and writes its strings.
 *
 * Strict RFC 8259: UTF-8, no comments, no trailing commas. Numbers are handed out as they are
 * written, so that 64-bit integers stay exact; depth is limited. After the first error every call
 * fails. One reader belongs to one thread. */
#ifndef MODEL_JSON_H
#define MODEL_JSON_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 32
#define JSON_NUMBER_MAX 64 /* bytes of one number, with its NUL */

enum json_kind {
	JSON_BAD, /* the end, or what begins no value */
	JSON_NULL,
	JSON_TRUE,
	JSON_FALSE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_reader {
	const char *start, *at, *end;
	unsigned depth;
	uint32_t objects; /* bit n: what was entered at depth n is an object */
	bool fresh; /* an array or object was entered, and nothing of it read yet */
	bool bad;
};

void json_reader_init(struct json_reader *in, const char *text, size_t len);
/* What the next value begins as; reads nothing. */
enum json_kind json_reader_peek(struct json_reader *in);

/* Each reads one value of its kind. UN_ERR_PROTOCOL. */
MUST_CHECK enum un_err json_reader_word(struct json_reader *in); /* null, true or false */
MUST_CHECK enum un_err json_reader_number(struct json_reader *in, char text[JSON_NUMBER_MAX]);
/* Appends the decoded bytes. A NUL (\u0000) is refused: our strings end with one. */
MUST_CHECK enum un_err json_reader_string(struct json_reader *in, struct buf *out);

/* An array or object: enter, then json_reader_next before each item; it returns false at the end
 * (which it reads) and on an error. In an object json_reader_key comes before each value. err =
 * json_reader_enter(in); while (!err && json_reader_next(in)) ... err = err ? err :
 * json_reader_error(in) */
MUST_CHECK enum un_err json_reader_enter(struct json_reader *in);
bool json_reader_next(struct json_reader *in);
MUST_CHECK enum un_err json_reader_key(struct json_reader *in, struct buf *out);
/* UN_ERR_PROTOCOL once anything was wrong. */
MUST_CHECK enum un_err json_reader_error(const struct json_reader *in);
/* Nothing but blanks is left. */
MUST_CHECK enum un_err json_reader_end(struct json_reader *in);
/* Where the reader stands: bytes from the start. */
size_t json_reader_offset(const struct json_reader *in);

/* Appends a string in quotes. Control bytes are escaped, also those above 0x7f that a terminal may
 * obey; bytes that are not UTF-8 become U+FFFD. */
MUST_CHECK enum un_err json_append_string(struct buf *out, const char *text);

#endif
