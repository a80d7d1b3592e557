#include "store/secrets.h"

#include "store/rewrap.h"
#include "store/secrets_testing.h"
#include "test.h"

struct plane {
	struct scratch scratch;
	struct store *store;
	struct store_reader *reader;
};

static struct plane
plane_begin(void)
{
	struct plane plane = {.scratch = scratch_begin()};

	plane.store = scratch_open(&plane.scratch);
	EXPECT_OK(store_reader_open(plane.store, &plane.reader, NULL));
	return plane;
}

static void
plane_end(struct plane *plane)
{
	store_reader_close(plane->reader);
	store_close(plane->store);
	scratch_end(&plane->scratch);
}

static struct store_view *
now(struct plane *plane)
{
	EXPECT_OK(store_read_begin(plane->reader, NULL));
	return store_reader_view(plane->reader);
}

/* Where each of the four places is, and places that must never be reached. */
static const char *const places[CASCADE_PLACES][2] = {{"p", "d"}, {"p", ""}, {"", "d"}, {"", ""}};
static const char *const neighbours[][2] = {
	{"q", "d"}, {"p", "e"},  {"q", ""},   {"", "e"},
	{"q", "e"}, {"pp", "d"}, {"p", "dd"}, {"d", "p"},
};

TEST(secrets, finds_the_narrowest_of_every_subset_and_never_a_neighbour)
{
	struct secret_sealed sealed;
	struct secret_id at;

	EXPECT_OK(secret_id_init(&at, "p", "d", "name", NULL));
	for (unsigned subset = 0; subset < 16; subset++) {
		struct plane plane = plane_begin();
		int winner = -1;

		for (size_t i = 0; i < sizeof neighbours / sizeof neighbours[0]; i++)
			sample_put(plane.store, neighbours[i][0], neighbours[i][1], "name", 0x7f);
		sample_put(plane.store, "p", "d", "nam", 0x7e);
		sample_put(plane.store, "p", "d", "name2", 0x7e);
		for (int i = CASCADE_PLACES - 1; i >= 0; i--) {
			if (!(subset & 1u << i))
				continue;
			sample_put(plane.store, places[i][0], places[i][1], "name", 0x10 + i);
			winner = i;
		}
		if (winner < 0) {
			struct un_detail detail = {0};

			EXPECT_ERR(UN_ERR_SECRET_OUT_OF_REACH,
			           secret_resolve(now(&plane), &at, 0, &sealed, &detail));
			assert_non_null(strstr(detail.message, "'name'"));
			assert_non_null(strstr(detail.message, "'p'"));
		} else {
			EXPECT_OK(secret_resolve(now(&plane), &at, 0, &sealed, NULL));
			EXPECT_STR(places[winner][0], sealed.head.id.scope.project);
			EXPECT_STR(places[winner][1], sealed.head.id.scope.domain);
			EXPECT_INT(0x10 + winner, sealed.sealed_value[0]);
			EXPECT_INT(100, sealed.sealed_value_len);
			EXPECT_INT(0x10 + winner, sealed.stored_dek[STORED_DEK_LEN - 1]);
			EXPECT_INT(1, sealed.generation);
			EXPECT_INT(1, sealed.version);
		}
		plane_end(&plane);
	}
}

TEST(secrets, explains_the_four_places)
{
	struct plane plane = plane_begin();
	struct secret_place found[CASCADE_PLACES];
	struct secret_id at;

	sample_put(plane.store, "p", "", "name", 1);
	sample_put(plane.store, "", "", "name", 2);
	sample_put(plane.store, "q", "d", "name", 3);
	EXPECT_OK(secret_id_init(&at, "p", "d", "name", NULL));
	EXPECT_OK(secret_explain(now(&plane), &at, found, NULL));
	EXPECT(!found[0].exists && !found[0].wins && !found[0].shadowed);
	EXPECT(found[1].exists && found[1].wins && !found[1].shadowed);
	EXPECT(!found[2].exists);
	EXPECT(found[3].exists && !found[3].wins && found[3].shadowed);
	EXPECT_STR("p", found[0].scope.project);
	EXPECT_STR("d", found[2].scope.domain);
	EXPECT_INT(1, found[3].version);
	plane_end(&plane);
}

static bool
sees_org_only(void *ctx, const struct scope *scope)
{
	(void)ctx;
	return !scope->project[0] && !scope->domain[0];
}

static const struct scope_filter all_seen, org_seen = {.sees = sees_org_only};

TEST(secrets, refuses_a_second_one_at_the_same_scope_and_names_the_others)
{
	struct plane plane = plane_begin();
	struct un_detail detail = {0};
	struct sample sample;
	uint64_t count;

	sample_put(plane.store, "fraud", "", "db", 1);
	sample_put(plane.store, "", "", "db", 2);
	sample_init(&sample, "fraud", "", "db", 3);
	EXPECT_ERR(UN_ERR_SECRET_EXISTS, sample_insert(plane.store, &sample, &detail));
	assert_non_null(strstr(detail.message, "project 'fraud'"));
	EXPECT_STR("", detail.hint);
	secret_hint_scopes(now(&plane), &sample.id, UN_ERR_SECRET_EXISTS, &all_seen, &detail);
	assert_non_null(strstr(detail.hint, "union update secret"));
	assert_non_null(strstr(detail.hint, "the whole organization"));
	assert_null(strstr(detail.hint, "'fraud'"));
	EXPECT_OK(secret_count(now(&plane), &count, NULL));
	EXPECT_INT(2, count);
	sample_fini(&sample);
	plane_end(&plane);
}

TEST(secrets, names_the_scopes_where_a_missing_one_exists_and_may_be_seen)
{
	struct plane plane = plane_begin();
	struct un_detail detail = {0};
	struct secret_head head;
	struct sample sample;

	sample_put(plane.store, "fraud", "production", "db", 1);
	sample_put(plane.store, "", "", "db", 1);
	sample_init(&sample, "", "test", "db", 3);
	EXPECT_ERR(UN_ERR_SECRET_NOT_FOUND, secret_get(now(&plane), &sample.id, &head, &detail));
	EXPECT_ERR(UN_ERR_SECRET_NOT_FOUND, sample_update(plane.store, &sample, &detail));
	EXPECT_ERR(UN_ERR_SECRET_NOT_FOUND, sample_delete(plane.store, &sample, &detail));
	EXPECT_STR("", detail.hint);
	secret_hint_scopes(now(&plane), &sample.id, UN_ERR_SECRET_NOT_FOUND, &all_seen, &detail);
	EXPECT_STR("the name exists at: the whole organization; project 'fraud', domain "
	           "'production'",
	           detail.hint);
	secret_hint_scopes(now(&plane), &sample.id, UN_ERR_SECRET_NOT_FOUND, &org_seen, &detail);
	EXPECT_STR("the name exists at: the whole organization", detail.hint);
	detail = (struct un_detail){0};
	secret_hint_scopes(now(&plane), &sample.id, UN_ERR_CONFLICT, &all_seen, &detail);
	EXPECT_STR("", detail.hint);
	sample_fini(&sample);
	plane_end(&plane);
}

static bool
collect_versions(void *ctx, uint32_t version, int64_t at_us)
{
	uint32_t *seen = ctx;

	EXPECT(at_us > 0);
	*seen = *seen * 10 + version;
	return true;
}

TEST(secrets, counts_versions_and_gives_the_newest_or_the_pinned_one)
{
	struct plane plane = plane_begin();
	struct un_detail detail = {0};
	struct secret_sealed sealed;
	struct sample sample;
	uint32_t seen = 0;

	sample_put(plane.store, "p", "d", "before", 1);
	sample_init(&sample, "p", "d", "db", 0x21);
	EXPECT_OK(sample_insert(plane.store, &sample, NULL));
	sample_put(plane.store, "p", "d", "zafter", 1);
	EXPECT_ERR(UN_ERR_CONFLICT,
	           sample_update(plane.store, &sample, NULL)); /* version 1 again */
	sample.write.version = 3;
	EXPECT_ERR(UN_ERR_CONFLICT, sample_update(plane.store, &sample, NULL));
	sample.write.version = 2;
	sample.sealed[0] = 0x22;
	sample.write.sealed_value_len = SECRET_SEALED_MAX; /* a large one */
	EXPECT_OK(sample_update(plane.store, &sample, NULL));
	EXPECT_OK(secret_resolve(now(&plane), &sample.id, 0, &sealed, NULL));
	EXPECT_INT(2, sealed.version);
	EXPECT_INT(SECRET_SEALED_MAX, sealed.sealed_value_len);
	EXPECT_INT(0x22, sealed.sealed_value[0]);
	EXPECT_INT(0x21, sealed.sealed_value[SECRET_SEALED_MAX - 1]);
	EXPECT_OK(secret_resolve(now(&plane), &sample.id, 1, &sealed, NULL));
	EXPECT_INT(1, sealed.version);
	EXPECT_INT(2, sealed.head.version);
	EXPECT_INT(100, sealed.sealed_value_len);
	EXPECT_ERR(UN_ERR_SECRET_NOT_FOUND,
	           secret_resolve(now(&plane), &sample.id, 3, &sealed, &detail));
	assert_non_null(strstr(detail.message, "no version 3"));
	EXPECT_OK(secret_versions(now(&plane), &sample.id, collect_versions, &seen, NULL));
	EXPECT_INT(21, seen);
	sample_fini(&sample);
	plane_end(&plane);
}

TEST(secrets, refuses_sealed_bytes_of_impossible_size)
{
	struct plane plane = plane_begin();
	struct sample sample;

	sample_init(&sample, "p", "d", "db", 0x21);
	sample.write.sealed_value_len = SEALED_VALUE_OVERHEAD;
	EXPECT_ERR(UN_ERR_EMPTY_VALUE, sample_insert(plane.store, &sample, NULL));
	sample.write.sealed_value_len = SECRET_SEALED_MAX + 1;
	EXPECT_ERR(UN_ERR_VALUE_TOO_LARGE, sample_insert(plane.store, &sample, NULL));
	sample.write.sealed_value_len = SEALED_VALUE_OVERHEAD + 1;
	sample.stored_dek[0] = 99;
	EXPECT_ERR(UN_ERR_PROTOCOL, sample_insert(plane.store, &sample, NULL));
	sample.stored_dek[0] = ENVELOPE_VERSION;
	EXPECT_OK(sample_insert(plane.store, &sample, NULL));
	sample_fini(&sample);
	plane_end(&plane);
}

/* Counts the places below the data directory that hold `len` bytes of `mark`. */
static unsigned
count_on_disk(const struct scratch *scratch, int mark, size_t len)
{
	static const char *const names[] = {STORE_DATABASE, STORE_DATABASE "-wal"};
	uint8_t *pattern = malloc(len);
	unsigned hits = 0;

	memset(pattern, mark, len);
	for (size_t i = 0; i < 2; i++) {
		struct buf bytes;

		buf_init(&bytes, 512u << 20, BUF_PLAIN);
		if (io_read_file(scratch->dir_fd, names[i], &bytes) == UN_OK && bytes.len) {
			const uint8_t *at = bytes.data;

			while ((at = memmem(at, bytes.len - (size_t)(at - bytes.data), pattern,
			                    len))) {
				hits++;
				at += len;
			}
		}
		buf_fini(&bytes);
	}
	free(pattern);
	return hits;
}

static void
wait_for_scrub(struct plane *plane)
{
	struct store_stats stats;

	store_read_end(plane->reader);
	do { /* the next write is behind the scrub, or tries again */
		sample_put(plane->store, "", "", "filler", 9);
		store_stats(plane->store, &stats);
		struct sample filler;

		sample_init(&filler, "", "", "filler", 9);
		EXPECT_OK(sample_delete(plane->store, &filler, NULL));
		sample_fini(&filler);
		store_stats(plane->store, &stats);
	} while (stats.scrub_pending);
}

TEST(secrets, a_deleted_secret_is_nowhere_on_disk)
{
	struct plane plane = plane_begin();
	struct sample sample;
	char name[32];

	sample_init(&sample, "p", "d", "gone", 0x5a);
	EXPECT_OK(sample_insert(plane.store, &sample, NULL));
	sample.write.version = 2;
	sample.write.sealed_value_len = SECRET_SEALED_MAX;
	EXPECT_OK(sample_update(plane.store, &sample, NULL));
	for (unsigned i = 0; i < 200; i++) {
		(void)snprintf(name, sizeof name, "k%u", i);
		sample_put(plane.store, "p", "d", name, 1);
	}
	EXPECT(count_on_disk(&plane.scratch, 0x5a, 64) > 2);
	EXPECT_OK(sample_delete(plane.store, &sample, NULL));
	EXPECT_INT(2, sample.head.version);
	wait_for_scrub(&plane);
	EXPECT_INT(0, count_on_disk(&plane.scratch, 0x5a, 16));
	EXPECT_ERR(UN_ERR_SECRET_NOT_FOUND,
	           secret_get(now(&plane), &sample.id, &sample.head, NULL));
	sample.write.version = 1; /* and the name is free again */
	EXPECT_OK(sample_insert(plane.store, &sample, NULL));
	sample_fini(&sample);
	plane_end(&plane);
}

/* Pages are split and joined on the way: no copy of a deleted key may stay behind in a gap. Each
 * secret's bytes carry its number. */
static void
mark_sample(struct sample *sample, uint32_t number, uint32_t version)
{
	uint8_t mark[8] = {0xd5, (uint8_t)(number >> 8), (uint8_t)number, 0xe6,
	                   (uint8_t)version, 0xf7, (uint8_t)(number ^ 0xff), 0xa8};

	for (size_t i = 8; i + 8 < STORED_DEK_LEN; i += 8)
		memcpy(sample->stored_dek + i, mark, 8);
	for (size_t i = 0; i + 8 < 400; i += 8)
		memcpy(sample->sealed + i, mark, 8);
	sample->write.version = version;
	sample->write.sealed_value_len = 60 + number * 7 % 300;
}

static unsigned
count_marks(const struct scratch *scratch, uint32_t number, uint32_t versions)
{
	struct buf bytes;
	unsigned hits = 0;

	buf_init(&bytes, 512u << 20, BUF_PLAIN);
	EXPECT_OK(io_read_file(scratch->dir_fd, STORE_DATABASE, &bytes));
	for (uint32_t version = 1; version <= versions; version++) {
		struct sample sample;

		sample_init(&sample, "p", "d", "x", 0);
		mark_sample(&sample, number, version);
		hits += memmem(bytes.data, bytes.len, sample.sealed, 16) != NULL;
		sample_fini(&sample);
	}
	buf_fini(&bytes);
	return hits;
}

TEST(secrets, no_copy_of_a_deleted_key_stays_in_a_gap_of_a_page)
{
	enum { COUNT = 400, VERSIONS = 3 };
	struct plane plane = plane_begin();
	struct sample sample;
	unsigned left = 0;
	char name[32];

	for (uint32_t version = 1; version <= VERSIONS; version++) {
		for (uint32_t i = 0; i < COUNT; i++) {
			(void)snprintf(name, sizeof name, "k%u", i * 7919 % COUNT);
			sample_init(&sample, "p", i % 3 ? "d" : "", name, 0);
			mark_sample(&sample, i, version);
			EXPECT_OK(version == 1 ? sample_insert(plane.store, &sample, NULL)
			                       : sample_update(plane.store, &sample, NULL));
			sample_fini(&sample);
		}
	}
	for (uint32_t i = 0; i < COUNT; i++) {
		if (i % 5 == 0)
			continue; /* these stay, so that pages are joined */
		(void)snprintf(name, sizeof name, "k%u", i * 7919 % COUNT);
		sample_init(&sample, "p", i % 3 ? "d" : "", name, 0);
		EXPECT_OK(sample_delete(plane.store, &sample, NULL));
		sample_fini(&sample);
	}
	wait_for_scrub(&plane);
	store_reader_close(plane.reader);
	store_close(plane.store);
	for (uint32_t i = 0; i < COUNT; i++) {
		unsigned hits = count_marks(&plane.scratch, i, VERSIONS);

		if (i % 5 == 0)
			EXPECT_INT(VERSIONS, hits);
		else
			left += hits;
	}
	EXPECT_INT(0, left);
	scratch_end(&plane.scratch);
}

TEST(secrets, says_what_is_new_about_a_scope_and_what_it_is_close_to)
{
	struct plane plane = plane_begin();
	struct sample sample;

	sample_init(&sample, "fraud", "production", "a", 1);
	EXPECT_OK(sample_insert(plane.store, &sample, NULL));
	EXPECT(sample.novelty.project_is_new && sample.novelty.domain_is_new);
	EXPECT_STR("", sample.novelty.nearest_project);
	sample_fini(&sample);
	sample_init(&sample, "fruad", "production", "a", 1);
	EXPECT_OK(sample_insert(plane.store, &sample, NULL));
	EXPECT(sample.novelty.project_is_new && !sample.novelty.domain_is_new);
	EXPECT_STR("fraud", sample.novelty.nearest_project);
	EXPECT_STR("", sample.novelty.nearest_domain);
	EXPECT_OK(sample_delete(plane.store, &sample, NULL));
	EXPECT_OK(sample_insert(plane.store, &sample, NULL)); /* once seen, always known */
	EXPECT(!sample.novelty.project_is_new);
	sample_fini(&sample);
	sample_init(&sample, "", "", "a", 1);
	EXPECT_OK(sample_insert(plane.store, &sample, NULL));
	EXPECT(!sample.novelty.project_is_new && !sample.novelty.domain_is_new);
	sample_fini(&sample);
	plane_end(&plane);
}

struct stale {
	struct stale_dek deks[8];
	size_t count, stop_at;
	uint8_t fresh[STORED_DEK_LEN];
	size_t at;
};

static bool
collect_stale(void *ctx, const struct stale_dek *dek)
{
	struct stale *stale = ctx;

	stale->deks[stale->count++] = *dek;
	return stale->count < stale->stop_at;
}

static enum un_err
swap_apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct stale *stale = ctx;

	return dek_swap(txn, &stale->deks[stale->at], stale->fresh, detail);
}

TEST(rewrap, finds_every_stale_key_once_and_swaps_only_what_was_read)
{
	struct plane plane = plane_begin();
	struct stale stale = {.stop_at = 3};
	struct sample sample;
	uint64_t count;

	sample_put(plane.store, "p", "", "b", 2);
	sample_put(plane.store, "p", "d", "c", 3);
	sample_init(&sample, "p", "d", "a", 1);
	EXPECT_OK(sample_insert(plane.store, &sample, NULL));
	sample.write.version = 2;
	EXPECT_OK(sample_update(plane.store, &sample, NULL));
	sample_fini(&sample);
	memset(stale.fresh, 7, sizeof stale.fresh);
	stale.fresh[0] = ENVELOPE_VERSION;
	memcpy(stale.fresh + 1, (const uint8_t[]){0, 0, 0, 2}, 4);

	EXPECT_OK(dek_count_stale(now(&plane), 2, &count, NULL));
	EXPECT_INT(4, count);
	EXPECT_OK(dek_list_stale(now(&plane), 2, NULL, collect_stale, &stale, NULL));
	EXPECT_INT(3, stale.count);
	EXPECT_STR("b", stale.deks[0].id.name);
	EXPECT_STR("a", stale.deks[1].id.name);
	EXPECT_INT(1, stale.deks[1].version);
	EXPECT_INT(2, stale.deks[2].version);
	EXPECT_INT(1, stale.deks[2].stored_dek[STORED_DEK_LEN - 1]);
	stale.stop_at = 8;
	EXPECT_OK(dek_list_stale(now(&plane), 2, &stale.deks[2].id, collect_stale, &stale, NULL));
	EXPECT_INT(4, stale.count);
	EXPECT_STR("c", stale.deks[3].id.name);
	EXPECT_STR("d", stale.deks[3].id.scope.domain);

	for (stale.at = 0; stale.at < 4; stale.at++)
		EXPECT_OK(store_write_wait(plane.store, swap_apply, &stale, NULL));
	stale.at = 1;
	EXPECT_ERR(UN_ERR_CONFLICT, store_write_wait(plane.store, swap_apply, &stale, NULL));
	EXPECT_OK(dek_count_stale(now(&plane), 2, &count, NULL));
	EXPECT_INT(0, count);
	plane_end(&plane);
}

TEST_MAIN()
