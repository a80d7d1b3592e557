/* The reader of HTTP/1.1 replies: a head, then its body in steps, then the body as an error. */
#include "client/connect_error.h"
#include "client/reply.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	size_t at = reply_head_len(bytes, len);
	struct connect_error error;
	struct un_detail detail = {0};
	struct reply_head head;
	struct reply_body body;

	if (connect_error_parse(bytes, len, &error) == UN_OK)
		(void)reply_read_end(bytes, len, &detail);
	if (!at || reply_parse_head(bytes, at, &head) != UN_OK)
		return 0;
	reply_body_init(&body, &head);
	while (at < len && !reply_body_is_done(&body)) {
		size_t step = len - at < 7 ? len - at : 7;
		struct reply_piece piece;

		if (reply_body_push(&body, bytes + at, step, &piece) != UN_OK)
			return 0;
		if (piece.len > step || piece.used > step || !piece.used)
			__builtin_trap();
		at += piece.used;
	}
	(void)reply_read_error(&head, bytes + at, len - at, &detail);
	return 0;
}
