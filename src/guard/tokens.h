/* tokens.h - finds credentials in code by their shape: private keys, tokens of well-known services,
 * files that exist to hold secrets. Pure.
 *
 * Made to be quiet: a shape must come with what real ones have (a checksum where the service
 * gives one, else enough variety), so that examples and placeholders pass. Any thread. */
#ifndef GUARD_TOKENS_H
#define GUARD_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_MAX 4096 /* bytes that are looked at to judge one: pieces must overlap so far */

struct token {
	const char *kind; /* "an AWS access key"; static text */
	size_t at;
	size_t len; /* go on behind it */
};

/* The first one that begins at `from` or later. */
bool token_find(const uint8_t *bytes, size_t len, size_t from, struct token *ret_token);
/* "a .env file", ... for a path whose name says so and whose first bytes do not say otherwise;
 * NULL.
 */
const char *token_file(const char *path, const uint8_t *bytes, size_t len);

#endif
