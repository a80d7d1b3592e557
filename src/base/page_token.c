#include "base/page_token.h"

#include "base/buf.h"
#include "base/pack.h"
#include "base/text.h"

#include <stdbool.h>
#include <string.h>

enum un_err
page_token_format(uint8_t format, const struct page_token_field *fields, size_t count,
                  char *ret_token, size_t size)
{
	struct buf bytes, text;
	enum un_err err;

	buf_init(&bytes, size, BUF_PLAIN);
	buf_init(&text, size - 1, BUF_PLAIN);
	err = pack_u8(&bytes, format);
	for (size_t i = 0; i < count && !err; i++)
		err = pack_text(&bytes, fields[i].text);
	if (!err)
		err = text_append_base64(&text, bytes.data, bytes.len);
	if (!err)
		memcpy(ret_token, buf_text(&text), text.len + 1);
	buf_fini(&text);
	buf_fini(&bytes);
	return err;
}

enum un_err
page_token_parse(const char *token, uint8_t format, const struct page_token_field *fields,
                 size_t count, struct un_detail *detail)
{
	struct buf bytes;
	struct unpack in;
	enum un_err err;
	bool ours;

	buf_init(&bytes, PAGE_TOKEN_MAX, BUF_PLAIN);
	err = text_decode_base64(token, strnlen(token, PAGE_TOKEN_MAX), &bytes);
	unpack_init(&in, bytes.data, bytes.len);
	ours = strnlen(token, PAGE_TOKEN_MAX) < PAGE_TOKEN_MAX && unpack_u8(&in) == format;
	for (size_t i = 0; i < count; i++)
		unpack_text(&in, fields[i].text, fields[i].size);
	ours = ours && unpack_end(&in) == UN_OK;
	buf_fini(&bytes);
	if (err == UN_ERR_NO_MEMORY || (!err && ours))
		return err;
	return un_fail(detail, UN_ERR_INVALID, "the page token is not one of this server's");
}
