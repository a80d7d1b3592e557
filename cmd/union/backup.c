#include "base/buf.h"
#include "base/clock.h"
#include "base/io.h"
#include "cli.h"
#include "keeper/passphrase.h"
#include "proto-all.h"
#include "value_input.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_TIMEOUT_MS 60000

/* Writes every chunk; the last one must come, or the file is cut. */
static enum un_err
copy_chunks(struct cli *cli, struct channel_stream *stream, int fd, uint64_t *ret_size)
{
	bool last = false;
	uint64_t size = 0;

	for (;;) {
		Union__V1__BackupChunk *chunk = NULL;
		enum un_err err = channel_stream_next(stream, clock_mono_ms() + CHUNK_TIMEOUT_MS,
		                                      (ProtobufCMessage **)&chunk, &cli->detail);

		if (err)
			return err;
		if (!chunk)
			break;
		err = last ? UN_ERR_PROTOCOL : io_write_all(fd, chunk->data.data, chunk->data.len);
		size += chunk->data.len;
		last = chunk->last;
		channel_message_free(chunk);
		if (err)
			return err;
	}
	*ret_size = size;
	return last ? UN_OK : UN_ERR_PROTOCOL;
}

/* Asks for the backup's passphrase and seals it for the keeper, which alone may open it. */
static enum un_err
seal_passphrase(struct cli *cli, struct buf *sealed)
{
	Union__V1__GetInfoRequest request = UNION__V1__GET_INFO_REQUEST__INIT;
	Union__V1__GetInfoResponse *info = NULL;
	struct secbuf *passphrase = NULL;
	enum un_err err;

	if (!cli->option[OPT_WITH_KEYS])
		return UN_OK;
	err = passphrase_input(cli, "Enter backup passphrase: ", true, &passphrase);
	if (!err)
		err = cli_call(cli, "/union.v1.PlaneService/GetInfo", &request,
		               &union__v1__get_info_response__descriptor, &info);
	if (!err && info->unlock_key.len != BOX_PUBLIC_LEN)
		err = un_fail(&cli->detail, UN_ERR_PROTOCOL,
		              "the control plane sent a malformed key");
	if (!err)
		err = passphrase_seal(info->unlock_key.data, PASSPHRASE_BACKUP, passphrase, sealed);
	secbuf_free(passphrase);
	channel_message_free(info);
	return err;
}

static enum un_err
receive_backup(struct cli *cli, const struct buf *sealed, int fd, uint64_t *ret_size)
{
	Union__V1__BackupRequest request = UNION__V1__BACKUP_REQUEST__INIT;
	struct channel_call call = {
	        .method = "/union.v1.PlaneService/Backup",
	        .request = &request.base,
	        .reply = &union__v1__backup_chunk__descriptor,
	        .deadline_ms = clock_mono_ms() + CHUNK_TIMEOUT_MS,
	};
	struct channel_stream *stream = NULL;
	enum un_err err;

	request.sealed_passphrase.data = sealed->data;
	request.sealed_passphrase.len = sealed->len;
	err = channel_stream_open(cli->channel, &call, &stream, &cli->detail);
	if (!err)
		err = copy_chunks(cli, stream, fd, ret_size);
	channel_stream_free(stream);
	return err ? err : io_fsync(fd);
}

static enum un_err
open_folder_of(struct cli *cli, const char *path, int *ret_fd, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char folder[CLI_PATH_MAX] = ".";
	struct stat facts;

	if (stat(path, &facts) == 0 && S_ISDIR(facts.st_mode))
		return un_fail(&cli->detail, UN_ERR_FILE_IS_DIRECTORY, "%.400s is a directory",
		               path);
	if (slash) {
		size_t len = slash == path ? 1 : (size_t)(slash - path);

		if (len >= sizeof folder)
			return un_fail(&cli->detail, UN_ERR_INVALID, "the path is too long");
		memcpy(folder, path, len);
		folder[len] = '\0';
	}
	*ret_name = slash ? slash + 1 : path;
	if (!**ret_name)
		return un_fail(&cli->detail, UN_ERR_FILE_IS_DIRECTORY, "%.400s is a directory",
		               path);
	*ret_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd < 0 && errno == ENOENT)
		return un_fail(&cli->detail, UN_ERR_FILE_MISSING, "no such folder: %.400s", folder);
	if (*ret_fd < 0)
		return un_fail_errno(&cli->detail, errno, "cannot open the folder %.400s", folder);
	return UN_OK;
}

/* Under a name of its own until it is whole. */
static enum un_err
write_backup(struct cli *cli, const struct buf *sealed, int folder, const char *name,
             uint64_t *ret_size)
{
	char temporary[300];
	enum un_err err;
	int fd;

	if (snprintf(temporary, sizeof temporary, ".%s.%d.part", name, (int)getpid()) >=
	    (int)sizeof temporary)
		return un_fail(&cli->detail, UN_ERR_INVALID, "the name of the file is too long");
	fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return un_fail_errno(&cli->detail, errno, "cannot create a file beside '%s'", name);
	err = receive_backup(cli, sealed, fd, ret_size);
	if (close(fd) != 0 && !err)
		err = un_err_from_errno(errno);
	if (!err)
		err = io_rename_at(folder, temporary, name);
	if (!err)
		err = io_fsync(folder);
	if (err)
		(void)unlinkat(folder, temporary, 0);
	return err;
}

int
command_backup(struct cli *cli)
{
	const char *name;
	uint64_t size = 0;
	int folder = -1;
	struct buf sealed;
	enum un_err err = open_folder_of(cli, cli->args[0], &folder, &name);

	buf_init(&sealed, SEALED_PASSPHRASE_MAX, BUF_PLAIN);
	if (!err)
		err = cli_connect(cli);
	if (!err)
		err = seal_passphrase(cli, &sealed);
	if (!err)
		err = write_backup(cli, &sealed, folder, name, &size);
	buf_fini(&sealed);
	io_close(&folder);
	if (err)
		return cli_fail(cli, err);
	(void)fprintf(stderr, "Wrote %s, %" PRIu64 " bytes, %s the keys\n", cli->args[0], size,
	              cli->option[OPT_WITH_KEYS] ? "with" : "without");
	return cli_finish(cli);
}
