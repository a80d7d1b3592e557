#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct error_row {
	enum un_err err;
	const char *slug;
	enum grpc_status grpc;
	int exit_status;
	bool retry;
	const char *text;
	const char *hint;
};

static const struct error_row rows[] = {
#define UN_ERROR(symbol, number, slug, grpc, exit, retry, text, hint)                              \
	{UN_ERR_##symbol, slug, GRPC_##grpc, exit, retry, text, hint},
#include "base/err.def"
#undef UN_ERROR
};

static const struct error_row *
row_of(enum un_err err)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].err == err)
			return &rows[i];
	}
	return &rows[0];
}

const char *
un_err_slug(enum un_err err)
{
	return err == UN_OK ? "ok" : row_of(err)->slug;
}

const char *
un_err_text(enum un_err err)
{
	return err == UN_OK ? "ok" : row_of(err)->text;
}

const char *
un_err_hint(enum un_err err)
{
	return err == UN_OK ? "" : row_of(err)->hint;
}

int
un_err_exit_status(enum un_err err)
{
	return err == UN_OK ? 0 : row_of(err)->exit_status;
}

bool
un_err_may_retry(enum un_err err)
{
	return err != UN_OK && row_of(err)->retry;
}

enum grpc_status
un_err_grpc(enum un_err err)
{
	return err == UN_OK ? GRPC_OK : row_of(err)->grpc;
}

enum un_err
un_err_from_slug(const char *slug)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strcmp(rows[i].slug, slug) == 0)
			return rows[i].err;
	}
	return UN_ERR_INTERNAL;
}

enum un_err
un_err_from_grpc(enum grpc_status status)
{
	static const enum un_err by_status[] = {
		[GRPC_OK] = UN_OK,
		[GRPC_CANCELLED] = UN_ERR_CANCELLED,
		[GRPC_UNKNOWN] = UN_ERR_INTERNAL,
		[GRPC_INVALID_ARGUMENT] = UN_ERR_INVALID,
		[GRPC_DEADLINE_EXCEEDED] = UN_ERR_TIMEOUT,
		[GRPC_NOT_FOUND] = UN_ERR_NOT_FOUND,
		[GRPC_ALREADY_EXISTS] = UN_ERR_EXISTS,
		[GRPC_PERMISSION_DENIED] = UN_ERR_DENIED,
		[GRPC_RESOURCE_EXHAUSTED] = UN_ERR_TOO_LARGE,
		[GRPC_FAILED_PRECONDITION] = UN_ERR_CONFLICT,
		[GRPC_ABORTED] = UN_ERR_CONFLICT,
		[GRPC_OUT_OF_RANGE] = UN_ERR_RANGE,
		[GRPC_UNIMPLEMENTED] = UN_ERR_UNSUPPORTED,
		[GRPC_INTERNAL] = UN_ERR_INTERNAL,
		[GRPC_UNAVAILABLE] = UN_ERR_UNREACHABLE,
		[GRPC_DATA_LOSS] = UN_ERR_DAMAGED,
		[GRPC_UNAUTHENTICATED] = UN_ERR_UNAUTHENTICATED,
	};

	if ((unsigned)status >= sizeof by_status / sizeof by_status[0])
		return UN_ERR_INTERNAL;
	return by_status[status];
}

enum un_err
un_err_from_errno(int saved_errno)
{
	switch (saved_errno) {
	case ENOSPC:
	case EDQUOT:
		return UN_ERR_DISK_FULL;
	case ENOMEM:
		return UN_ERR_NO_MEMORY;
	case ENOENT:
		return UN_ERR_NOT_FOUND;
	case EACCES:
	case EPERM:
		return UN_ERR_DENIED;
	case EEXIST:
		return UN_ERR_EXISTS;
	case EAGAIN:
		return UN_ERR_AGAIN;
	case ETIMEDOUT:
		return UN_ERR_TIMEOUT;
	default:
		return UN_ERR_IO;
	}
}

enum un_err
(un_fail)(struct un_detail *detail, enum un_err err, const char *format, ...)
{
	va_list args;

	if (!detail)
		return err;
	va_start(args, format);
	(void)vsnprintf(detail->message, sizeof detail->message, format, args);
	va_end(args);
	return err;
}

enum un_err
(un_fail_errno)(struct un_detail *detail, int saved_errno, const char *format, ...)
{
	enum un_err err = un_err_from_errno(saved_errno);
	va_list args;
	size_t used;

	if (!detail)
		return err;
	va_start(args, format);
	(void)vsnprintf(detail->message, sizeof detail->message, format, args);
	va_end(args);
	used = strlen(detail->message);
	(void)snprintf(detail->message + used, sizeof detail->message - used, ": %s",
	               strerrordesc_np(saved_errno));
	return err;
}

void
un_hint(struct un_detail *detail, const char *format, ...)
{
	va_list args;

	if (!detail)
		return;
	va_start(args, format);
	(void)vsnprintf(detail->hint, sizeof detail->hint, format, args);
	va_end(args);
}

const char *
un_message(enum un_err err, const struct un_detail *detail)
{
	return detail && detail->message[0] ? detail->message : un_err_text(err);
}

const char *
un_hint_text(enum un_err err, const struct un_detail *detail)
{
	return detail && detail->hint[0] ? detail->hint : un_err_hint(err);
}
