#include "net/tcp_owner.h"

#include "base/clock.h"
#include "base/io.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_WAIT_MS 1000

struct question {
	struct nlmsghdr head;
	struct inet_diag_req_v2 request;
};

/* Address and port of one end, as sock_diag wants them. */
static bool
copy_end(const struct sockaddr_storage *end, __be16 *port, __be32 address[4])
{
	if (end->ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)end;

		*port = v4->sin_port;
		address[0] = v4->sin_addr.s_addr;
		return true;
	}
	if (end->ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)end;

		*port = v6->sin6_port;
		memcpy(address, &v6->sin6_addr, 16);
		return true;
	}
	return false;
}

/* Asks for the socket whose source is our peer and whose destination is us. */
static enum un_err
make_question(int fd, struct question *question)
{
	struct sockaddr_storage ours = {0}, theirs = {0};
	socklen_t ours_len = sizeof ours, theirs_len = sizeof theirs;
	struct inet_diag_sockid *id = &question->request.id;

	memset(question, 0, sizeof *question);
	if (getsockname(fd, (struct sockaddr *)&ours, &ours_len) != 0 ||
	    getpeername(fd, (struct sockaddr *)&theirs, &theirs_len) != 0)
		return UN_ERR_NOT_FOUND;
	question->head.nlmsg_len = sizeof *question;
	question->head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
	question->head.nlmsg_flags = NLM_F_REQUEST;
	question->request.sdiag_family = (__u8)ours.ss_family;
	question->request.sdiag_protocol = IPPROTO_TCP;
	question->request.idiag_states = UINT32_MAX;
	id->idiag_cookie[0] = INET_DIAG_NOCOOKIE;
	id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	if (!copy_end(&theirs, &id->idiag_sport, id->idiag_src) ||
	    !copy_end(&ours, &id->idiag_dport, id->idiag_dst))
		return UN_ERR_NOT_FOUND;
	return UN_OK;
}

static enum un_err
read_answer(int netlink, uid_t *ret_uid)
{
	_Alignas(struct nlmsghdr) uint8_t bytes[4096];
	const struct nlmsghdr *head = (const struct nlmsghdr *)bytes;
	const struct inet_diag_msg *found;
	enum un_err err = io_wait(netlink, POLLIN, clock_mono_ms() + ANSWER_WAIT_MS);
	ssize_t len;

	if (err)
		return err;
	len = recv(netlink, bytes, sizeof bytes, 0);
	if (len < (ssize_t)sizeof *head || head->nlmsg_len > (size_t)len)
		return UN_ERR_NOT_FOUND;
	if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    head->nlmsg_len < NLMSG_LENGTH(sizeof *found))
		return UN_ERR_NOT_FOUND;
	found = NLMSG_DATA(head);
	if (found->idiag_state != 1 /* ESTABLISHED: a lookup may fall back to a listener */)
		return UN_ERR_NOT_FOUND;
	*ret_uid = found->idiag_uid;
	return UN_OK;
}

enum un_err
net_tcp_owner(int fd, uid_t *ret_uid)
{
	struct question question;
	enum un_err err = make_question(fd, &question);
	int netlink;

	if (err)
		return err;
	netlink = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (netlink < 0)
		return un_err_from_errno(errno);
	if (send(netlink, &question, sizeof question, 0) != (ssize_t)sizeof question)
		err = un_err_from_errno(errno);
	else
		err = read_answer(netlink, ret_uid);
	io_close(&netlink);
	return err;
}
