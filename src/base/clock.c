#include "base/clock.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>

static int64_t
now_us(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t
clock_mono_us(void)
{
	return now_us(CLOCK_BOOTTIME);
}

int64_t
clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

int64_t
clock_wall_us(void)
{
	return now_us(CLOCK_REALTIME);
}

int
clock_left_ms(int64_t deadline_ms)
{
	int64_t left = deadline_ms - clock_mono_ms();

	if (left <= 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

void
clock_format(int64_t wall_us, char text[CLOCK_TEXT_MAX])
{
	time_t seconds = (time_t)(wall_us / 1000000);
	int ms = (int)(wall_us % 1000000 / 1000);
	struct tm tm;
	size_t used;

	if (wall_us < 0 || !gmtime_r(&seconds, &tm)) {
		(void)snprintf(text, CLOCK_TEXT_MAX, "-");
		return;
	}
	used = strftime(text, CLOCK_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(text + used, CLOCK_TEXT_MAX - used, ".%03dZ", ms);
}
