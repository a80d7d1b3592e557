/* audit_releases.h - sees to it that each release in the keeper's journal has its record.
 *
 * A claim records its releases itself. What it could not (the keeper's answer came too late, the
 * disk was full just then) stands in the journal alone: audit_releases reads on in the journal
 * while something is written, and gives what has no record for RELEASE_SETTLED_MS one of its own,
 * `secret.release-found`. A claim whose record comes later than that fails: there is one already.
 * On the control loop. */
#ifndef SERVICES_AUDIT_RELEASES_H
#define SERVICES_AUDIT_RELEASES_H

#include "audit/head.h"
#include "keeper/journal_file.h"
#include "keeper/keeper.h"
#include "net/loop.h"
#include "store/store.h"

/* longer than a claim waits for the keeper, shorter than a check of the trail is patient */
#define RELEASE_SETTLED_MS (KEEPER_TIMEOUT_MS + 1000)

struct audit_releases;

struct audit_releases_options {
	struct loop *loop;
	struct store *store;
	struct store_reader *reader;
	const char *keys_dir;  /* lent */
	const char *principal; /* whose records these are; lent */
	int64_t settled_ms;    /* 0: RELEASE_SETTLED_MS */
	void (*need_head)(void *ctx); /* have one signed; audit_releases_follow tells of it */
	void *ctx;
};

/* Goes on where `journal` stands, which is its own from now on, also when this fails. */
MUST_CHECK enum un_err audit_releases_new(const struct audit_releases_options *options,
                                          struct journal_reader *journal,
                                          struct audit_releases **ret_releases);
/* Something was written: looks at the journal soon. */
void audit_releases_kick(struct audit_releases *releases);
/* The keeper signed this head, which says what of its journal is durable: nothing behind it gets a
 * record. If it has another journal by now, that one is read. */
void audit_releases_follow(struct audit_releases *releases, const struct signed_head *head);
void audit_releases_stop(struct audit_releases *releases); /* NULL is fine */
void audit_releases_free(struct audit_releases *releases); /* after the store; NULL is fine */

/* One record of a release that had none, inside a write. */
MUST_CHECK enum un_err audit_release_found(struct store_txn *txn,
                                           const uint8_t journal[JOURNAL_ID_LEN],
                                           const struct journal_entry *entry,
                                           const char *principal, struct un_detail *detail);

#endif
