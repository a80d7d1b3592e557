#include "base/alloc.h"

#include "test.h"

TEST(alloc, a_length_of_zero_is_a_block_too)
{
	void *blocks[] = {mem_alloc(0), mem_zalloc(0, 8), mem_dup("", 0), mem_strdup("")};

	for (size_t i = 0; i < 4; i++) {
		EXPECT(blocks[i]);
		mem_free(blocks[i]);
	}
	mem_free(NULL);
	mem_wipe_free(NULL, 8);
}

TEST(alloc, refuses_a_product_that_overflows)
{
	volatile size_t half = SIZE_MAX / 2;

	EXPECT_NULL(mem_zalloc(half, 4));
	EXPECT_NULL(mem_strndup("x", SIZE_MAX));
}

TEST(alloc, copies_text_with_its_nul)
{
	char *copy = mem_strndup("abcdef", 3);

	EXPECT_STR("abc", copy);
	mem_wipe_free(copy, 4);
}

#ifdef UN_FAULTS
TEST(fault, fails_the_nth_call_once_and_only_of_its_kind)
{
	void *blocks[4];

	fault_arm(FAULT_ALLOC, 2);
	EXPECT(!fault_now(FAULT_WRITE));
	for (size_t i = 0; i < 4; i++)
		blocks[i] = mem_alloc(1);
	EXPECT(fault_fired());
	fault_disarm();
	EXPECT(blocks[0] && !blocks[1] && blocks[2] && blocks[3]);
	for (size_t i = 0; i < 4; i++)
		mem_free(blocks[i]);
}
#endif

TEST_MAIN()
