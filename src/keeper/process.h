/* process.h - the arguments and descriptors that the supervisor and the process agree on.
 *
 *   uniond keeper SOCKETS PROVIDER [create] [passphrase]
 *   3 lifeline (SOCK_SEQPACKET): one message "ready" or the reason why not; then each message that
 *     comes is sent back, as the sign of life; its end ends the keeper
 *   4 the folder of the keys     5 the passphrase's file, if given     6... one socket a client
 *
 * The lifeline's message: u16 error (as in wire.h), text, hint. */
#ifndef KEEPER_PROCESS_H
#define KEEPER_PROCESS_H

#include "base/buf.h"
#include "base/err.h"

#define PROCESS_FD_LIFELINE 3
#define PROCESS_FD_DIR 4
#define PROCESS_FD_PASSPHRASE 5
#define PROCESS_FD_SOCKETS 6
#define PROCESS_PING_LEN 1
#define PROCESS_REPORT_MAX (2 + 2 * (4 + UN_DETAIL_MAX))

MUST_CHECK enum un_err process_report_pack(struct buf *out, enum un_err err,
                                           const struct un_detail *detail);
/* The keeper's own result; UN_ERR_PROTOCOL when it is no report. */
MUST_CHECK enum un_err process_report_unpack(const uint8_t *bytes, size_t len,
                                             enum un_err *ret_result,
                                             struct un_detail *ret_detail);

#endif
