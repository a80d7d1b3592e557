/* json_scan.h - reading JSON text piece by piece: strings, numbers, words, and skipping. Only
 * json_*.c include this. */
#ifndef RPC_JSON_SCAN_H
#define RPC_JSON_SCAN_H

#include "rpc/json.h"

#include <stdbool.h>

struct json_scan {
	const char *start, *at, *end;
	ProtobufCAllocator *allocator;
	unsigned flags;
	unsigned depth;
	const char *field; /* the innermost field, for messages to people */
	struct un_detail *detail;
};

/* A lent slice of the text. */
struct json_slice {
	const char *at;
	size_t len;
};

/* What is wrong here, never what stands there. */
MUST_CHECK enum un_err json_refuse(struct json_scan *in, const char *why);

char json_peek(struct json_scan *in); /* the next character that is no blank; '\0' at the end */
bool json_take(struct json_scan *in, char wanted);
MUST_CHECK enum un_err json_expect(struct json_scan *in, char wanted);
/* "null", "true", "false". */
bool json_take_word(struct json_scan *in, const char *word);
/* Goes one level down; json_leave comes up again. */
MUST_CHECK enum un_err json_enter(struct json_scan *in);
void json_leave(struct json_scan *in);

/* Checks a string and lends its inside as it stands, escapes and all. *ret_escaped: it has some. */
MUST_CHECK enum un_err json_take_raw(struct json_scan *in, struct json_slice *ret_raw,
                                     bool *ret_escaped);
/* Decodes what json_take_raw checked; `text` has room for raw->len + 1 bytes. Returns the length.
 */
size_t json_decode_raw(const struct json_slice *raw, char *text);
/* A string in new memory, with its NUL; a NUL inside is refused. */
MUST_CHECK enum un_err json_take_string(struct json_scan *in, char **ret_text, size_t *ret_len);
/* A number of JSON's grammar. */
MUST_CHECK enum un_err json_take_number(struct json_scan *in, struct json_slice *ret_number);
/* `slice`, all of it, is a number of JSON's grammar. */
bool json_is_number(const struct json_slice *slice);
MUST_CHECK enum un_err json_skip(struct json_scan *in);

void *json_alloc(struct json_scan *in, size_t len); /* zeroed; NULL: no memory */
void json_free(struct json_scan *in, void *block);

#endif
