#include "launch/leaving.h"
#include "test.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/io.h"
#include "launch/tree.h"
#include "model/literal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUE "hunter22-swordfish-4711"

struct fixture {
	char path[64];
	int parent, outputs_fd, raw_fd;
	struct redact_set *values;
	struct secret_request request;
	struct secbuf *value;
	struct task_secrets secrets;
	struct leaving leaving;
	char said[4096];
};

static void
hear(void *ctx, const char *line)
{
	struct fixture *f = ctx;
	size_t len = strlen(f->said);

	(void)snprintf(f->said + len, sizeof f->said - len, "%s\n", line);
}

static void
fixture_init(struct fixture *f, enum guard_policy policy)
{
	bool too_short;

	memset(f, 0, sizeof *f);
	memcpy(f->path, "/tmp/leaving-test-XXXXXX", 25);
	EXPECT(mkdtemp(f->path) != NULL);
	f->parent = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT_OK(tree_make(f->parent, "o", &f->outputs_fd, NULL));
	EXPECT_OK(tree_make(f->parent, "raw", &f->raw_fd, NULL));
	EXPECT_OK(redact_set_new(&f->values));
	EXPECT_OK(secbuf_copy(VALUE, strlen(VALUE), &f->value));
	EXPECT_OK(redact_set_add(f->values, "db", f->value, &too_short));
	EXPECT_OK(redact_set_compile(f->values));
	memcpy(f->request.name, "db", 3);
	f->secrets =
		(struct task_secrets){.requests = &f->request, .values = &f->value, .count = 1};
	f->leaving = (struct leaving){.values = f->values,
	                              .secrets = &f->secrets,
	                              .longest = strlen(VALUE),
	                              .policy = policy,
	                              .say = hear,
	                              .ctx = f};
}

static void
fixture_end(struct fixture *f)
{
	redact_set_free(f->values);
	secbuf_free(f->value);
	io_close(&f->outputs_fd);
	io_close(&f->raw_fd);
	EXPECT_OK(tree_remove(f->parent, "o"));
	EXPECT_OK(tree_remove(f->parent, "raw"));
	io_close(&f->parent);
	EXPECT_INT(0, rmdir(f->path));
}

static void
put(int dir_fd, const char *name, const char *text)
{
	EXPECT_OK(io_replace_file(dir_fd, name, text, strlen(text), 0600));
}

/* One output, o0, that refers to raw/NAME as `scheme` says. */
static enum un_err
check_reference(struct fixture *f, const char *scheme, const char *name, struct un_detail *detail)
{
	Flyteidl__Core__LiteralMap map = FLYTEIDL__CORE__LITERAL_MAP__INIT;
	Flyteidl__Core__LiteralMap__LiteralsEntry
		entry = FLYTEIDL__CORE__LITERAL_MAP__LITERALS_ENTRY__INIT,
		*entries[] = {&entry};
	Flyteidl__Core__Literal value = FLYTEIDL__CORE__LITERAL__INIT;
	Flyteidl__Core__Scalar scalar = FLYTEIDL__CORE__SCALAR__INIT;
	Flyteidl__Core__Blob blob = FLYTEIDL__CORE__BLOB__INIT;
	char uri[128];

	(void)snprintf(uri, sizeof uri, "%s%s/raw/%s", scheme, f->path, name);
	blob.uri = strncmp(scheme, "s3", 2) == 0 ? (char *)(uintptr_t)scheme : uri;
	scalar.value_case = FLYTEIDL__CORE__SCALAR__VALUE_BLOB;
	scalar.blob = &blob;
	value.value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	value.scalar = &scalar;
	entry.key = (char *)(uintptr_t) "o0";
	entry.value = &value;
	map.literals = entries;
	map.n_literals = 1;
	return leaving_check(&f->leaving, f->outputs_fd, &map, detail);
}

TEST(leaving, a_file_that_an_output_means_is_looked_into)
{
	struct fixture f;
	struct un_detail detail = {0};

	fixture_init(&f, GUARD_KNOWN);
	put(f.raw_fd, "clean.json", "{\"a\": 1}");
	put(f.raw_fd, "model.json", "{\"items\": [{\"name\": \"" VALUE "\"}]}");
	EXPECT_OK(check_reference(&f, "", "clean.json", &detail));
	EXPECT_STR("the guard looked into 1 file of the results, 1 KiB\n", f.said);
	EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET, check_reference(&f, "", "model.json", &detail));
	EXPECT_STR("output 'o0: model.json.items[0].name' contains the value of secret 'db'",
	           detail.message);
	EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET, check_reference(&f, "file://", "model.json", &detail));
	f.leaving.policy = GUARD_OFF;
	f.said[0] = '\0';
	EXPECT_OK(check_reference(&f, "", "model.json", &detail));
	EXPECT_STR("the guard is off in this project: nobody looks into the results\n", f.said);
	fixture_end(&f);
}

TEST(leaving, a_folder_is_looked_into_down_to_its_files)
{
	struct fixture f;
	struct un_detail detail = {0};
	int fd, inner;

	fixture_init(&f, GUARD_KNOWN);
	EXPECT_OK(tree_make(f.raw_fd, "dir", &fd, NULL));
	EXPECT_OK(tree_make(fd, "a", &inner, NULL));
	put(fd, "one.txt", "nothing");
	EXPECT_INT(0, mkfifoat(fd, "pipe", 0600));
	EXPECT_INT(0, symlinkat("..", fd, "up"));
	EXPECT_OK(check_reference(&f, "", "dir", &detail));
	EXPECT(strstr(f.said, "o0: dir/pipe is no file") != NULL);
	EXPECT(strstr(f.said, "o0: dir/up is a link to a folder") != NULL);
	put(inner, "two.txt", "x " VALUE);
	EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET, check_reference(&f, "", "dir", &detail));
	EXPECT_STR("output 'o0: dir/a/two.txt' contains the value of secret 'db'", detail.message);
	/* a link to a file is what it links to */
	EXPECT_INT(0, unlinkat(inner, "two.txt", 0));
	put(f.raw_fd, "elsewhere", VALUE);
	EXPECT_INT(0, symlinkat("../../elsewhere", inner, "link"));
	EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET, check_reference(&f, "", "dir", &detail));
	(void)close(fd);
	(void)close(inner);
	fixture_end(&f);
}

TEST(leaving, what_the_task_may_not_read_is_not_looked_at_for_it)
{
	struct fixture f;
	struct un_detail detail = {0};
	int fd;

	if (geteuid() != 0)
		return;
	fixture_init(&f, GUARD_KNOWN);
	EXPECT_OK(tree_make(f.raw_fd, "of-root", &fd, NULL));
	EXPECT_INT(0, mkfifoat(fd, "unknown-name", 0644));
	put(f.raw_fd, "plain", VALUE);
	EXPECT_INT(0, fchmodat(f.raw_fd, "plain", 0600, 0));
	put(f.raw_fd, "own", VALUE);
	EXPECT_INT(0, fchownat(f.raw_fd, "own", 65534, 65534, 0));
	EXPECT_INT(0, fchmodat(f.raw_fd, "own", 0, 0));
	EXPECT_INT(0, chmod(f.path, 0755));
	EXPECT_INT(0, fchmod(f.raw_fd, 0755));
	f.leaving.uid = 65534;
	EXPECT_OK(check_reference(&f, "", "of-root", &detail));
	EXPECT_OK(check_reference(&f, "", "of-root/unknown-name", &detail));
	EXPECT_OK(check_reference(&f, "", "plain", &detail));
	EXPECT(strstr(f.said, "of-root cannot be read") != NULL);
	EXPECT(strstr(f.said, "o0: unknown-name is not there") != NULL);
	EXPECT(strstr(f.said, "is no file") == NULL);
	EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET, check_reference(&f, "", "own", &detail));
	(void)close(fd);
	fixture_end(&f);
}

TEST(leaving, what_cannot_be_looked_into_passes_with_a_word_or_is_refused)
{
	struct fixture f;
	struct un_detail detail = {0};

	fixture_init(&f, GUARD_KNOWN);
	put(f.raw_fd, "noise", "\x01\x02\x03\xff\xfe abc");
	EXPECT_OK(check_reference(&f, "", "noise", &detail));
	EXPECT(strstr(f.said, "let pass what it cannot look into: o0: noise is of no format") !=
	       NULL);
	EXPECT_OK(check_reference(&f, "", "absent", &detail));
	EXPECT(strstr(f.said, "o0: absent is not there") != NULL);
	EXPECT_OK(check_reference(&f, "s3://bucket/key", "", &detail));
	EXPECT(strstr(f.said, "o0: s3://bucket/key is not on this machine") != NULL);
	f.leaving.policy = GUARD_STRICT;
	EXPECT_ERR(UN_ERR_RESULT_UNSEEN, check_reference(&f, "", "noise", &detail));
	EXPECT(strstr(detail.message, "o0: noise is of no format") != NULL);
	EXPECT_ERR(UN_ERR_RESULT_UNSEEN, check_reference(&f, "s3://bucket/key", "", &detail));
	put(f.raw_fd, "fine", "text");
	EXPECT_OK(check_reference(&f, "", "fine", &detail));
	fixture_end(&f);
}

static bool
always(void *ctx)
{
	(void)ctx;
	return true;
}

TEST(leaving, results_that_nobody_wants_any_more_do_not_leave)
{
	struct fixture f;
	struct un_detail detail = {0};

	fixture_init(&f, GUARD_KNOWN);
	put(f.raw_fd, "fine", "text");
	f.leaving.stop = always;
	EXPECT_ERR(UN_ERR_ABORTED, check_reference(&f, "", "fine", &detail));
	fixture_end(&f);
}

TEST(leaving, a_deck_beside_the_outputs_is_looked_into)
{
	struct fixture f;
	struct un_detail detail = {0};

	fixture_init(&f, GUARD_KNOWN);
	put(f.raw_fd, "fine", "text");
	put(f.outputs_fd, "outputs.pb", "not looked at twice: " VALUE);
	EXPECT_OK(check_reference(&f, "", "fine", &detail));
	put(f.outputs_fd, "deck.html", "<p>hunter22-swordfish-4711</p>");
	EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET, check_reference(&f, "", "fine", &detail));
	EXPECT_STR("file 'deck.html' contains the value of secret 'db'", detail.message);
	fixture_end(&f);
}

TEST(leaving, a_value_in_the_code_is_told_or_refused)
{
	struct fixture f;
	struct un_detail detail = {0};

	fixture_init(&f, GUARD_KNOWN);
	put(f.raw_fd, "clean.py", "print(1)\n");
	EXPECT_OK(leaving_check_code(&f.leaving, f.raw_fd, &detail));
	EXPECT_STR("", f.said);
	put(f.raw_fd, "config.py", "PASSWORD = '" VALUE "'\n");
	EXPECT_OK(leaving_check_code(&f.leaving, f.raw_fd, &detail));
	EXPECT(strstr(f.said, "secret 'db' in 'config.py'") != NULL);
	f.leaving.policy = GUARD_STRICT;
	EXPECT_ERR(UN_ERR_BUNDLE_HAS_SECRET, leaving_check_code(&f.leaving, f.raw_fd, &detail));
	EXPECT_NULL(strstr(detail.message, "hunter"));
	fixture_end(&f);
}

TEST(leaving, names_of_files_folders_and_links_are_results_too)
{
	struct fixture f;
	struct un_detail detail = {0};

	for (int kind = 0; kind < 4; kind++) { /* a file, a folder, a link, a pipe */
		int fd, inner = -1;

		fixture_init(&f, GUARD_KNOWN);
		EXPECT_OK(tree_make(f.raw_fd, "dir", &fd, NULL));
		EXPECT_OK(check_reference(&f, "", "dir", &detail));
		if (kind == 0)
			put(fd, "a-" VALUE ".csv", "nothing");
		else if (kind == 1)
			EXPECT_OK(tree_make(fd, VALUE, &inner, NULL));
		else if (kind == 2)
			EXPECT_INT(0, symlinkat("/nowhere/" VALUE, fd, "link"));
		else
			EXPECT_INT(0, mkfifoat(fd, VALUE, 0600));
		EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET, check_reference(&f, "", "dir", &detail));
		EXPECT_STR("output 'o0: ?' contains the value of secret 'db'", detail.message);
		(void)close(fd);
		io_close(&inner);
		fixture_end(&f);
	}
}

/* What is a result only by its size on paper, or twice, or not of this kind. */
TEST(leaving, sparse_files_hard_links_and_devices_are_what_they_are)
{
	struct fixture f;
	struct un_detail detail = {0};
	int fd, file;

	fixture_init(&f, GUARD_KNOWN);
	EXPECT_OK(tree_make(f.raw_fd, "dir", &fd, NULL));
	file = openat(fd, "sparse", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	EXPECT_INT(0, ftruncate(file, 64 << 20));
	if (check_reference(&f, "", "dir", &detail))
		EXPECT_STR("", detail.message);
	EXPECT_INT((long long)strlen(VALUE), pwrite(file, VALUE, strlen(VALUE), 40 << 20));
	EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET, check_reference(&f, "", "dir", &detail));
	EXPECT_STR("output 'o0: dir/sparse' contains the value of secret 'db'", detail.message);
	EXPECT_INT(0, unlinkat(fd, "sparse", 0));
	put(f.raw_fd, "elsewhere", VALUE);
	EXPECT_INT(0, linkat(f.raw_fd, "elsewhere", fd, "hard", 0));
	EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET, check_reference(&f, "", "dir", &detail));
	EXPECT_INT(0, unlinkat(fd, "hard", 0));
	/* links to what is no file are named; nothing is opened, so that nothing waits */
	EXPECT_INT(0, symlinkat("/dev/tty", fd, "terminal"));
	EXPECT_INT(0, symlinkat("/dev/zero", fd, "endless"));
	EXPECT_INT(0, mkfifoat(fd, "pipe", 0600));
	f.leaving.policy = GUARD_STRICT;
	EXPECT_ERR(UN_ERR_RESULT_UNSEEN, check_reference(&f, "", "dir", &detail));
	EXPECT(strstr(detail.message, "dir/terminal is no file") != NULL);
	EXPECT(strstr(detail.message, "dir/endless is no file") != NULL);
	EXPECT(strstr(detail.message, "dir/pipe is no file") != NULL);
	(void)close(file);
	(void)close(fd);
	fixture_end(&f);
}

TEST(leaving, what_comes_behind_one_part_too_many_is_still_searched)
{
	static const char mark[] = "\x89PNG\r\n\x1a\n", chunk[12] = "\0\0\0\0tEXt\0\0\0";
	struct fixture f;
	struct un_detail detail = {0};
	struct buf image;

	fixture_init(&f, GUARD_KNOWN);
	buf_init(&image, 8u << 20, BUF_PLAIN);
	EXPECT_OK(buf_append(&image, mark, sizeof mark - 1));
	for (uint32_t i = 0; i <= GUARD_MEMBERS_MAX; i++)
		EXPECT_OK(buf_append(&image, chunk, sizeof chunk));
	EXPECT_OK(io_replace_file(f.raw_fd, "a.png", image.data, image.len, 0600));
	EXPECT_OK(check_reference(&f, "", "a.png", &detail));
	EXPECT(strstr(f.said, "o0: a.png is one part too many") != NULL);
	put(f.outputs_fd, "notes", "text " VALUE); /* looked at behind it */
	EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET, check_reference(&f, "", "a.png", &detail));
	EXPECT_STR("file 'notes' contains the value of secret 'db'", detail.message);
	buf_fini(&image);
	fixture_end(&f);
}

TEST(leaving, results_in_a_folder_that_cannot_be_read_do_not_leave)
{
	struct fixture f;
	struct un_detail detail = {0};
	int fd;

	fixture_init(&f, GUARD_KNOWN);
	put(f.raw_fd, "clean", "text");
	fd = f.outputs_fd;
	f.outputs_fd = openat(f.raw_fd, "clean", O_RDONLY | O_CLOEXEC); /* no folder at all */
	EXPECT_ERR(UN_ERR_RESULT_UNSEEN, check_reference(&f, "", "clean", &detail));
	(void)close(f.outputs_fd);
	f.outputs_fd = fd;
	fixture_end(&f);
}

/* ---- a looker that goes wrong, or is made to ---- */

static enum un_err
crash(struct guard *guard, const char *path, bool flat, const uint8_t *bytes, size_t len)
{
	if (!flat)
		__builtin_trap();
	return guard_at(guard, path, flat, bytes, len);
}

static enum un_err
crash_always(struct guard *guard, const char *path, bool flat, const uint8_t *bytes, size_t len)
{
	_exit(0);
}

static enum un_err
loop(struct guard *guard, const char *path, bool flat, const uint8_t *bytes, size_t len)
{
	for (volatile bool go = !flat; go;)
		;
	return guard_at(guard, path, flat, bytes, len);
}

static enum un_err
allocate(struct guard *guard, const char *path, bool flat, const uint8_t *bytes, size_t len)
{
#ifdef UN_FAULTS /* a sanitizer has memory without end */
	if (!flat)
		fault_arm(FAULT_ALLOC, 1);
#endif
	if (!flat && !mem_alloc(LOOKER_MEMORY * 8ull))
		return UN_ERR_NO_MEMORY;
	return guard_at(guard, path, flat, bytes, len);
}

/* Says that there is nothing, after it has tried to get something out. */
static enum un_err
betray(struct guard *guard, const char *path, bool flat, const uint8_t *bytes, size_t len)
{
	int fd = flat ? -1
	              : open("/tmp/leaving-test-betrayed", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (!flat && (fd >= 0 || socket(AF_INET, SOCK_STREAM, 0) >= 0))
		return UN_OK;
	return flat ? guard_at(guard, path, flat, bytes, len) : UN_ERR_IO;
}

static enum un_err
lie(struct guard *guard, const char *path, bool flat, const uint8_t *bytes, size_t len)
{
	return guard_found(guard, "nobody's", "a\033[31m");
}

/* What a looker makes of a clean file, and of one with a value, by policy. */
static void
expect_unseen(looker_fn *look, const char *why)
{
	struct fixture f;
	struct un_detail detail = {0};

	fixture_init(&f, GUARD_STRICT);
	f.leaving.look = look;
	f.leaving.time_ms = 100;
	put(f.raw_fd, "clean", "text");
	put(f.raw_fd, "value", "text " VALUE);
	EXPECT_ERR(UN_ERR_RESULT_UNSEEN, check_reference(&f, "", "clean", &detail));
	if (!strstr(detail.message, why))
		EXPECT_STR(why, detail.message);
	f.leaving.policy = GUARD_KNOWN;
	EXPECT_OK(check_reference(&f, "", "clean", &detail));
	EXPECT(strstr(f.said, "let pass what it cannot look into: o0: clean ") != NULL);
	EXPECT(strstr(f.said, why) != NULL);
	/* it is still searched as it is, by another one */
	EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET, check_reference(&f, "", "value", &detail));
	fixture_end(&f);
}

TEST(leaving, a_parser_that_dies_hangs_or_swells_is_never_a_clean_result)
{
	expect_unseen(crash, "cannot be looked into: the process that did died");
	expect_unseen(loop, "takes too long to look into");
	expect_unseen(allocate, "needs more memory");
}

/* Somebody makes a file shorter while it is looked at. */
#define SHRINKING_LEN (64u << 10)

static struct shrinking {
	_Atomic bool *mapped; /* shared with the looker */
	int fd;
} shrinking;

static enum un_err
read_on(struct guard *guard, const char *path, bool flat, const uint8_t *bytes, size_t len)
{
	*shrinking.mapped = true;
	while (!flat && ((const volatile uint8_t *)bytes)[len - 1])
		;
	return guard_at(guard, path, flat, bytes, len);
}

static bool
shrink(void *ctx)
{
	if (*shrinking.mapped)
		EXPECT_INT(0, ftruncate(shrinking.fd, 1));
	return false;
}

TEST(leaving, a_file_that_shrinks_while_it_is_looked_at_does_not_leave)
{
	struct fixture f;
	struct un_detail detail = {0};
	char *content = mem_alloc(SHRINKING_LEN + 1);

	fixture_init(&f, GUARD_KNOWN);
	f.leaving.look = read_on;
	f.leaving.stop = shrink;
	EXPECT(content != NULL);
	memset(content, 'x', SHRINKING_LEN);
	content[SHRINKING_LEN] = '\0';
	put(f.raw_fd, "log", content);
	shrinking.fd = openat(f.raw_fd, "log", O_RDWR | O_CLOEXEC);
	shrinking.mapped = mmap(NULL, sizeof *shrinking.mapped, PROT_READ | PROT_WRITE,
	                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	EXPECT(shrinking.fd >= 0 && shrinking.mapped != MAP_FAILED);
	EXPECT_ERR(UN_ERR_RESULT_UNSEEN, check_reference(&f, "", "log", &detail));
	EXPECT(strstr(detail.message, "a result cannot be searched: o0: log cannot be looked "
	                              "into: the process that did died") != NULL);
	(void)munmap((void *)shrinking.mapped, sizeof *shrinking.mapped);
	(void)close(shrinking.fd);
	mem_free(content);
	fixture_end(&f);
}

TEST(leaving, a_parser_that_was_taken_over_reaches_nothing)
{
	expect_unseen(betray, "cannot be looked into");
	EXPECT(access("/tmp/leaving-test-betrayed", F_OK) != 0);
}

TEST(leaving, what_cannot_even_be_searched_does_not_leave)
{
	struct fixture f;
	struct un_detail detail = {0};

	fixture_init(&f, GUARD_KNOWN);
	f.leaving.look = crash_always;
	put(f.raw_fd, "clean", "text");
	EXPECT_ERR(UN_ERR_RESULT_UNSEEN, check_reference(&f, "", "clean", &detail));
	EXPECT(strstr(detail.message, "a result cannot be searched: o0: clean") != NULL);
	fixture_end(&f);
}

TEST(leaving, what_the_looker_says_is_not_believed)
{
	struct fixture f;
	struct un_detail detail = {0};

	fixture_init(&f, GUARD_KNOWN);
	f.leaving.look = lie;
	put(f.raw_fd, "clean", "text");
	EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET, check_reference(&f, "", "clean", &detail));
	EXPECT_STR("output 'a?[31m' contains the value of secret '?'", detail.message);
	fixture_end(&f);
}

TEST(leaving, a_thread_that_cannot_fork_has_another_do_it)
{
	struct fixture f;
	struct un_detail detail = {0};

	fixture_init(&f, GUARD_KNOWN);
	f.leaving.helper = looker_helper_new();
	EXPECT(f.leaving.helper != NULL);
	put(f.raw_fd, "model.json", "[\"" VALUE "\"]");
	EXPECT_ERR(UN_ERR_RESULT_HAS_SECRET, check_reference(&f, "", "model.json", &detail));
	EXPECT_STR("output 'o0: model.json[0]' contains the value of secret 'db'", detail.message);
	looker_helper_free(f.leaving.helper);
	fixture_end(&f);
}

TEST_MAIN()
