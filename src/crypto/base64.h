/* base64.h - base64 of what is secret: from one buffer of the caller's into another, no copy left
 * behind. For everything else there is base/text.h. Pure; any thread. */
#ifndef CRYPTO_BASE64_H
#define CRYPTO_BASE64_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum base64_kind {
	BASE64_STANDARD, /* + and /, padded */
	BASE64_URL,      /* - and _, not padded */
};

size_t base64_len(size_t len, enum base64_kind kind); /* of the text of `len` bytes */
/* Writes base64_len() characters, without a NUL. */
void base64_encode(const void *bytes, size_t len, enum base64_kind kind, uint8_t *ret_text);
/* Exactly what base64_encode makes: one text for the same bytes. `ret_bytes` has room for len / 4 *
 * 3 + 2 and may be `text` itself. UN_ERR_PROTOCOL. */
MUST_CHECK enum un_err base64_decode(const void *text, size_t len, enum base64_kind kind,
                                     uint8_t *ret_bytes, size_t *ret_len);

#endif
