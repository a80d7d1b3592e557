/* guard.h - looks for values in what is about to leave: outputs, and files in files in files.
 *
 * Bytes are searched as they are (redact_find, in all its forms), then looked into: Flyte literals,
 * JSON, msgpack, pickle, gzip, zlib, zstd, lz4, tar, zip, npy, Arrow and Parquet, each in each
 * other. Nothing is executed, opened or written. A find names secret and path, never more. What
 * cannot be looked into (encrypted, damaged, a bomb, a format nobody here knows) is counted and
 * named: whether it may leave is the caller's policy. docs/reference/guard.md has the formats and
 * limits. Used by one thread. */
#ifndef GUARD_GUARD_H
#define GUARD_GUARD_H

#include "base/err.h"
#include "flyteidl/core/literals.pb-c.h"
#include "redact/redact.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUARD_DEPTH_MAX 12              /* containers in containers */
#define GUARD_HELD_MAX (64u << 20)      /* bytes unpacked from one member and held to look into; */
#define GUARD_HELD_ALL_MAX (192u << 20) /* and of all members on the way down together */
#define GUARD_UNPACKED_MAX (8ull << 30) /* bytes unpacked in all */
#define GUARD_MEMBERS_MAX 200000        /* of all containers together */
#define GUARD_TEXT_MAX (64u << 20)      /* bytes of JSON whose strings are looked into */
#define GUARD_PATH_MAX 400              /* bytes of a path as it is shown */
#define GUARD_BLIND_SHOWN 8             /* places that are named; the rest is counted */

struct crew;
struct guard;

struct guard_options {
	const struct redact_set *values; /* lent */
	size_t longest;                  /* bytes of the longest of them */
	bool strict;         /* judge formats by all bytes of a text, not by the first ones */
	bool plain;          /* walk no format: search, and say whether there is more to look at */
	struct crew *crew;   /* lent: threads that help with much; NULL: none */
	int64_t deadline_ms; /* of clock_mono_ms; what is not looked into by then counts as blind */
	/* An output refers to something elsewhere. Called with the path set to the output; may
	 * call guard_member. What it returns ends the look. NULL: such outputs count as blind. */
	enum un_err (*refers)(void *ctx, struct guard *guard, const char *uri);
	/* Whether to end the look, asked now and then; NULL: never. */
	bool (*stop)(void *ctx);
	void *ctx; /* of both */
};

MUST_CHECK enum un_err guard_new(const struct guard_options *options, struct guard **ret_guard);
void guard_free(struct guard *guard); /* NULL is fine */

/* Each returns UN_OK (nothing found so far), UN_ERR_RESULT_HAS_SECRET, UN_ERR_NO_MEMORY. */
MUST_CHECK enum un_err guard_outputs(struct guard *guard,
                                     const Flyteidl__Core__LiteralMap *outputs);
/* One file, shown as `name`. */
MUST_CHECK enum un_err guard_file(struct guard *guard, const char *name, const uint8_t *bytes,
                                  size_t len);
/* Inside of `refers`: a file that the output means, shown as "OUTPUT: name". */
MUST_CHECK enum un_err guard_member(struct guard *guard, const char *name, const uint8_t *bytes,
                                    size_t len);
/* The same for a path that was made by guard_path_of. `flat`: it is searched, and not looked into.
 */
MUST_CHECK enum un_err guard_at(struct guard *guard, const char *path, bool flat,
                                const uint8_t *bytes, size_t len);
/* A name that leaves: of a file, or where a link goes. */
MUST_CHECK enum un_err guard_name(struct guard *guard, const char *name);
/* The path of a file as it would be shown here. */
void guard_path_of(struct guard *guard, const char *name, char ret_path[GUARD_PATH_MAX + 1]);
/* Inside of `refers`, or between files: something that the caller itself cannot look into. `why`
 * goes on a sentence: "o0: NAME is WHY". */
MUST_CHECK enum un_err guard_cannot(struct guard *guard, const char *name, const char *why);

/* After UN_ERR_RESULT_HAS_SECRET. The path holds no value; it is "" where there is none to show. */
const char *guard_secret(const struct guard *guard);
const char *guard_path(const struct guard *guard);

/* What another guard has found or could not see, for this one; from a process that may lie, so of
 * the texts only what is harmless is kept. UN_ERR_RESULT_HAS_SECRET. */
enum un_err guard_found(struct guard *guard, const char *secret, const char *path);
void guard_blind_add(struct guard *guard, const char *text);
/* `plain`: something was met that only a walk can look into. Asking forgets it. */
bool guard_wants_more(struct guard *guard);

size_t guard_blind_count(const struct guard *guard);
void guard_blind_clear(struct guard *guard);
const char *guard_blind(const struct guard *guard, size_t at); /* at < GUARD_BLIND_SHOWN */

#endif
