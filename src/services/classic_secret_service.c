/* cloudidl.secret.SecretService: the five calls of existing clients. */
#include "services/secret_service_impl.h"

#include <stdio.h>
#include <string.h>

/* The one "cluster" under which the paging cursor is repeated: some clients read `token`, others
 * only the map, and both must end at the same page. */
#define CLUSTER_NAME "union"

/* --- create, update --- */

static void
reply_created(struct rpc_call *call, const struct secret_job_result *result)
{
	Cloudidl__Secret__CreateSecretResponse reply =
		CLOUDIDL__SECRET__CREATE_SECRET_RESPONSE__INIT;

	(void)result;
	rpc_reply(call, &reply.base);
}

static void
reply_updated(struct rpc_call *call, const struct secret_job_result *result)
{
	Cloudidl__Secret__UpdateSecretResponse reply =
		CLOUDIDL__SECRET__UPDATE_SECRET_RESPONSE__INIT;

	(void)result;
	rpc_reply(call, &reply.base);
}

static void
reply_deleted(struct rpc_call *call, const struct secret_job_result *result)
{
	Cloudidl__Secret__DeleteSecretResponse reply =
		CLOUDIDL__SECRET__DELETE_SECRET_RESPONSE__INIT;

	(void)result;
	rpc_reply(call, &reply.base);
}

/* Moves the value out of the request into locked memory, and wipes where it was. */
static enum un_err
take_value(const Cloudidl__Secret__SecretSpec *spec, struct secbuf **ret_value)
{
	void *bytes = NULL;
	size_t len = 0;
	enum un_err err;

	if (!spec || spec->value_case == CLOUDIDL__SECRET__SECRET_SPEC__VALUE__NOT_SET)
		return UN_ERR_INVALID;
	if (spec->value_case == CLOUDIDL__SECRET__SECRET_SPEC__VALUE_STRING_VALUE) {
		bytes = spec->string_value;
		len = strlen(spec->string_value);
	} else {
		bytes = spec->binary_value.data;
		len = spec->binary_value.len;
	}
	if (len == 0)
		return UN_ERR_EMPTY_VALUE;
	err = len > SECRET_VALUE_MAX ? UN_ERR_VALUE_TOO_LARGE : secbuf_copy(bytes, len, ret_value);
	explicit_bzero(bytes, len);
	return err;
}

static bool
check_type(struct rpc_call *call, const Cloudidl__Secret__SecretSpec *spec)
{
	if (!spec || spec->type == CLOUDIDL__SECRET__SECRET_TYPE__SECRET_TYPE_GENERIC ||
	    spec->type == CLOUDIDL__SECRET__SECRET_TYPE__SECRET_TYPE_IMAGE_PULL_SECRET)
		return true;
	rpc_failf(call, UN_ERR_INVALID, "unknown secret type %d", (int)spec->type);
	return false;
}

static void
write_secret(struct rpc_call *call, struct secret_service *service,
             const Cloudidl__Secret__SecretIdentifier *id,
             const Cloudidl__Secret__SecretSpec *spec, struct secret_job_order order)
{
	bool create = order.kind == SECRET_JOB_CREATE;
	enum un_err err =
		take_value(spec, &order.value); /* first: nothing may leave it lying there */

	if (!read_secret_id(call, id, &order.id) || !check_type(call, spec) ||
	    !caller_may(call, create ? AUTHZ_SECRET_CREATE : AUTHZ_SECRET_UPDATE,
	                &order.id.scope)) {
		secbuf_free(order.value);
		return;
	}
	if (err == UN_ERR_INVALID) {
		rpc_failf(call, err, "the request has no value: secret_spec.value is missing");
		return;
	}
	if (err) {
		rpc_fail(call, err, NULL);
		return;
	}
	order.type = (uint32_t)spec->type;
	order.keys = service->keys;
	secret_job_start(call, &order);
}

static void
create_secret(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Cloudidl__Secret__CreateSecretRequest *request =
	        (const Cloudidl__Secret__CreateSecretRequest *)message;

	write_secret(call, ctx, request->id, request->secret_spec,
	             (struct secret_job_order){.kind = SECRET_JOB_CREATE, .reply = reply_created});
}

static void
update_secret(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Cloudidl__Secret__UpdateSecretRequest *request =
	        (const Cloudidl__Secret__UpdateSecretRequest *)message;

	write_secret(call, ctx, request->id, request->secret_spec,
	             (struct secret_job_order){.kind = SECRET_JOB_UPDATE, .reply = reply_updated});
}

/* --- get, delete --- */

/* What clients keep for themselves is not there unless they ask for it. */
static bool
is_hidden(struct rpc_call *call, const struct secret_id *id, bool include_system)
{
	if (include_system || !is_system_secret(id->name))
		return false;
	rpc_fail(call, UN_ERR_SECRET_NOT_FOUND, NULL);
	return true;
}

static void
delete_secret(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Cloudidl__Secret__DeleteSecretRequest *request =
	        (const Cloudidl__Secret__DeleteSecretRequest *)message;
	struct secret_job_order order = {.kind = SECRET_JOB_DELETE, .reply = reply_deleted};

	(void)ctx;
	if (!read_secret_id(call, request->id, &order.id) ||
	    !caller_may(call, AUTHZ_SECRET_DELETE, &order.id.scope) ||
	    is_hidden(call, &order.id, request->include_system_secrets))
		return;
	secret_job_start(call, &order);
}

static Cloudidl__Secret__Secret *
new_secret(struct rpc_call *call, const struct secret_head *head)
{
	struct whole {
		Cloudidl__Secret__Secret secret;
		Cloudidl__Secret__SecretMetadata metadata;
		Cloudidl__Secret__SecretStatus status;
	} *whole = rpc_alloc(call, sizeof *whole);

	if (!whole)
		return NULL;
	cloudidl__secret__secret__init(&whole->secret);
	cloudidl__secret__secret_metadata__init(&whole->metadata);
	cloudidl__secret__secret_status__init(&whole->status);
	whole->secret.id = new_secret_id(call, &head->id);
	whole->secret.secret_metadata = &whole->metadata;
	whole->metadata.created_time = new_timestamp(call, head->created_at_us);
	whole->metadata.secret_status = &whole->status;
	whole->metadata.type = (Cloudidl__Secret__SecretType)head->type;
	whole->status.overall_status = CLOUDIDL__SECRET__OVERALL_STATUS__FULLY_PRESENT;
	return whole->secret.id && whole->metadata.created_time ? &whole->secret : NULL;
}

static void
get_secret(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Cloudidl__Secret__GetSecretRequest *request =
	        (const Cloudidl__Secret__GetSecretRequest *)message;
	Cloudidl__Secret__GetSecretResponse reply = CLOUDIDL__SECRET__GET_SECRET_RESPONSE__INIT;
	struct un_detail detail = {0};
	struct secret_head head;
	struct store_view *view;
	struct secret_id id;
	enum un_err err;

	(void)ctx;
	if (!read_secret_id(call, request->id, &id) ||
	    !caller_may(call, AUTHZ_SECRET_READ, &id.scope) ||
	    is_hidden(call, &id, request->include_system_secrets))
		return;
	view = begin_read(call);
	if (!view)
		return;
	err = secret_get(view, &id, &head, &detail);
	if (err == UN_OK) {
		reply.secret = new_secret(call, &head);
		if (!reply.secret)
			err = UN_ERR_NO_MEMORY;
	}
	if (err)
		secret_fail(call, &id, err, &detail);
	else
		rpc_reply(call, &reply.base);
}

/* --- list --- */

/* Either field has the cursor; in the map, whichever entry is not empty. */
static const char *
cursor_of(const Cloudidl__Secret__ListSecretsRequest *request)
{
	if (request->token[0])
		return request->token;
	for (size_t i = 0; i < request->n_per_cluster_tokens; i++)
		if (request->per_cluster_tokens[i]->value[0])
			return request->per_cluster_tokens[i]->value;
	return "";
}

/* Both fields of the answer, or neither on the last page. */
static enum un_err
set_cursor(struct rpc_call *call, const char *cursor, Cloudidl__Secret__ListSecretsResponse *reply)
{
	Cloudidl__Secret__ListSecretsResponse__PerClusterTokensEntry *entry;

	if (!cursor[0])
		return UN_OK;
	entry = rpc_alloc(call, sizeof *entry);
	reply->per_cluster_tokens = rpc_alloc(call, sizeof(void *));
	if (!entry || !reply->per_cluster_tokens)
		return UN_ERR_NO_MEMORY;
	cloudidl__secret__list_secrets_response__per_cluster_tokens_entry__init(entry);
	entry->key = rpc_strdup(call, CLUSTER_NAME);
	entry->value = rpc_strdup(call, cursor);
	reply->token = entry->value;
	reply->per_cluster_tokens[0] = entry;
	reply->n_per_cluster_tokens = 1;
	return entry->key && entry->value ? UN_OK : UN_ERR_NO_MEMORY;
}

static enum un_err
fill_secrets(struct rpc_call *call, const struct head_page *page,
             Cloudidl__Secret__ListSecretsResponse *reply)
{
	reply->secrets = rpc_alloc(call, (page->count + 1) * sizeof(void *));
	if (!reply->secrets)
		return UN_ERR_NO_MEMORY;
	for (size_t i = 0; i < page->count; i++) {
		reply->secrets[i] = new_secret(call, &page->heads[i]);
		if (!reply->secrets[i])
			return UN_ERR_NO_MEMORY;
		reply->n_secrets++;
	}
	return set_cursor(call, page->cursor, reply);
}

static void
list_secrets(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Cloudidl__Secret__ListSecretsRequest *request =
	        (const Cloudidl__Secret__ListSecretsRequest *)message;
	Cloudidl__Secret__ListSecretsResponse reply = CLOUDIDL__SECRET__LIST_SECRETS_RESPONSE__INIT;
	struct secret_filter filter = {.org = "", .cursor = cursor_of(request)};
	struct un_detail detail = {0};
	struct caller_filter may;
	struct head_page page;
	enum un_err err = scope_init(&filter.scope, request->project, request->domain, &detail);

	(void)ctx;
	if (err == UN_OK && request->limit < 0)
		err = un_fail(&detail, UN_ERR_INVALID, "the limit is negative");
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	filter.limit = (uint32_t)request->limit;
	if (filter.limit == 0 || filter.limit > SECRET_LIST_PAGE_MAX)
		filter.limit = SECRET_LIST_PAGE_MAX;
	if (!caller_may_list(call, AUTHZ_SECRET_READ, &filter.scope, &may))
		return;
	filter.may = may.filter;
	if (!read_head_page(call, filter, !request->include_system_secrets, &page))
		return;
	err = fill_secrets(call, &page, &reply);
	if (err)
		rpc_fail(call, err, NULL);
	else
		rpc_reply(call, &reply.base);
}

const struct rpc_method classic_methods[] = {
        {.name = "CreateSecret",
         .input = &cloudidl__secret__create_secret_request__descriptor,
         .output = &cloudidl__secret__create_secret_response__descriptor,
         .handler = create_secret,
         .flags = RPC_SENSITIVE},
        {.name = "UpdateSecret",
         .input = &cloudidl__secret__update_secret_request__descriptor,
         .output = &cloudidl__secret__update_secret_response__descriptor,
         .handler = update_secret,
         .flags = RPC_SENSITIVE},
        {.name = "GetSecret",
         .input = &cloudidl__secret__get_secret_request__descriptor,
         .output = &cloudidl__secret__get_secret_response__descriptor,
         .handler = get_secret},
        {.name = "DeleteSecret",
         .input = &cloudidl__secret__delete_secret_request__descriptor,
         .output = &cloudidl__secret__delete_secret_response__descriptor,
         .handler = delete_secret},
        {.name = "ListSecrets",
         .input = &cloudidl__secret__list_secrets_request__descriptor,
         .output = &cloudidl__secret__list_secrets_response__descriptor,
         .handler = list_secrets},
};
const size_t classic_method_count = sizeof classic_methods / sizeof classic_methods[0];
