#include "crypto/secbuf.h"

#include "crypto/hash.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static bool
is_zero(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

/* Every size class, its edges, and buffers with a mapping of their own. */
static const size_t sizes[] = {0,    1,     32,    56,    57,      64,      120,     121,
                               4088, 4089,  32760, 32761, 65536,   1048576, 1048577, 4096,
                               8184, 16384, 2040,  1016,  2097152, 333,     500,     SECBUF_MAX};
#define SIZES (sizeof sizes / sizeof sizes[0])

TEST(secbuf, gives_zeroed_buffers_of_every_size_that_do_not_touch)
{
	struct secbuf *bufs[SIZES];

	for (size_t i = 0; i < SIZES; i++) {
		EXPECT_OK(secbuf_new(sizes[i], &bufs[i]));
		EXPECT_INT(sizes[i], secbuf_len(bufs[i]));
		EXPECT(is_zero(secbuf_peek(bufs[i]), sizes[i]));
		memset(secbuf_edit(bufs[i]), (int)i + 1, sizes[i]);
	}
	for (size_t i = 0; i < SIZES; i++) {
		for (size_t at = 0; at < sizes[i]; at += sizes[i] / 64 + 1)
			EXPECT_INT(i + 1, secbuf_peek(bufs[i])[at]);
		secbuf_free(bufs[i]);
	}
}

TEST(secbuf, refuses_more_than_its_maximum)
{
	struct secbuf *buf = NULL;

	EXPECT_ERR(UN_ERR_TOO_LARGE, secbuf_new((size_t)SECBUF_MAX + 1, &buf));
	EXPECT_NULL(buf);
}

TEST(secbuf, gives_a_freed_slot_again_without_a_byte_of_its_past)
{
	for (size_t i = 0; i < SIZES; i++) {
		struct secbuf *buf, *next;

		EXPECT_OK(secbuf_new(sizes[i], &buf));
		memset(secbuf_edit(buf), 0xa5, sizes[i]);
		secbuf_free(buf);
		EXPECT_OK(secbuf_new(sizes[i], &next));
		EXPECT(is_zero(secbuf_peek(next), sizes[i]));
		secbuf_free(next);
	}
}

TEST(secbuf, gives_a_kept_mapping_to_a_buffer_of_another_size_without_a_byte_of_its_past)
{
	for (size_t len = 1 << 20; len > 150000; len -= 70001) {
		struct secbuf *bufs[6];

		for (size_t i = 0; i < 6; i++) { /* more than are kept */
			EXPECT_OK(secbuf_new(len - i, &bufs[i]));
			EXPECT(is_zero(secbuf_peek(bufs[i]), len - i));
			memset(secbuf_edit(bufs[i]), 0xa5, len - i);
		}
		for (size_t i = 0; i < 6; i++)
			secbuf_free(bufs[i]);
	}
}

TEST(secbuf, holds_more_buffers_than_one_chunk_has_room_for)
{
	static struct secbuf *bufs[9000];
	size_t count = sizeof bufs / sizeof bufs[0];

	for (size_t i = 0; i < count; i++)
		EXPECT_OK(secbuf_copy(&i, sizeof i, &bufs[i]));
	for (size_t i = 0; i < count; i++) {
		EXPECT_BYTES(&i, secbuf_peek(bufs[i]), sizeof i);
		secbuf_free(bufs[i]);
	}
}

TEST(secbuf, zeroes_what_shrink_cuts_off)
{
	struct secbuf *buf;
	const uint8_t *bytes;

	EXPECT_OK(secbuf_copy("0123456789", 10, &buf));
	bytes = secbuf_peek(buf);
	secbuf_shrink(buf, 3);
	EXPECT_INT(3, secbuf_len(buf));
	EXPECT_BYTES("012", bytes, 3);
#ifndef __SANITIZE_ADDRESS__
	EXPECT(is_zero(bytes + 3, 7));
#endif
	secbuf_free(buf);
}

TEST(secbuf, compares_bytes_and_lengths)
{
	struct secbuf *a, *b, *c, *d;

	EXPECT_OK(secbuf_copy("abc", 3, &a));
	EXPECT_OK(secbuf_copy("abc", 3, &b));
	EXPECT_OK(secbuf_copy("abd", 3, &c));
	EXPECT_OK(secbuf_copy("abcd", 4, &d));
	EXPECT(secbuf_equal(a, b));
	EXPECT(!secbuf_equal(a, c));
	EXPECT(!secbuf_equal(a, d));
	secbuf_free(a);
	secbuf_free(b);
	secbuf_free(c);
	secbuf_free(d);
	secbuf_free(NULL);
}

/* The status of a child that runs `body`; what it prints goes nowhere. */
static int
status_of(void (*body)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

		(void)dup2(nowhere, 1);
		(void)dup2(nowhere, 2);
		body();
		_exit(0);
	}
	EXPECT(pid > 0);
	EXPECT_INT(pid, waitpid(pid, &status, 0));
	return status;
}

static void
write_past_the_end(void)
{
	struct secbuf *buf;

	if (secbuf_new(56, &buf))
		_exit(0);
	((volatile uint8_t *)secbuf_edit(buf))[56] = 1;
	secbuf_free(buf);
}

static void
write_past_a_large_end(void)
{
	struct secbuf *buf;

	if (secbuf_new(1 << 20, &buf))
		_exit(0);
	((volatile uint8_t *)secbuf_edit(buf))[1 << 20] = 1;
}

TEST(secbuf, stops_a_program_that_wrote_past_the_end)
{
	EXPECT(status_of(write_past_the_end) != 0);
	EXPECT(status_of(write_past_a_large_end) != 0);
}

static struct secbuf *of_parent;

static void
use_the_arena_in_a_child(void)
{
	struct secbuf *buf;

	if (secbuf_copy("child", 5, &buf) || memcmp(secbuf_peek(buf), "child", 5) != 0)
		_exit(1);
	secbuf_free(of_parent); /* is not here: only the handle goes */
	secbuf_free(buf);
}

static void
read_the_parents(void)
{
	if (*(const volatile uint8_t *)secbuf_peek(of_parent) == 'p')
		_exit(0);
	_exit(0);
}

TEST(secbuf, gives_a_forked_child_an_empty_arena_and_none_of_its_parents_bytes)
{
	EXPECT_OK(secbuf_copy("parent", 6, &of_parent));
	EXPECT_INT(0, status_of(use_the_arena_in_a_child));
	EXPECT(status_of(read_the_parents) != 0);
	EXPECT_BYTES("parent", secbuf_peek(of_parent), 6);
	secbuf_free(of_parent);
}

static void
write_to_pipe(int fd, size_t len)
{
	uint8_t piece[1000];

	memset(piece, 'v', sizeof piece);
	while (len) {
		size_t now = len < sizeof piece ? len : sizeof piece;

		if (write(fd, piece, now) != (ssize_t)now)
			_exit(1);
		len -= now;
	}
	_exit(0);
}

/* `len` bytes through a pipe, read with the limit `max`. */
static enum un_err
read_piped(size_t len, size_t max, struct secbuf **ret_buf)
{
	int fds[2];
	enum un_err err;
	pid_t pid;

	EXPECT_INT(0, pipe2(fds, O_CLOEXEC));
	pid = fork();
	if (pid == 0)
		write_to_pipe(fds[1], len);
	(void)close(fds[1]);
	err = secbuf_read(fds[0], max, ret_buf);
	(void)close(fds[0]);
	(void)waitpid(pid, NULL, 0);
	return err;
}

TEST(secbuf, reads_a_pipe_to_its_end_and_refuses_one_byte_too_many)
{
	static const size_t lens[] = {0, 1, 3999, 4000, 4001, 70000, 1 << 20};

	for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
		struct secbuf *buf = NULL;

		EXPECT_OK(read_piped(lens[i], lens[i], &buf));
		EXPECT_INT(lens[i], secbuf_len(buf));
		for (size_t at = 0; at < lens[i]; at++)
			EXPECT(secbuf_peek(buf)[at] == 'v');
		secbuf_free(buf);
		buf = NULL;
		if (lens[i]) {
			EXPECT_ERR(UN_ERR_TOO_LARGE, read_piped(lens[i], lens[i] - 1, &buf));
			EXPECT_NULL(buf);
		}
	}
}

TEST(secbuf, reads_a_file_whole_and_writes_it_back)
{
	char path[] = "/tmp/secbuf-test-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);
	struct secbuf *value, *again;

	EXPECT(fd >= 0);
	(void)unlink(path);
	EXPECT_OK(secbuf_new(100000, &value));
	random_bytes(secbuf_edit(value), 100000);
	EXPECT_INT(100000, write(fd, secbuf_peek(value), 100000));
	EXPECT_INT(0, lseek(fd, 0, SEEK_SET));
	EXPECT_OK(secbuf_read(fd, 100000, &again));
	EXPECT(secbuf_equal(value, again));
	secbuf_free(value);
	secbuf_free(again);
	(void)close(fd);
}

TEST(secbuf, lies_in_memory_that_is_locked_and_out_of_core_dumps)
{
	EXPECT(secbuf_protection() <= SECBUF_LOCKED);
}

/* From here on this process has no memfd_secret(2), as an older kernel. */
static void
forget_secret_memory(void)
{
	struct sock_filter code[] = {
	        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_secret, 0, 1),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof code / sizeof code[0], code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &program))
		_exit(9);
}

static void
forbid_locking(void)
{
	struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_MEMLOCK, &none))
		_exit(9);
	if (geteuid() == 0 && setresuid(65534, 65534, 65534)) /* root may lock without a limit */
		_exit(9);
}

static void
use_an_older_kernel(void)
{
	struct secbuf *buf;

	forget_secret_memory();
	if (secbuf_protection() != SECBUF_LOCKED)
		_exit(1);
	if (secbuf_copy("value", 5, &buf) || memcmp(secbuf_peek(buf), "value", 5) != 0)
		_exit(2);
	secbuf_free(buf);
}

static void
reach_the_limit(void)
{
	struct secbuf *buf;

	forbid_locking();
	if (secbuf_copy("value", 5, &buf))
		_exit(1);
	if (secbuf_protection() != SECBUF_NOT_LOCKED)
		_exit(2);
	secbuf_free(buf);
}

static void
reach_the_limit_with_the_lock_required(void)
{
	struct secbuf *buf = NULL;

	forbid_locking();
	secbuf_require_lock();
	if (secbuf_copy("value", 5, &buf) != UN_ERR_NO_MEMORY || buf)
		_exit(1);
	if (secbuf_new(1 << 20, &buf) != UN_ERR_NO_MEMORY || buf)
		_exit(2);
}

TEST(secbuf, uses_locked_memory_where_the_kernel_has_no_secret_memory)
{
	EXPECT_INT(0, status_of(use_an_older_kernel));
}

TEST(secbuf, says_when_memory_could_not_be_locked_and_fails_when_it_must_be)
{
	EXPECT_INT(0, status_of(reach_the_limit));
	EXPECT_INT(0, status_of(reach_the_limit_with_the_lock_required));
}

static void *
churn(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	struct secbuf *held[16] = {NULL};

	for (unsigned i = 0; i < 4000; i++) {
		unsigned at = (seed + i * 7) % 16;
		size_t len = (size_t)(seed * 131 + i * 37) % 5000;

		if (held[at]) {
			size_t had = secbuf_len(held[at]);

			if (had && secbuf_peek(held[at])[had - 1] != (uint8_t)had)
				return arg;
			secbuf_free(held[at]);
		}
		if (secbuf_new(len, &held[at]))
			return arg;
		memset(secbuf_edit(held[at]), (int)(uint8_t)len, len);
	}
	for (unsigned at = 0; at < 16; at++)
		secbuf_free(held[at]);
	return NULL;
}

TEST(secbuf, serves_many_threads_at_once)
{
	pthread_t threads[4];

	for (uintptr_t i = 0; i < 4; i++)
		EXPECT_INT(0, pthread_create(&threads[i], NULL, churn, (void *)(i + 1)));
	for (size_t i = 0; i < 4; i++) {
		void *failed;

		EXPECT_INT(0, pthread_join(threads[i], &failed));
		EXPECT_NULL(failed);
	}
}

TORTURE(secbuf, copies_whole_or_not_at_all)
{
	struct secbuf *buf = NULL;
	enum un_err err = secbuf_copy("value", 5, &buf);

	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY);
	EXPECT((err == UN_OK) == (buf != NULL));
	secbuf_free(buf);
}

TORTURE(secbuf, reads_whole_or_not_at_all)
{
	struct secbuf *buf = NULL;
	enum un_err err = read_piped(20000, 1 << 20, &buf);

	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY);
	EXPECT((err == UN_OK) == (buf != NULL));
	secbuf_free(buf);
}

TEST_MAIN()
