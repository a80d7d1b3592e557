/* pickle.c - the texts and blobs of pickles, opcode by opcode. Nothing is built and nothing called.
 */
#include "guard/inside.h"
#include "guard/span.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum operand {
	NONE,
	STOP,
	FIXED,   /* that many bytes */
	NUMBER,  /* that many bytes, a number */
	LINE,    /* text up to a newline */
	LINES,   /* two of them */
	LETTERS, /* a line that is a text of the program's */
	COUNTED, /* that many bytes of a length, then so many bytes */
	TEXT,    /* the same: a text, */
	BYTES,   /* or a blob */
	BAD,
};

struct opcode {
	enum operand operand;
	unsigned size;
};

static struct opcode
opcode_of(uint8_t code)
{
	switch (code) {
	case '.':
		return (struct opcode){STOP, 0};
	case 'K':
		return (struct opcode){NUMBER, 1};
	case 'M':
		return (struct opcode){NUMBER, 2};
	case 'J':
		return (struct opcode){NUMBER, 4};
	case 'h':
	case 'q':
	case 0x80:
	case 0x82:
		return (struct opcode){FIXED, 1};
	case 0x83:
		return (struct opcode){FIXED, 2};
	case 'j':
	case 'r':
	case 0x84:
		return (struct opcode){FIXED, 4};
	case 'G':
	case 0x95:
		return (struct opcode){FIXED, 8};
	case 'F':
	case 'I':
	case 'L':
	case 'P':
	case 'g':
	case 'p':
		return (struct opcode){LINE, 0};
	case 'S':
	case 'V':
		return (struct opcode){LETTERS, 0};
	case 'c':
	case 'i':
		return (struct opcode){LINES, 0};
	case 0x8a:
		return (struct opcode){COUNTED, 1};
	case 0x8b:
		return (struct opcode){COUNTED, 4};
	case 0x8c:
		return (struct opcode){TEXT, 1};
	case 'X':
		return (struct opcode){TEXT, 4};
	case 0x8d:
		return (struct opcode){TEXT, 8};
	case 'U':
	case 'C':
		return (struct opcode){BYTES, 1};
	case 'T':
	case 'B':
		return (struct opcode){BYTES, 4};
	case 0x8e:
	case 0x96:
		return (struct opcode){BYTES, 8};
	default:
		if (code &&
		    (strchr("(012QRbNea]dloOstu)}", code) ||
		     strchr("\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98", code)))
			return (struct opcode){NONE, 0};
		return (struct opcode){BAD, 0};
	}
}

struct walk {
	struct guard *guard;
	struct span in;
	size_t texts;
};

/* Protocols before 3 write bytes as text, each byte one character. */
static enum un_err
look_as_bytes(struct guard *guard, const uint8_t *text, size_t len)
{
	struct buf bytes;
	enum un_err err = UN_OK;
	bool wide = false;

	for (size_t at = 0; at < len; at++) {
		if (text[at] < 0x80)
			continue;
		if ((text[at] != 0xc2 && text[at] != 0xc3) || at + 1 == len)
			return UN_OK;
		wide = true;
		at++;
	}
	if (!wide)
		return UN_OK;
	buf_init(&bytes, len, BUF_WIPE);
	for (size_t at = 0; !err && at < len; at++) {
		uint8_t byte = text[at];

		if (byte >= 0x80)
			byte = (uint8_t)(byte << 6 | (text[++at] & 0x3f));
		err = buf_append_byte(&bytes, byte);
	}
	if (!err)
		err = guard_look(guard, bytes.data, bytes.len, false);
	buf_fini(&bytes);
	return err;
}

static enum un_err
look_operand(struct walk *walk, enum operand operand, const uint8_t *bytes, uint64_t len)
{
	struct guard *guard = walk->guard;
	size_t mark;
	enum un_err err;

	if (operand == COUNTED)
		return UN_OK;
	mark = guard_enter(guard, " (pickle, %s %zu)", operand == BYTES ? "bytes" : "text",
	                   ++walk->texts);
	if (operand == BYTES) {
		err = guard_join_text(guard, bytes, (size_t)len);
		if (!err)
			err = guard_part(guard, bytes, (size_t)len, false);
	} else {
		err = guard_text(guard, bytes, (size_t)len);
		if (!err)
			err = look_as_bytes(guard, bytes, (size_t)len);
	}
	guard_leave(guard, mark);
	return err;
}

static const uint8_t *
take_line(struct span *in, size_t *ret_len)
{
	const uint8_t *start = in->at, *end = in->left ? memchr(start, '\n', in->left) : NULL;

	if (!end) {
		(void)span_take(in, (uint64_t)in->left + 1);
		return NULL;
	}
	*ret_len = (size_t)(end - start);
	(void)span_take(in, *ret_len + 1);
	return start;
}

static enum un_err
take_letters(struct walk *walk)
{
	size_t len;
	const uint8_t *line = take_line(&walk->in, &len);

	if (!line)
		return UN_OK;
	if (len >= 2 && (*line == '\'' || *line == '"')) { /* the quotes of a repr */
		line++;
		len -= 2;
	}
	return look_operand(walk, TEXT, line, len);
}

/* One opcode. *ret_stop: it was the last, or none at all. */
static enum un_err
step(struct walk *walk, bool *ret_stop)
{
	struct opcode opcode = opcode_of(span_byte(&walk->in));
	const uint8_t *bytes;
	uint64_t len;
	size_t line;

	switch (opcode.operand) {
	case NONE:
		return UN_OK;
	case FIXED:
		(void)span_take(&walk->in, opcode.size);
		return UN_OK;
	case NUMBER:
		return guard_join_number(walk->guard, (int64_t)span_le(&walk->in, opcode.size));
	case LINES:
		(void)take_line(&walk->in, &line);
		(void)take_line(&walk->in, &line);
		return UN_OK;
	case LINE:
		(void)take_line(&walk->in, &line);
		return UN_OK;
	case LETTERS:
		return take_letters(walk);
	case COUNTED:
	case TEXT:
	case BYTES:
		len = span_le(&walk->in, opcode.size);
		bytes = span_take(&walk->in, len);
		return bytes ? look_operand(walk, opcode.operand, bytes, len) : UN_OK;
	case BAD:
		walk->in.bad = true;
		break;
	case STOP:
		break;
	}
	*ret_stop = true;
	return UN_OK;
}

enum un_err
walk_pickle(struct guard *guard, const uint8_t *bytes, size_t len)
{
	struct walk walk = {.guard = guard, .in = span_of(bytes, len)};
	struct list list = guard_list_begin(guard);
	bool marked = len && bytes[0] == 0x80; /* else it may be a text that looks like one */
	enum un_err err = UN_OK;

	/* One pickle may stand behind another. */
	do {
		bool stop = false;

		while (!err && !stop && !walk.in.bad && !guard_tick(guard))
			err = step(&walk, &stop);
	} while (!err && !walk.in.bad && !guard->over && walk.in.left && *walk.in.at == 0x80);
	if (!err && marked && walk.in.bad)
		guard_blind_here(guard, "is damaged, or has more in it than a pickle");
	else if (!err && marked && walk.in.left && !guard->over)
		err = guard_part(guard, walk.in.at, walk.in.left, true);
	return err ? err : guard_list_end(guard, list);
}
