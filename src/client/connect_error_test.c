#include "client/connect_error.h"

#include "test.h"

static enum un_err
parse(const char *json, struct connect_error *error)
{
	return connect_error_parse((const uint8_t *)json, strlen(json), error);
}

TEST(connect_error, reads_escapes_and_skips_details)
{
	struct connect_error error;

	EXPECT_OK(parse(
		" { \"details\" : [ {\"a\":[1,-2.5e3,true,null]} ] , \"code\":\"already_exists\","
		"\"message\":\"it\\u0027s \\\"there\\\"\\n\\u00e9\\ud83d\\ude00\" } ",
		&error));
	EXPECT(error.present);
	EXPECT_INT(GRPC_ALREADY_EXISTS, error.status);
	EXPECT_STR("it's \"there\" \xc3\xa9\xf0\x9f\x98\x80", error.message);
}

TEST(connect_error, knows_no_error_when_there_is_none)
{
	struct connect_error error;

	EXPECT_OK(parse("{}", &error));
	EXPECT(!error.present);
	EXPECT_OK(parse("{\"code\":\"something_new\"}", &error));
	EXPECT(error.present);
	EXPECT_INT(GRPC_UNKNOWN, error.status);
}

TEST(connect_error, refuses_what_is_not_json)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"{\"code\"}",
		"{\"code\":1}",
		"{\"code\":\"a\",}",
		"{\"code\":\"a\"} x",
		"{\"message\":\"\\x\"}",
		"{\"message\":\"\\ud800\"}",
		"{\"message\":\"\\udc00\"}",
		"{\"message\":\"a\nb\"}",
		"{\"a\":}",
		"{\"a\":[1 2]}",
		"{\"error\":[]}",
		"{\"a\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}",
	};
	struct connect_error error;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		EXPECT_ERR(UN_ERR_PROTOCOL, parse(bad[i], &error));
}

TEST(connect_error, cuts_a_message_that_is_too_long)
{
	struct connect_error error;
	char json[3000];

	memset(json, 'x', sizeof json);
	memcpy(json, "{\"message\":\"", 12);
	memcpy(json + sizeof json - 3, "\"}", 3);
	EXPECT_OK(parse(json, &error));
	EXPECT_INT(UN_DETAIL_MAX - 1, strlen(error.message));
}

TEST_MAIN()
