/* The machine of VIEW_DEFLATE: base64 whose bytes are a gzip or zlib member, whose text is
 * searched.
 *
 * What one byte of the text was coded by ends somewhere in the last bytes of the member, so the
 * digits of those are always held back. From a match on, all digits of the run belong to it: the
 * check sum at the end, too, says something about the value. */
#include "redact/machine.h"

#include "redact/set.h"

#include <string.h>

#define LAG (DEFLATE_LAG * 8 / 6 + 1) /* digits */
#define DIGIT_H 7
#define HEADER_LEAST 18 /* bits of whole digits; after them zlib knows a header */

_Static_assert(LAG < DIGITS_KEPT, "the digits that are held back are known");

struct feeding {
	struct machine *machine;
	struct reader *reader;
	uint64_t start;
	uint64_t end;
};

void
member_wake(struct machine *machine, struct reader *reader, uint64_t from)
{
	if (from < machine->at || from < reader->base)
		return;
	/* One that is not past its header may be none: then this one counts. */
	if (machine->awake && (machine->in_match || machine->bit_count > HEADER_LEAST))
		return;
	if (!machine->deflate && deflate_new(&machine->deflate)) {
		reader->err = UN_ERR_NO_MEMORY;
		return;
	}
	deflate_start(machine->deflate);
	machine->awake = true;
	machine->in_match = false;
	machine->at = machine->last_end = from;
	machine->bit_count = 0;
	machine->lanes[0].state = ROOT;
}

static void
put(void *ctx, uint8_t byte)
{
	struct feeding *feeding = ctx;

	machine_feed_lane(feeding->machine, 0, feeding->reader, byte, feeding->start, feeding->end);
}

/* The digit that is `back` digits before the last one, or the first one. */
static uint64_t
digit_before(const struct machine *machine, uint64_t back)
{
	uint64_t count = machine->bit_count / 6;

	return machine->digits[(count > back ? count - 1 - back : 0) & (DIGITS_KEPT - 1)];
}

static void
take(struct machine *machine, struct reader *reader, unsigned digit, uint64_t end)
{
	struct feeding feeding = {.machine = machine, .reader = reader, .end = end};
	const struct region *last;

	machine->digits[machine->bit_count / 6 & (DIGITS_KEPT - 1)] = machine->at;
	machine->bits = machine->bits << 6 | digit;
	machine->bit_count += 6;
	machine->last_end = end;
	if (machine->in_match) {
		reader_found(reader, machine->match_start, end, machine->match_name,
		             REDACT_FORM_DEFLATE);
		return;
	}
	if (machine->bit_count % 24 == 6) /* no byte is whole yet */
		return;
	feeding.start = digit_before(machine, LAG);
	if (deflate_take(machine->deflate, (uint8_t)(machine->bits >> (machine->bit_count % 8)),
	                 put, &feeding) == DEFLATE_ENDED)
		machine->awake = false;
	last = reader->found_count ? &reader->found[reader->found_count - 1] : NULL;
	if (last && last->form == REDACT_FORM_DEFLATE && last->end == end) {
		machine->awake = machine->in_match = true;
		machine->match_start = last->start;
		machine->match_name = last->name;
	}
}

/* A member was seen to begin when only its first digit was there: does the next one agree? */
static bool
begins(const struct machine *machine, const struct reader *reader)
{
	uint8_t second = reader->bytes[machine->at - reader->base];

	if (machine->bit_count != 6)
		return true;
	return machine->at == machine->last_end &&
	       ((machine->bits & 63) == DIGIT_H ? second == '4' : second && strchr("JNAF", second));
}

bool
member_step(struct machine *machine, struct reader *reader)
{
	size_t len = 0;
	int digit;

	if (!begins(machine, reader)) {
		machine->awake = false;
		return true;
	}
	len = machine_base64(machine, reader, &digit);
	if (!len)
		return false;
	if (digit == -1 || (digit >= 0 && machine->at - machine->last_end > GAP_MAX)) {
		machine->awake = false; /* the run has ended */
		return true;
	}
	if (digit >= 0)
		take(machine, reader, (unsigned)digit, machine->at + len);
	machine->at += len;
	return true;
}

/* The digits of a member that has begun, as far as they are bytes of their own. */
void
member_run(struct machine *machine, struct reader *reader, uint64_t stop)
{
	const int16_t *digits = reader->set->digits[2];

	while (machine->awake && machine->at < stop && machine->bit_count > 6 &&
	       machine->at == machine->last_end) {
		int digit = digits[reader->bytes[machine->at - reader->base]];

		if (digit < 0)
			return;
		take(machine, reader, (unsigned)digit, machine->at + 1);
		machine->at++;
	}
}

uint64_t
member_hold(const struct machine *machine)
{
	return machine->in_match || !machine->bit_count ? UINT64_MAX : digit_before(machine, LAG);
}
