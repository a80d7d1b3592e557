/* test.h - TEST, TORTURE and EXPECT on top of cmocka; output is TAP.
 *
 *   TEST(envelope, refuses_a_row_moved_under_another_name) { ... EXPECT_ERR(UN_ERR_..., call()); }
 *   TEST_MAIN()
 *
 * A TORTURE body runs again and again, each time with one more allocation allowed before one fails,
 * until none fails any more; TORTURE_IO does so with the wrappers of base/io.h as well. The body
 * must work (UN_OK) or fail whole; leaks are found by the sanitizers. It must not keep state
 * between runs. */
#ifndef TEST_H
#define TEST_H

#include "base/alloc.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TEST_MAX 256
#define TORTURE_MAX 5000 /* points of failure in one body */

static struct CMUnitTest test_all[TEST_MAX];
static size_t test_count;

#define TEST(area, promise)                                                                        \
	static void test_##area##_##promise(void **state);                                         \
	__attribute__((constructor)) static void test_add_##area##_##promise(void)                 \
	{                                                                                          \
		test_all[test_count++] = (struct CMUnitTest){                                      \
			.name = #area "." #promise, .test_func = test_##area##_##promise};         \
	}                                                                                          \
	static void test_##area##_##promise(__attribute__((unused)) void **state)

#ifdef UN_FAULTS
static inline void
test_torture(void (*body)(void), int kinds)
{
	for (int kind = 0; kind < kinds; kind++) {
		long nth = 1;

		for (; nth < TORTURE_MAX; nth++) {
			bool fired;

			fault_arm((enum fault_kind)kind, nth);
			body();
			fired = fault_fired();
			fault_disarm();
			if (!fired)
				break;
		}
		assert_true(nth < TORTURE_MAX);
	}
}
#define TORTURE_KINDS(area, name, kinds)                                                           \
	static void torture_##area##_##name(void);                                                 \
	TEST(area, name)                                                                           \
	{                                                                                          \
		test_torture(torture_##area##_##name, kinds);                                      \
	}                                                                                          \
	static void torture_##area##_##name(void)
#else
#define TORTURE_KINDS(area, name, kinds)                                                           \
	static void torture_##area##_##name(void);                                                 \
	TEST(area, name)                                                                           \
	{                                                                                          \
		torture_##area##_##name();                                                         \
	}                                                                                          \
	static void torture_##area##_##name(void)
#endif
#define TORTURE(area, name) TORTURE_KINDS(area, name, FAULT_ALLOC + 1)
#define TORTURE_IO(area, name) TORTURE_KINDS(area, name, FAULT_KINDS)

#define EXPECT(condition) assert_true(condition)
#define EXPECT_ERR(expected, call) assert_string_equal(un_err_slug(call), un_err_slug(expected))
#define EXPECT_OK(call) EXPECT_ERR(UN_OK, call)
#define EXPECT_NULL(pointer) assert_null(pointer)
#define EXPECT_INT(expected, actual) assert_int_equal(actual, expected)
#define EXPECT_STR(expected, actual) assert_string_equal(actual, expected)
#define EXPECT_BYTES(expected, actual, len) assert_memory_equal(actual, expected, len)

#define TEST_MAIN()                                                                                \
	int main(void)                                                                             \
	{                                                                                          \
		cmocka_set_message_output(CM_OUTPUT_TAP);                                          \
		return _cmocka_run_group_tests(__FILE__, test_all, test_count, NULL, NULL);        \
	}

#endif
