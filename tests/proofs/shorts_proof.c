/* What src/redact/shorts.c holds, for every two values of 4 and 5 bytes over two letters (one of
 * them no part of a word) and every text of TEXT bytes, read in one piece or parted at any place:
 * exactly those places are found where a value stands as a word of its own, and nothing before such
 * a place was given up. */
#include "nondet.h"

#include "redact/shorts.h"

#include <stdbool.h>
#include <string.h>

#ifndef TEXT
#define TEXT 6
#endif

static const char letters[] = "a.";
static uint8_t value[2][5];
static const unsigned value_len[2] = {4, 5};
static bool found[2][TEXT], wanted[2][TEXT];

static uint8_t
choose_letter(void)
{
	return (uint8_t)letters[choose(sizeof letters - 1)];
}

/* In place of machine.c's: the regions that a stream would join. */
void
reader_found(struct reader *reader, uint64_t start, uint64_t end, uint32_t name,
             enum redact_form form)
{
	(void)reader;
	(void)form;
	HOLDS(name < 2 && end - start == value_len[name] && end <= TEXT);
	found[name][start] = true;
}

static bool
is_word(const uint8_t *text, int at)
{
	return at >= 0 && at < TEXT && text[at] == 'a';
}

static void
find_obviously(const uint8_t *text)
{
	for (unsigned v = 0; v < 2; v++) {
		for (unsigned at = 0; at + value_len[v] <= TEXT; at++) {
			int first = (int)at, last = (int)(at + value_len[v]) - 1;

			wanted[v][at] = memcmp(text + at, value[v], value_len[v]) == 0 &&
			                !(is_word(text, first) && is_word(text, first - 1)) &&
			                !(is_word(text, last) && is_word(text, last + 1));
		}
	}
}

void
proof(void)
{
	struct shorts shorts = {0};
	struct reader reader = {.before = -1};
	uint8_t text[TEXT];
	uint64_t cut, hold;

	memset(found, 0, sizeof found);
	memset(wanted, 0, sizeof wanted);
	HOLDS(shorts_init(&shorts, 2) == UN_OK);
	for (unsigned v = 0; v < 2; v++) {
		for (unsigned i = 0; i < value_len[v]; i++)
			value[v][i] = choose_letter();
		shorts_add(&shorts, value[v], value_len[v], v);
	}
	for (unsigned i = 0; i < TEXT; i++)
		text[i] = choose_letter();
	cut = choose(TEXT + 1);
	reader.bytes = text;
	reader.len = (size_t)cut;
	hold = shorts_search(&shorts, &reader, 0, false);
	hold = hold < cut ? hold : cut;
	reader.base = hold; /* what is decided is forgotten */
	reader.bytes = text + hold;
	reader.before = hold ? text[hold - 1] : -1;
	reader.len = (size_t)(TEXT - hold);
	(void)shorts_search(&shorts, &reader, hold, true);
	find_obviously(text);
	HOLDS(memcmp(found, wanted, sizeof found) == 0);
	shorts_fini(&shorts);
}
