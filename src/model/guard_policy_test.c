#include "model/guard_policy.h"
#include "test.h"

TEST(guard_policy, is_the_projects_own_and_else_the_default)
{
	struct guard_policies p = {.fallback = "known", .strict = "fraud, risk", .off = "sandbox"};

	EXPECT_OK(guard_policies_check(&p, NULL));
	EXPECT_INT(GUARD_STRICT, guard_policy_of(&p, "fraud"));
	EXPECT_INT(GUARD_STRICT, guard_policy_of(&p, "risk"));
	EXPECT_INT(GUARD_OFF, guard_policy_of(&p, "sandbox"));
	EXPECT_INT(GUARD_KNOWN, guard_policy_of(&p, "fra"));
	EXPECT_INT(GUARD_KNOWN, guard_policy_of(&p, "fraud2"));
	EXPECT_INT(GUARD_KNOWN, guard_policy_of(NULL, "fraud"));
	memcpy(p.fallback, "strict", 7);
	EXPECT_INT(GUARD_STRICT, guard_policy_of(&p, "other"));
	p.fallback[0] = '\0';
	EXPECT_INT(GUARD_KNOWN, guard_policy_of(&p, "other"));
}

TEST(guard_policy, refuses_what_cannot_be_meant)
{
	struct guard_policies twice = {.strict = "a b", .off = "c b"};
	struct guard_policies bad = {.strict = "No Such"};
	struct guard_policies word = {.fallback = "on"};
	struct un_detail detail = {0};

	EXPECT_ERR(UN_ERR_BAD_CONFIG, guard_policies_check(&twice, &detail));
	EXPECT(strstr(detail.message, "'b' is in 'guard.strict' and in 'guard.off'") != NULL);
	EXPECT_ERR(UN_ERR_BAD_CONFIG, guard_policies_check(&bad, NULL));
	EXPECT_ERR(UN_ERR_BAD_CONFIG, guard_policies_check(&word, NULL));
}

TEST_MAIN()
