#include "redact/reference.h"

#include "base/text.h"
#include "redact/decode.h"
#include "redact/redact.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GAP 1024
#define PATTERNS 4096

enum kind { VALUE, LINE, REVERSED, RECODED, PLUS, QUOTED, ESCAPED, EXACT, KINDS };

struct pattern {
	uint8_t *spelled; /* with its white space */
	size_t spelled_len;
	uint8_t *symbols; /* without */
	size_t len;
	size_t value;
	enum kind kind;
	bool coded;
};

struct symbol {
	uint8_t byte;
	bool space;  /* some white space before it */
	bool one;    /* exactly one space */
	bool line;   /* a line end in it */
	bool broken; /* does not follow the one before */
	size_t start, end;
};

struct state {
	const struct ref_value *values;
	size_t value_count;
	struct pattern patterns[PATTERNS];
	size_t count;
	bool accepted[PATTERNS];
	const uint8_t *text;
	size_t len;
	struct symbol *symbols;
	size_t symbol_count;
	bool *covered;
	size_t first_until; /* matches begin before */
	size_t *best_len;   /* by start */
	size_t *best_name;  /* by start */
};

static bool
is_space(uint8_t byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool
is_word(int byte)
{
	return (byte >= '0' && byte <= '9') || ((byte | 32) >= 'a' && (byte | 32) <= 'z') ||
	       byte == '_' || byte >= 128;
}

/* ASCII only: the tests keep other white space away from the ends of values. */
static void
strip(const uint8_t **bytes, size_t *len)
{
	while (*len && (is_space(**bytes) || (**bytes >= 0x1c && **bytes <= 0x1f))) {
		(*bytes)++;
		(*len)--;
	}
	while (*len && (is_space((*bytes)[*len - 1]) ||
	                ((*bytes)[*len - 1] >= 0x1c && (*bytes)[*len - 1] <= 0x1f)))
		(*len)--;
}

static void
add(struct state *state, size_t value, enum kind kind, const uint8_t *bytes, size_t len)
{
	struct pattern *pattern = &state->patterns[state->count];

	if (state->count == PATTERNS)
		abort();
	*pattern = (struct pattern){.value = value, .kind = kind};
	pattern->spelled = malloc(len + 1);
	pattern->symbols = malloc(len + 1);
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == 0x1b && kind != ESCAPED) {
			i += decode_terminal(bytes + i, len - i, true) - 1;
			continue;
		}
		if (!bytes[i])
			continue;
		pattern->spelled[pattern->spelled_len++] = bytes[i];
		if (!is_space(bytes[i]))
			pattern->symbols[pattern->len++] = bytes[i];
	}
	pattern->coded = kind == VALUE && pattern->len == len;
	while (pattern->spelled_len && is_space(pattern->spelled[pattern->spelled_len - 1]))
		pattern->spelled_len--;
	while (pattern->spelled_len && is_space(*pattern->spelled))
		memmove(pattern->spelled, pattern->spelled + 1, --pattern->spelled_len);
	if (kind == EXACT) {
		memcpy(pattern->symbols, bytes, len);
		pattern->len = len;
		pattern->coded = true;
	}
	if (pattern->len && (kind == EXACT || pattern->spelled_len >= 8)) {
		state->count++;
		return;
	}
	free(pattern->spelled);
	free(pattern->symbols);
}

/* As around a key in PEM. */
static bool
is_armour(const uint8_t *line, size_t len)
{
	bool begins = len > 16 && memcmp(line, "-----BEGIN ", 11) == 0;
	bool ends = len > 14 && memcmp(line, "-----END ", 9) == 0;

	return (begins || ends) && memcmp(line + len - 5, "-----", 5) == 0;
}

static void
add_lines(struct state *state, size_t value, const uint8_t *bytes, size_t len)
{
	size_t start = 0;
	bool several = memchr(bytes, '\n', len) || memchr(bytes, '\r', len);

	for (size_t at = 0; several && at <= len; at++) {
		if (at == len || bytes[at] == '\n' || bytes[at] == '\r') {
			const uint8_t *line = bytes + start;
			size_t line_len = at - start;

			strip(&line, &line_len);
			if (line_len >= 8 && !is_armour(line, line_len))
				add(state, value, LINE, line, line_len);
			start = at + 1;
		}
	}
}

static void
add_turned(struct state *state, size_t value, const uint8_t *bytes, size_t len)
{
	uint8_t *turned = malloc(len);

	for (size_t i = 0; i < len; i++)
		turned[i] = bytes[len - 1 - i];
	add(state, value, REVERSED, turned, len);
	if (text_is_utf8((const char *)bytes, len)) {
		size_t out = len;

		for (size_t i = 0; i < len;) {
			size_t part = text_utf8_len((const char *)bytes + i, len - i);

			out -= part;
			memcpy(turned + out, bytes + i, part);
			i += part;
		}
		add(state, value, REVERSED, turned, len);
	}
	free(turned);
}

/* UTF-16 in both orders, and Latin-1. */
static void
add_recoded(struct state *state, size_t value, const uint8_t *bytes, size_t len)
{
	uint8_t *out[5];
	size_t used = 0, latin = 0, points = 0;
	bool wide = false, narrow = false, far = false;

	for (size_t k = 0; k < 5; k++)
		out[k] = malloc(len * 4);

	if (text_is_utf8((const char *)bytes, len)) {
		for (size_t i = 0; i < len;) {
			size_t part = text_utf8_len((const char *)bytes + i, len - i);
			uint32_t point = part == 1 ? bytes[i] : bytes[i] & (0x7fu >> part),
				 units[2];
			size_t unit_count = 1;

			for (size_t k = 1; k < part; k++)
				point = point << 6 | (bytes[i + k] & 63);
			i += part;
			wide |= point >= 128;
			narrow |= point >= 128 && point < 256;
			for (size_t k = 0; k < (point < 256 ? 1 : part); k++)
				out[2][latin++] =
					point < 256 ? (uint8_t)point : bytes[i - part + k];
			units[0] = point;
			far |= point >= 0x10000;
			for (size_t k = 0; k < 4; k++)
				out[3][points + k] = out[4][points + 3 - k] =
					(uint8_t)(point >> 8 * k);
			points += 4;
			if (point >= 0x10000) {
				units[0] = 0xd800 + ((point - 0x10000) >> 10);
				units[1] = 0xdc00 + ((point - 0x10000) & 1023);
				unit_count = 2;
			}
			for (size_t k = 0; k < unit_count; k++, used += 2) {
				out[0][used] = out[1][used + 1] = (uint8_t)units[k];
				out[0][used + 1] = out[1][used] = (uint8_t)(units[k] >> 8);
			}
		}
		for (size_t k = 0; wide && k < 2; k++)
			add(state, value, RECODED, out[k], used);
		if (wide && narrow)
			add(state, value, RECODED, out[2], latin);
		for (size_t k = 3; far && k < 5; k++)
			add(state, value, RECODED, out[k], points);
	}
	for (size_t k = 0; k < 5; k++)
		free(out[k]);
}

static void
add_in_quotes(struct state *state, size_t value, const uint8_t *bytes, size_t len)
{
	static const char *const ways[] = {"'\\''", "'\"'\"'", "''", "\"\""};
	uint8_t *out = malloc(len * 5);

	for (size_t way = 0; way < 4; way++) {
		size_t used = 0;

		if (!memchr(bytes, way < 3 ? '\'' : '"', len) ||
		    (way < 2 && !memchr(bytes, '\\', len)))
			continue;
		for (size_t i = 0; i < len; i++) {
			if (bytes[i] != (way < 3 ? '\'' : '"')) {
				out[used++] = bytes[i];
				continue;
			}
			for (const char *c = ways[way]; *c; c++)
				out[used++] = (uint8_t)*c;
		}
		add(state, value, QUOTED, out, used);
	}
	free(out);
}

static void
make_patterns(struct state *state)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		for (size_t v = 0; v < state->value_count; v++) {
			const uint8_t *bytes = state->values[v].bytes;
			size_t len = state->values[v].len;

			strip(&bytes, &len);
			if (len < 8)
				continue;
			if (kind == VALUE || kind == EXACT ||
			    (kind == ESCAPED && memchr(bytes, 0x1b, len)))
				add(state, v, kind, bytes, len);
			if (kind == LINE)
				add_lines(state, v, bytes, len);
			if (kind == REVERSED)
				add_turned(state, v, bytes, len);
			if (kind == RECODED)
				add_recoded(state, v, bytes, len);
			if (kind == QUOTED)
				add_in_quotes(state, v, bytes, len);
			if (kind == PLUS && memchr(bytes, ' ', len)) {
				uint8_t *plus = malloc(len);

				for (size_t i = 0; i < len; i++)
					plus[i] = bytes[i] == ' ' ? '+' : bytes[i];
				add(state, v, kind, plus, len);
				free(plus);
			}
		}
	}
}

static void
hit(struct state *state, size_t start, size_t end, size_t value)
{
	memset(state->covered + start, 1, end - start);
	if (end - start > state->best_len[start] ||
	    (end - start == state->best_len[start] && value < state->best_name[start])) {
		state->best_len[start] = end - start;
		state->best_name[start] = value;
	}
}

/* Whether the gaps of `count` symbols are those that a pattern may have. */
static bool
gaps_fit(const struct state *state, const struct pattern *pattern, const struct symbol *symbols)
{
	bool tight = true, spaced = true, wrapped = true;
	size_t at = 1;

	if (pattern->len < 8)
		return symbols[pattern->len - 1].end - symbols[0].start == pattern->spelled_len &&
		       memcmp(state->text + symbols[0].start, pattern->spelled,
		              pattern->spelled_len) == 0;
	for (size_t i = 1; i < pattern->len; i++) {
		bool own = false;

		for (; is_space(pattern->spelled[at]); at++)
			own = true;
		at++;
		if (own && !symbols[i].space)
			return false;
		if (own)
			continue;
		tight &= !symbols[i].space;
		wrapped &= !symbols[i].space || symbols[i].line;
		spaced &= symbols[i].one || (!symbols[i].space && (symbols[i].byte & 0xc0) == 0x80);
	}
	return tight || spaced || (wrapped && pattern->len >= 16);
}

/* Of equal patterns only the first one that fits counts: it gives the name. */
static bool
is_seen(const struct state *state, size_t p)
{
	for (size_t q = 0; q < p; q++)
		if (state->accepted[q] && state->patterns[q].len == state->patterns[p].len)
			return true;
	return false;
}

static void
match_symbols(struct state *state, bool coded)
{
	for (size_t i = 0; i < state->symbol_count; i++) {
		const struct symbol *first = &state->symbols[i];

		if (first->start >= state->first_until)
			break;
		for (size_t p = 0; p < state->count; p++) {
			const struct pattern *pattern = &state->patterns[p];
			size_t k = 0;

			state->accepted[p] = false;
			if (i + pattern->len > state->symbol_count ||
			    (coded ? !pattern->coded : pattern->kind == EXACT))
				continue;
			while (k < pattern->len && first[k].byte == pattern->symbols[k] &&
			       !(k && first[k].broken))
				k++;
			if (k < pattern->len || (!coded && !gaps_fit(state, pattern, first)) ||
			    is_seen(state, p))
				continue;
			state->accepted[p] = true;
			hit(state, first->start, first[k - 1].end, pattern->value);
		}
	}
}

static void
put_symbol(struct state *state, struct symbol symbol, bool broken)
{
	struct symbol *last = state->symbol_count ? &state->symbols[state->symbol_count - 1] : NULL;

	symbol.broken = broken || (last && symbol.start > last->end + GAP);
	state->symbols[state->symbol_count++] = symbol;
}

static void
read_text(struct state *state, enum escape_kind kind)
{
	struct symbol next = {0};
	size_t spaces = 0;

	state->symbol_count = 0;
	for (size_t at = 0; at < state->len;) {
		struct unit unit;

		if (state->text[at] == 0x1b && kind != ESCAPE_TERMINAL) {
			at += decode_terminal(state->text + at, state->len - at, true);
			continue;
		}
		unit = decode_unit(kind, state->text + at, state->len - at, true);
		for (size_t k = 0; k < unit.count; k++) {
			uint8_t byte = unit.bytes[k];

			if (is_space(byte)) {
				spaces++;
				next.line |= byte == '\n' || byte == '\r';
			} else if (byte) {
				next.byte = byte;
				next.space = spaces > 0;
				next.one = spaces == 1 && !next.line;
				next.start = at;
				next.end = at + unit.len;
				put_symbol(state, next, false);
				next = (struct symbol){0};
				spaces = 0;
			}
		}
		at += unit.len;
	}
	match_symbols(state, false);
}

/* Text that begins within a sequence, where that one is none, up to the next ESC. */
static void
read_inside(struct state *state)
{
	struct state part = *state;

	for (size_t at = 0; at < state->len; at++) {
		const uint8_t *text = state->text + at;
		size_t len = *text == 0x1b ? decode_terminal(text, state->len - at, true) : 1;
		const uint8_t *next;

		if (len == 1 || text[1] != '[')
			continue;
		next = memchr(text + 2, 0x1b, state->len - at - 2);
		part.text = text + 2;
		part.len = next ? (size_t)(next - part.text) : state->len - at - 2;
		part.covered = state->covered + at + 2;
		part.best_len = state->best_len + at + 2;
		part.best_name = state->best_name + at + 2;
		part.first_until = len - 2;
		read_text(&part, ESCAPE_NONE);
	}
}

struct digit {
	int value;
	size_t start, end;
	bool broken;
};

static int
digit_value(unsigned width, uint8_t byte)
{
	if (width == 4)
		return text_hex_digit((char)byte);
	if (width == 6)
		return text_base64_digit((char)byte);
	if ((byte | 32) >= 'a' && (byte | 32) <= 'z')
		return (byte | 32) - 'a';
	return byte >= '2' && byte <= '7' ? byte - '2' + 26 : -1;
}

/* An escape within base64: its length, and what it stands for. */
static size_t
base64_unit(const uint8_t *at, size_t left, uint8_t *ret_byte)
{
	struct unit unit = {.len = 1, .count = 1, .bytes = {*at}};

	if (*at == '%')
		unit = decode_unit(ESCAPE_PERCENT, at, left, true);
	else if (*at == '\\' && left > 1 && (at[1] == 'n' || at[1] == 'r' || at[1] == '/'))
		unit = decode_unit(ESCAPE_BACKSLASH, at, left, true);
	*ret_byte = unit.bytes[0];
	if (unit.len > 1 && !strchr("\n\r/+=", unit.bytes[0])) {
		*ret_byte = *at;
		return 1;
	}
	return unit.len;
}

static size_t
read_digits(const struct state *state, unsigned width, struct digit *digits)
{
	size_t count = 0, last_end = 0;
	bool broken = true;

	for (size_t at = 0; at < state->len;) {
		uint8_t byte = state->text[at];
		size_t len = 1;
		int value;

		if (byte == 0x1b) {
			at += decode_terminal(state->text + at, state->len - at, true);
			continue;
		}
		if (width == 6 && (byte == '%' || byte == '\\'))
			len = base64_unit(state->text + at, state->len - at, &byte);
		value = digit_value(width, byte);
		if (value >= 0) {
			digits[count++] = (struct digit){.value = value,
			                                 .start = at,
			                                 .end = at + len,
			                                 .broken = broken || at > last_end + GAP};
			last_end = at + len;
			broken = false;
		} else if (byte && !is_space(byte) && !(width == 4 && strchr(":-,.", byte))) {
			broken = true;
		}
		at += len;
	}
	return count;
}

/* The value's bits wherever they stand among the bits of a run of digits. */
static void
match_digits(struct state *state, unsigned width, unsigned grain)
{
	struct digit *digits = malloc((state->len + 1) * sizeof *digits);
	size_t count = read_digits(state, width, digits), run = 0;

	for (size_t i = 0; i < count; i = run) {
		for (run = i + 1; run < count && !digits[run].broken;)
			run++;
		for (size_t shift = 0; shift < 8; shift += grain) {
			state->symbol_count = 0;
			for (size_t bit = shift; bit + 8 <= (run - i) * width; bit += 8) {
				size_t first = i + bit / width, last = i + (bit + 7) / width;
				unsigned byte = 0;

				for (size_t b = bit; b < bit + 8; b++)
					byte = byte << 1 | (digits[i + b / width].value >>
					                            (width - 1 - b % width) &
					                    1);
				put_symbol(state,
				           (struct symbol){.byte = (uint8_t)byte,
				                           .start = digits[first].start,
				                           .end = digits[last].end},
				           false);
			}
			/* white space may be long without a gap between the digits */
			for (size_t k = 0; k < state->symbol_count; k++)
				state->symbols[k].broken = false;
			match_symbols(state, true);
		}
	}
	free(digits);
}

static bool
separates(uint8_t byte)
{
	return !byte || is_space(byte) || strchr(",;:[](){}|", byte);
}

static void
match_numbers(struct state *state)
{
	bool broken = true;
	size_t last_end = 0;

	state->symbol_count = 0;
	for (size_t at = 0; at < state->len;) {
		size_t end = at;
		unsigned number = 0;

		if (state->text[at] == 0x1b) {
			at += decode_terminal(state->text + at, state->len - at, true);
			continue;
		}
		while (end < state->len && is_word(state->text[end]))
			end++;
		if (end == at) {
			broken |= !separates(state->text[at]);
			at++;
			continue;
		}
		for (size_t i = at; i < end && end - at <= 3; i++)
			number = state->text[i] >= '0' && state->text[i] <= '9'
			                 ? number * 10 + state->text[i] - '0'
			                 : 1000;
		if (end - at > 3 || number > 255 || (end - at > 1 && state->text[at] == '0')) {
			broken = true;
		} else {
			broken |= at > last_end + GAP;
			{
				put_symbol(state,
				           (struct symbol){.byte = (uint8_t)number,
				                           .start = at,
				                           .end = end},
				           false);
				state->symbols[state->symbol_count - 1].broken = broken;
				broken = false;
			}
			last_end = end;
		}
		at = end;
	}
	match_symbols(state, true);
}

static void
match_0x(struct state *state)
{
	bool broken = true;
	size_t last_end = 0;

	state->symbol_count = 0;
	for (size_t at = 0; at < state->len;) {
		const uint8_t *text = state->text + at;

		if (*text == 0x1b) {
			at += decode_terminal(text, state->len - at, true);
			continue;
		}
		if (state->len - at >= 4 && text[0] == '0' && (text[1] | 32) == 'x' &&
		    text_hex_digit((char)text[2]) >= 0 && text_hex_digit((char)text[3]) >= 0) {
			uint8_t byte = (uint8_t)(text_hex_digit((char)text[2]) << 4 |
			                         text_hex_digit((char)text[3]));

			broken |= at > last_end + GAP;
			last_end = at + 4;
			{
				put_symbol(
					state,
					(struct symbol){.byte = byte, .start = at, .end = at + 4},
					false);
				state->symbols[state->symbol_count - 1].broken = broken;
				broken = false;
			}
			at += 4;
			continue;
		}
		broken |= !separates(*text);
		at++;
	}
	match_symbols(state, true);
}

static void
match_shorts(struct state *state)
{
	for (size_t v = 0; v < state->value_count; v++) {
		const uint8_t *bytes = state->values[v].bytes;
		size_t len = state->values[v].len;

		strip(&bytes, &len);
		if (len < 4 || len > 7)
			continue;
		for (size_t at = 0; at + len <= state->len; at++) {
			if (memcmp(state->text + at, bytes, len) != 0 ||
			    (at && is_word(state->text[at - 1]) && is_word(bytes[0])) ||
			    (at + len < state->len && is_word(state->text[at + len]) &&
			     is_word(bytes[len - 1])))
				continue;
			hit(state, at, at + len, v);
		}
	}
}

static uint8_t *
write_out(const struct state *state, size_t *ret_len)
{
	uint8_t *out = malloc(state->len * 40 + 1);
	size_t used = 0;

	for (size_t at = 0; at < state->len; at++) {
		if (!state->covered[at])
			out[used++] = state->text[at];
		else if (!at || !state->covered[at - 1])
			used += (size_t)snprintf((char *)out + used, 40, "[secret %.20s]",
			                         state->values[state->best_name[at]].name);
	}
	*ret_len = used;
	return out;
}

uint8_t *
reference_redact(const struct ref_value *values, size_t count, const uint8_t *text, size_t len,
                 size_t *ret_len)
{
	struct state *state = calloc(1, sizeof *state);
	uint8_t *out;

	state->values = values;
	state->value_count = count;
	state->text = text;
	state->len = state->first_until = len;
	state->symbols = calloc(len * 4 + 4, sizeof *state->symbols);
	state->covered = calloc(len + 1, sizeof *state->covered);
	state->best_len = calloc(len + 1, sizeof *state->best_len);
	state->best_name = calloc(len + 1, sizeof *state->best_name);
	make_patterns(state);
	for (enum escape_kind kind = ESCAPE_NONE; kind <= ESCAPE_QUOTED; kind++)
		read_text(state, kind);
	read_text(state, ESCAPE_TERMINAL);
	read_inside(state);
	match_digits(state, 4, 4);
	match_digits(state, 5, 1);
	match_digits(state, 6, 2);
	match_numbers(state);
	match_0x(state);
	match_shorts(state);
	out = write_out(state, ret_len);
	for (size_t p = 0; p < state->count; p++) {
		free(state->patterns[p].spelled);
		free(state->patterns[p].symbols);
	}
	free(state->symbols);
	free(state->covered);
	free(state->best_len);
	free(state->best_name);
	free(state);
	return out;
}
