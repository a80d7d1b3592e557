/* Attacks on release: each row is one lie, told to a keeper that would honour the truth. */
#include "keeper/keyholder.h"

#include "audit/journal.h"
#include "base/clock.h"
#include "crypto/hash.h"
#include "keeper/keyring_file.h"
#include "keeper/secret_buf.h"
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define NAMES 2
#define RELEASE_LEN (JOURNAL_ID_LEN + 8 + DELIVERED_DEK_LEN)

struct world {
	char path[64];
	int dir_fd;
	struct keyholder *holder;
	struct box_sender *sender;
	struct secbuf *ticket_memory, *dek, *launcher_private;
	struct buf ticket;
	uint8_t launcher_public[BOX_PUBLIC_LEN];
	struct secret_id id; /* (fraud, any) db_password, version 2 */
	uint8_t stored[STORED_DEK_LEN], stored_first[STORED_DEK_LEN];
	bool held; /* of the last answer */
};

static struct wire_request request; /* large */
static uint8_t answer_memory[WIRE_FRAME_MAX + 1];

static struct wire_answer
ask(struct world *w)
{
	struct buf out = {.data = answer_memory,
	                  .cap = sizeof answer_memory,
	                  .max = sizeof answer_memory - 1};
	struct wire_answer answer;

	EXPECT_OK(keyholder_answer(w->holder, &request, &out, &w->held));
	EXPECT_OK(wire_answer_unpack(out.data + 4, out.len - 4, &answer));
	return answer;
}

static void
ingest(struct world *w, uint32_t version, uint8_t ret_stored[STORED_DEK_LEN])
{
	uint8_t travel[TRAVEL_DEK_LEN];
	struct wire_answer answer;

	EXPECT_OK(envelope_seal_travel(w->sender, &w->id, w->dek, travel));
	request = (struct wire_request){.op = WIRE_INGEST, .id = 1};
	request.dek.secret = w->id;
	request.dek.version = version;
	request.dek.dek = travel;
	request.dek.dek_len = sizeof travel;
	answer = ask(w);
	EXPECT_OK(answer.err);
	EXPECT_INT(STORED_DEK_LEN, answer.len);
	memcpy(ret_stored, answer.body, STORED_DEK_LEN);
}

static void
grant(struct world *w, const char *project, const char *domain, int64_t lifetime_us)
{
	static const char *const names[NAMES] = {"db_password", "api_key"};
	struct wire_answer answer;
	struct scope at;

	EXPECT_OK(scope_init(&at, project, domain, NULL));
	request = (struct wire_request){.op = WIRE_GRANT, .id = 1};
	request.grant.grant = (struct ticket_grant){.attempt = "attempt-0000001",
	                                            .org = "",
	                                            .at = &at,
	                                            .expires_us = clock_wall_us() + lifetime_us,
	                                            .names = names,
	                                            .count = NAMES};
	answer = ask(w);
	EXPECT_OK(answer.err);
	w->ticket = secret_buf_over(w->ticket_memory);
	EXPECT_OK(buf_append(&w->ticket, answer.body, answer.len));
}

static void
world_init(struct world *w)
{
	struct keyholder_options options;
	struct wire_answer answer;
	struct keeper_info info;

	*w = (struct world){0};
	EXPECT_OK(crypto_init());
	strcpy(w->path, "/tmp/keyholder-test-XXXXXX");
	assert_non_null(mkdtemp(w->path));
	w->dir_fd = open(w->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	options = (struct keyholder_options){w->dir_fd, "file", true, NULL};
	EXPECT_OK(keyholder_new(&options, NULL, &w->holder));
	request = (struct wire_request){.op = WIRE_INFO, .id = 1};
	answer = ask(w);
	EXPECT_OK(wire_unpack_info(&answer, &info));
	EXPECT_OK(box_sender_new(info.plane_public, &w->sender));
	EXPECT_OK(secret_id_init(&w->id, "fraud", "", "db_password", NULL));
	EXPECT_OK(dek_new(&w->dek));
	EXPECT_OK(box_keypair(&w->launcher_private, w->launcher_public));
	EXPECT_OK(secbuf_new(TICKET_LEN_MAX + 1, &w->ticket_memory));
	ingest(w, 1, w->stored_first);
	ingest(w, 2, w->stored);
	grant(w, "fraud", "production", 60000000);
}

static void
world_fini(struct world *w)
{
	keyholder_free(w->holder);
	box_sender_free(w->sender);
	secbuf_free(w->dek);
	secbuf_free(w->launcher_private);
	secbuf_free(w->ticket_memory);
	(void)unlinkat(w->dir_fd, "ring", 0);
	(void)unlinkat(w->dir_fd, "root", 0);
	(void)unlinkat(w->dir_fd, "journal", 0);
	(void)unlinkat(w->dir_fd, "head", 0);
	(void)close(w->dir_fd);
	assert_int_equal(rmdir(w->path), 0);
}

/* With a journal that was put aside. */
static void
world_fini_broken(struct world *w)
{
	DIR *dir = fdopendir(dup(w->dir_fd));
	struct dirent *one;

	while ((one = readdir(dir)))
		if (strncmp(one->d_name, "journal.", 8) == 0)
			EXPECT_INT(0, unlinkat(w->dir_fd, one->d_name, 0));
	(void)closedir(dir);
	world_fini(w);
}

/* The honest request, for an attack to change. */
static void
honest(struct world *w)
{
	request = (struct wire_request){.op = WIRE_RELEASE, .id = 9};
	request.release.ticket = w->ticket.data;
	request.release.ticket_len = w->ticket.len;
	request.release.launcher_public = w->launcher_public;
	request.release.rows[0] = (struct wire_row){w->id, 2, w->stored};
	request.release.count = 1;
}

static void
none(struct world *w)
{
	(void)w;
}

static void
another_scope(struct world *w)
{
	grant(w, "payments", "production", 60000000);
	honest(w);
}

static void
another_name(struct world *w)
{
	(void)w;
	strcpy(request.release.rows[0].id.name, "root_password");
}

static void
name_in_ticket_row_of_another(struct world *w)
{
	(void)w;
	strcpy(request.release.rows[0].id.name, "api_key");
}

static void
moved_to_another_place_in_reach(struct world *w)
{
	(void)w;
	strcpy(request.release.rows[0].id.scope.domain, "production");
}

static void
moved_to_the_organization(struct world *w)
{
	(void)w;
	request.release.rows[0].id.scope.project[0] = '\0';
}

static void
rolled_back(struct world *w)
{
	request.release.rows[0].stored = w->stored_first;
}

static void
claims_an_older_version(struct world *w)
{
	(void)w;
	request.release.rows[0].version = 1;
}

static void
flipped_stored_bit(struct world *w)
{
	w->stored[STORED_DEK_LEN - 1] ^= 1;
}

static void
unknown_generation(struct world *w)
{
	w->stored[4] ^= 2; /* the low byte of the generation */
}

static void
flipped_attempt(struct world *w)
{
	w->ticket.data[1] ^= 1; /* for another attempt */
}

static void
flipped_mac(struct world *w)
{
	w->ticket.data[w->ticket.len - 1] ^= 1;
}

static void
longer_expiry(struct world *w)
{
	w->ticket.data[1 + ATTEMPT_ID_LEN + 4 + 4 + 5 + 4 + 10] ^= 1;
}

static void
low_order_launcher(struct world *w)
{
	memset(w->launcher_public, 0, sizeof w->launcher_public);
}

static void
one_bad_row_among_good(struct world *w)
{
	request.release.rows[1] = request.release.rows[0];
	request.release.rows[2] = (struct wire_row){w->id, 2, w->stored_first};
	request.release.count = 3;
}

static void
one_row_out_of_reach_among_good(struct world *w)
{
	(void)w;
	request.release.rows[1] = request.release.rows[0];
	strcpy(request.release.rows[1].id.scope.project, "payments");
	request.release.count = 2;
}

static void
another_organization(struct world *w)
{
	(void)w;
	strcpy(request.release.rows[0].id.org, "acme");
}

static const struct {
	const char *what;
	void (*change)(struct world *w);
	enum un_err verdict;
} attacks[] = {
        {"none", none, UN_OK},
        {"ticket of another scope", another_scope, UN_ERR_DENIED},
        {"name not in the ticket", another_name, UN_ERR_DENIED},
        {"row of another name", name_in_ticket_row_of_another, UN_ERR_NOT_AUTHENTIC},
        {"row moved within reach", moved_to_another_place_in_reach, UN_ERR_NOT_AUTHENTIC},
        {"row moved to the organization", moved_to_the_organization, UN_ERR_NOT_AUTHENTIC},
        {"older row under the new version", rolled_back, UN_ERR_NOT_AUTHENTIC},
        {"new row under an older version", claims_an_older_version, UN_ERR_NOT_AUTHENTIC},
        {"flipped bit in the row", flipped_stored_bit, UN_ERR_NOT_AUTHENTIC},
        {"unknown generation", unknown_generation, UN_ERR_NOT_AUTHENTIC},
        {"ticket of another attempt", flipped_attempt, UN_ERR_BAD_TICKET},
        {"flipped MAC", flipped_mac, UN_ERR_BAD_TICKET},
        {"longer expiry", longer_expiry, UN_ERR_BAD_TICKET},
        {"launcher key of low order", low_order_launcher, UN_ERR_INVALID},
        {"one bad row among good", one_bad_row_among_good, UN_ERR_NOT_AUTHENTIC},
        {"one row out of reach", one_row_out_of_reach_among_good, UN_ERR_DENIED},
        {"another organization", another_organization, UN_ERR_DENIED},
};

TEST(keyholder, releases_to_the_truth_and_refuses_every_lie_whole)
{
	for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
		struct wire_answer answer;
		struct world w;

		world_init(&w);
		honest(&w);
		attacks[i].change(&w);
		answer = ask(&w);
		if (answer.err != attacks[i].verdict)
			print_error("attack: %s\n", attacks[i].what);
		EXPECT_ERR(attacks[i].verdict, answer.err);
		EXPECT_INT(answer.err == UN_OK, answer.len == RELEASE_LEN);
		EXPECT(w.held == (answer.err == UN_OK));
		world_fini(&w);
	}
}

TEST(keyholder, refuses_a_ticket_that_has_expired)
{
	struct world w;

	world_init(&w);
	grant(&w, "fraud", "production", 1000);
	for (int64_t until = clock_wall_us() + 1001; clock_wall_us() < until;)
		; /* a millisecond of the clock that the keeper reads */
	honest(&w);
	EXPECT_ERR(UN_ERR_BAD_TICKET, ask(&w).err);
	world_fini(&w);
}

TEST(keyholder, keeps_tickets_and_rows_good_across_a_rotation_and_a_restart)
{
	struct keyholder_options options;
	struct wire_answer answer;
	struct world w;
	uint32_t generation;

	world_init(&w);
	request = (struct wire_request){.op = WIRE_ROTATE, .id = 3};
	EXPECT_OK(ask(&w).err);
	honest(&w);
	EXPECT_OK(ask(&w).err);
	request = (struct wire_request){.op = WIRE_REWRAP, .id = 4};
	request.dek.secret = w.id;
	request.dek.version = 2;
	request.dek.dek = w.stored;
	request.dek.dek_len = STORED_DEK_LEN;
	answer = ask(&w);
	EXPECT_OK(answer.err);
	EXPECT_OK(envelope_stored_generation(answer.body, answer.len, &generation));
	EXPECT_INT(2, generation);
	memcpy(w.stored, answer.body, STORED_DEK_LEN);
	keyholder_free(w.holder);
	options = (struct keyholder_options){w.dir_fd, "file", false, NULL};
	EXPECT_OK(keyholder_new(&options, NULL, &w.holder));
	honest(&w);
	EXPECT_OK(ask(&w).err);
	world_fini(&w);
}

TEST(keyholder, refuses_a_travelling_key_of_another_secret)
{
	uint8_t travel[TRAVEL_DEK_LEN];
	struct world w;

	world_init(&w);
	EXPECT_OK(envelope_seal_travel(w.sender, &w.id, w.dek, travel));
	request = (struct wire_request){.op = WIRE_INGEST, .id = 1};
	request.dek.secret = w.id;
	strcpy(request.dek.secret.name, "other");
	request.dek.version = 1;
	request.dek.dek = travel;
	request.dek.dek_len = sizeof travel;
	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, ask(&w).err);
	world_fini(&w);
}

static void
hash_credential(struct world *w, const char *credential, uint8_t ret_hash[HASH_LEN])
{
	struct wire_answer answer;

	request = (struct wire_request){.op = WIRE_HASH, .id = 5};
	request.credential.bytes = (const uint8_t *)credential;
	request.credential.len = strlen(credential);
	answer = ask(w);
	EXPECT_OK(answer.err);
	EXPECT_INT(HASH_LEN, answer.len);
	memcpy(ret_hash, answer.body, HASH_LEN);
}

TEST(keyholder, hashes_a_credential_alike_across_rotation_and_restart)
{
	uint8_t first[HASH_LEN], again[HASH_LEN], other[HASH_LEN];
	struct keyholder_options options;
	struct world w;

	world_init(&w);
	hash_credential(&w, "the secret of a key", first);
	hash_credential(&w, "the secret of a kez", other);
	EXPECT(!bytes_equal(first, other, HASH_LEN));
	request = (struct wire_request){.op = WIRE_ROTATE, .id = 3};
	EXPECT_OK(ask(&w).err);
	hash_credential(&w, "the secret of a key", again);
	EXPECT_BYTES(first, again, HASH_LEN);
	keyholder_free(w.holder);
	options = (struct keyholder_options){w.dir_fd, "file", false, NULL};
	EXPECT_OK(keyholder_new(&options, NULL, &w.holder));
	hash_credential(&w, "the secret of a key", again);
	EXPECT_BYTES(first, again, HASH_LEN);
	world_fini(&w);
}

TEST(keyholder, hashes_under_the_key_of_its_own_plane)
{
	uint8_t ours[HASH_LEN], theirs[HASH_LEN];
	struct world w;

	world_init(&w);
	hash_credential(&w, "the secret of a key", ours);
	world_fini(&w);
	world_init(&w);
	hash_credential(&w, "the secret of a key", theirs);
	EXPECT(!bytes_equal(ours, theirs, HASH_LEN));
	world_fini(&w);
}

/* ---- the journal and the heads ---- */

static void
restart(struct world *w)
{
	struct keyholder_options options = {w->dir_fd, "file", false, NULL};

	keyholder_free(w->holder);
	EXPECT_OK(keyholder_new(&options, NULL, &w->holder));
}

static struct wire_answer
sign(struct world *w, uint64_t count, uint8_t fill)
{
	static uint8_t hash[HASH_LEN];

	memset(hash, fill, sizeof hash);
	request = (struct wire_request){.op = WIRE_SIGN, .id = 6};
	request.head.count = count;
	request.head.hash = hash;
	return ask(w);
}

static struct signed_head
signed_over(struct world *w, uint64_t count, uint8_t fill)
{
	struct wire_answer answer = sign(w, count, fill);
	struct signed_head head;

	EXPECT_OK(answer.err);
	EXPECT_OK(head_unpack(answer.body, answer.len, &head));
	return head;
}

static uint64_t
journaled(struct world *w)
{
	return signed_over(w, UINT64_MAX, 9).journal_count;
}

TEST(keyholder, holds_a_release_until_its_record_is_durable)
{
	struct world w;

	world_init(&w);
	honest(&w);
	EXPECT_OK(ask(&w).err);
	EXPECT(w.held);
	EXPECT_INT(0, signed_over(&w, 1, 1).journal_count); /* added, not yet there */
	EXPECT_OK(keyholder_commit(w.holder, NULL));
	EXPECT_INT(1, signed_over(&w, 1, 1).journal_count);
	restart(&w);
	EXPECT_INT(1, journaled(&w));
	world_fini(&w);
}

TEST(keyholder, records_each_release_of_a_replayed_request)
{
	struct unpack in;
	struct world w;

	world_init(&w);
	for (uint64_t i = 1; i <= 5; i++) {
		struct wire_answer answer;

		honest(&w);
		answer = ask(&w);
		EXPECT_OK(answer.err);
		EXPECT_OK(keyholder_commit(w.holder, NULL));
		unpack_init(&in, answer.body + JOURNAL_ID_LEN, 8);
		EXPECT_INT(i, unpack_u64(&in));
	}
	EXPECT_INT(5, journaled(&w));
	world_fini(&w);
}

TEST(keyholder, records_nothing_of_what_it_refuses)
{
	struct world w;

	for (size_t i = 1; i < sizeof attacks / sizeof attacks[0]; i++) {
		world_init(&w);
		honest(&w);
		attacks[i].change(&w);
		EXPECT(ask(&w).err != UN_OK);
		EXPECT(!w.held);
		EXPECT_OK(keyholder_commit(w.holder, NULL));
		EXPECT_INT(0, journaled(&w));
		world_fini(&w);
	}
}

TEST(keyholder, signs_no_head_that_goes_back_also_after_a_restart)
{
	static const struct {
		uint64_t count;
		uint8_t fill;
		enum un_err verdict;
	} asked[] = {
		{1, 1, UN_OK},
		{5, 5, UN_OK},
		{5, 5, UN_OK}, /* the same is no other */
		{4, 4, UN_ERR_NOT_AUTHENTIC},
		{1, 1, UN_ERR_NOT_AUTHENTIC}, /* even one that was signed */
		{5, 6, UN_ERR_NOT_AUTHENTIC},
		{6, 5, UN_OK},
		{5, 5, UN_ERR_NOT_AUTHENTIC},
	};

	for (int restarts = 0; restarts < 2; restarts++) {
		struct world w;

		world_init(&w);
		for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
			if (restarts)
				restart(&w);
			EXPECT_ERR(asked[i].verdict, sign(&w, asked[i].count, asked[i].fill).err);
		}
		world_fini(&w);
	}
}

TEST(keyholder, binds_each_head_to_the_one_before_and_to_its_own_key)
{
	uint8_t expected[HASH_LEN], zeros[HASH_LEN] = {0};
	struct signed_head first, second;
	struct wire_answer answer;
	struct keeper_info info;
	struct world w;

	world_init(&w);
	request = (struct wire_request){.op = WIRE_INFO, .id = 1};
	answer = ask(&w);
	EXPECT_OK(wire_unpack_info(&answer, &info));
	first = signed_over(&w, 3, 3);
	EXPECT_OK(head_check(&first, info.audit_public));
	EXPECT_BYTES(zeros, first.previous, HASH_LEN);
	restart(&w);
	second = signed_over(&w, 4, 4);
	EXPECT_OK(head_check(&second, info.audit_public));
	head_hash(&first, expected);
	EXPECT_BYTES(expected, second.previous, HASH_LEN);
	EXPECT(second.at_us > first.at_us);
	second.count++;
	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, head_check(&second, info.audit_public));
	world_fini(&w);
}

TEST(keyholder, says_when_the_journal_is_not_the_one_it_signed)
{
	struct keeper_info info;
	struct wire_answer answer;
	struct world w;

	for (int cut = 0; cut < 2; cut++) {
		world_init(&w);
		honest(&w);
		EXPECT_OK(ask(&w).err);
		EXPECT_OK(keyholder_commit(w.holder, NULL));
		EXPECT_INT(1, signed_over(&w, 1, 1).journal_count);
		keyholder_free(w.holder);
		w.holder = NULL;
		if (cut) {
			int fd = openat(w.dir_fd, "journal", O_RDWR | O_CLOEXEC);

			EXPECT_INT(0, ftruncate(fd, JOURNAL_HEADER_LEN));
			(void)close(fd);
		} else {
			EXPECT_INT(0, unlinkat(w.dir_fd, "journal", 0));
		}
		restart(&w);
		request = (struct wire_request){.op = WIRE_INFO, .id = 1};
		answer = ask(&w);
		EXPECT_OK(wire_unpack_info(&answer, &info));
		EXPECT(info.journal_broken);
		world_fini_broken(&w);
	}
}

TEST_MAIN()
