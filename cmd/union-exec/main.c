/* union-exec - runs one attempt of a task on this machine. An engine starts it; people may look. */
#include "base/log.h"
#include "base/text.h"
#include "launch/attempt.h"
#include "redact.h"
#include "transport.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define EXIT_OURS 125 /* as env(1): the launcher itself failed */
#define EXIT_USAGE 2

static const char help[] =
	"usage: union-exec attempt --endpoint URL --ticket-fd N --workdir DIR [--hide DIR] "
	"[--sdk DIR] [--ready-fd N]\n"
	"       union-exec redact --from-env VAR... [--pty] [-- COMMAND ARGS...]\n"
	"\n"
	"Runs one attempt of a task: claims it from the control plane with the ticket, receives\n"
	"its secrets, runs its command in a sandbox, and reports output and result. Engines start "
	"it.\n"
	"\n"
	"  --endpoint URL   the control plane: unix:///path or http://127.0.0.1:port\n"
	"                   (union-exec-tls also: https://host:port)\n"
	"  --ticket-fd N    descriptor to read the ticket from, to its end; if it is empty, there\n"
	"                   is nothing to run\n"
	"  --workdir DIR    folder for all attempts; each has one of its own in it while it runs\n"
	"  --hide DIR       folder that the task does not see, but for its own part of it\n"
	"  --conceal LIST   files and folders that it does not see either, with colons between "
        "them\n"
	"  --sdk DIR        folder with the Python package, for PYTHONPATH\n"
	"  --ready-fd N     descriptor that gets one line feed when the attempt is claimed\n"
	"  --ca-file FILE   authorities for https, PEM; default: the system's\n"
	"  --uid N          user and group of the task, which nobody else has: 0, the default, is\n"
	"                   whoever runs this\n"
	"  --show LIST      folders that the task sees although they lie where it sees nothing\n"
	"                   (/tmp, a home that it may not pass), with colons between them\n"
	"  --writable LIST  folders that the task may change; all others but its own it may not\n"
	"  --cgroups LIST   places for control groups: KIND=DIR,... of unified, memory, pids, cpu\n"
	"  --processes N    most processes of the task; 0, the default: any number\n"
	"  --offline LIST   projects whose tasks have no network, with commas between them\n"
	"  --no-namespaces  do not ask the kernel for namespaces\n"
	"  --without LIST   do as if the kernel refused these: namespaces, mounts, processes,\n"
	"                   user, files, calls, network, cgroups\n"
	"  --help, --version\n"
	"\n"
	"Exit status: the task's; 1 when it ended well but without its results; 125 when the\n"
	"launcher itself failed; 2 for wrong usage.\n";

enum option_id {
	OPTION_ENDPOINT = 256,
	OPTION_TICKET_FD,
	OPTION_WORKDIR,
	OPTION_HIDE,
	OPTION_CONCEAL,
	OPTION_SDK,
	OPTION_READY_FD,
	OPTION_CA_FILE,
	OPTION_UID,
	OPTION_SHOW,
	OPTION_WRITABLE,
	OPTION_CGROUPS,
	OPTION_PROCESSES,
	OPTION_OFFLINE,
	OPTION_WITHOUT,
	OPTION_PLAIN,
	OPTION_HELP,
	OPTION_VERSION,
};

static const struct option options[] = {
	{"endpoint", required_argument, NULL, OPTION_ENDPOINT},
	{"ticket-fd", required_argument, NULL, OPTION_TICKET_FD},
	{"workdir", required_argument, NULL, OPTION_WORKDIR},
	{"hide", required_argument, NULL, OPTION_HIDE},
	{"conceal", required_argument, NULL, OPTION_CONCEAL},
	{"sdk", required_argument, NULL, OPTION_SDK},
	{"ready-fd", required_argument, NULL, OPTION_READY_FD},
	{"ca-file", required_argument, NULL, OPTION_CA_FILE},
	{"uid", required_argument, NULL, OPTION_UID},
	{"show", required_argument, NULL, OPTION_SHOW},
	{"writable", required_argument, NULL, OPTION_WRITABLE},
	{"cgroups", required_argument, NULL, OPTION_CGROUPS},
	{"processes", required_argument, NULL, OPTION_PROCESSES},
	{"offline", required_argument, NULL, OPTION_OFFLINE},
	{"without", required_argument, NULL, OPTION_WITHOUT},
	{"no-namespaces", no_argument, NULL, OPTION_PLAIN},
	{"help", no_argument, NULL, OPTION_HELP},
	{"version", no_argument, NULL, OPTION_VERSION},
	{0},
};

#ifdef __SANITIZE_ADDRESS__
/* The search for leaks attaches to this process and reads its /proc: both are what it forbids. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

static int
usage_error(const char *what, const char *text)
{
	(void)fprintf(stderr, "union-exec: error: %s%s%s%s\n", what, text ? " '" : "",
	              text ? text : "", text ? "'" : "");
	(void)fprintf(stderr, "union-exec: hint: see union-exec --help\n");
	return EXIT_USAGE;
}

static bool
parse_fd(const char *text, int *ret_fd)
{
	uint64_t number;

	if (text_parse_u64(text, &number) || number > INT_MAX || fcntl((int)number, F_GETFD) < 0)
		return false;
	(void)fcntl((int)number, F_SETFD, FD_CLOEXEC);
	*ret_fd = (int)number;
	return true;
}

static bool
parse_parts(const char *list, unsigned *ret_parts)
{
	static const char *const names[] = {"namespaces", "mounts", "processes", "user",
	                                    "files",      "calls",  "network",   "cgroups"};

	for (size_t len; *list; list += len + (list[len] == ',')) {
		size_t i = 0;

		len = strcspn(list, ",");
		while (i < sizeof names / sizeof *names &&
		       (strlen(names[i]) != len || strncmp(names[i], list, len) != 0))
			i++;
		if (i == sizeof names / sizeof *names)
			return false;
		*ret_parts |= 1u << i;
	}
	return true;
}

/* What the task may do. -1: go on; else the exit status. */
static int
parse_rights(int id, struct attempt_options *out)
{
	uint64_t number;

	switch (id) {
	case OPTION_UID:
		if (text_parse_u64(optarg, &number) || number > UINT32_MAX - 2)
			return usage_error("--uid is no user:", optarg);
		out->uid = (uid_t)number;
		break;
	case OPTION_SHOW:
		out->readable = optarg;
		break;
	case OPTION_CONCEAL:
		out->concealed = optarg;
		break;
	case OPTION_WRITABLE:
		out->writable = optarg;
		break;
	case OPTION_CGROUPS:
		out->cgroups = optarg;
		break;
	case OPTION_PROCESSES:
		if (text_parse_u64(optarg, &out->processes))
			return usage_error("--processes is no number:", optarg);
		break;
	case OPTION_OFFLINE:
		out->offline = optarg;
		break;
	case OPTION_WITHOUT:
		if (!parse_parts(optarg, &out->without))
			return usage_error("--without names what there is not:", optarg);
		break;
	case OPTION_PLAIN:
		out->without |= SANDBOX_NAMESPACES;
		break;
	default:
		return usage_error("unknown or incomplete option", NULL);
	}
	return -1;
}

/* -1: go on; else the exit status. */
static int
parse(int argc, char **argv, struct attempt_options *out)
{
	const char *ca_file = NULL;
	int id, status;

	opterr = 0;
	while ((id = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (id) {
		case OPTION_ENDPOINT:
			out->endpoint = optarg;
			break;
		case OPTION_WORKDIR:
			out->workdir = optarg;
			break;
		case OPTION_HIDE:
			out->hidden = optarg;
			break;
		case OPTION_SDK:
			out->sdk = optarg;
			break;
		case OPTION_TICKET_FD:
			if (!parse_fd(optarg, &out->ticket_fd))
				return usage_error("--ticket-fd is no open descriptor:", optarg);
			break;
		case OPTION_READY_FD:
			if (!parse_fd(optarg, &out->ready_fd))
				return usage_error("--ready-fd is no open descriptor:", optarg);
			break;
		case OPTION_CA_FILE:
			ca_file = optarg;
			break;
		case OPTION_HELP:
		case 'h':
			(void)fputs(help, stdout);
			return 0;
		case OPTION_VERSION:
			(void)puts("union-exec " UNION_VERSION);
			return 0;
		case '?':
			return usage_error("unknown or incomplete option", argv[optind - 1]);
		default:
			status = parse_rights(id, out);
			if (status >= 0)
				return status;
		}
	}
	if (optind + 1 != argc || strcmp(argv[optind], "attempt") != 0)
		return usage_error("the commands are: attempt, redact", NULL);
	if (!out->endpoint || !out->workdir || out->ticket_fd < 0)
		return usage_error("--endpoint, --workdir and --ticket-fd are needed", NULL);
	out->remote = transport_remote(ca_file);
	return -1;
}

/* Descriptors 0 to 2 exist from here on: nothing opened later may become the task's output. */
static bool
have_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= 2);
	if (fd < 0)
		return false;
	(void)close(fd);
	return true;
}

/* uniond takes all the descriptors it may; a task gets what uniond was started with. */
static void
restore_descriptors(void)
{
	const char *text = getenv("UNION_NOFILE");
	struct rlimit limit;
	uint64_t soft;

	if (text && text_parse_u64(text, &soft) == UN_OK && !getrlimit(RLIMIT_NOFILE, &limit) &&
	    soft < limit.rlim_cur) {
		limit.rlim_cur = soft;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	(void)unsetenv("UNION_NOFILE");
}

int
main(int argc, char **argv)
{
	struct attempt_options chosen = {.ticket_fd = -1, .ready_fd = -1, .environment = environ};
	struct attempt_outcome outcome = {0};
	struct un_detail detail = {0};
	int status;
	enum un_err err;

	if (!have_standard_descriptors())
		return EXIT_OURS;
	if (argc > 1 && strcmp(argv[1], "redact") == 0)
		return redact_command(argv + 2);
	restore_descriptors();
	status = parse(argc, argv, &chosen);
	if (status >= 0)
		return status;
	err = attempt_run(&chosen, &outcome, &detail);
	if (outcome.unneeded)
		return 0;
	if (outcome.notes[0])
		log_warn("sandbox", "the kernel refused part of the sandbox: %s", outcome.notes);
	if (err) {
		log_error("launch", "%s", un_message(err, &detail));
		return EXIT_OURS;
	}
	return outcome.exit_status;
}
