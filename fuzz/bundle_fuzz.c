/* The tar reader, on what comes out of the compression: whatever is fed,
 * only clean relative paths come out, bytes add up to sizes, and begin and end alternate. The first
 * byte says how large the pieces are. */
#include "base/alloc.h"
#include "launch/tar.h"

#include <stdlib.h>
#include <string.h>

struct seen {
	bool open;
	uint64_t left;
};

static enum un_err
begin(void *ctx, const struct tar_entry *entry, struct un_detail *detail)
{
	struct seen *seen = ctx;
	const char *at = entry->path;

	if (seen->open || !*at || *at == '/' || strlen(at) > TAR_PATH_MAX)
		abort();
	for (;;) {
		size_t len = strcspn(at, "/");

		if (len == 0 || len > TAR_PART_MAX || (len == 1 && *at == '.') ||
		    (len == 2 && memcmp(at, "..", 2) == 0))
			abort();
		if (!at[len])
			break;
		at += len + 1;
	}
	if (entry->size > TAR_FILE_MAX || (entry->directory && entry->size))
		abort();
	*seen = (struct seen){.open = true, .left = entry->size};
	return UN_OK;
}

static enum un_err
data(void *ctx, const uint8_t *bytes, size_t len, struct un_detail *detail)
{
	struct seen *seen = ctx;

	if (!seen->open || len > seen->left)
		abort();
	seen->left -= len;
	return UN_OK;
}

static enum un_err
end(void *ctx, struct un_detail *detail)
{
	struct seen *seen = ctx;

	if (!seen->open || seen->left)
		abort();
	seen->open = false;
	return UN_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct seen seen = {0};
	struct tar_sink sink = {.begin = begin, .data = data, .end = end, .ctx = &seen};
	struct un_detail detail;
	struct tar_reader *reader;
	size_t piece = len ? bytes[0] * 4u + 1 : 1;
	enum un_err err = tar_reader_new(sink, &reader);

	if (err)
		return 0;
	for (size_t at = 1; !err && at < len; at += piece)
		err = tar_push(reader, bytes + at, len - at < piece ? len - at : piece, &detail);
	if (!err)
		err = tar_end(reader, &detail);
	tar_reader_free(reader);
	return 0;
}
