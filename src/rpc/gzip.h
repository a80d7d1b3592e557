/* gzip.h - gzip in and out, bounded, with every buffer of zlib wiped. Any thread. */
#ifndef RPC_GZIP_H
#define RPC_GZIP_H

#include "base/err.h"
#include "net/outq.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool gzip_is(const uint8_t *bytes, size_t len); /* begins as gzip data does */

/* Appends what one gzip member unpacks to. UN_ERR_TOO_LARGE: more than `max` bytes;
 * UN_ERR_PROTOCOL: damaged, cut short, or bytes behind it. */
MUST_CHECK enum un_err gzip_unpack(const uint8_t *bytes, size_t len, size_t max, struct outq *out);
MUST_CHECK enum un_err gzip_pack(const uint8_t *bytes, size_t len, struct outq *out);

#endif
