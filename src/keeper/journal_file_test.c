#include "keeper/journal_file.h"

#include "base/io.h"
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES 5

struct folder {
	char path[64];
	int fd;
};

static struct folder
folder_begin(void)
{
	struct folder folder = {.path = "/tmp/journal-test-XXXXXX"};

	EXPECT_OK(crypto_init());
	assert_non_null(mkdtemp(folder.path));
	folder.fd = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return folder;
}

/* Removes all files; returns how many there were. */
static unsigned
empty(const struct folder *folder)
{
	DIR *dir = fdopendir(dup(folder->fd));
	struct dirent *one;
	unsigned count = 0;

	rewinddir(dir);
	while ((one = readdir(dir))) {
		if (one->d_name[0] == '.')
			continue;
		EXPECT_INT(0, unlinkat(folder->fd, one->d_name, 0));
		count++;
	}
	(void)closedir(dir);
	return count;
}

static void
folder_end(struct folder *folder)
{
	(void)empty(folder);
	(void)close(folder->fd);
	EXPECT_INT(0, rmdir(folder->path));
}

static struct journal *
open_journal(const struct folder *folder)
{
	struct un_detail detail = {0};
	struct journal *journal;
	enum un_err err = journal_open(folder->fd, &detail, &journal);

	if (err)
		print_error("%s\n", un_message(err, &detail));
	EXPECT_OK(err);
	return journal;
}

static void
add(struct journal *journal, unsigned number)
{
	struct journal_entry entry = {.at_us = 1000 + number, .version = number, .generation = 1};

	memset(entry.attempt, (int)number, sizeof entry.attempt);
	EXPECT_OK(secret_id_init(&entry.id, "fraud", "production", "db_url", NULL));
	EXPECT_OK(journal_add(journal, &entry));
	EXPECT_INT(journal_next(journal) - 1, entry.number);
}

static void
fill_journal(struct journal *journal)
{
	for (unsigned i = 1; i <= ENTRIES; i++) {
		add(journal, i);
		EXPECT_OK(journal_commit(journal, NULL));
	}
}

static struct signed_head
head_of(const struct journal *journal, int64_t at_us)
{
	const struct journal_position *at = journal_peek(journal);
	struct signed_head head = {.count = 7, .at_us = at_us, .journal_count = at->count};

	memcpy(head.journal_id, at->id, JOURNAL_ID_LEN);
	memcpy(head.journal_hash, at->hash, HASH_LEN);
	return head;
}

TEST(journal_file, remembers_what_was_committed_and_nothing_else)
{
	struct folder folder = folder_begin();
	struct journal *journal = open_journal(&folder);
	struct journal_position before;

	fill_journal(journal);
	before = *journal_peek(journal);
	EXPECT_INT(ENTRIES, before.count);
	add(journal, 9);
	EXPECT(journal_is_pending(journal));
	journal_free(journal);
	journal = open_journal(&folder);
	EXPECT_INT(ENTRIES, journal_peek(journal)->count);
	EXPECT_BYTES(before.hash, journal_peek(journal)->hash, HASH_LEN);
	EXPECT_BYTES(before.id, journal_peek(journal)->id, JOURNAL_ID_LEN);
	EXPECT(!journal_is_broken(journal));
	journal_free(journal);
	folder_end(&folder);
}

TEST(journal_file, takes_back_to_a_mark)
{
	struct folder folder = folder_begin();
	struct journal *journal = open_journal(&folder), *other;
	size_t mark;

	add(journal, 1);
	mark = journal_mark(journal);
	add(journal, 2);
	add(journal, 3);
	journal_rewind(journal, mark);
	EXPECT_INT(2, journal_next(journal));
	add(journal, 4);
	EXPECT_OK(journal_commit(journal, NULL));
	other = open_journal(&folder);
	EXPECT_INT(2, journal_peek(other)->count);
	EXPECT_BYTES(journal_peek(journal)->hash, journal_peek(other)->hash, HASH_LEN);
	journal_free(other);
	journal_free(journal);
	folder_end(&folder);
}

TEST(journal_file, grows_over_many_chunks)
{
	struct folder folder = folder_begin();
	struct journal *journal = open_journal(&folder);

	for (unsigned i = 0; i < 3000; i++) {
		add(journal, i);
		if (i % 100 == 99)
			EXPECT_OK(journal_commit(journal, NULL));
	}
	journal_free(journal);
	journal = open_journal(&folder);
	EXPECT_INT(3000, journal_peek(journal)->count);
	journal_free(journal);
	folder_end(&folder);
}

/* What the last entry is, a crash may have torn; nothing had been released then. */
TEST(journal_file, overwrites_a_torn_end)
{
	struct folder folder = folder_begin();
	struct journal *journal = open_journal(&folder);
	struct buf bytes;
	size_t last = 0, end = JOURNAL_HEADER_LEN;

	fill_journal(journal);
	journal_free(journal);
	buf_init(&bytes, 1u << 20, BUF_PLAIN);
	EXPECT_OK(io_read_file(folder.fd, JOURNAL_FILE, &bytes));
	for (int i = 0; i < ENTRIES; i++) {
		last = end;
		end += 2 + ((size_t)bytes.data[end] << 8 | bytes.data[end + 1]) + HASH_LEN;
	}
	for (size_t at = last; at < end; at++) {
		bytes.data[at] ^= 0x40;
		EXPECT_OK(io_replace_file(folder.fd, JOURNAL_FILE, bytes.data, bytes.len, 0600));
		bytes.data[at] ^= 0x40;
		journal = open_journal(&folder);
		EXPECT_INT(ENTRIES - 1, journal_peek(journal)->count);
		EXPECT(!journal_is_broken(journal));
		add(journal, 1);
		EXPECT_OK(journal_commit(journal, NULL));
		journal_free(journal);
		journal = open_journal(&folder);
		EXPECT_INT(ENTRIES, journal_peek(journal)->count);
		journal_free(journal);
	}
	buf_fini(&bytes);
	folder_end(&folder);
}

/* Under a signed head there is no torn end: each byte and each length is accounted for. */
TEST(journal_file, finds_every_flipped_byte_and_every_cut_under_a_head)
{
	struct folder folder = folder_begin();
	struct journal *journal = open_journal(&folder);
	struct buf bytes, head_file;
	struct signed_head head;
	size_t end = JOURNAL_HEADER_LEN;

	fill_journal(journal);
	head = head_of(journal, 1);
	EXPECT_OK(journal_set_head(journal, &head, NULL));
	journal_free(journal);
	buf_init(&bytes, 1u << 20, BUF_PLAIN);
	buf_init(&head_file, 1u << 20, BUF_PLAIN);
	EXPECT_OK(io_read_file(folder.fd, JOURNAL_FILE, &bytes));
	EXPECT_OK(io_read_file(folder.fd, HEAD_FILE, &head_file));
	for (int i = 0; i < ENTRIES; i++)
		end += 2 + ((size_t)bytes.data[end] << 8 | bytes.data[end + 1]) + HASH_LEN;
	for (size_t at = 0; at < 2 * end; at++) {
		bool cut = at >= end;

		(void)empty(&folder);
		EXPECT_OK(io_replace_file(folder.fd, HEAD_FILE, head_file.data, head_file.len,
		                          0600));
		bytes.data[cut ? 0 : at] ^= cut ? 0 : 0x01;
		EXPECT_OK(io_replace_file(folder.fd, JOURNAL_FILE, bytes.data,
		                          cut ? at - end : bytes.len, 0600));
		bytes.data[cut ? 0 : at] ^= cut ? 0 : 0x01;
		journal = open_journal(&folder);
		EXPECT(journal_is_broken(journal));
		EXPECT_INT(0, journal_peek(journal)->count);
		journal_free(journal);
	}
	buf_fini(&head_file);
	buf_fini(&bytes);
	folder_end(&folder);
}

TEST(journal_file, keeps_an_older_head_when_the_newest_is_torn)
{
	struct folder folder = folder_begin();
	struct journal *journal = open_journal(&folder);
	struct signed_head one = head_of(journal, 1), two = head_of(journal, 2);
	struct buf bytes;

	EXPECT_NULL(journal_last_head(journal));
	EXPECT_OK(journal_set_head(journal, &one, NULL));
	EXPECT_OK(journal_set_head(journal, &two, NULL));
	journal_free(journal);
	journal = open_journal(&folder);
	EXPECT_INT(2, journal_last_head(journal)->at_us);
	journal_free(journal);
	buf_init(&bytes, 1u << 20, BUF_PLAIN);
	EXPECT_OK(io_read_file(folder.fd, HEAD_FILE, &bytes));
	bytes.data[512 + 20] ^= 1;
	EXPECT_OK(io_replace_file(folder.fd, HEAD_FILE, bytes.data, bytes.len, 0600));
	journal = open_journal(&folder);
	EXPECT_INT(1, journal_last_head(journal)->at_us);
	journal_free(journal);
	buf_fini(&bytes);
	folder_end(&folder);
}

TEST(journal_file, refuses_files_that_are_open_to_others)
{
	struct folder folder = folder_begin();
	struct journal *journal = open_journal(&folder);

	journal_free(journal);
	EXPECT_INT(0, fchmodat(folder.fd, JOURNAL_FILE, 0640, 0));
	EXPECT_ERR(UN_ERR_DENIED, journal_open(folder.fd, NULL, &journal));
	folder_end(&folder);
}

#ifdef UN_FAULTS
/* A full or broken disk refuses, leaves nothing behind, and is no reason to stop. */
TEST(journal_file, goes_on_after_a_disk_that_was_full)
{
	struct folder folder = folder_begin();
	struct journal *journal = open_journal(&folder);
	struct un_detail detail = {0};

	fill_journal(journal);
	for (int kind = FAULT_WRITE; kind <= FAULT_FSYNC; kind++) {
		add(journal, 8);
		fault_arm((enum fault_kind)kind, 1);
		EXPECT_ERR(kind == FAULT_WRITE ? UN_ERR_DISK_FULL : UN_ERR_IO,
		           journal_commit(journal, &detail));
		fault_disarm();
		assert_non_null(strstr(detail.message, "no secret is released"));
		EXPECT(!journal_is_pending(journal));
		EXPECT_INT(ENTRIES + 1, journal_next(journal));
	}
	journal_free(journal);
	journal = open_journal(&folder); /* also what was written and not synced is gone */
	EXPECT_INT(ENTRIES, journal_peek(journal)->count);
	add(journal, 9);
	EXPECT_OK(journal_commit(journal, NULL));
	EXPECT_INT(ENTRIES + 1, journal_peek(journal)->count);
	journal_free(journal);
	folder_end(&folder);
}
#endif

TEST_MAIN()
