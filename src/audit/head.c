#include "audit/head.h"

#include "base/buf.h"
#include "base/pack.h"

#include <string.h>

#define HEAD_VERSION 1
#define UNSIGNED_LEN (SIGNED_HEAD_LEN - SIGNATURE_LEN)

static const char sign_purpose[] = "union audit head 1";
#define PURPOSE_LEN (sizeof sign_purpose - 1)

static uint8_t *
put(uint8_t *at, const void *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

static uint8_t *
put_u64(uint8_t *at, uint64_t number)
{
	for (int i = 0; i < 8; i++)
		at[i] = (uint8_t)(number >> (56 - 8 * i));
	return at + 8;
}

void
head_pack(const struct signed_head *head, uint8_t ret_bytes[SIGNED_HEAD_LEN])
{
	uint8_t *at = ret_bytes;

	*at++ = HEAD_VERSION;
	at = put_u64(at, head->count);
	at = put(at, head->hash, HASH_LEN);
	at = put_u64(at, (uint64_t)head->at_us);
	at = put(at, head->journal_id, JOURNAL_ID_LEN);
	at = put_u64(at, head->journal_count);
	at = put(at, head->journal_hash, HASH_LEN);
	at = put(at, head->previous, HASH_LEN);
	(void)put(at, head->signature, SIGNATURE_LEN);
}

static void
take(struct unpack *in, uint8_t *ret_bytes, size_t len)
{
	const uint8_t *bytes = unpack_fixed(in, len);

	if (bytes)
		memcpy(ret_bytes, bytes, len);
}

enum un_err
head_unpack(const uint8_t *bytes, size_t len, struct signed_head *ret_head)
{
	struct signed_head head = {0};
	struct unpack in;

	unpack_init(&in, bytes, len);
	if (unpack_u8(&in) != HEAD_VERSION)
		return UN_ERR_PROTOCOL;
	head.count = unpack_u64(&in);
	take(&in, head.hash, HASH_LEN);
	head.at_us = (int64_t)unpack_u64(&in);
	take(&in, head.journal_id, JOURNAL_ID_LEN);
	head.journal_count = unpack_u64(&in);
	take(&in, head.journal_hash, HASH_LEN);
	take(&in, head.previous, HASH_LEN);
	take(&in, head.signature, SIGNATURE_LEN);
	if (unpack_end(&in))
		return UN_ERR_PROTOCOL;
	*ret_head = head;
	return UN_OK;
}

/* The purpose, then all of the head before its signature. */
static void
signed_bytes(const struct signed_head *head, uint8_t ret_bytes[PURPOSE_LEN + SIGNED_HEAD_LEN])
{
	memcpy(ret_bytes, sign_purpose, PURPOSE_LEN);
	head_pack(head, ret_bytes + PURPOSE_LEN);
}

void
head_sign(struct signed_head *head, const struct secbuf *secret)
{
	uint8_t bytes[PURPOSE_LEN + SIGNED_HEAD_LEN];

	signed_bytes(head, bytes);
	sign_make(secret, bytes, PURPOSE_LEN + UNSIGNED_LEN, head->signature);
}

enum un_err
head_check(const struct signed_head *head, const uint8_t public_key[SIGN_PUBLIC_LEN])
{
	uint8_t bytes[PURPOSE_LEN + SIGNED_HEAD_LEN];

	signed_bytes(head, bytes);
	return sign_check(public_key, bytes, PURPOSE_LEN + UNSIGNED_LEN, head->signature);
}

void
head_hash(const struct signed_head *head, uint8_t ret_hash[HASH_LEN])
{
	uint8_t bytes[SIGNED_HEAD_LEN];
	const struct hash_part parts[] = {{sign_purpose, PURPOSE_LEN}, {bytes, sizeof bytes}};

	head_pack(head, bytes);
	hash_parts(parts, 2, ret_hash);
}
