#include "launch/environment.h"

#include "base/alloc.h"

#include <string.h>

struct entry {
	char *name;
	const uint8_t *bytes; /* lent */
	size_t len;
	bool secret;
};

struct environment {
	struct entry *entries;
	size_t count;
	size_t room;
	struct secbuf *block;
	char **vector;
};

enum un_err
environment_new(struct environment **ret_environment)
{
	struct environment *environment = mem_zalloc(1, sizeof *environment);

	if (!environment)
		return UN_ERR_NO_MEMORY;
	*ret_environment = environment;
	return UN_OK;
}

static struct entry *
find(const struct environment *environment, const char *name)
{
	for (size_t i = 0; i < environment->count; i++)
		if (strcmp(environment->entries[i].name, name) == 0)
			return &environment->entries[i];
	return NULL;
}

static enum un_err
add(struct environment *environment, const char *name, struct entry entry)
{
	struct entry *there = find(environment, name);

	if (!*name || strchr(name, '='))
		return UN_ERR_INVALID;
	if (there) {
		entry.name = there->name;
		*there = entry;
		return UN_OK;
	}
	if (environment->count == ENVIRONMENT_MAX)
		return UN_ERR_TOO_LARGE;
	if (environment->count == environment->room) {
		size_t room = environment->room ? environment->room * 2 : 32;
		struct entry *bigger = mem_realloc(environment->entries, room * sizeof *bigger);

		if (!bigger)
			return UN_ERR_NO_MEMORY;
		environment->entries = bigger;
		environment->room = room;
	}
	entry.name = mem_strdup(name);
	if (!entry.name)
		return UN_ERR_NO_MEMORY;
	environment->entries[environment->count++] = entry;
	return UN_OK;
}

enum un_err
environment_set(struct environment *environment, const char *name, const char *text)
{
	size_t len = strlen(text);

	if (strlen(name) + len + 2 > ENVIRONMENT_STRING_MAX)
		return UN_ERR_TOO_LARGE;
	return add(environment, name, (struct entry){.bytes = (const uint8_t *)text, .len = len});
}

enum un_err
environment_set_value(struct environment *environment, const char *name,
                      const struct secbuf *value)
{
	struct entry entry = {
	        .bytes = secbuf_peek(value), .len = secbuf_len(value), .secret = true};

	if (strlen(name) + entry.len + 2 > ENVIRONMENT_STRING_MAX)
		return UN_ERR_TOO_LARGE;
	return add(environment, name, entry);
}

const char *
environment_get(const struct environment *environment, const char *name)
{
	const struct entry *entry = find(environment, name);

	return entry && !entry->secret ? (const char *)entry->bytes : NULL;
}

enum un_err
environment_vector(struct environment *environment, char *const **ret_vector)
{
	size_t total = 1;
	char *at;
	enum un_err err;

	for (size_t i = 0; i < environment->count; i++)
		total += strlen(environment->entries[i].name) + environment->entries[i].len + 2;
	if (total > SECBUF_MAX)
		return UN_ERR_TOO_LARGE;
	secbuf_free(environment->block);
	environment->block = NULL;
	mem_free(environment->vector);
	environment->vector = mem_zalloc(environment->count + 1, sizeof *environment->vector);
	if (!environment->vector)
		return UN_ERR_NO_MEMORY;
	err = secbuf_new(total, &environment->block);
	if (err)
		return err;
	at = (char *)secbuf_edit(environment->block);
	for (size_t i = 0; i < environment->count; i++) {
		const struct entry *entry = &environment->entries[i];
		size_t name_len = strlen(entry->name);

		environment->vector[i] = at;
		memcpy(at, entry->name, name_len);
		at[name_len] = '=';
		memcpy(at + name_len + 1, entry->bytes, entry->len);
		at += name_len + entry->len + 2; /* the NUL is there: the buffer began zeroed */
	}
	*ret_vector = environment->vector;
	return UN_OK;
}

void
environment_free(struct environment *environment)
{
	if (!environment)
		return;
	for (size_t i = 0; i < environment->count; i++)
		mem_free(environment->entries[i].name);
	mem_free(environment->entries);
	mem_free(environment->vector);
	secbuf_free(environment->block);
	mem_free(environment);
}
