/* The stream behind redact.h.
 *
 *   window:   ... handed out ... | held back ... | new ...
 *                 ^ scan_from        ^ the earliest position where a match may have begun
 *
 * Each piece of input is put behind what the window still has, and scanned (filter.h). Where the
 * filter points to, machines (machine.h) read the text in one way each; what they find is joined
 * (regions.h), and everything before the earliest position that a machine still holds is handed
 * out. The last bytes, too few for the filter, are read by the machines themselves. */
#include "redact/set.h"

#include "base/alloc.h"
#include "redact/machine.h"

#include <stdio.h>
#include <string.h>

#define PIECE 32768
#define WINDOW_FIRST 4000 /* a slot of a page */

/* Where plain text came to an escape within what may be the beginning of a match. */
struct joint {
	uint64_t from; /* the beginning */
	uint64_t latest;
	uint32_t views; /* bits: that know the escape */
};

struct redact_stream {
	const struct redact_set *set;
	redact_emit *emit;
	void *ctx;
	struct redact_hit *hit; /* of redact_locate: the first region goes there, and ends it */
	struct secbuf *window;
	size_t begin; /* of what is kept in it */
	size_t len;
	uint64_t base;      /* the position of window[begin] */
	uint64_t scan_from; /* where the next scan begins */
	uint64_t scanned;   /* the end of the last one */
	int before;         /* the byte at base - 1; -1: none */
	struct regions regions;
	struct reader reader;
	struct scan scan;
	struct machine machines[VIEW_COUNT];
	struct joint *joints; /* of this scan, in order */
	size_t joint_count;
	size_t joint_room;
	uint64_t short_hold;
	enum un_err broken; /* a push that failed: the stream ends there */
};

enum un_err
redact_stream_new(const struct redact_set *set, redact_emit *emit, void *ctx,
                  struct redact_stream **ret_stream)
{
	struct redact_stream *stream;

	if (!set->compiled)
		return UN_ERR_INVALID;
	stream = mem_zalloc(1, sizeof *stream);
	if (!stream)
		return UN_ERR_NO_MEMORY;
	stream->set = set;
	stream->emit = emit;
	stream->ctx = ctx;
	stream->before = -1;
	stream->short_hold = UINT64_MAX;
	stream->reader.set = set;
	stream->reader.automaton = &set->automaton;
	for (enum view view = 0; view < VIEW_COUNT; view++)
		machine_init(&stream->machines[view], view);
	*ret_stream = stream;
	return UN_OK;
}

/* ---- handing out ---- */

static enum un_err
clean(void *ctx, uint64_t start, uint64_t end)
{
	struct redact_stream *stream = ctx;

	if (stream->hit)
		return UN_OK;
	return stream->emit(stream->ctx,
	                    secbuf_peek(stream->window) + stream->begin + (start - stream->base),
	                    (size_t)(end - start));
}

static enum un_err
mark(void *ctx, const struct region *region)
{
	struct redact_stream *stream = ctx;
	char text[SECRET_NAME_MAX + 16];
	int len;

	if (stream->hit) {
		*stream->hit = (struct redact_hit){.name = stream->set->values[region->name].name,
		                                   .form = region->form,
		                                   .offset = (size_t)region->start,
		                                   .len = (size_t)(region->end - region->start)};
		return UN_ERR_EXISTS;
	}
	len = snprintf(text, sizeof text, "[secret %s]", stream->set->values[region->name].name);
	return stream->emit(stream->ctx, (const uint8_t *)text, (size_t)len);
}

static enum un_err
release(struct redact_stream *stream, uint64_t decided)
{
	const struct region_sink sink = {.clean = clean, .mark = mark, .ctx = stream};
	enum un_err err = stream->reader.err;

	if (!err)
		err = regions_join(&stream->regions, stream->reader.found,
		                   stream->reader.found_count);
	stream->reader.found_count = 0;
	if (!err)
		err = regions_release(&stream->regions, decided, &sink);
	return err;
}

/* ---- the window ---- */

/* Makes room for `len` more bytes. */
static enum un_err
make_room(struct redact_stream *stream, size_t len)
{
	size_t room = stream->window ? secbuf_len(stream->window) : 0, wanted = stream->len + len;
	struct secbuf *bigger;
	enum un_err err;

	if (stream->begin + wanted <= room)
		return UN_OK;
	if (wanted <= room && (stream->begin >= stream->len || stream->begin > room / 2)) {
		uint8_t *bytes = secbuf_edit(stream->window);

		memmove(bytes, bytes + stream->begin, stream->len);
		stream->begin = 0;
		return UN_OK;
	}
	if (room < WINDOW_FIRST)
		room = WINDOW_FIRST;
	while (room < wanted * 3 / 2)
		room = room * 2 < SECBUF_MAX ? room * 2 : SECBUF_MAX;
	err = secbuf_new(room, &bigger);
	if (err)
		return err;
	if (stream->len)
		memcpy(secbuf_edit(bigger), secbuf_peek(stream->window) + stream->begin,
		       stream->len);
	secbuf_free(stream->window);
	stream->window = bigger;
	stream->begin = 0;
	return UN_OK;
}

static uint64_t
earliest(const struct redact_stream *stream, uint32_t least)
{
	uint64_t hold = stream->short_hold;

	for (enum view view = 0; view < VIEW_COUNT; view++) {
		uint64_t one = machine_hold(&stream->machines[view], &stream->reader, least);

		hold = one < hold ? one : hold;
	}
	return hold;
}

/* Forgets what nobody will look at again. */
static void
trim(struct redact_stream *stream)
{
	uint64_t keep = stream->scan_from, hold = earliest(stream, 1);
	size_t gone;

	keep = hold < keep ? hold : keep;
	keep = stream->regions.emitted < keep ? stream->regions.emitted : keep;
	for (enum view view = 0; view < VIEW_COUNT; view++)
		if (stream->machines[view].awake && stream->machines[view].at < keep)
			keep = stream->machines[view].at;
	if (keep <= stream->base)
		return;
	gone = (size_t)(keep - stream->base);
	stream->before = secbuf_peek(stream->window)[stream->begin + gone - 1];
	stream->begin += gone;
	stream->len -= gone;
	stream->base = keep;
}

/* ---- reading ---- */

static void
wake(struct redact_stream *stream, enum view view, const struct hint *hint)
{
	struct machine *machine = &stream->machines[view];
	uint64_t origin = stream->scan_from;

	if (machine->awake)
		machine_run(machine, &stream->reader, origin + hint->from);
	machine_wake(machine, &stream->reader, origin + hint->from, origin + hint->latest,
	             origin + hint->until);
}

/* Where machines of these views can begin to read to see a match that may begin at `hold`. */
static uint64_t
begin_at(const struct redact_stream *stream, uint32_t views, uint64_t hold)
{
	const uint8_t *bytes = stream->reader.bytes;
	size_t at = filter_sync(&stream->set->filter, bytes, (size_t)(hold - stream->base));

	return stream->base + (views & 1u << VIEW_TERMINAL ? filter_string(bytes, at) : at);
}

/* At an escape that a match of plain text has come to: the machines that know the escape must begin
 * where it began. */
static void
note_joint(struct redact_stream *stream, uint64_t at, uint32_t views)
{
	uint64_t hold = machine_hold(&stream->machines[VIEW_TEXT], &stream->reader, 1);
	struct joint joint = {.latest = at, .views = views};

	if (hold > at)
		return;
	joint.from = begin_at(stream, views, hold);
	if (!stream->joints || stream->joint_count == stream->joint_room) {
		size_t room = stream->joint_room ? stream->joint_room * 2 : 16;
		struct joint *joints = mem_realloc(stream->joints, room * sizeof *joints);

		if (!joints) {
			stream->reader.err = UN_ERR_NO_MEMORY;
			return;
		}
		stream->joints = joints;
		stream->joint_room = room;
	}
	stream->joints[stream->joint_count++] = joint;
}

static void
run_text(struct redact_stream *stream, uint64_t stop)
{
	struct machine *text = &stream->machines[VIEW_TEXT];

	while (text->awake && text->at < stop) {
		uint64_t from = text->at > stream->scan_from ? text->at - stream->scan_from : 0, at;
		uint32_t views;

		at = stream->scan_from + filter_escape(&stream->scan, (size_t)from, &views);
		if (!views || at >= stop)
			break;
		if (at > text->at)
			machine_run(text, &stream->reader, at);
		if (text->at < at) /* it sleeps, or waits for more input */
			return;
		note_joint(stream, at, views);
		machine_run(text, &stream->reader, at + 1);
		if (text->at <= at)
			return;
	}
	machine_run(text, &stream->reader, stop);
}

/* Plain text. Returns the views that somebody points to. */
static uint32_t
read_text(struct redact_stream *stream, uint64_t end)
{
	const struct hints *hints = &stream->scan.hints;
	uint32_t views = 0;

	stream->joint_count = 0;
	for (size_t h = 0; h < hints->count; h++) {
		const struct hint *hint = &hints->list[h];

		views |= hint->views;
		if (!(hint->views & 1u << VIEW_TEXT))
			continue;
		run_text(stream, stream->scan_from + hint->from);
		wake(stream, VIEW_TEXT, hint);
		for (enum view view = VIEW_BACKSLASH; view <= VIEW_TERMINAL; view++)
			if (filter_has_escape(&stream->scan, view, hint->from, hint->until))
				views |= 1u << view;
	}
	run_text(stream, end);
	for (size_t j = 0; j < stream->joint_count; j++)
		views |= stream->joints[j].views;
	for (size_t h = 0; h < stream->scan.escaped.count; h++)
		views |= stream->scan.escaped.list[h].views;
	return views;
}

/* The next one of a list that points to a view; NULL: none. */
static const struct hint *
next_hint(const struct redact_stream *stream, const struct hints *hints, enum view view, size_t *at)
{
	for (; *at < hints->count; (*at)++) {
		const struct hint *hint = &hints->list[*at];

		if (hint->views & 1u << view)
			return hint;
		if (view <= VIEW_TERMINAL && hint->views & 1u << VIEW_TEXT &&
		    filter_has_escape(&stream->scan, view, hint->from, hint->until))
			return hint;
	}
	return NULL;
}

/* Some value has nothing that the filter could see: all text with escapes is read. */
static void
read_all(struct redact_stream *stream, enum view view, uint64_t end)
{
	uint64_t from = stream->scan_from + stream->scan.blocks[0].enter[view - VIEW_BACKSLASH];

	for (size_t j = 0; j < stream->joint_count; j++)
		if (stream->joints[j].views & 1u << view && stream->joints[j].from < from)
			from = stream->joints[j].from;
	machine_wake(&stream->machines[view], &stream->reader, from, end, end);
}

/* Text with escapes, or a code: from where the filter points to in the text as it is, and in the
 * text with its escapes decoded, and from where plain text came to an escape. */
static void
read_view(struct redact_stream *stream, enum view view, uint64_t end)
{
	struct machine *machine = &stream->machines[view];
	size_t h = 0, e = 0, j = 0;

	if (stream->set->always_text && view <= VIEW_TERMINAL &&
	    stream->scan.any[view - VIEW_BACKSLASH])
		read_all(stream, view, end);
	for (;;) {
		const struct hint *hint = next_hint(stream, &stream->scan.hints, view, &h);
		const struct hint *escaped = next_hint(stream, &stream->scan.escaped, view, &e);
		const struct joint *joint;
		bool is_escaped = escaped && (!hint || escaped->from < hint->from);
		struct hint one = is_escaped ? *escaped : hint ? *hint : (struct hint){0};

		while (j < stream->joint_count && !(stream->joints[j].views & 1u << view))
			j++;
		joint = j < stream->joint_count ? &stream->joints[j] : NULL;
		if (joint && (!(hint || escaped) || joint->from <= stream->scan_from + one.from)) {
			if (machine->awake)
				machine_run(machine, &stream->reader, joint->from);
			machine_wake(machine, &stream->reader, joint->from, joint->latest,
			             joint->latest);
			j++;
			continue;
		}
		if (!hint && !escaped)
			break;
		if (view <= VIEW_TERMINAL && !is_escaped) /* the start of a block */
			one.from +=
				stream->scan.blocks[one.from / BLOCK].enter[view - VIEW_BACKSLASH];
		wake(stream, view, &one);
		if (is_escaped)
			e++;
		else
			h++;
	}
	machine_run(machine, &stream->reader, end);
}

static void
read_members(struct redact_stream *stream, uint64_t end)
{
	struct machine *machine = &stream->machines[VIEW_DEFLATE];

	for (size_t i = 0; i < stream->scan.members.count; i++) {
		uint64_t at = stream->scan_from + stream->scan.members.list[i].from;

		machine_run(machine, &stream->reader, at);
		member_wake(machine, &stream->reader, at);
	}
	machine_run(machine, &stream->reader, end);
}

/* The last bytes are too few for the filter to see a whole anchor: plain text is always read to the
 * end, codes where they end like the beginning of one. */
static void
read_tail(struct redact_stream *stream, bool all, uint64_t end)
{
	const struct filter *filter = &stream->set->filter;
	const struct scan *scan = &stream->scan;
	size_t behind = filter->gram + filter->stride;
	const uint8_t *bytes = stream->reader.bytes + (stream->scan_from - stream->base);
	size_t tail = all ? behind : filter_tail(filter, scan, bytes);
	struct hint hint = {.latest = (uint32_t)(end - stream->scan_from)};

	hint.until = hint.latest;
	hint.from = (uint32_t)filter_back(filter, scan, bytes, behind);
	wake(stream, VIEW_TEXT, &hint);
	machine_run(&stream->machines[VIEW_TEXT], &stream->reader, end);
	if (tail)
		hint.from = (uint32_t)filter_back(filter, scan, bytes, tail);
	for (enum view view = VIEW_HEX; tail && view <= VIEW_BASE32; view++) {
		wake(stream, view, &hint);
		machine_run(&stream->machines[view], &stream->reader, end);
	}
}

/* Searches what is in the window. `silent`: no more input is to be expected soon. */
static enum un_err
search(struct redact_stream *stream, bool silent)
{
	const struct filter *filter = &stream->set->filter;
	struct reader *reader = &stream->reader;
	uint64_t end = stream->base + stream->len;
	size_t offset = (size_t)(stream->scan_from - stream->base);
	uint64_t news = stream->scanned - stream->scan_from;
	const uint8_t *bytes;
	uint32_t views;
	enum un_err err;

	if (!stream->len)
		return UN_OK;
	bytes = secbuf_peek(stream->window) + stream->begin;
	reader->bytes = bytes;
	reader->base = stream->base;
	reader->len = stream->len;
	reader->before = stream->before;
	if (stream->set->automaton.count) {
		err = filter_scan(filter, &stream->scan, bytes + offset, stream->len - offset,
		                  (size_t)news);
		if (err)
			return err;
		if (stream->set->always_text)
			machine_wake(&stream->machines[VIEW_TEXT], reader, stream->scan_from, end,
			             end);
		views = read_text(stream, end);
		if (stream->scan.members.count || stream->machines[VIEW_DEFLATE].awake)
			read_members(stream, end);
		for (enum view view = VIEW_BACKSLASH; view <= VIEW_BASE32; view++) {
			if (views & 1u << view || stream->machines[view].awake ||
			    (stream->set->always_text && view <= VIEW_TERMINAL))
				read_view(stream, view, end);
		}
		read_tail(stream, silent, end);
		stream->scan_from += stream->scan.next;
	} else {
		stream->scan_from = end;
	}
	stream->short_hold = shorts_search(&stream->set->shorts, reader,
	                                   stream->short_hold < stream->scanned ? stream->short_hold
	                                                                        : stream->scanned,
	                                   silent);
	stream->scanned = end;
	return reader->err;
}

static enum un_err
push_piece(struct redact_stream *stream, const uint8_t *bytes, size_t len)
{
	uint64_t end, hold;
	enum un_err err = make_room(stream, len);

	if (err)
		return err;
	memcpy(secbuf_edit(stream->window) + stream->begin + stream->len, bytes, len);
	stream->len += len;
	err = search(stream, false);
	if (err)
		return err;
	end = stream->base + stream->len;
	hold = earliest(stream, 1);
	err = release(stream, hold < end ? hold : end);
	trim(stream);
	return err;
}

enum un_err
redact_push(struct redact_stream *stream, const uint8_t *bytes, size_t len)
{
	enum un_err err = stream->broken;

	if (err || !len)
		return err;
	if (stream->set->empty)
		return stream->hit ? UN_OK : stream->emit(stream->ctx, bytes, len);
	for (size_t at = 0; at < len && !err; at += PIECE)
		err = push_piece(stream, bytes + at, len - at < PIECE ? len - at : PIECE);
	stream->broken = err;
	return err;
}

enum un_err
redact_idle(struct redact_stream *stream)
{
	uint64_t end = stream->base + stream->len, hold;
	enum un_err err = stream->broken;

	if (err || stream->set->empty || !redact_held(stream))
		return err;
	err = search(stream, true);
	hold = earliest(stream, REDACT_KEPT_MIN);
	if (!err)
		err = release(stream, hold < end ? hold : end);
	trim(stream);
	stream->broken = err;
	return err;
}

enum un_err
redact_flush(struct redact_stream *stream)
{
	enum un_err err = stream->broken;

	if (err || stream->set->empty)
		return err;
	stream->reader.final = true;
	err = search(stream, true);
	if (!err)
		err = release(stream, stream->base + stream->len);
	stream->broken = err;
	return err;
}

size_t
redact_held(const struct redact_stream *stream)
{
	uint64_t end = stream->base + stream->len;

	return end > stream->regions.emitted ? (size_t)(end - stream->regions.emitted) : 0;
}

void
redact_stream_free(struct redact_stream *stream)
{
	if (!stream)
		return;
	for (enum view view = 0; view < VIEW_COUNT; view++)
		machine_fini(&stream->machines[view]);
	regions_fini(&stream->regions);
	scan_fini(&stream->scan);
	mem_free(stream->joints);
	mem_free(stream->reader.found);
	secbuf_free(stream->window);
	mem_free(stream);
}

enum un_err
redact_locate(const struct redact_set *set, const uint8_t *bytes, size_t len,
              struct redact_hit *ret_hit)
{
	struct redact_stream *stream;
	struct redact_hit hit = {0};
	enum un_err err = redact_stream_new(set, NULL, NULL, &stream);

	if (err)
		return err;
	stream->hit = &hit;
	err = redact_push(stream, bytes, len);
	if (!err)
		err = redact_flush(stream);
	redact_stream_free(stream);
	if (err == UN_ERR_EXISTS)
		*ret_hit = hit;
	else
		return err ? err : UN_ERR_NOT_FOUND;
	return UN_OK;
}

const char *
redact_find(const struct redact_set *set, const uint8_t *bytes, size_t len)
{
	struct redact_hit hit;
	enum un_err err = redact_locate(set, bytes, len, &hit);

	if (err == UN_ERR_NOT_FOUND)
		return NULL;
	return err ? "?" : hit.name;
}
