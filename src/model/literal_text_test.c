#include "model/literal_text.h"

#include "literal_types.h"
#include "model/literal_json.h"
#include "test.h"

/* Reads `text` as `type`; it must be of it, also by literal_check, and read as `json`. */
static void
expect(const char *json, const literal_type *type, const char *text)
{
	struct un_detail detail = {.message = ""};
	literal *value = NULL;
	struct buf out;
	enum un_err err = literal_from_text("n", type, text, &value, &detail);

	if (err)
		fail_msg("%s: %s", text, detail.message);
	EXPECT_OK(literal_check("input", "n", type, value, NULL));
	buf_init(&out, 4096, BUF_PLAIN);
	EXPECT_OK(literal_to_json(&out, value));
	EXPECT_STR(json, buf_text(&out));
	buf_fini(&out);
	literal_free(value);
}

static void
expect_refused(const char *message, const literal_type *type, const char *text)
{
	struct un_detail detail = {.message = ""};
	literal *value = NULL;

	if (literal_from_text("n", type, text, &value, &detail) != UN_ERR_INPUT_TYPE)
		fail_msg("%s", text);
	EXPECT_NULL(value);
	EXPECT_STR(message, detail.message);
}

TEST(input, int_is_exact_with_all_64_bits)
{
	static const char *const wrong = "input 'n' must be int, and what was given is not";

	expect("42", INT, "42");
	expect("-7", INT, "-7");
	expect("9007199254740993", INT, "9007199254740993");
	expect("9223372036854775807", INT, "9223372036854775807");
	expect("-9223372036854775808", INT, "-9223372036854775808");
	expect_refused(wrong, INT, "9223372036854775808");
	expect_refused(wrong, INT, "-9223372036854775809");
	expect_refused(wrong, INT, "1.0");
	expect_refused(wrong, INT, "1e3");
	expect_refused(wrong, INT, "0x10");
	expect_refused(wrong, INT, "");
	expect_refused(wrong, INT, " 1");
	expect("[9007199254740993, -9223372036854775808]", list_of(INT),
	       "[9007199254740993,-9223372036854775808]");
}

TEST(input, float_comes_back_to_the_last_bit)
{
	static const char *const wrong = "input 'n' must be float, and what was given is not";

	expect("0.1", FLOAT, "0.1");
	expect("1.0", FLOAT, "1");
	expect("0.30000000000000004", FLOAT, "0.30000000000000004");
	expect("1e-300", FLOAT, "1e-300");
	expect("\"NaN\"", FLOAT, "nan");
	expect("\"-Infinity\"", FLOAT, "-inf");
	expect("[0.5, \"Infinity\", 3.0]", list_of(FLOAT), "[0.5, \"inf\", 3]");
	expect_refused(wrong, FLOAT, "1e999");
	expect_refused(wrong, FLOAT, "0x1p3");
	expect_refused(wrong, FLOAT, "1,5");
	expect_refused(wrong, FLOAT, "");
}

TEST(input, text_is_taken_as_it_is_and_only_in_utf_8)
{
	expect("\" 42 \\\"x\\\"\"", STR, " 42 \"x\"");
	expect("\"\"", STR, "");
	expect("\"null\"", STR, "null");
	expect("[\"a\", \"\xc3\xa9\"]", list_of(STR), "[\"a\", \"\\u00e9\"]");
	expect_refused("input 'n' must be str, and what was given is not", STR, "\xff");
	expect_refused("input 'n'[0] must be str, and what was given is not", list_of(STR),
	               "[\"a\\u0000b\"]");
	expect_refused("input 'n'[1] must be str, and what was given is not", list_of(STR),
	               "[\"a\", 1]");
}

TEST(input, bool_is_one_of_the_usual_words)
{
	expect("true", BOOL, "true");
	expect("true", BOOL, "Yes");
	expect("false", BOOL, "0");
	expect("[true, false]", list_of(BOOL), "[true, false]");
	expect_refused("input 'n' must be bool, and what was given is not", BOOL, "2");
	expect_refused("input 'n'[0] must be bool, and what was given is not", list_of(BOOL),
	               "[1]");
}

TEST(input, bytes_times_and_none)
{
	expect("\"AAEC/w==\"", BYTES, "AAEC/w==");
	expect("\"\"", BYTES, "");
	expect("\"2026-11-23T12:07:00Z\"", DATETIME, "2026-11-23T13:07+01:00");
	expect("\"5400s\"", DURATION, "1h30m");
	expect("\"-0.250000s\"", DURATION, "-250ms");
	expect("null", NONE, "None");
	expect("{\"a\": \"1.500000s\"}", dict_of(DURATION), "{\"a\": \"1.5s\"}");
	expect_refused("input 'n' must be bytes, and what was given is not", BYTES, "a*b");
	expect_refused("input 'n' must be datetime, and what was given is not", DATETIME,
	               "2026-02-30");
	expect_refused("input 'n' must be timedelta, and what was given is not", DURATION, "90");
}

TEST(input, optional_is_none_or_the_other_with_its_error)
{
	expect("null", optional_of(INT), "null");
	expect("null", optional_of(STR), "None");
	expect("5", optional_of(INT), "5");
	expect("\"nothing\"", optional_of(STR), "nothing");
	expect("[1, null]", list_of(optional_of(INT)), "[1, null]");
	expect_refused("input 'n' must be int, and what was given is not", optional_of(INT), "x");
	expect_refused("input 'n'[1] must be int, and what was given is not",
	               list_of(optional_of(INT)), "[null, \"x\"]");
}

TEST(input, lists_and_dicts_are_json_and_errors_say_where)
{
	expect("[]", list_of(INT), "[]");
	expect("{}", dict_of(INT), " {} ");
	expect("{\"a\": [1, 2], \"b\": []}", dict_of(list_of(INT)), "{\"b\":[],\"a\":[1,2]}");
	expect_refused("input 'n' must be list[int], and what was given is not", list_of(INT),
	               "1,2");
	expect_refused("input 'n' must be list[int], and what was given is not", list_of(INT),
	               "[1");
	expect_refused("input 'n'[1] must be int, and what was given is not", list_of(INT),
	               "[1,");
	expect_refused("input 'n'.b[1] must be int, and what was given is not",
	               dict_of(list_of(INT)), "{\"a\": [1], \"b\": [1, null]}");
	expect_refused("input 'n' has a key twice", dict_of(INT), "{\"a\": 1, \"a\": 2}");
	expect_refused("input 'n': something follows the JSON value, at byte 4", list_of(INT),
	               "[1] x");
}

static literal_type *
point(void)
{
	literal_type *type = dataclass_new("Point");

	dataclass_add(type, "x", INT);
	dataclass_add(type, "label", optional_of(STR));
	dataclass_add(type, "when", DATETIME);
	dataclass_add(type, "more", dict_of(FLOAT));
	return type;
}

TEST(input, dataclass_fields_are_read_as_their_types_say)
{
	expect("{\"x\": 1}", point(), "{\"x\": 1}");
	expect("{\"x\": \"9007199254740993\"}", point(), "{\"x\": 9007199254740993}");
	expect("{\"label\": null, \"more\": {\"a\": 0.5}, \"when\": \"2026-11-23T00:00:00Z\"}",
	       point(), "{\"when\": \"2026-11-23\", \"label\": null, \"more\": {\"a\": 0.5}}");
	expect_refused("input 'n'.x must be int, and what was given is not", point(),
	               "{\"x\": 1.5}");
	expect_refused("input 'n': Point has no field 'lable'", point(), "{\"lable\": \"a\"}");
	expect_refused("input 'n' has the field 'x' twice", point(), "{\"x\": 1, \"x\": 2}");
	expect_refused("input 'n' must be Point, and what was given is not", point(), "[]");
}

TEST(input, a_field_that_is_none_brings_up_the_nearest)
{
	struct un_detail detail = {.message = ""};
	literal *value;

	EXPECT_ERR(UN_ERR_INPUT_TYPE,
	           literal_from_text("n", point(), "{\"lable\": \"a\"}", &value, &detail));
	EXPECT_STR("did you mean 'label'?", detail.hint);
}

TEST(input, a_struct_without_fields_takes_any_object_that_is_exact)
{
	expect("{\"a\": [1, \"b\", null, {\"c\": true}], \"d\": 0.5}", STRUCT,
	       "{\"d\": 0.5, \"a\": [1, \"b\", null, {\"c\": true}]}");
	expect_refused("input 'n' must be dict, and what was given is not", STRUCT,
	               "{\"a\": 9007199254740993}");
}

TEST(input, never_quotes_what_was_given)
{
	static const char *const canary = "canary 4711!";
	const literal_type *types[] = {INT,   FLOAT, BOOL,         DATETIME,     DURATION,
	                               NONE,  BYTES, list_of(INT), dict_of(STR), optional_of(INT),
	                               point()};

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		struct un_detail detail = {.message = ""};
		literal *value = NULL;

		EXPECT_ERR(UN_ERR_INPUT_TYPE,
		           literal_from_text("n", types[i], canary, &value, &detail));
		EXPECT(!strstr(detail.message, canary) && !strstr(detail.hint, canary));
	}
}

TEST(input, refuses_too_much_and_too_deep)
{
	static char large[LITERAL_TEXT_MAX + 2];
	literal *value;

	memset(large, 'x', LITERAL_TEXT_MAX + 1);
	EXPECT_ERR(UN_ERR_TOO_LARGE, literal_from_text("n", STR, large, &value, NULL));
	memset(large, '[', 5000);
	large[5000] = '\0';
	EXPECT_ERR(UN_ERR_INPUT_TYPE, literal_from_text("n", STRUCT, large, &value, NULL));
}

TEST(input, json_entry_reads_the_whole_and_only_that)
{
	literal *value;

	EXPECT_OK(literal_from_json("n", STR, "\"5\"", 3, &value, NULL));
	EXPECT_STR("5", value->scalar->primitive->string_value);
	literal_free(value);
	EXPECT_ERR(UN_ERR_INPUT_TYPE, literal_from_json("n", STR, "5", 1, &value, NULL));
	EXPECT_ERR(UN_ERR_INPUT_TYPE, literal_from_json("n", INT, "5 6", 3, &value, NULL));
}

static literal_type *tortured;

TORTURE(input, is_read_whole_or_not_at_all)
{
	literal *value = NULL;
	struct un_detail detail;
	struct buf out;
	enum un_err err;

	if (!tortured) {
		tortured = dict_of(list_of(optional_of(point())));
	}
	err = literal_from_text("n", tortured,
	                        "{\"a\": [{\"x\": 1, \"label\": \"b\", \"when\": \"2026-11-23\", "
	                        "\"more\": {\"c\": 1.5}}, null]}",
	                        &value, &detail);
	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY);
	EXPECT((err == UN_OK) == (value != NULL));
	buf_init(&out, 4096, BUF_PLAIN);
	if (!err)
		err = literal_to_json(&out, value);
	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY);
	buf_fini(&out);
	literal_free(value);
}

TEST_MAIN()
