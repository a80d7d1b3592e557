/* A view is four arrays and three tables of open addressing over them: keys by name, keys by
 * number, and the roles of (key, scope). A decision looks for at most four scopes, so that it costs
 * the same for a key with one grant and with thousands. */
#include "authz/directory.h"

#include "base/alloc.h"
#include "crypto/hash.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* Roles that a key has in one scope. */
struct slot {
	uint32_t key; /* index + 1; 0: free */
	unsigned roles;
	const struct scope *scope;
};

struct directory_view {
	_Atomic size_t refs;
	uint64_t seed; /* of the tables */
	size_t key_count, grant_count;
	size_t key_mask, slot_mask; /* sizes of the tables, less one */
	struct directory_key *keys;
	struct directory_grant *grants; /* those of a key lie together */
	uint32_t *by_name, *by_id;      /* index + 1; 0: free */
	struct slot *slots;
};

struct directory {
	pthread_mutex_t refreshing; /* from reading the database to showing what was read */
	pthread_mutex_t lock;       /* over `current` */
	struct directory_view *current;
	atomic_uint_fast64_t version; /* raised under `lock` */
	atomic_bool stale;
};

/* ---- tables ---- */

static uint64_t
mix(uint64_t hash)
{
	hash ^= hash >> 32;
	hash *= 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 29;
}

static uint64_t
hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
	return mix(hash + 1);
}

/* Of a place in the table of roles, from the hashes of project and domain: four of them are made
 * of the same two. */
static uint64_t
hash_place(const struct directory_view *view, size_t key, uint64_t project, uint64_t domain)
{
	return mix(view->seed + key + project * 3 + domain * 5);
}

static size_t
table_size(size_t count)
{
	size_t size = 4;

	while (size < 2 * count)
		size *= 2;
	return size;
}

static void
enter(uint32_t *table, size_t mask, uint64_t hash, size_t index)
{
	size_t at = (size_t)hash & mask;

	while (table[at])
		at = (at + 1) & mask;
	table[at] = (uint32_t)index + 1;
}

const struct directory_key *
directory_find_key(const struct directory_view *view, const char *name)
{
	size_t at;

	if (!view)
		return NULL;
	at = (size_t)hash_text(view->seed, name) & view->key_mask;
	for (; view->by_name[at]; at = (at + 1) & view->key_mask) {
		const struct directory_key *key = &view->keys[view->by_name[at] - 1];

		if (strcmp(key->name, name) == 0)
			return key;
	}
	return NULL;
}

const struct directory_key *
directory_find_key_id(const struct directory_view *view, int64_t id)
{
	size_t at;

	if (!view)
		return NULL;
	at = (size_t)mix(view->seed + (uint64_t)id) & view->key_mask;
	for (; view->by_id[at]; at = (at + 1) & view->key_mask) {
		const struct directory_key *key = &view->keys[view->by_id[at] - 1];

		if (key->id == id)
			return key;
	}
	return NULL;
}

static bool
is_place(const struct slot *slot, size_t key, const char *project, const char *domain)
{
	return slot->key == key + 1 && strcmp(slot->scope->project, project) == 0 &&
	       strcmp(slot->scope->domain, domain) == 0;
}

/* The slot of this key and scope, or the free one where it would be. */
static struct slot *
find_slot(const struct directory_view *view, size_t key, const char *project, const char *domain,
          uint64_t hash)
{
	size_t at = (size_t)hash & view->slot_mask;

	while (view->slots[at].key && !is_place(&view->slots[at], key, project, domain))
		at = (at + 1) & view->slot_mask;
	return &view->slots[at];
}

void
directory_roles_over(const struct directory_view *view, const struct directory_key *key,
                     const struct scope *scope, struct directory_roles *ret_roles)
{
	size_t index = (size_t)(key - view->keys);
	uint64_t project = hash_text(view->seed, scope->project);
	uint64_t domain = hash_text(view->seed, scope->domain);
	uint64_t any = hash_text(view->seed, "");

	*ret_roles = (struct directory_roles){.organization = key->roles_everywhere};
	if (scope->project[0])
		ret_roles->project = find_slot(view, index, scope->project, "",
		                               hash_place(view, index, project, any))
		                             ->roles;
	if (scope->domain[0])
		ret_roles->domain = find_slot(view, index, "", scope->domain,
		                              hash_place(view, index, any, domain))
		                            ->roles;
	if (scope->project[0] && scope->domain[0])
		ret_roles->both = find_slot(view, index, scope->project, scope->domain,
		                            hash_place(view, index, project, domain))
		                          ->roles;
}

size_t
directory_key_count(const struct directory_view *view)
{
	return view ? view->key_count : 0;
}

/* ---- making one ---- */

static void
view_free(struct directory_view *view)
{
	if (!view)
		return;
	mem_free(view->keys);
	mem_free(view->grants);
	mem_free(view->by_name);
	mem_free(view->by_id);
	mem_free(view->slots);
	mem_free(view);
}

static struct directory_view *
view_alloc(size_t key_count, size_t grant_count)
{
	struct directory_view *view = mem_zalloc(1, sizeof *view);

	if (!view)
		return NULL;
	atomic_init(&view->refs, 1);
	view->key_mask = table_size(key_count) - 1;
	view->slot_mask = table_size(grant_count) - 1;
	view->keys = mem_zalloc(key_count + 1, sizeof *view->keys);
	view->grants = mem_zalloc(grant_count + 1, sizeof *view->grants);
	view->by_name = mem_zalloc(view->key_mask + 1, sizeof *view->by_name);
	view->by_id = mem_zalloc(view->key_mask + 1, sizeof *view->by_id);
	view->slots = mem_zalloc(view->slot_mask + 1, sizeof *view->slots);
	if (view->keys && view->grants && view->by_name && view->by_id && view->slots)
		return view;
	view_free(view);
	return NULL;
}

static void
add_key(struct directory_view *view, const struct api_key_row *row)
{
	size_t index = view->key_count++;
	struct directory_key *key = &view->keys[index];

	key->id = row->id;
	memcpy(key->name, row->name, sizeof key->name);
	memcpy(key->hash, row->hash, sizeof key->hash);
	key->scope = row->scope;
	key->epoch = row->epoch;
	key->expires_us = row->expires_us;
	enter(view->by_name, view->key_mask, hash_text(view->seed, key->name), index);
	enter(view->by_id, view->key_mask, mix(view->seed + (uint64_t)key->id), index);
}

/* The key that a row is for, and its role; NULL: it counts for nothing. */
static struct directory_key *
key_of_grant(const struct directory_view *view, const struct grant_row *row,
             enum authz_role *ret_role)
{
	const struct directory_key *key = NULL;

	if (strncmp(row->principal, "key:", 4) == 0)
		key = directory_find_key(view, row->principal + 4);
	if (!key || authz_role_parse(row->role, ret_role, NULL) != UN_OK)
		return NULL;
	return &view->keys[key - view->keys];
}

static void
add_grant(struct directory_view *view, struct directory_key *key, enum authz_role role,
          const struct scope *scope)
{
	struct directory_grant *grant;
	size_t index = (size_t)(key - view->keys);
	struct slot *slot;

	assert(view->grants && key->grants); /* counted before */
	grant = &view->grants[(size_t)(key->grants - view->grants) + key->grant_count++];
	grant->role = role;
	grant->scope = *scope;
	key->roles_anywhere |= 1u << role;
	if (!scope->project[0] && !scope->domain[0])
		key->roles_everywhere |= 1u << role;
	slot = find_slot(view, index, scope->project, scope->domain,
	                 hash_place(view, index, hash_text(view->seed, scope->project),
	                            hash_text(view->seed, scope->domain)));
	if (!slot->key)
		*slot = (struct slot){.key = (uint32_t)index + 1, .scope = &grant->scope};
	slot->roles |= 1u << role;
}

/* Counts first, so that the grants of each key lie together whatever their order is. */
static void
add_grants(struct directory_view *view, const struct grant_row *rows, size_t count)
{
	struct directory_key *key;
	enum authz_role role;
	size_t first = 0;

	assert(view->keys);
	for (size_t i = 0; i < count; i++) {
		key = key_of_grant(view, &rows[i], &role);
		if (key)
			key->grant_count++;
	}
	for (size_t i = 0; i < view->key_count; i++) {
		view->keys[i].grants = view->grants + first;
		first += view->keys[i].grant_count;
		view->keys[i].grant_count = 0;
	}
	view->grant_count = first;
	for (size_t i = 0; i < count; i++) {
		key = key_of_grant(view, &rows[i], &role);
		if (key)
			add_grant(view, key, role, &rows[i].scope);
	}
}

enum un_err
directory_view_new(const struct api_key_row *keys, size_t key_count,
                   const struct grant_row *grants, size_t grant_count,
                   struct directory_view **ret_view)
{
	struct directory_view *view;

	assert(key_count <= API_KEYS_MAX && grant_count <= GRANTS_MAX);
	view = view_alloc(key_count, grant_count);
	if (!view)
		return UN_ERR_NO_MEMORY;
	random_bytes(&view->seed, sizeof view->seed);
	for (size_t i = 0; i < key_count; i++)
		add_key(view, &keys[i]);
	add_grants(view, grants, grant_count);
	*ret_view = view;
	return UN_OK;
}

void
directory_view_unref(struct directory_view *view)
{
	if (view && atomic_fetch_sub(&view->refs, 1) == 1)
		view_free(view);
}

/* ---- from the database ---- */

struct rows {
	struct api_key_row *keys;
	struct grant_row *grants;
	size_t key_count, key_room, grant_count, grant_room;
	enum un_err err;
};

/* Room for one more of `size` bytes. */
static bool
make_room(struct rows *rows, void **items, size_t count, size_t *room, size_t size)
{
	size_t wanted = *room ? 2 * *room : 16;
	void *grown;

	if (count < *room)
		return true;
	grown = mem_realloc(*items, wanted * size);
	if (!grown) {
		rows->err = UN_ERR_NO_MEMORY;
		return false;
	}
	*items = grown;
	*room = wanted;
	return true;
}

static bool
take_key(void *ctx, const struct api_key_row *row)
{
	struct rows *rows = ctx;
	void *items = rows->keys;

	if (rows->key_count == API_KEYS_MAX)
		rows->err = UN_ERR_RANGE;
	else if (make_room(rows, &items, rows->key_count, &rows->key_room, sizeof *row)) {
		rows->keys = items;
		rows->keys[rows->key_count++] = *row;
	}
	return !rows->err;
}

static bool
take_grant(void *ctx, const struct grant_row *row)
{
	struct rows *rows = ctx;
	void *items = rows->grants;

	if (rows->grant_count == GRANTS_MAX)
		rows->err = UN_ERR_RANGE;
	else if (make_room(rows, &items, rows->grant_count, &rows->grant_room, sizeof *row)) {
		rows->grants = items;
		rows->grants[rows->grant_count++] = *row;
	}
	return !rows->err;
}

static enum un_err
read_view(struct store_reader *reader, struct directory_view **ret_view, struct un_detail *detail)
{
	struct rows rows = {.keys = NULL};
	struct store_view *view = store_reader_view(reader);
	enum un_err err;

	err = store_read_begin(reader, detail);
	if (!err)
		err = api_key_walk(view, "", take_key, &rows, detail);
	if (!err && !rows.err)
		err = grant_walk(view, NULL, take_grant, &rows, detail);
	if (!err)
		err = rows.err;
	if (!err)
		err = directory_view_new(rows.keys, rows.key_count, rows.grants, rows.grant_count,
		                         ret_view);
	mem_free(rows.keys);
	mem_free(rows.grants);
	return err;
}

enum un_err
directory_refresh(struct directory *directory, struct store_reader *reader,
                  struct un_detail *detail)
{
	struct directory_view *view = NULL;
	enum un_err err;

	/* Held from before the read: who comes later has read something newer. */
	pthread_mutex_lock(&directory->refreshing);
	err = read_view(reader, &view, detail);
	directory_show(directory, view);
	atomic_store(&directory->stale, err != UN_OK);
	pthread_mutex_unlock(&directory->refreshing);
	return err;
}

bool
directory_is_stale(const struct directory *directory)
{
	return atomic_load_explicit(&directory->stale, memory_order_relaxed);
}

/* ---- sharing it ---- */

enum un_err
directory_new(struct directory **ret_directory)
{
	struct directory *directory = mem_zalloc(1, sizeof *directory);

	if (!directory)
		return UN_ERR_NO_MEMORY;
	pthread_mutex_init(&directory->refreshing, NULL);
	pthread_mutex_init(&directory->lock, NULL);
	*ret_directory = directory;
	return UN_OK;
}

void
directory_free(struct directory *directory)
{
	if (!directory)
		return;
	directory_view_unref(directory->current);
	pthread_mutex_destroy(&directory->lock);
	pthread_mutex_destroy(&directory->refreshing);
	mem_free(directory);
}

void
directory_show(struct directory *directory, struct directory_view *view)
{
	struct directory_view *last;

	pthread_mutex_lock(&directory->lock);
	last = directory->current;
	directory->current = view;
	atomic_fetch_add_explicit(&directory->version, 1, memory_order_release);
	pthread_mutex_unlock(&directory->lock);
	directory_view_unref(last);
}

void
directory_reader_init(struct directory_reader *reader, struct directory *directory)
{
	*reader = (struct directory_reader){.directory = directory};
}

void
directory_reader_fini(struct directory_reader *reader)
{
	directory_view_unref(reader->view);
	*reader = (struct directory_reader){0};
}

static struct directory_view *
view_ref(struct directory_view *view)
{
	if (view)
		atomic_fetch_add_explicit(&view->refs, 1, memory_order_relaxed);
	return view;
}

/* A new reader has version 0, which is that of the empty directory it would find. */
const struct directory_view *
directory_peek(struct directory_reader *reader)
{
	struct directory *directory = reader->directory;
	struct directory_view *last = reader->view;

	if (atomic_load_explicit(&directory->version, memory_order_acquire) == reader->version)
		return reader->view;
	pthread_mutex_lock(&directory->lock);
	reader->view = view_ref(directory->current);
	reader->version = atomic_load_explicit(&directory->version, memory_order_relaxed);
	pthread_mutex_unlock(&directory->lock);
	directory_view_unref(last);
	return reader->view;
}

struct directory_view *
directory_take(struct directory_reader *reader)
{
	(void)directory_peek(reader);
	return view_ref(reader->view);
}
