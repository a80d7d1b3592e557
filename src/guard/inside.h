/* inside.h - what the parts of the guard share: one file a format, all on these few functions.
 *
 * A look at bytes has two steps: they are searched as they are, then a walk of their format goes to
 * what is in them. Parts that lie in the searched bytes as they are (a text in JSON, a stored
 * member of a zip) are not searched again, unless to find out where in them a value is: that is
 * guard_part. What comes out of a decompressor is new: guard_unpack.
 *
 * Walks return UN_OK for malformed input, after guard_blind_here where that hides something. */
#ifndef GUARD_INSIDE_H
#define GUARD_INSIDE_H

#include "base/buf.h"
#include "guard/guard.h"

#define PACKED_HEAD                                                                                \
	(64u << 10)      /* bytes in front of a packed stream that are searched as they are */
#define BLOCK_HEAD 4096u /* the same of a packed page, buffer or member */
#define JOINED_MAX 65536 /* bytes joined before they are searched */
#define JOINED_PART_MAX 64

/* Parts of `bytes` that are not searched as they are. */
struct covers {
	const uint8_t *bytes;
	size_t len;
	struct buf ranges;
};
void covers_init(struct covers *covers, const uint8_t *bytes, size_t len);
void covers_fini(struct covers *covers);
/* The name of the first value in the rest. */
const char *covers_find(struct guard *guard, struct covers *covers);
/* All of these packed bytes came out and was looked at; but for the first `head` of them, which may
 * hold names and comments, they need no search. */
void guard_cover(struct guard *guard, const uint8_t *bytes, size_t len, size_t head);

struct guard {
	struct guard_options options;
	size_t overlap;         /* bytes that neighbouring pieces of a search share */
	uint64_t unpacked_left; /* of GUARD_UNPACKED_MAX */
	size_t held_left;
	uint32_t members_left;
	unsigned depth;
	bool searched; /* what guard_part gets was searched already, without a find */
	bool deeper;   /* plain: there is more to look at */
	bool over;     /* a limit of the whole look is reached: nothing more is looked into */
	bool late;     /* it was the time */
	bool stopped;  /* it was who asked */
	bool patient;  /* a search goes on past the limits */
	struct covers *covers; /* of the bytes that are searched after the walk; NULL: none are */
	char path[GUARD_PATH_MAX + 1];
	size_t path_len;
	const char *secret;
	char blind[GUARD_BLIND_SHOWN][GUARD_PATH_MAX + 80];
	size_t blind_count;
	struct buf texts;    /* short texts of a list, one behind the other */
	struct buf numbers;  /* and its numbers from 0 to 255, as bytes */
	uint64_t texts_gone; /* bytes dropped from the front of each */
	uint64_t numbers_gone;
	unsigned lists;     /* that we are in */
	const char *joined; /* found in what was joined, before it is known where */
	bool precise;       /* the walk is done again to know: each list is searched by itself */
	uint32_t ticks;
};

/* What is being looked at, for people. guard_enter returns what guard_leave takes. */
size_t guard_enter(struct guard *guard, const char *format, ...) PRINTF_LIKE(2, 3);
/* The same for a name out of the input: without what is not printable, cut, and '?' where it holds
 * a value. */
size_t guard_enter_name(struct guard *guard, const char *before, const void *name, size_t len,
                        const char *after);
void guard_leave(struct guard *guard, size_t mark);

/* What is here hides something from us: "PATH WHY". */
void guard_blind_here(struct guard *guard, const char *why);
/* Whether to stop: the time is over, or too many members were seen. Counts one. */
bool guard_step(struct guard *guard);
bool guard_late(struct guard *guard); /* the same, and counts none */
bool guard_gives_up(
	struct guard *guard); /* only the time: whether a search is to end before it is done */
bool guard_tick(struct guard *guard); /* the same, for what is small and many: looks now and then */

/* The name of the first value in these bytes, or NULL; *_search: a find is the answer. */
const char *guard_find(struct guard *guard, const uint8_t *bytes, size_t len);
MUST_CHECK enum un_err guard_search(struct guard *guard, const uint8_t *bytes, size_t len);
/* The value whose name is `secret` is at the current path. */
enum un_err guard_hit(struct guard *guard, const char *secret);
/* Searches new bytes and looks into them. `whole`: a file or member, of which it is said when its
 * format is not known. */
MUST_CHECK enum un_err guard_look(struct guard *guard, const uint8_t *bytes, size_t len,
                                  bool whole);
/* The same for a part of bytes that guard_look has searched. */
MUST_CHECK enum un_err guard_part(struct guard *guard, const uint8_t *bytes, size_t len,
                                  bool whole);
/* A text out of a structure: a part that may be base64 of something. */
MUST_CHECK enum un_err guard_text(struct guard *guard, const void *text, size_t len);

/* Parts of one list, and of lists in it, are also searched one behind the other: a value may come
 * in letters, or as numbers. */
struct list {
	uint64_t texts; /* joined before it */
	uint64_t numbers;
};
struct list guard_list_begin(struct guard *guard);
MUST_CHECK enum un_err guard_list_end(struct guard *guard, struct list list);
MUST_CHECK enum un_err guard_join_text(struct guard *guard, const void *text, size_t len);
MUST_CHECK enum un_err guard_join_number(struct guard *guard, int64_t number);

enum format {
	FORMAT_UNKNOWN,
	FORMAT_TEXT,
	FORMAT_JSON,
	FORMAT_MSGPACK,
	FORMAT_PICKLE,
	FORMAT_GZIP,
	FORMAT_ZLIB,
	FORMAT_ZSTD,
	FORMAT_LZ4,
	FORMAT_XZ,
	FORMAT_BZIP2,
	FORMAT_TAR,
	FORMAT_ZIP,
	FORMAT_NPY,
	FORMAT_ARROW,
	FORMAT_PARQUET,
	FORMAT_AVRO,
	FORMAT_ORC,
	FORMAT_SAFETENSORS,
	FORMAT_PNG,
	FORMAT_PDF,
	FORMAT_RAW,   /* known, and written so that searching it as it is is enough */
	FORMAT_NAMED, /* known by name only: format_named */
};
/* "is an HDF5 file, which is not looked into". */
const char *format_named(const uint8_t *bytes, size_t len);
/* By what the bytes begin (and end) with; `all`: a text is one in all of its bytes. */
enum format format_of(const uint8_t *bytes, size_t len, bool all);
/* A packed stream, or made of such: what comes out is what was in it, and its bytes as they are say
 * nothing. */
bool format_has_packed(const uint8_t *bytes, size_t len);
/* A text that holds nothing else; asked without a parser. */
bool format_is_plain(const uint8_t *bytes, size_t len, bool all);
bool format_is_flat(enum format format); /* searching it as it is is all there is to do */

/* One walk a format, over parts of searched bytes. */
MUST_CHECK enum un_err walk_json(struct guard *guard, const uint8_t *bytes, size_t len);
MUST_CHECK enum un_err walk_msgpack(struct guard *guard, const uint8_t *bytes, size_t len);
bool msgpack_is_whole(const uint8_t *bytes, size_t len); /* one map or array, and nothing else */
MUST_CHECK enum un_err walk_pickle(struct guard *guard, const uint8_t *bytes, size_t len);
MUST_CHECK enum un_err walk_tar(struct guard *guard, const uint8_t *bytes, size_t len);
bool tar_begins(const uint8_t *bytes, size_t len);
MUST_CHECK enum un_err walk_zip(struct guard *guard, const uint8_t *bytes, size_t len);
MUST_CHECK enum un_err walk_npy(struct guard *guard, const uint8_t *bytes, size_t len);
MUST_CHECK enum un_err walk_arrow(struct guard *guard, const uint8_t *bytes, size_t len);
MUST_CHECK enum un_err walk_avro(struct guard *guard, const uint8_t *bytes, size_t len);
MUST_CHECK enum un_err walk_orc(struct guard *guard, const uint8_t *bytes, size_t len);
bool safetensors_begins(const uint8_t *bytes, size_t len);
MUST_CHECK enum un_err walk_safetensors(struct guard *guard, const uint8_t *bytes, size_t len);
MUST_CHECK enum un_err walk_png(struct guard *guard, const uint8_t *bytes, size_t len);
MUST_CHECK enum un_err walk_pdf(struct guard *guard, const uint8_t *bytes, size_t len);
MUST_CHECK enum un_err walk_parquet(struct guard *guard, const uint8_t *bytes, size_t len);

#endif
