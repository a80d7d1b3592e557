/* runs_testing.h - a store, a clock, an engine and a keeper in one process, for the tests of runs.
 *
 * The engine starts nothing: it notes what it was told, and the test plays the launchers. */
#ifndef RUNS_RUNS_TESTING_H
#define RUNS_RUNS_TESTING_H

#include "base/clock.h"
#include "runs/runs_impl.h"
#include "store/testing.h"

#include <ftw.h>
#include <sys/stat.h>

#define LAUNCHERS_MAX 64

struct launcher {
	uint8_t attempt[ATTEMPT_ID_LEN];
	struct secbuf *ticket;
	char label[LABEL_MAX];
	bool alive, cancelled, killed, adopted;
	uint8_t lease[LEASE_LEN];
	bool claimed;
};

struct test_engine {
	struct engine engine;
	struct launcher launchers[LAUNCHERS_MAX];
	size_t count;
	bool refuse; /* starts fail */
	engine_exited *exited;
	void *ctx;
};

static inline struct launcher *
test_launcher(struct test_engine *engine, const uint8_t *attempt)
{
	for (size_t i = 0; i < engine->count; i++) {
		if (memcmp(engine->launchers[i].attempt, attempt, ATTEMPT_ID_LEN) == 0)
			return &engine->launchers[i];
	}
	return NULL;
}

static enum un_err
test_start(struct engine *engine, const struct engine_start *start, struct engine_place *ret_place,
           struct un_detail *detail)
{
	struct test_engine *test = (struct test_engine *)(void *)engine;
	struct launcher *launcher = &test->launchers[test->count];

	if (test->refuse)
		return un_fail(detail, UN_ERR_IO, "the engine refuses");
	if (test->count == LAUNCHERS_MAX)
		abort();
	*launcher = (struct launcher){.alive = true};
	memcpy(launcher->attempt, start->attempt, ATTEMPT_ID_LEN);
	(void)snprintf(launcher->label, sizeof launcher->label, "%s",
	               strchr(start->label, '/') + 1);
	if (secbuf_copy(secbuf_peek(start->ticket), secbuf_len(start->ticket), &launcher->ticket))
		return UN_ERR_NO_MEMORY;
	test->count++;
	*ret_place = (struct engine_place){.pid = 1000 + (int64_t)test->count, .start = 7};
	return UN_OK;
}

static bool
test_cancel(struct engine *engine, const uint8_t *attempt, bool force)
{
	struct launcher *launcher = test_launcher((struct test_engine *)(void *)engine, attempt);

	if (launcher == NULL || !launcher->alive)
		return false;
	launcher->cancelled = true;
	launcher->killed |= force;
	return true;
}

static bool
test_adopt(struct engine *engine, const uint8_t *attempt, const struct engine_place *place)
{
	struct launcher *launcher = test_launcher((struct test_engine *)(void *)engine, attempt);

	if (launcher == NULL || !launcher->alive || place->start != 7)
		return false;
	launcher->adopted = true;
	return true;
}

static void
test_listen(struct engine *engine, engine_exited *exited, void *ctx)
{
	struct test_engine *test = (struct test_engine *)(void *)engine;

	test->exited = exited;
	test->ctx = ctx;
}

static void
test_free(struct engine *engine)
{
	(void)engine;
}

static const struct engine_ops test_engine_ops = {.start = test_start,
                                                  .cancel = test_cancel,
                                                  .adopt = test_adopt,
                                                  .listen = test_listen,
                                                  .free = test_free};

struct test_vault {
	struct secbuf *key;
	bool sealed;
	/* a release that waits for test_vault_answer */
	bool hold;
	vault_released *held;
	void *held_ctx;
	size_t held_count;
	size_t released; /* rows, so far */
};

static enum un_err
test_grant(void *ctx, const struct ticket_grant *grant, vault_granted *done, void *done_ctx)
{
	struct test_vault *vault = ctx;
	struct secbuf *ticket = NULL;
	struct buf packed;
	enum un_err err;

	if (vault->sealed) {
		done(done_ctx, UN_ERR_SEALED, NULL, NULL);
		return UN_OK;
	}
	buf_init(&packed, TICKET_LEN_MAX, BUF_WIPE);
	err = ticket_check_grant(grant, clock_wall_us(), NULL);
	if (!err)
		err = ticket_pack(vault->key, grant, &packed);
	if (!err)
		err = secbuf_copy(packed.data, packed.len, &ticket);
	buf_fini(&packed);
	done(done_ctx, err, NULL, ticket);
	return UN_OK;
}

static inline void
test_vault_answer(struct test_vault *vault)
{
	uint8_t *deks = calloc(vault->held_count + 1, DELIVERED_DEK_LEN);
	struct vault_release release = {
	        .deks = deks,
	        .count = vault->held_count,
	        .journal = {.number = vault->held_count ? vault->released + 1 : 0}};
	vault_released *held = vault->held;

	vault->held = NULL;
	vault->released += vault->held_count;
	held(vault->held_ctx, UN_OK, NULL, &release);
	free(deks);
}

static enum un_err
test_release(void *ctx, const struct keeper_release *what, vault_released *done, void *done_ctx)
{
	struct test_vault *vault = ctx;
	struct ticket_view view;
	enum un_err err;

	err = ticket_verify(vault->key, secbuf_peek(what->ticket), secbuf_len(what->ticket),
	                    clock_wall_us(), &view);
	for (size_t i = 0; i < what->count && !err; i++)
		err = ticket_reaches(&view, what->rows[i].id) ? UN_OK : UN_ERR_DENIED;
	if (err) {
		done(done_ctx, err, NULL, NULL);
		return UN_OK;
	}
	vault->held = done;
	vault->held_ctx = done_ctx;
	vault->held_count = what->count;
	if (!vault->hold)
		test_vault_answer(vault);
	return UN_OK;
}

struct plane_fixture {
	struct scratch scratch;
	struct store *store;
	struct store_reader *reader;
	struct test_engine engine;
	struct test_vault vault;
	struct hub *hub;
	struct runs *runs;
	struct un_detail detail;
	int64_t now_us;
	int64_t wait_us; /* until the tick that was asked for last */
	unsigned slots;
	unsigned project_executions, project_tasks;
	struct retention retention;
};

static int64_t
test_now(void *ctx)
{
	return ((struct plane_fixture *)ctx)->now_us;
}

static void
test_wake_in(void *ctx, int64_t wait_us)
{
	((struct plane_fixture *)ctx)->wait_us = wait_us;
}

static inline void
fixture_open(struct plane_fixture *f)
{
	struct runs_options options = {
	        .store = f->store,
	        .reader = f->reader,
	        .engine = &f->engine.engine,
	        .vault = {test_grant, test_release, &f->vault},
	        .hub = f->hub,
	        .data_dir = f->scratch.dir,
	        .slots = f->slots,
	        .project_executions = f->project_executions,
	        .project_tasks = f->project_tasks,
	        .retention = f->retention,
	        .now_us = test_now,
	        .wake_in = test_wake_in,
	        .ctx = f,
	};

	if (runs_new(&options, &f->runs) != UN_OK)
		abort();
}

/* The server dies and comes back; launchers go on. */
static inline enum un_err
fixture_restart(struct plane_fixture *f)
{
	runs_free(f->runs);
	f->runs = NULL;
	fixture_open(f);
	return runs_recover(f->runs, &f->detail);
}

static inline void
fixture_begin(struct plane_fixture *f, unsigned slots)
{
	memset(f, 0, sizeof *f);
	if (crypto_init() != UN_OK)
		abort();
	f->scratch = scratch_begin();
	f->store = scratch_open(&f->scratch);
	f->now_us = clock_wall_us();
	f->slots = slots;
	f->engine.engine.ops = &test_engine_ops;
	if (store_reader_open(f->store, &f->reader, NULL) != UN_OK || hub_new(&f->hub) != UN_OK ||
	    secbuf_new(32, &f->vault.key) != UN_OK)
		abort();
	random_bytes(secbuf_edit(f->vault.key), 32);
	fixture_open(f);
	if (runs_recover(f->runs, NULL) != UN_OK)
		abort();
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static inline void
fixture_end(struct plane_fixture *f)
{
	char dir[sizeof f->scratch.dir];

	runs_free(f->runs);
	for (size_t i = 0; i < f->engine.count; i++)
		secbuf_free(f->engine.launchers[i].ticket);
	secbuf_free(f->vault.key);
	hub_free(f->hub);
	store_reader_close(f->reader);
	store_close(f->store);
	memcpy(dir, f->scratch.dir, sizeof dir);
	(void)nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	io_close(&f->scratch.dir_fd);
}

#endif
