/* guard.c - the state of a look: its path, its limits, and the search of bytes as they are. */
#include "guard/inside.h"
#include "guard/unpack.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define OVERLAP_MIN 65536  /* a decompressor looks back so far, too */
#define FORM_FACTOR 8      /* bytes of the widest form of one byte of a value */
#define NAME_SHOWN_MAX 100 /* bytes of one name in a path */
#define TICKS_A_CLOCK 4096u

enum un_err
guard_new(const struct guard_options *options, struct guard **ret_guard)
{
	struct guard *guard = mem_zalloc(1, sizeof *guard);

	if (!guard)
		return UN_ERR_NO_MEMORY;
	guard->options = *options;
	guard->overlap = options->longest * FORM_FACTOR + OVERLAP_MIN;
	guard->unpacked_left = GUARD_UNPACKED_MAX;
	guard->held_left = GUARD_HELD_ALL_MAX;
	guard->members_left = GUARD_MEMBERS_MAX;
	buf_init(&guard->texts, 2u * JOINED_MAX + guard->overlap, BUF_WIPE);
	buf_init(&guard->numbers, 2u * JOINED_MAX + guard->overlap, BUF_WIPE);
	*ret_guard = guard;
	return UN_OK;
}

void
guard_free(struct guard *guard)
{
	if (!guard)
		return;
	buf_fini(&guard->texts);
	buf_fini(&guard->numbers);
	mem_free(guard);
}

const char *
guard_secret(const struct guard *guard)
{
	return guard->secret;
}

const char *
guard_path(const struct guard *guard)
{
	return guard->path;
}

size_t
guard_blind_count(const struct guard *guard)
{
	return guard->blind_count;
}

const char *
guard_blind(const struct guard *guard, size_t at)
{
	return guard->blind[at];
}

/* ---- the path ---- */

size_t
guard_enter(struct guard *guard, const char *format, ...)
{
	size_t mark = guard->path_len, room = sizeof guard->path - mark;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(guard->path + mark, room, format, args);
	va_end(args);
	if (len > 0)
		guard->path_len += (size_t)len < room ? (size_t)len : room - 1;
	return mark;
}

size_t
guard_enter_name(struct guard *guard, const char *before, const void *name, size_t len,
                 const char *after)
{
	const char *text = name;
	char shown[NAME_SHOWN_MAX + 4];
	size_t out = 0;

	/* where it comes from was searched, but for the path to a find, and the names of files */
	if (!guard->searched && redact_find(guard->options.values, name, len))
		return guard_enter(guard, "%s?%s", before, after);
	for (size_t at = 0; at < len && out < NAME_SHOWN_MAX;) {
		size_t more = text_utf8_len(text + at, len - at);

		if (more > NAME_SHOWN_MAX - out)
			break;
		if (more == 0 || (unsigned char)text[at] < ' ' || text[at] == 0x7f ||
		    (more == 2 && (unsigned char)text[at] == 0xc2 &&
		     (unsigned char)text[at + 1] < 0xa0)) {
			shown[out++] = '?';
			at += more ? more : 1;
			continue;
		}
		memcpy(shown + out, text + at, more);
		out += more;
		at += more;
	}
	shown[out] = '\0';
	return guard_enter(guard, "%s%s%s", before, shown, after);
}

void
guard_leave(struct guard *guard, size_t mark)
{
	if (guard->secret) /* the path stays: it is the answer */
		return;
	guard->path_len = mark;
	guard->path[mark] = '\0';
}

enum un_err
guard_hit(struct guard *guard, const char *secret)
{
	guard->secret = secret;
	/* Names are clean one by one; together they might not be. */
	if (redact_find(guard->options.values, (const uint8_t *)guard->path, guard->path_len))
		guard->path[0] = '\0';
	return UN_ERR_RESULT_HAS_SECRET;
}

/* ---- limits ---- */

void
guard_blind_here(struct guard *guard, const char *why)
{
	size_t at = guard->blind_count++;

	if (at >= GUARD_BLIND_SHOWN)
		return;
	if (redact_find(guard->options.values, (const uint8_t *)guard->path, guard->path_len))
		(void)snprintf(guard->blind[at], sizeof guard->blind[at], "something %s", why);
	else
		(void)snprintf(guard->blind[at], sizeof guard->blind[at], "%s %s", guard->path,
		               why);
}

static void
give_up(struct guard *guard, const char *why)
{
	if (guard->over)
		return;
	guard_blind_here(guard, why);
	guard->over = true;
}

static bool
out_of_time(struct guard *guard)
{
	if (!guard->late && clock_mono_ms() > guard->options.deadline_ms) {
		give_up(guard, "and what comes after it would take too long");
		guard->late = true;
	}
	if (!guard->stopped && guard->options.stop && guard->options.stop(guard->options.ctx)) {
		give_up(guard, "and what comes after it was given up");
		guard->stopped = true;
	}
	return guard->late || guard->stopped;
}

bool
guard_late(struct guard *guard)
{
	return guard->over || out_of_time(guard);
}

bool
guard_gives_up(struct guard *guard)
{
	return out_of_time(guard) && (guard->stopped || !guard->patient);
}

bool
guard_step(struct guard *guard)
{
	if (guard_late(guard))
		return true;
	if (guard->members_left == 0)
		give_up(guard, "is one part too many");
	else
		guard->members_left--;
	return guard->over;
}

bool
guard_tick(struct guard *guard)
{
	if (++guard->ticks % TICKS_A_CLOCK == 0)
		return guard_late(guard);
	return guard->over;
}

/* ---- the search ---- */

enum un_err
guard_search(struct guard *guard, const uint8_t *bytes, size_t len)
{
	bool skip = guard->over && !guard->patient;
	const char *secret = skip ? NULL : guard_find(guard, bytes, len);

	return secret ? guard_hit(guard, secret) : UN_OK;
}

static enum un_err
walk(struct guard *guard, enum format format, const uint8_t *bytes, size_t len)
{
	switch (format) {
	case FORMAT_JSON:
		return walk_json(guard, bytes, len);
	case FORMAT_MSGPACK:
		return walk_msgpack(guard, bytes, len);
	case FORMAT_PICKLE:
		return walk_pickle(guard, bytes, len);
	case FORMAT_GZIP:
		return guard_unpack(guard, CODEC_GZIP, true, bytes, len);
	case FORMAT_ZLIB:
		return guard_unpack(guard, CODEC_ZLIB, true, bytes, len);
	case FORMAT_ZSTD:
		return guard_unpack(guard, CODEC_ZSTD, true, bytes, len);
	case FORMAT_LZ4:
		return guard_unpack(guard, CODEC_LZ4_FRAME, true, bytes, len);
	case FORMAT_XZ:
		return guard_unpack(guard, CODEC_XZ, true, bytes, len);
	case FORMAT_BZIP2:
		return guard_unpack(guard, CODEC_BZIP2, true, bytes, len);
	case FORMAT_TAR:
		return walk_tar(guard, bytes, len);
	case FORMAT_ZIP:
		return walk_zip(guard, bytes, len);
	case FORMAT_NPY:
		return walk_npy(guard, bytes, len);
	case FORMAT_ARROW:
		return walk_arrow(guard, bytes, len);
	case FORMAT_PARQUET:
		return walk_parquet(guard, bytes, len);
	case FORMAT_AVRO:
		return walk_avro(guard, bytes, len);
	case FORMAT_ORC:
		return walk_orc(guard, bytes, len);
	case FORMAT_SAFETENSORS:
		return walk_safetensors(guard, bytes, len);
	case FORMAT_PNG:
		return walk_png(guard, bytes, len);
	case FORMAT_PDF:
		return walk_pdf(guard, bytes, len);
	case FORMAT_TEXT:
	case FORMAT_RAW:
	case FORMAT_NAMED:
	case FORMAT_UNKNOWN:
		break;
	}
	return UN_OK;
}

static enum un_err
look_inside(struct guard *guard, const uint8_t *bytes, size_t len, bool whole)
{
	enum format format;
	enum un_err err;

	if (guard->options.plain) {
		if (!format_is_plain(bytes, len, whole && guard->options.strict))
			guard->deeper = true;
		return UN_OK;
	}
	format = format_of(bytes, len, whole && guard->options.strict);
	if (format == FORMAT_UNKNOWN && whole)
		guard_blind_here(guard, "is of no format that is known here");
	if (format == FORMAT_NAMED && whole)
		guard_blind_here(guard, format_named(bytes, len));
	if (format_is_flat(format) || guard->over)
		return UN_OK;
	if (guard->depth == GUARD_DEPTH_MAX) {
		guard_blind_here(guard, "is nested too deep");
		return UN_OK;
	}
	guard->depth++;
	err = walk(guard, format, bytes, len);
	guard->depth--;
	return err;
}

/* What was found in parts that were joined is looked for once more, in each list by itself. */
static enum un_err
look_to_the_end(struct guard *guard, const uint8_t *bytes, size_t len, bool whole)
{
	enum un_err err = look_inside(guard, bytes, len, whole);

	if (err || !guard->joined || guard->lists)
		return err;
	guard->precise = true;
	err = look_inside(guard, bytes, len, whole);
	return err ? err : guard_hit(guard, guard->joined);
}

/* Packed bytes are the slowest to search, and nothing can be seen in them: of what has such parts
 * only the rest is searched, when it is known which of them came out whole. */
static enum un_err
look_then_search(struct guard *guard, const uint8_t *bytes, size_t len, bool whole)
{
	struct covers covers;
	const char *secret;
	enum un_err err;

	covers_init(&covers, bytes, len);
	guard->covers = &covers;
	guard->searched = true; /* or will be */
	err = look_to_the_end(guard, bytes, len, whole);
	guard->covers = NULL;
	secret = err ? NULL : covers_find(guard, &covers);
	covers_fini(&covers);
	if (!secret)
		return err;
	guard->searched = false;
	err = look_to_the_end(guard, bytes, len, whole); /* to say where it is */
	return err ? err : guard_hit(guard, secret);
}

static enum un_err
search_then_look(struct guard *guard, const uint8_t *bytes, size_t len, bool whole)
{
	const char *secret = guard_find(guard, bytes, len);
	enum un_err err;

	guard->covers = NULL;
	guard->searched = !secret;
	err = look_to_the_end(guard, bytes, len, whole); /* with a find: to say where it is */
	return !err && secret ? guard_hit(guard, secret) : err;
}

enum un_err
guard_look(struct guard *guard, const uint8_t *bytes, size_t len, bool whole)
{
	struct covers *covers = guard->covers;
	bool before = guard->searched;
	enum un_err err;

	if (guard->over)
		return UN_OK;
	err = !guard->options.plain && format_has_packed(bytes, len)
	              ? look_then_search(guard, bytes, len, whole)
	              : search_then_look(guard, bytes, len, whole);
	guard->covers = covers;
	guard->searched = before;
	return err;
}

enum un_err
guard_part(struct guard *guard, const uint8_t *bytes, size_t len, bool whole)
{
	if (!guard->searched)
		return guard_look(guard, bytes, len, whole);
	return guard->over ? UN_OK : look_inside(guard, bytes, len, whole);
}

/* ---- texts ---- */

#define BASE64_MIN 24          /* shorter ones hold nothing that has a format */
#define BASE64_MAX (16u << 20) /* longer texts are not decoded */

static bool
is_base64(const char *text, size_t len)
{
	size_t digits = len;

	while (digits && len - digits < 2 && text[digits - 1] == '=')
		digits--;
	for (size_t i = 0; i < digits; i++)
		if (text_base64_digit(text[i]) < 0)
			return false;
	return digits % 4 != 1;
}

/* Text that is base64 of a file: what is in there is new. The first bytes tell most texts apart. */
static enum un_err
look_decoded(struct guard *guard, const char *text, size_t len)
{
	uint8_t first[48 + 1];
	struct buf decoded;
	enum format format;
	enum un_err err;

	buf_init(&decoded, sizeof first + 3, BUF_WIPE);
	err = text_decode_base64(text, len < 64 ? len : 64, &decoded);
	format = err ? FORMAT_TEXT : format_of(decoded.data, decoded.len, false);
	buf_fini(&decoded);
	if (err == UN_ERR_NO_MEMORY)
		return err;
	if (format_is_flat(format) || !is_base64(text, len))
		return UN_OK;
	buf_init(&decoded, len, BUF_WIPE);
	err = text_decode_base64(text, len, &decoded);
	if (!err)
		err = guard_look(guard, decoded.data, decoded.len, false);
	buf_fini(&decoded);
	return err == UN_ERR_PROTOCOL ? UN_OK : err;
}

enum un_err
guard_text(struct guard *guard, const void *text, size_t len)
{
	enum un_err err = guard_join_text(guard, text, len);

	if (!err)
		err = guard_part(guard, text, len, false);
	if (err || guard->over || len < BASE64_MIN || len > BASE64_MAX ||
	    guard->depth == GUARD_DEPTH_MAX)
		return err;
	if (!guard->options.plain)
		return look_decoded(guard, text, len);
	guard->deeper |= is_base64(text, len);
	return UN_OK;
}

/* From position `from` on, which may be gone already. */
static enum un_err
search_joined(struct guard *guard, const struct buf *joined, uint64_t gone, uint64_t from)
{
	size_t start = from > gone ? (size_t)(from - gone) : 0;
	const char *secret;

	if (start >= joined->len || joined->len - start < REDACT_VALUE_MIN || guard->over)
		return UN_OK;
	secret = guard_find(guard, joined->data + start, joined->len - start);
	if (secret && guard->precise)
		return guard_hit(guard, secret);
	if (secret)
		guard->joined = secret;
	return UN_OK;
}

static void
drop_joined(struct buf *joined, size_t len, uint64_t *gone)
{
	buf_drop_front(joined, len);
	*gone += len;
}

struct list
guard_list_begin(struct guard *guard)
{
	guard->lists++;
	return (struct list){.texts = guard->texts_gone + guard->texts.len,
	                     .numbers = guard->numbers_gone + guard->numbers.len};
}

enum un_err
guard_list_end(struct guard *guard, struct list list)
{
	enum un_err err = UN_OK;

	if (guard->lists == 1 || guard->precise) {
		err = search_joined(guard, &guard->texts, guard->texts_gone, list.texts);
		if (!err)
			err = search_joined(guard, &guard->numbers, guard->numbers_gone,
			                    list.numbers);
	}
	if (--guard->lists == 0) {
		drop_joined(&guard->texts, guard->texts.len, &guard->texts_gone);
		drop_joined(&guard->numbers, guard->numbers.len, &guard->numbers_gone);
	}
	return err;
}

static enum un_err
join(struct guard *guard, struct buf *joined, uint64_t *gone, const void *bytes, size_t len)
{
	enum un_err err = UN_OK;

	if (!guard->lists)
		return UN_OK;
	if (joined->len + len > JOINED_MAX + guard->overlap) {
		err = search_joined(guard, joined, 0, 0);
		drop_joined(joined, joined->len - guard->overlap, gone);
	}
	return err ? err : buf_append(joined, bytes, len);
}

enum un_err
guard_join_text(struct guard *guard, const void *text, size_t len)
{
	return len <= JOINED_PART_MAX ? join(guard, &guard->texts, &guard->texts_gone, text, len)
	                              : UN_OK;
}

enum un_err
guard_join_number(struct guard *guard, int64_t number)
{
	uint8_t byte = (uint8_t)number;

	return number >= 0 && number <= UINT8_MAX
	               ? join(guard, &guard->numbers, &guard->numbers_gone, &byte, 1)
	               : UN_OK;
}

/* ---- files ---- */

/* Whatever the limits: how long that may take is up to who waits for it. */
static enum un_err
search_whole(struct guard *guard, const uint8_t *bytes, size_t len)
{
	enum un_err err;

	guard->patient = true;
	err = guard_search(guard, bytes, len);
	guard->patient = false;
	return err;
}

/* What a limit keeps from being looked into, by this file or one before it, is searched as it is.
 */
static enum un_err
look_file(struct guard *guard, const uint8_t *bytes, size_t len)
{
	bool over = guard->over;
	enum un_err err = over ? UN_OK : guard_look(guard, bytes, len, true);

	return !err && (over || guard->late) ? search_whole(guard, bytes, len) : err;
}

static enum un_err
look_named(struct guard *guard, const char *before, const char *name, const uint8_t *bytes,
           size_t len)
{
	size_t mark = guard_enter_name(guard, before, name, strlen(name), "");
	enum un_err err = look_file(guard, bytes, len);

	guard_leave(guard, mark);
	return err;
}

enum un_err
guard_file(struct guard *guard, const char *name, const uint8_t *bytes, size_t len)
{
	return look_named(guard, "", name, bytes, len);
}

enum un_err
guard_member(struct guard *guard, const char *name, const uint8_t *bytes, size_t len)
{
	return look_named(guard, ": ", name, bytes, len);
}

enum un_err
guard_at(struct guard *guard, const char *path, bool flat, const uint8_t *bytes, size_t len)
{
	size_t mark = guard_enter(guard, "%s", path);
	enum un_err err = flat ? search_whole(guard, bytes, len) : look_file(guard, bytes, len);

	guard_leave(guard, mark);
	return err;
}

static size_t
enter_file(struct guard *guard, const char *name)
{
	bool searched = guard->searched;
	size_t mark;

	guard->searched = false; /* what refers to it was, its name was not */
	mark = guard_enter_name(guard, guard->path_len ? ": " : "", name, strlen(name), "");
	guard->searched = searched;
	return mark;
}

enum un_err
guard_name(struct guard *guard, const char *name)
{
	size_t mark = enter_file(guard, name);
	enum un_err err = search_whole(guard, (const uint8_t *)name, strlen(name));

	guard_leave(guard, mark);
	return err;
}

void
guard_path_of(struct guard *guard, const char *name, char ret_path[GUARD_PATH_MAX + 1])
{
	size_t mark = enter_file(guard, name);

	memcpy(ret_path, guard->path, guard->path_len + 1);
	guard_leave(guard, mark);
}

/* Text of another process: without what is not printable, and nothing at all with a value in it. */
static void
take_text(struct guard *guard, const char *text, char *out, size_t room)
{
	size_t len = strnlen(text, room - 1);

	for (size_t at = 0; at < len;) {
		size_t more = text_utf8_len(text + at, len - at);

		if (more == 0 || (unsigned char)text[at] < ' ' || text[at] == 0x7f ||
		    (unsigned char)text[at] == 0xc2) {
			out[at++] = '?';
			continue;
		}
		memcpy(out + at, text + at, more);
		at += more;
	}
	out[len] = '\0';
	if (redact_find(guard->options.values, (const uint8_t *)out, len))
		out[0] = '\0';
}

enum un_err
guard_found(struct guard *guard, const char *secret, const char *path)
{
	take_text(guard, path, guard->path, sizeof guard->path);
	guard->path_len = strlen(guard->path);
	guard->secret = secret;
	return UN_ERR_RESULT_HAS_SECRET;
}

void
guard_blind_add(struct guard *guard, const char *text)
{
	size_t at = guard->blind_count++;

	if (at < GUARD_BLIND_SHOWN)
		take_text(guard, text, guard->blind[at], sizeof guard->blind[at]);
	if (at < GUARD_BLIND_SHOWN && !guard->blind[at][0])
		(void)snprintf(guard->blind[at], sizeof guard->blind[at],
		               "something cannot be looked into");
}

bool
guard_wants_more(struct guard *guard)
{
	bool wants = guard->deeper;

	guard->deeper = false;
	return wants;
}

void
guard_blind_clear(struct guard *guard)
{
	guard->blind_count = 0;
}

enum un_err
guard_cannot(struct guard *guard, const char *name, const char *why)
{
	size_t mark = enter_file(guard, name);

	guard_blind_here(guard, why);
	guard_leave(guard, mark);
	return UN_OK;
}
