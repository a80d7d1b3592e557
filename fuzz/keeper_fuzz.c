/* Messages of the keeper. An even first byte: the rest goes to the keeper as a stream of requests.
 * An odd one: the rest comes to a client from its keeper, while one request of each kind waits. */
#include "base/clock.h"
#include "crypto/hash.h"
#include "keeper/keeper.h"
#include "keeper/keyholder.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct keyholder *holder; /* never freed */
static struct wire_request request;
static struct secbuf *ticket;
static struct scope at;
static struct secret_id id;

static void
start(void)
{
	char path[] = "/tmp/keeper-fuzz-XXXXXX";
	struct keyholder_options options = {.provider = "file", .may_create = true};
	enum un_err err = crypto_init();

	assert(mkdtemp(path));
	options.dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = err ? err : keyholder_new(&options, NULL, &holder);
	(void)unlinkat(options.dir_fd, "ring", 0);
	(void)unlinkat(options.dir_fd, "root", 0);
	(void)unlinkat(options.dir_fd, "journal", 0);
	(void)unlinkat(options.dir_fd, "head", 0);
	(void)rmdir(path);
	err = err ? err : secbuf_new(TICKET_LEN_MIN, &ticket);
	err = err ? err : scope_init(&at, "fraud", "production", NULL);
	err = err ? err : secret_id_init(&id, "fraud", "production", "db_url", NULL);
	assert(err == UN_OK);
}

/* Those that write files or take a tenth of a second are only parsed. */
static bool
is_cheap(enum wire_op op)
{
	return op != WIRE_ROTATE && op != WIRE_SIGN && op != WIRE_UNLOCK && op != WIRE_EXPORT;
}

static void
to_keeper(const uint8_t *bytes, size_t len)
{
	static uint8_t memory[WIRE_FRAME_MAX + 1];
	size_t frame_len;

	while (wire_frame_len(bytes, len, &frame_len) == UN_OK && frame_len) {
		struct buf out = {.data = memory, .cap = sizeof memory, .max = sizeof memory - 1};
		struct wire_answer answer;
		enum un_err err = wire_request_unpack(bytes + WIRE_LENGTH_LEN,
		                                      frame_len - WIRE_LENGTH_LEN, &request);

		if (err)
			return;
		if (is_cheap(request.op)) {
			bool held;

			err = keyholder_answer(holder, &request, &out, &held);
			assert(err == UN_OK && !held && out.len <= KEYHOLDER_ANSWER_MAX);
			err = wire_answer_unpack(out.data + WIRE_LENGTH_LEN,
			                         out.len - WIRE_LENGTH_LEN, &answer);
			assert(err == UN_OK);
			/* nobody can make these without the keys */
			assert(request.op != WIRE_RELEASE || answer.err != UN_OK);
		}
		bytes += frame_len;
		len -= frame_len;
	}
}

static void
count(void *context, const struct keeper_answer *answer)
{
	secbuf_free(answer->ticket);
	assert((answer->err == UN_OK) == !answer->detail);
	++*(unsigned *)context;
}

static unsigned
ask_all(struct keeper_client *client, unsigned *answered)
{
	static const uint8_t bytes[TRAVEL_DEK_LEN];
	static const char *const names[] = {"db_url"};
	struct ticket_grant grant = {.org = "", .at = &at, .names = names, .count = 1};
	struct keeper_release release = {.ticket = ticket, .launcher_public = bytes};
	struct keeper_call call = {count, answered, 1000};
	unsigned asked = 0;

	asked += keeper_ask_info(client, call) == UN_OK;
	asked += keeper_ingest(client, &id, 1, bytes, call) == UN_OK;
	asked += keeper_grant(client, &grant, call) == UN_OK;
	asked += keeper_release(client, &release, call) == UN_OK;
	asked += keeper_rewrap(client, &id, 1, bytes, call) == UN_OK;
	asked += keeper_rotate(client, call) == UN_OK;
	asked += keeper_unlock(client, bytes, sizeof bytes, call) == UN_OK;
	asked += keeper_export(client, bytes, sizeof bytes, call) == UN_OK;
	asked += keeper_hash_credential(client, ticket, call) == UN_OK;
	asked += keeper_sign_head(client, 1, bytes, call) == UN_OK;
	asked += keeper_last_head(client, call) == UN_OK;
	return asked;
}

static void
to_client(const uint8_t *bytes, size_t len)
{
	struct keeper_client *client;
	unsigned asked, answered = 0;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		return;
	if (keeper_client_new(&client) != UN_OK)
		abort();
	asked = ask_all(client, &answered);
	keeper_client_attach(client, pair[0]);
	(void)!send(pair[1], bytes, len < 60000 ? len : 60000, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)close(pair[1]);
	while (keeper_client_pump(client) == UN_OK)
		;
	keeper_client_free(client);
	assert(answered == asked);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (!holder)
		start();
	if (len == 0)
		return 0;
	if (bytes[0] & 1)
		to_client(bytes + 1, len - 1);
	else
		to_keeper(bytes + 1, len - 1);
	return 0;
}
