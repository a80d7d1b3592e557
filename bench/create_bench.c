/* create_bench.c - durable creates by many clients at once, against a running control plane.
 *
 * usage: create_bench ENDPOINT CLIENTS SECONDS
 *
 * Each client is a thread with its own connection and its own agreement with the plane's key: it
 * seals a fresh 64-byte value, sends it, waits for the durable answer, and goes on. Prints rate,
 * median, p99 and worst latency. */
#include "base/alloc.h"
#include "base/clock.h"
#include "client/channel.h"
#include "crypto/hash.h"
#include "envelope/envelope.h"
#include "union/v1/secrets.pb-c.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENTS_MAX 256
#define SAMPLES_MAX 2000000
#define VALUE_LEN 64

struct bench_client {
	pthread_t thread;
	struct channel *channel;
	struct box_sender *sender;
	unsigned index;
	unsigned long done;
};

static const char *endpoint;
static atomic_bool stop_now;
static uint8_t plane_key[BOX_PUBLIC_LEN];
static struct bench_client clients[CLIENTS_MAX];
static unsigned *samples;
static atomic_ulong sample_count;

static void
must(enum un_err err, const struct un_detail *detail, const char *what)
{
	if (err) {
		fprintf(stderr, "create_bench: %s: %s\n", what, un_message(err, detail));
		exit(1);
	}
}

static void
fetch_plane_key(void)
{
	Union__V1__GetSealingKeyRequest request = UNION__V1__GET_SEALING_KEY_REQUEST__INIT;
	struct un_detail detail = {0};
	struct channel_call call = {.method = "/union.v1.SecretService/GetSealingKey",
	                            .request = &request.base,
	                            .reply = &union__v1__get_sealing_key_response__descriptor};
	Union__V1__GetSealingKeyResponse *reply;
	ProtobufCMessage *message;
	struct channel *channel;

	must(channel_new(endpoint, NULL, &channel, &detail), &detail, "endpoint");
	must(channel_unary(channel, &call, &message, &detail), &detail, "sealing key");
	reply = (Union__V1__GetSealingKeyResponse *)message;
	if (reply->public_key.len != sizeof plane_key)
		exit(1);
	memcpy(plane_key, reply->public_key.data, sizeof plane_key);
	channel_message_free(message);
	channel_free(channel);
}

static void
create_one(struct bench_client *client)
{
	Cloudidl__Secret__SecretIdentifier id = CLOUDIDL__SECRET__SECRET_IDENTIFIER__INIT;
	Union__V1__SealedValue sealed = UNION__V1__SEALED_VALUE__INIT;
	Union__V1__CreateSealedSecretRequest request =
		UNION__V1__CREATE_SEALED_SECRET_REQUEST__INIT;
	struct channel_call call = {.method = "/union.v1.SecretService/CreateSealedSecret",
	                            .request = &request.base,
	                            .reply = &union__v1__secret_written__descriptor};
	uint8_t travel[TRAVEL_DEK_LEN];
	struct secret_id identity;
	struct un_detail detail = {0};
	struct secbuf *dek, *value;
	ProtobufCMessage *reply;
	struct buf out;
	char name[64];

	(void)snprintf(name, sizeof name, "bench_%d_%u_%lu", (int)getpid(), client->index,
	               client->done);
	must(secret_id_init(&identity, "bench", "development", name, &detail), &detail, "name");
	buf_init(&out, 4096, BUF_PLAIN);
	must(secbuf_new(VALUE_LEN, &value), NULL, "value");
	random_bytes(secbuf_edit(value), VALUE_LEN);
	must(dek_new(&dek), NULL, "dek");
	must(envelope_seal_value(dek, &identity, value, &out), NULL, "seal");
	must(envelope_seal_travel(client->sender, &identity, dek, travel), NULL, "travel");
	id.name = name;
	id.project = identity.scope.project;
	id.domain = identity.scope.domain;
	sealed.sealed_value.data = out.data;
	sealed.sealed_value.len = out.len;
	sealed.sealed_dek.data = travel;
	sealed.sealed_dek.len = sizeof travel;
	request.id = &id;
	request.value = &sealed;
	must(channel_unary(client->channel, &call, &reply, &detail), &detail, "create");
	channel_message_free(reply);
	secbuf_free(value);
	secbuf_free(dek);
	buf_fini(&out);
}

static void *
run_client(void *ctx)
{
	struct bench_client *client = ctx;

	while (!atomic_load_explicit(&stop_now, memory_order_relaxed)) {
		int64_t start = clock_mono_us();
		unsigned long at;

		create_one(client);
		client->done++;
		at = atomic_fetch_add(&sample_count, 1);
		if (at < SAMPLES_MAX)
			samples[at] = (unsigned)(clock_mono_us() - start);
	}
	return NULL;
}

static int
by_size(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	unsigned count, seconds;
	struct un_detail detail = {0};
	int64_t start, us;
	size_t n;

	if (argc != 4)
		return 2;
	endpoint = argv[1];
	count = (unsigned)strtoul(argv[2], NULL, 10);
	seconds = (unsigned)strtoul(argv[3], NULL, 10);
	samples = calloc(SAMPLES_MAX, sizeof *samples);
	if (!samples || count < 1 || count > CLIENTS_MAX || crypto_init() != UN_OK)
		return 2;
	fetch_plane_key();
	for (unsigned i = 0; i < count; i++) {
		clients[i].index = i;
		must(channel_new(endpoint, NULL, &clients[i].channel, &detail), &detail,
		     "endpoint");
		must(box_sender_new(plane_key, &clients[i].sender), NULL, "agreement");
		must(channel_connect(clients[i].channel, clock_mono_ms() + 5000, &detail), &detail,
		     "connect");
	}
	start = clock_mono_us();
	for (unsigned i = 0; i < count; i++)
		(void)pthread_create(&clients[i].thread, NULL, run_client, &clients[i]);
	(void)sleep(seconds);
	atomic_store(&stop_now, true);
	for (unsigned i = 0; i < count; i++)
		(void)pthread_join(clients[i].thread, NULL);
	us = clock_mono_us() - start;
	n = atomic_load(&sample_count);
	n = n > SAMPLES_MAX ? SAMPLES_MAX : n;
	qsort(samples, n, sizeof *samples, by_size);
	printf("%u clients: %.0f creates/s, latency median %.2f ms, p99 %.2f ms, worst %.2f ms\n",
	       count, (double)n * 1e6 / (double)us, samples[n / 2] / 1e3,
	       samples[n * 99 / 100] / 1e3, samples[n - 1] / 1e3);
	return 0;
}
