/* journal_file.h - two files beside the key ring: the journal of releases, and the last head.
 *
 * What is added is in memory; journal_commit makes all of it durable with one sync, or throws it
 * away. A crash leaves the entries of whole commits, and perhaps a torn one behind them, which no
 * DEK has followed: it is overwritten. Runs in the keeper. Not thread safe. docs/formats/audit.md.
 */
#ifndef KEEPER_JOURNAL_FILE_H
#define KEEPER_JOURNAL_FILE_H

#include "audit/journal.h"
#include "base/err.h"

#include <stdbool.h>

#define JOURNAL_FILE "journal"
#define HEAD_FILE "head"

struct journal;

/* Opens both, makes those that are missing, and reads the journal whole. A journal that is shorter
 * than the last head says, or another one, is put aside and a new one begun: journal_is_broken says
 * so for as long as it is open. */
MUST_CHECK enum un_err journal_open(int dir_fd, struct un_detail *detail,
                                    struct journal **ret_journal);
void journal_free(struct journal *journal); /* what is not committed is lost; NULL is fine */

/* Adds one entry. UN_ERR_BUSY: too much waits for a commit. */
MUST_CHECK enum un_err journal_add(struct journal *journal, struct journal_entry *entry);
/* What has been added after the mark is taken back. */
size_t journal_mark(const struct journal *journal);
void journal_rewind(struct journal *journal, size_t mark);
bool journal_is_pending(const struct journal *journal);
/* UN_ERR_DISK_FULL, UN_ERR_IO: nothing of it was recorded; the next commit may work again. */
MUST_CHECK enum un_err journal_commit(struct journal *journal, struct un_detail *detail);

/* Of what is committed. */
const struct journal_position *journal_peek(const struct journal *journal);
/* The number that the next entry added will have. */
uint64_t journal_next(const struct journal *journal);
bool journal_is_broken(const struct journal *journal);

/* NULL: none was signed. */
const struct signed_head *journal_last_head(const struct journal *journal);
/* Remembers it: durable with UN_OK. */
MUST_CHECK enum un_err journal_set_head(struct journal *journal, const struct signed_head *head,
                                        struct un_detail *detail);

/* ---- reading, by uniond ---- */

struct journal_reader;

/* The journal below the folder of the keys. UN_ERR_NOT_FOUND: there is none. */
MUST_CHECK enum un_err journal_reader_open(int dir_fd, struct journal_reader **ret_reader);
void journal_reader_free(struct journal_reader *reader); /* NULL is fine */
/* Of what was read so far. */
const struct journal_position *journal_reader_peek(const struct journal_reader *reader);
/* The next entry and its bytes, lent until the next call. *ret_len 0: the end, or where the keeper
 * is writing. */
MUST_CHECK enum un_err journal_reader_next(struct journal_reader *reader,
                                           struct journal_entry *ret_entry,
                                           const uint8_t **ret_bytes, size_t *ret_len);

#endif
