/* show.h - how times, scopes and phases are shown. Pure; one thread. */
#ifndef UNION_SHOW_H
#define UNION_SHOW_H

#include "base/clock.h"
#include "proto-all.h"

#include <stdbool.h>

const char *show_any(const char *scope_part); /* "*" for an empty one */
/* "2026-11-23T13:07:00Z", "" for none. `exact`: with milliseconds. */
void show_time(const Google__Protobuf__Timestamp *at, bool exact, char text[CLOCK_TEXT_MAX]);
const char *show_execution_phase(int phase); /* "running", ... */
const char *show_node_phase(int phase);
const char *show_secret_type(int type);
bool execution_has_ended(int phase);

#endif
