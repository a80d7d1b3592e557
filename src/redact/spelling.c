#include "redact/machine.h"

#include "redact/set.h"

/* What stands between the symbols of a match, where the value itself has nothing. */
struct gaps {
	bool tight;   /* nothing */
	bool spaced;  /* one space each time */
	bool wrapped; /* nothing, or a line end */
};

/* How far the match and the value's spelling have been read side by side. */
struct reading {
	const uint8_t *spelled;
	uint32_t len;
	uint32_t at;
	uint32_t skip;   /* symbols of the first unit that stand before the match */
	uint32_t spaces; /* since the last symbol */
	bool line;       /* with a line end */
	struct gaps gaps;
};

static bool
is_space(uint8_t byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static void
see_gap(struct gaps *gaps, uint32_t spaces, bool line, uint8_t symbol)
{
	if (!spaces && !line) {
		if ((symbol & 0xc0) != 0x80) /* not within a character of UTF-8 */
			gaps->spaced = false;
		return;
	}
	gaps->tight = false;
	if (line)
		gaps->spaced = false;
	else
		gaps->wrapped = false;
	if (spaces != 1)
		gaps->spaced = false;
}

/* False: it is not the value's next one. */
static bool
take(struct reading *reading, uint8_t byte)
{
	bool own_gap = false, first = !reading->at;

	if (is_space(byte)) {
		reading->spaces++;
		reading->line |= byte == '\n' || byte == '\r';
		return true;
	}
	if (!byte || reading->at == reading->len)
		return true; /* the last unit may go on behind the match */
	if (reading->skip) {
		reading->skip--;
		return true;
	}
	for (; is_space(reading->spelled[reading->at]); reading->at++)
		own_gap = true;
	if (reading->spelled[reading->at] != byte || (own_gap && !reading->spaces))
		return false;
	if (!own_gap && !first)
		see_gap(&reading->gaps, reading->spaces, reading->line, byte);
	reading->at++;
	reading->spaces = 0;
	reading->line = false;
	return true;
}

/* Reads all of the match. */
static bool
read_match(struct reading *reading, enum escape_kind kind, const struct reader *reader,
           struct span match)
{
	for (uint64_t i = match.start; i < match.end;) {
		const uint8_t *bytes = reader->bytes + (i - reader->base);
		size_t left = (size_t)(reader->base + reader->len - i);
		struct unit unit;

		if (*bytes == 0x1b && !decode_has_terminal(kind)) {
			size_t len = decode_terminal(bytes, left, reader->final);

			i += len ? len : 1;
			continue;
		}
		unit = decode_unit(kind, bytes, left, reader->final);
		i += unit.len ? unit.len : 1;
		for (uint32_t k = 0; k < unit.count; k++)
			if (!take(reading, unit.bytes[k]))
				return false;
	}
	return reading->at == reading->len;
}

/* The first unit may stand for several bytes, of which the match has only the last ones. */
bool
spelling_fits(enum escape_kind kind, const struct reader *reader, const struct pattern *pattern,
              struct span match)
{
	for (uint32_t skip = 0; skip < sizeof(((struct unit *)0)->bytes); skip++) {
		struct reading reading = {.spelled = set_spelled(reader->set, pattern),
		                          .len = pattern->spelled_len,
		                          .skip = skip,
		                          .gaps = {true, true, true}};
		const struct gaps *gaps = &reading.gaps;

		if (read_match(&reading, kind, reader, match))
			return gaps->tight || gaps->spaced ||
			       (gaps->wrapped && pattern->len >= WRAPPED_LEAST);
	}
	return false;
}
