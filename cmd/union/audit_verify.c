#include "audit/export.h"
#include "audit_key.h"
#include "audit_past.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "json_out.h"
#include "keeper/fingerprint.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PIECE_LEN (64u << 10)

struct verifying {
	struct cli *cli;
	struct export_check *check;
	struct audit_past past;
};

static enum un_err
take(void *ctx, const uint8_t *bytes, size_t len)
{
	struct verifying *what = ctx;

	return export_check_feed(what->check, bytes, len, &what->cli->detail);
}

static enum un_err
read_file(struct verifying *what, const char *path)
{
	static uint8_t piece[PIECE_LEN];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum un_err err = UN_OK;
	ssize_t got;

	if (fd < 0 && errno == ENOENT)
		return un_fail(&what->cli->detail, UN_ERR_FILE_MISSING, "no such file: %.400s",
		               path);
	if (fd < 0)
		return un_fail_errno(&what->cli->detail, errno, "cannot open %.400s", path);
	while (!err && (got = read(fd, piece, sizeof piece)) != 0) {
		if (got < 0 && errno != EINTR)
			err = un_fail_errno(&what->cli->detail, errno, "cannot read %.400s", path);
		else if (got > 0)
			err = take(what, piece, (size_t)got);
	}
	io_close(&fd);
	return err;
}

/* --key */
static enum un_err
given_key(struct cli *cli, uint8_t ret_key[SIGN_PUBLIC_LEN])
{
	const char *text = cli->option[OPT_KEY];
	struct buf key;
	enum un_err err;

	buf_init(&key, SIGN_PUBLIC_LEN, BUF_PLAIN);
	err = text_decode_hex(text, strlen(text), &key);
	if (err || key.len != SIGN_PUBLIC_LEN)
		err = un_fail(&cli->detail, UN_ERR_USAGE, "--key takes 64 hexadecimal digits");
	else
		memcpy(ret_key, key.data, SIGN_PUBLIC_LEN);
	buf_fini(&key);
	return err;
}

/* Whose signature it is: without that, everything may have been written and signed anew. */
static enum un_err
check_key(struct verifying *what)
{
	const struct export_header *header = export_check_header(what->check);
	uint8_t key[SIGN_PUBLIC_LEN];
	enum un_err err;

	if (what->cli->option[OPT_KEY]) {
		err = given_key(what->cli, key);
		if (!err && !bytes_equal(key, header->audit_public, SIGN_PUBLIC_LEN))
			err = un_fail(&what->cli->detail, UN_ERR_NOT_AUTHENTIC,
			              "the trail is signed with another key than --key");
		return err;
	}
	err = audit_key_find(what->cli, header->audit_public);
	if (err != UN_ERR_NOT_FOUND)
		return err;
	un_hint(&what->cli->detail,
	        "give the key with --key, or verify the control plane once: union audit "
	        "verify");
	return un_fail(&what->cli->detail, UN_ERR_NOT_AUTHENTIC,
	               "no control plane known here has the key that this trail is signed with");
}

static enum un_err
verify(struct verifying *what)
{
	struct cli *cli = what->cli;
	uint8_t key[SIGN_PUBLIC_LEN];
	enum un_err err;

	if (cli->arg_count && cli->option[OPT_ACCEPT_RESTORE]) {
		err = un_fail(&cli->detail, UN_ERR_USAGE,
		              "--accept-restore is for a control plane, not for a file");
	} else if (cli->arg_count) {
		err = read_file(what, cli->args[0]);
	} else {
		err = cli_connect(cli);
		if (!err && !cli->option[OPT_KEY])
			err = audit_key_pinned(cli, key);
		if (!err)
			err = audit_past_recall(cli, &what->past, what->check);
		if (!err)
			err = audit_receive(cli, take, what);
	}
	if (!err)
		err = export_check_end(what->check, &cli->detail);
	if (export_check_header(what->check) && (!err || err == UN_ERR_NOT_AUTHENTIC)) {
		struct un_detail found = cli->detail;
		enum un_err key_err = check_key(what);

		if (key_err && !err)
			return key_err;
		cli->detail = found;
	}
	return err;
}

/* Is it the trail that was verified before? A file may be of any time. */
static enum un_err
check_past(struct verifying *what)
{
	const struct export_report *report = export_check_report(what->check);
	struct cli *cli = what->cli;
	enum un_err err;

	if (cli->arg_count)
		return UN_OK;
	err = audit_past_compare(cli, &what->past, report);
	if (err && cli->option[OPT_ACCEPT_RESTORE]) {
		cli_note(cli, "accepted: %s", un_message(err, &cli->detail));
		cli->detail = (struct un_detail){0};
		err = UN_OK;
	}
	if (!err)
		audit_past_remember(cli, report);
	return err;
}

static void
show_text(const struct verifying *what)
{
	const struct export_report *report = export_check_report(what->check);
	char when[CLOCK_TEXT_MAX];

	clock_format(report->signed_us, when);
	(void)printf("%" PRIu64 " records and %" PRIu64 " release%s are as they were written; "
	             "%" PRIu64 " signed head%s, the last one of %s\n",
	             report->entries, report->releases, report->releases == 1 ? "" : "s",
	             report->heads, report->heads == 1 ? "" : "s", when);
	if (report->pending)
		(void)printf("%" PRIu64 " releases of the last seconds have no record yet\n",
		             report->pending);
	if (report->found)
		(void)printf("%" PRIu64 " releases were recorded later, from the keeper's journal: "
		             "union get audit --action secret.release-found\n",
		             report->found);
	if (what->past.known && report->past == EXPORT_PAST_KEPT) {
		clock_format(what->past.head.at_us, when);
		(void)printf("They go on from the %" PRIu64 " that were verified here, of %s\n",
		             what->past.head.count, when);
	}
}

static enum un_err
show_json(const struct verifying *what, const char *error)
{
	const struct export_report *report = export_check_report(what->check);
	struct json_out json;
	char when[CLOCK_TEXT_MAX];

	clock_format(report->signed_us, when);
	jout_init(&json);
	jout_open(&json, NULL, '{');
	jout_bool(&json, "good", !error);
	jout_text(&json, "error", error);
	jout_number(&json, "first_bad", (int64_t)report->bad);
	jout_number(&json, "records", (int64_t)report->entries);
	jout_number(&json, "releases", (int64_t)report->releases);
	jout_number(&json, "heads", (int64_t)report->heads);
	jout_text(&json, "signed_at", report->heads ? when : "");
	jout_number(&json, "pending", (int64_t)report->pending);
	jout_number(&json, "found_later", (int64_t)report->found);
	if (!what->cli->arg_count)
		jout_text(&json, "history", audit_past_word(&what->past, report));
	jout_open(&json, "findings", '[');
	for (size_t i = 0; i < report->finding_count && i < EXPORT_FINDINGS_MAX; i++) {
		jout_open(&json, NULL, '{');
		jout_number(&json, "record", (int64_t)report->findings[i].seq);
		jout_text(&json, "text", report->findings[i].text);
		jout_close(&json, '}');
	}
	jout_close(&json, ']');
	jout_close(&json, '}');
	return jout_print(&json);
}

static void
show_findings(struct cli *cli, const struct export_report *report)
{
	for (size_t i = 1; i < report->finding_count && i < EXPORT_FINDINGS_MAX; i++)
		cli_note(cli, "%s", report->findings[i].text);
	if (report->finding_count > EXPORT_FINDINGS_MAX)
		cli_note(cli, "and %zu more", report->finding_count - EXPORT_FINDINGS_MAX);
}

int
command_audit_verify(struct cli *cli)
{
	struct verifying what = {.cli = cli};
	const struct export_report *report;
	enum un_err err = export_check_new(&what.check), shown = UN_OK;

	if (!err)
		err = verify(&what);
	if (!err)
		err = check_past(&what);
	if (what.check) {
		report = export_check_report(what.check);
		if (cli_wants_json(cli) && (!err || err == UN_ERR_NOT_AUTHENTIC))
			shown = show_json(&what, err ? un_message(err, &cli->detail) : NULL);
		else if (!err)
			show_text(&what);
		if (err == UN_ERR_NOT_AUTHENTIC)
			show_findings(cli, report);
	}
	/* not what is the usual hint: a restore would remove what there is to compare */
	if ((err == UN_ERR_DAMAGED || err == UN_ERR_NOT_AUTHENTIC) &&
	    (!cli->detail.hint[0] || strstr(cli->detail.hint, "union restore")))
		un_hint(&cli->detail, "keep the data directory as it is, and compare it with an "
		                      "earlier export or backup");
	export_check_free(what.check);
	if (!err)
		err = shown;
	return err ? cli_fail(cli, err) : cli_finish(cli);
}
