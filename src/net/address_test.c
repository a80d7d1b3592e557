#include "net/address.h"

#include "test.h"

TEST(address, reads_what_people_write)
{
	struct net_address a[NET_ADDRESSES_MAX];
	size_t count;

	EXPECT_OK(net_addresses_parse(" 0.0.0.0:443  [::]:443 127.0.0.1:0 [::1]:8080 ", a, &count,
	                              NULL));
	EXPECT_INT(4, count);
	EXPECT_STR("0.0.0.0", a[0].host);
	EXPECT_INT(443, a[0].port);
	EXPECT(!a[0].loopback);
	EXPECT_STR("::", a[1].host);
	EXPECT(!a[1].loopback);
	EXPECT(a[2].loopback);
	EXPECT_STR("::1", a[3].host);
	EXPECT_INT(8080, a[3].port);
	EXPECT(a[3].loopback);
}

TEST(address, refuses_what_is_not_numeric_or_has_no_port)
{
	static const char *const table[] = {
		"",
		" ",
		"localhost:80",
		"127.0.0.1",
		"127.0.0.1:",
		":80",
		"1.2.3.4:x",
		"1.2.3.4:65536",
		"::1:80",
		"[1.2.3.4]:80",
		"[::1]80",
		"[]:80",
		"1.2.3.4:80,",
		"[::1:80",
		"1.2.3.4:-1",
		"1.1.1.1:1 x",
		"1.1.1.1:1 1.1.1.1:2 1.1.1.1:3 1.1.1.1:4 1.1.1.1:5",
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct net_address a[NET_ADDRESSES_MAX];
		size_t count;

		if (net_addresses_parse(table[i], a, &count, NULL) != UN_ERR_BAD_CONFIG)
			fail_msg("'%s' was taken", table[i]);
	}
}

TEST_MAIN()
