/* page_token.h - where a listing goes on: texts that say which row was last, as one token.
 *
 * A token is no secret and no proof: one that is made up only begins elsewhere in what may be seen.
 * Any thread. */
#ifndef BASE_PAGE_TOKEN_H
#define BASE_PAGE_TOKEN_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define PAGE_TOKEN_MAX 512 /* with its NUL */

struct page_token_field {
	char *text;
	size_t size; /* with the NUL */
};

/* `format` tells the tokens of different lists, and of their later forms, apart. `size` is that of
 * ret_token, at most PAGE_TOKEN_MAX. UN_ERR_TOO_LARGE, UN_ERR_NO_MEMORY. */
MUST_CHECK enum un_err page_token_format(uint8_t format, const struct page_token_field *fields,
                                         size_t count, char *ret_token, size_t size);
/* Fills the texts. UN_ERR_INVALID, with the texts in any state: not a token of this format, or one
 * whose texts do not fit. UN_ERR_NO_MEMORY. */
MUST_CHECK enum un_err page_token_parse(const char *token, uint8_t format,
                                        const struct page_token_field *fields, size_t count,
                                        struct un_detail *detail);

#endif
