#include "net/tcp_owner.h"

#include "base/io.h"
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OTHER_UID 65534

/* A listener on loopback and a client of `uid` connected to it. */
static int
accepted_from(uid_t uid, pid_t *ret_child)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	EXPECT(bind(listener, (struct sockaddr *)&address, len) == 0);
	EXPECT(listen(listener, 1) == 0);
	EXPECT(getsockname(listener, (struct sockaddr *)&address, &len) == 0);
	*ret_child = fork();
	if (*ret_child == 0) {
		char byte;

		if (setresuid(uid, uid, uid) != 0)
			_exit(1);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(fd, (struct sockaddr *)&address, len) != 0)
			_exit(1);
		_exit(read(fd, &byte, 1) == 0 ? 0 : 1); /* until the test closes its end */
	}
	fd = accept(listener, NULL, NULL);
	EXPECT(fd >= 0);
	io_close(&listener);
	return fd;
}

static void
expect_owner(uid_t uid)
{
	uid_t owner = 12345;
	pid_t child;
	int fd = accepted_from(uid, &child), status;

	EXPECT_OK(net_tcp_owner(fd, &owner));
	EXPECT_INT(uid, owner);
	io_close(&fd);
	EXPECT(waitpid(child, &status, 0) == child);
}

TEST(tcp_owner, names_the_user_of_the_other_end)
{
	expect_owner(getuid());
	if (getuid() == 0)
		expect_owner(OTHER_UID);
}

TEST(tcp_owner, refuses_what_is_no_connection)
{
	uid_t owner;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	EXPECT_ERR(UN_ERR_NOT_FOUND, net_tcp_owner(fd, &owner));
	io_close(&fd);
}

TEST_MAIN()
