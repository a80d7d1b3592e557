/* known_planes.h - the public keys that control planes had when they were first used.
 *
 * Values are sealed for such a key. One line a plane, "URL HEXKEY", in a file of mode 0600 that is
 * replaced at one instant. A key that changes without the person saying so is refused: somebody may
 * stand between, asking for values sealed to them. Any thread; two processes that pin the same
 * plane at once write the same line. */
#ifndef CLIENT_KNOWN_PLANES_H
#define CLIENT_KNOWN_PLANES_H

#include "base/err.h"
#include "crypto/box.h"

#include <stdint.h>

#define KNOWN_PLANES_FILE_MAX (1u << 20)

/* Pins `key` for `url` in the file `path` if it has none yet; the folder is made.
 * UN_ERR_PLANE_KEY_CHANGED: another one is pinned, and the hint says what to do. */
MUST_CHECK enum un_err known_planes_check(const char *path, const char *url,
                                          const uint8_t key[BOX_PUBLIC_LEN],
                                          struct un_detail *detail);
/* Pins `key` for `url`, whatever was there. */
MUST_CHECK enum un_err known_planes_pin(const char *path, const char *url,
                                        const uint8_t key[BOX_PUBLIC_LEN],
                                        struct un_detail *detail);

#endif
