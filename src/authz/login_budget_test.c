#include "authz/login_budget.h"

#include "crypto/hash.h"

#include "test.h"

#define NOW 5000000

static struct login_budget *
budget_of_test(void)
{
	struct login_budget *budget = NULL;

	EXPECT_OK(crypto_init());
	EXPECT_OK(login_budget_new(&budget));
	return budget;
}

static bool
take(struct login_budget *budget, const char *client, const char *address, int64_t now_ms)
{
	const struct login_try try = {client, address};
	unsigned wait_s = 0;
	bool taken = login_budget_take(budget, &try, now_ms, &wait_s);

	assert_true(taken ? wait_s == 0 : wait_s > 0);
	return taken;
}

TEST(login_budget, stops_a_client_that_fails_from_one_address_and_lets_it_try_again_later)
{
	struct login_budget *budget = budget_of_test();

	for (int i = 0; i < LOGIN_BUDGET_PAIR; i++)
		EXPECT(take(budget, "ci", "192.0.2.7:40000", NOW));
	EXPECT(!take(budget, "ci", "192.0.2.7:40001", NOW));
	EXPECT(!take(budget, "ci", "192.0.2.7:40001", NOW + 9999));
	EXPECT(take(budget, "ci", "192.0.2.7:40001", NOW + 10000));
	EXPECT(!take(budget, "ci", "192.0.2.7:40001", NOW + 10000));
	login_budget_free(budget);
}

TEST(login_budget, does_not_make_others_wait_for_one_bad_client)
{
	struct login_budget *budget = budget_of_test();

	for (int i = 0; i < 10 * LOGIN_BUDGET_PAIR; i++)
		(void)take(budget, "ci", "192.0.2.7:1", NOW);
	EXPECT(take(budget, "other", "192.0.2.7:2", NOW));
	EXPECT(take(budget, "ci", "192.0.2.8:1", NOW));
	login_budget_free(budget);
}

TEST(login_budget, stops_an_address_that_tries_many_names)
{
	struct login_budget *budget = budget_of_test();
	char name[16];
	int tried = 0;

	for (int i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof name, "name-%d", i);
		tried += take(budget, name, "192.0.2.7:1", NOW);
	}
	EXPECT_INT(LOGIN_BUDGET_ADDRESS, tried);
	EXPECT(take(budget, "name-1", "192.0.2.8:1", NOW));
	login_budget_free(budget);
}

TEST(login_budget, counts_an_ipv6_network_as_one_address)
{
	struct login_budget *budget = budget_of_test();
	char address[64], name[16];
	int tried = 0;

	for (int i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof name, "name-%d", i);
		(void)snprintf(address, sizeof address, "[2001:db8:0:1::%x]:443", i);
		tried += take(budget, name, address, NOW);
	}
	EXPECT_INT(LOGIN_BUDGET_ADDRESS, tried);
	EXPECT(take(budget, "name-1", "[2001:db8:0:2::1]:443", NOW));
	login_budget_free(budget);
}

TEST(login_budget, costs_nothing_when_a_login_succeeds)
{
	struct login_budget *budget = budget_of_test();
	const struct login_try try = {"ci", "192.0.2.7:1"};

	for (int i = 0; i < 1000; i++) {
		EXPECT(take(budget, "ci", "192.0.2.7:1", NOW));
		login_budget_give_back(budget, &try, NOW);
	}
	login_budget_free(budget);
}

TEST(login_budget, only_counts_the_failures_of_a_client_under_attack_from_many_places)
{
	struct login_budget *budget = budget_of_test();
	char address[64];
	int recorded = 0;

	for (int i = 0; i < 1000; i++) {
		const struct login_try try = {"ci", address};

		(void)snprintf(address, sizeof address, "10.0.%d.%d:1", i >> 8, i & 255);
		EXPECT(take(budget, "ci", address, NOW)); /* each is still looked at */
		recorded += login_budget_failed(budget, &try, NOW);
	}
	EXPECT_INT(LOGIN_BUDGET_CLIENT, recorded);
	login_budget_free(budget);
}

TEST(login_budget, bounds_what_a_flood_from_everywhere_records)
{
	struct login_budget *budget = budget_of_test();
	char address[64], name[16];
	int recorded = 0;

	for (int i = 0; i < 60000; i++) {
		const struct login_try try = {name, address};

		(void)snprintf(address, sizeof address, "10.0.%d.%d:1", i >> 8, i & 255);
		(void)snprintf(name, sizeof name, "name-%d", i);
		EXPECT(take(budget, name, address, NOW));
		recorded += login_budget_failed(budget, &try, NOW);
	}
	EXPECT_INT(LOGIN_BUDGET_ALL, recorded);
	login_budget_free(budget);
}

TORTURE(login_budget, is_made_or_fails_whole)
{
	struct login_budget *budget = NULL;

	if (!login_budget_new(&budget))
		login_budget_free(budget);
}

TEST_MAIN()
