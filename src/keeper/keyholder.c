#include "keeper/keyholder.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "crypto/hash.h"
#include "keeper/journal_file.h"
#include "keeper/keyring_file.h"

#include <string.h>

struct keyholder {
	int dir_fd;
	const struct key_provider *provider;
	bool landlocked;
	enum keeper_state state;
	struct buf sealed_ring; /* the file's bytes while KEEPER_SEALED */
	struct keyring *ring;   /* while KEEPER_OPEN */
	struct keyring_seal seal;
	struct box_receiver *receiver;
	struct secbuf *sign_secret; /* while KEEPER_OPEN */
	uint8_t sign_public[SIGN_PUBLIC_LEN];
	struct journal *journal;
	struct secbuf *start_private;
	uint8_t start_public[BOX_PUBLIC_LEN];
};

void
keyholder_free(struct keyholder *holder)
{
	if (!holder)
		return;
	journal_free(holder->journal);
	secbuf_free(holder->sign_secret);
	box_receiver_free(holder->receiver);
	keyring_free(holder->ring);
	keyring_seal_fini(&holder->seal);
	secbuf_free(holder->start_private);
	buf_fini(&holder->sealed_ring);
	mem_free(holder);
}

void
keyholder_set_landlocked(struct keyholder *holder, bool landlocked)
{
	holder->landlocked = landlocked;
}

/* Takes over ring and seal when it works; otherwise they stay the caller's. */
static enum un_err
adopt_ring(struct keyholder *holder, struct keyring *ring, struct keyring_seal *seal)
{
	enum un_err err = sign_keypair(keyring_derived(ring, KEYRING_HEADS), &holder->sign_secret,
	                               holder->sign_public);

	if (err)
		return err;
	err = box_receiver_new(keyring_plane_private(ring), &holder->receiver);
	if (err) {
		secbuf_free(holder->sign_secret);
		holder->sign_secret = NULL;
		return err;
	}
	holder->ring = ring;
	holder->seal = *seal;
	*seal = (struct keyring_seal){0};
	holder->state = KEEPER_OPEN;
	buf_clear(&holder->sealed_ring);
	return UN_OK;
}

static enum un_err
make_ring(struct keyholder *holder, const struct key_provider_env *env)
{
	struct keyring_seal seal = {0};
	struct keyring *ring = NULL;
	enum un_err err = keyring_seal_create(holder->provider, env, &seal);

	if (err)
		return err;
	err = keyring_new(clock_wall_us(), &ring);
	if (err)
		goto out;
	err = keyring_file_write(holder->dir_fd, ring, &seal, env->detail);
	if (err)
		goto out;
	err = adopt_ring(holder, ring, &seal);
	if (err)
		goto out;
	ring = NULL;
out:
	keyring_free(ring);
	keyring_seal_fini(&seal);
	return err;
}

static enum un_err
open_ring(struct keyholder *holder, const struct key_provider_env *env)
{
	struct keyring_seal seal = {0};
	struct keyring *ring = NULL;
	enum un_err err = keyring_file_open(holder->sealed_ring.data, holder->sealed_ring.len, env,
	                                    &seal, &ring);

	if (err)
		return err;
	err = adopt_ring(holder, ring, &seal);
	if (err) {
		keyring_free(ring);
		keyring_seal_fini(&seal);
	}
	return err;
}

static enum un_err
check_provider(const struct keyholder *holder, struct un_detail *detail)
{
	struct keyring_header header;
	enum un_err err = keyring_header_unpack(holder->sealed_ring.data, holder->sealed_ring.len,
	                                        detail, &header);

	if (err)
		return err;
	if (header.provider == holder->provider)
		return UN_OK;
	un_hint(detail, "set the key provider to '%s'", header.provider->name);
	return un_fail(detail, UN_ERR_BAD_CONFIG,
	               "the key ring is kept by provider '%s', the configuration says '%s'",
	               header.provider->name, holder->provider->name);
}

static enum un_err
start(struct keyholder *holder, const struct keyholder_options *options, struct un_detail *detail)
{
	struct key_provider_env env = {options->dir_fd, options->passphrase, detail};
	bool wait = holder->provider->needs_passphrase && !options->passphrase;
	enum un_err err = keyring_file_read(options->dir_fd, detail, &holder->sealed_ring);

	if (err == UN_ERR_NOT_FOUND && !options->may_create) {
		un_hint(detail,
		        "put the file '%s' back, or take it from a backup that has it: "
		        "union restore --with-keys FILE",
		        KEYRING_FILE);
		return un_fail(detail, UN_ERR_NOT_FOUND,
		               "the key ring is missing, and there are secrets "
		               "that only it can open");
	}
	if (err == UN_ERR_NOT_FOUND) {
		holder->state = KEEPER_NEW;
		if (detail)
			*detail = (struct un_detail){0};
		return wait ? UN_OK : make_ring(holder, &env);
	}
	if (err)
		return err;
	err = check_provider(holder, detail);
	if (err)
		return err;
	holder->state = KEEPER_SEALED;
	return wait ? UN_OK : open_ring(holder, &env);
}

enum un_err
keyholder_new(const struct keyholder_options *options, struct un_detail *detail,
              struct keyholder **ret_holder)
{
	struct keyholder *holder;
	enum un_err err;

	holder = mem_zalloc(1, sizeof *holder);
	if (!holder)
		return UN_ERR_NO_MEMORY;
	buf_init(&holder->sealed_ring, KEYRING_FILE_MAX, BUF_PLAIN);
	holder->dir_fd = options->dir_fd;
	holder->provider = key_provider_by_name(options->provider);
	if (!holder->provider) {
		err = un_fail(detail, UN_ERR_BAD_CONFIG, "no key provider '%s'", options->provider);
		goto out;
	}
	err = box_keypair(&holder->start_private, holder->start_public);
	if (err)
		goto out;
	err = start(holder, options, detail);
	if (err)
		goto out;
	err = journal_open(options->dir_fd, detail, &holder->journal);
	if (err)
		goto out;
	*ret_holder = holder;
	holder = NULL;
out:
	keyholder_free(holder);
	return err;
}

/* --- operations: each appends the body of its answer to `out`, or refuses --- */

typedef enum un_err operation(struct keyholder *holder, const struct wire_request *request,
                              struct un_detail *detail, struct buf *out);

static enum un_err
do_info(struct keyholder *holder, const struct wire_request *request, struct un_detail *detail,
        struct buf *out)
{
	struct keyring_header header;
	struct keeper_info info = {
	        .state = holder->state,
	        .memory_locked = secbuf_protection() != SECBUF_NOT_LOCKED,
	        .landlocked = holder->landlocked,
	        .journal_broken = journal_is_broken(holder->journal),
	};

	(void)request;
	memcpy(info.start_public, holder->start_public, BOX_PUBLIC_LEN);
	if (holder->state == KEEPER_OPEN) {
		info.generation = keyring_newest(holder->ring);
		keyring_plane_public(holder->ring, info.plane_public);
		memcpy(info.audit_public, holder->sign_public, SIGN_PUBLIC_LEN);
		holder->provider->describe(holder->seal.params.data, holder->seal.params.len,
		                           info.provider);
	} else if (holder->state == KEEPER_SEALED &&
	           keyring_header_unpack(holder->sealed_ring.data, holder->sealed_ring.len, detail,
	                                 &header) == UN_OK) {
		info.generation = header.newest;
		memcpy(info.plane_public, header.plane_public, BOX_PUBLIC_LEN);
		holder->provider->describe(header.params, header.params_len, info.provider);
	} else {
		holder->provider->describe(NULL, 0, info.provider);
	}
	return wire_pack_info(out, &info);
}

static enum un_err
append_stored(struct keyholder *holder, const struct secret_id *id, uint32_t version,
              const struct secbuf *dek, struct buf *out)
{
	uint32_t newest = keyring_newest(holder->ring);
	uint8_t stored[STORED_DEK_LEN];
	enum un_err err = envelope_seal_stored(keyring_kek(holder->ring, newest), newest, id,
	                                       version, dek, stored);

	return err ? err : buf_append(out, stored, sizeof stored);
}

static enum un_err
do_ingest(struct keyholder *holder, const struct wire_request *request, struct un_detail *detail,
          struct buf *out)
{
	const struct secret_id *id = &request->dek.secret;
	struct secbuf *dek = NULL;
	enum un_err err = envelope_open_travel(holder->receiver, id, request->dek.dek,
	                                       request->dek.dek_len, &dek);

	if (err == UN_ERR_NOT_AUTHENTIC || err == UN_ERR_PROTOCOL) {
		un_hint(detail, "seal it again with this plane's key: see union info");
		return un_fail(detail, UN_ERR_NOT_AUTHENTIC,
		               "the sealed value is for another plane or another secret");
	}
	if (err == UN_OK)
		err = append_stored(holder, id, request->dek.version, dek, out);
	secbuf_free(dek);
	return err;
}

/* The DEK of a stored row, whichever generation it is under. */
static enum un_err
open_row(const struct keyholder *holder, const struct secret_id *id, uint32_t version,
         const uint8_t *stored, struct un_detail *detail, struct secbuf **ret_dek)
{
	const struct secbuf *kek = NULL;
	uint32_t generation;
	enum un_err err = envelope_stored_generation(stored, STORED_DEK_LEN, &generation);

	if (err == UN_OK)
		kek = keyring_kek(holder->ring, generation);
	if (kek)
		err = envelope_open_stored(kek, id, version, stored, STORED_DEK_LEN, ret_dek);
	if (!kek || err == UN_ERR_NOT_AUTHENTIC || err == UN_ERR_PROTOCOL)
		return un_fail(detail, UN_ERR_NOT_AUTHENTIC,
		               "the stored row of secret '%s' version %u does not open: it is "
		               "damaged, was "
		               "moved, or belongs to another key ring",
		               id->name, version);
	return err;
}

static enum un_err
do_rewrap(struct keyholder *holder, const struct wire_request *request, struct un_detail *detail,
          struct buf *out)
{
	const struct secret_id *id = &request->dek.secret;
	uint32_t version = request->dek.version;
	struct secbuf *dek = NULL;
	enum un_err err = open_row(holder, id, version, request->dek.dek, detail, &dek);

	if (err == UN_OK)
		err = append_stored(holder, id, version, dek, out);
	secbuf_free(dek);
	return err;
}

static enum un_err
do_grant(struct keyholder *holder, const struct wire_request *request, struct un_detail *detail,
         struct buf *out)
{
	const struct ticket_grant *grant = &request->grant.grant;
	enum un_err err = ticket_check_grant(grant, clock_wall_us(), detail);

	return err ? err : ticket_pack(keyring_derived(holder->ring, KEYRING_TICKETS), grant, out);
}

static enum un_err
deliver_row(struct keyholder *holder, const struct wire_row *row, const struct ticket_view *ticket,
            const struct box_sender *sender, struct un_detail *detail,
            uint8_t ret_sealed[DELIVERED_DEK_LEN])
{
	struct delivery to = {.id = &row->id, .version = row->version};
	struct secbuf *dek = NULL;
	enum un_err err = open_row(holder, &row->id, row->version, row->stored, detail, &dek);

	if (err)
		return err;
	memcpy(to.attempt, ticket->attempt, ATTEMPT_ID_LEN);
	err = envelope_seal_delivery(sender, &to, dek, ret_sealed);
	secbuf_free(dek);
	return err;
}

static enum un_err
deliver_rows(struct keyholder *holder, const struct wire_request *request,
             const struct ticket_view *ticket, struct un_detail *detail, struct buf *out)
{
	struct box_sender *sender = NULL;
	enum un_err err = box_sender_new(request->release.launcher_public, &sender);

	if (err == UN_ERR_NOT_AUTHENTIC)
		return un_fail(detail, UN_ERR_INVALID, "the launcher's public key is not one");
	for (size_t i = 0; err == UN_OK && i < request->release.count; i++) {
		uint8_t sealed[DELIVERED_DEK_LEN];

		err = deliver_row(holder, &request->release.rows[i], ticket, sender, detail,
		                  sealed);
		if (err == UN_OK)
			err = buf_append(out, sealed, sizeof sealed);
	}
	box_sender_free(sender);
	return err;
}

/* All or nothing: into the journal's memory, to be committed before the answer leaves. */
static enum un_err
record_release(struct keyholder *holder, const struct wire_request *request,
               const struct ticket_view *ticket)
{
	size_t mark = journal_mark(holder->journal);
	int64_t now_us = clock_wall_us();
	enum un_err err = UN_OK;

	for (size_t i = 0; !err && i < request->release.count; i++) {
		const struct wire_row *row = &request->release.rows[i];
		struct journal_entry entry = {
			.at_us = now_us, .id = row->id, .version = row->version};

		memcpy(entry.attempt, ticket->attempt, ATTEMPT_ID_LEN);
		err = envelope_stored_generation(row->stored, STORED_DEK_LEN, &entry.generation);
		if (!err)
			err = journal_add(holder->journal, &entry);
	}
	if (err)
		journal_rewind(holder->journal, mark);
	return err;
}

static enum un_err
release_rows(struct keyholder *holder, const struct wire_request *request,
             const struct ticket_view *ticket, struct un_detail *detail, struct buf *out)
{
	enum un_err err = buf_append(out, journal_peek(holder->journal)->id, JOURNAL_ID_LEN);

	if (!err)
		err = pack_u64(out, journal_next(holder->journal));
	if (!err)
		err = deliver_rows(holder, request, ticket, detail, out);
	return err ? err : record_release(holder, request, ticket);
}

/* The ticket, then each row's reach, and only then the first DEK is opened. */
static enum un_err
do_release(struct keyholder *holder, const struct wire_request *request, struct un_detail *detail,
           struct buf *out)
{
	struct ticket_view ticket;
	const struct secbuf *key = keyring_derived(holder->ring, KEYRING_TICKETS);
	enum un_err err = ticket_verify(key, request->release.ticket, request->release.ticket_len,
	                                clock_wall_us(), &ticket);

	if (err)
		return un_fail(detail, err, "the ticket is not valid, or has expired");
	for (size_t i = 0; i < request->release.count; i++)
		if (!ticket_reaches(&ticket, &request->release.rows[i].id))
			return un_fail(detail, UN_ERR_DENIED,
			               "secret '%s' is not in the ticket's reach",
			               request->release.rows[i].id.name);
	return request->release.count ? release_rows(holder, request, &ticket, detail, out) : UN_OK;
}

static enum un_err
do_rotate(struct keyholder *holder, const struct wire_request *request, struct un_detail *detail,
          struct buf *out)
{
	struct keyring *grown = NULL;
	enum un_err err = keyring_grown(holder->ring, clock_wall_us(), &grown);

	(void)request;
	if (err == UN_ERR_TOO_LARGE)
		return un_fail(detail, err, "the key ring is full: %d generations",
		               KEYRING_GENERATIONS_MAX);
	if (err)
		return err;
	err = keyring_file_write(holder->dir_fd, grown, &holder->seal, detail);
	if (err) {
		keyring_free(grown);
		return err;
	}
	keyring_free(holder->ring); /* the plane's key is the same: the receiver has its own copy */
	holder->ring = grown;
	return pack_u32(out, keyring_newest(grown));
}

static enum un_err
open_passphrase(struct keyholder *holder, const struct wire_request *request,
                enum passphrase_purpose purpose, struct un_detail *detail,
                struct secbuf **ret_passphrase)
{
	enum un_err err = passphrase_open(holder->start_private, purpose, request->sealed.bytes,
	                                  request->sealed.len, ret_passphrase);

	if (err == UN_ERR_NOT_AUTHENTIC || err == UN_ERR_PROTOCOL)
		return un_fail(detail, UN_ERR_CONFLICT,
		               "the passphrase was sealed to another start of the keeper");
	return err;
}

static enum un_err
do_unlock(struct keyholder *holder, const struct wire_request *request, struct un_detail *detail,
          struct buf *out)
{
	struct secbuf *passphrase = NULL;
	struct key_provider_env env = {.dir_fd = holder->dir_fd, .detail = detail};
	enum un_err err;

	(void)out;
	if (holder->state == KEEPER_OPEN)
		return un_fail(detail, UN_ERR_EXISTS, "the key ring is unlocked already");
	err = open_passphrase(holder, request, PASSPHRASE_UNLOCK, detail, &passphrase);
	if (err)
		return err;
	env.passphrase = passphrase;
	err = holder->state == KEEPER_NEW ? make_ring(holder, &env) : open_ring(holder, &env);
	secbuf_free(passphrase);
	return err;
}

/* No Argon2id here: the client has derived the root, and everybody else is not kept waiting. */
static enum un_err
do_export(struct keyholder *holder, const struct wire_request *request, struct un_detail *detail,
          struct buf *out)
{
	struct keyring_seal seal = {0};
	struct secbuf *plain = NULL;
	const uint8_t *bytes;
	enum un_err err = open_passphrase(holder, request, PASSPHRASE_BACKUP, detail, &plain);

	if (err)
		return err;
	bytes = secbuf_peek(plain);
	err = keyring_seal_from(key_provider_by_id(KEY_PROVIDER_PASSPHRASE), bytes,
	                        BACKUP_PARAMS_LEN, bytes + BACKUP_PARAMS_LEN, &seal);
	if (err == UN_OK)
		err = keyring_file_pack(holder->ring, &seal, out);
	keyring_seal_fini(&seal);
	secbuf_free(plain);
	return err;
}

/* Checked and made with the same key for as long as the ring exists, whatever is rotated. */
static enum un_err
do_hash(struct keyholder *holder, const struct wire_request *request, struct un_detail *detail,
        struct buf *out)
{
	const struct hash_part part = {request->credential.bytes, request->credential.len};
	uint8_t hash[HASH_LEN];

	(void)detail;
	hash_mac(keyring_derived(holder->ring, KEYRING_CREDENTIALS), &part, 1, hash);
	return buf_append(out, hash, sizeof hash);
}

/* --- heads --- */

static enum un_err
check_forward(const struct wire_request *request, const struct signed_head *last,
              struct un_detail *detail)
{
	if (!last || request->head.count > last->count)
		return UN_OK;
	if (request->head.count == last->count &&
	    bytes_equal(request->head.hash, last->hash, HASH_LEN))
		return UN_OK;
	return un_fail(detail, UN_ERR_NOT_AUTHENTIC,
	               "the audit trail was changed: a head over %llu records is to be signed, and "
	               "one over %llu was signed before",
	               (unsigned long long)request->head.count, (unsigned long long)last->count);
}

/* Never one that goes back, and never two of one number: what was signed stays true. */
static enum un_err
do_sign(struct keyholder *holder, const struct wire_request *request, struct un_detail *detail,
        struct buf *out)
{
	const struct journal_position *journal = journal_peek(holder->journal);
	const struct signed_head *last = journal_last_head(holder->journal);
	struct signed_head head = {.count = request->head.count, .at_us = clock_wall_us()};
	uint8_t bytes[SIGNED_HEAD_LEN];
	enum un_err err = check_forward(request, last, detail);

	if (err)
		return err;
	memcpy(head.hash, request->head.hash, HASH_LEN);
	memcpy(head.journal_id, journal->id, JOURNAL_ID_LEN);
	head.journal_count = journal->count;
	memcpy(head.journal_hash, journal->hash, HASH_LEN);
	if (last) {
		head_hash(last, head.previous);
		if (head.at_us <= last->at_us)
			head.at_us = last->at_us + 1;
	}
	head_sign(&head, holder->sign_secret);
	err = journal_set_head(holder->journal, &head, detail);
	if (err)
		return err;
	head_pack(&head, bytes);
	return buf_append(out, bytes, sizeof bytes);
}

static enum un_err
do_last_head(struct keyholder *holder, const struct wire_request *request,
             struct un_detail *detail, struct buf *out)
{
	const struct signed_head *last = journal_last_head(holder->journal);
	uint8_t bytes[SIGNED_HEAD_LEN];

	(void)request;
	(void)detail;
	if (!last)
		return UN_OK;
	head_pack(last, bytes);
	return buf_append(out, bytes, sizeof bytes);
}

static const struct {
	operation *run;
	bool needs_ring;
} operations[] = {
        [WIRE_INFO] = {do_info, false},     [WIRE_INGEST] = {do_ingest, true},
        [WIRE_GRANT] = {do_grant, true},    [WIRE_RELEASE] = {do_release, true},
        [WIRE_REWRAP] = {do_rewrap, true},  [WIRE_ROTATE] = {do_rotate, true},
        [WIRE_UNLOCK] = {do_unlock, false}, [WIRE_EXPORT] = {do_export, true},
        [WIRE_HASH] = {do_hash, true},      [WIRE_SIGN] = {do_sign, true},
        [WIRE_LAST_HEAD] = {do_last_head, false},
};

enum un_err
keyholder_answer(struct keyholder *holder, const struct wire_request *request, struct buf *out,
                 bool *ret_held)
{
	size_t begin, mark = journal_mark(holder->journal);
	struct un_detail detail = {0};
	enum un_err err = wire_answer_begin(out, request, &begin);

	if (err)
		return err;
	if (operations[request->op].needs_ring && holder->state != KEEPER_OPEN)
		err = un_fail(&detail, UN_ERR_SEALED, "the key ring is locked");
	else
		err = operations[request->op].run(holder, request, &detail, out);
	*ret_held = journal_mark(holder->journal) != mark;
	if (err == UN_OK) {
		wire_end(out, begin);
		return UN_OK;
	}
	explicit_bzero(out->data + begin, out->len - begin); /* all or nothing */
	out->len = begin;
	return wire_answer_refuse(out, request, err, &detail);
}

enum un_err
keyholder_commit(struct keyholder *holder, struct un_detail *detail)
{
	return journal_commit(holder->journal, detail);
}
