/* tar.h - reads a tar archive as it comes, in pieces of any size. Pure: calls back, opens nothing.
 *
 * ustar, with the path and size records of pax and the long names of GNU: what Python's tarfile
 * writes. Only regular files and directories get through. Every path handed out is relative,
 * without
 * "." or ".." or empty parts, without control characters, and within the limits. All refusals are
 * UN_ERR_BUNDLE_REFUSED and name the entry. Not thread safe. */
#ifndef LAUNCH_TAR_H
#define LAUNCH_TAR_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAR_PATH_MAX 1024
#define TAR_PART_MAX 255
#define TAR_DEPTH_MAX 32
#define TAR_ENTRIES_MAX 20000
#define TAR_FILE_MAX (256ull << 20)  /* bytes of one file */
#define TAR_TOTAL_MAX (1024ull << 20) /* bytes of all files */

struct tar_entry {
	const char *path;
	bool directory;
	bool executable;
	uint64_t size;
};

/* What the reader calls; an error ends the reading and is returned by tar_push. */
struct tar_sink {
	enum un_err (*begin)(void *ctx, const struct tar_entry *entry, struct un_detail *detail);
	enum un_err (*data)(void *ctx, const uint8_t *bytes, size_t len, struct un_detail *detail);
	enum un_err (*end)(void *ctx, struct un_detail *detail); /* also after a directory */
	void *ctx;
};

struct tar_reader;
MUST_CHECK enum un_err tar_reader_new(struct tar_sink sink, struct tar_reader **ret_reader);
MUST_CHECK enum un_err tar_push(struct tar_reader *reader, const uint8_t *bytes, size_t len,
                                struct un_detail *detail);
/* UN_ERR_BUNDLE_REFUSED when the archive stopped before its end. */
MUST_CHECK enum un_err tar_end(const struct tar_reader *reader, struct un_detail *detail);
void tar_reader_free(struct tar_reader *reader);

/* `name` for people: cut, and with '?' for what is not printable ASCII. */
#define TAR_SHOWN_MAX 200
const char *tar_show(const char *name, char shown[TAR_SHOWN_MAX]);

#endif
