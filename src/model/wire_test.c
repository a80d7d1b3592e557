#include "model/wire.h"

#include "proto-all.h"
#include "test.h"

static enum un_err
check(const ProtobufCMessageDescriptor *type, const void *bytes, size_t len)
{
	uint8_t *exact = mem_dup(bytes, len);
	struct un_detail detail = {.message = ""};
	enum un_err err = wire_check(type, exact, len, &detail);

	EXPECT(!err || detail.message[0]);
	mem_free(exact);
	return err;
}

#define CHECK(type, text) check(&type##__descriptor, text, sizeof(text) - 1)

TEST(wire, passes_what_is_well_formed)
{
	EXPECT_OK(CHECK(cloudidl__secret__secret_identifier, ""));
	EXPECT_OK(CHECK(cloudidl__secret__secret_identifier, "\x0a\x02\xc3\xa9"));
	EXPECT_OK(CHECK(cloudidl__secret__get_secret_request, "\x0a\x03\x0a\x01x\x10\x01"));
	/* fields nobody knows, of every kind */
	EXPECT_OK(CHECK(cloudidl__secret__secret_identifier, "\xf8\x06\x01\xf9\x06"
	                                                     "12345678\xfa\x06\x01z\xfd\x06"
	                                                     "1234"));
}

TEST(wire, refuses_what_protobuf_c_would_cut_or_trust)
{
	EXPECT_ERR(UN_ERR_PROTOCOL, CHECK(cloudidl__secret__secret_identifier, "\x0a\x03"
	                                                                       "a\0b"));
	EXPECT_ERR(UN_ERR_PROTOCOL, CHECK(cloudidl__secret__secret_identifier, "\x0a\x01\xff"));
	EXPECT_ERR(UN_ERR_PROTOCOL,
	           CHECK(cloudidl__secret__get_secret_request, "\x0a\x04\x0a\x02\xc0\x80"));
	EXPECT_ERR(UN_ERR_PROTOCOL, CHECK(cloudidl__secret__secret_identifier, "\x0a\x05"
	                                                                       "abc"));
	EXPECT_ERR(UN_ERR_PROTOCOL, CHECK(cloudidl__secret__secret_identifier, "\x0a"));
	EXPECT_ERR(UN_ERR_PROTOCOL, CHECK(cloudidl__secret__secret_identifier, "\x0b\x0c"));
	EXPECT_ERR(UN_ERR_PROTOCOL, CHECK(cloudidl__secret__secret_identifier, "\x00\x00"));
	EXPECT_ERR(UN_ERR_PROTOCOL,
	           CHECK(cloudidl__secret__secret_identifier,
	                 "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"));
}

/* A literal inside a collection inside a literal ...: what would use up the stack. */
static size_t
nest(uint8_t *bytes, size_t size, unsigned levels)
{
	size_t at = size;

	for (unsigned i = 0; i < levels; i++) {
		size_t len = size - at;

		bytes[--at] = (uint8_t)(len >> 7);
		bytes[--at] = (uint8_t)((len & 0x7f) | 0x80);
		bytes[--at] = i % 2 ? 0x12 : 0x0a; /* collection; literals */
	}
	return at;
}

TEST(wire, stops_at_a_depth)
{
	static uint8_t bytes[1000];
	size_t at = nest(bytes, sizeof bytes, 96);

	EXPECT_OK(check(&flyteidl__core__literal__descriptor, bytes + at, sizeof bytes - at));
	at = nest(bytes, sizeof bytes, 200);
	EXPECT_ERR(UN_ERR_PROTOCOL,
	           check(&flyteidl__core__literal__descriptor, bytes + at, sizeof bytes - at));
}

TEST(wire, knows_where_utf8_ends)
{
	EXPECT_INT(9, wire_utf8_len((const uint8_t *)"abcdefghi", 9));
	EXPECT_INT(8, wire_utf8_len((const uint8_t *)"abcdefgh\xff", 9));
	EXPECT_INT(4, wire_utf8_len((const uint8_t *)"\xf0\x9f\x98\x80", 4));
	EXPECT_INT(0, wire_utf8_len((const uint8_t *)"\xf0\x9f\x98", 3));
	EXPECT_INT(0, wire_utf8_len((const uint8_t *)"\xed\xa0\x80", 3));
	EXPECT_INT(0, wire_utf8_len((const uint8_t *)"\xf4\x90\x80\x80", 4));
}

TEST_MAIN()
