#include "rpc/json.h"

#include "proto-all.h"
#include "test.h"

static void *
take(void *ctx, size_t len)
{
	(void)ctx;
	return mem_alloc(len);
}

static void
leave(void *ctx, void *block)
{
	(void)ctx;
	mem_free(block);
}

static ProtobufCAllocator allocator = {take, leave, NULL};

static enum un_err
parse(const char *text, const ProtobufCMessageDescriptor *type, unsigned flags,
      ProtobufCMessage **ret_message, struct un_detail *detail)
{
	const struct json_options options = {.flags = flags, .allocator = &allocator};
	size_t len = strlen(text);
	char *exact = mem_dup(text, len); /* so that the sanitizer sees one byte too many */
	enum un_err err;

	if (!exact)
		return UN_ERR_NO_MEMORY;
	err = json_parse(exact, len, type, &options, ret_message, detail);
	mem_free(exact);
	return err;
}

/* Reads the text as a message of the type and writes it again. */
static enum un_err
again(const char *text, const ProtobufCMessageDescriptor *type, struct buf *out)
{
	ProtobufCMessage *message = NULL;
	enum un_err err = parse(text, type, 0, &message, NULL);

	buf_clear(out);
	if (err)
		return err;
	err = json_format(message, 0, out);
	protobuf_c_message_free_unpacked(message, &allocator);
	return err;
}

static void
expect_again(const char *wanted, const char *text, const ProtobufCMessageDescriptor *type)
{
	struct buf out;

	buf_init(&out, 1 << 20, BUF_PLAIN);
	EXPECT_OK(again(text, type, &out));
	EXPECT_STR(wanted, buf_text(&out));
	buf_fini(&out);
}

#define SAME(text, type) expect_again(text, text, &type##__descriptor)
#define BECOMES(wanted, text, type) expect_again(wanted, text, &type##__descriptor)
#define REFUSED(text, type) expect_refused(text, &type##__descriptor)

static void
expect_refused(const char *text, const ProtobufCMessageDescriptor *type)
{
	ProtobufCMessage *message = NULL;
	struct un_detail detail = {.message = ""};

	EXPECT_ERR(UN_ERR_PROTOCOL, parse(text, type, 0, &message, &detail));
	EXPECT_NULL(message);
	EXPECT(detail.message[0] != '\0');
}

TEST(json, reads_and_writes_every_kind)
{
	SAME("{\"scalar\":{\"primitive\":{\"integer\":\"-9223372036854775808\"}}}",
	     flyteidl__core__literal);
	SAME("{\"scalar\":{\"primitive\":{\"floatValue\":0.1}}}", flyteidl__core__literal);
	SAME("{\"scalar\":{\"primitive\":{\"floatValue\":\"NaN\"}}}", flyteidl__core__literal);
	SAME("{\"scalar\":{\"primitive\":{\"floatValue\":\"-Infinity\"}}}",
	     flyteidl__core__literal);
	SAME("{\"scalar\":{\"primitive\":{\"floatValue\":5e-324}}}", flyteidl__core__literal);
	SAME("{\"scalar\":{\"primitive\":{\"floatValue\":1.7976931348623157e+308}}}",
	     flyteidl__core__literal);
	SAME("{\"scalar\":{\"primitive\":{\"boolean\":false}}}", flyteidl__core__literal);
	SAME("{\"scalar\":{\"primitive\":{\"stringValue\":\"\"}}}", flyteidl__core__literal);
	SAME("{\"scalar\":{\"noneType\":{}}}", flyteidl__core__literal);
	SAME("{\"scalar\":{\"binary\":{\"value\":\"AAECAw==\",\"tag\":\"x\"}}}",
	     flyteidl__core__literal);
	SAME("{\"collection\":{\"literals\":[{},{\"hash\":\"h\"}]},\"metadata\":{\"a\":\"b\"}}",
	     flyteidl__core__literal);
	SAME("{\"literals\":{\"a\":{\"hash\":\"1\"},\"b\":{}}}", flyteidl__core__literal_map);
	SAME("{\"type\":\"SECRET_TYPE_IMAGE_PULL_SECRET\"}", cloudidl__secret__secret_spec);
}

TEST(json, accepts_what_clients_write)
{
	BECOMES("{\"secretMetadata\":{\"type\":\"SECRET_TYPE_IMAGE_PULL_SECRET\"}}",
	        " { \"secret_metadata\" : { \"type\" : 1 } , \"other\" : [ {\"x\":null}, 1e5 ] }\n",
	        cloudidl__secret__secret);
	BECOMES("{\"secretMetadata\":{\"type\":7}}", "{\"secretMetadata\":{\"type\":7}}",
	        cloudidl__secret__secret);
	BECOMES("{\"limit\":5}", "{\"limit\":\"5\",\"token\":null,\"domain\":\"\"}",
	        cloudidl__secret__list_secrets_request);
	BECOMES("{\"limit\":100}", "{\"limit\":1e2}", cloudidl__secret__list_secrets_request);
	BECOMES("{\"integer\":\"5\"}", "{\"integer\":5}", flyteidl__core__primitive);
	BECOMES("{\"integer\":\"5\"}", "{\"integer\":5.0}", flyteidl__core__primitive);
	BECOMES("{\"value\":\"+/+/\"}", "{\"value\":\"-_-_\"}", flyteidl__core__binary);
	BECOMES("{\"value\":\"AA==\"}", "{\"value\":\"AA\"}", flyteidl__core__binary);
	BECOMES("{\"stringValue\":\"é\xf0\x9f\x98\x80/\\n\\u0001\"}",
	        "{\"stringValue\":\"\\u00e9\\ud83d\\ude00\\/\\n\\u0001\"}",
	        flyteidl__core__primitive);
}

TEST(json, writes_times_as_the_mapping_says)
{
#define TIME(out, in) BECOMES("\"" out "\"", "\"" in "\"", google__protobuf__timestamp)
#define LONG(out, in) BECOMES("\"" out "\"", "\"" in "\"", google__protobuf__duration)
	TIME("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z");
	TIME("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z");
	TIME("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z");
	TIME("2024-02-29T12:00:00.100Z", "2024-02-29T12:00:00.1Z");
	TIME("2026-11-23T13:07:00.000120Z", "2026-11-23T14:07:00.00012+01:00");
	TIME("1969-12-31T23:59:59.500Z", "1969-12-31T23:59:59.5-00:00");
	LONG("0s", "0s");
	LONG("-1.500s", "-1.5s");
	LONG("-0.000000001s", "-0.000000001s");
	LONG("315576000000s", "315576000000s");
	REFUSED("\"2023-02-29T00:00:00Z\"", google__protobuf__timestamp);
	REFUSED("\"2023-02-28T24:00:00Z\"", google__protobuf__timestamp);
	REFUSED("\"2023-02-28T00:00:00\"", google__protobuf__timestamp);
	REFUSED("\"2023-02-28 00:00:00Z\"", google__protobuf__timestamp);
	REFUSED("\"0001-01-01T00:00:00+01:00\"", google__protobuf__timestamp);
	REFUSED("\"2023-02-28T00:00:00.Z\"", google__protobuf__timestamp);
	REFUSED("\"2023-02-28T00:00:00.1234567890Z\"", google__protobuf__timestamp);
	REFUSED("\"1\"", google__protobuf__duration);
	REFUSED("\"315576000001s\"", google__protobuf__duration);
	REFUSED("1", google__protobuf__duration);
}

TEST(json, keeps_free_form_values)
{
	SAME("{\"a\":null,\"b\":[1,true,\"x\",{\"c\":{}},[]],\"d\":-0.5}",
	     google__protobuf__struct);
	SAME("[null,[]]", google__protobuf__list_value);
	SAME("null", google__protobuf__value);
	SAME("\"5\"", google__protobuf__int64_value);
	SAME("{\"interruptible\":false}", flyteidl__admin__execution_spec);
}

TEST(json, refuses_what_is_not_json)
{
	static const char *const bad[] = {
	        "",
	        "{",
	        "[]",
	        "{}x",
	        "{\"hash\":}",
	        "{\"hash\":\"a\",}",
	        "{,}",
	        "{\"hash\" \"a\"}",
	        "{hash:\"a\"}",
	        "{'hash':'a'}",
	        "{\"hash\":\"a}",
	        "{\"hash\":\"\\x\"}",
	        "{\"hash\":\"\\ud800\"}",
	        "{\"hash\":\"\\udc00\\ud800\"}",
	        "{\"hash\":\"\\u12\"}",
	        "{\"hash\":\"a\nb\"}",
	        "{\"hash\":\"\xff\"}",
	        "{\"hash\":\"\xc0\x80\"}",
	        "{\"hash\":\"\xed\xa0\x80\"}",
	        "{\"hash\":\"a\\u0000b\"}",
	        "{\"hash\":5}",
	        "{\"hash\":\"a\",\"hash\":\"b\"}",
	        "{\"metadata\":{\"a\":\"1\",\"a\":\"2\"}}",
	        "{\"metadata\":{\"a\":null}}",
	        "{\"scalar\":{\"noneType\":{}},\"collection\":{}}",
	        "{\"unknown\":[1,2}",
	        "{\"unknown\":01}",
	        "{\"unknown\":1.}",
	        "{\"unknown\":.5}",
	        "{\"unknown\":+1}",
	        "{\"unknown\":tru}",
	        "// comment\n{}",
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ProtobufCMessage *message = NULL;
		struct un_detail detail = {.message = ""};
		enum un_err err = parse(bad[i], &flyteidl__core__literal__descriptor, 0, &message,
		                        &detail);

		if (err != UN_ERR_PROTOCOL)
			print_message("case %zu: %s\n", i, bad[i]);
		EXPECT_ERR(UN_ERR_PROTOCOL, err);
	}
}

TEST(json, refuses_numbers_out_of_range)
{
	REFUSED("{\"limit\":2147483648}", cloudidl__secret__list_secrets_request);
	REFUSED("{\"limit\":-2147483649}", cloudidl__secret__list_secrets_request);
	REFUSED("{\"limit\":1.5}", cloudidl__secret__list_secrets_request);
	REFUSED("{\"limit\":\"\"}", cloudidl__secret__list_secrets_request);
	REFUSED("{\"limit\":\" 5\"}", cloudidl__secret__list_secrets_request);
	REFUSED("{\"limit\":true}", cloudidl__secret__list_secrets_request);
	REFUSED("{\"integer\":9223372036854775808}", flyteidl__core__primitive);
	REFUSED("{\"integer\":\"-9223372036854775809\"}", flyteidl__core__primitive);
	REFUSED("{\"floatValue\":1e999}", flyteidl__core__primitive);
	REFUSED("{\"floatValue\":\"nan\"}", flyteidl__core__primitive);
	REFUSED("{\"attempt\":-1}", union__v1__log_position);
	REFUSED("{\"value\":\"A\"}", flyteidl__core__binary);
	REFUSED("{\"value\":\"AB\"}", flyteidl__core__binary);
	REFUSED("{\"value\":\"AA=\"}", flyteidl__core__binary);
	REFUSED("{\"value\":\"A A=\"}", flyteidl__core__binary);
}

TEST(json, stops_at_a_depth)
{
	static char deep[4096];
	struct buf out;

	buf_init(&out, 1 << 20, BUF_PLAIN);
	memset(deep, '[', 2000);
	expect_refused(deep, &google__protobuf__value__descriptor);
	memcpy(deep, "{\"unknown\":", 11);
	expect_refused(deep, &flyteidl__core__literal__descriptor);
	memset(deep, 0, sizeof deep);
	memset(deep, '[', 30);
	memset(deep + 30, ']', 30);
	EXPECT_OK(again(deep, &google__protobuf__value__descriptor, &out));
	EXPECT_STR(deep, buf_text(&out));
	buf_fini(&out);
}

TEST(json, names_the_field_and_never_the_value)
{
	ProtobufCMessage *message = NULL;
	struct un_detail detail = {.message = ""};

	EXPECT_ERR(UN_ERR_PROTOCOL,
	           parse("{\"secretSpec\":{\"stringValue\":\"CANARY\\x\"}}",
	                 &cloudidl__secret__create_secret_request__descriptor, 0, &message,
	                 &detail));
	EXPECT(strstr(detail.message, "string_value") != NULL);
	EXPECT_NULL(strstr(detail.message, "CANARY"));
}

TEST(json, refuses_unknown_fields_when_asked_to)
{
	ProtobufCMessage *message = NULL;

	EXPECT_ERR(UN_ERR_PROTOCOL, parse("{\"nosuch\":1}", &flyteidl__core__literal__descriptor,
	                                  JSON_REFUSE_UNKNOWN, &message, NULL));
}

TEST(json, finds_a_key_that_stands_twice_among_many)
{
	static char text[200000];
	struct buf out;
	size_t len = 1;

	buf_init(&out, 1 << 20, BUF_PLAIN);
	text[0] = '{';
	for (int i = 0; i < 5000; i++)
		len += (size_t)snprintf(text + len, sizeof text - len, "%s\"k%d\":%d", i ? "," : "",
		                        i, i);
	memcpy(text + len, "}", 2);
	EXPECT_OK(again(text, &google__protobuf__struct__descriptor, &out));
	memcpy(text + len, ",\"k4321\":1}", 12);
	expect_refused(text, &google__protobuf__struct__descriptor);
	buf_fini(&out);
}

static const char good[] =
        "{\"collection\":{\"literals\":[{\"scalar\":{\"generic\":{\"a\":[1,{\"b\":null}]}}},"
        "{\"scalar\":{\"binary\":{\"value\":\"AAEC\"}}},{\"metadata\":{\"x\":\"y\",\"z\":\"\"}},"
        "{\"scalar\":{\"primitive\":{\"datetime\":\"2024-02-29T12:00:00.1Z\"}}},{},{},{}]}}";

TEST(json, survives_every_bit_and_every_length)
{
	char copy[sizeof good];

	for (size_t i = 0; i < (sizeof good - 1) * 8; i++) {
		ProtobufCMessage *message = NULL;

		memcpy(copy, good, sizeof good);
		copy[i / 8] = (char)(copy[i / 8] ^ (1 << i % 8));
		if (parse(copy, &flyteidl__core__literal__descriptor, 0, &message, NULL) == UN_OK)
			protobuf_c_message_free_unpacked(message, &allocator);
	}
	for (size_t len = 0; len + 1 < sizeof good; len++) {
		memcpy(copy, good, sizeof good);
		copy[len] = '\0';
		expect_refused(copy, &flyteidl__core__literal__descriptor);
	}
}

TORTURE(json, frees_everything_when_memory_ends)
{
	ProtobufCMessage *message = NULL;
	enum un_err err = parse(good, &flyteidl__core__literal__descriptor, 0, &message, NULL);

	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY);
	EXPECT((err == UN_OK) == (message != NULL));
	if (message)
		protobuf_c_message_free_unpacked(message, &allocator);
}

TEST_MAIN()
