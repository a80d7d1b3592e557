#include "net/unix.h"

#include "base/io.h"
#include "test.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[256];

static const char *
fresh(const char *name)
{
	static char path[512];

	(void)snprintf(folder, sizeof folder, "/tmp/net-unix-XXXXXX");
	EXPECT(mkdtemp(folder) != NULL);
	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void
forget(const char *path)
{
	(void)unlink(path);
	(void)rmdir(folder);
}

TEST(unix, listens_for_its_owner_alone_and_says_who_calls)
{
	const char *path = fresh("s");
	struct net_peer peer = {.uid = 77};
	struct stat info;
	int listener = -1, client = -1, server;

	EXPECT_OK(net_unix_listen(path, &listener, NULL));
	EXPECT_INT(0, stat(path, &info));
	EXPECT_INT(0600, info.st_mode & 0777);
	EXPECT_OK(net_unix_connect(path, 1000, &client));
	server = accept(listener, NULL, NULL);
	EXPECT_OK(net_unix_peer(server, &peer));
	EXPECT_INT(geteuid(), peer.uid);
	EXPECT_INT(getpid(), peer.pid);
	close(server);
	close(client);
	close(listener);
	forget(path);
}

TEST(unix, reaches_paths_longer_than_an_address_holds)
{
	char name[101];
	const char *path;
	int listener = -1, client = -1;

	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	path = fresh(name);
	EXPECT(strlen(path) > sizeof((struct sockaddr_un *)0)->sun_path);
	/* the last part alone must fit beside /proc/self/fd/N */
	EXPECT_ERR(UN_ERR_TOO_LARGE, net_unix_listen(path, &listener, NULL));
	rmdir(folder);
	name[80] = '\0';
	path = fresh(name);
	{
		char deep[512];

		(void)snprintf(deep, sizeof deep, "%s/%.60s", folder, name);
		EXPECT_INT(0, mkdir(deep, 0700));
		strncat(deep, "/socket-with-a-long-name", sizeof deep - strlen(deep) - 1);
		EXPECT_OK(net_unix_listen(deep, &listener, NULL));
		EXPECT_OK(net_unix_connect(deep, 1000, &client));
		close(client);
		close(listener);
		unlink(deep);
		*strrchr(deep, '/') = '\0';
		rmdir(deep);
	}
	forget(path);
}

TEST(unix, replaces_a_socket_nobody_answers_on_and_no_other)
{
	const char *path = fresh("s");
	struct un_detail detail = {.hint = ""};
	int listener = -1, second = -1, client = -1;

	EXPECT_ERR(UN_ERR_UNREACHABLE, net_unix_connect(path, 10, &client));
	EXPECT_OK(net_unix_listen(path, &listener, NULL));
	EXPECT_ERR(UN_ERR_BUSY, net_unix_listen(path, &second, &detail));
	EXPECT(strstr(detail.message, path) != NULL);
	close(listener);
	EXPECT_ERR(UN_ERR_UNREACHABLE, net_unix_connect(path, 10, &client));
	EXPECT_OK(net_unix_listen(path, &second, NULL));
	close(second);
	forget(path);
}

TEST(unix, leaves_a_file_that_is_no_socket)
{
	const char *path = fresh("f");
	int fd = -1;
	FILE *file = fopen(path, "w");

	EXPECT(file != NULL);
	fclose(file);
	EXPECT_ERR(UN_ERR_EXISTS, net_unix_listen(path, &fd, NULL));
	EXPECT_INT(0, access(path, F_OK));
	forget(path);
}

TEST_MAIN()
