/* bench-redact VALUES LOG [WORD] - redaction of LOG, in memory, in writes of 64 KiB, with the first
 * 1, 10, 100 and 1,000 lines of VALUES; of texts as programs print them, and of near misses; the
 * memory that it takes; and Hyperscan's search for the bare values where it is installed. Prints
 * ROW lines for bench/run. WORD: only texts with this name. */
#include "redact/filter.h"
#include "redact/redact.h"
#include "redact_texts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef HAVE_HYPERSCAN
#include <hs.h>
#endif

#define WRITE 65536
#define VALUES_MAX 1000
#define LINE_MAX_LEN 128
#define ROUNDS 3
#define COUNTS 4 /* of values: 1, 10, 100, 1,000 */
#define TEXT_LEN (2u << 20)

static char values[VALUES_MAX][LINE_MAX_LEN];
static size_t value_count;
static uint8_t *text;
static size_t text_len;
static size_t seen;

static double
now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now); /* of a core: others may use it, too */
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
must(bool good)
{
	if (!good)
		abort();
}

static void
load(const char *values_path, const char *log_path)
{
	FILE *file = fopen(values_path, "r");

	must(file != NULL);
	while (value_count < VALUES_MAX && fgets(values[value_count], LINE_MAX_LEN, file)) {
		values[value_count][strcspn(values[value_count], "\n")] = '\0';
		value_count++;
	}
	(void)fclose(file);
	file = fopen(log_path, "rb");
	must(file != NULL && fseek(file, 0, SEEK_END) == 0);
	text_len = (size_t)ftell(file);
	rewind(file);
	text = malloc(text_len + 1);
	must(text && fread(text, 1, text_len, file) == text_len);
	(void)fclose(file);
}

static struct redact_set *
make_set(char (*list)[LINE_MAX_LEN], size_t count)
{
	struct redact_set *set;

	must(!redact_set_new(&set));
	for (size_t i = 0; i < count; i++) {
		struct secbuf *value;
		bool too_short;

		must(!secbuf_copy(list[i], strlen(list[i]), &value) &&
		     !redact_set_add(set, "name", value, &too_short));
		secbuf_free(value);
	}
	must(!redact_set_compile(set));
	return set;
}

static enum un_err
count_bytes(void *ctx, const uint8_t *bytes, size_t len)
{
	(void)ctx;
	(void)bytes;
	seen += len;
	return UN_OK;
}

static double
gb_per_s(const struct redact_set *set, const uint8_t *bytes, size_t len)
{
	double best = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct redact_stream *stream;
		double start = now_s(), rate;

		must(!redact_stream_new(set, count_bytes, NULL, &stream));
		for (size_t at = 0; at < len; at += WRITE)
			must(!redact_push(stream, bytes + at, len - at < WRITE ? len - at : WRITE));
		must(!redact_flush(stream));
		rate = (double)len / (now_s() - start) / 1e9;
		best = rate > best ? rate : best;
		redact_stream_free(stream);
	}
	return best;
}

#ifdef HAVE_HYPERSCAN
static int
on_hit(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *ctx)
{
	(void)id, (void)from, (void)to, (void)flags;
	(*(size_t *)ctx)++;
	return 0;
}

static double
hyperscan_gb_per_s(size_t count)
{
	static const char *texts[VALUES_MAX];
	static unsigned flags[VALUES_MAX], ids[VALUES_MAX];
	static size_t lens[VALUES_MAX];
	hs_database_t *database;
	hs_compile_error_t *error;
	hs_scratch_t *scratch = NULL;
	size_t hits = 0;
	double best = 0;

	for (size_t i = 0; i < count; i++) {
		texts[i] = values[i];
		lens[i] = strlen(values[i]);
		ids[i] = (unsigned)i;
	}
	must(hs_compile_lit_multi(texts, flags, ids, lens, (unsigned)count, HS_MODE_STREAM, NULL,
	                          &database, &error) == HS_SUCCESS);
	must(hs_alloc_scratch(database, &scratch) == HS_SUCCESS);
	for (int round = 0; round < ROUNDS; round++) {
		hs_stream_t *stream;
		double start = now_s(), rate;

		must(hs_open_stream(database, 0, &stream) == HS_SUCCESS);
		for (size_t at = 0; at < text_len; at += WRITE)
			must(hs_scan_stream(
				     stream, (const char *)text + at,
				     (unsigned)(text_len - at < WRITE ? text_len - at : WRITE), 0,
				     scratch, on_hit, &hits) == HS_SUCCESS);
		must(hs_close_stream(stream, scratch, on_hit, &hits) == HS_SUCCESS);
		rate = (double)text_len / (now_s() - start) / 1e9;
		best = rate > best ? rate : best;
	}
	hs_free_scratch(scratch);
	hs_free_database(database);
	return best;
}
#endif

static void
row(size_t count, double wanted)
{
	double start = now_s(), setup;
	struct redact_set *set = make_set(values, count);

	setup = (now_s() - start) * 1e3;
	(void)printf("ROW redaction in memory, %zu values, all forms | >= %.1f GB/s | %.2f GB/s "
	             "(prepared in %.1f ms)\n",
	             count, wanted, gb_per_s(set, text, text_len), setup);
#ifdef HAVE_HYPERSCAN
	(void)printf("ROW Hyperscan, the same %zu values, only as they are, only found | - | %.2f "
	             "GB/s\n",
	             count, hyperscan_gb_per_s(count));
#endif
	redact_set_free(set);
}

/* One row for a text: with 1, 10, 100 and 1,000 values. */
static void
text_row(struct redact_set *const *sets, const char *const *names, const struct text_kind *kind,
         const char *wanted)
{
	char *made = malloc(TEXT_LEN), seen_text[64];
	size_t used = 0;

	must(made != NULL);
	for (size_t i = 0, count = 1; i < COUNTS; i++, count *= 10) {
		size_t len = text_fill(kind, names, count, made, TEXT_LEN);

		used += (size_t)snprintf(seen_text + used, sizeof seen_text - used, "%s%.2f",
		                         i ? " / " : "",
		                         gb_per_s(sets[i], (const uint8_t *)made, len));
	}
	(void)printf("ROW redaction of %s, 1 / 10 / 100 / 1,000 values | %s GB/s | %s GB/s\n",
	             kind->name, wanted, seen_text);
	(void)fflush(stdout);
	free(made);
}

static void
text_rows(const char *word)
{
	struct redact_set *sets[COUNTS];
	const char *names[VALUES_MAX];

	for (size_t i = 0; i < value_count; i++)
		names[i] = values[i];
	for (size_t i = 0, count = 1; i < COUNTS; i++, count *= 10)
		sets[i] = make_set(values, count);
	for (size_t i = 0; i < real_text_count; i++)
		if (!word || strstr(real_texts[i].name, word))
			text_row(sets, names, &real_texts[i], ">= 1.5 / 1 / 0.6 / 0.2");
	for (size_t i = 0; i < near_text_count; i++)
		if (!word || strstr(near_texts[i].name, word))
			text_row(sets, names, &near_texts[i], "near misses: >= 0.15");
	for (size_t i = 0; i < COUNTS; i++)
		redact_set_free(sets[i]);
}

/* Values of one maker begin alike. */
static void
alike_rows(const char *word)
{
	static const char *const kinds[] = {"plain", "percent", "base64", "base32"};
	static char alike[VALUES_MAX][LINE_MAX_LEN];
	struct redact_set *sets[COUNTS];
	const char *names[VALUES_MAX];

	for (size_t i = 0; i < VALUES_MAX; i++) {
		(void)snprintf(alike[i], LINE_MAX_LEN, "sk_live_51H%.100s", values[i]);
		names[i] = alike[i];
	}
	for (size_t i = 0, count = 1; i < COUNTS; i++, count *= 10)
		sets[i] = make_set(alike, count);
	for (size_t i = 0; i < near_text_count; i++) {
		struct text_kind kind = near_texts[i];
		char name[64];

		(void)snprintf(name, sizeof name, "%s, values that begin alike", kind.name);
		kind.name = name;
		for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
			if (strcmp(near_texts[i].name, kinds[k]) == 0 &&
			    (!word || strstr(name, word)))
				text_row(sets, names, &kind, "near misses: >= 0.15");
	}
	for (size_t i = 0; i < COUNTS; i++)
		redact_set_free(sets[i]);
}

static size_t
rss_kib(void)
{
	char line[128];
	size_t kib = 0;
	FILE *file = fopen("/proc/self/status", "r");

	must(file != NULL);
	while (fgets(line, sizeof line, file))
		if (strncmp(line, "VmRSS:", 6) == 0)
			kib = strtoul(line + 6, NULL, 10);
	(void)fclose(file);
	return kib;
}

/* What a set with all values and two streams, as an attempt has, take: before anything else. */
static void
memory_row(void)
{
	size_t before = rss_kib(), len = text_len < 4 * WRITE ? text_len : 4 * WRITE;
	struct redact_set *set = make_set(values, VALUES_MAX);
	struct redact_stream *streams[2];

	for (size_t i = 0; i < 2; i++) {
		must(!redact_stream_new(set, count_bytes, NULL, &streams[i]));
		must(!redact_push(streams[i], text, len));
	}
	(void)printf("ROW redaction, memory of %d values and two streams | <= 64 MiB | %.1f MiB\n",
	             VALUES_MAX, (double)(rss_kib() - before) / 1024);
	for (size_t i = 0; i < 2; i++)
		redact_stream_free(streams[i]);
	redact_set_free(set);
}

/* Where the processor can do less: `fastest` as filter_path_limit has it. */
static void
path_row(size_t fastest, const char *wanted)
{
	char seen_text[64];
	size_t used = 0;

	filter_path_limit(fastest);
	for (size_t i = 0, count = 1; i < COUNTS; i++, count *= 10) {
		struct redact_set *set = make_set(values, count);

		used += (size_t)snprintf(seen_text + used, sizeof seen_text - used, "%s%.2f",
		                         i ? " / " : "", gb_per_s(set, text, text_len / 4));
		redact_set_free(set);
	}
	(void)printf(
		"ROW redaction by the path %s, 1 / 10 / 100 / 1,000 values | %s GB/s | %s GB/s\n",
		filter_path_here()->name, wanted, seen_text);
	filter_path_limit(0);
}

int
main(int argc, char **argv)
{
	static const double wanted[] = {1.5, 1.0, 0.6, 0.2};

	if (argc < 3) {
		(void)fprintf(stderr, "usage: bench-redact VALUES LOG [WORD]\n");
		return 2;
	}
	load(argv[1], argv[2]);
	must(value_count == VALUES_MAX);
	if (argc == 3) {
		memory_row();
		for (size_t i = 0, count = 1; i < COUNTS; i++, count *= 10)
			row(count, wanted[i]);
		path_row(1, ">= 1.5 / 1 / 0.6 / 0.2");
		path_row(SIZE_MAX, "-");
	}
	text_rows(argv[3]);
	alike_rows(argv[3]);
	free(text);
	return 0;
}
