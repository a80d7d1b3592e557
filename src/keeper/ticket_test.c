#include "keeper/ticket.h"

#include "keeper/secret_buf.h"
#include "test.h"

#include <stdlib.h>

#define NOW_US 1795430000000000ll
#define LATER_US (NOW_US + 60000000)

struct fixture {
	struct secbuf *key, *memory;
	struct scope at;
	const char *names[TICKET_NAMES_MAX];
	struct ticket_grant grant;
	struct buf out;
};

static void
fixture_init(struct fixture *f)
{
	*f = (struct fixture){.names = {"db_password", "api-key"}};
	EXPECT_OK(crypto_init());
	EXPECT_OK(secbuf_new(32, &f->key));
	random_bytes(secbuf_edit(f->key), 32);
	EXPECT_OK(secbuf_new(TICKET_LEN_MAX + 1, &f->memory));
	f->out = secret_buf_over(f->memory);
	EXPECT_OK(scope_init(&f->at, "fraud", "production", NULL));
	f->grant = (struct ticket_grant){.attempt = "0123456789abcde",
	                                 .org = "",
	                                 .at = &f->at,
	                                 .expires_us = LATER_US,
	                                 .names = f->names,
	                                 .count = 2};
	EXPECT_OK(ticket_pack(f->key, &f->grant, &f->out));
}

static void
fixture_fini(struct fixture *f)
{
	secbuf_free(f->key);
	secbuf_free(f->memory);
}

TEST(ticket, says_again_what_was_granted)
{
	struct ticket_view view;
	struct fixture f;

	fixture_init(&f);
	EXPECT_OK(ticket_verify(f.key, f.out.data, f.out.len, NOW_US, &view));
	EXPECT_BYTES(f.grant.attempt, view.attempt, ATTEMPT_ID_LEN);
	EXPECT_STR("fraud", view.at.project);
	EXPECT_STR("production", view.at.domain);
	EXPECT_INT(2, view.count);
	EXPECT(view.expires_us == LATER_US);
	fixture_fini(&f);
}

TEST(ticket, names_its_attempt_to_who_cannot_check_it)
{
	uint8_t attempt[ATTEMPT_ID_LEN];
	struct secbuf *ticket;
	struct fixture f;

	fixture_init(&f);
	EXPECT_OK(secbuf_copy(f.out.data, f.out.len, &ticket));
	EXPECT_OK(ticket_attempt(ticket, attempt));
	EXPECT_BYTES(f.grant.attempt, attempt, ATTEMPT_ID_LEN);
	secbuf_free(ticket);
	fixture_fini(&f);
}

TEST(ticket, is_refused_with_any_bit_flipped_or_cut_anywhere)
{
	struct ticket_view view;
	struct fixture f;

	fixture_init(&f);
	for (size_t bit = 0; bit < 8 * f.out.len; bit++) {
		f.out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		EXPECT_ERR(UN_ERR_BAD_TICKET,
		           ticket_verify(f.key, f.out.data, f.out.len, NOW_US, &view));
		f.out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < f.out.len; len++) {
		uint8_t *exact = malloc(len ? len : 1); /* the sanitizer sees a read beyond */

		memcpy(exact, f.out.data, len);
		EXPECT_ERR(UN_ERR_BAD_TICKET, ticket_verify(f.key, exact, len, NOW_US, &view));
		EXPECT_ERR(UN_ERR_BAD_TICKET, ticket_unpack(exact, len, &view));
		free(exact);
	}
	EXPECT_OK(ticket_verify(f.key, f.out.data, f.out.len, NOW_US, &view));
	fixture_fini(&f);
}

TEST(ticket, ends_when_it_says_and_under_no_other_key)
{
	struct ticket_view view;
	struct fixture f;

	fixture_init(&f);
	EXPECT_OK(ticket_verify(f.key, f.out.data, f.out.len, LATER_US - 1, &view));
	EXPECT_ERR(UN_ERR_BAD_TICKET,
	           ticket_verify(f.key, f.out.data, f.out.len, LATER_US, &view));
	secbuf_edit(f.key)[0] ^= 1;
	EXPECT_ERR(UN_ERR_BAD_TICKET, ticket_verify(f.key, f.out.data, f.out.len, NOW_US, &view));
	fixture_fini(&f);
}

/* project, domain, name, organization, reached from (fraud, production) with db_password, api-key
 */
static const struct {
	const char *project, *domain, *name, *org;
	bool reached;
} places[] = {
        {"fraud", "production", "db_password", "", true},
        {"fraud", "", "db_password", "", true},
        {"", "production", "api-key", "", true},
        {"", "", "api-key", "", true},
        {"fraud", "production", "db_passwor", "", false},
        {"fraud", "production", "db_password2", "", false},
        {"fraud", "production", "DB_PASSWORD", "", false},
        {"fraud", "staging", "db_password", "", false},
        {"frau", "production", "db_password", "", false},
        {"", "staging", "db_password", "", false},
        {"payments", "", "db_password", "", false},
        {"payments", "production", "db_password", "", false},
        {"fraud", "production", "db_password", "acme", false},
};

TEST(ticket, reaches_its_cascade_and_its_names_and_nothing_else)
{
	struct ticket_view view;
	struct fixture f;

	fixture_init(&f);
	EXPECT_OK(ticket_verify(f.key, f.out.data, f.out.len, NOW_US, &view));
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		struct secret_id id;

		EXPECT_OK(secret_id_init(&id, places[i].project, places[i].domain, places[i].name,
		                         NULL));
		strcpy(id.org, places[i].org);
		EXPECT_INT(places[i].reached, ticket_reaches(&view, &id));
	}
	fixture_fini(&f);
}

TEST(ticket, is_not_granted_beyond_the_limits)
{
	struct fixture f;
	struct scope no_domain;

	fixture_init(&f);
	EXPECT_OK(ticket_check_grant(&f.grant, NOW_US, NULL));
	f.grant.expires_us = NOW_US;
	EXPECT_ERR(UN_ERR_RANGE, ticket_check_grant(&f.grant, NOW_US, NULL));
	f.grant.expires_us = NOW_US + TICKET_LIFETIME_MAX_US + 1;
	EXPECT_ERR(UN_ERR_RANGE, ticket_check_grant(&f.grant, NOW_US, NULL));
	f.grant.expires_us = LATER_US;
	f.grant.count = TICKET_NAMES_MAX + 1;
	EXPECT_ERR(UN_ERR_TOO_LARGE, ticket_check_grant(&f.grant, NOW_US, NULL));
	f.grant.count = 2;
	f.names[1] = "no/slash";
	EXPECT_ERR(UN_ERR_BAD_NAME, ticket_check_grant(&f.grant, NOW_US, NULL));
	f.grant.count = 1;
	EXPECT_OK(scope_init(&no_domain, "fraud", "", NULL));
	f.grant.at = &no_domain;
	EXPECT_ERR(UN_ERR_BAD_SCOPE, ticket_check_grant(&f.grant, NOW_US, NULL));
	fixture_fini(&f);
}

TEST(ticket, of_the_largest_size_fits_its_limit)
{
	char name[SECRET_NAME_MAX + 1] = {0}, part[SCOPE_PART_MAX + 1] = {0};
	struct ticket_view view;
	struct fixture f;

	fixture_init(&f);
	memset(name, 'n', SECRET_NAME_MAX);
	memset(part, 'p', SCOPE_PART_MAX);
	for (size_t i = 0; i < TICKET_NAMES_MAX; i++)
		f.names[i] = name;
	EXPECT_OK(scope_init(&f.at, part, part, NULL));
	f.grant.org = part;
	f.grant.count = TICKET_NAMES_MAX;
	EXPECT_OK(ticket_check_grant(&f.grant, NOW_US, NULL));
	f.out.len = 0;
	EXPECT_OK(ticket_pack(f.key, &f.grant, &f.out));
	EXPECT_INT(TICKET_LEN_MAX, f.out.len);
	EXPECT_OK(ticket_verify(f.key, f.out.data, f.out.len, NOW_US, &view));
	EXPECT_INT(TICKET_NAMES_MAX, view.count);
	fixture_fini(&f);
}

TEST_MAIN()
