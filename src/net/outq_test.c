#include "net/outq.h"

#include "test.h"

TORTURE(outq, gives_back_what_was_put_in_order)
{
	struct outq q = {0};
	uint8_t byte = 0, seen = 0;

	for (int round = 0; round < 300; round++) {
		for (int i = 0; i < round % 17; i++) {
			if (outq_put(&q, &byte, 1)) {
				outq_fini(&q);
				return;
			}
			byte++;
		}
		while (outq_len(&q) > (size_t)(round % 5)) {
			EXPECT_INT(seen, *outq_peek(&q));
			seen++;
			outq_take(&q, 1);
		}
	}
	outq_fini(&q);
	EXPECT_INT(0, outq_len(&q));
}

TEST(outq, wipes_what_was_taken)
{
	struct outq q = {0};

	EXPECT_OK(outq_put(&q, "secret", 6));
	outq_take(&q, 6);
	for (size_t i = 0; i < 6; i++)
		EXPECT_INT(0, q.data[i]);
	EXPECT_OK(outq_put(&q, "abc", 3));
	EXPECT_BYTES("abc", outq_peek(&q), 3);
	outq_take(&q, 3);
	outq_trim(&q, 16);
	EXPECT_NULL(q.data);
}

TEST_MAIN()
