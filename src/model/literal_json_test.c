#include "model/literal_json.h"

#include "model/literal_text.h"
#include "literal_types.h"
#include "test.h"

TEST(output, maps_are_sorted_by_name_and_absent_ones_are_empty)
{
	Flyteidl__Core__LiteralMap__LiteralsEntry b, a, *entries[2] = {&b, &a};
	literal_map map;
	struct buf out;

	flyteidl__core__literal_map__init(&map);
	flyteidl__core__literal_map__literals_entry__init(&a);
	flyteidl__core__literal_map__literals_entry__init(&b);
	a.key = (char *)(uintptr_t)"a";
	b.key = (char *)(uintptr_t)"b";
	EXPECT_OK(literal_of_int(1, &a.value));
	EXPECT_OK(literal_of_float(2, &b.value));
	map.literals = entries;
	map.n_literals = 2;
	buf_init(&out, 256, BUF_PLAIN);
	EXPECT_OK(literal_map_to_json(&out, &map));
	EXPECT_STR("{\"a\": 1, \"b\": 2.0}", buf_text(&out));
	buf_clear(&out);
	EXPECT_OK(literal_map_to_json(&out, NULL));
	EXPECT_STR("{}", buf_text(&out));
	buf_fini(&out);
	literal_free(a.value);
	literal_free(b.value);
}

TEST(output, text_cannot_drive_a_terminal)
{
	literal *value;
	struct buf out;

	buf_init(&out, 256, BUF_PLAIN);
	EXPECT_OK(literal_of_text("\x1b[2J\n", &value));
	EXPECT_OK(literal_to_json(&out, value));
	EXPECT_STR("\"\\u001b[2J\\n\"", buf_text(&out));
	buf_fini(&out);
	literal_free(value);
}

TEST(output, an_instant_out_of_range_or_an_empty_literal_is_still_json)
{
	literal *value, empty;
	struct buf out;

	buf_init(&out, 256, BUF_PLAIN);
	EXPECT_OK(literal_of_instant(0, &value));
	value->scalar->primitive->datetime->seconds = INT64_MAX;
	EXPECT_OK(literal_to_json(&out, value));
	EXPECT_STR("\"9223372036854775807s\"", buf_text(&out));
	literal_free(value);
	buf_clear(&out);
	flyteidl__core__literal__init(&empty);
	EXPECT_OK(literal_to_json(&out, &empty));
	EXPECT_STR("null", buf_text(&out));
	buf_fini(&out);
}

TEST(output, stops_at_the_limit_of_depth_and_size)
{
	static const char deep[] = "[[[[[[[[1,2]]]]]]]]";
	literal_type *type = INT;
	literal *value;
	struct buf out;

	for (size_t i = 0; i < 8; i++)
		type = list_of(type);
	EXPECT_OK(literal_from_text("n", type, deep, &value, NULL));
	buf_init(&out, 10, BUF_PLAIN);
	EXPECT_ERR(UN_ERR_TOO_LARGE, literal_to_json(&out, value));
	buf_fini(&out);
	literal_free(value);
}

TEST_MAIN()
