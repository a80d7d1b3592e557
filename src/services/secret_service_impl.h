/* secret_service_impl.h - what the two files of the secret service share. */
#ifndef SERVICES_SECRET_SERVICE_IMPL_H
#define SERVICES_SECRET_SERVICE_IMPL_H

#include "proto-all.h"
#include "services/caller.h"
#include "services/plane.h"
#include "services/sealing_key.h"
#include "services/secret_job.h"
#include "services/secret_service.h"
#include "store/secrets.h"

struct secret_service {
	struct rpc_service classic, sealed;
	struct sealing_keys *keys;
};

extern const struct rpc_method classic_methods[];
extern const size_t classic_method_count;
extern const struct rpc_method union_methods[];
extern const size_t union_method_count;

/* The checked identity of a request; ends the call when it is none. One organization a plane: its
 * name is not part of the identity. */
MUST_CHECK bool read_secret_id(struct rpc_call *call,
                               const Cloudidl__Secret__SecretIdentifier *from,
                               struct secret_id *ret_id);
/* A read of this call's worker; ends the call and gives NULL when there is none to be had. */
struct store_view *begin_read(struct rpc_call *call) MUST_CHECK;

/* Messages in the call's memory; NULL: no memory, and the call has not ended. */
Google__Protobuf__Timestamp *new_timestamp(struct rpc_call *call, int64_t at_us);
Cloudidl__Secret__SecretIdentifier *new_secret_id(struct rpc_call *call,
                                                  const struct secret_id *id);

/* A page of heads, gathered in the call's memory. */
struct head_page {
	struct rpc_call *call;
	struct secret_head *heads;
	size_t count, room;
	bool hide_system; /* leave out the keys that clients keep for themselves */
	enum un_err err;
	char cursor[SECRET_CURSOR_MAX];
};
/* Fills `page` with at most `filter->limit` heads. Ends the call and returns false on failure. */
MUST_CHECK bool read_head_page(struct rpc_call *call, struct secret_filter filter, bool hide_system,
                               struct head_page *ret_page);
/* EAGER_API_KEY and SERVING_API_KEY, which existing services do not show unless asked to. */
bool is_system_secret(const char *name);

#endif
