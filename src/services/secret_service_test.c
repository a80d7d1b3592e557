/* The secret services over a real store and a real keeper; only the wire is missing. */
#include "services/secret_service.h"

#include "audit/audit.h"
#include "keeper/testing_memory.h"
#include "proto-all.h"
#include "services/testing_call.h"
#include "services/testing_plane.h"

struct fixture {
	struct plane plane;
	struct secret_service *service;
	Cloudidl__Secret__SecretIdentifier id; /* (fraud, production) db_password */
};

static void
fixture_init(struct fixture *f)
{
	plane_init(&f->plane);
	EXPECT_OK(secret_service_new(&f->service));
	cloudidl__secret__secret_identifier__init(&f->id);
	f->id.name = (char *)"db_password";
	f->id.project = (char *)"fraud";
	f->id.domain = (char *)"production";
}

static void
fixture_fini(struct fixture *f)
{
	plane_fini(&f->plane);
	secret_service_free(f->service);
}

static void
await(struct fixture *f, struct rpc_call *call)
{
	while (!call->ended)
		plane_step(&f->plane);
}

/* A whole call of the classic service; the caller looks at it and ends it. */
static void
ask(struct fixture *f, const struct rpc_service *service, const char *method,
    const ProtobufCMessage *request, struct rpc_call *call)
{
	call_init(call, f->plane.loop, &f->plane.worker);
	call_start(call, service, method, request);
	await(f, call);
}

static enum un_err
ask_classic(struct fixture *f, const char *method, const ProtobufCMessage *request,
            struct un_detail *ret_detail)
{
	struct rpc_call call;
	enum un_err err;

	ask(f, secret_service_classic(f->service), method, request, &call);
	err = call.err;
	if (ret_detail)
		*ret_detail = call.detail;
	call_fini(&call);
	return err;
}

static Cloudidl__Secret__SecretSpec
text_spec(char *value)
{
	Cloudidl__Secret__SecretSpec spec = CLOUDIDL__SECRET__SECRET_SPEC__INIT;

	spec.value_case = CLOUDIDL__SECRET__SECRET_SPEC__VALUE_STRING_VALUE;
	spec.string_value = value;
	return spec;
}

static enum un_err
create(struct fixture *f, const char *value, struct un_detail *ret_detail)
{
	Cloudidl__Secret__CreateSecretRequest request =
		CLOUDIDL__SECRET__CREATE_SECRET_REQUEST__INIT;
	char *copy = strdup(value);
	size_t len = strlen(value);
	Cloudidl__Secret__SecretSpec spec = text_spec(copy);
	enum un_err err;

	request.id = &f->id;
	request.secret_spec = &spec;
	err = ask_classic(f, "CreateSecret", &request.base, ret_detail);
	for (size_t i = 0; i < len; i++)
		EXPECT_INT(0, copy[i]); /* the request was wiped, whatever came of it */
	free(copy);
	return err;
}

static enum un_err
update(struct fixture *f, const char *value, struct un_detail *ret_detail)
{
	Cloudidl__Secret__UpdateSecretRequest request =
		CLOUDIDL__SECRET__UPDATE_SECRET_REQUEST__INIT;
	char copy[256];
	Cloudidl__Secret__SecretSpec spec = text_spec(copy);

	(void)snprintf(copy, sizeof copy, "%s", value);
	request.id = &f->id;
	request.secret_spec = &spec;
	return ask_classic(f, "UpdateSecret", &request.base, ret_detail);
}

static enum un_err delete (struct fixture *f, struct un_detail *ret_detail) {
	Cloudidl__Secret__DeleteSecretRequest request =
		CLOUDIDL__SECRET__DELETE_SECRET_REQUEST__INIT;

	request.id = &f->id;
	return ask_classic(f, "DeleteSecret", &request.base, ret_detail);
}

/* --- what a launcher would see --- */

struct taken {
	enum un_err err;
	bool answered;
	uint8_t dek[DELIVERED_DEK_LEN];
	struct secbuf *ticket;
};

static void
take(void *context, const struct keeper_answer *answer)
{
	struct taken *taken = context;

	taken->answered = true;
	taken->err = answer->err;
	taken->ticket = answer->ticket;
	if (answer->len == sizeof taken->dek)
		memcpy(taken->dek, answer->bytes, answer->len);
}

static struct taken
ask_keeper(struct fixture *f, const struct ticket_grant *grant,
           const struct keeper_release *release)
{
	struct taken taken = {0};
	struct keeper_call call = {take, &taken, 0};

	if (grant)
		EXPECT_OK(keeper_grant(f->plane.worker.keeper, grant, call));
	else
		EXPECT_OK(keeper_release(f->plane.worker.keeper, release, call));
	keeper_client_flush(f->plane.worker.keeper);
	while (!taken.answered)
		plane_step(&f->plane);
	EXPECT_OK(taken.err);
	return taken;
}

/* Resolves, releases and opens what a task in (fraud, production) gets for db_password. */
static void
task_gets(struct fixture *f, const char *value, uint32_t version)
{
	static const char *const names[] = {"db_password"};
	struct delivery to = {.version = version, .attempt = "attempt-0000001"};
	struct ticket_grant grant = {.attempt = "attempt-0000001",
	                             .org = "",
	                             .expires_us = clock_wall_us() + 60000000,
	                             .names = names,
	                             .count = 1};
	uint8_t public_key[BOX_PUBLIC_LEN];
	struct secbuf *private_key, *dek, *opened;
	struct box_receiver *launcher;
	struct secret_sealed sealed;
	struct secret_id at;
	struct keeper_row row;
	struct taken granted, released;

	EXPECT_OK(secret_id_init(&at, "fraud", "production", "db_password", NULL));
	EXPECT_OK(box_keypair(&private_key, public_key));
	grant.at = &at.scope;
	granted = ask_keeper(f, &grant, NULL);
	EXPECT_OK(store_read_begin(f->plane.worker.reader, NULL));
	EXPECT_OK(secret_resolve(store_reader_view(f->plane.worker.reader), &at, 0, &sealed, NULL));
	EXPECT_INT(version, sealed.version);
	row = (struct keeper_row){&sealed.head.id, sealed.version, sealed.stored_dek};
	EXPECT_OK(box_receiver_new(private_key, &launcher));
	{
		uint8_t *kept = malloc(sealed.sealed_value_len);
		size_t len = sealed.sealed_value_len;
		struct secret_id id = sealed.head.id;

		memcpy(kept, sealed.sealed_value, len);
		released = ask_keeper(
		        f, NULL, &(struct keeper_release){granted.ticket, public_key, &row, 1});
		to.id = &id;
		EXPECT_OK(envelope_open_delivery(launcher, &to, released.dek, DELIVERED_DEK_LEN,
		                                 &dek));
		EXPECT_OK(envelope_open_value(dek, &id, kept, len, &opened));
		free(kept);
	}
	EXPECT_INT(strlen(value), secbuf_len(opened));
	EXPECT_BYTES(value, secbuf_peek(opened), strlen(value));
	secbuf_free(opened);
	secbuf_free(dek);
	secbuf_free(private_key);
	secbuf_free(granted.ticket);
	box_receiver_free(launcher);
}

TEST(secret_service, seals_a_plain_value_that_only_a_launcher_opens_again)
{
	struct fixture f;

	fixture_init(&f);
	EXPECT_OK(create(&f, "first value", NULL));
	task_gets(&f, "first value", 1);
	EXPECT_OK(update(&f, "second value", NULL));
	task_gets(&f, "second value", 2);
	fixture_fini(&f);
}

/* --- sealed --- */

struct sealed_secret {
	uint8_t travel[TRAVEL_DEK_LEN];
	struct buf value;
	Union__V1__SealedValue message;
};

static void
seal(struct fixture *f, const char *value, struct sealed_secret *ret_sealed)
{
	Union__V1__GetSealingKeyRequest request = UNION__V1__GET_SEALING_KEY_REQUEST__INIT;
	const Union__V1__GetSealingKeyResponse *key;
	struct box_sender *sender;
	struct secbuf *dek, *plain;
	struct rpc_call call;
	struct secret_id id;

	ask(f, secret_service_union(f->service), "GetSealingKey", &request.base, &call);
	key = (const Union__V1__GetSealingKeyResponse *)call.reply;
	EXPECT_INT(39, strlen(key->fingerprint));
	EXPECT_OK(box_sender_new(key->public_key.data, &sender));
	call_fini(&call);
	EXPECT_OK(secret_id_init(&id, f->id.project, f->id.domain, f->id.name, NULL));
	EXPECT_OK(dek_new(&dek));
	EXPECT_OK(secbuf_copy(value, strlen(value), &plain));
	buf_init(&ret_sealed->value, SECRET_SEALED_MAX, BUF_PLAIN);
	EXPECT_OK(envelope_seal_value(dek, &id, plain, &ret_sealed->value));
	EXPECT_OK(envelope_seal_travel(sender, &id, dek, ret_sealed->travel));
	union__v1__sealed_value__init(&ret_sealed->message);
	ret_sealed->message.sealed_value.data = ret_sealed->value.data;
	ret_sealed->message.sealed_value.len = ret_sealed->value.len;
	ret_sealed->message.sealed_dek.data = ret_sealed->travel;
	ret_sealed->message.sealed_dek.len = TRAVEL_DEK_LEN;
	secbuf_free(plain);
	secbuf_free(dek);
	box_sender_free(sender);
}

TEST(secret_service, stores_a_sealed_value_it_cannot_open)
{
	Union__V1__CreateSealedSecretRequest request =
		UNION__V1__CREATE_SEALED_SECRET_REQUEST__INIT;
	const Union__V1__SecretWritten *written;
	struct sealed_secret sealed;
	struct rpc_call call;
	struct fixture f;

	fixture_init(&f);
	seal(&f, "sealed by its client", &sealed);
	request.id = &f.id;
	request.value = &sealed.message;
	ask(&f, secret_service_union(f.service), "CreateSealedSecret", &request.base, &call);
	EXPECT_OK(call.err);
	written = (const Union__V1__SecretWritten *)call.reply;
	EXPECT_INT(1, written->version);
	EXPECT(written->project_is_new && written->domain_is_new);
	call_fini(&call);
	task_gets(&f, "sealed by its client", 1);
	buf_fini(&sealed.value);
	fixture_fini(&f);
}

TEST(secret_service, refuses_a_value_sealed_for_another_name)
{
	Union__V1__CreateSealedSecretRequest request =
		UNION__V1__CREATE_SEALED_SECRET_REQUEST__INIT;
	struct sealed_secret sealed;
	struct rpc_call call;
	struct fixture f;

	fixture_init(&f);
	seal(&f, "sealed by its client", &sealed);
	f.id.name = (char *)"another";
	request.id = &f.id;
	request.value = &sealed.message;
	ask(&f, secret_service_union(f.service), "CreateSealedSecret", &request.base, &call);
	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, call.err);
	call_fini(&call);
	EXPECT_INT(0, plane_count_secrets(&f.plane));
	buf_fini(&sealed.value);
	fixture_fini(&f);
}

/* --- refusals --- */

TEST(secret_service, refuses_what_is_no_secret)
{
	Cloudidl__Secret__CreateSecretRequest request =
		CLOUDIDL__SECRET__CREATE_SECRET_REQUEST__INIT;
	Cloudidl__Secret__SecretSpec spec = CLOUDIDL__SECRET__SECRET_SPEC__INIT;
	struct un_detail detail;
	struct fixture f;
	uint8_t *large = calloc(1, SECRET_VALUE_MAX + 1);

	fixture_init(&f);
	EXPECT_ERR(UN_ERR_INVALID, ask_classic(&f, "CreateSecret", &request.base, &detail));
	request.id = &f.id;
	EXPECT_ERR(UN_ERR_INVALID, ask_classic(&f, "CreateSecret", &request.base, &detail));
	EXPECT(strstr(detail.message, "secret_spec.value") != NULL);
	request.secret_spec = &spec;
	EXPECT_ERR(UN_ERR_INVALID, ask_classic(&f, "CreateSecret", &request.base, &detail));
	EXPECT_ERR(UN_ERR_EMPTY_VALUE, create(&f, "", NULL));
	spec.value_case = CLOUDIDL__SECRET__SECRET_SPEC__VALUE_BINARY_VALUE;
	spec.binary_value.data = large;
	spec.binary_value.len = SECRET_VALUE_MAX + 1;
	EXPECT_ERR(UN_ERR_VALUE_TOO_LARGE, ask_classic(&f, "CreateSecret", &request.base, NULL));
	spec.binary_value.len = SECRET_VALUE_MAX;
	EXPECT_OK(ask_classic(&f, "CreateSecret", &request.base, NULL));
	spec.type = (Cloudidl__Secret__SecretType)7;
	EXPECT_ERR(UN_ERR_INVALID, ask_classic(&f, "CreateSecret", &request.base, NULL));
	f.id.name = (char *)"no/slash";
	EXPECT_ERR(UN_ERR_BAD_NAME, create(&f, "value", NULL));
	f.id.name = (char *)"name";
	f.id.domain = (char *)"UPPER";
	EXPECT_ERR(UN_ERR_BAD_SCOPE, create(&f, "value", NULL));
	EXPECT_INT(1, plane_count_secrets(&f.plane));
	free(large);
	fixture_fini(&f);
}

TEST(secret_service, tells_where_a_name_does_exist)
{
	struct un_detail detail;
	struct fixture f;

	fixture_init(&f);
	EXPECT_OK(create(&f, "value", NULL));
	EXPECT_ERR(UN_ERR_SECRET_EXISTS, create(&f, "value", NULL));
	f.id.domain = (char *)"";
	EXPECT_ERR(UN_ERR_SECRET_NOT_FOUND, update(&f, "value", &detail));
	EXPECT(strstr(detail.hint, "production") != NULL);
	EXPECT_ERR(UN_ERR_SECRET_NOT_FOUND, delete(&f, &detail));
	EXPECT(strstr(detail.hint, "production") != NULL);
	EXPECT_OK(create(&f, "for the whole project",
	                 NULL)); /* a project without a domain is a scope */
	EXPECT_OK(delete(&f, NULL));
	EXPECT_ERR(UN_ERR_SECRET_NOT_FOUND, delete(&f, NULL));
	EXPECT_INT(1, plane_count_secrets(&f.plane));
	fixture_fini(&f);
}

TEST(secret_service, serves_nobody_but_its_user)
{
	Cloudidl__Secret__GetSecretRequest request = CLOUDIDL__SECRET__GET_SECRET_REQUEST__INIT;
	struct rpc_call call;
	struct fixture f;

	fixture_init(&f);
	request.id = &f.id;
	call_init(&call, f.plane.loop, &f.plane.worker);
	call.peer.uid = geteuid() + 4711;
	call_start(&call, secret_service_classic(f.service), "GetSecret", &request.base);
	EXPECT_ERR(UN_ERR_UNAUTHENTICATED, call.err);
	call_fini(&call);
	fixture_fini(&f);
}

/* --- get and list --- */

TEST(secret_service, shows_everything_but_the_value)
{
	Cloudidl__Secret__GetSecretRequest request = CLOUDIDL__SECRET__GET_SECRET_REQUEST__INIT;
	const Cloudidl__Secret__Secret *secret;
	struct rpc_call call;
	struct fixture f;

	fixture_init(&f);
	EXPECT_OK(create(&f, "value", NULL));
	request.id = &f.id;
	ask(&f, secret_service_classic(f.service), "GetSecret", &request.base, &call);
	EXPECT_OK(call.err);
	secret = ((const Cloudidl__Secret__GetSecretResponse *)call.reply)->secret;
	EXPECT_STR("db_password", secret->id->name);
	EXPECT_STR("fraud", secret->id->project);
	EXPECT_INT(CLOUDIDL__SECRET__OVERALL_STATUS__FULLY_PRESENT,
	           secret->secret_metadata->secret_status->overall_status);
	EXPECT(secret->secret_metadata->created_time->seconds > 1700000000);
	call_fini(&call);
	fixture_fini(&f);
}

#define LISTED 45
#define PAGE 20

enum paging { BY_TOKEN, BY_MAP };

/* Pages as one of the two kinds of clients does, until its own end; the number of secrets seen. */
static unsigned
page_through(struct fixture *f, enum paging how, unsigned *ret_pages)
{
	Cloudidl__Secret__ListSecretsRequest request = CLOUDIDL__SECRET__LIST_SECRETS_REQUEST__INIT;
	Cloudidl__Secret__ListSecretsRequest__PerClusterTokensEntry entry =
	        CLOUDIDL__SECRET__LIST_SECRETS_REQUEST__PER_CLUSTER_TOKENS_ENTRY__INIT;
	Cloudidl__Secret__ListSecretsRequest__PerClusterTokensEntry *entries[] = {&entry};
	char cursor[512] = "";
	unsigned seen = 0;

	request.limit = PAGE;
	entry.key = (char *)"union";
	*ret_pages = 0;
	do {
		const Cloudidl__Secret__ListSecretsResponse *reply;
		struct rpc_call call;

		if (how == BY_TOKEN)
			request.token = cursor;
		else if (cursor[0]) {
			entry.value = cursor;
			request.per_cluster_tokens = entries;
			request.n_per_cluster_tokens = 1;
		}
		ask(f, secret_service_classic(f->service), "ListSecrets", &request.base, &call);
		EXPECT_OK(call.err);
		reply = (const Cloudidl__Secret__ListSecretsResponse *)call.reply;
		seen += (unsigned)reply->n_secrets;
		++*ret_pages;
		EXPECT_INT(reply->token[0] != '\0', reply->n_per_cluster_tokens);
		(void)snprintf(cursor, sizeof cursor, "%s",
		               how == BY_TOKEN                ? reply->token
		               : reply->n_per_cluster_tokens ? reply->per_cluster_tokens[0]->value
		                                              : "");
		call_fini(&call);
	} while (cursor[0]);
	return seen;
}

static void
create_many(struct fixture *f, unsigned count)
{
	char name[32];

	f->id.name = name;
	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(name, sizeof name, "secret-%03u", i);
		EXPECT_OK(create(f, "value", NULL));
	}
	f->id.name = (char *)"db_password";
}

TEST(secret_service, ends_the_pages_for_both_kinds_of_clients)
{
	Cloudidl__Secret__ListSecretsRequest all = CLOUDIDL__SECRET__LIST_SECRETS_REQUEST__INIT;
	struct rpc_call call;
	struct fixture f;
	unsigned pages;

	fixture_init(&f);
	create_many(&f, LISTED);
	EXPECT_INT(LISTED, page_through(&f, BY_TOKEN, &pages));
	EXPECT_INT(3, pages);
	EXPECT_INT(LISTED, page_through(&f, BY_MAP, &pages));
	EXPECT_INT(3, pages);
	ask(&f, secret_service_classic(f.service), "ListSecrets", &all.base, &call); /* limit 0 */
	EXPECT_INT(LISTED, ((const Cloudidl__Secret__ListSecretsResponse *)call.reply)->n_secrets);
	call_fini(&call);
	all.token = (char *)"not a cursor";
	EXPECT_ERR(UN_ERR_INVALID, ask_classic(&f, "ListSecrets", &all.base, NULL));
	all.token = (char *)"";
	all.limit = -1;
	EXPECT_ERR(UN_ERR_INVALID, ask_classic(&f, "ListSecrets", &all.base, NULL));
	fixture_fini(&f);
}

TEST(secret_service, keeps_the_keys_of_clients_out_of_sight)
{
	Cloudidl__Secret__GetSecretRequest request = CLOUDIDL__SECRET__GET_SECRET_REQUEST__INIT;
	struct fixture f;
	unsigned pages;

	fixture_init(&f);
	f.id.name = (char *)"EAGER_API_KEY";
	EXPECT_OK(create(&f, "value", NULL));
	request.id = &f.id;
	EXPECT_ERR(UN_ERR_SECRET_NOT_FOUND, ask_classic(&f, "GetSecret", &request.base, NULL));
	EXPECT_INT(0, page_through(&f, BY_TOKEN, &pages));
	request.include_system_secrets = true;
	EXPECT_OK(ask_classic(&f, "GetSecret", &request.base, NULL));
	fixture_fini(&f);
}

TEST(secret_service, describes_versions_and_explains_the_cascade)
{
	Union__V1__DescribeSecretRequest describe = UNION__V1__DESCRIBE_SECRET_REQUEST__INIT;
	Union__V1__ExplainSecretRequest explain = UNION__V1__EXPLAIN_SECRET_REQUEST__INIT;
	const Union__V1__SecretDescription *description;
	const Union__V1__ExplainSecretResponse *explanation;
	struct rpc_call call;
	struct fixture f;

	fixture_init(&f);
	EXPECT_OK(create(&f, "one", NULL));
	EXPECT_OK(update(&f, "two", NULL));
	describe.id = &f.id;
	ask(&f, secret_service_union(f.service), "DescribeSecret", &describe.base, &call);
	description = (const Union__V1__SecretDescription *)call.reply;
	EXPECT_INT(2, description->version);
	EXPECT_INT(2, description->n_versions);
	EXPECT_INT(2, description->versions[0]->version);
	call_fini(&call);
	f.id.project = (char *)"";
	EXPECT_OK(create(&f, "for the domain", NULL));
	f.id.project = (char *)"payments";
	EXPECT_OK(create(&f, "elsewhere", NULL));
	explain.name = (char *)"db_password";
	explain.project = (char *)"fraud";
	explain.domain = (char *)"production";
	ask(&f, secret_service_union(f.service), "ExplainSecret", &explain.base, &call);
	explanation = (const Union__V1__ExplainSecretResponse *)call.reply;
	EXPECT_INT(4, explanation->n_places);
	EXPECT(explanation->places[0]->wins && explanation->places[2]->shadowed);
	EXPECT(!explanation->places[1]->exists && !explanation->places[3]->exists);
	EXPECT_INT(1, explanation->n_elsewhere);
	EXPECT_STR("payments", explanation->elsewhere[0]->project);
	call_fini(&call);
	explain.domain = (char *)"";
	ask(&f, secret_service_union(f.service), "ExplainSecret", &explain.base, &call);
	EXPECT_ERR(UN_ERR_BAD_SCOPE, call.err);
	call_fini(&call);
	fixture_fini(&f);
}

/* --- many at once --- */

#define AT_ONCE 10

/* Starts the same update many times before any has ended. */
TEST(secret_service, gives_updates_that_race_a_version_each)
{
	Cloudidl__Secret__UpdateSecretRequest request =
		CLOUDIDL__SECRET__UPDATE_SECRET_REQUEST__INIT;
	static struct rpc_call calls[AT_ONCE];
	struct fixture f;

	fixture_init(&f);
	EXPECT_OK(create(&f, "value", NULL));
	request.id = &f.id;
	for (int i = 0; i < AT_ONCE; i++) {
		char value[] = "raced";
		Cloudidl__Secret__SecretSpec spec = text_spec(value);

		request.secret_spec = &spec;
		call_init(&calls[i], f.plane.loop, &f.plane.worker);
		call_start(&calls[i], secret_service_classic(f.service), "UpdateSecret",
		           &request.base);
	}
	for (int i = 0; i < AT_ONCE; i++) {
		await(&f, &calls[i]);
		EXPECT_OK(calls[i].err);
		call_fini(&calls[i]);
	}
	task_gets(&f, "raced", AT_ONCE + 1);
	fixture_fini(&f);
}

#define UNDER_FIRE 60

TEST(secret_service, loses_no_write_when_the_keeper_is_killed)
{
	Cloudidl__Secret__CreateSecretRequest request =
		CLOUDIDL__SECRET__CREATE_SECRET_REQUEST__INIT;
	static struct rpc_call calls[UNDER_FIRE];
	struct fixture f;
	char name[32];

	fixture_init(&f);
	EXPECT_OK(create(&f, "value", NULL)); /* the sealing key is known from here on */
	f.id.name = name;
	request.id = &f.id;
	for (unsigned i = 0; i < UNDER_FIRE; i++) {
		char value[] = "value";
		Cloudidl__Secret__SecretSpec spec = text_spec(value);

		(void)snprintf(name, sizeof name, "secret-%03u", i);
		request.secret_spec = &spec;
		call_init(&calls[i], f.plane.loop, &f.plane.worker);
		call_start(&calls[i], secret_service_classic(f.service), "CreateSecret",
		           &request.base);
		if (i % 25 == 10 && /* twice: one less than a job's tries */
		    keeper_supervisor_pid(f.plane.supervisor)) {
			keeper_client_flush(f.plane.worker.keeper);
			EXPECT_INT(0, kill(keeper_supervisor_pid(f.plane.supervisor), SIGKILL));
			plane_step(&f.plane);
		}
	}
	for (unsigned i = 0; i < UNDER_FIRE; i++) {
		await(&f, &calls[i]);
		EXPECT_OK(calls[i].err);
		call_fini(&calls[i]);
	}
	EXPECT_INT(UNDER_FIRE + 1, plane_count_secrets(&f.plane));
	EXPECT(keeper_supervisor_restarts(f.plane.supervisor) >= 1);
	fixture_fini(&f);
}

/* --- memory --- */

#define MARKED_LEN 40

/* Bytes that are in no program text: made when needed, inverted or not. */
static void
make_marked(uint8_t bytes[MARKED_LEN], uint8_t mask)
{
	for (unsigned i = 0; i < MARKED_LEN; i++)
		bytes[i] = (uint8_t)(('a' + i * i * 7 % 26) ^ mask);
}

static enum un_err
create_marked(struct fixture *f, const char *name)
{
	Cloudidl__Secret__CreateSecretRequest request =
		CLOUDIDL__SECRET__CREATE_SECRET_REQUEST__INIT;
	Cloudidl__Secret__SecretSpec spec = CLOUDIDL__SECRET__SECRET_SPEC__INIT;
	uint8_t value[MARKED_LEN];

	make_marked(value, 0);
	spec.value_case = CLOUDIDL__SECRET__SECRET_SPEC__VALUE_BINARY_VALUE;
	spec.binary_value.data = value; /* as a request's memory: wiped by the service */
	spec.binary_value.len = sizeof value;
	f->id.name = (char *)name;
	request.id = &f->id;
	request.secret_spec = &spec;
	return ask_classic(f, "CreateSecret", &request.base, NULL);
}

TEST(secret_service, leaves_no_plain_value_in_its_memory)
{
	uint8_t inverted[MARKED_LEN], *there = mem_alloc(MARKED_LEN);
	struct fixture f;

	make_marked(inverted, 0xff);
	make_marked(there, 0);
	EXPECT(find_in_memory(inverted, MARKED_LEN) >= 1); /* the search does find */
	mem_wipe_free(there, MARKED_LEN);
	fixture_init(&f);
	EXPECT_OK(create_marked(&f, "marked"));
	EXPECT_ERR(UN_ERR_SECRET_EXISTS, create_marked(&f, "marked"));
	EXPECT_ERR(UN_ERR_BAD_NAME, create_marked(&f, "no/slash"));
	EXPECT_INT(0, find_in_memory(inverted, MARKED_LEN));
	fixture_fini(&f);
}

/* --- audit --- */

static bool
count_record(void *ctx, const struct audit_record *record)
{
	EXPECT_STR("db_password", record->secret.name);
	EXPECT_STR("request-1", record->request_id);
	EXPECT(strncmp(record->principal, "uid:", 4) == 0);
	++*(unsigned *)ctx;
	return true;
}

TEST(secret_service, records_each_write_with_it_and_no_refusal_as_a_deed)
{
	struct audit_filter filter = {.limit = 100};
	struct audit_head head;
	unsigned count = 0;
	struct fixture f;
	uint64_t bad;
	uint64_t next;

	fixture_init(&f);
	EXPECT_OK(create(&f, "value", NULL));
	EXPECT_ERR(UN_ERR_SECRET_EXISTS, create(&f, "value", NULL));
	EXPECT_OK(update(&f, "value", NULL));
	EXPECT_OK(delete(&f, NULL));
	EXPECT_ERR(UN_ERR_SECRET_NOT_FOUND, delete(&f, NULL));
	EXPECT_OK(store_read_begin(f.plane.worker.reader, NULL));
	EXPECT_OK(audit_list(store_reader_view(f.plane.worker.reader), &filter, count_record,
	                     &count, &next, NULL));
	EXPECT_INT(3, count);
	EXPECT_OK(audit_verify(store_reader_view(f.plane.worker.reader), NULL, &head, &bad, NULL));
	fixture_fini(&f);
}

TESTING_PLANE_MAIN()
