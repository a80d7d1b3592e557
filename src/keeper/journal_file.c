/* The journal grows by CHUNK bytes of zeros at a time, so that a commit writes into blocks that are
 * there: it costs the disk half of what an appending one does.
 *
 * The last head lies in one of two slots, the older of which is overwritten next, each with its
 * hash: a crash leaves at least one. */
#include "keeper/journal_file.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "crypto/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK (64u << 10)
#define PENDING_MAX (1u << 20)
#define READ_LEN (64u << 10)
#define SLOTS 2
#define SLOT_STRIDE 512
#define SLOT_LEN (SIGNED_HEAD_LEN + HASH_LEN)
#define FILE_MODE 0600

struct journal {
	int dir_fd; /* the caller's */
	int fd, head_fd;
	uint64_t end;  /* of what is committed */
	uint64_t size; /* of the file */
	struct journal_position committed;
	struct journal_position next; /* behind what is pending */
	struct buf pending;
	bool broken;
	bool has_head;
	struct signed_head head;
	unsigned slot; /* of the head */
};

void
journal_free(struct journal *journal)
{
	if (!journal)
		return;
	io_close(&journal->fd);
	io_close(&journal->head_fd);
	buf_fini(&journal->pending);
	mem_free(journal);
}

static enum un_err
open_file(int dir_fd, const char *name, struct un_detail *detail, int *ret_fd, uint64_t *ret_size)
{
	struct stat st;
	int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);

	if (fd < 0)
		return un_fail_errno(detail, errno, "cannot open '%s'", name);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 077)) {
		io_close(&fd);
		return un_fail(detail, UN_ERR_DENIED, "'%s' is open to others, or no file", name);
	}
	*ret_fd = fd;
	*ret_size = (uint64_t)st.st_size;
	return UN_OK;
}

/* ---- the head ---- */

static void
slot_hash(const uint8_t *bytes, uint8_t ret_hash[HASH_LEN])
{
	static const char purpose[] = "union head slot 1";
	const struct hash_part parts[] = {{purpose, sizeof purpose - 1}, {bytes, SIGNED_HEAD_LEN}};

	hash_parts(parts, 2, ret_hash);
}

static bool
read_slot(int fd, unsigned slot, struct signed_head *ret_head)
{
	uint8_t bytes[SLOT_LEN], hash[HASH_LEN];

	if (pread(fd, bytes, sizeof bytes, (off_t)slot * SLOT_STRIDE) != (ssize_t)sizeof bytes)
		return false;
	slot_hash(bytes, hash);
	return bytes_equal(hash, bytes + SIGNED_HEAD_LEN, HASH_LEN) &&
	       head_unpack(bytes, SIGNED_HEAD_LEN, ret_head) == UN_OK;
}

static enum un_err
load_head(struct journal *journal, struct un_detail *detail)
{
	static const uint8_t zeros[SLOTS * SLOT_STRIDE];
	uint64_t size;
	enum un_err err = open_file(journal->dir_fd, HEAD_FILE, detail, &journal->head_fd, &size);

	if (!err && size < sizeof zeros) {
		err = io_write_at(journal->head_fd, zeros, sizeof zeros, 0);
		if (!err)
			err = io_fsync(journal->head_fd);
		if (!err)
			err = io_fsync(journal->dir_fd);
	}
	for (unsigned i = 0; !err && i < SLOTS; i++) {
		struct signed_head head;

		if (!read_slot(journal->head_fd, i, &head) ||
		    (journal->has_head && head.at_us < journal->head.at_us))
			continue;
		journal->has_head = true;
		journal->head = head;
		journal->slot = i;
	}
	return err;
}

const struct signed_head *
journal_last_head(const struct journal *journal)
{
	return journal->has_head ? &journal->head : NULL;
}

enum un_err
journal_set_head(struct journal *journal, const struct signed_head *head, struct un_detail *detail)
{
	unsigned slot = journal->has_head ? (journal->slot + 1) % SLOTS : 0;
	uint8_t bytes[SLOT_LEN];
	enum un_err err;

	head_pack(head, bytes);
	slot_hash(bytes, bytes + SIGNED_HEAD_LEN);
	err = io_write_at(journal->head_fd, bytes, sizeof bytes, (uint64_t)slot * SLOT_STRIDE);
	if (!err)
		err = io_fdatasync(journal->head_fd);
	if (err)
		return un_fail(detail, err, "cannot remember the signed head: %s",
		               un_err_text(err));
	journal->has_head = true;
	journal->head = *head;
	journal->slot = slot;
	return UN_OK;
}

/* ---- reading ---- */

/* A window over the file, for one pass from its beginning. */
struct window {
	int fd;
	uint64_t offset; /* of `bytes` */
	size_t len, used;
	uint8_t bytes[READ_LEN];
};

/* At least JOURNAL_ENTRY_MAX bytes from where it stands, if the file has them. */
static enum un_err
fill(struct window *window)
{
	if (window->len - window->used >= JOURNAL_ENTRY_MAX)
		return UN_OK;
	memmove(window->bytes, window->bytes + window->used, window->len - window->used);
	window->len -= window->used;
	window->offset += window->used;
	window->used = 0;
	while (window->len < READ_LEN) {
		ssize_t got = pread(window->fd, window->bytes + window->len,
		                    READ_LEN - window->len,
		                    (off_t)(window->offset + window->len));

		if (got == 0)
			break;
		if (got < 0 && errno != EINTR)
			return un_err_from_errno(errno);
		if (got > 0)
			window->len += (size_t)got;
	}
	return UN_OK;
}

/* Whether the journal is the one that the last head speaks of, as far as it is. */
struct agreement {
	const struct signed_head *head; /* NULL: there is none */
	bool met;
};

static void
compare(struct agreement *with, const struct journal_position *position)
{
	if (with->head && position->count == with->head->journal_count)
		with->met = bytes_equal(position->id, with->head->journal_id, JOURNAL_ID_LEN) &&
		            bytes_equal(position->hash, with->head->journal_hash, HASH_LEN);
}

/* To the end, or to the first entry that is not one. */
static enum un_err
scan(struct journal *journal, struct window *window, struct agreement *with)
{
	struct journal_entry entry;
	size_t len;
	enum un_err err = fill(window);

	if (err)
		return err;
	err = journal_header_unpack(window->bytes, window->len, &journal->committed);
	if (err)
		return UN_OK; /* nobody's journal: agrees with no head */
	window->used = JOURNAL_HEADER_LEN;
	compare(with, &journal->committed);
	for (;;) {
		err = fill(window);
		if (err)
			return err;
		err = journal_entry_unpack(window->bytes + window->used,
		                           window->len - window->used, &journal->committed, &entry,
		                           &len);
		if (err || !len)
			break;
		window->used += len;
		compare(with, &journal->committed);
	}
	journal->end = window->offset + window->used;
	return UN_OK;
}

/* ---- writing ---- */

static enum un_err
grow(struct journal *journal, uint64_t to)
{
	static const uint8_t zeros[CHUNK];

	while (journal->size < to) {
		enum un_err err = io_write_at(journal->fd, zeros, CHUNK, journal->size);

		if (err)
			return err;
		journal->size += CHUNK;
	}
	return UN_OK;
}

/* An empty one, in the place of what is open. */
static enum un_err
begin_new(struct journal *journal)
{
	uint8_t header[JOURNAL_HEADER_LEN], id[JOURNAL_ID_LEN];
	enum un_err err;

	random_bytes(id, sizeof id);
	journal_header_pack(id, header, &journal->committed);
	journal->size = 0;
	err = grow(journal, CHUNK);
	if (!err)
		err = io_write_at(journal->fd, header, sizeof header, 0);
	if (!err)
		err = io_fsync(journal->fd);
	if (!err)
		err = io_fsync(journal->dir_fd);
	journal->end = JOURNAL_HEADER_LEN;
	return err;
}

static enum un_err
set_aside(struct journal *journal, struct un_detail *detail)
{
	char name[64];
	enum un_err err;
	uint64_t size;

	journal->broken = true;
	if (!journal->size)
		return UN_OK; /* it was missing */
	(void)snprintf(name, sizeof name, JOURNAL_FILE ".broken-%lld",
	               (long long)clock_wall_us());
	io_close(&journal->fd);
	err = io_rename_at(journal->dir_fd, JOURNAL_FILE, name);
	if (err)
		return un_fail(detail, err, "cannot put the broken journal aside");
	return open_file(journal->dir_fd, JOURNAL_FILE, detail, &journal->fd, &size);
}

/* What a crash has left behind the last whole entry: a later one must not be read after it. */
static enum un_err
clear_rest(struct journal *journal)
{
	static const uint8_t zeros[4096];
	uint8_t found[sizeof zeros];
	enum un_err err = UN_OK;
	bool dirty = false;

	for (uint64_t at = journal->end; !err && at < journal->size;) {
		size_t len = journal->size - at < sizeof zeros ? (size_t)(journal->size - at)
		                                               : sizeof zeros;
		ssize_t got = pread(journal->fd, found, len, (off_t)at);

		if (got <= 0)
			return got < 0 ? un_err_from_errno(errno) : UN_ERR_IO;
		if (!bytes_equal(found, zeros, (size_t)got)) {
			err = io_write_at(journal->fd, zeros, (size_t)got, at);
			dirty = true;
		}
		at += (uint64_t)got;
	}
	return err || !dirty ? err : io_fdatasync(journal->fd);
}

static enum un_err
load_journal(struct journal *journal, struct un_detail *detail)
{
	struct agreement with = {.head = journal_last_head(journal)};
	struct window *window = mem_zalloc(1, sizeof *window);
	enum un_err err;

	if (!window)
		return UN_ERR_NO_MEMORY;
	err = open_file(journal->dir_fd, JOURNAL_FILE, detail, &journal->fd, &journal->size);
	if (!err && journal->size) {
		window->fd = journal->fd;
		err = scan(journal, window, &with);
	}
	mem_free(window);
	if (err)
		return err;
	if (journal->end && (!with.head || with.met))
		return clear_rest(journal);
	if (with.head || journal->size > CHUNK) {
		err = set_aside(journal, detail);
		if (err)
			return err;
	}
	return begin_new(journal);
}

enum un_err
journal_open(int dir_fd, struct un_detail *detail, struct journal **ret_journal)
{
	struct journal *journal = mem_zalloc(1, sizeof *journal);
	enum un_err err;

	if (!journal)
		return UN_ERR_NO_MEMORY;
	journal->dir_fd = dir_fd;
	journal->fd = journal->head_fd = -1;
	buf_init(&journal->pending, PENDING_MAX, BUF_PLAIN);
	err = load_head(journal, detail);
	if (!err)
		err = load_journal(journal, detail);
	if (err) {
		if (detail && !detail->message[0])
			(void)un_fail(detail, err, "cannot open the journal of releases: %s",
			              un_err_text(err));
		journal_free(journal);
		return err;
	}
	journal->next = journal->committed;
	*ret_journal = journal;
	return UN_OK;
}

enum un_err
journal_add(struct journal *journal, struct journal_entry *entry)
{
	enum un_err err = journal_entry_pack(&journal->pending, entry, &journal->next);

	return err == UN_ERR_TOO_LARGE ? UN_ERR_BUSY : err;
}

size_t
journal_mark(const struct journal *journal)
{
	return journal->pending.len;
}

void
journal_rewind(struct journal *journal, size_t mark)
{
	struct journal_entry entry;
	size_t at = 0, len = 0;

	if (mark == journal->pending.len)
		return;
	journal->pending.len = mark;
	journal->next = journal->committed;
	for (; at < mark; at += len) /* what was packed unpacks */
		if (journal_entry_unpack(journal->pending.data + at, mark - at, &journal->next,
		                         &entry, &len) != UN_OK || !len)
			return;
}

bool
journal_is_pending(const struct journal *journal)
{
	return journal->pending.len > 0;
}

/* So that a release that did not happen is not read after a crash. */
static void
wipe_pending(struct journal *journal)
{
	if (journal->end + journal->pending.len > journal->size)
		return;
	memset(journal->pending.data, 0, journal->pending.len);
	(void)!io_write_at(journal->fd, journal->pending.data, journal->pending.len, journal->end);
}

static enum un_err
check_size(const struct journal *journal)
{
	struct stat st;

	return fstat(journal->fd, &st) == 0 && (uint64_t)st.st_size >= journal->end ? UN_OK
	                                                                          : UN_ERR_IO;
}

enum un_err
journal_commit(struct journal *journal, struct un_detail *detail)
{
	struct buf *pending = &journal->pending;
	enum un_err err;

	if (!pending->len)
		return UN_OK;
	err = check_size(journal); /* somebody may have cut it off under us */
	if (!err)
		err = grow(journal, journal->end + pending->len);
	if (!err)
		err = io_write_at(journal->fd, pending->data, pending->len, journal->end);
	if (!err)
		err = io_fdatasync(journal->fd);
	if (err) {
		wipe_pending(journal);
		journal->next = journal->committed;
		buf_clear(pending);
		return un_fail(detail, err,
		               "no secret is released: the keeper cannot record it: %s",
		               un_err_text(err));
	}
	journal->end += pending->len;
	journal->committed = journal->next;
	buf_clear(pending);
	return UN_OK;
}

const struct journal_position *
journal_peek(const struct journal *journal)
{
	return &journal->committed;
}

uint64_t
journal_next(const struct journal *journal)
{
	return journal->next.count + 1;
}

bool
journal_is_broken(const struct journal *journal)
{
	return journal->broken;
}

/* ---- reading, by uniond ---- */

struct journal_reader {
	struct journal_position position;
	struct window window;
};

enum un_err
journal_reader_open(int dir_fd, struct journal_reader **ret_reader)
{
	struct journal_reader *reader = mem_zalloc(1, sizeof *reader);
	struct window *window;
	enum un_err err;

	if (!reader)
		return UN_ERR_NO_MEMORY;
	window = &reader->window;
	window->fd = openat(dir_fd, JOURNAL_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	err = window->fd < 0 ? un_err_from_errno(errno) : fill(window);
	if (!err)
		err = journal_header_unpack(window->bytes, window->len, &reader->position);
	if (err) {
		journal_reader_free(reader);
		return err;
	}
	window->used = JOURNAL_HEADER_LEN;
	*ret_reader = reader;
	return UN_OK;
}

void
journal_reader_free(struct journal_reader *reader)
{
	if (!reader)
		return;
	io_close(&reader->window.fd);
	mem_free(reader);
}

const struct journal_position *
journal_reader_peek(const struct journal_reader *reader)
{
	return &reader->position;
}

enum un_err
journal_reader_next(struct journal_reader *reader, struct journal_entry *ret_entry,
                    const uint8_t **ret_bytes, size_t *ret_len)
{
	struct window *window = &reader->window;
	enum un_err err;

	*ret_len = 0;
	for (int again = 0; again < 2 && !*ret_len; again++) {
		if (again) /* what is there was perhaps read before the keeper wrote it */
			window->len = window->used;
		err = fill(window);
		if (err)
			return err;
		*ret_bytes = window->bytes + window->used;
		if (journal_entry_unpack(*ret_bytes, window->len - window->used, &reader->position,
		                         ret_entry, ret_len) != UN_OK)
			*ret_len = 0;
	}
	window->used += *ret_len;
	return UN_OK;
}
