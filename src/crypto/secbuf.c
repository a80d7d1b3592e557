#include "crypto/secbuf.h"

#include "base/alloc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(at, len) ASAN_POISON_MEMORY_REGION(at, len)
#define UNPOISON(at, len) ASAN_UNPOISON_MEMORY_REGION(at, len)
#else
#define POISON(at, len) ((void)(at), (void)(len))
#define UNPOISON(at, len) ((void)(at), (void)(len))
#endif

/* The arena.
 *
 *   | guard page | chunk of 256 KiB, cut into slots of one size per run | guard page |
 *
 * A slot is 64 bytes to 32 KiB, in powers of two, and ends with a canary that is compared when the
 * buffer is freed. Free slots are zero but for the link to the next one. Chunks are touched page by
 * page as slots are needed and are never given back.
 *
 * A larger buffer has a mapping of its own and ends right before its guard page. The kernel takes a
 * page of secret memory out of its own map with a flush on every processor: 1 MiB costs some 15 ms.
 * So up to KEPT_MAX bytes of freed mappings are kept, zeroed, for the next large buffers.
 *
 * The handles (struct secbuf) lie in ordinary memory: they hold no byte of a value, and the address
 * sanitizer sees a handle that is used after it was freed. */
#define CHUNK_LEN ((size_t)256 << 10)
#define PAGE ((size_t)4096)
#define SLOT_LEAST ((size_t)64)
#define RUN_LEAST ((size_t)512)
#define CLASSES 10 /* 64 << 9 is 32 KiB */
#define CANARY_LEN sizeof(uint64_t)
#define KEPT 4
#define KEPT_MAX ((size_t)2200 << 10)
#define LARGE CLASSES /* the class of a buffer with its own mapping */
#define HANDLE_MAGIC 0x5ecb0f5eu
#define READ_FIRST 4000

struct secbuf {
	uint8_t *bytes;
	size_t len;
	size_t room;   /* what fits: `len` of secbuf_new */
	size_t mapped; /* of a large buffer: the length of its mapping */
	uint32_t generation;
	uint32_t class;
	uint32_t magic; /* last: the allocator overwrites the front of a freed block first */
};

struct mapping {
	uint8_t *at; /* NULL: none */
	size_t len;
};

struct slot {
	struct slot *next;
};

static pthread_mutex_t arena_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
	struct slot *free[CLASSES];
	uint8_t *fresh; /* of the newest chunk: what was never cut */
	size_t fresh_len;
	struct mapping kept[KEPT];
	size_t kept_len;
	uint64_t canary;
	uint32_t generation; /* counts forks */
	bool must_lock;
	enum secbuf_protection worst;
} arena;

/* One page that the kernel zeroes in a forked child, however it was forked: there the chunks do not
 * exist, and the arena starts anew. */
static _Atomic(atomic_uint *) fork_mark;

static void
forget_the_parents_arena(atomic_uint *mark)
{
	static const pthread_mutex_t unlocked = PTHREAD_MUTEX_INITIALIZER;
	uint32_t generation = arena.generation + 1;
	bool must_lock = arena.must_lock;

	memcpy(&arena_mutex, &unlocked, sizeof unlocked);
	memset(&arena, 0, sizeof arena);
	arena.generation = generation;
	arena.must_lock = must_lock;
	atomic_store(mark, 1);
}

static void
arena_lock(void)
{
	atomic_uint *mark = atomic_load(&fork_mark);

	if (mark && atomic_load(mark) == 0)
		forget_the_parents_arena(mark);
	(void)pthread_mutex_lock(&arena_mutex);
}

static void
arena_unlock(void)
{
	(void)pthread_mutex_unlock(&arena_mutex);
}

static bool
start(void)
{
	atomic_uint *mark;

	if (!arena.canary)
		randombytes_buf(&arena.canary, sizeof arena.canary);
	if (atomic_load(&fork_mark))
		return true;
	mark = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mark == MAP_FAILED)
		return false;
	if (madvise(mark, PAGE, MADV_WIPEONFORK) != 0) {
		(void)munmap(mark, PAGE);
		return false;
	}
	atomic_store(mark, 1);
	atomic_store(&fork_mark, mark);
	return true;
}

static bool
map_secret_memory(uint8_t *at, size_t len)
{
#ifdef SYS_memfd_secret
	int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	void *got = MAP_FAILED;

	if (fd < 0)
		return false;
	if (ftruncate(fd, (off_t)len) == 0)
		got = mmap(at, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	(void)close(fd);
	return got != MAP_FAILED;
#else
	return false;
#endif
}

static bool
map_locked_memory(uint8_t *at, size_t len, bool must_lock, bool *ret_locked)
{
	void *got = mmap(at, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
	                 -1, 0);

	if (got == MAP_FAILED || madvise(got, len, MADV_DONTDUMP) != 0)
		return false;
	*ret_locked = mlock2(got, len, MLOCK_ONFAULT) == 0;
	return *ret_locked || !must_lock;
}

/* `len` is whole pages. NULL when there is no memory, or none that may be used. */
static uint8_t *
map_guarded(size_t len)
{
	enum secbuf_protection got = SECBUF_SECRET_MEMORY;
	uint8_t *all, *inner;
	bool locked = true;

	all = mmap(NULL, len + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
	           0);
	if (all == MAP_FAILED)
		return NULL;
	inner = all + PAGE;
	if (!map_secret_memory(inner, len)) {
		if (!map_locked_memory(inner, len, arena.must_lock, &locked))
			goto failed;
		got = locked ? SECBUF_LOCKED : SECBUF_NOT_LOCKED;
	}
	if (madvise(inner, len, MADV_DONTFORK) != 0)
		goto failed;
	if (got > arena.worst)
		arena.worst = got;
	return inner;
failed:
	(void)munmap(all, len + 2 * PAGE);
	return NULL;
}

static size_t
slot_len(uint32_t class)
{
	return SLOT_LEAST << class;
}

static uint32_t
class_of(size_t len)
{
	uint32_t class = 0;

	while (class < LARGE && slot_len(class) < len + CANARY_LEN)
		class ++;
	return class;
}

static void
give_slot(uint32_t class, uint8_t *at)
{
	struct slot *slot = (struct slot *)(void *)at;

	slot->next = arena.free[class];
	arena.free[class] = slot;
	POISON(at, slot_len(class));
}

/* Cuts a few small slots, or one that is larger, from the newest chunk. Sizes share pages: the
 * first touch of a page of secret memory is what costs. */
static bool
cut_run(uint32_t class)
{
	size_t len = slot_len(class), run = len < RUN_LEAST ? RUN_LEAST : len;

	if (arena.fresh_len < run) {
		uint8_t *chunk = start() ? map_guarded(CHUNK_LEN) : NULL;

		if (!chunk)
			return false;
		arena.fresh = chunk;
		arena.fresh_len = CHUNK_LEN;
	}
	assert(arena.fresh);
	for (size_t at = 0; at < run; at += len)
		give_slot(class, arena.fresh + at);
	arena.fresh += run;
	arena.fresh_len -= run;
	return true;
}

static uint8_t *
take_slot(uint32_t class)
{
	struct slot *slot;

	if (!arena.free[class] && !cut_run(class))
		return NULL;
	slot = arena.free[class];
	assert(slot);
	UNPOISON(slot, slot_len(class));
	arena.free[class] = slot->next;
	slot->next = NULL;
	memcpy((uint8_t *)slot + slot_len(class) - CANARY_LEN, &arena.canary, CANARY_LEN);
	return (uint8_t *)slot;
}

/* A kept mapping that is large enough and not far too large. */
static struct mapping *
find_kept(size_t len)
{
	struct mapping *best = NULL;

	for (size_t i = 0; i < KEPT; i++) {
		struct mapping *one = &arena.kept[i];

		if (one->at && one->len >= len && one->len / 2 <= len &&
		    (!best || one->len < best->len))
			best = one;
	}
	return best;
}

/* The buffer ends (but for alignment) where its guard page begins. */
static uint8_t *
take_large(size_t len, size_t *ret_mapped)
{
	size_t mapped = (len + 15 + PAGE - 1) & ~(PAGE - 1);
	struct mapping *kept = find_kept(mapped);
	uint8_t *at;

	if (kept) {
		at = kept->at;
		mapped = kept->len;
		kept->at = NULL;
		arena.kept_len -= mapped;
	} else {
		at = start() ? map_guarded(mapped) : NULL;
	}
	*ret_mapped = mapped;
	return at ? at + ((mapped - len) & ~(size_t)15) : NULL;
}

static void
give_large(uint8_t *bytes, size_t len, size_t mapped)
{
	uint8_t *at = bytes - ((mapped - len) & ~(size_t)15);

	UNPOISON(at, mapped);
	explicit_bzero(bytes, len);
	for (size_t i = 0; i < KEPT && mapped <= KEPT_MAX - arena.kept_len; i++) {
		if (arena.kept[i].at)
			continue;
		arena.kept[i] = (struct mapping){at, mapped};
		arena.kept_len += mapped;
		return;
	}
	(void)munmap(at - PAGE, mapped + 2 * PAGE);
}

void
secbuf_reserve(size_t len)
{
	arena_lock();
	if (arena.fresh_len || cut_run(0))
		for (size_t at = 0; at < len && at < arena.fresh_len; at += PAGE)
			((volatile uint8_t *)arena.fresh)[at] = 0; /* as it is */
	arena_unlock();
}

enum un_err
secbuf_new(size_t len, struct secbuf **ret_buf)
{
	struct secbuf *buf;
	uint32_t class;

	if (len > SECBUF_MAX)
		return UN_ERR_TOO_LARGE;
	buf = mem_zalloc(1, sizeof *buf);
	if (!buf)
		return UN_ERR_NO_MEMORY;
	class = class_of(len);
	arena_lock();
	buf->bytes = class == LARGE ? take_large(len, &buf->mapped) : take_slot(class);
	buf->generation = arena.generation;
	arena_unlock();
	if (!buf->bytes) {
		mem_free(buf);
		return UN_ERR_NO_MEMORY;
	}
	buf->len = len;
	buf->room = len;
	buf->class = class;
	buf->magic = HANDLE_MAGIC;
	if (class != LARGE)
		POISON(buf->bytes + len, slot_len(class) - len);
	*ret_buf = buf;
	return UN_OK;
}

enum un_err
secbuf_copy(const void *bytes, size_t len, struct secbuf **ret_buf)
{
	struct secbuf *buf;
	enum un_err err = secbuf_new(len, &buf);

	if (err)
		return err;
	if (len)
		memcpy(buf->bytes, bytes, len);
	*ret_buf = buf;
	return UN_OK;
}

/* Someone wrote past the end, or freed twice: whatever runs on from here may show a value. */
static void
check_canary(const struct secbuf *buf)
{
	const uint8_t *end = buf->bytes + slot_len(buf->class) - CANARY_LEN;

	if (sodium_memcmp(end, &arena.canary, CANARY_LEN) != 0)
		abort();
}

void
secbuf_free(struct secbuf *buf)
{
	if (!buf)
		return;
	assert(buf->magic == HANDLE_MAGIC);
	arena_lock();
	if (buf->generation == arena.generation) {
		if (buf->class == LARGE) {
			give_large(buf->bytes, buf->room, buf->mapped);
		} else {
			UNPOISON(buf->bytes, slot_len(buf->class));
			check_canary(buf);
			explicit_bzero(buf->bytes, slot_len(buf->class));
			give_slot(buf->class, buf->bytes);
		}
	} /* else: made before a fork, by the parent; its bytes are not here */
	arena_unlock();
	explicit_bzero(buf, sizeof *buf);
	mem_free(buf);
}

const uint8_t *
secbuf_peek(const struct secbuf *buf)
{
	return buf->bytes;
}

uint8_t *
secbuf_edit(struct secbuf *buf)
{
	return buf->bytes;
}

size_t
secbuf_len(const struct secbuf *buf)
{
	return buf->len;
}

void
secbuf_shrink(struct secbuf *buf, size_t len)
{
	assert(len <= buf->len);
	explicit_bzero(buf->bytes + len, buf->len - len);
	POISON(buf->bytes + len, buf->len - len);
	buf->len = len;
}

bool
secbuf_equal(const struct secbuf *a, const struct secbuf *b)
{
	return a->len == b->len && sodium_memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* The first size to try: one byte more than the file has, so that its end shows in one step. */
static size_t
first_room(int fd, size_t max)
{
	size_t room = READ_FIRST;
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    (uint64_t)st.st_size < SECBUF_MAX)
		room = (size_t)st.st_size + 1;
	return room < max + 1 ? room : max + 1;
}

static enum un_err
double_room(struct secbuf **buf, size_t most)
{
	size_t len = (*buf)->len, room = len > most / 2 ? most : len * 2;
	struct secbuf *larger;
	enum un_err err = secbuf_new(room, &larger);

	if (err)
		return err;
	memcpy(larger->bytes, (*buf)->bytes, len);
	secbuf_free(*buf);
	*buf = larger;
	return UN_OK;
}

enum un_err
secbuf_read(int fd, size_t max, struct secbuf **ret_buf)
{
	struct secbuf *buf = NULL;
	enum un_err err;
	size_t used = 0;

	if (max >= SECBUF_MAX)
		max = SECBUF_MAX - 1;
	err = secbuf_new(first_room(fd, max), &buf);
	while (!err) {
		ssize_t got = read(fd, buf->bytes + used, buf->len - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			err = un_err_from_errno(errno);
		} else if (got == 0) {
			secbuf_shrink(buf, used);
			*ret_buf = buf;
			return UN_OK;
		} else {
			used += (size_t)got;
			if (used > max)
				err = UN_ERR_TOO_LARGE;
			else if (used == buf->len)
				err = double_room(&buf, max + 1);
		}
	}
	secbuf_free(buf);
	return err;
}

enum secbuf_protection
secbuf_protection(void)
{
	enum secbuf_protection worst;

	arena_lock();
	if (!arena.fresh)
		(void)cut_run(0); /* nothing was mapped yet: see what the kernel gives */
	worst = arena.worst;
	arena_unlock();
	return worst;
}

void
secbuf_require_lock(void)
{
	arena_lock();
	arena.must_lock = true;
	arena_unlock();
}
