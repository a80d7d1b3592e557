#include "client/verified_head.h"

#include "base/io.h"
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define URL "unix:///home/a b/uniond.sock"

struct fixture {
	char state[64];
	char folder[80];
	char path[400];
};

static const struct verified_head first = {
	.count = 991, .hash = {1, 2}, .key = {3, 4}, .at_us = 1700000000000000};

static struct fixture
begin(void)
{
	struct fixture f = {.state = "/tmp/union-verified-XXXXXX"};

	EXPECT_OK(crypto_init());
	EXPECT(mkdtemp(f.state));
	(void)snprintf(f.folder, sizeof f.folder, "%s/verified", f.state);
	return f;
}

/* The only file. */
static void
find_file(struct fixture *f)
{
	DIR *dir = opendir(f->folder);
	const struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			(void)snprintf(f->path, sizeof f->path, "%s/%s", f->folder, entry->d_name);
	(void)closedir(dir);
}

static void
end(struct fixture *f)
{
	(void)unlink(f->path);
	(void)rmdir(f->folder);
	(void)rmdir(f->state);
}

TEST(verified_head, is_read_as_it_was_written_by_this_user_alone)
{
	struct fixture f = begin();
	struct verified_head head = {0};
	struct stat facts;

	EXPECT_ERR(UN_ERR_NOT_FOUND, verified_head_read(f.state, URL, &head, NULL));
	EXPECT_OK(verified_head_write(f.state, URL, &first, NULL));
	EXPECT_OK(verified_head_read(f.state, URL, &head, NULL));
	EXPECT_INT(first.count, head.count);
	EXPECT_INT(first.at_us, head.at_us);
	EXPECT_BYTES(first.hash, head.hash, HASH_LEN);
	EXPECT_BYTES(first.key, head.key, SIGN_PUBLIC_LEN);
	EXPECT_ERR(UN_ERR_NOT_FOUND, verified_head_read(f.state, URL "2", &head, NULL));
	find_file(&f);
	EXPECT_INT(0, stat(f.path, &facts));
	EXPECT_INT(0600, facts.st_mode & 07777);
	end(&f);
}

/* Taken for "never verified", a file that was cut would hide what it is there to show. */
TEST(verified_head, each_length_of_a_cut_file_is_refused)
{
	struct fixture f = begin();
	struct verified_head head;
	struct un_detail detail = {0};
	struct buf bytes;

	EXPECT_OK(verified_head_write(f.state, URL, &first, NULL));
	find_file(&f);
	buf_init(&bytes, 4096, BUF_PLAIN);
	EXPECT_OK(io_read_file(AT_FDCWD, f.path, &bytes));
	for (size_t len = 0; len < bytes.len; len++) {
		EXPECT_INT(0, truncate(f.path, (off_t)len));
		EXPECT_ERR(UN_ERR_DAMAGED, verified_head_read(f.state, URL, &head, &detail));
		EXPECT_OK(verified_head_write(f.state, URL, &first, NULL));
	}
	EXPECT(strstr(detail.message, f.path));
	EXPECT_OK(verified_head_read(f.state, URL, &head, NULL));
	EXPECT_INT(0, truncate(f.path, (off_t)bytes.len + 1));
	EXPECT_ERR(UN_ERR_DAMAGED, verified_head_read(f.state, URL, &head, NULL));
	buf_fini(&bytes);
	end(&f);
}

TEST_MAIN()
