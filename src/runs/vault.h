/* vault.h - what runs need of the keeper: tickets, and the release of DEKs to a launcher.
 *
 * Answers come later, on the scheduler's thread, exactly once for a call that returned UN_OK. */
#ifndef RUNS_VAULT_H
#define RUNS_VAULT_H

#include "base/err.h"
#include "keeper/keeper.h"

/* `ticket` is the callee's to free; NULL unless UN_OK. */
typedef void vault_granted(void *ctx, enum un_err err, const struct un_detail *detail,
                           struct secbuf *ticket);
/* What was released; lent. */
struct vault_release {
	const uint8_t *deks; /* `count` delivered DEKs of DELIVERED_DEK_LEN bytes */
	size_t count;
	struct audit_journal_ref journal; /* of the first; the others follow it */
};
/* `release` is NULL unless UN_OK. */
typedef void vault_released(void *ctx, enum un_err err, const struct un_detail *detail,
                            const struct vault_release *release);

struct vault {
	MUST_CHECK enum un_err (*grant)(void *ctx, const struct ticket_grant *grant,
	                                vault_granted *done, void *done_ctx);
	MUST_CHECK enum un_err (*release)(void *ctx, const struct keeper_release *what,
	                                  vault_released *done, void *done_ctx);
	void *ctx;
};

/* The one that asks the keeper; `client` is the scheduler's. */
struct vault vault_of_keeper(struct keeper_client *client);

#endif
