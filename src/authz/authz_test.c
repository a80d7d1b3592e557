#include "authz/authz.h"

#include "authz/access_testing.h"
#include "authz/directory.h"

#define PLANE_UID 1000

static const uint8_t mine[ATTEMPT_ID_LEN] = "attempt-mine...",
		     other[ATTEMPT_ID_LEN] = "attempt-other..";

/* The whole table again, written down by hand, so that a cell of access.def that changes is
 * noticed: local user, execution, then admin, secret-writer, secret-viewer, runner, viewer.
 * y: yes; o: its own attempt; i: in the grant's scope; g: if granted for the whole organization;
 * a: granted at any scope; a dot: no. */
static const struct {
	enum authz_action action;
	const char *cells;
} verdicts[] = {
        {AUTHZ_SECRET_CREATE, "y.ii..."},     {AUTHZ_SECRET_UPDATE, "y.ii..."},
        {AUTHZ_SECRET_DELETE, "y.ii..."},     {AUTHZ_SECRET_READ, "y.iii.i"},
        {AUTHZ_ENTITY_REGISTER, "y.i..i."},   {AUTHZ_ENTITY_READ, "y.i..ii"},
        {AUTHZ_EXECUTION_CREATE, "y.i..i."},  {AUTHZ_EXECUTION_READ, "y.i..ii"},
        {AUTHZ_EXECUTION_ABORT, "y.i..i."},   {AUTHZ_EXECUTION_LOGS, "y.i..ii"},
        {AUTHZ_DATA_UPLOAD, "y.i..i."},       {AUTHZ_PLANE_READ, "y.aaaaa"},
        {AUTHZ_PLANE_INSPECT, "y.g...g"},     {AUTHZ_PLANE_STOP, "y.g...."},
        {AUTHZ_PLANE_BACKUP, "y.g...."},      {AUTHZ_KEYS_ROTATE, "y.g...."},
        {AUTHZ_KEYS_UNLOCK, "y.g...."},       {AUTHZ_AUDIT_READ, "y.i...."},
        {AUTHZ_APIKEY_CREATE, "y.i...."},     {AUTHZ_APIKEY_READ, "y.i...."},
        {AUTHZ_APIKEY_DELETE, "y.i...."},     {AUTHZ_GRANT_CREATE, "y.i...."},
        {AUTHZ_GRANT_READ, "y.i...."},        {AUTHZ_GRANT_DELETE, "y.i...."},
        {AUTHZ_ACCESS_EXPLAIN, "y.i...."},    {AUTHZ_ATTEMPT_WORK, ".o....."},
};

static bool
is_allowed(const struct principal *who, const struct directory_view *access,
           enum authz_action action, const struct authz_target *target)
{
	char text[AUTHZ_TEXT_MAX];
	bool allowed = authz_check(who, access, action, target, NULL) == UN_OK;

	EXPECT_INT(allowed, authz_explain(who, access, action, target, text));
	EXPECT_INT(allowed, strncmp(text, "allowed: ", 9) == 0);
	return allowed;
}

TEST(authz, decides_as_the_table_says_for_users_and_executions)
{
	struct principal user, root, nobody, unknown = {0}, execution, key;
	struct authz_target own = {.attempt = mine}, foreign = {.attempt = other};

	principal_of_uid(PLANE_UID, PLANE_UID, &user);
	principal_of_uid(0, PLANE_UID, &root);
	principal_of_uid(PLANE_UID + 1, PLANE_UID, &nobody);
	principal_of_lease(mine, "f3a7", &execution);
	principal_of_key("ci", 0, &key);
	EXPECT_INT(AUTHZ_ACTIONS, sizeof verdicts / sizeof verdicts[0]);
	for (size_t i = 0; i < AUTHZ_ACTIONS; i++) {
		enum authz_action action = verdicts[i].action;
		bool local = verdicts[i].cells[0] == 'y';

		EXPECT_INT(i, action); /* each action has its row */
		EXPECT_INT(local, is_allowed(&user, NULL, action, &own));
		EXPECT_INT(local, is_allowed(&root, NULL, action, NULL));
		EXPECT(!is_allowed(&nobody, NULL, action, &own));
		EXPECT(!is_allowed(&unknown, NULL, action, &own));
		EXPECT(!is_allowed(&key, NULL, action, &own));
		EXPECT_INT(verdicts[i].cells[1] == 'o', is_allowed(&execution, NULL, action, &own));
		EXPECT(!is_allowed(&execution, NULL, action, &foreign));
		EXPECT(!is_allowed(&execution, NULL, action, NULL));
	}
}

/* Where a role is granted, and where its holder tries; `covers` is the rule of scopes by hand. */
static const struct scope grants[] = {{"", ""}, {"fraud", ""}, {"", "prod"}, {"fraud", "prod"}};
static const struct scope targets[] = {
        {"", ""},     {"fraud", ""},     {"", "prod"},   {"fraud", "prod"}, {"churn", ""},
        {"", "test"}, {"churn", "prod"}, {"fraud", "test"}, {"churn", "test"}, {"frau", "prod"},
};
static const char *const covers[] = {
        "++++++++++",
        ".+.+...+..",
        "..++..+..+",
        "...+......",
};

TEST(authz, decides_as_the_table_says_for_every_role_grant_scope_and_action)
{
	for (int role = 0; role < AUTHZ_ROLES; role++) {
		for (size_t g = 0; g < 4; g++) {
			struct access_sample sample = {.key_count = 0};
			struct directory_view *view;
			struct principal key;

			sample_key(&sample, "other");
			sample_key(&sample, "ci");
			sample_grant(&sample, "ci", authz_role_text((enum authz_role)role),
			             grants[g].project, grants[g].domain);
			view = sample_view(&sample);
			principal_of_key("ci", 102, &key);
			for (size_t i = 0; i < AUTHZ_ACTIONS * 10; i++) {
				char cell = verdicts[i / 10].cells[2 + role];
				struct authz_target target = {.scope = &targets[i % 10]};
				bool expected = cell == 'a' ||
				                (cell == 'i' && covers[g][i % 10] == '+') ||
				                (cell == 'g' && g == 0);

				EXPECT_INT(expected, is_allowed(&key, view, verdicts[i / 10].action,
				                                &target));
				if (i % 10 == 0) /* no scope is the whole plane */
					EXPECT_INT(expected,
					           is_allowed(&key, view, verdicts[i / 10].action,
					                      NULL));
			}
			directory_view_unref(view);
		}
	}
}

TEST(authz, gives_a_key_its_own_grants_only_and_a_later_key_of_its_name_none)
{
	struct access_sample sample = {.key_count = 0};
	struct principal ci, cd, later, gone;
	struct directory_view *view;

	sample_key(&sample, "ci");
	sample_key(&sample, "cd");
	sample_grant(&sample, "ci", "admin", "", "");
	sample_grant(&sample, "gone", "admin", "", "");
	sample_grant(&sample, "cd", "emperor", "", ""); /* of a newer version */
	view = sample_view(&sample);
	principal_of_key("ci", 101, &ci);
	principal_of_key("cd", 102, &cd);
	principal_of_key("ci", 100, &later); /* the number decides, where there is one */
	principal_of_key("gone", 0, &gone);
	EXPECT(is_allowed(&ci, view, AUTHZ_PLANE_STOP, NULL));
	EXPECT(!is_allowed(&cd, view, AUTHZ_PLANE_READ, NULL));
	EXPECT(!is_allowed(&later, view, AUTHZ_PLANE_STOP, NULL));
	EXPECT(!is_allowed(&gone, view, AUTHZ_PLANE_STOP, NULL));
	directory_view_unref(view);
}

TEST(authz, tells_nobody_from_somebody_who_may_not)
{
	struct principal nobody, execution, key;

	principal_of_uid(PLANE_UID + 1, PLANE_UID, &nobody);
	principal_of_lease(mine, "f3a7", &execution);
	principal_of_key("ci", 0, &key);
	EXPECT_ERR(UN_ERR_UNAUTHENTICATED,
	           authz_check(&nobody, NULL, AUTHZ_SECRET_READ, NULL, NULL));
	EXPECT_ERR(UN_ERR_DENIED, authz_check(&execution, NULL, AUTHZ_SECRET_READ, NULL, NULL));
	EXPECT_ERR(UN_ERR_DENIED, authz_check(&key, NULL, AUTHZ_SECRET_READ, NULL, NULL));
}

TEST(authz, takes_two_principals_for_one_only_if_all_of_them_is_equal)
{
	struct principal a, b;

	memset(&a, 0xff, sizeof a); /* what lies between the members does not count */
	memset(&b, 0, sizeof b);
	principal_of_key("ci", 7, &a);
	principal_of_key("ci", 7, &b);
	EXPECT(principal_equal(&a, &b));
	principal_of_key("ci", 8, &b);
	EXPECT(!principal_equal(&a, &b));
	principal_of_key("cd", 7, &b);
	EXPECT(!principal_equal(&a, &b));
	principal_of_lease(mine, "f3a7", &a);
	principal_of_lease(other, "f3a7", &b);
	EXPECT(!principal_equal(&a, &b));
	principal_of_uid(PLANE_UID, PLANE_UID, &a);
	principal_of_uid(0, PLANE_UID, &b);
	EXPECT(!principal_equal(&a, &b));
}

TEST(authz, names_principals_and_reasons_in_words)
{
	struct access_sample sample = {.key_count = 0};
	struct principal principal;
	struct scope scope = {"fraud", "production"};
	struct authz_target target = {.scope = &scope};
	char text[PRINCIPAL_TEXT_MAX], why[AUTHZ_TEXT_MAX];
	struct directory_view *view;
	struct un_detail detail = {0};

	sample_key(&sample, "ci");
	sample_grant(&sample, "ci", "runner", "fraud", "");
	view = sample_view(&sample);
	principal_of_uid(PLANE_UID, PLANE_UID, &principal);
	principal_format(&principal, text);
	EXPECT_STR("uid:1000", text);
	EXPECT(authz_explain(&principal, view, AUTHZ_SECRET_CREATE, &target, why));
	EXPECT_STR("allowed: secret.create at project 'fraud', domain 'production' by uid:1000, "
	           "because the user who runs the control plane may do it",
	           why);
	principal_of_lease(mine, "f3a7", &principal);
	principal_format(&principal, text);
	EXPECT_STR("execution:f3a7", text);
	principal_of_key("ci", 0, &principal);
	principal_format(&principal, text);
	EXPECT_STR("key:ci", text);
	EXPECT(authz_explain(&principal, view, AUTHZ_EXECUTION_CREATE, &target, why));
	EXPECT_STR("allowed: execution.create at project 'fraud', domain 'production' by key:ci, "
	           "because it has the role 'runner' at project 'fraud', every domain",
	           why);
	EXPECT(!authz_explain(&principal, view, AUTHZ_SECRET_READ, &target, why));
	EXPECT_STR("denied: secret.read at project 'fraud', domain 'production' by key:ci, "
	           "because no role granted to it allows that",
	           why);
	EXPECT_ERR(UN_ERR_DENIED,
	           authz_check(&principal, view, AUTHZ_SECRET_READ, &target, &detail));
	EXPECT_STR("key:ci is not allowed secret.read at project 'fraud', domain 'production'",
	           detail.message);
	EXPECT(strstr(detail.hint, "union explain access key:ci secret.read --project fraud "
	                           "--domain production") != NULL);
	directory_view_unref(view);
}

TEST(authz, reads_principals_roles_and_actions_and_helps_with_the_wrong_ones)
{
	struct un_detail detail = {0};
	struct principal principal;
	enum authz_action action;
	enum authz_role role;

	EXPECT_OK(principal_parse("key:ci", PLANE_UID, &principal, NULL));
	EXPECT_INT(PRINCIPAL_API_KEY, principal.kind);
	EXPECT_STR("ci", principal.key);
	EXPECT_OK(principal_parse("ci", PLANE_UID, &principal, NULL));
	EXPECT_STR("ci", principal.key);
	EXPECT_OK(principal_parse("uid:1000", PLANE_UID, &principal, NULL));
	EXPECT_INT(PRINCIPAL_LOCAL_USER, principal.kind);
	EXPECT_OK(principal_parse("uid:1001", PLANE_UID, &principal, NULL));
	EXPECT_INT(PRINCIPAL_NOBODY, principal.kind);
	EXPECT_ERR(UN_ERR_INVALID, principal_parse("uid:me", PLANE_UID, &principal, NULL));
	EXPECT_ERR(UN_ERR_INVALID, principal_parse("uid:4294967296", PLANE_UID, &principal, NULL));
	EXPECT_ERR(UN_ERR_INVALID, principal_parse("execution:x", PLANE_UID, &principal, NULL));
	EXPECT_ERR(UN_ERR_INVALID, principal_parse("", PLANE_UID, &principal, NULL));
	EXPECT_OK(authz_role_parse("runner", &role, NULL));
	EXPECT_INT(AUTHZ_ROLE_RUNNER, role);
	EXPECT_ERR(UN_ERR_INVALID, authz_role_parse("boss", &role, &detail));
	EXPECT_STR("the roles are: admin, secret-writer, secret-viewer, runner, viewer",
	           detail.hint);
	EXPECT_OK(authz_action_parse("secret.create", &action, NULL));
	EXPECT_INT(AUTHZ_SECRET_CREATE, action);
	EXPECT_ERR(UN_ERR_INVALID, authz_action_parse("secrets.create", &action, &detail));
	EXPECT_STR("the nearest is 'secret.create'", detail.hint);
	EXPECT_ERR(UN_ERR_INVALID, authz_action_parse("", &action, &detail));
}

TEST(authz, says_how_much_of_a_list_is_to_be_seen)
{
	static const struct scope within[] = {{"", ""},         {"fraud", ""}, {"", "prod"},
	                                      {"fraud", "prod"}, {"churn", ""}, {"", "test"},
	                                      {"churn", "prod"}};
	static const struct {
		const char *project, *domain;
		const char *reach; /* one of N, S, A for each of the above */
	} rows[] = {
	        {"", "", "AAAAAAA"},
	        {"fraud", "", "SASANSN"},
	        {"", "prod", "SSAASNA"},
	        {"fraud", "prod", "SSSANNN"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct access_sample sample = {.key_count = 0};
		struct directory_view *view;
		struct principal key;

		sample_key(&sample, "ci");
		sample_grant(&sample, "ci", "secret-viewer", rows[i].project, rows[i].domain);
		view = sample_view(&sample);
		principal_of_key("ci", 0, &key);
		for (size_t w = 0; w < sizeof within / sizeof within[0]; w++) {
			EXPECT_INT(rows[i].reach[w],
			           "NSA"[authz_reach(&key, view, AUTHZ_SECRET_READ, &within[w])]);
			EXPECT_INT(AUTHZ_REACH_NONE,
			           authz_reach(&key, view, AUTHZ_EXECUTION_READ, &within[w]));
		}
		directory_view_unref(view);
	}
}

TEST(authz, says_which_roles_would_help_the_least_mighty_first)
{
	static const struct scope scope = {"fraud", "prod"};
	enum authz_role roles[AUTHZ_ROLES];
	struct scope at;

	EXPECT_INT(4, authz_needed(AUTHZ_SECRET_READ, &scope, roles, &at));
	EXPECT_INT(AUTHZ_ROLE_SECRET_VIEWER, roles[0]);
	EXPECT_INT(AUTHZ_ROLE_ADMIN, roles[3]);
	EXPECT_STR("fraud", at.project);
	EXPECT_INT(1, authz_needed(AUTHZ_PLANE_STOP, &scope, roles, &at));
	EXPECT_INT(AUTHZ_ROLE_ADMIN, roles[0]);
	EXPECT_STR("", at.project);
	EXPECT_INT(0, authz_needed(AUTHZ_ATTEMPT_WORK, &scope, roles, &at));
}

TEST_MAIN()
