/* Schema 3: API keys, and the roles granted to principals.
 *
 * api_keys: `hash` is that of the key's secret, under a key of the keeper. Numbers are never used
 * twice (AUTOINCREMENT), because a token names its key by number. `epoch` is raised to void every
 * token of the key. `project` and `domain`: where the key belongs, for whoever administers it.
 *
 * grants: the index is the order of lists; an empty project or domain is any. `role` is a word, so
 * that a row of a newer version is not taken for another role: what is not known allows nothing. */
#include "store/schema.h"

const struct schema_step schema_003_access = {
	.number = 3,
	.title = "API keys, grants",
	.sql = "CREATE TABLE api_keys (\n"
	       "  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
	       "  name TEXT NOT NULL UNIQUE,\n"
	       "  hash BLOB NOT NULL,\n"
	       "  project TEXT NOT NULL,\n"
	       "  domain TEXT NOT NULL,\n"
	       "  epoch INTEGER NOT NULL,\n"
	       "  created_at INTEGER NOT NULL,\n"
	       "  created_by TEXT NOT NULL,\n"
	       "  expires_at INTEGER NOT NULL,\n"
	       "  last_used_at INTEGER NOT NULL\n"
	       ");\n"
	       "CREATE TABLE grants (\n"
	       "  id INTEGER PRIMARY KEY,\n"
	       "  principal TEXT NOT NULL,\n"
	       "  project TEXT NOT NULL,\n"
	       "  domain TEXT NOT NULL,\n"
	       "  role TEXT NOT NULL,\n"
	       "  created_at INTEGER NOT NULL,\n"
	       "  created_by TEXT NOT NULL,\n"
	       "  UNIQUE (principal, project, domain, role)\n"
	       ");\n",
};
