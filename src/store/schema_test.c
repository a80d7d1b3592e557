/* Every schema that was ever released must open: tests/vectors/schema/N.sql builds a database of
 * schema N with rows in it. The newest dump is also compared with what the steps make today, so
 * that a step cannot be edited once its dump is there. */
#include "store/schema.h"

#include "store/conn.h"
#include "store/secrets_testing.h"
#include "test.h"

#define DUMP_MAX (1u << 20)

static void
load_dump(const struct scratch *scratch, int number)
{
	char path[512];
	struct buf text;
	struct conn *conn;
	struct un_detail detail = {0};

	buf_init(&text, DUMP_MAX, BUF_PLAIN);
	(void)snprintf(path, sizeof path, "%s/schema/%d.sql", VECTORS, number);
	EXPECT_OK(io_read_file(AT_FDCWD, path, &text));
	(void)snprintf(path, sizeof path, "%s/%s", scratch->dir, STORE_DATABASE);
	EXPECT_OK(conn_open(path, CONN_WRITER, &conn, &detail));
	EXPECT_OK(conn_exec(conn, "PRAGMA journal_mode = WAL", &detail));
	EXPECT_OK(conn_exec(conn, buf_text(&text), &detail));
	conn_shut(conn);
	buf_fini(&text);
}

static void
describe(const struct scratch *scratch, struct buf *out)
{
	char path[512];
	struct conn *conn;
	sqlite3_stmt *stmt;

	(void)snprintf(path, sizeof path, "%s/%s", scratch->dir, STORE_DATABASE);
	EXPECT_OK(conn_open(path, CONN_WRITER, &conn, NULL));
	EXPECT(sqlite3_prepare_v2(
		       conn->db,
		       "SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY type, name", -1,
		       &stmt, NULL) == SQLITE_OK);
	buf_clear(out);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		EXPECT_OK(buf_append_text(out, (const char *)sqlite3_column_text(stmt, 0)));
		EXPECT_OK(buf_append_text(out, ";\n"));
	}
	(void)sqlite3_finalize(stmt);
	conn_shut(conn);
}

TEST(schema, every_earlier_one_becomes_todays_and_keeps_its_rows)
{
	struct scratch fresh = scratch_begin();
	struct buf expected, found;

	buf_init(&expected, DUMP_MAX, BUF_PLAIN);
	buf_init(&found, DUMP_MAX, BUF_PLAIN);
	store_close(scratch_open(&fresh));
	describe(&fresh, &expected);
	for (int number = 1; number <= store_schema_newest(); number++) {
		struct scratch scratch = scratch_begin();
		struct store_reader *reader;
		struct secret_sealed sealed;
		struct secret_id at;
		struct store *store;

		load_dump(&scratch, number);
		store = scratch_open(&scratch);
		EXPECT_OK(store_reader_open(store, &reader, NULL));
		EXPECT_OK(store_read_begin(reader, NULL));
		EXPECT_OK(secret_id_init(&at, "fraud", "production", "db_url", NULL));
		EXPECT_OK(secret_resolve(store_reader_view(reader), &at, 0, &sealed, NULL));
		EXPECT_INT(2, sealed.version);
		EXPECT_INT(60, sealed.sealed_value_len);
		EXPECT_STR("", sealed.head.id.scope.domain);
		store_reader_close(reader);
		store_close(store);
		describe(&scratch, &found);
		EXPECT_STR(buf_text(&expected), buf_text(&found));
		scratch_end(&scratch);
	}
	buf_fini(&found);
	buf_fini(&expected);
	scratch_end(&fresh);
}

static void
exec(const struct scratch *scratch, const char *text)
{
	char path[512];
	struct conn *conn;

	(void)snprintf(path, sizeof path, "%s/%s", scratch->dir, STORE_DATABASE);
	EXPECT_OK(conn_open(path, CONN_WRITER, &conn, NULL));
	EXPECT_OK(conn_exec(conn, text, NULL));
	conn_shut(conn);
}

static enum un_err
try_open(const struct scratch *scratch, struct un_detail *detail)
{
	struct store_options options = {.dir = scratch->dir, .create = true};
	struct store *store = NULL;
	enum un_err err = store_open(&options, &store, detail);

	EXPECT((err == UN_OK) == (store != NULL));
	store_close(store);
	return err;
}

TEST(schema, refuses_a_newer_one_and_a_foreign_database)
{
	struct scratch scratch = scratch_begin();
	struct un_detail detail = {0};

	store_close(scratch_open(&scratch));
	exec(&scratch, "PRAGMA user_version = 9999");
	EXPECT_ERR(UN_ERR_SCHEMA_NEWER, try_open(&scratch, &detail));
	assert_non_null(strstr(detail.message, "9999"));
	scratch_empty(&scratch);
	exec(&scratch, "CREATE TABLE cookies (a); PRAGMA user_version = 1");
	EXPECT_ERR(UN_ERR_DAMAGED, try_open(&scratch, &detail));
	scratch_empty(&scratch);
	exec(&scratch, "CREATE TABLE cookies (a)");
	EXPECT_ERR(UN_ERR_DAMAGED, try_open(&scratch, &detail));
	scratch_end(&scratch);
}

TEST(inspect, refuses_a_damaged_database_and_says_how_to_restore)
{
	struct scratch scratch = scratch_begin();
	struct store *store = scratch_open(&scratch);
	struct un_detail detail = {0};
	struct buf good;
	char name[16];

	for (unsigned i = 0; i < 40; i++) {
		(void)snprintf(name, sizeof name, "k%u", i);
		sample_put(store, "p", "d", name, (int)i);
	}
	store_close(store);
	buf_init(&good, 64u << 20, BUF_PLAIN);
	EXPECT_OK(io_read_file(scratch.dir_fd, STORE_DATABASE, &good));
	EXPECT(good.len > 10 * 4096);

	for (size_t len = 1; len < good.len;
	     len = len < 4096 ? len * 3 : len + 4096) { /* cut off */
		scratch_empty(&scratch);
		EXPECT_OK(io_replace_file(scratch.dir_fd, STORE_DATABASE, good.data, len, 0600));
		EXPECT_ERR(UN_ERR_DAMAGED, try_open(&scratch, &detail));
		assert_non_null(strstr(un_hint_text(UN_ERR_DAMAGED, &detail), "union restore"));
	}
	for (size_t page = 0; page * 4096 < good.len; page++) { /* one page overwritten */
		uint8_t saved[4096];

		memcpy(saved, good.data + page * 4096, sizeof saved);
		memset(good.data + page * 4096, 0x5a, sizeof saved);
		scratch_empty(&scratch);
		EXPECT_OK(
			io_replace_file(scratch.dir_fd, STORE_DATABASE, good.data, good.len, 0600));
		EXPECT_ERR(UN_ERR_DAMAGED, try_open(&scratch, &detail));
		memcpy(good.data + page * 4096, saved, sizeof saved);
	}
	scratch_empty(&scratch); /* the database is gone, its log is not */
	EXPECT_OK(io_replace_file(scratch.dir_fd, STORE_DATABASE "-wal", good.data, 5000, 0600));
	EXPECT_ERR(UN_ERR_DAMAGED, try_open(&scratch, &detail));
	scratch_empty(&scratch);
	EXPECT_OK(io_replace_file(scratch.dir_fd, STORE_DATABASE, good.data, good.len, 0644));
	EXPECT_OK(try_open(&scratch, &detail)); /* the good one, too open: made private */
	buf_fini(&good);
	scratch_end(&scratch);
}

TEST_MAIN()
