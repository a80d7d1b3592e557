/* backup.h - copies of the database that are consistent while it runs, and the way back.
 *
 * A backup is a snapshot: what was acknowledged before store_backup_begin is in it, nothing is half
 * in it. It is copied to a private file in the data directory first (so there must be room for one
 * more copy), and streamed from there, so that a slow receiver holds up nobody. */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include "base/buf.h"
#include "base/err.h"
#include "store/backup_file.h"
#include "store/store.h"

struct backup;

/* Takes the snapshot; blocks while it copies (about 1 s a GB): not for an event loop. The header's
 * schema, time and program are filled in here; fingerprint and (sealed!) key ring are the caller's.
 */
MUST_CHECK enum un_err store_backup_begin(struct store *store, const struct backup_header *header,
                                          struct backup **ret_backup, struct un_detail *detail);
/* The next bytes of the backup file into `bytes`; *ret_len 0: that was all. `size` is at least
 * BACKUP_FRAME_MAX. Any thread, one at a time. */
MUST_CHECK enum un_err store_backup_read(struct backup *backup, uint8_t *bytes, size_t size,
                                         size_t *ret_len, struct un_detail *detail);
void store_backup_end(struct backup *backup); /* NULL is fine */

/* All of it at once, through a callback that may wait. */
MUST_CHECK enum un_err store_backup(struct store *store, const struct backup_header *header,
                                    enum un_err (*emit)(void *ctx, const uint8_t *bytes,
                                                        size_t len),
                                    void *ctx, struct un_detail *detail);

/* Reads the whole backup, checks its checksum, its database (every page) and its schema. `keyring`
 * (NULL is fine) receives the key ring section, empty if it has none. `work_dir` takes the
 * temporary copy. UN_ERR_PROTOCOL, UN_ERR_NOT_AUTHENTIC, UN_ERR_DAMAGED, UN_ERR_SCHEMA_NEWER, ...
 */
MUST_CHECK enum un_err store_check_backup(const char *path, const char *work_dir,
                                          struct backup_header *ret_header, struct buf *keyring,
                                          struct un_detail *detail);

#define RESTORE_ASIDE_MAX 64
/* Puts the database of the backup at `path` into the place of the one in `dir` (made if missing),
 * which no process may be using (UN_ERR_BUSY). The backup is checked and brought up to today's
 * schema first; then the database is exchanged at one instant. The old one stays in `dir` under the
 * name ret_aside ("" when there was none). After an error or a crash the old one is still in place.
 */
MUST_CHECK enum un_err store_restore(const char *dir, const char *path,
                                     struct backup_header *ret_header,
                                     char ret_aside[RESTORE_ASIDE_MAX], struct un_detail *detail);

#endif
