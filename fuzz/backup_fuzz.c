/* Reads foreign bytes as a backup file. What is read must pack to the same bytes again. */
#include "base/io.h"
#include "store/backup_file.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void
read_whole(const uint8_t *bytes, size_t len)
{
	int fd = memfd_create("backup", MFD_CLOEXEC);
	struct backup_header header;
	struct buf keyring;
	enum un_err err;

	assert(fd >= 0);
	buf_init(&keyring, BACKUP_KEYRING_MAX, BUF_PLAIN);
	err = io_write_all(fd, bytes, len);
	assert(err == UN_OK && lseek(fd, 0, SEEK_SET) == 0);
	err = backup_file_read(fd, -1, &header, &keyring, NULL);
	assert(err == UN_OK || err == UN_ERR_PROTOCOL || err == UN_ERR_UNSUPPORTED
	       || err == UN_ERR_NOT_AUTHENTIC);
	buf_fini(&keyring);
	io_close(&fd);
}

/* The same with a right checksum, so that the fields behind it are reached. */
static void
read_header(const uint8_t *bytes, size_t len)
{
	struct backup_header header = {0}, found;
	struct backup_sum sum, again;
	struct buf packed;
	enum un_err err;

	header.schema = (uint32_t)len;
	header.keyring = bytes;
	header.keyring_len = len;
	memcpy(header.program, "0.1.0", 6);
	buf_init(&packed, BACKUP_HEADER_MAX + BACKUP_PRELUDE_LEN + HASH_LEN, BUF_PLAIN);
	err = backup_header_pack(&header, &packed, &sum);
	if (len <= BACKUP_KEYRING_MAX) {
		assert(err == UN_OK);
		err = backup_header_unpack(packed.data, packed.len, &found, &again);
		assert(err == UN_OK && found.keyring_len == len && found.schema == (uint32_t)len);
		assert(len == 0 || memcmp(found.keyring, bytes, len) == 0);
	}
	buf_fini(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct backup_header header;
	struct backup_sum sum;

	(void)!backup_header_unpack(bytes, len, &header, &sum);
	read_whole(bytes, len);
	read_header(bytes, len);
	return 0;
}
