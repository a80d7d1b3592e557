/* union.v1.SecretService: sealed writes, versions, explanations. */
#include "services/secret_service_impl.h"

#include "keeper/fingerprint.h"

#include <string.h>

#define VERSIONS_SHOWN_MAX 1000 /* the newest ones of a description */

/* --- the key to seal to --- */

struct key_question {
	struct rpc_call *call;
	struct sealing_key_wait wait;
};

static void
reply_key(void *context, const struct sealing_key *key, enum un_err err,
          const struct un_detail *detail)
{
	struct key_question *question = context;
	Union__V1__GetSealingKeyResponse reply = UNION__V1__GET_SEALING_KEY_RESPONSE__INIT;
	char fingerprint[FINGERPRINT_TEXT_MAX];

	if (err) {
		rpc_fail(question->call, err, detail);
		return;
	}
	fingerprint_format(key->public_key, fingerprint);
	reply.public_key.data = (uint8_t *)key->public_key;
	reply.public_key.len = BOX_PUBLIC_LEN;
	reply.fingerprint = fingerprint;
	rpc_reply(question->call, &reply.base);
}

static void
get_sealing_key(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	struct secret_service *service = ctx;
	struct key_question *question;

	(void)message;
	if (!caller_may(call, AUTHZ_PLANE_READ, NULL))
		return;
	question = rpc_alloc(call, sizeof *question);
	if (!question) {
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
		return;
	}
	question->call = call;
	question->wait = (struct sealing_key_wait){.done = reply_key, .context = question};
	sealing_key_get(service->keys, rpc_worker(call), &question->wait);
}

/* --- sealed writes --- */

static void
reply_written(struct rpc_call *call, const struct secret_job_result *result)
{
	Union__V1__SecretWritten reply = UNION__V1__SECRET_WRITTEN__INIT;

	reply.version = result->version;
	reply.project_is_new = result->novelty.project_is_new;
	reply.domain_is_new = result->novelty.domain_is_new;
	if (caller_sees(call, AUTHZ_SECRET_READ, NULL)) { /* they name scopes of others */
		reply.nearest_project = (char *)result->novelty.nearest_project;
		reply.nearest_domain = (char *)result->novelty.nearest_domain;
	}
	rpc_reply(call, &reply.base);
}

/* Lengths tell what can be told without a key. */
static bool
check_sealed(struct rpc_call *call, const Union__V1__SealedValue *value)
{
	if (!value) {
		rpc_failf(call, UN_ERR_INVALID, "the request has no value");
		return false;
	}
	if (value->sealed_value.len == SEALED_VALUE_OVERHEAD) {
		rpc_fail(call, UN_ERR_EMPTY_VALUE, NULL);
		return false;
	}
	if (value->sealed_value.len > SECRET_SEALED_MAX) {
		rpc_fail(call, UN_ERR_VALUE_TOO_LARGE, NULL);
		return false;
	}
	if (value->sealed_value.len < SEALED_VALUE_OVERHEAD ||
	    value->sealed_value.data[0] != ENVELOPE_VERSION ||
	    value->sealed_dek.len != TRAVEL_DEK_LEN) {
		rpc_failf(call, UN_ERR_PROTOCOL,
		          "the value is not sealed as this plane expects it");
		return false;
	}
	return true;
}

static void
write_sealed(struct rpc_call *call, const Cloudidl__Secret__SecretIdentifier *id,
             const Union__V1__SealedValue *value, struct secret_job_order order)
{
	bool create = order.kind == SECRET_JOB_CREATE;

	order.reply = reply_written;
	if (!read_secret_id(call, id, &order.id) ||
	    !caller_may(call, create ? AUTHZ_SECRET_CREATE : AUTHZ_SECRET_UPDATE,
	                &order.id.scope) ||
	    !check_sealed(call, value))
		return;
	order.sealed_value = value->sealed_value.data;
	order.sealed_value_len = value->sealed_value.len;
	order.travel_dek = value->sealed_dek.data;
	secret_job_start(call, &order);
}

static void
create_sealed_secret(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Union__V1__CreateSealedSecretRequest *request =
	        (const Union__V1__CreateSealedSecretRequest *)message;

	(void)ctx;
	if (request->type != CLOUDIDL__SECRET__SECRET_TYPE__SECRET_TYPE_GENERIC &&
	    request->type != CLOUDIDL__SECRET__SECRET_TYPE__SECRET_TYPE_IMAGE_PULL_SECRET) {
		rpc_failf(call, UN_ERR_INVALID, "unknown secret type %d", (int)request->type);
		return;
	}
	write_sealed(call, request->id, request->value,
	             (struct secret_job_order){.kind = SECRET_JOB_CREATE,
	                                       .type = (uint32_t)request->type});
}

static void
update_sealed_secret(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Union__V1__UpdateSealedSecretRequest *request =
	        (const Union__V1__UpdateSealedSecretRequest *)message;

	(void)ctx;
	write_sealed(call, request->id, request->value,
	             (struct secret_job_order){.kind = SECRET_JOB_UPDATE});
}

/* --- descriptions --- */

/* False: no memory. */
static bool
fill_description(struct rpc_call *call, const struct secret_head *head,
                 Union__V1__SecretDescription *reply)
{
	reply->id = new_secret_id(call, &head->id);
	reply->type = (Cloudidl__Secret__SecretType)head->type;
	reply->version = head->version;
	reply->created_at = new_timestamp(call, head->created_at_us);
	reply->updated_at = new_timestamp(call, head->updated_at_us);
	return reply->id && reply->created_at && reply->updated_at;
}

struct version_list {
	struct rpc_call *call;
	Union__V1__SecretDescription *reply;
	bool failed;
};

static bool
take_version(void *ctx, uint32_t version, int64_t at_us)
{
	struct version_list *list = ctx;
	Union__V1__SecretVersion *one = rpc_alloc(list->call, sizeof *one);

	if (one) {
		union__v1__secret_version__init(one);
		one->version = version;
		one->created_at = new_timestamp(list->call, at_us);
	}
	if (!one || !one->created_at) {
		list->failed = true;
		return false;
	}
	list->reply->versions[list->reply->n_versions++] = one;
	return list->reply->n_versions < VERSIONS_SHOWN_MAX;
}

static enum un_err
describe(struct rpc_call *call, const struct secret_id *id, struct store_view *view,
         Union__V1__SecretDescription *reply, struct un_detail *detail)
{
	struct version_list list = {.call = call, .reply = reply};
	struct secret_head head;
	enum un_err err = secret_get(view, id, &head, detail);
	uint32_t shown;

	if (err)
		return err;
	shown = head.version < VERSIONS_SHOWN_MAX ? head.version : VERSIONS_SHOWN_MAX;
	reply->versions = rpc_alloc(call, (shown + 1) * sizeof(void *));
	if (!reply->versions || !fill_description(call, &head, reply))
		return UN_ERR_NO_MEMORY;
	err = secret_versions(view, id, take_version, &list, detail);
	return list.failed ? UN_ERR_NO_MEMORY : err;
}

static void
describe_secret(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Union__V1__DescribeSecretRequest *request =
	        (const Union__V1__DescribeSecretRequest *)message;
	Union__V1__SecretDescription reply = UNION__V1__SECRET_DESCRIPTION__INIT;
	struct un_detail detail = {0};
	struct store_view *view;
	struct secret_id id;
	enum un_err err;

	(void)ctx;
	if (!read_secret_id(call, request->id, &id) ||
	    !caller_may(call, AUTHZ_SECRET_READ, &id.scope))
		return;
	view = begin_read(call);
	if (!view)
		return;
	err = describe(call, &id, view, &reply, &detail);
	if (err)
		secret_fail(call, &id, err, &detail);
	else
		rpc_reply(call, &reply.base);
}

static enum un_err
fill_descriptions(struct rpc_call *call, const struct head_page *page,
                  Union__V1__ListSecretDescriptionsResponse *reply)
{
	reply->secrets = rpc_alloc(call, (page->count + 1) * sizeof(void *));
	reply->token = (char *)page->cursor;
	if (!reply->secrets)
		return UN_ERR_NO_MEMORY;
	for (size_t i = 0; i < page->count; i++) {
		Union__V1__SecretDescription *one = rpc_alloc(call, sizeof *one);

		if (!one)
			return UN_ERR_NO_MEMORY;
		union__v1__secret_description__init(one);
		if (!fill_description(call, &page->heads[i], one))
			return UN_ERR_NO_MEMORY;
		reply->secrets[reply->n_secrets++] = one;
	}
	return UN_OK;
}

static void
list_secret_descriptions(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Union__V1__ListSecretDescriptionsRequest *request =
	        (const Union__V1__ListSecretDescriptionsRequest *)message;
	Union__V1__ListSecretDescriptionsResponse reply =
	        UNION__V1__LIST_SECRET_DESCRIPTIONS_RESPONSE__INIT;
	struct secret_filter filter = {.org = "", .cursor = request->token};
	struct un_detail detail = {0};
	struct caller_filter may;
	struct head_page page;
	enum un_err err = scope_init(&filter.scope, request->project, request->domain, &detail);

	(void)ctx;
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	filter.limit = request->limit ? request->limit : SECRET_LIST_PAGE;
	if (filter.limit > SECRET_LIST_PAGE_MAX)
		filter.limit = SECRET_LIST_PAGE_MAX;
	if (!caller_may_list(call, AUTHZ_SECRET_READ, &filter.scope, &may))
		return;
	filter.may = may.filter;
	if (!read_head_page(call, filter, false, &page))
		return;
	err = fill_descriptions(call, &page, &reply);
	if (err)
		rpc_fail(call, err, NULL);
	else
		rpc_reply(call, &reply.base);
}

/* --- explanation --- */

struct elsewhere {
	struct rpc_call *call;
	const struct scope *at;
	Union__V1__ExplainSecretResponse *reply;
	size_t room;
	bool failed;
};

#define ELSEWHERE_MAX 100 /* scopes outside of the cascade that are named */

static bool
take_elsewhere(void *ctx, const struct secret_head *head)
{
	struct elsewhere *list = ctx;
	Cloudidl__Secret__SecretIdentifier *id;

	if (cascade_rank(list->at, &head->id.scope) >= 0 ||
	    !caller_sees(list->call, AUTHZ_SECRET_READ, &head->id.scope))
		return true;
	id = new_secret_id(list->call, &head->id);
	if (!id) {
		list->failed = true;
		return false;
	}
	list->reply->elsewhere[list->reply->n_elsewhere++] = id;
	return list->reply->n_elsewhere < ELSEWHERE_MAX;
}

/* Of a place that the caller may not see nothing is said, nor what follows from it about wider
 * ones. */
static void
hide_places(const struct rpc_call *call, struct secret_place places[CASCADE_PLACES],
            bool hidden[CASCADE_PLACES])
{
	bool found = false, doubtful = false;

	for (size_t i = 0; i < CASCADE_PLACES; i++) {
		struct secret_place *place = &places[i];

		hidden[i] = !caller_sees(call, AUTHZ_SECRET_READ, &place->scope);
		if (hidden[i])
			*place = (struct secret_place){.scope = place->scope};
		doubtful = doubtful || hidden[i];
		place->wins = place->exists && !found && !doubtful;
		place->shadowed = place->exists && found;
		found = found || place->exists;
	}
}

static bool
fill_places(struct rpc_call *call, struct secret_place places[CASCADE_PLACES],
            Union__V1__ExplainSecretResponse *reply)
{
	bool hidden[CASCADE_PLACES];

	hide_places(call, places, hidden);
	reply->places = rpc_alloc(call, CASCADE_PLACES * sizeof(void *));
	for (size_t i = 0; reply->places && i < CASCADE_PLACES; i++) {
		Union__V1__ExplainedPlace *one = rpc_alloc(call, sizeof *one);

		if (!one)
			return false;
		union__v1__explained_place__init(one);
		one->project = rpc_strdup(call, places[i].scope.project);
		one->domain = rpc_strdup(call, places[i].scope.domain);
		one->exists = places[i].exists;
		one->wins = places[i].wins;
		one->shadowed = places[i].shadowed;
		one->version = places[i].version;
		one->hidden = hidden[i];
		if (!one->project || !one->domain)
			return false;
		reply->places[reply->n_places++] = one;
	}
	return reply->places != NULL;
}

static enum un_err
explain(struct rpc_call *call, const struct secret_id *at, struct store_view *view,
        Union__V1__ExplainSecretResponse *reply, struct un_detail *detail)
{
	struct elsewhere list = {.call = call, .at = &at->scope, .reply = reply};
	struct secret_place places[CASCADE_PLACES];
	enum un_err err = secret_explain(view, at, places, detail);

	if (err)
		return err;
	reply->elsewhere = rpc_alloc(call, ELSEWHERE_MAX * sizeof(void *));
	if (!reply->elsewhere || !fill_places(call, places, reply))
		return UN_ERR_NO_MEMORY;
	err = secret_scopes(view, "", at->name, (struct secret_visit){take_elsewhere, &list},
	                    detail);
	return list.failed ? UN_ERR_NO_MEMORY : err;
}

static void
explain_secret(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Union__V1__ExplainSecretRequest *request =
	        (const Union__V1__ExplainSecretRequest *)message;
	Union__V1__ExplainSecretResponse reply = UNION__V1__EXPLAIN_SECRET_RESPONSE__INIT;
	struct un_detail detail = {0};
	struct store_view *view;
	struct secret_id at;
	enum un_err err = secret_id_init(&at, request->project, request->domain, request->name,
	                                 &detail);

	(void)ctx;
	if (err == UN_OK) /* a task always runs in both */
		err = name_check_scope_part("project", at.scope.project, &detail);
	if (err == UN_OK)
		err = name_check_scope_part("domain", at.scope.domain, &detail);
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	if (!caller_may(call, AUTHZ_SECRET_READ, &at.scope))
		return;
	view = begin_read(call);
	if (!view)
		return;
	err = explain(call, &at, view, &reply, &detail);
	if (err)
		rpc_fail(call, err, &detail);
	else
		rpc_reply(call, &reply.base);
}

const struct rpc_method union_methods[] = {
        {.name = "GetSealingKey",
         .input = &union__v1__get_sealing_key_request__descriptor,
         .output = &union__v1__get_sealing_key_response__descriptor,
         .handler = get_sealing_key},
        {.name = "CreateSealedSecret",
         .input = &union__v1__create_sealed_secret_request__descriptor,
         .output = &union__v1__secret_written__descriptor,
         .handler = create_sealed_secret},
        {.name = "UpdateSealedSecret",
         .input = &union__v1__update_sealed_secret_request__descriptor,
         .output = &union__v1__secret_written__descriptor,
         .handler = update_sealed_secret},
        {.name = "DescribeSecret",
         .input = &union__v1__describe_secret_request__descriptor,
         .output = &union__v1__secret_description__descriptor,
         .handler = describe_secret},
        {.name = "ListSecretDescriptions",
         .input = &union__v1__list_secret_descriptions_request__descriptor,
         .output = &union__v1__list_secret_descriptions_response__descriptor,
         .handler = list_secret_descriptions},
        {.name = "ExplainSecret",
         .input = &union__v1__explain_secret_request__descriptor,
         .output = &union__v1__explain_secret_response__descriptor,
         .handler = explain_secret},
};
const size_t union_method_count = sizeof union_methods / sizeof union_methods[0];
