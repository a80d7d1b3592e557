/* wire.h - what protobuf-c does not check before it unpacks: depth, UTF-8, NULs in strings.
 *
 * protobuf-c unpacks nested messages by recursion without a limit and keeps strings as C strings,
 * so a deep message would end the process and a string with a NUL would be cut without a word. No
 * I/O, any thread. */
#ifndef MODEL_WIRE_H
#define MODEL_WIRE_H

#include "base/err.h"

#include <protobuf-c/protobuf-c.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_DEPTH_MAX 100

/* UN_ERR_PROTOCOL: the bytes are not such a message, nest too deep, or hold a string that is not
 * UTF-8 or has a NUL; `detail` names the field, never its bytes. */
MUST_CHECK enum un_err wire_check(const ProtobufCMessageDescriptor *type, const uint8_t *bytes,
                                  size_t len, struct un_detail *detail);

/* The same with another limit than WIRE_DEPTH_MAX: for what will travel inside of others. */
MUST_CHECK enum un_err wire_check_within(const ProtobufCMessageDescriptor *type,
                                         const uint8_t *bytes, size_t len, unsigned depth_max,
                                         struct un_detail *detail);

/* Only that it is such a message and not too deep; its strings may hold anything, and what stands
 * behind a NUL is lost when it is unpacked. */
bool wire_can_unpack(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len,
                     unsigned depth_max);

/* The length of the valid UTF-8 (no surrogates, no overlong forms) at the front of `bytes`: `len`
 * when all of it is. */
size_t wire_utf8_len(const uint8_t *bytes, size_t len);

#endif
