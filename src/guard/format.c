/* format.c - which format bytes are of, by their marks. */
#include "guard/inside.h"
#include "guard/unpack.h"

#include "base/text.h"

#include <string.h>

#define TEXT_JUDGED (64u << 10) /* bytes of a text that are judged, unless all are asked for */
#define MSGPACK_JUDGED (64u << 20)

static bool
begins(const uint8_t *bytes, size_t len, const char *mark, size_t mark_len)
{
	return len >= mark_len && text_equal(bytes, mark, mark_len);
}

#define BEGINS(mark) begins(bytes, len, mark, sizeof(mark) - 1)

static bool
ends(const uint8_t *bytes, size_t len, const char *mark, size_t mark_len)
{
	return len >= mark_len && text_equal(bytes + len - mark_len, mark, mark_len);
}

/* Text without control characters but blanks, escapes of terminals and form feeds. */
static bool
is_text(const uint8_t *bytes, size_t len, bool all)
{
	size_t end = all || len < TEXT_JUDGED ? len : TEXT_JUDGED;

	for (size_t at = 0; at < end;) {
		uint64_t eight;
		size_t more;

		if (end - at >= 8) {
			memcpy(&eight, bytes + at, 8);
			/* no byte below 0x20, none above 0x7e: eight at once */
			if (!((eight | (eight - 0x2020202020202020u) |
			       (eight + 0x0101010101010101u)) &
			      0x8080808080808080u)) {
				at += 8;
				continue;
			}
		}
		more = text_utf8_len((const char *)bytes + at, len - at);
		if (more == 0)
			return at + 4 > end && end < len; /* cut in a character */
		if (bytes[at] < ' ' && !(bytes[at] >= '\b' && bytes[at] <= '\r') &&
		    bytes[at] != 0x1b)
			return false;
		at += more;
	}
	return true;
}

static bool
begins_json(const uint8_t *bytes, size_t len)
{
	size_t at = 0;

	while (at < len && at < 64 && bytes[at] <= ' ')
		at++;
	return at < len && (bytes[at] == '{' || bytes[at] == '[' || bytes[at] == '"');
}

/* A protocol of 2 to 5, then an opcode that such pickles begin with. */
static bool
begins_pickle(const uint8_t *bytes, size_t len)
{
	return len >= 3 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5 &&
	       strchr("}]()cCXUBGJKMNKIVS\x8c\x8d\x8e\x95\x89\x88\x8a\x8b\x8f\x85\x96", bytes[2]) &&
	       bytes[2];
}

/* Protocols 0 and 1 have no mark: an opcode of theirs, and the STOP at the end. */
static bool
is_old_pickle(const uint8_t *bytes, size_t len)
{
	return len >= 4 && bytes[len - 1] == '.' && bytes[0] && strchr("(cSVIL}])", bytes[0]) &&
	       (bytes[len - 2] == '\n' || bytes[len - 2] == 'b' || bytes[len - 2] == 's' ||
	        bytes[len - 2] == 'u' || bytes[len - 2] == 'a' || bytes[len - 2] == 'e' ||
	        bytes[len - 2] == 't') &&
	       memchr(bytes, '\n', len < 4096 ? len : 4096);
}

static bool
begins_arrow_stream(const uint8_t *bytes, size_t len)
{
	return len >= 24 && BEGINS("\xff\xff\xff\xff") && bytes[7] == 0 &&
	       (bytes[4] | bytes[5] | bytes[6]) != 0 && bytes[11] == 0 && bytes[10] == 0;
}

struct mark {
	const char *bytes;
	uint8_t len;
	uint16_t at;
	const char *what;
};
#define MARK(text, what)                                                                           \
	{                                                                                          \
		text, sizeof(text) - 1, 0, what                                                    \
	}
#define NOT_INSIDE ", which is not looked into"

static const struct mark named[] = {
	MARK("\x89HDF\r\n\x1a\n", "is an HDF5 file" NOT_INSIDE),
	MARK("SQLite format 3\0", "is an SQLite database" NOT_INSIDE),
	MARK("7z\xbc\xaf\x27\x1c", "is a 7z archive" NOT_INSIDE),
	MARK("Rar!\x1a\x07", "is a RAR archive" NOT_INSIDE),
	MARK("LZIP", "is packed with lzip" NOT_INSIDE),
	MARK("\x1f\x9d", "is packed with compress" NOT_INSIDE),
	MARK("\x89LZO\0\r\n\x1a\n", "is packed with lzop" NOT_INSIDE),
	MARK("\xff\x06\0\0sNaPpY", "is a snappy stream" NOT_INSIDE),
	MARK("\xff\xd8\xff", "is an image" NOT_INSIDE),
	MARK("GIF87a", "is an image" NOT_INSIDE),
	MARK("GIF89a", "is an image" NOT_INSIDE),
	MARK("II*\0", "is an image" NOT_INSIDE),
	MARK("MM\0*", "is an image" NOT_INSIDE),
	{"WEBP", 4, 8, "is an image" NOT_INSIDE},
	{"ftyp", 4, 4, "is a video" NOT_INSIDE},
	MARK("\x7f"
             "ELF",
             "is a program" NOT_INSIDE),
	MARK("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old office document" NOT_INSIDE),
	MARK("Salted__", "is encrypted"),
	MARK("age-encryption.org/", "is encrypted"),
};

const char *
format_named(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < sizeof named / sizeof *named; i++)
		if (len > named[i].at &&
		    begins(bytes + named[i].at, len - named[i].at, named[i].bytes, named[i].len))
			return named[i].what;
	return NULL;
}

static enum format
by_mark(const uint8_t *bytes, size_t len)
{
	if (BEGINS("PK\3\4") || BEGINS("PK\5\6"))
		return FORMAT_ZIP;
	if (BEGINS("\x1f\x8b\x08"))
		return FORMAT_GZIP;
	if (BEGINS("\x28\xb5\x2f\xfd"))
		return FORMAT_ZSTD;
	if (BEGINS("\x04\x22\x4d\x18"))
		return FORMAT_LZ4;
	if (BEGINS("\xfd"
	           "7zXZ\0"))
		return FORMAT_XZ;
	if (BEGINS("BZh") && len > 10 && bytes[3] >= '1' && bytes[3] <= '9' &&
	    (text_equal(bytes + 4, "1AY&SY", 6) || text_equal(bytes + 4, "\x17rE8P\x90", 6)))
		return FORMAT_BZIP2;
	if (BEGINS("Obj\1"))
		return FORMAT_AVRO;
	if (BEGINS("ORC"))
		return FORMAT_ORC;
	if (BEGINS("FEA1"))
		return FORMAT_RAW;
	if (BEGINS("\x89PNG\r\n\x1a\n"))
		return FORMAT_PNG;
	if (BEGINS("%PDF-"))
		return FORMAT_PDF;
	if (BEGINS("\x93NUMPY"))
		return FORMAT_NPY;
	if (BEGINS("ARROW1\0\0") || begins_arrow_stream(bytes, len))
		return FORMAT_ARROW;
	if (BEGINS("PAR1") || BEGINS("PARE") || ends(bytes, len, "PAR1", 4))
		return FORMAT_PARQUET;
	if (begins_pickle(bytes, len))
		return FORMAT_PICKLE;
	/* a self-extracting one, or one behind anything else, begins with something of its own */
	if (tar_begins(bytes, len))
		return FORMAT_TAR;
	if (zlib_begins(bytes, len))
		return FORMAT_ZLIB;
	if (safetensors_begins(bytes, len))
		return FORMAT_SAFETENSORS;
	if (format_named(bytes, len))
		return FORMAT_NAMED;
	return FORMAT_UNKNOWN;
}

enum format
format_of(const uint8_t *bytes, size_t len, bool all)
{
	enum format format;

	if (len < 3)
		return FORMAT_TEXT;
	format = by_mark(bytes, len);
	if (format != FORMAT_UNKNOWN)
		return format;
	if (is_old_pickle(bytes, len))
		return FORMAT_PICKLE;
	if (is_text(bytes, len, all))
		return begins_json(bytes, len) ? FORMAT_JSON : FORMAT_TEXT;
	if (msgpack_is_whole(bytes, len < MSGPACK_JUDGED ? len : 0))
		return FORMAT_MSGPACK;
	return FORMAT_UNKNOWN;
}

bool
format_has_packed(const uint8_t *bytes, size_t len)
{
	switch (by_mark(bytes, len)) {
	case FORMAT_GZIP:
	case FORMAT_ZLIB:
	case FORMAT_ZSTD:
	case FORMAT_LZ4:
	case FORMAT_XZ:
	case FORMAT_BZIP2:
	case FORMAT_ZIP:
	case FORMAT_ARROW:
	case FORMAT_PARQUET:
	case FORMAT_AVRO:
	case FORMAT_ORC:
		return true;
	default:
		return false;
	}
}

bool
format_is_plain(const uint8_t *bytes, size_t len, bool all)
{
	return len < 3 ||
	       (is_text(bytes, len, all) && !begins_json(bytes, len) && !is_old_pickle(bytes, len));
}

bool
format_is_flat(enum format format)
{
	return format == FORMAT_UNKNOWN || format == FORMAT_TEXT || format == FORMAT_RAW ||
	       format == FORMAT_NAMED;
}
