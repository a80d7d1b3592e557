#include "base/pack.h"

#include "test.h"

TEST(pack, numbers_are_big_endian_and_come_back)
{
	static const uint8_t expected[] = {0xff, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef, 1,
	                                   2,    3,    4,    5,    6,    7,    8};
	struct buf out;
	struct unpack in;

	buf_init(&out, 100, BUF_PLAIN);
	EXPECT_OK(pack_u8(&out, 0xff));
	EXPECT_OK(pack_u16(&out, 0x1234));
	EXPECT_OK(pack_u32(&out, 0xdeadbeef));
	EXPECT_OK(pack_u64(&out, 0x0102030405060708));
	EXPECT_INT(sizeof expected, out.len);
	EXPECT_BYTES(expected, out.data, out.len);
	unpack_init(&in, out.data, out.len);
	EXPECT_INT(0xff, unpack_u8(&in));
	EXPECT_INT(0x1234, unpack_u16(&in));
	EXPECT(unpack_u32(&in) == 0xdeadbeef);
	EXPECT(unpack_u64(&in) == 0x0102030405060708);
	EXPECT_OK(unpack_end(&in));
	buf_fini(&out);
}

static enum un_err
read_message(const uint8_t *bytes, size_t len)
{
	struct unpack in;
	char text[8];
	size_t got;

	unpack_init(&in, bytes, len);
	(void)unpack_u16(&in);
	unpack_text(&in, text, sizeof text);
	(void)unpack_bytes(&in, 4, &got);
	(void)unpack_fixed(&in, 2);
	return unpack_end(&in);
}

TEST(pack, fails_at_every_cut_and_with_a_byte_too_many)
{
	struct buf out;

	buf_init(&out, 100, BUF_PLAIN);
	EXPECT_OK(pack_u16(&out, 7));
	EXPECT_OK(pack_text(&out, "seven77"));
	EXPECT_OK(pack_bytes(&out, "abcd", 4));
	EXPECT_OK(buf_append(&out, "zz", 2));
	EXPECT_OK(read_message(out.data, out.len));
	for (size_t len = 0; len < out.len; len++)
		EXPECT_ERR(UN_ERR_PROTOCOL, read_message(out.data, len));
	EXPECT_OK(pack_u8(&out, 0));
	EXPECT_ERR(UN_ERR_PROTOCOL, read_message(out.data, out.len));
	buf_fini(&out);
}

TEST(pack, refuses_lengths_over_the_limit_and_over_what_is_there)
{
	static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 'a'};
	static const uint8_t five[] = {0, 0, 0, 5, 'a', 'b', 'c', 'd', 'e'};
	struct unpack in;
	size_t len = 99;

	unpack_init(&in, huge, sizeof huge);
	EXPECT_NULL(unpack_bytes(&in, UINT32_MAX, &len));
	EXPECT_INT(0, len);
	EXPECT_ERR(UN_ERR_PROTOCOL, unpack_end(&in));
	unpack_init(&in, five, sizeof five);
	EXPECT_NULL(unpack_bytes(&in, 4, &len));
	EXPECT_INT(0, len);
}

TEST(pack, text_fits_with_its_nul_and_holds_none)
{
	static const uint8_t with_nul[] = {0, 0, 0, 3, 'a', 0, 'b'};
	static const uint8_t four[] = {0, 0, 0, 4, 'a', 'b', 'c', 'd'};
	char text[4] = "old";
	struct unpack in;

	unpack_init(&in, with_nul, sizeof with_nul);
	unpack_text(&in, text, sizeof text);
	EXPECT_STR("", text);
	EXPECT(in.bad);
	unpack_init(&in, four, sizeof four);
	unpack_text(&in, text, sizeof text);
	EXPECT_STR("", text);
	EXPECT(in.bad);
}

TEST(pack, once_bad_reads_nothing_more)
{
	static const uint8_t one[] = {1};
	struct unpack in;

	unpack_init(&in, one, sizeof one);
	EXPECT_INT(0, unpack_u32(&in));
	EXPECT_INT(0, unpack_u8(&in));
	EXPECT_NULL(unpack_fixed(&in, 0));
	EXPECT_ERR(UN_ERR_PROTOCOL, unpack_end(&in));
}

TORTURE(pack, appends_whole_or_not_at_all)
{
	struct buf out;
	enum un_err err;

	buf_init(&out, 1000, BUF_PLAIN);
	err = pack_bytes(&out, "abc", 3);
	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY);
	EXPECT(err || out.len == 7);
	buf_fini(&out);
}

TEST_MAIN()
