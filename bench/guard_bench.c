/* How long the guard looks at files: for each, "SECONDS BYTES NAME" on a line.
 *
 * usage: guard_bench SECRETS FILE... */
#include "base/clock.h"
#include "guard/crew.h"
#include "guard/guard.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct redact_set *
make_set(int count)
{
	struct redact_set *set;
	char text[64], name[16];

	if (redact_set_new(&set))
		abort();
	for (int i = 0; i < count; i++) {
		struct secbuf *value;
		bool too_short;

		(void)snprintf(name, sizeof name, "s%d", i);
		(void)snprintf(text, sizeof text, "kQ7x%02dT4bW8sL1vN6cZ3pR5yH0d%02d", i,
		               i * 7 % 100);
		if (secbuf_copy(text, strlen(text), &value) ||
		    redact_set_add(set, name, value, &too_short))
			abort();
		secbuf_free(value);
	}
	if (redact_set_compile(set))
		abort();
	return set;
}

int
main(int argc, char **argv)
{
	struct redact_set *set = argc > 2 ? make_set((int)strtol(argv[1], NULL, 10)) : NULL;
	struct crew *crew;

	if (crew_new(&crew))
		return 1;

	for (int i = 2; i < argc; i++) {
		struct guard_options options = {.values = set,
		                                .longest = 32,
		                                .deadline_ms = clock_mono_ms() + 600000,
		                                .crew = crew};
		int fd = open(argv[i], O_RDONLY | O_CLOEXEC);
		int64_t start = clock_mono_us();
		struct guard *guard;
		struct stat facts;
		void *map;

		if (fd < 0 || fstat(fd, &facts) != 0)
			return 1;
		map = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (map == MAP_FAILED || guard_new(&options, &guard) ||
		    guard_file(guard, argv[i], map, (size_t)facts.st_size))
			return 1;
		for (size_t b = 0; b < guard_blind_count(guard) && b < GUARD_BLIND_SHOWN; b++)
			(void)fprintf(stderr, "%s\n", guard_blind(guard, b));
		guard_free(guard);
		(void)munmap(map, (size_t)facts.st_size);
		(void)close(fd);
		(void)printf("%.3f %lld %s\n", (double)(clock_mono_us() - start) / 1e6,
		             (long long)facts.st_size, argv[i]);
	}
	crew_free(crew);
	redact_set_free(set);
	return 0;
}
