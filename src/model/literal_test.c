#include "model/literal.h"

#include "literal_types.h"
#include "test.h"

static void
expect_name(const char *expected, const literal_type *type)
{
	struct buf out;

	buf_init(&out, 256, BUF_PLAIN);
	EXPECT_OK(literal_type_append(&out, type));
	EXPECT_STR(expected, buf_text(&out));
	buf_fini(&out);
}

TEST(literal, types_read_as_a_python_programmer_writes_them)
{
	literal_type *point = dataclass_new("Point");

	expect_name("int", INT);
	expect_name("timedelta", DURATION);
	expect_name("list[dict[str, Optional[float]]]", list_of(dict_of(optional_of(FLOAT))));
	expect_name("Point", point);
	expect_name("dict", STRUCT);
	expect_name("?", type_new());
}

/* Takes the value over. `message` NULL: it is of the type. */
static void
expect_judged(const char *message, const literal_type *type, literal *value)
{
	struct un_detail detail = {.message = ""};
	enum un_err err = literal_check("output", "o0", type, value, &detail);

	EXPECT_ERR(message ? UN_ERR_INPUT_TYPE : UN_OK, err);
	EXPECT_STR(message ? message : "", detail.message);
	literal_free(value);
}

static literal *
some_int(void)
{
	literal *value;

	EXPECT_OK(literal_of_int(7, &value));
	return value;
}

static literal *
some_text(const char *text)
{
	literal *value;

	EXPECT_OK(literal_of_text(text, &value));
	return value;
}

/* A list of one. */
static literal *
list_with(literal *item)
{
	literal *value;

	EXPECT_OK(literal_of_list(&value));
	value->collection->literals = mem_alloc(sizeof(literal *));
	EXPECT(value->collection->literals);
	value->collection->literals[0] = item;
	value->collection->n_literals = 1;
	return value;
}

TEST(literal, is_of_its_type_and_of_no_other)
{
	literal *values[8];
	literal_type *types[8] = {INT, FLOAT, BOOL, STR, BYTES, NONE, DATETIME, DURATION};

	for (size_t type = 0; type < 8; type++) {
		EXPECT_OK(literal_of_int(1, &values[0]));
		EXPECT_OK(literal_of_float(1, &values[1]));
		EXPECT_OK(literal_of_bool(true, &values[2]));
		EXPECT_OK(literal_of_text("x", &values[3]));
		EXPECT_OK(literal_of_bytes("x", 1, &values[4]));
		EXPECT_OK(literal_of_none(&values[5]));
		EXPECT_OK(literal_of_instant(0, &values[6]));
		EXPECT_OK(literal_of_duration(0, &values[7]));
		for (size_t value = 0; value < 8; value++) {
			bool fits = type == value || (type == 1 && value == 0);

			EXPECT_ERR(fits ? UN_OK : UN_ERR_INPUT_TYPE,
			           literal_check("input", "x", types[type], values[value], NULL));
			literal_free(values[value]);
		}
	}
}

TEST(literal, says_where_in_a_value_the_type_is_wrong_and_never_the_value)
{
	expect_judged("output 'o0' must be int, not str", INT, some_text("canary"));
	expect_judged("output 'o0'[0] must be int, not str", list_of(INT),
	             list_with(some_text("canary")));
	expect_judged("output 'o0'[0][0] must be str, not int", list_of(list_of(STR)),
	             list_with(list_with(some_int())));
	expect_judged("output 'o0' must be dict[str, int], not list", dict_of(INT),
	             list_with(some_int()));
	expect_judged("output 'o0' must be list[int], not int", list_of(INT), some_int());
}

TEST(literal, optional_takes_the_bare_value_the_wrapped_one_and_none)
{
	literal *none, *wrapped;

	expect_judged(NULL, optional_of(INT), some_int());
	EXPECT_OK(literal_of_none(&none));
	expect_judged(NULL, optional_of(INT), none);
	EXPECT_OK(literal_of_union(some_int(), INT, &wrapped));
	expect_judged(NULL, optional_of(INT), wrapped);
	expect_judged("output 'o0' must be Optional[int], not str", optional_of(INT),
	             some_text("x"));
}

TEST(literal, refuses_types_that_are_not_supported_by_name)
{
	struct un_detail detail = {.message = ""};
	literal_type *blob = type_new();

	blob->type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_BLOB;
	EXPECT_ERR(UN_ERR_TYPE_UNSUPPORTED,
	           literal_type_check("input", "model", list_of(blob), &detail));
	EXPECT_STR("the type of input 'model' is not supported: list[file]", detail.message);
	EXPECT(strstr(detail.hint, "timedelta"));
	EXPECT_ERR(UN_ERR_TYPE_UNSUPPORTED, literal_type_check("input", "x", type_new(), NULL));
	EXPECT_ERR(UN_ERR_TYPE_UNSUPPORTED, literal_type_check("input", "x", NULL, NULL));
	EXPECT_OK(literal_type_check("input", "x", dict_of(optional_of(BYTES)), NULL));
}

TEST(literal, refuses_absent_values_and_values_nested_too_deep)
{
	literal_type *type = INT;
	literal *value = some_int(), empty;

	flyteidl__core__literal__init(&empty);
	EXPECT_ERR(UN_ERR_INPUT_TYPE, literal_check("input", "x", INT, NULL, NULL));
	EXPECT_ERR(UN_ERR_INPUT_TYPE, literal_check("input", "x", INT, &empty, NULL));
	for (size_t i = 0; i < LITERAL_DEPTH_MAX; i++) {
		type = list_of(type);
		value = list_with(value);
	}
	EXPECT_ERR(UN_ERR_TOO_LARGE, literal_check("input", "x", type, value, NULL));
	literal_free(value);
}

TEST(place, is_cut_and_comes_back)
{
	struct place place;
	size_t back;

	place_init(&place, "input", "n");
	back = place_push_index(&place, 3);
	EXPECT_STR("input 'n'[3]", place.text);
	for (size_t i = 0; i < 100; i++)
		(void)place_push_name(&place, "a_long_field_name");
	EXPECT(strlen(place.text) == LITERAL_PLACE_MAX - 1);
	place_pop(&place, back);
	EXPECT_STR("input 'n'", place.text);
}

TORTURE(literal, is_made_whole_or_not_at_all)
{
	literal *inner = NULL, *value = NULL;
	literal_type type;
	enum un_err err;

	flyteidl__core__literal_type__init(&type);
	type.type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE;
	type.simple = FLYTEIDL__CORE__SIMPLE_TYPE__BINARY;
	err = literal_of_bytes("bytes", 5, &inner);
	if (!err)
		err = literal_of_union(inner, &type, &value);
	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY);
	EXPECT((err == UN_OK) == (value != NULL));
	literal_free(value);
}

TEST_MAIN()
