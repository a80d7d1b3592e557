/* Finding rows of the trail. A block of TRAIL_BLOCK rows has a Bloom filter of the words in its
 * columns: a filter of 32,768 bits with four bits a word holds 4,000 words and lets one in forty
 * blocks through that has none of it. So a search among millions of rows reads kilobytes, and an
 * append pays nothing. */
#include "store/trail.h"

#include "store/sql.h"

#include <stdio.h>
#include <string.h>

#define WORD_BITS 4
#define CLOCK_SLACK_US (600ll * 1000000) /* that a clock may have been set back by */

/* ---- words ---- */

static uint64_t
hash_word(char kind, const char *text)
{
	uint64_t hash = 14695981039346656037ull; /* FNV-1a */

	hash = (hash ^ (uint8_t)kind) * 1099511628211ull;
	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 1099511628211ull;
	return hash ^ hash >> 29;
}

static size_t
bit_of(uint64_t hash, unsigned i)
{
	return (size_t)((hash + i * (hash >> 32 | 1)) % (8 * TRAIL_WORDS_LEN));
}

static void
add_word(uint8_t *words, char kind, const char *text)
{
	uint64_t hash = hash_word(kind, text);

	for (unsigned i = 0; *text && i < WORD_BITS; i++)
		words[bit_of(hash, i) / 8] |= (uint8_t)(1 << bit_of(hash, i) % 8);
}

static bool
may_have(const uint8_t *words, char kind, const char *text)
{
	uint64_t hash;

	if (!text || !text[0])
		return true;
	hash = hash_word(kind, text);
	for (unsigned i = 0; i < WORD_BITS; i++)
		if (!(words[bit_of(hash, i) / 8] >> bit_of(hash, i) % 8 & 1))
			return false;
	return true;
}

static void
number_text(uint32_t number, char text[16])
{
	text[0] = '\0';
	if (number)
		(void)snprintf(text, 16, "%u", number);
}

static bool
add_row(void *ctx, const struct trail_row *row)
{
	char action[16], verdict[16];

	number_text(row->action, action);
	number_text(row->verdict, verdict);
	add_word(ctx, 'a', action);
	add_word(ctx, 'v', verdict);
	add_word(ctx, 'p', row->principal);
	add_word(ctx, 's', row->project);
	add_word(ctx, 'd', row->domain);
	add_word(ctx, 'n', row->name);
	add_word(ctx, 'e', row->execution);
	return true;
}

static bool
block_may_match(const uint8_t *words, const struct trail_filter *filter)
{
	char action[16], verdict[16];

	number_text(filter->action, action);
	number_text(filter->verdict, verdict);
	return may_have(words, 'a', action) && may_have(words, 'v', verdict) &&
	       may_have(words, 'p', filter->principal) && may_have(words, 's', filter->project) &&
	       may_have(words, 'd', filter->domain) && may_have(words, 'n', filter->name) &&
	       may_have(words, 'e', filter->execution);
}

enum un_err
trail_block_make(struct store_view *view, int64_t block, uint8_t ret_words[TRAIL_WORDS_LEN],
                 struct un_detail *detail)
{
	const struct trail_visit visit = {.each = add_row, .ctx = ret_words};

	memset(ret_words, 0, TRAIL_WORDS_LEN);
	return trail_walk_back(view, (block + 1) * TRAIL_BLOCK + 1, block * TRAIL_BLOCK, visit,
	                       detail);
}

enum un_err
trail_block_put(struct store_txn *txn, int64_t block, const uint8_t words[TRAIL_WORDS_LEN],
                struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;

	err = sql_open(store_txn_view(txn),
	               "INSERT OR REPLACE INTO trail_blocks (block, words) VALUES (?1, ?2)", &sql,
	               detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, block);
	sql_bind_blob(sql, 2, words, TRAIL_WORDS_LEN);
	return sql_run(sql, detail);
}

enum un_err
trail_block_get(struct store_view *view, int64_t block, uint8_t ret_words[TRAIL_WORDS_LEN],
                struct un_detail *detail)
{
	const uint8_t *words;
	struct sql *sql;
	enum un_err err;
	size_t len;
	bool row;

	err = sql_open(view, "SELECT words FROM trail_blocks WHERE block = ?1", &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, block);
	err = sql_step(sql, &row, detail);
	if (!err && !row)
		err = UN_ERR_NOT_FOUND;
	if (!err) {
		words = sql_blob(sql, 0, &len);
		if (len == TRAIL_WORDS_LEN)
			memcpy(ret_words, words, TRAIL_WORDS_LEN);
		else
			err = UN_ERR_NOT_FOUND; /* damaged: its rows are looked at */
	}
	sql_close(sql);
	return err;
}

enum un_err
trail_blocks(struct store_view *view, int64_t *ret_whole, int64_t *ret_made,
             struct un_detail *detail)
{
	uint8_t hash[TRAIL_HASH_LEN];
	struct sql *sql;
	enum un_err err;
	int64_t last;
	bool row;

	err = trail_last(view, &last, hash, detail);
	if (err)
		return err;
	*ret_whole = last / TRAIL_BLOCK;
	err = sql_open(view, "SELECT block FROM trail_blocks ORDER BY block DESC LIMIT 1", &sql,
	               detail);
	if (err)
		return err;
	err = sql_step(sql, &row, detail);
	if (!err)
		*ret_made = row ? sql_int(sql, 0) + 1 : 0;
	sql_close(sql);
	return err;
}

/* ---- lists ---- */

static enum un_err
time_of(struct store_view *view, int64_t seq, int64_t *ret_us, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err;
	bool row;

	*ret_us = 0;
	err = sql_open(view, "SELECT at FROM trail WHERE seq = ?1", &sql, detail);
	if (err)
		return err;
	sql_bind_int(sql, 1, seq);
	err = sql_step(sql, &row, detail);
	if (!err && row)
		*ret_us = sql_int(sql, 0);
	sql_close(sql);
	return err;
}

/* The last row that is surely older than `since_us`: rows come in the order of time, but for a
 * clock that was set. */
static enum un_err
find_floor(struct store_view *view, int64_t since_us, int64_t newest, int64_t *ret_seq,
           struct un_detail *detail)
{
	int64_t low = 0, high = newest, at_us;
	enum un_err err = UN_OK;

	while (!err && low < high) {
		int64_t middle = low + (high - low + 1) / 2;

		err = time_of(view, middle, &at_us, detail);
		if (at_us < since_us - CLOCK_SLACK_US)
			low = middle;
		else
			high = middle - 1;
	}
	*ret_seq = low;
	return err;
}

static bool
agrees(const char *wanted, const char *found)
{
	return !wanted || !wanted[0] || strcmp(wanted, found) == 0;
}

static bool
row_matches(const struct trail_filter *filter, const struct trail_row *row)
{
	return row->at_us >= filter->since_us &&
	       (!filter->until_us || row->at_us < filter->until_us) &&
	       (!filter->action || filter->action == row->action) &&
	       (!filter->verdict || filter->verdict == row->verdict) &&
	       agrees(filter->principal, row->principal) &&
	       agrees(filter->project, row->project) && agrees(filter->domain, row->domain) &&
	       agrees(filter->name, row->name) && agrees(filter->execution, row->execution);
}

struct search {
	const struct trail_filter *filter;
	struct trail_visit visit;
	int64_t before; /* everything from here on was looked at */
	int64_t rows, blocks; /* that may still be looked at */
	bool stopped;
};

static bool
look_at_row(void *ctx, const struct trail_row *row)
{
	struct search *search = ctx;

	search->before = row->seq;
	search->rows--;
	if (row_matches(search->filter, row) && !search->visit.each(search->visit.ctx, row))
		search->stopped = true;
	return !search->stopped && search->rows > 0;
}

/* The rows down to the end of the block that search->before lies behind, or of what is not in a
 * block yet. */
static enum un_err
search_block(struct store_view *view, struct search *search, int64_t floor,
             struct un_detail *detail)
{
	const struct trail_visit visit = {.each = look_at_row, .ctx = search};
	int64_t block = (search->before - 2) / TRAIL_BLOCK, end = block * TRAIL_BLOCK;
	uint8_t words[TRAIL_WORDS_LEN];
	enum un_err err = trail_block_get(view, block, words, detail);

	search->blocks--;
	if (err && err != UN_ERR_NOT_FOUND)
		return err;
	if (end < floor)
		end = floor;
	if (err == UN_OK && !block_may_match(words, search->filter)) {
		search->before = end + 1;
		return UN_OK;
	}
	err = trail_walk_back(view, search->before, end, visit, detail);
	if (!err && !search->stopped && search->rows > 0)
		search->before = end + 1;
	return err;
}

enum un_err
trail_list(struct store_view *view, const struct trail_filter *filter, struct trail_visit visit,
           int64_t *ret_next, struct un_detail *detail)
{
	struct search search = {.filter = filter,
	                        .visit = visit,
	                        .before = filter->before_seq,
	                        .rows = TRAIL_SCAN_MAX,
	                        .blocks = TRAIL_BLOCKS_MAX};
	uint8_t hash[TRAIL_HASH_LEN];
	int64_t floor = 0, newest;
	enum un_err err = trail_last(view, &newest, hash, detail);

	if (!err && filter->since_us > 0)
		err = find_floor(view, filter->since_us, newest, &floor, detail);
	if (search.before <= 0 || search.before > newest + 1)
		search.before = newest + 1;
	while (!err && search.before > floor + 1 && !search.stopped && search.rows > 0 &&
	       search.blocks > 0)
		err = search_block(view, &search, floor, detail);
	*ret_next = search.before > floor + 1 ? search.before : 0;
	return err;
}
