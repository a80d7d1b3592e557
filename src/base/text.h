/* text.h - hex, base64, UTF-8, and the distance between words. Not for values. Any thread. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

MUST_CHECK enum un_err text_append_hex(struct buf *out, const uint8_t *bytes, size_t len);
/* Standard alphabet with padding. */
MUST_CHECK enum un_err text_append_base64(struct buf *out, const uint8_t *bytes, size_t len);
/* Accepts the standard and the URL alphabet, with or without padding. UN_ERR_PROTOCOL. */
MUST_CHECK enum un_err text_decode_base64(const char *text, size_t len, struct buf *out);
MUST_CHECK enum un_err text_decode_hex(const char *text, size_t len, struct buf *out);
/* The number that one digit stands for; -1: it is none. Both cases, both alphabets. */
int text_hex_digit(char c);
int text_base64_digit(char c);

/* Edits (insert, delete, change, swap of neighbours) between two words of up to 64 bytes each;
 * longer words are at distance 64. */
unsigned text_distance(const char *a, const char *b);
/* The nearest of `count` words within a third of the length of `word` (at least 1), or NULL. */
const char *text_nearest(const char *word, const char *const *words, size_t count);

/* The length of the UTF-8 character that `text` begins with; 0 when it begins with none (also an
 * overlong one, a surrogate, or one cut off). */
size_t text_utf8_len(const char *text, size_t len);
bool text_is_utf8(const char *text, size_t len);

/* The same bytes. In a time that depends on them: for text anybody may see, else bytes_equal. */
bool text_equal(const void *a, const void *b, size_t len);

/* All of `text` is one decimal number without sign, blanks or overflow. */
MUST_CHECK enum un_err text_parse_u64(const char *text, uint64_t *ret_number);

#endif
