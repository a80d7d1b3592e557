/* Opens tests/vectors/keeper-1.txt, written by another implementation of docs/formats/, and the
 * ring under a passphrase that the first release wrote. */
#include "base/io.h"
#include "base/text.h"
#include "keeper/keyring_file.h"
#include "keeper/ticket.h"
#include "test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define FIELD_MAX 4096
#define EXPIRY_US 1795500000000000ll
#define PASSPHRASE "correct horse battery staple"

/* The field `name` of a file of "name hex" lines. */
static size_t
field(const char *file, const char *name, uint8_t bytes[FIELD_MAX])
{
	size_t name_len = strlen(name), len = 0;
	struct buf text, out;

	buf_init(&text, 1 << 16, BUF_PLAIN);
	buf_init(&out, FIELD_MAX - 1, BUF_PLAIN);
	EXPECT_OK(io_read_file(AT_FDCWD, file, &text));
	for (const char *line = buf_text(&text); *line;) {
		const char *end = strchr(line, '\n');

		assert_non_null(end);
		if (strncmp(line, name, name_len) == 0 && line[name_len] == ' ')
			EXPECT_OK(text_decode_hex(line + name_len + 1,
			                          (size_t)(end - line) - name_len - 1, &out));
		line = end + 1;
	}
	EXPECT(out.len > 0);
	len = out.len;
	memcpy(bytes, out.data, len);
	buf_fini(&out);
	buf_fini(&text);
	return len;
}

#define FILE_1 VECTORS "/keeper-1.txt"

static struct keyring *
open_ring(const char *file, const uint8_t *root, const struct secbuf *passphrase)
{
	char path[] = "/tmp/vectors-test-XXXXXX";
	struct keyring_seal seal;
	struct keyring *ring;
	uint8_t bytes[FIELD_MAX];
	size_t len = field(file, "ring-file", bytes);
	struct key_provider_env env = {.passphrase = passphrase};

	assert_non_null(mkdtemp(path));
	env.dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root)
		EXPECT_OK(io_replace_file(env.dir_fd, "root", root, 32, 0600));
	EXPECT_OK(keyring_file_open(bytes, len, &env, &seal, &ring));
	keyring_seal_fini(&seal);
	(void)unlinkat(env.dir_fd, "root", 0);
	(void)close(env.dir_fd);
	EXPECT_INT(0, rmdir(path));
	return ring;
}

static void
expect_key(const char *name, const struct secbuf *key)
{
	uint8_t bytes[FIELD_MAX];

	EXPECT_INT(32, field(FILE_1, name, bytes));
	assert_non_null(key);
	EXPECT_BYTES(bytes, secbuf_peek(key), 32);
}

TEST(vectors, the_ring_of_format_1_opens)
{
	uint8_t root[FIELD_MAX], public_key[FIELD_MAX], bytes[BOX_PUBLIC_LEN];
	struct keyring *ring;

	EXPECT_OK(crypto_init());
	(void)field(FILE_1, "root", root);
	ring = open_ring(FILE_1, root, NULL);
	expect_key("plane-private", keyring_plane_private(ring));
	expect_key("kek-1", keyring_kek(ring, 1));
	expect_key("kek-2", keyring_kek(ring, 2));
	EXPECT_INT(2, keyring_newest(ring));
	(void)field(FILE_1, "plane-public", public_key);
	keyring_plane_public(ring, bytes);
	EXPECT_BYTES(public_key, bytes, BOX_PUBLIC_LEN);
	keyring_free(ring);
}

TEST(vectors, the_tickets_of_format_1_are_genuine)
{
	uint8_t root[FIELD_MAX], attempt[FIELD_MAX], ticket[FIELD_MAX];
	const struct secbuf *key;
	struct ticket_view view;
	struct keyring *ring;
	size_t len;

	EXPECT_OK(crypto_init());
	(void)field(FILE_1, "root", root);
	ring = open_ring(FILE_1, root, NULL);
	key = keyring_derived(ring, KEYRING_TICKETS);
	len = field(FILE_1, "ticket", ticket);
	EXPECT_OK(ticket_verify(key, ticket, len, EXPIRY_US - 1, &view));
	(void)field(FILE_1, "attempt", attempt);
	EXPECT_BYTES(attempt, view.attempt, ATTEMPT_ID_LEN);
	EXPECT_STR("fraud", view.at.project);
	EXPECT_INT(2, view.count);
	EXPECT_BYTES("api-key", view.names[1].bytes, 7);
	len = field(FILE_1, "ticket-without-names", ticket);
	EXPECT_INT(TICKET_LEN_MIN + 15, len);
	EXPECT_OK(ticket_verify(key, ticket, len, 0, &view));
	EXPECT_INT(0, view.count);
	keyring_free(ring);
}

TEST(vectors, the_ring_under_a_passphrase_opens_with_it)
{
	struct secbuf *passphrase;
	struct keyring *ring;

	EXPECT_OK(crypto_init());
	EXPECT_OK(secbuf_copy(PASSPHRASE, sizeof PASSPHRASE - 1, &passphrase));
	ring = open_ring(VECTORS "/keyring-1-passphrase.txt", NULL, passphrase);
	expect_key("plane-private", keyring_plane_private(ring));
	expect_key("kek-2", keyring_kek(ring, 2));
	keyring_free(ring);
	secbuf_free(passphrase);
}

TEST_MAIN()
