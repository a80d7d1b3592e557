#include "base/buf.h"

#include "base/alloc.h"
#include "test.h"

TEST(buf, reads_as_text_also_when_empty)
{
	struct buf buf;

	buf_init(&buf, 10, BUF_PLAIN);
	EXPECT_STR("", buf_text(&buf));
	EXPECT_OK(buf_append_text(&buf, "abc"));
	EXPECT_STR("abc", buf_text(&buf));
	buf_clear(&buf);
	EXPECT_STR("", buf_text(&buf));
	EXPECT_INT(0, buf.len);
	buf_fini(&buf);
	EXPECT_STR("", buf_text(&buf));
}

TEST(buf, takes_exactly_its_maximum_and_not_one_byte_more)
{
	struct buf buf;

	buf_init(&buf, 3, BUF_PLAIN);
	EXPECT_OK(buf_append(&buf, "ab", 2));
	EXPECT_ERR(UN_ERR_TOO_LARGE, buf_append(&buf, "cd", 2));
	EXPECT_STR("ab", buf_text(&buf));
	EXPECT_OK(buf_append_byte(&buf, 'c'));
	EXPECT_ERR(UN_ERR_TOO_LARGE, buf_append_byte(&buf, 'd'));
	EXPECT_OK(buf_append(&buf, NULL, 0));
	EXPECT_STR("abc", buf_text(&buf));
	EXPECT_ERR(UN_ERR_TOO_LARGE, buf_reserve(&buf, SIZE_MAX));
	buf_fini(&buf);
}

TEST(buf, keeps_every_byte_while_it_grows)
{
	for (enum buf_kind kind = BUF_PLAIN; kind <= BUF_WIPE; kind++) {
		struct buf buf;

		buf_init(&buf, 100000, kind);
		for (unsigned i = 0; i < 100000; i++)
			EXPECT_OK(buf_append_byte(&buf, (uint8_t)(i * 7)));
		for (unsigned i = 0; i < 100000; i++)
			EXPECT(buf.data[i] == (uint8_t)(i * 7));
		EXPECT_INT(0, buf.data[buf.len]);
		buf_fini(&buf);
	}
}

TEST(buf, formats_at_its_end_or_not_at_all)
{
	struct buf buf;

	buf_init(&buf, 8, BUF_PLAIN);
	EXPECT_OK(buf_appendf(&buf, "%s-%d", "ab", 42));
	EXPECT_STR("ab-42", buf_text(&buf));
	EXPECT_ERR(UN_ERR_TOO_LARGE, buf_appendf(&buf, "%s", "long"));
	EXPECT_STR("ab-42", buf_text(&buf));
	EXPECT_OK(buf_appendf(&buf, "%s", "xyz"));
	EXPECT_STR("ab-42xyz", buf_text(&buf));
	buf_fini(&buf);
}

TEST(buf, drops_its_front)
{
	struct buf buf;

	buf_init(&buf, 100, BUF_WIPE);
	EXPECT_OK(buf_append_text(&buf, "abcdef"));
	buf_drop_front(&buf, 0);
	buf_drop_front(&buf, 2);
	EXPECT_STR("cdef", buf_text(&buf));
	EXPECT_INT(0, buf.data[5]); /* wiped behind the end */
	buf_drop_front(&buf, 4);
	EXPECT_STR("", buf_text(&buf));
	buf_fini(&buf);
}

TEST(buf, a_wiping_one_zeroes_what_it_clears)
{
	struct buf buf;

	buf_init(&buf, 100, BUF_WIPE);
	EXPECT_OK(buf_append_text(&buf, "canary"));
	buf_clear(&buf);
	for (size_t i = 0; i < 6; i++)
		EXPECT_INT(0, buf.data[i]);
	buf_fini(&buf);
}

TEST(buf, gives_its_bytes_away_and_is_empty_then)
{
	struct buf buf;
	uint8_t *taken;
	size_t len;

	buf_init(&buf, 100, BUF_PLAIN);
	EXPECT_OK(buf_append_text(&buf, "abc"));
	taken = buf_take(&buf, &len);
	EXPECT_INT(3, len);
	EXPECT_STR("abc", (char *)taken);
	EXPECT_INT(0, buf.len);
	EXPECT_OK(buf_append_text(&buf, "d"));
	mem_free(taken);
	buf_fini(&buf);
}

TORTURE(buf, appends_whole_or_not_at_all)
{
	struct buf buf;
	enum un_err err;

	buf_init(&buf, 10000, BUF_WIPE);
	err = buf_append_text(&buf, "first");
	if (err) {
		EXPECT_ERR(UN_ERR_NO_MEMORY, err);
		EXPECT_INT(0, buf.len);
	} else {
		err = buf_appendf(&buf, "%5000d", 1);
		EXPECT_INT(err ? 5 : 5005, buf.len);
	}
	buf_fini(&buf);
}

TEST_MAIN()
