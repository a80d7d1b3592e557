#include "runs/runs_story.h"

#include "runs/bundles.h"

#include <fcntl.h>
#include <unistd.h>

#define DAY_US (86400ll * 1000000)
#define MD5_TEXT "0123456789abcdef0123456789abcdef"

static void
begin_keeping(struct plane_fixture *f)
{
	begin(f, 8);
	f->retention = (struct retention){10 * DAY_US, 5 * DAY_US, 20 * DAY_US};
	EXPECT_OK(fixture_restart(f));
}

/* One whole pass, an hour and `later_us` after the last one. */
static void
pass(struct plane_fixture *f, int64_t later_us)
{
	f->now_us += later_us + 3600ll * 1000000;
	runs_tick(f->runs); /* the first one only sets the time of the next */
	f->now_us += 60ll * 1000000;
	for (int i = 0; i < 100; i++) {
		runs_tick(f->runs);
		f->now_us += 50000;
	}
}

static void
launch_named(struct plane_fixture *f, const char *name)
{
	Union__V1__LaunchRequest *request = diamond();

	request->execution->name = (char *)(uintptr_t)name;
	launch(f, request);
}

static void
abort_named(struct plane_fixture *f, const char *text)
{
	struct runs_name name = {{"p", "d"}, ""};

	(void)snprintf(name.name, sizeof name.name, "%s", text);
	EXPECT_OK(runs_abort(f->runs, &name, "why", &asker, &f->detail));
	for (size_t i = 0; i < f->engine.count; i++) {
		if (f->engine.launchers[i].alive)
			dies(f, &f->engine.launchers[i]);
	}
}

static enum un_err
find_run(struct plane_fixture *f, const char *name, int64_t *ret_id)
{
	struct store_view *view;
	struct run_bytes bytes;
	struct run_row row;
	enum un_err err;

	EXPECT_OK(runs_read(f->runs, &view, NULL));
	err = run_get(view, "p", "d", name, &row, NULL);
	if (!err)
		*ret_id = row.id;
	else /* nothing of it is left */
		EXPECT_ERR(UN_ERR_NOT_FOUND, run_value_get(view, *ret_id, RUN_PLACE_SELF,
		                                           RUN_INPUTS, &bytes, NULL));
	runs_read_end(f->runs);
	return err;
}

static void
make_file(int dir_fd, const char *path, int64_t now_us, int64_t age_us)
{
	int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	const struct timespec then = {.tv_sec = (now_us - age_us) / 1000000};
	const struct timespec times[2] = {then, then};

	EXPECT(fd >= 0);
	EXPECT_INT(0, futimens(fd, times));
	io_close(&fd);
}

static bool
is_there(int dir_fd, const char *path)
{
	return faccessat(dir_fd, path, F_OK, 0) == 0;
}

/* A log folder of that name with one file. */
static void
make_log(struct plane_fixture *f, const char *execution, int64_t id, char ret_folder[64])
{
	char file[80];

	(void)snprintf(ret_folder, 64, "%s.%lld", execution, (long long)id);
	(void)snprintf(file, sizeof file, "%s/n0.0.log", ret_folder);
	EXPECT_INT(0, mkdirat(f->runs->logs_fd, ret_folder, 0700));
	make_file(f->runs->logs_fd, file, f->now_us, 0);
}

TEST(retention, logs_go_first_then_what_has_ended_and_never_the_newest)
{
	struct plane_fixture f;
	char folder[64], orphan[64];
	int64_t first = 0, second = 0;

	begin_keeping(&f);
	launch_named(&f, "r1");
	EXPECT_OK(find_run(&f, "r1", &first));
	abort_named(&f, "r1");
	make_log(&f, "r1", first, folder);
	make_log(&f, "gone", first + 1000, orphan); /* a crash left it without its execution */
	launch_named(&f, "r2");
	abort_named(&f, "r2");
	pass(&f, DAY_US);
	EXPECT(is_there(f.runs->logs_fd, folder));
	EXPECT(!is_there(f.runs->logs_fd, orphan));
	pass(&f, 5 * DAY_US);
	EXPECT(!is_there(f.runs->logs_fd, folder));
	EXPECT_OK(find_run(&f, "r1", &first));
	pass(&f, 5 * DAY_US);
	EXPECT_ERR(UN_ERR_EXECUTION_NOT_FOUND, find_run(&f, "r1", &first));
	EXPECT_OK(find_run(&f, "r2", &second));
	EXPECT_INT(1, retention_counts(f.runs).executions);
	EXPECT_INT(2, retention_counts(f.runs).logs);
	launch_named(&f, "r1"); /* the name is free again, and the number another */
	EXPECT_OK(find_run(&f, "r1", &first));
	EXPECT(first > second);
	end(&f);
}

TEST(retention, what_is_not_over_stays_however_old)
{
	struct plane_fixture f;
	int64_t id = 0;

	begin_keeping(&f);
	f.runs->options.retention.executions_us = 60ll * 1000000;
	launch_named(&f, "old");
	launch_named(&f, "new");
	for (int i = 0; i < 3; i++) { /* claimed by nobody: tried again and again */
		EXPECT_INT(RUN_RUNNING, f.runs->first->execution->state);
		f.runs->retaining.next_us = 1;
		pass(&f, 0);
	}
	EXPECT_OK(find_run(&f, "old", &id));
	EXPECT_INT(0, retention_counts(f.runs).executions);
	end(&f);
}

TEST(retention, what_took_long_is_kept_from_its_end)
{
	struct plane_fixture f;
	int64_t id = 0;

	begin_keeping(&f);
	f.runs->options.retention.executions_us = 600ll * 1000000;
	launch_named(&f, "long");
	launch_named(&f, "new");
	pass(&f, 0);
	abort_named(&f, "long"); /* begun an hour ago, over now */
	f.runs->retaining.next_us = 1;
	for (int i = 0; i < 10; i++) {
		runs_tick(f.runs);
		f.now_us += 50000;
	}
	EXPECT_OK(find_run(&f, "long", &id));
	pass(&f, 0); /* the pass before has looked at it, and this one does again */
	EXPECT_ERR(UN_ERR_EXECUTION_NOT_FOUND, find_run(&f, "long", &id));
	end(&f);
}

TEST(retention, each_kind_may_stay_for_ever)
{
	static const char bundle[] = "p.d." MD5_TEXT ".tar.gz";
	struct plane_fixture f;
	char folder[64];
	int64_t id = 0;

	begin_keeping(&f);
	launch_named(&f, "r1");
	EXPECT_OK(find_run(&f, "r1", &id));
	make_log(&f, "r1", id, folder);
	abort_named(&f, "r1");
	launch_named(&f, "r2");
	abort_named(&f, "r2");
	make_file(f.runs->bundles_fd, bundle, f.now_us, 30 * DAY_US);
	f.runs->options.retention = (struct retention){0, 0, DAY_US};
	pass(&f, 1000 * DAY_US);
	EXPECT(!is_there(f.runs->bundles_fd, bundle));
	EXPECT(is_there(f.runs->logs_fd, folder));
	EXPECT_OK(find_run(&f, "r1", &id));
	make_file(f.runs->bundles_fd, bundle, f.now_us, 30 * DAY_US);
	f.runs->options.retention = (struct retention){0, DAY_US, 0};
	pass(&f, 1000 * DAY_US);
	EXPECT(is_there(f.runs->bundles_fd, bundle));
	EXPECT(!is_there(f.runs->logs_fd, folder));
	EXPECT_OK(find_run(&f, "r1", &id));
	f.runs->options.retention = (struct retention){DAY_US, 0, 0};
	pass(&f, 0);
	EXPECT(is_there(f.runs->bundles_fd, bundle));
	EXPECT_ERR(UN_ERR_EXECUTION_NOT_FOUND, find_run(&f, "r1", &id));
	end(&f);
}

TEST(retention, many_go_in_small_steps)
{
	struct plane_fixture f;
	char name[16];
	int64_t id = 0;

	begin_keeping(&f);
	for (int i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof name, "r%d", i);
		launch_named(&f, name);
		abort_named(&f, name);
	}
	f.now_us += 11 * DAY_US;
	runs_tick(f.runs);
	EXPECT_INT(4, retention_counts(f.runs).executions);
	EXPECT(f.wait_us <= 50000);
	pass(&f, 0);
	EXPECT_INT(19, retention_counts(f.runs).executions);
	EXPECT_OK(find_run(&f, "r19", &id));
	end(&f);
}

TEST(retention, bundles_go_that_nothing_needs)
{
	static char url[] = BUNDLE_URL_PREFIX "p/d/" MD5_TEXT ".tar.gz";
	static const char needed[] = "p.d." MD5_TEXT ".tar.gz";
	static const char old[] = "p.d.ffffffffffffffffffffffffffffffff.tar.gz";
	static const char young[] = "p.d.eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee.tar.gz";
	static char *args[] = {url};
	struct plane_fixture f;
	Union__V1__LaunchRequest *request;

	begin_keeping(&f);
	request = diamond();
	request->tasks[0]->spec->template_->container->args = args;
	launch(&f, request);
	make_file(f.runs->bundles_fd, needed, f.now_us, 30 * DAY_US);
	make_file(f.runs->bundles_fd, old, f.now_us, 30 * DAY_US);
	make_file(f.runs->bundles_fd, young, f.now_us, 10 * DAY_US);
	make_file(f.runs->bundles_fd, ".upload-0123456789abcdef", f.now_us, 2 * DAY_US);
	make_file(f.runs->bundles_fd, ".upload-fedcba9876543210", f.now_us, 0);
	pass(&f, 0);
	EXPECT(is_there(f.runs->bundles_fd, needed));
	EXPECT(!is_there(f.runs->bundles_fd, old));
	EXPECT(is_there(f.runs->bundles_fd, young));
	EXPECT(!is_there(f.runs->bundles_fd, ".upload-0123456789abcdef"));
	EXPECT(is_there(f.runs->bundles_fd, ".upload-fedcba9876543210"));
	EXPECT_INT(1, retention_counts(f.runs).bundles);
	end(&f);
}

TEST(retention, without_it_everything_stays)
{
	struct plane_fixture f;
	int64_t id = 0;

	begin(&f, 8);
	launch_named(&f, "r1");
	abort_named(&f, "r1");
	launch_named(&f, "r2");
	pass(&f, 10000 * DAY_US);
	EXPECT_OK(find_run(&f, "r1", &id));
	end(&f);
}

TEST_MAIN()
