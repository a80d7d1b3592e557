#include "launch/plane.h"

#include "base/clock.h"
#include "base/io.h"
#include "crypto/hash.h"
#include "keeper/ticket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define REQUEST_MAX (32u << 20)
#define LIFE_MS 60000 /* of a test's attempt */

extern char **environ;

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)fprintf(stderr, "plane: %s:%d: %s (%s)\n", __FILE__, __LINE__,       \
			              #condition, strerror(errno));                                \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

void
plane_init(struct plane *plane)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memset(plane, 0, sizeof *plane);
	MUST(crypto_init() == UN_OK);
	buf_init(&plane->log, 64u << 20, BUF_PLAIN);
	plane->lease_ms = 30000;
	plane->launcher_fd = plane->ticket_fd = -1;
	(void)snprintf(plane->folder, sizeof plane->folder, "/tmp/plane-XXXXXX");
	MUST(mkdtemp(plane->folder) != NULL);
	(void)snprintf(plane->socket, sizeof plane->socket, "%s/socket", plane->folder);
	(void)snprintf(plane->workdir, sizeof plane->workdir, "%s/work", plane->folder);
	random_bytes(plane->attempt, sizeof plane->attempt);
	random_bytes(plane->lease, sizeof plane->lease);
	plane->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(address.sun_path, plane->socket, strlen(plane->socket) + 1);
	MUST(bind(plane->listen_fd, (struct sockaddr *)&address, sizeof address) == 0);
	MUST(listen(plane->listen_fd, 8) == 0);
}

void
plane_fini(struct plane *plane)
{
	union__v1__finish_request__free_unpacked(plane->finish, NULL);
	buf_fini(&plane->log);
	for (size_t i = 0; i < plane->secret_count; i++)
		secbuf_free(plane->deks[i]);
	io_close(&plane->listen_fd);
	io_close(&plane->launcher_fd);
	io_close(&plane->ticket_fd);
	(void)unlink(plane->socket);
	(void)rmdir(plane->workdir); /* the folder of attempts stays, but empty */
	MUST(rmdir(plane->folder) == 0); /* the launcher left nothing behind */
}

/* A ticket as the keeper makes it, under a key that nobody else knows. */
void
plane_give_ticket(struct plane *plane)
{
	struct scope at;
	struct ticket_grant grant = {
		.org = "", .at = &at, .expires_us = clock_wall_us() + 60000000};
	struct secbuf *key;
	struct buf ticket;

	MUST(scope_init(&at, "p", "d", NULL) == UN_OK);
	memcpy(grant.attempt, plane->attempt, sizeof plane->attempt);
	MUST(secbuf_new(32, &key) == UN_OK);
	buf_init(&ticket, TICKET_LEN_MAX, BUF_WIPE);
	MUST(ticket_pack(key, &grant, &ticket) == UN_OK);
	plane->run_ms = -(double)clock_mono_us() / 1000;
	MUST(io_write_all(plane->ticket_fd, ticket.data, ticket.len) == UN_OK);
	io_close(&plane->ticket_fd);
	buf_fini(&ticket);
	secbuf_free(key);
}

void
plane_start_ahead(struct plane *plane, const char *program)
{
	char endpoint[128];
	char *args[] = {(char *)(uintptr_t)program,
	                "attempt",
	                "--endpoint",
	                endpoint,
	                "--ticket-fd",
	                "3",
	                "--workdir",
	                plane->workdir,
	                [40] = NULL};
	size_t count = 8;
	posix_spawn_file_actions_t actions;
	int ticket[2];

	MUST(pipe2(ticket, O_CLOEXEC) == 0);
	plane->ticket_fd = ticket[1];
	if (plane->endpoint)
		(void)snprintf(endpoint, sizeof endpoint, "%s", plane->endpoint);
	else
		(void)snprintf(endpoint, sizeof endpoint, "unix://%s", plane->socket);
	if (plane->ca_file) {
		args[count++] = "--ca-file";
		args[count++] = (char *)(uintptr_t)plane->ca_file;
	}
	if (plane->hidden) {
		args[count++] = "--hide";
		args[count++] = (char *)(uintptr_t)plane->hidden;
	}
	if (plane->sdk) {
		args[count++] = "--sdk";
		args[count++] = (char *)(uintptr_t)plane->sdk;
	}
	if (plane->plain)
		args[count++] = "--no-namespaces";
	for (size_t i = 0; plane->options[i]; i++)
		args[count++] = (char *)(uintptr_t)plane->options[i];
	MUST(posix_spawn_file_actions_init(&actions) == 0);
	if (ticket[0] == 3)
		(void)fcntl(ticket[0], F_SETFD, 0);
	else
		MUST(posix_spawn_file_actions_adddup2(&actions, ticket[0], 3) == 0);
	MUST(posix_spawn(&plane->launcher, program, &actions, NULL, args, environ) == 0);
	(void)close(ticket[0]);
	(void)posix_spawn_file_actions_destroy(&actions);
	plane->launcher_fd = pidfd_open(plane->launcher, 0);
	MUST(plane->launcher_fd >= 0);
}

void
plane_start(struct plane *plane, const char *program)
{
	double start_ms = (double)clock_mono_us() / 1000;

	plane_start_ahead(plane, program);
	plane_give_ticket(plane);
	plane->run_ms = -start_ms;
}

struct request {
	char method[8];
	char path[256];
	struct buf bytes; /* head and body */
	size_t head_len;
};

static size_t
body_len(const struct request *request)
{
	const char *field = strcasestr(buf_text(&request->bytes), "\r\ncontent-length:");

	return field ? strtoul(field + 17, NULL, 10) : 0;
}

/* false: the connection is closed. */
static bool
read_request(int fd, struct request *request)
{
	char piece[65536];

	buf_init(&request->bytes, REQUEST_MAX, BUF_WIPE);
	request->head_len = 0;
	for (;;) {
		ssize_t got;

		if (!request->head_len && request->bytes.len) {
			const char *end = strstr(buf_text(&request->bytes), "\r\n\r\n");

			request->head_len =
			        end ? (size_t)(end + 4 - buf_text(&request->bytes)) : 0;
		}
		if (request->head_len &&
		    request->bytes.len >= request->head_len + body_len(request))
			break;
		got = read(fd, piece, sizeof piece);
		if (got <= 0)
			return false;
		MUST(buf_append(&request->bytes, piece, (size_t)got) == UN_OK);
	}
	return sscanf(buf_text(&request->bytes), "%7s %255s", request->method, request->path) == 2;
}

static void
reply(int fd, int status, const char *type, const void *body, size_t len)
{
	struct buf out;

	buf_init(&out, 64u << 20, BUF_WIPE);
	MUST(buf_appendf(&out, "HTTP/1.1 %d x\r\ncontent-type: %s\r\ncontent-length: %zu\r\n\r\n",
	                 status, type, len) == UN_OK);
	MUST(buf_append(&out, body, len) == UN_OK);
	(void)!io_write_all(fd, out.data, out.len); /* the launcher may be dead by now */
	buf_fini(&out);
}

static void
reply_message(int fd, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes = malloc(len + 1);

	MUST(bytes != NULL);
	(void)protobuf_c_message_pack(message, bytes);
	reply(fd, 200, "application/proto", bytes, len);
	free(bytes);
}

static void
refuse(int fd, const char *code, const char *slug)
{
	char body[256], head[512];
	int len = snprintf(body, sizeof body,
	                   "{\"code\":\"%s\",\"message\":\"refused by the test\"}", code);

	len = snprintf(head, sizeof head,
	               "HTTP/1.1 403 x\r\ncontent-type: application/json\r\nunion-error: %s\r\n"
	               "content-length: %d\r\n\r\n%s",
	               slug, len, body);
	(void)!io_write_all(fd, head, (size_t)len);
}

struct sealed {
	struct buf value;
	uint8_t dek[DELIVERED_DEK_LEN];
};

static void
seal(struct plane *plane, size_t i, const struct box_sender *sender, struct sealed *out)
{
	const struct plane_secret *secret = &plane->secrets[i];
	struct secret_id id;
	struct delivery to = {.id = &id, .version = 7};
	struct secbuf *value;

	memcpy(to.attempt, plane->attempt, sizeof to.attempt);
	to.attempt[0] ^= plane->wrong_attempt;
	MUST(secret_id_init(&id, "p", "", secret->name, NULL) == UN_OK);
	MUST(secbuf_copy(secret->value, secret->len, &value) == UN_OK);
	if (!plane->deks[i])
		MUST(dek_new(&plane->deks[i]) == UN_OK);
	buf_init(&out->value, 2u << 20, BUF_PLAIN);
	MUST(envelope_seal_value(plane->deks[i], &id, value, &out->value) == UN_OK);
	MUST(envelope_seal_delivery(sender, &to, plane->deks[i], out->dek) == UN_OK);
	secbuf_free(value);
}

static void
fill_secret(const struct plane_secret *from, struct sealed *sealed, Union__V1__AttemptSecret *to)
{
	union__v1__attempt_secret__init(to);
	to->name = (char *)(uintptr_t)from->name;
	to->group = (char *)(uintptr_t)(from->group ? from->group : "");
	to->env_var = (char *)(uintptr_t)(from->env_var ? from->env_var : "");
	to->mount = from->mount;
	to->project = "p";
	to->version = 7;
	to->sealed_value =
		(ProtobufCBinaryData){.len = sealed->value.len, .data = sealed->value.data};
	to->boxed_dek = (ProtobufCBinaryData){.len = DELIVERED_DEK_LEN, .data = sealed->dek};
}

struct limit_messages {
	Flyteidl__Core__Resources resources;
	Flyteidl__Core__Resources__ResourceEntry entries[2], *list[2];
};

static void
set_limits(const struct plane *plane, Flyteidl__Core__Container *container,
           struct limit_messages *to)
{
	const char *const texts[] = {plane->cpu, plane->memory};
	static const Flyteidl__Core__Resources__ResourceName names[] = {
	        FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__CPU,
	        FLYTEIDL__CORE__RESOURCES__RESOURCE_NAME__MEMORY};
	size_t count = 0;

	flyteidl__core__resources__init(&to->resources);
	for (size_t i = 0; i < 2; i++) {
		if (!texts[i])
			continue;
		flyteidl__core__resources__resource_entry__init(&to->entries[count]);
		to->entries[count].name = names[i];
		to->entries[count].value = (char *)(uintptr_t)texts[i];
		to->list[count] = &to->entries[count];
		count++;
	}
	to->resources.n_limits = count;
	to->resources.limits = to->list;
	container->resources = &to->resources;
}

static void
answer_claim(struct plane *plane, int fd, const Union__V1__ClaimRequest *request)
{
	static struct sealed sealed[PLANE_SECRETS_MAX];
	Union__V1__ClaimResponse answer = UNION__V1__CLAIM_RESPONSE__INIT;
	Union__V1__AttemptSecret secrets[PLANE_SECRETS_MAX], *secret_list[PLANE_SECRETS_MAX];
	Flyteidl__Core__KeyValuePair pairs[PLANE_PAIRS_MAX], *pair_list[PLANE_PAIRS_MAX];
	Google__Protobuf__Duration ttl = GOOGLE__PROTOBUF__DURATION__INIT;
	Google__Protobuf__Duration timeout = GOOGLE__PROTOBUF__DURATION__INIT;
	Flyteidl__Core__WorkflowExecutionIdentifier execution =
	        FLYTEIDL__CORE__WORKFLOW_EXECUTION_IDENTIFIER__INIT;
	Flyteidl__Core__Identifier id = FLYTEIDL__CORE__IDENTIFIER__INIT;
	Flyteidl__Core__TaskTemplate task = FLYTEIDL__CORE__TASK_TEMPLATE__INIT;
	Flyteidl__Core__Container container = FLYTEIDL__CORE__CONTAINER__INIT;
	Flyteidl__Core__TaskTemplate__ConfigEntry entry =
	        FLYTEIDL__CORE__TASK_TEMPLATE__CONFIG_ENTRY__INIT;
	Flyteidl__Core__TaskTemplate__ConfigEntry extra =
	        FLYTEIDL__CORE__TASK_TEMPLATE__CONFIG_ENTRY__INIT;
	Flyteidl__Core__TaskTemplate__ConfigEntry *configs[2];
	struct limit_messages limits;
	struct box_sender *sender;

	MUST(request->public_key.len == BOX_PUBLIC_LEN);
	MUST(box_sender_new(request->public_key.data, &sender) == UN_OK);
	for (size_t i = 0; i < plane->secret_count; i++) {
		seal(plane, i, sender, &sealed[i]);
		fill_secret(&plane->secrets[i], &sealed[i], &secrets[i]);
		secret_list[i] = &secrets[i];
	}
	for (size_t i = 0; i < plane->env_count; i++) {
		flyteidl__core__key_value_pair__init(&pairs[i]);
		pairs[i].key = (char *)(uintptr_t)plane->envs[i][0];
		pairs[i].value = (char *)(uintptr_t)plane->envs[i][1];
		pair_list[i] = &pairs[i];
	}
	execution.project = "p";
	execution.domain = "d";
	execution.name = "e1";
	id.name = "t1";
	id.version = "v1";
	container.args = (char **)(uintptr_t)plane->words;
	while (container.n_args < PLANE_WORDS_MAX && plane->words[container.n_args])
		container.n_args++;
	task.id = &id;
	task.target_case = FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER;
	task.container = &container;
	entry.key = "bundle";
	entry.value = "union-bundle://p/d/0.tar.gz";
	if (!plane->other_sdk)
		configs[task.n_config++] = &entry;
	if (plane->config[0]) {
		extra.key = (char *)(uintptr_t)plane->config[0];
		extra.value = (char *)(uintptr_t)plane->config[1];
		configs[task.n_config++] = &extra;
	}
	task.config = configs;
	set_limits(plane, &container, &limits);
	task.interface = (Flyteidl__Core__TypedInterface *)(uintptr_t)plane->interface;
	ttl.seconds = (plane->lease_ms + 999) / 1000;
	timeout.seconds = plane->timeout_ms / 1000;
	timeout.nanos = (int32_t)(plane->timeout_ms % 1000 * 1000000);
	answer.lease = (ProtobufCBinaryData){.len = sizeof plane->lease, .data = plane->lease};
	answer.lease_ttl = &ttl;
	answer.timeout = plane->timeout_ms ? &timeout : NULL;
	answer.execution = &execution;
	answer.node_id = "n0";
	answer.attempt = 2;
	answer.task = &task;
	answer.inputs = (Flyteidl__Core__LiteralMap *)(uintptr_t)plane->inputs;
	answer.n_secrets = plane->secret_count;
	answer.secrets = secret_list;
	answer.n_envs = plane->env_count;
	answer.envs = pair_list;
	answer.bundle_url = plane->bundle ? "/bundle/e1" : "";
	answer.bundle_size = plane->bundle_len;
	answer.guard = plane->guard;
	reply_message(fd, &answer.base);
	box_sender_free(sender);
	for (size_t i = 0; i < plane->secret_count; i++)
		buf_fini(&sealed[i].value);
}

static void
check_lease(const struct plane *plane, ProtobufCBinaryData lease)
{
	MUST(lease.len == sizeof plane->lease &&
	     memcmp(lease.data, plane->lease, sizeof plane->lease) == 0);
}

static void
take_log(struct plane *plane, const Union__V1__PushLogsRequest *request)
{
	check_lease(plane, request->lease);
	MUST(request->offset <= plane->log.len); /* no gap, ever */
	plane->log_pushes++;
	if (request->offset + request->data.len > plane->log.len) {
		size_t known = plane->log.len - (size_t)request->offset;

		MUST(buf_append(&plane->log, request->data.data + known,
		                request->data.len - known) == UN_OK);
	}
	if (plane->signal_at_log) {
		MUST(kill(plane->launcher, plane->signal_at_log) == 0);
		plane->signal_at_log = 0;
	}
}

static void
answer_call(struct plane *plane, int fd, const struct request *request)
{
	const uint8_t *body = request->bytes.data + request->head_len;
	size_t len = request->bytes.len - request->head_len;
	const char *name = strrchr(request->path, '/') + 1;

	if (strcmp(name, "Claim") == 0) {
		Union__V1__ClaimRequest *claim = union__v1__claim_request__unpack(NULL, len, body);

		MUST(claim != NULL);
		plane->claims++;
		if (plane->claim_refused)
			refuse(fd, "permission_denied", "bad-ticket");
		else
			answer_claim(plane, fd, claim);
		union__v1__claim_request__free_unpacked(claim, NULL);
	} else if (strcmp(name, "Heartbeat") == 0) {
		Union__V1__HeartbeatResponse answer = UNION__V1__HEARTBEAT_RESPONSE__INIT;

		plane->heartbeats++;
		answer.cancel = plane->cancel;
		reply_message(fd, &answer.base);
	} else if (strcmp(name, "PushLogs") == 0) {
		Union__V1__PushLogsResponse answer = UNION__V1__PUSH_LOGS_RESPONSE__INIT;
		Union__V1__PushLogsRequest *push =
			union__v1__push_logs_request__unpack(NULL, len, body);

		MUST(push != NULL);
		take_log(plane, push);
		union__v1__push_logs_request__free_unpacked(push, NULL);
		reply_message(fd, &answer.base);
	} else {
		Union__V1__FinishResponse answer = UNION__V1__FINISH_RESPONSE__INIT;

		MUST(strcmp(name, "Finish") == 0 && !plane->finished);
		plane->finish = union__v1__finish_request__unpack(NULL, len, body);
		MUST(plane->finish != NULL);
		check_lease(plane, plane->finish->lease);
		plane->finished = true;
		reply_message(fd, &answer.base);
	}
}

/* false: close the connection. */
static bool
answer(struct plane *plane, int fd)
{
	struct request request;
	bool alive = read_request(fd, &request);

	if (!alive) {
		;
	} else if (strcmp(request.method, "GET") == 0) {
		MUST(strcmp(request.path, "/bundle/e1") == 0);
		MUST(strcasestr(buf_text(&request.bytes), "\r\nauthorization: Bearer ") != NULL);
		reply(fd, 200, "application/gzip", plane->bundle, plane->bundle_len);
	} else if (plane->claims && plane->silent_after_claim) {
		; /* keeps the connection, and says nothing */
	} else if (plane->claims && plane->drop_calls > 0) {
		plane->drop_calls--;
		alive = false;
	} else {
		answer_call(plane, fd, &request);
	}
	buf_fini(&request.bytes);
	return alive;
}

static bool
has_ended(struct plane *plane)
{
	siginfo_t info = {0};

	MUST(waitid(P_PIDFD, (id_t)plane->launcher_fd, &info, WEXITED) == 0);
	plane->run_ms += (double)clock_mono_us() / 1000;
	plane->exit_status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	io_close(&plane->launcher_fd);
	return true;
}

/* Serves until the launcher has ended, or the log has `text`. */
static bool
serve(struct plane *plane, const char *text)
{
	struct pollfd fds[3] = {{.fd = plane->listen_fd, .events = POLLIN},
	                        {.fd = plane->launcher_fd, .events = POLLIN},
	                        {.fd = -1, .events = POLLIN}};
	int64_t deadline_ms = clock_mono_ms() + LIFE_MS;

	for (;;) {
		MUST(poll(fds, 3, clock_left_ms(deadline_ms)) > 0);
		if (fds[2].revents && !answer(plane, fds[2].fd)) {
			(void)close(fds[2].fd);
			fds[2].fd = -1;
		}
		if (text && plane->log.len && strstr(buf_text(&plane->log), text))
			break;
		if (fds[0].revents && fds[2].fd < 0)
			fds[2].fd = accept4(plane->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fds[1].revents && !(fds[2].revents & POLLIN) && has_ended(plane))
			break;
		fds[2].revents = 0;
	}
	if (fds[2].fd >= 0)
		(void)close(fds[2].fd);
	return plane->launcher_fd >= 0;
}

bool
plane_serve_until_log(struct plane *plane, const char *text)
{
	return serve(plane, text);
}

void
plane_serve(struct plane *plane)
{
	(void)serve(plane, NULL);
}

void
plane_run(struct plane *plane, const char *program)
{
	plane_start(plane, program);
	plane_serve(plane);
}
