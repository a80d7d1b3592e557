/* The small parts: template, environment, child_find, tree_wipe. */
#include "launch/child.h"
#include "launch/environment.h"
#include "launch/template.h"
#include "launch/tree.h"
#include "test.h"

#include "flyteidl/core/literals.pb-c.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void
expect_expanded(const char *word, const char *expected)
{
	static const struct template_value values[] = {{"input", "/in"},
	                                               {"outputPrefix", "{{.input}}"}};
	struct buf out;

	buf_init(&out, 256, BUF_PLAIN);
	EXPECT_OK(template_expand(word, values, 2, &out));
	EXPECT_STR(expected, buf_text(&out));
	buf_fini(&out);
}

TEST(template, placeholders_in_every_spelling)
{
	expect_expanded("{{.input}}", "/in");
	expect_expanded("{{ .Input }}", "/in");
	expect_expanded("--x={{$INPUT}}/{{.input}}", "--x=/in//in");
	expect_expanded("{{.outputPrefix}}",
	                "{{.input}}"); /* what is put in is not looked at again */
	expect_expanded("{{.unknown}}", "{{.unknown}}");
	expect_expanded("{{.input}", "{{.input}");
	expect_expanded("{{{.input}}}", "{/in}");
	expect_expanded("{{input}}", "{{input}}");
	expect_expanded("{{.}}", "{{.}}");
	expect_expanded("", "");
	expect_expanded("{{", "{{");
}

TEST(template, stops_at_the_limit)
{
	static const struct template_value values[] = {{"a", "0123456789"}};
	struct buf out;

	buf_init(&out, 25, BUF_PLAIN);
	EXPECT_ERR(UN_ERR_TOO_LARGE, template_expand("{{.a}}{{.a}}{{.a}}", values, 1, &out));
	buf_fini(&out);
}

static size_t
count_of(char *const *vector, const char *entry)
{
	size_t count = 0;

	for (size_t i = 0; vector[i]; i++)
		count += strcmp(vector[i], entry) == 0;
	return count;
}

TEST(environment, the_last_one_of_a_name_counts)
{
	struct environment *environment;
	struct secbuf *value;
	char *const *vector;

	EXPECT_OK(environment_new(&environment));
	EXPECT_OK(secbuf_copy("s3cret", 6, &value));
	EXPECT_OK(environment_set(environment, "A", "1"));
	EXPECT_OK(environment_set(environment, "B", ""));
	EXPECT_OK(environment_set(environment, "A", "2"));
	EXPECT_OK(environment_set_value(environment, "C", value));
	EXPECT_ERR(UN_ERR_INVALID, environment_set(environment, "", "x"));
	EXPECT_ERR(UN_ERR_INVALID, environment_set(environment, "X=Y", "x"));
	EXPECT_OK(environment_vector(environment, &vector));
	EXPECT_INT(1, count_of(vector, "A=2"));
	EXPECT_INT(0, count_of(vector, "A=1"));
	EXPECT_INT(1, count_of(vector, "B="));
	EXPECT_INT(1, count_of(vector, "C=s3cret"));
	EXPECT_STR("2", environment_get(environment, "A"));
	EXPECT_NULL(environment_get(environment, "C"));
	EXPECT_NULL(environment_get(environment, "D"));
	secbuf_free(value);
	environment_free(environment);
}

TORTURE(environment, works_or_fails_whole)
{
	struct environment *environment = NULL;
	char *const *vector = NULL;
	enum un_err err = environment_new(&environment);

	for (int i = 0; !err && i < 40; i++) {
		char name[16];

		(void)snprintf(name, sizeof name, "N%d", i);
		err = environment_set(environment, name, "x");
	}
	if (!err)
		err = environment_vector(environment, &vector);
	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY);
	EXPECT(err || count_of(vector, "N39=x") == 1);
	environment_free(environment);
}

TEST(child, finds_programs_by_path_and_by_name)
{
	char found[PATH_MAX];

	EXPECT_OK(child_find("/bin/sh", "", 0, found, NULL));
	EXPECT_STR("/bin/sh", found);
	EXPECT_OK(child_find("sh", "/nowhere:/bin", 0, found, NULL));
	EXPECT_STR("/bin/sh", found);
	EXPECT_OK(child_find("/other/place/sh", "/bin", 0, found, NULL));
	EXPECT_STR("/bin/sh", found);
	EXPECT_ERR(UN_ERR_NOT_FOUND, child_find("sh", "/nowhere", 0, found, NULL));
	EXPECT_ERR(UN_ERR_NOT_FOUND, child_find("./sh", "/bin", 0, found, NULL));
	EXPECT_ERR(UN_ERR_NOT_FOUND, child_find("/etc/passwd", "/etc", 0, found, NULL));
	EXPECT_ERR(UN_ERR_NOT_FOUND, child_find("/bin", "/", 0, found, NULL));
	EXPECT_ERR(UN_ERR_NOT_FOUND, child_find("sh", "bin:.", 0, found, NULL));
}

/* In a process of its own, as somebody who is not root: 0 when nothing of the value is left. */
static int
wipe_as_plain_user(void)
{
	char folder[] = "/tmp/wipe-test-XXXXXX", left[18] = "";
	int dir_fd, below_fd, fd, status = 2;

	if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
		return 3;
	if (!mkdtemp(folder))
		return 4;
	dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree_make(dir_fd, "secrets", &below_fd, NULL) != UN_OK)
		return 5;
	fd = openat(below_fd, "db", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	if (write(fd, "hunter22-swordfish", 18) == 18 && fchmod(below_fd, 0500) == 0) {
		tree_wipe(dir_fd);
		status = pread(fd, left, sizeof left, 0) == 18 && !memchr(left, 'h', 18) ? 0 : 1;
	}
	(void)close(fd);
	(void)close(below_fd);
	(void)close(dir_fd);
	if (tree_remove(AT_FDCWD, folder) != UN_OK)
		return 6;
	return status;
}

TEST(tree, wipes_files_that_their_owner_may_only_read)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(wipe_as_plain_user());
	EXPECT_INT(pid, waitpid(pid, &status, 0));
	EXPECT_INT(0, WIFEXITED(status) ? WEXITSTATUS(status) : 128);
}

TEST(tree, removes_folders_that_are_nested_deeper_than_we_may_open)
{
	char folder[] = "/tmp/union-tree-XXXXXX";
	struct stat facts;
	int fd;

	EXPECT(mkdtemp(folder) != NULL);
	fd = open(folder, O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 700; i++) {
		int below;

		EXPECT_INT(0, mkdirat(fd, "d", 0700));
		EXPECT_INT(0, mkdirat(fd, "e", 0700));
		below = openat(fd, "d", O_RDONLY | O_DIRECTORY);
		(void)close(fd);
		fd = below;
	}
	(void)close(fd);
	EXPECT_OK(tree_remove(AT_FDCWD, folder));
	EXPECT(stat(folder, &facts) != 0);
}

TEST_MAIN()
