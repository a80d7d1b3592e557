/* connect_error.h - errors as Connect writes them, in JSON.
 *
 *   a unary error     {"code": "not_found", "message": "...", "details": [...]}
 *   a stream's end    {"error": {the same}, "metadata": {"union-error": ["..."], ...}}
 *
 * A reader of its own, because a launcher should not carry a JSON library for this. Any thread. */
#ifndef CLIENT_CONNECT_ERROR_H
#define CLIENT_CONNECT_ERROR_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connect_error {
	bool present;
	enum grpc_status status;
	char message[UN_DETAIL_MAX]; /* control characters are blanks, cut where it is too long */
	char slug[64];
	char hint[UN_DETAIL_MAX];
};

/* Reads either form. UN_ERR_PROTOCOL for what is not JSON, or nests deeper than 16. */
MUST_CHECK enum un_err connect_error_parse(const uint8_t *json, size_t len,
                                           struct connect_error *ret_error);

#endif
