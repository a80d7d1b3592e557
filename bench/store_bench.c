/* store_bench.c - what the store costs: lookups in databases of growing size, durable creates by
 * many submitters, opening.
 *
 * usage: bench-store [-l] DIR [COUNT ...]
 *
 * With -l only lookups: the databases take turns, and the last is compared with the first, as the
 * lines `ROW what | wanted | seen` that bench/run reads. DIR must be empty and on the disk that is
 * to be measured; COUNT are numbers of secrets (default 1000 100000 1000000), each filled into a
 * database of its own below DIR. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "store/secrets.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEALED_LEN 312
#define LOOKUPS 300000
#define READ_BATCH 16
#define ROUNDS 5
#define SAME 1000u /* names that are asked for again and again */
#define COUNTS_MAX 8
#define SUBMITTERS 64
#define CREATE_MS 4000
#define OUTSTANDING 4096
#define SAMPLES_MAX 4000000

static const char *const domains[] = {"", "development", "staging", "production"};

static void
die(const char *what, enum un_err err, const struct un_detail *detail)
{
	(void)fprintf(stderr, "store_bench: %s: %s\n", what, un_message(err, detail));
	exit(1);
}

/* Names in an order that has nothing to do with that of the tree. */
static uint32_t
scatter(uint32_t i)
{
	i *= 0x9e3779b1u;
	i ^= i >> 15;
	return i * 0x85ebca77u;
}

static void
name_of(uint32_t i, struct secret_id *ret_id)
{
	memset(ret_id, 0, sizeof *ret_id);
	(void)snprintf(ret_id->scope.project, sizeof ret_id->scope.project, "project-%u", i % 97);
	(void)snprintf(ret_id->scope.domain, sizeof ret_id->scope.domain, "%s", domains[i % 4]);
	(void)snprintf(ret_id->name, sizeof ret_id->name, "secret_%08x", scatter(i));
}

struct create {
	struct store_write write;
	struct secret_id id;
	struct secret_write secret;
	uint8_t sealed[SEALED_LEN];
	uint8_t stored_dek[STORED_DEK_LEN];
	int64_t began_us;
	sem_t *ready;
	enum un_err err;
};

static enum un_err
create_apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct create *create = ctx;

	return secret_insert(txn, &create->secret, NULL, detail);
}

static void
create_done(void *ctx, enum un_err err, const struct un_detail *detail)
{
	struct create *create = ctx;

	if (err)
		die("create", err, detail);
	(void)sem_post(create->ready);
}

static void
create_init(struct create *create, uint32_t i, sem_t *ready)
{
	name_of(i, &create->id);
	memset(create->sealed, (int)(i & 0xff), sizeof create->sealed);
	memset(create->stored_dek, (int)(i & 0xff), sizeof create->stored_dek);
	create->stored_dek[0] = ENVELOPE_VERSION;
	memcpy(create->stored_dek + 1, (const uint8_t[]){0, 0, 0, 1}, 4);
	create->secret = (struct secret_write){
		.id = &create->id,
		.version = 1,
		.sealed_value = create->sealed,
		.sealed_value_len = sizeof create->sealed,
		.stored_dek = create->stored_dek,
		.at_us = clock_wall_us(),
	};
	create->ready = ready;
	create->write =
		(struct store_write){.apply = create_apply, .done = create_done, .ctx = create};
}

static struct store *
open_store(const char *dir)
{
	struct store_options options = {.dir = dir, .create = true};
	struct un_detail detail = {0};
	struct store *store;
	enum un_err err = store_open(&options, &store, &detail);

	if (err)
		die("open", err, &detail);
	return store;
}

static void
fill(struct store *store, uint32_t count)
{
	static struct create creates[OUTSTANDING];
	sem_t ready;
	uint32_t done = 0;

	(void)sem_init(&ready, 0, 0);
	while (done < count) {
		uint32_t batch = count - done < OUTSTANDING ? count - done : OUTSTANDING;

		for (uint32_t i = 0; i < batch; i++) {
			enum un_err err;

			create_init(&creates[i], done + i, &ready);
			err = store_submit(store, &creates[i].write);
			if (err)
				die("submit", err, NULL);
		}
		for (uint32_t i = 0; i < batch; i++)
			(void)sem_wait(&ready);
		done += batch;
	}
	(void)sem_destroy(&ready);
}

/* Looks up names chosen at random; the first quarter only warms the caches. */
static double
look_up(struct store_reader *reader, uint32_t among)
{
	struct un_detail detail = {0};
	struct secret_sealed sealed;
	struct secret_id at;
	uint32_t random = 12345;
	int64_t began = 0;

	for (uint32_t i = 0; i < LOOKUPS + LOOKUPS / 4; i++) {
		enum un_err err;

		if (i == LOOKUPS / 4)
			began = clock_mono_us();
		random = random * 1664525u + 1013904223u;
		name_of((uint32_t)((uint64_t)random * among >> 32), &at);
		if (!at.scope.domain[0])
			memcpy(at.scope.domain, "anywhere", 9);
		err = store_read_begin(reader, &detail);
		if (!err)
			err = secret_resolve(store_reader_view(reader), &at, 0, &sealed, &detail);
		if (err)
			die("resolve", err, &detail);
		if (i % READ_BATCH == READ_BATCH - 1)
			store_read_end(reader);
	}
	store_read_end(reader);
	return (double)(clock_mono_us() - began) / LOOKUPS;
}

struct submitter {
	pthread_t thread;
	struct store *store;
	uint32_t first;
	int64_t until_ms;
	uint32_t count;
	int64_t *samples;
};

static void *
submit_creates(void *arg)
{
	struct submitter *self = arg;
	struct create create;
	sem_t ready;

	(void)sem_init(&ready, 0, 0);
	while (clock_mono_ms() < self->until_ms) {
		enum un_err err;
		int64_t began = clock_mono_us();

		create_init(&create, self->first + self->count, &ready);
		err = store_submit(self->store, &create.write);
		if (err)
			die("submit", err, NULL);
		(void)sem_wait(&ready);
		self->samples[self->count++] = clock_mono_us() - began;
	}
	(void)sem_destroy(&ready);
	return NULL;
}

static int
by_size(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

static void
measure_creates(const char *dir, uint32_t present)
{
	static struct submitter submitters[SUBMITTERS];
	struct store *store = open_store(dir);
	int64_t *all = malloc(SAMPLES_MAX * sizeof *all), began;
	struct store_stats before, after;
	uint32_t offset = (uint32_t)(1 + clock_wall_us() / 1000000 % 40) * 0x4000000u;
	size_t count = 0;
	double seconds;

	store_stats(store, &before);
	began = clock_mono_us();
	for (uint32_t i = 0; i < SUBMITTERS; i++) {
		submitters[i] = (struct submitter){
			.store = store,
			.first = offset + i * 1000000u,
			.until_ms = clock_mono_ms() + CREATE_MS,
			.samples = malloc(SAMPLES_MAX / SUBMITTERS * sizeof(int64_t)),
		};
		(void)pthread_create(&submitters[i].thread, NULL, submit_creates, &submitters[i]);
	}
	for (uint32_t i = 0; i < SUBMITTERS; i++) {
		(void)pthread_join(submitters[i].thread, NULL);
		memcpy(all + count, submitters[i].samples, submitters[i].count * sizeof *all);
		count += submitters[i].count;
		free(submitters[i].samples);
	}
	seconds = (double)(clock_mono_us() - began) / 1e6;
	store_stats(store, &after);
	store_close(store);
	qsort(all, count, sizeof *all, by_size);
	(void)printf("create %7u present, %d submitters: %8.0f rows/s, p50 %.2f ms, p99 %.2f ms, "
	             "worst %.1f"
	             " ms, %.1f rows a commit, %llu checkpoints\n",
	             present, SUBMITTERS, (double)count / seconds, (double)all[count / 2] / 1e3,
	             (double)all[count * 99 / 100] / 1e3, (double)all[count - 1] / 1e3,
	             (double)(after.writes - before.writes) /
	                     (double)(after.commits - before.commits),
	             (unsigned long long)after.checkpoints);
	free(all);
}

static void
fill_missing(const char *base, uint32_t count, char dir[4096])
{
	struct store *store;
	int64_t began;

	(void)snprintf(dir, 4096, "%s/%u", base, count);
	if (access(dir, F_OK) == 0)
		return; /* by an earlier run */
	store = open_store(dir);
	began = clock_mono_us();
	fill(store, count);
	(void)printf("fill   %7u: %.0f rows/s\n", count,
	             count / ((double)(clock_mono_us() - began) / 1e6));
	store_close(store);
}

struct subject {
	uint32_t count;
	struct store *store;
	struct store_reader *reader;
	double any, same; /* microseconds, the best of the rounds */
};

static void
open_subject(struct subject *subject, const char *base, uint32_t count)
{
	char dir[4096];

	fill_missing(base, count, dir);
	*subject = (struct subject){.count = count, .any = 1e9, .same = 1e9};
	subject->store = open_store(dir);
	if (store_reader_open(subject->store, &subject->reader, NULL) != UN_OK)
		die("reader", UN_ERR_IO, NULL);
}

static void
measure_lookups(struct subject *subjects, size_t count)
{
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < count; i++) {
			struct subject *subject = &subjects[i];
			double any = look_up(subject->reader, subject->count);
			double same = look_up(subject->reader,
			                      subject->count < SAME ? subject->count : SAME);

			subject->any = any < subject->any ? any : subject->any;
			subject->same = same < subject->same ? same : subject->same;
		}
	}
	for (size_t i = 0; i < count; i++) {
		(void)printf("lookup %7u: %.2f us, of the same %u names %.2f us\n",
		             subjects[i].count, subjects[i].any, SAME, subjects[i].same);
		store_reader_close(subjects[i].reader);
		store_close(subjects[i].store);
	}
}

static void
print_row(const struct subject *small, const struct subject *large, const char *which, double from,
          double to)
{
	(void)printf("ROW lookup in the store, %u to %u secrets, %s | < 1.5x | %.2fx (%.1f us, "
	             "%.1f us)\n",
	             small->count, large->count, which, to / from, from, to);
}

static void
compare_lookups(const char *base, const uint32_t *counts, size_t count)
{
	struct subject subjects[COUNTS_MAX];
	const struct subject *large = &subjects[count - 1];

	for (size_t i = 0; i < count; i++)
		open_subject(&subjects[i], base, counts[i]);
	measure_lookups(subjects, count);
	print_row(&subjects[0], large, "a name in use", subjects[0].same, large->same);
	print_row(&subjects[0], large, "any name", subjects[0].any, large->any);
}

static void
measure_one(const char *base, uint32_t count)
{
	struct subject subject;
	struct store *store;
	char dir[4096];
	double best = 1e9;

	fill_missing(base, count, dir);
	for (int i = 0; i < 3; i++) {
		int64_t began = clock_mono_us();

		store = open_store(dir);
		double ms = (double)(clock_mono_us() - began) / 1e3;

		best = ms < best ? ms : best;
		store_close(store);
	}
	(void)printf("open   %7u: %.2f ms\n", count, best);
	open_subject(&subject, base, count);
	measure_lookups(&subject, 1);
	measure_creates(dir, count);
}

int
main(int argc, char **argv)
{
	uint32_t counts[COUNTS_MAX] = {1000, 100000, 1000000};
	bool lookups = argc > 1 && strcmp(argv[1], "-l") == 0;
	int first = lookups ? 3 : 2; /* of the counts */
	size_t count = 3;

	if (argc < first || argc > first + COUNTS_MAX) {
		(void)fprintf(stderr, "usage: bench-store [-l] DIR [COUNT ...]\n");
		return 2;
	}
	if (argc > first)
		count = 0;
	for (int i = first; i < argc; i++)
		counts[count++] = (uint32_t)strtoul(argv[i], NULL, 10);
	if (lookups) {
		compare_lookups(argv[2], counts, count);
		return 0;
	}
	for (size_t i = 0; i < count; i++)
		measure_one(argv[1], counts[i]);
	return 0;
}
