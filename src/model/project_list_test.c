#include "model/project_list.h"
#include "test.h"

TEST(project_list, takes_blanks_and_commas_alike)
{
	EXPECT(project_list_has("fraud,risk", "risk"));
	EXPECT(project_list_has("fraud risk", "risk"));
	EXPECT(project_list_has(" fraud,\n\trisk, ", "fraud"));
	EXPECT(!project_list_has("fraud risk", "fra"));
	EXPECT(!project_list_has("fraud risk", "fraud risk"));
	EXPECT(!project_list_has("", ""));
	EXPECT(!project_list_has(", ,", ""));
}

TEST(project_list, refuses_what_cannot_be_a_project)
{
	char endless[SCOPE_PART_MAX + 2];
	struct un_detail detail = {0};

	memset(endless, 'a', sizeof endless - 1);
	endless[sizeof endless - 1] = '\0';
	EXPECT_OK(project_list_check("", "tasks.offline", NULL));
	EXPECT_OK(project_list_check("fraud, risk", "tasks.offline", NULL));
	EXPECT_ERR(UN_ERR_BAD_CONFIG, project_list_check("fraud ri;sk", "tasks.offline", &detail));
	EXPECT_STR("'tasks.offline' names 'ri;sk', which is no project", detail.message);
	EXPECT_ERR(UN_ERR_BAD_CONFIG, project_list_check(endless, "tasks.offline", NULL));
	EXPECT_OK(project_list_check(endless + 1, "tasks.offline", NULL));
}

TEST_MAIN()
