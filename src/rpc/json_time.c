#include "rpc/json_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Timestamps as RFC 3339, from year 1 to 9999; durations as seconds with an "s". Fractions have 0,
 * 3, 6 or 9 digits going out, up to 9 coming in. */

#define TIMESTAMP_LEAST INT64_C(-62135596800)
#define TIMESTAMP_MOST INT64_C(253402300799)
#define DURATION_MOST INT64_C(315576000000)
#define NANOS 1000000000

static void
print_fraction(int32_t nanos, char text[12])
{
	if (!nanos)
		text[0] = '\0';
	else if (nanos % 1000000 == 0)
		(void)snprintf(text, 12, ".%03d", nanos / 1000000);
	else if (nanos % 1000 == 0)
		(void)snprintf(text, 12, ".%06d", nanos / 1000);
	else
		(void)snprintf(text, 12, ".%09d", nanos);
}

/* Days since 1970-01-01 of a date of the Gregorian calendar, and back: years begin in March, so
 * that the leap day is the last of its year; 400 years are 146097 days. */
static int64_t
days_of(int64_t year, unsigned month, unsigned day)
{
	int64_t era;
	unsigned year_of_era, day_of_year;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	year_of_era = (unsigned)(year - era * 400);
	day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 +
	       (int64_t)(year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year) -
	       719468;
}

static void
date_of(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
	int64_t era;
	unsigned day_of_era, year_of_era, day_of_year, month;

	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	day_of_era = (unsigned)(days - era * 146097);
	year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) /
	              365;
	day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	month = (5 * day_of_year + 2) / 153;
	*ret_day = day_of_year - (153 * month + 2) / 5 + 1;
	*ret_month = month < 10 ? month + 3 : month - 9;
	*ret_year = era * 400 + year_of_era + (*ret_month <= 2);
}

enum un_err
json_print_timestamp(int64_t seconds, int32_t nanos, char text[JSON_TIME_MAX])
{
	int64_t days, rest, year;
	unsigned month, day;
	char fraction[12];

	if (seconds < TIMESTAMP_LEAST || seconds > TIMESTAMP_MOST || nanos < 0 || nanos >= NANOS)
		return UN_ERR_INVALID;
	days = (seconds >= 0 ? seconds : seconds - 86399) / 86400;
	rest = seconds - days * 86400;
	date_of(days, &year, &month, &day);
	print_fraction(nanos, fraction);
	(void)snprintf(text, JSON_TIME_MAX,
	               "%04" PRId64 "-%02u-%02uT%02" PRId64 ":%02" PRId64 ":%02" PRId64 "%sZ", year,
	               month, day, rest / 3600, rest / 60 % 60, rest % 60, fraction);
	return UN_OK;
}

struct text {
	const char *at, *end;
};

/* Exactly `digits` digits, then `after` ('\0': nothing). */
static bool
take_digits(struct text *in, unsigned digits, char after, int64_t *ret_number)
{
	int64_t number = 0;

	for (; digits; digits--, in->at++) {
		if (in->at >= in->end || *in->at < '0' || *in->at > '9')
			return false;
		number = number * 10 + (*in->at - '0');
	}
	*ret_number = number;
	if (!after)
		return true;
	return in->at < in->end && *in->at++ == after;
}

/* An optional ".123" of 1 to 9 digits. */
static bool
take_fraction(struct text *in, int32_t *ret_nanos)
{
	int32_t nanos = 0, scale = NANOS;

	*ret_nanos = 0;
	if (in->at >= in->end || *in->at != '.')
		return true;
	in->at++;
	for (; in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++) {
		if (scale == 1)
			return false;
		scale /= 10;
		nanos += (*in->at - '0') * scale;
	}
	*ret_nanos = nanos;
	return scale < NANOS;
}

static bool
take_zone(struct text *in, int64_t *ret_offset)
{
	int64_t hours, minutes;
	char sign;

	*ret_offset = 0;
	if (in->at >= in->end)
		return false;
	sign = *in->at++;
	if (sign == 'Z')
		return in->at == in->end;
	if ((sign != '+' && sign != '-') || !take_digits(in, 2, ':', &hours) ||
	    !take_digits(in, 2, '\0', &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_offset = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
	return in->at == in->end;
}

static bool
is_date(int64_t year, int64_t month, int64_t day)
{
	int64_t back_year;
	unsigned back_month, back_day;

	if (year < 1 || month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	date_of(days_of(year, (unsigned)month, (unsigned)day), &back_year, &back_month, &back_day);
	return back_month == (unsigned)month; /* 31 April would have become 1 May */
}

enum un_err
json_read_timestamp(const char *text, size_t len, int64_t *ret_seconds, int32_t *ret_nanos)
{
	struct text in = {text, text + len};
	int64_t year, month, day, hour, minute, second, offset, seconds;

	if (!take_digits(&in, 4, '-', &year) || !take_digits(&in, 2, '-', &month) ||
	    !take_digits(&in, 2, 'T', &day) || !take_digits(&in, 2, ':', &hour) ||
	    !take_digits(&in, 2, ':', &minute) || !take_digits(&in, 2, '\0', &second) ||
	    !take_fraction(&in, ret_nanos) || !take_zone(&in, &offset))
		return UN_ERR_PROTOCOL;
	if (!is_date(year, month, day) || hour > 23 || minute > 59 || second > 59)
		return UN_ERR_PROTOCOL;
	seconds = days_of(year, (unsigned)month, (unsigned)day) * 86400 + hour * 3600 +
	          minute * 60 + second - offset;
	if (seconds < TIMESTAMP_LEAST || seconds > TIMESTAMP_MOST)
		return UN_ERR_PROTOCOL;
	*ret_seconds = seconds;
	return UN_OK;
}

enum un_err
json_print_duration(int64_t seconds, int32_t nanos, char text[JSON_TIME_MAX])
{
	char fraction[12];
	bool minus = seconds < 0 || nanos < 0;

	if (seconds < -DURATION_MOST || seconds > DURATION_MOST || nanos <= -NANOS ||
	    nanos >= NANOS || (seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0))
		return UN_ERR_INVALID;
	print_fraction(nanos < 0 ? -nanos : nanos, fraction);
	(void)snprintf(text, JSON_TIME_MAX, "%s%" PRId64 "%ss", minus ? "-" : "",
	               seconds < 0 ? -seconds : seconds, fraction);
	return UN_OK;
}

enum un_err
json_read_duration(const char *text, size_t len, int64_t *ret_seconds, int32_t *ret_nanos)
{
	struct text in = {text, text + len};
	int64_t seconds = 0;
	bool minus = len && text[0] == '-';
	size_t digits = 0;

	in.at += minus;
	for (; in.at < in.end && *in.at >= '0' && *in.at <= '9' && digits < 13; in.at++, digits++)
		seconds = seconds * 10 + (*in.at - '0');
	if (!digits || !take_fraction(&in, ret_nanos) || in.end - in.at != 1 || *in.at != 's' ||
	    seconds > DURATION_MOST)
		return UN_ERR_PROTOCOL;
	*ret_seconds = minus ? -seconds : seconds;
	if (minus)
		*ret_nanos = -*ret_nanos;
	return UN_OK;
}
