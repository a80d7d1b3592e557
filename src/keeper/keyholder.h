/* keyholder.h - the keeper without its loop: the ring it holds, and one answer to one request.
 *
 * It sees DEKs, never values. Everything it does is decided here from the request and the ring: the
 * process around it (process.c) only moves bytes. Not thread safe. */
#ifndef KEEPER_KEYHOLDER_H
#define KEEPER_KEYHOLDER_H

#include "base/buf.h"
#include "base/err.h"
#include "crypto/secbuf.h"
#include "keeper/wire.h"

#include <stdbool.h>

/* The most bytes an answer can have: `out` of keyholder_answer has room for them. */
#define KEYHOLDER_ANSWER_MAX (32 * 1024)
/* The most that a refusal for want of a record has. */
#define KEYHOLDER_REFUSAL_MAX 512

struct keyholder;

struct keyholder_options {
	int dir_fd;                      /* of the keys; stays open and belongs to the caller */
	const char *provider;            /* of a new ring; must agree with an old one */
	bool may_create;                 /* else a missing ring is UN_ERR_NOT_FOUND */
	const struct secbuf *passphrase; /* NULL: wait for unlock where one is needed */
};

/* Loads or makes the ring, or starts sealed. UN_ERR_NOT_AUTHENTIC (damaged), UN_ERR_NOT_FOUND,
 * UN_ERR_DENIED (open to others), UN_ERR_WRONG_PASSPHRASE, UN_ERR_BAD_CONFIG. */
MUST_CHECK enum un_err keyholder_new(const struct keyholder_options *options,
                                     struct un_detail *detail, struct keyholder **ret_holder);
void keyholder_free(struct keyholder *holder); /* wipes; NULL is fine */

/* For info: how well the process is confined. */
void keyholder_set_landlocked(struct keyholder *holder, bool landlocked);

/* Appends the answer. Fails only when `out` is too small. *ret_held: it releases secrets, and must
 * not leave before keyholder_commit has returned UN_OK; else a refusal takes its place. */
MUST_CHECK enum un_err keyholder_answer(struct keyholder *holder,
                                        const struct wire_request *request, struct buf *out,
                                        bool *ret_held);
/* Makes durable what the answers since the last one release: one sync for all of them. On failure
 * none of them may leave. */
MUST_CHECK enum un_err keyholder_commit(struct keyholder *holder, struct un_detail *detail);

#endif
