/* The keeper as a process: this program is its own keeper when called with "keeper". */
#include "base/clock.h"
#include "base/io.h"
#include "crypto/hash.h"
#include "keeper/keeper.h"
#include "keeper/testing_memory.h"
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
	static const char *const names[] = {"ring", "root", "pass", "journal", "head"};
	int fd = open(dir, O_RDONLY | O_DIRECTORY);

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
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


/* Counts answers by what they say. */
struct tally {
	unsigned good, unreachable, other;
};

static void
count_answer(void *context, const struct keeper_answer *answer)
{
	struct tally *tally = context;

	if (answer->err == UN_OK && answer->len == STORED_DEK_LEN)
		tally->good++;
	else if (answer->err == UN_ERR_UNREACHABLE)
		tally->unreachable++;
	else
		tally->other++;
}

#define MANY 20000

/* As many as the client takes, then one pump, until `count` were asked. */
static void
ingest_many(struct plane *plane, const uint8_t *travel, unsigned count, struct tally *tally)
{
	struct keeper_client *client = plane->clients[0];
	struct pollfd one = {.fd = keeper_client_fd(client)};
	unsigned asked = 0;

	while (asked < count) {
		while (asked < count &&
		       keeper_ingest(client, &plane->id, 1, travel,
		                     (struct keeper_call){count_answer, tally, 60000}) == UN_OK)
			asked++;
		keeper_client_flush(client);
		one.events = keeper_client_events(client);
		assert_int_equal(poll(&one, 1, DEADLINE_MS), 1);
		EXPECT_OK(keeper_client_pump(client));
	}
	drain(plane);
}

TEST(keeper, answers_thousands_in_flight_each_exactly_once)
{
	uint8_t travel[TRAVEL_DEK_LEN];
	struct tally tally = {0};
	struct secbuf *dek;
	struct plane plane;
	int64_t start_us;

	plane_init(&plane);
	make_travel(&plane, &dek, travel);
	start_us = clock_mono_us();
	ingest_many(&plane, travel, MANY, &tally);
	print_message("# ingest: %lld a second\n",
	              (long long)(MANY * 1000000ll / (clock_mono_us() - start_us + 1)));
	EXPECT_INT(MANY, tally.good);
	secbuf_free(dek);
	plane_fini(&plane);
}

static void
count_release(void *context, const struct keeper_answer *answer)
{
	struct tally *tally = context;

	if (answer->err == UN_OK && answer->count == 5)
		tally->good++;
	else
		tally->other++;
}

TEST(keeper, releases_five_keys_at_a_time)
{
	enum { RELEASES = 500, ROWS = 5 };
	uint8_t travel[TRAVEL_DEK_LEN], launcher_public[BOX_PUBLIC_LEN];
	struct secbuf *dek, *launcher_private, *ticket;
	struct keeper_row rows[ROWS];
	struct tally tally = {0};
	struct result stored;
	struct plane plane;
	int64_t start_us;

	plane_init(&plane);
	make_travel(&plane, &dek, travel);
	stored = ingest(&plane, 1, travel);
	ticket = grant(&plane);
	EXPECT_OK(box_keypair(&launcher_private, launcher_public));
	for (int i = 0; i < ROWS; i++)
		rows[i] = (struct keeper_row){&plane.id, 1, stored.bytes};
	start_us = clock_mono_us();
	for (unsigned asked = 0; asked < RELEASES; asked++) {
		struct keeper_release what = {ticket, launcher_public, rows, ROWS};

		while (keeper_release(plane.clients[0], &what,
		                      (struct keeper_call){count_release, &tally, 60000}) != UN_OK)
			EXPECT_OK(keeper_client_drain(plane.clients[0],
			                              clock_mono_ms() + DEADLINE_MS));
	}
	drain(&plane);
	print_message("# release of five: %lld a second\n",
	              (long long)(RELEASES * 1000000ll / (clock_mono_us() - start_us + 1)));
	EXPECT_INT(RELEASES, tally.good);
	secbuf_free(ticket);
	secbuf_free(launcher_private);
	secbuf_free(dek);
	plane_fini(&plane);
}

/* Pumps the supervisor until a keeper has been given `restarts` times more. */
static void
await_restart(struct plane *plane, unsigned restarts)
{
	struct pollfd one = {.fd = keeper_supervisor_fd(plane->supervisor), .events = POLLIN};

	while (keeper_supervisor_restarts(plane->supervisor) < restarts ||
	       keeper_client_fd(plane->clients[0]) < 0) {
		assert_true(poll(&one, 1, DEADLINE_MS) > 0);
		keeper_supervisor_pump(plane->supervisor);
	}
}

TEST(keeper, killed_under_load_comes_back_with_the_same_keys)
{
	enum { ROUNDS = 5, EACH = 300 };
	uint8_t travel[TRAVEL_DEK_LEN];
	struct tally tally = {0};
	struct result before, rewrapped = {0};
	struct secbuf *dek;
	struct plane plane;

	plane_init(&plane);
	make_travel(&plane, &dek, travel);
	before = ingest(&plane, 1, travel);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		for (unsigned i = 0; i < EACH; i++)
			EXPECT_OK(keeper_ingest(plane.clients[0], &plane.id, 1, travel,
			                        (struct keeper_call){count_answer, &tally, 60000}));
		keeper_client_flush(plane.clients[0]);
		EXPECT_INT(0, kill(keeper_supervisor_pid(plane.supervisor), SIGKILL));
		while (keeper_client_fd(plane.clients[0]) >= 0) { /* until its end is seen */
			struct pollfd one = {.fd = keeper_client_fd(plane.clients[0]),
			                     .events = POLLIN};

			assert_int_equal(poll(&one, 1, DEADLINE_MS), 1);
			if (keeper_client_pump(plane.clients[0]) != UN_OK)
				break;
		}
		EXPECT_OK(keeper_ingest(plane.clients[0], &plane.id, 1,
		                        travel, /* waits for the next */
		                        (struct keeper_call){count_answer, &tally, 60000}));
		await_restart(&plane, round);
		drain(&plane);
		EXPECT_INT(round * (EACH + 1), tally.good + tally.unreachable);
		EXPECT(tally.good >= round); /* the one that waited was answered */
	}
	EXPECT_INT(0, tally.other);
	EXPECT_OK(keeper_rewrap(plane.clients[0], &plane.id, 1, before.bytes,
	                        (struct keeper_call){take, &rewrapped, 0}));
	drain(&plane);
	EXPECT_OK(rewrapped.err);
	secbuf_free(dek);
	plane_fini(&plane);
}

TEST(keeper, one_that_hangs_is_ended_and_the_next_one_serves)
{
	struct tally tally = {0};
	struct plane plane;
	pid_t pid;

	plane_init(&plane);
	pid = keeper_supervisor_pid(plane.supervisor);
	EXPECT_INT(0, kill(pid, SIGSTOP));
	EXPECT_OK(keeper_ask_info(plane.clients[0],
	                          (struct keeper_call){count_answer, &tally, 60000}));
	keeper_client_flush(plane.clients[0]);
	await_restart(&plane, 1); /* its end */
	while (keeper_client_pump(plane.clients[0]) == UN_OK)
		;
	await_restart(&plane, 1); /* the next one */
	EXPECT(keeper_supervisor_pid(plane.supervisor) != pid);
	drain(&plane);
	EXPECT_INT(1, tally.unreachable);
	EXPECT_INT(KEEPER_OPEN, ask_info(&plane).info.state);
	plane_fini(&plane);
}

TEST(keeper, one_that_serves_for_long_gives_its_signs_of_life)
{
	struct plane plane;
	pid_t pid;

	plane_init(&plane);
	pid = keeper_supervisor_pid(plane.supervisor);
	for (int turn = 0; turn < 14; turn++) { /* asked, answered: seven times */
		struct pollfd one = {.fd = keeper_supervisor_fd(plane.supervisor),
		                     .events = POLLIN};

		assert_int_equal(poll(&one, 1, DEADLINE_MS), 1);
		keeper_supervisor_pump(plane.supervisor);
	}
	EXPECT_INT(pid, keeper_supervisor_pid(plane.supervisor));
	plane_fini(&plane);
}

TEST(keeper, a_request_that_no_keeper_answers_ends_at_its_deadline)
{
	uint8_t travel[TRAVEL_DEK_LEN] = {1};
	struct result result = {0};
	struct plane plane = {0};

	make_clients(&plane); /* no keeper at all */
	EXPECT_OK(keeper_ingest(plane.clients[0], &plane.id, 1, travel,
	                        (struct keeper_call){take, &result, 20}));
	EXPECT_OK(keeper_client_drain(plane.clients[0], clock_mono_ms() + DEADLINE_MS));
	EXPECT_INT(1, result.count);
	EXPECT_ERR(UN_ERR_TIMEOUT, result.err);
	result.count = 0;
	EXPECT_OK(keeper_ingest(plane.clients[1], &plane.id, 1, travel,
	                        (struct keeper_call){take, &result, 20}));
	for (int i = 0; i < CLIENTS; i++)
		keeper_client_free(plane.clients[i]);
	EXPECT_INT(1, result.count); /* freed: answered all the same */
	EXPECT_ERR(UN_ERR_CANCELLED, result.err);
}

static bool
status_says(pid_t pid, const char *line)
{
	char path[64], text[8192];
	ssize_t len;
	int fd;

	(void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	len = read(fd, text, sizeof text - 1);
	assert_true(len > 0);
	(void)close(fd);
	text[len] = '\0';
	return strstr(text, line) != NULL;
}

TEST(keeper, runs_confined_without_privileges_cores_or_foreign_descriptors)
{
	char path[64], target[256], limits[4096];
	struct plane plane;
	struct keeper_info info;
	struct stat st;
	ssize_t len;
	pid_t pid;
	int fd;

	plane_init(&plane);
	pid = keeper_supervisor_pid(plane.supervisor);
	EXPECT(status_says(pid, "Seccomp:\t2"));
	EXPECT(status_says(pid, "NoNewPrivs:\t1"));
	(void)snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = read(fd, limits, sizeof limits - 1);
	assert_true(len > 0);
	(void)close(fd);
	limits[len] = '\0';
	EXPECT(strstr(limits, "Max core file size        0                    0 ") != NULL);
	/* not dumpable: its /proc files belong to root, whoever runs it */
	(void)snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
	EXPECT_INT(0, stat(path, &st));
	EXPECT_INT(0, st.st_uid);
	for (int i = 0; i < 3; i++) { /* the head, the journal, and no more */
		static const int fds[] = {5, 6 + CLIENTS, 7 + CLIENTS};

		(void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fds[i]);
		len = readlink(path, target, sizeof target - 1);
		EXPECT((i < 2) == (len > 0));
		if (len < 0)
			continue;
		target[len] = '\0';
		EXPECT(strncmp(target, plane.dir, strlen(plane.dir)) == 0);
	}
	info = ask_info(&plane).info;
	EXPECT(info.state == KEEPER_OPEN);
	plane_fini(&plane);
}

TEST(keeper, ends_when_its_parent_lets_go)
{
	struct pollfd one = {.events = POLLIN};
	struct plane plane;

	plane_init(&plane);
	one.fd = keeper_supervisor_fd(plane.supervisor);
	EXPECT_INT(0, poll(&one, 1, 0)); /* nothing to do for the supervisor */
	plane_fini(&plane); /* would wait for its deadline and then kill */
}

TEST(keeper, a_frame_that_is_no_request_ends_it_and_the_next_one_serves)
{
	static const uint8_t garbage[] = {0, 0, 0, 6, 1, 99, 0, 0, 0, 1};
	struct plane plane;

	plane_init(&plane);
	assert_int_equal(write(keeper_client_fd(plane.clients[0]), garbage, sizeof garbage),
	                 sizeof garbage);
	for (;;) {
		struct pollfd one = {.fd = keeper_client_fd(plane.clients[0]), .events = POLLIN};

		assert_int_equal(poll(&one, 1, DEADLINE_MS), 1);
		if (keeper_client_pump(plane.clients[0]) == UN_ERR_UNREACHABLE)
			break;
	}
	await_restart(&plane, 1);
	EXPECT_INT(KEEPER_OPEN, ask_info(&plane).info.state);
	plane_fini(&plane);
}

TEST(keeper, says_why_it_does_not_start)
{
	struct keeper_supervisor *supervisor = NULL;
	struct keeper_options options;
	struct un_detail detail = {0};
	struct plane plane = {0};
	int fd;

	make_dir(&plane);
	make_clients(&plane);
	options = options_of(&plane);
	options.may_create = false;
	EXPECT_ERR(UN_ERR_NOT_FOUND, keeper_supervisor_start(&options, &detail, &supervisor));
	EXPECT(strstr(detail.message, "key ring is missing") != NULL);
	EXPECT(strstr(detail.hint, "union restore") != NULL);
	fd = open(plane.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT_OK(io_replace_file(fd, "ring", "union key ring\n\x01\x01", 17, 0600));
	(void)close(fd);
	EXPECT_ERR(UN_ERR_NOT_AUTHENTIC, keeper_supervisor_start(&options, &detail, &supervisor));
	EXPECT(strstr(detail.message, "damaged") != NULL);
	EXPECT_NULL(supervisor);
	for (int i = 0; i < CLIENTS; i++)
		keeper_client_free(plane.clients[i]);
	remove_dir(plane.dir);
}

static void
open_by_itself(bool by_descriptor)
{
	struct keeper_options options;
	struct un_detail detail = {0};
	struct plane plane = {0};
	char path[128];
	int fd;

	make_dir(&plane);
	make_clients(&plane);
	fd = open(plane.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT_OK(io_replace_file(fd, "pass", "correct horse battery\n", 22, 0600));
	(void)close(fd);
	(void)snprintf(path, sizeof path, "%s/pass", plane.dir);
	options = options_of(&plane);
	options.provider = "passphrase";
	options.passphrase_path = path;
	if (by_descriptor) { /* the file itself may be somebody else's */
		options.passphrase_fd = fd = open(path, O_RDONLY | O_CLOEXEC);
		EXPECT_INT(0, unlink(path));
	}
	EXPECT_OK(keeper_supervisor_start(&options, &detail, &plane.supervisor));
	EXPECT_INT(KEEPER_OPEN, ask_info(&plane).info.state);
	EXPECT_INT(0, kill(keeper_supervisor_pid(plane.supervisor), SIGKILL));
	while (keeper_supervisor_restarts(plane.supervisor) == 0) {
		struct pollfd one = {.fd = keeper_supervisor_fd(plane.supervisor),
		                     .events = POLLIN};

		assert_true(poll(&one, 1, DEADLINE_MS) > 0);
		keeper_supervisor_pump(plane.supervisor);
	}
	while (keeper_client_pump(plane.clients[0]) == UN_OK)
		;
	await_restart(&plane, 1);
	EXPECT_INT(KEEPER_OPEN, ask_info(&plane).info.state);
	plane_fini(&plane);
	if (by_descriptor)
		(void)close(fd);
}

TEST(keeper, opens_by_itself_with_a_passphrase_file_also_after_a_crash)
{
	open_by_itself(false);
}

TEST(keeper, opens_by_itself_with_a_passphrase_file_that_is_open_already)
{
	open_by_itself(true);
}

/* The needles are kept inverted, so that only the real thing matches. */
TEST(keeper, leaves_no_key_and_no_ticket_in_the_memory_of_its_client)
{
	enum { PART = 24 };
	uint8_t travel[TRAVEL_DEK_LEN], launcher_public[BOX_PUBLIC_LEN];
	uint8_t not_dek[PART], not_ticket[PART], not_sent[PART], control[PART];
	volatile uint8_t *live; /* or the compiler leaves it out */
	struct secbuf *dek, *launcher_private, *ticket;
	struct result stored, released = {0};
	struct plane plane;

	plane_init(&plane);
	make_travel(&plane, &dek, travel);
	stored = ingest(&plane, 1, travel);
	ticket = grant(&plane);
	EXPECT_OK(box_keypair(&launcher_private, launcher_public));
	EXPECT_OK(keeper_release(
	        plane.clients[0],
	        &(struct keeper_release){ticket, launcher_public,
	                                 &(struct keeper_row){&plane.id, 1, stored.bytes}, 1},
	        (struct keeper_call){take, &released, 0}));
	drain(&plane);
	EXPECT_OK(released.err);
	for (size_t i = 0; i < PART; i++) /* of the ticket that was sent: its MAC */
		not_sent[i] = secbuf_peek(ticket)[secbuf_len(ticket) - PART + i] ^ 0xff;
	secbuf_free(ticket);
	ticket = grant(&plane); /* the last answer: nothing has run over it since */
	for (size_t i = 0; i < PART; i++) {
		not_dek[i] = secbuf_peek(dek)[i] ^ 0xff;
		not_ticket[i] = secbuf_peek(ticket)[secbuf_len(ticket) - PART + i] ^ 0xff;
		control[i] = (uint8_t)(i * 7) ^ 0xff;
	}
	secbuf_free(ticket);
	secbuf_free(launcher_private);
	secbuf_free(dek);
	live = malloc(PART);
	for (size_t i = 0; i < PART; i++)
		live[i] = (uint8_t)(i * 7);
	EXPECT(find_in_memory(control, PART) >= 1); /* the search does find */
	free((void *)live);
	EXPECT_INT(0, find_in_memory(not_dek, PART));
	EXPECT_INT(0, find_in_memory(not_ticket, PART));
	EXPECT_INT(0, find_in_memory(not_sent, PART));
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
