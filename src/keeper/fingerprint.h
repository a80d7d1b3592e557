/* fingerprint.h - how a plane's public key is shown to people and pinned by clients.
 *
 * The first 16 bytes of BLAKE2b-256 over ("union plane key 1", key), as eight groups of four hex
 * digits: "3f9a-07c2-...". Pure; any thread. */
#ifndef KEEPER_FINGERPRINT_H
#define KEEPER_FINGERPRINT_H

#include "crypto/box.h"

#define FINGERPRINT_TEXT_MAX 40

void fingerprint_format(const uint8_t public_key[BOX_PUBLIC_LEN], char text[FINGERPRINT_TEXT_MAX]);

#endif
