/* bench-false-positives GIGABYTES FOLDER... - how often redaction takes away what is no value:
 * reads every file below the folders with sets of values that nobody ever wrote, until that much
 * has been read. When the folders end before, they are read again with other values. Prints each
 * hit, then what was read and one count for each kind of value. Exit 1 when a value of 8 bytes or
 * more was "found" more than once in 10 GB. */
#include "redact/redact.h"

#include "base/text.h"

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VALUES 200
#define VALUE_MAX 2048
#define PIECE 65536
#define FOLDERS_OPEN 64
#define GIGABYTE 1000000000u
#define SERIES 0x9e3779b97f4a7c15u

enum kind { TOKEN, HEX, UUID, EIGHT, PASSWORD, BASE64, PEM, SHORT, KINDS };
static const char *const kinds[KINDS] = {
	"tokens of 16 to 64 letters and digits",
	"32 hex digits",
	"UUIDs",
	"8 letters and digits",
	"passwords of 12 characters with marks",
	"44 characters of base64",
	"PEM of several lines",
	"5 to 7 letters and digits, as words",
};

static uint64_t series = SERIES;
static struct redact_set *set;
static uint64_t wanted;
static uint64_t bytes_read;
static uint64_t files_read;
static uint64_t hits[KINDS];
static const char *path_now;

static uint32_t
below(uint32_t count)
{
	series ^= series << 13;
	series ^= series >> 7;
	series ^= series << 17;
	return (uint32_t)(series >> 32) % count;
}

static void
must(bool good, const char *what)
{
	if (good)
		return;
	(void)fprintf(stderr, "bench-false-positives: %s\n", what);
	exit(2);
}

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static size_t
draw(char *out, size_t len, const char *letters)
{
	for (size_t i = 0; i < len; i++)
		out[i] = letters[below((uint32_t)strlen(letters))];
	return len;
}

static size_t
draw_uuid(char *out)
{
	for (size_t i = 0; i < 36; i++)
		out[i] = i == 8 || i == 13 || i == 18 || i == 23 ? '-'
		                                                 : "0123456789abcdef"[below(16)];
	return 36;
}

static size_t
draw_pem(char *out)
{
	static const char head[] = "-----BEGIN PRIVATE KEY-----\n",
			  foot[] = "-----END PRIVATE KEY-----\n";
	size_t len = strlen(head), lines = 3 + below(20);

	memcpy(out, head, len);
	for (size_t line = 0; line < lines; line++) {
		len += draw(out + len, line + 1 < lines ? 64 : 12 + below(53), LETTERS "+/");
		out[len++] = '\n';
	}
	memcpy(out + len, foot, strlen(foot));
	return len + strlen(foot);
}

static size_t
draw_value(enum kind kind, char *out)
{
	switch (kind) {
	case TOKEN:
		return draw(out, 16 + below(49), LETTERS);
	case HEX:
		return draw(out, 32, "0123456789abcdef");
	case UUID:
		return draw_uuid(out);
	case EIGHT:
		return draw(out, 8, LETTERS);
	case PASSWORD:
		return draw(out, 12, LETTERS "!@#$%^&*()-_=+[]{};:,.?/");
	case BASE64:
		out[43] = '=';
		return draw(out, 43, LETTERS "+/") + 1;
	case PEM:
		return draw_pem(out);
	default:
		return draw(out, 5 + below(3), LETTERS);
	}
}

/* A mark is handed out in one call of its own. */
static enum un_err
see(void *ctx, const uint8_t *bytes, size_t len)
{
	static const char mark[] = "[secret fp";
	size_t kind;

	(void)ctx;
	if (len < sizeof mark || len > 40 || bytes[len - 1] != ']' ||
	    strncmp((const char *)bytes, mark, strlen(mark)) != 0)
		return UN_OK;
	kind = (size_t)(bytes[strlen(mark)] - '0');
	hits[kind < KINDS ? kind : 0]++;
	if (*path_now != '(')
		(void)printf("hit: %.*s in %s\n", (int)len, (const char *)bytes, path_now);
	return UN_OK;
}

/* One that could not see a value would count none. */
static void
check_itself(const char *bytes, size_t len, enum kind kind)
{
	uint64_t before = hits[kind];
	struct redact_stream *stream;

	path_now = "(this is a test)";
	must(redact_stream_new(set, see, NULL, &stream) == UN_OK, "no memory");
	must(redact_push(stream, (const uint8_t *)bytes, len) == UN_OK, "redaction failed");
	must(redact_flush(stream) == UN_OK, "redaction failed");
	redact_stream_free(stream);
	must(hits[kind] == before + 1, "a value is not seen");
	hits[kind] = before;
}

static void
make_set(void)
{
	char sample[VALUE_MAX];
	size_t sample_len = 0;

	redact_set_free(set);
	must(redact_set_new(&set) == UN_OK, "no memory");
	for (unsigned i = 0; i < VALUES; i++) {
		char bytes[VALUE_MAX], name[16];
		enum kind kind = (enum kind)(i % KINDS);
		size_t len = draw_value(kind, bytes);
		struct secbuf *value;
		bool too_short;

		if (!i) {
			memcpy(sample, bytes, len);
			sample_len = len;
		}
		(void)snprintf(name, sizeof name, "fp%d_%u", (int)kind, i);
		must(secbuf_copy(bytes, len, &value) == UN_OK, "no memory");
		must(redact_set_add(set, name, value, &too_short) == UN_OK, "no memory");
		secbuf_free(value);
	}
	must(redact_set_compile(set) == UN_OK, "no memory");
	check_itself(sample, sample_len, TOKEN);
}

static int
scan(const char *path, const struct stat *status, int type, struct FTW *at)
{
	static uint8_t piece[PIECE];
	struct redact_stream *stream;
	ssize_t got = 0;
	int fd;

	(void)at;
	if (type != FTW_F || !S_ISREG(status->st_mode) || !status->st_size)
		return bytes_read >= wanted;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return 0;
	path_now = path;
	files_read++;
	must(redact_stream_new(set, see, NULL, &stream) == UN_OK, "no memory");
	while ((got = read(fd, piece, sizeof piece)) > 0) {
		bytes_read += (uint64_t)got;
		must(redact_push(stream, piece, (size_t)got) == UN_OK, "redaction failed");
	}
	must(redact_flush(stream) == UN_OK, "redaction failed");
	redact_stream_free(stream);
	(void)close(fd);
	return bytes_read >= wanted;
}

int
main(int argc, char **argv)
{
	uint64_t gigabytes, all = 0, once = 0;
	unsigned sets = 0;

	must(argc > 2 && text_parse_u64(argv[1], &gigabytes) == UN_OK,
	     "usage: GIGABYTES FOLDER...");
	wanted = gigabytes * GIGABYTE;
	while (bytes_read < wanted) {
		uint64_t before = bytes_read;

		make_set();
		sets++;
		for (int i = 2; i < argc && bytes_read < wanted; i++)
			(void)nftw(argv[i], scan, FOLDERS_OPEN, FTW_PHYS | FTW_MOUNT);
		must(bytes_read > before, "there is nothing to read");
		once = once ? once : bytes_read;
	}
	redact_set_free(set);
	(void)printf(
		"%.2f GB read (%.2f GB of files, %" PRIu64 " times a file), %u sets of %d values\n",
		(double)bytes_read / GIGABYTE, (double)once / GIGABYTE, files_read, sets, VALUES);
	for (size_t kind = 0; kind < KINDS; kind++) {
		(void)printf("%5" PRIu64 "  %s\n", hits[kind], kinds[kind]);
		all += kind == SHORT ? 0 : hits[kind];
	}
	return all * 10 * GIGABYTE > bytes_read;
}
