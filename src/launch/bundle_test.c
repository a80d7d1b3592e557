#include "launch/bundle.h"
#include "test.h"

#include "base/buf.h"
#include "base/io.h"
#include "launch/tar.h"
#include "launch/tree.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define PACKED_MAX (1u << 20)

struct place {
	char path[64];
	int parent;
	int fd;
};

static struct place
place_new(void)
{
	struct place place = {.path = "/tmp/bundle-test-XXXXXX"};

	EXPECT(mkdtemp(place.path) != NULL);
	place.parent = open(place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT_OK(tree_make(place.parent, "d", &place.fd, NULL));
	return place;
}

static void
place_end(struct place *place)
{
	io_close(&place->fd);
	EXPECT_OK(tree_remove(place->parent, "d"));
	io_close(&place->parent);
	EXPECT_INT(0, rmdir(place->path));
}

static void
set_checksum(uint8_t *block)
{
	unsigned sum = 0;

	memset(block + 148, ' ', 8);
	for (size_t i = 0; i < 512; i++)
		sum += block[i];
	(void)snprintf((char *)block + 148, 8, "%06o", sum);
}

/* One entry with its bytes and padding. */
static void
add_entry(struct buf *tar, const char *name, char type, unsigned mode, const char *bytes,
          size_t len)
{
	uint8_t block[512] = {0};

	memcpy(block, name, strlen(name) < 100 ? strlen(name) : 100);
	(void)snprintf((char *)block + 100, 8, "%07o", mode);
	(void)snprintf((char *)block + 124, 12, "%011zo", len);
	block[156] = (uint8_t)type;
	memcpy(block + 257, "ustar\00000", 8);
	set_checksum(block);
	EXPECT_OK(buf_append(tar, block, sizeof block));
	EXPECT_OK(buf_append(tar, bytes, len));
	memset(block, 0, sizeof block);
	EXPECT_OK(buf_append(tar, block, -len & 511));
}

static void
add_file(struct buf *tar, const char *name, const char *text)
{
	add_entry(tar, name, '0', 0644, text, strlen(text));
}

static void
add_end(struct buf *tar)
{
	static const uint8_t zeros[1024];

	EXPECT_OK(buf_append(tar, zeros, sizeof zeros));
}

static void
pack(const struct buf *tar, struct buf *packed)
{
	z_stream zip = {0};

	buf_init(packed, PACKED_MAX, BUF_PLAIN);
	EXPECT_OK(buf_reserve(packed, PACKED_MAX));
	EXPECT_INT(Z_OK, deflateInit2(&zip, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY));
	zip.next_in = tar->data;
	zip.avail_in = (unsigned)tar->len;
	zip.next_out = packed->data;
	zip.avail_out = PACKED_MAX;
	EXPECT_INT(Z_STREAM_END, deflate(&zip, Z_FINISH));
	buf_added(packed, zip.total_out);
	EXPECT_INT(Z_OK, deflateEnd(&zip));
}

static enum un_err
unpack_pieces(const struct buf *packed, size_t piece, int dir_fd, struct un_detail *detail)
{
	struct bundle_reader *reader;
	enum un_err err = bundle_new(dir_fd, &reader);

	if (err)
		return err;
	for (size_t at = 0; !err && at < packed->len; at += piece)
		err = bundle_push(reader, packed->data + at,
		                  packed->len - at < piece ? packed->len - at : piece, detail);
	if (!err)
		err = bundle_end(reader, detail);
	bundle_free(reader);
	return err;
}

static void
expect_file(int dir_fd, const char *name, const char *text, unsigned mode)
{
	struct stat facts;
	struct buf bytes;

	buf_init(&bytes, 4096, BUF_PLAIN);
	EXPECT_OK(io_read_file(dir_fd, name, &bytes));
	EXPECT_STR(text, buf_text(&bytes));
	EXPECT_INT(0, fstatat(dir_fd, name, &facts, AT_SYMLINK_NOFOLLOW));
	EXPECT_INT(mode, facts.st_mode & 07777);
	buf_fini(&bytes);
}

static void
good_bundle(struct buf *packed)
{
	static const char record[] = "27 path=pkg/a long one.txt\n30 mtime=1700000000.123456789\n";
	struct buf tar;

	buf_init(&tar, PACKED_MAX, BUF_PLAIN);
	add_entry(&tar, "./", '5', 0755, "", 0);
	add_file(&tar, "main.py", "print('hi')\n");
	add_entry(&tar, "pkg/", '5', 02777, "", 0);
	add_entry(&tar, "./pkg//tool.sh", '0', 04755, "#!/bin/sh\n", 10);
	add_entry(&tar, "PaxHeaders/x", 'x', 0644, record, strlen(record));
	add_file(&tar, "short", "by pax");
	add_entry(&tar, "././@LongLink", 'L', 0644, "deep/er/and_gnu.py\0", 19);
	add_file(&tar, "deep/er/and", "by gnu");
	add_file(&tar, "empty", "");
	add_end(&tar);
	pack(&tar, packed);
	buf_fini(&tar);
}

TEST(bundle, unpacks_what_python_writes_however_it_is_cut)
{
	struct buf packed;

	good_bundle(&packed);
	for (size_t piece = 1; piece <= packed.len; piece = piece * 2 + 1) {
		struct place place = place_new();

		EXPECT_OK(unpack_pieces(&packed, piece, place.fd, NULL));
		expect_file(place.fd, "main.py", "print('hi')\n", 0600);
		expect_file(place.fd, "pkg/tool.sh", "#!/bin/sh\n", 0700);
		expect_file(place.fd, "pkg/a long one.txt", "by pax", 0600);
		expect_file(place.fd, "deep/er/and_gnu.py", "by gnu", 0600);
		expect_file(place.fd, "empty", "", 0600);
		place_end(&place);
	}
	buf_fini(&packed);
}

/* The reason must name the entry and say why. */
static void
expect_refused(const struct buf *tar, const char *name, const char *why)
{
	struct place place = place_new();
	struct un_detail detail = {0};
	struct buf packed;

	pack(tar, &packed);
	EXPECT_ERR(UN_ERR_BUNDLE_REFUSED, unpack_pieces(&packed, packed.len, place.fd, &detail));
	EXPECT(strstr(detail.message, name) != NULL);
	EXPECT(strstr(detail.message, why) != NULL);
	buf_fini(&packed);
	place_end(&place);
}

static void
expect_entry_refused(const char *name, char type, const char *shown, const char *why)
{
	struct buf tar;

	buf_init(&tar, PACKED_MAX, BUF_PLAIN);
	add_file(&tar, "first", "1");
	add_entry(&tar, name, type, 0644, "", 0);
	add_end(&tar);
	expect_refused(&tar, shown, why);
	buf_fini(&tar);
}

TEST(bundle, refuses_paths_that_lead_elsewhere)
{
	expect_entry_refused("/etc/passwd", '0', "'/etc/passwd'", "absolute");
	expect_entry_refused("../up", '0', "'../up'", "leads out");
	expect_entry_refused("a/../../up", '0', "'a/../../up'", "leads out");
	expect_entry_refused("a/..", '5', "'a/..'", "leads out");
	expect_entry_refused("a\nb", '0', "'a?b'", "control character");
	expect_entry_refused("first/below", '0', "'first/below'", "there already");
	expect_entry_refused("first/", '5', "'first'", "there already");
	expect_entry_refused("first", '0', "'first'", "there already");
	expect_entry_refused(".", '0', "''", "no name");
}

TEST(bundle, refuses_everything_but_files_and_directories)
{
	expect_entry_refused("hard", '1', "'hard'", "hard link");
	expect_entry_refused("soft", '2', "'soft'", "symbolic link");
	expect_entry_refused("char", '3', "'char'", "device");
	expect_entry_refused("block", '4', "'block'", "device");
	expect_entry_refused("pipe", '6', "'pipe'", "fifo");
	expect_entry_refused("sparse", 'S', "'sparse'", "neither");
}

TEST(bundle, follows_no_link_that_is_there)
{
	struct place place = place_new();
	struct buf tar, packed;

	EXPECT_INT(0, symlinkat("/tmp", place.fd, "link"));
	buf_init(&tar, PACKED_MAX, BUF_PLAIN);
	add_file(&tar, "link/escaped", "1");
	add_end(&tar);
	pack(&tar, &packed);
	EXPECT_ERR(UN_ERR_BUNDLE_REFUSED, unpack_pieces(&packed, packed.len, place.fd, NULL));
	EXPECT(access("/tmp/escaped", F_OK) != 0);
	buf_fini(&tar);
	buf_fini(&packed);
	place_end(&place);
}

static void
expect_meta_refused(char type, const char *bytes, size_t len)
{
	struct buf tar;

	buf_init(&tar, PACKED_MAX, BUF_PLAIN);
	add_entry(&tar, "meta", type, 0644, bytes, len);
	add_file(&tar, "file", "1");
	add_end(&tar);
	expect_refused(&tar, "", "refused");
	buf_fini(&tar);
}

TEST(bundle, refuses_malformed_headers_of_names)
{
	expect_meta_refused('x', "19 path=../escape_\n", 19);
	expect_meta_refused('x', "12 path=/abc\n", 13);
	expect_meta_refused('x', "99 path=abc\n", 12);
	expect_meta_refused('x', "path=abc\n", 9);
	expect_meta_refused('x', "11 path=abc", 11);
	expect_meta_refused('x', "12 size=-12\n", 12);
	expect_meta_refused('x', "26 size=99999999999999999\n", 26);
	expect_meta_refused('x', "22 GNU.sparse.major=1\n", 22);
	expect_meta_refused('g', "12 path=abc\n", 12);
	expect_meta_refused('L', "\0\0\0\0", 4);
	expect_meta_refused('L', "a\0b", 3);
	expect_meta_refused('L', "/etc/shadow", 11);
}

TEST(bundle, refuses_what_is_over_its_limits)
{
	struct buf tar;
	char deep[2 * TAR_DEPTH_MAX + 8];

	for (size_t i = 0; i < TAR_DEPTH_MAX + 1; i++)
		memcpy(deep + 2 * i, "d/", 3);
	expect_entry_refused(deep, '5', "d/d/", "too deep");
	buf_init(&tar, PACKED_MAX, BUF_PLAIN);
	add_file(&tar, "big", "");
	memcpy(tar.data + 124, "77777777777", 12); /* 8 GiB */
	set_checksum(tar.data);
	add_end(&tar);
	expect_refused(&tar, "'big'", "too large");
	buf_fini(&tar);
}

TEST(bundle, refuses_a_bomb)
{
	struct place place = place_new();
	struct un_detail detail = {0};
	struct buf tar, packed;
	char *zeros = calloc(1, 40u << 20);

	EXPECT(zeros != NULL);
	buf_init(&tar, 64u << 20, BUF_PLAIN);
	add_entry(&tar, "bomb", '0', 0644, zeros, 40u << 20);
	add_end(&tar);
	pack(&tar, &packed);
	EXPECT_ERR(UN_ERR_BUNDLE_REFUSED, unpack_pieces(&packed, packed.len, place.fd, &detail));
	EXPECT(strstr(detail.message, "far more") != NULL);
	free(zeros);
	buf_fini(&tar);
	buf_fini(&packed);
	place_end(&place);
}

TEST(bundle, refuses_what_stops_early_or_goes_on)
{
	struct buf packed;

	good_bundle(&packed);
	for (size_t len = 0; len < packed.len; len += 1 + len / 16) {
		struct place place = place_new();
		struct buf cut = packed;

		cut.len = len;
		EXPECT_ERR(UN_ERR_BUNDLE_REFUSED, unpack_pieces(&cut, 64, place.fd, NULL));
		place_end(&place);
	}
	EXPECT_OK(buf_append_byte(&packed, 'x'));
	for (size_t piece = 1; piece <= packed.len; piece = piece * 4 + 1) {
		struct place place = place_new();

		EXPECT_ERR(UN_ERR_BUNDLE_REFUSED, unpack_pieces(&packed, piece, place.fd, NULL));
		place_end(&place);
	}
	buf_fini(&packed);
}

/* Some bits of a compressed stream mean nothing: then the files are those that were packed. */
TEST(bundle, a_flipped_bit_is_refused_or_changes_nothing)
{
	struct buf packed;
	size_t accepted = 0;

	good_bundle(&packed);
	for (size_t bit = 10 * 8; bit < packed.len * 8; bit += 7) {
		struct place place = place_new();

		packed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (unpack_pieces(&packed, packed.len, place.fd, NULL) == UN_OK) {
			expect_file(place.fd, "main.py", "print('hi')\n", 0600);
			accepted++;
		}
		packed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		place_end(&place);
	}
	EXPECT(accepted < 3);
	buf_fini(&packed);
}

static struct buf torture_bundle; /* made once, before any fault */

TORTURE_IO(bundle, unpacks_or_says_why_not)
{
	char path[] = "/tmp/bundle-test-XXXXXX";
	int fd = -1, parent;
	enum un_err err;

	EXPECT(mkdtemp(path) != NULL);
	parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT_OK(tree_make(parent, "d", &fd, NULL));
	err = unpack_pieces(&torture_bundle, 4096, fd, NULL);
	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY || err == UN_ERR_DISK_FULL);
	io_close(&fd);
	EXPECT_OK(tree_remove(parent, "d"));
	io_close(&parent);
	EXPECT_INT(0, rmdir(path));
}

int
main(void)
{
	int failed;

	good_bundle(&torture_bundle);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = _cmocka_run_group_tests(__FILE__, test_all, test_count, NULL, NULL);
	buf_fini(&torture_bundle);
	return failed;
}
