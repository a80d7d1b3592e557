/* secret_write.h - what `create secret` and `update secret` share. One thread. */
#ifndef UNION_SECRET_WRITE_H
#define UNION_SECRET_WRITE_H

#include "cli.h"
#include "crypto/box.h"

/* Checks the scope and the name, gets the value, seals it for the plane and sends it. */
int secret_write(struct cli *cli, bool create);

/* Asks the plane for its key and compares it with the pinned one. */
MUST_CHECK enum un_err plane_key_pinned(struct cli *cli, uint8_t ret_key[BOX_PUBLIC_LEN]);

#endif
