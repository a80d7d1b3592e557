/* clock.h - time, always with its unit in the name. Any thread. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* For deadlines and durations: never goes back, goes on during suspend. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
/* For records: microseconds since 1970-01-01 UTC. */
int64_t clock_wall_us(void);

/* What is left until `deadline_ms` (of clock_mono_ms), as poll(2) wants it: 0 when it has passed.
 */
int clock_left_ms(int64_t deadline_ms);

#define CLOCK_TEXT_MAX 32
/* RFC 3339 in UTC with microseconds cut to milliseconds: "2026-11-23T13:07:00.123Z". */
void clock_format(int64_t wall_us, char text[CLOCK_TEXT_MAX]);

#endif
