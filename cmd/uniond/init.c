/* uniond init: the first start of a shared control plane. Folders, database and keys are made by a
 * control plane that nobody else can reach; over its socket `union` then makes the administrator's
 * API key and shows it, once. Done as root for a service's user, everything is that user's. */
#include "config.h"
#include "program.h"
#include "systemd.h"

#include "base/io.h"
#include "base/log.h"
#include "model/name.h"
#include "net/address.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST_MAX 300
#define READY_MAX 8192

static const char usage_text[] =
	"usage: uniond init [--config FILE | --data DIR] [--name NAME] [--host HOST] [--user "
	"USER]\n"
	"\n"
	"Makes the data directory, the plane's keys and the API key of an administrator, which is "
	"shown\n"
	"once. Refuses where there is a control plane already.\n"
	"\n"
	"  --config FILE   the configuration that uniond will run with\n"
	"  --data DIR      the data directory, without a configuration\n"
	"  --name NAME     of the API key; default: admin\n"
	"  --host HOST     how clients reach this machine, with :PORT if it is not 443; default: "
	"the\n"
	"                  machine's name and the first port of listen.tcp\n"
	"  --user USER     as root: who will run uniond, and owns everything; default: who owns "
	"the\n"
	"                  data directory\n"
	"\n"
	"Example: uniond init --config /etc/union/config.yaml --host union.example.com --user "
	"union\n";

struct init {
	struct config config;
	const char *config_path, *data_dir, *name, *user;
	char host[HOST_MAX];
	struct un_detail detail;
};

static enum un_err
parse(int argc, char **argv, struct init *init)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"data", required_argument, NULL, 'd'},
		{"name", required_argument, NULL, 'n'},
		{"host", required_argument, NULL, 'o'},
		{"user", required_argument, NULL, 'u'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			init->config_path = optarg;
			break;
		case 'd':
			init->data_dir = optarg;
			break;
		case 'n':
			init->name = optarg;
			break;
		case 'o':
			(void)snprintf(init->host, sizeof init->host, "%s", optarg);
			break;
		case 'u':
			init->user = optarg;
			break;
		case 'h':
			fputs(usage_text, stdout);
			exit(0);
		default:
			un_hint(&init->detail, "uniond init --help lists the options");
			return un_fail(&init->detail, UN_ERR_USAGE,
			               option == ':' ? "'%s' needs a value"
			                             : "no such option: '%s'",
			               argv[optind - 1]);
		}
	}
	if (optind < argc || (!init->config_path && !init->data_dir)) {
		un_hint(&init->detail, "uniond init --config FILE");
		return un_fail(&init->detail, UN_ERR_USAGE,
		               optind < argc ? "init takes no arguments"
		                             : "no configuration and no data directory");
	}
	return name_check_api_key(init->name, &init->detail);
}

static enum un_err
load(struct init *init)
{
	struct config *config = &init->config;
	enum un_err err = UN_OK;

	config_init(config);
	config->idle_timeout_s = 0;
	if (init->config_path)
		err = config_read(config, init->config_path, &init->detail);
	if (!err && init->data_dir)
		(void)snprintf(config->data_dir, sizeof config->data_dir, "%s", init->data_dir);
	if (!err)
		err = config_check(config, &init->detail);
	if (!err)
		err = systemd_find_credentials(config, &init->detail);
	if (!err && !strcmp(config->key_provider, "passphrase") && !config->passphrase_file[0])
		err = un_fail(
			&init->detail, UN_ERR_BAD_CONFIG,
			"init needs 'keys.passphrase_file': keys are made under a passphrase");
	return err;
}

/* What clients will call this machine, unless they were told. */
static enum un_err
find_host(struct init *init)
{
	struct net_address addresses[NET_ADDRESSES_MAX] = {0};
	size_t count = 0;
	struct utsname names;
	enum un_err err = UN_OK;

	if (init->host[0])
		return UN_OK;
	if (init->config.listen_tcp[0])
		err = net_addresses_parse(init->config.listen_tcp, addresses, &count,
		                          &init->detail);
	if (err)
		return err;
	if (uname(&names))
		return un_fail_errno(&init->detail, errno, "what is this machine called?");
	(void)snprintf(init->host, sizeof init->host, "%s", names.nodename);
	if (count && addresses[0].port != 443)
		(void)snprintf(init->host, sizeof init->host, "%s:%u", names.nodename,
		               addresses[0].port);
	return UN_OK;
}

/* ---- whose it will be ---- */

/* The service gets it as a credential, so the file may be root's alone. */
static enum un_err
open_passphrase(struct init *init)
{
	const char *path = init->config.passphrase_file;
	struct stat info;
	int fd;

	if (!path[0])
		return UN_OK;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
		int saved_errno = fd < 0 ? errno : EINVAL;

		io_close(&fd);
		return un_fail_errno(&init->detail, saved_errno,
		                     "'keys.passphrase_file': cannot read %s", path);
	}
	init->config.passphrase_fd = fd;
	return UN_OK;
}

static enum un_err
become(struct init *init, const struct passwd *user)
{
	enum un_err err;

	if (geteuid() == user->pw_uid)
		return UN_OK;
	err = open_passphrase(init);
	if (err)
		return err;
	if (initgroups(user->pw_name, user->pw_gid) || setgid(user->pw_gid) || setuid(user->pw_uid))
		return un_fail_errno(&init->detail, errno, "cannot become '%s'", user->pw_name);
	return UN_OK;
}

/* As root, before anything else is made: the folder is made for the user, and root is left behind.
 */
static enum un_err
leave_root(struct init *init)
{
	const char *dir = init->config.data_dir;
	const struct passwd *user;
	struct stat info = {0};
	bool there = stat(dir, &info) == 0;

	if (geteuid() != 0)
		return !init->user ? UN_OK
		                   : un_fail(&init->detail, UN_ERR_USAGE, "--user is for root");
	if (!init->user && !there) {
		un_hint(&init->detail, "--user union, or --user root if root will run uniond");
		return un_fail(&init->detail, UN_ERR_USAGE,
		               "%s is not there yet, and root does not know for whom to make it",
		               dir);
	}
	user = init->user ? getpwnam(init->user) : getpwuid(info.st_uid);
	if (!user)
		return un_fail(&init->detail, UN_ERR_USAGE, "there is no such user%s%s",
		               init->user ? ": " : "", init->user ? init->user : "");
	if (there && info.st_uid != user->pw_uid)
		return un_fail(&init->detail, UN_ERR_DENIED, "%s does not belong to '%s'", dir,
		               user->pw_name);
	if (!there) {
		enum un_err err = io_make_dirs(dir, 0755);

		if (err)
			return un_fail(&init->detail, err, "cannot make %s: %s", dir,
			               un_err_text(err));
		if (chown(dir, user->pw_uid, user->pw_gid) || chmod(dir, 0700))
			return un_fail_errno(&init->detail, errno, "cannot make %s", dir);
	}
	return become(init, user);
}

static enum un_err
refuse_a_second_time(struct init *init)
{
	static const char *const names[] = {"union.db", "keys"};
	char path[PATH_MAX + 16];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", init->config.data_dir, names[i]);
		if (access(path, F_OK) == 0 || errno != ENOENT) {
			un_hint(&init->detail, "another key for an administrator: union create "
			                       "api-key admin --name NAME --host HOST");
			return un_fail(&init->detail, UN_ERR_EXISTS,
			               "there is a control plane in %s already",
			               init->config.data_dir);
		}
	}
	return UN_OK;
}

/* ---- the first start ---- */

/* Waits for "ready"; anything else was told on stderr by the child. */
static enum un_err
wait_ready(int fd, struct un_detail *detail)
{
	struct buf line;
	enum un_err err;

	buf_init(&line, READY_MAX, BUF_PLAIN);
	err = io_read_all(fd, &line);
	if (!err && strcmp(buf_text(&line), "ready\n") != 0)
		err = un_fail(detail, UN_ERR_IO, "the control plane did not start");
	buf_fini(&line);
	return err;
}

/* A plane with no way in but a socket in its own folder. */
static enum un_err
start_plane(struct init *init, char socket_path[PATH_MAX], pid_t *ret_pid)
{
	struct config *config = &init->config;
	int ready[2];
	enum un_err err;
	pid_t pid;

	if ((size_t)snprintf(socket_path, PATH_MAX, "%s/init.sock", config->data_dir) >= PATH_MAX)
		return un_fail(&init->detail, UN_ERR_BAD_CONFIG, "'data' is too long");
	memcpy(config->listen_unix, socket_path, strlen(socket_path) + 1);
	config->listen_tcp[0] = config->tls_certificate[0] = config->tls_key[0] = '\0';
	config->tls_client_ca[0] = '\0';
	if (pipe2(ready, O_CLOEXEC))
		return un_fail_errno(&init->detail, errno, "cannot start");
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		io_close(&ready[0]);
		log_set(2, LOG_LEVEL_WARN);
		_exit(serve_program(config, ready[1]));
	}
	io_close(&ready[1]);
	if (pid < 0) {
		io_close(&ready[0]);
		return un_fail_errno(&init->detail, errno, "cannot start");
	}
	*ret_pid = pid;
	err = wait_ready(ready[0], &init->detail);
	io_close(&ready[0]);
	return err;
}

static enum un_err
wait_for(pid_t pid, const char *what, struct un_detail *detail)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return UN_OK;
	return un_fail(detail, UN_ERR_IO, "%s has failed", what);
}

/* The program beside this one; the key goes from it straight to our standard output. */
static enum un_err
make_key(struct init *init, const char *socket_path)
{
	char program[PATH_MAX], endpoint[PATH_MAX + 16], home[PATH_MAX + 16];
	char *const environment[] = {home, NULL};
	const char *const argv[] = {"union",      "create", "api-key", "admin",  "--name",
	                            init->name,   "--role", "admin",   "--host", init->host,
	                            "--endpoint", endpoint, NULL};
	ssize_t len = readlink("/proc/self/exe", program, sizeof program - sizeof "union");
	pid_t pid;

	if (len <= 0)
		return un_fail_errno(&init->detail, errno, "where is this program?");
	program[len] = '\0';
	memcpy(strrchr(program, '/') + 1, "union", sizeof "union");
	(void)snprintf(endpoint, sizeof endpoint, "unix://%s", socket_path);
	(void)snprintf(home, sizeof home, "HOME=%s", init->config.data_dir);
	pid = fork();
	if (pid == 0) {
		(void)execve(program, (char *const *)(uintptr_t)argv, environment);
		(void)dprintf(2, "uniond init: error: cannot run %s: %s\n", program,
		              strerror(errno));
		_exit(127);
	}
	if (pid < 0)
		return un_fail_errno(&init->detail, errno, "cannot start %s", program);
	return wait_for(pid, "making the API key", &init->detail);
}

static enum un_err
first_start(struct init *init)
{
	char socket_path[PATH_MAX];
	enum un_err err, ended;
	pid_t plane = -1;

	err = start_plane(init, socket_path, &plane);
	if (!err)
		err = make_key(init, socket_path);
	if (plane > 0) {
		(void)kill(plane, SIGTERM);
		ended = wait_for(plane, "the control plane", err ? NULL : &init->detail);
		err = err ? err : ended;
		(void)unlink(socket_path);
	}
	if (err)
		un_hint(&init->detail,
		        "nothing of value is in %s yet: remove it before another try",
		        init->config.data_dir);
	return err;
}

int
init_program(int argc, char **argv)
{
	struct init init = {.name = "admin"};
	enum un_err err = parse(argc, argv, &init);

	if (!err)
		err = load(&init);
	if (!err)
		err = find_host(&init);
	if (!err)
		err = leave_root(&init);
	if (!err)
		err = refuse_a_second_time(&init);
	if (!err)
		err = first_start(&init);
	if (err)
		return program_fail("uniond init", err, &init.detail);
	fprintf(stderr,
	        "The control plane in %s is made. Start it: uniond --config FILE, or systemctl "
	        "enable --now uniond\n",
	        init.config.data_dir);
	return 0;
}
