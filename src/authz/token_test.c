#include "authz/token.h"

#include "crypto/hash.h"

#include "test.h"

#define NOW 1000000

static const struct token_facts facts = {.id = 1ll << 40, .epoch = 7, .expires_ms = NOW + 1};

static struct token_mint *
mint_of_test(void)
{
	struct token_mint *mint = NULL;

	EXPECT_OK(crypto_init());
	EXPECT_OK(token_mint_new(&mint));
	return mint;
}

/* The text of a token, to play with. */
static size_t
issued(const struct token_mint *mint, char text[TOKEN_LEN + 2])
{
	struct secbuf *token = NULL;
	size_t len;

	EXPECT_OK(token_issue(mint, &facts, &token));
	len = secbuf_len(token);
	EXPECT_INT(TOKEN_LEN, len);
	memcpy(text, secbuf_peek(token), len);
	text[len] = '\0';
	secbuf_free(token);
	return len;
}

TEST(token, says_who_logged_in_and_until_when)
{
	struct token_mint *mint = mint_of_test();
	char text[TOKEN_LEN + 2], again[TOKEN_LEN + 2];
	size_t len = issued(mint, text);
	struct token_facts got;

	EXPECT_OK(token_check(mint, text, len, NOW, &got));
	assert_int_equal(got.id, 1ll << 40);
	assert_int_equal(got.epoch, 7);
	assert_int_equal(got.expires_ms, NOW + 1);
	assert_int_equal(issued(mint, again), len);
	assert_memory_not_equal(text, again, len);
	assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	                              "0123456789-_"),
	                 len);
	token_mint_free(mint);
}

TEST(token, is_void_once_its_time_is_over)
{
	struct token_mint *mint = mint_of_test();
	char text[TOKEN_LEN + 2];
	size_t len = issued(mint, text);
	struct token_facts got;

	EXPECT_ERR(UN_ERR_UNAUTHENTICATED, token_check(mint, text, len, NOW + 1, &got));
	EXPECT_ERR(UN_ERR_UNAUTHENTICATED, token_check(mint, text, len, INT64_MAX, &got));
	token_mint_free(mint);
}

TEST(token, refuses_every_changed_character_and_every_truncation)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/= .";
	struct token_mint *mint = mint_of_test();
	char text[TOKEN_LEN + 2], bad[TOKEN_LEN + 2];
	size_t len = issued(mint, text);
	struct token_facts got;

	for (size_t at = 0; at < len; at++) {
		EXPECT_ERR(UN_ERR_UNAUTHENTICATED, token_check(mint, text, at, NOW, &got));
		memcpy(bad, text, len);
		for (const char *digit = digits; *digit; digit++) {
			bad[at] = *digit;
			if (*digit != text[at])
				EXPECT_ERR(UN_ERR_UNAUTHENTICATED,
				           token_check(mint, bad, len, NOW, &got));
		}
	}
	for (const char *digit = digits; *digit; digit++) {
		memcpy(bad, text, len);
		bad[len] = *digit;
		EXPECT_ERR(UN_ERR_UNAUTHENTICATED, token_check(mint, bad, len + 1, NOW, &got));
	}
	token_mint_free(mint);
}

TEST(token, refuses_one_of_another_process)
{
	struct token_mint *mint = mint_of_test(), *other = mint_of_test();
	char text[TOKEN_LEN + 2];
	size_t len = issued(other, text);
	struct token_facts got;

	EXPECT_ERR(UN_ERR_UNAUTHENTICATED, token_check(mint, text, len, NOW, &got));
	token_mint_free(mint);
	token_mint_free(other);
}

TORTURE(token, is_issued_or_fails_whole)
{
	struct token_mint *mint = NULL;
	struct secbuf *text = NULL;

	if (!token_mint_new(&mint) && !token_issue(mint, &facts, &text))
		secbuf_free(text);
	token_mint_free(mint);
}

TEST_MAIN()
