/* nondet.h - choices that a proof ranges over.
 *
 * Compiled with CBMC (cbmc defines __CPROVER) a choice is symbolic and all are looked at together.
 * Without it, every combination of choices is run, one after the other, under the sanitizers:
 * slower, so for smaller bounds, but just as complete within them. */
#ifndef TESTS_PROOFS_NONDET_H
#define TESTS_PROOFS_NONDET_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void proof(void); /* one run; asserts what holds */

#ifdef __CPROVER
unsigned nondet_unsigned(void);

static unsigned
choose(unsigned count) /* from 0 to count - 1 */
{
	unsigned one = nondet_unsigned();

	__CPROVER_assume(one < count);
	return one;
}

#define HOLDS(condition) __CPROVER_assert(condition, #condition)

int
main(void)
{
	proof();
	return 0;
}
#else
#define CHOICES_MAX 64

static unsigned choice_taken[CHOICES_MAX], choice_of[CHOICES_MAX];
static size_t choice_at, choice_count;

static unsigned
choose(unsigned count)
{
	size_t at = choice_at++;

	if (at == CHOICES_MAX)
		abort();
	if (at == choice_count) {
		choice_taken[choice_count] = 0;
		choice_of[choice_count++] = count;
	}
	return choice_taken[at];
}

#define HOLDS(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)printf("not ok 1 - %s:%d: %s\n", __FILE__, __LINE__, #condition);    \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

int
main(void)
{
	unsigned long long runs = 0;

	do {
		choice_at = 0;
		proof();
		runs++;
		choice_count = choice_at;
		while (choice_count &&
		       choice_taken[choice_count - 1] + 1 == choice_of[choice_count - 1])
			choice_count--;
		if (choice_count)
			choice_taken[choice_count - 1]++;
	} while (choice_count);
	(void)printf("1..1\nok 1 - %llu runs, all that there are within the bounds\n", runs);
	return 0;
}
#endif

#endif
