#include "show.h"

#include <stdio.h>
#include <string.h>

const char *
show_any(const char *scope_part)
{
	return scope_part && scope_part[0] ? scope_part : "*";
}

void
show_time(const Google__Protobuf__Timestamp *at, bool exact, char text[CLOCK_TEXT_MAX])
{
	text[0] = '\0';
	if (!at || at->seconds < 0 || at->seconds > 253402300799)
		return;
	clock_format(at->seconds * 1000000 + at->nanos / 1000, text);
	if (!exact && strlen(text) > 20)
		memcpy(text + 19, "Z", 2);
}

const char *
show_execution_phase(int phase)
{
	static const char *const names[] = {"undefined", "queued",  "running", "succeeding",
	                                    "succeeded", "failing", "failed",  "aborted",
	                                    "timed out", "aborting"};

	return phase >= 0 && (size_t)phase < sizeof names / sizeof names[0] ? names[phase]
	                                                                    : "unknown";
}

const char *
show_node_phase(int phase)
{
	static const char *const names[] = {"waiting",   "queued",    "running", "succeeded",
	                                    "failing",   "failed",    "aborted", "skipped",
	                                    "timed out", "running",   "recovered"};

	return phase >= 0 && (size_t)phase < sizeof names / sizeof names[0] ? names[phase]
	                                                                    : "unknown";
}

const char *
show_secret_type(int type)
{
	return type == CLOUDIDL__SECRET__SECRET_TYPE__SECRET_TYPE_IMAGE_PULL_SECRET ? "image-pull"
	                                                                           : "generic";
}

bool
execution_has_ended(int phase)
{
	return phase == FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__SUCCEEDED ||
	       phase == FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__FAILED ||
	       phase == FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__ABORTED ||
	       phase == FLYTEIDL__CORE__WORKFLOW_EXECUTION__PHASE__TIMED_OUT;
}
