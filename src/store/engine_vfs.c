/* Our layer above SQLite's own files, for three things that SQLite does not do:
 *
 *  - a file that is cut off is overwritten with zeros first. A row that was deleted is zeroed in
 * the database by secure_delete, but its old page still stands in the write-ahead log until the log
 *    is overwritten by chance. With this, cutting the log off after a checkpoint erases it;
 *  - when rows move from one page to another, because pages are split or joined, their old bytes
 *    stay in the unused middle of the page they left, where secure_delete never comes. That middle
 *    is zeroed on the way to the database file;
 *  - in builds with UN_FAULTS every write and sync can be made to fail. */
#include "base/alloc.h"
#include "store/conn.h"

#include <stdint.h>
#include <string.h>

#define PAGE_LEN 4096

const char engine_vfs_name[] = "union";

struct layer {
	sqlite3_file base;
	sqlite3_file *real; /* behind this struct, in the memory that SQLite gave us */
	bool is_database;   /* not its log or journal, whose pages carry checksums */
};

#ifdef UN_FAULTS
#define FAULT(kind) fault_now(kind)
#else
#define FAULT(kind) false
#endif

static sqlite3_vfs *real_vfs;
static sqlite3_vfs layer_vfs;

static sqlite3_file *
real_of(sqlite3_file *file)
{
	return ((struct layer *)(void *)file)->real;
}

static int
layer_close(sqlite3_file *file)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;
}

static int
layer_read(sqlite3_file *file, void *bytes, int len, sqlite3_int64 at)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xRead(real, bytes, len, at);
}

static unsigned
u16_at(const uint8_t *bytes)
{
	return (unsigned)bytes[0] << 8 | bytes[1];
}

/* The unused middle of a page of a tree: after the offsets of its cells, before the first cell.
 * Pages of other kinds begin with a page number, whose first byte is never that of a tree: conn.c
 * limits the number of pages to ENGINE_PAGES_MAX. False: there is none. */
static bool
find_middle(const uint8_t *page, bool is_first, unsigned *ret_from, unsigned *ret_until)
{
	const unsigned start = is_first ? 100 : 0;
	const uint8_t *header = page + start;
	bool is_inner = header[0] == 2 || header[0] == 5;
	unsigned from, until;

	if (!is_inner && header[0] != 10 && header[0] != 13)
		return false;
	from = start + (is_inner ? 12 : 8) + 2 * u16_at(header + 3);
	until = u16_at(header + 5);
	if (from >= until || until > PAGE_LEN)
		return false;
	*ret_from = from;
	*ret_until = until;
	return true;
}

static int
layer_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 at)
{
	const struct layer *layer = (const struct layer *)(const void *)file;
	sqlite3_file *real = layer->real;
	uint8_t page[PAGE_LEN];
	unsigned from, until;
	int rc;

	if (FAULT(FAULT_WRITE))
		return SQLITE_FULL;
	if (!layer->is_database || len != PAGE_LEN || at % PAGE_LEN != 0
	    || !find_middle(bytes, at == 0, &from, &until))
		return real->pMethods->xWrite(real, bytes, len, at);
	memcpy(page, bytes, sizeof page);
	memset(page + from, 0, until - from);
	rc = real->pMethods->xWrite(real, page, len, at);
	explicit_bzero(page, sizeof page);
	return rc;
}

static int
layer_sync(sqlite3_file *file, int flags)
{
	sqlite3_file *real = real_of(file);

	if (FAULT(FAULT_FSYNC))
		return SQLITE_IOERR_FSYNC;
	return real->pMethods->xSync(real, flags);
}

static int
overwrite(sqlite3_file *real, sqlite3_int64 from, sqlite3_int64 until)
{
	static const uint8_t zeros[65536];
	int rc = SQLITE_OK;

	while (rc == SQLITE_OK && from < until) {
		sqlite3_int64 left = until - from;
		int len = left < (sqlite3_int64)sizeof zeros ? (int)left : (int)sizeof zeros;

		rc = real->pMethods->xWrite(real, zeros, len, from);
		from += len;
	}
	if (rc == SQLITE_OK)
		rc = real->pMethods->xSync(real, SQLITE_SYNC_NORMAL);
	return rc;
}

static int
layer_truncate(sqlite3_file *file, sqlite3_int64 len)
{
	sqlite3_file *real = real_of(file);
	sqlite3_int64 had;
	int rc;

	if (FAULT(FAULT_WRITE))
		return SQLITE_IOERR_TRUNCATE;
	rc = real->pMethods->xFileSize(real, &had);
	if (rc == SQLITE_OK && had > len)
		rc = overwrite(real, len, had);
	if (rc != SQLITE_OK)
		return rc;
	return real->pMethods->xTruncate(real, len);
}

static int
layer_file_size(sqlite3_file *file, sqlite3_int64 *ret_len)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xFileSize(real, ret_len);
}

static int
layer_lock(sqlite3_file *file, int level)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xLock(real, level);
}

static int
layer_unlock(sqlite3_file *file, int level)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xUnlock(real, level);
}

static int
layer_check_reserved(sqlite3_file *file, int *ret_reserved)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xCheckReservedLock(real, ret_reserved);
}

static int
layer_control(sqlite3_file *file, int op, void *arg)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xFileControl(real, op, arg);
}

static int
layer_sector_size(sqlite3_file *file)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xSectorSize(real);
}

static int
layer_characteristics(sqlite3_file *file)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xDeviceCharacteristics(real);
}

static int
layer_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret_map)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xShmMap(real, page, size, extend, ret_map);
}

static int
layer_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xShmLock(real, offset, count, flags);
}

static void
layer_shm_barrier(sqlite3_file *file)
{
	sqlite3_file *real = real_of(file);

	real->pMethods->xShmBarrier(real);
}

static int
layer_shm_unmap(sqlite3_file *file, int delete_too)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xShmUnmap(real, delete_too);
}

static int
layer_fetch(sqlite3_file *file, sqlite3_int64 at, int len, void **ret_bytes)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xFetch(real, at, len, ret_bytes);
}

static int
layer_unfetch(sqlite3_file *file, sqlite3_int64 at, void *bytes)
{
	sqlite3_file *real = real_of(file);

	return real->pMethods->xUnfetch(real, at, bytes);
}

static const sqlite3_io_methods layer_methods = {
	.iVersion = 3,
	.xClose = layer_close,
	.xRead = layer_read,
	.xWrite = layer_write,
	.xTruncate = layer_truncate,
	.xSync = layer_sync,
	.xFileSize = layer_file_size,
	.xLock = layer_lock,
	.xUnlock = layer_unlock,
	.xCheckReservedLock = layer_check_reserved,
	.xFileControl = layer_control,
	.xSectorSize = layer_sector_size,
	.xDeviceCharacteristics = layer_characteristics,
	.xShmMap = layer_shm_map,
	.xShmLock = layer_shm_lock,
	.xShmBarrier = layer_shm_barrier,
	.xShmUnmap = layer_shm_unmap,
	.xFetch = layer_fetch,
	.xUnfetch = layer_unfetch,
};

static int
layer_open(sqlite3_vfs *vfs, sqlite3_filename path, sqlite3_file *file, int flags, int *ret_flags)
{
	struct layer *layer = (struct layer *)(void *)file;
	int rc;

	(void)vfs;
	layer->real = (sqlite3_file *)(void *)(layer + 1);
	layer->base.pMethods = NULL;
	layer->is_database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
	rc = real_vfs->xOpen(real_vfs, path, layer->real, flags, ret_flags);
	if (layer->real->pMethods)
		layer->base.pMethods = &layer_methods;
	return rc;
}

int
engine_add_vfs(void)
{
	real_vfs = sqlite3_vfs_find("unix");
	if (!real_vfs)
		return SQLITE_ERROR;
	layer_vfs = *real_vfs;
	layer_vfs.pNext = NULL;
	layer_vfs.zName = engine_vfs_name;
	layer_vfs.szOsFile = (int)sizeof(struct layer) + real_vfs->szOsFile;
	layer_vfs.xOpen = layer_open;
	return sqlite3_vfs_register(&layer_vfs, 0);
}
