#include "base/page_token.h"

#include "test.h"

#include <stdio.h>
#include <string.h>

struct place {
	char project[16], name[32];
};

static enum un_err
parse(const char *token, uint8_t format, struct place *ret_place)
{
	const struct page_token_field fields[] = {{ret_place->project, sizeof ret_place->project},
	                                          {ret_place->name, sizeof ret_place->name}};

	return page_token_parse(token, format, fields, 2, NULL);
}

static void
write_token(const char *project, const char *name, char ret_token[PAGE_TOKEN_MAX])
{
	const struct page_token_field fields[] = {{(char *)project, 0}, {(char *)name, 0}};

	EXPECT_OK(page_token_format(1, fields, 2, ret_token, PAGE_TOKEN_MAX));
}

TEST(page_token, texts_come_back)
{
	char token[PAGE_TOKEN_MAX];
	struct place place;

	write_token("", "db/password", token);
	EXPECT_OK(parse(token, 1, &place));
	EXPECT_STR("", place.project);
	EXPECT_STR("db/password", place.name);
}

TEST(page_token, of_another_list_or_cut_or_longer_is_refused)
{
	char token[2 * PAGE_TOKEN_MAX] = "";
	struct place place;

	write_token("fraud", "d", token);
	EXPECT_ERR(UN_ERR_INVALID, parse(token, 2, &place));
	for (size_t len = strlen(token); len-- > 0;) {
		token[len] = '\0';
		EXPECT_ERR(UN_ERR_INVALID, parse(token, 1, &place));
	}
	write_token("fraud", "d", token);
	memset(token + strlen(token), 'A', 4);
	EXPECT_ERR(UN_ERR_INVALID, parse(token, 1, &place));
	memset(token, 'A', sizeof token - 1);
	EXPECT_ERR(UN_ERR_INVALID, parse(token, 0, &place));
	EXPECT_ERR(UN_ERR_INVALID, parse("no token", 1, &place));
}

TEST(page_token, text_that_does_not_fit_is_refused)
{
	char token[PAGE_TOKEN_MAX];
	struct place place;

	write_token("a-project-of-16c", "db", token);
	EXPECT_ERR(UN_ERR_INVALID, parse(token, 1, &place));
}

TEST(page_token, buffer_that_is_too_small_is_not_overrun)
{
	char text[40] = "", token[16];
	const struct page_token_field field = {text, sizeof text};

	memset(text, 'x', sizeof text - 1);
	EXPECT_ERR(UN_ERR_TOO_LARGE, page_token_format(1, &field, 1, token, sizeof token));
}

TEST_MAIN()
