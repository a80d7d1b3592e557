#include "wake.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

enum un_err
wake_on_signals(struct cli *cli)
{
	sigset_t signals;
	int fd;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
		return un_err_from_errno(errno);
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return un_fail_errno(&cli->detail, errno, "cannot watch for signals");
	cli->wake_fd = fd;
	if (cli->channel)
		channel_set_wake(cli->channel, fd);
	return UN_OK;
}
