#include "launch/result.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/io.h"
#include "model/wire.h"
#include "runs/type.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHOWN_TIME_MAX 32

void
result_init(struct result *result)
{
	memset(result, 0, sizeof *result);
	union__v1__finish_request__init(&result->finish);
	flyteidl__core__execution_error__init(&result->error);
}

static void
forget(struct result *result)
{
	flyteidl__core__literal_map__free_unpacked(result->outputs, NULL);
	mem_free(result->code);
	mem_free(result->message);
	result_init(result);
}

void
result_fini(struct result *result)
{
	forget(result);
}

static enum un_err
fail(struct result *result, Union__V1__FinishRequest__Outcome outcome, const char *code,
     const char *message)
{
	bool user = outcome == UNION__V1__FINISH_REQUEST__OUTCOME__FAILED ||
	            outcome == UNION__V1__FINISH_REQUEST__OUTCOME__FAILED_RETRYABLE ||
	            outcome == UNION__V1__FINISH_REQUEST__OUTCOME__TIMED_OUT;

	forget(result);
	result->code = mem_strdup(code);
	result->message = mem_strdup(message);
	if (!result->code || !result->message)
		return UN_ERR_NO_MEMORY;
	result->error.code = result->code;
	result->error.message = result->message;
	result->error.kind = user ? FLYTEIDL__CORE__EXECUTION_ERROR__ERROR_KIND__USER
	                          : FLYTEIDL__CORE__EXECUTION_ERROR__ERROR_KIND__SYSTEM;
	result->finish.outcome = outcome;
	result->finish.error = &result->error;
	return UN_OK;
}

/* The hint that goes with the code is known to whoever shows the error; one of our own is not. */
enum un_err
result_of_failure(struct result *result, enum un_err failure, const struct un_detail *detail,
                  bool user)
{
	const char *hint = un_hint_text(failure, detail);
	bool own = strcmp(hint, un_err_hint(failure)) != 0;
	char message[2 * UN_DETAIL_MAX + 16];

	(void)snprintf(message, sizeof message, "%s%s%s", un_message(failure, detail),
	               own ? "\nhint: " : "", own ? hint : "");
	return fail(result,
	            user ? UNION__V1__FINISH_REQUEST__OUTCOME__FAILED
	                 : UNION__V1__FINISH_REQUEST__OUTCOME__SYSTEM_FAILED,
	            un_err_slug(failure), message);
}

void
result_of_begun(struct result *result)
{
	if (result->finish.outcome == UNION__V1__FINISH_REQUEST__OUTCOME__SYSTEM_FAILED)
		result->finish.outcome = UNION__V1__FINISH_REQUEST__OUTCOME__FAILED_RETRYABLE;
}

const char *
result_signal_name(int number, char text[16])
{
	const char *name = sigabbrev_np(number);

	if (name)
		(void)snprintf(text, 16, "SIG%s", name);
	else
		(void)snprintf(text, 16, "signal %d", number);
	return text;
}

/* A whole file of the output folder. UN_ERR_NOT_FOUND; UN_ERR_INVALID: it is no regular file. */
static enum un_err
read_result(int dir_fd, const char *name, struct buf *out)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat facts;
	enum un_err err;

	if (fd < 0)
		return UN_ERR_NOT_FOUND;
	if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode))
		err = UN_ERR_INVALID;
	else
		err = io_read_all(fd, out);
	(void)close(fd);
	return err;
}

static enum un_err
append(void *ctx, const uint8_t *bytes, size_t len)
{
	return buf_append(ctx, bytes, len);
}

/* Replaces what is not UTF-8: a protobuf string must be. */
static void
make_utf8(uint8_t *bytes, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t more = bytes[at] < 0x80             ? 0
		              : (bytes[at] & 0xe0) == 0xc0 ? 1
		              : (bytes[at] & 0xf0) == 0xe0 ? 2
		              : (bytes[at] & 0xf8) == 0xf0 ? 3
		                                           : len;
		bool good = more < len - at &&
		            !(more && (bytes[at] == 0xc0 || bytes[at] == 0xc1)) && bytes[at] != 0;

		for (size_t i = 1; good && i <= more; i++)
			good = (bytes[at + i] & 0xc0) == 0x80;
		if (!good) {
			bytes[at] = '?';
			more = 0;
		}
		at += more + 1;
	}
}

/* A text of the task's without values. Long ones lose their front: the end of a traceback says
 * most. */
static enum un_err
clean_text(const struct redact_set *values, const char *text, struct buf *out)
{
	struct redact_stream *stream;
	enum un_err err = redact_stream_new(values, append, out, &stream);

	if (err)
		return err;
	err = redact_push(stream, (const uint8_t *)text, strlen(text));
	if (!err)
		err = redact_flush(stream);
	redact_stream_free(stream);
	if (!err && out->len > RESULT_MESSAGE_MAX)
		buf_drop_front(out, out->len - RESULT_MESSAGE_MAX);
	if (!err && out->len)
		make_utf8(out->data, out->len);
	return err;
}

/* A value may be in two parts, or may only have come about where bytes that are no text were
 * replaced: then nothing is left of either text. */
static enum un_err
hide_parts(const struct redact_set *values, struct buf *code, struct buf *message)
{
	const char *name = NULL;
	struct buf both;
	enum un_err err;

	buf_init(&both, 2 * code->max + message->max, BUF_WIPE);
	err = buf_append(&both, code->data, code->len);
	if (!err)
		err = buf_append(&both, message->data, message->len);
	if (!err)
		err = buf_append(&both, code->data, code->len);
	if (!err)
		name = redact_find(values, both.data, both.len);
	buf_fini(&both);
	if (!name)
		return err;
	buf_clear(code);
	buf_clear(message);
	err = buf_append_text(code, "task-failed");
	return err ? err
	           : buf_appendf(message, "the error held parts of [secret %s] and is not shown",
	                         name);
}

static enum un_err
from_error_document(struct result *result, const struct redact_set *values,
                    const Flyteidl__Core__ContainerError *error)
{
	bool again = error->kind == FLYTEIDL__CORE__CONTAINER_ERROR__KIND__RECOVERABLE;
	struct buf code, message;
	enum un_err err;

	buf_init(&code, RESULT_ERROR_MAX + RESULT_MESSAGE_MAX, BUF_PLAIN);
	buf_init(&message, RESULT_ERROR_MAX * 40u,
	         BUF_PLAIN); /* a mark may be longer than its value */
	err = clean_text(values, error->code, &code);
	if (!err)
		err = clean_text(values, error->message, &message);
	if (!err)
		err = hide_parts(values, &code, &message);
	if (!err)
		err = fail(result,
		           again ? UNION__V1__FINISH_REQUEST__OUTCOME__FAILED_RETRYABLE
		                 : UNION__V1__FINISH_REQUEST__OUTCOME__FAILED,
		           buf_text(&code), buf_text(&message));
	if (!err && error->origin == FLYTEIDL__CORE__EXECUTION_ERROR__ERROR_KIND__SYSTEM)
		result->error.kind = error->origin;
	buf_fini(&code);
	buf_fini(&message);
	return err;
}

/* error.pb, when there is one. *ret_found: the result is made. */
static enum un_err
take_error(struct result *result, const struct result_source *source, bool *ret_found)
{
	Flyteidl__Core__ErrorDocument *document = NULL;
	struct buf bytes;
	enum un_err err;

	buf_init(&bytes, RESULT_ERROR_MAX, BUF_WIPE); /* a traceback may quote a value */
	err = read_result(source->dir_fd, "error.pb", &bytes);
	*ret_found = err != UN_ERR_NOT_FOUND;
	if (!err && wire_can_unpack(&flyteidl__core__error_document__descriptor, bytes.data,
	                            bytes.len, RESULT_DEPTH_MAX))
		document = flyteidl__core__error_document__unpack(NULL, bytes.len, bytes.data);
	if (err == UN_ERR_NOT_FOUND) {
		err = UN_OK;
	} else if (document && document->error) {
		err = from_error_document(result, source->leaving.values, document->error);
	} else {
		err = fail(result, UNION__V1__FINISH_REQUEST__OUTCOME__FAILED, "task-failed",
		           "the task failed and left an error that cannot be read");
	}
	flyteidl__core__error_document__free_unpacked(document, NULL);
	buf_fini(&bytes);
	return err;
}

static enum un_err
check_outputs(const struct result_source *source, const Flyteidl__Core__LiteralMap *outputs,
              struct un_detail *detail)
{
	const Flyteidl__Core__VariableMap *declared =
		source->interface ? source->interface->outputs : NULL;
	enum un_err err = leaving_check(&source->leaving, source->dir_fd, outputs, detail);

	return err ? err : type_check_map("output", declared, outputs, detail);
}

static enum un_err
refuse_outputs(struct result *result, enum un_err why)
{
	char message[160];

	(void)snprintf(message, sizeof message,
	               why == UN_ERR_TOO_LARGE ? "the task's outputs are over %u MiB"
	                                       : "the task's outputs cannot be read",
	               RESULT_OUTPUTS_MAX >> 20);
	return fail(result, UNION__V1__FINISH_REQUEST__OUTCOME__FAILED, un_err_slug(why), message);
}

static enum un_err
take_outputs(struct result *result, const struct result_source *source)
{
	bool wanted = source->interface && source->interface->outputs &&
	              source->interface->outputs->n_variables > 0;
	struct un_detail detail = {0};
	struct buf bytes;
	enum un_err err;

	buf_init(&bytes, RESULT_OUTPUTS_MAX, BUF_WIPE);
	err = read_result(source->dir_fd, "outputs.pb", &bytes);
	if (err == UN_ERR_NOT_FOUND && wanted) {
		err = fail(result, UNION__V1__FINISH_REQUEST__OUTCOME__FAILED, "task-failed",
		           "the task ended without leaving its outputs");
		goto out;
	}
	if (err == UN_ERR_NO_MEMORY)
		goto out;
	if (err && err != UN_ERR_NOT_FOUND) {
		err = refuse_outputs(result, err);
		goto out;
	}
	err = wire_check_within(&flyteidl__core__literal_map__descriptor, bytes.data, bytes.len,
	                        RESULT_DEPTH_MAX, &detail);
	if (err) {
		struct un_detail why = detail;

		(void)un_fail(&detail, err, "the outputs cannot be read: %s", why.message);
		err = result_of_failure(result, err, &detail, true);
		goto out;
	}
	result->outputs = flyteidl__core__literal_map__unpack(NULL, bytes.len,
	                                                      (const uint8_t *)buf_text(&bytes));
	if (!result->outputs) {
		err = refuse_outputs(result, UN_ERR_PROTOCOL);
		goto out;
	}
	err = check_outputs(source, result->outputs, &detail);
	if (err == UN_ERR_NO_MEMORY)
		goto out;
	if (err) {
		err = result_of_failure(result, err, &detail, true);
	} else {
		result->finish.outputs = result->outputs;
		result->finish.outcome = UNION__V1__FINISH_REQUEST__OUTCOME__SUCCEEDED;
	}
out:
	buf_fini(&bytes);
	return err;
}

static enum un_err
of_timeout(struct result *result, int64_t timeout_ms)
{
	char message[96];

	(void)snprintf(message, sizeof message,
	               "the task ran into its timeout of %lld.%03lld seconds",
	               (long long)(timeout_ms / 1000), (long long)(timeout_ms % 1000));
	return fail(result, UNION__V1__FINISH_REQUEST__OUTCOME__TIMED_OUT,
	            un_err_slug(UN_ERR_TASK_TIMED_OUT), message);
}

/* The process ended badly and left no error of its own: a crash, or the machine's doing. Whoever
 * gave the task retries meant that. */
static enum un_err
of_status(struct result *result, const struct ending *ending)
{
	char message[160], name[16];

	if (ending->memory_limit)
		(void)snprintf(message, sizeof message, "out of memory: limit %s",
		               ending->memory_limit);
	else if (ending->by_signal)
		(void)snprintf(message, sizeof message, "the task's process was killed by %s%s",
		               result_signal_name(ending->status, name),
		               ending->status == SIGKILL ? "; it may have run out of memory" : "");
	else
		(void)snprintf(message, sizeof message,
		               "the task's process ended with exit status %d and left no error",
		               ending->status);
	return fail(
		result, UNION__V1__FINISH_REQUEST__OUTCOME__FAILED_RETRYABLE,
		un_err_slug(ending->memory_limit ? UN_ERR_TASK_OUT_OF_MEMORY : UN_ERR_TASK_FAILED),
		message);
}

static enum un_err
of_told(struct result *result, const struct ending *ending)
{
	char message[96], name[16];

	(void)snprintf(message, sizeof message, "the launcher was told to stop by %s",
	               result_signal_name(ending->told_signal, name));
	return fail(result, UNION__V1__FINISH_REQUEST__OUTCOME__SYSTEM_FAILED,
	            un_err_slug(UN_ERR_INTERRUPTED), message);
}

enum un_err
result_of_task(struct result *result, const struct result_source *source,
               const struct ending *ending)
{
	bool found = false;
	enum un_err err = UN_OK;

	forget(result);
	if (ending->cause == ENDED_TIMEOUT) {
		err = of_timeout(result, source->timeout_ms);
	} else if (ending->cause == ENDED_CANCELLED) {
		err = fail(result, UNION__V1__FINISH_REQUEST__OUTCOME__CANCELLED,
		           un_err_slug(UN_ERR_ABORTED), "the task was cancelled");
	} else if (ending->cause == ENDED_TOLD) {
		err = of_told(result, ending);
	} else {
		err = take_error(result, source, &found);
		if (err || found)
			;
		else if (ending->by_signal || ending->status != 0)
			err = of_status(result, ending);
		else if (faccessat(source->dir_fd, "futures.pb", F_OK, 0) == 0)
			err = fail(result, UNION__V1__FINISH_REQUEST__OUTCOME__FAILED,
			           un_err_slug(UN_ERR_UNSUPPORTED),
			           "dynamic tasks are not supported");
		else
			err = take_outputs(result, source);
	}
	if (!err)
		result->finish.exit_code =
			ending->by_signal ? 128 + ending->status : ending->status;
	return err;
}

int
result_exit_status(const struct result *result)
{
	return result->finish.exit_code ? result->finish.exit_code
	       : result->finish.outcome == UNION__V1__FINISH_REQUEST__OUTCOME__SUCCEEDED ? 0
	                                                                                 : 1;
}

bool
result_is_users_fault(enum un_err err)
{
	return err == UN_ERR_BUNDLE_REFUSED || err == UN_ERR_NOT_FOR_ENVIRONMENT ||
	       err == UN_ERR_MOUNT_COLLISION || err == UN_ERR_BAD_NAME || err == UN_ERR_INVALID ||
	       err == UN_ERR_TOO_LARGE || err == UN_ERR_NOT_FOUND || err == UN_ERR_DENIED ||
	       err == UN_ERR_BUNDLE_HAS_SECRET;
}
