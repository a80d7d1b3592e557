/* Each forbidden thing is tried by a child that has closed itself in as the keeper does. */
#include "keeper/sandbox.h"

#include "base/io.h"
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DONE 0
#define REFUSED 10 /* exit status: the call failed with EPERM or EACCES */
#define KILLED 20  /* what became_of says for SIGSYS */
#define ODD 30

typedef int attempt(int dir_fd);

static int
refused(bool failed)
{
	if (!failed)
		return DONE;
	return errno == EPERM || errno == EACCES ? REFUSED : ODD;
}

static int
try_socket(int dir_fd)
{
	(void)dir_fd;
	return refused(socket(AF_INET, SOCK_STREAM, 0) < 0);
}

static int
try_fork(int dir_fd)
{
	pid_t pid = fork();

	(void)dir_fd;
	if (pid == 0)
		_exit(0);
	return refused(pid < 0);
}

static int
try_exec(int dir_fd)
{
	char *const argv[] = {NULL};

	(void)dir_fd;
	return refused(execve("/bin/true", argv, argv) < 0);
}

static int
try_ptrace(int dir_fd)
{
	(void)dir_fd;
	return refused(ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0);
}

static int
try_other_file(int dir_fd)
{
	(void)dir_fd;
	return refused(open("/etc/passwd", O_RDONLY) < 0);
}

static int
try_absolute_path(int dir_fd)
{
	return refused(openat(dir_fd, "/etc/passwd", O_RDONLY) < 0);
}

static int
try_parent_folder(int dir_fd)
{
	return refused(openat(dir_fd, "../../etc/passwd", O_RDONLY) < 0);
}

static int
try_executable_memory(int dir_fd)
{
	(void)dir_fd;
	return refused(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	                    0) == MAP_FAILED);
}

static int
try_signal_to_parent(int dir_fd)
{
	(void)dir_fd;
	return refused(kill(getppid(), 0) < 0);
}

static int
try_dump_again(int dir_fd)
{
	(void)dir_fd;
	return refused(prctl(PR_SET_DUMPABLE, 1) < 0);
}

static int
try_replace_key_file(int dir_fd)
{
	return io_replace_file(dir_fd, "ring", "new", 3, 0600) == UN_OK ? DONE : ODD;
}

static int
try_locked_memory(int dir_fd)
{
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)dir_fd;
	return memory != MAP_FAILED && mlock(memory, 4096) == 0 ? DONE : ODD;
}

static const struct {
	const char *what;
	attempt *try;
	int verdict;
} attempts[] = {
        {"socket", try_socket, KILLED},
        {"fork", try_fork, KILLED},
        {"exec", try_exec, KILLED},
        {"ptrace", try_ptrace, KILLED},
        {"another file", try_other_file, REFUSED},
        {"an absolute path", try_absolute_path, REFUSED},
        {"a file above", try_parent_folder, REFUSED},
        {"executable memory", try_executable_memory, REFUSED},
        {"a signal to the parent", try_signal_to_parent, REFUSED},
        {"becoming dumpable again", try_dump_again, REFUSED},
        {"replacing a key file", try_replace_key_file, DONE},
        {"locked memory", try_locked_memory, DONE},
};

static int
became_of(attempt *try, int dir_fd)
{
	pid_t pid = fork();
	bool landlocked;
	int status;

	if (pid == 0) {
		if (sandbox_harden(NULL) != UN_OK || prctl(PR_GET_DUMPABLE) != 0 ||
		    sandbox_close(dir_fd, NULL, &landlocked) != UN_OK)
			_exit(ODD);
		_exit(try(dir_fd));
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS ? KILLED : ODD;
	return WEXITSTATUS(status);
}

TEST(sandbox, lets_the_keeper_work_and_nobody_else)
{
	char path[] = "/tmp/sandbox-test-XXXXXX";
	int dir_fd;

	assert_non_null(mkdtemp(path));
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < sizeof attempts / sizeof attempts[0]; i++) {
		int verdict = became_of(attempts[i].try, dir_fd);

		if (verdict != attempts[i].verdict)
			print_error("attempt: %s\n", attempts[i].what);
		EXPECT_INT(attempts[i].verdict, verdict);
	}
	(void)unlinkat(dir_fd, "ring", 0);
	(void)close(dir_fd);
	assert_int_equal(rmdir(path), 0);
}

TEST_MAIN()
