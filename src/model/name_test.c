#include "model/name.h"

#include "test.h"

typedef enum un_err name_check(const char *name, struct un_detail *detail);

static void
expect_all(enum un_err expected, name_check *check, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct un_detail detail = {.message = ""};

		if (check(names[i], &detail) != expected)
			fail_msg("'%s'", names[i]);
		EXPECT((expected == UN_OK) == (detail.message[0] == '\0'));
	}
}
#define EXPECT_ALL(expected, check, names)                                                         \
	expect_all(expected, check, names, sizeof(names) / sizeof(names)[0])

#define X63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

TEST(name, takes_the_documented_pattern_of_secret_names_and_nothing_else)
{
	static const char *const good[] = {"a", "-", "_", "A-Z_09", "my_secret", X63 X63 "ab"};
	static const char *const bad[] = {"",      "a b",   "a/b", "a.b",  "\xc3\xa4", "a\nb",
	                                  "a\x1b", "../up", "a=b", "a'b",  X63 X63 "abc"};

	EXPECT_ALL(UN_OK, name_check_secret, good);
	EXPECT_ALL(UN_ERR_BAD_NAME, name_check_secret, bad);
}

TEST(name, says_which_character_is_wrong_and_sends_no_escape_to_the_terminal)
{
	struct un_detail detail = {.message = ""};

	EXPECT_ERR(UN_ERR_BAD_NAME, name_check_secret("db\x1b[2Jx", &detail));
	EXPECT_STR("bad name 'db?[2Jx': character 3 is byte 0x1b", detail.message);
	EXPECT_ERR(UN_ERR_BAD_NAME, name_check_secret("db url", &detail));
	EXPECT_STR("bad name 'db url': character 3 is a blank", detail.message);
}

TEST(name, never_quotes_more_than_128_bytes_back)
{
	struct un_detail detail = {.message = ""};
	char huge[100000];

	memset(huge, 'x', sizeof huge);
	huge[sizeof huge - 1] = '\0';
	EXPECT_ERR(UN_ERR_BAD_NAME, name_check_secret(huge, &detail));
	EXPECT(strlen(detail.message) < 200);
	EXPECT_ERR(UN_ERR_BAD_SCOPE, name_check_scope_part("project", huge, &detail));
	EXPECT(strlen(detail.message) < 200);
	EXPECT_ERR(UN_ERR_INVALID, name_check_env_var(huge, &detail));
	EXPECT(strlen(detail.message) < 200);
}

static enum un_err
check_project(const char *part, struct un_detail *detail)
{
	return name_check_scope_part("project", part, detail);
}

TEST(name, takes_lower_case_scope_parts_with_dashes_inside_only)
{
	static const char *const good[] = {"a", "9", "_", "a-b", "fraud_2", "a--b", X63};
	static const char *const bad[] = {"", "-", "-a", "a-", "A", "a b", "a.b", "a/b", X63 "a"};

	EXPECT_ALL(UN_OK, check_project, good);
	EXPECT_ALL(UN_ERR_BAD_SCOPE, check_project, bad);
}

TEST(name, refuses_environment_variables_that_the_runtime_or_the_loader_reads)
{
	static const char *const good[] = {"DB_URL", "a", "_x", "UNION_API_KEY", "PATHS", "X9"};
	static const char *const bad[] = {
	        "",           "9A",      "A-B",          "A=B",       "A B",
	        "LD_PRELOAD", "PATH",    "PYTHONPATH",   "FLYTE_X",   "_UNION_DB",
	        "HOME",       "IFS",     "LC_ALL",       "BASH_ENV",  "LD_",
	        "ENV",        "MALLOC_", "NODE_OPTIONS", "GCONV_PATH"};

	EXPECT_ALL(UN_OK, name_check_env_var, good);
	EXPECT_ALL(UN_ERR_INVALID, name_check_env_var, bad);
}

TEST(name, takes_names_of_api_keys_that_need_no_quoting_in_a_login)
{
	static const char *const good[] = {"a", "ci-Deploy_2", "-", "9", X63 "a"};
	static const char *const bad[] = {"", "a:b", "a b", "a%41", "a/b", "\xc3\xa4", X63 "ab"};

	EXPECT_ALL(UN_OK, name_check_api_key, good);
	EXPECT_ALL(UN_ERR_INVALID, name_check_api_key, bad);
}

TEST(name, takes_execution_names_that_begin_with_a_letter)
{
	static const char *const good[] = {"a", "a1", "f3-x", "a-", X63};
	static const char *const bad[] = {"", "1a", "-a", "A", "a_b", "a b", X63 "a"};

	EXPECT_ALL(UN_OK, name_check_execution, good);
	EXPECT_ALL(UN_ERR_INVALID, name_check_execution, bad);
}

TEST_MAIN()
