#include "client/percent.h"

#include "base/text.h"

#include <stdint.h>

enum un_err
percent_decode(const char *text, size_t len, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	if (len == 1 && text[0] == '%')
		return UN_OK;
	for (size_t i = 0; i < len; i++) {
		uint8_t c = (uint8_t)text[i];

		if (c == '%') {
			int high = len - i < 3 ? -1 : text_hex_digit(text[i + 1]);
			int low = len - i < 3 ? -1 : text_hex_digit(text[i + 2]);

			if (high < 0 || low < 0)
				return UN_ERR_PROTOCOL;
			c = (uint8_t)(high << 4 | low);
			i += 2;
		}
		if (used < size - 1)
			out[used++] = c < 0x20 || c == 0x7f ? ' ' : (char)c;
	}
	out[used] = '\0';
	return UN_OK;
}
