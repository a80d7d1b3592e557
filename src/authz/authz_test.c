#include "authz/authz.h"

#include "test.h"

#define PLANE_UID 1000

static const uint8_t mine[ATTEMPT_ID_LEN] = "attempt-mine...",
		     other[ATTEMPT_ID_LEN] = "attempt-other..";

/* The whole table again, written down by hand: user, nobody, execution (own), execution (other). */
static const struct {
	enum authz_action action;
	bool user, nobody, own, foreign;
} verdicts[] = {
        {AUTHZ_SECRET_CREATE, true, false, false, false},
        {AUTHZ_SECRET_UPDATE, true, false, false, false},
        {AUTHZ_SECRET_DELETE, true, false, false, false},
        {AUTHZ_SECRET_READ, true, false, false, false},
        {AUTHZ_ENTITY_REGISTER, true, false, false, false},
        {AUTHZ_ENTITY_READ, true, false, false, false},
        {AUTHZ_EXECUTION_CREATE, true, false, false, false},
        {AUTHZ_EXECUTION_READ, true, false, false, false},
        {AUTHZ_EXECUTION_ABORT, true, false, false, false},
        {AUTHZ_DATA_UPLOAD, true, false, false, false},
        {AUTHZ_PLANE_READ, true, false, false, false},
        {AUTHZ_PLANE_STOP, true, false, false, false},
        {AUTHZ_PLANE_BACKUP, true, false, false, false},
        {AUTHZ_KEYS_ROTATE, true, false, false, false},
        {AUTHZ_KEYS_UNLOCK, true, false, false, false},
        {AUTHZ_AUDIT_READ, true, false, false, false},
        {AUTHZ_ATTEMPT_WORK, false, false, true, false},
};

TEST(authz, decides_as_the_table_says_and_explains_the_same)
{
	struct principal user, root, nobody, unknown = {0}, execution;
	struct authz_target own = {.attempt = mine}, foreign = {.attempt = other};
	char text[AUTHZ_TEXT_MAX];

	principal_of_uid(PLANE_UID, PLANE_UID, &user);
	principal_of_uid(0, PLANE_UID, &root);
	principal_of_uid(PLANE_UID + 1, PLANE_UID, &nobody);
	principal_of_lease(mine, "f3a7", &execution);
	EXPECT_INT(AUTHZ_ACTIONS, sizeof verdicts / sizeof verdicts[0]);
	for (size_t i = 0; i < AUTHZ_ACTIONS; i++) {
		enum authz_action action = verdicts[i].action;

		EXPECT_INT(i, action); /* each action has its row */
		EXPECT_INT(verdicts[i].user, authz_check(&user, action, &own, NULL) == UN_OK);
		EXPECT_INT(verdicts[i].user, authz_check(&root, action, NULL, NULL) == UN_OK);
		EXPECT_INT(verdicts[i].nobody, authz_check(&nobody, action, &own, NULL) == UN_OK);
		EXPECT_INT(verdicts[i].nobody, authz_check(&unknown, action, &own, NULL) == UN_OK);
		EXPECT_INT(verdicts[i].own, authz_check(&execution, action, &own, NULL) == UN_OK);
		EXPECT_INT(verdicts[i].foreign,
		           authz_check(&execution, action, &foreign, NULL) == UN_OK);
		EXPECT(authz_check(&execution, action, NULL, NULL) != UN_OK);
		EXPECT_INT(verdicts[i].own, authz_explain(&execution, action, &own, text));
	}
}

TEST(authz, tells_nobody_from_somebody_who_may_not)
{
	struct principal nobody, execution;

	principal_of_uid(PLANE_UID + 1, PLANE_UID, &nobody);
	principal_of_lease(mine, "f3a7", &execution);
	EXPECT_ERR(UN_ERR_UNAUTHENTICATED, authz_check(&nobody, AUTHZ_SECRET_READ, NULL, NULL));
	EXPECT_ERR(UN_ERR_DENIED, authz_check(&execution, AUTHZ_SECRET_READ, NULL, NULL));
}

TEST(authz, names_principals_and_reasons_in_words)
{
	struct principal principal;
	struct scope scope = {"fraud", "production"};
	struct authz_target target = {.scope = &scope};
	char text[PRINCIPAL_TEXT_MAX], why[AUTHZ_TEXT_MAX];

	principal_of_uid(PLANE_UID, PLANE_UID, &principal);
	principal_format(&principal, text);
	EXPECT_STR("uid:1000", text);
	EXPECT(authz_explain(&principal, AUTHZ_SECRET_CREATE, &target, why));
	EXPECT_STR("allowed: secret.create on project 'fraud', domain 'production' by uid:1000, "
	           "because "
	           "the user who runs the control plane may do it",
	           why);
	principal_of_lease(mine, "f3a7", &principal);
	principal_format(&principal, text);
	EXPECT_STR("execution:f3a7", text);
}

TEST_MAIN()
