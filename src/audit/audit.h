/* audit.h - the record of decisions: append-only, each entry bound to all before it by its hash.
 *
 * An entry says who did what to which secret, when, on whose behalf and with what outcome. It never
 * holds a value, a key, a ticket or a token. Appending happens inside the transaction of the act; a
 * release of secrets, which is no transaction, waits until its entry is durable (store_write.done).
 * If the entry cannot be written the act does not happen. docs/formats/audit.md has every byte. */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include "audit/head.h"
#include "base/err.h"
#include "crypto/hash.h"
#include "model/scope.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

#define AUDIT_PRINCIPAL_MAX 255
#define AUDIT_EXECUTION_MAX 255
#define AUDIT_NODE_MAX 255
#define AUDIT_REQUEST_MAX 64 /* longer ones are cut */
#define AUDIT_REASON_MAX 64  /* longer ones are cut */
#define AUDIT_SUBJECT_MAX 255
#define AUDIT_ADDRESS_MAX 64 /* longer ones are cut */

/* Numbers are never reused. */
enum audit_action {
	AUDIT_SECRET_CREATE = 1,
	AUDIT_SECRET_UPDATE = 2,
	AUDIT_SECRET_DELETE = 3,
	AUDIT_SECRET_RELEASE = 4, /* towards one attempt; one entry a secret */
	AUDIT_EXECUTION_CREATE = 5,
	AUDIT_EXECUTION_ABORT = 6,
	AUDIT_ATTEMPT_CLAIM = 7,
	AUDIT_KEYS_ROTATE = 8,
	AUDIT_KEYS_UNLOCK = 9,
	AUDIT_BACKUP = 10,
	AUDIT_RESTORE = 11,
	AUDIT_PLANE_START = 12,
	AUDIT_PLANE_STOP = 13,
	AUDIT_HEAD = 14, /* signed by the keeper */
	AUDIT_GRANT_CREATE = 15,
	AUDIT_GRANT_DELETE = 16,
	AUDIT_API_KEY_CREATE = 17,
	AUDIT_API_KEY_DELETE = 18,
	AUDIT_LOGIN = 19,
	AUDIT_SECRET_READ = 20,
	AUDIT_ENTITY_REGISTER = 21,
	AUDIT_ENTITY_READ = 22,
	AUDIT_EXECUTION_READ = 23,
	AUDIT_DATA_UPLOAD = 24,
	AUDIT_PLANE_READ = 25,
	AUDIT_READ = 26,
	AUDIT_ATTEMPT_WORK = 27,
	AUDIT_GRANT_READ = 28,
	AUDIT_API_KEY_READ = 29,
	AUDIT_REQUEST = 30,       /* of somebody who has not proved who she is */
	AUDIT_RELEASE_FOUND = 31, /* the keeper's journal has a release that had no entry here */
	AUDIT_EXECUTION_LOGS = 32,
	AUDIT_PLANE_INSPECT = 33,
	AUDIT_ACCESS_EXPLAIN = 34,
	AUDIT_BROKEN = 35, /* trail or journal are not what the keeper signed */
	AUDIT_EXPORT = 36,
	AUDIT_ACTIONS_END,
};

enum audit_verdict {
	AUDIT_ALLOWED = 1, /* decided and about to happen, or happening in this transaction */
	AUDIT_DENIED = 2,
	AUDIT_FAILED = 3, /* allowed, but it could not be done */
};

/* Where a released secret is in the keeper's journal. */
struct audit_journal_ref {
	uint8_t id[JOURNAL_ID_LEN];
	uint64_t number; /* 0: none */
};

/* What to record. Texts: NULL reads as "". */
struct audit_event {
	int64_t at_us; /* 0: now */
	enum audit_action action;
	enum audit_verdict verdict;
	const char *principal;          /* "uid:1000", "execution:NAME", ... */
	const struct secret_id *secret; /* NULL: not about a secret */
	const struct scope *scope;      /* where, when `secret` is NULL; NULL: the whole plane */
	uint32_t version;               /* of the secret; 0: none */
	const char *execution;
	const struct scope *execution_at; /* where it runs; NULL: there is none */
	const char *node;
	uint32_t attempt;
	const char *request_id;
	const char *reason; /* a slug of err.def where the verdict is not AUDIT_ALLOWED */
	const char *subject; /* what else it is about: "key:ci", "viewer to key:ci" */
	const char *address; /* of who could not be told apart by a principal */
	uint64_t count;      /* of acts summed in this entry; 0: one */
	int64_t last_us;     /* when the last of them was; 0: with one */
	struct audit_journal_ref journal;
	const uint8_t *head; /* SIGNED_HEAD_LEN bytes; NULL: none */
};

/* An entry as it is shown. */
struct audit_record {
	uint64_t seq;
	int64_t at_us;
	enum audit_action action;
	enum audit_verdict verdict;
	char principal[AUDIT_PRINCIPAL_MAX + 1];
	struct secret_id secret; /* an empty name: only where, or all empty */
	uint32_t version;
	char execution[AUDIT_EXECUTION_MAX + 1];
	struct scope execution_at;
	char node[AUDIT_NODE_MAX + 1];
	uint32_t attempt;
	char request_id[AUDIT_REQUEST_MAX + 1];
	char reason[AUDIT_REASON_MAX + 1];
	char subject[AUDIT_SUBJECT_MAX + 1];
	char address[AUDIT_ADDRESS_MAX + 1];
	uint64_t count; /* at least 1 */
	int64_t last_us;
	struct audit_journal_ref journal;
	bool has_head;
	struct signed_head head;
	uint8_t hash[HASH_LEN];
};

/* On the writer thread, in the transaction of the act. UN_ERR_TOO_LARGE: a text is over its limit.
 */
MUST_CHECK enum un_err audit_append(struct store_txn *txn, const struct audit_event *event,
                                    struct un_detail *detail);

/* How far a check has come: an entry's number and hash. Zeroed: nothing checked yet. */
struct audit_head {
	uint64_t seq;
	uint8_t hash[HASH_LEN];
};

/* Checks every entry after `from` (NULL: all) against the one before it. UN_OK: *ret_head is the
 * newest entry. UN_ERR_NOT_AUTHENTIC: *ret_bad is the number of the first entry that is wrong or
 * missing. */
MUST_CHECK enum un_err audit_verify(struct store_view *view, const struct audit_head *from,
                                    struct audit_head *ret_head, uint64_t *ret_bad,
                                    struct un_detail *detail);

/* The newest entry. Zeroed: there is none. */
MUST_CHECK enum un_err audit_newest(struct store_view *view, struct audit_head *ret_head,
                                    struct un_detail *detail);
/* The hash of entry `seq`. UN_ERR_NOT_FOUND. */
MUST_CHECK enum un_err audit_hash_of(struct store_view *view, uint64_t seq,
                                     uint8_t ret_hash[HASH_LEN], struct un_detail *detail);
/* Entries after `seq`, oldest first, as they lie in the database; `each` returns false to stop.
 * UN_ERR_NOT_AUTHENTIC: one is filed under other words than its own. */
MUST_CHECK enum un_err audit_walk(struct store_view *view, uint64_t seq,
                                  bool (*each)(void *ctx, const struct audit_record *record,
                                               const uint8_t *entry, size_t len),
                                  void *ctx, struct un_detail *detail);

/* Texts NULL or "", numbers 0: does not filter. */
struct audit_filter {
	uint64_t before_seq; /* for paging: the last one seen */
	int64_t since_us, until_us;
	enum audit_action action;
	enum audit_verdict verdict;
	const char *principal, *project, *domain, *name, *execution;
	uint32_t limit; /* at least 1 */
};

/* Newest first; `each` returns false to stop. *ret_next: before_seq of the next call, also when
 * this one has looked at much and found little; 0: this was all. */
MUST_CHECK enum un_err audit_list(struct store_view *view, const struct audit_filter *filter,
                                  bool (*each)(void *ctx, const struct audit_record *record),
                                  void *ctx, uint64_t *ret_next, struct un_detail *detail);
/* The newest head in the trail. *ret_seq 0: there is none. */
MUST_CHECK enum un_err audit_last_head(struct store_view *view, uint64_t *ret_seq,
                                       struct signed_head *ret_head, struct un_detail *detail);

/* "secret.create", ...; "unknown" for what a newer version wrote. */
const char *audit_action_text(enum audit_action action);
/* 0: no action has this text. */
enum audit_action audit_action_of_text(const char *text);
const char *audit_verdict_text(enum audit_verdict verdict);

/* Bytes of an entry, as they lie in the database. UN_ERR_PROTOCOL. The hash is left as it is. */
MUST_CHECK enum un_err audit_entry_unpack(const uint8_t *entry, size_t len,
                                          struct audit_record *ret_record,
                                          uint8_t ret_previous[HASH_LEN]);

#endif
