/* audit_key.h - the key that a control plane's audit trail is signed with, and its pin. */
#ifndef UNION_AUDIT_KEY_H
#define UNION_AUDIT_KEY_H

#include "cli.h"
#include "crypto/sign.h"

/* Asks the control plane, and pins what it says or compares it with the pin.
 * UN_ERR_PLANE_KEY_CHANGED. */
MUST_CHECK enum un_err audit_key_pinned(struct cli *cli, uint8_t ret_key[SIGN_PUBLIC_LEN]);
/* Pins it, whatever was there. */
MUST_CHECK enum un_err audit_key_pin(struct cli *cli, const uint8_t key[SIGN_PUBLIC_LEN]);
MUST_CHECK enum un_err audit_key_ask(struct cli *cli, uint8_t ret_key[SIGN_PUBLIC_LEN]);
/* Whether some control plane has this key pinned. UN_ERR_NOT_FOUND. */
MUST_CHECK enum un_err audit_key_find(struct cli *cli, const uint8_t key[SIGN_PUBLIC_LEN]);

/* Receives an export; each piece goes to `take`. */
MUST_CHECK enum un_err audit_receive(struct cli *cli,
                                     enum un_err (*take)(void *ctx, const uint8_t *bytes,
                                                         size_t len),
                                     void *ctx);

#endif
