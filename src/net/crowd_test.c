#include "net/crowd.h"

#include "test.h"

#include <string.h>

static struct net_peer
tcp_peer(uint8_t first, uint8_t last)
{
	struct net_peer peer = {.family = NET_TCP};

	peer.origin[0] = first;
	peer.origin[NET_ORIGIN_LEN - 1] = last;
	return peer;
}

TEST(crowd, one_address_gets_no_more_than_its_share)
{
	const struct net_limits limits = {.connections = 100, .connections_per_address = 3};
	struct net_peer one = tcp_peer(1, 0), other = tcp_peer(1, 1);
	struct crowd_place *places[4];
	struct crowd *crowd;

	EXPECT_OK(crowd_new(&limits, &crowd));
	for (int i = 0; i < 3; i++)
		EXPECT_INT(CROWD_IN, crowd_enter(crowd, &one, false, &places[i]));
	EXPECT_INT(CROWD_FULL_ADDRESS, crowd_enter(crowd, &one, true, &places[3]));
	EXPECT_INT(CROWD_IN, crowd_enter(crowd, &other, false, &places[3]));
	crowd_leave(crowd, places[3]);
	crowd_leave(crowd, places[0]);
	EXPECT_INT(CROWD_IN, crowd_enter(crowd, &one, false, &places[0]));
	for (int i = 0; i < 3; i++)
		crowd_leave(crowd, places[i]);
	crowd_free(crowd);
}

TEST(crowd, others_leave_a_quarter_to_the_own_user)
{
	const struct net_limits limits = {.connections = 8, .connections_per_address = 8};
	const struct net_peer here = {.family = NET_UNIX};
	struct crowd_place *places[9];
	struct crowd *crowd;

	EXPECT_OK(crowd_new(&limits, &crowd));
	for (uint8_t i = 0; i < 6; i++) {
		struct net_peer peer = tcp_peer(9, i);

		EXPECT_INT(CROWD_IN, crowd_enter(crowd, &peer, false, &places[i]));
	}
	EXPECT_INT(CROWD_FULL, crowd_enter(crowd, &here, false, &places[6]));
	EXPECT_INT(CROWD_IN, crowd_enter(crowd, &here, true, &places[6]));
	EXPECT_NULL(places[6]);
	EXPECT_INT(CROWD_IN, crowd_enter(crowd, &here, true, &places[7]));
	EXPECT_INT(CROWD_FULL, crowd_enter(crowd, &here, true, &places[8]));
	for (int i = 0; i < 8; i++)
		crowd_leave(crowd, places[i]);
	crowd_free(crowd);
}

TEST(crowd, many_places_come_and_go)
{
	const struct net_limits limits = {.connections = 100000, .connections_per_address = 1};
	static struct crowd_place *places[20000];
	struct crowd *crowd;

	EXPECT_OK(crowd_new(&limits, &crowd));
	for (size_t round = 0; round < 2; round++) {
		for (size_t i = 0; i < 20000; i++) {
			struct net_peer peer = tcp_peer((uint8_t)i, (uint8_t)(i >> 8));

			peer.origin[5] = (uint8_t)(i >> 16);
			EXPECT_INT(CROWD_IN, crowd_enter(crowd, &peer, false, &places[i]));
		}
		for (size_t i = 0; i < 20000; i++)
			crowd_leave(crowd, places[(i * 7919) % 20000]);
	}
	crowd_free(crowd);
}

TEST(crowd, who_costs_much_is_heavy_until_it_has_paid)
{
	const struct net_limits limits = {.connections = 10, .connections_per_address = 5};
	struct net_peer one = tcp_peer(1, 0), other = tcp_peer(2, 0);
	struct crowd_place *places[3];
	struct crowd *crowd;
	int64_t now = 1000000;

	EXPECT_OK(crowd_new(&limits, &crowd));
	EXPECT_INT(CROWD_IN, crowd_enter(crowd, &one, false, &places[0]));
	EXPECT_INT(CROWD_IN, crowd_enter(crowd, &one, false, &places[1]));
	EXPECT_INT(CROWD_IN, crowd_enter(crowd, &other, false, &places[2]));
	EXPECT(places[0] == places[1]); /* all connections of a place pay together */
	EXPECT(!crowd_is_heavy(places[0], now));
	for (int i = 0; i < 8; i++, now += 1000)
		crowd_spend(places[i % 2], now, now + 1000);
	EXPECT(crowd_is_heavy(places[1], now));
	EXPECT(!crowd_is_heavy(places[2], now));
	EXPECT(!crowd_is_heavy(NULL, now));
	EXPECT(!crowd_is_heavy(places[0], now + 20000));
	for (int i = 0; i < 100000; i++, now += 500)
		crowd_spend(places[0], now, now + 500);
	EXPECT(crowd_is_heavy(places[0], now + 200000));
	EXPECT(!crowd_is_heavy(places[0], now + 250000)); /* a long past is forgiven, too */
	for (int i = 0; i < 10000; i++, now += 1000)
		crowd_spend(places[2], now, now + 150);
	EXPECT(!crowd_is_heavy(places[2], now)); /* who stays within its share never is */
	crowd_spend(places[2], now, now + 3600000000);
	EXPECT(!crowd_is_heavy(places[2], now)); /* nor for what the scheduler did */
	for (int i = 0; i < 3; i++)
		crowd_leave(crowd, places[i]);
	crowd_free(crowd);
}

TEST_MAIN()
