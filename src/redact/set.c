#include "redact/set.h"

#include "base/alloc.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "redact/machine.h"

#include <string.h>

#define VALUES_MAX 65535
#define LINE_MIN 8
#define REVERSED_MAX 65536 /* bytes: a longer value is not looked for back to front */
#define CODED_LOOK 48      /* bytes of a value: enough for an anchor in every form */
/* Of squeeze. */
#define WITHOUT_TERMINAL 1u
#define WITHOUT_SPACES 2u

enum un_err
redact_set_new(struct redact_set **ret_set)
{
	struct redact_set *set = mem_zalloc(1, sizeof *set);

	if (!set)
		return UN_ERR_NO_MEMORY;
	*ret_set = set;
	return UN_OK;
}

/* The length of white space at the start of `bytes`: all that Python's str.strip() takes off, in
 * UTF-8. Taking off more than a reader does is harmless (what is left is still part of what it
 * shows), less would miss what it shows. */
static size_t
space_at(const uint8_t *bytes, size_t len)
{
	static const char *const wide[] = {"\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80",
	                                   "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
	                                   "\xe2\x81\x9f", "\xe3\x80\x80"};

	if (len &&
	    ((bytes[0] >= 0x09 && bytes[0] <= 0x0d) || (bytes[0] >= 0x1c && bytes[0] <= 0x20)))
		return 1;
	if (len >= 3 && bytes[0] == 0xe2 && bytes[1] == 0x80 && bytes[2] >= 0x80 &&
	    bytes[2] <= 0x8a)
		return 3;
	for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
		size_t wide_len = strlen(wide[i]);

		if (len >= wide_len && bytes_equal(bytes, wide[i], wide_len))
			return wide_len;
	}
	return 0;
}

/* What is looked for: without the white space around it, because that is how the SDKs show a value
 * to a task, and because a line end that belongs to a file's value must not vanish from a log. */
static void
strip(const uint8_t **bytes, size_t *len)
{
	size_t space;

	while ((space = space_at(*bytes, *len)) > 0) {
		*bytes += space;
		*len -= space;
	}
	for (;;) {
		space = 0;
		for (size_t tail = 1; tail <= 3 && tail <= *len && !space; tail++)
			space = space_at(*bytes + *len - tail, tail) == tail ? tail : 0;
		if (!space)
			break;
		*len -= space;
	}
}

static enum un_err
make_room(struct redact_set *set)
{
	size_t room = set->room ? set->room * 2 : 8;
	struct value *bigger;

	if (set->count < set->room)
		return UN_OK;
	bigger = mem_realloc(set->values, room * sizeof *bigger);
	if (!bigger)
		return UN_ERR_NO_MEMORY;
	set->values = bigger;
	set->room = room;
	return UN_OK;
}

enum un_err
redact_set_add(struct redact_set *set, const char *name, const struct secbuf *value,
               bool *ret_too_short)
{
	const uint8_t *bytes = secbuf_peek(value);
	size_t len = secbuf_len(value);
	struct secbuf *core;
	enum un_err err;

	if (set->compiled || strlen(name) > SECRET_NAME_MAX)
		return UN_ERR_INVALID;
	strip(&bytes, &len);
	if (len < REDACT_VALUE_MIN) {
		*ret_too_short = true;
		return UN_OK;
	}
	if (set->count >= VALUES_MAX || len > REDACT_TOTAL_MAX - set->total)
		return UN_ERR_TOO_LARGE;
	err = make_room(set);
	if (err)
		return err;
	err = secbuf_copy(bytes, len, &core);
	if (err)
		return err;
	*ret_too_short = false;
	memcpy(set->values[set->count].name, name, strlen(name) + 1);
	set->values[set->count++].core = core;
	set->total += len;
	return UN_OK;
}

/* ---- patterns ---- */

static bool
is_space(uint8_t byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* A value as the machines see a text: without NUL and, if told so, without terminal sequences, and
 * without white space (then *ret_gaps says that it had some). Writes to `out`, which may be
 * `bytes`. */
static size_t
squeeze(const uint8_t *bytes, size_t len, unsigned without, uint8_t *out, bool *ret_gaps)
{
	size_t kept = 0;

	*ret_gaps = false;
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == 0x1b && without & WITHOUT_TERMINAL) {
			i += decode_terminal(bytes + i, len - i, true) - 1;
			continue;
		}
		if (is_space(bytes[i]) && without & WITHOUT_SPACES)
			*ret_gaps = true;
		else if (bytes[i])
			out[kept++] = bytes[i];
	}
	return kept;
}

/* White space that stood behind a NUL or a terminal sequence is at an end now. */
static void
trim_spelling(uint8_t *bytes, size_t *len)
{
	size_t first = 0;

	while (*len && is_space(bytes[*len - 1]))
		(*len)--;
	while (first < *len && is_space(bytes[first]))
		first++;
	*len -= first;
	memmove(bytes, bytes + first, *len);
}

static enum un_err
keep_spelling(struct redact_set *set, const uint8_t *bytes, size_t len)
{
	size_t room = set->spelled ? secbuf_len(set->spelled) : 0;
	struct secbuf *bigger;
	enum un_err err;

	if (set->spelled_len + len > room) {
		room = (set->spelled_len + len) * 2;
		err = secbuf_new(room < SECBUF_MAX ? room : SECBUF_MAX, &bigger);
		if (err)
			return err;
		if (set->spelled_len)
			memcpy(secbuf_edit(bigger), secbuf_peek(set->spelled), set->spelled_len);
		secbuf_free(set->spelled);
		set->spelled = bigger;
	}
	memcpy(secbuf_edit(set->spelled) + set->spelled_len, bytes, len);
	set->spelled_len += len;
	return UN_OK;
}

const uint8_t *
set_spelled(const struct redact_set *set, const struct pattern *pattern)
{
	return secbuf_peek(set->spelled) + pattern->spelled;
}

static enum un_err
add_pattern(struct redact_set *set, uint32_t name, enum pattern_kind kind, const uint8_t *bytes,
            size_t len)
{
	struct pattern pattern = {.name = name, .kind = kind};
	unsigned without = kind == PATTERN_ESCAPED ? 0 : WITHOUT_TERMINAL;
	struct secbuf *squeezed;
	size_t spelled_len, kept = 0;
	bool gaps;
	enum un_err err = secbuf_new(len ? len : 1, &squeezed);

	if (err)
		return err;
	spelled_len = squeeze(bytes, len, without, secbuf_edit(squeezed), &gaps);
	trim_spelling(secbuf_edit(squeezed), &spelled_len);
	for (size_t i = 0; i < spelled_len; i++)
		gaps |= is_space(secbuf_peek(squeezed)[i]);
	if (gaps && spelled_len >= REDACT_CODED_MIN) {
		pattern.spelled = (uint32_t)set->spelled_len;
		pattern.spelled_len = (uint32_t)spelled_len;
		err = keep_spelling(set, secbuf_peek(squeezed), spelled_len);
	}
	if (!err)
		kept = squeeze(secbuf_peek(squeezed), spelled_len, without | WITHOUT_SPACES,
		               secbuf_edit(squeezed), &gaps);
	pattern.coded = kind == PATTERN_VALUE && kept == len;
	if (!err && kept && spelled_len >= REDACT_CODED_MIN)
		err = automaton_add(&set->automaton, secbuf_peek(squeezed), kept, pattern);
	secbuf_free(squeezed);
	return err;
}

/* The lines around a key in PEM: they are in many texts, and say nothing about the key. */
static bool
is_armour(const uint8_t *line, size_t len)
{
	static const char *const begins[] = {"-----BEGIN ", "-----END "};

	for (size_t i = 0; i < 2; i++)
		if (len > strlen(begins[i]) + 5 && text_equal(line, begins[i], strlen(begins[i])))
			return text_equal(line + len - 5, "-----", 5);
	return false;
}

static enum un_err
add_lines(struct redact_set *set, uint32_t name, const uint8_t *bytes, size_t len)
{
	enum un_err err = UN_OK;

	if (!memchr(bytes, '\n', len) && !memchr(bytes, '\r', len))
		return UN_OK;
	for (size_t at = 0; at < len && !err;) {
		const uint8_t *line = bytes + at;
		size_t line_len = 0;

		while (at + line_len < len && line[line_len] != '\n' && line[line_len] != '\r')
			line_len++;
		at += line_len + 1;
		strip(&line, &line_len);
		if (line_len >= LINE_MIN && !is_armour(line, line_len))
			err = add_pattern(set, name, PATTERN_LINE, line, line_len);
	}
	return err;
}

/* By bytes, and by characters where that is another text. */
static enum un_err
add_reversed(struct redact_set *set, uint32_t name, const uint8_t *bytes, size_t len)
{
	struct secbuf *reversed;
	bool wide = false;
	enum un_err err;

	if (len > REVERSED_MAX)
		return UN_OK;
	err = secbuf_new(len, &reversed);
	if (err)
		return err;
	for (size_t i = 0; i < len; i++) {
		secbuf_edit(reversed)[len - 1 - i] = bytes[i];
		wide |= bytes[i] >= 128;
	}
	err = add_pattern(set, name, PATTERN_REVERSED, secbuf_peek(reversed), len);
	if (!err && wide && text_is_utf8((const char *)bytes, len)) {
		for (size_t i = 0; i < len;) {
			size_t part = text_utf8_len((const char *)bytes + i, len - i);

			memcpy(secbuf_edit(reversed) + len - i - part, bytes + i, part);
			i += part;
		}
		err = add_pattern(set, name, PATTERN_REVERSED, secbuf_peek(reversed), len);
	}
	secbuf_free(reversed);
	return err;
}

/* The code point of a character that text_utf8_len accepted. */
static uint32_t
point_of(const uint8_t *bytes, size_t len)
{
	static const uint8_t first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t point = bytes[0] & first[len];

	for (size_t i = 1; i < len; i++)
		point = point << 6 | (bytes[i] & 0x3f);
	return point;
}

enum charset { UTF_16_LE, UTF_16_BE, LATIN_1, UTF_32_LE, UTF_32_BE, CHARSETS };

static size_t
put_unit(uint8_t *out, enum charset charset, uint32_t unit)
{
	if (charset >= UTF_32_LE) {
		for (unsigned i = 0; i < 4; i++)
			out[charset == UTF_32_LE ? i : 3 - i] = (uint8_t)(unit >> 8 * i);
		return 4;
	}
	out[charset == UTF_16_LE] = (uint8_t)(unit >> 8);
	out[charset == UTF_16_BE] = (uint8_t)unit;
	return 2;
}

/* Without zeros, UTF-16 and UTF-32 of ASCII are the text itself. Of other text they are not. */
static enum un_err
add_recoded(struct redact_set *set, uint32_t name, const uint8_t *bytes, size_t len)
{
	struct secbuf *recoded;
	bool wide = false, latin = false, far = false;
	enum un_err err;

	for (size_t i = 0; i < len; i++)
		wide |= bytes[i] >= 128;
	if (!wide || len > REVERSED_MAX || !text_is_utf8((const char *)bytes, len))
		return UN_OK;
	err = secbuf_new(len * 4, &recoded);
	if (err)
		return err;
	for (enum charset charset = 0; charset < CHARSETS && !err; charset++) {
		uint8_t *out = secbuf_edit(recoded);
		size_t used = 0;

		for (size_t i = 0; i < len;) {
			size_t part = text_utf8_len((const char *)bytes + i, len - i);
			uint32_t point = point_of(bytes + i, part);

			if (charset == LATIN_1 && point < 256) {
				out[used++] = (uint8_t)point;
				latin = latin || point >= 128;
			} else if (charset == LATIN_1) { /* as Python's ascii() has it */
				memcpy(out + used, bytes + i, part);
				used += part;
			} else if (point < 0x10000 || charset >= UTF_32_LE) {
				far = far || point >= 0x10000;
				used += put_unit(out + used, charset, point);
			} else {
				used += put_unit(out + used, charset, 0xd7c0 + (point >> 10));
				used += put_unit(out + used, charset, 0xdc00 | (point & 0x3ff));
			}
			i += part;
		}
		if (charset == LATIN_1 ? latin : charset < UTF_32_LE || far)
			err = add_pattern(set, name, PATTERN_RECODED, out, used);
	}
	secbuf_free(recoded);
	return err;
}

/* A value that machines for text see squeezed, with all its bytes. */
static enum un_err
add_exact(struct redact_set *set, uint32_t name, const uint8_t *bytes, size_t len)
{
	struct pattern pattern = {.name = name, .kind = PATTERN_EXACT, .coded = true};
	bool squeezed = false;

	for (size_t i = 0; i < len; i++)
		squeezed |= !bytes[i] || bytes[i] == 0x1b || is_space(bytes[i]);
	return squeezed ? automaton_add(&set->automaton, bytes, len, pattern) : UN_OK;
}

/* Ways to write a quote within quotes: a shell's, where a backslash stands for itself, and two
 * quotes for one, as SQL, CSV, YAML and PowerShell have it. */
static const struct way {
	char quote;
	const char *instead;
	bool backslash; /* only of values with a backslash: others are seen without */
} ways[] = {
	{'\'', "'\\''", true}, {'\'', "'\"'\"'", true}, {'\'', "''", false}, {'"', "\"\"", false}};

static enum un_err
add_in_quotes(struct redact_set *set, uint32_t name, const uint8_t *bytes, size_t len)
{
	enum un_err err = UN_OK;

	for (size_t i = 0; i < sizeof ways / sizeof *ways && !err && len <= REVERSED_MAX; i++) {
		size_t used = 0, instead = strlen(ways[i].instead);
		struct secbuf *quoted;

		if (!memchr(bytes, ways[i].quote, len) ||
		    (ways[i].backslash && !memchr(bytes, '\\', len)))
			continue;
		err = secbuf_new(len * instead, &quoted);
		if (err)
			return err;
		for (size_t k = 0; k < len; k++) {
			bool is_quote = bytes[k] == (uint8_t)ways[i].quote;
			size_t part = is_quote ? instead : 1;

			memcpy(secbuf_edit(quoted) + used,
			       is_quote ? (const uint8_t *)ways[i].instead : bytes + k, part);
			used += part;
		}
		err = add_pattern(set, name, PATTERN_QUOTED, secbuf_peek(quoted), used);
		secbuf_free(quoted);
	}
	return err;
}

/* Where an escape says ESC, no terminal sequence begins: that is a byte of the value. */
static enum un_err
add_escaped(struct redact_set *set, uint32_t name, const uint8_t *bytes, size_t len)
{
	return memchr(bytes, 0x1b, len) ? add_pattern(set, name, PATTERN_ESCAPED, bytes, len)
	                                : UN_OK;
}

static enum un_err
add_plus(struct redact_set *set, uint32_t name, const uint8_t *bytes, size_t len)
{
	struct secbuf *plus;
	enum un_err err;

	if (!memchr(bytes, ' ', len))
		return UN_OK;
	err = secbuf_copy(bytes, len, &plus);
	if (err)
		return err;
	for (size_t i = 0; i < len; i++)
		if (bytes[i] == ' ')
			secbuf_edit(plus)[i] = '+';
	err = add_pattern(set, name, PATTERN_PLUS, secbuf_peek(plus), len);
	secbuf_free(plus);
	return err;
}

/* In this order, because of two equal patterns the first is the one that is found: a value that is
 * another's line must be found as a value. */
static enum un_err
add_patterns(struct redact_set *set)
{
	enum un_err err = UN_OK;

	for (enum pattern_kind kind = PATTERN_VALUE; kind <= PATTERN_EXACT; kind++) {
		for (uint32_t i = 0; i < set->count && !err; i++) {
			const uint8_t *bytes = secbuf_peek(set->values[i].core);
			size_t len = secbuf_len(set->values[i].core);

			if (len < REDACT_CODED_MIN)
				continue;
			if (kind == PATTERN_VALUE)
				err = add_pattern(set, i, kind, bytes, len);
			else if (kind == PATTERN_LINE)
				err = add_lines(set, i, bytes, len);
			else if (kind == PATTERN_REVERSED)
				err = add_reversed(set, i, bytes, len);
			else if (kind == PATTERN_RECODED)
				err = add_recoded(set, i, bytes, len);
			else if (kind == PATTERN_QUOTED)
				err = add_in_quotes(set, i, bytes, len);
			else if (kind == PATTERN_ESCAPED)
				err = add_escaped(set, i, bytes, len);
			else if (kind == PATTERN_EXACT)
				err = add_exact(set, i, bytes, len);
			else
				err = add_plus(set, i, bytes, len);
		}
	}
	return err;
}

/* ---- anchors: how each pattern begins in each form ---- */

struct anchors {
	struct redact_set *set;
	bool measure;
	size_t count;
};

static void
take_anchor(struct anchors *anchors, const uint8_t *text, size_t len, enum view view)
{
	uint8_t canon[ANCHOR_MAX];
	struct filter *filter = &anchors->set->filter;
	size_t kept = filter_canon(filter, text, len, canon, sizeof canon);

	if (kept < ANCHOR_LEAST) /* only text can be: codes have letters and digits */
		anchors->set->always_text = true;
	else if (anchors->measure)
		filter_measure(filter, kept, &anchors->count);
	else
		filter_put(filter, canon, kept, view);
	explicit_bzero(canon, sizeof canon);
}

/* The digits of `width` bits that are wholly within the bytes, from bit `skip` on. */
static void
digits_anchor(struct anchors *anchors, const uint8_t *bytes, size_t len, unsigned width,
              unsigned skip)
{
	static const char base64[] =
		"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567";
	static const char base16[] = "0123456789abcdef";
	const char *alphabet = width == 6 ? base64 : width == 5 ? base32 : base16;
	enum view view = width == 6 ? VIEW_BASE64 : width == 5 ? VIEW_BASE32 : VIEW_HEX;
	uint8_t text[CODED_LOOK * 2];
	size_t used = 0;

	for (size_t bit = skip; bit + width <= len * 8; bit += width) {
		unsigned two = (unsigned)bytes[bit / 8] << 8 |
		               (bit / 8 + 1 < len ? bytes[bit / 8 + 1] : 0);

		text[used++] =
			(uint8_t)alphabet[two >> (16 - width - bit % 8) & ((1u << width) - 1)];
	}
	filter_edge(&anchors->set->filter, bytes[0], width, skip, alphabet);
	take_anchor(anchors, text, used, view);
	explicit_bzero(text, sizeof text);
}

static void
numbers_anchor(struct anchors *anchors, const uint8_t *bytes, size_t len, enum view view)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t text[CODED_LOOK * 4];
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		if (view == VIEW_HEX_0X) {
			text[used++] = '0';
			text[used++] = 'x';
			text[used++] = (uint8_t)digits[bytes[i] >> 4];
			text[used++] = (uint8_t)digits[bytes[i] & 15];
			continue;
		}
		if (bytes[i] >= 100)
			text[used++] = (uint8_t)('0' + bytes[i] / 100);
		if (bytes[i] >= 10)
			text[used++] = (uint8_t)('0' + bytes[i] / 10 % 10);
		text[used++] = (uint8_t)('0' + bytes[i] % 10);
	}
	take_anchor(anchors, text, used, view);
	explicit_bzero(text, sizeof text);
}

static void
take_anchors(struct anchors *anchors)
{
	struct redact_set *set = anchors->set;
	const struct automaton *automaton = &set->automaton;

	for (size_t i = 0; i < automaton->count; i++) {
		const struct pattern *pattern = &automaton->patterns[i];
		const uint8_t *text = secbuf_peek(automaton->bytes) + pattern->offset;
		uint32_t lead = 0;

		set->longest = pattern->len > set->longest ? pattern->len : set->longest;
		if (pattern->kind == PATTERN_EXACT)
			continue;
		while (lead < pattern->len && !set->filter.tables->fold[text[lead]])
			lead++;
		if (lead > set->filter.lead_max)
			set->filter.lead_max = lead;
		take_anchor(anchors, text, pattern->len, VIEW_TEXT);
		if (!anchors->measure)
			filter_symbols(&set->filter, text, pattern->len);
	}
	for (size_t i = 0; i < set->count; i++) {
		const uint8_t *bytes = secbuf_peek(set->values[i].core);
		size_t len = secbuf_len(set->values[i].core);

		if (len < REDACT_CODED_MIN)
			continue;
		len = len < CODED_LOOK ? len : CODED_LOOK;
		digits_anchor(anchors, bytes, len, 4, 0);
		for (unsigned skip = 0; skip < 6; skip += 2)
			digits_anchor(anchors, bytes, len, 6, skip);
		for (unsigned skip = 0; skip < 5; skip++)
			digits_anchor(anchors, bytes, len, 5, skip);
		numbers_anchor(anchors, bytes, len, VIEW_DECIMAL);
		numbers_anchor(anchors, bytes, len, VIEW_HEX_0X);
	}
}

static enum un_err
build_filter(struct redact_set *set)
{
	struct anchors anchors = {.set = set, .measure = true};
	enum un_err err;

	take_anchors(&anchors);
	err = filter_allocate(&set->filter, anchors.count);
	if (err)
		return err;
	anchors.measure = false;
	take_anchors(&anchors);
	return UN_OK;
}

static enum un_err
build_shorts(struct redact_set *set)
{
	size_t count = 0;
	enum un_err err;

	for (size_t i = 0; i < set->count; i++)
		count += secbuf_len(set->values[i].core) < REDACT_CODED_MIN;
	err = shorts_init(&set->shorts, count);
	if (err)
		return err;
	for (uint32_t i = 0; i < set->count; i++)
		if (secbuf_len(set->values[i].core) < REDACT_CODED_MIN)
			shorts_add(&set->shorts, secbuf_peek(set->values[i].core),
			           secbuf_len(set->values[i].core), i);
	return UN_OK;
}

enum un_err
redact_set_compile(struct redact_set *set)
{
	enum un_err err;

	if (set->compiled)
		return UN_ERR_INVALID;
	err = filter_init(&set->filter);
	for (size_t i = 0; i < set->count && !err; i++)
		if (secbuf_len(set->values[i].core) >= REDACT_CODED_MIN)
			filter_shape(&set->filter, secbuf_peek(set->values[i].core),
			             secbuf_len(set->values[i].core));
	if (!err)
		err = add_patterns(set);
	if (!err)
		err = build_filter(set);
	if (!err)
		err = automaton_build(&set->automaton);
	if (!err)
		err = heads_build(&set->coded, &set->automaton, set->filter.tables->keys[1], true);
	if (!err)
		err = build_shorts(set);
	if (err)
		return err;
	for (size_t i = 0; i < set->count; i++) {
		secbuf_free(set->values[i].core);
		set->values[i].core = NULL;
	}
	for (unsigned byte = 0; byte < 256; byte++) {
		set->digits[0][byte] = (int16_t)machine_digit(VIEW_HEX, (uint8_t)byte);
		set->digits[1][byte] = (int16_t)machine_digit(VIEW_BASE32, (uint8_t)byte);
		set->digits[2][byte] = (int16_t)machine_digit(VIEW_BASE64, (uint8_t)byte);
	}
	for (size_t i = 0; i < 3; i++)
		set->digits[i][0x1b] = DIGIT_OTHER;
	set->digits[2]['\\'] = set->digits[2]['%'] = DIGIT_OTHER;
	set->empty = !set->automaton.count && !set->shorts.count;
	set->compiled = true;
	return UN_OK;
}

void
redact_set_free(struct redact_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->count; i++)
		secbuf_free(set->values[i].core);
	mem_free(set->values);
	automaton_fini(&set->automaton);
	filter_fini(&set->filter);
	heads_fini(&set->coded);
	shorts_fini(&set->shorts);
	secbuf_free(set->spelled);
	mem_free(set);
}

const char *
redact_form_name(enum redact_form form)
{
	static const char *const names[REDACT_FORMS] = {
		[REDACT_FORM_PLAIN] = "as it is",
		[REDACT_FORM_LINE] = "one of its lines",
		[REDACT_FORM_FOLDED] = "with other white space",
		[REDACT_FORM_COLOURED] = "cut by terminal sequences",
		[REDACT_FORM_SPACED] = "with spaces between its characters",
		[REDACT_FORM_RECODED] = "in another character set",
		[REDACT_FORM_REVERSED] = "reversed",
		[REDACT_FORM_BACKSLASH] = "with backslash escapes",
		[REDACT_FORM_PERCENT] = "percent-encoded",
		[REDACT_FORM_ENTITY] = "with character entities",
		[REDACT_FORM_QUOTED] = "quoted-printable",
		[REDACT_FORM_HEX] = "hex",
		[REDACT_FORM_DECIMAL] = "decimal numbers",
		[REDACT_FORM_BASE64] = "base64",
		[REDACT_FORM_BASE32] = "base32",
		[REDACT_FORM_DEFLATE] = "compressed, in base64",
	};

	return names[form];
}
