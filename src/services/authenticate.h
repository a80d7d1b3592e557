/* authenticate.h - who makes a request: decided once its head is there, before its body is kept.
 *
 *   authorization: Bearer TOKEN    an API key that has logged in, whatever the connection; what is
 *                                  wrong with it is a refusal, never a way back to another identity
 *   no such header, Unix socket    the user of the process that connected, as the kernel says
 *   no such header, cleartext TCP  the owner of the other socket of this machine, if this machine
 *                                  is what the client asked for
 *   anything else                  nobody: UN_ERR_UNAUTHENTICATED
 *
 * "flyte-authorization" is read as well: older clients were told so by older servers; both at once
 * are refused. Of a call that is let in, the header's copy is wiped. On the loop of the request. */
#ifndef SERVICES_AUTHENTICATE_H
#define SERVICES_AUTHENTICATE_H

#include "authz/authz.h"
#include "rpc/service.h"
#include "rpc/web.h"

/* The hook of server_options; `ctx` is the struct login. Sets the call's principal. */
MUST_CHECK enum un_err authenticate_call(struct rpc_call *call, void *ctx,
                                         struct un_detail *detail);
/* server_options.is_welcome: a stream ends when the API key behind it is deleted. */
bool authenticate_is_welcome(const struct rpc_call *call, void *ctx);
/* The same for a route; records a refusal. */
MUST_CHECK enum un_err authenticate_web(struct web_call *call, struct principal *ret_principal,
                                        struct un_detail *detail);
/* server_options.may_measure: those who may inspect the control plane (AUTHZ_PLANE_INSPECT). */
MUST_CHECK enum un_err authenticate_metrics(struct web_call *call, void *ctx,
                                            struct un_detail *detail);

#endif
