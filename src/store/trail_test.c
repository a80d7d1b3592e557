#include "store/trail.h"

#include "store/testing.h"
#include "store/uses.h"
#include "test.h"

#define ROWS 5000

struct fixture {
	struct scratch scratch;
	struct store *store;
	struct store_reader *reader;
};

static struct trail_row
row_of(int64_t seq, char name[32], char execution[32])
{
	static const uint8_t hash[TRAIL_HASH_LEN];

	(void)snprintf(name, 32, "name%lld", (long long)(seq * 7919 % 997));
	(void)snprintf(execution, 32, seq % 3 ? "" : "f%lld", (long long)(seq / 30));
	return (struct trail_row){.seq = seq,
	                          .at_us = seq * 1000000,
	                          .action = (uint32_t)(seq % 11 + 1),
	                          .verdict = seq % 100 == 0 ? 2 : 1,
	                          .principal = seq % 500 == 0 ? "key:rare" : "uid:1",
	                          .project = "p",
	                          .domain = seq % 2 ? "d" : "e",
	                          .name = name,
	                          .execution = execution,
	                          .entry = hash,
	                          .entry_len = 1,
	                          .hash = hash};
}

static enum un_err
append_rows(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	enum un_err err = UN_OK;

	(void)ctx;
	for (int64_t seq = 1; seq <= ROWS && !err; seq++) {
		char name[32], execution[32];
		struct trail_row row = row_of(seq, name, execution);

		err = trail_append(txn, &row, detail);
	}
	return err;
}

static enum un_err
make_blocks(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	uint8_t words[TRAIL_WORDS_LEN];
	int64_t whole, made;
	enum un_err err = trail_blocks(store_txn_view(txn), &whole, &made, detail);

	(void)ctx;
	for (; !err && made < whole; made++) {
		err = trail_block_make(store_txn_view(txn), made, words, detail);
		if (!err)
			err = trail_block_put(txn, made, words, detail);
	}
	return err;
}

static void
fixture_begin(struct fixture *f)
{
	f->scratch = scratch_begin();
	f->store = scratch_open(&f->scratch);
	EXPECT_OK(store_reader_open(f->store, &f->reader, NULL));
	EXPECT_OK(store_write_wait(f->store, append_rows, NULL, NULL));
}

static void
fixture_end(struct fixture *f)
{
	store_reader_close(f->reader);
	store_close(f->store);
	scratch_end(&f->scratch);
}

struct found {
	size_t count, stop_at;
	int64_t seqs[ROWS];
};

static bool
take(void *ctx, const struct trail_row *row)
{
	struct found *found = ctx;

	found->seqs[found->count++] = row->seq;
	return found->count != found->stop_at;
}

static void
list_all(struct fixture *f, struct trail_filter filter, struct found *found, size_t page)
{
	int64_t next = 0;

	found->count = 0;
	do {
		found->stop_at = page ? found->count + page : 0;
		filter.before_seq = next;
		EXPECT_OK(store_read_begin(f->reader, NULL));
		EXPECT_OK(trail_list(store_reader_view(f->reader), &filter,
		                     (struct trail_visit){take, found}, &next, NULL));
	} while (next);
}

static const struct trail_filter filters[] = {
	{.principal = "key:rare"},
	{.name = "name3"},
	{.name = "name3", .verdict = 2},
	{.name = "nobody has this"},
	{.execution = "f7"},
	{.action = 5, .domain = "e"},
	{.verdict = 2, .since_us = 1000000000},
	{.since_us = 4990000000},
	{.since_us = 4000000000, .until_us = 4100000000},
	{.project = "another"},
	{.action = 0},
};

static bool
brute(const struct trail_filter *filter, const struct trail_row *row)
{
	return row->at_us >= filter->since_us &&
	       (!filter->until_us || row->at_us < filter->until_us) &&
	       (!filter->action || row->action == filter->action) &&
	       (!filter->verdict || row->verdict == filter->verdict) &&
	       (!filter->principal || strcmp(row->principal, filter->principal) == 0) &&
	       (!filter->project || strcmp(row->project, filter->project) == 0) &&
	       (!filter->domain || strcmp(row->domain, filter->domain) == 0) &&
	       (!filter->name || strcmp(row->name, filter->name) == 0) &&
	       (!filter->execution || strcmp(row->execution, filter->execution) == 0);
}

TEST(trail, finds_by_blocks_and_pages_what_looking_at_every_row_finds)
{
	static struct found found;
	struct fixture f;

	fixture_begin(&f);
	for (int pass = 0; pass < 2; pass++) { /* without and with blocks */
		for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++) {
			for (size_t page = 0; page <= 7; page += 7) {
				size_t at = 0;

				list_all(&f, filters[i], &found, page);
				for (int64_t seq = ROWS; seq > 0; seq--) {
					char name[32], execution[32];
					struct trail_row row = row_of(seq, name, execution);

					if (!brute(&filters[i], &row))
						continue;
					EXPECT(at < found.count);
					EXPECT_INT(seq, found.seqs[at++]);
				}
				EXPECT_INT(at, found.count);
			}
		}
		EXPECT_OK(store_write_wait(f.store, make_blocks, NULL, NULL));
	}
	fixture_end(&f);
}

static enum un_err
note_uses(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	static const uint8_t journal[USES_JOURNAL_ID_LEN] = {1};
	static const struct use_row uses[] = {
		{.execution = "f1", .execution_project = "p", .execution_domain = "d",
		 .version = 1, .last_us = 10},
		{.execution = "f1", .execution_project = "p", .execution_domain = "d",
		 .version = 2, .last_us = 20},
		{.execution = "f1", .execution_project = "p", .execution_domain = "e",
		 .version = 1, .last_us = 30},
		{.execution = "f1", .execution_project = "p", .execution_domain = "d",
		 .version = 1, .last_us = 40},
	};
	enum un_err err = UN_OK;

	for (size_t i = 0; i < 4 && !err; i++)
		err = use_note(txn, ctx, &uses[i], detail);
	return err ? err : release_note(txn, journal, 7, 3, detail);
}

struct uses {
	size_t count, max;
	struct use_cursor last;
	char text[256];
};

static bool
take_use(void *ctx, const struct use_row *row)
{
	struct uses *uses = ctx;
	size_t used = strlen(uses->text);

	(void)snprintf(uses->text + used, sizeof uses->text - used, "%s/%s.%u*%u:%u-%u ",
	               row->execution_domain, row->execution, row->version,
	               (unsigned)row->releases, (unsigned)row->first_us, (unsigned)row->last_us);
	uses->last = (struct use_cursor){row->last_us, row->id};
	return ++uses->count != uses->max;
}

TEST(uses, are_counted_by_execution_and_version_and_shown_last_used_first)
{
	static const uint8_t journal[USES_JOURNAL_ID_LEN] = {1}, other[USES_JOURNAL_ID_LEN] = {2};
	struct uses uses = {.max = 2};
	struct secret_id id, unused;
	struct store_view *view;
	struct fixture f;
	int64_t at;

	EXPECT_OK(secret_id_init(&id, "p", "d", "name", NULL));
	EXPECT_OK(secret_id_init(&unused, "p", "", "name", NULL));
	f.scratch = scratch_begin();
	f.store = scratch_open(&f.scratch);
	EXPECT_OK(store_reader_open(f.store, &f.reader, NULL));
	EXPECT_OK(store_write_wait(f.store, note_uses, &id, NULL));
	EXPECT_OK(store_read_begin(f.reader, NULL));
	view = store_reader_view(f.reader);
	EXPECT_OK(use_list(view, &id, &uses.last, take_use, &uses, NULL));
	EXPECT_OK(use_list(view, &id, &(struct use_cursor){uses.last.last_us, uses.last.id},
	                   take_use, &uses, NULL));
	EXPECT_STR("d/f1.1*2:10-40 e/f1.1*1:30-30 d/f1.2*1:20-20 ", uses.text);
	EXPECT_OK(use_last(view, &id, &at, NULL));
	EXPECT_INT(40, at);
	EXPECT_OK(use_last(view, &unused, &at, NULL));
	EXPECT_INT(0, at);
	EXPECT_OK(release_find(view, journal, 7, &at, NULL));
	EXPECT_INT(3, at);
	EXPECT_OK(release_find(view, other, 7, &at, NULL));
	EXPECT_INT(0, at);
	fixture_end(&f);
}

TEST_MAIN()
