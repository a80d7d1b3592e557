/* keeper.h - asking the process that holds the keys, and keeping it alive.
 *
 *   uniond ─ worker 0: struct keeper_client ─ socketpair ─┐
 *          ─ worker 1: struct keeper_client ─ socketpair ─┤ keeper: ring, no network, no files
 *          ─ main:     struct keeper_supervisor ─ lifeline┘
 *
 * A client belongs to one thread and never blocks. Requests are queued, written together by
 * keeper_client_flush and answered through callbacks, on the same thread, from
 * keeper_client_pump. Every queued request is answered exactly once: by the keeper, by
 * UN_ERR_TIMEOUT, or by UN_ERR_UNREACHABLE when the keeper died after the request was sent (all
 * operations but rotate may simply be repeated). What was queued but not yet sent waits for the
 * next keeper. docs/architecture/keeper.md. */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

#include "audit/audit.h"
#include "base/err.h"
#include "crypto/box.h"
#include "crypto/secbuf.h"
#include "envelope/envelope.h"
#include "keeper/fingerprint.h"
#include "keeper/ticket.h"
#include "keeper/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* --- client --- */

#define KEEPER_IN_FLIGHT_MAX 1024 /* requests of one client; more are UN_ERR_AGAIN */
#define KEEPER_TIMEOUT_MS 5000    /* of a request whose keeper_call says 0 */

struct keeper_client;

struct keeper_answer {
	enum un_err err;
	const struct un_detail *detail; /* of a refusal; lent; NULL with UN_OK */
	/* ingest, rewrap: one stored DEK; release: `count` delivered DEKs in the order of the rows;
	 * export: the sealed ring; hash: HASH_LEN; heads: SIGNED_HEAD_LEN. Lent for the time
	 * of the callback. */
	const uint8_t *bytes;
	size_t len;
	size_t count;
	struct secbuf *ticket;          /* grant: now the callback's */
	const struct keeper_info *info; /* info; lent */
	uint32_t generation;            /* rotate: the new one */
	struct audit_journal_ref journal; /* release: of the first row; the others follow it */
};

/* Runs on the client's thread, inside keeper_client_pump or _expire. May queue more requests; must
 * not free the client. */
typedef void keeper_done(void *context, const struct keeper_answer *answer);

struct keeper_call {
	keeper_done *done;
	void *context;
	int64_t timeout_ms; /* 0: KEEPER_TIMEOUT_MS */
};

/* A client without a keeper: requests wait until keeper_client_attach. */
MUST_CHECK enum un_err keeper_client_new(struct keeper_client **ret_client);
/* Answers everything that is pending with UN_ERR_CANCELLED. NULL is fine. */
void keeper_client_free(struct keeper_client *client);

/* Takes over a socket that the supervisor gave; the one before is closed and what was sent on it
 * fails with UN_ERR_UNREACHABLE. */
void keeper_client_attach(struct keeper_client *client, int fd);
int keeper_client_fd(const struct keeper_client *client);       /* -1 while detached */
short keeper_client_events(const struct keeper_client *client); /* POLLIN, and POLLOUT if needed */
/* Reads answers and runs their callbacks, then writes what is queued. Call it when the descriptor
 * is ready. UN_ERR_UNREACHABLE: the keeper is gone; the client is detached and goes on after the
 * next attach. */
MUST_CHECK enum un_err keeper_client_pump(struct keeper_client *client);
/* Writes what is queued: call once after a batch. What the socket does not take stays queued. */
void keeper_client_flush(struct keeper_client *client);
/* When keeper_client_expire should be called (clock_mono_ms); INT64_MAX: nothing is pending. */
int64_t keeper_client_deadline(const struct keeper_client *client);
/* Answers what is over its deadline with UN_ERR_TIMEOUT. */
void keeper_client_expire(struct keeper_client *client, int64_t now_ms);
size_t keeper_client_pending(const struct keeper_client *client);
/* For tools and tests: pumps until nothing is pending. UN_ERR_TIMEOUT at the deadline. */
MUST_CHECK enum un_err keeper_client_drain(struct keeper_client *client, int64_t deadline_ms);

/* Requests. UN_OK: queued, `call.done` will run. Anything else (UN_ERR_AGAIN: too much in flight):
 * not queued, it will not run. */
MUST_CHECK enum un_err keeper_ask_info(struct keeper_client *client, struct keeper_call call);
/* The stored form of a DEK under the newest generation. UN_ERR_NOT_AUTHENTIC, UN_ERR_SEALED. */
MUST_CHECK enum un_err keeper_ingest(struct keeper_client *client, const struct secret_id *id,
                                     uint32_t version, const uint8_t travel[TRAVEL_DEK_LEN],
                                     struct keeper_call call);
/* The same DEK under the newest generation. */
MUST_CHECK enum un_err keeper_rewrap(struct keeper_client *client, const struct secret_id *id,
                                     uint32_t version, const uint8_t stored[STORED_DEK_LEN],
                                     struct keeper_call call);
/* A ticket. Errors as ticket_check_grant. */
MUST_CHECK enum un_err keeper_grant(struct keeper_client *client, const struct ticket_grant *grant,
                                    struct keeper_call call);

struct keeper_row {
	const struct secret_id *id;
	uint32_t version;
	const uint8_t *stored; /* STORED_DEK_LEN */
};
struct keeper_release {
	const struct secbuf *ticket;
	const uint8_t *launcher_public; /* BOX_PUBLIC_LEN */
	const struct keeper_row *rows;
	size_t count; /* 0 only checks the ticket */
};
/* DEKs that only the launcher can open. All or nothing: UN_ERR_BAD_TICKET (forged, expired),
 * UN_ERR_DENIED (a row out of the ticket's reach), UN_ERR_NOT_AUTHENTIC (a row that was moved,
 * rolled back or damaged), UN_ERR_DISK_FULL, UN_ERR_IO (the keeper cannot record it). The keeper's
 * own record of it is durable when the answer comes. */
MUST_CHECK enum un_err keeper_release(struct keeper_client *client,
                                      const struct keeper_release *what, struct keeper_call call);
/* A new generation, durable before the answer. */
MUST_CHECK enum un_err keeper_rotate(struct keeper_client *client, struct keeper_call call);
/* `sealed` is passphrase_seal for keeper_info.start_public. UN_ERR_WRONG_PASSPHRASE, UN_ERR_EXISTS
 * when it is unlocked already. */
MUST_CHECK enum un_err keeper_unlock(struct keeper_client *client, const uint8_t *sealed,
                                     size_t len, struct keeper_call call);
/* The ring under a backup's passphrase, for keyring_import. */
MUST_CHECK enum un_err keeper_export(struct keeper_client *client, const uint8_t *sealed,
                                     size_t len, struct keeper_call call);
/* The keyed hash (HASH_LEN bytes) of an API key's secret, 1 to WIRE_CREDENTIAL_MAX bytes, under a
 * key that only the keeper has and that no rotation changes. UN_ERR_SEALED, UN_ERR_RANGE. */
MUST_CHECK enum un_err keeper_hash_credential(struct keeper_client *client,
                                              const struct secbuf *credential,
                                              struct keeper_call call);
/* A head over the trail's `count` entries, the last of which has `hash`: SIGNED_HEAD_LEN bytes, and
 * remembered by the keeper. UN_ERR_NOT_AUTHENTIC: it goes back behind one that was signed, or is
 * another of the same number. UN_ERR_SEALED. */
MUST_CHECK enum un_err keeper_sign_head(struct keeper_client *client, uint64_t count,
                                        const uint8_t hash[HASH_LEN], struct keeper_call call);
/* The head that was signed last: SIGNED_HEAD_LEN bytes, or none. */
MUST_CHECK enum un_err keeper_last_head(struct keeper_client *client, struct keeper_call call);

/* --- supervisor --- */

#define KEEPER_SOCKETS_MAX 64

struct keeper_options {
	const char *exe;       /* NULL: /proc/self/exe */
	const char *keys_dir;  /* made if missing, mode 0700 */
	const char *provider;  /* "file" or "passphrase"; of a ring that is made, else must agree */
	bool may_create; /* a plane without any secret: a missing ring is made, not an error */
	const char
		*passphrase_path; /* NULL, or a file with the passphrase (a systemd credential) */
	int passphrase_fd; /* above 0: that file, open for reading; lent, and then not opened */
	unsigned sockets;      /* clients: 1 to KEEPER_SOCKETS_MAX */
	/* Gives client `index` its socket, at the start and after each restart; on the thread that
	 * pumps the supervisor. The callee owns `fd`. */
	void (*give)(void *context, unsigned index, int fd);
	void *context;
};

struct keeper_supervisor;

/* Starts the keeper and waits (at most 10 s; 120 s where a key is derived from a passphrase, which
 * takes a slow machine its time) until it is ready; `give` has run for each client
 * then. On failure `detail` has the keeper's own words. */
MUST_CHECK enum un_err keeper_supervisor_start(const struct keeper_options *options,
                                               struct un_detail *detail,
                                               struct keeper_supervisor **ret_supervisor);
/* Becomes readable when there is something to do; then pump. Never blocks. */
int keeper_supervisor_fd(const struct keeper_supervisor *supervisor);
void keeper_supervisor_pump(struct keeper_supervisor *supervisor);
pid_t keeper_supervisor_pid(const struct keeper_supervisor *supervisor); /* 0 while it is down */
unsigned keeper_supervisor_restarts(const struct keeper_supervisor *supervisor);
/* Ends the keeper (closing its lifeline, after 2 s by force) and frees; NULL is fine. */
void keeper_supervisor_stop(struct keeper_supervisor *supervisor);

/* --- the process --- */

/* What `uniond keeper ...` runs, before it does anything else: the arguments are the supervisor's
 * business. Returns the exit status. */
int keeper_main(int argc, char **argv);

#endif
