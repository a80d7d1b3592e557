#include "net/pool.h"

#include "test.h"

TORTURE(pool, gives_blocks_of_every_size)
{
	struct pool pool = {.count = {0}};
	uint8_t *blocks[40] = {NULL};

	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < 40; i++) {
			size_t len = i * i + round;

			blocks[i] = pool_zalloc(&pool, 1, len);
			for (size_t n = 0; blocks[i] && n < len; n++)
				EXPECT_INT(0, blocks[i][n]);
			if (blocks[i])
				memset(blocks[i], (int)i, len);
		}
		for (size_t i = 0; i < 40; i++) {
			for (size_t n = 0; blocks[i] && n < i * i + round; n++)
				EXPECT_INT(i, blocks[i][n]);
			pool_free(&pool, blocks[i]);
		}
	}
	pool_fini(&pool);
}

TEST(pool, keeps_the_bytes_when_a_block_grows_and_shrinks)
{
	struct pool pool = {.count = {0}};
	char *text = pool_realloc(&pool, NULL, 6);

	memcpy(text, "hello", 6);
	for (size_t len = 6; len < 5000; len += 97)
		text = pool_realloc(&pool, text, len);
	EXPECT_STR("hello", text);
	text = pool_realloc(&pool, text, 6);
	EXPECT_STR("hello", text);
	pool_free(&pool, text);
	pool_fini(&pool);
}

TEST(pool, wipes_and_reuses_what_comes_back)
{
	struct pool pool = {.count = {0}};
	char *first = pool_alloc(&pool, 100), *second;

	memcpy(first, "bearer token", 13);
	pool_free(&pool, first);
	second = pool_alloc(&pool, 120); /* of the same size class: the same block */
	EXPECT(first == second);
	for (size_t i = 0; i < 13; i++)
		EXPECT_INT(0, second[i]);
	pool_free(&pool, second);
	EXPECT_INT(1, pool.count[1]);
	EXPECT_NULL(pool_zalloc(&pool, SIZE_MAX / 2, 3));
	pool_fini(&pool);
}

TEST_MAIN()
