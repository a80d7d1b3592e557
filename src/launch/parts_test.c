/* The small parts: template, environment, child_find, tree_wipe. */
#include "launch/child.h"
#include "launch/confine.h"
#include "launch/environment.h"
#include "launch/template.h"
#include "launch/tree.h"
#include "test.h"

#include "flyteidl/core/literals.pb-c.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

/* What the kernel would do: the few instructions that filters are made of. */
static uint32_t
verdict_of(const struct confinement *filter, const struct seccomp_data *data)
{
	uint32_t loaded = 0;

	for (size_t at = 0; at < filter->filter_len; at++) {
		const struct sock_filter *one = &filter->filter[at];
		bool yes = false;

		switch (one->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&loaded, (const uint8_t *)data + one->k, sizeof loaded);
			continue;
		case BPF_RET | BPF_K:
			return one->k;
		case BPF_JMP | BPF_K | BPF_JEQ:
			yes = loaded == one->k;
			break;
		case BPF_JMP | BPF_K | BPF_JGE:
			yes = loaded >= one->k;
			break;
		case BPF_JMP | BPF_K | BPF_JSET:
			yes = (loaded & one->k) != 0;
			break;
		default:
			fail_msg("instruction %x", one->code);
		}
		at += yes ? one->jt : one->jf;
	}
	fail_msg("the filter ends without a verdict");
	return 0;
}

#if defined(__x86_64__)
#define THIS_ARCH AUDIT_ARCH_X86_64
#else
#define THIS_ARCH AUDIT_ARCH_AARCH64
#endif
#ifdef __x86_64__
#define CALLS_REFUSED 50
#else
#define CALLS_REFUSED 47
#endif
#define REFUSED(number) (SECCOMP_RET_ERRNO | (number))

static uint32_t
verdict_on(const struct confinement *filter, int number, uint64_t first, uint64_t second)
{
	struct seccomp_data data = {.nr = number, .arch = THIS_ARCH, .args = {first, second}};

	return verdict_of(filter, &data);
}

TEST(confine, each_call_meets_its_own_verdict)
{
	static const int refused[] = {SYS_ptrace,  SYS_mount,       SYS_keyctl, SYS_bpf,
	                              SYS_unshare, SYS_pidfd_getfd, SYS_setns,  SYS_mount_setattr,
	                              SYS_syslog,  SYS_vhangup};
	static const int allowed[] = {SYS_read,    SYS_execve, SYS_wait4,      SYS_openat,
	                              SYS_futex,   SYS_clone,  SYS_socket,     SYS_ioctl,
	                              SYS_seccomp, SYS_kill,   SYS_close_range};
	struct confinement filter;
	size_t count = 0, absent = 0;

	confine_init(&filter);
	EXPECT(confine_calls(&filter));
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		EXPECT_INT(REFUSED(EPERM), verdict_on(&filter, refused[i], 0, 0));
	for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
		EXPECT_INT(SECCOMP_RET_ALLOW, verdict_on(&filter, allowed[i], 0, 0));
	for (int number = 0; number < 2000; number++) {
		count += verdict_on(&filter, number, 0, 0) == REFUSED(EPERM);
		absent += verdict_on(&filter, number, 0, 0) == REFUSED(ENOSYS);
	}
	EXPECT_INT(4, absent);
	EXPECT_INT(CALLS_REFUSED, count); /* all of the list, and no neighbour of one */
	EXPECT_INT(REFUSED(EPERM), verdict_on(&filter, SYS_clone, CLONE_NEWUSER, 0));
	EXPECT_INT(REFUSED(EPERM), verdict_on(&filter, SYS_ioctl, 0, TIOCSTI));
	EXPECT_INT(REFUSED(EAFNOSUPPORT), verdict_on(&filter, SYS_socket, AF_VSOCK, 0));
	filter.network = CONFINE_NETWORK_CALLS;
	EXPECT(confine_calls(&filter));
	EXPECT_INT(SECCOMP_RET_ALLOW, verdict_on(&filter, SYS_socket, AF_UNIX, 0));
	EXPECT_INT(REFUSED(EAFNOSUPPORT), verdict_on(&filter, SYS_socket, AF_INET, 0));
	EXPECT_INT(SECCOMP_RET_KILL_PROCESS,
	           verdict_of(&filter, &(struct seccomp_data){.arch = AUDIT_ARCH_I386}));
	confine_fini(&filter);
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
