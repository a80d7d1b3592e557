#include "model/times.h"

#include "test.h"

static void
expect_instant(const char *expected, const char *text)
{
	char out[TIMES_TEXT_MAX];
	int64_t us, seconds;

	EXPECT_OK(instant_parse(text, &us));
	seconds = us / 1000000 - (us % 1000000 < 0);
	EXPECT_OK(instant_format(seconds, (int32_t)(us - seconds * 1000000) * 1000, out));
	EXPECT_STR(expected, out);
}

TEST(instant, reads_what_people_write_and_writes_rfc_3339)
{
	expect_instant("2026-11-23T00:00:00Z", "2026-11-23");
	expect_instant("2026-11-23T13:07:00Z", "2026-11-23T13:07");
	expect_instant("2026-11-23T13:07:09Z", "2026-11-23 13:07:09Z");
	expect_instant("2026-11-23T12:07:09.250000Z", "2026-11-23T13:07:09.25+01:00");
	expect_instant("2026-11-23T18:37:00Z", "2026-11-23T13:07-0530");
	expect_instant("2026-11-23T11:07:00Z", "2026-11-23T13:07+02");
	expect_instant("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999");
	expect_instant("0001-01-01T00:00:00Z", "0001-01-01");
	expect_instant("9999-12-31T23:59:59Z", "9999-12-31T23:59:59");
	expect_instant("2000-02-29T00:00:00Z", "2000-02-29");
	expect_instant("1600-03-01T00:00:00Z", "1600-03-01");
}

TEST(instant, counts_every_day_of_four_centuries)
{
	char out[TIMES_TEXT_MAX];
	int64_t us;

	for (int64_t day = -100000; day < 100000; day++) {
		EXPECT_OK(instant_format(day * 86400, 0, out));
		EXPECT_OK(instant_parse(out, &us));
		EXPECT(us == day * 86400 * 1000000);
	}
}

TEST(instant, refuses_days_and_times_that_do_not_exist)
{
	static const char *const bad[] = {"",
	                                  "2026",
	                                  "2026-13-01",
	                                  "2026-00-01",
	                                  "2026-02-29",
	                                  "1900-02-29",
	                                  "2026-11-31",
	                                  "2026-11-2",
	                                  "2026-11-23T24:00",
	                                  "2026-11-23T13",
	                                  "0000-01-01",
	                                  "2026-11-23x",
	                                  "26-11-23",
	                                  "2026-11-23T13:60",
	                                  "2026-11-23T13:07:60",
	                                  "2026-11-23T13:07:00.",
	                                  "2026-11-23T13:07+1",
	                                  "2026-11-23T13:07+25:00",
	                                  "0001-01-01T00:00+01:00",
	                                  "9999-12-31T23:59-01:00",
	                                  "2026/11/23",
	                                  " 2026-11-23",
	                                  "now",
	                                  "2026-11-23T",
	                                  "2026-11-23T13:07ZZ"};
	char out[TIMES_TEXT_MAX];
	int64_t us;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (instant_parse(bad[i], &us) != UN_ERR_INVALID)
			fail_msg("%s", bad[i]);
	}
	EXPECT_ERR(UN_ERR_RANGE, instant_format(INT64_MAX, 0, out));
	EXPECT_ERR(UN_ERR_RANGE, instant_format(INT64_MIN, 0, out));
	EXPECT_ERR(UN_ERR_RANGE, instant_format(0, -1, out));
	EXPECT_ERR(UN_ERR_RANGE, instant_format(0, 1000000000, out));
}

TEST(duration, reads_units_and_iso_8601)
{
	static const struct {
		const char *text;
		int64_t us;
	} good[] = {
	        {"90s", 90000000},      {"1h30m", 5400000000}, {"PT1H30M", 5400000000},
	        {"1.5s", 1500000},      {"250ms", 250000},     {"7us", 7},
	        {"2d", 172800000000},   {"P2DT3H", 183600000000}, {"P1W", 604800000000},
	        {"-5m", -300000000},    {"0s", 0},             {"1.5h", 5400000000},
	        {"PT0.5S", 500000},     {"-PT1S", -1000000},   {"1m30s", 90000000},
	        {"1.0000019s", 1000001}, {"315576000000s", INT64_C(315576000000000000)}};

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		int64_t us = -1;

		EXPECT_OK(duration_parse(good[i].text, &us));
		EXPECT(us == good[i].us);
	}
}

TEST(duration, refuses_what_has_no_length_or_too_much)
{
	static const char *const bad[] = {"",    "90",  "s",   "1x",   "1h30",  "P",    "PT",
	                                  "P1Y", "P1M", "1 h", "--1s", "1..5s", "PT1D", "P1H",
	                                  ".5s", "1s ", "-",   "1sT",  "P1DT"};
	static const char *const long_ones[] = {"315576000001s", "99999999999999999999s",
	                                        "9223372036854775807w", "9999999999999999d"};
	int64_t us;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (duration_parse(bad[i], &us) != UN_ERR_INVALID)
			fail_msg("%s", bad[i]);
	}
	for (size_t i = 0; i < sizeof long_ones / sizeof long_ones[0]; i++)
		EXPECT_ERR(UN_ERR_RANGE, duration_parse(long_ones[i], &us));
}

TEST(duration, writes_seconds)
{
	char text[TIMES_TEXT_MAX];

	duration_format(5400, 0, text);
	EXPECT_STR("5400s", text);
	duration_format(1, 500000000, text);
	EXPECT_STR("1.500000s", text);
	duration_format(0, -250000000, text);
	EXPECT_STR("-0.250000s", text);
	duration_format(-3, -1, text);
	EXPECT_STR("-3.000000001s", text);
	duration_format(INT64_MIN, 0, text);
	EXPECT_STR("-9223372036854775808s", text);
}

TEST_MAIN()
