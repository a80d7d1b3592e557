/* Power cuts, kills and full disks: what was acknowledged is there, nothing is there by half. */
#include "base/clock.h"
#include "store/meta.h"
#include "store/secrets_testing.h"
#include "test.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Each write sets two keys: one without the other would be a half write. */
struct pair {
	unsigned number;
};

static enum un_err
pair_apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	const struct pair *pair = ctx;
	char key[32], filler[900];
	enum un_err err;

	memset(filler, (int)('a' + pair->number % 26), sizeof filler);
	(void)snprintf(key, sizeof key, "left.%u", pair->number);
	err = meta_set(txn, key, filler, sizeof filler, detail);
	(void)snprintf(key, sizeof key, "right.%u", pair->number);
	return err ? err : meta_set(txn, key, filler, sizeof filler, detail);
}

static bool
has_key(struct store_view *view, const char *side, unsigned number)
{
	struct buf value;
	char key[32];
	enum un_err err;

	buf_init(&value, META_VALUE_MAX, BUF_PLAIN);
	(void)snprintf(key, sizeof key, "%s.%u", side, number);
	err = meta_get(view, key, &value, NULL);
	EXPECT(err == UN_OK || err == UN_ERR_NOT_FOUND);
	EXPECT(err || (value.len == 900 && value.data[899] == 'a' + number % 26));
	buf_fini(&value);
	return err == UN_OK;
}

/* Which of `count` pairs are there; none may be there by half. */
static void
read_pairs(struct store *store, unsigned count, bool *ret_there)
{
	struct store_reader *reader;

	EXPECT_OK(store_reader_open(store, &reader, NULL));
	EXPECT_OK(store_read_begin(reader, NULL));
	for (unsigned i = 0; i < count; i++) {
		ret_there[i] = has_key(store_reader_view(reader), "left", i);
		EXPECT(ret_there[i] == has_key(store_reader_view(reader), "right", i));
	}
	store_reader_close(reader);
}

enum { CUT_PAIRS = 30 };

struct cut {
	struct buf database, log;
	size_t log_len[CUT_PAIRS]; /* when the pair was acknowledged */
};

/* Opens what a machine would find that lost power when `len` bytes of the log had reached the disk
 * and the bytes behind it were `rest`. */
static void
open_after_cut(const struct cut *cut, size_t len, int rest)
{
	struct scratch scratch = scratch_begin();
	bool there[CUT_PAIRS];
	struct store *store;
	uint8_t behind[3000];
	struct buf log;

	buf_init(&log, 64u << 20, BUF_PLAIN);
	EXPECT_OK(buf_append(&log, cut->log.data, len));
	memset(behind, rest, sizeof behind);
	if (rest >= 0)
		EXPECT_OK(buf_append(&log, behind, sizeof behind));
	EXPECT_OK(io_replace_file(scratch.dir_fd, STORE_DATABASE, cut->database.data,
	                          cut->database.len, 0600));
	EXPECT_OK(io_replace_file(scratch.dir_fd, STORE_DATABASE "-wal", log.data, log.len, 0600));
	buf_fini(&log);
	store = scratch_open(&scratch);
	read_pairs(store, CUT_PAIRS, there);
	for (unsigned i = 0; i < CUT_PAIRS; i++) {
		if (cut->log_len[i] <= len)
			EXPECT(there[i]); /* acknowledged before the cut */
		EXPECT(i == 0 || !there[i] || there[i - 1]); /* in order, without gaps */
	}
	store_close(store);
	scratch_end(&scratch);
}

/* In a child, which is killed: a file that this process has open must not be read and closed by it,
 * that would drop SQLite's locks. The reader keeps the log from being folded in, so that every
 * length of the log is one that a power cut can leave. */
static void
write_pairs(const struct scratch *scratch, int fd)
{
	struct store_reader *reader;
	struct store *store = scratch_open(scratch);

	store_close(store); /* so that the tables are in the database, not in the log */
	store = scratch_open(scratch);
	if (store_reader_open(store, &reader, NULL) != UN_OK ||
	    store_read_begin(reader, NULL) != UN_OK)
		_exit(1);
	for (unsigned i = 0; i < CUT_PAIRS; i++) {
		struct pair pair = {.number = i};
		struct stat log;
		uint64_t len;

		if (store_write_wait(store, pair_apply, &pair, NULL) != UN_OK
		    || fstatat(scratch->dir_fd, STORE_DATABASE "-wal", &log, 0) != 0)
			_exit(1);
		len = (uint64_t)log.st_size;
		if (write(fd, &len, sizeof len) != sizeof len)
			_exit(1);
	}
	for (;;)
		(void)pause();
}

static void
make_cut(struct cut *cut)
{
	struct scratch scratch = scratch_begin();
	int fds[2];
	pid_t child;

	buf_init(&cut->database, 64u << 20, BUF_PLAIN);
	buf_init(&cut->log, 64u << 20, BUF_PLAIN);
	EXPECT(pipe(fds) == 0);
	child = fork();
	EXPECT(child >= 0);
	if (child == 0)
		write_pairs(&scratch, fds[1]);
	(void)close(fds[1]);
	for (unsigned i = 0; i < CUT_PAIRS; i++) {
		uint64_t len;

		EXPECT_OK(io_read_exact(fds[0], &len, sizeof len));
		cut->log_len[i] = (size_t)len;
	}
	(void)close(fds[0]);
	EXPECT_OK(io_read_file(scratch.dir_fd, STORE_DATABASE, &cut->database));
	EXPECT_OK(io_read_file(scratch.dir_fd, STORE_DATABASE "-wal", &cut->log));
	EXPECT(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
	EXPECT(cut->log.len >= cut->log_len[CUT_PAIRS - 1]);
	scratch_end(&scratch);
}

TEST(durability, a_power_cut_at_any_frame_of_the_log_loses_nothing_acknowledged)
{
	struct cut cut;

	make_cut(&cut);
	for (size_t frame = 32; frame < cut.log.len; frame += 4096 + 24) {
		open_after_cut(&cut, frame, -1);
		open_after_cut(&cut, frame, 0xff);
		open_after_cut(&cut, frame + 24, 0);
		open_after_cut(&cut, frame + 2000, 'x');
	}
	open_after_cut(&cut, cut.log.len, -1);
	open_after_cut(&cut, 7, -1);
	buf_fini(&cut.database);
	buf_fini(&cut.log);
}

enum { KILL_ROUNDS = 12, KILL_MAX = 60000, IN_FLIGHT = 32 };

struct flight {
	struct pair pair; /* first: `apply` takes a flight for its pair */
	struct store_write write;
	struct store *store;
	int fd;
};

static unsigned next_number;

static void
flight_done(void *ctx, enum un_err err, const struct un_detail *detail)
{
	struct flight *flight = ctx;
	uint32_t number = flight->pair.number;

	(void)detail;
	if (err || write(flight->fd, &number, sizeof number) != sizeof number)
		_exit(2);
	flight->pair.number = next_number++;
	if (flight->pair.number >= KILL_MAX || store_submit(flight->store, &flight->write) != UN_OK)
		_exit(3);
}

/* Writes as fast as it can, telling the parent what is acknowledged, until it is killed. */
static void
write_until_killed(const struct scratch *scratch, int fd, unsigned first)
{
	static struct flight flights[IN_FLIGHT];
	struct store *store = scratch_open(scratch);

	next_number = first + IN_FLIGHT;
	for (unsigned i = 0; i < IN_FLIGHT; i++) {
		flights[i] = (struct flight){
			.write = {.apply = pair_apply, .done = flight_done, .ctx = &flights[i]},
			.pair = {.number = first + i},
			.store = store,
			.fd = fd,
		};
		if (store_submit(store, &flights[i].write) != UN_OK)
			_exit(4);
	}
	for (;;)
		(void)pause();
}

TEST(durability, a_kill_at_any_moment_loses_nothing_acknowledged)
{
	static bool acknowledged[KILL_MAX], there[KILL_MAX];
	struct scratch scratch = scratch_begin();
	unsigned first = 0, random = (unsigned)clock_mono_us();

	memset(acknowledged, 0, sizeof acknowledged);
	for (unsigned round = 0; round < KILL_ROUNDS; round++) {
		unsigned wanted, seen = 0;
		struct store *store;
		uint32_t number;
		int fds[2];
		pid_t child;

		random = random * 1103515245u + 12345u;
		wanted = 1 + (random >> 16) % 1200;
		EXPECT(pipe(fds) == 0);
		child = fork();
		EXPECT(child >= 0);
		if (child == 0) {
			(void)close(fds[0]);
			write_until_killed(&scratch, fds[1], first);
		}
		(void)close(fds[1]);
		while (read(fds[0], &number, sizeof number) == sizeof number) {
			EXPECT(number < KILL_MAX);
			acknowledged[number] = true;
			first = number >= first ? number + 1 : first;
			if (++seen == wanted)
				EXPECT(kill(child, SIGKILL) == 0);
		}
		(void)close(fds[0]);
		EXPECT(waitpid(child, NULL, 0) == child);
		EXPECT(seen >= wanted);
		store = scratch_open(&scratch);
		read_pairs(store, first + IN_FLIGHT, there);
		for (unsigned i = 0; i < first + IN_FLIGHT; i++)
			EXPECT(there[i] || !acknowledged[i]);
		store_close(store);
		first += IN_FLIGHT;
	}
	scratch_end(&scratch);
}

/* A file system of 2 MiB in a mount namespace of this process; else a limit for every file. */
static void
make_small_disk(const struct scratch *scratch)
{
	struct rlimit limit = {.rlim_cur = 2u << 20, .rlim_max = RLIM_INFINITY};

	(void)signal(SIGXFSZ, SIG_IGN);
	if (unshare(CLONE_NEWNS) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) {
		(void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
		if (mount("tmpfs", scratch->dir, "tmpfs", 0, "size=2m,mode=0700") == 0)
			return;
	}
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		_exit(20);
}

static enum un_err
put_large(struct store *store, unsigned number)
{
	struct sample sample;
	enum un_err err;
	char name[32];

	(void)snprintf(name, sizeof name, "s%u", number);
	sample_init(&sample, "p", "d", name, (int)(number % 200) + 1);
	sample.write.sealed_value_len = 60000;
	err = sample_insert(store, &sample, NULL);
	sample_fini(&sample);
	return err;
}

static bool
is_whole(struct store *store, unsigned number)
{
	struct store_reader *reader;
	struct secret_sealed sealed = {.sealed_value = NULL};
	struct secret_id at;
	enum un_err err;
	char name[32];
	bool whole;

	(void)snprintf(name, sizeof name, "s%u", number);
	if (secret_id_init(&at, "p", "d", name, NULL) != UN_OK
	    || store_reader_open(store, &reader, NULL) != UN_OK)
		_exit(21);
	err = store_read_begin(reader, NULL);
	if (!err)
		err = secret_resolve(store_reader_view(reader), &at, 0, &sealed, NULL);
	whole = !err && sealed.sealed_value_len == 60000
	        && sealed.sealed_value[59999] == number % 200 + 1;
	if (err && err != UN_ERR_SECRET_OUT_OF_REACH)
		_exit(22);
	store_reader_close(reader);
	return whole;
}

/* 0, or the number of the step that went wrong. */
static int
live_with_a_full_disk(struct scratch *scratch)
{
	struct store *store;
	unsigned count = 0, more;
	enum un_err err = UN_OK;
	int fd;

	make_small_disk(scratch);
	io_close(&scratch->dir_fd);
	scratch->dir_fd = open(scratch->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(scratch->dir_fd, "ballast", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || posix_fallocate(fd, 0, 600000) != 0)
		return 1;
	io_close(&fd);
	store = scratch_open(scratch);
	while (!err && count < 200)
		err = put_large(store, count++);
	count--;
	if (err != UN_ERR_DISK_FULL || count < 3)
		return 2;
	for (unsigned i = 0; i < 5; i++) { /* still full, still serving */
		err = put_large(store, 1000 + i); /* a checkpoint may have made room */
		if (err != UN_OK && err != UN_ERR_DISK_FULL)
			return 9;
	}
	for (unsigned i = 0; i < count; i++) {
		if (!is_whole(store, i))
			return 3;
	}
	if (is_whole(store, count))
		return 4; /* the one that failed */
	if (unlinkat(scratch->dir_fd, "ballast", 0) != 0)
		return 5;
	for (more = 0; more < 100; more++) { /* room again: no restart is needed */
		err = put_large(store, 2000);
		if (err != UN_ERR_DISK_FULL)
			break;
	}
	if (getenv("UN_TEST_VERBOSE"))
		(void)fprintf(stderr, "# %u stored, %u tries after\n", count, more + 1);
	if (err)
		return 6;
	store_close(store);
	store = scratch_open(scratch);
	for (unsigned i = 0; i < count; i++) {
		if (!is_whole(store, i))
			return 7;
	}
	if (!is_whole(store, 2000))
		return 8;
	store_close(store);
	scratch_empty(scratch);
	return 0;
}

TEST(durability, a_full_disk_refuses_writes_and_recovers_without_a_restart)
{
	struct scratch scratch = scratch_begin();
	int status;
	pid_t child = fork();

	EXPECT(child >= 0);
	if (child == 0)
		_exit(live_with_a_full_disk(&scratch));
	EXPECT(waitpid(child, &status, 0) == child);
	EXPECT(WIFEXITED(status));
	EXPECT_INT(0, WEXITSTATUS(status));
	scratch_end(&scratch);
}

TEST_MAIN()
