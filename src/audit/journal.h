/* journal.h - the bytes of the keeper's journal: one entry a released secret, each bound to all
 * before it.
 *
 * The keeper writes it (keeper/journal_file.h) before a DEK leaves; whoever checks the trail
 * compares. Pure; any thread. docs/formats/audit.md. */
#ifndef AUDIT_JOURNAL_H
#define AUDIT_JOURNAL_H

#include "audit/head.h"
#include "base/buf.h"
#include "envelope/envelope.h"
#include "model/scope.h"

#define JOURNAL_HEADER_LEN (23 + JOURNAL_ID_LEN)
#define JOURNAL_ENTRY_MAX 512 /* with length and hash */

/* A secret that was released. */
struct journal_entry {
	uint64_t number; /* counts from 1 */
	int64_t at_us;
	uint8_t attempt[ATTEMPT_ID_LEN];
	struct secret_id id;
	uint32_t version;
	uint32_t generation; /* of the KEK that the row was under */
};

/* How far a journal has come. */
struct journal_position {
	uint8_t id[JOURNAL_ID_LEN];
	uint64_t count;
	uint8_t hash[HASH_LEN];
};

/* The file's first bytes; *ret_position is the empty journal's. */
void journal_header_pack(const uint8_t id[JOURNAL_ID_LEN], uint8_t ret_bytes[JOURNAL_HEADER_LEN],
                         struct journal_position *ret_position);
/* UN_ERR_PROTOCOL. */
MUST_CHECK enum un_err journal_header_unpack(const uint8_t *bytes, size_t len,
                                             struct journal_position *ret_position);
/* Appends the entry that follows `position` and moves it on; entry->number is what it becomes. */
MUST_CHECK enum un_err journal_entry_pack(struct buf *out, struct journal_entry *entry,
                                          struct journal_position *position);
/* The entry that begins at `bytes`. UN_OK with *ret_len 0: the end (nothing, or zeros).
 * UN_ERR_PROTOCOL: malformed or cut; UN_ERR_NOT_AUTHENTIC: it does not follow from `position`. */
MUST_CHECK enum un_err journal_entry_unpack(const uint8_t *bytes, size_t len,
                                            struct journal_position *position,
                                            struct journal_entry *ret_entry, size_t *ret_len);

#endif
