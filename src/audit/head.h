/* head.h - what the keeper signs: how far the trail and its own journal have come.
 *
 * A head binds the number and hash of the trail's newest entry, the same of the journal of
 * releases, and the head before it. Pure; any thread. docs/formats/audit.md. */
#ifndef AUDIT_HEAD_H
#define AUDIT_HEAD_H

#include "base/err.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

#include <stdint.h>

#define JOURNAL_ID_LEN 8 /* which journal: another one after it was lost or left behind */
#define SIGNED_HEAD_LEN (1 + 8 + HASH_LEN + 8 + JOURNAL_ID_LEN + 8 + 2 * HASH_LEN + SIGNATURE_LEN)

struct signed_head {
	uint64_t count;         /* entries of the trail */
	uint8_t hash[HASH_LEN]; /* of entry number `count` */
	int64_t at_us;          /* of the keeper's clock */
	uint8_t journal_id[JOURNAL_ID_LEN];
	uint64_t journal_count;
	uint8_t journal_hash[HASH_LEN];
	uint8_t previous[HASH_LEN]; /* head_hash of the head before; zeros: there is none */
	uint8_t signature[SIGNATURE_LEN];
};

void head_pack(const struct signed_head *head, uint8_t ret_bytes[SIGNED_HEAD_LEN]);
/* UN_ERR_PROTOCOL. Says nothing about the signature. */
MUST_CHECK enum un_err head_unpack(const uint8_t *bytes, size_t len, struct signed_head *ret_head);
void head_sign(struct signed_head *head, const struct secbuf *secret);
/* UN_ERR_NOT_AUTHENTIC. */
MUST_CHECK enum un_err head_check(const struct signed_head *head,
                                  const uint8_t public_key[SIGN_PUBLIC_LEN]);
void head_hash(const struct signed_head *head, uint8_t ret_hash[HASH_LEN]);

#endif
