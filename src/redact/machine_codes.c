/* The machines that read codes in digits of 4, 5 or 6 bits. */
#include "redact/machine.h"

#include "base/text.h"
#include "redact/set.h"

#include <string.h>

#define RUN 64        /* digits that are read at once */
#define CARRIED 2     /* digits before them that may share a byte with them */
#define CODED_BITS 64 /* of the shortest value that is looked for in codes */

_Static_assert(CODED_BITS == REDACT_CODED_MIN * 8, "as set.c has it");

/* ---- digits of 4, 5 or 6 bits ---- */

static void
break_digits(struct machine *machine)
{
	machine->bit_count = 0;
	machine_reset(machine);
}

static unsigned
width_of(enum view view)
{
	return view == VIEW_HEX ? 4 : view == VIEW_BASE32 ? 5 : 6;
}

/* A byte of the value may begin at any bit that is a multiple of this. */
static unsigned
grain_of(const struct machine *machine)
{
	return 8 / (unsigned)machine->lane_count;
}

/* One digit, as an escape has it. */
static void
take_digit(struct machine *machine, struct reader *reader, unsigned digit, uint64_t end)
{
	unsigned width = width_of(machine->view), grain = grain_of(machine);
	uint64_t start = machine->at;

	if (machine->bit_count && start - machine->last_end > GAP_MAX)
		break_digits(machine);
	machine->last_end = end;
	machine->digits[machine->bit_count / width & (DIGITS_KEPT - 1)] = start;
	machine->bits = machine->bits << width | digit;
	machine->bit_count += width;
	for (unsigned back = 0; back < width; back += grain) {
		uint64_t bit = machine->bit_count - back;

		if (bit < 8)
			break;
		machine_feed_lane(machine, (bit & 7) / grain, reader,
		                  (uint8_t)(machine->bits >> back),
		                  machine->digits[((bit - 8) / width) & (DIGITS_KEPT - 1)], end);
	}
}

/* Digits that are read at once, behind those before them that may share a byte with them. */
struct run {
	int32_t at[CARRIED + RUN + 8];                /* from the reader's base */
	uint8_t packed[(CARRIED + RUN) * 6 / 8 + 16]; /* their bits */
	uint8_t bytes[(CARRIED + RUN) * 6 / 8 + 16];  /* from another bit on */
	unsigned carried;                             /* digits */
	unsigned count;                               /* with those */
	unsigned used;                                /* of `packed` */
	unsigned pending;                             /* bits that are not in it yet */
	uint64_t bits;                                /* the last ones */
};

enum run_end { RUN_GOES_ON, RUN_BREAKS, RUN_OTHER };

/* `bits`: of the new digits, in the run's order. */
static inline void
pack(struct run *run, uint64_t bits, unsigned count)
{
	run->bits = run->bits << count | bits;
	run->pending += count;
	while (run->pending >= 8) {
		run->pending -= 8;
		run->packed[run->used++] = (uint8_t)(run->bits >> run->pending);
	}
}

static void
begin_run(const struct machine *machine, const struct reader *reader, struct run *run,
          unsigned width)
{
	uint64_t before = machine->bit_count / width;

	run->carried = run->count = before < CARRIED ? (unsigned)before : CARRIED;
	run->used = run->pending = 0;
	for (unsigned i = 0; i < run->carried; i++)
		run->at[i] =
			(int32_t)(machine->digits[(before - run->carried + i) & (DIGITS_KEPT - 1)] -
		                  reader->base);
	run->bits = 0;
	pack(run, machine->bits & ((1u << run->carried * width) - 1), run->carried * width);
}

/* Eight digits at once, if they are some. */
static inline __attribute__((always_inline)) bool
take_eight(struct run *run, const int16_t *digits, const uint8_t *bytes, int32_t at, unsigned width)
{
	uint64_t bits = 0, packed;
	int all = 0;

	for (unsigned i = 0; i < 8; i++) {
		int digit = digits[bytes[i]];

		all |= digit;
		bits = bits << width | (unsigned)digit;
	}
	if (all < 0)
		return false;
	for (int i = 0; i < 8; i++)
		run->at[run->count + (unsigned)i] = at + i;
	run->count += 8;
	run->bits = run->bits << 8 * width | bits;
	packed = __builtin_bswap64(run->bits >> run->pending << (64 - 8 * width));
	memcpy(run->packed + run->used, &packed, sizeof packed);
	run->used += width;
	return true;
}

/* Up to `stop`, or what is no digit, or to be read in another way. */
static inline __attribute__((always_inline)) enum run_end
read_run(struct machine *machine, const struct reader *reader, struct run *run, uint64_t stop,
         unsigned width)
{
	const int16_t *digits = reader->set->digits[width - 4];
	size_t at = (size_t)(machine->at - reader->base), end = (size_t)(stop - reader->base);
	size_t last = run->count ? (size_t)(machine->last_end - reader->base) : at;
	enum run_end how = RUN_GOES_ON;

	while (at < end && run->count < run->carried + RUN) {
		int digit;

		if (end - at >= 8 && run->count + 8 <= run->carried + RUN && at == last &&
		    take_eight(run, digits, reader->bytes + at, (int32_t)at, width)) {
			at += 8;
			last = at;
			continue;
		}
		digit = digits[reader->bytes[at]];
		if (digit == DIGIT_NONE || digit == DIGIT_OTHER) {
			how = digit == DIGIT_NONE ? RUN_BREAKS : RUN_OTHER;
			break;
		}
		if (digit >= 0) {
			if (at - last > GAP_MAX && run->count) {
				how = RUN_BREAKS;
				break;
			}
			run->at[run->count++] = (int32_t)at;
			pack(run, (unsigned)digit, width);
			last = at + 1;
		}
		at++;
	}
	memset(run->packed + run->used, 0, 8);
	run->packed[run->used] = (uint8_t)(run->bits << (8 - run->pending));
	machine->at = reader->base + at;
	if (run->count > run->carried)
		machine->last_end = reader->base + last;
	return how;
}

/* Feeds what the new digits make whole: each lane the bytes that end at its bits. */
static inline __attribute__((always_inline)) void
feed_run(struct machine *machine, struct reader *reader, struct run *run, unsigned width,
         unsigned grain)
{
	unsigned bits = run->count * width, old = run->carried * width;
	unsigned least = old + grain > 8 ? old + grain - 8 : 0;
	unsigned base = (unsigned)(machine->bit_count - old) & 7;

	for (unsigned i = 0; i < 8 / grain; i++) {
		unsigned first = least + ((i * grain - base - least) & 7);
		const uint8_t *from = run->packed + first / 8;
		struct row row = {.bytes = run->bytes,
		                  .at = run->at,
		                  .first = first,
		                  .part = 65536 / width + 1};

		row.count = bits >= first + 8 ? (bits - first) / 8 : 0;
		for (size_t j = 0; j < row.count; j += 7) {
			uint64_t eight;

			memcpy(&eight, from + j, sizeof eight);
			eight = __builtin_bswap64(__builtin_bswap64(eight) << first % 8);
			memcpy(run->bytes + j, &eight, sizeof eight);
		}
		machine_feed_row(machine, &machine->lanes[i], reader, &row);
	}
}

/* Keeps what a byte that goes on behind the run needs. */
static void
end_run(struct machine *machine, const struct reader *reader, const struct run *run, unsigned width)
{
	uint64_t before = machine->bit_count / width - run->carried;
	unsigned first =
		run->count > run->carried + DIGITS_KEPT ? run->count - DIGITS_KEPT : run->carried;

	for (unsigned i = first; i < run->count; i++)
		machine->digits[(before + i) & (DIGITS_KEPT - 1)] =
			reader->base + (uint64_t)(int64_t)run->at[i];
	machine->bit_count += (run->count - run->carried) * width;
	machine->bits = run->bits;
}

/* Passes over what is too short for a value, where nothing has begun. */
static inline __attribute__((always_inline)) void
pass_short(struct machine *machine, const struct reader *reader, uint64_t stop, unsigned width)
{
	const int16_t *digits = reader->set->digits[width - 4];
	size_t at = (size_t)(machine->at - reader->base), end = (size_t)(stop - reader->base);
	size_t begin = at;
	unsigned count = 0;

	for (; at < end && count * width < CODED_BITS; at++) {
		int digit = digits[reader->bytes[at]];

		if (digit >= 0) {
			count++;
		} else if (digit == DIGIT_NONE) {
			count = 0;
			begin = at + 1;
		} else if (digit == DIGIT_OTHER) {
			break;
		}
	}
	machine->at = reader->base + begin;
}

static inline __attribute__((always_inline)) void
run_digits_of(struct machine *machine, struct reader *reader, uint64_t stop, unsigned width,
              unsigned grain)
{
	enum run_end end = RUN_GOES_ON;
	struct run run;

	while (machine->at < stop && end != RUN_OTHER) {
		if (!machine->bit_count)
			pass_short(machine, reader, stop, width);
		begin_run(machine, reader, &run, width);
		end = read_run(machine, reader, &run, stop, width);
		/* Between two breaks a whole value must fit. */
		if (end != RUN_BREAKS || machine->bit_count || run.count * width >= CODED_BITS) {
			feed_run(machine, reader, &run, width, grain);
			end_run(machine, reader, &run, width);
		}
		if (end == RUN_BREAKS) {
			if (machine->bit_count)
				break_digits(machine);
			if (reader->set->digits[width - 4]
			                       [reader->bytes[machine->at - reader->base]] ==
			    DIGIT_NONE)
				machine->at++;
		}
	}
	explicit_bzero(run.packed, sizeof run.packed);
	explicit_bzero(run.bytes, sizeof run.bytes);
}

void
machine_run_digits(struct machine *machine, struct reader *reader, uint64_t stop)
{
	if (machine->view == VIEW_HEX) /* constants: divisions by them are none */
		run_digits_of(machine, reader, stop, 4, 4);
	else if (machine->view == VIEW_BASE32)
		run_digits_of(machine, reader, stop, 5, 1);
	else
		run_digits_of(machine, reader, stop, 6, 2);
}

int
machine_digit(enum view view, uint8_t byte)
{
	if (machine_is_space(byte) || !byte)
		return -2;
	if (view == VIEW_HEX)
		return strchr(":-,.", byte) ? -2 : text_hex_digit((char)byte);
	if (view == VIEW_BASE64)
		return text_base64_digit((char)byte);
	if ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z')
		return (byte | 0x20) - 'a';
	return byte >= '2' && byte <= '7' ? byte - '2' + 26 : -1;
}

/* Escapes that stand for a digit of base64 or a line end: \n \r \/ %2B %2F %0A %0D. *ret_digit: as
 * digit_of. Returns the length; 0: none; SIZE_MAX: only more input can tell. */
static size_t
base64_escape(const uint8_t *bytes, size_t left, bool final, int *ret_digit)
{
	enum escape_kind kind = *bytes == '%' ? ESCAPE_PERCENT : ESCAPE_BACKSLASH;
	struct unit unit;

	if (*bytes == '\\' && left > 1 && !strchr("nr/", bytes[1]))
		return 0;
	unit = decode_unit(kind, bytes, left, final);
	if (!unit.len)
		return SIZE_MAX;
	if (unit.len == 1 || !unit.count || !strchr("\n\r/+=", unit.bytes[0]))
		return 0;
	*ret_digit = machine_digit(VIEW_BASE64, unit.bytes[0]);
	return unit.len;
}

size_t
machine_base64(struct machine *machine, const struct reader *reader, int *ret_digit)
{
	const uint8_t *bytes = reader->bytes + (machine->at - reader->base);
	size_t left = (size_t)(reader->base + reader->len - machine->at), len = 1;

	*ret_digit = -2;
	if (*bytes == 0x1b) {
		len = decode_terminal(bytes, left, reader->final);
		machine->stuck = !len; /* it may turn out to be text */
		return len;
	}
	*ret_digit = reader->set->digits[width_of(machine->view) - 4][*bytes];
	if (*ret_digit == DIGIT_OTHER)
		*ret_digit = DIGIT_NONE;
	if (machine->lane_count < 8 && (*bytes == '\\' || *bytes == '%') &&
	    machine->view != VIEW_HEX) {
		len = base64_escape(bytes, left, reader->final, ret_digit);
		machine->stuck = len == SIZE_MAX;
		return machine->stuck ? 0 : len ? len : 1;
	}
	return len;
}

bool
machine_step_digits(struct machine *machine, struct reader *reader)
{
	int digit;
	size_t len = machine_base64(machine, reader, &digit);

	if (digit >= 0 && len)
		take_digit(machine, reader, (unsigned)digit, machine->at + len);
	else if (digit == -1 && len)
		break_digits(machine);
	machine->at += len;
	return len > 0;
}

uint64_t
machine_bits_hold(const struct machine *machine, const struct reader *reader, uint64_t hold)
{
	unsigned grain = 8 / (unsigned)machine->lane_count;

	for (unsigned i = 0; i < machine->lane_count; i++) {
		unsigned count = (unsigned)(machine->bit_count - i * grain) & 7;
		uint64_t number = (machine->bit_count - count) / width_of(machine->view);

		if (!count || count > machine->bit_count || machine->lanes[i].state != ROOT ||
		    !set_lead(reader->set, count, machine->bits & ((1u << count) - 1)))
			continue;
		if (machine->digits[number & (DIGITS_KEPT - 1)] < hold)
			hold = machine->digits[number & (DIGITS_KEPT - 1)];
	}
	return hold;
}
