/* remote_loader.h - TLS and name servers, loaded only by a command that needs them.
 *
 * Linking OpenSSL would cost every command a millisecond at its start; most talk to a Unix socket.
 * The module union-tls.so lies beside the program or in its lib folder. One thread. */
#ifndef UNION_REMOTE_LOADER_H
#define UNION_REMOTE_LOADER_H

#include "client/wire.h"

/* Lends what the module offers, with the files and skip_verify of `like`. */
MUST_CHECK enum un_err remote_load(const char *program_dir, const struct wire_remote *like,
                                   const struct wire_remote **ret_remote, struct un_detail *detail);

#endif
