#include "audit/journal.h"

#include "base/pack.h"

#include <string.h>

#define LENGTH_LEN 2

static const char magic[] = "union release journal\n";
#define MAGIC_LEN (sizeof magic - 1)
#define JOURNAL_VERSION 1
_Static_assert(JOURNAL_HEADER_LEN == MAGIC_LEN + 1 + JOURNAL_ID_LEN, "length of the header");

static const char hash_purpose[] = "union release journal 1";

/* Of the header for an empty journal, then of the hash before and the body. */
static void
chain(const uint8_t *before, size_t before_len, const uint8_t *body, size_t len,
      uint8_t ret_hash[HASH_LEN])
{
	const struct hash_part parts[] = {
		{hash_purpose, sizeof hash_purpose - 1},
		{before, before_len},
		{body, len},
	};

	hash_parts(parts, 3, ret_hash);
}

static void
begin_at(const uint8_t header[JOURNAL_HEADER_LEN], struct journal_position *ret_position)
{
	*ret_position = (struct journal_position){.count = 0};
	memcpy(ret_position->id, header + MAGIC_LEN + 1, JOURNAL_ID_LEN);
	chain(header, JOURNAL_HEADER_LEN, NULL, 0, ret_position->hash);
}

void
journal_header_pack(const uint8_t id[JOURNAL_ID_LEN], uint8_t ret_bytes[JOURNAL_HEADER_LEN],
                    struct journal_position *ret_position)
{
	memcpy(ret_bytes, magic, MAGIC_LEN);
	ret_bytes[MAGIC_LEN] = JOURNAL_VERSION;
	memcpy(ret_bytes + MAGIC_LEN + 1, id, JOURNAL_ID_LEN);
	begin_at(ret_bytes, ret_position);
}

enum un_err
journal_header_unpack(const uint8_t *bytes, size_t len, struct journal_position *ret_position)
{
	/* check-source: allow memcmp, a public file header */
	if (len < JOURNAL_HEADER_LEN || memcmp(bytes, magic, MAGIC_LEN) != 0 ||
	    bytes[MAGIC_LEN] != JOURNAL_VERSION)
		return UN_ERR_PROTOCOL;
	begin_at(bytes, ret_position);
	return UN_OK;
}

static enum un_err
pack_body(struct buf *out, const struct journal_entry *entry)
{
	enum un_err err = pack_u64(out, entry->number);

	if (!err)
		err = pack_u64(out, (uint64_t)entry->at_us);
	if (!err)
		err = buf_append(out, entry->attempt, ATTEMPT_ID_LEN);
	if (!err)
		err = pack_text(out, entry->id.org);
	if (!err)
		err = pack_text(out, entry->id.scope.project);
	if (!err)
		err = pack_text(out, entry->id.scope.domain);
	if (!err)
		err = pack_text(out, entry->id.name);
	if (!err)
		err = pack_u32(out, entry->version);
	return err ? err : pack_u32(out, entry->generation);
}

enum un_err
journal_entry_pack(struct buf *out, struct journal_entry *entry, struct journal_position *position)
{
	size_t start = out->len, body;
	uint8_t hash[HASH_LEN];
	enum un_err err;

	entry->number = position->count + 1;
	err = pack_u16(out, 0);
	body = out->len;
	if (!err)
		err = pack_body(out, entry);
	if (!err) {
		chain(position->hash, HASH_LEN, out->data + body, out->len - body, hash);
		out->data[start] = (uint8_t)((out->len - body) >> 8);
		out->data[start + 1] = (uint8_t)(out->len - body);
		err = buf_append(out, hash, HASH_LEN);
	}
	if (err) {
		out->len = start;
		return err;
	}
	position->count++;
	memcpy(position->hash, hash, HASH_LEN);
	return UN_OK;
}

static enum un_err
unpack_body(const uint8_t *body, size_t len, struct journal_entry *ret_entry)
{
	struct journal_entry entry = {0};
	const uint8_t *attempt;
	struct unpack in;

	unpack_init(&in, body, len);
	entry.number = unpack_u64(&in);
	entry.at_us = (int64_t)unpack_u64(&in);
	attempt = unpack_fixed(&in, ATTEMPT_ID_LEN);
	unpack_text(&in, entry.id.org, sizeof entry.id.org);
	unpack_text(&in, entry.id.scope.project, sizeof entry.id.scope.project);
	unpack_text(&in, entry.id.scope.domain, sizeof entry.id.scope.domain);
	unpack_text(&in, entry.id.name, sizeof entry.id.name);
	entry.version = unpack_u32(&in);
	entry.generation = unpack_u32(&in);
	if (unpack_end(&in))
		return UN_ERR_PROTOCOL;
	memcpy(entry.attempt, attempt, ATTEMPT_ID_LEN);
	*ret_entry = entry;
	return UN_OK;
}

enum un_err
journal_entry_unpack(const uint8_t *bytes, size_t len, struct journal_position *position,
                     struct journal_entry *ret_entry, size_t *ret_len)
{
	uint8_t hash[HASH_LEN];
	enum un_err err;
	size_t body;

	*ret_len = 0;
	if (len == 0)
		return UN_OK;
	if (len < LENGTH_LEN)
		return UN_ERR_PROTOCOL;
	body = (size_t)bytes[0] << 8 | bytes[1];
	if (body == 0)
		return UN_OK;
	if (LENGTH_LEN + body + HASH_LEN > len || LENGTH_LEN + body + HASH_LEN > JOURNAL_ENTRY_MAX)
		return UN_ERR_PROTOCOL;
	chain(position->hash, HASH_LEN, bytes + LENGTH_LEN, body, hash);
	if (!bytes_equal(hash, bytes + LENGTH_LEN + body, HASH_LEN))
		return UN_ERR_NOT_AUTHENTIC;
	err = unpack_body(bytes + LENGTH_LEN, body, ret_entry);
	if (err)
		return err;
	if (ret_entry->number != position->count + 1)
		return UN_ERR_NOT_AUTHENTIC;
	position->count++;
	memcpy(position->hash, hash, HASH_LEN);
	*ret_len = LENGTH_LEN + body + HASH_LEN;
	return UN_OK;
}
