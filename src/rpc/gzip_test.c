#include "rpc/gzip.h"

#include "test.h"

TORTURE(gzip, unpacks_what_it_packed)
{
	static uint8_t text[100000];
	struct outq packed = {0}, plain = {0};

	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(i % 251);
	if (gzip_pack(text, sizeof text, &packed) == UN_OK) {
		EXPECT(gzip_is(outq_peek(&packed), outq_len(&packed)));
		EXPECT(outq_len(&packed) < sizeof text / 10);
		if (gzip_unpack(outq_peek(&packed), outq_len(&packed), sizeof text, &plain) ==
		    UN_OK) {
			EXPECT_INT(sizeof text, outq_len(&plain));
			EXPECT_BYTES(text, outq_peek(&plain), sizeof text);
		}
	}
	outq_fini(&packed);
	outq_fini(&plain);
}

TEST(gzip, stops_at_the_limit)
{
	struct outq packed = {0}, plain = {0};
	uint8_t *bomb = mem_zalloc(1, 10 << 20);

	EXPECT_OK(gzip_pack(bomb, 10 << 20, &packed));
	mem_free(bomb);
	EXPECT_ERR(UN_ERR_TOO_LARGE,
	           gzip_unpack(outq_peek(&packed), outq_len(&packed), 100000, &plain));
	EXPECT(plain.cap < 400000);
	outq_fini(&packed);
	outq_fini(&plain);
}

TEST(gzip, refuses_damage_and_what_stands_behind)
{
	struct outq packed = {0}, plain = {0};
	size_t len;

	EXPECT_OK(gzip_pack((const uint8_t *)"hello", 5, &packed));
	len = outq_len(&packed);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = mem_dup(outq_peek(&packed), cut);

		EXPECT_ERR(UN_ERR_PROTOCOL, gzip_unpack(exact, cut, 100, &plain));
		mem_free(exact);
	}
	EXPECT_OK(outq_put(&packed, "x", 1));
	EXPECT_ERR(UN_ERR_PROTOCOL, gzip_unpack(outq_peek(&packed), len + 1, 100, &plain));
	outq_peek(&packed)[len - 5] ^= 1; /* the checksum */
	EXPECT_ERR(UN_ERR_PROTOCOL, gzip_unpack(outq_peek(&packed), len, 100, &plain));
	outq_fini(&packed);
	outq_fini(&plain);
}

TEST_MAIN()
