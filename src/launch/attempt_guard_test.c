/* Files that outputs refer to, by the whole of union-exec: tests/launch/plane.h. */
#include "launch/checks.h"

#define VALUE "hunter22-swordfish-4711"

/* A task of another SDK: writes a file under the prefix for raw data, and outputs that refer to it.
 * argv: what to write, its name, the output folder, the prefix. */
static const char task[] =
	"import gzip, os, sys\n"
	"what, name, out, raw = sys.argv[1:]\n"
	"value = open(os.environ['FLYTE_SECRETS_DEFAULT_DIR'] + '/s').read()\n"
	"os.makedirs(raw + '/ab')\n"
	"path = raw + '/ab/' + name\n"
	"data = {'gzip': gzip.compress(value.encode()), 'odd': b'\\1\\2\\3\\xff' * 9,\n"
	"        'half': gzip.compress(value[:9].encode())}[what]\n"
	"open(path, 'wb').write(data)\n"
	"def field(number, content):\n"
	"    size = len(content)\n"
	"    head = bytes([number << 3 | 2])\n"
	"    return head + bytes([size & 127 | 128, size >> 7]) + content\n"
	"blob = field(1, field(1, b'')) + field(3, path.encode())\n"
	"literal = field(1, field(2, blob))\n"
	"open(out + '/outputs.pb', 'wb').write(field(1, field(1, b'o0') + field(2, literal)))\n";

static const Flyteidl__Core__TypedInterface *
file_interface(void)
{
	static Flyteidl__Core__BlobType blob = FLYTEIDL__CORE__BLOB_TYPE__INIT;
	static Flyteidl__Core__LiteralType type = FLYTEIDL__CORE__LITERAL_TYPE__INIT;
	static Flyteidl__Core__Variable variable = FLYTEIDL__CORE__VARIABLE__INIT;
	static Flyteidl__Core__VariableMap__VariablesEntry
		entry = FLYTEIDL__CORE__VARIABLE_MAP__VARIABLES_ENTRY__INIT,
		*entries[] = {&entry};
	static Flyteidl__Core__VariableMap outputs = FLYTEIDL__CORE__VARIABLE_MAP__INIT;
	static Flyteidl__Core__TypedInterface interface = FLYTEIDL__CORE__TYPED_INTERFACE__INIT;

	type.type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_BLOB;
	type.blob = &blob;
	variable.type = &type;
	entry.key = (char *)(uintptr_t) "o0";
	entry.value = &variable;
	outputs.n_variables = 1;
	outputs.variables = entries;
	interface.outputs = &outputs;
	return &interface;
}

static void
run_task(struct plane *plane, const char *what, const char *name, Union__V1__GuardPolicy policy)
{
	static const char *const words[] = {"/usr/bin/python3", "-c", task};

	plane_init(plane);
	memcpy(plane->words, words, sizeof words);
	plane->words[3] = what;
	plane->words[4] = name;
	plane->words[5] = "{{.outputPrefix}}";
	plane->words[6] = "{{.rawOutputDataPrefix}}";
	plane->interface = file_interface();
	plane->guard = policy;
	add_secret(plane, "s", VALUE);
	plane_run(plane, UNION_EXEC);
}

TEST(attempt_guard, a_value_in_a_file_that_an_output_means_fails_the_attempt)
{
	struct plane plane;

	run_task(&plane, "gzip", "model.gz", UNION__V1__GUARD_POLICY__GUARD_UNSPECIFIED);
	expect_outcome(&plane, FAILED, 1);
	expect_error(&plane, "result-has-secret",
	             "output 'o0: model.gz' contains the value of secret 's'");
	EXPECT_NULL(plane.finish->outputs);
	plane_fini(&plane);
}

TEST(attempt_guard, a_clean_file_passes_and_the_log_says_what_was_looked_into)
{
	struct plane plane;

	run_task(&plane, "half", "model.gz", UNION__V1__GUARD_POLICY__GUARD_STRICT);
	expect_outcome(&plane, SUCCEEDED, 0);
	expect_log(&plane, "[union-exec: the guard looked into 1 file of the results, 1 KiB]\n");
	plane_fini(&plane);
}

TEST(attempt_guard, the_policy_decides_of_what_it_cannot_look_into)
{
	struct plane plane;

	run_task(&plane, "odd", "a.bin", UNION__V1__GUARD_POLICY__GUARD_KNOWN);
	expect_outcome(&plane, SUCCEEDED, 0);
	EXPECT(strstr(task_log(&plane), "cannot look into: o0: a.bin is of no format") != NULL);
	plane_fini(&plane);
	run_task(&plane, "odd", "a.bin", UNION__V1__GUARD_POLICY__GUARD_STRICT);
	expect_outcome(&plane, FAILED, 1);
	expect_error(&plane, "result-unseen", "o0: a.bin is of no format");
	plane_fini(&plane);
	run_task(&plane, "gzip", "a.gz", UNION__V1__GUARD_POLICY__GUARD_OFF);
	expect_outcome(&plane, SUCCEEDED, 0);
	expect_log(&plane, "[union-exec: the guard is off in this project: nobody looks into the "
	                   "results]\n");
	plane_fini(&plane);
}

TEST_MAIN()
