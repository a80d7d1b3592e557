/* wire.h - the messages between uniond and the keeper, to the byte. docs/formats/keeper.md.
 *
 * A frame is a u32 length (of what follows), then
 *   request  u8 version | u8 operation          | u32 id | body
 *   answer   u8 version | u8 operation + 0x80   | u32 id | u16 error | body
 * where the error is 0 or the number of src/base/err.def without its sign, and the body of a
 * refusal is a text and a hint. Both directions are parsed as if the other end were hostile.
 * Everything unpacked is lent from the frame. Any thread. */
#ifndef KEEPER_WIRE_H
#define KEEPER_WIRE_H

#include "audit/head.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/pack.h"
#include "envelope/envelope.h"
#include "keeper/key_provider.h"
#include "keeper/passphrase.h"
#include "keeper/ticket.h"

#define WIRE_VERSION 1
#define WIRE_LENGTH_LEN 4
#define WIRE_FRAME_MAX 65535 /* with the length field: one frame fits every buffer */
#define WIRE_HEADER_LEN 6    /* version, operation, id */
#define WIRE_ROWS_MAX TICKET_NAMES_MAX
#define WIRE_CREDENTIAL_MAX 256

enum wire_op { /* never renumbered */
	WIRE_INFO = 1,
	WIRE_INGEST = 2,
	WIRE_GRANT = 3,
	WIRE_RELEASE = 4,
	WIRE_REWRAP = 5,
	WIRE_ROTATE = 6,
	WIRE_UNLOCK = 7,
	WIRE_EXPORT = 8,
	WIRE_HASH = 9,
	WIRE_SIGN = 10,
	WIRE_LAST_HEAD = 11,
	WIRE_OP_LAST = WIRE_LAST_HEAD,
};
#define WIRE_ANSWER 0x80

enum keeper_state {
	KEEPER_OPEN = 1,   /* keys in memory */
	KEEPER_SEALED = 2, /* waits for the passphrase of the ring */
	KEEPER_NEW = 3,    /* waits for the passphrase of a ring that it will make */
};

/* What the keeper says of itself. */
struct keeper_info {
	enum keeper_state state;
	uint32_t generation;                   /* newest; 0 while KEEPER_NEW */
	uint8_t plane_public[BOX_PUBLIC_LEN];  /* zeros while KEEPER_NEW */
	uint8_t start_public[BOX_PUBLIC_LEN];  /* to seal passphrases to; another at each start */
	char provider[KEY_PROVIDER_TEXT_MAX];  /* for people */
	uint8_t audit_public[SIGN_PUBLIC_LEN]; /* of signed heads; zeros unless KEEPER_OPEN */
	bool journal_broken; /* it was not the one that the last head speaks of: a new one began */
	bool memory_locked;                    /* no key can reach swap */
	bool landlocked;                       /* the kernel also confines it to the keys folder */
};

/* One secret's row as release takes it. `stored` has STORED_DEK_LEN bytes. */
struct wire_row {
	struct secret_id id;
	uint32_t version;
	const uint8_t *stored;
};

struct wire_request {
	enum wire_op op;
	uint32_t id;
	union {
		struct { /* INGEST: dek_len is TRAVEL_DEK_LEN; REWRAP: STORED_DEK_LEN */
			struct secret_id secret;
			uint32_t version;
			const uint8_t *dek;
			size_t dek_len;
		} dek;
		struct { /* names are lent from the frame's copy in `text` */
			struct ticket_grant grant;
			char org[SCOPE_PART_MAX + 1];
			struct scope at;
			const char *names[TICKET_NAMES_MAX];
			char text[TICKET_NAMES_MAX][SECRET_NAME_MAX + 1];
		} grant;
		struct {
			const uint8_t *ticket;
			size_t ticket_len;
			const uint8_t *launcher_public;
			struct wire_row rows[WIRE_ROWS_MAX];
			size_t count;
		} release;
		struct { /* UNLOCK, EXPORT */
			const uint8_t *bytes;
			size_t len;
		} sealed;
		struct { /* HASH: 1 to WIRE_CREDENTIAL_MAX bytes */
			const uint8_t *bytes;
			size_t len;
		} credential;
		struct { /* SIGN */
			uint64_t count; /* at least 1 */
			const uint8_t *hash; /* HASH_LEN */
		} head;
	};
};

/* The bytes of the frame that begins at `bytes`, when all of them are there; *ret_len 0 when more
 * must come. UN_ERR_PROTOCOL for a length that no frame has. */
MUST_CHECK enum un_err wire_frame_len(const uint8_t *bytes, size_t available, size_t *ret_len);

/* A frame: begin, body, end. On any error between, set out->len back to what it was before. */
MUST_CHECK enum un_err wire_begin(struct buf *out, enum wire_op op, uint32_t id,
                                  size_t *ret_start);
void wire_end(struct buf *out, size_t start);

/* Bodies of requests. */
MUST_CHECK enum un_err wire_pack_dek(struct buf *out, const struct secret_id *id, uint32_t version,
                                     const uint8_t *dek, size_t len);
MUST_CHECK enum un_err wire_pack_grant(struct buf *out, const struct ticket_grant *grant);
MUST_CHECK enum un_err wire_pack_row(struct buf *out, const struct secret_id *id, uint32_t version,
                                     const uint8_t *stored);

/* `frame` begins behind the length field. UN_ERR_PROTOCOL. `ret_request` is large: keep one. */
MUST_CHECK enum un_err wire_request_unpack(const uint8_t *frame, size_t len,
                                           struct wire_request *ret_request);

/* An answer: its head and where its body is. */
struct wire_answer {
	enum wire_op op;
	uint32_t id;
	enum un_err err;
	const uint8_t *body;
	size_t len;
};
MUST_CHECK enum un_err wire_answer_begin(struct buf *out, const struct wire_request *to,
                                         size_t *ret_start);
/* A whole answer that refuses. */
MUST_CHECK enum un_err wire_answer_refuse(struct buf *out, const struct wire_request *to,
                                          enum un_err err, const struct un_detail *detail);
MUST_CHECK enum un_err wire_answer_unpack(const uint8_t *frame, size_t len,
                                          struct wire_answer *ret_answer);
/* The body of a refusal. */
void wire_unpack_detail(const struct wire_answer *answer, struct un_detail *ret_detail);
MUST_CHECK enum un_err wire_pack_info(struct buf *out, const struct keeper_info *info);
MUST_CHECK enum un_err wire_unpack_info(const struct wire_answer *answer,
                                        struct keeper_info *ret_info);

#endif
