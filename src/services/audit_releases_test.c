#include "services/audit_releases.h"

#include "audit/audit.h"
#include "base/clock.h"
#include "crypto/hash.h"
#include "store/uses.h"
#include "test.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SETTLED_MS 50
#define DEADLINE_MS 20000

struct bench {
	char dir[64], keys[80];
	int keys_fd;
	struct journal *journal;
	struct store *store;
	struct store_reader *reader;
	struct loop *loop;
	struct audit_releases *releases;
	unsigned heads; /* that were asked for */
};

/* What the keeper would sign. */
static void
tell_head(void *ctx)
{
	struct bench *bench = ctx;
	const struct journal_position *at = journal_peek(bench->journal);
	struct signed_head head = {.journal_count = at->count};

	memcpy(head.journal_id, at->id, JOURNAL_ID_LEN);
	memcpy(head.journal_hash, at->hash, HASH_LEN);
	bench->heads++;
	audit_releases_follow(bench->releases, &head);
}

static void
bench_init(struct bench *bench)
{
	struct audit_releases_options options = {.settled_ms = SETTLED_MS,
	                                         .principal = "uid:1",
	                                         .keys_dir = bench->keys,
	                                         .need_head = tell_head,
	                                         .ctx = bench};
	struct journal_reader *reader;
	struct un_detail detail = {0};
	struct store_options store;

	*bench = (struct bench){.dir = "/tmp/releases-test-XXXXXX"};
	EXPECT_OK(crypto_init());
	assert_non_null(mkdtemp(bench->dir));
	(void)snprintf(bench->keys, sizeof bench->keys, "%s/keys", bench->dir);
	EXPECT_INT(0, mkdir(bench->keys, 0700));
	bench->keys_fd = open(bench->keys, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT_OK(journal_open(bench->keys_fd, &detail, &bench->journal));
	store = (struct store_options){.dir = bench->dir, .create = true};
	EXPECT_OK(store_open(&store, &bench->store, &detail));
	EXPECT_OK(store_reader_open(bench->store, &bench->reader, &detail));
	EXPECT_OK(loop_new(&bench->loop));
	options.loop = bench->loop;
	options.store = bench->store;
	options.reader = bench->reader;
	EXPECT_OK(journal_reader_open(bench->keys_fd, &reader));
	EXPECT_OK(audit_releases_new(&options, reader, &bench->releases));
}

static void
bench_fini(struct bench *bench)
{
	char *const argv[] = {(char *)"rm", (char *)"-rf", bench->dir, NULL};
	char *const environment[] = {NULL};
	int status;
	pid_t pid;

	audit_releases_stop(bench->releases);
	store_reader_close(bench->reader);
	store_close(bench->store);
	audit_releases_free(bench->releases);
	loop_free(bench->loop);
	journal_free(bench->journal);
	(void)close(bench->keys_fd);
	EXPECT_INT(0, posix_spawnp(&pid, "rm", NULL, NULL, argv, environment));
	EXPECT_INT(pid, waitpid(pid, &status, 0));
}

static struct journal_entry
entry_of(uint32_t version)
{
	struct journal_entry entry = {
		.at_us = clock_wall_us(), .version = version, .generation = 1};

	memset(entry.attempt, (int)version, sizeof entry.attempt);
	EXPECT_OK(secret_id_init(&entry.id, "fraud", "", "used", NULL));
	return entry;
}

static void
release(struct bench *bench, uint32_t version)
{
	struct journal_entry entry = entry_of(version);

	EXPECT_OK(journal_add(bench->journal, &entry));
	EXPECT_OK(journal_commit(bench->journal, NULL));
}

struct claim {
	const struct bench *bench;
	uint64_t number;
};

static enum un_err
apply_claim(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	const struct claim *claim = ctx;
	struct journal_entry entry = entry_of((uint32_t)claim->number);
	struct audit_event event = {.action = AUDIT_SECRET_RELEASE,
	                            .verdict = AUDIT_ALLOWED,
	                            .principal = "execution:e",
	                            .execution = "e",
	                            .secret = &entry.id,
	                            .version = entry.version,
	                            .journal = {.number = claim->number}};

	memcpy(event.journal.id, journal_peek(claim->bench->journal)->id, JOURNAL_ID_LEN);
	return audit_append(txn, &event, detail);
}

static enum un_err
record(struct bench *bench, uint64_t number)
{
	struct un_detail detail = {0};
	struct claim claim = {bench, number};

	return store_write_wait(bench->store, apply_claim, &claim, &detail);
}

static bool
count_found(void *ctx, const struct audit_record *record)
{
	if (record->action == AUDIT_RELEASE_FOUND)
		++*(size_t *)ctx;
	return true;
}

static size_t
found(struct bench *bench)
{
	struct audit_filter filter = {.limit = 1000};
	size_t count = 0;
	uint64_t next;

	EXPECT_OK(store_read_begin(bench->reader, NULL));
	EXPECT_OK(audit_list(store_reader_view(bench->reader), &filter, count_found, &count, &next,
	                     NULL));
	store_read_end(bench->reader);
	return count;
}

/* Until so many releases were found; or, with a number that is too great, for `ms`. */
static size_t
await(struct bench *bench, size_t count, int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;

	while (found(bench) < count && clock_mono_ms() < until)
		EXPECT_OK(loop_step(bench->loop, SETTLED_MS / 5));
	return found(bench);
}

TEST(audit_releases, gives_a_release_its_record_while_the_plane_runs)
{
	struct bench bench;

	bench_init(&bench);
	release(&bench, 1);
	release(&bench, 2);
	EXPECT_OK(record(&bench, 1));
	audit_releases_kick(bench.releases);
	EXPECT_INT(1, await(&bench, 1, DEADLINE_MS));
	EXPECT_INT(1, bench.heads);
	release(&bench, 3); /* where the reader has met the end of the journal before */
	audit_releases_kick(bench.releases);
	EXPECT_INT(2, await(&bench, 2, DEADLINE_MS));
	/* a claim that comes so late fails: its keys are not delivered */
	EXPECT_ERR(UN_ERR_EXISTS, record(&bench, 3));
	EXPECT_INT(2, found(&bench));
	bench_fini(&bench);
}

TEST(audit_releases, leaves_alone_what_gets_its_record_in_time)
{
	struct bench bench;

	bench_init(&bench);
	for (uint32_t i = 1; i <= 300; i++)
		release(&bench, i);
	audit_releases_kick(bench.releases);
	EXPECT_OK(loop_step(bench.loop, 1000)); /* they are seen, as far as there is room */
	for (uint32_t i = 1; i <= 300; i++)
		EXPECT_OK(record(&bench, i));
	EXPECT_INT(0, await(&bench, 1, 10 * SETTLED_MS));
	EXPECT_INT(0, bench.heads);
	release(&bench, 301);
	audit_releases_kick(bench.releases);
	EXPECT_INT(1, await(&bench, 1, DEADLINE_MS));
	bench_fini(&bench);
}

/* The keeper wrote an entry, could not make it durable, and gave its number to another one. */
TEST(audit_releases, records_nothing_that_the_keeper_took_back)
{
	struct journal_entry one = entry_of(1), taken_back = entry_of(7);
	uint8_t header[JOURNAL_HEADER_LEN], zeros[JOURNAL_ENTRY_MAX] = {0};
	struct journal_position position;
	struct bench bench;
	struct buf bytes;
	size_t end;
	int fd;

	bench_init(&bench);
	one.at_us = 1;
	EXPECT_OK(journal_add(bench.journal, &one));
	EXPECT_OK(journal_commit(bench.journal, NULL));
	EXPECT_OK(record(&bench, 1));
	buf_init(&bytes, 4096, BUF_PLAIN);
	journal_header_pack(journal_peek(bench.journal)->id, header, &position);
	EXPECT_OK(journal_entry_pack(&bytes, &one, &position));
	end = bytes.len;
	EXPECT_OK(journal_entry_pack(&bytes, &taken_back, &position));
	fd = openat(bench.keys_fd, JOURNAL_FILE, O_RDWR | O_CLOEXEC);
	EXPECT_INT(bytes.len - end, pwrite(fd, bytes.data + end, bytes.len - end,
	                                   (off_t)(JOURNAL_HEADER_LEN + end)));
	audit_releases_kick(bench.releases);
	EXPECT_INT(0, await(&bench, 1, 3 * SETTLED_MS));
	EXPECT_INT(bytes.len - end, pwrite(fd, zeros, bytes.len - end,
	                                   (off_t)(JOURNAL_HEADER_LEN + end)));
	(void)close(fd);
	release(&bench, 2);
	EXPECT_OK(record(&bench, 2)); /* its number is free */
	release(&bench, 3);
	tell_head(&bench);
	EXPECT_INT(1, await(&bench, 1, DEADLINE_MS));
	EXPECT_ERR(UN_ERR_EXISTS, record(&bench, 3));
	EXPECT(bench.heads > 1);
	buf_fini(&bytes);
	bench_fini(&bench);
}

TEST(audit_releases, follows_the_keeper_to_another_journal)
{
	struct un_detail detail = {0};
	struct bench bench;

	bench_init(&bench);
	release(&bench, 1);
	EXPECT_OK(record(&bench, 1));
	journal_free(bench.journal);
	EXPECT_INT(0, unlinkat(bench.keys_fd, JOURNAL_FILE, 0));
	EXPECT_OK(journal_open(bench.keys_fd, &detail, &bench.journal));
	release(&bench, 1);
	tell_head(&bench);
	EXPECT_INT(1, await(&bench, 1, DEADLINE_MS));
	bench_fini(&bench);
}

TEST_MAIN()
