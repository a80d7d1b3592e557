/* The files in tests/guard/cases/ are made by the tools that people make them with; cases.txt says
 * what must come of each (tests/guard/make_cases.py). */
#include "guard/crew.h"
#include "guard/guard.h"
#include "guard/inside.h"
#include "guard/unpack.h"
#include "test.h"

#include "base/clock.h"
#include "base/io.h"
#include "model/literal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <zlib.h>

#define VALUE "hunter22-swordfish-4711"

static struct redact_set *
values_of(const char *text)
{
	struct redact_set *set;
	struct secbuf *value;
	bool too_short;

	EXPECT_OK(redact_set_new(&set));
	EXPECT_OK(secbuf_copy(text, strlen(text), &value));
	EXPECT_OK(redact_set_add(set, "db", value, &too_short));
	secbuf_free(value);
	EXPECT_OK(redact_set_compile(set));
	return set;
}

static struct guard *
guard_of(const struct redact_set *set)
{
	struct guard_options options = {
		.values = set, .longest = strlen(VALUE), .deadline_ms = clock_mono_ms() + 600000};
	struct guard *guard;

	EXPECT_OK(guard_new(&options, &guard));
	return guard;
}

static void
read_case(const char *name, struct buf *bytes)
{
	char path[512];

	(void)snprintf(path, sizeof path, "%s/%s", GUARD_CASES, name);
	buf_init(bytes, 8u << 20, BUF_PLAIN);
	EXPECT_OK(io_read_file(AT_FDCWD, path, bytes));
}

static bool
case_holds(const struct redact_set *set, const char *name, const char *kind, const char *text)
{
	struct guard *guard = guard_of(set);
	struct buf bytes;
	enum un_err err;
	bool holds;

	read_case(name, &bytes);
	err = guard_file(guard, name, (const uint8_t *)buf_text(&bytes), bytes.len);
	if (strcmp(kind, "hit") == 0)
		holds = err == UN_ERR_RESULT_HAS_SECRET && !strcmp(guard_path(guard), text) &&
		        !strcmp(guard_secret(guard), "db");
	else if (strcmp(kind, "clean") == 0)
		holds = !err && guard_blind_count(guard) == 0;
	else
		holds = !err && guard_blind_count(guard) && !strcmp(guard_blind(guard, 0), text);
	if (!holds)
		print_message("%s: wanted %s '%s', got %s '%s', blind %zu '%s'\n", name, kind, text,
		              un_err_slug(err), guard_path(guard), guard_blind_count(guard),
		              guard_blind(guard, 0));
	buf_fini(&bytes);
	guard_free(guard);
	return holds;
}

/* Calls `with` for each line of cases.txt; the number of those that were false. */
static unsigned
each_case(const struct redact_set *set, bool (*with)(const struct redact_set *set, const char *name,
                                                     const char *kind, const char *text))
{
	unsigned failed = 0, seen = 0;
	struct buf list;
	char *line, *save = NULL;

	read_case("cases.txt", &list);
	for (line = strtok_r((char *)list.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *kind = strchr(line, ' '), *text;

		EXPECT(kind != NULL);
		*kind++ = '\0';
		text = strchr(kind, ' ');
		if (text)
			*text++ = '\0';
		failed += !with(set, line, kind, text ? text : "");
		seen++;
	}
	EXPECT(seen > 100);
	buf_fini(&list);
	return failed;
}

TEST(guard, each_file_is_looked_into_and_the_value_is_found_where_it_is)
{
	struct redact_set *set = values_of(VALUE);

	EXPECT_INT(0, each_case(set, case_holds));
	redact_set_free(set);
}

/* Cut at many places, and with bytes flipped: what comes of it is anything but a crash. */
static bool
survives(const struct redact_set *set, const char *name, const char *kind, const char *text)
{
	struct buf bytes;
	uint32_t state = 1;

	read_case(name, &bytes);
	for (unsigned round = 0; round < 60; round++) {
		struct guard *guard = guard_of(set);
		size_t len = bytes.len;
		uint8_t *copy;

		state = state * 1664525u + 1013904223u;
		if (round % 2)
			len = state % bytes.len;
		copy = mem_dup(bytes.data, len ? len : 1);
		for (unsigned i = 0; copy && len && i < round % 5; i++) {
			state = state * 1664525u + 1013904223u;
			copy[state % len] ^= (uint8_t)(1u << (state >> 29));
		}
		EXPECT(copy != NULL);
		(void)!guard_file(guard, "x", copy, len);
		EXPECT(strlen(guard_path(guard)) <= GUARD_PATH_MAX);
		EXPECT_INT((long long)GUARD_HELD_ALL_MAX, (long long)guard->held_left);
		mem_free(copy);
		guard_free(guard);
	}
	buf_fini(&bytes);
	return true;
}

TEST(guard, damaged_files_harm_nothing)
{
	struct redact_set *set = values_of(VALUE);

	EXPECT_INT(0, each_case(set, survives));
	redact_set_free(set);
}

#ifdef UN_FAULTS
static struct redact_set *torture_set;

static bool
survives_without_memory(const struct redact_set *set, const char *name, const char *kind,
                        const char *text)
{
	struct guard_options options = {
		.values = set, .longest = 32, .deadline_ms = clock_mono_ms() + 600000};
	struct guard *guard;
	struct buf bytes;
	enum un_err err;

	read_case(name, &bytes);
	for (long nth = 1; nth < TORTURE_MAX; nth++) {
		bool fired;

		fault_arm(FAULT_ALLOC, nth);
		err = guard_new(&options, &guard);
		if (!err) {
			err = guard_file(guard, "x", bytes.data, bytes.len);
			guard_free(guard);
		}
		fired = fault_fired();
		fault_disarm();
		/* the beginning of zlib may be missed without memory; then the next step fails */
		if (!fired)
			break;
		EXPECT(err == UN_ERR_NO_MEMORY || err == UN_ERR_RESULT_HAS_SECRET || !err);
	}
	buf_fini(&bytes);
	return true;
}

TEST(guard, without_memory_it_fails_whole)
{
	torture_set = values_of(VALUE);
	EXPECT_INT(0, each_case(torture_set, survives_without_memory));
	redact_set_free(torture_set);
}
#endif

static enum un_err
test_gzip(const uint8_t *bytes, size_t len, struct buf *out)
{
	z_stream zip = {.next_in = (uint8_t *)(uintptr_t)bytes, .avail_in = (unsigned)len};
	size_t room = len / 64 + 65536;

	EXPECT_INT(Z_OK, deflateInit2(&zip, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY));
	EXPECT_OK(buf_reserve(out, room));
	zip.next_out = out->data + out->len;
	zip.avail_out = (unsigned)room;
	EXPECT_INT(Z_STREAM_END, deflate(&zip, Z_FINISH));
	buf_added(out, room - zip.avail_out);
	(void)deflateEnd(&zip);
	return UN_OK;
}

/* ---- outputs ---- */

struct outputs {
	Flyteidl__Core__LiteralMap map;
	Flyteidl__Core__LiteralMap__LiteralsEntry entries[2], *list[2];
};

static void
outputs_of(struct outputs *outputs, literal *first, literal *second)
{
	flyteidl__core__literal_map__init(&outputs->map);
	outputs->map.literals = outputs->list;
	outputs->map.n_literals = second ? 2 : 1;
	for (size_t i = 0; i < 2; i++) {
		flyteidl__core__literal_map__literals_entry__init(&outputs->entries[i]);
		outputs->list[i] = &outputs->entries[i];
		outputs->entries[i].key = (char *)(uintptr_t)(i ? "o1" : "o0");
		outputs->entries[i].value = i ? second : first;
	}
}

static void
expect_in(literal *first, literal *second, const char *path)
{
	struct redact_set *set = values_of(VALUE);
	struct guard *guard = guard_of(set);
	struct outputs outputs;

	outputs_of(&outputs, first, second);
	if (path) {
		EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET, guard_outputs(guard, &outputs.map));
		EXPECT_STR(path, guard_path(guard));
	} else {
		EXPECT_OK(guard_outputs(guard, &outputs.map));
	}
	literal_free(first);
	literal_free(second);
	guard_free(guard);
	redact_set_free(set);
}

static literal *
text(const char *content)
{
	literal *made;

	EXPECT_OK(literal_of_text(content, &made));
	return made;
}

/* A list of ints or of texts of one letter. */
static literal *
list_of(const char *content, bool ints)
{
	literal *list = mem_zalloc(1, sizeof *list);
	Flyteidl__Core__LiteralCollection *parts = mem_zalloc(1, sizeof *parts);
	size_t len = strlen(content);

	EXPECT(list && parts);
	flyteidl__core__literal__init(list);
	flyteidl__core__literal_collection__init(parts);
	list->value_case = FLYTEIDL__CORE__LITERAL__VALUE_COLLECTION;
	list->collection = parts;
	parts->literals = mem_zalloc(len, sizeof *parts->literals);
	EXPECT(parts->literals != NULL);
	for (parts->n_literals = 0; parts->n_literals < len; parts->n_literals++) {
		char letter[2] = {content[parts->n_literals]};

		if (ints)
			EXPECT_OK(literal_of_int(letter[0], &parts->literals[parts->n_literals]));
		else
			parts->literals[parts->n_literals] = text(letter);
	}
	return list;
}

static literal *
file_bytes(const char *name)
{
	struct buf bytes;
	literal *made;

	read_case(name, &bytes);
	EXPECT_OK(literal_of_bytes(bytes.data, bytes.len, &made));
	buf_fini(&bytes);
	return made;
}

TEST(guard, outputs_are_searched_by_their_parts)
{
	expect_in(text("fine"), text("https://u:" VALUE "@host"), "o1");
	expect_in(list_of(VALUE, true), NULL, "o0");
	expect_in(list_of(VALUE, false), NULL, "o0");
	expect_in(text("fine"), file_bytes("a.tar.gz"), "o1/data/a.csv");
	expect_in(text("fine"), file_bytes("a-near.tar.gz"), NULL);
	expect_in(file_bytes("snappy1.parquet"), NULL, "o0 column \"password\"");
	expect_in(text("eJwB"), list_of(VALUE "x", true), "o1");
	expect_in(text("fine"), list_of("hunter22-swordfish-4712", true), NULL);
}

TEST(guard, halves_of_a_value_in_two_outputs_are_found)
{
	expect_in(text("hunter22-swo"), text("rdfish-4711"), "");
	expect_in(text("hunter22-swo"), text("rdfish-4712"), NULL);
}

/* {"o0": scalar 8 (a StructuredDataset, of which our messages know nothing): {1: uri}} */
TEST(guard, a_table_of_another_sdk_is_something_elsewhere)
{
	static const uint8_t bytes[] = "\x0a\x13\x0a\x02o0\x12\x0d\x0a\x0b\x42\x09\x0a\x07s3://xy";
	struct redact_set *set = values_of(VALUE);
	struct guard *guard = guard_of(set);
	Flyteidl__Core__LiteralMap *map =
		flyteidl__core__literal_map__unpack(NULL, sizeof bytes - 1, bytes);

	EXPECT(map != NULL);
	EXPECT_OK(guard_outputs(guard, map));
	EXPECT_INT(1, guard_blind_count(guard));
	EXPECT_STR("o0 refers to something elsewhere", guard_blind(guard, 0));
	flyteidl__core__literal_map__free_unpacked(map, NULL);
	guard_free(guard);
	redact_set_free(set);
}

TEST(guard, the_path_shows_neither_values_nor_control_characters)
{
	static const char json[] = "{\"a\\u001b[31m" VALUE "\":\"" VALUE "\"}";
	struct redact_set *set = values_of(VALUE);
	struct guard *guard = guard_of(set);

	EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET,
	           guard_file(guard, "x\033[31m.json", (const uint8_t *)json, sizeof json - 1));
	EXPECT_NULL(strstr(guard_path(guard), "hunter"));
	EXPECT_NULL(strchr(guard_path(guard), '\033'));
	EXPECT_STR("x?[31m.json.?", guard_path(guard));
	guard_free(guard);
	redact_set_free(set);
}

TEST(guard, time_that_is_over_is_said_once)
{
	struct redact_set *set = values_of(VALUE);
	struct guard *guard = guard_of(set);
	struct buf bytes;

	guard->options.deadline_ms = 0;
	read_case("a.zip", &bytes);
	EXPECT_OK(guard_file(guard, "a.zip", bytes.data, bytes.len));
	EXPECT_OK(guard_file(guard, "b.zip", bytes.data, bytes.len));
	EXPECT_INT(1, guard_blind_count(guard));
	EXPECT(strstr(guard_blind(guard, 0), "too long") != NULL);
	buf_fini(&bytes);
	guard_free(guard);
	redact_set_free(set);
}

/* An image of chunks without bytes: each is a member. */
static void
make_many_parts(uint32_t count, struct buf *bytes)
{
	static const uint8_t mark[] = "\x89PNG\r\n\x1a\n",
			     chunk[12] = {0, 0, 0, 0, 't', 'E', 'X', 't'};

	buf_init(bytes, 8u << 20, BUF_PLAIN);
	EXPECT_OK(buf_append(bytes, mark, sizeof mark - 1));
	for (uint32_t i = 0; i < count; i++)
		EXPECT_OK(buf_append(bytes, chunk, sizeof chunk));
}

TEST(guard, what_comes_behind_one_part_too_many_is_still_searched)
{
	struct redact_set *set = values_of(VALUE);
	struct guard *guard = guard_of(set);
	struct buf bytes;

	make_many_parts(GUARD_MEMBERS_MAX + 1, &bytes);
	EXPECT_OK(guard_at(guard, "a.png", false, bytes.data, bytes.len));
	EXPECT_STR("a.png is one part too many", guard_blind(guard, 0));
	EXPECT_OK(guard_at(guard, "b.txt", false, (const uint8_t *)"clean", 5));
	EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET,
	           guard_at(guard, "c.txt", false, (const uint8_t *)VALUE, strlen(VALUE)));
	EXPECT_STR("c.txt", guard_path(guard));
	buf_fini(&bytes);
	guard_free(guard);
	redact_set_free(set);
}

TEST(guard, what_there_is_no_time_for_is_still_searched_to_its_end)
{
	size_t len = 33u << 20; /* more than one piece of a search */
	struct redact_set *set = values_of(VALUE);
	uint8_t *plain = mem_alloc(len);

	EXPECT(plain != NULL);
	memset(plain, 'x', len);
	memcpy(plain + len - strlen(VALUE), VALUE, strlen(VALUE));
	for (int flat = 0; flat < 2; flat++) {
		struct guard *guard = guard_of(set);

		guard->options.deadline_ms = 0;
		EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET, guard_at(guard, "x", flat, plain, len));
		guard_free(guard);
	}
	mem_free(plain);
	redact_set_free(set);
}

TEST(guard, a_bomb_costs_what_is_allowed_and_is_named)
{
	struct redact_set *set = values_of(VALUE);
	struct guard *guard = guard_of(set);
	struct buf bytes;

	read_case("a-near.gz", &bytes);
	guard->unpacked_left = 100;
	EXPECT_OK(guard_file(guard, "a.gz", bytes.data, bytes.len));
	EXPECT_INT(1, guard_blind_count(guard));
	EXPECT_STR("a.gz unpacks to too much", guard_blind(guard, 0));
	buf_fini(&bytes);
	guard_free(guard);
	redact_set_free(set);
}

TEST(guard, what_is_larger_than_can_be_held_is_still_searched)
{
	size_t len = GUARD_HELD_MAX + (3u << 20);
	struct redact_set *set = values_of(VALUE);
	struct guard *guard = guard_of(set);
	uint8_t *plain = mem_alloc(len);
	struct buf bytes;

	EXPECT(plain != NULL);
	memset(plain, 'x', len);
	memcpy(plain + GUARD_HELD_MAX - 10, VALUE, strlen(VALUE)); /* over the edge */
	buf_init(&bytes, len, BUF_PLAIN);
	EXPECT_OK(test_gzip(plain, len, &bytes));
	EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET, guard_file(guard, "x.gz", bytes.data, bytes.len));
	EXPECT_STR("x.gz", guard_path(guard));
	guard_free(guard);
	plain[GUARD_HELD_MAX] = 'x';
	guard = guard_of(set);
	buf_clear(&bytes);
	EXPECT_OK(test_gzip(plain, len, &bytes));
	EXPECT_OK(guard_file(guard, "x.gz", bytes.data, bytes.len));
	EXPECT_INT(0, guard_blind_count(guard));
	guard_free(guard);
	mem_free(plain);
	buf_fini(&bytes);
	redact_set_free(set);
}

/* Two streams of gzip with a plain text between, in front of and behind them, as in a container. */
TEST(guard, only_what_came_out_is_not_searched_as_it_is)
{
	struct redact_set *set = values_of(VALUE);
	uint8_t noise[40000], plain[40000 + 100] = {0};

	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (uint8_t)(i * 2654435761u >> 13);
	for (size_t at = 0; at <= 20000; at += 10000) {
		struct guard *guard = guard_of(set);
		struct covers covers;

		memcpy(plain, noise, sizeof noise);
		memcpy(plain + at, VALUE, strlen(VALUE));
		covers_init(&covers, plain, sizeof plain);
		guard->covers = &covers;
		guard_cover(guard, plain + 9000, 20000, BLOCK_HEAD); /* from 13096 to 29000 */
		guard_cover(guard, plain, 1000, BLOCK_HEAD);         /* too few */
		guard_cover(guard, noise, sizeof noise, BLOCK_HEAD); /* others */
		guard_cover(guard, plain + 20000, sizeof plain, BLOCK_HEAD);
		EXPECT((covers_find(guard, &covers) == NULL) == (at == 20000));
		guard->over = true; /* it ended early: all of it is searched */
		EXPECT_STR("db", covers_find(guard, &covers));
		guard->covers = NULL;
		covers_fini(&covers);
		guard_free(guard);
	}
	redact_set_free(set);
}

/* A member of gzip whose name is `len` letters and the value. */
static void
add_named_member(struct buf *out, size_t len)
{
	struct buf plain;

	buf_init(&plain, 1u << 20, BUF_PLAIN);
	EXPECT_OK(test_gzip((const uint8_t *)"text", 4, &plain));
	plain.data[3] = 0x08;
	EXPECT_OK(buf_append(out, plain.data, 10));
	for (size_t i = 0; i < len; i++)
		EXPECT_OK(buf_append(out, "x", 1));
	EXPECT_OK(buf_append(out, VALUE, sizeof VALUE));
	EXPECT_OK(buf_append(out, plain.data + 10, plain.len - 10));
	buf_fini(&plain);
}

TEST(guard, names_of_packed_files_are_searched_however_long_they_are)
{
	struct redact_set *set = values_of(VALUE);

	for (int members = 1; members <= 2; members++) {
		struct guard *guard = guard_of(set);
		struct buf bytes;

		buf_init(&bytes, 1u << 20, BUF_PLAIN);
		if (members == 2)
			EXPECT_OK(test_gzip((const uint8_t *)"text", 4, &bytes));
		add_named_member(&bytes, 100000);
		EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET,
		           guard_file(guard, "x.gz", bytes.data, bytes.len));
		buf_fini(&bytes);
		guard_free(guard);
	}
	redact_set_free(set);
}

TEST(guard, a_value_over_the_edge_of_two_pieces_is_found)
{
	size_t len = 41u << 20, edge = 8u << 20; /* of pieces, on threads */
	struct redact_set *set = values_of(VALUE);
	uint8_t *plain = mem_alloc(len);
	struct crew *crew;

	EXPECT(plain != NULL);
	EXPECT_OK(crew_new(&crew));
	memset(plain, 'x', len);
	for (size_t at = edge; at < len; at += edge) {
		struct guard *guard = guard_of(set);

		guard->options.crew = crew;
		EXPECT_OK(guard_file(guard, "x", plain, len));
		memcpy(plain + at - 1, VALUE, strlen(VALUE));
		EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET, guard_file(guard, "x", plain, len));
		guard_free(guard);
		memset(plain + at - 1, 'x', strlen(VALUE));
	}
	crew_free(crew);
	mem_free(plain);
	redact_set_free(set);
}

TEST_MAIN()
