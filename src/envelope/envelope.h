/* envelope.h - the bytes of a sealed value and of its DEK, at each place where they lie.
 *
 *   sealed value   the value under its DEK; bound to the identity
 *   travel DEK     the DEK on its way from a client to the keeper, for the plane's X25519 key
 *   stored DEK     the DEK under a KEK generation; bound to identity and version
 *   delivered DEK  the DEK on its way to one launcher; bound to identity, version and attempt
 *
 * All begin with a version byte and are specified in docs/formats/envelope.md with vectors. Binding
 * means: a row moved to another name, scope or version does not open. Any thread. */
#ifndef ENVELOPE_ENVELOPE_H
#define ENVELOPE_ENVELOPE_H

#include "base/buf.h"
#include "base/err.h"
#include "crypto/aead.h"
#include "crypto/box.h"
#include "crypto/secbuf.h"
#include "model/scope.h"

#define DEK_LEN 32
#define ENVELOPE_VERSION 1
#define SEALED_VALUE_OVERHEAD (1 + AEAD_OVERHEAD)
#define TRAVEL_DEK_LEN (1 + BOX_PUBLIC_LEN + DEK_LEN + AEAD_OVERHEAD)       /* 105 */
#define STORED_DEK_LEN (1 + 4 + DEK_LEN + AEAD_OVERHEAD)                    /* 77 */
#define DELIVERED_DEK_LEN (1 + BOX_PUBLIC_LEN + DEK_LEN + AEAD_OVERHEAD)    /* 105 */
#define ATTEMPT_ID_LEN 16

MUST_CHECK enum un_err dek_new(struct secbuf **ret_dek);

/* Appends len + SEALED_VALUE_OVERHEAD bytes. UN_ERR_EMPTY_VALUE, UN_ERR_VALUE_TOO_LARGE. */
MUST_CHECK enum un_err envelope_seal_value(const struct secbuf *dek, const struct secret_id *id,
                                           const struct secbuf *value, struct buf *out);
/* Without the DEK: could this be a sealed value of a size we take? UN_ERR_PROTOCOL,
 * UN_ERR_EMPTY_VALUE, UN_ERR_VALUE_TOO_LARGE. */
MUST_CHECK enum un_err envelope_check_value(const uint8_t *sealed, size_t len);
/* UN_ERR_NOT_AUTHENTIC, here and in every envelope_open_: also for a wrong length or version. */
MUST_CHECK enum un_err envelope_open_value(const struct secbuf *dek, const struct secret_id *id,
                                           const uint8_t *sealed, size_t len,
                                           struct secbuf **ret_value);

/* One end of a conversation with a receiver's public key: the agreement is computed once and used
 * for every DEK that follows. Not thread safe. */
struct box_sender;
MUST_CHECK enum un_err box_sender_new(const uint8_t receiver_public[BOX_PUBLIC_LEN],
                                      struct box_sender **ret_sender);
void box_sender_free(struct box_sender *sender);

MUST_CHECK enum un_err envelope_seal_travel(const struct box_sender *sender,
                                            const struct secret_id *id, const struct secbuf *dek,
                                            uint8_t ret_sealed[TRAVEL_DEK_LEN]);
/* The other end: opens travel DEKs; remembers the agreements of the senders seen last, because the
 * X25519 step costs fifty times the rest. Not thread safe. */
struct box_receiver;
MUST_CHECK enum un_err box_receiver_new(const struct secbuf *private_key,
                                        struct box_receiver **ret_receiver);
void box_receiver_free(struct box_receiver *receiver);
MUST_CHECK enum un_err envelope_open_travel(struct box_receiver *receiver,
                                            const struct secret_id *id, const uint8_t *sealed,
                                            size_t len, struct secbuf **ret_dek);

MUST_CHECK enum un_err envelope_seal_stored(const struct secbuf *kek, uint32_t generation,
                                            const struct secret_id *id, uint32_t version,
                                            const struct secbuf *dek,
                                            uint8_t ret_sealed[STORED_DEK_LEN]);
/* The generation a stored DEK was sealed under, without opening it. UN_ERR_PROTOCOL. */
MUST_CHECK enum un_err envelope_stored_generation(const uint8_t *sealed, size_t len,
                                                  uint32_t *ret_generation);
MUST_CHECK enum un_err envelope_open_stored(const struct secbuf *kek, const struct secret_id *id,
                                            uint32_t version, const uint8_t *sealed, size_t len,
                                            struct secbuf **ret_dek);

/* What exactly a delivered DEK is for. */
struct delivery {
	const struct secret_id *id;
	uint32_t version;
	uint8_t attempt[ATTEMPT_ID_LEN];
};
MUST_CHECK enum un_err envelope_seal_delivery(const struct box_sender *sender,
                                              const struct delivery *to, const struct secbuf *dek,
                                              uint8_t ret_sealed[DELIVERED_DEK_LEN]);
MUST_CHECK enum un_err envelope_open_delivery(struct box_receiver *receiver,
                                              const struct delivery *to, const uint8_t *sealed,
                                              size_t len, struct secbuf **ret_dek);

#endif
