#include "base/alloc.h"
#include "store/store_impl.h"

struct store_reader {
	struct conn *conn;
	const struct store *store;
	uint_fast64_t seen; /* store->commits when the read transaction began */
	bool reading;
};

enum un_err
store_reader_open(struct store *store, struct store_reader **ret_reader, struct un_detail *detail)
{
	struct store_reader *reader = mem_zalloc(1, sizeof *reader);
	enum un_err err;

	if (!reader)
		return un_fail(detail, UN_ERR_NO_MEMORY, "out of memory");
	err = conn_open(store->path, CONN_READER, &reader->conn, detail);
	if (err) {
		mem_free(reader);
		return err;
	}
	reader->store = store;
	*ret_reader = reader;
	return UN_OK;
}

void
store_reader_close(struct store_reader *reader)
{
	if (!reader)
		return;
	store_read_end(reader);
	conn_shut(reader->conn);
	mem_free(reader);
}

/* BEGIN alone takes no snapshot: the first statement does. `seen` is read before it, so a commit
 * that comes between the two only makes the next call renew a snapshot that was fresh already. The
 * other way round: a commit counted in `seen` was complete before the snapshot is taken, and no
 * snapshot may be older than a count the caller could have learnt of, because the snapshot is taken
 * here. */
enum un_err
store_read_begin(struct store_reader *reader, struct un_detail *detail)
{
	uint_fast64_t now = atomic_load_explicit(&reader->store->commits, memory_order_acquire);
	struct sql *sql;
	enum un_err err;
	bool row;

	if (reader->reading && reader->seen == now) {
		conn_end_lending(reader->conn);
		return UN_OK;
	}
	store_read_end(reader);
	err = sql_open(&reader->conn->view, "BEGIN", &sql, detail);
	if (!err)
		err = sql_run(sql, detail);
	if (err)
		return err;
	reader->reading = true;
	reader->seen = now;
	err = sql_open(&reader->conn->view, "SELECT 1 FROM meta LIMIT 1", &sql, detail);
	if (!err) {
		err = sql_step(sql, &row, detail);
		sql_close(sql);
	}
	if (err)
		store_read_end(reader);
	return err;
}

void
store_read_end(struct store_reader *reader)
{
	struct sql *sql;

	conn_reset_statements(reader->conn);
	if (!reader->reading)
		return;
	reader->reading = false;
	if (sql_open(&reader->conn->view, "COMMIT", &sql, NULL) == UN_OK &&
	    sql_run(sql, NULL) == UN_OK)
		return;
	if (!sqlite3_get_autocommit(reader->conn->db)) /* no memory: the plain way needs less */
		(void)sqlite3_exec(reader->conn->db, "ROLLBACK", NULL, NULL, NULL);
}

bool
store_is_reading(const struct store_reader *reader)
{
	return reader->reading;
}

struct store_view *
store_reader_view(struct store_reader *reader)
{
	return &reader->conn->view;
}

void
store_reader_trim(struct store_reader *reader)
{
	store_read_end(reader);
	(void)sqlite3_db_release_memory(reader->conn->db);
	/* The mapped pages of the file count as ours until they are unmapped. */
	(void)sqlite3_exec(
		reader->conn->db,
		"PRAGMA mmap_size = 0; SELECT 1 FROM meta LIMIT 1; PRAGMA mmap_size = 1073741824",
		NULL, NULL, NULL);
}
