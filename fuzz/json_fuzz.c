/* The JSON transcoder. The first byte chooses the message; what was read is written, read again and
 * written again: both texts must be the same. Odd choices read the rest as protobuf instead. */
#include "base/alloc.h"
#include "rpc/json.h"
#include "model/wire.h"

#include "proto-all.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const ProtobufCMessageDescriptor *const types[] = {
        &flyteidl__core__literal__descriptor,
        &flyteidl__core__task_template__descriptor,
        &flyteidl__admin__execution_create_request__descriptor,
        &cloudidl__secret__create_secret_request__descriptor,
        &cloudidl__secret__list_secrets_response__descriptor,
        &google__protobuf__struct__descriptor,
        &union__v1__watch_event__descriptor,
        &google__protobuf__double_value__descriptor,
};

static void *
take(void *ctx, size_t len)
{
	(void)ctx;
	return mem_alloc(len);
}

static void
leave(void *ctx, void *block)
{
	(void)ctx;
	mem_free(block);
}

static ProtobufCAllocator allocator = {take, leave, NULL};
static const struct json_options options = {.allocator = &allocator};

static void
write_twice(const ProtobufCMessage *message)
{
	ProtobufCMessage *second = NULL;
	struct un_detail detail = {.message = ""};
	struct buf one, two;

	buf_init(&one, 64u << 20, BUF_PLAIN);
	buf_init(&two, 64u << 20, BUF_PLAIN);
	if (json_format(message, 0, &one) == UN_OK &&
	    json_parse(buf_text(&one), one.len, message->descriptor, &options, &second, &detail) ==
	            UN_OK) {
		if (json_format(second, 0, &two) != UN_OK || one.len != two.len ||
		    memcmp(one.data, two.data, one.len))
			abort();
		protobuf_c_message_free_unpacked(second, &allocator);
	}
	buf_fini(&one);
	buf_fini(&two);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const ProtobufCMessageDescriptor *type;
	ProtobufCMessage *message = NULL;
	struct un_detail detail = {.message = ""};

	if (!len)
		return 0;
	type = types[bytes[0] / 2 % (sizeof types / sizeof types[0])];
	if (bytes[0] & 1) {
		if (wire_check(type, bytes + 1, len - 1, &detail) == UN_OK)
			message = protobuf_c_message_unpack(type, &allocator, len - 1, bytes + 1);
	} else if (json_parse((const char *)bytes + 1, len - 1, type, &options, &message,
	                      &detail) != UN_OK) {
		return 0;
	}
	if (!message)
		return 0;
	write_twice(message);
	protobuf_c_message_free_unpacked(message, &allocator);
	return 0;
}
