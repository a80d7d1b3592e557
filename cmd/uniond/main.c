/* uniond - the control plane, and (re-executed as "uniond keeper") its keeper. */
#include "config.h"
#include "program.h"
#include "ready.h"
#include "systemd.h"

#include "base/log.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "runs/machine.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage_text[] =
	"usage: uniond [--config FILE] [--data DIR] [--embedded] [--ready-fd N] [-t | -T]\n"
	"       uniond init [--config FILE | --data DIR] [--host HOST] [--user USER]\n"
	"       uniond restore [--data DIR | --config FILE] BACKUP\n"
	"       uniond let-go\n"
	"\n"
	"The control plane of the secrets system. `union` starts it by itself when it needs one.\n"
	"\n"
	"  --config FILE   read the configuration (YAML, strict); an embedded one that is there:\n"
	"                  ~/.config/union/uniond.yaml\n"
	"  --data DIR      where database, keys, bundles and logs are; overrides the file\n"
	"  --embedded      for one person: Unix socket only, stops when idle\n"
	"  --ready-fd N    write \"ready\" (or why not) to descriptor N, then close it\n"
	"  -t              check the configuration and stop\n"
	"  -T              print the effective configuration and stop\n"
	"  --version       print the version and stop\n"
	"  --help          this text\n"
	"\n"
	"Example: uniond --config /etc/union/config.yaml\n";

struct arguments {
	struct config config;
	const char *config_path;
	const char *data_dir;
	int ready_fd;
	bool check_only, print_only, embedded;
};

int
program_fail(const char *program, enum un_err err, const struct un_detail *detail)
{
	const char *hint = un_hint_text(err, detail);

	fprintf(stderr, "%s: error: %s\n", program, un_message(err, detail));
	if (*hint)
		fprintf(stderr, "%s: hint: %s\n", program, hint);
	return un_err_exit_status(err);
}

static enum un_err
parse_fd(const char *text, int *ret_fd, struct un_detail *detail)
{
	uint64_t number;

	if (text_parse_u64(text, &number) || number < 3 || number > 65535)
		return un_fail(detail, UN_ERR_USAGE, "--ready-fd needs a descriptor from 3 on");
	*ret_fd = (int)number;
	return UN_OK;
}

enum {
	OPTION_EMBEDDED = 256,
	OPTION_READY_FD,
	OPTION_VERSION,
};

static enum un_err
parse_arguments(int argc, char **argv, struct arguments *args, struct un_detail *detail)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"data", required_argument, NULL, 'd'},
		{"embedded", no_argument, NULL, OPTION_EMBEDDED},
		{"ready-fd", required_argument, NULL, OPTION_READY_FD},
		{"version", no_argument, NULL, OPTION_VERSION},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	enum un_err err = UN_OK;
	int option;

	opterr = 0;
	while (!err && (option = getopt_long(argc, argv, ":htT", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			args->config_path = optarg;
			break;
		case 'd':
			args->data_dir = optarg;
			break;
		case OPTION_EMBEDDED:
			args->embedded = true;
			break;
		case OPTION_READY_FD:
			err = parse_fd(optarg, &args->ready_fd, detail);
			break;
		case 't':
			args->check_only = true;
			break;
		case 'T':
			args->print_only = true;
			break;
		case OPTION_VERSION:
			printf("uniond %s\n", UNION_VERSION);
			exit(0);
		case 'h':
			fputs(usage_text, stdout);
			exit(0);
		default:
			un_hint(detail, "uniond --help lists the options");
			err = un_fail(detail, UN_ERR_USAGE,
			              option == ':' ? "'%s' needs a value" : "no such option: '%s'",
			              argv[optind - 1]);
		}
	}
	if (!err && optind < argc) {
		un_hint(detail, "uniond --help shows what there is");
		err = un_fail(detail, UN_ERR_USAGE, "no such command: '%s'", argv[optind]);
	}
	return err;
}

/* Where the embedded control plane of a person is configured, if it is at all. */
static bool
find_own_config(char *path, size_t size)
{
	const char *folder = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int len = -1;

	if (folder && folder[0] == '/')
		len = snprintf(path, size, "%s/union/uniond.yaml", folder);
	else if (home && home[0] == '/')
		len = snprintf(path, size, "%s/.config/union/uniond.yaml", home);
	return len > 0 && (size_t)len < size && access(path, F_OK) == 0;
}

static enum un_err
load_config(struct arguments *args, struct un_detail *detail)
{
	struct config *config = &args->config;
	char own[PATH_MAX];
	const char *path;
	enum un_err err;

	if (!args->config_path && !args->data_dir) {
		un_hint(detail, "uniond --data DIR, or uniond --config FILE; `union` starts an "
		                "embedded one by itself");
		return un_fail(detail, UN_ERR_USAGE, "no configuration and no data directory");
	}
	config_init(config);
	config->embedded = args->embedded;
	if (args->embedded)
		config->project_executions = 0;
	else
		config->idle_timeout_s = 0;
	path = args->config_path;
	if (!path && args->embedded && find_own_config(own, sizeof own))
		path = own;
	if (path) {
		if (!realpath(path, config->file))
			config->file[0] = '\0'; /* config_read says why it cannot be read */
		err = config_read(config, path, detail);
		if (err)
			return err;
	}
	if (args->data_dir) {
		if (strlen(args->data_dir) >= sizeof config->data_dir)
			return un_fail(detail, UN_ERR_USAGE, "--data is too long");
		memcpy(config->data_dir, args->data_dir, strlen(args->data_dir) + 1);
	}
	return config_check(config, detail);
}

static int
print_config(const struct config *config)
{
	struct buf text;
	enum un_err err;

	buf_init(&text, CONFIG_FILE_MAX, BUF_PLAIN);
	err = config_format(config, &text);
	if (!err)
		fputs(buf_text(&text), stdout);
	buf_fini(&text);
	return err ? program_fail("uniond", err, NULL) : 0;
}

/* Before anything secret can be in memory: no core dumps, no reading by the same user, no files
 * that others can read. */
static void
harden(void)
{
	static const struct rlimit none = {0, 0}, least = {1, 1};

	(void)umask(077);
	if (setrlimit(RLIMIT_CORE, &least) != 0) /* tasks inherit it: see launch/sandbox.c */
		(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int
main(int argc, char **argv)
{
	struct arguments args = {.ready_fd = -1};
	struct un_detail detail = {0};
	enum log_level level = LOG_LEVEL_NOTICE;
	enum un_err err;

	harden();
	err = crypto_init();
	if (err)
		return program_fail("uniond", err, NULL);
	if (argc > 1 && strcmp(argv[1], "keeper") == 0)
		return keeper_program(argc - 2, argv + 2);
	/* under the name that the person typed: `union restore` starts this one */
	if (argc > 1 && strcmp(argv[1], "restore") == 0)
		return restore_program(strcmp(argv[0], "union") == 0 ? "union" : "uniond", argc - 1,
		                       argv + 1);

	if (argc > 1 && strcmp(argv[1], "init") == 0)
		return init_program(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "let-go") == 0) {
		(void)machine_let_go();
		return 0;
	}
	err = parse_arguments(argc, argv, &args, &detail);
	if (!err)
		err = load_config(&args, &detail);
	if (err) {
		ready_refuse(args.ready_fd, err, &detail);
		return program_fail("uniond", err, &detail);
	}
	if (args.print_only)
		return print_config(&args.config);
	if (args.check_only) {
		err = systemd_find_credentials(&args.config, &detail);
		if (!err)
			err = check_files(&args.config, &detail);
		if (err)
			return program_fail("uniond", err, &detail);
		fprintf(stderr, "uniond: the configuration is good\n");
		return 0;
	}
	err = log_level_parse(args.config.log_level, &level); /* config_check has seen it */
	if (err)
		return program_fail("uniond", err, NULL);
	log_set(2, level);
	return serve_program(&args.config, args.ready_fd);
}
