/* config.h - what `uniond` is told: by a file, by options, by nothing at all.
 *
 * The file is YAML, read strictly: a key that is not known, given twice or of the wrong kind is an
 * error with its line. Every key is one row of the table in config.c. One thread. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/buf.h"
#include "base/err.h"
#include "model/guard_policy.h"
#include "net/limit.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define CONFIG_FILE_MAX (256u << 10)

/* Which of `limits` is which; 0: the default of net/limit.h. */
enum config_limit {
	CONFIG_CONNECTIONS,
	CONFIG_CONNECTIONS_PER_ADDRESS,
	CONFIG_REQUESTS_PER_CONNECTION,
	CONFIG_STREAMS,
	CONFIG_HEAD_BYTES,
	CONFIG_BODIES_BYTES,
	CONFIG_OUTPUT_BYTES,
	CONFIG_FIRST_BYTE_S,
	CONFIG_HEAD_S,
	CONFIG_BODY_S,
	CONFIG_IDLE_S,
	CONFIG_WRITE_S,
	CONFIG_CALL_S,
	CONFIG_LIMITS,
};

struct config {
	char file[PATH_MAX]; /* it was read from; empty: none */
	char data_dir[PATH_MAX];
	char listen_unix[PATH_MAX]; /* empty: <data_dir>/uniond.sock */
	char listen_tcp[256];       /* addresses with ports, blanks between them; empty: none */
	char tls_certificate[PATH_MAX];
	char tls_key[PATH_MAX];
	char tls_client_ca[PATH_MAX];
	char key_provider[32]; /* "file" or "passphrase"; only read when the key ring is made */
	char passphrase_file[PATH_MAX];
	int passphrase_fd; /* no key: that file, as root opened it before it left; 0: none */
	char audit_reads[16];      /* "summed", "each" or "off" */
	char tasks_path[PATH_MAX]; /* where tasks look for programs; empty: where uniond does */
	char tasks_uid_range[32];  /* "FIRST-LAST", "none", or empty: the usual one where we may */
	char tasks_show[PATH_MAX]; /* folders, with colons */
	char tasks_hide[PATH_MAX]; /* files and folders, with colons */
	char tasks_writable[PATH_MAX];
	char tasks_offline[PATH_MAX]; /* projects, with commas */
	uint64_t tasks_processes;
	uint64_t retention_days[3]; /* of executions, logs, bundles; 0: for ever */
	uint64_t lost_after_s; /* without a word of an attempt */
	char log_level[16];
	struct guard_policies guard;
	uint64_t unencrypted;   /* 1: TCP beyond loopback without TLS */
	uint64_t open_metrics;  /* 1: /metrics without a login */
	uint64_t token_seconds; /* how long a login lasts; 0: the default */
	uint64_t limits[CONFIG_LIMITS];
	uint64_t workers;         /* threads that serve requests; 0: one a core, at most 8 */
	uint64_t idle_timeout_s;  /* stop after this long without a client or a run; 0: never */
	uint64_t drain_timeout_s; /* what requests in flight have at the end */
	uint64_t parallel_tasks;  /* tasks at once; 0: one a core */
	uint64_t project_executions; /* not over, of one project; 0: no shares */
	uint64_t project_tasks;      /* at once, of one project; 0: any number */
	bool embedded;            /* started by `union` for one person */
};

void config_init(struct config *config);

/* Reads `path` over what `config` holds. UN_ERR_BAD_CONFIG with "FILE:LINE: ..." in the detail;
 * keys that are not known are all named, each with its line. */
MUST_CHECK enum un_err config_read(struct config *config, const char *path,
                                   struct un_detail *detail);

/* What holds between keys: paths absolute, TLS complete, TCP beyond loopback with TLS or on purpose
 * without. Looks at no file. UN_ERR_BAD_CONFIG. */
MUST_CHECK enum un_err config_check(struct config *config, struct un_detail *detail);

/* The effective configuration as a file that config_read accepts. */
MUST_CHECK enum un_err config_format(const struct config *config, struct buf *out);

/* The limits as the network side takes them: no zero is left but where it means "none". */
struct net_limits config_limits(const struct config *config);

#endif
