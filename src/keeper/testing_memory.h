/* testing_memory.h - looking for bytes in all writable memory of this process, for tests that
 * promise to leave none. The needle is kept inverted, so that only the real thing matches. */
#ifndef KEEPER_TESTING_MEMORY_H
#define KEEPER_TESTING_MEMORY_H

#include "test.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Whether `bytes` are the inverse of `inverted`: the search's own copy never matches. */
static bool
is_inverse(const uint8_t *bytes, const uint8_t *inverted, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((bytes[i] ^ inverted[i]) != 0xff)
			return false;
	return true;
}

static unsigned
find_in_bytes(const uint8_t *bytes, size_t count, const uint8_t *inverted, size_t len)
{
	unsigned found = 0;

	for (size_t i = 0; i + len <= count; i++)
		found += is_inverse(bytes + i, inverted, len);
	return found;
}

/* Secret memory cannot be read through the file by anybody: there the search looks with its own
 * eyes, because what was used must be wiped there too. */
__attribute__((no_sanitize("address"))) static unsigned
find_in_range(int mem, unsigned long from, unsigned long to, const uint8_t *inverted, size_t len)
{
	static uint8_t window[1 << 16];
	unsigned found = 0;

	for (unsigned long at = from; at < to; at += sizeof window - len + 1) {
		size_t want = to - at < sizeof window ? to - at : sizeof window;
		ssize_t got = pread(mem, window, want, (off_t)at);

		if (got < 0) {
			for (size_t i = 0; i < want; i++)
				window[i] = ((const volatile uint8_t *)at)[i];
			got = (ssize_t)want;
		}
		found += find_in_bytes(window, (size_t)got, inverted, len);
	}
	explicit_bzero(window, sizeof window);
	return found;
}

/* Counts the inverse of `inverted` in all writable memory of this process, read as another process
 * with the right to would. */
static unsigned
find_in_memory(const uint8_t *inverted, size_t len)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	unsigned found = 0;
	char line[512];

	assert_non_null(maps);
	assert_true(mem >= 0);
	while (fgets(line, sizeof line, maps)) {
		unsigned long from, to;
		char mode[8];

		/* the sanitizer's shadow is huge and holds no bytes of ours */
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) == 3 && mode[1] == 'w' &&
		    to - from <= (64ul << 20))
			found += find_in_range(mem, from, to, inverted, len);
	}
	(void)fclose(maps);
	(void)close(mem);
	return found;
}

#endif
