/* HTTP/1.1 requests: a head, then its body in small steps. */
#include "base/alloc.h"
#include "net/http1.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void
feed_body(const struct http1_head *head, const uint8_t *bytes, size_t len)
{
	struct http1_body body;
	uint64_t seen = 0;
	size_t at = 0;

	http1_body_init(&body, head);
	while (at < len && !http1_body_is_done(&body)) {
		size_t step = len - at < 7 ? len - at : 7, left = step, piece_len;
		const uint8_t *from = bytes + at, *piece;

		if (http1_body_next(&body, &from, &left, &piece, &piece_len) != UN_OK)
			return;
		if (piece_len && (piece < bytes + at || piece + piece_len > bytes + at + step))
			abort();
		seen += piece_len;
		at += step - left;
	}
	if (http1_body_is_done(&body) && !head->chunked &&
	    head->content_length != HTTP1_LEN_UNKNOWN && seen != head->content_length)
		abort();
}

/* A text that was handed out lies inside the head and has no line end. */
static void
look_at(const struct http1_text *text, const char *head, size_t len)
{
	if (text->at < head || text->at + text->len > head + len)
		abort();
	for (size_t i = 0; i < text->len; i++) {
		if (text->at[i] == '\n' || text->at[i] == '\r' || text->at[i] == '\0')
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct http1_head head;
	size_t scanned = 0, head_len = 0, again = 0, again_len = 0;
	char *copy;

	/* the end of the head must not depend on how the bytes arrive */
	enum un_err whole = http1_scan(bytes, len, 4096, &scanned, &head_len);
	enum un_err split = http1_scan(bytes, len / 2, 4096, &again, &again_len);

	if (split == UN_ERR_AGAIN)
		split = http1_scan(bytes, len, 4096, &again, &again_len);
	if (split != whole || (whole == UN_OK && head_len != again_len))
		abort();
	if (whole != UN_OK)
		return 0;
	copy = mem_dup(bytes, head_len);
	if (copy && http1_parse(copy, head_len, 64, &head) == 0) {
		look_at(&head.method, copy, head_len);
		look_at(&head.target, copy, head_len);
		for (size_t i = 0; i < head.field_count; i++) {
			look_at(&head.fields[i].name, copy, head_len);
			look_at(&head.fields[i].value, copy, head_len);
		}
		feed_body(&head, bytes + head_len, len - head_len);
	}
	mem_free(copy);
	return 0;
}
