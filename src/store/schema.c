#include "store/schema.h"

#include "base/clock.h"
#include "store/conn.h"
#include "store/meta.h"
#include "store/store.h"

#include <stdio.h>

#define APPLICATION_ID 0x556e696f /* "Unio", so that file(1) and we know whose database it is */

static const struct schema_step *const steps[] = {
	&schema_001_base,
	&schema_002_runs,
	&schema_003_access,
	&schema_004_audit,
};
#define STEP_COUNT (int)(sizeof steps / sizeof steps[0])

#ifdef UN_FAULTS
static int stop_at;

void
schema_stop_at(int number)
{
	stop_at = number;
}

static int
last_step(void)
{
	return stop_at ? stop_at : STEP_COUNT;
}
#else
static int
last_step(void)
{
	return STEP_COUNT;
}
#endif

int
store_schema_newest(void)
{
	return STEP_COUNT;
}

static enum un_err
record_step(struct conn *conn, const struct schema_step *step, struct un_detail *detail)
{
	char text[160], key[32], when[CLOCK_TEXT_MAX];
	enum un_err err;
	int len;

	(void)snprintf(text, sizeof text, "PRAGMA user_version = %d; PRAGMA application_id = %d;",
	               step->number, APPLICATION_ID);
	err = conn_exec(conn, text, detail);
	if (err)
		return err;
	clock_format(clock_wall_us(), when);
	(void)snprintf(key, sizeof key, "schema.%d", step->number);
	len = snprintf(text, sizeof text, "%s by %s at %s", step->title, UNION_VERSION, when);
	return meta_set_view(&conn->view, key, text, (size_t)len, detail);
}

static enum un_err
run_step(struct conn *conn, const struct schema_step *step, struct un_detail *detail)
{
	enum un_err err;

	err = conn_exec(conn, "BEGIN IMMEDIATE", detail);
	if (err)
		return err;
	err = conn_exec(conn, step->sql, detail);
	if (!err)
		err = record_step(conn, step, detail);
	if (!err)
		err = conn_exec(conn, "COMMIT", detail);
	if (err && !sqlite3_get_autocommit(conn->db))
		(void)sqlite3_exec(conn->db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

enum un_err
schema_migrate(struct conn *conn, int *ret_from, struct un_detail *detail)
{
	int64_t found = 0, owner = 0, tables = 0;
	enum un_err err;

	err = conn_number(conn, "PRAGMA user_version", &found, detail);
	if (!err)
		err = conn_number(conn, "PRAGMA application_id", &owner, detail);
	if (!err)
		err = conn_number(conn, "SELECT count(*) FROM sqlite_master", &tables, detail);
	if (err)
		return err;
	if (found < 0 || (found == 0) != (tables == 0) || (found > 0 && owner != APPLICATION_ID))
		return un_fail(detail, UN_ERR_DAMAGED, "%s is not a database of this program",
		               STORE_DATABASE);
	if (found > STEP_COUNT)
		return un_fail(detail, UN_ERR_SCHEMA_NEWER,
		               "the database has schema %lld, this version knows schemas up to %d",
		               (long long)found, STEP_COUNT);
	for (int i = (int)found; i < last_step() && i < STEP_COUNT; i++) {
		err = run_step(conn, steps[i], detail);
		if (err)
			return err;
	}
	*ret_from = (int)found;
	return UN_OK;
}
