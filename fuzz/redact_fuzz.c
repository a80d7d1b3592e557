/* Values and text both from the fuzzer, compared with the obvious way (tests/redact/reference.c),
 * for several ways to cut the input. Input: count of values, then for each its length and bytes;
 * the size of a piece; the text, in which a byte from 0xf0 on puts a value in some form: hex,
 * base64, ..., one from 0xe0 on the value itself, one from 0xd0 on what terminals do not show. */
#include "base/buf.h"
#include "redact/redact.h"
#include "redact/reference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUES_MAX 5
#define VALUE_MAX 32
#define TEXT_MAX 3000
#define DERIVED_FROM 232 /* the length of a value that is made of another one */

struct input {
	char names[VALUES_MAX][4];
	uint8_t bytes[VALUES_MAX][VALUE_MAX + 8]; /* and what snprintf needs */
	struct ref_value values[VALUES_MAX];
	size_t count;
	size_t piece;
	uint8_t text[TEXT_MAX + 400];
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

/* Few letters, so that values overlap, touch and begin alike, and all that forms are made of. */
static uint8_t
letter(uint8_t byte)
{
	static const char letters[] = "aaabbbcAB019 \n\\'\"%&;#=:,x-+/\x1b[m\0\xc3\xa9u";

	return (uint8_t)letters[byte % (sizeof letters - 1)];
}

static void
put_sequence(struct input *in, uint8_t byte)
{
	static const char *const sequences[] = {
		"\x1b[",
		"\x1b[1m",
		"\x1b]0;a",
		"\x1b]8;;ab\x1b\\",
		"\a",
		"\x1b\\",
		"\x0f",
		"\x9b",
		"\x9b"
		"1m",
		"\x1bPab",
		"\x1b"
		"c",
		"\x1b]0;\a",
		"]",
		"\x1b"
		"(B",
		"\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20;21;",
		"m"};
	const char *one = sequences[byte % 16];

	memcpy(in->text + in->len, one, strlen(one));
	in->len += strlen(one);
}

static size_t
put_number(char *at, uint8_t which, uint8_t byte)
{
	enum { MOST = 8 };

	switch (which) {
	case 0:
		return (size_t)snprintf(at, MOST, "%02x", byte);
	case 1:
		return (size_t)snprintf(at, MOST, "%02X:", byte);
	case 2:
		return (size_t)snprintf(at, MOST, "%d,", byte);
	case 3:
		return (size_t)snprintf(at, MOST, "%%%02x", byte);
	case 4:
		return (size_t)snprintf(at, MOST, "\\x%02x", byte);
	case 5:
		return (size_t)snprintf(at, MOST, "&#%d;", byte);
	case 6:
		return (size_t)snprintf(at, MOST, "=%02X", byte);
	case 7:
		return (size_t)snprintf(at, MOST, "0x%02x ", byte);
	default:
		return (size_t)snprintf(at, MOST, "\\u%04x", byte);
	}
}

static void
put_form(struct input *in, uint8_t which, const struct ref_value *value)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned width = which % 2 ? 6 : 5;

	for (size_t i = 0; i < value->len && which % 16 < 9; i++)
		in->len += put_number((char *)in->text + in->len, which % 16, value->bytes[i]);
	for (size_t bit = 0; bit < value->len * 8 && which % 16 >= 9; bit += width) {
		unsigned digit = 0;

		for (size_t b = bit; b < bit + width; b++)
			digit = digit << 1 |
			        (b < value->len * 8
			                 ? (unsigned)value->bytes[b / 8] >> (7 - b % 8) & 1
			                 : 0);
		in->text[in->len++] = width == 5 && digit > 25 ? (uint8_t)('2' + digit - 26)
		                                               : (uint8_t)digits[digit];
	}
}

/* A value made of the ones before it: its part, it and more, around its border, its code. */
static void
derive(struct input *in, size_t v, uint8_t how, uint8_t much)
{
	const struct ref_value *other = &in->values[much % v];
	uint8_t *bytes = in->bytes[v];
	size_t len = other->len, part = 1 + much % len;

	switch (how % 6) {
	case 0: /* its beginning */
		memcpy(bytes, other->bytes, len = part < 4 ? 4 : part);
		break;
	case 1: /* its end */
		part = part < 4 ? 4 : part;
		memcpy(bytes, other->bytes + len - part, part);
		len = part;
		break;
	case 2: /* it and more */
		memcpy(bytes, other->bytes, len);
		for (; len < VALUE_MAX && part; part--)
			bytes[len++] = letter((uint8_t)(much + part));
		break;
	case 3: /* begins as it ends */
		memcpy(bytes, other->bytes + len - part, part);
		for (len = part; len < VALUE_MAX; len++)
			bytes[len] = other->bytes[(len - part) % other->len];
		break;
	case 4: /* back to front */
		for (size_t i = 0; i < len; i++)
			bytes[i] = other->bytes[len - 1 - i];
		break;
	default: /* in hex */
		for (size_t i = len = 0; i < other->len && len + 2 <= VALUE_MAX; i++, len += 2)
			(void)put_number((char *)bytes + len, 0, other->bytes[i]);
	}
	in->values[v].len = len;
}

static void
parse(const uint8_t *at, size_t left, struct input *in)
{
	in->count = take(&at, &left) % VALUES_MAX + 1u;
	for (size_t v = 0; v < in->count; v++) {
		uint8_t first = take(&at, &left);
		size_t len = 4 + first % (VALUE_MAX - 3u);

		for (size_t i = 0; i < len; i++)
			in->bytes[v][i] = letter(take(&at, &left));
		in->names[v][0] = 'n';
		in->names[v][1] = (char)('0' + v);
		in->values[v] = (struct ref_value){in->names[v], in->bytes[v], len};
		if (v && first >= DERIVED_FROM)
			derive(in, v, first, in->bytes[v][0]);
	}
	in->piece = take(&at, &left) + 1u;
	while (left && in->len < TEXT_MAX) {
		uint8_t byte = take(&at, &left);

		if (byte >= 0xf0)
			put_form(in, take(&at, &left), &in->values[byte % in->count]);
		else if (byte >= 0xe0) {
			const struct ref_value *value = &in->values[byte % in->count];

			memcpy(in->text + in->len, value->bytes, value->len);
			in->len += value->len;
		} else if (byte >= 0xd0) {
			put_sequence(in, byte);
		} else {
			in->text[in->len++] = letter(byte);
		}
	}
}

static void
must(enum un_err err)
{
	if (err)
		abort();
}

static void
show(const char *what, const uint8_t *bytes, size_t len)
{
	(void)fprintf(stderr, "%s: ", what);
	for (size_t i = 0; i < len; i++)
		(void)fprintf(stderr, bytes[i] >= ' ' && bytes[i] < 127 ? "%c" : "<%02x>",
		              bytes[i]);
	(void)fprintf(stderr, "\n");
}

static void
compare(const struct redact_set *set, const struct input *in, size_t piece, const uint8_t *expected,
        size_t expected_len)
{
	struct redact_stream *stream;
	struct buf out;

	buf_init(&out, 1 << 20, BUF_PLAIN);
	must(redact_stream_new(set, collect, &out, &stream));
	for (size_t at = 0; at < in->len; at += piece)
		must(redact_push(stream, in->text + at,
		                 in->len - at < piece ? in->len - at : piece));
	must(redact_flush(stream));
	if (out.len != expected_len || (out.len && memcmp(out.data, expected, out.len) != 0)) {
		for (size_t v = 0; v < in->count; v++)
			show("value", in->values[v].bytes, in->values[v].len);
		show("text", in->text, in->len);
		show("expected", expected, expected_len);
		show("seen", out.data, out.len);
		(void)fprintf(stderr, "pieces of %zu\n", piece);
		abort();
	}
	redact_stream_free(stream);
	buf_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct input in;
	struct redact_set *set;
	uint8_t *expected;
	size_t expected_len;

	memset(&in, 0, sizeof in);
	parse(bytes, len, &in);
	must(redact_set_new(&set));
	for (size_t v = 0; v < in.count; v++) {
		struct secbuf *value;
		bool too_short;

		must(secbuf_copy(in.bytes[v], in.values[v].len, &value));
		must(redact_set_add(set, in.names[v], value, &too_short));
		secbuf_free(value);
	}
	must(redact_set_compile(set));
	expected = reference_redact(in.values, in.count, in.text, in.len, &expected_len);
	compare(set, &in, in.piece, expected, expected_len);
	compare(set, &in, 1, expected, expected_len);
	compare(set, &in, sizeof in.text, expected, expected_len);
	free(expected);
	redact_set_free(set);
	return 0;
}
