/* Credentials in code: a find lies in the bytes, is behind where the search began, and is found
 * again in the same bytes at the same place. */
#include "guard/tokens.h"

#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct token token, again;

	for (size_t from = 0; token_find(bytes, len, from, &token); from = token.at + token.len) {
		if (token.at < from || token.len == 0 || token.len > len - token.at || !token.kind)
			abort();
		if (!token_find(bytes, len, token.at, &again) || again.at != token.at ||
		    again.len != token.len)
			abort();
	}
	(void)token_file(".env", bytes, len);
	(void)token_file("a/.npmrc", bytes, len);
	return 0;
}
