/* audit_past.h - what this user saw of a control plane's audit trail when it was last verified. */
#ifndef UNION_AUDIT_PAST_H
#define UNION_AUDIT_PAST_H

#include "audit/export.h"
#include "cli.h"
#include "client/verified_head.h"

struct audit_past {
	bool known;
	struct verified_head head;
};

/* Of the connected control plane; `check` looks for it then. UN_ERR_DAMAGED. */
MUST_CHECK enum un_err audit_past_recall(struct cli *cli, struct audit_past *past,
                                         struct export_check *check);
/* A word for what became of it: "first", "kept", "taken-back", "forked" or "another-key". */
const char *audit_past_word(const struct audit_past *past, const struct export_report *report);
/* After a good check. UN_ERR_NOT_AUTHENTIC: the trail is not the one of then, gone on. */
MUST_CHECK enum un_err audit_past_compare(struct cli *cli, const struct audit_past *past,
                                          const struct export_report *report);
/* Remembers the newest record; that it cannot is a note. */
void audit_past_remember(struct cli *cli, const struct export_report *report);

#endif
