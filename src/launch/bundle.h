/* bundle.h - unpacks a code bundle (tar.gz) into one directory, as it comes.
 *
 * The directory is fresh, ours (0700) and given by descriptor; nothing is created outside of it and
 * no link is followed or made. Files get mode 0600, or 0700 when anybody could execute them; an
 * entry that exists already is refused. What cannot be told from tar_*: a bundle that unpacks to
 * more than BUNDLE_RATIO times its size (and BUNDLE_FREE bytes) is refused too. After an error,
 * what was unpacked by then is the caller's to remove. Not thread safe. */
#ifndef LAUNCH_BUNDLE_H
#define LAUNCH_BUNDLE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define BUNDLE_RATIO 200
#define BUNDLE_FREE (16ull << 20)

struct bundle_reader;
/* `dir_fd` is lent until bundle_free. */
MUST_CHECK enum un_err bundle_new(int dir_fd, struct bundle_reader **ret_reader);
/* UN_ERR_BUNDLE_REFUSED, UN_ERR_DISK_FULL, UN_ERR_IO, UN_ERR_NO_MEMORY. */
MUST_CHECK enum un_err bundle_push(struct bundle_reader *reader, const uint8_t *bytes, size_t len,
                                   struct un_detail *detail);
/* UN_ERR_BUNDLE_REFUSED when it stopped before its end. */
MUST_CHECK enum un_err bundle_end(struct bundle_reader *reader, struct un_detail *detail);
void bundle_free(struct bundle_reader *reader);

/* All of the above for a bundle that is readable from `fd`, from its position on. */
MUST_CHECK enum un_err bundle_unpack(int fd, int dir_fd, struct un_detail *detail);

#endif
