#include "runs/machine.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum un_err
make(const char *range, const char *workdir, struct machine **ret_machine)
{
	const struct machine_options options = {.uid_range = range};

	return machine_new(&options, workdir, ret_machine, NULL);
}

TEST(machine, no_two_attempts_have_one_uid)
{
	struct machine *machine;
	uid_t first, second, third;

	if (geteuid() != 0)
		return;
	EXPECT_OK(make("200000-200002", "/nowhere", &machine));
	first = machine_take_uid(machine, "p");
	second = machine_take_uid(machine, "p");
	third = machine_take_uid(machine, "p");
	EXPECT(first >= 200000 && first <= 200002 && second >= 200000 && second <= 200002);
	EXPECT(first != second && second != third && third != first);
	EXPECT_INT(0, machine_take_uid(machine, "p")); /* then the task has ours, and says so */
	machine_give_uid(machine, second);
	EXPECT_INT(second, machine_take_uid(machine, "p"));
	machine_give_uid(machine, 0); /* none was taken */
	machine_give_uid(machine, 4000000000u);
	EXPECT_INT(0, machine_take_uid(machine, "p"));
	machine_free(machine);
}

TEST(machine, a_uid_whose_files_are_still_there_is_not_given)
{
	char folder[] = "/tmp/union-machine-XXXXXX", path[64];
	struct machine *machine;

	if (geteuid() != 0)
		return;
	EXPECT(mkdtemp(folder) != NULL);
	(void)snprintf(path, sizeof path, "%s/a-left", folder);
	EXPECT_INT(0, mkdir(path, 0710));
	EXPECT_INT(0, chown(path, 0, 200001));
	EXPECT_OK(make("200000-200001", folder, &machine));
	EXPECT_INT(200000, machine_take_uid(machine, "p"));
	EXPECT_INT(0, machine_take_uid(machine, "p"));
	machine_free(machine);
	EXPECT_INT(0, rmdir(path));
	EXPECT_INT(0, rmdir(folder));
}

/* Files that a project's task left stay its own; the last resort is said in the log. */
TEST(machine, a_uid_of_another_project_is_not_given_where_files_stay)
{
	char folder[] = "/tmp/union-machine-XXXXXX", path[64];
	struct machine_options options = {.uid_range = "200000-200003", .writable = folder};
	struct machine *machine;
	uid_t first, second;

	if (geteuid() != 0)
		return;
	EXPECT(mkdtemp(folder) != NULL);
	(void)snprintf(path, sizeof path, "%s/left", folder);
	EXPECT_INT(0, mkdir(path, 0700));
	EXPECT_INT(0, chown(path, 200002, 200002)); /* by an earlier server's task */
	EXPECT_OK(machine_new(&options, "/nowhere", &machine, NULL));
	first = machine_take_uid(machine, "p");
	machine_give_uid(machine, first);
	second = machine_take_uid(machine, "q");
	machine_give_uid(machine, second);
	EXPECT(first != second);
	for (int round = 0; round < 8; round++) {
		uid_t uid = machine_take_uid(machine, "p");

		EXPECT(uid != 0 && uid != second && uid != 200002);
		machine_give_uid(machine, uid);
	}
	EXPECT(machine_take_uid(machine, "r") != 0); /* one is better than ours */
	machine_free(machine);
	EXPECT_INT(0, rmdir(path));
	EXPECT_INT(0, rmdir(folder));
}

TEST(machine, ranges_that_are_none)
{
	static const char *const wrong[] = {"1",   "-",     "5-",  "-5",           "0-9",
	                                    "9-5", "1-2-3", "a-b", "1-4294967295", "1-99999999"};
	struct machine *machine;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		EXPECT_ERR(UN_ERR_BAD_CONFIG, make(wrong[i], "/nowhere", &machine));
	EXPECT_OK(make("none", "/nowhere", &machine));
	EXPECT_INT(0, machine_take_uid(machine, "p"));
	machine_free(machine);
	EXPECT_OK(make("", "/nowhere", &machine));
	EXPECT((machine_take_uid(machine, "p") != 0) == (geteuid() == 0));
	machine_free(machine);
	if (geteuid() != 0) /* asked for, and not to be had */
		EXPECT_ERR(UN_ERR_BAD_CONFIG, make("200000-200001", "/nowhere", &machine));
}

TEST_MAIN()
