/* Schema 1: meta, scopes, secrets and their versions, the audit trail.
 *
 * secrets: one tree, in the order of lists, and without a rowid, so that finding one is one
 * descent. There is no second index by name: it would double the pages that a create changes, and a
 * lookup always knows the scope. Whoever looks for a name in every scope goes through `scopes`.
 *
 * versions: one tree by number, `id` = secret's id * 2^20 + version. The newest version is the end
 * of a range, no other index is needed, and new secrets append at the end of the tree. A sealed
 * value of up to 1024 bytes lies in the row; a larger one in large_values, so that re-sealing a DEK
 * never rewrites a megabyte and small rows stay dense. `generation` is that of stored_dek.
 *
 * scopes: every (project, domain) ever seen, with the number of secrets in it.
 *
 * trail: the audit trail; `entry` holds the bytes that `hash` covers, the other columns repeat
 * parts of it for filters. */
#include "store/schema.h"

const struct schema_step schema_001_base = {
	.number = 1,
	.title = "meta, scopes, secrets, audit trail",
	.sql = "CREATE TABLE meta (\n"
	       "  key TEXT NOT NULL PRIMARY KEY,\n"
	       "  value BLOB NOT NULL\n"
	       ") WITHOUT ROWID;\n"
	       "CREATE TABLE scopes (\n"
	       "  org TEXT NOT NULL,\n"
	       "  project TEXT NOT NULL,\n"
	       "  domain TEXT NOT NULL,\n"
	       "  secrets INTEGER NOT NULL,\n"
	       "  PRIMARY KEY (org, project, domain)\n"
	       ") WITHOUT ROWID;\n"
	       "CREATE TABLE secrets (\n"
	       "  org TEXT NOT NULL,\n"
	       "  project TEXT NOT NULL,\n"
	       "  domain TEXT NOT NULL,\n"
	       "  name TEXT NOT NULL,\n"
	       "  id INTEGER NOT NULL,\n"
	       "  type INTEGER NOT NULL,\n"
	       "  version INTEGER NOT NULL,\n"
	       "  created_at INTEGER NOT NULL,\n"
	       "  updated_at INTEGER NOT NULL,\n"
	       "  PRIMARY KEY (org, project, domain, name)\n"
	       ") WITHOUT ROWID;\n"
	       "CREATE TABLE versions (\n"
	       "  id INTEGER PRIMARY KEY,\n"
	       "  generation INTEGER NOT NULL,\n"
	       "  created_at INTEGER NOT NULL,\n"
	       "  stored_dek BLOB NOT NULL,\n"
	       "  sealed_value BLOB\n"
	       ");\n"
	       "CREATE INDEX versions_by_generation ON versions (generation);\n"
	       "CREATE TABLE large_values (\n"
	       "  id INTEGER PRIMARY KEY REFERENCES versions (id),\n"
	       "  sealed_value BLOB NOT NULL\n"
	       ");\n"
	       "CREATE TABLE trail (\n"
	       "  seq INTEGER PRIMARY KEY,\n"
	       "  at INTEGER NOT NULL,\n"
	       "  action INTEGER NOT NULL,\n"
	       "  verdict INTEGER NOT NULL,\n"
	       "  principal TEXT NOT NULL,\n"
	       "  project TEXT NOT NULL,\n"
	       "  domain TEXT NOT NULL,\n"
	       "  name TEXT NOT NULL,\n"
	       "  execution TEXT NOT NULL,\n"
	       "  entry BLOB NOT NULL,\n"
	       "  hash BLOB NOT NULL\n"
	       ");\n",
};
