#include "audit/export.h"
#include "audit_key.h"
#include "base/io.h"
#include "crypto/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct receiving {
	struct cli *cli;
	struct export_check *check;
	int fd;
};

/* What is written is checked on the way: a file that is no good is better known at once. */
static enum un_err
take(void *ctx, const uint8_t *bytes, size_t len)
{
	struct receiving *to = ctx;
	enum un_err err = io_write_all(to->fd, bytes, len);

	return err ? err : export_check_feed(to->check, bytes, len, &to->cli->detail);
}

static enum un_err
receive(struct receiving *to)
{
	const struct export_header *header;
	uint8_t key[SIGN_PUBLIC_LEN];
	enum un_err err = audit_key_pinned(to->cli, key);

	if (!err)
		err = audit_receive(to->cli, take, to);
	if (!err)
		err = io_fsync(to->fd);
	if (!err)
		err = export_check_end(to->check, &to->cli->detail);
	header = export_check_header(to->check);
	if (!err && !bytes_equal(header->audit_public, key, SIGN_PUBLIC_LEN))
		err = un_fail(&to->cli->detail, UN_ERR_PLANE_KEY_CHANGED,
		              "the trail is signed with another key than the pinned one");
	return err;
}

static enum un_err
write_export(struct cli *cli, struct receiving *to)
{
	char temporary[CLI_PATH_MAX];
	enum un_err err;

	if ((size_t)snprintf(temporary, sizeof temporary, "%s.%d.part", cli->args[0],
	                     (int)getpid()) >= sizeof temporary)
		return un_fail(&cli->detail, UN_ERR_INVALID, "the path is too long");
	to->fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to->fd < 0)
		return un_fail_errno(&cli->detail, errno, "cannot create '%.400s'", cli->args[0]);
	err = receive(to);
	io_close(&to->fd);
	/* also one with findings is kept: it is the evidence */
	if (!err || (err == UN_ERR_NOT_AUTHENTIC && export_check_header(to->check))) {
		enum un_err kept = io_rename_at(AT_FDCWD, temporary, cli->args[0]);

		if (kept)
			err = kept;
	} else {
		(void)unlink(temporary);
	}
	return err;
}

int
command_audit_export(struct cli *cli)
{
	struct receiving to = {.cli = cli, .fd = -1};
	const struct export_report *report;
	enum un_err err = export_check_new(&to.check);

	if (!err)
		err = cli_connect(cli);
	if (!err)
		err = write_export(cli, &to);
	if (!err) {
		report = export_check_report(to.check);
		(void)fprintf(stderr, "Wrote %s, %" PRIu64 " records, %" PRIu64 " releases\n",
		              cli->args[0], report->entries, report->releases);
	}
	export_check_free(to.check);
	return err ? cli_fail(cli, err) : cli_finish(cli);
}
