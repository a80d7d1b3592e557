/* unary_server.c - the real net, rpc and store layers under one unary method, to be driven by
 * h2load.
 *
 * usage: unary_server DIR COUNT [--tls CERT KEY]
 *
 * Fills a store in DIR with COUNT secrets, each with a value of 256 bytes sealed under a key of
 * this process alone, then serves cloudidl.secret.SecretService/GetSecret on one worker. Each call
 * looks one row up and opens its sealed value; the name "*" stands for a row chosen by a fixed
 * series, so that a client that always sends the same bytes still walks through the whole tree.
 * Prints "port N", and ends when its standard input does. */
#include "base/clock.h"
#include "base/text.h"
#include "crypto/aead.h"
#include "rpc/server.h"
#include "store/secrets.h"

#include "proto-all.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VALUE_LEN 256
#define SEALED_LEN (VALUE_LEN + AEAD_OVERHEAD)
#define OUTSTANDING 4096

static struct store *store;
static struct secbuf *key;
static uint32_t row_count;

static void
die(const char *what, enum un_err err, const struct un_detail *detail)
{
	(void)fprintf(stderr, "unary_server: %s: %s\n", what, un_message(err, detail));
	exit(1);
}

static void
name_of(uint32_t i, struct secret_id *ret_id)
{
	uint32_t scattered = (i * 0x9e3779b1u ^ i >> 15) * 0x85ebca77u;

	memset(ret_id, 0, sizeof *ret_id);
	(void)snprintf(ret_id->scope.project, sizeof ret_id->scope.project, "fraud");
	(void)snprintf(ret_id->scope.domain, sizeof ret_id->scope.domain, "production");
	(void)snprintf(ret_id->name, sizeof ret_id->name, "secret_%08x", scattered);
}

/* ---- filling ---- */

struct create {
	struct store_write write;
	struct secret_id id;
	struct secret_write secret;
	uint8_t sealed[SEALED_LEN];
	uint8_t stored_dek[STORED_DEK_LEN];
	sem_t *ready;
};

static enum un_err
create_apply(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	return secret_insert(txn, &((struct create *)ctx)->secret, NULL, detail);
}

static void
create_done(void *ctx, enum un_err err, const struct un_detail *detail)
{
	if (err)
		die("create", err, detail);
	(void)sem_post(((struct create *)ctx)->ready);
}

static void
create_submit(struct create *create, uint32_t i, sem_t *ready)
{
	uint8_t value[VALUE_LEN];
	enum un_err err;

	name_of(i, &create->id);
	memset(value, (int)(i & 0xff), sizeof value);
	err = aead_seal(key, (struct aead_ad){create->id.name, strlen(create->id.name)}, value,
	                sizeof value, create->sealed);
	memset(create->stored_dek, 0, sizeof create->stored_dek);
	create->stored_dek[0] = ENVELOPE_VERSION;
	create->stored_dek[4] = 1; /* generation 1 */
	create->secret = (struct secret_write){
	        .id = &create->id,
	        .version = 1,
	        .sealed_value = create->sealed,
	        .sealed_value_len = sizeof create->sealed,
	        .stored_dek = create->stored_dek,
	        .at_us = clock_wall_us(),
	};
	create->ready = ready;
	create->write = (struct store_write){
	        .apply = create_apply, .done = create_done, .ctx = create};
	if (!err)
		err = store_submit(store, &create->write);
	if (err)
		die("submit", err, NULL);
}

static void
fill(const char *dir)
{
	static struct create creates[OUTSTANDING];
	const struct store_options options = {.dir = dir, .create = true};
	struct un_detail detail = {.hint = ""};
	enum un_err err = store_open(&options, &store, &detail);
	sem_t ready;

	if (err)
		die("open", err, &detail);
	(void)sem_init(&ready, 0, 0);
	for (uint32_t done = 0; done < row_count;) {
		uint32_t batch = row_count - done < OUTSTANDING ? row_count - done : OUTSTANDING;

		for (uint32_t i = 0; i < batch; i++)
			create_submit(&creates[i], done + i, &ready);
		for (uint32_t i = 0; i < batch; i++)
			(void)sem_wait(&ready);
		done += batch;
	}
	(void)sem_destroy(&ready);
}

/* ---- serving ---- */

struct worker {
	struct loop_hook hook;
	struct loop *loop;
	struct store_reader *reader;
	uint32_t series;
};

/* All lookups of one iteration of the loop share one read transaction. */
static void
end_read(struct loop_hook *hook)
{
	struct worker *worker = hook->ctx;

	if (store_is_reading(worker->reader))
		store_read_end(worker->reader);
}

static enum un_err
worker_init(void *ctx, struct loop *loop, unsigned index, void **ret_worker)
{
	static struct worker worker; /* there is one */
	enum un_err err = store_reader_open(store, &worker.reader, NULL);

	(void)ctx;
	(void)index;
	worker.loop = loop;
	worker.series = 12345;
	worker.hook = (struct loop_hook){.fn = end_read, .ctx = &worker};
	if (!err)
		loop_hook_add(loop, &worker.hook);
	*ret_worker = &worker;
	return err;
}

static void
worker_fini(void *ctx, void *state)
{
	struct worker *worker = state;

	(void)ctx;
	loop_hook_remove(worker->loop, &worker->hook);
	store_reader_close(worker->reader);
}

static void
read_id(struct worker *worker, const Cloudidl__Secret__SecretIdentifier *asked,
        struct secret_id *ret_id)
{
	if (!strcmp(asked->name, "*")) {
		worker->series = worker->series * 1664525u + 1013904223u;
		name_of((uint32_t)((uint64_t)worker->series * row_count >> 32), ret_id);
		return;
	}
	memset(ret_id, 0, sizeof *ret_id);
	(void)snprintf(ret_id->scope.project, sizeof ret_id->scope.project, "%s", asked->project);
	(void)snprintf(ret_id->scope.domain, sizeof ret_id->scope.domain, "%s", asked->domain);
	(void)snprintf(ret_id->name, sizeof ret_id->name, "%s", asked->name);
}

static void
answer(struct rpc_call *call, const struct secret_sealed *found)
{
	Cloudidl__Secret__GetSecretResponse response = CLOUDIDL__SECRET__GET_SECRET_RESPONSE__INIT;
	Cloudidl__Secret__Secret secret = CLOUDIDL__SECRET__SECRET__INIT;
	Cloudidl__Secret__SecretIdentifier id = CLOUDIDL__SECRET__SECRET_IDENTIFIER__INIT;
	Cloudidl__Secret__SecretMetadata metadata = CLOUDIDL__SECRET__SECRET_METADATA__INIT;
	Google__Protobuf__Timestamp created = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	id.name = (char *)(uintptr_t)found->head.id.name;
	id.project = (char *)(uintptr_t)found->head.id.scope.project;
	id.domain = (char *)(uintptr_t)found->head.id.scope.domain;
	created.seconds = found->head.created_at_us / 1000000;
	metadata.created_time = &created;
	secret.id = &id;
	secret.secret_metadata = &metadata;
	response.secret = &secret;
	rpc_reply(call, &response.base);
}

static void
get_secret(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	const Cloudidl__Secret__GetSecretRequest *request =
	        (const Cloudidl__Secret__GetSecretRequest *)message;
	struct worker *worker = rpc_worker(call);
	struct secret_sealed found;
	struct secbuf *value = NULL;
	struct secret_id at;
	struct un_detail detail;
	enum un_err err = UN_ERR_INVALID;

	(void)ctx;
	detail.message[0] = detail.hint[0] = '\0';
	if (request->id) {
		read_id(worker, request->id, &at);
		err = store_read_begin(worker->reader, &detail);
	}
	if (!err)
		err = secret_resolve(store_reader_view(worker->reader), &at, 0, &found, &detail);
	if (!err)
		err = aead_open(key,
		                (struct aead_ad){found.head.id.name, strlen(found.head.id.name)},
		                found.sealed_value, found.sealed_value_len, &value);
	secbuf_free(value);
	if (err)
		rpc_fail(call, err, &detail);
	else
		answer(call, &found);
}

static const char *const names[] = {"cloudidl.secret.SecretService", NULL};
static const struct rpc_method methods[] = {
        {.name = "GetSecret",
         .input = &cloudidl__secret__get_secret_request__descriptor,
         .output = &cloudidl__secret__get_secret_response__descriptor,
         .handler = get_secret},
};
static const struct rpc_service service = {names, NULL, methods, 1, NULL};

int
main(int argc, char **argv)
{
	const struct rpc_service *const services[] = {&service};
	struct net_listener_config listener = {.host = "127.0.0.1"};
	struct tls_config tls;
	struct server_options options = {.listeners = &listener,
	                                 .listener_count = 1,
	                                 .workers = 1,
	                                 .services = services,
	                                 .service_count = 1,
	                                 .worker_init = worker_init,
	                                 .worker_fini = worker_fini};
	struct un_detail detail = {.hint = ""};
	struct server *server = NULL;
	uint64_t count = 0;
	enum un_err err;
	char byte;

	if ((argc != 3 && argc != 6) || text_parse_u64(argv[2], &count) || !count) {
		(void)fprintf(stderr, "usage: unary_server DIR COUNT [--tls CERT KEY]\n");
		return 2;
	}
	if (argc == 6) {
		tls = (struct tls_config){argv[4], argv[5], NULL};
		options.tls = &tls;
		listener.tls_mode = NET_TLS_REQUIRED;
	}
	row_count = (uint32_t)count;
	err = secbuf_new(AEAD_KEY_LEN, &key); /* all zeros will do: it guards nothing */
	if (err)
		die("key", err, NULL);
	fill(argv[1]);
	err = server_new(&options, &server, &detail);
	if (!err)
		err = server_start(server, &detail);
	if (err)
		die("start", err, &detail);
	(void)printf("port %u\n", server_port(server, 0));
	(void)fflush(stdout);
	while (read(0, &byte, 1) > 0)
		continue;
	server_free(server);
	store_close(store);
	secbuf_free(key);
	return 0;
}
