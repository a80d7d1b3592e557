/* The keeper's own loop: poll, read, answer every whole frame, write once. */
#include "keeper/process.h"

#include "base/alloc.h"
#include "base/io.h"
#include "base/pack.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "keeper/keeper.h"
#include "keeper/keyholder.h"
#include "keeper/keyring_file.h"
#include "keeper/sandbox.h"
#include "keeper/secret_buf.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_LEN (WIRE_FRAME_MAX + 1)
#define STATUS_OK 0
#define STATUS_FAILED 1
#define STATUS_USAGE 2

enum un_err
process_report_pack(struct buf *out, enum un_err result, const struct un_detail *detail)
{
	enum un_err err = pack_u16(out, (uint16_t)-(int)result);

	if (err == UN_OK)
		err = pack_text(out, detail->message);
	if (err == UN_OK)
		err = pack_text(out, detail->hint);
	return err;
}

enum un_err
process_report_unpack(const uint8_t *bytes, size_t len, enum un_err *ret_result,
                      struct un_detail *ret_detail)
{
	struct un_detail detail = {.message = ""};
	struct unpack in;
	enum un_err result;

	unpack_init(&in, bytes, len);
	result = (enum un_err)-(int)unpack_u16(&in);
	unpack_text(&in, detail.message, sizeof detail.message);
	unpack_text(&in, detail.hint, sizeof detail.hint);
	if (unpack_end(&in))
		return UN_ERR_PROTOCOL;
	*ret_result = result;
	*ret_detail = detail;
	return UN_OK;
}

/* Where a release lies in `out`, for as long as its record is not durable. */
struct held {
	size_t start, len;
	uint32_t id;
};
#define HELD_MAX 32

struct connection { /* one client's socket; both buffers may hold a ticket */
	int fd;
	struct secbuf *in_memory, *out_memory;
	struct buf out;
	size_t in_len;
	struct held held[HELD_MAX];
	size_t held_count;
};

struct process {
	struct keyholder *holder;
	struct wire_request request;
	size_t count;
	struct connection connections[KEEPER_SOCKETS_MAX];
	struct pollfd polls[KEEPER_SOCKETS_MAX + 1]; /* the lifeline first */
};

static void
connection_fini(struct connection *one)
{
	io_close(&one->fd);
	secbuf_free(one->in_memory);
	secbuf_free(one->out_memory);
	one->in_memory = NULL;
	one->out_memory = NULL;
}

static enum un_err
connection_init(struct connection *one, int fd)
{
	enum un_err err;

	*one = (struct connection){.fd = fd};
	err = secbuf_new(BUFFER_LEN, &one->in_memory);
	if (err == UN_OK)
		err = secbuf_new(BUFFER_LEN, &one->out_memory);
	if (err == UN_OK)
		one->out = secret_buf_over(one->out_memory);
	return err;
}

/* Writes what the socket takes. */
static enum un_err
connection_flush(struct connection *one)
{
	size_t at = 0;

	while (at < one->out.len) {
		ssize_t sent = send(one->fd, one->out.data + at, one->out.len - at,
		                    MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0)
			at += (size_t)sent;
		else if (errno == EAGAIN)
			break;
		else if (errno != EINTR)
			return UN_ERR_UNREACHABLE;
	}
	memmove(one->out.data, one->out.data + at, one->out.len - at);
	explicit_bzero(one->out.data + one->out.len - at, at);
	one->out.len -= at;
	return UN_OK;
}

/* For the largest answer, and for a refusal in the place of each release that is held. */
static bool
has_room(const struct connection *one)
{
	return one->out.max - one->out.len >=
	       KEYHOLDER_ANSWER_MAX + HELD_MAX * KEYHOLDER_REFUSAL_MAX;
}

static enum un_err
answer_frame(struct process *process, struct connection *one, const uint8_t *frame, size_t len)
{
	size_t start = one->out.len;
	bool held = false;
	enum un_err err = wire_request_unpack(frame, len, &process->request);

	if (err == UN_OK)
		err = keyholder_answer(process->holder, &process->request, &one->out, &held);
	if (held)
		one->held[one->held_count++] = (struct held){
			start, one->out.len - start, process->request.id};
	return err;
}

/* Answers the whole frames for which there is room. UN_ERR_PROTOCOL: what came is no request. */
static enum un_err
connection_answer(struct process *process, struct connection *one)
{
	uint8_t *bytes = secbuf_edit(one->in_memory);
	size_t at = 0, frame_len;
	enum un_err err = UN_OK;

	while (has_room(one) && one->held_count < HELD_MAX) {
		err = wire_frame_len(bytes + at, one->in_len - at, &frame_len);
		if (err || !frame_len)
			break;
		err = answer_frame(process, one, bytes + at + WIRE_LENGTH_LEN,
		                   frame_len - WIRE_LENGTH_LEN);
		if (err)
			break;
		at += frame_len;
	}
	memmove(bytes, bytes + at, one->in_len - at);
	explicit_bzero(bytes + one->in_len - at, at);
	one->in_len -= at;
	return err;
}

/* Puts a refusal where a release is; what lies behind it moves. */
static enum un_err
replace_held(struct connection *one, const struct held *held, enum un_err why,
             const struct un_detail *detail)
{
	const struct wire_request to = {.op = WIRE_RELEASE, .id = held->id};
	uint8_t memory[KEYHOLDER_REFUSAL_MAX + 1];
	struct buf refusal = {.data = memory,
	                      .cap = sizeof memory,
	                      .max = sizeof memory - 1,
	                      .kind = BUF_PLAIN};
	uint8_t *at = one->out.data + held->start;
	size_t behind = one->out.len - held->start - held->len;
	enum un_err err = wire_answer_refuse(&refusal, &to, why, detail);

	if (err) /* too long a text: the error alone says it, too */
		err = wire_answer_refuse(&refusal, &to, why, NULL);
	if (err)
		return err;
	explicit_bzero(at, held->len);
	memmove(at + refusal.len, at + held->len, behind);
	memcpy(at, refusal.data, refusal.len);
	one->out.len = held->start + refusal.len + behind;
	return UN_OK;
}

/* What is released is on disk before it leaves: one sync for all that came together. */
static enum un_err
commit_held(struct process *process)
{
	struct un_detail detail = {0};
	enum un_err why = keyholder_commit(process->holder, &detail), err = UN_OK;

	for (size_t i = 0; i < process->count; i++) {
		struct connection *one = &process->connections[i];

		/* from the last one on: those before it stay where they are */
		for (size_t n = one->held_count; why && !err && n > 0; n--)
			err = replace_held(one, &one->held[n - 1], why, &detail);
		one->held_count = 0;
	}
	return err;
}

static enum un_err
connection_read(struct connection *one)
{
	ssize_t got = recv(one->fd, secbuf_edit(one->in_memory) + one->in_len,
	                   BUFFER_LEN - one->in_len, MSG_DONTWAIT);

	if (got > 0)
		one->in_len += (size_t)got;
	else if (got == 0 || (errno != EAGAIN && errno != EINTR))
		return UN_ERR_UNREACHABLE;
	return UN_OK;
}

/* A connection that has gone is closed; poll ignores it from then on. Its releases are recorded
 * all the same. */
static enum un_err
survive(struct connection *one, enum un_err err)
{
	if (err != UN_ERR_UNREACHABLE)
		return err;
	io_close(&one->fd);
	return UN_OK;
}

static enum un_err
connection_receive(struct connection *one, short revents)
{
	enum un_err err = UN_OK;

	if (revents & POLLOUT)
		err = connection_flush(one);
	if (err == UN_OK && (revents & (POLLIN | POLLHUP | POLLERR)) && has_room(one))
		err = connection_read(one);
	return survive(one, err);
}

/* One turn: answers, commits, writes. *ret_more: something was done, there may be more to do. */
static enum un_err
serve_turn(struct process *process, bool *ret_more)
{
	bool held = false;
	enum un_err err = UN_OK;

	*ret_more = false;
	for (size_t i = 0; err == UN_OK && i < process->count; i++) {
		struct connection *one = &process->connections[i];
		size_t before = one->in_len;

		if (one->fd < 0)
			continue;
		err = connection_answer(process, one);
		*ret_more = *ret_more || one->in_len != before;
		held = held || one->held_count;
		if (err == UN_OK && !one->held_count)
			err = survive(one, connection_flush(one)); /* need not wait for the disk */
	}
	if (err == UN_OK && held)
		err = commit_held(process);
	for (size_t i = 0; err == UN_OK && held && i < process->count; i++)
		if (process->connections[i].fd >= 0)
			err = survive(&process->connections[i],
			              connection_flush(&process->connections[i]));
	return err;
}

static void
arm_polls(struct process *process)
{
	for (size_t i = 0; i < process->count; i++) {
		const struct connection *one = &process->connections[i];
		int events = has_room(one) ? POLLIN : 0;

		if (one->out.len)
			events |= POLLOUT;
		process->polls[i + 1] = (struct pollfd){.fd = one->fd, .events = (short)events};
	}
}

/* What has come, until input or room runs out. */
static enum un_err
serve(struct process *process)
{
	enum un_err err = UN_OK;
	bool more = true;

	for (size_t i = 0; err == UN_OK && i < process->count; i++)
		if (process->polls[i + 1].revents)
			err = connection_receive(&process->connections[i],
			                         process->polls[i + 1].revents);
	while (err == UN_OK && more)
		err = serve_turn(process, &more);
	return err;
}

/* The sign of life that the supervisor asks for. False: the lifeline has ended. */
static bool
answer_ping(void)
{
	uint8_t ping[PROCESS_PING_LEN];
	ssize_t got = recv(PROCESS_FD_LIFELINE, ping, sizeof ping, MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (got <= 0)
		return false;
	(void)send(PROCESS_FD_LIFELINE, ping, (size_t)got, MSG_DONTWAIT | MSG_NOSIGNAL);
	return true;
}

/* Ends when the lifeline does. A frame that is no request is an intruder or a defect: the keeper
 * ends, and every key with it. */
static int
run(struct process *process)
{
	process->polls[0] = (struct pollfd){.fd = PROCESS_FD_LIFELINE, .events = POLLIN};
	for (;;) {
		arm_polls(process);
		if (poll(process->polls, process->count + 1, -1) < 0 && errno != EINTR)
			return STATUS_FAILED;
		if (process->polls[0].revents && !answer_ping())
			return STATUS_OK;
		if (serve(process) != UN_OK)
			return STATUS_FAILED;
	}
}

struct arguments {
	uint64_t sockets;
	const char *provider;
	bool create, passphrase;
};

static enum un_err
parse_arguments(int argc, char **argv, struct arguments *ret_arguments)
{
	struct arguments arguments = {0};

	if (argc < 2 || text_parse_u64(argv[0], &arguments.sockets) != UN_OK ||
	    arguments.sockets == 0 || arguments.sockets > KEEPER_SOCKETS_MAX)
		return UN_ERR_USAGE;
	arguments.provider = argv[1];
	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "create") == 0)
			arguments.create = true;
		else if (strcmp(argv[i], "passphrase") == 0)
			arguments.passphrase = true;
		else
			return UN_ERR_USAGE;
	}
	*ret_arguments = arguments;
	return UN_OK;
}

/* A file may end in one newline; a passphrase does not. */
static enum un_err
read_passphrase(struct secbuf **ret_passphrase, struct un_detail *detail)
{
	struct secbuf *passphrase = NULL;
	enum un_err err = secbuf_read(PROCESS_FD_PASSPHRASE, PASSPHRASE_MAX, &passphrase);
	size_t len;

	(void)close(PROCESS_FD_PASSPHRASE);
	if (err)
		return un_fail(detail, err, "cannot read the passphrase file: %s",
		               un_err_text(err));
	len = secbuf_len(passphrase);
	if (len && secbuf_peek(passphrase)[len - 1] == '\n')
		secbuf_shrink(passphrase, len - 1);
	if (secbuf_len(passphrase) == 0) {
		secbuf_free(passphrase);
		return un_fail(detail, UN_ERR_RANGE, "the passphrase file is empty");
	}
	*ret_passphrase = passphrase;
	return UN_OK;
}

static enum un_err
load_holder(struct process *process, const struct arguments *arguments, struct un_detail *detail)
{
	struct keyholder_options options = {.dir_fd = PROCESS_FD_DIR,
	                                    .provider = arguments->provider,
	                                    .may_create = arguments->create};
	struct secbuf *passphrase = NULL;
	enum un_err err = UN_OK;

	if (arguments->passphrase)
		err = read_passphrase(&passphrase, detail);
	if (err)
		return err;
	keyring_dir_clean(PROCESS_FD_DIR);
	options.passphrase = passphrase;
	err = keyholder_new(&options, detail, &process->holder);
	secbuf_free(passphrase);
	return err;
}

static enum un_err
prepare(struct process *process, const struct arguments *arguments, struct un_detail *detail)
{
	bool landlocked;
	enum un_err err = sandbox_harden(detail);

	if (err)
		return err;
	if (close_range(PROCESS_FD_SOCKETS + (unsigned)arguments->sockets, ~0u, 0) != 0)
		return un_fail_errno(detail, errno, "cannot close foreign descriptors");
	err = crypto_init();
	if (err)
		return err;
	err = load_holder(process, arguments, detail);
	if (err)
		return err;
	for (size_t i = 0; i < arguments->sockets; i++) {
		process->count = i + 1;
		err = connection_init(&process->connections[i], PROCESS_FD_SOCKETS + (int)i);
		if (err)
			return err;
	}
	err = sandbox_close(PROCESS_FD_DIR, detail, &landlocked);
	if (err == UN_OK)
		keyholder_set_landlocked(process->holder, landlocked);
	return err;
}

static enum un_err
report(enum un_err result, const struct un_detail *detail)
{
	struct buf message;
	enum un_err err;

	buf_init(&message, PROCESS_REPORT_MAX, BUF_PLAIN);
	err = process_report_pack(&message, result, detail);
	if (err == UN_OK && send(PROCESS_FD_LIFELINE, message.data, message.len, MSG_NOSIGNAL) < 0)
		err = UN_ERR_UNREACHABLE;
	buf_fini(&message);
	return err;
}

static void
process_free(struct process *process)
{
	for (size_t i = 0; i < process->count; i++)
		connection_fini(&process->connections[i]);
	keyholder_free(process->holder);
	mem_free(process);
}

int
keeper_main(int argc, char **argv)
{
	struct un_detail detail = {0};
	struct arguments arguments;
	struct process *process;
	int status = STATUS_FAILED;
	enum un_err err;

	if (parse_arguments(argc, argv, &arguments) != UN_OK)
		return STATUS_USAGE;
	process = mem_zalloc(1, sizeof *process);
	if (!process)
		return STATUS_FAILED;
	err = prepare(process, &arguments, &detail);
	if (report(err, &detail) == UN_OK && err == UN_OK)
		status = run(process);
	process_free(process);
	_exit(status); /* what atexit would run may not be allowed any more */
}
