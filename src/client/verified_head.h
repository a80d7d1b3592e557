/* verified_head.h - how far a control plane's audit trail had come when it was last verified here.
 *
 * The newest record binds all before it, so its number and hash tell later whether the trail was
 * taken back or written anew, even when the plane's own memory was taken back with it. One file of
 * mode 0600 an endpoint, below the user's state folder, replaced at one instant. Any thread. */
#ifndef CLIENT_VERIFIED_HEAD_H
#define CLIENT_VERIFIED_HEAD_H

#include "base/err.h"
#include "crypto/hash.h"
#include "crypto/sign.h"

#include <stdint.h>

#define VERIFIED_HEAD_PATH_MAX 4096

struct verified_head {
	uint64_t count;               /* records */
	uint8_t hash[HASH_LEN];       /* of the newest one */
	uint8_t key[SIGN_PUBLIC_LEN]; /* that its head was signed with */
	int64_t at_us;                /* of that head */
};

/* UN_ERR_NOT_FOUND: nothing was verified. UN_ERR_DAMAGED: the detail names the file. */
MUST_CHECK enum un_err verified_head_read(const char *state_dir, const char *url,
                                          struct verified_head *ret_head, struct un_detail *detail);
/* The folder is made. */
MUST_CHECK enum un_err verified_head_write(const char *state_dir, const char *url,
                                           const struct verified_head *head,
                                           struct un_detail *detail);

#endif
