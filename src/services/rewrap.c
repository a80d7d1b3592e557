/* One pass:
 *
 *   info (which generation?) -> page of stale DEKs -> keeper, all at once -> writer, all at once
 *                               ^__________ next page, after the last secret ___________|
 *
 * An ingest that was under way during a rotation may still commit under the old generation, behind
 * the pass. Every request has a deadline, so a second look after that time finds the last of them.
 */
#include "services/rewrap.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/rewrap.h"

#include <pthread.h>
#include <string.h>

#define PAGE 128
#define SECOND_LOOK_MS 15000 /* longer than an ingest and its commit can take */
#define RETRY_MS 1000

struct item {
	struct rewrap *rewrap;
	struct stale_dek dek;
	uint8_t fresh[STORED_DEK_LEN];
	struct store_write write;
};

struct rewrap {
	struct rewrap_options options;
	struct loop_timer timer;
	struct loop_task page_written;
	bool running, again, look_again, dying;
	uint32_t generation;
	uint64_t rewrapped; /* in this pass */
	struct secret_id after; /* pages begin behind it */
	bool has_after;
	size_t count;      /* items of the page */
	bool page_was_full;
	unsigned asked;    /* answers that the keeper owes */
	pthread_mutex_t lock;
	pthread_cond_t quiet;
	unsigned writing;  /* under the lock, as the two below: items with the writer */
	unsigned swapped;
	bool posted;       /* page_written is queued */
	struct item items[PAGE];
};

enum un_err
rewrap_new(const struct rewrap_options *options, struct rewrap **ret_rewrap)
{
	struct rewrap *rewrap = mem_zalloc(1, sizeof *rewrap);

	if (!rewrap)
		return UN_ERR_NO_MEMORY;
	rewrap->options = *options;
	(void)pthread_mutex_init(&rewrap->lock, NULL);
	(void)pthread_cond_init(&rewrap->quiet, NULL);
	*ret_rewrap = rewrap;
	return UN_OK;
}

/* Once nobody holds a pointer any more. */
static void
free_if_quiet(struct rewrap *rewrap)
{
	bool held;

	(void)pthread_mutex_lock(&rewrap->lock);
	held = rewrap->writing || rewrap->posted;
	(void)pthread_mutex_unlock(&rewrap->lock);
	if (!rewrap->dying || rewrap->asked || held)
		return;
	(void)pthread_mutex_destroy(&rewrap->lock);
	(void)pthread_cond_destroy(&rewrap->quiet);
	mem_free(rewrap);
}

void
rewrap_free(struct rewrap *rewrap)
{
	if (!rewrap)
		return;
	loop_timer_cancel(rewrap->options.loop, &rewrap->timer);
	rewrap->dying = true;
	(void)pthread_mutex_lock(&rewrap->lock);
	while (rewrap->writing)
		(void)pthread_cond_wait(&rewrap->quiet, &rewrap->lock);
	(void)pthread_mutex_unlock(&rewrap->lock);
	free_if_quiet(rewrap); /* else the last answer or task does */
}

bool
rewrap_is_running(const struct rewrap *rewrap)
{
	return rewrap->running;
}

static void
on_timer(struct loop_timer *timer)
{
	rewrap_start(timer->ctx);
}

static void
start_later(struct rewrap *rewrap, int delay_ms)
{
	rewrap->timer.fn = on_timer;
	rewrap->timer.ctx = rewrap;
	if (loop_timer_set(rewrap->options.loop, &rewrap->timer, clock_mono_ms() + delay_ms))
		log_error("keeper",
		          "out of memory for a timer: stored keys stay under older generations");
}

/* Ends the pass. `err` UN_OK: nothing stale was left. */
static void
end_pass(struct rewrap *rewrap, enum un_err err, const struct un_detail *detail)
{
	rewrap->running = false;
	if (err == UN_ERR_SEALED || err == UN_ERR_CANCELLED)
		return; /* an unlock starts anew; or the plane is stopping */
	if (err) {
		log_warn("keeper", "re-wrapping stored keys: %s", un_message(err, detail));
		start_later(rewrap, RETRY_MS);
		return;
	}
	if (rewrap->rewrapped && rewrap->options.done)
		rewrap->options.done(rewrap->options.ctx, rewrap->generation, rewrap->rewrapped);
	if (rewrap->again)
		rewrap_start(rewrap);
	else if (rewrap->look_again)
		start_later(rewrap, SECOND_LOOK_MS);
	rewrap->look_again = false;
}

/* --- the writer thread --- */

static enum un_err
apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct item *item = ctx;

	return dek_swap(txn, &item->dek, item->fresh, detail);
}

static void
item_written(void *ctx, enum un_err err, const struct un_detail *detail)
{
	struct item *item = ctx;
	struct rewrap *rewrap = item->rewrap;
	struct loop *loop = rewrap->options.loop;
	bool last;

	(void)detail;
	(void)pthread_mutex_lock(&rewrap->lock);
	/* a conflict is as good: deleted meanwhile, or swapped by another pass */
	rewrap->swapped += err == UN_OK || err == UN_ERR_CONFLICT;
	last = --rewrap->writing == 0;
	if (last) {
		rewrap->posted = true;
		/* under the lock: whoever waits for quiet may free right after it */
		loop_post_task(loop, &rewrap->page_written);
		(void)pthread_cond_broadcast(&rewrap->quiet);
	}
	(void)pthread_mutex_unlock(&rewrap->lock);
}

/* --- the loop --- */

static void next_page(struct rewrap *rewrap);

/* Goes on behind the page. Its last secret may have had more versions than the page took: the next
 * one begins with that secret again, unless nothing of it could be done. */
static void
move_on(struct rewrap *rewrap, unsigned swapped)
{
	const struct secret_id *last = &rewrap->items[rewrap->count - 1].dek.id;

	for (size_t i = rewrap->count; swapped && i > 0; i--) {
		const struct secret_id *one = &rewrap->items[i - 1].dek.id;

		if (!secret_id_equal(one, last)) {
			rewrap->after = *one;
			rewrap->has_after = true;
			return;
		}
	}
	if (!swapped) {
		rewrap->after = *last;
		rewrap->has_after = true;
	} /* else a whole page of one secret: what was swapped is not stale any more */
}

static void
on_page_written(struct loop_task *task)
{
	struct rewrap *rewrap = task->ctx;
	unsigned swapped;

	(void)pthread_mutex_lock(&rewrap->lock);
	rewrap->posted = false;
	swapped = rewrap->swapped;
	(void)pthread_mutex_unlock(&rewrap->lock);
	if (rewrap->dying) {
		free_if_quiet(rewrap);
		return;
	}
	rewrap->rewrapped += swapped;
	if (swapped)
		rewrap->look_again = true;
	if (rewrap->page_was_full) {
		move_on(rewrap, swapped);
		next_page(rewrap);
	} else {
		end_pass(rewrap, UN_OK, NULL);
	}
}

/* Hands the page to the writer. The count begins at one, so that it cannot come to zero before all
 * are submitted. */
static void
write_page(struct rewrap *rewrap)
{
	(void)pthread_mutex_lock(&rewrap->lock);
	rewrap->writing = 1;
	rewrap->swapped = 0;
	(void)pthread_mutex_unlock(&rewrap->lock);
	rewrap->page_written = (struct loop_task){.fn = on_page_written, .ctx = rewrap};
	for (size_t i = 0; i < rewrap->count; i++) {
		struct item *item = &rewrap->items[i];

		if (item->fresh[0] == 0)
			continue; /* the keeper could not open it: said in the log */
		item->write =
		        (struct store_write){.apply = apply, .done = item_written, .ctx = item};
		(void)pthread_mutex_lock(&rewrap->lock);
		rewrap->writing++;
		(void)pthread_mutex_unlock(&rewrap->lock);
		if (store_submit(rewrap->options.store, &item->write)) {
			(void)pthread_mutex_lock(&rewrap->lock);
			rewrap->writing--;
			(void)pthread_mutex_unlock(&rewrap->lock);
		}
	}
	item_written(&rewrap->items[0], UN_ERR_CANCELLED, NULL); /* the one it began at */
}

static void
answer_counted(struct rewrap *rewrap)
{
	if (--rewrap->asked)
		return;
	if (rewrap->dying)
		free_if_quiet(rewrap);
	else
		write_page(rewrap);
}

static void
on_rewrapped(void *context, const struct keeper_answer *answer)
{
	struct item *item = context;
	struct rewrap *rewrap = item->rewrap;

	if (answer->err == UN_OK)
		memcpy(item->fresh, answer->bytes, STORED_DEK_LEN);
	else if (answer->err == UN_ERR_NOT_AUTHENTIC && !rewrap->dying)
		log_error("keeper", "%s", un_message(answer->err, answer->detail)); /* for good */
	else
		rewrap->look_again = true;
	answer_counted(rewrap);
}

static bool
take_stale(void *ctx, const struct stale_dek *dek)
{
	struct rewrap *rewrap = ctx;
	struct item *item = &rewrap->items[rewrap->count++];

	*item = (struct item){.rewrap = rewrap, .dek = *dek};
	return rewrap->count < PAGE;
}

static enum un_err
read_page(struct rewrap *rewrap, struct un_detail *detail)
{
	struct store_reader *reader = rewrap->options.reader;
	enum un_err err = store_read_begin(reader, detail);

	rewrap->count = 0;
	if (err)
		return err;
	err = dek_list_stale(store_reader_view(reader), rewrap->generation,
	                     rewrap->has_after ? &rewrap->after : NULL, take_stale, rewrap, detail);
	store_read_end(reader);
	rewrap->page_was_full = rewrap->count == PAGE;
	return err;
}

static void
next_page(struct rewrap *rewrap)
{
	struct un_detail detail = {0};
	enum un_err err = read_page(rewrap, &detail);

	if (err || rewrap->count == 0) {
		end_pass(rewrap, err, &detail);
		return;
	}
	rewrap->asked = 1; /* until all are asked */
	for (size_t i = 0; i < rewrap->count; i++) {
		struct item *item = &rewrap->items[i];

		if (keeper_rewrap(rewrap->options.keeper, &item->dek.id, item->dek.version,
		                  item->dek.stored_dek,
		                  (struct keeper_call){on_rewrapped, item, 0}) == UN_OK)
			rewrap->asked++;
		else
			rewrap->look_again = true;
	}
	keeper_client_flush(rewrap->options.keeper);
	answer_counted(rewrap); /* the one it began at */
}

static void
on_info(void *context, const struct keeper_answer *answer)
{
	struct rewrap *rewrap = context;

	rewrap->asked--;
	if (rewrap->dying) {
		free_if_quiet(rewrap);
		return;
	}
	if (answer->err || answer->info->state != KEEPER_OPEN) {
		end_pass(rewrap, answer->err ? answer->err : UN_ERR_SEALED, answer->detail);
		return;
	}
	rewrap->generation = answer->info->generation;
	next_page(rewrap);
}

void
rewrap_start(struct rewrap *rewrap)
{
	enum un_err err;

	if (rewrap->running) {
		rewrap->again = true;
		return;
	}
	loop_timer_cancel(rewrap->options.loop, &rewrap->timer);
	rewrap->running = true;
	rewrap->again = false;
	rewrap->has_after = false;
	rewrap->rewrapped = 0;
	rewrap->asked = 1;
	err = keeper_ask_info(rewrap->options.keeper, (struct keeper_call){on_info, rewrap, 0});
	if (err) {
		rewrap->asked = 0;
		end_pass(rewrap, err, NULL);
	}
	keeper_client_flush(rewrap->options.keeper);
}
