/* Every way to touch a small export: each byte flipped, each record dropped, doubled or moved, each
 * length cut; with what the keeper has to tell beside it. */
#include "audit/export.h"

#include "audit/entry.h"
#include "base/alloc.h"
#include "base/io.h"
#include "test.h"

#include <fcntl.h>
#include <stdlib.h>

#define FRAMES_MAX 32
#define EXPORT_MAX (64u << 10)

/* A small plane: keys, a trail, a journal. */
struct world {
	struct secbuf *seed, *secret;
	struct export_header header;
	struct audit_head chain;
	struct journal_position journal;
	struct signed_head last;
	bool has_last;
	struct buf frames[FRAMES_MAX]; /* the export, frame by frame */
	size_t count;
	size_t entry_frame[FRAMES_MAX]; /* of entry seq */
};

static struct world w;

static struct buf *
new_frame(void)
{
	struct buf *frame = &w.frames[w.count++];

	assert_true(w.count <= FRAMES_MAX);
	buf_init(frame, EXPORT_FRAME_MAX, BUF_PLAIN);
	return frame;
}

static void
journal_begin(uint8_t fill)
{
	uint8_t id[JOURNAL_ID_LEN], header[JOURNAL_HEADER_LEN];

	memset(id, fill, sizeof id);
	journal_header_pack(id, header, &w.journal);
}

static void
world_init(void)
{
	memset(&w, 0, sizeof w);
	EXPECT_OK(crypto_init());
	EXPECT_OK(secbuf_new(SIGN_SEED_LEN, &w.seed));
	memset(secbuf_edit(w.seed), 7, SIGN_SEED_LEN);
	EXPECT_OK(sign_keypair(w.seed, &w.secret, w.header.audit_public));
	w.header.created_us = 1;
	journal_begin(1);
}

static void
world_fini(void)
{
	for (size_t i = 0; i < w.count; i++)
		buf_fini(&w.frames[i]);
	secbuf_free(w.seed);
	secbuf_free(w.secret);
}

static void
add_journal_header(void)
{
	uint8_t header[JOURNAL_HEADER_LEN];

	journal_header_pack(w.journal.id, header, &w.journal);
	EXPECT_OK(export_frame_pack(new_frame(), EXPORT_JOURNAL_HEADER, header, sizeof header));
}

static void
add_event(struct audit_event event)
{
	uint8_t hash[HASH_LEN];
	struct buf entry;

	if (!event.at_us)
		event.at_us = 1000;
	event.verdict = AUDIT_ALLOWED;
	buf_init(&entry, AUDIT_ENTRY_MAX, BUF_PLAIN);
	EXPECT_OK(entry_pack(&entry, w.chain.seq + 1, w.chain.hash, &event));
	entry_hash(entry.data, entry.len, hash);
	w.chain.seq++;
	memcpy(w.chain.hash, hash, HASH_LEN);
	EXPECT_OK(buf_append(&entry, hash, HASH_LEN));
	w.entry_frame[w.chain.seq] = w.count;
	EXPECT_OK(export_frame_pack(new_frame(), EXPORT_ENTRY, entry.data, entry.len));
	buf_fini(&entry);
}

static void
add_plain(const char *principal)
{
	add_event((struct audit_event){.action = AUDIT_SECRET_READ, .principal = principal});
}

static struct secret_id
id_of(const char *name)
{
	struct secret_id id;

	EXPECT_OK(secret_id_init(&id, "p", "d", name, NULL));
	return id;
}

/* The keeper's side of a release. */
static void
add_journal(const char *name, uint32_t version, int64_t at_us)
{
	struct journal_entry entry = {
		.at_us = at_us, .id = id_of(name), .version = version, .generation = 1};
	struct buf bytes;

	buf_init(&bytes, JOURNAL_ENTRY_MAX, BUF_PLAIN);
	EXPECT_OK(journal_entry_pack(&bytes, &entry, &w.journal));
	EXPECT_OK(export_frame_pack(new_frame(), EXPORT_JOURNAL_ENTRY, bytes.data, bytes.len));
	buf_fini(&bytes);
}

/* The trail's side of it. */
static void
add_release(const char *name, uint32_t version, uint64_t number)
{
	struct secret_id id = id_of(name);
	struct audit_event event = {.action = AUDIT_SECRET_RELEASE,
	                            .secret = &id,
	                            .version = version,
	                            .execution = "f1"};

	memcpy(event.journal.id, w.journal.id, JOURNAL_ID_LEN);
	event.journal.number = number;
	add_event(event);
}

static struct signed_head
sign_now(int64_t at_us)
{
	struct signed_head head = {
		.count = w.chain.seq, .at_us = at_us, .journal_count = w.journal.count};

	memcpy(head.hash, w.chain.hash, HASH_LEN);
	memcpy(head.journal_id, w.journal.id, JOURNAL_ID_LEN);
	memcpy(head.journal_hash, w.journal.hash, HASH_LEN);
	if (w.has_last)
		head_hash(&w.last, head.previous);
	head_sign(&head, w.secret);
	w.last = head;
	w.has_last = true;
	return head;
}

static void
add_head_entry(const struct signed_head *head)
{
	uint8_t bytes[SIGNED_HEAD_LEN];

	head_pack(head, bytes);
	add_event((struct audit_event){.action = AUDIT_HEAD, .head = bytes});
}

static void
add_end(const struct signed_head *head)
{
	uint8_t bytes[SIGNED_HEAD_LEN];

	head_pack(head, bytes);
	EXPECT_OK(export_frame_pack(new_frame(), EXPORT_END, bytes, sizeof bytes));
}

#define HOUR_US (3600ll * 1000000)

/* Seven records, two heads, three releases. */
static void
make_world(void)
{
	struct signed_head head;

	world_init();
	add_journal_header();
	add_plain("uid:1");
	add_journal("db", 1, 10);
	add_release("db", 1, 1);
	head = sign_now(20);
	add_plain("uid:2");
	add_head_entry(&head);
	add_journal("api", 4, 30);
	add_journal("db", 2, 30);
	add_release("api", 4, 2);
	add_release("db", 2, 3);
	add_plain("key:ci");
	head = sign_now(HOUR_US);
	add_end(&head);
}

/* All frames but `skip`, with `first` and `second` exchanged. */
static struct buf
assemble(size_t skip, size_t first, size_t second)
{
	struct buf out;

	buf_init(&out, EXPORT_MAX, BUF_PLAIN);
	EXPECT_OK(export_header_pack(&out, &w.header));
	for (size_t i = 0; i < w.count; i++) {
		size_t from = i == first ? second : i == second ? first : i;

		if (i != skip)
			EXPECT_OK(buf_append(&out, w.frames[from].data, w.frames[from].len));
	}
	return out;
}

static struct export_report report;
static struct un_detail why;

static enum un_err
check_bytes(const uint8_t *bytes, size_t len, size_t piece)
{
	struct export_check *check;
	enum un_err err = UN_OK;

	why = (struct un_detail){0};
	EXPECT_OK(export_check_new(&check));
	for (size_t at = 0; at < len && !err; at += piece)
		err = export_check_feed(check, bytes + at, len - at < piece ? len - at : piece,
		                        &why);
	if (!err)
		err = export_check_end(check, &why);
	report = *export_check_report(check);
	export_check_free(check);
	return err;
}

static enum un_err
check_all(void)
{
	struct buf out = assemble(SIZE_MAX, SIZE_MAX, SIZE_MAX);
	enum un_err err = check_bytes(out.data, out.len, out.len);

	buf_fini(&out);
	return err;
}

TEST(export, of_an_untouched_trail_is_good_in_pieces_of_any_length)
{
	struct buf out;

	make_world();
	out = assemble(SIZE_MAX, SIZE_MAX, SIZE_MAX);
	for (size_t piece = 1; piece <= out.len; piece = piece * 3 + 1) {
		EXPECT_OK(check_bytes(out.data, out.len, piece));
		EXPECT_INT(7, report.entries);
		EXPECT_INT(2, report.heads);
		EXPECT_INT(3, report.releases);
		EXPECT_INT(0, report.pending);
		EXPECT_INT(0, report.finding_count);
	}
	buf_fini(&out);
	world_fini();
}

TEST(export, finds_each_flipped_byte_and_names_the_record)
{
	size_t at = EXPORT_HEADER_LEN;
	struct buf out;

	make_world();
	out = assemble(SIZE_MAX, SIZE_MAX, SIZE_MAX);
	for (size_t i = 0; i < out.len; i++) {
		out.data[i] ^= 0x10;
		/* the plane's key and the time of the export are told, not proved */
		if (i < 20 || (i >= 52 && i < 84) || i >= EXPORT_HEADER_LEN)
			EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, check_bytes(out.data, out.len, out.len));
		out.data[i] ^= 0x10;
	}
	for (uint64_t seq = 1, frame = 0; frame < w.count; at += w.frames[frame++].len) {
		if (seq > w.chain.seq || frame != w.entry_frame[seq])
			continue;
		for (size_t i = 5; i < w.frames[frame].len; i++) {
			out.data[at + i] ^= 0x01;
			EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, check_bytes(out.data, out.len, 100));
			EXPECT_INT(seq, report.bad);
			out.data[at + i] ^= 0x01;
		}
		seq++;
	}
	buf_fini(&out);
	world_fini();
}

TEST(export, finds_each_dropped_record_and_release)
{
	make_world();
	for (size_t skip = 0; skip < w.count; skip++) {
		struct buf out = assemble(skip, SIZE_MAX, SIZE_MAX);

		EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, check_bytes(out.data, out.len, out.len));
		for (uint64_t seq = 1; seq <= w.chain.seq; seq++)
			if (w.entry_frame[seq] == skip)
				EXPECT_INT(seq, report.bad);
		buf_fini(&out);
	}
	world_fini();
}

TEST(export, finds_each_pair_of_records_in_the_wrong_order)
{
	make_world();
	for (uint64_t one = 1; one <= w.chain.seq; one++) {
		for (uint64_t two = one + 1; two <= w.chain.seq; two++) {
			struct buf out =
				assemble(SIZE_MAX, w.entry_frame[one], w.entry_frame[two]);

			EXPECT_ERR(UN_ERR_NOT_AUTHENTIC,
			           check_bytes(out.data, out.len, out.len));
			EXPECT_INT(one, report.bad);
			buf_fini(&out);
		}
	}
	world_fini();
}

TEST(export, finds_every_cut)
{
	struct buf out;

	make_world();
	out = assemble(SIZE_MAX, SIZE_MAX, SIZE_MAX);
	for (size_t len = 0; len < out.len; len++) {
		EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, check_bytes(out.data, len, len ? len : 1));
		EXPECT(len < EXPORT_HEADER_LEN || report.bad == report.entries + 1);
	}
	buf_fini(&out);
	world_fini();
}

/* Whoever owns the plane's files, and not its keeper, makes everything anew. */
TEST(export, finds_a_trail_that_was_written_anew)
{
	struct signed_head honest, forged;

	make_world();
	honest = w.last;
	world_fini();

	world_init(); /* without its own head, the old one does not fit */
	add_journal_header();
	add_plain("uid:3");
	add_end(&honest);
	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, check_all());
	world_fini();

	world_init(); /* a head of its own making */
	add_journal_header();
	add_plain("uid:3");
	memset(secbuf_edit(w.seed), 8, SIGN_SEED_LEN);
	secbuf_free(w.secret);
	{
		uint8_t other[SIGN_PUBLIC_LEN];

		EXPECT_OK(sign_keypair(w.seed, &w.secret, other));
	}
	forged = sign_now(1);
	add_end(&forged);
	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, check_all());
	world_fini();

	world_init(); /* an old head is left out, and the keeper signs what is there now */
	add_journal_header();
	add_plain("uid:1");
	(void)sign_now(10);
	add_plain("uid:2");
	forged = sign_now(20);
	add_end(&forged);
	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, check_all());
	assert_non_null(strstr(why.message, "does not follow"));
	world_fini();
}

TEST(export, names_a_release_that_has_no_record)
{
	struct signed_head head;

	world_init();
	add_journal_header();
	add_plain("uid:1");
	add_journal("db", 3, 5);
	head = sign_now(HOUR_US);
	add_end(&head);
	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, check_all());
	assert_non_null(strstr(why.message, "release 1 of the keeper's journal has no record"));
	assert_non_null(strstr(why.message, "p/d/db version 3"));
	world_fini();

	world_init(); /* one that is under way */
	add_journal_header();
	add_plain("uid:1");
	add_journal("db", 3, HOUR_US - 1);
	head = sign_now(HOUR_US);
	add_end(&head);
	EXPECT_OK(check_all());
	EXPECT_INT(1, report.pending);
	world_fini();
}

TEST(export, names_a_record_whose_release_is_another)
{
	static const struct {
		const char *name;
		uint32_t version;
		uint64_t number;
	} lies[] = {{"api", 1, 1}, {"db", 2, 1}, {"db", 1, 2}};

	for (size_t i = 0; i < 3; i++) {
		struct signed_head head;

		world_init();
		add_journal_header();
		add_journal("db", 1, 5);
		add_release(lies[i].name, lies[i].version, lies[i].number);
		head = sign_now(HOUR_US);
		add_end(&head);
		EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, check_all());
		world_fini();
	}
}

TEST(export, finds_a_journal_that_is_shorter_than_a_head_says)
{
	struct signed_head head;
	size_t last = 0;

	make_world();
	for (size_t i = 0; i < w.count; i++)
		if (w.frames[i].data[0] == EXPORT_JOURNAL_ENTRY)
			last = i;
	{
		struct buf out = assemble(last, SIZE_MAX, SIZE_MAX);

		EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, check_bytes(out.data, out.len, out.len));
		buf_fini(&out);
	}
	world_fini();

	world_init(); /* and one that was begun anew without a restore */
	add_plain("uid:1");
	head = sign_now(1);
	add_head_entry(&head);
	journal_begin(2);
	add_journal_header();
	head = sign_now(2);
	add_end(&head);
	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, check_all());
	assert_non_null(strstr(why.message, "another journal"));
	world_fini();
}

TEST(export, takes_a_restore_for_what_it_is)
{
	struct signed_head head;

	world_init();
	add_plain("uid:1");
	head = sign_now(1);
	add_head_entry(&head);
	add_event((struct audit_event){.action = AUDIT_RESTORE, .principal = "uid:1"});
	w.has_last = false; /* the keeper begins again */
	journal_begin(2);
	add_journal_header();
	head = sign_now(2);
	add_end(&head);
	EXPECT_OK(check_all());
	EXPECT_INT(3, report.restore_seq);
	world_fini();
}

/* A check of the whole export that looks for `hash` as that of entry `count`. */
static enum export_past
past_of(uint64_t count, const uint8_t hash[HASH_LEN])
{
	struct buf out = assemble(SIZE_MAX, SIZE_MAX, SIZE_MAX);
	struct export_check *check = NULL;
	enum export_past past;

	EXPECT_OK(export_check_new(&check));
	export_check_expect(check, count, hash);
	EXPECT_OK(export_check_feed(check, out.data, out.len, NULL));
	EXPECT_OK(export_check_end(check, NULL));
	past = export_check_report(check)->past;
	export_check_free(check);
	buf_fini(&out);
	return past;
}

TEST(export, tells_what_became_of_a_record_that_was_checked_before)
{
	uint8_t hash[HASH_LEN], other[HASH_LEN];
	struct signed_head head;

	world_init();
	add_plain("uid:1");
	memcpy(hash, w.chain.hash, HASH_LEN);
	add_plain("uid:2");
	add_journal_header();
	head = sign_now(2);
	add_end(&head);
	memcpy(other, hash, HASH_LEN);
	other[HASH_LEN - 1] ^= 1;
	EXPECT_OK(check_all());
	EXPECT_INT(EXPORT_PAST_NONE, report.past);
	EXPECT_BYTES(w.chain.hash, report.newest, HASH_LEN);
	EXPECT_INT(0, report.restore_seq);
	EXPECT_INT(EXPORT_PAST_KEPT, past_of(1, hash));
	EXPECT_INT(EXPORT_PAST_KEPT, past_of(2, w.chain.hash));
	EXPECT_INT(EXPORT_PAST_FORKED, past_of(1, other));
	EXPECT_INT(EXPORT_PAST_FORKED, past_of(2, hash));
	EXPECT_INT(EXPORT_PAST_SHORT, past_of(3, hash));
	world_fini();
}

/* What version 1 wrote must be good for ever. */
TEST(export, vectors_of_version_1_are_good)
{
	static const uint8_t key[SIGN_PUBLIC_LEN] = {
		0x6d, 0x49, 0xb4, 0x9f, 0x65, 0x19, 0x7d, 0x99,
		0x18, 0x14, 0x72, 0x79, 0x12, 0x61, 0x88, 0x7a,
		0x99, 0xb2, 0x2e, 0x2a, 0xcf, 0xea, 0xb9, 0x2e,
		0x6e, 0x73, 0xcc, 0x43, 0xe0, 0xf5, 0xc8, 0xd0
	};
	struct journal_position position;
	struct journal_entry entry;
	struct buf bytes;
	size_t used, at = JOURNAL_HEADER_LEN;

	EXPECT_OK(crypto_init());
	buf_init(&bytes, EXPORT_MAX, BUF_PLAIN);
	EXPECT_OK(io_read_file(AT_FDCWD, VECTORS "/audit-export-1.bin", &bytes));
	EXPECT_OK(check_bytes(bytes.data, bytes.len, bytes.len));
	EXPECT_BYTES(key, report.header.audit_public, SIGN_PUBLIC_LEN);
	EXPECT_INT(16, report.entries);
	EXPECT_INT(2, report.releases);
	EXPECT_INT(3, report.heads);
	buf_clear(&bytes);
	EXPECT_OK(io_read_file(AT_FDCWD, VECTORS "/journal-1.bin", &bytes));
	EXPECT_OK(journal_header_unpack(bytes.data, bytes.len, &position));
	for (; at < bytes.len; at += used)
		EXPECT_OK(journal_entry_unpack(bytes.data + at, bytes.len - at, &position, &entry,
		                               &used));
	EXPECT_INT(2, position.count);
	EXPECT_STR("used", entry.id.name);
	EXPECT_INT(2, entry.version);
	buf_fini(&bytes);
}

TEST_MAIN()
