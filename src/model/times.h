/* times.h - instants and lengths of time as people write them. Pure; no time zone but UTC is used.
 *
 * Microseconds throughout: what Python keeps. Any thread. */
#ifndef MODEL_TIMES_H
#define MODEL_TIMES_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define TIMES_TEXT_MAX 48
#define DURATION_SECONDS_MAX INT64_C(315576000000) /* about 10,000 years, as the Duration message */

/* ISO 8601: "2026-11-23", "2026-11-23T13:07", "2026-11-23 13:07:00.25+01:00", "...Z". Without a
 * zone it is UTC. UN_ERR_INVALID for anything else, also for a day that does not exist. */
MUST_CHECK enum un_err instant_parse(const char *text, int64_t *ret_wall_us);
/* RFC 3339 in UTC, with a fraction when there is one: "2026-11-23T13:07:00Z". Years 0001 to 9999;
 * UN_ERR_RANGE outside. */
MUST_CHECK enum un_err instant_format(int64_t seconds, int32_t nanos, char text[TIMES_TEXT_MAX]);

/* "90s", "1h30m", "1.5s", "250ms", "2d", "-5m", or ISO 8601 "PT1H30M", "P2DT3H", "P1W". Units: w d
 * h m s ms us. UN_ERR_INVALID for anything else (also years and months, which have no length, and a
 * bare number), UN_ERR_RANGE beyond DURATION_SECONDS_MAX. */
MUST_CHECK enum un_err duration_parse(const char *text, int64_t *ret_us);
/* Seconds with a fraction when there is one: "5400s", "1.500000s", "-0.250000s". */
void duration_format(int64_t seconds, int32_t nanos, char text[TIMES_TEXT_MAX]);

#endif
