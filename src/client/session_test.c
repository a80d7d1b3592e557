#include "client/session.h"

#include "crypto/hash.h"

#include "test.h"

static enum un_err
read_token(const char *json, char token[64], int64_t *ret_seconds)
{
	struct secbuf *got = NULL;
	enum un_err err;

	EXPECT_OK(crypto_init());
	err = session_read_token((const uint8_t *)json, strlen(json), &got, ret_seconds);
	if (!err) {
		memcpy(token, secbuf_peek(got), secbuf_len(got));
		token[secbuf_len(got)] = '\0';
	}
	secbuf_free(got);
	return err;
}

TEST(session, reads_what_token_endpoints_answer)
{
	int64_t seconds;
	char token[64];

	EXPECT_OK(read_token("{\"access_token\":\"abc\",\"token_type\":\"Bearer\","
	                     "\"expires_in\":899}",
	                     token, &seconds));
	EXPECT_STR("abc", token);
	EXPECT_INT(899, seconds);
	EXPECT_OK(read_token(" {\"x\":[1,{\"access_token\":\"no\"},[]],\"y\":{\"a\":{}},\"z\":null,"
	                     "\"expires_in\":99999999999,\"access_token\":\"a.b-c_d~\"}\n",
	                     token, &seconds));
	EXPECT_STR("a.b-c_d~", token);
	EXPECT_INT(400 * 86400, seconds);
}

TEST(session, refuses_an_answer_without_a_token_that_fits_a_header)
{
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"{\"access_token\":\"abc\"}",
		"{\"expires_in\":1}",
		"{\"access_token\":\"\",\"expires_in\":1}",
		"{\"access_token\":\"a b\",\"expires_in\":1}",
		"{\"access_token\":\"a\\r\\nx: y\",\"expires_in\":1}",
		"{\"access_token\":\"abc\",\"expires_in\":0}",
		"{\"access_token\":\"abc\",\"expires_in\":-1}",
		"{\"access_token\":\"abc\",\"expires_in\":1.5}",
		"{\"access_token\":\"abc\",\"expires_in\":\"1\"}",
		"{\"access_token\":1,\"expires_in\":1}",
		"{\"access_token\":\"abc\",\"expires_in\":1} x",
		"{\"access_token\":\"abc\",\"expires_in\":1",
	};
	int64_t seconds;
	char token[64];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		EXPECT_ERR(UN_ERR_PROTOCOL, read_token(bad[i], token, &seconds));
}

TEST(session, reads_where_to_log_in)
{
	static const char good[] = "{\"issuer\":\"https://h\",\"scopes_supported\":[\"all\"],"
				   "\"token_endpoint\":\"https://h/oauth2/token\"}";
	static const char bad[] = "{\"issuer\":\"https://h\"}";
	struct buf url;

	buf_init(&url, 256, BUF_PLAIN);
	EXPECT_OK(session_read_metadata((const uint8_t *)good, sizeof good - 1, &url));
	EXPECT_STR("https://h/oauth2/token", buf_text(&url));
	buf_clear(&url);
	EXPECT_ERR(UN_ERR_PROTOCOL,
	           session_read_metadata((const uint8_t *)bad, sizeof bad - 1, &url));
	buf_fini(&url);
}

TEST_MAIN()
