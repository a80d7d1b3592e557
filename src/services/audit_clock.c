#include "services/audit_clock.h"

#include "authz/authz.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "keeper/journal_file.h"
#include "services/audit_releases.h"
#include "store/meta.h"
#include "store/trail.h"
#include "store/uses.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EVERY_MS 1000
#define RETRY_MS 5000
#define STOP_MS 2000
#define STEP_MS 50
#define BLOCKS_AT_ONCE 16
#define FOUND_AT_ONCE 500
#define META_CHECKED "audit.journal" /* id, count: all releases up to there have their record */

struct blocks {
	struct audit_clock *clock;
	struct store_write write;
	struct loop_task done;
	enum un_err err;
	int64_t first;
	size_t count;
	uint8_t words[BLOCKS_AT_ONCE][TRAIL_WORDS_LEN];
};

struct audit_clock {
	struct audit_clock_options options;
	char *keys_dir;
	struct audit_releases *releases; /* NULL until the start */
	char principal[PRINCIPAL_TEXT_MAX];
	atomic_bool kicked;
	struct loop_task kick;
	struct loop_timer timer;
	struct audit_clock_sign *waiting; /* for the next head */
	struct audit_clock_sign *serving; /* for the one under way */
	bool stopped;                     /* what comes back finds nobody */
	bool busy;                        /* a head is under way */
	bool failed;                      /* and that was told */
	bool needed;                      /* a head, also when nothing new was recorded */
	uint64_t covered;        /* the entry of the last head, if nothing but it is not signed */
	struct signed_head head; /* under way */
	uint64_t head_seq;       /* its entry, once it is written */
	struct store_write write;
	struct loop_task written;
	enum un_err err;
	struct un_detail detail;
	struct blocks *blocks; /* under way */
};

static void
arm(struct audit_clock *clock, int64_t delay_ms)
{
	if (!clock->timer.place &&
	    loop_timer_set(clock->options.loop, &clock->timer, clock_mono_ms() + delay_ms))
		log_error("audit", "out of memory for a timer");
}

static enum un_err
begin_read(struct audit_clock *clock, struct store_view **ret_view, struct un_detail *detail)
{
	enum un_err err = store_read_begin(clock->options.reader, detail);

	if (!err)
		*ret_view = store_reader_view(clock->options.reader);
	return err;
}

/* ---- blocks ---- */

static enum un_err
apply_blocks(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	const struct blocks *blocks = ctx;
	enum un_err err = UN_OK;

	for (size_t i = 0; i < blocks->count && !err; i++)
		err = trail_block_put(txn, blocks->first + (int64_t)i, blocks->words[i], detail);
	return err;
}

/* On the writer thread. */
static void
blocks_written(void *ctx, enum un_err err, const struct un_detail *detail)
{
	struct blocks *blocks = ctx;

	(void)detail;
	blocks->err = err;
	loop_post_task(blocks->clock->options.loop, &blocks->done);
}

static void make_blocks(struct audit_clock *clock);

static void
on_blocks_done(struct loop_task *task)
{
	struct blocks *blocks = task->ctx;
	struct audit_clock *clock = blocks->clock;
	bool more = blocks->count == BLOCKS_AT_ONCE && !blocks->err;

	clock->blocks = NULL;
	mem_free(blocks);
	if (more && !clock->stopped)
		make_blocks(clock);
}

static enum un_err
fill_blocks(struct audit_clock *clock, struct blocks *blocks)
{
	struct store_view *view;
	int64_t whole;
	enum un_err err = begin_read(clock, &view, NULL);

	if (err)
		return err;
	err = trail_blocks(view, &whole, &blocks->first, NULL);
	while (!err && blocks->count < BLOCKS_AT_ONCE &&
	       blocks->first + (int64_t)blocks->count < whole) {
		err = trail_block_make(view, blocks->first + (int64_t)blocks->count,
		                       blocks->words[blocks->count], NULL);
		blocks->count++;
	}
	store_read_end(clock->options.reader);
	return err;
}

/* Whole blocks that are not made yet; without them searches look at each row. */
static void
make_blocks(struct audit_clock *clock)
{
	struct blocks *blocks;

	if (clock->blocks)
		return;
	blocks = mem_zalloc(1, sizeof *blocks);
	if (!blocks)
		return;
	blocks->clock = clock;
	blocks->done = (struct loop_task){.fn = on_blocks_done, .ctx = blocks};
	blocks->write = (struct store_write){
		.apply = apply_blocks, .done = blocks_written, .ctx = blocks};
	if (fill_blocks(clock, blocks) == UN_OK && blocks->count &&
	    store_submit(clock->options.store, &blocks->write) == UN_OK)
		clock->blocks = blocks;
	else
		mem_free(blocks);
}

/* ---- heads ---- */

static void sign_next(struct audit_clock *clock);

static void
finish(struct audit_clock *clock, enum un_err err, const struct un_detail *detail)
{
	struct audit_clock_sign *serving = clock->serving;

	clock->busy = false;
	clock->serving = NULL;
	if (err && err != UN_ERR_SEALED && err != UN_ERR_CANCELLED && !clock->failed)
		log_error("audit", "no head was signed: %s", un_message(err, detail));
	clock->failed = err != UN_OK;
	while (serving) {
		struct audit_clock_sign *next = serving->next;

		serving->done(serving->ctx, err, detail, err ? NULL : &clock->head);
		serving = next;
	}
	if (clock->stopped)
		return;
	if (err)
		arm(clock, RETRY_MS);
	else
		make_blocks(clock);
	if (clock->waiting || clock->needed)
		sign_next(clock);
}

static enum un_err
apply_head(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct audit_clock *clock = ctx;
	uint8_t bytes[SIGNED_HEAD_LEN];
	const struct audit_event event = {.action = AUDIT_HEAD,
	                                  .verdict = AUDIT_ALLOWED,
	                                  .principal = "keeper",
	                                  .head = bytes};
	struct audit_head newest = {0};
	enum un_err err;

	head_pack(&clock->head, bytes);
	err = audit_append(txn, &event, detail);
	if (!err)
		err = audit_newest(store_txn_view(txn), &newest, detail);
	if (!err)
		clock->head_seq = newest.seq;
	return err;
}

/* On the writer thread. */
static void
head_written(void *ctx, enum un_err err, const struct un_detail *detail)
{
	struct audit_clock *clock = ctx;

	clock->err = err;
	clock->detail = *detail;
	loop_post_task(clock->options.loop, &clock->written);
}

static void
on_head_written(struct loop_task *task)
{
	struct audit_clock *clock = task->ctx;

	if (!clock->err && clock->head_seq == clock->head.count + 1)
		clock->covered = clock->head_seq;
	if (!clock->err && clock->releases)
		audit_releases_follow(clock->releases, &clock->head);
	finish(clock, clock->err, &clock->detail);
}

static void
on_signed(void *context, const struct keeper_answer *answer)
{
	struct audit_clock *clock = context;
	enum un_err err = answer->err;

	if (!err)
		err = head_unpack(answer->bytes, answer->len, &clock->head);
	clock->write = (struct store_write){
		.apply = apply_head, .done = head_written, .ctx = clock};
	if (!err)
		err = store_submit(clock->options.store, &clock->write);
	if (err)
		finish(clock, err, answer->detail);
}

/* Over all that is durable now; nothing, when that is our own last head and nobody asks. */
static void
sign_next(struct audit_clock *clock)
{
	struct un_detail detail = {0};
	struct audit_head newest = {0};
	struct store_view *view;
	enum un_err err;

	if (clock->busy || clock->stopped)
		return;
	err = begin_read(clock, &view, &detail);
	if (!err) {
		err = audit_newest(view, &newest, &detail);
		store_read_end(clock->options.reader);
	}
	if (!err && !clock->waiting && !clock->needed &&
	    (!newest.seq || newest.seq == clock->covered))
		return;
	clock->busy = true;
	clock->needed = false;
	clock->serving = clock->waiting;
	clock->waiting = NULL;
	if (!err)
		err = keeper_sign_head(clock->options.keeper, newest.seq, newest.hash,
		                       (struct keeper_call){on_signed, clock, 0});
	if (err)
		finish(clock, err, &detail);
}

static void
on_timer(struct loop_timer *timer)
{
	sign_next(timer->ctx);
}

static void
need_head(void *ctx)
{
	struct audit_clock *clock = ctx;

	clock->needed = true;
	sign_next(clock);
}

static void
on_kick(struct loop_task *task)
{
	struct audit_clock *clock = task->ctx;

	atomic_store(&clock->kicked, false);
	if (clock->stopped)
		return;
	arm(clock, EVERY_MS);
	if (clock->releases)
		audit_releases_kick(clock->releases);
}

void
audit_clock_kick(struct audit_clock *clock)
{
	if (!atomic_exchange(&clock->kicked, true))
		loop_post_task(clock->options.loop, &clock->kick);
}

static void
on_request(struct loop_task *task)
{
	struct audit_clock_sign *request = task->ctx;

	request->next = request->clock->waiting;
	request->clock->waiting = request;
	sign_next(request->clock);
}

void
audit_clock_sign(struct audit_clock *clock, struct audit_clock_sign *request)
{
	request->clock = clock;
	request->task = (struct loop_task){.fn = on_request, .ctx = request};
	loop_post_task(clock->options.loop, &request->task);
}

/* ---- the start ---- */

struct last_head {
	bool answered, has;
	enum un_err err;
	struct signed_head head;
};

static void
on_last_head(void *context, const struct keeper_answer *answer)
{
	struct last_head *last = context;

	last->answered = true;
	last->err = answer->err;
	if (!answer->err && answer->len) {
		last->err = head_unpack(answer->bytes, answer->len, &last->head);
		last->has = true;
	}
}

static enum un_err
ask_last_head(struct audit_clock *clock, struct last_head *last)
{
	struct keeper_client *keeper = clock->options.keeper;
	enum un_err err = keeper_last_head(keeper, (struct keeper_call){on_last_head, last, 0});

	if (!err)
		err = keeper_client_drain(keeper, clock_mono_ms() + KEEPER_TIMEOUT_MS);
	return err ? err : last->err;
}

/* What is to be recorded before anything is served. */
struct start {
	struct audit_clock *clock;
	const char *broken; /* "trail", "journal"; NULL: all is as it was signed */
	bool add_head;      /* the keeper signed one that the trail has not */
	struct last_head last;
	struct journal_reader *journal;            /* has been read so far */
	struct journal_entry found[FOUND_AT_ONCE]; /* releases without a record */
	size_t found_count;
	struct journal_position checked; /* up to there all have one, then */
	bool save_checked;
};

static enum un_err
record_found(struct store_txn *txn, const struct start *start, struct un_detail *detail)
{
	enum un_err err = UN_OK;

	for (size_t i = 0; i < start->found_count && !err; i++)
		err = audit_release_found(txn, start->checked.id, &start->found[i],
		                          start->clock->principal, detail);
	return err;
}

static enum un_err
save_checked(struct store_txn *txn, const struct start *start, struct un_detail *detail)
{
	uint8_t bytes[JOURNAL_ID_LEN + 8];

	memcpy(bytes, start->checked.id, JOURNAL_ID_LEN);
	for (int i = 0; i < 8; i++)
		bytes[JOURNAL_ID_LEN + i] = (uint8_t)(start->checked.count >> (56 - 8 * i));
	return meta_set(txn, META_CHECKED, bytes, sizeof bytes, detail);
}

static enum un_err
apply_start(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	const struct start *start = ctx;
	uint8_t head[SIGNED_HEAD_LEN];
	struct audit_event event = {.action = AUDIT_BROKEN,
	                            .verdict = AUDIT_FAILED,
	                            .principal = start->clock->principal,
	                            .reason = start->broken};
	enum un_err err = UN_OK;

	if (start->broken)
		err = audit_append(txn, &event, detail);
	head_pack(&start->last.head, head);
	event = (struct audit_event){.action = AUDIT_HEAD,
	                             .verdict = AUDIT_ALLOWED,
	                             .principal = "keeper",
	                             .head = head};
	if (!err && start->add_head)
		err = audit_append(txn, &event, detail);
	if (!err)
		err = record_found(txn, start, detail);
	if (!err && start->save_checked)
		err = save_checked(txn, start, detail);
	return err;
}

/* The trail has what the keeper signed last, and the head itself, unless a crash came between. */
static enum un_err
compare_trail(struct store_view *view, struct start *start, struct un_detail *detail)
{
	const struct signed_head *head = &start->last.head;
	struct signed_head ours;
	uint8_t hash[HASH_LEN], one[HASH_LEN], two[HASH_LEN];
	uint64_t seq;
	enum un_err err = audit_hash_of(view, head->count, hash, detail);

	if (err == UN_ERR_NOT_FOUND || (!err && !bytes_equal(hash, head->hash, HASH_LEN))) {
		start->broken = "trail";
		log_error("audit",
		          "the audit trail is not the one that was signed: record %llu is %s",
		          (unsigned long long)head->count, err ? "missing" : "another");
		return UN_OK;
	}
	if (!err)
		err = audit_last_head(view, &seq, &ours, detail);
	if (err)
		return err;
	head_hash(head, one);
	if (seq)
		head_hash(&ours, two);
	start->add_head = !seq || !bytes_equal(one, two, HASH_LEN);
	return UN_OK;
}

static uint64_t
read_checked(struct store_view *view, const struct journal_position *journal)
{
	uint64_t count = 0;
	struct buf bytes;

	buf_init(&bytes, META_VALUE_MAX, BUF_PLAIN);
	if (meta_get(view, META_CHECKED, &bytes, NULL) == UN_OK &&
	    bytes.len == JOURNAL_ID_LEN + 8 &&
	    bytes_equal(bytes.data, journal->id, JOURNAL_ID_LEN)) {
		for (int i = 0; i < 8; i++)
			count = count << 8 | bytes.data[JOURNAL_ID_LEN + i];
	}
	buf_fini(&bytes);
	return count;
}

/* The releases that no record tells of: a crash came between, or somebody did not want one. */
static enum un_err
compare_releases(struct store_view *view, struct journal_reader *reader, struct start *start,
                 struct un_detail *detail)
{
	uint64_t checked = read_checked(view, journal_reader_peek(reader));
	struct journal_entry entry;
	const uint8_t *bytes;
	int64_t seq;
	size_t len;
	enum un_err err;

	start->checked = *journal_reader_peek(reader);
	while (start->found_count < FOUND_AT_ONCE) {
		err = journal_reader_next(reader, &entry, &bytes, &len);
		if (err || !len)
			return err;
		start->checked = *journal_reader_peek(reader);
		if (entry.number <= checked)
			continue;
		start->save_checked = true;
		err = release_find(view, start->checked.id, entry.number, &seq, detail);
		if (err)
			return err;
		if (seq)
			continue;
		start->found[start->found_count++] = entry;
		log_error("audit", "release %llu of '%s' version %u had no record",
		          (unsigned long long)entry.number, entry.id.name, entry.version);
	}
	return UN_OK;
}

static enum un_err
open_journal(const struct audit_clock *clock, struct journal_reader **ret_reader)
{
	int fd = open(clock->keys_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum un_err err;

	if (fd < 0)
		return un_fail_errno(NULL, errno, "no keys");
	err = journal_reader_open(fd, ret_reader);
	io_close(&fd);
	return err;
}

/* One that is shorter than the last head says, or another one. */
static bool
is_journal_broken(const struct start *start)
{
	return !bytes_equal(start->checked.id, start->last.head.journal_id, JOURNAL_ID_LEN) ||
	       start->checked.count < start->last.head.journal_count;
}

static enum un_err
look(struct audit_clock *clock, struct start *start, struct un_detail *detail)
{
	struct store_view *view;
	enum un_err err = start->journal ? UN_OK : open_journal(clock, &start->journal);

	if (err)
		return un_fail(detail, err, "cannot read the keeper's journal of releases: %s",
		               un_err_text(err));
	err = begin_read(clock, &view, detail);
	if (!err && start->last.has)
		err = compare_trail(view, start, detail);
	if (!err)
		err = compare_releases(view, start->journal, start, detail);
	if (!err && start->last.has && start->found_count < FOUND_AT_ONCE &&
	    is_journal_broken(start)) {
		start->broken = "journal";
		log_error("audit", "the keeper's journal of releases is not the one it signed");
	}
	store_read_end(clock->options.reader);
	return err;
}

static enum un_err
follow_journal(struct audit_clock *clock, struct start *start)
{
	const struct audit_releases_options options = {.loop = clock->options.loop,
	                                               .store = clock->options.store,
	                                               .reader = clock->options.reader,
	                                               .keys_dir = clock->keys_dir,
	                                               .principal = clock->principal,
	                                               .need_head = need_head,
	                                               .ctx = clock};
	struct journal_reader *journal = start->journal;

	start->journal = NULL; /* is its own now */
	return audit_releases_new(&options, journal, &clock->releases);
}

enum un_err
audit_clock_start(struct audit_clock *clock, struct un_detail *detail)
{
	struct start *start = mem_zalloc(1, sizeof *start);
	bool again = true;
	enum un_err err;

	if (!start)
		return UN_ERR_NO_MEMORY;
	start->clock = clock;
	err = ask_last_head(clock, &start->last);
	while (!err && again) {
		start->found_count = 0;
		start->save_checked = false;
		err = look(clock, start, detail);
		again = start->found_count == FOUND_AT_ONCE;
		if (!err && (start->broken || start->add_head || start->save_checked))
			err = store_write_wait(clock->options.store, apply_start, start, detail);
		start->last.has = false;
		start->broken = NULL;
		start->add_head = false;
	}
	if (!err)
		err = follow_journal(clock, start);
	journal_reader_free(start->journal);
	mem_free(start);
	return err;
}

/* ---- the end ---- */

struct stop {
	struct audit_clock_sign request;
	bool done;
};

static void
on_stop_signed(void *ctx, enum un_err err, const struct un_detail *detail,
               const struct signed_head *head)
{
	struct stop *stop = ctx;

	(void)err; /* told by finish */
	(void)detail;
	(void)head;
	stop->done = true;
}

void
audit_clock_stop(struct audit_clock *clock)
{
	struct stop stop = {.request = {.done = on_stop_signed, .ctx = &stop}};
	int64_t until_ms = clock_mono_ms() + STOP_MS;
	struct audit_head newest = {0};
	struct store_view *view;

	if (!clock)
		return;
	if (!begin_read(clock, &view, NULL)) {
		if (audit_newest(view, &newest, NULL))
			newest.seq = clock->covered;
		store_read_end(clock->options.reader);
	}
	if (newest.seq != clock->covered) {
		audit_clock_sign(clock, &stop.request);
		/* the batch's end does not come without a batch: what is asked is sent here */
		while (!stop.done && clock_mono_ms() < until_ms &&
		       loop_step(clock->options.loop, STEP_MS) == UN_OK)
			;
	}
	clock->stopped = true;
	audit_releases_stop(clock->releases);
	loop_timer_cancel(clock->options.loop, &clock->timer);
	/* it may still wait: then it must not be told any more */
	if (!stop.done && clock->waiting == &stop.request)
		clock->waiting = NULL;
	if (!stop.done && clock->serving == &stop.request)
		clock->serving = NULL;
}

enum un_err
audit_clock_new(const struct audit_clock_options *options, struct audit_clock **ret_clock)
{
	struct audit_clock *clock = mem_zalloc(1, sizeof *clock);
	size_t size = strlen(options->data_dir) + sizeof "/keys";
	struct principal who;

	if (!clock)
		return UN_ERR_NO_MEMORY;
	clock->options = *options;
	clock->keys_dir = mem_alloc(size);
	if (!clock->keys_dir) {
		mem_free(clock);
		return UN_ERR_NO_MEMORY;
	}
	(void)snprintf(clock->keys_dir, size, "%s/keys", options->data_dir);
	principal_of_uid(geteuid(), geteuid(), &who);
	principal_format(&who, clock->principal);
	clock->kick = (struct loop_task){.fn = on_kick, .ctx = clock};
	clock->timer = (struct loop_timer){.fn = on_timer, .ctx = clock};
	clock->written = (struct loop_task){.fn = on_head_written, .ctx = clock};
	*ret_clock = clock;
	return UN_OK;
}

void
audit_clock_free(struct audit_clock *clock)
{
	if (!clock)
		return;
	loop_timer_cancel(clock->options.loop, &clock->timer);
	audit_releases_free(clock->releases);
	mem_free(clock->keys_dir);
	mem_free(clock);
}
