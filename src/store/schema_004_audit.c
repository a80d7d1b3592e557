/* Schema 4: who used which secret, and ways into the audit trail.
 *
 * secret_uses: one row for each version of a secret that an execution received, counted up; written
 * in the transaction of the release. The index is the order in which they are shown. It outlives
 * the secret: a secret made again under the same name looks at what is later than itself.
 *
 * journal_releases: which entry of the trail a release in the keeper's journal has. Numbers rise,
 * so it grows at its end.
 *
 * trail_blocks: which words occur in 1,024 entries of the trail, as a Bloom filter of 4 KiB. Real
 * indexes by name, principal and action were measured first: they cost the writer 14 us of its 24
 * for each create. */
#include "store/schema.h"

const struct schema_step schema_004_audit = {
	.number = 4,
	.title = "uses of secrets, blocks of the audit trail",
	.sql = "CREATE TABLE secret_uses (\n"
	       "  id INTEGER PRIMARY KEY,\n"
	       "  project TEXT NOT NULL,\n"
	       "  domain TEXT NOT NULL,\n"
	       "  name TEXT NOT NULL,\n"
	       "  execution_project TEXT NOT NULL,\n"
	       "  execution_domain TEXT NOT NULL,\n"
	       "  execution TEXT NOT NULL,\n"
	       "  version INTEGER NOT NULL,\n"
	       "  releases INTEGER NOT NULL,\n"
	       "  first_at INTEGER NOT NULL,\n"
	       "  last_at INTEGER NOT NULL,\n"
	       "  UNIQUE (project, domain, name, execution, execution_project, execution_domain,\n"
	       "          version)\n"
	       ");\n"
	       "CREATE INDEX secret_uses_by_time ON secret_uses (project, domain, name, last_at);\n"
	       "CREATE TABLE journal_releases (\n"
	       "  journal BLOB NOT NULL,\n"
	       "  number INTEGER NOT NULL,\n"
	       "  seq INTEGER NOT NULL,\n"
	       "  PRIMARY KEY (journal, number)\n"
	       ") WITHOUT ROWID;\n"
	       "CREATE TABLE trail_blocks (\n"
	       "  block INTEGER PRIMARY KEY,\n"
	       "  words BLOB NOT NULL\n"
	       ");\n",
};
