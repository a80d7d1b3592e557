#include "audit/entry.h"

#include "base/pack.h"

#include <stdio.h>
#include <string.h>

#define ENTRY_VERSION 1
#define EXTRA_MAX 1024

/* What `extra` is made of: u8 tag, u16 length, bytes. Rising tags, each at most once. */
enum extra_tag {
	EXTRA_HEAD = 1,
	EXTRA_COUNT = 2,
	EXTRA_SUBJECT = 3,
	EXTRA_ADDRESS = 4,
	EXTRA_JOURNAL = 5,
	EXTRA_EXECUTION_AT = 6,
};

static const char hash_purpose[] = "union audit 1";

void
entry_hash(const uint8_t *entry, size_t len, uint8_t ret_hash[HASH_LEN])
{
	const struct hash_part parts[] = {
		{hash_purpose, sizeof hash_purpose - 1},
		{entry, len},
	};

	hash_parts(parts, 2, ret_hash);
}

const struct scope *
entry_scope(const struct audit_event *event)
{
	static const struct scope everywhere;

	if (event->secret)
		return &event->secret->scope;
	return event->scope ? event->scope : &everywhere;
}

static enum un_err
pack_limited(struct buf *out, const char *text, size_t max)
{
	text = text ? text : "";
	return strlen(text) > max ? UN_ERR_TOO_LARGE : pack_text(out, text);
}

static enum un_err
pack_cut(struct buf *out, const char *text, size_t max)
{
	text = text ? text : "";
	return pack_bytes(out, text, strnlen(text, max));
}

static enum un_err
pack_where(struct buf *out, const struct audit_event *event)
{
	const struct scope *scope = entry_scope(event);
	enum un_err err;

	err = pack_text(out, event->secret ? event->secret->org : "");
	if (!err)
		err = pack_text(out, scope->project);
	if (!err)
		err = pack_text(out, scope->domain);
	if (!err)
		err = pack_text(out, event->secret ? event->secret->name : "");
	return err;
}

/* ---- extra ---- */

static enum un_err
pack_tag(struct buf *out, enum extra_tag tag, const void *bytes, size_t len)
{
	enum un_err err = pack_u8(out, (uint8_t)tag);

	if (!err)
		err = pack_u16(out, (uint16_t)len);
	return err ? err : buf_append(out, bytes, len);
}

static enum un_err
pack_tag_text(struct buf *out, enum extra_tag tag, const char *text)
{
	return text && text[0] ? pack_tag(out, tag, text, strlen(text)) : UN_OK;
}

static enum un_err
pack_tag_count(struct buf *out, const struct audit_event *event)
{
	enum un_err err = pack_u8(out, EXTRA_COUNT);

	if (!err)
		err = pack_u16(out, 16);
	if (!err)
		err = pack_u64(out, event->count);
	return err ? err : pack_u64(out, (uint64_t)event->last_us);
}

static enum un_err
pack_tag_journal(struct buf *out, const struct audit_journal_ref *ref)
{
	enum un_err err = pack_u8(out, EXTRA_JOURNAL);

	if (!err)
		err = pack_u16(out, JOURNAL_ID_LEN + 8);
	if (!err)
		err = buf_append(out, ref->id, JOURNAL_ID_LEN);
	return err ? err : pack_u64(out, ref->number);
}

static enum un_err
pack_tag_place(struct buf *out, const struct scope *at)
{
	size_t project = strlen(at->project), domain = strlen(at->domain);
	enum un_err err = pack_u8(out, EXTRA_EXECUTION_AT);

	if (!err)
		err = pack_u16(out, (uint16_t)(8 + project + domain));
	if (!err)
		err = pack_text(out, at->project);
	return err ? err : pack_text(out, at->domain);
}

static enum un_err
pack_extra(struct buf *out, const struct audit_event *event)
{
	char address[AUDIT_ADDRESS_MAX + 1];
	size_t start = out->len, len;
	enum un_err err;

	(void)snprintf(address, sizeof address, "%s", event->address ? event->address : "");
	if (event->subject && strlen(event->subject) > AUDIT_SUBJECT_MAX)
		return UN_ERR_TOO_LARGE;
	err = pack_u32(out, 0);
	if (!err && event->head)
		err = pack_tag(out, EXTRA_HEAD, event->head, SIGNED_HEAD_LEN);
	if (!err && event->count > 1)
		err = pack_tag_count(out, event);
	if (!err)
		err = pack_tag_text(out, EXTRA_SUBJECT, event->subject);
	if (!err)
		err = pack_tag_text(out, EXTRA_ADDRESS, address);
	if (!err && event->journal.number)
		err = pack_tag_journal(out, &event->journal);
	if (!err && event->execution_at && event->execution)
		err = pack_tag_place(out, event->execution_at);
	if (err)
		return err;
	len = out->len - start - 4;
	out->data[start + 2] = (uint8_t)(len >> 8);
	out->data[start + 3] = (uint8_t)len;
	return UN_OK;
}

static bool
copy_text(const uint8_t *bytes, size_t len, char *text, size_t size)
{
	if (len >= size || memchr(bytes, 0, len))
		return false;
	memcpy(text, bytes, len);
	text[len] = '\0';
	return true;
}

static bool
take_count(const uint8_t *bytes, size_t len, struct audit_record *record)
{
	struct unpack in;

	unpack_init(&in, bytes, len);
	record->count = unpack_u64(&in);
	record->last_us = (int64_t)unpack_u64(&in);
	return unpack_end(&in) == UN_OK && record->count > 1;
}

static bool
take_journal(const uint8_t *bytes, size_t len, struct audit_record *record)
{
	const uint8_t *id;
	struct unpack in;

	unpack_init(&in, bytes, len);
	id = unpack_fixed(&in, JOURNAL_ID_LEN);
	record->journal.number = unpack_u64(&in);
	if (unpack_end(&in) || record->journal.number == 0)
		return false;
	memcpy(record->journal.id, id, JOURNAL_ID_LEN);
	return true;
}

static bool
take_place(const uint8_t *bytes, size_t len, struct audit_record *record)
{
	struct unpack in;

	unpack_init(&in, bytes, len);
	unpack_text(&in, record->execution_at.project, sizeof record->execution_at.project);
	unpack_text(&in, record->execution_at.domain, sizeof record->execution_at.domain);
	return unpack_end(&in) == UN_OK;
}

/* A tag that this version does not know is hashed and shown by none. */
static bool
take_tag(unsigned tag, const uint8_t *bytes, size_t len, struct audit_record *record)
{
	switch (tag) {
	case EXTRA_HEAD:
		record->has_head = true;
		return head_unpack(bytes, len, &record->head) == UN_OK;
	case EXTRA_COUNT:
		return take_count(bytes, len, record);
	case EXTRA_SUBJECT:
		return copy_text(bytes, len, record->subject, sizeof record->subject);
	case EXTRA_ADDRESS:
		return copy_text(bytes, len, record->address, sizeof record->address);
	case EXTRA_JOURNAL:
		return take_journal(bytes, len, record);
	case EXTRA_EXECUTION_AT:
		return take_place(bytes, len, record);
	default:
		return true;
	}
}

static bool
unpack_extra(const uint8_t *bytes, size_t len, struct audit_record *record)
{
	struct unpack in;
	unsigned last = 0;

	unpack_init(&in, bytes, len);
	while (in.left) {
		unsigned tag = unpack_u8(&in);
		size_t tag_len = unpack_u16(&in);
		const uint8_t *at = unpack_fixed(&in, tag_len);

		if (in.bad || tag <= last || !take_tag(tag, at, tag_len, record))
			return false;
		last = tag;
	}
	return true;
}

/* ---- entries ---- */

enum un_err
entry_pack(struct buf *out, uint64_t seq, const uint8_t previous[HASH_LEN],
           const struct audit_event *event)
{
	enum un_err err;

	err = pack_u8(out, ENTRY_VERSION);
	if (!err)
		err = buf_append(out, previous, HASH_LEN);
	if (!err)
		err = pack_u64(out, seq);
	if (!err)
		err = pack_u64(out, (uint64_t)event->at_us);
	if (!err)
		err = pack_u16(out, (uint16_t)event->action);
	if (!err)
		err = pack_u8(out, (uint8_t)event->verdict);
	if (!err)
		err = pack_limited(out, event->principal, AUDIT_PRINCIPAL_MAX);
	if (!err)
		err = pack_where(out, event);
	if (!err)
		err = pack_u32(out, event->version);
	if (!err)
		err = pack_limited(out, event->execution, AUDIT_EXECUTION_MAX);
	if (!err)
		err = pack_limited(out, event->node, AUDIT_NODE_MAX);
	if (!err)
		err = pack_u32(out, event->attempt);
	if (!err)
		err = pack_cut(out, event->request_id, AUDIT_REQUEST_MAX);
	if (!err)
		err = pack_cut(out, event->reason, AUDIT_REASON_MAX);
	if (!err)
		err = pack_extra(out, event);
	return err;
}

enum un_err
audit_entry_unpack(const uint8_t *entry, size_t len, struct audit_record *ret_record,
                   uint8_t ret_previous[HASH_LEN])
{
	struct audit_record record = {0};
	const uint8_t *previous, *extra;
	struct unpack in;
	size_t extra_len;

	unpack_init(&in, entry, len);
	if (unpack_u8(&in) != ENTRY_VERSION)
		return UN_ERR_PROTOCOL;
	previous = unpack_fixed(&in, HASH_LEN);
	record.seq = unpack_u64(&in);
	record.at_us = (int64_t)unpack_u64(&in);
	record.action = (enum audit_action)unpack_u16(&in);
	record.verdict = (enum audit_verdict)unpack_u8(&in);
	unpack_text(&in, record.principal, sizeof record.principal);
	unpack_text(&in, record.secret.org, sizeof record.secret.org);
	unpack_text(&in, record.secret.scope.project, sizeof record.secret.scope.project);
	unpack_text(&in, record.secret.scope.domain, sizeof record.secret.scope.domain);
	unpack_text(&in, record.secret.name, sizeof record.secret.name);
	record.version = unpack_u32(&in);
	unpack_text(&in, record.execution, sizeof record.execution);
	unpack_text(&in, record.node, sizeof record.node);
	record.attempt = unpack_u32(&in);
	unpack_text(&in, record.request_id, sizeof record.request_id);
	unpack_text(&in, record.reason, sizeof record.reason);
	extra = unpack_bytes(&in, EXTRA_MAX, &extra_len);
	if (unpack_end(&in) != UN_OK)
		return UN_ERR_PROTOCOL;
	record.count = 1;
	record.last_us = record.at_us;
	if (!unpack_extra(extra, extra_len, &record))
		return UN_ERR_PROTOCOL;
	memcpy(ret_previous, previous, HASH_LEN);
	*ret_record = record;
	return UN_OK;
}
