/* backup_file.h - the bytes of a backup: a header, perhaps a sealed key ring, the database, a
 * checksum.
 *
 * Everything is written and read as a stream; docs/formats/backup.md has every byte. The checksum
 * finds damage, not forgery: who can write the file can also make its checksum. */
#ifndef STORE_BACKUP_FILE_H
#define STORE_BACKUP_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include "crypto/hash.h"

#include <stddef.h>
#include <stdint.h>

#define BACKUP_VERSION 1
#define BACKUP_PRELUDE_LEN 16
#define BACKUP_KEYRING_MAX (1u << 20)
#define BACKUP_PROGRAM_MAX 31
#define BACKUP_HEADER_MAX (BACKUP_KEYRING_MAX + 256)
#define BACKUP_CHUNK_MAX 65536
/* The most that one chunk takes, with its length in front. */
#define BACKUP_FRAME_MAX (4 + BACKUP_CHUNK_MAX)
#define BACKUP_END_LEN (4 + HASH_LEN)

struct backup_header {
	uint32_t schema; /* of the database */
	int64_t created_at_us;
	uint8_t fingerprint[HASH_LEN]; /* of the plane's public key; zeros: not known */
	char program[BACKUP_PROGRAM_MAX + 1]; /* the version that wrote it */
	const uint8_t *keyring;        /* lent; NULL: without one */
	size_t keyring_len;
};

/* Goes along with the stream: every chunk changes it. */
struct backup_sum {
	uint8_t running[HASH_LEN];
};

/* Appends prelude, header and header checksum; begins the sum. UN_ERR_TOO_LARGE. */
MUST_CHECK enum un_err backup_header_pack(const struct backup_header *header, struct buf *out,
                                          struct backup_sum *ret_sum);
/* How many bytes follow the prelude (header and checksum). UN_ERR_PROTOCOL: not a backup.
 * UN_ERR_UNSUPPORTED: a newer format. */
MUST_CHECK enum un_err backup_prelude_unpack(const uint8_t prelude[BACKUP_PRELUDE_LEN],
                                             size_t *ret_header_len);
/* `bytes` is prelude, header and checksum, and lends the key ring. UN_ERR_PROTOCOL,
 * UN_ERR_UNSUPPORTED, UN_ERR_NOT_AUTHENTIC (checksum). */
MUST_CHECK enum un_err backup_header_unpack(const uint8_t *bytes, size_t len,
                                            struct backup_header *ret_header,
                                            struct backup_sum *ret_sum);

/* Appends one chunk of 1 to BACKUP_CHUNK_MAX bytes. */
MUST_CHECK enum un_err backup_chunk_pack(struct backup_sum *sum, const uint8_t *bytes, size_t len,
                                         struct buf *out);
/* Appends the end. */
MUST_CHECK enum un_err backup_end_pack(const struct backup_sum *sum, struct buf *out);

/* Reads a backup from `fd` (at its beginning): the header, whose key ring goes into `keyring`
 * (NULL: skipped), then the database into `out_fd` (-1: only checked). UN_ERR_PROTOCOL,
 * UN_ERR_UNSUPPORTED, UN_ERR_NOT_AUTHENTIC, UN_ERR_DISK_FULL, UN_ERR_IO. ret_header->keyring is
 * NULL afterwards. */
MUST_CHECK enum un_err backup_file_read(int fd, int out_fd, struct backup_header *ret_header,
                                        struct buf *keyring, struct un_detail *detail);

#endif
