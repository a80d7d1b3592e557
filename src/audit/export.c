/* The checker remembers the hashes of the last WINDOW entries, because a head comes some entries
 * after the one it speaks of, and one slot a release of the journal, to match it with its entry of
 * the trail: either may come first. */
#include "audit/export.h"

#include "audit/entry.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/pack.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WINDOW (1u << 16)
#define RELEASES_MAX (1u << 26)
#define FRAME_HEAD_LEN 5

static const char magic[] = "union audit export\n";
#define MAGIC_LEN (sizeof magic - 1)
#define EXPORT_VERSION 1
_Static_assert(EXPORT_HEADER_LEN == MAGIC_LEN + 1 + 32 + SIGN_PUBLIC_LEN + 8, "header length");

/* One release, as the journal and as the trail tell of it. */
struct release {
	uint64_t journal, trail; /* digests of secret and version; 0: it does not tell */
	uint64_t seq;
	int64_t at_us;
	char *what; /* for people, until the entry is there */
};

struct export_check {
	struct export_report report;
	struct buf pending; /* bytes of a frame that is not whole */
	bool has_header, has_journal, ended;
	bool restored; /* an entry says so, after the last head */
	struct audit_head chain;
	struct audit_head expected; /* of an earlier check; seq 0: none */
	struct signed_head last;
	struct journal_position journal;
	struct release *releases; /* by number - 1 */
	size_t release_count, release_room;
	uint8_t hashes[WINDOW][HASH_LEN];
};

/* ---- writing ---- */

enum un_err
export_header_pack(struct buf *out, const struct export_header *header)
{
	enum un_err err = buf_append(out, magic, MAGIC_LEN);

	if (!err)
		err = pack_u8(out, EXPORT_VERSION);
	if (!err)
		err = buf_append(out, header->plane_public, sizeof header->plane_public);
	if (!err)
		err = buf_append(out, header->audit_public, SIGN_PUBLIC_LEN);
	return err ? err : pack_u64(out, (uint64_t)header->created_us);
}

enum un_err
export_header_unpack(const uint8_t *bytes, size_t len, struct export_header *ret_header)
{
	const uint8_t *plane, *audit;
	struct unpack in;

	/* check-source: allow memcmp, a public file header */
	if (len < EXPORT_HEADER_LEN || memcmp(bytes, magic, MAGIC_LEN) != 0 ||
	    bytes[MAGIC_LEN] != EXPORT_VERSION)
		return UN_ERR_PROTOCOL;
	unpack_init(&in, bytes + MAGIC_LEN + 1, EXPORT_HEADER_LEN - MAGIC_LEN - 1);
	plane = unpack_fixed(&in, sizeof ret_header->plane_public);
	audit = unpack_fixed(&in, SIGN_PUBLIC_LEN);
	ret_header->created_us = (int64_t)unpack_u64(&in);
	if (unpack_end(&in))
		return UN_ERR_PROTOCOL;
	memcpy(ret_header->plane_public, plane, sizeof ret_header->plane_public);
	memcpy(ret_header->audit_public, audit, SIGN_PUBLIC_LEN);
	return UN_OK;
}

enum un_err
export_frame_pack(struct buf *out, enum export_kind kind, const void *bytes, size_t len)
{
	enum un_err err = pack_u8(out, (uint8_t)kind);

	return err ? err : pack_bytes(out, bytes, len);
}

/* ---- findings ---- */

static void find(struct export_check *check, uint64_t seq, const char *format, ...)
	PRINTF_LIKE(3, 4);

static void
find(struct export_check *check, uint64_t seq, const char *format, ...)
{
	struct export_report *report = &check->report;
	struct export_finding *finding;
	va_list args;

	if (report->finding_count < EXPORT_FINDINGS_MAX) {
		finding = &report->findings[report->finding_count];
		finding->seq = seq;
		va_start(args, format);
		(void)vsnprintf(finding->text, sizeof finding->text, format, args);
		va_end(args);
	}
	report->finding_count++;
	if (seq && (!report->bad || seq < report->bad))
		report->bad = seq;
}

/* What ends the check. */
static enum un_err
broken(struct export_check *check, uint64_t seq, const char *what, struct un_detail *detail)
{
	check->report.bad = seq;
	return un_fail(detail, UN_ERR_NOT_AUTHENTIC, "audit record %llu %s",
	               (unsigned long long)seq, what);
}

/* ---- releases ---- */

static uint64_t
digest_of(const struct secret_id *id, uint32_t version)
{
	const struct hash_part parts[] = {
		{id->org, strlen(id->org)},
		{id->scope.project, strlen(id->scope.project)},
		{id->scope.domain, strlen(id->scope.domain)},
		{id->name, strlen(id->name)},
		{&version, sizeof version},
	};
	uint8_t hash[HASH_LEN];
	uint64_t digest;

	hash_parts(parts, sizeof parts / sizeof parts[0], hash);
	memcpy(&digest, hash, sizeof digest);
	return digest ? digest : 1;
}

static struct release *
release_at(struct export_check *check, uint64_t number)
{
	if (number == 0 || number > RELEASES_MAX)
		return NULL;
	while (number > check->release_room) {
		size_t room = check->release_room ? 2 * check->release_room : 1024;
		struct release *grown = mem_realloc(check->releases, room * sizeof *grown);

		if (!grown)
			return NULL;
		memset(grown + check->release_room, 0,
		       (room - check->release_room) * sizeof *grown);
		check->releases = grown;
		check->release_room = room;
	}
	if (number > check->release_count)
		check->release_count = (size_t)number;
	return &check->releases[number - 1];
}

static void
compare(struct export_check *check, struct release *release, uint64_t number)
{
	if (!release->journal || !release->trail)
		return;
	mem_free(release->what);
	release->what = NULL;
	if (release->journal != release->trail)
		find(check, release->seq,
		     "record %llu and release %llu of the keeper's journal speak of different "
		     "secrets",
		     (unsigned long long)release->seq, (unsigned long long)number);
}

static enum un_err
take_trail_release(struct export_check *check, const struct audit_record *record)
{
	struct release *release;

	if (record->action == AUDIT_RELEASE_FOUND)
		check->report.found++;
	if (!record->journal.number || !check->has_journal ||
	    !bytes_equal(record->journal.id, check->journal.id, JOURNAL_ID_LEN))
		return UN_OK;
	release = release_at(check, record->journal.number);
	if (!release)
		return UN_ERR_NO_MEMORY;
	if (release->trail)
		find(check, record->seq, "record %llu tells of a release that record %llu has",
		     (unsigned long long)record->seq, (unsigned long long)release->seq);
	release->trail = digest_of(&record->secret, record->version);
	release->seq = record->seq;
	compare(check, release, record->journal.number);
	return UN_OK;
}

static enum un_err
take_journal_entry(struct export_check *check, const uint8_t *bytes, size_t len,
                   struct un_detail *detail)
{
	struct journal_entry entry;
	struct release *release;
	char when[CLOCK_TEXT_MAX], what[240];
	size_t used;

	if (!check->has_journal ||
	    journal_entry_unpack(bytes, len, &check->journal, &entry, &used) != UN_OK ||
	    used != len)
		return un_fail(detail, UN_ERR_NOT_AUTHENTIC,
		               "release %llu of the keeper's journal is wrong or missing",
		               (unsigned long long)check->journal.count + 1);
	check->report.releases = check->journal.count;
	release = release_at(check, entry.number);
	if (!release)
		return UN_ERR_NO_MEMORY;
	release->journal = digest_of(&entry.id, entry.version);
	release->at_us = entry.at_us;
	if (!release->trail) {
		clock_format(entry.at_us, when);
		(void)snprintf(what, sizeof what, "%s/%s/%s version %u, %s",
		               entry.id.scope.project, entry.id.scope.domain, entry.id.name,
		               entry.version, when);
		release->what = mem_strdup(what);
	}
	compare(check, release, entry.number);
	return UN_OK;
}

/* ---- heads ---- */

static void
compare_journal(struct export_check *check, uint64_t seq, const struct signed_head *head)
{
	if (!check->has_journal ||
	    !bytes_equal(head->journal_id, check->journal.id, JOURNAL_ID_LEN))
		return;
	if (head->journal_count > check->journal.count)
		find(check, seq,
		     "the keeper's journal has %llu releases, the head in record %llu says %llu",
		     (unsigned long long)check->journal.count, (unsigned long long)seq,
		     (unsigned long long)head->journal_count);
	else if (head->journal_count == check->journal.count &&
	         !bytes_equal(head->journal_hash, check->journal.hash, HASH_LEN))
		find(check, seq, "the keeper's journal is not the one of the head in record %llu",
		     (unsigned long long)seq);
}

/* The one before, unless a restore has begun a new series. */
static const char *
follows(const struct export_check *check, const struct signed_head *head)
{
	static const uint8_t none[HASH_LEN];
	uint8_t expected[HASH_LEN] = {0};
	bool first = bytes_equal(head->previous, none, HASH_LEN);

	if (check->report.heads)
		head_hash(&check->last, expected);
	if (check->restored && first)
		return NULL;
	if (!bytes_equal(head->previous, expected, HASH_LEN))
		return "holds a head that does not follow from the one before it";
	if (check->report.heads && head->count < check->last.count)
		return "holds a head that goes back";
	if (check->report.heads && !check->restored &&
	    !bytes_equal(head->journal_id, check->last.journal_id, JOURNAL_ID_LEN))
		return "holds a head over another journal of the keeper: the one before is lost";
	return NULL;
}

/* The head in entry `seq`, or the one at the end, behind the last entry. */
static enum un_err
take_head(struct export_check *check, uint64_t seq, const struct signed_head *head,
          struct un_detail *detail)
{
	const char *wrong = NULL;

	if (head_check(head, check->report.header.audit_public))
		wrong = "holds a head that this key has not signed";
	else if (head->count >= seq || head->count == 0)
		wrong = "holds a head over records that are not before it";
	else if (seq - head->count >= WINDOW)
		wrong = "holds a head over records that are too far back";
	else if (!bytes_equal(head->hash, check->hashes[head->count % WINDOW], HASH_LEN))
		wrong = "holds a head over other records than those before it";
	if (wrong)
		return broken(check, seq, wrong, detail);
	wrong = follows(check, head);
	if (wrong)
		find(check, seq, "record %llu %s", (unsigned long long)seq, wrong);
	compare_journal(check, seq, head);
	check->last = *head;
	check->restored = false;
	check->report.heads++;
	check->report.signed_us = head->at_us;
	return UN_OK;
}

/* ---- entries ---- */

static enum un_err
take_entry(struct export_check *check, const uint8_t *bytes, size_t len, struct un_detail *detail)
{
	uint8_t previous[HASH_LEN], hash[HASH_LEN];
	uint64_t expected = check->chain.seq + 1;
	struct audit_record record;
	enum un_err err;

	if (len < HASH_LEN)
		return broken(check, expected, "is malformed", detail);
	len -= HASH_LEN;
	entry_hash(bytes, len, hash);
	if (!bytes_equal(hash, bytes + len, HASH_LEN))
		return broken(check, expected, "was changed", detail);
	if (audit_entry_unpack(bytes, len, &record, previous) != UN_OK)
		return broken(check, expected, "is malformed", detail);
	if (record.seq != expected)
		return broken(check, expected, "is missing", detail);
	if (!bytes_equal(previous, check->chain.hash, HASH_LEN))
		return broken(check, expected, "does not follow from the one before it", detail);
	if (record.action == AUDIT_HEAD) {
		err = record.has_head
		              ? take_head(check, expected, &record.head, detail)
		              : broken(check, expected, "should hold a head and has none", detail);
		if (err)
			return err;
	}
	if (record.action == AUDIT_RESTORE) {
		check->restored = true;
		check->report.restore_seq = expected;
		check->report.restore_us = record.at_us;
	}
	if (expected == check->expected.seq)
		check->report.past = bytes_equal(hash, check->expected.hash, HASH_LEN)
		                             ? EXPORT_PAST_KEPT
		                             : EXPORT_PAST_FORKED;
	check->chain.seq = expected;
	memcpy(check->chain.hash, hash, HASH_LEN);
	memcpy(check->hashes[expected % WINDOW], check->chain.hash, HASH_LEN);
	memcpy(check->report.newest, hash, HASH_LEN);
	check->report.entries = expected;
	if (record.action == AUDIT_SECRET_RELEASE || record.action == AUDIT_RELEASE_FOUND)
		return take_trail_release(check, &record);
	return UN_OK;
}

static enum un_err
take_end(struct export_check *check, const uint8_t *bytes, size_t len, struct un_detail *detail)
{
	struct signed_head head;

	if (head_unpack(bytes, len, &head))
		return UN_ERR_PROTOCOL;
	if (head.count != check->chain.seq)
		return broken(check, check->chain.seq + 1, "is missing", detail);
	if (take_head(check, check->chain.seq + 1, &head, detail)) {
		check->report.bad = check->chain.seq;
		return un_fail(detail, UN_ERR_NOT_AUTHENTIC,
		               "the head at the end is not over record %llu and those before it",
		               (unsigned long long)check->chain.seq);
	}
	check->ended = true;
	return UN_OK;
}

/* ---- the stream ---- */

static enum un_err
take_frame(struct export_check *check, unsigned kind, const uint8_t *bytes, size_t len,
           struct un_detail *detail)
{
	if (check->ended)
		return UN_ERR_PROTOCOL;
	switch (kind) {
	case EXPORT_ENTRY:
		return take_entry(check, bytes, len, detail);
	case EXPORT_JOURNAL_HEADER:
		if (check->has_journal)
			return UN_ERR_PROTOCOL;
		check->has_journal = true;
		return journal_header_unpack(bytes, len, &check->journal);
	case EXPORT_JOURNAL_ENTRY:
		return take_journal_entry(check, bytes, len, detail);
	case EXPORT_END:
		return take_end(check, bytes, len, detail);
	default:
		return UN_ERR_PROTOCOL;
	}
}

/* One frame of what is there; *ret_len 0: it is not whole yet. */
static enum un_err
take_one(struct export_check *check, const uint8_t *bytes, size_t len, size_t *ret_len,
         struct un_detail *detail)
{
	struct unpack in;
	size_t body;
	unsigned kind;

	*ret_len = 0;
	if (!check->has_header) {
		if (len < EXPORT_HEADER_LEN)
			return UN_OK;
		check->has_header = true;
		*ret_len = EXPORT_HEADER_LEN;
		return export_header_unpack(bytes, len, &check->report.header);
	}
	if (len < FRAME_HEAD_LEN)
		return UN_OK;
	unpack_init(&in, bytes, len);
	kind = unpack_u8(&in);
	body = unpack_u32(&in);
	if (body > EXPORT_FRAME_MAX - FRAME_HEAD_LEN)
		return UN_ERR_PROTOCOL;
	if (body + FRAME_HEAD_LEN > len)
		return UN_OK;
	*ret_len = body + FRAME_HEAD_LEN;
	return take_frame(check, kind, bytes + FRAME_HEAD_LEN, body, detail);
}

static enum un_err
not_an_export(const struct export_check *check, struct un_detail *detail)
{
	return un_fail(detail, UN_ERR_NOT_AUTHENTIC,
	               "this is no export of an audit trail, or it was damaged behind record %llu",
	               (unsigned long long)check->chain.seq);
}

enum un_err
export_check_feed(struct export_check *check, const uint8_t *bytes, size_t len,
                  struct un_detail *detail)
{
	struct buf *pending = &check->pending;
	size_t at = 0, used;
	enum un_err err = buf_append(pending, bytes, len);

	while (!err) {
		err = take_one(check, pending->data + at, pending->len - at, &used, detail);
		if (err == UN_ERR_PROTOCOL) {
			check->report.bad = check->chain.seq + 1;
			return not_an_export(check, detail);
		}
		if (err || !used)
			break;
		at += used;
	}
	if (at) {
		memmove(pending->data, pending->data + at, pending->len - at);
		pending->len -= at;
	}
	return err;
}

static void
look_for_missing(struct export_check *check)
{
	for (size_t i = 0; i < check->release_count; i++) {
		const struct release *release = &check->releases[i];

		if (release->journal && release->trail)
			continue;
		if (release->trail && i + 1 > check->last.journal_count && check->report.heads)
			continue; /* younger than the journal that was exported */
		if (release->trail)
			find(check, release->seq,
			     "record %llu tells of release %zu, which the keeper's journal has "
			     "not",
			     (unsigned long long)release->seq, i + 1);
		else if (release->journal &&
		         release->at_us + EXPORT_PENDING_US > check->report.signed_us)
			check->report.pending++;
		else if (release->journal)
			find(check, 0, "release %zu of the keeper's journal has no record: %s",
			     i + 1, release->what ? release->what : "");
	}
}

enum un_err
export_check_end(struct export_check *check, struct un_detail *detail)
{
	const struct export_report *report = &check->report;

	if (!check->has_header)
		return not_an_export(check, detail);
	if (!check->ended || check->pending.len) {
		check->report.bad = check->chain.seq + 1;
		return un_fail(detail, UN_ERR_NOT_AUTHENTIC, "the export was cut off behind "
		               "record %llu", (unsigned long long)check->chain.seq);
	}
	look_for_missing(check);
	if (!report->finding_count)
		return UN_OK;
	return un_fail(detail, UN_ERR_NOT_AUTHENTIC, "%s", report->findings[0].text);
}

void
export_check_expect(struct export_check *check, uint64_t count, const uint8_t hash[HASH_LEN])
{
	check->expected.seq = count;
	memcpy(check->expected.hash, hash, HASH_LEN);
	check->report.past = EXPORT_PAST_SHORT;
}

const struct export_header *
export_check_header(const struct export_check *check)
{
	return check->has_header ? &check->report.header : NULL;
}

const struct export_report *
export_check_report(const struct export_check *check)
{
	return &check->report;
}

enum un_err
export_check_new(struct export_check **ret_check)
{
	struct export_check *check = mem_zalloc(1, sizeof *check);

	if (!check)
		return UN_ERR_NO_MEMORY;
	buf_init(&check->pending, 4u << 20, BUF_PLAIN);
	*ret_check = check;
	return UN_OK;
}

void
export_check_free(struct export_check *check)
{
	if (!check)
		return;
	for (size_t i = 0; i < check->release_count; i++)
		mem_free(check->releases[i].what);
	mem_free(check->releases);
	buf_fini(&check->pending);
	mem_free(check);
}
