/* testing_plane.h - store, keeper and one worker without a server, for unit tests of services. The
 * test program is its own keeper: TESTING_PLANE_MAIN. Include it in one file of a test only. */
#ifndef SERVICES_TESTING_PLANE_H
#define SERVICES_TESTING_PLANE_H

#include "base/clock.h"
#include "crypto/hash.h"
#include "services/audit_notes.h"
#include "services/keeper_link.h"
#include "services/plane.h"
#include "store/rewrap.h"
#include "store/secrets.h"
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct plane {
	char dir[64];
	struct store *store;
	struct keeper_supervisor *supervisor;
	struct keeper_link link;
	struct loop_watch supervisor_watch;
	struct loop *loop;
	struct plane_worker worker;
	struct directory *access;
};

struct store *
plane_store(const struct plane *plane)
{
	return plane->store;
}

struct directory *
plane_access(const struct plane *plane)
{
	return plane->access;
}

void
plane_recheck_callers(struct plane *plane)
{
	(void)plane; /* there are no streams */
}

static void
plane_give(void *context, unsigned index, int fd)
{
	struct plane *plane = context;

	assert_int_equal(index, 0);
	keeper_link_give(&plane->link, fd);
}

static void
plane_on_supervisor(struct loop_watch *watch, uint32_t events)
{
	struct plane *plane = watch->ctx;

	(void)events;
	keeper_supervisor_pump(plane->supervisor);
}

static void
plane_init(struct plane *plane)
{
	struct store_options store = {.dir = plane->dir, .create = true};
	struct un_detail detail = {0};
	char keys[128];
	struct keeper_options keeper = {.keys_dir = keys,
	                                .provider = "file",
	                                .may_create = true,
	                                .sockets = 1,
	                                .give = plane_give,
	                                .context = plane};

	*plane = (struct plane){.dir = "/tmp/plane-test-XXXXXX"};
	EXPECT_OK(crypto_init());
	assert_non_null(mkdtemp(plane->dir));
	(void)snprintf(keys, sizeof keys, "%s/keys", plane->dir);
	EXPECT_OK(store_open(&store, &plane->store, &detail));
	EXPECT_OK(loop_new(&plane->loop));
	keeper_link_init(&plane->link);
	EXPECT_OK(keeper_supervisor_start(&keeper, &detail, &plane->supervisor));
	plane->supervisor_watch = (struct loop_watch){.fd = keeper_supervisor_fd(plane->supervisor),
	                                              .events = EPOLLIN,
	                                              .fn = plane_on_supervisor,
	                                              .ctx = plane};
	EXPECT_OK(loop_watch_add(plane->loop, &plane->supervisor_watch));
	EXPECT_OK(keeper_link_open(&plane->link, plane->loop));
	plane->worker = (struct plane_worker){
	        .plane = plane, .loop = plane->loop, .keeper = plane->link.client};
	EXPECT_OK(store_reader_open(plane->store, &plane->worker.reader, &detail));
	EXPECT_OK(directory_new(&plane->access));
	directory_reader_init(&plane->worker.access, plane->access);
	EXPECT_OK(audit_notes_new(plane->store, plane->loop, AUDIT_READS_SUMMED,
	                          &plane->worker.notes));
}

static void
plane_step(struct plane *plane)
{
	/* what was asked from outside of the loop: inside, the link does this after each batch */
	keeper_client_flush(plane->worker.keeper);
	EXPECT_OK(loop_step(plane->loop, 10000));
	store_read_end(plane->worker.reader);
}

static void
plane_fini(struct plane *plane)
{
	char *const argv[] = {(char *)"rm", (char *)"-rf", plane->dir, NULL};
	char *const environment[] = {NULL};
	int status;
	pid_t pid;

	audit_notes_free(plane->worker.notes);
	keeper_link_close(&plane->link);
	loop_watch_remove(plane->loop, &plane->supervisor_watch);
	keeper_supervisor_stop(plane->supervisor);
	keeper_link_fini(&plane->link);
	loop_timer_cancel(plane->loop, &plane->worker.access_retry);
	directory_reader_fini(&plane->worker.access);
	directory_free(plane->access);
	store_reader_close(plane->worker.reader);
	store_close(plane->store);
	loop_free(plane->loop);
	assert_int_equal(posix_spawnp(&pid, "rm", NULL, NULL, argv, environment), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Everything that is written, one row at a time. */
static bool
plane_count_row(void *ctx, const struct secret_head *head)
{
	(void)head;
	++*(unsigned *)ctx;
	return true;
}

__attribute__((unused)) static unsigned
plane_count_secrets(struct plane *plane)
{
	struct secret_filter filter = {.org = "", .limit = 1000000};
	char cursor[SECRET_CURSOR_MAX];
	unsigned count = 0;

	EXPECT_OK(store_read_begin(plane->worker.reader, NULL));
	EXPECT_OK(secret_list(store_reader_view(plane->worker.reader), &filter,
	                      (struct secret_visit){plane_count_row, &count}, cursor, NULL));
	store_read_end(plane->worker.reader);
	return count;
}

#define TESTING_PLANE_MAIN()                                                                       \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		if (argc > 1 && strcmp(argv[1], "keeper") == 0)                                    \
			return keeper_main(argc - 2, argv + 2);                                    \
		cmocka_set_message_output(CM_OUTPUT_TAP);                                          \
		return _cmocka_run_group_tests(__FILE__, test_all, test_count, NULL, NULL);        \
	}

#endif
