/* uniond restore: puts the database of a backup into the place of the present one. The control
 * plane must not be running. What happened is told on stdout and becomes the first entry of the
 * audit record of the restored plane. */
#include "config.h"
#include "program.h"

#include "audit/audit.h"
#include "authz/authz.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "keeper/journal_file.h"
#include "keeper/key_provider.h"
#include "keeper/keyring_file.h"
#include "keeper/passphrase.h"
#include "store/backup.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage_text[] =
	"usage: uniond restore [--data DIR | --config FILE] [--passphrase-fd N] [--replace-keys] "
	"BACKUP\n"
	"\n"
	"Replaces the database by the one in BACKUP. The one that is there is kept aside.\n"
	"\n"
	"  --data DIR          the data directory\n"
	"  --config FILE       or the configuration that names it\n"
	"  --passphrase-fd N   read the backup's passphrase from descriptor N, to take its keys "
	"too\n"
	"  --replace-keys      with it: even if the data directory has keys\n";

struct restore {
	struct config config;
	const char *config_path, *data_dir, *backup;
	int passphrase_fd;
	bool replace_keys;
	struct un_detail detail;
};

static enum un_err
parse(int argc, char **argv, struct restore *restore)
{
	static const struct option options[] = {
		{"data", required_argument, NULL, 'd'},
		{"config", required_argument, NULL, 'c'},
		{"passphrase-fd", required_argument, NULL, 'p'},
		{"replace-keys", no_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	uint64_t number;
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'd':
			restore->data_dir = optarg;
			break;
		case 'c':
			restore->config_path = optarg;
			break;
		case 'p':
			if (text_parse_u64(optarg, &number) || number > 65535)
				return un_fail(&restore->detail, UN_ERR_USAGE,
				               "--passphrase-fd needs a descriptor");
			restore->passphrase_fd = (int)number;
			break;
		case 'r':
			restore->replace_keys = true;
			break;
		case 'h':
			fputs(usage_text, stdout);
			exit(0);
		default:
			return un_fail(&restore->detail, UN_ERR_USAGE, "wrong usage");
		}
	}
	if (argc - optind != 1 || (!restore->data_dir && !restore->config_path))
		return un_fail(&restore->detail, UN_ERR_USAGE,
		               "needs one backup file, and --data or --config");
	restore->backup = argv[optind];
	return UN_OK;
}

static enum un_err
find_data_dir(struct restore *restore)
{
	struct config *config = &restore->config;
	enum un_err err;

	config_init(config);
	if (restore->config_path) {
		err = config_read(config, restore->config_path, &restore->detail);
		if (err)
			return err;
	}
	if (restore->data_dir)
		(void)snprintf(config->data_dir, sizeof config->data_dir, "%s", restore->data_dir);
	return config_check(config, &restore->detail);
}

/* The key ring of the backup, opened by its passphrase, becomes the ring of this plane. */
static enum un_err
import_keys(struct restore *restore, const struct buf *keyring)
{
	char path[PATH_MAX + 8];
	struct keyring_import to = {.dir_fd = -1, .replace = restore->replace_keys};
	struct secbuf *passphrase = NULL;
	enum un_err err;

	if (!keyring->len)
		return un_fail(&restore->detail, UN_ERR_INVALID,
		               "this backup has no keys: it was made without --with-keys");
	err = secbuf_read(restore->passphrase_fd, PASSPHRASE_MAX, &passphrase);
	if (err)
		goto out;
	(void)snprintf(path, sizeof path, "%s/keys", restore->config.data_dir);
	err = keyring_dir_open(path, &restore->detail, &to.dir_fd);
	if (err)
		goto out;
	to.provider = key_provider_by_name(restore->config.key_provider);
	to.passphrase = to.provider && to.provider->needs_passphrase ? passphrase : NULL;
	err = keyring_import(&to, keyring->data, keyring->len, passphrase, &restore->detail);
	if (err == UN_ERR_EXISTS)
		un_hint(&restore->detail, "--replace-keys takes the backup's keys anyway");
out:
	io_close(&to.dir_fd);
	secbuf_free(passphrase);
	return err;
}

static enum un_err
apply_record(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	return audit_append(txn, ctx, detail);
}

static enum un_err
record(struct restore *restore)
{
	const struct store_options options = {.dir = restore->config.data_dir};
	char principal[PRINCIPAL_TEXT_MAX];
	struct audit_event event = {
		.action = AUDIT_RESTORE, .verdict = AUDIT_ALLOWED, .principal = principal};
	struct store *store = NULL;
	struct principal who;
	enum un_err err;

	principal_of_uid(getuid(), geteuid(), &who);
	principal_format(&who, principal);
	err = store_open(&options, &store, &restore->detail);
	if (!err)
		err = store_write_wait(store, apply_record, &event, &restore->detail);
	store_close(store);
	return err;
}

/* The trail has gone back, and the keeper signs none that does: it begins a new series of heads.
 * Its journal stays, so that releases since the backup are found and recorded at the next start. */
static enum un_err
forget_head(struct restore *restore)
{
	char path[PATH_MAX + 16];

	(void)snprintf(path, sizeof path, "%s/keys/" HEAD_FILE, restore->config.data_dir);
	if (unlink(path) == 0 || errno == ENOENT)
		return UN_OK;
	return un_fail_errno(&restore->detail, errno, "cannot remove '%s'", path);
}

static enum un_err
run(struct restore *restore)
{
	struct backup_header header = {0};
	char aside[RESTORE_ASIDE_MAX], when[CLOCK_TEXT_MAX];
	struct buf keyring;
	enum un_err err;

	buf_init(&keyring, BACKUP_KEYRING_MAX, BUF_WIPE);
	err = io_make_dirs(restore->config.data_dir, 0700);
	if (err)
		goto out;
	if (restore->passphrase_fd >= 0) {
		err = store_check_backup(restore->backup, restore->config.data_dir, &header,
		                         &keyring, &restore->detail);
		if (!err)
			err = import_keys(restore, &keyring);
		if (err)
			goto out;
	}
	err = store_restore(restore->config.data_dir, restore->backup, &header, aside,
	                    &restore->detail);
	if (!err)
		err = record(restore);
	if (!err)
		err = forget_head(restore);
	if (err)
		goto out;
	clock_format(header.created_at_us, when);
	printf("Restored the backup of %s.\n", when);
	if (aside[0])
		printf("The database that was there is kept as %s/%s.\n", restore->config.data_dir,
		       aside);
out:
	buf_fini(&keyring);
	return err;
}

int
restore_program(const char *name, int argc, char **argv)
{
	static struct restore restore = {.passphrase_fd = -1};
	enum un_err err = parse(argc, argv, &restore);

	if (!err)
		err = find_data_dir(&restore);
	if (!err)
		err = run(&restore);
	return err ? program_fail(name, err, &restore.detail) : 0;
}
