#include "client/config.h"

#include "test.h"

static enum un_err
parse(const char *text, struct config *config, struct un_detail *detail)
{
	return config_parse(text, strlen(text), "c.yaml", config, detail);
}

TEST(config, reads_an_endpoint)
{
	struct config config;

	EXPECT_OK(parse("# comment\nadmin:\n  endpoint: dns:///union.example.com:8443\n"
	                "  caCertFilePath: /etc/ca.pem\n",
	                &config, NULL));
	EXPECT_STR("dns:///union.example.com:8443", config.endpoint);
	EXPECT_STR("/etc/ca.pem", config.ca_file);
	EXPECT_OK(
		parse("admin: {endpoint: 'dns:///localhost:8080', insecure: true}", &config, NULL));
	EXPECT_STR("http://localhost:8080", config.endpoint);
	EXPECT_OK(parse("", &config, NULL));
	EXPECT_STR("", config.endpoint);
}

TEST(config, names_the_line_of_what_it_does_not_know)
{
	struct un_detail detail = {0};
	struct config config;

	EXPECT_ERR(UN_ERR_BAD_CONFIG,
	           parse("admin:\n  endpoint: a\n  clientId: x\n", &config, &detail));
	EXPECT(strstr(detail.message, "c.yaml line 3:"));
	EXPECT(strstr(detail.message, "clientId"));
}

TEST(config, refuses_everything_else)
{
	static const char *const bad[] = {
		"admin",
		"- a",
		"admin: x",
		"admin:\n  endpoint: a\n  endpoint: b\n",
		"admin: {}\nadmin: {}",
		"admin:\n  endpoint: [a]\n",
		"admin:\n  endpoint: ''\n",
		"admin:\n  insecure: maybe\n",
		"admin: *x",
		"admin: &a {endpoint: b}\nother: *a",
		"admin:\n\tendpoint: a\n",
		"admin: {endpoint: 'https://a', insecure: true}",
		"a: b",
		"admin: {endpoint: \"a\\0b\"}",
	};
	struct config config;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		EXPECT_ERR(UN_ERR_BAD_CONFIG, parse(bad[i], &config, NULL));
}

TEST_MAIN()
