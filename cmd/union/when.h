/* when.h - a time in the past, as people write it: "2h", "30d", "2026-11-01". */
#ifndef UNION_WHEN_H
#define UNION_WHEN_H

#include "cli.h"
#include "proto-all.h"

/* `option` is what it was given with. UN_ERR_USAGE. */
MUST_CHECK enum un_err when_past(struct cli *cli, const char *option, const char *text,
                                 Google__Protobuf__Timestamp *ret_at);

#endif
