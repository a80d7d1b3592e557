/* testing_call.h - calls without a network, for unit tests of services: a handler is run, and what
 * it answers is kept. Defines the functions of rpc/service.h that services use; include it in one
 * file of a test only. */
#ifndef SERVICES_TESTING_CALL_H
#define SERVICES_TESTING_CALL_H

#include "base/alloc.h"
#include "rpc/service.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CALL_BLOCKS_MAX 4096

struct rpc_call {
	struct loop *loop;
	void *worker;
	struct net_peer peer;
	void *principal;
	bool ended;
	bool held;
	enum un_err err;
	struct un_detail detail;
	ProtobufCMessage *reply; /* unpacked again */
	const ProtobufCMessageDescriptor *output;
	void *blocks[CALL_BLOCKS_MAX];
	size_t lens[CALL_BLOCKS_MAX];
	size_t count;
};

void
rpc_reply(struct rpc_call *call, const ProtobufCMessage *message)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes = mem_alloc(len + 1);

	assert(!call->ended && bytes && message->descriptor == call->output);
	call->ended = true;
	(void)protobuf_c_message_pack(message, bytes);
	call->reply = protobuf_c_message_unpack(message->descriptor, NULL, len, bytes);
	mem_free(bytes);
}

void
rpc_fail(struct rpc_call *call, enum un_err err, const struct un_detail *detail)
{
	assert(!call->ended && err != UN_OK);
	call->ended = true;
	call->err = err;
	if (detail)
		call->detail = *detail;
}

/* Nothing is held here: what is answered is looked at only when all is done. */
void
rpc_hold(struct rpc_call *call)
{
	assert(!call->held);
	call->held = true;
}

void
rpc_unhold(struct rpc_call *call, enum un_err err, const struct un_detail *detail)
{
	(void)detail;
	assert(call->held && !err);
	call->held = false;
}

void
rpc_failf(struct rpc_call *call, enum un_err err, const char *format, ...)
{
	struct un_detail detail = {0};
	va_list args;

	va_start(args, format);
	(void)vsnprintf(detail.message, sizeof detail.message, format, args);
	va_end(args);
	rpc_fail(call, err, &detail);
}

void *
rpc_alloc(struct rpc_call *call, size_t len)
{
	assert(call->count < CALL_BLOCKS_MAX);
	call->blocks[call->count] = mem_zalloc(1, len);
	call->lens[call->count] = len;
	return call->blocks[call->count] ? call->blocks[call->count++] : NULL;
}

char *
rpc_strdup(struct rpc_call *call, const char *text)
{
	size_t len = strlen(text) + 1;
	char *copy = rpc_alloc(call, len);

	return copy ? memcpy(copy, text, len) : NULL;
}

const struct net_peer *
rpc_peer(const struct rpc_call *call)
{
	return &call->peer;
}

void *
rpc_principal(const struct rpc_call *call)
{
	return call->principal;
}

void *
rpc_worker(const struct rpc_call *call)
{
	return call->worker;
}

const char *
rpc_request_id(const struct rpc_call *call)
{
	(void)call;
	return "request-1";
}

void
rpc_call_post(struct rpc_call *call, struct loop_task *task)
{
	loop_post_task(call->loop, task);
}

static void
call_init(struct rpc_call *call, struct loop *loop, void *worker)
{
	memset(call, 0, sizeof *call);
	call->loop = loop;
	call->worker = worker;
	call->peer.uid = geteuid();
}

/* Runs the handler; the call may go on. */
__attribute__((unused)) static void
call_start(struct rpc_call *call, const struct rpc_service *service, const char *method,
           const ProtobufCMessage *request)
{
	for (size_t i = 0; i < service->method_count; i++) {
		if (strcmp(service->methods[i].name, method) != 0)
			continue;
		assert(request->descriptor == service->methods[i].input);
		call->output = service->methods[i].output;
		service->methods[i].handler(call, service->ctx, request);
		return;
	}
	assert(!"no such method");
}

static void
call_fini(struct rpc_call *call)
{
	assert(call->ended);
	if (call->reply)
		protobuf_c_message_free_unpacked(call->reply, NULL);
	for (size_t i = 0; i < call->count; i++)
		mem_wipe_free(call->blocks[i], call->lens[i]);
}

#endif
