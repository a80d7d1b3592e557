/* box.h - X25519 key agreement: a key that two parties can derive and nobody between them.
 *
 * shared = BLAKE2b-256(key = X25519(private, peer), "union box 1" | sender public | receiver
 * public). The sender uses a one-time key pair and sends its public half along. Any thread. */
#ifndef CRYPTO_BOX_H
#define CRYPTO_BOX_H

#include "base/err.h"
#include "crypto/secbuf.h"

#define BOX_PUBLIC_LEN 32
#define BOX_PRIVATE_LEN 32

MUST_CHECK enum un_err box_keypair(struct secbuf **ret_private, uint8_t ret_public[BOX_PUBLIC_LEN]);
/* The public half of a stored private key. */
MUST_CHECK enum un_err box_public_of(const struct secbuf *private_key,
                                     uint8_t ret_public[BOX_PUBLIC_LEN]);

/* An AEAD key (AEAD_KEY_LEN bytes). UN_ERR_NOT_AUTHENTIC for a public key of low order. */
MUST_CHECK enum un_err box_key_as_sender(const struct secbuf *sender_private,
                                         const uint8_t receiver_public[BOX_PUBLIC_LEN],
                                         struct secbuf **ret_key);
/* The same for a receiver that keeps its public key, which is half of the work. */
MUST_CHECK enum un_err box_key_as_known(const struct secbuf *receiver_private,
                                        const uint8_t receiver_public[BOX_PUBLIC_LEN],
                                        const uint8_t sender_public[BOX_PUBLIC_LEN],
                                        struct secbuf **ret_key);
MUST_CHECK enum un_err box_key_as_receiver(const struct secbuf *receiver_private,
                                           const uint8_t sender_public[BOX_PUBLIC_LEN],
                                           struct secbuf **ret_key);

#endif
