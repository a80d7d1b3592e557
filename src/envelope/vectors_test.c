/* Opens tests/vectors/envelope-1.txt, written by another implementation of the specification. */
#include "envelope/envelope.h"

#include "base/io.h"
#include "base/text.h"
#include "test.h"

#include <fcntl.h>

#define FIELD_MAX 4096

/* Reads "name hex" lines one after the other. */
struct vectors {
	struct buf text;
	size_t at;
};

static void
vectors_init(struct vectors *in)
{
	buf_init(&in->text, 1 << 20, BUF_PLAIN);
	in->at = 0;
	EXPECT_OK(io_read_file(AT_FDCWD, VECTORS "/envelope-1.txt", &in->text));
}

/* The next line must be of `name`; its bytes, with a NUL behind them. */
static size_t
next(struct vectors *in, const char *name, uint8_t *bytes)
{
	const char *line = buf_text(&in->text) + in->at, *end = strchr(line, '\n');
	size_t name_len = strlen(name), len;
	struct buf out;

	EXPECT(end && strncmp(line, name, name_len) == 0 && line[name_len] == ' ');
	in->at += (size_t)(end - line) + 1;
	line += name_len + 1;
	buf_init(&out, FIELD_MAX - 1, BUF_PLAIN);
	if (*line != '-')
		EXPECT_OK(text_decode_hex(line, (size_t)(end - line), &out));
	len = out.len;
	memcpy(bytes, buf_text(&out), len + 1);
	buf_fini(&out);
	return len;
}

static struct secbuf *
next_key(struct vectors *in, const char *name)
{
	uint8_t bytes[FIELD_MAX];
	size_t len = next(in, name, bytes);
	struct secbuf *key;

	EXPECT_OK(secbuf_copy(bytes, len, &key));
	return key;
}

static void
next_text(struct vectors *in, const char *name, char *text, size_t size)
{
	uint8_t bytes[FIELD_MAX];
	size_t len = next(in, name, bytes);

	EXPECT(len < size);
	memcpy(text, bytes, len + 1);
}

static struct secret_id
next_id(struct vectors *in)
{
	struct secret_id id = {.org = ""};

	next_text(in, "org", id.org, sizeof id.org);
	next_text(in, "project", id.scope.project, sizeof id.scope.project);
	next_text(in, "domain", id.scope.domain, sizeof id.scope.domain);
	next_text(in, "name", id.name, sizeof id.name);
	return id;
}

static void
expect_opened(const struct secbuf *expected, enum un_err err, struct secbuf *opened)
{
	EXPECT_OK(err);
	EXPECT(secbuf_equal(expected, opened));
	secbuf_free(opened);
}

TEST(envelope, opens_the_vectors_of_format_1)
{
	struct vectors in;
	struct secbuf *dek, *kek, *private_key, *opened = NULL;
	struct box_receiver *receiver;
	uint8_t bytes[FIELD_MAX], attempt[FIELD_MAX];
	unsigned cases = 0;
	enum un_err err;

	vectors_init(&in);
	dek = next_key(&in, "dek");
	kek = next_key(&in, "kek");
	private_key = next_key(&in, "receiver-private");
	EXPECT_OK(box_receiver_new(private_key, &receiver));
	EXPECT_INT(ATTEMPT_ID_LEN, next(&in, "attempt", attempt));
	for (; in.at < in.text.len; cases++) {
		struct secret_id id = next_id(&in);
		struct delivery to = {.id = &id};
		struct secbuf *value;
		size_t len = next(&in, "version", bytes);

		EXPECT_INT(4, len);
		for (size_t i = 0; i < 4; i++)
			to.version = to.version << 8 | bytes[i];
		memcpy(to.attempt, attempt, ATTEMPT_ID_LEN);
		value = next_key(&in, "value");
		len = next(&in, "sealed-value", bytes);
		err = envelope_open_value(dek, &id, bytes, len, &opened);
		expect_opened(value, err, opened);
		len = next(&in, "travel-dek", bytes);
		err = envelope_open_travel(receiver, &id, bytes, len, &opened);
		expect_opened(dek, err, opened);
		len = next(&in, "stored-dek", bytes);
		err = envelope_open_stored(kek, &id, to.version, bytes, len, &opened);
		expect_opened(dek, err, opened);
		len = next(&in, "delivered-dek", bytes);
		err = envelope_open_delivery(receiver, &to, bytes, len, &opened);
		expect_opened(dek, err, opened);
		secbuf_free(value);
	}
	EXPECT_INT(3, cases);
	secbuf_free(dek);
	secbuf_free(kek);
	secbuf_free(private_key);
	box_receiver_free(receiver);
	buf_fini(&in.text);
}

TEST_MAIN()
