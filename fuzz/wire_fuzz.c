/* What a task leaves as its result: whatever passes the check can be unpacked, with little stack.
 * The first byte says which message. */
#include "model/wire.h"

#include "flyteidl/core/execution.pb-c.h"
#include "flyteidl/core/literals.pb-c.h"

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const ProtobufCMessageDescriptor *type =
		len && bytes[0] & 1 ? &flyteidl__core__error_document__descriptor
				    : &flyteidl__core__literal_map__descriptor;
	ProtobufCMessage *message;

	if (!len || wire_check(type, bytes + 1, len - 1, NULL))
		return 0;
	message = protobuf_c_message_unpack(type, NULL, len - 1, bytes + 1);
	if (message)
		protobuf_c_message_free_unpacked(message, NULL);
	return 0;
}
