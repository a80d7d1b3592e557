#include "authz/token.h"

#include "base/alloc.h"
#include "crypto/base64.h"
#include "crypto/hash.h"

#include <string.h>

#define VERSION 1
#define AT_EXPIRES 1
#define AT_ID 9
#define AT_EPOCH 17
#define AT_NONCE 25
#define AT_MAC 32
#define BYTES_LEN (TOKEN_LEN / 4 * 3)
#define NONCE_LEN 7
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
put_u64(uint8_t out[8], uint64_t number)
{
	for (unsigned i = 8; i--; number >>= 8)
		out[i] = (uint8_t)number;
}

static uint64_t
get_u64(const uint8_t in[8])
{
	uint64_t number = 0;

	for (unsigned i = 0; i < 8; i++)
		number = number << 8 | in[i];
	return number;
}

static void
mac_of(const struct token_mint *mint, const uint8_t bytes[AT_MAC], uint8_t mac[HASH_LEN])
{
	const struct hash_part parts[] = {{"union token 1", 13}, {bytes, AT_MAC}};

	hash_mac(mint->key, parts, 2, mac);
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
	put_u64(bytes + AT_EXPIRES, (uint64_t)facts->expires_ms);
	put_u64(bytes + AT_ID, (uint64_t)facts->id);
	put_u64(bytes + AT_EPOCH, facts->epoch);
	random_bytes(bytes + AT_NONCE, NONCE_LEN);
	mac_of(mint, bytes, mac);
	memcpy(bytes + AT_MAC, mac, MAC_LEN);
	base64_encode(bytes, sizeof bytes, BASE64_URL, secbuf_edit(text));
	explicit_bzero(bytes, sizeof bytes);
	explicit_bzero(mac, sizeof mac);
	*ret_text = text;
	return UN_OK;
}

enum un_err
token_check(const struct token_mint *mint, const char *text, size_t len, int64_t now_ms,
            struct token_facts *ret_facts)
{
	uint8_t bytes[BYTES_LEN + 2], mac[HASH_LEN];
	bool good = len == TOKEN_LEN && base64_decode(text, len, BASE64_URL, bytes, &len) == UN_OK;

	if (good) {
		mac_of(mint, bytes, mac);
		good = bytes_equal(mac, bytes + AT_MAC, MAC_LEN) && bytes[0] == VERSION &&
		       (int64_t)get_u64(bytes + AT_EXPIRES) > now_ms;
		explicit_bzero(mac, sizeof mac);
	}
	if (good) {
		ret_facts->expires_ms = (int64_t)get_u64(bytes + AT_EXPIRES);
		ret_facts->id = (int64_t)get_u64(bytes + AT_ID);
		ret_facts->epoch = get_u64(bytes + AT_EPOCH);
	}
	explicit_bzero(bytes, sizeof bytes);
	return good ? UN_OK : UN_ERR_UNAUTHENTICATED;
}
