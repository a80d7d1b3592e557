#include "launch/result.h"
#include "test.h"

#include "base/io.h"
#include "launch/tree.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUCCEEDED UNION__V1__FINISH_REQUEST__OUTCOME__SUCCEEDED
#define FAILED UNION__V1__FINISH_REQUEST__OUTCOME__FAILED
#define RETRYABLE UNION__V1__FINISH_REQUEST__OUTCOME__FAILED_RETRYABLE

struct fixture {
	char path[64];
	int parent;
	struct redact_set *values;
	struct secret_request request;
	struct secbuf *value;
	struct task_secrets secrets;
	struct result_source source;
	struct ending ending;
	struct result result;
};

static void
fixture_init(struct fixture *f)
{
	bool too_short;

	memset(f, 0, sizeof *f);
	memcpy(f->path, "/tmp/result-test-XXXXXX", 24);
	EXPECT(mkdtemp(f->path) != NULL);
	f->parent = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT_OK(tree_make(f->parent, "o", &f->source.dir_fd, NULL));
	EXPECT_OK(redact_set_new(&f->values));
	EXPECT_OK(secbuf_copy("hunter22-swordfish", 18, &f->value));
	EXPECT_OK(redact_set_add(f->values, "db", f->value, &too_short));
	EXPECT_OK(redact_set_compile(f->values));
	f->request = (struct secret_request){.name = "db"};
	f->secrets =
		(struct task_secrets){.requests = &f->request, .values = &f->value, .count = 1};
	f->source.leaving = (struct leaving){
		.values = f->values, .secrets = &f->secrets, .longest = 18, .policy = GUARD_KNOWN};
	result_init(&f->result);
}

static void
fixture_end(struct fixture *f)
{
	result_fini(&f->result);
	redact_set_free(f->values);
	secbuf_free(f->value);
	io_close(&f->source.dir_fd);
	EXPECT_OK(tree_remove(f->parent, "o"));
	io_close(&f->parent);
	EXPECT_INT(0, rmdir(f->path));
}

static void
write_bytes(struct fixture *f, const char *name, const void *bytes, size_t len)
{
	EXPECT_OK(io_replace_file(f->source.dir_fd, name, bytes, len, 0600));
}

static void
write_error_of(struct fixture *f, const char *code, const char *message, int kind)
{
	Flyteidl__Core__ErrorDocument document = FLYTEIDL__CORE__ERROR_DOCUMENT__INIT;
	Flyteidl__Core__ContainerError error = FLYTEIDL__CORE__CONTAINER_ERROR__INIT;
	uint8_t bytes[4096];

	error.code = (char *)(uintptr_t)code;
	error.message = (char *)(uintptr_t)message;
	error.kind = (Flyteidl__Core__ContainerError__Kind)kind;
	document.error = &error;
	EXPECT(flyteidl__core__error_document__get_packed_size(&document) <= sizeof bytes);
	write_bytes(f, "error.pb", bytes, flyteidl__core__error_document__pack(&document, bytes));
}

static void
write_error(struct fixture *f, const char *message, int kind)
{
	write_error_of(f, "USER:ValueError", message, kind);
}

/* {"o0": literal} */
static void
write_output(struct fixture *f, const char *name, Flyteidl__Core__Literal *literal)
{
	Flyteidl__Core__LiteralMap map = FLYTEIDL__CORE__LITERAL_MAP__INIT;
	Flyteidl__Core__LiteralMap__LiteralsEntry
		entry = FLYTEIDL__CORE__LITERAL_MAP__LITERALS_ENTRY__INIT,
		*entries[] = {&entry};
	uint8_t bytes[4096];

	entry.key = (char *)(uintptr_t)name;
	entry.value = literal;
	map.n_literals = 1;
	map.literals = entries;
	EXPECT(flyteidl__core__literal_map__get_packed_size(&map) <= sizeof bytes);
	write_bytes(f, "outputs.pb", bytes, flyteidl__core__literal_map__pack(&map, bytes));
}

struct text_literal {
	Flyteidl__Core__Literal literal;
	Flyteidl__Core__Scalar scalar;
	Flyteidl__Core__Primitive primitive;
};

static Flyteidl__Core__Literal *
text_literal(struct text_literal *out, const char *text)
{
	flyteidl__core__literal__init(&out->literal);
	flyteidl__core__scalar__init(&out->scalar);
	flyteidl__core__primitive__init(&out->primitive);
	out->primitive.value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_STRING_VALUE;
	out->primitive.string_value = (char *)(uintptr_t)text;
	out->scalar.value_case = FLYTEIDL__CORE__SCALAR__VALUE_PRIMITIVE;
	out->scalar.primitive = &out->primitive;
	out->literal.value_case = FLYTEIDL__CORE__LITERAL__VALUE_SCALAR;
	out->literal.scalar = &out->scalar;
	return &out->literal;
}

/* One output, o0: str. */
static const Flyteidl__Core__TypedInterface *
text_interface(void)
{
	static Flyteidl__Core__LiteralType type = FLYTEIDL__CORE__LITERAL_TYPE__INIT;
	static Flyteidl__Core__Variable variable = FLYTEIDL__CORE__VARIABLE__INIT;
	static Flyteidl__Core__VariableMap__VariablesEntry
		entry = FLYTEIDL__CORE__VARIABLE_MAP__VARIABLES_ENTRY__INIT,
		*entries[] = {&entry};
	static Flyteidl__Core__VariableMap outputs = FLYTEIDL__CORE__VARIABLE_MAP__INIT;
	static Flyteidl__Core__TypedInterface interface = FLYTEIDL__CORE__TYPED_INTERFACE__INIT;

	type.type_case = FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE;
	type.simple = FLYTEIDL__CORE__SIMPLE_TYPE__STRING;
	variable.type = &type;
	entry.key = "o0";
	entry.value = &variable;
	outputs.n_variables = 1;
	outputs.variables = entries;
	interface.outputs = &outputs;
	return &interface;
}

static void
expect(struct fixture *f, int outcome, const char *code, const char *part)
{
	EXPECT_OK(result_of_task(&f->result, &f->source, &f->ending));
	EXPECT_INT(outcome, f->result.finish.outcome);
	if (!code) {
		EXPECT_NULL(f->result.finish.error);
		return;
	}
	EXPECT(f->result.finish.error != NULL);
	EXPECT_STR(code, f->result.finish.error->code);
	if (!strstr(f->result.finish.error->message, part))
		print_message("%s\n", f->result.finish.error->message);
	EXPECT(strstr(f->result.finish.error->message, part) != NULL);
	EXPECT_NULL(strstr(f->result.finish.error->message, "hunter22"));
	EXPECT_NULL(f->result.finish.outputs);
}

TEST(result, outputs_of_the_declared_type_succeed)
{
	struct fixture f;
	struct text_literal text;

	fixture_init(&f);
	f.source.interface = text_interface();
	write_output(&f, "o0", text_literal(&text, "hunter22 is not all of it"));
	expect(&f, SUCCEEDED, NULL, NULL);
	EXPECT_INT(1, f.result.finish.outputs->n_literals);
	EXPECT_INT(0, result_exit_status(&f.result));
	fixture_end(&f);
}

TEST(result, a_value_beside_the_outputs_in_a_field_that_nobody_knows_fails)
{
	static const uint8_t unknown[] = "\x9a\x06\x12hunter22-swordfish"; /* field 99 */
	struct fixture f;
	struct text_literal text;
	struct buf bytes;

	fixture_init(&f);
	f.source.interface = text_interface();
	write_output(&f, "o0", text_literal(&text, "harmless"));
	buf_init(&bytes, 4096, BUF_PLAIN);
	EXPECT_OK(io_read_file(f.source.dir_fd, "outputs.pb", &bytes));
	EXPECT_OK(buf_append(&bytes, unknown, sizeof unknown - 1));
	write_bytes(&f, "outputs.pb", bytes.data, bytes.len);
	buf_fini(&bytes);
	expect(&f, FAILED, "result-has-secret", "'db'");
	fixture_end(&f);
}

TEST(result, no_outputs_are_fine_where_none_are_declared)
{
	struct fixture f;

	fixture_init(&f);
	expect(&f, SUCCEEDED, NULL, NULL);
	fixture_end(&f);
	fixture_init(&f);
	f.source.interface = text_interface();
	expect(&f, FAILED, "task-failed", "without leaving its outputs");
	EXPECT_INT(1, result_exit_status(&f.result));
	fixture_end(&f);
}

TEST(result, outputs_of_another_type_or_name_fail)
{
	struct fixture f;
	struct text_literal text;

	fixture_init(&f);
	f.source.interface = text_interface();
	text_literal(&text, "");
	text.primitive.value_case = FLYTEIDL__CORE__PRIMITIVE__VALUE_INTEGER;
	text.primitive.integer = 7;
	write_output(&f, "o0", &text.literal);
	expect(&f, FAILED, "input-type", "'o0'");
	fixture_end(&f);
	fixture_init(&f);
	f.source.interface = text_interface();
	write_output(&f, "other", text_literal(&text, "x"));
	expect(&f, FAILED, f.result.code ? f.result.code : "input-missing", "o0");
	fixture_end(&f);
}

TEST(result, a_value_in_any_part_of_an_output_is_refused)
{
	struct fixture f;
	struct text_literal text;
	Flyteidl__Core__Binary binary = FLYTEIDL__CORE__BINARY__INIT;

	fixture_init(&f);
	f.source.interface = text_interface();
	write_output(&f, "o0", text_literal(&text, "https://u:hunter22-swordfish@host/"));
	expect(&f, FAILED, "result-has-secret", "output 'o0' contains the value of secret 'db'");
	EXPECT_NULL(strstr(f.result.finish.error->message, "hint:")); /* the code has one */
	text_literal(&text, "fine");
	text.literal.hash = "hunter22-swordfish";
	write_output(&f, "o0", &text.literal);
	expect(&f, FAILED, "result-has-secret", "'o0'");
	text_literal(&text, "");
	text.scalar.value_case = FLYTEIDL__CORE__SCALAR__VALUE_BINARY;
	text.scalar.binary = &binary;
	binary.value.data = (uint8_t *)(uintptr_t) "\0\1hunter22-swordfish";
	binary.value.len = 20;
	write_output(&f, "o0", &text.literal);
	expect(&f, FAILED, "result-has-secret", "'o0'");
	write_output(&f, "hunter22-swordfish", text_literal(&text, "x"));
	expect(&f, FAILED, "result-has-secret", "output '?' contains");
	fixture_end(&f);
}

TEST(result, an_error_of_the_task_wins_and_is_redacted)
{
	struct fixture f;
	struct text_literal text;

	fixture_init(&f);
	f.source.interface = text_interface();
	write_output(&f, "o0", text_literal(&text, "x"));
	write_error(&f, "ValueError: bad password hunter22-swordfish \xff!", 0);
	expect(&f, FAILED, "USER:ValueError", "bad password [secret db] ?!");
	write_error(&f, "try again", 1);
	expect(&f, RETRYABLE, "USER:ValueError", "try again");
	f.ending.status = 3;
	expect(&f, RETRYABLE, "USER:ValueError", "try again");
	EXPECT_INT(3, result_exit_status(&f.result));
	fixture_end(&f);
}

TEST(result, a_value_in_two_parts_of_an_error_leaves_nothing_of_either)
{
	static const char *const parts[][2] = {{"hunter22-", "swordfish and more"},
	                                       {"swordfish", "more and hunter22-"},
	                                       {"aHVudGVyMjIt", "c3dvcmRmaXNo"}};
	struct fixture f;

	fixture_init(&f);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		write_error_of(&f, parts[i][0], parts[i][1], 0);
		expect(&f, FAILED, "task-failed",
		       "the error held parts of [secret db] and is not shown");
	}
	write_error_of(&f, "hunter22-", "swordfi", 0);
	expect(&f, FAILED, "hunter22-", "swordfi");
	fixture_end(&f);
}

TEST(result, what_cannot_be_read_fails_the_task_and_nothing_else)
{
	static uint8_t deep[400];
	struct fixture f;

	fixture_init(&f);
	write_bytes(&f, "outputs.pb", "\xff\xff", 2);
	expect(&f, FAILED, "protocol", "cannot be read");
	for (size_t i = 0; i + 1 < sizeof deep; i += 2) { /* messages in messages, cut short */
		deep[i] = 0x0a;
		deep[i + 1] = 0x7f;
	}
	write_bytes(&f, "outputs.pb", deep, sizeof deep);
	expect(&f, FAILED, "protocol", "cannot be read");
	/* the first output's text is "a NUL b": it would be cut at the NUL without a word */
	write_bytes(&f, "outputs.pb",
	            "\x0a\x11\x0a\x02o0\x12\x0b\x0a\x09\x0a\x07\x1a\x05"
	            "a\0b\0c",
	            19);
	expect(&f, FAILED, "protocol", "NUL");
	EXPECT_INT(0, unlinkat(f.source.dir_fd, "outputs.pb", 0));
	EXPECT_INT(0, symlinkat("/etc/hostname", f.source.dir_fd, "outputs.pb"));
	expect(&f, SUCCEEDED, NULL, NULL); /* a link is no result; nothing was declared */
	write_bytes(&f, "error.pb", "\x0a\x05zz", 4);
	expect(&f, FAILED, "task-failed", "cannot be read");
	EXPECT_INT(0, unlinkat(f.source.dir_fd, "error.pb", 0));
	EXPECT_INT(0, mkfifoat(f.source.dir_fd, "error.pb", 0600));
	expect(&f, FAILED, "task-failed", "cannot be read");
	fixture_end(&f);
}

TEST(result, bad_ends_say_what_happened)
{
	struct fixture f;

	fixture_init(&f);
	f.ending = (struct ending){.by_signal = true, .status = 9};
	expect(&f, RETRYABLE, "task-failed", "SIGKILL; it may have run out of memory");
	EXPECT_INT(137, result_exit_status(&f.result));
	f.ending = (struct ending){.status = 4};
	expect(&f, RETRYABLE, "task-failed", "exit status 4");
	f.ending = (struct ending){.cause = ENDED_TIMEOUT, .by_signal = true, .status = 15};
	f.source.timeout_ms = 90500;
	expect(&f, UNION__V1__FINISH_REQUEST__OUTCOME__TIMED_OUT, "task-timed-out",
	       "90.500 seconds");
	f.ending = (struct ending){.cause = ENDED_CANCELLED};
	expect(&f, UNION__V1__FINISH_REQUEST__OUTCOME__CANCELLED, "aborted", "cancelled");
	f.ending = (struct ending){0};
	write_bytes(&f, "futures.pb", "", 0);
	expect(&f, FAILED, "unsupported", "dynamic");
	fixture_end(&f);
}

TEST_MAIN()
