#include "keeper/wire.h"

#include <string.h>

#define INFO_LOCKED 1
#define INFO_LANDLOCKED 2
#define INFO_JOURNAL_BROKEN 4

enum un_err
wire_frame_len(const uint8_t *bytes, size_t available, size_t *ret_len)
{
	struct unpack in;
	size_t len;

	*ret_len = 0;
	if (available < WIRE_LENGTH_LEN)
		return UN_OK;
	unpack_init(&in, bytes, available);
	len = (size_t)unpack_u32(&in) + WIRE_LENGTH_LEN;
	if (len < WIRE_LENGTH_LEN + WIRE_HEADER_LEN || len > WIRE_FRAME_MAX)
		return UN_ERR_PROTOCOL;
	if (len <= available)
		*ret_len = len;
	return UN_OK;
}

static enum un_err
begin(struct buf *out, uint8_t op, uint32_t id, size_t *ret_start)
{
	size_t start = out->len;
	enum un_err err = pack_u32(out, 0);

	if (err == UN_OK)
		err = pack_u8(out, WIRE_VERSION);
	if (err == UN_OK)
		err = pack_u8(out, op);
	if (err == UN_OK)
		err = pack_u32(out, id);
	if (err) {
		out->len = start;
		return err;
	}
	*ret_start = start;
	return UN_OK;
}

enum un_err
wire_begin(struct buf *out, enum wire_op op, uint32_t id, size_t *ret_start)
{
	return begin(out, (uint8_t)op, id, ret_start);
}

void
wire_end(struct buf *out, size_t start)
{
	uint32_t len = (uint32_t)(out->len - start - WIRE_LENGTH_LEN);

	for (size_t i = 0; i < WIRE_LENGTH_LEN; i++)
		out->data[start + i] = (uint8_t)(len >> (8 * (WIRE_LENGTH_LEN - 1 - i)));
}

static enum un_err
pack_identity(struct buf *out, const struct secret_id *id)
{
	enum un_err err = pack_text(out, id->org);

	if (err == UN_OK)
		err = pack_text(out, id->scope.project);
	if (err == UN_OK)
		err = pack_text(out, id->scope.domain);
	if (err == UN_OK)
		err = pack_text(out, id->name);
	return err;
}

static void
unpack_identity(struct unpack *in, struct secret_id *ret_id)
{
	unpack_text(in, ret_id->org, sizeof ret_id->org);
	unpack_text(in, ret_id->scope.project, sizeof ret_id->scope.project);
	unpack_text(in, ret_id->scope.domain, sizeof ret_id->scope.domain);
	unpack_text(in, ret_id->name, sizeof ret_id->name);
}

enum un_err
wire_pack_dek(struct buf *out, const struct secret_id *id, uint32_t version, const uint8_t *dek,
              size_t len)
{
	enum un_err err = pack_identity(out, id);

	if (err == UN_OK)
		err = pack_u32(out, version);
	if (err == UN_OK)
		err = buf_append(out, dek, len);
	return err;
}

enum un_err
wire_pack_row(struct buf *out, const struct secret_id *id, uint32_t version, const uint8_t *stored)
{
	return wire_pack_dek(out, id, version, stored, STORED_DEK_LEN);
}

enum un_err
wire_pack_grant(struct buf *out, const struct ticket_grant *grant)
{
	enum un_err err = buf_append(out, grant->attempt, ATTEMPT_ID_LEN);

	if (err == UN_OK)
		err = pack_text(out, grant->org);
	if (err == UN_OK)
		err = pack_text(out, grant->at->project);
	if (err == UN_OK)
		err = pack_text(out, grant->at->domain);
	if (err == UN_OK)
		err = pack_u64(out, (uint64_t)grant->expires_us);
	if (err == UN_OK)
		err = pack_u16(out, (uint16_t)grant->count);
	for (size_t i = 0; err == UN_OK && i < grant->count; i++)
		err = pack_text(out, grant->names[i]);
	return err;
}

static void
unpack_dek(struct unpack *in, size_t dek_len, struct wire_request *request)
{
	unpack_identity(in, &request->dek.secret);
	request->dek.version = unpack_u32(in);
	request->dek.dek = unpack_fixed(in, dek_len);
	request->dek.dek_len = dek_len;
	if (request->dek.version == 0)
		in->bad = true;
}

static void
unpack_grant(struct unpack *in, struct wire_request *request)
{
	struct ticket_grant *grant = &request->grant.grant;
	const uint8_t *attempt = unpack_fixed(in, ATTEMPT_ID_LEN);

	if (attempt)
		memcpy(grant->attempt, attempt, ATTEMPT_ID_LEN);
	unpack_text(in, request->grant.org, sizeof request->grant.org);
	unpack_text(in, request->grant.at.project, sizeof request->grant.at.project);
	unpack_text(in, request->grant.at.domain, sizeof request->grant.at.domain);
	grant->org = request->grant.org;
	grant->at = &request->grant.at;
	grant->expires_us = (int64_t)unpack_u64(in);
	grant->names = request->grant.names;
	grant->count = unpack_u16(in);
	if (grant->count > TICKET_NAMES_MAX)
		in->bad = true;
	for (size_t i = 0; !in->bad && i < grant->count; i++) {
		unpack_text(in, request->grant.text[i], sizeof request->grant.text[i]);
		request->grant.names[i] = request->grant.text[i];
	}
}

static void
unpack_release(struct unpack *in, struct wire_request *request)
{
	request->release.ticket =
	        unpack_bytes(in, TICKET_LEN_MAX, &request->release.ticket_len);
	request->release.launcher_public = unpack_fixed(in, BOX_PUBLIC_LEN);
	request->release.count = unpack_u16(in);
	if (request->release.count > WIRE_ROWS_MAX)
		in->bad = true;
	for (size_t i = 0; !in->bad && i < request->release.count; i++) {
		struct wire_row *row = &request->release.rows[i];

		unpack_identity(in, &row->id);
		row->version = unpack_u32(in);
		row->stored = unpack_fixed(in, STORED_DEK_LEN);
		if (row->version == 0)
			in->bad = true;
	}
}

static void
unpack_body(struct unpack *in, struct wire_request *request)
{
	switch (request->op) {
	case WIRE_INFO:
	case WIRE_ROTATE:
	case WIRE_LAST_HEAD:
		return;
	case WIRE_INGEST:
		unpack_dek(in, TRAVEL_DEK_LEN, request);
		return;
	case WIRE_REWRAP:
		unpack_dek(in, STORED_DEK_LEN, request);
		return;
	case WIRE_GRANT:
		unpack_grant(in, request);
		return;
	case WIRE_RELEASE:
		unpack_release(in, request);
		return;
	case WIRE_UNLOCK:
	case WIRE_EXPORT:
		request->sealed.bytes =
		        unpack_bytes(in, SEALED_PASSPHRASE_MAX, &request->sealed.len);
		return;
	case WIRE_HASH:
		request->credential.bytes =
		        unpack_bytes(in, WIRE_CREDENTIAL_MAX, &request->credential.len);
		if (request->credential.len == 0)
			in->bad = true;
		return;
	case WIRE_SIGN:
		request->head.count = unpack_u64(in);
		request->head.hash = unpack_fixed(in, HASH_LEN);
		if (request->head.count == 0)
			in->bad = true;
		return;
	}
	in->bad = true; /* an operation that does not exist */
}

enum un_err
wire_request_unpack(const uint8_t *frame, size_t len, struct wire_request *ret_request)
{
	struct unpack in;

	unpack_init(&in, frame, len);
	if (unpack_u8(&in) != WIRE_VERSION)
		return UN_ERR_PROTOCOL;
	ret_request->op = unpack_u8(&in);
	ret_request->id = unpack_u32(&in);
	unpack_body(&in, ret_request);
	return unpack_end(&in);
}

enum un_err
wire_answer_begin(struct buf *out, const struct wire_request *to, size_t *ret_start)
{
	enum un_err err = begin(out, (uint8_t)(to->op | WIRE_ANSWER), to->id, ret_start);

	if (err)
		return err;
	err = pack_u16(out, 0);
	if (err)
		out->len = *ret_start;
	return err;
}

enum un_err
wire_answer_refuse(struct buf *out, const struct wire_request *to, enum un_err refusal,
                   const struct un_detail *detail)
{
	size_t start;
	enum un_err err = begin(out, (uint8_t)(to->op | WIRE_ANSWER), to->id, &start);

	if (err)
		return err;
	err = pack_u16(out, (uint16_t)-(int)refusal);
	if (err == UN_OK)
		err = pack_text(out, detail ? detail->message : "");
	if (err == UN_OK)
		err = pack_text(out, detail ? detail->hint : "");
	if (err)
		out->len = start;
	else
		wire_end(out, start);
	return err;
}

enum un_err
wire_answer_unpack(const uint8_t *frame, size_t len, struct wire_answer *ret_answer)
{
	struct unpack in;
	uint8_t version, op;

	unpack_init(&in, frame, len);
	version = unpack_u8(&in);
	op = unpack_u8(&in);
	ret_answer->id = unpack_u32(&in);
	ret_answer->err = (enum un_err)-(int)unpack_u16(&in);
	if (in.bad || version != WIRE_VERSION || op < (WIRE_ANSWER | WIRE_INFO) ||
	    op > (WIRE_ANSWER | WIRE_OP_LAST))
		return UN_ERR_PROTOCOL;
	ret_answer->op = op & ~WIRE_ANSWER;
	ret_answer->body = in.at;
	ret_answer->len = in.left;
	return UN_OK;
}

void
wire_unpack_detail(const struct wire_answer *answer, struct un_detail *ret_detail)
{
	struct unpack in;

	*ret_detail = (struct un_detail){0};
	unpack_init(&in, answer->body, answer->len);
	unpack_text(&in, ret_detail->message, sizeof ret_detail->message);
	unpack_text(&in, ret_detail->hint, sizeof ret_detail->hint);
}

enum un_err
wire_pack_info(struct buf *out, const struct keeper_info *info)
{
	unsigned flags = (info->memory_locked ? INFO_LOCKED : 0u) |
	                 (info->landlocked ? INFO_LANDLOCKED : 0u) |
	                 (info->journal_broken ? INFO_JOURNAL_BROKEN : 0u);
	enum un_err err = pack_u8(out, (uint8_t)info->state);

	if (err == UN_OK)
		err = pack_u8(out, (uint8_t)flags);
	if (err == UN_OK)
		err = pack_u32(out, info->generation);
	if (err == UN_OK)
		err = buf_append(out, info->plane_public, BOX_PUBLIC_LEN);
	if (err == UN_OK)
		err = buf_append(out, info->start_public, BOX_PUBLIC_LEN);
	if (err == UN_OK)
		err = buf_append(out, info->audit_public, SIGN_PUBLIC_LEN);
	if (err == UN_OK)
		err = pack_text(out, info->provider);
	return err;
}

enum un_err
wire_unpack_info(const struct wire_answer *answer, struct keeper_info *ret_info)
{
	const uint8_t *plane_public, *start_public, *audit_public;
	struct unpack in;
	unsigned state, flags;

	unpack_init(&in, answer->body, answer->len);
	state = unpack_u8(&in);
	flags = unpack_u8(&in);
	ret_info->generation = unpack_u32(&in);
	plane_public = unpack_fixed(&in, BOX_PUBLIC_LEN);
	start_public = unpack_fixed(&in, BOX_PUBLIC_LEN);
	audit_public = unpack_fixed(&in, SIGN_PUBLIC_LEN);
	unpack_text(&in, ret_info->provider, sizeof ret_info->provider);
	if (unpack_end(&in) || state < KEEPER_OPEN || state > KEEPER_NEW)
		return UN_ERR_PROTOCOL;
	memcpy(ret_info->plane_public, plane_public, BOX_PUBLIC_LEN);
	memcpy(ret_info->start_public, start_public, BOX_PUBLIC_LEN);
	memcpy(ret_info->audit_public, audit_public, SIGN_PUBLIC_LEN);
	ret_info->state = (enum keeper_state)state;
	ret_info->memory_locked = flags & INFO_LOCKED;
	ret_info->landlocked = flags & INFO_LANDLOCKED;
	ret_info->journal_broken = flags & INFO_JOURNAL_BROKEN;
	return UN_OK;
}
