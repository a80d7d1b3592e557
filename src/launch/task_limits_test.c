#include "launch/task_limits.h"
#include "test.h"

static void
expect_milli(uint64_t milli, const char *text)
{
	uint64_t number = 0;

	EXPECT_OK(task_limits_parse(text, &number));
	EXPECT_INT(milli, number);
}

TEST(task_limits, quantities_of_every_kind)
{
	expect_milli(1000, "1");
	expect_milli(250, "250m");
	expect_milli(1500, "1.5");
	expect_milli(1500, "1500m");
	expect_milli(512ull * 1024 * 1024 * 1000, "512Mi");
	expect_milli(512000000000ull, "512M");
	expect_milli(1536ull * 1024 * 1024 * 1000, "1.5Gi");
	expect_milli(1000000, "1e3");
	expect_milli(1000000, "1E+3");
	expect_milli(1, "1e-3");
	expect_milli(1, "1u"); /* rounded up: less than nothing is not asked for */
	expect_milli(500, ".5");
	expect_milli(2000, "2.");
	expect_milli(0, "0");
}

TEST(task_limits, what_is_none_or_too_large)
{
	static const char *const wrong[] = {"",      ".",    "m",    "-1", "1 Gi",  "1gi", "1e",
	                                    "1.2.3", "0x10", "1Mi ", "e3", "1e999", "inf"};
	static const char *const large[] = {"99999999999999999999", "1e30", "99999999Pi"};
	uint64_t unused;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		EXPECT_ERR(UN_ERR_INVALID, task_limits_parse(wrong[i], &unused));
	for (size_t i = 0; i < sizeof large / sizeof *large; i++)
		EXPECT_ERR(UN_ERR_RANGE, task_limits_parse(large[i], &unused));
}

TEST_MAIN()
