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
#define AT_NAME TOKEN_HEAD_LEN
#define NONCE_LEN 8
#define KEY_LEN 32

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
mac_of(const struct token_mint *mint, const uint8_t *bytes, size_t len, uint8_t mac[HASH_LEN])
{
	const struct hash_part parts[] = {{"union token 1", 13}, {bytes, len}};

	hash_mac(mint->key, parts, 2, mac);
}

static void
encode(const uint8_t *bytes, size_t len, uint8_t *out)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t group = 0;
	unsigned bits = 0;

	for (size_t i = 0; i < len; i++) {
		group = group << 8 | bytes[i];
		for (bits += 8; bits >= 6; bits -= 6)
			*out++ = (uint8_t)alphabet[group >> (bits - 6) & 63];
	}
	if (bits)
		*out = (uint8_t)alphabet[group << (6 - bits) & 63];
}

/* One text for one token: no padding, no other alphabet, no stray bits at the end. The length in
 * bytes; 0: this is none. */
static size_t
decode(const char *text, size_t len, uint8_t bytes[TOKEN_BYTES_MAX])
{
	uint32_t group = 0;
	unsigned bits = 0;
	size_t count = 0;

	if (len < (TOKEN_BYTES_MIN * 4 + 2) / 3 || len > TOKEN_TEXT_MAX)
		return 0;
	for (size_t i = 0; i < len; i++) {
		int digit = text[i] == '+' || text[i] == '/' ? -1 : text_base64_digit(text[i]);

		if (digit < 0)
			return 0;
		group = (group << 6 | (uint32_t)digit) & 0xfff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			bytes[count++] = (uint8_t)(group >> bits);
		}
	}
	return bits < 6 && !(group & ((1u << bits) - 1)) ? count : 0;
}

enum un_err
token_issue(const struct token_mint *mint, const struct token_facts *facts,
            struct secbuf **ret_text)
{
	uint8_t bytes[TOKEN_BYTES_MAX], mac[HASH_LEN];
	size_t name_len = strlen(facts->name), len = AT_NAME + name_len;
	struct secbuf *text = NULL;
	enum un_err err = name_check_api_key(facts->name, NULL);

	if (!err)
		err = secbuf_new(((len + TOKEN_MAC_LEN) * 4 + 2) / 3, &text);
	if (err)
		return err;
	bytes[0] = VERSION;
	put_number(bytes + AT_EXPIRES, 8, (uint64_t)facts->expires_ms);
	put_number(bytes + AT_ID, 8, (uint64_t)facts->id);
	put_number(bytes + AT_EPOCH, 4, facts->epoch);
	random_bytes(bytes + AT_NONCE, NONCE_LEN);
	memcpy(bytes + AT_NAME, facts->name, name_len);
	mac_of(mint, bytes, len, mac);
	memcpy(bytes + len, mac, TOKEN_MAC_LEN);
	encode(bytes, len + TOKEN_MAC_LEN, secbuf_edit(text));
	explicit_bzero(bytes, sizeof bytes);
	explicit_bzero(mac, sizeof mac);
	*ret_text = text;
	return UN_OK;
}

enum un_err
token_check(const struct token_mint *mint, const char *text, size_t len, int64_t now_ms,
            struct token_facts *ret_facts)
{
	uint8_t bytes[TOKEN_BYTES_MAX], mac[HASH_LEN];
	size_t count = decode(text, len, bytes);
	bool good = false;

	if (count >= TOKEN_BYTES_MIN) {
		count -= TOKEN_MAC_LEN;
		mac_of(mint, bytes, count, mac);
		good = bytes_equal(mac, bytes + count, TOKEN_MAC_LEN) && bytes[0] == VERSION &&
		       (int64_t)get_number(bytes + AT_EXPIRES, 8) > now_ms;
	}
	if (good) {
		ret_facts->expires_ms = (int64_t)get_number(bytes + AT_EXPIRES, 8);
		ret_facts->id = (int64_t)get_number(bytes + AT_ID, 8);
		ret_facts->epoch = (uint32_t)get_number(bytes + AT_EPOCH, 4);
		memcpy(ret_facts->name, bytes + AT_NAME, count - AT_NAME);
		ret_facts->name[count - AT_NAME] = '\0';
	}
	explicit_bzero(bytes, sizeof bytes);
	explicit_bzero(mac, sizeof mac);
	return good ? UN_OK : UN_ERR_UNAUTHENTICATED;
}
