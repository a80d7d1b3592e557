#include "services/audit_releases.h"

#include "audit/audit.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "store/uses.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define LOOK_MS 2000
#define WAITING_MAX 128
#define READ_AT_ONCE 10000 /* entries; then the loop has its turn */

/* A release without a record, so far. */
struct waiting {
	struct journal_entry entry;
	int64_t seen_ms;
};

struct audit_releases {
	struct audit_releases_options options;
	struct journal_reader *journal; /* NULL: to be opened again */
	struct loop_timer timer;
	struct signed_head head; /* the newest; zeroed: none yet */
	bool asked, answered;    /* for a head, because of what waits */
	bool led_back;           /* by `head`, to the beginning */
	bool stopped, busy;      /* a write has `waiting` until it is done */
	struct waiting waiting[WAITING_MAX];
	size_t count, due; /* the first `due` get their records now */
	uint8_t id[JOURNAL_ID_LEN];
	struct store_write write;
	struct loop_task written;
	enum un_err err;
	struct un_detail detail;
};

enum un_err
audit_release_found(struct store_txn *txn, const uint8_t journal[JOURNAL_ID_LEN],
                    const struct journal_entry *entry, const char *principal,
                    struct un_detail *detail)
{
	char subject[2 * ATTEMPT_ID_LEN + 16] = "attempt:";
	struct audit_event event = {
		.action = AUDIT_RELEASE_FOUND,
		.verdict = AUDIT_ALLOWED,
		.principal = principal,
		.secret = &entry->id,
		.version = entry->version,
		.reason = "not-recorded",
		.subject = subject,
		.journal = {.number = entry->number},
	};

	for (size_t b = 0; b < ATTEMPT_ID_LEN; b++)
		(void)snprintf(subject + 8 + 2 * b, 3, "%02x", entry->attempt[b]);
	memcpy(event.journal.id, journal, JOURNAL_ID_LEN);
	return audit_append(txn, &event, detail);
}

static void
arm(struct audit_releases *releases)
{
	int64_t delay_ms = releases->options.settled_ms < LOOK_MS ? releases->options.settled_ms
	                                                          : LOOK_MS;

	if (!releases->stopped && !releases->timer.place &&
	    loop_timer_set(releases->options.loop, &releases->timer, clock_mono_ms() + delay_ms))
		log_error("audit", "out of memory for a timer");
}

/* ---- the records ---- */

static enum un_err
apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	const struct audit_releases *releases = ctx;
	enum un_err err = UN_OK;
	int64_t seq;

	for (size_t i = 0; i < releases->due && !err; i++) {
		const struct journal_entry *entry = &releases->waiting[i].entry;

		err = release_find(store_txn_view(txn), releases->id, entry->number, &seq, detail);
		if (!err && !seq)
			err = audit_release_found(txn, releases->id, entry,
			                          releases->options.principal, detail);
	}
	return err;
}

/* On the writer thread. */
static void
written(void *ctx, enum un_err err, const struct un_detail *detail)
{
	struct audit_releases *releases = ctx;

	releases->err = err;
	if (err)
		releases->detail = *detail;
	loop_post_task(releases->options.loop, &releases->written);
}

static void
on_written(struct loop_task *task)
{
	struct audit_releases *releases = task->ctx;

	releases->busy = false;
	if (releases->err) {
		log_error("audit", "a release has no record yet: %s",
		          un_message(releases->err, &releases->detail));
	} else {
		for (size_t i = 0; i < releases->due; i++)
			log_error("audit", "release %llu of '%s' version %u had no record",
			          (unsigned long long)releases->waiting[i].entry.number,
			          releases->waiting[i].entry.id.name,
			          releases->waiting[i].entry.version);
		releases->count -= releases->due;
		memmove(releases->waiting, releases->waiting + releases->due,
		        releases->count * sizeof releases->waiting[0]);
	}
	arm(releases);
}

/* From the beginning: what was read is not, or not any more, what the keeper has. */
static void
restart(struct audit_releases *releases)
{
	journal_reader_free(releases->journal);
	releases->journal = NULL;
	releases->count = 0;
	releases->asked = releases->answered = false;
}

/* What was read may be an entry that the keeper could not make durable, and took back: only a head
 * tells. */
static void
ask_for_head(struct audit_releases *releases)
{
	if (releases->asked && releases->answered) {
		restart(releases);
		arm(releases);
	} else if (!releases->asked) {
		releases->asked = true;
		releases->options.need_head(releases->options.ctx);
	}
}

static void
record(struct audit_releases *releases)
{
	int64_t before_ms = clock_mono_ms() - releases->options.settled_ms;

	releases->due = 0;
	while (releases->due < releases->count &&
	       releases->waiting[releases->due].seen_ms <= before_ms &&
	       releases->waiting[releases->due].entry.number <= releases->head.journal_count)
		releases->due++;
	if (!releases->due) {
		if (releases->count && releases->waiting[0].seen_ms <= before_ms)
			ask_for_head(releases);
		return;
	}
	releases->write = (struct store_write){.apply = apply, .done = written, .ctx = releases};
	releases->busy = store_submit(releases->options.store, &releases->write) == UN_OK;
}

/* ---- the journal ---- */

static enum un_err
reopen(struct audit_releases *releases)
{
	int fd = open(releases->options.keys_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum un_err err;

	if (fd < 0)
		return un_err_from_errno(errno);
	err = journal_reader_open(fd, &releases->journal);
	io_close(&fd);
	if (!err)
		memcpy(releases->id, journal_reader_peek(releases->journal)->id, JOURNAL_ID_LEN);
	return err;
}

/* What has its record by now need not wait any more. */
static enum un_err
drop_recorded(struct audit_releases *releases, struct store_view *view)
{
	size_t kept = 0;
	int64_t seq;

	for (size_t i = 0; i < releases->count; i++) {
		enum un_err err = release_find(view, releases->id,
		                               releases->waiting[i].entry.number, &seq, NULL);

		if (err)
			return err;
		if (!seq && kept++ != i)
			releases->waiting[kept - 1] = releases->waiting[i];
	}
	releases->count = kept;
	return UN_OK;
}

/* Whether the end was met too soon, or in other words than the keeper's. */
static bool
is_astray(const struct audit_releases *releases)
{
	const struct journal_position *at = journal_reader_peek(releases->journal);
	const struct signed_head *head = &releases->head;

	return bytes_equal(at->id, head->journal_id, JOURNAL_ID_LEN) &&
	       (at->count < head->journal_count ||
	        (at->count == head->journal_count &&
	         !bytes_equal(at->hash, head->journal_hash, HASH_LEN)));
}

static enum un_err
read_on(struct audit_releases *releases, struct store_view *view)
{
	struct journal_entry entry;
	const uint8_t *bytes;
	int64_t seq;
	size_t len;
	enum un_err err = UN_OK;

	for (int i = 0; i < READ_AT_ONCE && releases->count < WAITING_MAX; i++) {
		err = journal_reader_next(releases->journal, &entry, &bytes, &len);
		if (!err && !len && is_astray(releases) && !releases->led_back) {
			restart(releases);
			releases->led_back = true; /* a journal that lacks entries: once a head */
			arm(releases);
		}
		if (err || !len)
			return err;
		err = release_find(view, releases->id, entry.number, &seq, NULL);
		if (err) { /* this entry must not be passed over */
			restart(releases);
			return err;
		}
		if (!seq)
			releases->waiting[releases->count++] =
				(struct waiting){entry, clock_mono_ms()};
	}
	arm(releases); /* there is more */
	return UN_OK;
}

static void
look(struct audit_releases *releases)
{
	enum un_err err = releases->journal ? UN_OK : reopen(releases);

	if (!err)
		err = store_read_begin(releases->options.reader, NULL);
	if (!err) {
		struct store_view *view = store_reader_view(releases->options.reader);

		err = drop_recorded(releases, view);
		if (!err)
			err = read_on(releases, view);
		store_read_end(releases->options.reader);
	}
	if (err)
		log_error("audit", "cannot compare the keeper's journal: %s", un_err_text(err));
	else
		record(releases);
	if (!releases->busy && (err || releases->count))
		arm(releases);
}

static void
on_timer(struct loop_timer *timer)
{
	struct audit_releases *releases = timer->ctx;

	if (!releases->busy && !releases->stopped)
		look(releases);
}

void
audit_releases_kick(struct audit_releases *releases)
{
	arm(releases);
}

void
audit_releases_follow(struct audit_releases *releases, const struct signed_head *head)
{
	releases->head = *head;
	releases->led_back = false;
	releases->answered = releases->asked;
	if (!releases->busy && !bytes_equal(head->journal_id, releases->id, JOURNAL_ID_LEN))
		restart(releases);
	arm(releases);
}

/* ---- life ---- */

enum un_err
audit_releases_new(const struct audit_releases_options *options, struct journal_reader *journal,
                   struct audit_releases **ret_releases)
{
	struct audit_releases *releases = mem_zalloc(1, sizeof *releases);

	if (!releases) {
		journal_reader_free(journal);
		return UN_ERR_NO_MEMORY;
	}
	releases->options = *options;
	if (!releases->options.settled_ms)
		releases->options.settled_ms = RELEASE_SETTLED_MS;
	releases->journal = journal;
	memcpy(releases->id, journal_reader_peek(journal)->id, JOURNAL_ID_LEN);
	releases->timer = (struct loop_timer){.fn = on_timer, .ctx = releases};
	releases->written = (struct loop_task){.fn = on_written, .ctx = releases};
	*ret_releases = releases;
	return UN_OK;
}

void
audit_releases_stop(struct audit_releases *releases)
{
	if (!releases)
		return;
	releases->stopped = true;
	loop_timer_cancel(releases->options.loop, &releases->timer);
}

void
audit_releases_free(struct audit_releases *releases)
{
	if (!releases)
		return;
	journal_reader_free(releases->journal);
	mem_free(releases);
}
