#include "model/times.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SECOND_US INT64_C(1000000)
#define DAY_S INT64_C(86400)

/* Days from 1970-01-01 to a day of the Gregorian calendar, counted in eras of 400 years that begin
 * with March, so that the leap day is the last of a year. */
static int64_t
days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t shifted = month <= 2 ? year - 1 : year;
	int64_t era = shifted / 400, year_of_era = shifted - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static int
days_in_month(int64_t year, int64_t month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

/* Exactly `digits` digits of `*at`, between `least` and `most`; -1 when they are not there. */
static int64_t
take_digits(const char **at, int digits, int64_t least, int64_t most)
{
	int64_t number = 0;

	for (int i = 0; i < digits; i++, (*at)++) {
		if (**at < '0' || **at > '9')
			return -1;
		number = number * 10 + (**at - '0');
	}
	return number < least || number > most ? -1 : number;
}

static bool
take(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

/* ".25" as microseconds; more than six digits are cut. -1: a point without a digit. */
static int64_t
take_fraction(const char **at)
{
	int64_t micros = 0, unit = SECOND_US / 10;
	const char *from;

	if (!take(at, '.') && !take(at, ','))
		return 0;
	from = *at;
	for (; **at >= '0' && **at <= '9'; (*at)++) {
		micros += (**at - '0') * unit;
		unit /= 10;
	}
	return *at == from ? -1 : micros;
}

/* "Z", "+01:00", "-0530", "+02" or nothing: seconds east of UTC. */
static bool
take_zone(const char **at, int64_t *ret_seconds)
{
	int64_t hours, minutes = 0, sign;

	*ret_seconds = 0;
	if (**at == '\0' || take(at, 'Z') || take(at, 'z'))
		return true;
	if (**at != '+' && **at != '-')
		return false;
	sign = *(*at)++ == '+' ? 1 : -1;
	hours = take_digits(at, 2, 0, 23);
	if (hours >= 0 && **at) {
		(void)take(at, ':');
		minutes = take_digits(at, 2, 0, 59);
	}
	if (hours < 0 || minutes < 0)
		return false;
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

/* "13:07", "13:07:00", "13:07:00.25": microseconds of the day; -1 when it is none. */
static int64_t
take_time(const char **at)
{
	int64_t hours = take_digits(at, 2, 0, 23), minutes, seconds = 0, micros = 0;

	if (hours < 0 || !take(at, ':'))
		return -1;
	minutes = take_digits(at, 2, 0, 59);
	if (minutes >= 0 && take(at, ':')) {
		seconds = take_digits(at, 2, 0, 59);
		micros = seconds < 0 ? -1 : take_fraction(at);
	}
	if (minutes < 0 || seconds < 0 || micros < 0)
		return -1;
	return (hours * 3600 + minutes * 60 + seconds) * SECOND_US + micros;
}

enum un_err
instant_parse(const char *text, int64_t *ret_wall_us)
{
	const char *at = text;
	int64_t year = take_digits(&at, 4, 1, 9999), month, day, micros = 0, zone = 0;

	if (year < 0 || !take(&at, '-'))
		return UN_ERR_INVALID;
	month = take_digits(&at, 2, 1, 12);
	if (month < 0 || !take(&at, '-'))
		return UN_ERR_INVALID;
	day = take_digits(&at, 2, 1, days_in_month(year, month));
	if (day < 0)
		return UN_ERR_INVALID;
	if (take(&at, 'T') || take(&at, 't') || take(&at, ' ')) {
		micros = take_time(&at);
		if (micros < 0 || !take_zone(&at, &zone))
			return UN_ERR_INVALID;
	}
	if (*at)
		return UN_ERR_INVALID;
	micros += (days_of(year, month, day) * DAY_S - zone) * SECOND_US;
	/* a zone can lead out of the years that can be written */
	if (micros < days_of(1, 1, 1) * DAY_S * SECOND_US ||
	    micros >= days_of(10000, 1, 1) * DAY_S * SECOND_US)
		return UN_ERR_INVALID;
	*ret_wall_us = micros;
	return UN_OK;
}

/* The day `days` after 1970-01-01, for the years 1 to 9999. */
static void
day_of(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
	int64_t shifted = days + 719468, era = shifted / 146097;
	int64_t day_of_era = shifted - era * 146097;
	int64_t year = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) /
	               365;
	int64_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * day_of_year + 2) / 153;

	*ret_day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
	*ret_month = (int)(month < 10 ? month + 3 : month - 9);
	*ret_year = (int)(year + era * 400 + (*ret_month <= 2));
}

/* ".250000", ".000000001" or nothing. */
static void
format_fraction(int32_t nanos, char text[16])
{
	text[0] = '\0';
	if (nanos % 1000)
		(void)snprintf(text, 16, ".%09d", nanos);
	else if (nanos)
		(void)snprintf(text, 16, ".%06d", nanos / 1000);
}

enum un_err
instant_format(int64_t seconds, int32_t nanos, char text[TIMES_TEXT_MAX])
{
	int year, month, day, rest;
	char fraction[16];
	int64_t days;

	if (seconds < days_of(1, 1, 1) * DAY_S || seconds >= days_of(10000, 1, 1) * DAY_S ||
	    nanos < 0 || nanos > 999999999)
		return UN_ERR_RANGE;
	days = seconds >= 0 ? seconds / DAY_S : -((DAY_S - 1 - seconds) / DAY_S);
	rest = (int)(seconds - days * DAY_S);
	day_of(days, &year, &month, &day);
	format_fraction(nanos, fraction);
	(void)snprintf(text, TIMES_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d%sZ", year, month, day,
	               rest / 3600, rest / 60 % 60, rest % 60, fraction);
	return UN_OK;
}

struct unit {
	const char *name;
	int64_t us;
};

/* Longer names first: "ms" is not "m" and then "s". */
static const struct unit units[] = {
        {"ms", 1000},           {"us", 1},
        {"w", 7 * DAY_S * SECOND_US}, {"d", DAY_S * SECOND_US},
        {"h", 3600 * SECOND_US},      {"m", 60 * SECOND_US},
        {"s", SECOND_US},
};
static const struct unit iso_days[] = {{"W", 7 * DAY_S * SECOND_US}, {"D", DAY_S * SECOND_US}};
static const struct unit iso_times[] = {
        {"H", 3600 * SECOND_US}, {"M", 60 * SECOND_US}, {"S", SECOND_US}};

static const struct unit *
take_unit(const char **at, const struct unit *known, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(known[i].name);

		if (strncmp(*at, known[i].name, len) == 0) {
			*at += len;
			return &known[i];
		}
	}
	return NULL;
}

/* One "1.5h" added to *total. */
static enum un_err
take_part(const char **at, const struct unit *known, size_t count, int64_t *total)
{
	int64_t whole = 0, micros, part;
	const struct unit *unit;
	const char *from = *at;

	for (; **at >= '0' && **at <= '9'; (*at)++) {
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, **at - '0', &whole))
			return UN_ERR_RANGE;
	}
	if (*at == from)
		return UN_ERR_INVALID;
	micros = take_fraction(at);
	unit = take_unit(at, known, count);
	if (micros < 0 || !unit)
		return UN_ERR_INVALID;
	/* a fraction of a unit: at most six digits, and the largest unit is 6e11 */
	part = unit->us >= SECOND_US ? micros * (unit->us / SECOND_US)
	                             : micros * unit->us / SECOND_US;
	if (__builtin_mul_overflow(whole, unit->us, &whole) ||
	    __builtin_add_overflow(whole, part, &part) ||
	    __builtin_add_overflow(*total, part, total))
		return UN_ERR_RANGE;
	return UN_OK;
}

static enum un_err
take_parts(const char **at, const struct unit *known, size_t count, int64_t *total)
{
	enum un_err err = UN_OK;

	while (!err && **at && **at != 'T')
		err = take_part(at, known, count, total);
	return err;
}

enum un_err
duration_parse(const char *text, int64_t *ret_us)
{
	bool negative = *text == '-';
	const char *at = text + (negative || *text == '+');
	int64_t total = 0;
	enum un_err err;

	if (!*at)
		return UN_ERR_INVALID;
	if (take(&at, 'P')) {
		const char *from = at;

		err = take_parts(&at, iso_days, 2, &total);
		if (!err && take(&at, 'T'))
			err = *at ? take_parts(&at, iso_times, 3, &total) : UN_ERR_INVALID;
		if (!err && at == from)
			err = UN_ERR_INVALID;
	} else {
		err = take_parts(&at, units, sizeof units / sizeof units[0], &total);
	}
	if (err)
		return err;
	if (*at)
		return UN_ERR_INVALID;
	if (total > DURATION_SECONDS_MAX * SECOND_US)
		return UN_ERR_RANGE;
	*ret_us = negative ? -total : total;
	return UN_OK;
}

void
duration_format(int64_t seconds, int32_t nanos, char text[TIMES_TEXT_MAX])
{
	bool negative = seconds < 0 || nanos < 0;
	uint64_t whole = seconds < 0 ? -(uint64_t)seconds : (uint64_t)seconds;
	char fraction[16];

	format_fraction(nanos < 0 ? -nanos : nanos, fraction);
	(void)snprintf(text, TIMES_TEXT_MAX, "%s%llu%ss", negative ? "-" : "",
	               (unsigned long long)whole, fraction);
}
