#include "audit/audit.h"

#include "store/sql.h"
#include "store/testing.h"
#include "test.h"

struct plane {
	struct scratch scratch;
	struct store *store;
	struct store_reader *reader;
};

static struct plane
plane_begin(void)
{
	struct plane plane = {.scratch = scratch_begin()};

	EXPECT_OK(crypto_init());
	plane.store = scratch_open(&plane.scratch);
	EXPECT_OK(store_reader_open(plane.store, &plane.reader, NULL));
	return plane;
}

static void
plane_end(struct plane *plane)
{
	store_reader_close(plane->reader);
	store_close(plane->store);
	scratch_end(&plane->scratch);
}

static struct store_view *
now(struct plane *plane)
{
	EXPECT_OK(store_read_begin(plane->reader, NULL));
	return store_reader_view(plane->reader);
}

static enum un_err
append_apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	return audit_append(txn, ctx, detail);
}

static void
append(struct plane *plane, enum audit_action action, const char *name, const char *principal)
{
	struct secret_id id;
	struct audit_event event = {
		.action = action,
		.verdict = AUDIT_ALLOWED,
		.principal = principal,
		.secret = &id,
		.version = 3,
		.execution = "f123",
		.node = "n0",
		.attempt = 1,
		.request_id = "r-1",
	};

	EXPECT_OK(secret_id_init(&id, "p", "d", name, NULL));
	EXPECT_OK(store_write_wait(plane->store, append_apply, &event, NULL));
}

static enum un_err
verify(struct plane *plane, const struct audit_head *from, struct audit_head *head, uint64_t *bad)
{
	return audit_verify(now(plane), from, head, bad, NULL);
}

/* What somebody with the database file can do. */
static enum un_err
tamper_apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	struct sql *sql;
	enum un_err err = sql_open(store_txn_view(txn), ctx, &sql, detail);

	return err ? err : sql_run(sql, detail);
}

static void
fill(struct plane *plane)
{
	append(plane, AUDIT_SECRET_CREATE, "a", "uid:1");
	append(plane, AUDIT_SECRET_RELEASE, "b", "execution:f123");
	append(plane, AUDIT_SECRET_DELETE, "a", "uid:2");
	append(plane, AUDIT_SECRET_RELEASE, "b", "execution:f124");
}

TEST(audit, an_untouched_trail_verifies_whole_and_from_any_head)
{
	struct plane plane = plane_begin();
	struct audit_head head = {0}, later = {0};
	uint64_t bad = 0;

	EXPECT_OK(verify(&plane, NULL, &head, &bad));
	EXPECT_INT(0, head.seq);
	fill(&plane);
	EXPECT_OK(verify(&plane, NULL, &head, &bad));
	EXPECT_INT(4, head.seq);
	append(&plane, AUDIT_SECRET_UPDATE, "b", "uid:1");
	EXPECT_OK(verify(&plane, &head, &later, &bad));
	EXPECT_INT(5, later.seq);
	head.hash[3] ^= 1;
	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, verify(&plane, &head, &later, &bad));
	EXPECT_INT(5, bad);
	plane_end(&plane);
}

TEST(audit, names_the_first_entry_that_was_touched)
{
	static const struct {
		const char *sql;
		unsigned bad;
	} cases[] = {
		{"UPDATE trail SET entry = substr(entry, 1, 60) || x'7a' || substr(entry, 62) "
	         "WHERE seq = 3",
	         3},
		{"UPDATE trail SET hash = zeroblob(32) WHERE seq = 2", 2},
		{"UPDATE trail SET hash = zeroblob(31) WHERE seq = 2", 2},
		{"DELETE FROM trail WHERE seq = 1", 1},
		{"DELETE FROM trail WHERE seq = 3", 3},
		{"UPDATE trail SET name = 'other' WHERE seq = 4", 4},
		{"UPDATE trail SET principal = 'uid:0' WHERE seq = 2", 2},
		{"UPDATE trail SET entry = x'' WHERE seq = 1", 1},
		{"UPDATE trail SET (entry, hash) = (SELECT entry, hash FROM trail WHERE seq = 4)"
	         " WHERE seq = 2",
	         2},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct plane plane = plane_begin();
		struct audit_head head = {0};
		char *text = mem_strdup(cases[i].sql);
		uint64_t bad = 0;

		fill(&plane);
		EXPECT_OK(store_write_wait(plane.store, tamper_apply, text, NULL));
		EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, verify(&plane, NULL, &head, &bad));
		EXPECT_INT(cases[i].bad, bad);
		plane_end(&plane);
		mem_free(text);
	}
}

/* Computed from docs/formats/audit.md by other code than ours. */
TEST(audit, makes_the_bytes_that_the_format_promises)
{
	static const uint8_t expected[HASH_LEN] = {
		0xcc, 0xc6, 0x91, 0x1e, 0x4a, 0x20, 0x58, 0x7f, 0xa2, 0xe3, 0x25,
		0x8f, 0x89, 0xe0, 0xc5, 0xb2, 0xae, 0x24, 0x28, 0x93, 0xfd, 0x12,
		0x7a, 0xa8, 0xf5, 0x33, 0x11, 0xca, 0xe5, 0xb8, 0x7a, 0x58};
	struct plane plane = plane_begin();
	struct secret_id id;
	struct audit_event event = {
		.at_us = 1763900000000000,
		.action = AUDIT_SECRET_RELEASE,
		.verdict = AUDIT_ALLOWED,
		.principal = "execution:f123",
		.secret = &id,
		.version = 3,
		.execution = "f123",
		.node = "n0",
		.attempt = 1,
		.request_id = "r-1",
	};
	struct audit_head head;
	uint64_t bad;

	EXPECT_OK(secret_id_init(&id, "fraud", "production", "db_url", NULL));
	EXPECT_OK(store_write_wait(plane.store, append_apply, &event, NULL));
	EXPECT_OK(verify(&plane, NULL, &head, &bad));
	EXPECT_BYTES(expected, head.hash, HASH_LEN);
	plane_end(&plane);
}

struct seen {
	char text[512];
};

static bool
see(void *ctx, const struct audit_record *record)
{
	struct seen *seen = ctx;
	size_t used = strlen(seen->text);

	(void)snprintf(seen->text + used, sizeof seen->text - used,
	               "%llu:%s:%s:%s/%s/%s.%u:%s/%s/%u ", (unsigned long long)record->seq,
	               audit_action_text(record->action), record->principal,
	               record->secret.scope.project, record->secret.scope.domain,
	               record->secret.name, record->version, record->execution, record->node,
	               record->attempt);
	return true;
}

TEST(audit, lists_what_was_asked_for_newest_first)
{
	struct plane plane = plane_begin();
	struct audit_filter filter = {.action = AUDIT_SECRET_RELEASE, .limit = 10};
	struct seen seen = {""};
	uint64_t next;

	fill(&plane);
	EXPECT_OK(audit_list(now(&plane), &filter, see, &seen, &next, NULL));
	EXPECT_STR("4:secret.release:execution:f124:p/d/b.3:f123/n0/1 "
	           "2:secret.release:execution:f123:p/d/b.3:f123/n0/1 ",
	           seen.text);
	filter = (struct audit_filter){.name = "a", .principal = "uid:2", .limit = 10};
	seen.text[0] = '\0';
	EXPECT_OK(audit_list(now(&plane), &filter, see, &seen, &next, NULL));
	EXPECT_STR("3:secret.delete:uid:2:p/d/a.3:f123/n0/1 ", seen.text);
	EXPECT_INT(0, next);
	filter = (struct audit_filter){.before_seq = 3, .limit = 1};
	seen.text[0] = '\0';
	EXPECT_OK(audit_list(now(&plane), &filter, see, &seen, &next, NULL));
	EXPECT_STR("2:secret.release:execution:f123:p/d/b.3:f123/n0/1 ", seen.text);
	EXPECT_INT(2, next);
	filter = (struct audit_filter){.domain = "e", .limit = 1};
	seen.text[0] = '\0';
	EXPECT_OK(audit_list(now(&plane), &filter, see, &seen, &next, NULL));
	EXPECT_STR("", seen.text);
	plane_end(&plane);
}

TEST(audit, refuses_what_does_not_fit_and_cuts_what_a_client_chose)
{
	struct plane plane = plane_begin();
	char longer[400];
	struct audit_event event = {.action = AUDIT_BACKUP, .verdict = AUDIT_DENIED};
	struct audit_head head;
	uint64_t bad;

	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	event.principal = longer;
	EXPECT_ERR(UN_ERR_TOO_LARGE, store_write_wait(plane.store, append_apply, &event, NULL));
	event.principal = "uid:1";
	event.request_id = longer;
	event.reason = longer;
	EXPECT_OK(store_write_wait(plane.store, append_apply, &event, NULL));
	EXPECT_OK(verify(&plane, NULL, &head, &bad));
	EXPECT_INT(1, head.seq);
	plane_end(&plane);
}

/* Flips and cuts of the bytes of an entry are refused or read as something else, never misread. */
TEST(audit, an_entry_cut_anywhere_is_refused)
{
	struct audit_record record;
	uint8_t previous[HASH_LEN], entry[256] = {1};
	size_t len = 1 + HASH_LEN + 8 + 8 + 2 + 1 + 5 * 4 + 4 + 2 * 4 + 4 + 2 * 4 + 4;

	EXPECT_OK(audit_entry_unpack(entry, len, &record, previous));
	for (size_t cut = 0; cut < len; cut++)
		EXPECT_ERR(UN_ERR_PROTOCOL, audit_entry_unpack(entry, cut, &record, previous));
	EXPECT_ERR(UN_ERR_PROTOCOL, audit_entry_unpack(entry, len + 1, &record, previous));
	entry[0] = 2;
	EXPECT_ERR(UN_ERR_PROTOCOL, audit_entry_unpack(entry, len, &record, previous));
}

TEST_MAIN()
