/* filter.h - where in a text a pattern may begin, in any of the forms: fast, and never too rarely.
 *
 * The text is brought into one shape (`canon`): letters in lower case, digits, bytes from 0x80 on;
 * everything else and terminal sequences left out. In that shape a value begins alike whether it is
 * wrapped, spaced, coloured, in UTF-16 or as it is, hex is hex whatever stands between the bytes,
 * and base64 is the same in both alphabets. Of each pattern's beginning in each form, `stride`
 * pieces of `gram` bytes that begin one after the other are kept in a table of keyed hashes;
 * looking at every `stride`-th piece of the text then meets each pattern once at least. Where there
 * are escapes, the same is done with the text around them as it is with them decoded.
 *
 * Built once, then read only; a scan belongs to one stream. All tables lie in secbufs. */
#ifndef REDACT_FILTER_H
#define REDACT_FILTER_H

#include "base/err.h"
#include "crypto/secbuf.h"
#include "redact/decode.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define GRAM_MAX 8
#define STRIDE_MAX 8
#define ANCHOR_MAX (GRAM_MAX + STRIDE_MAX - 1) /* bytes of a pattern that the filter looks at */
#define ANCHOR_LEAST 4
#define BLOCK 64
#define STRETCH_ROOM 320
#define GAP_MAX 1024 /* bytes between two symbols that belong together, at most */

/* The ways to read a text. Each is a machine of its own over the same patterns. */
enum view {
	VIEW_TEXT,
	VIEW_BACKSLASH, /* these six: text with escapes */
	VIEW_PERCENT,
	VIEW_ENTITY,
	VIEW_QUOTED,
	VIEW_TERMINAL,
	VIEW_INSIDE,
	VIEW_HEX,
	VIEW_HEX_0X,
	VIEW_DECIMAL,
	VIEW_BASE64,
	VIEW_BASE32,
	VIEW_DEFLATE, /* gzip or zlib in base64 */
	VIEW_COUNT,
};
#define ESCAPED (VIEW_TERMINAL - VIEW_BACKSLASH + 1) /* views that decode the text */

enum class {
	CLASS_SYMBOL = 1, /* neither white space nor NUL */
	CLASS_ESC = 2,
	CLASS_BACKSLASH = 4,
	CLASS_MARK = 8, /* % & = ': an escape may begin, by what follows */
	CLASS_HEX = 16,
	CLASS_LEAD =
		32, /* the first digit of some byte that a value has, or that may be left out */
};
#define CLASS_SPECIAL (CLASS_ESC | CLASS_BACKSLASH | CLASS_MARK)

/* Sets of bytes by their halves: whether low[byte & 15] has the bit number byte >> 4. */
enum low {
	LOW_KEEP, /* has a place in shape */
	LOW_LEAD, /* CLASS_LEAD */
	LOWS,
};
#define LENT_MAX 16

enum use {
	USE_ANY = 1,
	USE_FIRST = 2,
};

struct filter_tables {     /* in a secbuf: it tells which punctuation values have, and the keys */
	uint8_t fold[256]; /* what is left of a byte in shape; 0: nothing */
	uint8_t class[256];
	uint8_t low[LOWS][16];  /* of bytes below 0x80, by their low four bits: the high ones */
	uint8_t lent[LENT_MAX]; /* marks that have a place in shape: others repeat, or 0 */
	size_t lent_count;
	uint64_t keys[2];
	uint8_t used[256];     /* enum use: symbols that stand in patterns of text */
	uint8_t pair[256][32]; /* bits: the two symbols that patterns of text begin with */
	uint8_t edge[256];     /* in shape: a digit whose last bits may be the first of a value */
	uint8_t lead[8][128];  /* by their count: bits that may be the first of a value */
};

/* A block of BLOCK bytes brought into shape; bit i is byte i. */
struct shaped {
	uint64_t keep;    /* it is left in shape */
	uint64_t symbols; /* neither white space nor NUL */
	uint64_t esc;
	uint64_t members;          /* a gzip or zlib member in base64 may begin */
	uint64_t escapes[ESCAPED]; /* an escape may begin: in the order of the views */
};

/* One way to do it, by what the processor can. */
struct filter_path {
	const char *name;
	bool (*works)(void); /* NULL: everywhere */
	/* `out` has room for BLOCK bytes; what is left of them stands at its start. */
	void (*shape)(const struct filter_tables *tables, const uint8_t *block,
	              struct shaped *ret_shaped, uint8_t *out);
	/* Only the bytes of `keep`. */
	void (*squeeze)(const struct filter_tables *tables, const uint8_t *block, uint64_t keep,
	                uint8_t *out);
};
const struct filter_path *filter_path_here(void);
/* For tests and measurements: sets compiled later use path number `fastest` at best; 0: all;
 * SIZE_MAX: the one that works everywhere. */
void filter_path_limit(size_t fastest);

struct filter {
	struct secbuf *lock;    /* struct filter_tables */
	struct secbuf *bits;    /* of the hashes */
	struct secbuf *entries; /* and of which forms they are */
	struct secbuf *begins;  /* of beginnings shorter than an anchor, but for plain text */
	struct filter_tables *tables;
	uint8_t *bit;
	uint32_t *entry;
	uint8_t *begin;
	unsigned bit_bits;
	unsigned entry_bits;
	unsigned begin_bits;
	size_t gram;
	size_t stride;
	uint32_t lead_max; /* characters that the shape leaves out, before a pattern's first */
	uint32_t reach;    /* symbols from a pattern's first one to the end of its anchor */
	const struct filter_path *path;
	size_t least; /* of the anchors */
};

/* A place that the filter points to. Positions count from the start of the scanned bytes. */
struct hint {
	uint32_t from;   /* no pattern begins before */
	uint32_t latest; /* nor after */
	uint32_t until;  /* what must be looked at to be sure */
	uint32_t views;  /* bits: 1 << view */
};

struct hints {
	struct hint *list;
	size_t count;
	size_t room;
};

struct block {
	uint64_t keep;             /* bits: bytes that have a place in shape */
	uint64_t escapes[ESCAPED]; /* where an escape begins that a match may hold */
	uint32_t canon;            /* before it: bytes in shape */
	uint32_t symbols; /* bytes that are neither white space, NUL nor a terminal sequence */
	uint16_t enter[ESCAPED]; /* its bytes, and more, that belong to an escape begun before */
	int8_t change[ESCAPED];  /* how many bytes in shape its escapes add to it */
	bool inside;             /* it begins within a terminal sequence */
};

/* The work space of one stream; what is derived from bytes lies in secbufs. */
struct scan {
	struct secbuf *buffer;
	struct secbuf *block_buffer;
	struct secbuf *stretch_buffer;
	size_t room; /* bytes that can be scanned */
	struct block *blocks;
	size_t block_count;
	size_t count;            /* of bytes in shape */
	bool skipping;           /* it ended within a terminal sequence */
	bool any[ESCAPED];       /* there are escapes */
	struct hints hints;      /* of the text as it is, in order */
	struct hints escaped;    /* of the text with escapes decoded, in order of `from` */
	struct hints members;    /* gzip or zlib in base64 */
	size_t len;              /* of what was scanned */
	uint32_t next;           /* where the next scan must begin */
	uint16_t enter[ESCAPED]; /* and its bytes that belong to an escape begun before */
	uint32_t base64_last;    /* the last escape of a digit of base64; UINT32_MAX: none */
};

/* First the shape: every value's characters are shown to it, before the first anchor. */
MUST_CHECK enum un_err filter_init(struct filter *filter);
void filter_shape(struct filter *filter, const uint8_t *value, size_t len);
/* Brings `bytes` into shape, up to `max` bytes. */
size_t filter_canon(const struct filter *filter, const uint8_t *bytes, size_t len,
                    uint8_t *ret_canon, size_t max);
/* Then twice all anchors: once to measure, once to fill the tables. An anchor is
 * in shape and at least ANCHOR_LEAST long. */
void filter_measure(struct filter *filter, size_t len, size_t *anchors);
MUST_CHECK enum un_err filter_allocate(struct filter *filter, size_t anchors);
void filter_put(struct filter *filter, const uint8_t *anchor, size_t len, uint32_t view);
/* The symbols of a pattern of text: only an escape that stands for one may be part of a match. */
void filter_symbols(struct filter *filter, const uint8_t *symbols, size_t len);
void filter_fini(struct filter *filter);

/* Fills `scan` with the hints of `bytes`, which begin where the last scan said. `news`: members
 * that begin before it are known already. */
MUST_CHECK enum un_err filter_scan(const struct filter *filter, struct scan *scan,
                                   const uint8_t *bytes, size_t len, size_t news);
/* The first place from `at` on where an escape begins; the end of what was scanned: none.
 * *ret_views: bits, of the views that know it. */
size_t filter_escape(const struct scan *scan, size_t at, uint32_t *ret_views);
/* An escape of the view begins in [from, until). */
bool filter_has_escape(const struct scan *scan, enum view view, size_t from, size_t until);
/* A place at least `canon` bytes in shape before the end of what was scanned, and before the lead
 * of a pattern that begins there. */
size_t filter_back(const struct filter *filter, const struct scan *scan, const uint8_t *bytes,
                   size_t canon);
/* `at`, or a place before it that is in no escape. */
size_t filter_sync(const struct filter *filter, const uint8_t *bytes, size_t at);
/* `at`, or the place before it where the string for a terminal begins that it may be in. */
size_t filter_string(const uint8_t *bytes, size_t at);
/* A pattern may begin with what is at `at`, as far as that is text. */
bool filter_may_begin(const struct filter *filter, const uint8_t *at, size_t left);
/* Coded text in digits of `width` bits may begin with `skip` bits that share a digit with what
 * stands before. */
void filter_edge(struct filter *filter, uint8_t first, unsigned width, unsigned skip,
                 const char *digits);
/* How many bytes in shape at the end may be the beginning of an encoded pattern. */
size_t filter_tail(const struct filter *filter, const struct scan *scan, const uint8_t *bytes);
void scan_fini(struct scan *scan);

/* ---- between the files of the filter ---- */

MUST_CHECK enum un_err hints_add(struct hints *hints, struct hint hint);
/* The views that a piece of text in shape is in, by its hash. */
uint32_t filter_find(const struct filter *filter, uint64_t hash);
/* A beginning of an anchor has this hash. */
bool filter_begins(const struct filter *filter, uint64_t hash);
/* A place before `at` with at least `canon` bytes in shape between them, and before the lead of a
 * pattern that begins there. */
size_t filter_walk_back(const struct filter *filter, const struct scan *scan, const uint8_t *bytes,
                        size_t at, size_t canon);
/* The view whose escapes begin with this byte: of those that do not begin with ESC. */
static inline enum view
filter_view_of(uint8_t byte)
{
	switch (byte) {
	case '%':
		return VIEW_PERCENT;
	case '&':
		return VIEW_ENTITY;
	case '=':
		return VIEW_QUOTED;
	case 0x0e:
	case 0x0f:
	case 0x9b:
		return VIEW_TERMINAL;
	default:
		return VIEW_BACKSLASH;
	}
}

static inline size_t
bit_count(uint64_t bits)
{
	bits -= bits >> 1 & 0x5555555555555555u;
	bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
	bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu;
	return (size_t)(bits * 0x0101010101010101u >> 56);
}

static inline uint64_t
filter_gram_mask(const struct filter *filter)
{
	return filter->gram == 8 ? UINT64_MAX : ((uint64_t)1 << filter->gram * 8) - 1;
}

/* The views of the `gram` bytes in shape at `canon`, of which 8 can be read; 0: no anchor has them.
 */
static inline uint32_t
filter_look(const struct filter *filter, const uint8_t *canon, uint64_t mask)
{
	uint64_t gram, hash;
	size_t bit;

	memcpy(&gram, canon, sizeof gram);
	hash = (gram & mask) * filter->tables->keys[0];
	bit = hash >> (64 - filter->bit_bits);
	return filter->bit[bit >> 3] & 1u << (bit & 7) ? filter_find(filter, hash) : 0;
}

/* escapes.c: the same text with its escapes decoded. */
MUST_CHECK enum un_err filter_escapes(const struct filter *filter, struct scan *scan,
                                      const uint8_t *bytes);

#endif
