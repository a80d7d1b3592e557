/* err.h - how functions fail.
 *
 * A function that can fail returns enum un_err: UN_OK is 0, failures are negative and never
 * renumbered. All of them, with their texts, stand in err.def. What a person needs to know beyond
 * the code (which file, which name, what to do) travels in the caller's struct un_detail. A detail
 * never holds a secret's value. Everything here may be called from any thread. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

enum un_err {
	UN_OK = 0,
#define UN_ERROR(symbol, number, slug, grpc, exit, retry, text, hint) UN_ERR_##symbol = number,
#include "base/err.def"
#undef UN_ERROR
};

/* The status codes of gRPC (and, by name, of Connect). */
enum grpc_status {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_ALREADY_EXISTS = 6,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_ABORTED = 10,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_DATA_LOSS = 15,
	GRPC_UNAUTHENTICATED = 16,
};

#define UN_DETAIL_MAX 1024 /* bytes of message, and of hint, with the final NUL */

/* What happened where, and what to do. Zero-initialised means "nothing to add". */
struct un_detail {
	char message[UN_DETAIL_MAX];
	char hint[UN_DETAIL_MAX];
};

/* The row of err.def. An unknown code reads as UN_ERR_INTERNAL. Lends static text. */
const char *un_err_slug(enum un_err err);
const char *un_err_text(enum un_err err);
const char *un_err_hint(enum un_err err); /* "" where the table has none */
int un_err_exit_status(enum un_err err);
bool un_err_may_retry(enum un_err err);
enum grpc_status un_err_grpc(enum un_err err);

/* The code of a slug; UN_ERR_INTERNAL for one that is not known (a newer server). */
enum un_err un_err_from_slug(const char *slug);
/* The nearest code for a bare gRPC status, for servers that send no slug. */
enum un_err un_err_from_grpc(enum grpc_status status);

/* The code for `saved_errno`: ENOSPC and EDQUOT are UN_ERR_DISK_FULL, ENOMEM UN_ERR_NO_MEMORY,
 * ENOENT UN_ERR_NOT_FOUND, EACCES and EPERM UN_ERR_DENIED, EEXIST UN_ERR_EXISTS, else UN_ERR_IO. */
enum un_err un_err_from_errno(int saved_errno);

/* Fills `detail` (NULL is fine: nothing happens) and returns `err`, so that a refusal is one line:
 *   return un_fail(detail, UN_ERR_BAD_NAME, "bad name '%s'", name);
 * The text is cut at UN_DETAIL_MAX - 1 bytes; the hint is left as it is. */
enum un_err un_fail(struct un_detail *detail, enum un_err err, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* The same from errno: "<format>: <strerror>". */
enum un_err un_fail_errno(struct un_detail *detail, int saved_errno, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* Sets the hint; NULL detail is fine. */
void un_hint(struct un_detail *detail, const char *format, ...) PRINTF_LIKE(2, 3);

/* What to show: the detail's message, or the code's text when there is none. */
const char *un_message(enum un_err err, const struct un_detail *detail);
/* The detail's hint, or the code's; "" when neither has one. */
const char *un_hint_text(enum un_err err, const struct un_detail *detail);

/* clang's analyzer sees one file at a time and would follow a refusal that returns UN_OK. */
#ifdef __clang_analyzer__
#define un_fail(detail, err, ...) ((void)un_fail(detail, err, __VA_ARGS__), (err))
#define un_fail_errno(...) ((void)un_fail_errno(__VA_ARGS__), UN_ERR_IO)
#endif

#endif
