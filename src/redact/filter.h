/* filter.h - where in a text a pattern may begin, in any of the forms: fast, and never too rarely.
 *
 * The text is brought into one shape (`canon`): letters in lower case, digits, bytes from 0x80 on;
 * everything else and terminal sequences left out. In that shape a value begins alike whether it is
 * wrapped, spaced, coloured, in UTF-16 or as it is, hex is hex whatever stands between the bytes,
 * and base64 is the same in both alphabets. Of each pattern's beginning in each form, `stride`
 * pieces of `gram` bytes that begin one after the other are kept in a table of keyed hashes;
 * looking at every `stride`-th piece of the text then meets each pattern once at least.
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

#define GRAM_MAX 8
#define STRIDE_MAX 8
#define ANCHOR_MAX (GRAM_MAX + STRIDE_MAX - 1) /* bytes of a pattern that the filter looks at */
#define ANCHOR_LEAST 4
#define BLOCK 64

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
#define VIEWS_ESCAPED                                                                              \
	(1u << VIEW_BACKSLASH | 1u << VIEW_PERCENT | 1u << VIEW_ENTITY | 1u << VIEW_QUOTED |       \
	 1u << VIEW_TERMINAL | 1u << VIEW_INSIDE)
#define VIEWS_CODED                                                                                \
	(1u << VIEW_HEX | 1u << VIEW_HEX_0X | 1u << VIEW_DECIMAL | 1u << VIEW_BASE64 |             \
	 1u << VIEW_BASE32)

enum class {
	CLASS_SYMBOL = 1, /* neither white space nor NUL */
	CLASS_ESC = 2,
	CLASS_BACKSLASH = 4,
	CLASS_PERCENT = 8,
	CLASS_AND = 16,
	CLASS_EQUALS = 32,
	CLASS_QUOTE = 64, /* and the controls of ESCAPE_TERMINAL that are not ESC */
	CLASS_CODE = 128, /* may follow % or = in an escape */
};
#define CLASS_SPECIAL                                                                              \
	(CLASS_ESC | CLASS_BACKSLASH | CLASS_PERCENT | CLASS_AND | CLASS_EQUALS | CLASS_QUOTE)

enum place {
	PLACE_ANY = 1,
	PLACE_FIRST = 2,
	PLACE_SECOND = 4,
	PLACE_LATER = 8, /* not far from the beginning */
};

struct filter_tables {     /* in a secbuf: it tells which punctuation values have, and the keys */
	uint8_t fold[256]; /* what is left of a byte in shape; 0: nothing */
	uint8_t class[256];
	uint64_t keys[2];
	uint8_t place[256];    /* enum place: where symbols stand in patterns of text */
	uint8_t pair[256][32]; /* bits: the two symbols that patterns of text begin with */
	uint8_t edge[256];     /* in shape: a digit whose last bits may be the first of a value */
	uint8_t lead[8][128];  /* by their count: bits that may be the first of a value */
};

/* A block brought into shape, by whichever code this machine is fastest with. */
struct shaped {
	uint32_t kept;
	uint32_t symbols;
	uint64_t esc;     /* bits: where ESC stands */
	uint64_t escapes; /* where an escape may begin */
	uint64_t members; /* and a gzip or zlib member in base64 */
};
typedef struct shaped filter_shaper(const struct filter_tables *tables, const uint8_t *block,
                                    uint8_t *out);
struct shaped filter_shape_block(const struct filter_tables *tables, const uint8_t *block,
                                 uint8_t *out);
filter_shaper *filter_shaper_here(void);

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
	filter_shaper *shaper;
	size_t least; /* of the anchors */
};

/* A place that the filter points to. Positions count from the start of the scanned bytes. */
struct hint {
	uint32_t from;   /* no pattern begins before */
	uint32_t first;  /* of escapes: where the first one is */
	uint32_t latest; /* nor after */
	uint32_t until;  /* what must be looked at to be sure */
	uint32_t views;  /* bits: 1 << view */
	bool deep;       /* of escapes: only a match that has gone on for a while can reach it */
	uint64_t hold;   /* of escapes: the position where a match that reaches it began */
};

struct block {            /* before it */
	uint32_t canon;   /* bytes in shape */
	uint32_t symbols; /* bytes that are neither white space, NUL nor a terminal sequence */
	bool inside;      /* it begins within such a sequence */
};

/* The work space of one stream; what is derived from bytes lies in a secbuf. */
struct scan {
	struct secbuf *buffer;
	size_t room; /* bytes that can be scanned */
	struct block *blocks;
	size_t block_count;
	size_t count;       /* of bytes in shape */
	bool skipping;      /* it ended within a terminal sequence */
	struct hint *hints; /* in order of `latest` */
	size_t hint_count;
	size_t hint_room;
	struct hint *escapes; /* the same for places where an escape begins */
	size_t escape_count;
	size_t escape_room;
	size_t len; /* of what was scanned */
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
/* The symbols that a pattern of text begins with: which escapes may be near its beginning. */
void filter_joints(struct filter *filter, const uint8_t *symbols, size_t len);
void filter_fini(struct filter *filter);

/* Fills `scan` with the hints of `bytes`. `news`: escapes that begin before it are known already.
 * */
MUST_CHECK enum un_err filter_scan(const struct filter *filter, struct scan *scan,
                                   const uint8_t *bytes, size_t len, size_t news);
/* A place at least `canon` bytes in shape before the end of what was scanned, and before the lead
 * of a pattern that begins there. */
size_t filter_back(const struct filter *filter, const struct scan *scan, const uint8_t *bytes,
                   size_t canon);
/* `at`, or a place before it that is in no escape. */
size_t filter_sync(const struct filter *filter, const uint8_t *bytes, size_t at);
/* `at`, or the place before it where the string for a terminal begins that it may be in. */
size_t filter_string(const uint8_t *bytes, size_t at);
/* Coded text in digits of `width` bits may begin with `skip` bits that share a digit with what
 * stands before. */
void filter_edge(struct filter *filter, uint8_t first, unsigned width, unsigned skip,
                 const char *digits);
/* How many bytes in shape at the end may be the beginning of an encoded pattern. */
size_t filter_tail(const struct filter *filter, const struct scan *scan, const uint8_t *bytes);
void scan_fini(struct scan *scan);

#endif
