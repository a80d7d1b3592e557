#include "audit/audit.h"

#include "audit/entry.h"
#include "base/buf.h"
#include "base/clock.h"
#include "store/trail.h"
#include "store/uses.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static_assert(HASH_LEN == TRAIL_HASH_LEN, "one hash");

const char *
audit_action_text(enum audit_action action)
{
	static const char *const texts[] = {
		[AUDIT_SECRET_CREATE] = "secret.create",
		[AUDIT_SECRET_UPDATE] = "secret.update",
		[AUDIT_SECRET_DELETE] = "secret.delete",
		[AUDIT_SECRET_RELEASE] = "secret.release",
		[AUDIT_EXECUTION_CREATE] = "execution.create",
		[AUDIT_EXECUTION_ABORT] = "execution.abort",
		[AUDIT_ATTEMPT_CLAIM] = "attempt.claim",
		[AUDIT_KEYS_ROTATE] = "keys.rotate",
		[AUDIT_KEYS_UNLOCK] = "keys.unlock",
		[AUDIT_BACKUP] = "backup",
		[AUDIT_RESTORE] = "restore",
		[AUDIT_PLANE_START] = "plane.start",
		[AUDIT_PLANE_STOP] = "plane.stop",
		[AUDIT_HEAD] = "head",
		[AUDIT_GRANT_CREATE] = "grant.create",
		[AUDIT_GRANT_DELETE] = "grant.delete",
		[AUDIT_API_KEY_CREATE] = "apikey.create",
		[AUDIT_API_KEY_DELETE] = "apikey.delete",
		[AUDIT_LOGIN] = "login",
		[AUDIT_SECRET_READ] = "secret.read",
		[AUDIT_ENTITY_REGISTER] = "entity.register",
		[AUDIT_ENTITY_READ] = "entity.read",
		[AUDIT_EXECUTION_READ] = "execution.read",
		[AUDIT_DATA_UPLOAD] = "data.upload",
		[AUDIT_PLANE_READ] = "plane.read",
		[AUDIT_READ] = "audit.read",
		[AUDIT_ATTEMPT_WORK] = "attempt.work",
		[AUDIT_GRANT_READ] = "grant.read",
		[AUDIT_API_KEY_READ] = "apikey.read",
		[AUDIT_REQUEST] = "request",
		[AUDIT_RELEASE_FOUND] = "secret.release-found",
		[AUDIT_EXECUTION_LOGS] = "execution.logs",
		[AUDIT_PLANE_INSPECT] = "plane.inspect",
		[AUDIT_ACCESS_EXPLAIN] = "access.explain",
		[AUDIT_BROKEN] = "audit.broken",
		[AUDIT_EXPORT] = "audit.export",
	};
	const char *text = (size_t)action < sizeof texts / sizeof texts[0] ? texts[action] : NULL;

	return text ? text : "unknown";
}

enum audit_action
audit_action_of_text(const char *text)
{
	for (int action = 1; action < AUDIT_ACTIONS_END; action++)
		if (strcmp(audit_action_text((enum audit_action)action), text) == 0)
			return (enum audit_action)action;
	return 0;
}

const char *
audit_verdict_text(enum audit_verdict verdict)
{
	static const char *const texts[] = {
		[AUDIT_ALLOWED] = "allowed",
		[AUDIT_DENIED] = "denied",
		[AUDIT_FAILED] = "failed",
	};
	const char *text = (size_t)verdict < sizeof texts / sizeof texts[0] ? texts[verdict] : NULL;

	return text ? text : "unknown";
}

static enum un_err
append_entry(struct store_txn *txn, const struct audit_event *event, int64_t seq,
             const struct buf *entry, struct un_detail *detail)
{
	const struct scope *where = entry_scope(event);
	uint8_t hash[HASH_LEN];
	struct trail_row row = {
		.seq = seq,
		.at_us = event->at_us,
		.action = (uint32_t)event->action,
		.verdict = (uint32_t)event->verdict,
		.principal = event->principal ? event->principal : "",
		.project = where->project,
		.domain = where->domain,
		.name = event->secret ? event->secret->name : "",
		.execution = event->execution ? event->execution : "",
		.entry = entry->data,
		.entry_len = entry->len,
		.hash = hash,
	};

	entry_hash(entry->data, entry->len, hash);
	return trail_append(txn, &row, detail);
}

/* What answers who used a secret, and whether a release of the keeper's has its entry. */
static enum un_err
index_release(struct store_txn *txn, const struct audit_event *event, int64_t seq,
              struct un_detail *detail)
{
	static const struct scope nowhere;
	const struct scope *at = event->execution_at ? event->execution_at : &nowhere;
	const struct use_row use = {
		.execution = event->execution ? event->execution : "",
		.execution_project = at->project,
		.execution_domain = at->domain,
		.version = event->version,
		.last_us = event->at_us,
	};
	enum un_err err = UN_OK;

	if (event->verdict == AUDIT_ALLOWED) /* else nobody received it */
		err = use_note(txn, event->secret, &use, detail);
	if (!err && event->journal.number)
		err = release_note(txn, event->journal.id, event->journal.number, seq, detail);
	return err;
}

enum un_err
audit_append(struct store_txn *txn, const struct audit_event *event, struct un_detail *detail)
{
	struct audit_event timed = *event;
	uint8_t previous[HASH_LEN];
	struct buf entry;
	enum un_err err;
	int64_t seq;

	err = trail_last(store_txn_view(txn), &seq, previous, detail);
	if (err)
		return err;
	seq++;
	if (timed.at_us == 0)
		timed.at_us = clock_wall_us();
	buf_init(&entry, AUDIT_ENTRY_MAX, BUF_PLAIN);
	err = entry_pack(&entry, (uint64_t)seq, previous, &timed);
	if (err)
		err = un_fail(detail, err, "cannot make the audit entry: %s", un_err_text(err));
	else
		err = append_entry(txn, &timed, seq, &entry, detail);
	if (!err && timed.secret
	    && (timed.action == AUDIT_SECRET_RELEASE || timed.action == AUDIT_RELEASE_FOUND))
		err = index_release(txn, &timed, seq, detail);
	buf_fini(&entry);
	return err;
}

struct check {
	struct audit_head head; /* the last good one */
	const char *wrong;      /* NULL while all is well */
};

/* The columns are for filters only; one that differs from the entry would hide it from a search. */
static bool
columns_agree(const struct trail_row *row, const struct audit_record *record)
{
	return (uint64_t)row->seq == record->seq && row->at_us == record->at_us &&
	       row->action == (uint32_t)record->action &&
	       row->verdict == (uint32_t)record->verdict &&
	       strcmp(row->principal, record->principal) == 0 &&
	       strcmp(row->project, record->secret.scope.project) == 0 &&
	       strcmp(row->domain, record->secret.scope.domain) == 0 &&
	       strcmp(row->name, record->secret.name) == 0 &&
	       strcmp(row->execution, record->execution) == 0;
}

static bool
check_row(void *ctx, const struct trail_row *row)
{
	struct check *check = ctx;
	struct audit_record record;
	uint8_t hash[HASH_LEN], previous[HASH_LEN];

	entry_hash(row->entry, row->entry_len, hash);
	if ((uint64_t)row->seq != check->head.seq + 1)
		check->wrong = "is missing";
	else if (!row->hash || !bytes_equal(row->hash, hash, HASH_LEN))
		check->wrong = "was changed";
	else if (audit_entry_unpack(row->entry, row->entry_len, &record, previous) != UN_OK)
		check->wrong = "is malformed";
	else if (!bytes_equal(previous, check->head.hash, HASH_LEN))
		check->wrong = "does not follow from the one before it";
	else if (!columns_agree(row, &record))
		check->wrong = "is filed under other words than its own";
	if (check->wrong)
		return false;
	check->head.seq++;
	memcpy(check->head.hash, hash, HASH_LEN);
	return true;
}

enum un_err
audit_verify(struct store_view *view, const struct audit_head *from, struct audit_head *ret_head,
             uint64_t *ret_bad, struct un_detail *detail)
{
	struct check check = {.wrong = NULL};
	struct trail_visit visit = {.each = check_row, .ctx = &check};
	enum un_err err;

	if (from)
		check.head = *from;
	err = trail_walk(view, (int64_t)check.head.seq, visit, detail);
	if (err)
		return err;
	if (check.wrong) {
		*ret_bad = check.head.seq + 1;
		return un_fail(detail, UN_ERR_NOT_AUTHENTIC, "audit entry %llu %s",
		               (unsigned long long)check.head.seq + 1, check.wrong);
	}
	*ret_head = check.head;
	return UN_OK;
}

enum un_err
audit_newest(struct store_view *view, struct audit_head *ret_head, struct un_detail *detail)
{
	int64_t seq;
	enum un_err err = trail_last(view, &seq, ret_head->hash, detail);

	ret_head->seq = err ? 0 : (uint64_t)seq;
	return err;
}

struct hash_search {
	uint8_t *hash;
	bool found;
};

static bool
take_hash(void *ctx, const struct trail_row *row)
{
	struct hash_search *search = ctx;

	search->found = row->hash != NULL;
	if (row->hash)
		memcpy(search->hash, row->hash, HASH_LEN);
	return false;
}

enum un_err
audit_hash_of(struct store_view *view, uint64_t seq, uint8_t ret_hash[HASH_LEN],
              struct un_detail *detail)
{
	struct hash_search search = {.hash = ret_hash};
	const struct trail_visit visit = {.each = take_hash, .ctx = &search};
	enum un_err err;

	err = trail_walk_back(view, (int64_t)seq + 1, (int64_t)seq - 1, visit, detail);
	return err || search.found ? err : UN_ERR_NOT_FOUND;
}

struct walk {
	bool (*each)(void *ctx, const struct audit_record *record, const uint8_t *entry,
	             size_t len);
	void *ctx;
	int64_t wrong;
};

/* What is malformed is shown as it lies: whoever checks will say so. */
static bool
walk_row(void *ctx, const struct trail_row *row)
{
	struct walk *walk = ctx;
	struct audit_record record = {0};
	uint8_t previous[HASH_LEN];
	enum un_err err = audit_entry_unpack(row->entry, row->entry_len, &record, previous);

	if (row->hash)
		memcpy(record.hash, row->hash, HASH_LEN);
	entry_hash(row->entry, row->entry_len, previous);
	if (!err && record.seq == (uint64_t)row->seq &&
	    bytes_equal(previous, record.hash, HASH_LEN) && !columns_agree(row, &record)) {
		walk->wrong = row->seq;
		return false;
	}
	record.seq = (uint64_t)row->seq;
	return walk->each(walk->ctx, &record, row->entry, row->entry_len);
}

enum un_err
audit_walk(struct store_view *view, uint64_t seq,
           bool (*each)(void *ctx, const struct audit_record *record, const uint8_t *entry,
                        size_t len),
           void *ctx, struct un_detail *detail)
{
	struct walk walk = {.each = each, .ctx = ctx};
	const struct trail_visit visit = {.each = walk_row, .ctx = &walk};
	enum un_err err = trail_walk(view, (int64_t)seq, visit, detail);

	if (!err && walk.wrong)
		err = un_fail(detail, UN_ERR_NOT_AUTHENTIC,
		              "audit record %lld is filed under other words than its own",
		              (long long)walk.wrong);
	return err;
}

struct listing {
	bool (*each)(void *ctx, const struct audit_record *record);
	void *ctx;
	uint32_t left;
	int64_t malformed;
};

static bool
list_row(void *ctx, const struct trail_row *row)
{
	struct listing *listing = ctx;
	struct audit_record record;
	uint8_t previous[HASH_LEN];

	if (!row->hash
	    || audit_entry_unpack(row->entry, row->entry_len, &record, previous) != UN_OK) {
		listing->malformed = row->seq;
		return false;
	}
	memcpy(record.hash, row->hash, HASH_LEN);
	if (!listing->each(listing->ctx, &record))
		return false;
	listing->left--;
	return listing->left > 0;
}

enum un_err
audit_list(struct store_view *view, const struct audit_filter *filter,
           bool (*each)(void *ctx, const struct audit_record *record), void *ctx,
           uint64_t *ret_next, struct un_detail *detail)
{
	struct listing listing = {.each = each, .ctx = ctx, .left = filter->limit};
	struct trail_visit visit = {.each = list_row, .ctx = &listing};
	struct trail_filter rows = {
		.before_seq = (int64_t)filter->before_seq,
		.since_us = filter->since_us,
		.until_us = filter->until_us,
		.action = (uint32_t)filter->action,
		.verdict = (uint32_t)filter->verdict,
		.principal = filter->principal,
		.project = filter->project,
		.domain = filter->domain,
		.name = filter->name,
		.execution = filter->execution,
	};
	int64_t next = 0;
	enum un_err err;

	if (filter->limit == 0)
		return un_fail(detail, UN_ERR_INVALID, "a page has at least one row");
	err = trail_list(view, &rows, visit, &next, detail);
	if (!err && listing.malformed)
		err = un_fail(detail, UN_ERR_NOT_AUTHENTIC, "audit entry %lld is malformed",
		              (long long)listing.malformed);
	*ret_next = (uint64_t)next;
	return err;
}

struct one_record {
	struct audit_record record;
	bool found;
};

static bool
take_record(void *ctx, const struct audit_record *record)
{
	struct one_record *one = ctx;

	one->record = *record;
	one->found = true;
	return false;
}

enum un_err
audit_last_head(struct store_view *view, uint64_t *ret_seq, struct signed_head *ret_head,
                struct un_detail *detail)
{
	const struct audit_filter filter = {.action = AUDIT_HEAD, .limit = 1};
	struct one_record one = {.found = false};
	uint64_t next;
	enum un_err err = audit_list(view, &filter, take_record, &one, &next, detail);

	if (err)
		return err;
	*ret_seq = one.found && one.record.has_head ? one.record.seq : 0;
	if (*ret_seq)
		*ret_head = one.record.head;
	return UN_OK;
}
