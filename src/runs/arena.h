/* arena.h - memory that is given back all at once, with a maximum.
 *
 * Messages are unpacked into it and values are built in it; the maximum is what keeps a small
 * message from growing into a large one. Not for secrets. Not thread safe. */
#ifndef RUNS_ARENA_H
#define RUNS_ARENA_H

#include "base/err.h"

#include <protobuf-c/protobuf-c.h>

#include <stddef.h>
#include <stdint.h>

struct arena;

MUST_CHECK enum un_err arena_new(size_t max, struct arena **ret_arena);
void arena_free(struct arena *arena); /* and everything in it; NULL is fine */

/* Zeroed; lives as long as the arena. NULL when memory or the maximum is reached. */
void *arena_alloc(struct arena *arena, size_t count, size_t len) MUST_CHECK;
char *arena_strndup(struct arena *arena, const char *text, size_t len) MUST_CHECK;
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3) MUST_CHECK;

/* Unpacks a message that lives as long as the arena and is never freed by itself.
 * UN_ERR_PROTOCOL: malformed. UN_ERR_NO_MEMORY: also beyond the maximum. */
MUST_CHECK enum un_err arena_unpack(struct arena *arena,
                                    const ProtobufCMessageDescriptor *descriptor,
                                    const void *bytes, size_t len, void *ret_message);

#endif
