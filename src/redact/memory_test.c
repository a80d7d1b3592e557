/* What a set and its streams take, counted where they ask for it. */
#include "redact/redact.h"
#include "test.h"

#include "base/alloc.h"
#include "crypto/secbuf.h"

#define VALUES 1000
#define VALUE_LEN 40
#define STREAMS 2
#define PUSHES 32
#define PUSH_LEN 65536
#define MOST (64u << 20)

/* Linked with --wrap: the names are the linker's. Nothing is taken off when something is freed, so
 * this is more than was ever in use at once. */
void *__real_mem_zalloc(size_t count, size_t len);
void *__wrap_mem_zalloc(size_t count, size_t len);
void *__real_mem_realloc(void *old, size_t len);
void *__wrap_mem_realloc(void *old, size_t len);
enum un_err __real_secbuf_new(size_t len, struct secbuf **ret_buf);
enum un_err __wrap_secbuf_new(size_t len, struct secbuf **ret_buf);

static size_t asked;

void *
__wrap_mem_zalloc(size_t count, size_t len)
{
	asked += count * len;
	return __real_mem_zalloc(count, len);
}

void *
__wrap_mem_realloc(void *old, size_t len)
{
	asked += len;
	return __real_mem_realloc(old, len);
}

enum un_err
__wrap_secbuf_new(size_t len, struct secbuf **ret_buf)
{
	asked += len;
	return __real_secbuf_new(len, ret_buf);
}

static enum un_err
drop(void *ctx, const uint8_t *bytes, size_t len)
{
	(void)ctx, (void)bytes, (void)len;
	return UN_OK;
}

static void
make_value(uint32_t number, char *ret_value)
{
	for (size_t i = 0; i < VALUE_LEN; i++) {
		number = number * 1664525u + 1013904223u;
		ret_value[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			[(number >> 8) % 62];
	}
}

/* Lines that begin like values do, one of them whole. */
static void
fill_lines(uint32_t number, char *text)
{
	char value[VALUE_LEN];

	memset(text, '\n', PUSH_LEN);
	for (size_t at = 0; at + VALUE_LEN < PUSH_LEN; at += VALUE_LEN + 1) {
		make_value(number++ % VALUES, value);
		memcpy(text + at, value, at ? VALUE_LEN / 2 + at % (VALUE_LEN / 2) : VALUE_LEN);
	}
}

TEST(memory, a_thousand_values_and_two_streams_take_less_than_64_mib)
{
	static char text[PUSH_LEN];
	struct redact_stream *streams[STREAMS];
	struct redact_set *set;
	size_t compiled;

	asked = 0;
	EXPECT_OK(redact_set_new(&set));
	for (uint32_t i = 0; i < VALUES; i++) {
		struct secbuf *value;
		char bytes[VALUE_LEN];
		bool too_short;

		make_value(i, bytes);
		EXPECT_OK(secbuf_copy(bytes, sizeof bytes, &value));
		EXPECT_OK(redact_set_add(set, "name", value, &too_short));
		secbuf_free(value);
	}
	EXPECT_OK(redact_set_compile(set));
	compiled = asked;
	EXPECT(compiled > VALUES * VALUE_LEN); /* it is counted */
	for (size_t i = 0; i < STREAMS; i++)
		EXPECT_OK(redact_stream_new(set, drop, NULL, &streams[i]));
	for (uint32_t push = 0; push < PUSHES; push++) {
		fill_lines(push * 31, text);
		for (size_t i = 0; i < STREAMS; i++)
			EXPECT_OK(redact_push(streams[i], (const uint8_t *)text, sizeof text));
	}
	EXPECT(asked > compiled);
	EXPECT(asked < MOST);
	for (size_t i = 0; i < STREAMS; i++) {
		EXPECT_OK(redact_flush(streams[i]));
		redact_stream_free(streams[i]);
	}
	redact_set_free(set);
}

TEST_MAIN()
