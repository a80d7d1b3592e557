#include "base/err.h"

#include "test.h"

#include <errno.h>

static const enum un_err all[] = {
#define UN_ERROR(symbol, number, slug, grpc, exit, retry, text, hint) UN_ERR_##symbol,
#include "base/err.def"
#undef UN_ERROR
};
#define COUNT (sizeof all / sizeof all[0])

TEST(err, every_code_has_its_own_number_and_slug)
{
	for (size_t i = 0; i < COUNT; i++) {
		EXPECT(all[i] < 0);
		EXPECT_INT(all[i], un_err_from_slug(un_err_slug(all[i])));
		for (size_t j = 0; j < i; j++) {
			EXPECT(all[i] != all[j]);
			EXPECT(strcmp(un_err_slug(all[i]), un_err_slug(all[j])) != 0);
		}
	}
}

TEST(err, every_code_says_something_and_ends_a_program_with_a_failure)
{
	for (size_t i = 0; i < COUNT; i++) {
		EXPECT(un_err_text(all[i])[0]);
		EXPECT(un_err_exit_status(all[i]) > 0);
		EXPECT(un_err_grpc(all[i]) != GRPC_OK);
		/* existing clients log in anew on UNKNOWN: it must never be an ordinary failure */
		EXPECT(un_err_grpc(all[i]) != GRPC_UNKNOWN);
	}
	EXPECT_INT(0, un_err_exit_status(UN_OK));
	EXPECT_STR("ok", un_err_slug(UN_OK));
	EXPECT(!un_err_may_retry(UN_OK));
}

TEST(err, the_released_numbers_never_change)
{
	EXPECT_INT(-1, UN_ERR_INTERNAL);
	EXPECT_INT(-13, UN_ERR_NOT_AUTHENTIC);
	EXPECT_INT(-30, UN_ERR_SECRET_NOT_FOUND);
	EXPECT_INT(-56, UN_ERR_BAD_CONFIG);
}

TEST(err, reads_unknown_codes_slugs_and_statuses_as_internal)
{
	EXPECT_STR("internal", un_err_slug((enum un_err)-9999));
	EXPECT_INT(UN_ERR_INTERNAL, un_err_from_slug("of-a-newer-server"));
	EXPECT_INT(UN_ERR_INTERNAL, un_err_from_grpc((enum grpc_status)99));
	EXPECT_INT(UN_ERR_INTERNAL, un_err_from_grpc((enum grpc_status)-1));
	EXPECT_INT(UN_ERR_EXISTS, un_err_from_grpc(GRPC_ALREADY_EXISTS));
}

TEST(err, sorts_errno_into_what_a_caller_can_act_on)
{
	EXPECT_INT(UN_ERR_DISK_FULL, un_err_from_errno(ENOSPC));
	EXPECT_INT(UN_ERR_DISK_FULL, un_err_from_errno(EDQUOT));
	EXPECT_INT(UN_ERR_NOT_FOUND, un_err_from_errno(ENOENT));
	EXPECT_INT(UN_ERR_DENIED, un_err_from_errno(EACCES));
	EXPECT_INT(UN_ERR_IO, un_err_from_errno(EIO));
}

TEST(detail, prefers_what_the_place_knows_to_what_the_table_says)
{
	struct un_detail detail = {.message = ""};

	EXPECT_STR("bad name", un_message(UN_ERR_BAD_NAME, NULL));
	EXPECT_STR("bad name", un_message(UN_ERR_BAD_NAME, &detail));
	EXPECT_ERR(UN_ERR_BAD_NAME, un_fail(&detail, UN_ERR_BAD_NAME, "bad name '%s'", "x y"));
	EXPECT_STR("bad name 'x y'", un_message(UN_ERR_BAD_NAME, &detail));
	EXPECT(un_hint_text(UN_ERR_BAD_NAME, &detail)[0]);
	un_hint(&detail, "try %s", "x_y");
	EXPECT_STR("try x_y", un_hint_text(UN_ERR_BAD_NAME, &detail));
}

TEST(detail, is_cut_and_may_be_absent)
{
	struct un_detail detail = {.message = ""};
	char huge[3 * UN_DETAIL_MAX];

	memset(huge, 'x', sizeof huge);
	huge[sizeof huge - 1] = '\0';
	EXPECT_ERR(UN_ERR_IO, un_fail(&detail, UN_ERR_IO, "%s", huge));
	EXPECT_INT(UN_DETAIL_MAX - 1, strlen(detail.message));
	EXPECT_ERR(UN_ERR_DENIED, un_fail_errno(&detail, EACCES, "%s", huge));
	EXPECT_INT(UN_DETAIL_MAX - 1, strlen(detail.message));
	EXPECT_ERR(UN_ERR_IO, un_fail(NULL, UN_ERR_IO, "x"));
	EXPECT_ERR(UN_ERR_NOT_FOUND, un_fail_errno(NULL, ENOENT, "x"));
	un_hint(NULL, "x");
}

TEST(detail, adds_the_systems_reason)
{
	struct un_detail detail = {.message = ""};

	EXPECT_ERR(UN_ERR_NOT_FOUND, un_fail_errno(&detail, ENOENT, "cannot open '%s'", "f"));
	EXPECT_STR("cannot open 'f': No such file or directory", detail.message);
}

TEST_MAIN()
