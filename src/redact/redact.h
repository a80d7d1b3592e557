/* redact.h - removes values from a stream of bytes, in whatever form they are. Pure: no I/O, no
 * clock.
 *
 * Push bytes in pieces of any size; what can no longer become part of a match is handed to `emit`
 * in order, with each match replaced by "[secret NAME]". Only the longest suffix that may still
 * become a match is held back. Overlapping and touching matches become one mark, with the name of
 * the value that begins first (of several, the longest). The output does not depend on how the
 * input was cut. A compiled set may be shared by threads; a stream may not.
 *
 * Which forms: docs/reference/redaction.md. How: docs/architecture/redact.md. */
#ifndef REDACT_REDACT_H
#define REDACT_REDACT_H

#include "base/err.h"
#include "crypto/secbuf.h"
#include "model/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REDACT_VALUE_MIN 4 /* bytes: a shorter value is not redacted; redact_set_add says so */
#define REDACT_CODED_MIN 8 /* bytes: a shorter one is found only as it is, as a word of its own */
#define REDACT_TOTAL_MAX (4u << 20) /* bytes of all values of a set */
/* redact_idle keeps back a beginning of a value of this many bytes. */
#define REDACT_KEPT_MIN 4

enum redact_form {
	REDACT_FORM_PLAIN,
	REDACT_FORM_LINE,     /* one line of the value */
	REDACT_FORM_FOLDED,   /* with other white space, or wrapped */
	REDACT_FORM_COLOURED, /* with terminal sequences between its characters */
	REDACT_FORM_SPACED,   /* one space between the characters */
	REDACT_FORM_RECODED,  /* UTF-16, UTF-32, Latin-1 */
	REDACT_FORM_REVERSED,
	REDACT_FORM_BACKSLASH, /* JSON, C, Go, Python, shells */
	REDACT_FORM_PERCENT,
	REDACT_FORM_ENTITY, /* XML, HTML */
	REDACT_FORM_QUOTED, /* quoted-printable */
	REDACT_FORM_HEX,
	REDACT_FORM_DECIMAL, /* a list of numbers */
	REDACT_FORM_BASE64,
	REDACT_FORM_BASE32,
	REDACT_FORM_DEFLATE, /* a gzip or zlib member in base64 */
	REDACT_FORMS,
};
const char *redact_form_name(enum redact_form form); /* static; for people */

/* What to look for: built once for an attempt, then shared by its streams. */
struct redact_set;
MUST_CHECK enum un_err redact_set_new(struct redact_set **ret_set);
/* Copies the value (into locked memory). What is looked for is the value without the white space
 * around it: as tasks see it through their SDK, and so that the line end of a file's value stays in
 * the output. *ret_too_short: that is below REDACT_VALUE_MIN and not looked for. Of two equal
 * values the name that came first is shown. UN_ERR_TOO_LARGE, UN_ERR_NO_MEMORY; UN_ERR_INVALID once
 * compiled. */
MUST_CHECK enum un_err redact_set_add(struct redact_set *set, const char *name,
                                      const struct secbuf *value, bool *ret_too_short);
/* Prepares the search. After it the set does not change; if it fails, the set can only be freed. */
MUST_CHECK enum un_err redact_set_compile(struct redact_set *set);
void redact_set_free(struct redact_set *set);

/* Receives clean bytes; what it returns ends the push that called it. */
typedef enum un_err redact_emit(void *ctx, const uint8_t *bytes, size_t len);

struct redact_stream;
MUST_CHECK enum un_err redact_stream_new(const struct redact_set *set, redact_emit *emit, void *ctx,
                                         struct redact_stream **ret_stream);
MUST_CHECK enum un_err redact_push(struct redact_stream *stream, const uint8_t *bytes, size_t len);
/* The input has been silent for a while (50 ms): hands out what is held back, so that a prompt
 * appears, but for a beginning of a value of REDACT_KEPT_MIN bytes or more. A match that comes
 * about all the same is redacted from where it was not handed out yet. Calling it again changes
 * nothing.
 */
MUST_CHECK enum un_err redact_idle(struct redact_stream *stream);
/* The end of the stream: what is held back was no match and is emitted. */
MUST_CHECK enum un_err redact_flush(struct redact_stream *stream);
size_t redact_held(const struct redact_stream *stream); /* bytes held back now */
void redact_stream_free(struct redact_stream *stream);  /* zeroes what it holds */

/* For results: finds the first value anywhere in `bytes`, in the same forms. Returns its name (lent
 * by the set), or NULL. Lack of memory counts as a hit, with the name "?". */
const char *redact_find(const struct redact_set *set, const uint8_t *bytes, size_t len);

struct redact_hit {
	const char *name; /* lent by the set */
	enum redact_form form;
	size_t offset; /* where it begins */
	size_t len;
};
/* UN_OK: *ret_hit is the first one; UN_ERR_NOT_FOUND: there is none; UN_ERR_NO_MEMORY. */
MUST_CHECK enum un_err redact_locate(const struct redact_set *set, const uint8_t *bytes, size_t len,
                                     struct redact_hit *ret_hit);

#endif
