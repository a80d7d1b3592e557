#include "launch/tar.h"

#include "base/alloc.h"

#include <string.h>

#define BLOCK 512
#define META_MAX 8192 /* bytes of a pax header or a GNU long name */

/*      offset  size  field of a header block
 *           0   100  name
 *         100     8  mode, octal
 *         124    12  size, octal
 *         148     8  checksum, octal, counted with blanks in this field
 *         156     1  type
 *         257     6  "ustar\0" (POSIX) or "ustar " (GNU)
 *         345   155  prefix (POSIX only)                                */
enum field {
	AT_NAME = 0,
	AT_MODE = 100,
	AT_SIZE = 124,
	AT_CHECKSUM = 148,
	AT_TYPE = 156,
	AT_MAGIC = 257,
	AT_PREFIX = 345,
};

enum part {
	PART_HEADER,
	PART_FILE,
	PART_META, /* the bytes of a pax header or long name */
	PART_PADDING,
	PART_END, /* after the first block of zeros */
};

struct tar_reader {
	struct tar_sink sink;
	enum part part;
	uint8_t block[BLOCK];
	size_t have;      /* of block */
	uint64_t left;    /* of the current part */
	size_t padding;   /* behind it */
	char meta_type;   /* 'x', 'g' or 'L' */
	char meta[META_MAX + 1];
	size_t meta_len;
	char next_path[TAR_PATH_MAX +
	               1]; /* from a pax header or a long name; "" when there was none */
	bool has_size;
	uint64_t next_size;
	uint32_t entries;
	uint64_t total;
	char path[TAR_PATH_MAX + 1];
};

const char *
tar_show(const char *name, char shown[TAR_SHOWN_MAX])
{
	size_t at = 0;

	for (; at < TAR_SHOWN_MAX - 1 && name[at]; at++)
		shown[at] = name[at] >= ' ' && name[at] < 0x7f ? name[at] : '?';
	shown[at] = '\0';
	return shown;
}

static enum un_err
refuse(struct un_detail *detail, const char *path, const char *why)
{
	char shown[TAR_SHOWN_MAX];

	return un_fail(detail, UN_ERR_BUNDLE_REFUSED, "the code bundle is refused: '%s' %s",
	               tar_show(path, shown), why);
}

static enum un_err
malformed(struct un_detail *detail, const char *what)
{
	return un_fail(detail, UN_ERR_BUNDLE_REFUSED, "the code bundle is refused: %s", what);
}

enum un_err
tar_reader_new(struct tar_sink sink, struct tar_reader **ret_reader)
{
	struct tar_reader *reader = mem_zalloc(1, sizeof *reader);

	if (!reader)
		return UN_ERR_NO_MEMORY;
	reader->sink = sink;
	*ret_reader = reader;
	return UN_OK;
}

void
tar_reader_free(struct tar_reader *reader)
{
	mem_free(reader);
}

/* Octal digits between blanks, ended by a blank, a NUL or the field. */
static bool
parse_octal(const uint8_t *field, size_t len, uint64_t *ret_number)
{
	uint64_t number = 0;
	size_t at = 0, digits = 0;

	while (at < len && field[at] == ' ')
		at++;
	for (; at < len && field[at] >= '0' && field[at] <= '7'; at++, digits++) {
		if (number >> 60)
			return false;
		number = number << 3 | (uint64_t)(field[at] - '0');
	}
	for (; at < len; at++)
		if (field[at] != ' ' && field[at] != '\0')
			return false;
	*ret_number = number;
	return digits > 0;
}

static bool
parse_decimal(const char *text, size_t len, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (len == 0 || len > 18)
		return false;
	for (size_t at = 0; at < len; at++) {
		if (text[at] < '0' || text[at] > '9')
			return false;
		number = number * 10 + (uint64_t)(text[at] - '0');
	}
	*ret_number = number;
	return true;
}

static bool
checksum_is_right(const uint8_t *block)
{
	uint64_t stored, sum = 0;

	for (size_t at = 0; at < BLOCK; at++)
		sum += at >= AT_CHECKSUM && at < AT_CHECKSUM + 8 ? ' ' : block[at];
	return parse_octal(block + AT_CHECKSUM, 8, &stored) && stored == sum;
}

static bool
is_zero(const uint8_t *bytes, size_t len)
{
	for (size_t at = 0; at < len; at++)
		if (bytes[at])
			return false;
	return true;
}

/* Appends `from` (at most `max` bytes, up to a NUL) to the text in `path`. */
static bool
append_field(char path[TAR_PATH_MAX + 1], const uint8_t *from, size_t max)
{
	size_t len = strlen(path), more = strnlen((const char *)from, max);

	if (len + more > TAR_PATH_MAX)
		return false;
	memcpy(path + len, from, more);
	path[len + more] = '\0';
	return true;
}

/* Checks `raw` and writes what is left of it without "." parts and doubled slashes to `clean`. */
static enum un_err
clean_path(const char *raw, char clean[TAR_PATH_MAX + 1], struct un_detail *detail)
{
	size_t out = 0, depth = 0;

	if (*raw == '/')
		return refuse(detail, raw, "is an absolute path");
	for (const char *at = raw; *at;) {
		size_t len = strcspn(at, "/");

		if (len == 2 && at[0] == '.' && at[1] == '.')
			return refuse(detail, raw, "leads out of the bundle");
		if (len > TAR_PART_MAX || ++depth > TAR_DEPTH_MAX)
			return refuse(detail, raw, "is too long or too deep");
		for (size_t i = 0; i < len; i++)
			if ((unsigned char)at[i] < ' ' || at[i] == 0x7f)
				return refuse(detail, raw, "has a control character in its name");
		if (len > 0 && !(len == 1 && at[0] == '.')) {
			if (out)
				clean[out++] = '/';
			memcpy(clean + out, at, len);
			out += len;
		}
		at += len;
		while (*at == '/')
			at++;
	}
	clean[out] = '\0';
	return UN_OK;
}

static enum un_err
entry_path(struct tar_reader *reader, struct un_detail *detail)
{
	const uint8_t *block = reader->block;
	char raw[TAR_PATH_MAX + 1] = "";
	bool posix = block[AT_MAGIC + 5] == '\0', fits = true;

	if (reader->next_path[0]) {
		memcpy(raw, reader->next_path, sizeof raw);
	} else {
		if (posix && block[AT_PREFIX]) {
			fits = append_field(raw, block + AT_PREFIX, 155) &&
			       append_field(raw, (const uint8_t *)"/", 1);
		}
		fits = fits && append_field(raw, block + AT_NAME, 100);
	}
	reader->next_path[0] = '\0';
	if (!fits)
		return refuse(detail, raw, "has too long a path");
	return clean_path(raw, reader->path, detail);
}

static const char *
why_not(uint8_t type)
{
	switch (type) {
	case '1':
		return "is a hard link";
	case '2':
		return "is a symbolic link";
	case '3':
	case '4':
		return "is a device";
	case '6':
		return "is a fifo";
	default:
		return "is neither a file nor a directory";
	}
}

/* A header that describes a file or a directory. */
static enum un_err
begin_entry(struct tar_reader *reader, uint64_t size, struct un_detail *detail)
{
	uint8_t type = reader->block[AT_TYPE];
	struct tar_entry entry = {.path = reader->path, .directory = type == '5'};
	uint64_t mode = 0;
	enum un_err err = entry_path(reader, detail);

	if (err)
		return err;
	if (type != '0' && type != '\0' && type != '5')
		return refuse(detail, reader->path, why_not(type));
	if (!parse_octal(reader->block + AT_MODE, 8, &mode))
		return refuse(detail, reader->path, "has a malformed mode");
	if (reader->has_size)
		size = reader->next_size;
	reader->has_size = false;
	if (!reader->path[0] && !entry.directory)
		return refuse(detail, reader->path, "has no name");
	if (entry.directory ? size != 0 : size > TAR_FILE_MAX)
		return refuse(detail, reader->path, "is too large");
	if (++reader->entries > TAR_ENTRIES_MAX)
		return refuse(detail, reader->path, "is one entry too many");
	reader->total += size;
	if (reader->total > TAR_TOTAL_MAX)
		return refuse(detail, reader->path, "makes the bundle too large");
	entry.size = size;
	entry.executable = (mode & 0111) != 0;
	err = reader->path[0] ? reader->sink.begin(reader->sink.ctx, &entry, detail) : UN_OK;
	if (err)
		return err;
	reader->left = size;
	reader->part = PART_FILE;
	return UN_OK;
}

static enum un_err
begin_meta(struct tar_reader *reader, uint64_t size, struct un_detail *detail)
{
	if (size == 0 || size > META_MAX)
		return malformed(detail, "a header of names is empty or too long");
	if (++reader->entries > TAR_ENTRIES_MAX)
		return malformed(detail, "too many entries");
	reader->meta_type = (char)reader->block[AT_TYPE];
	reader->meta_len = 0;
	reader->left = size;
	reader->part = PART_META;
	return UN_OK;
}

static enum un_err
take_header(struct tar_reader *reader, struct un_detail *detail)
{
	const uint8_t *block = reader->block;
	uint8_t type = block[AT_TYPE];
	uint64_t size;

	if (is_zero(block, BLOCK)) {
		if (reader->next_path[0] || reader->has_size)
			return malformed(detail, "it ends after a header of names");
		reader->part = PART_END;
		return UN_OK;
	}
	if (!checksum_is_right(block) || strncmp((const char *)block + AT_MAGIC, "ustar", 5) != 0 ||
	    (block[AT_MAGIC + 5] != '\0' && block[AT_MAGIC + 5] != ' '))
		return malformed(detail, "it is not a tar archive, or damaged");
	if (!parse_octal(block + AT_SIZE, 12, &size))
		return malformed(detail, "an entry has a malformed size");
	reader->padding = 0;
	if (type == 'x' || type == 'g' || type == 'L')
		return begin_meta(reader, size, detail);
	return begin_entry(reader, size, detail);
}

static enum un_err
set_next_path(struct tar_reader *reader, const char *text, size_t len, struct un_detail *detail)
{
	if (len == 0 || len > TAR_PATH_MAX || memchr(text, '\0', len))
		return malformed(detail, "an entry has an empty or too long name");
	memcpy(reader->next_path, text, len);
	reader->next_path[len] = '\0';
	return UN_OK;
}

static bool
key_is(const char *record, size_t key_len, const char *key)
{
	return strlen(key) == key_len && strncmp(record, key, key_len) == 0;
}

/* One "KEY=VALUE" of a pax header. What changes what a file is (a sparse map, a charset) is
 * refused; times, owners and comments are passed over. */
static enum un_err
take_record(struct tar_reader *reader, const char *record, size_t len, struct un_detail *detail)
{
	const char *equals = memchr(record, '=', len), *value;
	size_t key_len, value_len;

	if (!equals)
		return malformed(detail, "a pax header is malformed");
	key_len = (size_t)(equals - record);
	value = equals + 1;
	value_len = len - key_len - 1;
	if (key_is(record, key_len, "path")) {
		if (reader->meta_type == 'g')
			return malformed(detail, "a global header names a path");
		return set_next_path(reader, value, value_len, detail);
	}
	if (key_is(record, key_len, "size")) {
		if (reader->meta_type == 'g' ||
		    !parse_decimal(value, value_len, &reader->next_size))
			return malformed(detail, "a pax header has a malformed size");
		reader->has_size = true;
		return UN_OK;
	}
	if (key_len >= 10 && strncmp(record, "GNU.sparse", 10) == 0)
		return malformed(detail, "it has a sparse file");
	if (key_is(record, key_len, "hdrcharset"))
		return malformed(detail, "it has names in another character set");
	return UN_OK;
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts the whole record. */
static enum un_err
take_pax(struct tar_reader *reader, struct un_detail *detail)
{
	const char *at = reader->meta;
	size_t left = reader->meta_len;

	while (left) {
		const char *blank = memchr(at, ' ', left < 8 ? left : 8);
		size_t digits = blank ? (size_t)(blank - at) : 0;
		uint64_t len;
		enum un_err err;

		if (!blank || !parse_decimal(at, digits, &len) || len < digits + 3 || len > left ||
		    at[len - 1] != '\n')
			return malformed(detail, "a pax header is malformed");
		err = take_record(reader, blank + 1, (size_t)len - digits - 2, detail);
		if (err)
			return err;
		at += len;
		left -= len;
	}
	return UN_OK;
}

static enum un_err
take_meta(struct tar_reader *reader, struct un_detail *detail)
{
	size_t len = reader->meta_len;

	reader->meta[len] = '\0';
	if (reader->meta_type == 'L') {
		while (len && reader->meta[len - 1] == '\0')
			len--;
		return set_next_path(reader, reader->meta, len, detail);
	}
	return take_pax(reader, detail);
}

/* What to do when the bytes of a part are complete. */
static enum un_err
end_part(struct tar_reader *reader, struct un_detail *detail)
{
	enum un_err err = UN_OK;

	if (reader->part == PART_META)
		err = take_meta(reader, detail);
	else if (reader->part == PART_FILE && reader->path[0])
		err = reader->sink.end(reader->sink.ctx, detail);
	reader->left = reader->part == PART_PADDING ? 0 : reader->padding;
	reader->part = reader->left ? PART_PADDING : PART_HEADER;
	reader->have = 0;
	return err;
}

/* Takes bytes of the current part; *ret_used says how many. */
static enum un_err
take_bytes(struct tar_reader *reader, const uint8_t *bytes, size_t len, size_t *ret_used,
           struct un_detail *detail)
{
	size_t used = reader->left < len ? (size_t)reader->left : len;

	if (reader->part == PART_FILE && used) {
		enum un_err err = reader->sink.data(reader->sink.ctx, bytes, used, detail);

		if (err)
			return err;
	} else if (reader->part == PART_META) {
		memcpy(reader->meta + reader->meta_len, bytes, used);
		reader->meta_len += used;
	}
	reader->left -= used;
	*ret_used = used;
	return UN_OK;
}

static enum un_err
take_block(struct tar_reader *reader, const uint8_t *bytes, size_t len, size_t *ret_used,
           struct un_detail *detail)
{
	size_t used = BLOCK - reader->have < len ? BLOCK - reader->have : len;
	enum un_err err = UN_OK;

	memcpy(reader->block + reader->have, bytes, used);
	reader->have += used;
	if (reader->have == BLOCK) {
		err = take_header(reader, detail);
		if (!err && reader->part != PART_END)
			reader->padding = (size_t)(-reader->left & (BLOCK - 1));
	}
	*ret_used = used;
	return err;
}

enum un_err
tar_push(struct tar_reader *reader, const uint8_t *bytes, size_t len, struct un_detail *detail)
{
	while (len) {
		size_t used = len;
		enum un_err err = UN_OK;

		if (reader->part == PART_END)
			err = is_zero(bytes, len) ? UN_OK
			                          : malformed(detail, "something follows its end");
		else if (reader->part == PART_HEADER)
			err = take_block(reader, bytes, len, &used, detail);
		else
			err = take_bytes(reader, bytes, len, &used, detail);
		/* An empty file or directory is complete at once, as is the padding of nothing. */
		while (!err && reader->left == 0 && reader->part != PART_HEADER &&
		       reader->part != PART_END)
			err = end_part(reader, detail);
		if (err)
			return err;
		bytes += used;
		len -= used;
	}
	return UN_OK;
}

enum un_err
tar_end(const struct tar_reader *reader, struct un_detail *detail)
{
	if (reader->part != PART_END)
		return malformed(detail, "it stops before its end");
	return UN_OK;
}
