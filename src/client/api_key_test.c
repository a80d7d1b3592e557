#include "client/api_key.h"

#include "crypto/hash.h"

#include "test.h"

static enum un_err
parse(const char *text, struct api_key *key, struct un_detail *detail)
{
	struct secbuf *bytes = NULL;
	enum un_err err;

	EXPECT_OK(crypto_init());
	EXPECT_OK(secbuf_copy(text, strlen(text), &bytes));
	err = api_key_parse(bytes, key, detail);
	secbuf_free(bytes);
	return err;
}

static void
expect(const char *text, const char *endpoint, const char *client, const char *secret)
{
	struct api_key key;

	EXPECT_OK(parse(text, &key, NULL));
	EXPECT_STR(endpoint, key.endpoint);
	EXPECT_STR(client, key.client);
	EXPECT_INT(strlen(secret), secbuf_len(key.secret));
	EXPECT_BYTES(secret, secbuf_peek(key.secret), strlen(secret));
	secbuf_free(key.secret);
}

TEST(api_key, is_four_parts_and_the_first_may_have_a_port)
{
	/* union.example.com:ci:s3cret-_:None */
	expect("dW5pb24uZXhhbXBsZS5jb206Y2k6czNjcmV0LV86Tm9uZQ==", "union.example.com", "ci",
	       "s3cret-_");
	/* the same, with a newline that a file or a paste has added */
	expect("dW5pb24uZXhhbXBsZS5jb206Y2k6czNjcmV0LV86Tm9uZQ==\n", "union.example.com", "ci",
	       "s3cret-_");
	/* localhost:8443:ci:x:None */
	expect("bG9jYWxob3N0Ojg0NDM6Y2k6eDpOb25l", "localhost:8443", "ci", "x");
	/* [::1]:8443:ci:x: (an organization may be empty, too) */
	expect("Wzo6MV06ODQ0MzpjaTp4Og==", "[::1]:8443", "ci", "x");
}

TEST(api_key, is_read_back_as_it_was_written)
{
	struct api_key key = {.endpoint = "localhost:8443", .client = "ci"}, got;
	struct secbuf *text = NULL;

	EXPECT_OK(crypto_init());
	EXPECT_OK(secbuf_copy("abc", 3, &key.secret));
	EXPECT_OK(api_key_format(&key, &text));
	EXPECT_OK(api_key_parse(text, &got, NULL));
	EXPECT_STR(key.endpoint, got.endpoint);
	EXPECT_STR(key.client, got.client);
	EXPECT(secbuf_equal(key.secret, got.secret));
	secbuf_free(key.secret);
	secbuf_free(got.secret);
	secbuf_free(text);
}

TEST(api_key, refuses_everything_else_and_quotes_nothing_of_it)
{
	static const char *const bad[] = {
		"",
		"\n",
		"dW5pb24",                                         /* cut */
		"dW5pb24uZXhhbXBsZS5jb206Y2k6czNjcmV0LV86Tm9uZQ=", /* cut */
		"not base64!",
		"YTpiOmM=",                     /* a:b:c */
		"OmNpOng6Tm9uZQ==",             /* :ci:x:None */
		"aG9zdDo6eDpOb25l",             /* host::x:None */
		"aG9zdDpjaTo6Tm9uZQ==",         /* host:ci::None */
		"aHR0cHM6Ly9oOmNpOng6Tm9uZQ==", /* https://h:ci:x:None */
		"aG9zdDpjIGk6eDpOb25l",         /* host:c i:x:None */
		"aG9zdDo5OTk5OTk6Y2k6eDpOb25l", /* host:999999:ci:x:None */
		"aG9zdDo4NDQzOmNpOmhhbGYt",     /* host:8443:ci:half- */
	};
	struct un_detail detail;
	struct api_key key;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		detail = (struct un_detail){0};
		EXPECT_ERR(UN_ERR_BAD_CONFIG, parse(bad[i], &key, &detail));
		EXPECT(strncmp(detail.message, "this is not an API key: it", 26) == 0);
	}
}

TORTURE(api_key, is_read_and_written_or_fails_whole)
{
	struct api_key key = {.endpoint = "localhost", .client = "ci"}, got = {.secret = NULL};
	struct secbuf *text = NULL;

	if (!secbuf_copy("abc", 3, &key.secret) && !api_key_format(&key, &text) &&
	    !api_key_parse(text, &got, NULL))
		secbuf_free(got.secret);
	secbuf_free(key.secret);
	secbuf_free(text);
}

TEST_MAIN()
