/* avro.c - the blocks of an Avro file.
 *
 *   "Obj\1", a map of texts to bytes ("avro.codec": how blocks are packed), a mark of 16 bytes
 *   a block: rows, size, that many bytes, the mark. Numbers are zigzag varints.               */
#include "guard/inside.h"
#include "guard/span.h"
#include "guard/unpack.h"

#include "base/text.h"

#include <string.h>

#define MAGIC_LEN 4u
#define MARK_LEN 16u
#define SUM_LEN 4u /* behind what snappy packed */

static const uint8_t *
take_bytes(struct span *in, size_t *ret_len)
{
	int64_t len = span_zigzag(in);
	const uint8_t *bytes = len >= 0 ? span_take(in, (uint64_t)len) : NULL;

	if (!bytes)
		in->bad = true;
	*ret_len = bytes ? (size_t)len : 0;
	return bytes;
}

static bool
is(const uint8_t *bytes, size_t len, const char *text)
{
	return len == strlen(text) && text_equal(bytes, text, len);
}

/* *ret_codec: the value of "avro.codec"; NULL: none. */
static void
read_header(struct span *in, const uint8_t **ret_codec, size_t *ret_len)
{
	int64_t count;

	*ret_codec = NULL;
	*ret_len = 0;
	while (!in->bad && (count = span_zigzag(in)) != 0) {
		if (count < 0) { /* then with its size in bytes */
			(void)span_zigzag(in);
			count = count == INT64_MIN ? 0 : -count;
		}
		for (; count > 0 && !in->bad; count--) {
			size_t key_len, len;
			const uint8_t *key = take_bytes(in, &key_len);
			const uint8_t *value = take_bytes(in, &len);

			if (key && value && is(key, key_len, "avro.codec")) {
				*ret_codec = value;
				*ret_len = len;
			}
		}
	}
	(void)span_take(in, MARK_LEN);
}

static enum un_err
look_snappy(struct guard *guard, const uint8_t *bytes, size_t len)
{
	struct span in = span_of(bytes, len);
	uint64_t size = span_varint(&in);
	struct block block;
	enum un_err err;

	if (len <= SUM_LEN || in.bad) {
		guard_blind_here(guard, "has a damaged block");
		return UN_OK;
	}
	err = guard_unpack_block(guard, CODEC_SNAPPY, bytes, len - SUM_LEN, size, &block);
	if (err || !block.bytes)
		return err;
	err = guard_search(guard, block.bytes, block.len);
	guard_block_free(guard, &block);
	return err;
}

enum un_err
walk_avro(struct guard *guard, const uint8_t *bytes, size_t len)
{
	static const struct {
		const char *name;
		enum codec codec;
	} codecs[] = {{"deflate", CODEC_DEFLATE},
	              {"snappy", CODEC_SNAPPY},
	              {"zstandard", CODEC_ZSTD},
	              {"bzip2", CODEC_BZIP2},
	              {"xz", CODEC_XZ}};
	struct span in = span_of(bytes, len);
	const uint8_t *name;
	size_t name_len, at = 0, count = sizeof codecs / sizeof *codecs;
	enum un_err err = UN_OK;

	(void)span_take(&in, MAGIC_LEN);
	read_header(&in, &name, &name_len);
	if (!in.bad && (!name || is(name, name_len, "null")))
		return UN_OK;
	while (at < count && !is(name, name_len, codecs[at].name))
		at++;
	if (in.bad || at == count) {
		guard_blind_here(guard, in.bad ? "is cut off or damaged"
		                               : "is packed in a way that is not known here");
		return UN_OK;
	}
	while (!err && in.left && !guard_step(guard)) {
		size_t size;
		const uint8_t *block;

		(void)span_zigzag(&in);
		block = take_bytes(&in, &size);
		(void)span_take(&in, MARK_LEN);
		if (in.bad) {
			guard_blind_here(guard, "is cut off or damaged");
			return UN_OK;
		}
		if (codecs[at].codec == CODEC_SNAPPY)
			err = look_snappy(guard, block, size);
		else if (size)
			err = guard_unpack(guard, codecs[at].codec, false, block, size);
	}
	return err;
}
