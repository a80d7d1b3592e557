/* logs.h - where the redacted output of attempts lies: logs/EXECUTION.ID/NODE.ATTEMPT.log below the
 * data directory, mode 0600, appended while the attempt runs. Not synced: a power failure may cost
 * the end of a log, never a result. Any thread. */
#ifndef RUNS_LOGS_H
#define RUNS_LOGS_H

#include "base/err.h"
#include "runs/graph.h"

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LOG_PATH_MAX 512

/* An attempt's log. All texts are checked names. */
struct log_name {
	const char *execution;
	int64_t execution_id;
	const char *node;
	uint32_t attempt;
};

/* Opens logs/ below `data_dir`, making it if it is not there. */
MUST_CHECK enum un_err logs_open_dir(const char *data_dir, int *ret_fd, struct un_detail *detail);
/* A piece of it. */
struct log_piece {
	uint64_t offset;
	const uint8_t *bytes;
	size_t len;
	uint64_t max; /* of the whole log: what is beyond is dropped */
};
/* *ret_len: the log's length now. */
MUST_CHECK enum un_err logs_write(int logs_fd, const struct log_name *name,
                                  const struct log_piece *piece, uint64_t *ret_len,
                                  struct un_detail *detail);
/* Launchers keep what a full disk refuses, and try again. Says so in the server's log, once, and
 * once that it is over. `err` is what logs_write said; *waiting is kept in between. */
void logs_tell(const struct log_name *name, enum un_err err, bool *waiting);
/* For reading. UN_ERR_NOT_FOUND: nothing was written. The caller closes it. */
MUST_CHECK enum un_err logs_open(int logs_fd, const struct log_name *name, int *ret_fd);

#endif
