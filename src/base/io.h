/* io.h - files and descriptors: whole reads, whole writes, files replaced at one instant.
 *
 * Every descriptor opened here is O_CLOEXEC. Writes, syncs and renames go through here everywhere,
 * so that TORTURE tests can make each fail. Not for values: those are read by secbuf_read. Any
 * thread. */
#ifndef BASE_IO_H
#define BASE_IO_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Writes all of it; waits on a non-blocking descriptor. UN_ERR_DISK_FULL, UN_ERR_IO. */
MUST_CHECK enum un_err io_write_all(int fd, const void *bytes, size_t len);
/* Exactly `len` bytes. UN_ERR_PROTOCOL when the end comes first. */
MUST_CHECK enum un_err io_read_exact(int fd, void *bytes, size_t len);
/* All until the end, up to the maximum of `out` (UN_ERR_TOO_LARGE). */
MUST_CHECK enum un_err io_read_all(int fd, struct buf *out);
MUST_CHECK enum un_err io_fsync(int fd);
/* All of it at `offset`, on a file. */
MUST_CHECK enum un_err io_write_at(int fd, const void *bytes, size_t len, uint64_t offset);
MUST_CHECK enum un_err io_fdatasync(int fd);
MUST_CHECK enum un_err io_rename_at(int dir_fd, const char *from, const char *to);

/* Replaces dir_fd/name with `bytes`: temporary file of `mode`, fsync, rename, fsync of the folder.
 * After a failure or a crash the old file is there, whole. */
MUST_CHECK enum un_err io_replace_file(int dir_fd, const char *name, const void *bytes, size_t len,
                                       mode_t mode);
/* Reads a whole file into `out`. UN_ERR_NOT_FOUND, UN_ERR_DENIED, UN_ERR_TOO_LARGE, UN_ERR_IO. */
MUST_CHECK enum un_err io_read_file(int dir_fd, const char *name, struct buf *out);

/* Makes `path` and its parents with `mode` (for those that are new). */
MUST_CHECK enum un_err io_make_dirs(const char *path, mode_t mode);

/* poll(2) for one descriptor until `deadline_ms` of clock_mono_ms. UN_ERR_TIMEOUT. */
MUST_CHECK enum un_err io_wait(int fd, short events, int64_t deadline_ms);

void io_close(int *fd); /* closes once and sets it to -1; -1 is fine */

#endif
