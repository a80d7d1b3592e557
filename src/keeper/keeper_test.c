/* The keeper as a process: this program is its own keeper when called with "keeper". */
#include "base/clock.h"
#include "base/io.h"
#include "crypto/hash.h"
#include "keeper/keeper.h"
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS 2
#define DEADLINE_MS 20000

struct plane {
	char dir[64];
	struct keeper_supervisor *supervisor;
	struct keeper_client *clients[CLIENTS];
	struct box_sender *sender;
	struct secret_id id;
};

/* What came back. */
struct result {
	int count;
	enum un_err err;
	uint8_t bytes[4096];
	size_t len;
	struct secbuf *ticket;
	struct keeper_info info;
	uint32_t generation;
};

static void
take(void *context, const struct keeper_answer *answer)
{
	struct result *result = context;

	result->count++;
	result->err = answer->err;
	result->len = answer->len;
	assert_true(answer->len <= sizeof result->bytes);
	if (answer->len)
		memcpy(result->bytes, answer->bytes, answer->len);
	result->ticket = answer->ticket;
	if (answer->info)
		result->info = *answer->info;
	result->generation = answer->generation;
}

static void
give(void *context, unsigned index, int fd)
{
	struct plane *plane = context;

	keeper_client_attach(plane->clients[index], fd);
}

static struct keeper_options
options_of(struct plane *plane)
{
	return (struct keeper_options){.keys_dir = plane->dir,
	                               .provider = "file",
	                               .may_create = true,
	                               .sockets = CLIENTS,
	                               .give = give,
	                               .context = plane};
}

static void
make_dir(struct plane *plane)
{
	strcpy(plane->dir, "/tmp/keeper-test-XXXXXX");
	assert_non_null(mkdtemp(plane->dir));
}

static void
remove_dir(const char *dir)
{
	static const char *const names[] = {"ring", "root", "pass"};
	int fd = open(dir, O_RDONLY | O_DIRECTORY);

	for (size_t i = 0; i < 3; i++)
		(void)unlinkat(fd, names[i], 0);
	(void)close(fd);
	assert_int_equal(rmdir(dir), 0);
}

static void
make_clients(struct plane *plane)
{
	EXPECT_OK(crypto_init());
	for (int i = 0; i < CLIENTS; i++)
		EXPECT_OK(keeper_client_new(&plane->clients[i]));
	EXPECT_OK(secret_id_init(&plane->id, "fraud", "production", "db_password", NULL));
}

static struct result
ask_info(struct plane *plane)
{
	struct result result = {0};

	EXPECT_OK(keeper_ask_info(plane->clients[0], (struct keeper_call){take, &result, 0}));
	keeper_client_flush(plane->clients[0]);
	EXPECT_OK(keeper_client_drain(plane->clients[0], clock_mono_ms() + DEADLINE_MS));
	EXPECT_INT(1, result.count);
	EXPECT_OK(result.err);
	return result;
}

static void
plane_init(struct plane *plane)
{
	struct keeper_options options;
	struct un_detail detail = {0};
	enum un_err err;

	*plane = (struct plane){0};
	make_dir(plane);
	make_clients(plane);
	options = options_of(plane);
	err = keeper_supervisor_start(&options, &detail, &plane->supervisor);
	if (err)
		print_error("%s\n", un_message(err, &detail));
	EXPECT_OK(err);
	EXPECT_OK(box_sender_new(ask_info(plane).info.plane_public, &plane->sender));
}

static void
plane_fini(struct plane *plane)
{
	keeper_supervisor_stop(plane->supervisor);
	for (int i = 0; i < CLIENTS; i++)
		keeper_client_free(plane->clients[i]);
	box_sender_free(plane->sender);
	remove_dir(plane->dir);
}

static void
drain(struct plane *plane)
{
	keeper_client_flush(plane->clients[0]);
	EXPECT_OK(keeper_client_drain(plane->clients[0], clock_mono_ms() + DEADLINE_MS));
}

static void
make_travel(struct plane *plane, struct secbuf **ret_dek, uint8_t travel[TRAVEL_DEK_LEN])
{
	EXPECT_OK(dek_new(ret_dek));
	EXPECT_OK(envelope_seal_travel(plane->sender, &plane->id, *ret_dek, travel));
}

static struct result
ingest(struct plane *plane, uint32_t version, const uint8_t travel[TRAVEL_DEK_LEN])
{
	struct result result = {0};

	EXPECT_OK(keeper_ingest(plane->clients[0], &plane->id, version, travel,
	                        (struct keeper_call){take, &result, 0}));
	drain(plane);
	EXPECT_INT(1, result.count);
	return result;
}

static struct secbuf *
grant(struct plane *plane)
{
	const char *names[] = {"db_password", "other"};
	struct scope at;
	struct ticket_grant what = {.attempt = "attempt-0000001",
	                            .org = "",
	                            .at = &at,
	                            .expires_us = clock_wall_us() + 60000000,
	                            .names = names,
	                            .count = 2};
	struct result result = {0};

	EXPECT_OK(scope_init(&at, "fraud", "production", NULL));
	EXPECT_OK(keeper_grant(plane->clients[0], &what, (struct keeper_call){take, &result, 0}));
	drain(plane);
	EXPECT_OK(result.err);
	return result.ticket;
}

TEST(keeper, takes_a_key_in_and_releases_it_to_one_launcher_only)
{
	uint8_t travel[TRAVEL_DEK_LEN], launcher_public[BOX_PUBLIC_LEN];
	struct secbuf *dek, *launcher_private, *delivered, *ticket;
	struct box_receiver *launcher, *stranger;
	struct result stored, released = {0};
	struct delivery to = {.version = 1, .attempt = "attempt-0000001"};
	struct plane plane;

	plane_init(&plane);
	make_travel(&plane, &dek, travel);
	stored = ingest(&plane, 1, travel);
	EXPECT_OK(stored.err);
	EXPECT_INT(STORED_DEK_LEN, stored.len);
	ticket = grant(&plane);
	EXPECT_OK(box_keypair(&launcher_private, launcher_public));
	EXPECT_OK(keeper_release(
	        plane.clients[0],
	        &(struct keeper_release){ticket, launcher_public,
	                                 &(struct keeper_row){&plane.id, 1, stored.bytes}, 1},
	        (struct keeper_call){take, &released, 0}));
	drain(&plane);
	EXPECT_OK(released.err);
	EXPECT_INT(DELIVERED_DEK_LEN, released.len);
	to.id = &plane.id;
	EXPECT_OK(box_receiver_new(launcher_private, &launcher));
	EXPECT_OK(envelope_open_delivery(launcher, &to, released.bytes, released.len, &delivered));
	EXPECT(secbuf_equal(dek, delivered));
	secbuf_free(delivered);
	EXPECT_OK(box_receiver_new(dek, &stranger)); /* any other 32 bytes */
	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, envelope_open_delivery(stranger, &to, released.bytes,
	                                                        released.len, &delivered));
	box_receiver_free(stranger);
	box_receiver_free(launcher);
	secbuf_free(launcher_private);
	secbuf_free(ticket);
	secbuf_free(dek);
	plane_fini(&plane);
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "keeper") == 0)
		return keeper_main(argc - 2, argv + 2);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests(__FILE__, test_all, test_count, NULL, NULL);
}
