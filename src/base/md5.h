/* md5.h - MD5 (RFC 1321), because the upload protocol of existing clients names contents by it. It
 * finds damage and proves nothing. Any thread. */
#ifndef BASE_MD5_H
#define BASE_MD5_H

#include <stddef.h>
#include <stdint.h>

#define MD5_LEN 16

struct md5 {
	uint32_t state[4];
	uint64_t len; /* bytes so far */
	uint8_t block[64];
};

void md5_init(struct md5 *md5);
void md5_push(struct md5 *md5, const void *bytes, size_t len);
void md5_end(struct md5 *md5, uint8_t ret_digest[MD5_LEN]);

#endif
