/* The client's end of the keeper's socket.
 *
 * Requests and answers are in the same order, because the keeper works them off one by one: pending
 * requests are a ring of slots, numbered by request id. A slot that timed out stays, without a
 * callback, until its answer comes. Both wire buffers are secbufs: a ticket passes through them. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "crypto/hash.h"
#include "keeper/keeper.h"
#include "keeper/secret_buf.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_LEN (WIRE_FRAME_MAX + 1)
_Static_assert((KEEPER_IN_FLIGHT_MAX & (KEEPER_IN_FLIGHT_MAX - 1)) == 0, "slots are masked");

struct slot {
	struct keeper_call call; /* done NULL: answered, nobody waits */
	int64_t deadline_ms;
	uint64_t frame_start; /* position in the stream of all bytes ever queued */
	enum wire_op op;
};

struct keeper_client {
	int fd;
	struct secbuf *out_memory, *in_memory;
	struct buf out;          /* over out_memory: bytes not yet written */
	uint64_t out_position;   /* stream position of out's first byte */
	size_t in_len;           /* bytes in in_memory */
	uint32_t head, tail; /* ids: head is the oldest without an answer, tail the next new one */
	bool dispatching;
	struct slot slots[KEEPER_IN_FLIGHT_MAX];
};

enum un_err
keeper_client_new(struct keeper_client **ret_client)
{
	struct keeper_client *client = mem_zalloc(1, sizeof *client);
	enum un_err err;

	if (!client)
		return UN_ERR_NO_MEMORY;
	client->fd = -1;
	err = secbuf_new(BUFFER_LEN, &client->out_memory);
	if (err == UN_OK)
		err = secbuf_new(BUFFER_LEN, &client->in_memory);
	if (err) {
		secbuf_free(client->out_memory);
		mem_free(client);
		return err;
	}
	client->out = secret_buf_over(client->out_memory);
	*ret_client = client;
	return UN_OK;
}

static struct slot *
slot_of(struct keeper_client *client, uint32_t id)
{
	return &client->slots[id & (KEEPER_IN_FLIGHT_MAX - 1)];
}

static void
answer_slot(struct slot *slot, const struct keeper_answer *answer)
{
	struct keeper_call call = slot->call;

	slot->call.done = NULL;
	if (call.done)
		call.done(call.context, answer);
}

static void
fail_slot(struct slot *slot, enum un_err err, const char *why)
{
	struct un_detail detail = {0};
	struct keeper_answer answer = {.err = un_fail(&detail, err, "%s", why), .detail = &detail};

	answer_slot(slot, &answer);
}

/* Drops bytes from the front of the queue and wipes where they were: they may be a ticket. */
static void
drop_out(struct keeper_client *client, size_t len)
{
	struct buf *out = &client->out;
	size_t left = out->len - len;

	memmove(out->data, out->data + len, left);
	explicit_bzero(out->data + left, len);
	out->len = left;
	client->out_position += len;
}

/* The socket is gone. What was sent, or begun to be, fails; whole frames still queued wait. */
static void
detach(struct keeper_client *client)
{
	uint64_t sent = client->out_position;
	uint32_t id = client->head, end = client->tail;

	io_close(&client->fd);
	explicit_bzero(secbuf_edit(client->in_memory), client->in_len);
	client->in_len = 0;
	while (id != end && slot_of(client, id)->frame_start < sent)
		id++;
	/* `id` is the first whole frame that is still queued; all before it is lost */
	drop_out(client, id == end ? client->out.len
	                           : (size_t)(slot_of(client, id)->frame_start - sent));
	end = id;
	for (id = client->head; id != end; id++)
		fail_slot(slot_of(client, id), UN_ERR_UNREACHABLE, "the keeper has gone away");
	client->head = end;
}

void
keeper_client_free(struct keeper_client *client)
{
	if (!client)
		return;
	for (uint32_t id = client->head; id != client->tail; id++)
		fail_slot(slot_of(client, id), UN_ERR_CANCELLED, "the control plane is stopping");
	io_close(&client->fd);
	secbuf_free(client->out_memory);
	secbuf_free(client->in_memory);
	mem_free(client);
}

void
keeper_client_attach(struct keeper_client *client, int fd)
{
	if (client->fd >= 0)
		detach(client);
	client->fd = fd;
	keeper_client_flush(client);
}

int
keeper_client_fd(const struct keeper_client *client)
{
	return client->fd;
}

short
keeper_client_events(const struct keeper_client *client)
{
	return (short)(client->out.len ? POLLIN | POLLOUT : POLLIN);
}

size_t
keeper_client_pending(const struct keeper_client *client)
{
	size_t count = 0;

	for (uint32_t id = client->head; id != client->tail; id++)
		if (client->slots[id & (KEEPER_IN_FLIGHT_MAX - 1)].call.done)
			count++;
	return count;
}

/* A broken socket is left to the next pump: callbacks do not run from here. */
void
keeper_client_flush(struct keeper_client *client)
{
	while (client->fd >= 0 && client->out.len) {
		ssize_t sent = send(client->fd, client->out.data, client->out.len,
		                    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0)
			drop_out(client, (size_t)sent);
		else if (errno != EINTR)
			return;
	}
}

int64_t
keeper_client_deadline(const struct keeper_client *client)
{
	int64_t earliest = INT64_MAX;

	for (uint32_t id = client->head; id != client->tail; id++) {
		const struct slot *slot = &client->slots[id & (KEEPER_IN_FLIGHT_MAX - 1)];

		if (slot->call.done && slot->deadline_ms < earliest)
			earliest = slot->deadline_ms;
	}
	return earliest;
}

void
keeper_client_expire(struct keeper_client *client, int64_t now_ms)
{
	uint32_t end = client->tail;

	for (uint32_t id = client->head; id != end; id++) {
		struct slot *slot = slot_of(client, id);

		if (slot->call.done && slot->deadline_ms <= now_ms)
			fail_slot(slot, UN_ERR_TIMEOUT, "the keeper did not answer in time");
	}
	/* the slots stay until their answers come: only those may move `head` */
}

/* A release of nothing has no place in the journal. */
static enum un_err
read_release(struct unpack *in, struct keeper_answer *answer)
{
	const uint8_t *id;

	if (!in->left)
		return UN_OK;
	id = unpack_fixed(in, JOURNAL_ID_LEN);
	answer->journal.number = unpack_u64(in);
	if (in->bad || !in->left || in->left % DELIVERED_DEK_LEN || !answer->journal.number)
		return UN_ERR_PROTOCOL;
	memcpy(answer->journal.id, id, JOURNAL_ID_LEN);
	answer->bytes = in->at;
	answer->len = in->left;
	answer->count = in->left / DELIVERED_DEK_LEN;
	return UN_OK;
}

static enum un_err
read_body(const struct wire_answer *wire, struct keeper_answer *answer, struct keeper_info *info)
{
	struct unpack in;

	unpack_init(&in, wire->body, wire->len);
	answer->bytes = wire->body;
	answer->len = wire->len;
	switch (wire->op) {
	case WIRE_INFO:
		answer->info = info;
		return wire_unpack_info(wire, info);
	case WIRE_INGEST:
	case WIRE_REWRAP:
		return wire->len == STORED_DEK_LEN ? UN_OK : UN_ERR_PROTOCOL;
	case WIRE_GRANT:
		if (wire->len < TICKET_LEN_MIN || wire->len > TICKET_LEN_MAX)
			return UN_ERR_PROTOCOL;
		answer->bytes = NULL;
		answer->len = 0;
		return secbuf_copy(wire->body, wire->len, &answer->ticket);
	case WIRE_RELEASE:
		return read_release(&in, answer);
	case WIRE_ROTATE:
		answer->generation = unpack_u32(&in);
		return unpack_end(&in);
	case WIRE_UNLOCK:
		return wire->len ? UN_ERR_PROTOCOL : UN_OK;
	case WIRE_EXPORT:
		return wire->len ? UN_OK : UN_ERR_PROTOCOL;
	case WIRE_HASH:
		return wire->len == HASH_LEN ? UN_OK : UN_ERR_PROTOCOL;
	case WIRE_SIGN:
		return wire->len == SIGNED_HEAD_LEN ? UN_OK : UN_ERR_PROTOCOL;
	case WIRE_LAST_HEAD:
		return wire->len == 0 || wire->len == SIGNED_HEAD_LEN ? UN_OK : UN_ERR_PROTOCOL;
	}
	return UN_ERR_PROTOCOL;
}

/* One answer. UN_ERR_PROTOCOL: what came is not an answer to the oldest request that was sent. */
static enum un_err
take_answer(struct keeper_client *client, const uint8_t *frame, size_t len)
{
	struct keeper_answer answer = {0};
	struct keeper_info info;
	struct un_detail detail;
	struct wire_answer wire;
	struct slot *slot;
	enum un_err err = wire_answer_unpack(frame, len, &wire);

	if (err)
		return err;
	slot = slot_of(client, client->head);
	if (client->head == client->tail || wire.id != client->head || wire.op != slot->op ||
	    slot->frame_start >= client->out_position)
		return UN_ERR_PROTOCOL;
	client->head++;
	if (!slot->call.done)
		return UN_OK; /* too late */
	answer.err = wire.err;
	if (wire.err) {
		wire_unpack_detail(&wire, &detail);
		answer.detail = &detail;
	} else {
		answer.err = read_body(&wire, &answer, &info);
		if (answer.err) {
			detail = (struct un_detail){0};
			answer = (struct keeper_answer){.err = answer.err, .detail = &detail};
		}
	}
	answer_slot(slot, &answer);
	return UN_OK;
}

/* All whole frames in the buffer. */
static enum un_err
take_answers(struct keeper_client *client)
{
	uint8_t *bytes = secbuf_edit(client->in_memory);
	size_t at = 0, frame_len;
	enum un_err err;

	for (;;) {
		err = wire_frame_len(bytes + at, client->in_len - at, &frame_len);
		if (err || !frame_len)
			break;
		err = take_answer(client, bytes + at + WIRE_LENGTH_LEN,
		                  frame_len - WIRE_LENGTH_LEN);
		if (err)
			break;
		at += frame_len;
	}
	memmove(bytes, bytes + at, client->in_len - at);
	explicit_bzero(bytes + client->in_len - at, at);
	client->in_len -= at;
	return err;
}

/* Reads until there is no more, then takes the frames; UN_ERR_UNREACHABLE at the end. */
static enum un_err
read_answers(struct keeper_client *client)
{
	for (;;) {
		ssize_t got = recv(client->fd, secbuf_edit(client->in_memory) + client->in_len,
		                   BUFFER_LEN - client->in_len, MSG_DONTWAIT);
		enum un_err err;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return UN_OK;
		if (got <= 0)
			return UN_ERR_UNREACHABLE;
		client->in_len += (size_t)got;
		err = take_answers(client);
		if (err)
			return err;
	}
}

enum un_err
keeper_client_pump(struct keeper_client *client)
{
	enum un_err err;

	if (client->fd < 0)
		return UN_ERR_UNREACHABLE;
	assert(!client->dispatching); /* a callback must not pump */
	client->dispatching = true;
	err = read_answers(client);
	if (err)
		detach(client);
	client->dispatching = false;
	if (err)
		return UN_ERR_UNREACHABLE;
	keeper_client_flush(client);
	return UN_OK;
}

enum un_err
keeper_client_drain(struct keeper_client *client, int64_t deadline_ms)
{
	while (keeper_client_pending(client)) {
		int64_t next = keeper_client_deadline(client);
		struct pollfd one = {.fd = client->fd, .events = keeper_client_events(client)};

		if (deadline_ms < next)
			next = deadline_ms;
		if (poll(&one, 1, clock_left_ms(next)) > 0 && keeper_client_pump(client) != UN_OK)
			continue; /* detached: the rest waits for its deadline */
		keeper_client_expire(client, clock_mono_ms());
		if (clock_mono_ms() >= deadline_ms && keeper_client_pending(client))
			return UN_ERR_TIMEOUT;
	}
	return UN_OK;
}

/* --- requests --- */

/* Room for one more request; begins its frame. */
static enum un_err
begin_request(struct keeper_client *client, enum wire_op op, size_t *ret_start)
{
	enum un_err err;

	if (client->tail - client->head >= KEEPER_IN_FLIGHT_MAX)
		return UN_ERR_AGAIN;
	err = wire_begin(&client->out, op, client->tail, ret_start);
	return err == UN_ERR_TOO_LARGE ? UN_ERR_AGAIN : err;
}

/* Ends the frame and registers the request, or takes everything back. */
static enum un_err
end_request(struct keeper_client *client, enum wire_op op, size_t start, struct keeper_call call,
            enum un_err err)
{
	struct slot *slot = slot_of(client, client->tail);

	if (err) {
		explicit_bzero(client->out.data + start, client->out.len - start);
		client->out.len = start;
		/* a full buffer is no fault of the request: one frame always fits an empty one */
		return err == UN_ERR_TOO_LARGE && start ? UN_ERR_AGAIN : err;
	}
	wire_end(&client->out, start);
	slot->call = call;
	slot->op = op;
	slot->frame_start = client->out_position + start;
	slot->deadline_ms =
	        clock_mono_ms() + (call.timeout_ms > 0 ? call.timeout_ms : KEEPER_TIMEOUT_MS);
	client->tail++;
	return UN_OK;
}

/* When the buffer is full: writes what the socket takes, for one more try. */
static bool
made_room(struct keeper_client *client, enum un_err err)
{
	size_t before = client->out.len;

	if (err != UN_ERR_AGAIN)
		return false;
	keeper_client_flush(client);
	return client->out.len < before;
}

struct request { /* what the packing of one body needs */
	enum wire_op op;
	const void *what;
	enum un_err (*pack)(struct buf *out, const void *what);
};

static enum un_err
queue_once(struct keeper_client *client, const struct request *request, struct keeper_call call)
{
	size_t start;
	enum un_err err = begin_request(client, request->op, &start);

	if (err)
		return err;
	if (request->pack)
		err = request->pack(&client->out, request->what);
	return end_request(client, request->op, start, call, err);
}

static enum un_err
queue(struct keeper_client *client, const struct request *request, struct keeper_call call)
{
	enum un_err err;

	do
		err = queue_once(client, request, call);
	while (made_room(client, err));
	return err;
}

enum un_err
keeper_ask_info(struct keeper_client *client, struct keeper_call call)
{
	return queue(client, &(struct request){.op = WIRE_INFO}, call);
}

enum un_err
keeper_rotate(struct keeper_client *client, struct keeper_call call)
{
	return queue(client, &(struct request){.op = WIRE_ROTATE}, call);
}

struct dek_body {
	const struct secret_id *id;
	uint32_t version;
	const uint8_t *dek;
	size_t len;
};

static enum un_err
pack_dek_body(struct buf *out, const void *what)
{
	const struct dek_body *body = what;

	return wire_pack_dek(out, body->id, body->version, body->dek, body->len);
}

enum un_err
keeper_ingest(struct keeper_client *client, const struct secret_id *id, uint32_t version,
              const uint8_t travel[TRAVEL_DEK_LEN], struct keeper_call call)
{
	struct dek_body body = {id, version, travel, TRAVEL_DEK_LEN};

	return queue(client, &(struct request){WIRE_INGEST, &body, pack_dek_body}, call);
}

enum un_err
keeper_rewrap(struct keeper_client *client, const struct secret_id *id, uint32_t version,
              const uint8_t stored[STORED_DEK_LEN], struct keeper_call call)
{
	struct dek_body body = {id, version, stored, STORED_DEK_LEN};

	return queue(client, &(struct request){WIRE_REWRAP, &body, pack_dek_body}, call);
}

static enum un_err
pack_grant_body(struct buf *out, const void *what)
{
	return wire_pack_grant(out, what);
}

enum un_err
keeper_grant(struct keeper_client *client, const struct ticket_grant *grant,
             struct keeper_call call)
{
	if (grant->count > TICKET_NAMES_MAX)
		return UN_ERR_TOO_LARGE;
	return queue(client, &(struct request){WIRE_GRANT, grant, pack_grant_body}, call);
}

static enum un_err
pack_release_body(struct buf *out, const void *what)
{
	const struct keeper_release *release = what;
	enum un_err err =
		pack_bytes(out, secbuf_peek(release->ticket), secbuf_len(release->ticket));

	if (err == UN_OK)
		err = buf_append(out, release->launcher_public, BOX_PUBLIC_LEN);
	if (err == UN_OK)
		err = pack_u16(out, (uint16_t)release->count);
	for (size_t i = 0; err == UN_OK && i < release->count; i++) {
		const struct keeper_row *row = &release->rows[i];

		err = wire_pack_row(out, row->id, row->version, row->stored);
	}
	return err;
}

enum un_err
keeper_release(struct keeper_client *client, const struct keeper_release *what,
               struct keeper_call call)
{
	size_t len = secbuf_len(what->ticket);

	if (len < TICKET_LEN_MIN || len > TICKET_LEN_MAX)
		return UN_ERR_BAD_TICKET;
	if (what->count > WIRE_ROWS_MAX)
		return UN_ERR_TOO_LARGE;
	return queue(client, &(struct request){WIRE_RELEASE, what, pack_release_body}, call);
}

struct sealed_body {
	const uint8_t *bytes;
	size_t len;
};

static enum un_err
pack_sealed_body(struct buf *out, const void *what)
{
	const struct sealed_body *body = what;

	return pack_bytes(out, body->bytes, body->len);
}

enum un_err
keeper_unlock(struct keeper_client *client, const uint8_t *sealed, size_t len,
              struct keeper_call call)
{
	struct sealed_body body = {sealed, len};

	if (len > SEALED_PASSPHRASE_MAX)
		return UN_ERR_PROTOCOL;
	return queue(client, &(struct request){WIRE_UNLOCK, &body, pack_sealed_body}, call);
}

enum un_err
keeper_export(struct keeper_client *client, const uint8_t *sealed, size_t len,
              struct keeper_call call)
{
	struct sealed_body body = {sealed, len};

	if (len > SEALED_PASSPHRASE_MAX)
		return UN_ERR_PROTOCOL;
	return queue(client, &(struct request){WIRE_EXPORT, &body, pack_sealed_body}, call);
}

static enum un_err
pack_credential_body(struct buf *out, const void *what)
{
	const struct secbuf *credential = what;

	return pack_bytes(out, secbuf_peek(credential), secbuf_len(credential));
}

enum un_err
keeper_hash_credential(struct keeper_client *client, const struct secbuf *credential,
                       struct keeper_call call)
{
	size_t len = secbuf_len(credential);

	if (len == 0 || len > WIRE_CREDENTIAL_MAX)
		return UN_ERR_RANGE;
	return queue(client, &(struct request){WIRE_HASH, credential, pack_credential_body}, call);
}

struct head_body {
	uint64_t count;
	const uint8_t *hash;
};

static enum un_err
pack_head_body(struct buf *out, const void *what)
{
	const struct head_body *body = what;
	enum un_err err = pack_u64(out, body->count);

	return err ? err : buf_append(out, body->hash, HASH_LEN);
}

enum un_err
keeper_sign_head(struct keeper_client *client, uint64_t count, const uint8_t hash[HASH_LEN],
                 struct keeper_call call)
{
	struct head_body body = {count, hash};

	if (count == 0)
		return UN_ERR_RANGE;
	return queue(client, &(struct request){WIRE_SIGN, &body, pack_head_body}, call);
}

enum un_err
keeper_last_head(struct keeper_client *client, struct keeper_call call)
{
	return queue(client, &(struct request){.op = WIRE_LAST_HEAD}, call);
}
