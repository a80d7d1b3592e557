#include "base/clock.h"
#include "base/io.h"
#include "cli.h"
#include "client/wire.h"
#include "process.h"
#include "proto-all.h"
#include "value_input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STOP_TIMEOUT_MS 30000
#define PASSPHRASE_FD 3

static enum un_err
check_file(struct cli *cli, const char *path)
{
	struct stat facts;

	if (stat(path, &facts) != 0 && (errno == ENOENT || errno == ENOTDIR))
		return un_fail(&cli->detail, UN_ERR_FILE_MISSING, "no such file: %.400s", path);
	if (access(path, R_OK) != 0)
		return un_fail(&cli->detail, UN_ERR_FILE_UNREADABLE, "cannot read %.400s: %s", path,
		               strerrordesc_np(errno));
	if (S_ISDIR(facts.st_mode))
		return un_fail(&cli->detail, UN_ERR_FILE_IS_DIRECTORY, "%.400s is a directory",
		               path);
	return UN_OK;
}

static enum un_err
confirm(struct cli *cli)
{
	char prompt[512];
	bool agreed = false;
	enum un_err err;

	if (cli->option[OPT_YES])
		return UN_OK;
	(void)snprintf(prompt, sizeof prompt,
	               "This replaces everything stored in %.300s.\nType 'restore' to go on: ",
	               cli->paths.data_dir);
	err = terminal_confirm(prompt, "restore", &agreed);
	if (err == UN_ERR_UNSUPPORTED) {
		un_hint(&cli->detail, "to go on without a question: --yes");
		return un_fail(&cli->detail, UN_ERR_USAGE, "there is no terminal to ask on");
	}
	if (!err && !agreed)
		return un_fail(&cli->detail, UN_ERR_CANCELLED, "nothing was changed");
	return err;
}

/* Asks the running plane to end, and waits until its process is gone. */
static enum un_err
stop_plane(struct cli *cli)
{
	Union__V1__GetInfoRequest info_request = UNION__V1__GET_INFO_REQUEST__INIT;
	Union__V1__ShutdownRequest request = UNION__V1__SHUTDOWN_REQUEST__INIT;
	Union__V1__GetInfoResponse *info = NULL;
	Union__V1__ShutdownResponse *reply = NULL;
	enum un_err err = cli_connect_running(cli);
	int pid_fd = -1;

	if (err == UN_ERR_UNREACHABLE && cli->embedded) {
		cli->detail = (struct un_detail){0};
		return UN_OK; /* nothing to stop */
	}
	if (!err && !cli->embedded) {
		un_hint(&cli->detail, "on the server: uniond restore --data DIR FILE");
		return un_fail(&cli->detail, UN_ERR_UNSUPPORTED,
		               "only the control plane that union starts itself can be restored "
		               "from here");
	}
	if (!err)
		err = cli_call(cli, "/union.v1.PlaneService/GetInfo", &info_request,
		               &union__v1__get_info_response__descriptor, &info);
	if (err)
		return err;
	pid_fd = (int)syscall(SYS_pidfd_open, (pid_t)info->pid, 0);
	channel_message_free(info);
	err = cli_call(cli, "/union.v1.PlaneService/Shutdown", &request,
	               &union__v1__shutdown_response__descriptor, &reply);
	channel_message_free(reply);
	if (!err && pid_fd >= 0)
		err = wire_wait(pid_fd, POLLIN, cli->wake_fd, clock_mono_ms() + STOP_TIMEOUT_MS);
	if (pid_fd >= 0)
		(void)close(pid_fd);
	if (err == UN_ERR_TIMEOUT)
		return un_fail(&cli->detail, err, "the running control plane does not stop");
	return err;
}

/* The passphrase travels to uniond through a pipe, which only the two hold. */
static enum un_err
passphrase_pipe(struct cli *cli, int *ret_fd)
{
	struct secbuf *passphrase = NULL;
	int fds[2];
	enum un_err err;

	if (!cli->option[OPT_WITH_KEYS]) {
		if (!cli->option[OPT_REPLACE_KEYS] && !cli->option[OPT_FILE])
			return UN_OK;
		return un_fail(&cli->detail, UN_ERR_USAGE,
		               "--replace-keys and -f need --with-keys");
	}
	err = passphrase_input(cli, "Enter backup passphrase: ", false, &passphrase);
	if (err)
		return err;
	if (pipe2(fds, O_CLOEXEC) != 0) {
		err = un_fail_errno(&cli->detail, errno, "cannot make a pipe");
	} else {
		/* it fits into the pipe: nobody has to read yet */
		err = io_write_all(fds[1], secbuf_peek(passphrase), secbuf_len(passphrase));
		io_close(&fds[1]);
		if (err)
			io_close(&fds[0]);
		else
			*ret_fd = fds[0];
	}
	secbuf_free(passphrase);
	return err;
}

static enum un_err
start_uniond(struct cli *cli, int passphrase_fd, pid_t *ret_pid)
{
	char *argv[10] = {"union", "restore", "--data", cli->paths.data_dir};
	struct process process = {
	        .file = cli->paths.uniond,
	        .argv = argv,
	        .environment = cli_environ(),
	        .ours = {passphrase_fd},
	        .theirs = {PASSPHRASE_FD},
	        .fd_count = passphrase_fd >= 0,
	};
	size_t count = 4;
	enum un_err err;

	if (passphrase_fd >= 0) {
		argv[count++] = "--passphrase-fd";
		argv[count++] = "3";
	}
	if (cli->option[OPT_REPLACE_KEYS])
		argv[count++] = "--replace-keys";
	argv[count++] = "--";
	argv[count++] = (char *)cli->args[0];
	err = process_start(&process, ret_pid);
	if (err)
		return un_fail(&cli->detail, err, "cannot start %.300s: %s", cli->paths.uniond,
		               un_err_text(err));
	return UN_OK;
}

int
command_restore(struct cli *cli)
{
	int passphrase_fd = -1;
	enum un_err err = cli_find_paths(cli);
	pid_t pid = -1;

	if (!err)
		err = check_file(cli, cli->args[0]);
	if (!err)
		err = passphrase_pipe(cli, &passphrase_fd);
	if (!err)
		err = confirm(cli);
	if (!err)
		err = stop_plane(cli);
	if (!err)
		err = start_uniond(cli, passphrase_fd, &pid);
	io_close(&passphrase_fd);
	if (err)
		return cli_fail(cli, err);
	return process_wait(pid); /* it has told its own errors */
}
