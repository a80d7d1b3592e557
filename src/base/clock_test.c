#include "base/clock.h"

#include "test.h"

#include <limits.h>

static void
expect_text(const char *expected, int64_t wall_us)
{
	char text[CLOCK_TEXT_MAX];

	clock_format(wall_us, text);
	EXPECT_STR(expected, text);
}

TEST(clock, writes_rfc_3339_with_milliseconds)
{
	expect_text("1970-01-01T00:00:00.000Z", 0);
	expect_text("2026-11-23T13:07:00.123Z", INT64_C(1795439220123999));
	expect_text("-", -1);
	expect_text("-", INT64_MAX / 2 * -1);
	clock_format(INT64_MAX, (char[CLOCK_TEXT_MAX]){0});
}

TEST(clock, never_goes_back)
{
	int64_t before = clock_mono_us();

	for (int i = 0; i < 1000; i++) {
		int64_t now = clock_mono_us();

		EXPECT(now >= before);
		before = now;
	}
}

TEST(clock, what_is_left_is_never_negative_and_fits_poll)
{
	EXPECT_INT(0, clock_left_ms(clock_mono_ms() - 5));
	EXPECT_INT(0, clock_left_ms(0));
	EXPECT_INT(INT_MAX, clock_left_ms(INT64_MAX));
	EXPECT(clock_left_ms(clock_mono_ms() + 60000) > 0);
}

TEST_MAIN()
