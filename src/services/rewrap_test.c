#include "services/rewrap.h"

#include "services/testing_plane.h"

#define SECRETS 300 /* more than two pages */

struct fixture {
	struct plane plane;
	struct box_sender *sender;
	struct rewrap *rewrap;
	uint64_t rewrapped;
	bool done;
};

static void
on_done(void *ctx, uint32_t generation, uint64_t rewrapped)
{
	struct fixture *f = ctx;

	(void)generation;
	f->done = true;
	f->rewrapped += rewrapped;
}

/* --- the keeper's answers, waited for --- */

struct taken {
	bool answered;
	enum un_err err;
	uint8_t stored[STORED_DEK_LEN];
	uint8_t plane_public[BOX_PUBLIC_LEN];
};

static void
take(void *context, const struct keeper_answer *answer)
{
	struct taken *taken = context;

	taken->answered = true;
	taken->err = answer->err;
	if (answer->len == STORED_DEK_LEN)
		memcpy(taken->stored, answer->bytes, STORED_DEK_LEN);
	if (answer->info)
		memcpy(taken->plane_public, answer->info->plane_public, BOX_PUBLIC_LEN);
}

static void
await(struct fixture *f, struct taken *taken)
{
	while (!taken->answered)
		plane_step(&f->plane);
	EXPECT_OK(taken->err);
}

static void
rotate(struct fixture *f)
{
	struct taken taken = {0};

	EXPECT_OK(keeper_rotate(f->plane.worker.keeper, (struct keeper_call){take, &taken, 0}));
	await(f, &taken);
}

/* --- rows --- */

static void
id_of(unsigned number, struct secret_id *id)
{
	char name[32];

	(void)snprintf(name, sizeof name, "secret-%04u", number);
	EXPECT_OK(secret_id_init(id, "fraud", number % 2 ? "production" : "", name, NULL));
}

static void
store_dek(struct fixture *f, const struct secret_id *id, uint32_t version, uint8_t *ret_stored)
{
	struct taken taken = {0};
	uint8_t travel[TRAVEL_DEK_LEN];
	struct secbuf *dek;

	EXPECT_OK(dek_new(&dek));
	EXPECT_OK(envelope_seal_travel(f->sender, id, dek, travel));
	secbuf_free(dek);
	EXPECT_OK(keeper_ingest(f->plane.worker.keeper, id, version, travel,
	                        (struct keeper_call){take, &taken, 0}));
	await(f, &taken);
	memcpy(ret_stored, taken.stored, STORED_DEK_LEN);
}

static enum un_err
insert(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct secret_write *write = ctx;
	struct scope_novelty novelty;

	return write->version == 1 ? secret_insert(txn, write, &novelty, detail)
	                           : secret_add_version(txn, write, detail);
}

static enum un_err
write_secret(struct fixture *f, const struct secret_id *id, uint32_t version)
{
	static const uint8_t value[SEALED_VALUE_OVERHEAD + 8] = {ENVELOPE_VERSION};
	uint8_t stored[STORED_DEK_LEN];
	struct secret_write write = {.id = id,
	                             .version = version,
	                             .sealed_value = value,
	                             .sealed_value_len = sizeof value,
	                             .stored_dek = stored,
	                             .at_us = 1};

	store_dek(f, id, version, stored);
	return store_write_wait(f->plane.store, insert, &write, NULL);
}

static enum un_err
remove_secret(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	return secret_delete(txn, ctx, NULL, detail);
}

static uint64_t
count_stale(struct fixture *f, uint32_t generation)
{
	uint64_t count;

	EXPECT_OK(store_read_begin(f->plane.worker.reader, NULL));
	EXPECT_OK(dek_count_stale(store_reader_view(f->plane.worker.reader), generation, &count,
	                          NULL));
	store_read_end(f->plane.worker.reader);
	return count;
}

/* Whether the keeper still opens the newest version of a row. */
static void
opens(struct fixture *f, const struct secret_id *id)
{
	struct secret_id at = *id;
	struct secret_sealed sealed;
	struct taken taken = {0};

	strcpy(at.scope.domain, "production");
	EXPECT_OK(store_read_begin(f->plane.worker.reader, NULL));
	EXPECT_OK(secret_resolve(store_reader_view(f->plane.worker.reader), &at, 0, &sealed, NULL));
	EXPECT_OK(keeper_rewrap(f->plane.worker.keeper, &sealed.head.id, sealed.version,
	                        sealed.stored_dek, (struct keeper_call){take, &taken, 0}));
	await(f, &taken);
}

static void
make_rewrap(struct fixture *f)
{
	struct rewrap_options options = {.loop = f->plane.loop,
	                                 .store = f->plane.store,
	                                 .reader = f->plane.worker.reader,
	                                 .keeper = f->plane.worker.keeper,
	                                 .done = on_done,
	                                 .ctx = f};

	EXPECT_OK(rewrap_new(&options, &f->rewrap));
}

static void
fixture_init(struct fixture *f, unsigned secrets)
{
	struct taken taken = {0};
	struct secret_id id;

	*f = (struct fixture){0};
	plane_init(&f->plane);
	EXPECT_OK(keeper_ask_info(f->plane.worker.keeper, (struct keeper_call){take, &taken, 0}));
	await(f, &taken);
	EXPECT_OK(box_sender_new(taken.plane_public, &f->sender));
	for (unsigned i = 0; i < secrets; i++) {
		id_of(i, &id);
		EXPECT_OK(write_secret(f, &id, 1));
	}
	make_rewrap(f);
}

static void
fixture_fini(struct fixture *f)
{
	rewrap_free(f->rewrap);
	box_sender_free(f->sender);
	plane_fini(&f->plane);
}

static void
run(struct fixture *f)
{
	rewrap_start(f->rewrap);
	while (rewrap_is_running(f->rewrap))
		plane_step(&f->plane);
}

TEST(rewrap, leaves_nothing_stale_and_every_row_open)
{
	struct secret_id id;
	struct fixture f;

	fixture_init(&f, SECRETS);
	run(&f);
	EXPECT(!f.done); /* nothing was stale */
	rotate(&f);
	EXPECT_INT(SECRETS, count_stale(&f, 2));
	run(&f);
	EXPECT_INT(SECRETS, f.rewrapped);
	EXPECT_INT(0, count_stale(&f, 2));
	for (unsigned i = 0; i < SECRETS; i += 37) {
		id_of(i, &id);
		opens(&f, &id);
	}
	fixture_fini(&f);
}

TEST(rewrap, of_one_secret_with_more_versions_than_a_page)
{
	struct secret_id id;
	struct fixture f;

	fixture_init(&f, 3);
	id_of(1, &id);
	for (uint32_t version = 2; version <= SECRETS; version++)
		EXPECT_OK(write_secret(&f, &id, version));
	rotate(&f);
	run(&f);
	EXPECT_INT(0, count_stale(&f, 2));
	opens(&f, &id);
	fixture_fini(&f);
}

TEST(rewrap, goes_on_where_it_was_left_and_beside_writes)
{
	struct secret_id id;
	struct fixture f;

	fixture_init(&f, SECRETS);
	rotate(&f);
	rewrap_start(f.rewrap);
	while (count_stale(&f, 2) == SECRETS) /* until the first page is written */
		plane_step(&f.plane);
	rewrap_free(f.rewrap); /* in the middle: as a stop of the plane */
	make_rewrap(&f);
	EXPECT(count_stale(&f, 2) > 0);
	rewrap_start(f.rewrap);
	for (unsigned i = 0; i < 40; i++) { /* deletes and updates between its pages */
		id_of(i * 7, &id);
		if (i % 2)
			EXPECT_OK(store_write_wait(f.plane.store, remove_secret, &id, NULL));
		else
			EXPECT_OK(write_secret(&f, &id, 2));
	}
	while (rewrap_is_running(f.rewrap))
		plane_step(&f.plane);
	EXPECT_INT(0, count_stale(&f, 2));
	EXPECT_INT(SECRETS - 20, plane_count_secrets(&f.plane));
	id_of(14, &id);
	opens(&f, &id);
	fixture_fini(&f);
}

TEST(rewrap, survives_the_death_of_the_keeper)
{
	struct fixture f;

	fixture_init(&f, SECRETS);
	rotate(&f);
	rewrap_start(f.rewrap);
	EXPECT_INT(0, kill(keeper_supervisor_pid(f.plane.supervisor), SIGKILL));
	while (rewrap_is_running(f.rewrap))
		plane_step(&f.plane);
	run(&f); /* what its timer would start: the second look */
	EXPECT_INT(0, count_stale(&f, 2));
	fixture_fini(&f);
}

TESTING_PLANE_MAIN()
