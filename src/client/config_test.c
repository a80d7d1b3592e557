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
	           parse("admin:\n  endpoint: a\n  clientID: x\n", &config, &detail));
	EXPECT(strstr(detail.message, "c.yaml line 3:"));
	EXPECT(strstr(detail.message, "clientID"));
}

TEST(config, reads_how_to_log_in_as_other_clients_write_it)
{
	struct config config;

	EXPECT_OK(parse("admin:\n  endpoint: dns:///h\n  insecure: false\n"
	                "  authType: ClientSecret\n  clientId: ci\n  clientSecretEnvVar: X\n"
	                "  scopes: [all, offline]\n  audience: a\n"
	                "logger:\n  show-source: true\n  level: 0\n"
	                "union:\n  connection: {host: 'dns:///h', insecure: false}\n"
	                "  auth: {type: Pkce}\n",
	                &config, NULL));
	EXPECT_INT(CONFIG_AUTH_CLIENT_SECRET, config.auth);
	EXPECT_STR("ci", config.client_id);
	EXPECT_STR("X", config.secret_env);
	EXPECT_STR("all offline", config.scopes);
	EXPECT_STR("a", config.audience);
	EXPECT_OK(parse("admin: {authType: Pkce, clientId: ci, clientSecretLocation: /f, "
	                "insecureSkipVerify: true}",
	                &config, NULL));
	EXPECT_INT(CONFIG_AUTH_CLIENT_SECRET, config.auth);
	EXPECT_STR("/f", config.secret_file);
	EXPECT(config.skip_verify);
	EXPECT_OK(parse("admin: {authType: ExternalCommand, command: [get-token, '--for', h]}",
	                &config, NULL));
	EXPECT_INT(CONFIG_AUTH_COMMAND, config.auth);
	EXPECT_INT(3, config.command_words);
	EXPECT_BYTES("get-token\0--for\0h", config.command, config.command_len);
	EXPECT_OK(parse("admin: {authType: Pkce, disableKeyring: true}", &config, NULL));
	EXPECT_INT(CONFIG_AUTH_BROWSER, config.auth);
	EXPECT_OK(parse("admin: {authType: Passthrough}", &config, NULL));
	EXPECT_INT(CONFIG_AUTH_OTHER, config.auth);
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
		"admin: {endpoint: 'https://a', clientCertFilePath: /a}",
		"admin: {endpoint: 'https://a', clientKeyFilePath: /a}",
		"admin: *x",
		"admin: &a {endpoint: b}\nother: *a",
		"admin:\n\tendpoint: a\n",
		"admin: {endpoint: 'https://a', insecure: true}",
		"a: b",
		"admin: {scopes: [[a]]}",
		"admin: {scopes: [a], scopes: [b]}",
		"admin: {command: []}\nadmin: {}",
		"admin: {authType: ExternalCommand}",
		"admin: {authType: ClientSecret, clientId: a}",
		"admin: {clientSecretEnvVar: X}",
		"admin: {proxyCommand: [x]}",
		"admin: {httpProxyURL: 'http://p'}",
		"admin: {insecureSkipVerify: 1}",
		"logger: {a: ",
		"admin: {endpoint: \"a\\0b\"}",
	};
	struct config config;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		EXPECT_ERR(UN_ERR_BAD_CONFIG, parse(bad[i], &config, NULL));
}

TEST_MAIN()
