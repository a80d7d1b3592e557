/* json.h - protobuf messages as JSON and back, by their descriptors (the proto3 JSON mapping).
 *
 * Field names are lowerCamelCase going out; coming in, the names of the .proto file are accepted
 * too. 64-bit integers are strings, bytes base64, enums names; Timestamp, Duration, Struct, Value,
 * ListValue and the wrappers have their special forms. Any and FieldMask have not. Refused: text
 * that is not UTF-8, a NUL in a string, a key twice, two members of a oneof, nesting deeper than
 * JSON_DEPTH_MAX, anything behind the value. Error texts name the field and the place, never what
 * stood there. Any thread. */
#ifndef RPC_JSON_H
#define RPC_JSON_H

#include "base/buf.h"
#include "base/err.h"

#include <protobuf-c/protobuf-c.h>

#include <stddef.h>

#define JSON_DEPTH_MAX 128

enum json_flags {
	JSON_REFUSE_UNKNOWN = 1, /* a field the message does not have is an error, not skipped */
	JSON_WITH_DEFAULTS = 2,  /* also print fields that have their default */
};

/* Appends `message` to `out`. UN_ERR_INVALID: a string that is not UTF-8, a time out of range.
 * After an error `out` may hold a part. */
MUST_CHECK enum un_err json_format(const ProtobufCMessage *message, unsigned flags,
                                   struct buf *out);

/* Appends `text` as a JSON string with its quotes. UN_ERR_INVALID: it is not UTF-8. */
MUST_CHECK enum un_err json_append_text(struct buf *out, const char *text, size_t len);

struct json_options {
	unsigned flags;                /* of enum json_flags */
	ProtobufCAllocator *allocator; /* one that wipes, for messages with values */
};

/* The caller frees *ret_message with the same allocator. After an error nothing of it is held.
 * UN_ERR_PROTOCOL, UN_ERR_NO_MEMORY. */
MUST_CHECK enum un_err json_parse(const char *text, size_t len,
                                  const ProtobufCMessageDescriptor *type,
                                  const struct json_options *options,
                                  ProtobufCMessage **ret_message, struct un_detail *detail);

#endif
