/* What a whole stream holds (redact.h), for every value of 8 bytes over two letters and every text
 * of TEXT bytes over them, in two pieces parted at any place: each run of bytes that belong to a
 * match of the value, or of the value back to front, becomes one mark, and every other byte comes
 * out, once and in order. */
#include "nondet.h"

#include "crypto/secbuf.h"
#include "redact/redact.h"

#include <stdbool.h>
#include <string.h>

#ifndef TEXT
#define TEXT 9
#endif
#ifndef FIXED
#define FIXED 2 /* first letters of the value that are one and the same */
#endif
#define VALUE 8
#define MARK "[secret s]"

static char output[TEXT * sizeof MARK], expected[TEXT * sizeof MARK];
static size_t output_len, expected_len;

static enum un_err
emit(void *ctx, const uint8_t *bytes, size_t len)
{
	(void)ctx;
	HOLDS(output_len + len <= sizeof output);
	memcpy(output + output_len, bytes, len);
	output_len += len;
	return UN_OK;
}

/* Built once for all texts of a value. */
static const struct redact_set *
set_of(const uint8_t value[VALUE])
{
	static uint8_t last[VALUE];
	static struct redact_set *set;
	struct secbuf *buf;
	bool too_short;

	if (set && memcmp(last, value, VALUE) == 0)
		return set;
	redact_set_free(set);
	memcpy(last, value, VALUE);
	HOLDS(redact_set_new(&set) == UN_OK);
	HOLDS(secbuf_new(VALUE, &buf) == UN_OK);
	memcpy(secbuf_edit(buf), value, VALUE);
	HOLDS(redact_set_add(set, "s", buf, &too_short) == UN_OK && !too_short);
	secbuf_free(buf);
	HOLDS(redact_set_compile(set) == UN_OK);
	return set;
}

static void
expect(const uint8_t value[VALUE], const uint8_t text[TEXT])
{
	bool hidden[TEXT] = {false};

	for (size_t at = 0; at + VALUE <= TEXT; at++) {
		bool there = true, back = true;

		for (size_t i = 0; i < VALUE; i++) {
			there = there && text[at + i] == value[i];
			back = back && text[at + i] == value[VALUE - 1 - i];
		}
		for (size_t i = 0; i < VALUE && (there || back); i++)
			hidden[at + i] = true;
	}
	expected_len = 0;
	for (size_t at = 0; at < TEXT; at++) {
		if (!hidden[at]) {
			expected[expected_len++] = (char)text[at];
		} else if (at == 0 || !hidden[at - 1]) {
			memcpy(expected + expected_len, MARK, strlen(MARK));
			expected_len += strlen(MARK);
		}
	}
}

void
proof(void)
{
	uint8_t value[VALUE], text[TEXT];
	struct redact_stream *stream;
	size_t cut;

	for (size_t i = 0; i < VALUE; i++)
		value[i] = (uint8_t)("ox"[(int)i < FIXED ? 0 : choose(2)]);
	for (size_t i = 0; i < TEXT; i++)
		text[i] = (uint8_t)("ox"[choose(2)]);
	cut = choose(TEXT);
	output_len = 0;
	HOLDS(redact_stream_new(set_of(value), emit, NULL, &stream) == UN_OK);
	HOLDS(redact_push(stream, text, cut) == UN_OK);
	HOLDS(redact_push(stream, text + cut, TEXT - cut) == UN_OK);
	HOLDS(redact_flush(stream) == UN_OK);
	redact_stream_free(stream);
	expect(value, text);
	HOLDS(output_len == expected_len && memcmp(output, expected, output_len) == 0);
}
