/* Foreign text as an input of each type, and foreign bytes as a literal that is checked and shown.
 */
#include "base/text.h"
#include "model/literal_json.h"
#include "model/literal_text.h"
#include "model/times.h"

#include <assert.h>
#include <string.h>

#define OUT_MAX (1u << 20)

/* A type from its wire form, as the input's first bytes: foreign too. */
static literal_type *
type_from(const uint8_t *bytes, size_t len)
{
	return flyteidl__core__literal_type__unpack(NULL, len, bytes);
}

static void
show(const literal *value)
{
	struct buf out;
	enum un_err err;

	buf_init(&out, OUT_MAX, BUF_PLAIN);
	err = literal_to_json(&out, value);
	assert(err == UN_OK || err == UN_ERR_TOO_LARGE);
	if (!err)
		assert(text_is_utf8(buf_text(&out), out.len));
	buf_fini(&out);
}

/* What was read as a type is of that type. */
static void
read_text(const literal_type *type, const char *text)
{
	struct un_detail detail;
	literal *value;
	enum un_err err = literal_from_text("n", type, text, &value, &detail);

	if (err)
		return;
	err = literal_check("input", "n", type, value, &detail);
	assert(err == UN_OK);
	show(value);
	literal_free(value);
}

static void
read_foreign_literal(const literal_type *type, const uint8_t *bytes, size_t len)
{
	literal *value = flyteidl__core__literal__unpack(NULL, len, bytes);
	struct un_detail detail;
	enum un_err err;

	if (!value)
		return;
	err = literal_check("output", "o", type, value, &detail);
	(void)err;
	show(value);
	literal_free(value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char text[4096];
	literal_type *type;
	size_t split, rest;
	int64_t us;
	enum un_err err;

	if (len < 1 || len > sizeof text)
		return 0;
	split = 1 + bytes[0] % len; /* type | text or literal */
	rest = len - split;
	memcpy(text, bytes + split, rest);
	text[rest] = '\0';
	err = instant_parse(text, &us);
	err = err ? err : duration_parse(text, &us);
	(void)err;
	type = type_from(bytes + 1, split - 1);
	if (!type)
		return 0;
	read_text(type, text);
	read_foreign_literal(type, bytes + split, rest);
	flyteidl__core__literal_type__free_unpacked(type, NULL);
	return 0;
}
