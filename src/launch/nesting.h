/* nesting.h - how deep the messages in serialized bytes are nested, before anybody unpacks them.
 *
 * The unpacker calls itself once a level, without a limit: bytes from a task must not decide how
 * much stack that takes. Pure. */
#ifndef LAUNCH_NESTING_H
#define LAUNCH_NESTING_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether `bytes` are well-formed fields of `type` with at most `depth` levels of messages. */
bool nesting_is_fine(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len,
                     unsigned depth);

#endif
