#include "launch/task_secrets.h"
#include "test.h"

#include "base/io.h"
#include "crypto/box.h"
#include "crypto/hash.h"
#include "launch/tree.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define COUNT 2

/* What a control plane delivers: made once, before any fault. */
static struct {
	uint8_t attempt[ATTEMPT_ID_LEN];
	struct box_receiver *receiver;
	struct buf sealed[COUNT];
	uint8_t boxed[COUNT][DELIVERED_DEK_LEN];
	Union__V1__AttemptSecret secrets[COUNT], *list[COUNT];
	Union__V1__ClaimResponse claim;
} made;

static const char *const names[COUNT] = {"Db", "api"};
static const char *const texts[COUNT] = {"value-of-db", "value-of-api"};

static void
make(void)
{
	uint8_t public_key[BOX_PUBLIC_LEN];
	struct secbuf *private_key;
	struct box_sender *sender;

	assert_int_equal(crypto_init(), UN_OK);
	random_bytes(made.attempt, sizeof made.attempt);
	assert_int_equal(box_keypair(&private_key, public_key), UN_OK);
	assert_int_equal(box_receiver_new(private_key, &made.receiver), UN_OK);
	secbuf_free(private_key);
	assert_int_equal(box_sender_new(public_key, &sender), UN_OK);
	union__v1__claim_response__init(&made.claim);
	for (size_t i = 0; i < COUNT; i++) {
		Union__V1__AttemptSecret *secret = &made.secrets[i];
		struct secret_id id;
		struct delivery to = {.id = &id, .version = 3};
		struct secbuf *dek, *value;

		memcpy(to.attempt, made.attempt, sizeof to.attempt);
		assert_int_equal(secret_id_init(&id, "p", "d", names[i], NULL), UN_OK);
		assert_int_equal(dek_new(&dek), UN_OK);
		assert_int_equal(secbuf_copy(texts[i], strlen(texts[i]), &value), UN_OK);
		buf_init(&made.sealed[i], 4096, BUF_PLAIN);
		assert_int_equal(envelope_seal_value(dek, &id, value, &made.sealed[i]), UN_OK);
		assert_int_equal(envelope_seal_delivery(sender, &to, dek, made.boxed[i]), UN_OK);
		secbuf_free(value);
		secbuf_free(dek);
		union__v1__attempt_secret__init(secret);
		secret->name = (char *)(uintptr_t)names[i];
		secret->project = "p";
		secret->domain = "d";
		secret->version = 3;
		secret->mount = i == 1 ? SECRET_MOUNT_ENV_VAR : SECRET_MOUNT_ANY;
		secret->sealed_value =
			(ProtobufCBinaryData){made.sealed[i].len, made.sealed[i].data};
		secret->boxed_dek = (ProtobufCBinaryData){DELIVERED_DEK_LEN, made.boxed[i]};
		made.list[i] = secret;
	}
	made.claim.n_secrets = COUNT;
	made.claim.secrets = made.list;
	box_sender_free(sender);
}

static void
expect_refused(enum un_err expected)
{
	struct un_detail detail = {0};
	struct task_secrets secrets;

	EXPECT_ERR(expected, task_secrets_open(&secrets, &made.claim, made.receiver,
	                                       made.attempt, &detail));
	EXPECT_NULL(strstr(detail.message, "value-of"));
}

TEST(task_secrets, open_for_this_attempt_identity_and_version_only)
{
	struct task_secrets secrets;
	ProtobufCBinaryData kept = made.secrets[0].sealed_value;

	EXPECT_OK(task_secrets_open(&secrets, &made.claim, made.receiver, made.attempt, NULL));
	EXPECT_INT(COUNT, secrets.count);
	EXPECT_BYTES(texts[1], secbuf_peek(secrets.values[1]), strlen(texts[1]));
	task_secrets_close(&secrets);
	made.secrets[0].version++;
	expect_refused(UN_ERR_NOT_AUTHENTIC);
	made.secrets[0].version--;
	made.secrets[0].domain = "other";
	expect_refused(UN_ERR_NOT_AUTHENTIC);
	made.secrets[0].domain = "d";
	made.secrets[0].sealed_value = made.secrets[1].sealed_value;
	expect_refused(UN_ERR_NOT_AUTHENTIC);
	made.secrets[0].sealed_value = kept;
	made.secrets[0].sealed_value.len = 5;
	expect_refused(UN_ERR_NOT_AUTHENTIC);
	made.secrets[0].sealed_value = kept;
	made.attempt[3] ^= 1;
	expect_refused(UN_ERR_NOT_AUTHENTIC);
	made.attempt[3] ^= 1;
	made.secrets[0].name = "bad name";
	expect_refused(UN_ERR_BAD_NAME);
	made.secrets[0].name = (char *)(uintptr_t)names[0];
}

/* Everything that is done with the values, in `folder`. */
static enum un_err
use(struct task_secrets *secrets, int dir_fd)
{
	struct environment *environment = NULL;
	struct redact_set *set = NULL;
	char *const *vector;
	struct buf unseen;
	enum un_err err;

	buf_init(&unseen, 1024, BUF_PLAIN);
	err = task_secrets_redaction(secrets, &set, &unseen);
	buf_fini(&unseen);
	if (!err)
		err = task_secrets_write(secrets, dir_fd, NULL);
	if (!err)
		err = environment_new(&environment);
	if (!err)
		err = task_secrets_set(secrets, "/the/folder", environment, NULL);
	if (!err)
		err = environment_vector(environment, &vector);
	if (!err)
		EXPECT_STR("UNION_SECRET_VARIABLES=_UNION_API", vector[0]);
	if (!err)
		EXPECT_STR("_UNION_API=value-of-api", vector[1]);
	environment_free(environment);
	redact_set_free(set);
	return err;
}

TORTURE_IO(task_secrets, are_used_whole_or_not_at_all)
{
	char path[] = "/dev/shm/secrets-test-XXXXXX";
	struct task_secrets secrets;
	int parent, fd = -1;
	enum un_err err;

	EXPECT(mkdtemp(path) != NULL);
	parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT_OK(tree_make(parent, "d", &fd, NULL));
	err = task_secrets_open(&secrets, &made.claim, made.receiver, made.attempt, NULL);
	if (!err) {
		err = use(&secrets, fd);
		task_secrets_close(&secrets);
	}
	EXPECT(err == UN_OK || err == UN_ERR_NO_MEMORY || err == UN_ERR_DISK_FULL);
	EXPECT(err || (faccessat(fd, "Db", R_OK, 0) == 0 && faccessat(fd, "db", R_OK, 0) == 0));
	EXPECT(err || faccessat(fd, "api", F_OK, 0) != 0);
	io_close(&fd);
	EXPECT_OK(tree_remove(parent, "d"));
	io_close(&parent);
	EXPECT_INT(0, rmdir(path));
}

int
main(void)
{
	int failed;

	make();
	cmocka_set_message_output(CM_OUTPUT_TAP);
	failed = _cmocka_run_group_tests(__FILE__, test_all, test_count, NULL, NULL);
	for (size_t i = 0; i < COUNT; i++)
		buf_fini(&made.sealed[i]);
	box_receiver_free(made.receiver);
	return failed;
}
