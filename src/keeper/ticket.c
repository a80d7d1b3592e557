#include "keeper/ticket.h"

#include "base/pack.h"

#include <string.h>

#define MAC_LABEL "union ticket 1"

enum un_err
ticket_check_grant(const struct ticket_grant *grant, int64_t now_us, struct un_detail *detail)
{
	enum un_err err;

	if (grant->org[0]) {
		err = name_check_scope_part("organization", grant->org, detail);
		if (err)
			return err;
	}
	err = name_check_scope_part("project", grant->at->project, detail);
	if (err)
		return err;
	err = name_check_scope_part("domain", grant->at->domain, detail);
	if (err)
		return err;
	if (grant->count > TICKET_NAMES_MAX)
		return un_fail(detail, UN_ERR_TOO_LARGE,
		               "%zu secrets requested by one task; at most %d", grant->count,
		               TICKET_NAMES_MAX);
	for (size_t i = 0; i < grant->count; i++) {
		err = name_check_secret(grant->names[i], detail);
		if (err)
			return err;
	}
	if (grant->expires_us <= now_us || grant->expires_us - now_us > TICKET_LIFETIME_MAX_US)
		return un_fail(detail, UN_ERR_RANGE, "a ticket's expiry lies 0 to 7 days ahead");
	return UN_OK;
}

static void
compute_mac(const struct secbuf *key, const uint8_t *bytes, size_t len, uint8_t mac[TICKET_MAC_LEN])
{
	struct hash_part parts[] = {{MAC_LABEL, sizeof MAC_LABEL - 1}, {bytes, len}};

	hash_mac(key, parts, 2, mac);
}

static enum un_err
pack_fields(const struct ticket_grant *grant, struct buf *out)
{
	enum un_err err = pack_u8(out, TICKET_VERSION);

	if (err == UN_OK)
		err = buf_append(out, grant->attempt, ATTEMPT_ID_LEN);
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

enum un_err
ticket_pack(const struct secbuf *key, const struct ticket_grant *grant, struct buf *out)
{
	uint8_t mac[TICKET_MAC_LEN];
	size_t start = out->len;
	enum un_err err = pack_fields(grant, out);

	if (err == UN_OK) {
		compute_mac(key, out->data + start, out->len - start, mac);
		err = buf_append(out, mac, sizeof mac);
		explicit_bzero(mac, sizeof mac);
	}
	if (err)
		out->len = start;
	return err;
}

static void
unpack_names(struct unpack *in, struct ticket_view *view)
{
	view->count = unpack_u16(in);
	if (view->count > TICKET_NAMES_MAX)
		in->bad = true;
	for (size_t i = 0; !in->bad && i < view->count; i++) {
		struct ticket_name *name = &view->names[i];

		name->bytes = unpack_bytes(in, SECRET_NAME_MAX, &name->len);
		if (name->bytes && (name->len == 0 || memchr(name->bytes, 0, name->len)))
			in->bad = true;
	}
}

enum un_err
ticket_unpack(const uint8_t *bytes, size_t len, struct ticket_view *ret_view)
{
	const uint8_t *attempt;
	struct unpack in;

	if (len < TICKET_LEN_MIN || len > TICKET_LEN_MAX)
		return UN_ERR_BAD_TICKET;
	unpack_init(&in, bytes, len - TICKET_MAC_LEN);
	if (unpack_u8(&in) != TICKET_VERSION)
		return UN_ERR_BAD_TICKET;
	attempt = unpack_fixed(&in, ATTEMPT_ID_LEN);
	if (attempt)
		memcpy(ret_view->attempt, attempt, ATTEMPT_ID_LEN);
	unpack_text(&in, ret_view->org, sizeof ret_view->org);
	unpack_text(&in, ret_view->at.project, sizeof ret_view->at.project);
	unpack_text(&in, ret_view->at.domain, sizeof ret_view->at.domain);
	ret_view->expires_us = (int64_t)unpack_u64(&in);
	unpack_names(&in, ret_view);
	return unpack_end(&in) ? UN_ERR_BAD_TICKET : UN_OK;
}

enum un_err
ticket_verify(const struct secbuf *key, const uint8_t *bytes, size_t len, int64_t now_us,
              struct ticket_view *ret_view)
{
	uint8_t mac[TICKET_MAC_LEN];
	bool genuine;
	enum un_err err;

	if (len < TICKET_LEN_MIN || len > TICKET_LEN_MAX)
		return UN_ERR_BAD_TICKET;
	compute_mac(key, bytes, len - TICKET_MAC_LEN, mac);
	genuine = bytes_equal(mac, bytes + len - TICKET_MAC_LEN, TICKET_MAC_LEN);
	explicit_bzero(mac, sizeof mac); /* the right MAC of a forgery is a forgery that works */
	if (!genuine)
		return UN_ERR_BAD_TICKET;
	err = ticket_unpack(bytes, len, ret_view);
	if (err)
		return err;
	return now_us < ret_view->expires_us ? UN_OK : UN_ERR_BAD_TICKET;
}

enum un_err
ticket_attempt(const struct secbuf *ticket, uint8_t ret_attempt[ATTEMPT_ID_LEN])
{
	struct ticket_view view;
	enum un_err err = ticket_unpack(secbuf_peek(ticket), secbuf_len(ticket), &view);

	if (err == UN_OK)
		memcpy(ret_attempt, view.attempt, ATTEMPT_ID_LEN);
	return err;
}

static bool
has_name(const struct ticket_view *view, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < view->count; i++) {
		const struct ticket_name *one = &view->names[i];

		if (one->len == len && bytes_equal(one->bytes, name, len))
			return true;
	}
	return false;
}

bool
ticket_reaches(const struct ticket_view *view, const struct secret_id *id)
{
	return strcmp(view->org, id->org) == 0 && cascade_rank(&view->at, &id->scope) >= 0 &&
	       has_name(view, id->name);
}
