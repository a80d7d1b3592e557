/* deflate.h - what a gzip or zlib member says, byte by byte. Its memory is in secbufs. */
#ifndef REDACT_DEFLATE_H
#define REDACT_DEFLATE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEFLATE_RATIO 256 /* what grows more is no text: it is not looked into further */
#define DEFLATE_LAG 8     /* bytes: the code of one byte ends at most this far behind its start */

struct deflate;

MUST_CHECK enum un_err deflate_new(struct deflate **ret_deflate);
void deflate_start(struct deflate *deflate); /* a new member begins */

enum deflate_state {
	DEFLATE_MORE,  /* go on */
	DEFLATE_ENDED, /* the member has ended, is none, or grows too much */
};
/* Takes the next byte of the member; gives `put` what can be told then. */
enum deflate_state deflate_take(struct deflate *deflate, uint8_t byte,
                                void (*put)(void *ctx, uint8_t byte), void *ctx);
void deflate_free(struct deflate *deflate);

#endif
