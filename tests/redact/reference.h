/* reference.h - redaction in the obvious way: every pattern at every place of the text, read in
 * every way from its first byte to its last. Slow, without filter, automaton or state; what
 * src/redact must agree with. It shares the decoding of one escape (redact/decode.h) and nothing
 * else. */
#ifndef TESTS_REDACT_REFERENCE_H
#define TESTS_REDACT_REFERENCE_H

#include <stddef.h>
#include <stdint.h>

struct ref_value {
	const char *name;
	const uint8_t *bytes;
	size_t len;
};

/* The text as it should come out; the caller frees it. */
uint8_t *reference_redact(const struct ref_value *values, size_t count, const uint8_t *text,
                          size_t len, size_t *ret_len);

#endif
