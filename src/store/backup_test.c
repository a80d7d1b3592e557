#include "store/backup.h"

#include "store/secrets_testing.h"
#include "test.h"

#include <sys/mman.h>
#include <sys/stat.h>

struct emitted {
	int fd;
	struct store *store; /* writes go on while the backup runs */
	unsigned count;
};

static enum un_err
emit(void *ctx, const uint8_t *bytes, size_t len)
{
	struct emitted *emitted = ctx;
	char name[32];

	(void)snprintf(name, sizeof name, "late%u", emitted->count++);
	if (emitted->store)
		sample_put(emitted->store, "p", "d", name, 9);
	return io_write_all(emitted->fd, bytes, len);
}

static void
path_of(const struct scratch *scratch, const char *name, char path[256])
{
	(void)snprintf(path, 256, "%s/%s", scratch->dir, name);
}

static const uint8_t ring[] = "a sealed key ring";

static void
back_up(struct store *store, const struct scratch *to, bool writes_go_on)
{
	struct emitted emitted = {.store = writes_go_on ? store : NULL};
	struct backup_header header = {.keyring = ring, .keyring_len = sizeof ring};
	struct un_detail detail = {0};

	memset(header.fingerprint, 0x33, sizeof header.fingerprint);
	emitted.fd = openat(to->dir_fd, "backup", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	EXPECT(emitted.fd >= 0);
	EXPECT_OK(store_backup(store, &header, emit, &emitted, &detail));
	io_close(&emitted.fd);
}

static bool
exists(struct store *store, const char *name)
{
	struct store_reader *reader;
	struct secret_head head;
	struct secret_id id;
	enum un_err err;

	EXPECT_OK(secret_id_init(&id, "p", "d", name, NULL));
	EXPECT_OK(store_reader_open(store, &reader, NULL));
	EXPECT_OK(store_read_begin(reader, NULL));
	err = secret_get(store_reader_view(reader), &id, &head, NULL);
	store_reader_close(reader);
	EXPECT(err == UN_OK || err == UN_ERR_SECRET_NOT_FOUND);
	return err == UN_OK;
}

static unsigned
count_files(const struct scratch *scratch)
{
	DIR *dir = opendir(scratch->dir);
	unsigned count = 0;

	while (readdir(dir))
		count++;
	(void)closedir(dir);
	return count - 2;
}

TEST(backup, brings_back_what_was_there_when_it_began_while_writes_go_on)
{
	struct scratch scratch = scratch_begin(), other = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct backup_header header;
	struct un_detail detail = {0};
	char path[256], aside[RESTORE_ASIDE_MAX];
	struct stat file;

	EXPECT_OK(crypto_init());
	sample_put(store, "p", "d", "first", 1);
	sample_put(store, "p", "d", "second", 2);
	back_up(store, &scratch, true);
	EXPECT(exists(store, "late0"));
	EXPECT_INT(5,
	           count_files(&scratch)); /* database, wal, shm, lock, backup: no copy is left */
	path_of(&scratch, "backup", path);
	EXPECT_ERR(UN_ERR_BUSY, store_restore(scratch.dir, path, &header, aside, &detail));
	store_close(store);

	EXPECT_OK(
		store_restore(other.dir, path, &header, aside, &detail)); /* into an empty place */
	EXPECT_STR("", aside);
	EXPECT_INT(store_schema_newest(), header.schema);
	EXPECT_INT(0x33, header.fingerprint[31]);
	EXPECT_OK(store_restore(scratch.dir, path, &header, aside, &detail)); /* over the old one */
	EXPECT(strncmp(aside, "union.db.before-restore-", 24) == 0);
	EXPECT(fstatat(scratch.dir_fd, aside, &file, 0) == 0);
	EXPECT_INT(0600, file.st_mode & 0777);
	for (int i = 0; i < 2; i++) {
		store = scratch_open(i ? &other : &scratch);
		EXPECT(exists(store, "first") && exists(store, "second"));
		EXPECT(!exists(store, "late0"));
		store_close(store);
	}
	EXPECT_INT(2, count_files(&other)); /* database and lock */
	scratch_end(&other);
	scratch_end(&scratch);
}

TEST(backup, gives_the_key_ring_section_back)
{
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct backup_header header;
	struct buf keyring;
	char path[256];

	EXPECT_OK(crypto_init());
	buf_init(&keyring, BACKUP_KEYRING_MAX, BUF_WIPE);
	back_up(store, &scratch, false);
	store_close(store);
	path_of(&scratch, "backup", path);
	EXPECT_OK(store_check_backup(path, scratch.dir, &header, &keyring, NULL));
	EXPECT_INT(sizeof ring, keyring.len);
	EXPECT_BYTES(ring, keyring.data, sizeof ring);
	buf_fini(&keyring);
	scratch_end(&scratch);
}

TEST(backup, refuses_one_that_was_changed_or_cut_anywhere_and_leaves_the_database)
{
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct backup_header header;
	struct buf bytes;
	char path[256], aside[RESTORE_ASIDE_MAX];
	size_t step;

	EXPECT_OK(crypto_init());
	sample_put(store, "p", "d", "first", 1);
	back_up(store, &scratch, false);
	sample_put(store, "p", "d", "second", 1);
	store_close(store);
	path_of(&scratch, "backup", path);
	buf_init(&bytes, 64u << 20, BUF_PLAIN);
	EXPECT_OK(io_read_file(scratch.dir_fd, "backup", &bytes));
	step = 1;
	for (size_t at = 0; at < bytes.len; at += step) {
		enum un_err err;

		bytes.data[at] ^= 0x40;
		EXPECT_OK(io_replace_file(scratch.dir_fd, "backup", bytes.data, bytes.len, 0600));
		err = store_restore(scratch.dir, path, &header, aside, NULL);
		EXPECT(err == UN_ERR_PROTOCOL || err == UN_ERR_NOT_AUTHENTIC ||
		       err == UN_ERR_UNSUPPORTED);
		bytes.data[at] ^= 0x40;
		EXPECT_OK(io_replace_file(scratch.dir_fd, "backup", bytes.data, at, 0600));
		EXPECT_ERR(UN_ERR_PROTOCOL, store_restore(scratch.dir, path, &header, aside, NULL));
		step = at < 200 ? 7 : 5003;
	}
	EXPECT_OK(buf_append_byte(&bytes, 0));
	EXPECT_OK(io_replace_file(scratch.dir_fd, "backup", bytes.data, bytes.len, 0600));
	EXPECT_ERR(UN_ERR_PROTOCOL, store_restore(scratch.dir, path, &header, aside, NULL));
	buf_fini(&bytes);
	EXPECT_INT(3, count_files(&scratch)); /* database, lock, backup */
	store = scratch_open(&scratch);
	EXPECT(exists(store, "second"));
	store_close(store);
	scratch_end(&scratch);
}

/* A header that is right around a database that is not. */
TEST(backup, refuses_a_damaged_database_inside_a_sound_file)
{
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct backup_header header = {.schema = 1}, found;
	struct un_detail detail = {0};
	struct backup_sum sum;
	struct buf bytes, out;
	char path[256], aside[RESTORE_ASIDE_MAX];

	EXPECT_OK(crypto_init());
	for (unsigned i = 0; i < 60; i++) {
		char name[16];

		(void)snprintf(name, sizeof name, "k%u", i);
		sample_put(store, "p", "d", name, 1);
	}
	store_close(store);
	buf_init(&bytes, 64u << 20, BUF_PLAIN);
	buf_init(&out, 64u << 20, BUF_PLAIN);
	EXPECT_OK(io_read_file(scratch.dir_fd, STORE_DATABASE, &bytes));
	memset(bytes.data + 5 * 4096, 0xaa, 4096);
	EXPECT_OK(backup_header_pack(&header, &out, &sum));
	for (size_t at = 0; at < bytes.len; at += 4096)
		EXPECT_OK(backup_chunk_pack(&sum, bytes.data + at, 4096, &out));
	EXPECT_OK(backup_end_pack(&sum, &out));
	EXPECT_OK(io_replace_file(scratch.dir_fd, "backup", out.data, out.len, 0600));
	path_of(&scratch, "backup", path);
	EXPECT_ERR(UN_ERR_DAMAGED, store_restore(scratch.dir, path, &found, aside, &detail));
	buf_fini(&out);
	buf_fini(&bytes);
	scratch_end(&scratch);
}

TEST(backup, replaces_a_damaged_database_and_keeps_it_with_its_log)
{
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct store_options options = {.dir = scratch.dir};
	struct backup_header header;
	struct un_detail detail = {0};
	char path[256], aside[RESTORE_ASIDE_MAX], log[RESTORE_ASIDE_MAX + 8];
	int fd;

	EXPECT_OK(crypto_init());
	sample_put(store, "p", "d", "first", 1);
	back_up(store, &scratch, false);
	store_close(store);
	fd = openat(scratch.dir_fd, STORE_DATABASE, O_WRONLY | O_CLOEXEC);
	EXPECT(pwrite(fd, "garbage garbage garbage", 23, 0) == 23);
	io_close(&fd);
	EXPECT_OK(io_replace_file(scratch.dir_fd, STORE_DATABASE "-wal", "old log", 7, 0600));
	store = NULL;
	EXPECT_ERR(UN_ERR_DAMAGED, store_open(&options, &store, &detail));
	assert_non_null(strstr(detail.hint, "union restore"));
	path_of(&scratch, "backup", path);
	EXPECT_OK(store_restore(scratch.dir, path, &header, aside, &detail));
	(void)snprintf(log, sizeof log, "%s-wal", aside);
	EXPECT(faccessat(scratch.dir_fd, log, F_OK, 0) == 0);
	EXPECT(faccessat(scratch.dir_fd, STORE_DATABASE "-wal", F_OK, 0) != 0);
	store = scratch_open(&scratch);
	EXPECT(exists(store, "first"));
	store_close(store);
	scratch_end(&scratch);
}

TEST(backup, reads_the_first_format_forever)
{
	struct backup_header header;
	struct buf keyring;
	int fd = open(VECTORS "/backup-1.bin", O_RDONLY | O_CLOEXEC);
	int out = memfd_create("database", MFD_CLOEXEC);
	char database[128];

	EXPECT_OK(crypto_init());
	EXPECT(fd >= 0 && out >= 0);
	buf_init(&keyring, BACKUP_KEYRING_MAX, BUF_WIPE);
	EXPECT_OK(backup_file_read(fd, out, &header, &keyring, NULL));
	EXPECT_INT(2, header.schema);
	EXPECT_INT(1763900000000000, header.created_at_us);
	EXPECT_STR("0.1.0", header.program);
	EXPECT_INT(0x33, header.fingerprint[0]);
	EXPECT_STR("ring", buf_text(&keyring));
	EXPECT_INT(104, pread(out, database, sizeof database, 0));
	EXPECT_BYTES("tail", database + 100, 4);
	buf_fini(&keyring);
	io_close(&out);
	io_close(&fd);
}

TEST_MAIN()
