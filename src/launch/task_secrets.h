/* task_secrets.h - the values of one attempt: opened, put where the task looks, looked for in
 * output.
 *
 * Values live in secbufs; beyond them they get into the secret files, the environment block and the
 * redaction set, nowhere else. Not thread safe. */
#ifndef LAUNCH_TASK_SECRETS_H
#define LAUNCH_TASK_SECRETS_H

#include "base/buf.h"
#include "base/err.h"
#include "envelope/envelope.h"
#include "launch/environment.h"
#include "model/secret_request.h"
#include "redact/redact.h"
#include "union/v1/attempts.pb-c.h"

#include <stddef.h>

#define SECRET_NAMES_VARIABLE "UNION_SECRET_VARIABLES" /* of variables with values; with commas */

struct task_secrets {
	struct secret_request *requests;
	struct secbuf **values;
	size_t count;
	struct secret_layout layout;
	char **paths; /* texts of the variables that hold a path, lent to the environment */
	size_t path_count;
};

/* Opens what was delivered for `attempt`. UN_ERR_NOT_AUTHENTIC, UN_ERR_MOUNT_COLLISION, ... After
 * an error there is nothing to free. */
MUST_CHECK enum un_err task_secrets_open(struct task_secrets *secrets,
                                         const Union__V1__ClaimResponse *claim,
                                         struct box_receiver *receiver,
                                         const uint8_t attempt[ATTEMPT_ID_LEN],
                                         struct un_detail *detail);
void task_secrets_close(struct task_secrets *secrets); /* wipes; harmless when zeroed */

/* A compiled set of all values. `unseen` gets the names of those that are too short to be looked
 * for, parted by commas. */
MUST_CHECK enum un_err task_secrets_redaction(const struct task_secrets *secrets,
                                              struct redact_set **ret_set, struct buf *unseen);
/* Writes every secret file below dir_fd, a fresh folder in memory. */
MUST_CHECK enum un_err task_secrets_write(const struct task_secrets *secrets, int dir_fd,
                                          struct un_detail *detail);
/* Sets every variable, and the one that names those with values; `folder` is where the files are.
 * The environment lends from `secrets`. UN_ERR_NOT_FOR_ENVIRONMENT names the secret. */
MUST_CHECK enum un_err task_secrets_set(struct task_secrets *secrets, const char *folder,
                                        struct environment *environment, struct un_detail *detail);

#endif
