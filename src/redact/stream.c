/* stream.c - the streams of redact.h over the search of automaton.h.
 *
 * Positions count the bytes of the whole stream. After each byte, the state's depth d says that a
 * match still to come cannot begin before `end - d`: everything before is decided. Matches found
 * are kept as regions (disjoint, not touching, in order) until they are decided. A region's name is
 * that of the value with the smallest start, the longest of these: so the output depends on the
 * bytes and never on how they were cut into pieces.
 *
 * What is held back lies nowhere: it is the text of the state, which the set owns in locked memory.
 */
#include "redact/automaton.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

#define REGIONS_CALM 64 /* more than these: hand out what is decided before going on */

struct region {
	uint64_t start;
	uint64_t end;
	uint16_t number; /* of the value, from 1 */
};

struct redact_stream {
	const struct redact_set *set;
	redact_emit *emit;
	void *ctx;
	uint32_t state;
	uint64_t end;     /* bytes pushed */
	uint64_t emitted; /* bytes handed out, or covered by a mark that was */
	uint64_t mark_end; /* the end of the mark written last */
	bool marked;      /* there was one */
	struct region *regions; /* [head, head + count) */
	size_t head;
	size_t count;
	size_t room;
	enum un_err broken; /* a push that failed: the stream ends there */
};

/* The bytes that a push can see: those held back before it, and its own behind them. */
struct window {
	uint64_t start; /* position of held[0] */
	const uint8_t *held;
	size_t held_len;
	const uint8_t *bytes;
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
	*ret_stream = stream;
	return UN_OK;
}

static struct window
window_of(const struct redact_stream *stream, const uint8_t *bytes)
{
	size_t held_len = stream->state == ROOT ? 0 : stream->set->depth[stream->state];

	return (struct window){
	        .start = stream->end - held_len,
	        .held = held_len ? stream->set->text + stream->state - held_len : NULL,
	        .held_len = held_len,
	        .bytes = bytes,
	};
}

static enum un_err
emit_clean(struct redact_stream *stream, const struct window *window, uint64_t until)
{
	uint64_t parting = window->start + window->held_len;
	enum un_err err;

	if (stream->emitted < until && stream->emitted < parting) {
		uint64_t stop = until < parting ? until : parting;

		err = stream->emit(stream->ctx, window->held + (stream->emitted - window->start),
		                   (size_t)(stop - stream->emitted));
		if (err)
			return err;
		stream->emitted = stop;
	}
	if (stream->emitted < until) {
		err = stream->emit(stream->ctx, window->bytes + (stream->emitted - parting),
		                   (size_t)(until - stream->emitted));
		if (err)
			return err;
		stream->emitted = until;
	}
	return UN_OK;
}

static enum un_err
emit_mark(struct redact_stream *stream, uint16_t number)
{
	char mark[SECRET_NAME_MAX + 16];
	int len =
		snprintf(mark, sizeof mark, "[secret %s]", stream->set->patterns[number - 1].name);

	return stream->emit(stream->ctx, (const uint8_t *)mark, (size_t)len);
}

/* Hands out everything before `decided`. */
static enum un_err
release(struct redact_stream *stream, const struct window *window, uint64_t decided)
{
	while (stream->count && stream->regions[stream->head].start < decided) {
		const struct region *region = &stream->regions[stream->head];
		enum un_err err = emit_clean(stream, window, region->start);

		if (!err)
			err = emit_mark(stream, region->number);
		if (err)
			return err;
		stream->marked = true;
		stream->mark_end = stream->emitted = region->end;
		stream->head++;
		stream->count--;
	}
	if (!stream->count)
		stream->head = 0;
	return emit_clean(stream, window, decided);
}

static enum un_err
make_room(struct redact_stream *stream)
{
	size_t room = stream->room ? stream->room * 2 : 8;
	struct region *bigger;

	if (stream->head + stream->count < stream->room)
		return UN_OK;
	if (stream->head > stream->room / 2) { /* so each region is moved once on average */
		memmove(stream->regions, stream->regions + stream->head,
		        stream->count * sizeof *stream->regions);
		stream->head = 0;
		return UN_OK;
	}
	bigger = mem_realloc(stream->regions, room * sizeof *bigger);
	if (!bigger)
		return UN_ERR_NO_MEMORY;
	stream->regions = bigger;
	stream->room = room;
	return UN_OK;
}

/* A match that ends at `end`: joined with the regions that it overlaps or touches. */
static enum un_err
add_match(struct redact_stream *stream, uint64_t end, uint16_t number)
{
	struct region found = {
	        .start = end - stream->set->patterns[number - 1].len, .end = end, .number = number};
	enum un_err err;

	while (stream->count) {
		const struct region *last = &stream->regions[stream->head + stream->count - 1];

		if (last->end < found.start)
			break;
		if (last->start < found.start) {
			found.start = last->start;
			found.number = last->number;
		}
		stream->count--;
	}
	if (stream->marked && found.start <= stream->mark_end) { /* goes on where a mark stands */
		stream->mark_end = stream->emitted = end;
		return UN_OK;
	}
	err = make_room(stream);
	if (err)
		return err;
	stream->regions[stream->head + stream->count++] = found;
	return UN_OK;
}

static enum un_err
search(struct redact_stream *stream, const struct window *window, const uint8_t *bytes, size_t len)
{
	const struct redact_set *set = stream->set;
	uint64_t start = stream->end;
	uint32_t state = stream->state;
	enum un_err err = UN_OK;

	for (size_t at = 0; at < len && !err; at++) {
		uint64_t end;

		if (state == ROOT) {
			at += automaton_skip(set, bytes + at, len - at);
			if (at == len)
				break;
		}
		state = automaton_step(set, state, bytes[at]);
		end = start + at + 1;
		if (state != ROOT && set->match[state])
			err = add_match(stream, end, set->match[state]);
		state = automaton_rest(set, state);
		if (!err && stream->count > REGIONS_CALM)
			err = release(stream, window, end - set->depth[state]);
	}
	stream->state = state;
	stream->end = start + len;
	return err;
}

enum un_err
redact_push(struct redact_stream *stream, const uint8_t *bytes, size_t len)
{
	struct window window = window_of(stream, bytes);
	enum un_err err = stream->broken;

	if (err || !len)
		return err;
	if (stream->set->count)
		err = search(stream, &window, bytes, len);
	else
		stream->end += len;
	if (!err)
		err = release(stream, &window, stream->end - stream->set->depth[stream->state]);
	stream->broken = err;
	return err;
}

enum un_err
redact_flush(struct redact_stream *stream)
{
	struct window window = window_of(stream, NULL);
	enum un_err err = stream->broken;

	if (err)
		return err;
	err = release(stream, &window, stream->end);
	stream->state = ROOT;
	stream->broken = err;
	return err;
}

size_t
redact_held(const struct redact_stream *stream)
{
	return stream->end > stream->emitted ? (size_t)(stream->end - stream->emitted) : 0;
}

void
redact_stream_free(struct redact_stream *stream)
{
	if (!stream)
		return;
	mem_free(stream->regions);
	mem_free(stream);
}
