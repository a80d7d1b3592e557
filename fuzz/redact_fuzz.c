/* Values and text both from the fuzzer, compared with the obvious way, for two ways to cut the
 * input. Input: count of values, then for each its length and bytes; the size of a piece; the text.
 * Bytes are mapped to a few letters, so that values overlap, touch and begin alike. */
#include "base/buf.h"
#include "redact/redact.h"

#include <stdlib.h>
#include <string.h>

#define VALUES_MAX 6
#define VALUE_MAX 32
#define TEXT_MAX 4096

struct input {
	char names[VALUES_MAX][4];
	uint8_t values[VALUES_MAX][VALUE_MAX];
	size_t lens[VALUES_MAX];
	size_t count;
	size_t piece;
	uint8_t text[TEXT_MAX];
	size_t len;
};

static enum un_err
collect(void *ctx, const uint8_t *bytes, size_t len)
{
	return buf_append(ctx, bytes, len);
}

static uint8_t
take(const uint8_t **at, size_t *left)
{
	if (!*left)
		return 0;
	(*left)--;
	return *(*at)++;
}

static uint8_t
letter(uint8_t byte)
{
	static const char letters[] = "aaaabbbcc\0d\xff-[]s";

	return (uint8_t)letters[byte & 15];
}

static void
parse(const uint8_t *at, size_t left, struct input *in)
{
	in->count = take(&at, &left) % VALUES_MAX + 1u;
	for (size_t v = 0; v < in->count; v++) {
		in->lens[v] =
			REDACT_VALUE_MIN + take(&at, &left) % (VALUE_MAX - REDACT_VALUE_MIN + 1u);
		for (size_t i = 0; i < in->lens[v]; i++)
			in->values[v][i] = letter(take(&at, &left));
		in->names[v][0] = 'n';
		in->names[v][1] = (char)('0' + v);
	}
	in->piece = take(&at, &left) + 1u;
	for (in->len = 0; left && in->len < TEXT_MAX; in->len++)
		in->text[in->len] = letter(take(&at, &left));
}

static const char *
longest_at(const struct input *in, size_t at)
{
	size_t best = VALUES_MAX;

	for (size_t v = 0; v < in->count; v++)
		if (at + in->lens[v] <= in->len &&
		    memcmp(in->text + at, in->values[v], in->lens[v]) == 0 &&
		    (best == VALUES_MAX || in->lens[v] > in->lens[best]))
			best = v;
	return best == VALUES_MAX ? NULL : in->names[best];
}

static void
must(enum un_err err)
{
	if (err)
		abort();
}

static void
reference(const struct input *in, struct buf *out)
{
	static uint8_t covered[TEXT_MAX];

	memset(covered, 0, sizeof covered);
	for (size_t v = 0; v < in->count; v++)
		for (size_t at = 0; at + in->lens[v] <= in->len; at++)
			if (memcmp(in->text + at, in->values[v], in->lens[v]) == 0)
				memset(covered + at, 1, in->lens[v]);
	for (size_t at = 0; at < in->len; at++) {
		if (!covered[at])
			must(buf_append(out, in->text + at, 1));
		else if (!at || !covered[at - 1])
			must(buf_appendf(out, "[secret %s]", longest_at(in, at)));
	}
}

static void
compare(const struct redact_set *set, const struct input *in, size_t piece,
        const struct buf *expected)
{
	struct redact_stream *stream;
	struct buf out;

	buf_init(&out, 1 << 20, BUF_PLAIN);
	must(redact_stream_new(set, collect, &out, &stream));
	for (size_t at = 0; at < in->len; at += piece)
		must(redact_push(stream, in->text + at,
		                 in->len - at < piece ? in->len - at : piece));
	must(redact_flush(stream));
	if (out.len != expected->len || (out.len && memcmp(out.data, expected->data, out.len) != 0))
		abort();
	redact_stream_free(stream);
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct input in;
	struct redact_set *set;
	struct buf expected;

	memset(&in, 0, sizeof in);
	parse(bytes, len, &in);
	must(redact_set_new(&set));
	for (size_t v = 0; v < in.count; v++) {
		struct secbuf *value;
		bool too_short;

		must(secbuf_copy(in.values[v], in.lens[v], &value));
		must(redact_set_add(set, in.names[v], value, &too_short));
		if (too_short)
			abort();
		secbuf_free(value);
	}
	must(redact_set_compile(set));
	buf_init(&expected, 1 << 20, BUF_PLAIN);
	reference(&in, &expected);
	compare(set, &in, in.piece, &expected);
	compare(set, &in, TEXT_MAX, &expected);
	buf_fini(&expected);
	redact_set_free(set);
	return 0;
}
