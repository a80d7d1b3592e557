/* machine.h - one way to read a text (enum view), and the search for patterns in what it gives.
 *
 * A machine turns bytes into symbols and feeds them to the automaton. It need not read everything:
 * it is woken where the filter points to, and sleeps again when no match that began there can still
 * come. What it finds does not depend on where it was woken. Not thread safe. */
#ifndef REDACT_MACHINE_H
#define REDACT_MACHINE_H

#include "redact/automaton.h"
#include "redact/deflate.h"
#include "redact/filter.h"
#include "redact/redact.h"
#include "redact/regions.h"

#define LANES_MAX 8
#define DIGITS_KEPT 16   /* a power of two */
#define WRAPPED_LEAST 16 /* symbols of a value that may be wrapped where it has no white space */
#define PARTIAL_MAX ((uint64_t)4 << 20) /* a longer beginning of a match is taken for one */

/* What a machine reads from, and where its matches go. */
struct reader {
	const struct redact_set *set;
	const struct automaton *automaton;
	const uint8_t *bytes; /* of the positions [base, base + len) */
	uint64_t base;
	size_t len;
	int before;           /* the byte at base - 1; -1: none */
	bool final;           /* no more input will come */
	struct region *found; /* grows */
	size_t found_count;
	size_t found_room;
	enum un_err err; /* sticky */
};

/* A search of its own: coded text can begin at any bit of a digit, so it needs several. */
struct lane {
	uint32_t state;
	uint32_t fed;     /* symbols; modulo 2^32 */
	uint64_t *starts; /* a ring: where the last symbols began */
	uint32_t room;    /* a power of two, or 0 */
};

struct machine {
	enum view view;
	bool awake;
	bool stuck;        /* at an escape that is not whole yet */
	uint64_t at;       /* the next byte to be read */
	uint64_t latest;   /* a match that begins later is not ours to find */
	uint64_t until;    /* no sleep before */
	uint64_t last_end; /* of the last symbol */
	struct lane lanes[LANES_MAX];
	size_t lane_count;
	/* text: the numbers of symbols, and of the last ones before which there was a gap that */
	uint64_t symbols;
	uint64_t gap;            /* is one at all */
	uint64_t not_spaced;     /* is not exactly one space */
	uint64_t not_wrapped;    /* has no line end */
	uint64_t begins_before;  /* no match begins there or later */
	uint32_t pending_spaces; /* of the gap that is being read */
	bool pending_line;
	/* codes of several bits a digit */
	uint64_t bits;                /* the last ones */
	uint64_t bit_count;           /* since the last byte that was no digit */
	uint64_t digits[DIGITS_KEPT]; /* where the last ones stand */
	bool in_word;                 /* decimal: within letters and digits that are no number */
	struct deflate *deflate;      /* VIEW_DEFLATE, once it was awake */
	bool in_match;                /* its run of digits holds a value */
	uint64_t match_start;
	uint32_t match_name;
};

void machine_init(struct machine *machine, enum view view);
/* Reads at least from position `from` to `until`; matches that begin at `latest` or before will be
 * found. */
void machine_wake(struct machine *machine, const struct reader *reader, uint64_t from,
                  uint64_t latest, uint64_t until);
/* Reads to `stop`, or until it may sleep, or to an escape that is not whole. */
void machine_run(struct machine *machine, struct reader *reader, uint64_t stop);
/* The earliest position where a match may have begun that is not found yet; UINT64_MAX: none.
 * `least`: beginnings of fewer bytes of a value do not count. */
uint64_t machine_hold(const struct machine *machine, const struct reader *reader, uint32_t least);
void machine_fini(struct machine *machine);
/* The unit of base64 at machine->at: its length; 0: only more input can tell. *ret_digit: -1: none,
 * -2: it may stand between digits. */
size_t machine_base64(struct machine *machine, const struct reader *reader, int *ret_digit);
/* What stands for a digit where there is none. */
#define DIGIT_NONE (-1)
#define DIGIT_BETWEEN (-2) /* it may stand between digits */
#define DIGIT_OTHER (-3)   /* of a set: an escape may begin */
/* The digit that one byte is; or DIGIT_NONE, DIGIT_BETWEEN. */
int machine_digit(enum view view, uint8_t byte);
/* member.c: VIEW_DEFLATE. */
void member_wake(struct machine *machine, struct reader *reader, uint64_t from);
bool member_step(struct machine *machine, struct reader *reader);
void member_run(struct machine *machine, struct reader *reader, uint64_t stop);
uint64_t member_hold(const struct machine *machine);

/* machine.c, for the codes. */
void machine_reset(struct machine *machine); /* no match has begun */
static inline bool
machine_is_space(uint8_t byte)
{
	return byte == ' ' || (byte >= '\t' && byte <= '\r');
}
/* Bytes that digits at the positions `at` stand for, one behind the other. */
struct row {
	const uint8_t *bytes;
	size_t count;
	const int32_t *at; /* from the reader's base */
	uint32_t first;    /* the bit of the digits with which the first byte begins */
	uint32_t part;     /* 2^16 / bits of a digit, rounded up */
};
/* Feeds them, or one byte, to one of the searches of a coded text. */
void machine_feed_row(struct machine *machine, struct lane *lane, struct reader *reader,
                      const struct row *row);
void machine_feed_lane(struct machine *machine, size_t lane, struct reader *reader, uint8_t byte,
                       uint64_t start, uint64_t end);

/* machine_codes.c */
/* Digits that are bytes of their own, up to `stop`, or to an escape. */
void machine_run_digits(struct machine *machine, struct reader *reader, uint64_t stop);
/* One unit; false: only more input can tell. */
bool machine_step_digits(struct machine *machine, struct reader *reader);
/* Of a byte that is not whole yet: where its bits begin, when they may be the first of a value;
 * `hold`: that is later, or never. */
uint64_t machine_bits_hold(const struct machine *machine, const struct reader *reader,
                           uint64_t hold);

/* spelling.c: the match of a value that has white space itself, read once more. There must be some
 * wherever the value has some, and elsewhere the same kind of gap each time. */
struct span {
	uint64_t start;
	uint64_t end;
};
bool spelling_fits(enum escape_kind kind, const struct reader *reader,
                   const struct pattern *pattern, struct span match);

void reader_found(struct reader *reader, uint64_t start, uint64_t end, uint32_t name,
                  enum redact_form form);

#endif
