#include "client/endpoint.h"

#include "test.h"

TEST(endpoint, reads_every_form)
{
	struct endpoint e;

	EXPECT_OK(endpoint_parse("unix://./uniond.sock", &e, NULL));
	EXPECT_STR("./uniond.sock", e.path);
	EXPECT_OK(endpoint_parse("unix:///run/union.sock", &e, NULL));
	EXPECT_INT(ENDPOINT_UNIX, e.kind);
	EXPECT_STR("/run/union.sock", e.path);
	EXPECT_OK(endpoint_parse("http://127.0.0.1:8080", &e, NULL));
	EXPECT_INT(ENDPOINT_HTTP, e.kind);
	EXPECT_INT(8080, e.port);
	EXPECT_OK(endpoint_parse("http://[::1]:81/", &e, NULL));
	EXPECT_STR("::1", e.host);
	EXPECT_OK(endpoint_parse("dns:///union.example.com", &e, NULL));
	EXPECT_INT(ENDPOINT_HTTPS, e.kind);
	EXPECT_INT(443, e.port);
	EXPECT_OK(endpoint_parse("union.example.com:8443", &e, NULL));
	EXPECT_INT(8443, e.port);
}

TEST(endpoint, refuses_cleartext_to_another_machine)
{
	struct un_detail detail = {0};
	struct endpoint e;

	EXPECT_ERR(UN_ERR_BAD_CONFIG, endpoint_parse("http://union.example.com", &e, &detail));
	EXPECT_STR("use https://union.example.com", detail.hint);
	EXPECT_ERR(UN_ERR_BAD_CONFIG, endpoint_parse("http://127.evil.example:80", &e, NULL));
}

TEST(endpoint, refuses_what_is_none)
{
	static const char *const bad[] = {
	        "", "unix://relative", "ftp://a", "https://", "https://a:0", "https://a:70000",
	        "https://a/b", "https://a b", "https://u@h", "https://[::1", "https://a\r\nx: y",
	};
	struct endpoint e;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		EXPECT_ERR(UN_ERR_BAD_CONFIG, endpoint_parse(bad[i], &e, NULL));
}

TEST(endpoint, follows_urls_only_to_itself)
{
	struct endpoint e;
	const char *path;

	EXPECT_OK(endpoint_parse("https://h:8443", &e, NULL));
	EXPECT_OK(endpoint_path_of(&e, "/a?b=c", &path, NULL));
	EXPECT_STR("/a?b=c", path);
	EXPECT_OK(endpoint_path_of(&e, "https://h:8443/x", &path, NULL));
	EXPECT_STR("/x", path);
	EXPECT_ERR(UN_ERR_UNSUPPORTED, endpoint_path_of(&e, "https://h/x", &path, NULL));
	EXPECT_ERR(UN_ERR_UNSUPPORTED, endpoint_path_of(&e, "http://h:8443/x", &path, NULL));
	EXPECT_ERR(UN_ERR_PROTOCOL, endpoint_path_of(&e, "/a b", &path, NULL));
	EXPECT_OK(endpoint_parse("unix:///s", &e, NULL));
	EXPECT_OK(endpoint_path_of(&e, "http://localhost/x", &path, NULL));
	EXPECT_ERR(UN_ERR_UNSUPPORTED, endpoint_path_of(&e, "http://127.0.0.1/x", &path, NULL));
}

TEST_MAIN()
