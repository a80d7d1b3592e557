/* percent.h - percent-encoded text for people, as it comes from a peer. Pure; any thread. */
#ifndef CLIENT_PERCENT_H
#define CLIENT_PERCENT_H

#include "base/err.h"

#include <stddef.h>

/* Decodes into `out` of `size` bytes: what does not fit is cut, what would move a terminal becomes
 * a blank. "%" alone is empty text. UN_ERR_PROTOCOL. */
MUST_CHECK enum un_err percent_decode(const char *text, size_t len, char *out, size_t size);

#endif
