/* Grants over a real store, and what those who have them see of secrets; only the wire is missing.
 */
#include "services/access_service.h"

#include "audit/audit.h"
#include "proto-all.h"
#include "services/access_view.h"
#include "services/secret_service.h"
#include "services/testing_call.h"
#include "services/testing_plane.h"
#include "store/access.h"

struct fixture {
	struct plane plane;
	struct secret_service *secrets;
	struct principal as; /* who asks; all zero: the local user */
	bool is_key;
	struct rpc_call call; /* the last one, not yet ended */
	bool has_call;
};

static enum un_err
insert_key(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct api_key_row *row = ctx;

	return api_key_insert(txn, row, &row->id, detail);
}

static void
add_key(struct fixture *f, const char *name)
{
	struct api_key_row row = {.created_us = 1};

	(void)snprintf(row.name, sizeof row.name, "%s", name);
	EXPECT_OK(store_write_wait(f->plane.store, insert_key, &row, NULL));
	EXPECT_OK(directory_refresh(f->plane.access, f->plane.worker.reader, NULL));
}

static void
forget_call(struct fixture *f)
{
	if (f->has_call)
		call_fini(&f->call);
	f->has_call = false;
}

static void
fixture_init(struct fixture *f)
{
	*f = (struct fixture){.is_key = false};
	plane_init(&f->plane);
	EXPECT_OK(secret_service_new(&f->secrets));
	add_key(f, "ci");
	add_key(f, "boss");
}

static void
fixture_fini(struct fixture *f)
{
	forget_call(f);
	plane_fini(&f->plane);
	secret_service_free(f->secrets);
}

/* NULL: the local user. */
static void
become(struct fixture *f, const char *name)
{
	f->is_key = name != NULL;
	if (name)
		principal_of_key(name, 0, &f->as);
}

/* The reply, lent until the next call; NULL: it failed. */
static const void *
ask(struct fixture *f, const struct rpc_service *service, const char *method,
    const ProtobufCMessage *request)
{
	forget_call(f);
	call_init(&f->call, f->plane.loop, &f->plane.worker);
	f->has_call = true;
	if (f->is_key)
		f->call.principal = &f->as;
	call_start(&f->call, service, method, request);
	while (!f->call.ended)
		plane_step(&f->plane);
	return f->call.reply;
}

static enum un_err
grant(struct fixture *f, const char *principal, const char *role, const char *project,
      const char *domain)
{
	Union__V1__CreateGrantRequest request = UNION__V1__CREATE_GRANT_REQUEST__INIT;

	request.principal = (char *)principal;
	request.role = (char *)role;
	request.project = (char *)project;
	request.domain = (char *)domain;
	(void)ask(f, &access_service, "CreateGrant", &request.base);
	return f->call.err;
}

static enum un_err
take_back(struct fixture *f, const char *principal, const char *role, const char *project,
          const char *domain)
{
	Union__V1__DeleteGrantRequest request = UNION__V1__DELETE_GRANT_REQUEST__INIT;

	request.principal = (char *)principal;
	request.role = (char *)role;
	request.project = (char *)project;
	request.domain = (char *)domain;
	(void)ask(f, &access_service, "DeleteGrant", &request.base);
	return f->call.err;
}

/* All pages: "principal role project/domain, ..."; the slug of the error where it fails. */
static const char *
grants(struct fixture *f, const char *principal, const char *project, uint32_t limit)
{
	static char text[1024], token[512];
	Union__V1__ListGrantsRequest request = UNION__V1__LIST_GRANTS_REQUEST__INIT;
	const Union__V1__ListGrantsResponse *reply;

	request.principal = (char *)principal;
	request.project = (char *)project;
	request.limit = limit;
	request.token = token;
	text[0] = token[0] = '\0';
	do {
		reply = ask(f, &access_service, "ListGrants", &request.base);
		if (!reply)
			return un_err_slug(f->call.err);
		EXPECT(!reply->token[0] || reply->n_grants == limit);
		for (size_t i = 0; i < reply->n_grants; i++) {
			const Union__V1__Grant *one = reply->grants[i];
			size_t used = strlen(text);

			(void)snprintf(text + used, sizeof text - used, "%s %s %s/%s, ",
			               one->principal, one->role, one->project, one->domain);
		}
		(void)snprintf(token, sizeof token, "%s", reply->token);
	} while (token[0]);
	return text;
}

static const Union__V1__ExplainAccessResponse *
explain(struct fixture *f, const char *principal, const char *action, const char *project,
        const char *domain)
{
	Union__V1__ExplainAccessRequest request = UNION__V1__EXPLAIN_ACCESS_REQUEST__INIT;

	request.principal = (char *)principal;
	request.action = (char *)action;
	request.project = (char *)project;
	request.domain = (char *)domain;
	return ask(f, &access_service, "ExplainAccess", &request.base);
}

TEST(grants, are_in_force_when_they_are_answered_and_out_of_it_when_taken_back)
{
	const Union__V1__ExplainAccessResponse *why;
	struct fixture f;

	fixture_init(&f);
	EXPECT(!explain(&f, "key:ci", "execution.create", "fraud", "prod")->allowed);
	EXPECT_OK(grant(&f, "ci", "runner", "fraud", ""));
	why = explain(&f, "key:ci", "execution.create", "fraud", "prod");
	EXPECT(why->allowed);
	EXPECT_STR("runner", why->grant->role);
	EXPECT_STR("fraud", why->grant->project);
	EXPECT_STR("", why->grant->domain);
	EXPECT(strncmp(why->grant->created_by, "uid:", 4) == 0);
	EXPECT(why->grant->created_at->seconds > 0);
	EXPECT_OK(take_back(&f, "key:ci", "runner", "fraud", ""));
	why = explain(&f, "key:ci", "execution.create", "fraud", "prod");
	EXPECT(!why->allowed);
	EXPECT_NULL(why->grant);
	EXPECT_INT(2, why->n_needed);
	EXPECT_STR("runner", why->needed[0]->role);
	EXPECT_STR("prod", why->needed[0]->domain);
	EXPECT_STR("admin", why->needed[1]->role);
	EXPECT_ERR(UN_ERR_NOT_FOUND, take_back(&f, "key:ci", "runner", "fraud", ""));
	fixture_fini(&f);
}

TEST(grants, are_for_keys_that_exist_and_roles_that_exist)
{
	struct fixture f;

	fixture_init(&f);
	EXPECT_ERR(UN_ERR_NOT_FOUND, grant(&f, "key:nobody", "runner", "", ""));
	EXPECT_ERR(UN_ERR_INVALID, grant(&f, "uid:0", "runner", "", ""));
	EXPECT_ERR(UN_ERR_INVALID, grant(&f, "", "runner", "", ""));
	EXPECT_ERR(UN_ERR_INVALID, grant(&f, "ci", "boss", "", ""));
	EXPECT(strstr(f.call.detail.hint, "secret-writer") != NULL);
	EXPECT_ERR(UN_ERR_BAD_SCOPE, grant(&f, "ci", "runner", "No", ""));
	EXPECT_OK(grant(&f, "ci", "runner", "", ""));
	EXPECT_ERR(UN_ERR_EXISTS, grant(&f, "key:ci", "runner", "", ""));
	fixture_fini(&f);
}

TEST(grants, nobody_gives_or_takes_or_sees_what_lies_outside_of_her_scope)
{
	static const char *const outside[][2] = {
	        {"", ""}, {"", "prod"}, {"churn", ""}, {"churn", "prod"}, {"frau", ""}};
	struct fixture f;

	fixture_init(&f);
	EXPECT_OK(grant(&f, "boss", "admin", "fraud", ""));
	EXPECT_OK(grant(&f, "ci", "viewer", "churn", ""));
	EXPECT_OK(grant(&f, "ci", "viewer", "", ""));
	become(&f, "boss");
	for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
		const char *project = outside[i][0], *domain = outside[i][1];

		for (int role = 0; role < AUTHZ_ROLES; role++) {
			const char *text = authz_role_text((enum authz_role)role);

			EXPECT_ERR(UN_ERR_DENIED, grant(&f, "boss", text, project, domain));
			EXPECT_ERR(UN_ERR_DENIED, grant(&f, "nobody", text, project, domain));
			EXPECT_ERR(UN_ERR_DENIED, take_back(&f, "ci", text, project, domain));
		}
		EXPECT_NULL(explain(&f, "ci", "secret.read", project, domain));
		EXPECT_ERR(UN_ERR_DENIED, f.call.err);
	}
	EXPECT_OK(grant(&f, "ci", "admin", "fraud", "prod")); /* inside */
	EXPECT_OK(grant(&f, "ci", "secret-writer", "fraud", ""));
	EXPECT_STR("key:boss admin fraud/, key:ci secret-writer fraud/, key:ci admin fraud/prod, ",
	           grants(&f, "", "", 2));
	EXPECT_STR("", grants(&f, "", "churn", 2)); /* her own there: none */
	EXPECT(explain(&f, "ci", "secret.read", "fraud", "")->allowed);
	EXPECT(explain(&f, "", "plane.read", "", "")->allowed); /* about herself */
	EXPECT(!explain(&f, "", "secret.read", "churn", "")->allowed);
	EXPECT(!explain(&f, "key:boss", "secret.read", "", "")->allowed);
	/* of a key that is not there she learns as much as of one that has nothing */
	EXPECT(!explain(&f, "key:none", "secret.read", "fraud", "")->allowed);

	become(&f, "ci"); /* a viewer of everything, and admin of one scope */
	EXPECT_ERR(UN_ERR_DENIED, grant(&f, "ci", "viewer", "fraud", ""));
	EXPECT_OK(grant(&f, "boss", "runner", "fraud", "prod"));
	EXPECT_STR("key:ci viewer /, key:ci viewer churn/, key:ci secret-writer fraud/, "
	           "key:ci admin fraud/prod, ",
	           grants(&f, "key:ci", "", 3));
	/* her own, and all in the scope that she administers */
	EXPECT_STR("key:boss runner fraud/prod, key:ci viewer /, key:ci viewer churn/, "
	           "key:ci secret-writer fraud/, key:ci admin fraud/prod, ",
	           grants(&f, "", "", 1));
	become(&f, NULL);
	EXPECT_NULL(explain(&f, "key:none", "secret.read", "fraud", ""));
	EXPECT_ERR(UN_ERR_NOT_FOUND, f.call.err);
	fixture_fini(&f);
}

TEST(grants, are_explained_with_help_for_wrong_questions)
{
	struct fixture f;

	fixture_init(&f);
	EXPECT_NULL(explain(&f, "ci", "secret.writ", "", ""));
	EXPECT_ERR(UN_ERR_INVALID, f.call.err);
	EXPECT(strstr(f.call.detail.hint, "secret.") != NULL);
	EXPECT_NULL(explain(&f, "ci", "secret.read", "NO", ""));
	EXPECT_ERR(UN_ERR_BAD_SCOPE, f.call.err);
	EXPECT(explain(&f, "uid:0", "plane.stop", "", "")->allowed);
	EXPECT(!explain(&f, "uid:54321", "plane.stop", "", "")->allowed);
	EXPECT_STR("invalid", grants(&f, "uid:0", "", 1));
	fixture_fini(&f);
}

#ifdef UN_FAULTS
TEST(grants, none_holds_while_they_cannot_be_read_and_all_do_again_soon)
{
	struct fixture f;
	long nth = 0;

	fixture_init(&f);
	EXPECT_OK(grant(&f, "ci", "viewer", "", ""));
	while (!directory_is_stale(f.plane.access)) { /* until it hits the reading of the grants */
		EXPECT(++nth < 1000);
		fault_arm(FAULT_ALLOC, nth);
		(void)!directory_refresh(f.plane.access, f.plane.worker.reader, NULL);
		fault_disarm();
	}
	become(&f, "ci");
	EXPECT(!explain(&f, "", "secret.read", "", "")->allowed);
	fault_arm(FAULT_ALLOC, nth);
	access_view_refresh(&f.plane.worker); /* fails once more, and comes back by itself */
	fault_disarm();
	EXPECT(directory_is_stale(f.plane.access));
	while (directory_is_stale(f.plane.access))
		plane_step(&f.plane);
	EXPECT(explain(&f, "", "secret.read", "", "")->allowed);
	fixture_fini(&f);
}
#endif

TEST(grants, refuses_a_page_token_that_is_not_its_own)
{
	static const char *const bad[] = {"x", "AAAA", "!!!!", "AQAAAAE=",
	                                  "AgAAAAAAAAAAAAAAAAAAAAA="};
	Union__V1__ListGrantsRequest request = UNION__V1__LIST_GRANTS_REQUEST__INIT;
	struct fixture f;

	fixture_init(&f);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		request.token = (char *)bad[i];
		EXPECT_NULL(ask(&f, &access_service, "ListGrants", &request.base));
		EXPECT_ERR(UN_ERR_INVALID, f.call.err);
	}
	fixture_fini(&f);
}

static bool
take_record(void *ctx, const struct audit_record *record)
{
	char *text = ctx;
	size_t used = strlen(text);

	if (record->action == AUDIT_GRANT_CREATE || record->action == AUDIT_GRANT_DELETE)
		(void)snprintf(text + used, 512 - used, "%s %s %s %s; ",
		               audit_action_text(record->action),
		               audit_verdict_text(record->verdict), record->subject,
		               record->secret.scope.project);
	return true;
}

TEST(grants, are_recorded_with_the_change_itself)
{
	struct audit_filter filter = {.limit = 100};
	char text[512] = "";
	struct fixture f;
	uint64_t next;

	fixture_init(&f);
	EXPECT_OK(grant(&f, "ci", "runner", "fraud", ""));
	EXPECT_ERR(UN_ERR_EXISTS, grant(&f, "ci", "runner", "fraud", ""));
	EXPECT_OK(take_back(&f, "ci", "runner", "fraud", ""));
	EXPECT_OK(store_read_begin(f.plane.worker.reader, NULL));
	EXPECT_OK(audit_list(store_reader_view(f.plane.worker.reader), &filter, take_record, text,
	                     &next, NULL));
	EXPECT_STR("grant.delete allowed runner to key:ci fraud; "
	           "grant.create allowed runner to key:ci fraud; ",
	           text);
	fixture_fini(&f);
}

/* ---- secrets ---- */

static enum un_err
create_secret(struct fixture *f, const char *project, const char *domain, const char *name)
{
	Cloudidl__Secret__CreateSecretRequest request =
		CLOUDIDL__SECRET__CREATE_SECRET_REQUEST__INIT;
	Cloudidl__Secret__SecretSpec spec = CLOUDIDL__SECRET__SECRET_SPEC__INIT;
	Cloudidl__Secret__SecretIdentifier id = CLOUDIDL__SECRET__SECRET_IDENTIFIER__INIT;
	char value[] = "value";

	id.project = (char *)project;
	id.domain = (char *)domain;
	id.name = (char *)name;
	spec.value_case = CLOUDIDL__SECRET__SECRET_SPEC__VALUE_STRING_VALUE;
	spec.string_value = value;
	request.id = &id;
	request.secret_spec = &spec;
	(void)ask(f, secret_service_classic(f->secrets), "CreateSecret", &request.base);
	return f->call.err;
}

static enum un_err
get_secret(struct fixture *f, const char *project, const char *domain, const char *name)
{
	Cloudidl__Secret__GetSecretRequest request = CLOUDIDL__SECRET__GET_SECRET_REQUEST__INIT;
	Cloudidl__Secret__SecretIdentifier id = CLOUDIDL__SECRET__SECRET_IDENTIFIER__INIT;

	id.project = (char *)project;
	id.domain = (char *)domain;
	id.name = (char *)name;
	request.id = &id;
	(void)ask(f, secret_service_classic(f->secrets), "GetSecret", &request.base);
	return f->call.err;
}

static enum un_err
delete_secret(struct fixture *f, const char *project, const char *domain, const char *name)
{
	Cloudidl__Secret__DeleteSecretRequest request =
		CLOUDIDL__SECRET__DELETE_SECRET_REQUEST__INIT;
	Cloudidl__Secret__SecretIdentifier id = CLOUDIDL__SECRET__SECRET_IDENTIFIER__INIT;

	id.project = (char *)project;
	id.domain = (char *)domain;
	id.name = (char *)name;
	request.id = &id;
	(void)ask(f, secret_service_classic(f->secrets), "DeleteSecret", &request.base);
	return f->call.err;
}

/* All pages of both services, which agree: "project/domain/name ...". */
static const char *
secrets(struct fixture *f, const char *project, const char *domain, int limit)
{
	static char text[1024], sealed[1024], token[512];
	Cloudidl__Secret__ListSecretsRequest request = CLOUDIDL__SECRET__LIST_SECRETS_REQUEST__INIT;
	Union__V1__ListSecretDescriptionsRequest other =
		UNION__V1__LIST_SECRET_DESCRIPTIONS_REQUEST__INIT;
	const Cloudidl__Secret__ListSecretsResponse *reply;
	const Union__V1__ListSecretDescriptionsResponse *described;

	request.project = other.project = (char *)project;
	request.domain = other.domain = (char *)domain;
	request.limit = limit;
	other.limit = (uint32_t)limit;
	request.token = other.token = token;
	text[0] = sealed[0] = token[0] = '\0';
	do {
		reply = ask(f, secret_service_classic(f->secrets), "ListSecrets", &request.base);
		if (!reply)
			return un_err_slug(f->call.err);
		EXPECT(!reply->token[0] || reply->n_secrets == (size_t)limit);
		for (size_t i = 0; i < reply->n_secrets; i++) {
			const Cloudidl__Secret__SecretIdentifier *id = reply->secrets[i]->id;
			size_t used = strlen(text);

			(void)snprintf(text + used, sizeof text - used, "%s/%s/%s ", id->project,
			               id->domain, id->name);
		}
		(void)snprintf(token, sizeof token, "%s", reply->token);
	} while (token[0]);
	do {
		described = ask(f, secret_service_union(f->secrets), "ListSecretDescriptions",
		                &other.base);
		EXPECT(described != NULL);
		for (size_t i = 0; i < described->n_secrets; i++) {
			const Cloudidl__Secret__SecretIdentifier *id = described->secrets[i]->id;
			size_t used = strlen(sealed);

			(void)snprintf(sealed + used, sizeof sealed - used, "%s/%s/%s ",
			               id->project, id->domain, id->name);
		}
		(void)snprintf(token, sizeof token, "%s", described->token);
	} while (token[0]);
	EXPECT_STR(text, sealed);
	return text;
}

static void
fill(struct fixture *f)
{
	EXPECT_OK(create_secret(f, "", "", "db"));
	EXPECT_OK(create_secret(f, "", "prod", "db"));
	EXPECT_OK(create_secret(f, "churn", "prod", "db"));
	EXPECT_OK(create_secret(f, "fraud", "", "db"));
	EXPECT_OK(create_secret(f, "fraud", "prod", "db"));
	EXPECT_OK(create_secret(f, "fraud", "test", "only"));
}

TEST(grants, lists_and_hints_name_no_secret_outside_of_them)
{
	struct fixture f;

	fixture_init(&f);
	fill(&f);
	EXPECT_OK(grant(&f, "ci", "secret-writer", "fraud", ""));
	become(&f, "ci");
	for (int limit = 1; limit < 5; limit++) {
		EXPECT_STR("fraud//db fraud/prod/db fraud/test/only ", secrets(&f, "", "", limit));
		EXPECT_STR("fraud/prod/db ", secrets(&f, "", "prod", limit));
		EXPECT_STR("fraud/test/only ", secrets(&f, "fraud", "test", limit));
	}
	EXPECT_STR("denied", secrets(&f, "churn", "", 1));
	EXPECT_STR("denied", secrets(&f, "churn", "prod", 1));
	EXPECT_ERR(UN_ERR_SECRET_NOT_FOUND, get_secret(&f, "fraud", "test", "db"));
	EXPECT(strstr(f.call.detail.hint, "project 'fraud', domain 'prod'") != NULL);
	EXPECT(strstr(f.call.detail.hint, "churn") == NULL);
	EXPECT(strstr(f.call.detail.hint, "organization") == NULL);
	EXPECT(strstr(f.call.detail.hint, "every project") == NULL);
	EXPECT_ERR(UN_ERR_SECRET_EXISTS, create_secret(&f, "fraud", "prod", "db"));
	EXPECT(strstr(f.call.detail.hint, "churn") == NULL);
	EXPECT(strstr(f.call.detail.hint, "organization") == NULL);
	fixture_fini(&f);
}

/* What is refused, is refused with the same words whether it is there or not. */
static void
expect_same(struct fixture *f, enum un_err (*deed)(struct fixture *f, const char *project,
                                                   const char *domain, const char *name))
{
	struct un_detail there;

	EXPECT_ERR(UN_ERR_DENIED, deed(f, "churn", "prod", "db"));
	there = f->call.detail;
	EXPECT_ERR(UN_ERR_DENIED, deed(f, "churn", "prod", "nothing"));
	EXPECT_STR(there.message, f->call.detail.message);
	EXPECT_STR(there.hint, f->call.detail.hint);
	EXPECT(strstr(there.message, "db") == NULL);
}

TEST(grants, a_refusal_is_the_same_whether_there_is_something_or_not)
{
	struct fixture f;

	fixture_init(&f);
	fill(&f);
	EXPECT_OK(grant(&f, "ci", "admin", "fraud", ""));
	become(&f, "ci");
	expect_same(&f, create_secret);
	expect_same(&f, get_secret);
	expect_same(&f, delete_secret);
	fixture_fini(&f);
}

TEST(grants, an_explanation_says_nothing_about_places_that_are_not_hers)
{
	Union__V1__ExplainSecretRequest request = UNION__V1__EXPLAIN_SECRET_REQUEST__INIT;
	const Union__V1__ExplainSecretResponse *reply;
	struct fixture f;

	fixture_init(&f);
	fill(&f);
	EXPECT_OK(grant(&f, "ci", "secret-viewer", "", "prod"));
	request.name = (char *)"db";
	request.project = (char *)"fraud";
	request.domain = (char *)"prod";
	become(&f, "ci");
	reply = ask(&f, secret_service_union(f.secrets), "ExplainSecret", &request.base);
	EXPECT_INT(4, reply->n_places);
	EXPECT(reply->places[0]->exists && reply->places[0]->wins && !reply->places[0]->hidden);
	EXPECT(reply->places[1]->hidden && !reply->places[1]->exists); /* fraud, any */
	EXPECT(!reply->places[2]->hidden && reply->places[2]->shadowed);
	EXPECT(reply->places[3]->hidden && reply->places[3]->version == 0); /* everywhere */
	EXPECT_INT(1, reply->n_elsewhere);
	EXPECT_STR("churn", reply->elsewhere[0]->project);

	become(&f, NULL);
	EXPECT_OK(delete_secret(&f, "fraud", "prod", "db"));
	become(&f, "ci");
	reply = ask(&f, secret_service_union(f.secrets), "ExplainSecret", &request.base);
	/* whether (any, prod) wins depends on a place that is not hers */
	EXPECT(reply->places[2]->exists && !reply->places[2]->wins && !reply->places[2]->shadowed);
	fixture_fini(&f);
}

TEST(grants, a_runner_reads_lists_and_changes_no_secret)
{
	struct fixture f;

	fixture_init(&f);
	fill(&f);
	EXPECT_OK(grant(&f, "ci", "runner", "", ""));
	become(&f, "ci");
	EXPECT_ERR(UN_ERR_DENIED, get_secret(&f, "fraud", "prod", "db"));
	EXPECT_ERR(UN_ERR_DENIED, create_secret(&f, "fraud", "prod", "new"));
	EXPECT_ERR(UN_ERR_DENIED, delete_secret(&f, "fraud", "prod", "db"));
	EXPECT_STR("denied", secrets(&f, "", "", 1));
	EXPECT(explain(&f, "", "execution.create", "fraud", "prod")->allowed);
	fixture_fini(&f);
}

TESTING_PLANE_MAIN()
