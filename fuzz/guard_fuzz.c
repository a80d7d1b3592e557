/* Each walk of the guard on anything: the first byte says which, 0 lets the marks decide. A find
 * names a clean, short path, and all memory that was held is given back. */
#include "base/clock.h"
#include "guard/inside.h"
#include "guard/parquet.h"
#include "guard/unpack.h"

#include <stdlib.h>
#include <string.h>

#define VALUE "hunter22-swordfish-4711"

typedef enum un_err walk(struct guard *guard, const uint8_t *bytes, size_t len);

static enum un_err
walk_shared(struct guard *guard, const uint8_t *bytes, size_t len)
{
	return parquet_shared_texts(guard, bytes, len);
}

static enum un_err
walk_block(struct guard *guard, const uint8_t *bytes, size_t len)
{
	struct block block;
	enum un_err err;

	if (len < 3)
		return UN_OK;
	err = guard_unpack_block(guard, bytes[0] % (CODEC_SNAPPY + 1), bytes + 3, len - 3,
	                         (uint64_t)bytes[1] << 8 | bytes[2], &block);
	if (!err && block.bytes)
		guard_block_free(guard, &block);
	return err;
}

static enum un_err
walk_codec(struct guard *guard, const uint8_t *bytes, size_t len)
{
	return len ? guard_unpack(guard, bytes[0] % CODEC_LZ4_BLOCK, bytes[0] & 0x80, bytes + 1,
	                          len - 1)
	           : UN_OK;
}

static struct redact_set *
make_set(void)
{
	struct redact_set *set;
	struct secbuf *value;
	bool too_short;

	if (redact_set_new(&set) || secbuf_copy(VALUE, strlen(VALUE), &value) ||
	    redact_set_add(set, "db", value, &too_short) || redact_set_compile(set))
		abort();
	secbuf_free(value);
	return set;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static walk *const walks[] = {walk_json,   walk_msgpack,     walk_pickle, walk_tar,
	                              walk_zip,    walk_npy,         walk_arrow,  walk_parquet,
	                              walk_shared, walk_block,       walk_codec,  walk_avro,
	                              walk_orc,    walk_safetensors, walk_png,    walk_pdf};
	static struct redact_set *set;
	struct guard_options options = {.deadline_ms = clock_mono_ms() + 60000};
	struct guard *guard;
	enum un_err err;
	unsigned which;

	if (!len)
		return 0;
	if (!set)
		set = make_set();
	options.values = set;
	options.longest = strlen(VALUE);
	if (guard_new(&options, &guard))
		return 0;
	guard->unpacked_left = 64u << 20;
	guard->members_left = 20000;
	which = bytes[0] % (sizeof walks / sizeof walks[0] + 1);
	if (which)
		err = walks[which - 1](guard, bytes + 1, len - 1);
	else
		err = guard_file(guard, "file", bytes + 1, len - 1);
	if (err && err != UN_ERR_RESULT_HAS_SECRET && err != UN_ERR_NO_MEMORY)
		abort();
	if ((err == UN_ERR_RESULT_HAS_SECRET) != (guard_secret(guard) != NULL) ||
	    strstr(guard_path(guard), VALUE) || strlen(guard_path(guard)) > GUARD_PATH_MAX ||
	    guard->held_left != GUARD_HELD_ALL_MAX || guard->depth)
		abort();
	guard_free(guard);
	return 0;
}
