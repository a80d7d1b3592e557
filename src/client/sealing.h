/* sealing.h - a value becomes bytes that only its readers can open, before it leaves this process.
 *
 *   value --DEK--> sealed_value        DEK --plane's X25519 key--> sealed_dek
 *
 * The control plane stores the first and hands the second to its keeper; it sees neither the value
 * nor the DEK. Any thread. */
#ifndef CLIENT_SEALING_H
#define CLIENT_SEALING_H

#include "base/buf.h"
#include "base/err.h"
#include "crypto/secbuf.h"
#include "envelope/envelope.h"

struct sealed {
	struct buf value;
	uint8_t dek[TRAVEL_DEK_LEN];
};

void sealed_init(struct sealed *sealed);
void sealed_fini(struct sealed *sealed);
/* UN_ERR_EMPTY_VALUE, UN_ERR_VALUE_TOO_LARGE; UN_ERR_NOT_AUTHENTIC: `plane_key` is no key. */
MUST_CHECK enum un_err seal_for_plane(const uint8_t plane_key[BOX_PUBLIC_LEN],
                                      const struct secret_id *id, const struct secbuf *value,
                                      struct sealed *ret_sealed);

#endif
