/* Every path that this processor has against the obvious way, byte by byte. */
#include "redact/filter.h"
#include "test.h"

#include <string.h>

#define PATHS 3 /* more than there are is fine */
#define RANDOM_BLOCKS 20000

static uint32_t seed = 1;

static uint32_t
next(uint32_t below)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % below;
}

static bool
is_letter(uint8_t byte)
{
	return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}

/* As filter.h says; behind the block anything may stand. */
static bool
begins_escape(const struct filter_tables *tables, const uint8_t *block, size_t i)
{
	size_t left = BLOCK - i - 1;
	uint8_t next_one = left ? block[i + 1] : 0;

	if (block[i] == '\\' || block[i] == 0x0e || block[i] == 0x0f || block[i] == 0x9b)
		return true;
	if (!strchr("%&='", block[i]) || !block[i])
		return false;
	if (!left)
		return true;
	if (block[i] == '\'')
		return next_one == '\\' || next_one == '"';
	if (block[i] == '&')
		return (next_one == '#' || is_letter(next_one)) &&
		       (left + 1 < UNIT_MAX ? true : memchr(block + i, ';', UNIT_MAX) != NULL);
	if (block[i] == '=' && (next_one == '\n' || next_one == '\r'))
		return true;
	return tables->class[next_one] & CLASS_LEAD &&
	       (left < 2 || tables->class[block[i + 2]] & CLASS_HEX);
}

static bool
begins_member(const uint8_t *block, size_t i)
{
	if (i + 1 == BLOCK)
		return block[i] == 'e' || block[i] == 'H';
	return (block[i] == 'e' && block[i + 1] && strchr("JNAF", block[i + 1])) ||
	       (block[i] == 'H' && block[i + 1] == '4');
}

static void
expect_shaped(const struct filter *filter, const uint8_t *block)
{
	uint8_t out[BLOCK], squeezed[BLOCK];
	size_t kept = 0;
	struct shaped shaped;

	filter->path->shape(filter->tables, block, &shaped, out);
	filter->path->squeeze(filter->tables, block, shaped.keep, squeezed);
	for (size_t i = 0; i < BLOCK; i++) {
		uint8_t fold = filter->tables->fold[block[i]];
		bool escape = begins_escape(filter->tables, block, i);

		EXPECT_INT(fold != 0, shaped.keep >> i & 1);
		if (fold) {
			EXPECT_INT(fold, out[kept]);
			EXPECT_INT(fold, squeezed[kept]);
			kept++;
		}
		EXPECT_INT((filter->tables->class[block[i]] & CLASS_SYMBOL) != 0,
		           shaped.symbols >> i & 1);
		EXPECT_INT(block[i] == 0x1b, shaped.esc >> i & 1);
		EXPECT(!begins_member(block, i) || (shaped.members >> i & 1));
		for (size_t view = 0; view < ESCAPED; view++)
			EXPECT_INT(escape && filter_view_of(block[i]) ==
			                             VIEW_BACKSLASH + (enum view)view,
			           shaped.escapes[view] >> i & 1);
	}
}

static void
fill_at_random(uint8_t *block)
{
	static const char marks[] = "%&='\"\\#;eHJNAF4\n\r \t\x1b\x0e\x0f\x9b-_+/!@`{}";
	uint32_t kind = next(4);

	for (size_t i = 0; i < BLOCK; i++) {
		uint32_t one = next(8);

		if (kind == 0 || one == 0)
			block[i] = (uint8_t)next(256);
		else if (one <= kind)
			block[i] = (uint8_t)marks[next(sizeof marks - 1)];
		else
			block[i] = (uint8_t) "0123456789abcdefABCDEFxyz Z"[next(27)];
	}
}

static void
on_every_path(const char *value)
{
	for (size_t path = 0; path < PATHS; path++) {
		struct filter filter = {0};
		uint8_t block[BLOCK];

		filter_path_limit(path);
		EXPECT_OK(filter_init(&filter));
		filter_shape(&filter, (const uint8_t *)value, strlen(value));
		EXPECT_OK(filter_allocate(&filter, 1));
		filter_symbols(&filter, (const uint8_t *)value, strlen(value));
		for (unsigned byte = 0; byte < 256; byte++) { /* each byte at each place */
			for (size_t i = 0; i < BLOCK; i++)
				block[i] = (uint8_t)(byte + i);
			expect_shaped(&filter, block);
		}
		for (size_t i = 0; i < RANDOM_BLOCKS; i++) {
			fill_at_random(block);
			expect_shaped(&filter, block);
		}
		filter_fini(&filter);
	}
	filter_path_limit(0);
}

TEST(filter_block, every_path_shapes_every_block_alike)
{
	on_every_path("correct-horse-battery");
}

TEST(filter_block, marks_that_a_value_lends_keep_their_place_on_every_path)
{
	on_every_path("a!@$^*(){}|~`<>?b");
}

TEST_MAIN()
