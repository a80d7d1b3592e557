#include "keeper/wire.h"

#include "test.h"

#include <stdlib.h>

static struct wire_request request; /* large */

static void
make_id(struct secret_id *id, char fill, size_t len)
{
	*id = (struct secret_id){0};
	memset(id->org, fill, len < SCOPE_PART_MAX ? len : SCOPE_PART_MAX);
	memset(id->scope.project, fill, len < SCOPE_PART_MAX ? len : SCOPE_PART_MAX);
	memset(id->scope.domain, fill, len < SCOPE_PART_MAX ? len : SCOPE_PART_MAX);
	memset(id->name, fill, len < SECRET_NAME_MAX ? len : SECRET_NAME_MAX);
}

/* The largest release there may be. */
static void
make_release(struct buf *out)
{
	uint8_t ticket[TICKET_LEN_MAX] = {0}, stored[STORED_DEK_LEN] = {0};
	struct secret_id id;
	size_t start;

	make_id(&id, 'x', SECRET_NAME_MAX);
	EXPECT_OK(wire_begin(out, WIRE_RELEASE, 7, &start));
	EXPECT_OK(pack_bytes(out, ticket, sizeof ticket));
	EXPECT_OK(buf_append(out, ticket, BOX_PUBLIC_LEN));
	EXPECT_OK(pack_u16(out, WIRE_ROWS_MAX));
	for (uint32_t i = 1; i <= WIRE_ROWS_MAX; i++)
		EXPECT_OK(wire_pack_row(out, &id, i, stored));
	wire_end(out, start);
}

TEST(wire, carries_the_largest_release_in_one_frame)
{
	struct buf out;
	size_t len;

	buf_init(&out, WIRE_FRAME_MAX, BUF_PLAIN);
	make_release(&out);
	EXPECT_OK(wire_frame_len(out.data, out.len, &len));
	EXPECT_INT(out.len, len);
	EXPECT_OK(wire_request_unpack(out.data + 4, out.len - 4, &request));
	EXPECT_INT(WIRE_ROWS_MAX, request.release.count);
	EXPECT_INT(WIRE_ROWS_MAX, request.release.rows[WIRE_ROWS_MAX - 1].version);
	buf_fini(&out);
}

static void
make_ingest(struct buf *out)
{
	uint8_t travel[TRAVEL_DEK_LEN] = {1, 2, 3};
	struct secret_id id;
	size_t start;

	make_id(&id, 'a', 3);
	EXPECT_OK(wire_begin(out, WIRE_INGEST, 0x01020304, &start));
	EXPECT_OK(wire_pack_dek(out, &id, 5, travel, sizeof travel));
	wire_end(out, start);
}

TEST(wire, reads_back_what_it_wrote)
{
	struct buf out;

	buf_init(&out, WIRE_FRAME_MAX, BUF_PLAIN);
	make_ingest(&out);
	EXPECT_OK(wire_request_unpack(out.data + 4, out.len - 4, &request));
	EXPECT_INT(WIRE_INGEST, request.op);
	EXPECT_INT(0x01020304, request.id);
	EXPECT_INT(5, request.dek.version);
	EXPECT_STR("aaa", request.dek.secret.name);
	EXPECT_INT(3, request.dek.dek[2]);
	buf_fini(&out);
}

/* A cut frame never parses, and never reads beyond its end. */
TEST(wire, refuses_every_cut_frame)
{
	struct buf out;

	buf_init(&out, WIRE_FRAME_MAX, BUF_PLAIN);
	make_ingest(&out);
	for (size_t len = 0; len + 4 < out.len; len++) {
		uint8_t *exact = malloc(len ? len : 1);

		memcpy(exact, out.data + 4, len);
		EXPECT_ERR(UN_ERR_PROTOCOL, wire_request_unpack(exact, len, &request));
		free(exact);
	}
	buf_fini(&out);
}

TEST(wire, survives_every_flipped_bit)
{
	struct buf out;

	buf_init(&out, WIRE_FRAME_MAX, BUF_PLAIN);
	make_ingest(&out);
	for (size_t bit = 32; bit < 8 * out.len; bit++) {
		enum un_err err;

		out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		err = wire_request_unpack(out.data + 4, out.len - 4, &request);
		EXPECT(err == UN_OK || err == UN_ERR_PROTOCOL);
		out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf_fini(&out);
}

TEST(wire, waits_for_whole_frames_and_refuses_impossible_lengths)
{
	static const uint8_t small[] = {0, 0, 0, 5}, large[] = {0, 0, 0xff, 0xfc};
	static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff}, largest[] = {0, 0, 0xff, 0xfb};
	size_t len = 1;

	EXPECT_OK(wire_frame_len(small, 3, &len));
	EXPECT_INT(0, len);
	EXPECT_ERR(UN_ERR_PROTOCOL, wire_frame_len(small, 4, &len));
	EXPECT_ERR(UN_ERR_PROTOCOL, wire_frame_len(large, 4, &len));
	EXPECT_ERR(UN_ERR_PROTOCOL, wire_frame_len(huge, 4, &len));
	EXPECT_OK(wire_frame_len(largest, 4, &len));
	EXPECT_INT(0, len);
}

TEST(wire, brings_a_refusal_with_its_reason_across)
{
	struct un_detail said = {"why not", "what to do"}, heard;
	struct wire_answer answer;
	struct buf out;

	request = (struct wire_request){.op = WIRE_RELEASE, .id = 77};
	buf_init(&out, WIRE_FRAME_MAX, BUF_PLAIN);
	EXPECT_OK(wire_answer_refuse(&out, &request, UN_ERR_BAD_TICKET, &said));
	EXPECT_OK(wire_answer_unpack(out.data + 4, out.len - 4, &answer));
	EXPECT_INT(77, answer.id);
	EXPECT_INT(WIRE_RELEASE, answer.op);
	EXPECT_ERR(UN_ERR_BAD_TICKET, answer.err);
	wire_unpack_detail(&answer, &heard);
	EXPECT_STR("why not", heard.message);
	EXPECT_STR("what to do", heard.hint);
	buf_fini(&out);
}

TEST(wire, limits_the_length_of_a_credential)
{
	static const uint8_t credential[WIRE_CREDENTIAL_MAX + 1];
	static const size_t bad[] = {0, WIRE_CREDENTIAL_MAX + 1};
	struct buf out;
	size_t start;

	buf_init(&out, WIRE_FRAME_MAX, BUF_PLAIN);
	for (size_t i = 0; i < 2; i++) {
		buf_clear(&out);
		EXPECT_OK(wire_begin(&out, WIRE_HASH, 1, &start));
		EXPECT_OK(pack_bytes(&out, credential, bad[i]));
		wire_end(&out, start);
		EXPECT_ERR(UN_ERR_PROTOCOL,
		           wire_request_unpack(out.data + 4, out.len - 4, &request));
	}
	buf_fini(&out);
}

TEST_MAIN()
