/* plane.h - the control plane: store, keeper, runs and server wired into one.
 *
 * Threads: the owner's thread runs the control loop (signals, idle timer, keeper supervision, the
 * scheduler of runs); each worker thread serves connections with a loop, a read-only store
 * connection and a keeper client of its own; the store has its writer thread. Nothing is shared
 * between workers but the store and what is documented as thread safe. */
#ifndef SERVICES_PLANE_H
#define SERVICES_PLANE_H

#include "authz/directory.h"
#include "base/err.h"
#include "net/limit.h"
#include "net/loop.h"
#include "runs/machine.h"
#include "runs/retention.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLANE_PASSED_MAX 8

struct plane;
struct store;
struct store_reader;
struct keeper_client;
struct metrics;
struct login;
struct audit_notes;
struct guard_policies;

/* What the starter may want to hear, on the control loop's thread. */
enum plane_event {
	PLANE_RELOADING,
	PLANE_RELOADED, /* also when the old certificate stays */
	PLANE_STOPPING, /* what is in flight is still answered */
	PLANE_ALIVE,    /* every worker has come round since the last time */
};

/* All texts are lent until plane_free. */
struct plane_options {
	const char *data_dir;    /* made with mode 0700 when missing */
	const char *listen_unix; /* path of the socket */
	const char *listen_tcp;  /* as net_addresses_parse reads them, or "" */
	bool beyond_loopback; /* listen_tcp and passed sockets may be; the caller has seen to TLS */
	const int *passed;    /* listening sockets of a starter; owned from plane_new on */
	size_t passed_count;  /* at most PLANE_PASSED_MAX */
	bool unix_is_passed;  /* one of them is listen_unix */
	const char *tls_certificate, *tls_key, *tls_client_ca; /* "" without */
	const char *key_provider;    /* when the key ring is made: "file" or "passphrase" */
	const char *passphrase_file; /* "" : wait for an unlock */
	int passphrase_fd;           /* above 0: that file, open already; lent */
	const char *uniond_path;     /* this program, to run the keeper */
	const char *launcher_path;   /* union-exec */
	const char *sdk_dir;         /* the folder that holds the Python package; "" without */
	char *const
		*launcher_environment; /* NAME=VALUE, ended by NULL: what launchers start with */
	void (*on_event)(void *ctx, enum plane_event event); /* NULL: nobody listens */
	void *event_ctx;
	unsigned alive_every_s;   /* between two PLANE_ALIVE; 0: none */
	unsigned drain_ms;        /* what requests in flight have at the end; 0: 5 s */
	unsigned workers;         /* 0: one a processor, at most 8 */
	unsigned parallel_tasks;  /* 0: one a processor */
	unsigned project_executions; /* that are not over, of one project; 0: no shares */
	unsigned project_tasks;      /* at once, of one project; 0: any number */
	unsigned idle_timeout_s;  /* 0: never stop by itself */
	struct retention retention; /* of what is old; zeroes: everything stays */
	unsigned lost_after_s;    /* of an attempt without a word; 0: LEASE_TTL_US */
	struct net_limits limits; /* zeroes: the defaults */
	const struct guard_policies *guard; /* NULL: known for all */
	struct machine_options tasks;       /* what they may do here */
	unsigned token_seconds;             /* of a login; 0: LOGIN_TOKEN_SECONDS */
	const char *audit_reads; /* "summed", "each" or "off": reads that release nothing */
	bool open_metrics;       /* /metrics without a login */
	bool embedded;
};

/* What each worker thread has: rpc_worker() and web_worker() give it. */
struct plane_worker {
	struct plane *plane;
	struct loop *loop;
	struct store_reader *reader;
	struct keeper_client *keeper;
	struct directory_reader access; /* keys and grants */
	struct loop_timer access_retry; /* access_view.h */
	struct audit_notes *notes;      /* audit_notes.h */
	unsigned index;
	unsigned logins; /* that wait for the store */
};

/* Opens the store, starts the keeper, recovers the runs, listens. Serving begins with plane_run.
 * Errors are those a person can act on: busy, damaged, wrong passphrase, address in use. */
MUST_CHECK enum un_err plane_new(const struct plane_options *options, struct plane **ret_plane,
                                 struct un_detail *detail);
/* Serves until plane_stop, a Shutdown call, SIGTERM, SIGINT or idleness; `ready` is called once
 * when requests are answered. Then drains. */
MUST_CHECK enum un_err plane_run(struct plane *plane, void (*ready)(void *ctx), void *ctx,
                                 struct un_detail *detail);
void plane_stop(struct plane *plane); /* any thread; plane_run returns soon */
void plane_free(struct plane *plane);

/* For services. */
struct store *plane_store(const struct plane *plane);
const char *plane_data_dir(const struct plane *plane);
struct directory *plane_access(const struct plane *plane); /* keys and grants; any thread */
struct login *plane_login(const struct plane *plane);      /* any thread */
/* An API key is gone: streams of who used it end soon. Any thread. */
void plane_recheck_callers(struct plane *plane);

#endif
