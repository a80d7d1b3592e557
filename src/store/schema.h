/* schema.h - the numbered steps that make today's tables out of any earlier ones.
 *
 * A step is one file schema_NNN_word.c and is never edited once released: a change is a new step.
 * Each runs in one transaction together with the record that it ran. Forward only.
 * To add one: write the file, add it to the list in schema.c and to meson.build, and dump the
 * result into tests/vectors/schema/ (tools/dump-schema). */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include "base/err.h"

struct conn; /* conn.h */

struct schema_step {
	int number;        /* counts from 1 without gaps */
	const char *title; /* for the log and the meta records */
	const char *sql;
};

extern const struct schema_step schema_001_base;
extern const struct schema_step schema_002_runs;
extern const struct schema_step schema_003_access;
extern const struct schema_step schema_004_audit;

/* Brings the database from whatever it has to the newest schema. UN_ERR_SCHEMA_NEWER;
 * *ret_from is what was found (0: a new database). */
MUST_CHECK enum un_err schema_migrate(struct conn *conn, int *ret_from, struct un_detail *detail);

#ifdef UN_FAULTS
/* For tests of migrations: stop at an earlier schema. 0: the newest. */
void schema_stop_at(int number);
#endif

#endif
