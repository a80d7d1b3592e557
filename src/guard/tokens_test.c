/* The tokens here are made up, and put together at run time: nothing in this file is one. */
#include "guard/tokens.h"
#include "test.h"

#define R22 "9fK2mQ7xT4bW8sL1vN6cZ3"
#define HEX32 "9c41f7be5d20a8638f1e0d7c2b94a56e"
#define R36 "9fK2mQ7xT4bW8sL1vN6cZ3pR5yH0dJ2gA4eU"

static const char *
kind_of(const char *text)
{
	struct token token;

	return token_find((const uint8_t *)text, strlen(text), 0, &token) ? token.kind : NULL;
}

static const char *
kind_of_parts(const char *before, const char *first, const char *second)
{
	static char text[512];

	(void)snprintf(text, sizeof text, "%s%s%s\"\n", before, first, second);
	return kind_of(text);
}

TEST(tokens, of_well_known_services_are_found)
{
	EXPECT_STR("an AWS access key", kind_of_parts("key = \"", "AKIA", "Q7XT4BWZSLVNK2MF"));
	EXPECT_STR("an AWS secret key", kind_of_parts("aws_secret_access_key = ", R36, "kQ7/"));
	EXPECT_STR("a GitHub token",
	           kind_of_parts("x='", "ghp_", "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"));
	EXPECT_STR("a GitHub token", kind_of_parts("", "github_pat_", R22 "_" R22 R36 "a"));
	EXPECT_STR("a Slack token", kind_of_parts("", "xoxb-", "263594206564-" R22));
	EXPECT_STR("a Google API key", kind_of_parts("?key=", "AIza", "Sy" R22 "kQ7xT4bW8sL"));
	EXPECT_STR("a Stripe key", kind_of_parts("", "sk_live_", R22));
	EXPECT_STR("an npm token", kind_of_parts("//r/:_authToken=", "npm_", R36));
	EXPECT_STR("a PyPI token", kind_of_parts("", "pypi-AgEIcHlwaS5vcmc", R36 R22));
	EXPECT_STR("an Anthropic key", kind_of_parts("", "sk-ant-", "api03-" R36));
	EXPECT_STR("a Hugging Face token", kind_of_parts("", "hf_", R22 "pR5yH0dJ2gA4"));
	EXPECT_STR("an AWS access key", kind_of_parts("", "ASIA", "Q7XT4BWZSLVNK2MF"));
	EXPECT_STR("a GitHub token", kind_of_parts("", "ghr_", R36));
	EXPECT_STR("a GitLab token", kind_of_parts("", "glpat-", R22));
	EXPECT_STR("a Slack token", kind_of_parts("", "xapp-", "1-A263594206564-" R22));
	EXPECT_STR("a Stripe key", kind_of_parts("", "rk_live_", R22));
	EXPECT_STR("an OpenAI key", kind_of_parts("", "sk-proj-", R22 "T3BlbkFJ" R22));
	EXPECT_STR("a SendGrid key", kind_of_parts("", "SG.", R22 "." R36 "kQ7xT4b"));
	EXPECT_STR("a DigitalOcean token",
	           kind_of_parts("", "dop_v1_", HEX32 "b3f90c5817de26a49fc8e05d71b362a8"));
	EXPECT_STR("a Databricks token", kind_of_parts("token = ", "dapi", HEX32));
	EXPECT_STR("an Azure storage key",
	           kind_of_parts("DefaultEndpointsProtocol=https;",
	                         "AccountKey=", R36 R36 "kQ7xT4bW8sL1vQ=="));
	EXPECT_STR("a private key in base64",
	           kind_of_parts("client-key-data: ",
	                         "LS0tLS1CRUdJTiBSU0EgUFJJVkFURSBLRVktLS0tLQpN", R36 R36 R36 R36));
	EXPECT_NULL(kind_of_parts("certificate: ", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUM5",
	                          R36 R36 R36 R36));
	EXPECT_STR("a Union API key",
	           kind_of_parts("export UNION_", "API_KEY=\"",
	                         "dW5pb24uYS5iOmNpOjlmSzJtUTd4VDRiVzhzTDF2TjZjWjM6b3Jn"));
	EXPECT_NULL(kind_of("export UNION_API_KEY=\"dW5pb24uZXhhbXBsZS5jb206YW5uOi4uLg==\""));
	EXPECT_STR("a private key of PuTTY", kind_of_parts("", "PuTTY-User-Key-File-", "3: ssh"));
	EXPECT_STR("a JSON Web Token",
	           kind_of_parts("Bearer ", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.",
	                         "eyJzdWIiOiIxMjM0NTY3ODkwIn0." R36));
}

TEST(tokens, that_are_examples_or_words_pass)
{
	static const char *const fine[] = {
		"AKIAIOSFODNN7EXAMPLE",
		"AKIAXXXXXXXXXXXXXXXX",
		"MAKIAQ7XT4BWZSLVNK2MF",
		"aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		"aws_secret_access_key = os.environ['AWS_SECRET_ACCESS_KEY']",
		"ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18", /* the checksum is not right */
		"ghp_1234567890abcdefghijklmnopqrstuvwxyz",
		"xoxb-your-token-goes-here-please-thanks",
		"AIzaXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
		"sk_test_9fK2mQ7xT4bW8sL1vN6cZ3",
		"sk_live_xxxxxxxxxxxxxxxxxxxxxxxx",
		"npm_config_registry_is_a_variable_of_npm_itself_",
		"hf_hub_download(repo_id='x', filename='y')",
		"sk-learn-is-a-library-whose-name-has-a-dash-in",
		"eyJhbGciOiJub25lIn0.eyJzdWIiOiIxMjM0NTY3ODkwIn0.9fK2mQ7xT4bW8sL1vN6c",
		"begins = '-----BEGIN RSA PRIVATE KEY-----'\nends = '-----END RSA PRIVATE "
		"KEY-----'\n",
		"-----BEGIN PUBLIC "
		"KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAu1SU1LfVLPHCozMxH2Mo\n",
	};

	for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
		if (kind_of(fine[i]))
			print_message("%s: %s\n", fine[i], kind_of(fine[i]));
		EXPECT_NULL(kind_of(fine[i]));
	}
}

TEST(tokens, of_armour_are_private_keys_with_a_key_in_them)
{
	static const char line[] = "MIIEpAIBAAKCAQEA7bq3xK9fK2mQ7xT4bW8sL1vN6cZ3pR5yH0dJ2gA4eUcQ";
	char text[512];

	(void)snprintf(text, sizeof text, "-----BEGIN RSA %s-----\n%s\n", "PRIVATE KEY", line);
	EXPECT_STR("a private key", kind_of(text));
	(void)snprintf(text, sizeof text, "-----BEGIN OPENSSH %s-----\r\n%s\n", "PRIVATE KEY",
	               line);
	EXPECT_STR("a private key", kind_of(text));
	(void)snprintf(text, sizeof text, "{\"private_key\": \"-----BEGIN %s-----\\n%s\\n\"}",
	               "PRIVATE KEY", line);
	EXPECT_STR("a private key", kind_of(text));
	(void)snprintf(
		text, sizeof text,
		"-----BEGIN RSA %s-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n%s\n",
		"PRIVATE KEY", line);
	EXPECT_STR("a private key", kind_of(text));
}

TEST(tokens, in_files_that_exist_to_hold_them)
{
	static const char set[] = "# comment\nDB=postgres://u:p@h/\n", empty[] = "# nothing\nDB=\n";

	EXPECT_STR("a .env file", token_file("a/.env", (const uint8_t *)set, sizeof set - 1));
	EXPECT_STR("a .env file", token_file(".env.local", (const uint8_t *)set, sizeof set - 1));
	EXPECT_NULL(token_file(".env.example", (const uint8_t *)set, sizeof set - 1));
	EXPECT_NULL(token_file(".env", (const uint8_t *)empty, sizeof empty - 1));
	EXPECT_STR("a .netrc file",
	           token_file("h/.netrc", (const uint8_t *)"machine h\npassword x", 20));
	EXPECT_STR("a .pgpass file", token_file(".pgpass", (const uint8_t *)"h:5432:d:u:p", 12));
	EXPECT_STR("a .pypirc file", token_file(".pypirc", (const uint8_t *)"password = x", 12));
	EXPECT_STR("an .npmrc file with a token",
	           token_file(".npmrc", (const uint8_t *)"//r/:_authToken=x", 17));
	EXPECT_NULL(token_file(".npmrc", (const uint8_t *)"//r/:_authToken=${T}", 20));
	EXPECT_NULL(token_file("environment.py", (const uint8_t *)set, sizeof set - 1));
	EXPECT_NULL(token_file(".environment", (const uint8_t *)set, sizeof set - 1));
}

TEST(tokens, are_told_where_they_are)
{
	static const char text[] = "a\nb 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 c";
	struct token token;

	EXPECT(token_find((const uint8_t *)text, sizeof text - 1, 0, &token));
	EXPECT_INT(4, token.at);
	EXPECT_INT(40, token.len);
	EXPECT(!token_find((const uint8_t *)text, sizeof text - 1, token.at + token.len, &token));
}

TEST_MAIN()
