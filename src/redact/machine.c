#include "redact/machine.h"

#include "base/alloc.h"
#include "base/text.h"
#include "redact/set.h"

#include <string.h>

#define RING_FIRST 64
/* Bytes between two looks whether a machine may sleep. */
#define PLAIN_RUN 16
#define DIGITS_RUN 64

void
machine_init(struct machine *machine, enum view view)
{
	*machine = (struct machine){.view = view, .lane_count = 1};
	if (view == VIEW_HEX)
		machine->lane_count = 2;
	else if (view == VIEW_BASE64)
		machine->lane_count = 4;
	else if (view == VIEW_BASE32)
		machine->lane_count = 8;
}

void
reader_found(struct reader *reader, uint64_t start, uint64_t end, uint32_t name,
             enum redact_form form)
{
	struct region *last = reader->found_count ? &reader->found[reader->found_count - 1] : NULL;
	struct region region = {
		.start = start, .end = end, .lead = end - start, .name = name, .form = form};

	if (last && last->start == start && last->name == name && last->form == form) {
		if (end > last->end) { /* views find it in their own order */
			last->end = end;
			last->lead = end - start;
		}
		return;
	}
	if (!reader->found || reader->found_count == reader->found_room) {
		size_t room = reader->found_room ? reader->found_room * 2 : 16;
		struct region *bigger = mem_realloc(reader->found, room * sizeof *bigger);

		if (!bigger) {
			reader->err = UN_ERR_NO_MEMORY;
			return;
		}
		reader->found = bigger;
		reader->found_room = room;
	}
	reader->found[reader->found_count++] = region;
}

static bool
is_text(enum view view)
{
	return view < VIEW_HEX;
}

static enum escape_kind
escapes_of(enum view view)
{
	return (enum escape_kind)(view - VIEW_TEXT + ESCAPE_NONE);
}

_Static_assert(VIEW_BACKSLASH - VIEW_TEXT == ESCAPE_BACKSLASH - ESCAPE_NONE &&
                       VIEW_INSIDE - VIEW_TEXT == ESCAPE_INSIDE - ESCAPE_NONE,
               "the views of text are in the order of the escapes");

/* ---- which matches count ---- */

static enum redact_form
text_form(const struct machine *machine, const struct reader *reader, const struct pattern *pattern,
          uint64_t start, uint64_t end)
{
	static const enum redact_form escaped[] = {
		[VIEW_BACKSLASH] = REDACT_FORM_BACKSLASH, [VIEW_PERCENT] = REDACT_FORM_PERCENT,
		[VIEW_ENTITY] = REDACT_FORM_ENTITY,       [VIEW_QUOTED] = REDACT_FORM_QUOTED,
		[VIEW_TERMINAL] = REDACT_FORM_COLOURED,   [VIEW_INSIDE] = REDACT_FORM_COLOURED,
	};
	size_t len = (size_t)(end - start);

	if (len == (pattern->spelled_len ? pattern->spelled_len : pattern->len)) {
		if (pattern->kind == PATTERN_LINE)
			return REDACT_FORM_LINE;
		if (pattern->kind == PATTERN_REVERSED)
			return REDACT_FORM_REVERSED;
		if (pattern->kind == PATTERN_PLUS)
			return REDACT_FORM_PERCENT;
		if (pattern->kind == PATTERN_QUOTED)
			return REDACT_FORM_BACKSLASH;
		return pattern->kind == PATTERN_RECODED ? REDACT_FORM_RECODED : REDACT_FORM_PLAIN;
	}
	if (machine->view != VIEW_TEXT)
		return escaped[machine->view];
	if (memchr(reader->bytes + (start - reader->base), 0, len))
		return REDACT_FORM_RECODED;
	if (memchr(reader->bytes + (start - reader->base), 0x1b, len))
		return REDACT_FORM_COLOURED;
	return machine->symbols - machine->not_spaced + 1 >= pattern->len ? REDACT_FORM_SPACED
	                                                                  : REDACT_FORM_FOLDED;
}

static bool
counts(const struct machine *machine, const struct reader *reader, const struct pattern *pattern,
       uint64_t start, uint64_t end)
{
	uint64_t first = machine->symbols - pattern->len + 1; /* the number of the first symbol */

	if (!is_text(machine->view))
		return pattern->coded;
	if (pattern->kind == PATTERN_EXACT)
		return false;
	if (pattern->len < REDACT_CODED_MIN) /* mostly white space: only as it is */
		return end - start == pattern->spelled_len &&
		       text_equal(reader->bytes + (start - reader->base),
		                  set_spelled(reader->set, pattern), pattern->spelled_len);
	if (pattern->spelled_len)
		return spelling_fits(escapes_of(machine->view), reader, pattern,
		                     (struct span){.start = start, .end = end});
	return machine->gap <= first || machine->not_spaced <= first ||
	       (pattern->len >= WRAPPED_LEAST && machine->not_wrapped <= first);
}

static enum redact_form
form_of(const struct machine *machine, const struct reader *reader, const struct pattern *pattern,
        uint64_t start, uint64_t end)
{
	static const enum redact_form coded[] = {
		[VIEW_HEX] = REDACT_FORM_HEX,         [VIEW_HEX_0X] = REDACT_FORM_HEX,
		[VIEW_DECIMAL] = REDACT_FORM_DECIMAL, [VIEW_BASE64] = REDACT_FORM_BASE64,
		[VIEW_BASE32] = REDACT_FORM_BASE32,   [VIEW_DEFLATE] = REDACT_FORM_DEFLATE,
	};

	return is_text(machine->view) ? text_form(machine, reader, pattern, start, end)
	                              : coded[machine->view];
}

/* ---- the search ---- */

static inline uint64_t
lane_start(const struct lane *lane, uint32_t len)
{
	return lane->starts[(lane->fed - len) & (lane->room - 1)];
}

static void
report(struct machine *machine, struct lane *lane, struct reader *reader, uint64_t end)
{
	const struct automaton *automaton = reader->automaton;
	uint32_t node = lane->state;

	for (; automaton->flags[node] & NODE_OUT; node = automaton->fail[node]) {
		uint32_t own = automaton_own(automaton, node);

		for (; own != NO_PATTERN; own = automaton->patterns[own].same) {
			const struct pattern *pattern = &automaton->patterns[own];
			uint64_t start = lane_start(lane, pattern->len);

			if (!counts(machine, reader, pattern, start, end))
				continue;
			reader_found(reader, start, end, pattern->name,
			             form_of(machine, reader, pattern, start, end));
			return;
		}
	}
}

static bool
lane_grow(struct lane *lane, uint32_t keep)
{
	uint32_t room = lane->room ? lane->room * 2 : RING_FIRST;
	uint64_t *starts;

	while (room < keep)
		room *= 2;
	starts = mem_zalloc(room, sizeof *starts);
	if (!starts)
		return false;
	for (uint32_t i = 1; i < keep && i <= lane->room; i++)
		starts[(lane->fed - i) & (room - 1)] =
			lane->starts[(lane->fed - i) & (lane->room - 1)];
	mem_free(lane->starts);
	lane->starts = starts;
	lane->room = room;
	return true;
}

/* A beginning so long that it is no chance, and too long to be held: it counts as a match. */
static void
cut_partial(const struct lane *lane, struct reader *reader, uint32_t depth, uint64_t end)
{
	uint64_t start = lane_start(lane, depth);
	uint32_t owner = automaton_owner(reader->automaton, lane->state);

	if (end - start > PARTIAL_MAX)
		reader_found(reader, start, end, reader->automaton->patterns[owner].name,
		             REDACT_FORM_PLAIN);
}

static inline void
feed(struct machine *machine, struct lane *lane, struct reader *reader, uint8_t byte,
     uint64_t start, uint64_t end)
{
	const struct automaton *automaton = reader->automaton;
	uint32_t state = automaton_step(automaton, lane->state, byte), depth;

	lane->state = state;
	if (state == ROOT)
		return;
	depth = automaton->depth[state];
	if (depth > lane->room && !lane_grow(lane, depth)) {
		reader->err = UN_ERR_NO_MEMORY;
		lane->state = ROOT;
		return;
	}
	lane->starts[lane->fed & (lane->room - 1)] = start;
	lane->fed++;
	if (automaton->flags[state] & NODE_OUT)
		report(machine, lane, reader, end);
	if (depth > PARTIAL_MAX / UNIT_MAX)
		cut_partial(lane, reader, depth, end);
	lane->state = automaton_rest(automaton, state);
}

void
machine_feed_lane(struct machine *machine, size_t lane, struct reader *reader, uint8_t byte,
                  uint64_t start, uint64_t end)
{
	feed(machine, &machine->lanes[lane], reader, byte, start, end);
}

/* The position of the digit with this bit. */
static inline uint64_t
row_at(const struct reader *reader, const struct row *row, size_t bit)
{
	return reader->base + (uint64_t)(int64_t)row->at[bit * row->part >> 16];
}

/* As far as they are the next ones of one pattern, and no match ends there. Returns how many. */
static inline size_t
follow(struct lane *lane, const struct reader *reader, const struct row *row, size_t from)
{
	const struct automaton *automaton = reader->automaton;
	uint32_t depth = automaton->depth[lane->state];
	const uint8_t *text = automaton->text + lane->state,
		      *flags = automaton->flags + lane->state;
	const uint8_t *bytes = row->bytes + from;
	size_t count = 0, most = row->count - from;

	if (lane->room - depth < most)
		most = lane->room > depth ? lane->room - depth : 0;
	if (depth > PARTIAL_MAX / UNIT_MAX - RING_FIRST)
		most = 0;
	while (count < most && text[count] == bytes[count] && flags[count] & NODE_NEXT &&
	       !(flags[count + 1] & NODE_OUT))
		count++;
	for (size_t i = 0, bit = row->first + from * 8; i < count; i++, bit += 8)
		lane->starts[lane->fed++ & (lane->room - 1)] = row_at(reader, row, bit);
	lane->state += (uint32_t)count;
	return count;
}

/* Leaves out beginnings of which the next bytes say that they are none. */
static inline void
leave_others(struct lane *lane, const struct reader *reader, const struct row *row, size_t next)
{
	const struct automaton *automaton = reader->automaton;

	while (lane->state != ROOT) {
		uint32_t depth = automaton->depth[lane->state];

		if (depth >= HEAD || depth > next || next - depth + HEAD > row->count ||
		    heads_have(&reader->set->coded, row->bytes + (next - depth)))
			return;
		lane->state = automaton->fail[lane->state];
	}
}

void
machine_feed_row(struct machine *machine, struct lane *lane, struct reader *reader,
                 const struct row *row)
{
	size_t heads_end = row->count >= HEAD ? row->count - HEAD + 1 : 0;

	for (size_t i = 0; i < row->count;) {
		size_t bit;

		if (lane->state == ROOT) {
			while (i < heads_end && !heads_have(&reader->set->coded, row->bytes + i))
				i++;
			while (i < row->count && !reader->automaton->start[row->bytes[i]])
				i++;
			if (i == row->count)
				return;
		} else {
			i += follow(lane, reader, row, i);
			if (i == row->count)
				return;
		}
		bit = row->first + i * 8;
		feed(machine, lane, reader, row->bytes[i], row_at(reader, row, bit),
		     row_at(reader, row, bit + 7) + 1);
		i++;
		leave_others(lane, reader, row, i);
	}
}

void
machine_reset(struct machine *machine)
{
	for (size_t i = 0; i < machine->lane_count; i++)
		machine->lanes[i].state = ROOT;
}

/* ---- text ---- */

static void
take_space(struct machine *machine, uint8_t byte)
{
	machine->pending_spaces++;
	machine->pending_line |= byte == '\n' || byte == '\r';
}

static inline void
take_symbol(struct machine *machine, struct reader *reader, uint8_t byte, uint64_t start,
            uint64_t end)
{
	struct lane *lane = &machine->lanes[0];

	machine->symbols++;
	if (machine->pending_spaces) {
		machine->gap = machine->symbols;
		if (machine->pending_line || machine->pending_spaces != 1)
			machine->not_spaced = machine->symbols;
		if (!machine->pending_line)
			machine->not_wrapped = machine->symbols;
		machine->pending_spaces = 0;
		machine->pending_line = false;
	} else if ((byte & 0xc0) != 0x80) {
		machine->not_spaced = machine->symbols;
	}
	if (lane->state != ROOT && start > machine->last_end && start - machine->last_end > GAP_MAX)
		lane->state = ROOT;
	machine->last_end = end;
	if (lane->state != ROOT || reader->automaton->start[byte])
		feed(machine, lane, reader, byte, start, end);
	if (machine->view == VIEW_INSIDE && lane->state != ROOT &&
	    lane_start(lane, reader->automaton->depth[lane->state]) >= machine->begins_before)
		lane->state = ROOT;
}

static void
take_byte(struct machine *machine, struct reader *reader, uint8_t byte, uint64_t start,
          uint64_t end)
{
	if (machine_is_space(byte))
		take_space(machine, byte);
	else if (byte)
		take_symbol(machine, reader, byte, start, end);
}

/* The bytes that are no escape for the machine, up to `stop`, the end of a plain run, or the point
 * where it may sleep. */
static void
run_plain(struct machine *machine, struct reader *reader, uint64_t stop)
{
	/* Bits: the views for which these bytes are no plain ones. */
	static const uint8_t marks[256] = {
		[0x1b] = 0xff,
		['\\'] = 1 << VIEW_BACKSLASH,
		['\''] = 1 << VIEW_BACKSLASH,
		['%'] = 1 << VIEW_PERCENT,
		['&'] = 1 << VIEW_ENTITY,
		['='] = 1 << VIEW_QUOTED,
		[0x0e] = 1 << VIEW_TERMINAL,
		[0x0f] = 1 << VIEW_TERMINAL,
		[0x9b] = 1 << VIEW_TERMINAL,
	};
	const uint8_t *class = reader->set->filter.tables->class;
	uint8_t mark = (uint8_t)(1u << machine->view);
	enum escape_kind kind = escapes_of(machine->view);
	uint64_t end = reader->base + reader->len;
	uint64_t at = machine->at;

	while (at < stop) {
		const uint8_t *bytes = reader->bytes + (at - reader->base);
		uint8_t byte = *bytes;
		uint32_t len = 1;

		if (marks[byte] & mark) {
			len = decode_usual(kind, bytes, (size_t)(end - at), &byte);
			if (!len)
				break;
		}
		if (class[byte] & CLASS_SYMBOL)
			take_symbol(machine, reader, byte, at, at + len);
		else
			take_byte(machine, reader, byte, at, at + len);
		at += len;
	}
	machine->at = at;
}

/* VIEW_INSIDE: only what begins within a sequence of parameters is looked for there, up to the next
 * one. */
static bool
step_inside(struct machine *machine, const uint8_t *bytes, size_t left, bool final)
{
	size_t len = decode_terminal(bytes, left, final);
	bool inside = len > 1 && bytes[1] == '[';

	machine->stuck = !len;
	machine->lanes[0].state = ROOT;
	machine->begins_before = inside ? machine->at + len : 0;
	machine->at += inside ? 2 : len;
	return len > 0;
}

/* Reads one unit of text; false: only more input can tell what it is. */
static bool
step_text(struct machine *machine, struct reader *reader)
{
	const uint8_t *bytes = reader->bytes + (machine->at - reader->base);
	size_t left = (size_t)(reader->base + reader->len - machine->at);
	struct unit unit;
	uint64_t start = machine->at;

	if (*bytes == 0x1b && machine->view == VIEW_INSIDE)
		return step_inside(machine, bytes, left, reader->final);
	if (*bytes == 0x1b && machine->view != VIEW_TERMINAL) {
		size_t len = decode_terminal(bytes, left, reader->final);

		machine->at += len;
		machine->stuck = !len; /* it may turn out to be text */
		return len > 0;
	}
	unit = decode_unit(escapes_of(machine->view), bytes, left, reader->final);
	if (!unit.len) {
		machine->stuck = true;
		return false;
	}
	machine->at += unit.len;
	for (uint32_t i = 0; i < unit.count; i++)
		take_byte(machine, reader, unit.bytes[i], start, machine->at);
	return true;
}

/* ---- lists of numbers ---- */

static void
take_number(struct machine *machine, struct reader *reader, uint8_t byte, size_t len)
{
	uint64_t start = machine->at, end = start + len;

	if (start > machine->last_end && start - machine->last_end > GAP_MAX)
		machine_reset(machine);
	machine->last_end = end;
	feed(machine, &machine->lanes[0], reader, byte, start, end);
}

static bool
is_word(uint8_t byte)
{
	return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') ||
	       byte == '_' || byte >= 128;
}

/* White space, NUL, and what stands between the numbers of a list. */
static bool
is_between(uint8_t byte)
{
	static const bool between[256] = {
		[','] = true, [';'] = true, [':'] = true, ['['] = true, [']'] = true, ['('] = true,
		[')'] = true, ['{'] = true, ['}'] = true, ['|'] = true, [0] = true,
	};

	return between[byte] || machine_is_space(byte);
}

static bool
step_decimal(struct machine *machine, struct reader *reader)
{
	const uint8_t *bytes = reader->bytes + (machine->at - reader->base);
	size_t left = (size_t)(reader->base + reader->len - machine->at), len = 0;
	unsigned number = 0;

	if (!is_word(*bytes)) {
		machine->in_word = false;
		if (*bytes == 0x1b)
			len = decode_terminal(bytes, left, reader->final);
		else if (!is_between(*bytes))
			machine_reset(machine);
		machine->stuck = *bytes == 0x1b && !len;
		machine->at += *bytes == 0x1b ? len : 1;
		return !machine->stuck;
	}
	while (!machine->in_word && len < left && len < 4 && bytes[len] >= '0' && bytes[len] <= '9')
		number = number * 10 + (unsigned)(bytes[len++] - '0');
	if (!machine->in_word && len == left && len < 4 && !reader->final) {
		machine->stuck = true;
		return false;
	}
	if (!len || len > 3 || number > 255 || (len < left && is_word(bytes[len])) ||
	    (len > 1 && bytes[0] == '0')) {
		machine->in_word = true;
		machine_reset(machine);
		machine->at++;
		return true;
	}
	take_number(machine, reader, (uint8_t)number, len);
	machine->at += len;
	return true;
}

/* 0x68, 0x75 */
static bool
step_hex_0x(struct machine *machine, struct reader *reader)
{
	const uint8_t *bytes = reader->bytes + (machine->at - reader->base);
	size_t left = (size_t)(reader->base + reader->len - machine->at), len;
	int high, low;

	if (*bytes == 0x1b) {
		len = decode_terminal(bytes, left, reader->final);
		machine->at += len;
		machine->stuck = !len; /* it may turn out to be text */
		return len > 0;
	}
	if (*bytes == '0' && left < 4 && !reader->final &&
	    (left < 2 ||
	     ((bytes[1] | 0x20) == 'x' && (left < 3 || text_hex_digit((char)bytes[2]) >= 0)))) {
		machine->stuck = true;
		return false;
	}
	if (*bytes == '0' && left >= 4 && (bytes[1] | 0x20) == 'x') {
		high = text_hex_digit((char)bytes[2]);
		low = text_hex_digit((char)bytes[3]);
		if (high >= 0 && low >= 0) {
			take_number(machine, reader, (uint8_t)(high << 4 | low), 4);
			machine->at += 4;
			return true;
		}
	}
	if (!is_between(*bytes))
		machine_reset(machine);
	machine->at++;
	return true;
}

/* ---- the machine ---- */

/* What began while it was not to be found here may not be in the window any more. */
static void
forget_gone(struct machine *machine, const struct reader *reader)
{
	const struct automaton *automaton = reader->automaton;

	for (size_t i = 0; i < machine->lane_count; i++) {
		struct lane *lane = &machine->lanes[i];

		while (lane->state != ROOT &&
		       lane_start(lane, automaton->depth[lane->state]) < reader->base)
			lane->state = automaton->fail[lane->state];
	}
}

void
machine_wake(struct machine *machine, const struct reader *reader, uint64_t from, uint64_t latest,
             uint64_t until)
{
	if (from < reader->base)
		from = reader->base;
	/* One that is awake goes on where it is: it may wait for the rest of an escape. */
	if (!machine->awake && (from > machine->at || machine->at < reader->base)) {
		int before = from > reader->base ? reader->bytes[from - reader->base - 1]
		                                 : reader->before;

		machine_reset(machine);
		machine->at = machine->last_end = from;
		machine->bit_count = 0;
		machine->pending_spaces = 0;
		machine->pending_line = machine->stuck = false;
		machine->begins_before = 0;
		machine->in_word = before >= 0 && is_word((uint8_t)before);
	}
	if (!machine->awake) {
		forget_gone(machine, reader);
		machine->awake = true;
		machine->latest = machine->until = 0;
	}
	if (machine->latest < latest)
		machine->latest = latest;
	if (machine->until < until)
		machine->until = until;
}

/* Nothing that began at `latest` or before can still become a match. */
static bool
may_sleep(const struct machine *machine, const struct reader *reader)
{
	for (size_t i = 0; i < machine->lane_count; i++) {
		const struct lane *lane = &machine->lanes[i];

		if (lane->state != ROOT &&
		    lane_start(lane, reader->automaton->depth[lane->state]) <= machine->latest)
			return false;
	}
	return true;
}

static bool
step(struct machine *machine, struct reader *reader)
{
	switch (machine->view) {
	case VIEW_HEX:
	case VIEW_BASE64:
	case VIEW_BASE32:
		return machine_step_digits(machine, reader);
	case VIEW_DEFLATE:
		return member_step(machine, reader);
	case VIEW_DECIMAL:
		return step_decimal(machine, reader);
	case VIEW_HEX_0X:
		return step_hex_0x(machine, reader);
	default:
		return step_text(machine, reader);
	}
}

void
machine_run(struct machine *machine, struct reader *reader, uint64_t stop)
{
	bool text = is_text(machine->view), by_digits = machine->lane_count > 1;
	uint64_t run = by_digits ? DIGITS_RUN : PLAIN_RUN;

	while (machine->awake && machine->at < stop) {
		uint64_t near =
			machine->at <= machine->until ? machine->until + 1 : machine->at + run;

		machine->stuck = false;
		if (text)
			run_plain(machine, reader, near < stop ? near : stop);
		else if (by_digits)
			machine_run_digits(machine, reader, near < stop ? near : stop);
		else if (machine->view == VIEW_DEFLATE)
			member_run(machine, reader, stop);
		if (machine->awake && machine->at < stop &&
		    (!(text || by_digits) || machine->at < near) && !step(machine, reader))
			return;
		if (machine->view != VIEW_DEFLATE && machine->at > machine->until &&
		    may_sleep(machine, reader))
			machine->awake = false;
	}
}

/* The beginning of a match of text whose gaps are of one kind so far, as those of a match are. */
static uint32_t
text_state(const struct machine *machine, const struct reader *reader)
{
	const struct automaton *automaton = reader->automaton;
	uint32_t state = machine->lanes[0].state;
	bool waiting = machine->pending_spaces > 0;

	if (reader->set->spelled) /* they may have any, where the value has some */
		return state;
	for (; state != ROOT; state = automaton->fail[state]) {
		uint64_t first = machine->symbols - automaton->depth[state] + 1;

		if (machine->gap <= first && !waiting)
			break;
		if (machine->not_spaced <= first &&
		    !(machine->pending_line || machine->pending_spaces > 1))
			break;
		if (machine->not_wrapped <= first && reader->set->longest >= WRAPPED_LEAST)
			break;
	}
	return state;
}

uint64_t
machine_hold(const struct machine *machine, const struct reader *reader, uint32_t least)
{
	uint64_t hold = UINT64_MAX;

	if (!machine->awake)
		return hold;
	if (machine->stuck && least < 2)
		hold = machine->at;
	if (machine->view == VIEW_DEFLATE && least < 2) {
		uint64_t member = member_hold(machine);

		hold = member < hold ? member : hold;
	}
	for (size_t i = 0; i < machine->lane_count; i++) {
		const struct lane *lane = &machine->lanes[i];
		uint32_t state = is_text(machine->view) ? text_state(machine, reader) : lane->state;
		uint32_t depth = reader->automaton->depth[state];

		if (state != ROOT && depth >= least && lane_start(lane, depth) < hold)
			hold = lane_start(lane, depth);
	}
	if (machine->bit_count && machine->lane_count > 1 && least < 2)
		hold = machine_bits_hold(machine, reader, hold);
	return hold;
}

void
machine_fini(struct machine *machine)
{
	for (size_t i = 0; i < LANES_MAX; i++)
		mem_free(machine->lanes[i].starts);
	deflate_free(machine->deflate);
}
