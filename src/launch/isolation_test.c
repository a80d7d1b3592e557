/* What a task cannot do to its machine and its neighbours, with the whole of union-exec, and what
 * it is told where the kernel does not help. */
#include "launch/checks.h"
#include "launch/plane.h"
#include "base/clock.h"
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define TASK_UID "2000212345"

static bool
is_root(void)
{
	return geteuid() == 0;
}

static void
add_options(struct plane *plane, const char *first, const char *second)
{
	size_t count = 0;

	while (plane->options[count])
		count++;
	plane->options[count] = first;
	plane->options[count + 1] = second;
}

static void
use_python(struct plane *plane, const char *script)
{
	plane_init(plane);
	plane->words[0] = "/usr/bin/python3";
	plane->words[1] = "-ISc";
	plane->words[2] = script;
}

static void
expect_text(const struct plane *plane, const char *text)
{
	if (!strstr(buf_text(&plane->log), text))
		print_message("wanted: %s\nlog: %s\n", text, buf_text(&plane->log));
	EXPECT(strstr(buf_text(&plane->log), text) != NULL);
}

TEST(isolation, a_task_of_root_is_a_user_of_its_own_with_no_right_at_all)
{
	struct plane plane;

	if (!is_root())
		return;
	use_shell(&plane,
	          "id -u; id -g; id -G; grep -h -E '^Cap(Prm|Eff|Bnd|Amb)' /proc/self/status; "
	          "cat $FLYTE_SECRETS_DEFAULT_DIR/s | wc -c; echo \"$AS_ENV\" | wc -c; "
	          "touch here $TMPDIR/here /tmp/there $1/out || echo cannot write; "
	          "cat /etc/shadow 2>/dev/null; "
	          "[ \"$HOME\" = \"$TMPDIR\" ] || echo home is $HOME; rm $1/out; echo done");
	plane.words[3] = "sh";
	plane.words[4] = "{{.outputPrefix}}";
	add_secret(&plane, "s", "value-of-secret");
	add_secret(&plane, "e", "value-of-secret");
	plane.secrets[1].mount = 1;
	plane.secrets[1].env_var = "AS_ENV";
	add_options(&plane, "--uid", TASK_UID);
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	expect_log(&plane,
	           TASK_UID "\n" TASK_UID "\n" TASK_UID "\n"
	                    "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n"
	                    "CapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\n15\n16\ndone\n");
	plane_fini(&plane);
}

#define NOBODY 65534
#define BECOME_NOBODY "#!/bin/sh\nexec setpriv --reuid 65534 --regid 65534 --clear-groups "

/* union-exec as a service runs it: a user that is nobody, with two capabilities. */
static const char as_service[] =
	BECOME_NOBODY "--bounding-set -all,+setuid,+setgid --inh-caps -all,+setuid,+setgid "
		      "--ambient-caps -all,+setuid,+setgid " UNION_EXEC " \"$@\"\n";
/* And as a person does: tasks have no user of their own. */
static const char as_person[] =
	BECOME_NOBODY "--bounding-set -all --inh-caps -all " UNION_EXEC " \"$@\"\n";

/* A program that starts union-exec as `text` does; `path` is that of mkstemp. */
static void
write_starter(char *path, const char *text)
{
	int fd = mkstemp(path);

	EXPECT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	EXPECT_INT(0, fchmod(fd, 0755));
	(void)close(fd);
}

static void
give_to_nobody(const struct plane *plane)
{
	EXPECT_INT(0, chown(plane->folder, NOBODY, NOBODY));
	EXPECT_INT(0, chown(plane->socket, NOBODY, NOBODY));
}

TEST(isolation, a_service_with_two_capabilities_gives_its_tasks_users_of_their_own)
{
	char path[] = "/tmp/union-service-XXXXXX";
	struct plane plane;

	if (!is_root())
		return;
	write_starter(path, as_service);
	use_shell(&plane, "id -u; id -g; cat $FLYTE_SECRETS_DEFAULT_DIR/s | wc -c; "
	                  "touch here $TMPDIR/here $1/out || echo cannot write; rm $1/out; "
	                  "ls $PLANE 2>/dev/null; grep CapEff /proc/self/status; setsid sleep 1000 "
	                  "& echo done");
	plane.words[3] = "sh";
	plane.words[4] = "{{.outputPrefix}}";
	plane.envs[0][0] = "PLANE";
	plane.envs[0][1] = plane.folder;
	plane.env_count = 1;
	plane.hidden = plane.folder;
	add_secret(&plane, "s", "value-of-secret");
	add_options(&plane, "--uid", TASK_UID);
	give_to_nobody(&plane);
	plane_run(&plane, path);
	expect_outcome(&plane, SUCCEEDED, 0);
	if (is_sandboxed(&plane))
		expect_log(&plane, TASK_UID "\n" TASK_UID "\n15\n"
		                            "CapEff:\t0000000000000000\ndone\n");
	plane_fini(&plane);
	EXPECT_INT(0, unlink(path));
}

TEST(isolation, a_task_has_no_capability_also_as_our_own_user)
{
	struct plane plane;

	use_shell(&plane, "grep -h -E '^Cap(Prm|Eff|Bnd|Amb)' /proc/self/status | "
	                  "grep -cv 0000000000000000; mount -t tmpfs x /tmp 2>/dev/null && "
	                  "echo mounted; unshare -Ur true 2>/dev/null && echo new namespace; true");
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	expect_log(&plane, "0\n");
	plane_fini(&plane);
}

TEST(isolation, places_for_everybody_are_the_tasks_own)
{
	char mark[64], path[96], script[600];
	struct plane plane;
	int fd;

	(void)snprintf(mark, sizeof mark, "union-mark-%d", (int)getpid());
	(void)snprintf(path, sizeof path, "/dev/shm/%s", mark);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	EXPECT(fd >= 0);
	(void)close(fd);
	(void)snprintf(script, sizeof script,
	               "ls /dev/shm /tmp /var/tmp /run/user 2>/dev/null | grep -v -e : -e '^$' "
	               "-e plane- ; "
	               "touch /dev/shm/%s /tmp/%s /var/tmp/%s || echo cannot write; "
	               "ls /dev | tr '\\n' ' '; echo >/dev/null; head -c4 /dev/urandom | wc -c; "
	               "python3 -ISc 'import os; os.openpty(); print(\"pty\")'; "
	               "ls /dev/mem /dev/kmem /dev/vda /dev/sda /dev/kvm /dev/fuse 2>/dev/null",
	               mark, mark, mark);
	use_shell(&plane, script);
	plane_run(&plane, UNION_EXEC);
	EXPECT(plane.finished);
	if (is_sandboxed(&plane))
		expect_log(&plane, "fd full null ptmx pts random shm stderr stdin stdout tty "
		                   "urandom zero 4\npty\n");
	plane_fini(&plane);
	(void)snprintf(script, sizeof script, "/tmp/%s", mark);
	EXPECT(access(script, F_OK) != 0);
	(void)snprintf(script, sizeof script, "/var/tmp/%s", mark);
	EXPECT(access(script, F_OK) != 0);
	EXPECT_INT(0, unlink(path));
}

TEST(isolation, files_that_are_not_the_tasks_are_read_only)
{
	char folder[] = "/var/lib/union-open-XXXXXX", path[64];
	struct plane plane;

	if (!is_root())
		return;
	EXPECT(mkdtemp(folder) != NULL);
	EXPECT_INT(0, chmod(folder, 0777));
	for (int allowed = 0; allowed < 2; allowed++) {
		use_shell(&plane, "touch $PLACE/file 2>/dev/null && echo written; echo done");
		plane.envs[0][0] = "PLACE";
		plane.envs[0][1] = folder;
		plane.env_count = 1;
		add_options(&plane, "--uid", TASK_UID);
		if (allowed)
			add_options(&plane, "--writable", folder);
		plane_run(&plane, UNION_EXEC);
		expect_outcome(&plane, SUCCEEDED, 0);
		expect_log(&plane, allowed ? "written\ndone\n" : "done\n");
		plane_fini(&plane);
	}
	(void)snprintf(path, sizeof path, "%s/file", folder);
	EXPECT_INT(0, unlink(path));
	EXPECT_INT(0, rmdir(folder));
}

/* Each call by its number on x86-64; 13 and 14 more are in the list of confine.c. */
TEST(isolation, calls_into_other_processes_and_the_kernel_are_refused)
{
	struct plane plane;

	use_python(
		&plane,
		"import ctypes, errno\n"
		"libc = ctypes.CDLL(None, use_errno=True)\n"
		"calls = dict(ptrace=101, process_vm_readv=310, process_vm_writev=311, kcmp=312,\n"
		"  pidfd_getfd=438, add_key=248, request_key=249, keyctl=250, "
		"perf_event_open=298,\n"
		"  bpf=321, userfaultfd=323, mount=165, umount2=166, unshare=272, setns=308,\n"
		"  open_by_handle_at=304, init_module=175, finit_module=313, kexec_load=246,\n"
		"  open_tree=428, fsopen=430, chroot=161, pivot_root=155, process_madvise=440)\n"
		"for name, number in calls.items():\n"
		"  r = libc.syscall(number, 0, 0, 0, 0, 0, 0)\n"
		"  if (r, ctypes.get_errno()) != (-1, errno.EPERM): print(name, r)\n"
		"for number in (435, 425):\n" /* clone3, io_uring_setup */
		"  r = libc.syscall(number, 0, 0, 0, 0, 0, 0)\n"
		"  if (r, ctypes.get_errno()) != (-1, errno.ENOSYS): print(number, r)\n"
		"if libc.syscall(56, 0x10000000, 0, 0, 0, 0) != -1: print('clone')\n"
		"import socket\n"
		"for family in (38, 40):\n"
		"  try: socket.socket(family, socket.SOCK_SEQPACKET); print('family', family)\n"
		"  except OSError as e: print(end='') if e.errno == errno.EAFNOSUPPORT else "
		"print(family, e)\n"
		"import threading, subprocess\n"
		"t = threading.Thread(target=lambda: None); t.start(); t.join()\n"
		"print(subprocess.run(['/bin/echo', 'alive'], capture_output=True).stdout)\n");
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	expect_text(&plane, "b'alive\\n'\n");
	if (is_sandboxed(&plane))
		expect_log(&plane, "b'alive\\n'\n");
	plane_fini(&plane);
}

/* A socket without a file, as session buses have them. */
static int
listen_abstract(char name[64])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int len = snprintf(name, 64, "union-test-%d", (int)getpid());

	memcpy(address.sun_path + 1, name, (size_t)len);
	EXPECT_INT(0, bind(fd, (struct sockaddr *)&address,
	                   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)));
	EXPECT_INT(0, listen(fd, 8));
	return fd;
}

static const char reach[] =
	"import os, socket\n"
	"def reach(what, family, address):\n"
	"  try:\n"
	"    s = socket.socket(family); s.settimeout(2); s.connect(address)\n"
	"    print(what, 'reached')\n"
	"  except OSError as e: print(what, 'out of reach')\n"
	"reach('abstract', socket.AF_UNIX, '\\0' + os.environ['NAME'])\n"
	"reach('loopback', socket.AF_INET, ('127.0.0.1', int(os.environ['PORT'])))\n"
	"a, b = socket.socketpair(); print('own', a.fileno() > 0)\n";

static void
run_reach(struct plane *plane, const char *without, bool none)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof address;
	char name[64], port[16];
	int abstract = listen_abstract(name);
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	EXPECT_INT(0, bind(tcp, (struct sockaddr *)&address, sizeof address));
	EXPECT_INT(0, listen(tcp, 8));
	EXPECT_INT(0, getsockname(tcp, (struct sockaddr *)&address, &len));
	(void)snprintf(port, sizeof port, "%d", ntohs(address.sin_port));
	use_python(plane, reach);
	plane->envs[0][0] = "NAME";
	plane->envs[0][1] = name;
	plane->envs[1][0] = "PORT";
	plane->envs[1][1] = port;
	plane->env_count = 2;
	if (none) {
		plane->config[0] = "network";
		plane->config[1] = "none";
	}
	if (without)
		add_options(plane, "--without", without);
	plane_run(plane, UNION_EXEC);
	(void)close(abstract);
	(void)close(tcp);
}

TEST(isolation, the_network_is_there_and_abstract_sockets_are_not)
{
	struct plane plane;

	run_reach(&plane, NULL, false);
	expect_outcome(&plane, SUCCEEDED, 0);
	expect_text(&plane, "loopback reached\nown True\n");
	EXPECT(!is_sandboxed(&plane) ||
	       strstr(buf_text(&plane.log), "abstract out of reach\n") != NULL);
	plane_fini(&plane);
}

TEST(isolation, a_task_without_network_reaches_nothing)
{
	static const char *const means[] = {NULL, "network", "namespaces"};
	struct plane plane;

	for (size_t i = 0; i < sizeof means / sizeof *means; i++) {
		run_reach(&plane, means[i], true);
		expect_outcome(&plane, SUCCEEDED, 0);
		expect_text(&plane, "loopback out of reach\nown True\n");
		plane_fini(&plane);
	}
	run_reach(&plane, "network,calls", true); /* a promise that nothing would hold */
	expect_outcome(&plane, UNION__V1__FINISH_REQUEST__OUTCOME__SYSTEM_FAILED, 1);
	expect_error(&plane, "unsupported", "shall have no network");
	plane_fini(&plane);
}

TEST(isolation, a_project_can_be_without_network)
{
	struct plane plane;

	use_shell(&plane, "cat /proc/net/dev | grep -c :");
	add_options(&plane, "--offline", "other p, q");
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	if (is_sandboxed(&plane))
		expect_log(&plane, "1\n");
	plane_fini(&plane);
	use_shell(&plane, "true");
	plane.config[0] = "network";
	plane.config[1] = "some";
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, FAILED, 1);
	expect_error(&plane, "invalid", "network 'some'");
	plane_fini(&plane);
}

/* Our own group of a v1 hierarchy, with a place for attempts in it; false: there is none. */
static bool
make_place(const char *kind, char place[256])
{
	char line[256], wanted[32];
	FILE *file = fopen("/proc/self/cgroup", "re");
	bool found = false;

	(void)snprintf(wanted, sizeof wanted, ":%s:", kind);
	while (file && !found && fgets(line, sizeof line, file)) {
		char *at = strstr(line, wanted);

		line[strcspn(line, "\n")] = '\0';
		found = at && snprintf(place, 256, "/sys/fs/cgroup/%s%s/union-test-%d", kind,
		                       at + strlen(wanted), (int)getpid()) < 256;
	}
	if (file)
		(void)fclose(file);
	return found && mkdir(place, 0755) == 0;
}

TEST(isolation, a_task_that_takes_too_much_memory_is_told_so)
{
	static const char script[] = "import time\nx = []\n"
				     "while True: x.append(bytearray(1 << 20))\n";
	char place[256], list[300];
	struct plane plane;

	if (is_root() && make_place("memory", place)) {
		(void)snprintf(list, sizeof list, "memory=%s", place);
		use_python(&plane, script);
		plane.memory = "64Mi";
		add_options(&plane, "--uid", TASK_UID);
		add_options(&plane, "--cgroups", list);
		plane_run(&plane, UNION_EXEC);
		expect_outcome(&plane, RETRYABLE, 128 + SIGKILL);
		expect_error(&plane, "task-out-of-memory", "out of memory: limit 64Mi");
		expect_text(&plane, "[union-exec: the kernel ended a process of the task: out of "
		                    "memory]");
		plane_fini(&plane);
		EXPECT_INT(0, rmdir(place)); /* nothing is left in it */
	}
	use_python(&plane, script);
	plane.memory = "256Mi";
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, RETRYABLE, 1);
	expect_text(&plane, "memory is limited by process, not by task");
	expect_text(&plane, "MemoryError");
	plane_fini(&plane);
}

TEST(isolation, a_task_has_the_processors_that_it_asked_for)
{
	char place[256], list[300], script[400];
	struct plane plane;

	use_python(&plane, "import os; print('cpus', len(os.sched_getaffinity(0)))");
	plane.cpu = "500m";
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	expect_text(&plane, "cpus 1\n");
	expect_text(&plane, "only whole processors are limited");
	plane_fini(&plane);
	if (!is_root() || !make_place("cpu", place))
		return;
	(void)snprintf(list, sizeof list, "cpu=%s", place);
	(void)snprintf(script, sizeof script, "cat %s/*/cpu.cfs_quota_us", place);
	use_shell(&plane, script);
	plane.cpu = "1.5";
	add_options(&plane, "--cgroups", list);
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	expect_log(&plane, "150000\n");
	plane_fini(&plane);
	EXPECT_INT(0, rmdir(place));
}

TEST(isolation, a_task_has_no_more_processes_than_it_may)
{
	struct plane plane;

	use_python(&plane, "import os, time\nn = 0\n"
	                   "try:\n  while n < 200:\n    if os.fork() == 0: time.sleep(100)\n"
	                   "    n += 1\nexcept OSError as e: print('stopped', n < 40)\n");
	if (is_root())
		add_options(&plane, "--uid", TASK_UID);
	add_options(&plane, "--processes", "32");
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	expect_text(&plane, "stopped True\n");
	plane_fini(&plane);
}

TEST(isolation, what_is_no_quantity_is_refused)
{
	struct plane plane;

	use_shell(&plane, "echo must not run");
	plane.memory = "much";
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, FAILED, 1);
	expect_error(&plane, "invalid", "'much' is no quantity");
	EXPECT_STR("", task_log(&plane));
	plane_fini(&plane);
}

/* Each part alone; whatever is missing, the task has its secret, its files and its end. */
TEST(isolation, every_part_falls_back_by_itself_and_says_so)
{
	static const struct {
		const char *without, *note;
	} cases[] = {
		{"namespaces", "no namespaces"},
		{"mounts", ""},
		{"processes", ""},
		{"user", "no user of its own"},
		{"files", "no Landlock"},
		{"calls", "no seccomp"},
		{"cgroups,network", ""},
		{"namespaces,files,calls,user", "no Landlock"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct plane plane;

		use_shell(&plane, "cat $FLYTE_SECRETS_DEFAULT_DIR/s; echo; touch here $TMPDIR/x; "
		                  "[ -w $1 ] && echo done; (setsid sleep 1000 &)");
		plane.words[3] = "sh";
		plane.words[4] = "{{.outputPrefix}}";
		add_secret(&plane, "s", "value-of-secret");
		plane.hidden = plane.folder;
		if (is_root())
			add_options(&plane, "--uid", TASK_UID);
		add_options(&plane, "--without", cases[i].without);
		plane_run(&plane, UNION_EXEC);
		expect_outcome(&plane, SUCCEEDED, 0);
		expect_text(&plane, "[secret s]"); /* a note may come between the two */
		expect_text(&plane, "done\n");
		if (is_root() || strcmp(cases[i].without, "user") != 0)
			expect_text(&plane, cases[i].note);
		plane_fini(&plane);
	}
}

TEST(isolation, without_mounts_landlock_hides_the_control_plane)
{
	struct plane plane;

	use_shell(&plane, "cat \"$PLANE/database\" 2>/dev/null; ls \"$PLANE\" 2>/dev/null; "
	                  "cat /etc/hostname >/dev/null && echo done");
	plane.hidden = plane.folder;
	plane.plain = true;
	plane.envs[0][0] = "PLANE";
	plane.envs[0][1] = plane.folder;
	plane.env_count = 1;
	plane_run(&plane, UNION_EXEC);
	expect_outcome(&plane, SUCCEEDED, 0);
	if (!strstr(buf_text(&plane.log), "no Landlock"))
		expect_log(&plane, "done\n");
	plane_fini(&plane);
}

/* A control plane may have its socket in a folder that tasks see. */
TEST(isolation, the_socket_of_the_control_plane_is_out_of_reach_wherever_it_is)
{
	char folder[] = "/opt/union-socket-XXXXXX", path[64], endpoint[80], script[400];
	struct plane plane;

	if (!mkdtemp(folder))
		return; /* not for us to write: nothing else is both lasting and seen by tasks */
	(void)snprintf(path, sizeof path, "%s/socket", folder);
	(void)snprintf(endpoint, sizeof endpoint, "unix://%s", path);
	(void)snprintf(script, sizeof script,
	               "import os, socket\n"
	               "print(os.listdir('%s'))\n"
	               "try:\n    socket.socket(socket.AF_UNIX).connect('%s')\n"
	               "except OSError as error:\n    print(error.strerror)\n",
	               folder, path);
	use_python(&plane, script);
	EXPECT_INT(0, chmod(folder, 0755));
	EXPECT_INT(0, chmod(plane.socket, 0777));
	if (link(plane.socket, path) == 0) {
		plane.endpoint = endpoint;
		plane_run(&plane, UNION_EXEC);
		expect_outcome(&plane, SUCCEEDED, 0);
		if (is_sandboxed(&plane))
			expect_log(&plane, "['socket']\nConnection refused\n");
		EXPECT_INT(0, unlink(path));
	}
	EXPECT_INT(0, rmdir(folder));
	plane_fini(&plane);
}

struct own_files {
	char folder[64], key[80], below[80], token[96], list[200];
};

/* Files of a control plane in a folder that tasks see, readable for everybody. */
static void
own_files_init(struct own_files *files)
{
	const char *const paths[] = {files->key, files->token};

	(void)snprintf(files->folder, sizeof files->folder, "/opt/union-own-XXXXXX");
	EXPECT(mkdtemp(files->folder) != NULL);
	EXPECT_INT(0, chmod(files->folder, 0755));
	(void)snprintf(files->key, sizeof files->key, "%s/tls.key", files->folder);
	(void)snprintf(files->below, sizeof files->below, "%s/.union", files->folder);
	(void)snprintf(files->token, sizeof files->token, "%s/.union/token", files->folder);
	(void)snprintf(files->list, sizeof files->list, "%s:/nowhere/at/all:%s", files->key,
	               files->below);
	EXPECT_INT(0, mkdir(files->below, 0755));
	for (size_t i = 0; i < 2; i++) {
		int fd = open(paths[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

		EXPECT(fd >= 0 && fchmod(fd, 0644) == 0 && write(fd, "in sight\n", 9) == 9);
		(void)close(fd);
	}
	EXPECT_INT(0, chmod(files->below, 0755));
}

static void
own_files_fini(const struct own_files *files)
{
	EXPECT_INT(0, unlink(files->token));
	EXPECT_INT(0, unlink(files->key));
	EXPECT_INT(0, rmdir(files->below));
	EXPECT_INT(0, rmdir(files->folder));
}

/* With `show`, the folder is one that is to be seen. */
static void
look_for(const struct own_files *files, const char *program, const char *without, const char *show)
{
	struct plane plane;

	use_shell(&plane, "cat $PLACE/tls.key $PLACE/.union/token 2>/dev/null; "
	                  "ls $PLACE/.union 2>/dev/null; [ -e /opt ] && echo done");
	plane.envs[0][0] = "PLACE";
	plane.envs[0][1] = files->folder;
	plane.env_count = 1;
	plane.hidden = plane.folder;
	add_options(&plane, "--conceal", files->list);
	if (strcmp(program, UNION_EXEC) == 0)
		add_options(&plane, "--uid", TASK_UID);
	else
		give_to_nobody(&plane);
	if (without)
		add_options(&plane, "--without", without);
	if (show)
		add_options(&plane, "--show", show);
	plane_run(&plane, program);
	expect_outcome(&plane, SUCCEEDED, 0);
	if (!strstr(buf_text(&plane.log), "no Landlock"))
		expect_log(&plane, show && strcmp(show, files->below) == 0
		                           ? "in sight\ntoken\ndone\n"
		                           : "done\n");
	plane_fini(&plane);
}

TEST(isolation, what_the_control_plane_keeps_elsewhere_is_not_to_be_seen)
{
	char starter[] = "/tmp/union-person-XXXXXX";
	const char *const programs[] = {UNION_EXEC, starter};
	struct own_files files;

	if (!is_root())
		return;
	write_starter(starter, as_person);
	own_files_init(&files);
	for (size_t i = 0; i < 2; i++) {
		look_for(&files, programs[i], NULL, NULL);
		look_for(&files, programs[i], "namespaces", NULL);
		look_for(&files, programs[i], NULL, files.folder);
		look_for(&files, programs[i], NULL, files.below);
	}
	own_files_fini(&files);
	EXPECT_INT(0, unlink(starter));
}

/* PLACE/v/bin/sh, a link to the machine's, with PLACE/v/data and PLACE/beside. */
static void
run_behind_cover(bool environment)
{
	static const char *const folders[] = {"v", "v/bin", "v/data", "beside"};
	char folder[] = "/tmp/union-venv-XXXXXX", path[96], program[96], mark[96];
	struct plane plane;

	EXPECT(mkdtemp(folder) != NULL);
	EXPECT_INT(0, chmod(folder, 0755));
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, folders[i]);
		EXPECT_INT(0, mkdir(path, 0755));
	}
	(void)snprintf(program, sizeof program, "%s/v/bin/sh", folder);
	EXPECT_INT(0, symlink("/bin/sh", program));
	(void)snprintf(mark, sizeof mark, "%s/v/pyvenv.cfg", folder);
	if (environment)
		EXPECT_INT(0, symlink("nothing", mark));
	use_shell(&plane, "V=${0%/bin/sh}; [ -e $V/../beside ] && echo beside; [ -e $V/data ] && "
	                  "echo data; [ -e $0 ] && echo done");
	plane.words[0] = plane.words[3] = program;
	if (is_root())
		add_options(&plane, "--uid", TASK_UID);
	plane_run(&plane, UNION_EXEC);
	EXPECT(plane.finished);
	if (is_sandboxed(&plane))
		expect_log(&plane, environment ? "data\ndone\n" : "done\n");
	plane_fini(&plane);
	(void)unlink(mark);
	EXPECT_INT(0, unlink(program));
	for (size_t i = sizeof folders / sizeof *folders; i-- > 0;) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, folders[i]);
		EXPECT_INT(0, rmdir(path));
	}
	EXPECT_INT(0, rmdir(folder));
}

/* A virtual environment in a place that is covered; and a folder bin that is none. */
TEST(isolation, a_program_behind_a_cover_is_shown_with_what_it_needs_and_no_more)
{
	run_behind_cover(true);
	run_behind_cover(false);
}

#ifdef UN_FAULTS
static bool
finds(const char *option, const char *text, const char *where)
{
	char *args[] = {(char *)"grep",
	                (char *)"-qF",
	                (char *)(uintptr_t)option,
	                (char *)"--",
	                (char *)(uintptr_t)text,
	                (char *)(uintptr_t)where,
	                NULL};
	int status = -1;
	pid_t pid;

	EXPECT_INT(0, posix_spawnp(&pid, args[0], NULL, NULL, args, environ));
	EXPECT_INT(pid, waitpid(pid, &status, 0));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Whether a file below `folder` has `text` in it, or a mount still hangs there. */
static bool
is_left(const char *folder, const char *text)
{
	char below[128];

	(void)snprintf(below, sizeof below, " %s/", folder);
	return finds("-rs", text, folder) || finds("-s", below, "/proc/self/mountinfo");
}

/* Whether a process has `word` in its command line. */
static bool
is_running(const char *word)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	bool found = false;

	EXPECT(proc != NULL);
	while (!found && (entry = readdir(proc)) != NULL) {
		char path[300], line[512];
		ssize_t len = -1;
		int fd;

		(void)snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			len = read(fd, line, sizeof line);
		found = len > 0 && memmem(line, (size_t)len, word, strlen(word)) != NULL;
		if (fd >= 0)
			(void)close(fd);
	}
	(void)closedir(proc);
	return found;
}

static void
crash_at(const char *step, bool plain)
{
	static const char value[] = "value-of-the-crashed";
	struct plane plane, next;
	char seconds[32], script[128];

	/* one that has begun would go on for long: it ends with its launcher, value and all */
	(void)snprintf(seconds, sizeof seconds, "%s.%d", strcmp(step, "started") ? "0" : "1000",
	               100000000 + (int)getpid());
	(void)snprintf(script, sizeof script,
	               "cat $FLYTE_SECRETS_DEFAULT_DIR/s >/dev/null; exec sleep %s", seconds);
	use_shell(&plane, script);
	add_secret(&plane, "s", value);
	add_secret(&plane, "e", value);
	plane.secrets[1].mount = 1;
	plane.plain = plain;
	if (is_root())
		add_options(&plane, "--uid", TASK_UID);
	EXPECT_INT(0, setenv("UNION_EXEC_DIES_AT", step, 1));
	plane_run(&plane, UNION_EXEC);
	EXPECT_INT(0, unsetenv("UNION_EXEC_DIES_AT"));
	EXPECT_INT(128 + SIGKILL, plane.exit_status);
	EXPECT(!is_left(plane.folder, value));
	EXPECT(plain || !is_left("/dev/shm", value));
	EXPECT_NULL(strstr(buf_text(&plane.log), value));
	for (int64_t until_ms = clock_mono_ms() + 10000;
	     is_running(seconds) && clock_mono_ms() < until_ms;)
		(void)sched_yield();
	EXPECT(!is_running(seconds));
	/* The next one removes what is left, also what lay in shared memory for want of mounts. */
	use_shell(&next, "echo fine");
	next.plain = plain;
	memcpy(next.workdir, plane.workdir, sizeof next.workdir);
	plane_run(&next, UNION_EXEC);
	expect_outcome(&next, SUCCEEDED, 0);
	EXPECT(!is_left("/dev/shm", value));
	plane_fini(&next);
	plane_fini(&plane); /* which finds its folder empty */
}

TEST(isolation, a_launcher_that_crashes_at_any_step_leaves_no_value)
{
	static const char *const steps[] = {"begun",    "entered", "claimed", "opened", "fetched",
	                                    "prepared", "started", "ended",   "judged", "told"};

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		crash_at(steps[i], false);
		crash_at(steps[i], true);
	}
}
#endif

TEST_MAIN()
