#include "base/io.h"

#include "base/clock.h"
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A folder of its own for each test. */
static char folder[64];
static int dir_fd;

static void
start(void)
{
	(void)snprintf(folder, sizeof folder, "/tmp/io-test-XXXXXX");
	EXPECT(mkdtemp(folder));
	dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT(dir_fd >= 0);
}

/* How many files the folder holds; removes them and the folder. */
static int
finish(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int count = 0;

	EXPECT(dir);
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		EXPECT_INT(0, unlinkat(dir_fd, entry->d_name, 0));
		count++;
	}
	(void)closedir(dir);
	io_close(&dir_fd);
	EXPECT_INT(0, rmdir(folder));
	return count;
}

static void
expect_content(const char *expected, const char *name)
{
	struct buf out;

	buf_init(&out, 1000, BUF_PLAIN);
	EXPECT_OK(io_read_file(dir_fd, name, &out));
	EXPECT_STR(expected, buf_text(&out));
	buf_fini(&out);
}

TEST(io, replaces_a_file_and_leaves_nothing_else)
{
	struct stat st;

	start();
	EXPECT_OK(io_replace_file(dir_fd, "f", "one", 3, 0600));
	expect_content("one", "f");
	EXPECT_OK(io_replace_file(dir_fd, "f", "two!", 4, 0600));
	expect_content("two!", "f");
	EXPECT_INT(0, fstatat(dir_fd, "f", &st, 0));
	EXPECT_INT(0600, st.st_mode & 0777);
	EXPECT_INT(1, finish());
}

TEST(io, replaces_a_link_and_not_what_it_points_at)
{
	start();
	EXPECT_OK(io_replace_file(dir_fd, "target", "old", 3, 0600));
	EXPECT_INT(0, symlinkat("target", dir_fd, "f"));
	EXPECT_OK(io_replace_file(dir_fd, "f", "new", 3, 0600));
	expect_content("old", "target");
	expect_content("new", "f");
	EXPECT_INT(2, finish());
}

/* With each write, fsync, rename and allocation failing once: the old file or the new one, whole.
 */
TORTURE_IO(io, a_replaced_file_is_the_old_or_the_new_one_whole)
{
	struct buf out;
	enum un_err err;

	start();
	err = io_replace_file(dir_fd, "f", "old", 3, 0600);
	if (!err) {
		err = io_replace_file(dir_fd, "f", "new", 3, 0600);
		buf_init(&out, 100, BUF_PLAIN);
		if (io_read_file(dir_fd, "f", &out) == UN_OK)
			EXPECT(strcmp(buf_text(&out), "new") == 0 ||
			       (err && strcmp(buf_text(&out), "old") == 0));
		buf_fini(&out);
	}
	EXPECT(finish() <= 1); /* no temporary file stays */
}

TEST(io, reads_a_file_of_exactly_the_maximum_and_refuses_one_byte_more)
{
	struct buf out;

	start();
	EXPECT_OK(io_replace_file(dir_fd, "f", "12345", 5, 0600));
	buf_init(&out, 5, BUF_PLAIN);
	EXPECT_OK(io_read_file(dir_fd, "f", &out));
	EXPECT_STR("12345", buf_text(&out));
	buf_fini(&out);
	buf_init(&out, 4, BUF_PLAIN);
	EXPECT_ERR(UN_ERR_TOO_LARGE, io_read_file(dir_fd, "f", &out));
	buf_fini(&out);
	buf_init(&out, 4, BUF_PLAIN);
	EXPECT_ERR(UN_ERR_NOT_FOUND, io_read_file(dir_fd, "none", &out));
	EXPECT_ERR(UN_ERR_IO, io_read_file(dir_fd, ".", &out));
	buf_fini(&out);
	EXPECT_INT(1, finish());
}

TEST(io, says_when_the_end_comes_too_early)
{
	char bytes[4];
	int fds[2];

	EXPECT_INT(0, pipe2(fds, O_CLOEXEC));
	EXPECT_OK(io_write_all(fds[1], "abc", 3));
	io_close(&fds[1]);
	EXPECT_INT(-1, fds[1]);
	io_close(&fds[1]);
	EXPECT_ERR(UN_ERR_PROTOCOL, io_read_exact(fds[0], bytes, 4));
	io_close(&fds[0]);
}

/* A full pipe that is not blocking: waits for the reader instead of failing. */
TEST(io, writes_all_of_it_to_a_slow_reader)
{
	static uint8_t large[1 << 20];
	int fds[2], status;
	pid_t reader;

	EXPECT_INT(0, pipe2(fds, O_CLOEXEC));
	EXPECT_INT(0, fcntl(fds[1], F_SETFL, O_NONBLOCK));
	reader = fork();
	if (reader == 0) {
		io_close(&fds[1]);
		_exit(io_read_exact(fds[0], large, sizeof large) == UN_OK ? 0 : 1);
	}
	io_close(&fds[0]);
	EXPECT_OK(io_write_all(fds[1], large, sizeof large));
	io_close(&fds[1]);
	EXPECT_INT(reader, waitpid(reader, &status, 0));
	EXPECT_INT(0, status);
}

TEST(io, waits_no_longer_than_the_deadline)
{
	int fds[2];

	EXPECT_INT(0, pipe2(fds, O_CLOEXEC));
	EXPECT_ERR(UN_ERR_TIMEOUT, io_wait(fds[0], POLLIN, clock_mono_ms() - 1));
	EXPECT_ERR(UN_ERR_TIMEOUT, io_wait(fds[0], POLLIN, clock_mono_ms() + 5));
	EXPECT_OK(io_write_all(fds[1], "x", 1));
	EXPECT_OK(io_wait(fds[0], POLLIN, clock_mono_ms() + 60000));
	io_close(&fds[0]);
	io_close(&fds[1]);
}

TEST(io, makes_a_folder_with_its_parents_once_and_again)
{
	char path[PATH_MAX], long_path[PATH_MAX + 10];
	struct stat st;

	start();
	(void)snprintf(path, sizeof path, "%s/a/b//c", folder);
	EXPECT_OK(io_make_dirs(path, 0700));
	EXPECT_OK(io_make_dirs(path, 0700));
	EXPECT_INT(0, stat(path, &st));
	EXPECT_INT(0700, st.st_mode & 0777);
	EXPECT_INT(0, rmdir(path));
	(void)snprintf(path, sizeof path, "%s/a/b", folder);
	EXPECT_INT(0, rmdir(path));
	(void)snprintf(path, sizeof path, "%s/a", folder);
	EXPECT_INT(0, rmdir(path));
	memset(long_path, 'x', sizeof long_path);
	long_path[sizeof long_path - 1] = '\0';
	EXPECT_ERR(UN_ERR_INVALID, io_make_dirs(long_path, 0700));
	EXPECT_ERR(UN_ERR_INVALID, io_make_dirs("", 0700));
	EXPECT_INT(0, finish());
}

TEST_MAIN()
