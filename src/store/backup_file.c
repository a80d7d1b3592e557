#include "store/backup_file.h"

#include "base/alloc.h"
#include "base/io.h"
#include "base/pack.h"

#include <string.h>

static const uint8_t magic[8] = {'U', 'N', 'I', 'O', 'N', 'B', 'A', 'K'};
static const char header_purpose[] = "union backup header 1";
static const char chunk_purpose[] = "union backup chunk 1";

static void
sum_header(const uint8_t *bytes, size_t len, struct backup_sum *ret_sum)
{
	const struct hash_part parts[] = {{header_purpose, sizeof header_purpose - 1},
	                                  {bytes, len}};

	hash_parts(parts, 2, ret_sum->running);
}

static void
sum_chunk(struct backup_sum *sum, const uint8_t *bytes, size_t len)
{
	const struct hash_part parts[] = {
		{chunk_purpose, sizeof chunk_purpose - 1},
		{sum->running, HASH_LEN},
		{bytes, len},
	};
	uint8_t next[HASH_LEN];

	hash_parts(parts, 3, next);
	memcpy(sum->running, next, HASH_LEN);
}

static enum un_err
pack_body(const struct backup_header *header, struct buf *body)
{
	enum un_err err;

	err = pack_u32(body, header->schema);
	if (!err)
		err = pack_u64(body, (uint64_t)header->created_at_us);
	if (!err)
		err = buf_append(body, header->fingerprint, HASH_LEN);
	if (!err)
		err = pack_text(body, header->program);
	if (!err)
		err = pack_bytes(body, header->keyring ? header->keyring : magic,
		                 header->keyring ? header->keyring_len : 0);
	return err;
}

enum un_err
backup_header_pack(const struct backup_header *header, struct buf *out, struct backup_sum *ret_sum)
{
	struct backup_sum sum;
	struct buf body, all;
	enum un_err err;

	if (header->keyring_len > BACKUP_KEYRING_MAX)
		return UN_ERR_TOO_LARGE;
	buf_init(&body, BACKUP_HEADER_MAX, BUF_PLAIN);
	buf_init(&all, BACKUP_PRELUDE_LEN + BACKUP_HEADER_MAX, BUF_PLAIN);
	err = pack_body(header, &body);
	if (!err)
		err = buf_append(&all, magic, sizeof magic);
	if (!err)
		err = pack_u32(&all, BACKUP_VERSION);
	if (!err)
		err = pack_u32(&all, (uint32_t)body.len);
	if (!err)
		err = buf_append(&all, body.data, body.len);
	if (err)
		goto out;
	sum_header(all.data, all.len, &sum);
	err = buf_append(&all, sum.running, HASH_LEN);
	if (!err)
		err = buf_append(out, all.data, all.len);
	if (!err)
		*ret_sum = sum;
out:
	buf_fini(&all);
	buf_fini(&body);
	return err;
}

enum un_err
backup_prelude_unpack(const uint8_t prelude[BACKUP_PRELUDE_LEN], size_t *ret_header_len)
{
	const uint8_t *found;
	struct unpack in;
	uint32_t version, len;

	unpack_init(&in, prelude, BACKUP_PRELUDE_LEN);
	found = unpack_fixed(&in, sizeof magic);
	version = unpack_u32(&in);
	len = unpack_u32(&in);
	/* check-source: allow memcmp, a public file header */
	if (memcmp(found, magic, sizeof magic) != 0)
		return UN_ERR_PROTOCOL;
	if (version != BACKUP_VERSION)
		return UN_ERR_UNSUPPORTED;
	if (len > BACKUP_HEADER_MAX)
		return UN_ERR_PROTOCOL;
	*ret_header_len = (size_t)len + HASH_LEN;
	return UN_OK;
}

enum un_err
backup_header_unpack(const uint8_t *bytes, size_t len, struct backup_header *ret_header,
                     struct backup_sum *ret_sum)
{
	struct backup_header header = {0};
	const uint8_t *fingerprint;
	struct backup_sum sum;
	struct unpack in;
	size_t rest;
	enum un_err err;

	if (len < BACKUP_PRELUDE_LEN)
		return UN_ERR_PROTOCOL;
	err = backup_prelude_unpack(bytes, &rest);
	if (err)
		return err;
	if (len != BACKUP_PRELUDE_LEN + rest)
		return UN_ERR_PROTOCOL;
	sum_header(bytes, len - HASH_LEN, &sum);
	if (!bytes_equal(sum.running, bytes + len - HASH_LEN, HASH_LEN))
		return UN_ERR_NOT_AUTHENTIC;
	unpack_init(&in, bytes + BACKUP_PRELUDE_LEN, rest - HASH_LEN);
	header.schema = unpack_u32(&in);
	header.created_at_us = (int64_t)unpack_u64(&in);
	fingerprint = unpack_fixed(&in, HASH_LEN);
	unpack_text(&in, header.program, sizeof header.program);
	header.keyring = unpack_bytes(&in, BACKUP_KEYRING_MAX, &header.keyring_len);
	if (unpack_end(&in) != UN_OK)
		return UN_ERR_PROTOCOL;
	memcpy(header.fingerprint, fingerprint, HASH_LEN);
	if (header.keyring_len == 0)
		header.keyring = NULL;
	*ret_header = header;
	*ret_sum = sum;
	return UN_OK;
}

enum un_err
backup_chunk_pack(struct backup_sum *sum, const uint8_t *bytes, size_t len, struct buf *out)
{
	enum un_err err;

	if (len == 0 || len > BACKUP_CHUNK_MAX)
		return UN_ERR_TOO_LARGE;
	err = pack_bytes(out, bytes, len);
	if (!err)
		sum_chunk(sum, bytes, len);
	return err;
}

enum un_err
backup_end_pack(const struct backup_sum *sum, struct buf *out)
{
	enum un_err err = pack_u32(out, 0);

	return err ? err : buf_append(out, sum->running, HASH_LEN);
}

static enum un_err
read_header(int fd, struct buf *bytes, struct backup_header *ret_header, struct backup_sum *ret_sum)
{
	size_t rest = 0;
	enum un_err err;

	err = buf_reserve(bytes, BACKUP_PRELUDE_LEN);
	if (!err)
		err = io_read_exact(fd, bytes->data, BACKUP_PRELUDE_LEN);
	if (err)
		return err;
	buf_added(bytes, BACKUP_PRELUDE_LEN);
	err = backup_prelude_unpack(bytes->data, &rest);
	if (!err)
		err = buf_reserve(bytes, rest);
	if (!err)
		err = io_read_exact(fd, bytes->data + BACKUP_PRELUDE_LEN, rest);
	if (err)
		return err;
	buf_added(bytes, rest);
	return backup_header_unpack(bytes->data, bytes->len, ret_header, ret_sum);
}

/* One chunk into `chunk`; *ret_len 0 after the end, whose checksum was right. */
static enum un_err
read_chunk(int fd, struct backup_sum *sum, uint8_t *chunk, size_t *ret_len)
{
	uint8_t bytes[HASH_LEN];
	struct unpack in;
	enum un_err err;
	uint32_t len;

	err = io_read_exact(fd, bytes, 4);
	if (err)
		return err;
	unpack_init(&in, bytes, 4);
	len = unpack_u32(&in);
	if (len > BACKUP_CHUNK_MAX)
		return UN_ERR_PROTOCOL;
	if (len > 0) {
		err = io_read_exact(fd, chunk, len);
		if (!err)
			sum_chunk(sum, chunk, len);
	} else {
		err = io_read_exact(fd, bytes, HASH_LEN);
		if (!err && !bytes_equal(bytes, sum->running, HASH_LEN))
			err = UN_ERR_NOT_AUTHENTIC;
		if (!err && io_read_exact(fd, bytes, 1) == UN_OK)
			err = UN_ERR_PROTOCOL; /* there is more behind the end */
	}
	if (!err)
		*ret_len = len;
	return err;
}

static enum un_err
read_database(int fd, int out_fd, struct backup_sum *sum)
{
	uint8_t *chunk = mem_alloc(BACKUP_CHUNK_MAX);
	enum un_err err = UN_OK;
	size_t len = 1;

	if (!chunk)
		return UN_ERR_NO_MEMORY;
	while (!err && len) {
		err = read_chunk(fd, sum, chunk, &len);
		if (!err && len && out_fd >= 0)
			err = io_write_all(out_fd, chunk, len);
	}
	mem_wipe_free(chunk, BACKUP_CHUNK_MAX);
	return err;
}

static enum un_err
explain(enum un_err err, struct un_detail *detail)
{
	switch (err) {
	case UN_OK:
		return UN_OK;
	case UN_ERR_PROTOCOL:
		return un_fail(detail, err, "the file is not a backup, or it is cut off");
	case UN_ERR_UNSUPPORTED:
		un_hint(detail, "restore it with the version that made it, or a newer one");
		return un_fail(detail, err, "the backup has a format of a newer version");
	case UN_ERR_NOT_AUTHENTIC:
		un_hint(detail, "use another copy of it, or an older backup");
		return un_fail(detail, err, "the backup is damaged: its checksum does not fit");
	default:
		return un_fail(detail, err, "cannot read the backup: %s", un_err_text(err));
	}
}

enum un_err
backup_file_read(int fd, int out_fd, struct backup_header *ret_header, struct buf *keyring,
                 struct un_detail *detail)
{
	struct backup_header header;
	struct backup_sum sum;
	struct buf bytes;
	enum un_err err;

	buf_init(&bytes, BACKUP_PRELUDE_LEN + BACKUP_HEADER_MAX + HASH_LEN, BUF_WIPE);
	err = read_header(fd, &bytes, &header, &sum);
	if (!err)
		err = read_database(fd, out_fd, &sum);
	if (!err && keyring) {
		buf_clear(keyring);
		err = buf_append(keyring, header.keyring ? header.keyring : magic,
		                 header.keyring_len);
	}
	if (!err) {
		header.keyring = NULL;
		*ret_header = header;
	}
	buf_fini(&bytes);
	return explain(err, detail);
}
