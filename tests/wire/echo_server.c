/* A server for tests of the wire: the real net and rpc layers, and an in-memory table of secrets.
 *
 * usage: echo_server [--unix PATH] [--tcp] [--tls CERT KEY] [--workers 1|2] [--dir DIR]
 *                    [--short-limits]
 *
 * Prints "ready", and "port N" for --tcp and "tls N" for --tls, one a line; serves until its
 * standard input ends, then drains for a second. */
#include "base/alloc.h"
#include "base/io.h"
#include "rpc/server.h"

#include "proto-all.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRETS_MAX 1000
#define PAGE_MAX 10

struct entry {
	char name[129];
	char project[64], domain[64];
	size_t value_len;
};

static struct {
	pthread_mutex_t lock;
	struct entry entries[SECRETS_MAX];
	size_t count;
} table = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *upload_dir = ".";

static struct entry *
find(const Cloudidl__Secret__SecretIdentifier *id)
{
	for (size_t i = 0; i < table.count; i++) {
		struct entry *entry = &table.entries[i];

		if (!strcmp(entry->name, id->name) && !strcmp(entry->project, id->project) &&
		    !strcmp(entry->domain, id->domain))
			return entry;
	}
	return NULL;
}

static enum un_err
add(const Cloudidl__Secret__CreateSecretRequest *request)
{
	const Cloudidl__Secret__SecretSpec *spec = request->secret_spec;
	struct entry *entry;

	if (!request->id || !request->id->name[0])
		return UN_ERR_BAD_NAME;
	if (!spec || !spec->value_case)
		return UN_ERR_EMPTY_VALUE;
	if (find(request->id))
		return UN_ERR_SECRET_EXISTS;
	if (table.count == SECRETS_MAX)
		return UN_ERR_DISK_FULL;
	entry = &table.entries[table.count++];
	(void)snprintf(entry->name, sizeof entry->name, "%s", request->id->name);
	(void)snprintf(entry->project, sizeof entry->project, "%s", request->id->project);
	(void)snprintf(entry->domain, sizeof entry->domain, "%s", request->id->domain);
	entry->value_len = spec->value_case == CLOUDIDL__SECRET__SECRET_SPEC__VALUE_STRING_VALUE
	                           ? strlen(spec->string_value)
	                           : spec->binary_value.len;
	return UN_OK;
}

static void
create_secret(struct rpc_call *call, void *ctx, const ProtobufCMessage *request)
{
	const Cloudidl__Secret__CreateSecretResponse response =
	        CLOUDIDL__SECRET__CREATE_SECRET_RESPONSE__INIT;
	enum un_err err;

	(void)ctx;
	pthread_mutex_lock(&table.lock);
	err = add((const Cloudidl__Secret__CreateSecretRequest *)request);
	pthread_mutex_unlock(&table.lock);
	if (err)
		rpc_fail(call, err, NULL);
	else
		rpc_reply(call, &response.base);
}

struct listed {
	Cloudidl__Secret__Secret secret;
	Cloudidl__Secret__SecretIdentifier id;
	Cloudidl__Secret__SecretMetadata metadata;
	Google__Protobuf__Timestamp created;
};

static void
fill(struct listed *listed, struct entry *entry)
{
	*listed = (struct listed){CLOUDIDL__SECRET__SECRET__INIT,
	                          CLOUDIDL__SECRET__SECRET_IDENTIFIER__INIT,
	                          CLOUDIDL__SECRET__SECRET_METADATA__INIT,
	                          GOOGLE__PROTOBUF__TIMESTAMP__INIT};
	listed->id.name = entry->name;
	listed->id.project = entry->project;
	listed->id.domain = entry->domain;
	listed->created.seconds = 1763901234;
	listed->created.nanos = 500000000;
	listed->metadata.created_time = &listed->created;
	listed->secret.id = &listed->id;
	listed->secret.secret_metadata = &listed->metadata;
}

static void
get_secret(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Cloudidl__Secret__GetSecretRequest *request =
	        (const Cloudidl__Secret__GetSecretRequest *)message;
	Cloudidl__Secret__GetSecretResponse response = CLOUDIDL__SECRET__GET_SECRET_RESPONSE__INIT;
	struct un_detail detail = {.hint = "say \"100%\" — ünïcode"};
	struct listed listed;
	struct entry *entry;

	(void)ctx;
	if (!request->id) {
		rpc_failf(call, UN_ERR_INVALID, "id is missing");
		return;
	}
	pthread_mutex_lock(&table.lock);
	entry = find(request->id);
	if (entry)
		fill(&listed, entry);
	pthread_mutex_unlock(&table.lock);
	if (!entry) {
		rpc_fail(call, UN_ERR_SECRET_NOT_FOUND, &detail);
		return;
	}
	response.secret = &listed.secret;
	rpc_reply(call, &response.base);
}

static void
list_secrets(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Cloudidl__Secret__ListSecretsRequest *request =
	        (const Cloudidl__Secret__ListSecretsRequest *)message;
	Cloudidl__Secret__ListSecretsResponse response =
	        CLOUDIDL__SECRET__LIST_SECRETS_RESPONSE__INIT;
	size_t from = strtoul(request->token, NULL, 10);
	size_t most = request->limit > 0 ? (size_t)request->limit : SECRETS_MAX;
	struct listed *listed = rpc_alloc(call, SECRETS_MAX * sizeof *listed);
	char token[24] = "";

	(void)ctx;
	response.secrets = rpc_alloc(call, SECRETS_MAX * sizeof(void *));
	if (!listed || !response.secrets) {
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
		return;
	}
	pthread_mutex_lock(&table.lock);
	for (size_t i = from; i < table.count && response.n_secrets < most; i++) {
		fill(&listed[i], &table.entries[i]);
		response.secrets[response.n_secrets++] = &listed[i].secret;
	}
	if (from + response.n_secrets < table.count)
		(void)snprintf(token, sizeof token, "%zu", from + response.n_secrets);
	response.token = token;
	pthread_mutex_unlock(&table.lock);
	rpc_reply(call, &response.base);
}

/* Answers from another thread, by way of the loop. */
struct later {
	struct loop_task task;
	struct rpc_call *call;
};

static void
reply_later(struct loop_task *task)
{
	const Cloudidl__Secret__UpdateSecretResponse response =
	        CLOUDIDL__SECRET__UPDATE_SECRET_RESPONSE__INIT;
	struct later *later = task->ctx;
	struct rpc_call *call = later->call;

	mem_free(later);
	rpc_reply(call, &response.base);
}

static void *
think(void *ctx)
{
	struct later *later = ctx;

	rpc_call_post(later->call, &later->task);
	return NULL;
}

static void
update_secret(struct rpc_call *call, void *ctx, const ProtobufCMessage *request)
{
	struct later *later = mem_zalloc(1, sizeof *later);
	pthread_t thread;

	(void)ctx;
	(void)request;
	if (!later) {
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
		return;
	}
	later->call = call;
	later->task = (struct loop_task){.fn = reply_later, .ctx = later};
	if (pthread_create(&thread, NULL, think, later)) {
		mem_free(later);
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
		return;
	}
	pthread_detach(thread);
}

/* ---- streams ---- */

#define BACKUP_CHUNK (64u << 10)
#define BACKUP_CHUNKS 256

struct backup {
	unsigned sent;
	uint8_t bytes[BACKUP_CHUNK];
};

static void
send_chunks(struct rpc_call *call, void *ctx)
{
	struct backup *backup = ctx;

	while (backup->sent < BACKUP_CHUNKS) {
		Union__V1__BackupChunk chunk = UNION__V1__BACKUP_CHUNK__INIT;
		enum un_err err;

		memset(backup->bytes, (int)('a' + backup->sent % 26), sizeof backup->bytes);
		chunk.data = (ProtobufCBinaryData){sizeof backup->bytes, backup->bytes};
		chunk.last = backup->sent + 1 == BACKUP_CHUNKS;
		err = rpc_stream_send(call, &chunk.base);
		if (err == UN_ERR_AGAIN)
			return;
		if (err) {
			rpc_fail(call, err, NULL);
			return;
		}
		backup->sent++;
	}
	rpc_stream_end(call);
}

static void
backup_ends(struct rpc_call *call, void *ctx)
{
	(void)ctx;
	rpc_fail(call, UN_ERR_CANCELLED, NULL);
}

static void
backup(struct rpc_call *call, void *ctx, const ProtobufCMessage *request)
{
	struct backup *backup = rpc_alloc(call, sizeof *backup);

	(void)ctx;
	(void)request;
	if (!backup) {
		rpc_fail(call, UN_ERR_NO_MEMORY, NULL);
		return;
	}
	rpc_on_writable(call, send_chunks, backup);
	rpc_on_cancel(call, backup_ends, NULL);
	send_chunks(call, backup);
}

/* Two events, then an error for an execution named "fails", and silence for "hangs". */
static void
watch(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Union__V1__WatchRequest *request = (const Union__V1__WatchRequest *)message;
	const char *name = request->id && request->id->name ? request->id->name : "";

	(void)ctx;
	for (unsigned i = 0; i < 2; i++) {
		Union__V1__LogChunk log = UNION__V1__LOG_CHUNK__INIT;
		Union__V1__WatchEvent event = UNION__V1__WATCH_EVENT__INIT;
		enum un_err err;

		log.node_id = (char *)(uintptr_t) "n0";
		log.offset = i;
		log.data = (ProtobufCBinaryData){5, (uint8_t *)(uintptr_t) "hello"};
		event.event_case = UNION__V1__WATCH_EVENT__EVENT_LOG;
		event.log = &log;
		err = rpc_stream_send(call, &event.base);
		if (err) {
			rpc_fail(call, err, NULL);
			return;
		}
	}
	if (!strcmp(name, "fails"))
		rpc_failf(call, UN_ERR_RUN_FAILED, "it failed, 100%%");
	else if (!strcmp(name, "hangs"))
		rpc_on_cancel(call, backup_ends, NULL);
	else
		rpc_stream_end(call);
}

/* ---- uploads and downloads ---- */

static int
open_below(const char *path, int flags)
{
	const char *name = strrchr(path, '/') + 1;
	int dir = open(upload_dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	if (dir < 0 || !name[0] || name[0] == '.') {
		io_close(&dir);
		return -1;
	}
	fd = openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	io_close(&dir);
	return fd;
}

static void
put_request(struct web_call *call, void *ctx)
{
	int fd = open_below(web_path(call), O_WRONLY | O_CREAT | O_TRUNC);

	(void)ctx;
	if (fd < 0)
		web_fail(call, UN_ERR_DENIED, NULL);
	else
		web_set_state(call, (void *)(intptr_t)(fd + 1));
}

static void
put_body(struct web_call *call, void *ctx, const uint8_t *bytes, size_t len)
{
	enum un_err err = io_write_all((int)(intptr_t)web_state(call) - 1, bytes, len);

	(void)ctx;
	if (err)
		web_fail(call, err, NULL);
}

static void
put_end(struct web_call *call, void *ctx)
{
	(void)ctx;
	web_reply(call, 200, "text/plain", "stored\n", 7);
}

static void
put_close(struct web_call *call, void *ctx)
{
	int fd = (int)(intptr_t)web_state(call) - 1;

	(void)ctx;
	io_close(&fd);
}

static void
get_file(struct web_call *call, void *ctx)
{
	int fd = open_below(web_path(call), O_RDONLY);
	struct stat info;

	(void)ctx;
	if (fd < 0 || fstat(fd, &info)) {
		io_close(&fd);
		web_fail(call, UN_ERR_NOT_FOUND, NULL);
		return;
	}
	web_reply_file(call, fd, (uint64_t)info.st_size, "application/octet-stream");
}

static const struct http_route routes[] = {
	{.method = "PUT",
         .path = "/files/",
         .body_max = 64u << 20,
         .on_request = put_request,
         .on_body = put_body,
         .on_end = put_end,
         .on_close = put_close},
	{.method = "GET", .path = "/files/", .on_request = get_file},
};

/* ---- the table of services ---- */

static const char *const secret_names[] = {"cloudidl.secret.SecretService",
                                           "flyteidl2.secret.SecretService", NULL};
static const struct rpc_method secret_methods[] = {
	{"CreateSecret", &cloudidl__secret__create_secret_request__descriptor,
         &cloudidl__secret__create_secret_response__descriptor, create_secret, false, RPC_SENSITIVE,
         2u << 20},
	{"UpdateSecret", &cloudidl__secret__update_secret_request__descriptor,
         &cloudidl__secret__update_secret_response__descriptor, update_secret, false, RPC_SENSITIVE,
         2u << 20},
	{"GetSecret", &cloudidl__secret__get_secret_request__descriptor,
         &cloudidl__secret__get_secret_response__descriptor, get_secret, false, 0, 64u << 10},
	{"ListSecrets", &cloudidl__secret__list_secrets_request__descriptor,
         &cloudidl__secret__list_secrets_response__descriptor, list_secrets, false, 0, 64u << 10},
};
static const struct rpc_service secret_service = {secret_names, "secret.SecretService",
                                                  secret_methods, 4, NULL};

static const char *const plane_names[] = {"union.v1.PlaneService", NULL};
static const struct rpc_method plane_methods[] = {
	{"Backup", &union__v1__backup_request__descriptor, &union__v1__backup_chunk__descriptor,
         backup, true, 0, 0},
};
static const struct rpc_service plane_service = {plane_names, NULL, plane_methods, 1, NULL};

static const char *const run_names[] = {"union.v1.RunService", NULL};
static const struct rpc_method run_methods[] = {
	{"Watch", &union__v1__watch_request__descriptor, &union__v1__watch_event__descriptor, watch,
         true, 0, 0},
};
static const struct rpc_service run_service = {run_names, NULL, run_methods, 1, NULL};

static enum un_err
authenticate(struct rpc_call *call, void *ctx, struct un_detail *detail)
{
	const char *authorization = rpc_header(call, "authorization");

	(void)ctx;
	if (authorization && strcmp(authorization, "Bearer good"))
		return un_fail(detail, UN_ERR_UNAUTHENTICATED, "bad token");
	return UN_OK;
}

static int
serve(struct server_options *options, const char *const *names)
{
	struct un_detail detail = {.hint = ""};
	struct server *server = NULL;
	enum un_err err = server_new(options, &server, &detail);
	char byte;

	if (!err)
		err = server_start(server, &detail);
	if (err) {
		fprintf(stderr, "echo_server: %s\n", un_message(err, &detail));
		server_free(server);
		return 1;
	}
	for (size_t i = 0; i < options->listener_count; i++) {
		if (names[i])
			printf("%s %u\n", names[i], server_port(server, i));
	}
	printf("ready\n");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		continue;
	server_drain(server, 1000);
	server_free(server);
	return 0;
}

int
main(int argc, char **argv)
{
	const struct rpc_service *const services[] = {&secret_service, &plane_service,
	                                              &run_service};
	struct net_listener_config listeners[3] = {{.unix_path = NULL}};
	const char *names[3] = {NULL};
	struct tls_config tls;
	struct server_options options = {.listeners = listeners,
	                                 .workers = 1,
	                                 .services = services,
	                                 .service_count = 3,
	                                 .routes = routes,
	                                 .route_count = 2,
	                                 .authenticate = authenticate};

	for (int i = 1; i < argc; i++) {
		struct net_listener_config *next = &listeners[options.listener_count];

		if (!strcmp(argv[i], "--unix") && i + 1 < argc) {
			next->unix_path = argv[++i];
			options.listener_count++;
		} else if (!strcmp(argv[i], "--tcp")) {
			next->host = "127.0.0.1";
			names[options.listener_count++] = "port";
		} else if (!strcmp(argv[i], "--tls") && i + 2 < argc) {
			tls = (struct tls_config){argv[i + 1], argv[i + 2], NULL};
			options.tls = &tls;
			next->host = "127.0.0.1";
			next->tls_mode = NET_TLS_BOTH;
			names[options.listener_count++] = "tls";
			i += 2;
		} else if (!strcmp(argv[i], "--workers") && i + 1 < argc) {
			options.workers = !strcmp(argv[++i], "2") ? 2 : 1;
		} else if (!strcmp(argv[i], "--dir") && i + 1 < argc) {
			upload_dir = argv[++i];
		} else if (!strcmp(argv[i], "--short-limits")) {
			options.limits.idle_ms = 300;
			options.limits.first_byte_ms = 300;
			options.limits.head_ms = 300;
			options.limits.body_ms = 300;
			options.limits.call_ms = 300;
		} else {
			fprintf(stderr, "echo_server: bad argument '%s'\n", argv[i]);
			return 2;
		}
	}
	return serve(&options, names);
}
