/* redact.h - removes values from a stream of bytes. Pure: no I/O, no clock.
 *
 * Push bytes in pieces of any size; what can no longer become part of a match is handed to `emit`
 * in order, with each match replaced by "[secret NAME]". Only the longest suffix that may still
 * become a match is held back. Overlapping and touching matches become one mark, with the name of
 * the value that begins first (of several, the longest). The output does not depend on how the
 * input was cut. A compiled set may be shared by threads; a stream may not. */
#ifndef REDACT_REDACT_H
#define REDACT_REDACT_H

#include "base/err.h"
#include "crypto/secbuf.h"
#include "model/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REDACT_VALUE_MIN 4 /* bytes: a shorter value is not redacted; redact_set_add says so */
#define REDACT_TOTAL_MAX SECBUF_MAX /* bytes of all values of a set */

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
/* The end of the stream: what is held back was no match and is emitted. */
MUST_CHECK enum un_err redact_flush(struct redact_stream *stream);
size_t redact_held(const struct redact_stream *stream); /* bytes held back now */
void redact_stream_free(struct redact_stream *stream);  /* zeroes what it holds */

/* For results: finds the first value anywhere in `bytes`. Returns its name (lent by the set), or
 * NULL. */
const char *redact_find(const struct redact_set *set, const uint8_t *bytes, size_t len);

#endif
