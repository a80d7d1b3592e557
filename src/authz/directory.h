/* directory.h - the API keys and grants there are, in memory, for every request.
 *
 * A view is immutable. After each durable change a new one is made from the database and takes the
 * place of the last as a whole. Each thread has a reader, which holds a reference to the view it
 * saw last: as long as nothing has changed, looking costs one load of a number and no lock. A view
 * is freed with its last reference.
 *
 * If the new view cannot be made (no memory, no disk), an empty one takes its place: a grant that
 * was taken back must not go on. directory_is_stale says so, and directory_refresh tries again. */
#ifndef AUTHZ_DIRECTORY_H
#define AUTHZ_DIRECTORY_H

#include "authz/authz.h"
#include "store/access.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct directory;
struct directory_view;

MUST_CHECK enum un_err directory_new(struct directory **ret_directory); /* empty */
void directory_free(struct directory *directory); /* after its readers; NULL is fine */

/* Reads what is there now, with the reader of this thread (which begins a read), and shows it to
 * everybody. After a write was acknowledged this shows it, whatever other threads do. Any thread.
 */
MUST_CHECK enum un_err directory_refresh(struct directory *directory, struct store_reader *reader,
                                         struct un_detail *detail);
bool directory_is_stale(const struct directory *directory); /* the last refresh failed */

/* One thread's; in the owner's storage. */
struct directory_reader {
	struct directory *directory;
	struct directory_view *view;
	uint64_t version;
};
void directory_reader_init(struct directory_reader *reader, struct directory *directory);
void directory_reader_fini(struct directory_reader *reader); /* a zeroed one is fine */
/* The newest view; lent until the next call for this reader. */
const struct directory_view *directory_peek(struct directory_reader *reader);
/* The newest view to keep, for other threads to use: directory_view_unref. */
struct directory_view *directory_take(struct directory_reader *reader);
void directory_view_unref(struct directory_view *view); /* NULL is fine */

/* ---- a view ---- */

struct directory_grant {
	enum authz_role role;
	struct scope scope;
};

struct directory_key {
	int64_t id;
	char name[API_KEY_NAME_MAX + 1];
	uint8_t hash[API_KEY_HASH_LEN];
	struct scope scope; /* where it belongs; gives no right */
	uint64_t epoch;
	int64_t expires_us;         /* 0: never. Whoever lets it log in looks at this */
	unsigned roles_anywhere;    /* bit 1 << role: granted in some scope */
	unsigned roles_everywhere;  /* granted for the whole organization */
	const struct directory_grant *grants;
	size_t grant_count;
};

/* NULL: no such key. A view of NULL has none. */
const struct directory_key *directory_find_key(const struct directory_view *view, const char *name);
const struct directory_key *directory_find_key_id(const struct directory_view *view, int64_t id);
/* Bits 1 << role that `key` has by grants that cover `scope`: for the whole organization, for its
 * project, for its domain, for both. 0 where that is no other scope than a wider one. */
struct directory_roles {
	unsigned organization, project, domain, both;
};
void directory_roles_over(const struct directory_view *view, const struct directory_key *key,
                          const struct scope *scope, struct directory_roles *ret_roles);
size_t directory_key_count(const struct directory_view *view);

/* For tests, benchmarks and directory_refresh: a view of these rows; roles that are not known and
 * principals that are no key there are left out. The caller owns it. */
MUST_CHECK enum un_err directory_view_new(const struct api_key_row *keys, size_t key_count,
                                          const struct grant_row *grants, size_t grant_count,
                                          struct directory_view **ret_view);
/* Takes the reference of the caller, and shows it to everybody. */
void directory_show(struct directory *directory, struct directory_view *view);

#endif
