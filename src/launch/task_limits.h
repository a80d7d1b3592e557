/* task_limits.h - how much of the machine a task may use: what its template says, in numbers. Pure.
 */
#ifndef LAUNCH_TASK_LIMITS_H
#define LAUNCH_TASK_LIMITS_H

#include "base/err.h"
#include "union/v1/attempts.pb-c.h"

#include <stdint.h>

#define TASK_LIMITS_TEXT_MAX 32

struct task_limits {
	uint64_t memory;                        /* bytes; 0: none */
	char memory_text[TASK_LIMITS_TEXT_MAX]; /* as it was asked for */
	uint64_t cpu_milli;                     /* most of it; 0: none */
	uint64_t cpu_share_milli; /* its part when others want it too; 0: as everybody */
};

/* A Kubernetes quantity ("512Mi", "1.5", "250m", "1e3") in thousandths of its unit, rounded up.
 * UN_ERR_INVALID; UN_ERR_RANGE when it is too large to be counted. */
MUST_CHECK enum un_err task_limits_parse(const char *text, uint64_t *ret_milli);
/* Of the task's container. Where there is no limit of memory, the request is one. UN_ERR_INVALID
 * names what is no quantity. */
MUST_CHECK enum un_err task_limits_of(const Union__V1__ClaimResponse *claim,
                                      struct task_limits *ret_limits, struct un_detail *detail);

#endif
