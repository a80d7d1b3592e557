/* remote_loader.h - TLS and name servers, loaded only by a command that needs them.
 *
 * Linking OpenSSL would cost every command a millisecond at its start; most talk to a Unix socket.
 * The module union-tls.so lies beside the program or in its lib folder. One thread. */
#ifndef UNION_REMOTE_LOADER_H
#define UNION_REMOTE_LOADER_H

#include "client/wire.h"

/* Lends what the module offers, with `ca_file` (lent, NULL: the system's authorities);
 * `skip_verify`: who the server is stays unchecked. */
MUST_CHECK enum un_err remote_load(const char *program_dir, const char *ca_file, bool skip_verify,
                                   const struct wire_remote **ret_remote, struct un_detail *detail);

#endif
