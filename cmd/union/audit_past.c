#include "audit_past.h"

#include "base/clock.h"
#include "crypto/hash.h"
#include "keeper/fingerprint.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum un_err
audit_past_recall(struct cli *cli, struct audit_past *past, struct export_check *check)
{
	enum un_err err = cli_find_paths(cli);

	if (!err)
		err = verified_head_read(cli->paths.state_dir, cli->url, &past->head, &cli->detail);
	if (err)
		return err == UN_ERR_NOT_FOUND ? UN_OK : err;
	past->known = true;
	export_check_expect(check, past->head.count, past->head.hash);
	return UN_OK;
}

static bool
has_another_key(const struct audit_past *past, const struct export_report *report)
{
	return !bytes_equal(past->head.key, report->header.audit_public, SIGN_PUBLIC_LEN);
}

const char *
audit_past_word(const struct audit_past *past, const struct export_report *report)
{
	if (!past->known)
		return "first";
	if (has_another_key(past, report))
		return "another-key";
	if (report->past == EXPORT_PAST_KEPT)
		return "kept";
	return report->past == EXPORT_PAST_FORKED ? "forked" : "taken-back";
}

/* What the trail says of a restore since then. */
static void
tell_restore(const struct audit_past *past, const struct export_report *report, char *text,
             size_t size)
{
	char when[CLOCK_TEXT_MAX];

	if (report->restore_seq && report->restore_us > past->head.at_us) {
		clock_format(report->restore_us, when);
		(void)snprintf(text, size, "record %" PRIu64 " tells of a restore at %s",
		               report->restore_seq, when);
	} else {
		(void)snprintf(text, size, "no record tells of a restore since");
	}
}

enum un_err
audit_past_compare(struct cli *cli, const struct audit_past *past,
                   const struct export_report *report)
{
	const struct verified_head *head = &past->head;
	char when[CLOCK_TEXT_MAX], restore[96], then[FINGERPRINT_TEXT_MAX],
		now[FINGERPRINT_TEXT_MAX];

	if (!past->known || (report->past == EXPORT_PAST_KEPT && !has_another_key(past, report)))
		return UN_OK;
	clock_format(head->at_us, when);
	tell_restore(past, report, restore, sizeof restore);
	un_hint(&cli->detail,
	        "keep the data directory as it is, and compare it with an earlier export or "
	        "backup; "
	        "if you know why it was taken back: union audit verify --accept-restore");
	if (has_another_key(past, report)) {
		fingerprint_format(head->key, then);
		fingerprint_format(report->header.audit_public, now);
		return un_fail(&cli->detail, UN_ERR_NOT_AUTHENTIC,
		               "this is another trail than the one that was verified here (%" PRIu64
		               " records, of %s): that was signed with %s, this is with %s",
		               head->count, when, then, now);
	}
	if (report->past == EXPORT_PAST_FORKED)
		return un_fail(&cli->detail, UN_ERR_NOT_AUTHENTIC,
		               "the trail was taken back and went on otherwise: record %" PRIu64
		               " is not the one that was verified here (of %s); %s",
		               head->count, when, restore);
	return un_fail(&cli->detail, UN_ERR_NOT_AUTHENTIC,
	               "the trail was taken back: %" PRIu64 " records were verified here (of %s), "
	               "and there are %" PRIu64 " now; %s",
	               head->count, when, report->entries, restore);
}

void
audit_past_remember(struct cli *cli, const struct export_report *report)
{
	struct verified_head head = {.count = report->entries, .at_us = report->signed_us};
	struct un_detail why = {0};
	enum un_err err;

	memcpy(head.hash, report->newest, HASH_LEN);
	memcpy(head.key, report->header.audit_public, SIGN_PUBLIC_LEN);
	err = verified_head_write(cli->paths.state_dir, cli->url, &head, &why);
	if (err)
		cli_note(cli, "the next check has nothing to compare with: %s",
		         un_message(err, &why));
}
