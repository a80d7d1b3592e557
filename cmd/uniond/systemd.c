#include "systemd.h"

#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "net/listener.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_FD 3
#define MESSAGE_MAX 512
#define CREDENTIAL "credential:"
#define ALIVE_AT_MOST_S 3600

static bool
number_of(const char *name, uint64_t *ret_number)
{
	const char *text = getenv(name);

	return text && text_parse_u64(text, ret_number) == UN_OK;
}

/* ---- sockets ---- */

static enum un_err
take_path(int fd, struct config *config, struct un_detail *detail)
{
	struct sockaddr_un address = {0};
	socklen_t len = sizeof address;

	if (getsockname(fd, (struct sockaddr *)&address, &len) ||
	    len <= offsetof(struct sockaddr_un, sun_path) || address.sun_path[0] != '/')
		return un_fail(detail, UN_ERR_BAD_CONFIG,
		               "the Unix socket that was passed in has no path");
	(void)snprintf(config->listen_unix, sizeof config->listen_unix, "%.*s",
	               (int)sizeof address.sun_path, address.sun_path);
	return UN_OK;
}

static enum un_err
take_sockets(struct systemd *systemd, struct config *config, struct un_detail *detail)
{
	uint64_t pid, count;
	enum un_err err = UN_OK;

	if (!number_of("LISTEN_PID", &pid) || pid != (uint64_t)getpid() ||
	    !number_of("LISTEN_FDS", &count))
		return UN_OK;
	if (count > PLANE_PASSED_MAX)
		return un_fail(detail, UN_ERR_BAD_CONFIG, "%llu sockets were passed in, at most %d",
		               (unsigned long long)count, PLANE_PASSED_MAX);
	for (uint64_t i = 0; i < count && !err; i++) {
		int fd = FIRST_FD + (int)i;

		if (fcntl(fd, F_SETFD, FD_CLOEXEC))
			return un_fail(detail, UN_ERR_BAD_CONFIG,
			               "descriptor %d was announced and is not there", fd);
		systemd->sockets[systemd->socket_count++] = fd;
		if (!net_is_unix(fd))
			continue;
		if (systemd->has_unix)
			return un_fail(detail, UN_ERR_BAD_CONFIG,
			               "two Unix sockets were passed in; give TCP ones beside one");
		systemd->has_unix = true;
		err = take_path(fd, config, detail);
	}
	return err;
}

/* ---- notification ---- */

static void
open_notify(struct systemd *systemd)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (!path || (path[0] != '/' && path[0] != '@') ||
	    strlen(path) >= sizeof systemd->notify_path)
		return;
	(void)snprintf(systemd->notify_path, sizeof systemd->notify_path, "%s", path);
	systemd->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

void
systemd_tell(const struct systemd *systemd, const char *format, ...)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t path_len = strlen(systemd->notify_path);
	char message[MESSAGE_MAX];
	va_list args;
	int len;

	if (systemd->notify_fd < 0)
		return;
	va_start(args, format);
	len = vsnprintf(message, sizeof message, format, args);
	va_end(args);
	if (len <= 0)
		return;
	if (len >= (int)sizeof message)
		len = (int)sizeof message - 1;
	memcpy(address.sun_path, systemd->notify_path, path_len);
	if (address.sun_path[0] == '@')
		address.sun_path[0] = '\0';
	(void)!sendto(systemd->notify_fd, message, (size_t)len, MSG_NOSIGNAL,
	              (struct sockaddr *)&address,
	              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_len));
}

static void
take_watchdog(struct systemd *systemd)
{
	uint64_t us, pid;

	if (!number_of("WATCHDOG_USEC", &us) || !us)
		return;
	if (number_of("WATCHDOG_PID", &pid) && pid != (uint64_t)getpid())
		return;
	us /= 3; /* two signs of life may be late */
	systemd->alive_every_s = us < 1000000                     ? 1
	                         : us / 1000000 > ALIVE_AT_MOST_S ? ALIVE_AT_MOST_S
	                                                          : (unsigned)(us / 1000000);
}

enum un_err
systemd_take(struct systemd *systemd, struct config *config, struct un_detail *detail)
{
	static const char *const names[] = {"LISTEN_PID",    "LISTEN_FDS",    "LISTEN_FDNAMES",
	                                    "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
	enum un_err err;

	*systemd = (struct systemd){.notify_fd = -1};
	err = take_sockets(systemd, config, detail);
	open_notify(systemd);
	take_watchdog(systemd);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		(void)unsetenv(names[i]);
	return err;
}

void
systemd_release(struct systemd *systemd)
{
	io_close(&systemd->notify_fd);
}

/* ---- credentials ---- */

static enum un_err
find_credential(char *path, size_t size, struct un_detail *detail)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	char name[NAME_MAX + 1];

	if (strncmp(path, CREDENTIAL, sizeof CREDENTIAL - 1) != 0)
		return UN_OK;
	if (!folder || folder[0] != '/') {
		un_hint(detail,
		        "the unit needs LoadCredential=%s:FILE; by hand: set "
		        "CREDENTIALS_DIRECTORY to a folder that has it",
		        path + sizeof CREDENTIAL - 1);
		return un_fail(detail, UN_ERR_BAD_CONFIG, "'%s': no credentials were given", path);
	}
	if (strlen(path) - (sizeof CREDENTIAL - 1) >= sizeof name || strchr(path, '/') ||
	    strcmp(path, CREDENTIAL "..") == 0)
		return un_fail(detail, UN_ERR_BAD_CONFIG, "'%s' is not a credential's name", path);
	(void)snprintf(name, sizeof name, "%s", path + sizeof CREDENTIAL - 1);
	if ((size_t)snprintf(path, size, "%s/%s", folder, name) >= size)
		return un_fail(detail, UN_ERR_BAD_CONFIG, "CREDENTIALS_DIRECTORY is too long");
	return UN_OK;
}

enum un_err
systemd_find_credentials(struct config *config, struct un_detail *detail)
{
	char *const paths[] = {config->passphrase_file, config->tls_certificate, config->tls_key,
	                       config->tls_client_ca};
	enum un_err err = UN_OK;

	for (size_t i = 0; i < sizeof paths / sizeof paths[0] && !err; i++)
		err = find_credential(paths[i], PATH_MAX, detail);
	return err;
}
