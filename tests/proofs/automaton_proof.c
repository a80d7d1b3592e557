/* What src/redact/automaton.c holds, for every set of PATTERNS patterns of 1 to LENGTH bytes over
 * LETTERS letters and every text of TEXT bytes: at each place exactly those patterns are found that
 * end there, equal ones all of them, and the state is the longest beginning of a pattern that the
 * text ends with: so nothing is held back that can no longer become a match. */
#include "nondet.h"

#include "redact/automaton.h"

#include <stdbool.h>
#include <string.h>

#ifndef PATTERNS
#define PATTERNS 2
#endif
#ifndef LENGTH
#define LENGTH 3
#endif
#ifndef LETTERS
#define LETTERS 2
#endif
#ifndef TEXT
#define TEXT 5
#endif

static uint8_t pattern[PATTERNS][LENGTH];
static unsigned pattern_len[PATTERNS];

static uint8_t
choose_letter(void)
{
	return (uint8_t)('a' + choose(LETTERS));
}

/* The text's last bytes are the first `len` bytes of pattern `p`. */
static bool
ends_with(const uint8_t *text, unsigned read, unsigned p, unsigned len)
{
	if (len > read || len > pattern_len[p])
		return false;
	for (unsigned i = 0; i < len; i++)
		if (text[read - len + i] != pattern[p][i])
			return false;
	return true;
}

static void
check_found(const struct automaton *automaton, uint32_t state, const uint8_t *text, unsigned read)
{
	bool found[PATTERNS] = {false};
	bool out = automaton->flags[state] & NODE_OUT;

	for (uint32_t at = state; at != ROOT; at = automaton->fail[at]) {
		uint32_t number = automaton_own(automaton, at);

		for (; number != NO_PATTERN; number = automaton->patterns[number].same) {
			HOLDS(number < PATTERNS && !found[number]);
			found[number] = true;
			HOLDS(out);
		}
	}
	for (unsigned p = 0; p < PATTERNS; p++)
		HOLDS(found[p] == ends_with(text, read, p, pattern_len[p]));
}

static void
check_depth(const struct automaton *automaton, uint32_t state, const uint8_t *text, unsigned read)
{
	uint32_t rest = automaton_rest(automaton, state);
	unsigned longest = 0, open = 0;

	for (unsigned p = 0; p < PATTERNS; p++) {
		for (unsigned len = 1; len <= LENGTH; len++) {
			if (!ends_with(text, read, p, len))
				continue;
			longest = len > longest ? len : longest;
			if (len < pattern_len[p])
				open = len > open ? len : open;
		}
	}
	HOLDS((state == ROOT ? 0 : automaton->depth[state]) == longest);
	HOLDS((rest == ROOT ? 0 : automaton->depth[rest]) == open);
}

void
proof(void)
{
	struct automaton automaton = {0};
	uint8_t text[TEXT];
	uint32_t state = ROOT;

	for (unsigned p = 0; p < PATTERNS; p++) {
		pattern_len[p] = 1 + choose(LENGTH);
		for (unsigned i = 0; i < pattern_len[p]; i++)
			pattern[p][i] = choose_letter();
		HOLDS(automaton_add(&automaton, pattern[p], pattern_len[p],
		                    (struct pattern){.name = p}) == UN_OK);
	}
	HOLDS(automaton_build(&automaton) == UN_OK);
	for (unsigned read = 0; read < TEXT;) {
		text[read++] = choose_letter();
		state = automaton_step(&automaton, state, text[read - 1]);
		check_found(&automaton, state, text, read);
		check_depth(&automaton, state, text, read);
	}
	automaton_fini(&automaton);
}
