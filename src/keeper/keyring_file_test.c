#include "keeper/keyring_file.h"

#include "base/io.h"
#include "crypto/hash.h"
#include "keeper/keyholder.h"
#include "keeper/passphrase.h"
#include "test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
	char path[64];
	int fd;
};

static void
folder_init(struct folder *folder)
{
	EXPECT_OK(crypto_init());
	strcpy(folder->path, "/tmp/keyring-test-XXXXXX");
	assert_non_null(mkdtemp(folder->path));
	EXPECT_OK(keyring_dir_open(folder->path, NULL, &folder->fd));
}

static void
folder_clear(struct folder *folder)
{
	(void)unlinkat(folder->fd, "ring", 0);
	(void)unlinkat(folder->fd, "root", 0);
	(void)unlinkat(folder->fd, "journal", 0);
	(void)unlinkat(folder->fd, "head", 0);
}

static void
folder_fini(struct folder *folder)
{
	folder_clear(folder);
	keyring_dir_clean(folder->fd);
	(void)close(folder->fd);
	assert_int_equal(rmdir(folder->path), 0); /* nothing else was left */
}

static struct secbuf *
passphrase_of(const char *text)
{
	struct secbuf *passphrase;

	EXPECT_OK(secbuf_copy(text, strlen(text), &passphrase));
	return passphrase;
}

static enum un_err
start(struct folder *folder, const char *provider, bool create, const struct secbuf *passphrase,
      struct keyholder **ret_holder)
{
	struct keyholder_options options = {folder->fd, provider, create, passphrase};
	struct un_detail detail = {0};

	return keyholder_new(&options, &detail, ret_holder);
}

/* Room for an answer that needs no allocation. */
static struct buf
static_buf(void)
{
	static uint8_t memory[WIRE_FRAME_MAX + 1];

	return (struct buf){.data = memory, .cap = sizeof memory, .max = sizeof memory - 1};
}

static bool held; /* of the last answer */

static struct keeper_info
info_of(struct keyholder *holder)
{
	struct wire_request request = {.op = WIRE_INFO, .id = 1};
	struct wire_answer answer;
	struct keeper_info info;
	struct buf out = static_buf();

	EXPECT_OK(keyholder_answer(holder, &request, &out, &held));
	EXPECT_OK(wire_answer_unpack(out.data + 4, out.len - 4, &answer));
	EXPECT_OK(answer.err);
	EXPECT_OK(wire_unpack_info(&answer, &info));
	return info;
}

/* Asks without a body or with a sealed passphrase; the error of the answer, its body into `body`.
 */
static enum un_err
ask(struct keyholder *holder, enum wire_op op, const struct buf *sealed, struct buf *body)
{
	static struct wire_request request;
	struct wire_answer answer;
	struct buf out = static_buf();

	request = (struct wire_request){.op = op, .id = 7};
	if (sealed) {
		request.sealed.bytes = sealed->data;
		request.sealed.len = sealed->len;
	}
	EXPECT_OK(keyholder_answer(holder, &request, &out, &held));
	EXPECT_OK(wire_answer_unpack(out.data + 4, out.len - 4, &answer));
	if (answer.err == UN_OK && body)
		EXPECT_OK(buf_append(body, answer.body, answer.len));
	return answer.err;
}

static void
seal_for(struct keyholder *holder, enum passphrase_purpose purpose, const char *text,
         struct buf *sealed)
{
	struct keeper_info info = info_of(holder);
	struct secbuf *passphrase = passphrase_of(text);

	buf_init(sealed, SEALED_PASSPHRASE_MAX, BUF_PLAIN);
	EXPECT_OK(passphrase_seal(info.start_public, purpose, passphrase, sealed));
	secbuf_free(passphrase);
}

TEST(keyring_file, made_once_is_the_same_ring_ever_after)
{
	struct keyholder *holder;
	struct keeper_info first, second;
	struct folder folder;

	folder_init(&folder);
	EXPECT_ERR(UN_ERR_NOT_FOUND, start(&folder, "file", false, NULL, &holder));
	EXPECT_OK(start(&folder, "file", true, NULL, &holder));
	first = info_of(holder);
	EXPECT_INT(1, first.generation);
	EXPECT_OK(ask(holder, WIRE_ROTATE, NULL, NULL));
	keyholder_free(holder);
	EXPECT_OK(start(&folder, "file", false, NULL, &holder));
	second = info_of(holder);
	EXPECT_INT(2, second.generation);
	EXPECT_BYTES(first.plane_public, second.plane_public, BOX_PUBLIC_LEN);
	EXPECT(memcmp(first.start_public, second.start_public, BOX_PUBLIC_LEN) != 0);
	keyholder_free(holder);
	folder_fini(&folder);
}

TEST(keyring_file, refuses_every_flipped_bit_and_every_cut)
{
	struct keyholder *holder;
	struct folder folder;
	struct buf ring;

	folder_init(&folder);
	EXPECT_OK(start(&folder, "file", true, NULL, &holder));
	keyholder_free(holder);
	buf_init(&ring, KEYRING_FILE_MAX, BUF_PLAIN);
	EXPECT_OK(keyring_file_read(folder.fd, NULL, &ring));
	for (size_t at = 0; at < ring.len; at++) {
		struct key_provider_env env = {folder.fd, NULL, NULL};
		struct keyring_seal seal;
		struct keyring *opened;

		for (int bit = 0; bit < 8; bit++) {
			ring.data[at] ^= (uint8_t)(1 << bit);
			EXPECT(keyring_file_open(ring.data, ring.len, &env, &seal, &opened) !=
			       UN_OK);
			ring.data[at] ^= (uint8_t)(1 << bit);
		}
		EXPECT(keyring_file_open(ring.data, at, &env, &seal, &opened) != UN_OK);
	}
	ring.data[ring.len / 2] ^= 1;
	EXPECT_OK(io_replace_file(folder.fd, "ring", ring.data, ring.len, 0600));
	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, start(&folder, "file", true, NULL, &holder));
	buf_fini(&ring);
	folder_fini(&folder);
}

TEST(keyring_file, refuses_key_files_that_others_may_read_or_that_are_links)
{
	struct keyholder *holder;
	struct folder folder;

	folder_init(&folder);
	EXPECT_OK(start(&folder, "file", true, NULL, &holder));
	keyholder_free(holder);
	EXPECT_INT(0, fchmodat(folder.fd, "root", 0640, 0));
	EXPECT_ERR(UN_ERR_DENIED, start(&folder, "file", false, NULL, &holder));
	EXPECT_INT(0, fchmodat(folder.fd, "root", 0600, 0));
	EXPECT_INT(0, fchmodat(folder.fd, "ring", 0604, 0));
	EXPECT_ERR(UN_ERR_DENIED, start(&folder, "file", false, NULL, &holder));
	EXPECT_INT(0, fchmodat(folder.fd, "ring", 0600, 0));
	EXPECT_INT(0, renameat(folder.fd, "root", folder.fd, "elsewhere"));
	EXPECT_INT(0, symlinkat("elsewhere", folder.fd, "root"));
	EXPECT(start(&folder, "file", false, NULL, &holder) != UN_OK);
	EXPECT_INT(0, renameat(folder.fd, "elsewhere", folder.fd, "root"));
	EXPECT_OK(start(&folder, "file", false, NULL, &holder));
	keyholder_free(holder);
	folder_fini(&folder);
}

TEST(keyring_file, does_not_open_with_another_root_or_without_one)
{
	uint8_t other[32] = {1};
	struct keyholder *holder;
	struct folder folder;

	folder_init(&folder);
	EXPECT_OK(start(&folder, "file", true, NULL, &holder));
	keyholder_free(holder);
	EXPECT_OK(io_replace_file(folder.fd, "root", other, sizeof other, 0600));
	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, start(&folder, "file", true, NULL, &holder));
	EXPECT_OK(io_replace_file(folder.fd, "root", other, 31, 0600));
	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, start(&folder, "file", true, NULL, &holder));
	EXPECT_INT(0, unlinkat(folder.fd, "root", 0));
	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, start(&folder, "file", true, NULL, &holder));
	folder_fini(&folder);
}

TEST(keyring_file, under_a_passphrase_starts_sealed_and_opens_with_the_right_one)
{
	struct keyholder *holder;
	struct keeper_info sealed_info;
	struct folder folder;
	struct buf right, wrong;

	folder_init(&folder);
	EXPECT_OK(start(&folder, "passphrase", true, NULL, &holder));
	EXPECT_INT(KEEPER_NEW, info_of(holder).state);
	EXPECT_ERR(UN_ERR_SEALED, ask(holder, WIRE_ROTATE, NULL, NULL));
	seal_for(holder, PASSPHRASE_UNLOCK, "short", &wrong); /* for a ring to be */
	EXPECT_ERR(UN_ERR_RANGE, ask(holder, WIRE_UNLOCK, &wrong, NULL));
	buf_fini(&wrong);
	seal_for(holder, PASSPHRASE_UNLOCK, "correct horse", &right);
	EXPECT_OK(ask(holder, WIRE_UNLOCK, &right, NULL));
	EXPECT_INT(KEEPER_OPEN, info_of(holder).state);
	EXPECT_ERR(UN_ERR_EXISTS, ask(holder, WIRE_UNLOCK, &right, NULL));
	keyholder_free(holder);

	EXPECT_OK(start(&folder, "passphrase", false, NULL, &holder));
	sealed_info = info_of(holder);
	EXPECT_INT(KEEPER_SEALED, sealed_info.state);
	EXPECT_INT(1, sealed_info.generation); /* and its public key is known */
	EXPECT_ERR(UN_ERR_CONFLICT, ask(holder, WIRE_UNLOCK, &right, NULL)); /* another start */
	buf_fini(&right);
	seal_for(holder, PASSPHRASE_UNLOCK, "short", &wrong);
	EXPECT_ERR(UN_ERR_WRONG_PASSPHRASE, ask(holder, WIRE_UNLOCK, &wrong, NULL));
	buf_fini(&wrong);
	seal_for(holder, PASSPHRASE_UNLOCK, "correct hors3", &wrong);
	EXPECT_ERR(UN_ERR_WRONG_PASSPHRASE, ask(holder, WIRE_UNLOCK, &wrong, NULL));
	EXPECT_INT(KEEPER_SEALED, info_of(holder).state);
	buf_fini(&wrong);
	seal_for(holder, PASSPHRASE_BACKUP, "correct horse", &wrong);
	EXPECT_ERR(UN_ERR_CONFLICT, ask(holder, WIRE_UNLOCK, &wrong, NULL)); /* another purpose */
	buf_fini(&wrong);
	seal_for(holder, PASSPHRASE_UNLOCK, "correct horse", &right);
	EXPECT_OK(ask(holder, WIRE_UNLOCK, &right, NULL));
	EXPECT_OK(ask(holder, WIRE_ROTATE, NULL, NULL));
	buf_fini(&right);
	keyholder_free(holder);
	EXPECT_ERR(UN_ERR_BAD_CONFIG, start(&folder, "file", false, NULL, &holder));
	folder_fini(&folder);
}

TEST(keyring_file, moves_to_another_plane_through_an_export)
{
	struct secbuf *passphrase = passphrase_of("for the backup"),
		      *other = passphrase_of("not that");
	struct keyring_import to;
	struct keyholder *holder;
	struct keeper_info before, after;
	struct folder here, there;
	struct buf sealed, ring;

	folder_init(&here);
	folder_init(&there);
	EXPECT_OK(start(&here, "file", true, NULL, &holder));
	EXPECT_OK(ask(holder, WIRE_ROTATE, NULL, NULL));
	before = info_of(holder);
	seal_for(holder, PASSPHRASE_BACKUP, "for the backup", &sealed);
	buf_init(&ring, KEYRING_FILE_MAX, BUF_PLAIN);
	EXPECT_OK(ask(holder, WIRE_EXPORT, &sealed, &ring));
	keyholder_free(holder);
	to = (struct keyring_import){there.fd, key_provider_by_name("file"), NULL, false};
	EXPECT_ERR(UN_ERR_WRONG_PASSPHRASE, keyring_import(&to, ring.data, ring.len, other, NULL));
	EXPECT_OK(keyring_import(&to, ring.data, ring.len, passphrase, NULL));
	EXPECT_ERR(UN_ERR_EXISTS, keyring_import(&to, ring.data, ring.len, passphrase, NULL));
	EXPECT_OK(start(&there, "file", false, NULL, &holder));
	after = info_of(holder);
	EXPECT_INT(2, after.generation);
	EXPECT_BYTES(before.plane_public, after.plane_public, BOX_PUBLIC_LEN);
	keyholder_free(holder);
	buf_fini(&sealed);
	buf_fini(&ring);
	secbuf_free(passphrase);
	secbuf_free(other);
	folder_fini(&here);
	folder_fini(&there);
}

TEST(keyring_file, grows_to_its_limit_and_still_fits_the_file)
{
	struct keyring *ring, *grown;
	struct folder folder;
	int64_t now_us = 1;

	folder_init(&folder);
	EXPECT_OK(keyring_new(now_us, &ring));
	while (keyring_newest(ring) < KEYRING_GENERATIONS_MAX) {
		EXPECT_OK(keyring_grown(ring, now_us, &grown));
		keyring_free(ring);
		ring = grown;
	}
	EXPECT_ERR(UN_ERR_TOO_LARGE, keyring_grown(ring, now_us, &grown));
	for (uint32_t i = 1; i <= KEYRING_GENERATIONS_MAX; i++)
		EXPECT(keyring_kek(ring, i) != NULL);
	EXPECT_NULL(keyring_kek(ring, 0));
	EXPECT_NULL(keyring_kek(ring, KEYRING_GENERATIONS_MAX + 1));
	{
		struct key_provider_env env = {folder.fd, NULL, NULL};
		struct keyring_seal seal;

		EXPECT_OK(keyring_seal_create(key_provider_by_name("file"), &env, &seal));
		EXPECT_OK(keyring_file_write(folder.fd, ring, &seal, NULL));
		keyring_seal_fini(&seal);
	}
	keyring_free(ring);
	folder_fini(&folder);
}

/* Each allocation, write, sync and rename of a first start and a rotation fails once: the folder
 * can be started from, with the old generations or the new one, and never with less than was
 * answered. */
TORTURE_IO(keyring_file, rotates_whole_or_not_at_all)
{
	struct wire_request request = {.op = WIRE_ROTATE, .id = 1};
	struct keyholder *holder = NULL;
	struct wire_answer answer;
	struct folder folder;
	uint32_t answered = 1;
	enum un_err err;
	struct buf out = static_buf();

	strcpy(folder.path, "/tmp/keyring-test-XXXXXX");
	assert_non_null(mkdtemp(folder.path));
	folder.fd = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (start(&folder, "file", true, NULL, &holder) == UN_OK) {
		EXPECT_OK(keyholder_answer(holder, &request, &out, &held));
		EXPECT_OK(wire_answer_unpack(out.data + 4, out.len - 4, &answer));
		answered = answer.err == UN_OK ? 2 : 1;
		EXPECT_INT(answered, info_of(holder).generation);
		keyholder_free(holder);
	}
	err = start(&folder, "file", true, NULL, &holder);
	if (err) /* this is where the one fault struck */
		err = start(&folder, "file", true, NULL, &holder);
	EXPECT_OK(err);
	EXPECT(info_of(holder).generation >= answered && info_of(holder).generation <= 2);
	keyholder_free(holder);
	folder_fini(&folder);
}

TEST_MAIN()
