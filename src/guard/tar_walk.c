/* tar_walk.c - the files of a tar archive that lies in memory: ustar, pax and GNU names.
 *
 * Made by anybody, so anything goes that can be told apart: what it is not sure of, it looks at. */
#include "guard/inside.h"
#include "guard/span.h"

#include "base/text.h"

#include <string.h>

#define BLOCK 512u
#define NAME_MAX_LEN 1024

/* "0000644\0", or GNU's base 256 behind a first bit. */
static bool
number_of(const uint8_t *field, size_t len, uint64_t *ret_number)
{
	uint64_t number = 0;
	size_t at = 0;
	bool any = false;

	if (field[0] & 0x80) {
		for (at = 1; at < len; at++) {
			if (number >> 55)
				return false;
			number = number << 8 | field[at];
		}
		*ret_number = number;
		return true;
	}
	while (at < len && field[at] == ' ')
		at++;
	for (; at < len && field[at] >= '0' && field[at] <= '7'; at++, any = true) {
		if (number >> 60)
			return false;
		number = number << 3 | (uint64_t)(field[at] - '0');
	}
	*ret_number = number;
	return any || at == len || !field[at];
}

bool
tar_begins(const uint8_t *bytes, size_t len)
{
	uint64_t stored, sum = 0;

	if (len < BLOCK || !number_of(bytes + 148, 8, &stored) || !stored)
		return false;
	for (size_t at = 0; at < BLOCK; at++)
		sum += at >= 148 && at < 156 ? ' ' : bytes[at];
	return sum == stored;
}

struct names {
	char long_name[NAME_MAX_LEN];
	size_t long_len;
	bool has_size;
	uint64_t size;
};

/* The "path" and "size" of a pax header: "LENGTH KEY=VALUE\n", again and again. */
static void
read_pax(struct names *names, const uint8_t *bytes, size_t len)
{
	struct span in = span_of(bytes, len);

	while (in.left && !in.bad) {
		uint64_t whole = 0, digits = 0;
		const char *record;
		uint8_t byte;
		size_t rest;

		while ((byte = span_byte(&in)) >= '0' && byte <= '9' && digits++ < 9)
			whole = whole * 10 + (uint64_t)(byte - '0');
		if (byte != ' ' || whole < digits + 2)
			return;
		rest = (size_t)(whole - digits - 1);
		record = (const char *)span_take(&in, rest);
		if (!record)
			return;
		if (rest > 6 && text_equal(record, "path=", 5)) {
			names->long_len = rest - 6 < NAME_MAX_LEN ? rest - 6 : NAME_MAX_LEN;
			memcpy(names->long_name, record + 5, names->long_len);
		} else if (rest > 6 && rest < 26 && text_equal(record, "size=", 5)) {
			names->size = 0;
			for (size_t i = 5; i < rest - 1 && record[i] >= '0' && record[i] <= '9';
			     i++)
				names->size = names->size * 10 + (uint64_t)(record[i] - '0');
			names->has_size = true;
		}
	}
}

static size_t
enter_file(struct guard *guard, const uint8_t *header, const struct names *names)
{
	char name[NAME_MAX_LEN + 1];
	size_t len = 0;

	if (names->long_len)
		return guard_enter_name(guard, "/", names->long_name, names->long_len, "");
	if (text_equal(header + 257, "ustar\0", 6) && header[345]) {
		len = strnlen((const char *)header + 345, 155);
		memcpy(name, header + 345, len);
		name[len++] = '/';
	}
	memcpy(name + len, header, 100);
	len += strnlen((const char *)header, 100);
	return guard_enter_name(guard, "/", name, len, "");
}

static enum un_err
look_file(struct guard *guard, const uint8_t *header, struct names *names, const uint8_t *bytes,
          uint64_t size)
{
	uint8_t type = header[156];
	enum un_err err = UN_OK;
	size_t mark;

	if (type == 'x' || type == 'g') {
		read_pax(names, bytes, (size_t)size);
		return UN_OK;
	}
	if (type == 'L') {
		names->long_len = strnlen((const char *)bytes, (size_t)size);
		if (names->long_len > NAME_MAX_LEN)
			names->long_len = NAME_MAX_LEN;
		memcpy(names->long_name, bytes, names->long_len);
		return UN_OK;
	}
	if (type != 'K' && size) {
		mark = enter_file(guard, header, names);
		err = guard_part(guard, bytes, (size_t)size, true);
		guard_leave(guard, mark);
	}
	*names = (struct names){0};
	return err;
}

enum un_err
walk_tar(struct guard *guard, const uint8_t *bytes, size_t len)
{
	struct span in = span_of(bytes, len);
	struct names names = {0};
	enum un_err err = UN_OK;

	while (!err && in.left >= BLOCK && !guard_step(guard)) {
		const uint8_t *header = in.at, *data;
		uint64_t size;

		if (!tar_begins(header, in.left))
			break;
		(void)span_take(&in, BLOCK);
		if (!number_of(header + 124, 12, &size))
			break;
		if (names.has_size && header[156] != 'x' && header[156] != 'g')
			size = names.size;
		if (header[156] >= '1' && header[156] <= '6') /* links and devices have none */
			size = 0;
		/* GNU's sparse files: more of their map may lie in between */
		if (header[156] == 'S' && header[482])
			while ((data = span_take(&in, BLOCK)) != NULL && data[504])
				;
		data = span_take(&in, size);
		if (!data) {
			guard_blind_here(guard, "is cut off");
			return UN_OK;
		}
		err = look_file(guard, header, &names, data, size);
		if (size % BLOCK && in.left)
			(void)span_take(&in, BLOCK - size % BLOCK);
	}
	if (err || guard->over)
		return err;
	while (in.left && *in.at == 0)
		(void)span_take(&in, 1);
	if (in.left)
		err = guard_part(guard, in.at, in.left, true);
	return err;
}
