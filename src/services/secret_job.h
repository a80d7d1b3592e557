/* secret_job.h - one write of a secret, from the checked request to the durable record.
 *
 *   worker: choose the version ─ keeper: stored DEK for it ─ writer: compare, insert, audit ─
 * worker
 *
 * The stored DEK is bound to its version, and the version is only certain inside the write. So the
 * job takes the one that should come next, has the DEK stored for it, and the write refuses with
 * UN_ERR_CONFLICT if another update was first; then the job begins again with what is there now.
 * A job lives in its call's memory and ends the call. */
#ifndef SERVICES_SECRET_JOB_H
#define SERVICES_SECRET_JOB_H

#include "crypto/secbuf.h"
#include "envelope/envelope.h"
#include "rpc/service.h"
#include "services/plane.h"
#include "services/sealing_key.h"
#include "store/secrets.h"

enum secret_job_kind {
	SECRET_JOB_CREATE,
	SECRET_JOB_UPDATE,
	SECRET_JOB_DELETE,
};

struct secret_job;

struct secret_job_result {
	uint32_t version;
	struct scope_novelty novelty; /* of a create */
};

/* What the request says, checked by the caller. All lent until the call ends. */
struct secret_job_order {
	enum secret_job_kind kind;
	struct secret_id id;
	uint32_t type; /* of a create */
	/* Replies when the record is durable; ends the call. */
	void (*reply)(struct rpc_call *call, const struct secret_job_result *result);
	/* The value as its client sealed it ... */
	const uint8_t *sealed_value;
	size_t sealed_value_len;
	const uint8_t *travel_dek; /* TRAVEL_DEK_LEN */
	/* ... or in plain, from a client that cannot: sealed at once; the job takes it over. */
	struct secbuf *value;
	struct sealing_keys *keys; /* to seal it with */
};

/* Ends the call with an error about `id`. The hint names scopes where the name exists, too: those
 * that the caller may see. `detail` is written to. On the call's loop. */
void secret_fail(struct rpc_call *call, const struct secret_id *id, enum un_err err,
                 struct un_detail *detail);

/* Starts the write; the call ends later. Fails the call itself when it cannot. */
void secret_job_start(struct rpc_call *call, const struct secret_job_order *order);

#endif
