#include "services/oauth_form.h"

#include "crypto/hash.h"

#include "test.h"

#define TYPE "application/x-www-form-urlencoded"

static enum oauth_fault
parse(const char *type, const char *authorization, const char *form, char secret[300],
      char client[API_KEY_NAME_MAX + 1])
{
	struct oauth_request request = {.secret = NULL};
	const char *why = NULL;
	enum oauth_fault fault;

	EXPECT_OK(crypto_init());
	fault = oauth_form_parse(type, authorization, (const uint8_t *)form, strlen(form), &request,
	                         &why);
	assert_non_null(why);
	if (fault) {
		assert_null(request.secret);
		return fault;
	}
	memcpy(secret, secbuf_peek(request.secret), secbuf_len(request.secret));
	secret[secbuf_len(request.secret)] = '\0';
	memcpy(client, request.client, sizeof request.client);
	secbuf_free(request.secret);
	return fault;
}

static void
takes(const char *authorization, const char *form, const char *client, const char *secret)
{
	char got_client[API_KEY_NAME_MAX + 1], got_secret[300];

	EXPECT_INT(OAUTH_FINE, parse(TYPE, authorization, form, got_secret, got_client));
	EXPECT_STR(client, got_client);
	EXPECT_STR(secret, got_secret);
}

static void
refuses(enum oauth_fault expected, const char *authorization, const char *form)
{
	char client[API_KEY_NAME_MAX + 1], secret[300];

	EXPECT_INT(expected, parse(TYPE, authorization, form, secret, client));
}

TEST(oauth_form, takes_credentials_from_the_header_or_from_the_form)
{
	/* ci:s3cret */
	takes("Basic Y2k6czNjcmV0", "grant_type=client_credentials", "ci", "s3cret");
	takes("basic Y2k6czNjcmV0", "scope=all+offline&grant_type=client_credentials&", "ci",
	      "s3cret");
	takes(NULL, "grant_type=client_credentials&client_id=ci&client_secret=s3cret", "ci",
	      "s3cret");
	/* the name once more, as some clients send it */
	takes("Basic Y2k6czNjcmV0", "client_id=ci&grant_type=client_credentials", "ci", "s3cret");
}

TEST(oauth_form, undoes_quoting)
{
	/* ci:a%2Fb+c%3A%25 */
	takes("Basic Y2k6YSUyRmIrYyUzQSUyNQ==", "grant_type=client%5Fcredentials", "ci", "a/b c:%");
	takes(NULL, "client_secret=%C3%A4%3d&client_id=c%69&grant_type=client_credentials", "ci",
	      "\xc3\xa4=");
	/* only the first colon is one: ci:a:b */
	takes("Basic Y2k6YTpi", "grant_type=client_credentials", "ci", "a:b");
}

TEST(oauth_form, refuses_what_is_not_such_a_request)
{
	static const char *const requests[] = {
		"",
		"grant_type",
		"grant_type=",
		"grant_type=client_credentials&grant_type=client_credentials",
		"grant_type=client_credentials&client_secret=a&client_secret=a&client_id=ci",
		"grant_type=%zz",
		"grant_type=a%00",
		"grant_type=a%2",
	};
	char client[API_KEY_NAME_MAX + 1], secret[300];

	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
		refuses(OAUTH_INVALID_REQUEST, "Basic Y2k6czNjcmV0", requests[i]);
	refuses(OAUTH_UNSUPPORTED_GRANT, "Basic Y2k6czNjcmV0", "grant_type=password");
	EXPECT_INT(OAUTH_INVALID_REQUEST, parse("application/json", "Basic Y2k6czNjcmV0",
	                                        "grant_type=client_credentials", secret, client));
	EXPECT_INT(OAUTH_INVALID_REQUEST, parse(NULL, "Basic Y2k6czNjcmV0",
	                                        "grant_type=client_credentials", secret, client));
	EXPECT_INT(OAUTH_INVALID_REQUEST, parse(TYPE "x", "Basic Y2k6czNjcmV0",
	                                        "grant_type=client_credentials", secret, client));
	EXPECT_INT(OAUTH_FINE, parse(TYPE "; charset=utf-8", "Basic Y2k6czNjcmV0",
	                             "grant_type=client_credentials", secret, client));
}

TEST(oauth_form, refuses_credentials_that_are_none)
{
	static const char grant[] = "grant_type=client_credentials";

	refuses(OAUTH_INVALID_CLIENT, NULL, grant);
	refuses(OAUTH_INVALID_CLIENT, NULL, "grant_type=client_credentials&client_id=ci");
	refuses(OAUTH_INVALID_CLIENT, NULL,
	        "grant_type=client_credentials&client_id=ci&client_secret=");
	refuses(OAUTH_INVALID_CLIENT, NULL,
	        "grant_type=client_credentials&client_id=a%2Fb&client_secret=x");
	refuses(OAUTH_INVALID_CLIENT, NULL,
	        "grant_type=client_credentials&client_id=ci&client_secret=a%0Ab");
	refuses(OAUTH_INVALID_CLIENT, "Basic OmE=", grant);  /* :a */
	refuses(OAUTH_INVALID_CLIENT, "Basic Y2k6", grant);  /* ci: */
	refuses(OAUTH_INVALID_REQUEST, "Basic Y2k=", grant); /* ci */
	refuses(OAUTH_INVALID_REQUEST, "Basic ", grant);
	refuses(OAUTH_INVALID_REQUEST, "Basic Y2k6 YQ==", grant);
	refuses(OAUTH_INVALID_REQUEST, "Bearer Y2k6czNjcmV0", grant);
	refuses(OAUTH_INVALID_REQUEST, "", grant);
}

TEST(oauth_form, refuses_credentials_in_two_places)
{
	refuses(OAUTH_INVALID_REQUEST, "Basic Y2k6czNjcmV0",
	        "grant_type=client_credentials&client_secret=x");
	refuses(OAUTH_INVALID_REQUEST, "Basic Y2k6czNjcmV0",
	        "grant_type=client_credentials&client_id=other");
}

TEST(oauth_form, bounds_what_it_looks_at)
{
	char form[2 * OAUTH_FORM_MAX], long_secret[OAUTH_SECRET_MAX + 2];
	char client[API_KEY_NAME_MAX + 1], secret[300];

	memset(long_secret, 's', sizeof long_secret);
	long_secret[OAUTH_SECRET_MAX + 1] = '\0';
	(void)snprintf(form, sizeof form,
	               "grant_type=client_credentials&client_id=ci&client_secret=%s", long_secret);
	refuses(OAUTH_INVALID_CLIENT, NULL, form);
	form[strlen(form) - 1] = '\0';
	long_secret[OAUTH_SECRET_MAX] = '\0';
	EXPECT_INT(OAUTH_FINE, parse(TYPE, NULL, form, secret, client));
	EXPECT_STR(long_secret, secret);
	(void)snprintf(form, sizeof form,
	               "grant_type=client_credentials&client_secret=x&client_id=%0*d",
	               API_KEY_NAME_MAX + 1, 0);
	refuses(OAUTH_INVALID_CLIENT, NULL, form);
	memset(form, 'x', OAUTH_FORM_MAX + 1);
	form[OAUTH_FORM_MAX + 1] = '\0';
	refuses(OAUTH_INVALID_REQUEST, "Basic Y2k6czNjcmV0", form);
}

TORTURE(oauth_form, is_read_or_fails_whole)
{
	struct oauth_request request = {.secret = NULL};
	static const char form[] = "grant_type=client_credentials";
	const char *why;

	if (oauth_form_parse(TYPE, "Basic Y2k6czNjcmV0", (const uint8_t *)form, sizeof form - 1,
	                     &request, &why) == OAUTH_FINE)
		secbuf_free(request.secret);
}

TEST_MAIN()
