#include "authz/token.h"

#include "base/alloc.h"
#include "base/text.h"
#include "crypto/hash.h"

#include <string.h>

#define VERSION 1
#define AT_EXPIRES 1
#define AT_ID 9
#define AT_EPOCH 17
#define AT_NONCE 21
#define AT_MAC 29
#define BYTES_LEN (TOKEN_LEN / 4 * 3)
#define NONCE_LEN 8
#define MAC_LEN 16
#define KEY_LEN 32

_Static_assert(AT_MAC + MAC_LEN == BYTES_LEN, "a token is whole groups of base64");

struct token_mint {
	struct secbuf *key;
};

enum un_err
token_mint_new(struct token_mint **ret_mint)
{
	struct token_mint *mint = mem_zalloc(1, sizeof *mint);
	enum un_err err;

	if (!mint)
		return UN_ERR_NO_MEMORY;
	err = secbuf_new(KEY_LEN, &mint->key);
	if (err) {
		mem_free(mint);
		return err;
	}
	random_bytes(secbuf_edit(mint->key), KEY_LEN);
	*ret_mint = mint;
	return UN_OK;
}

void
token_mint_free(struct token_mint *mint)
{
	if (!mint)
		return;
	secbuf_free(mint->key);
	mem_free(mint);
}

/* Big-endian. */
static void
put_number(uint8_t *out, unsigned len, uint64_t number)
{
	for (unsigned i = len; i--; number >>= 8)
		out[i] = (uint8_t)number;
}

static uint64_t
get_number(const uint8_t *in, unsigned len)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < len; i++)
		number = number << 8 | in[i];
	return number;
}

static void
mac_of(const struct token_mint *mint, const uint8_t bytes[AT_MAC], uint8_t mac[HASH_LEN])
{
	const struct hash_part parts[] = {{"union token 1", 13}, {bytes, AT_MAC}};

	hash_mac(mint->key, parts, 2, mac);
}

static void
encode(const uint8_t bytes[BYTES_LEN], uint8_t text[TOKEN_LEN])
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

	for (size_t i = 0; i < BYTES_LEN; i += 3) {
		uint32_t group =
			(uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];

		for (int shift = 18; shift >= 0; shift -= 6)
			*text++ = (uint8_t)alphabet[group >> shift & 63];
	}
}

static bool
decode(const char text[TOKEN_LEN], uint8_t bytes[BYTES_LEN])
{
	for (size_t i = 0; i < TOKEN_LEN; i += 4) {
		uint32_t group = 0;

		for (size_t n = 0; n < 4; n++) {
			char c = text[i + n];
			/* one alphabet: a token has one text */
			int digit = c == '+' || c == '/' ? -1 : text_base64_digit(c);

			if (digit < 0)
				return false;
			group = group << 6 | (uint32_t)digit;
		}
		*bytes++ = (uint8_t)(group >> 16);
		*bytes++ = (uint8_t)(group >> 8);
		*bytes++ = (uint8_t)group;
	}
	return true;
}

enum un_err
token_issue(const struct token_mint *mint, const struct token_facts *facts,
            struct secbuf **ret_text)
{
	uint8_t bytes[BYTES_LEN], mac[HASH_LEN];
	struct secbuf *text = NULL;
	enum un_err err = secbuf_new(TOKEN_LEN, &text);

	if (err)
		return err;
	bytes[0] = VERSION;
	put_number(bytes + AT_EXPIRES, 8, (uint64_t)facts->expires_ms);
	put_number(bytes + AT_ID, 8, (uint64_t)facts->id);
	put_number(bytes + AT_EPOCH, 4, facts->epoch);
	random_bytes(bytes + AT_NONCE, NONCE_LEN);
	mac_of(mint, bytes, mac);
	memcpy(bytes + AT_MAC, mac, MAC_LEN);
	encode(bytes, secbuf_edit(text));
	explicit_bzero(bytes, sizeof bytes);
	explicit_bzero(mac, sizeof mac);
	*ret_text = text;
	return UN_OK;
}

enum un_err
token_check(const struct token_mint *mint, const char *text, size_t len, int64_t now_ms,
            struct token_facts *ret_facts)
{
	uint8_t bytes[BYTES_LEN], mac[HASH_LEN];
	bool good = len == TOKEN_LEN && decode(text, bytes);

	if (good) {
		mac_of(mint, bytes, mac);
		good = bytes_equal(mac, bytes + AT_MAC, MAC_LEN) && bytes[0] == VERSION &&
		       (int64_t)get_number(bytes + AT_EXPIRES, 8) > now_ms;
		explicit_bzero(mac, sizeof mac);
	}
	if (good) {
		ret_facts->expires_ms = (int64_t)get_number(bytes + AT_EXPIRES, 8);
		ret_facts->id = (int64_t)get_number(bytes + AT_ID, 8);
		ret_facts->epoch = (uint32_t)get_number(bytes + AT_EPOCH, 4);
	}
	explicit_bzero(bytes, sizeof bytes);
	return good ? UN_OK : UN_ERR_UNAUTHENTICATED;
}
