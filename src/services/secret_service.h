/* secret_service.h - the secret service of existing clients, and what union.v1 adds to it.
 *
 * cloudidl.secret.SecretService (also as flyteidl2.secret.SecretService, and under any package
 * before "secret.SecretService") takes values in plain and seals them on arrival;
 * union.v1.SecretService takes them sealed. Both write through secret_job.h. No call returns a
 * value. */
#ifndef SERVICES_SECRET_SERVICE_H
#define SERVICES_SECRET_SERVICE_H

#include "rpc/service.h"

#define SECRET_LIST_PAGE 500       /* where a client gives no limit */
#define SECRET_LIST_PAGE_MAX 10000 /* the most in one answer; more come with a token */

struct secret_service;

MUST_CHECK enum un_err secret_service_new(struct secret_service **ret_service);
void secret_service_free(struct secret_service *service); /* after the server; NULL is fine */

/* To offer to a server; lent while the service lives. rpc_worker() of its calls is a plane_worker.
 */
const struct rpc_service *secret_service_classic(const struct secret_service *service);
const struct rpc_service *secret_service_union(const struct secret_service *service);

#endif
