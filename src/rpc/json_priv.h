/* json_priv.h - what the files of the transcoder share. Only json_*.c include this. */
#ifndef RPC_JSON_PRIV_H
#define RPC_JSON_PRIV_H

#include "rpc/json.h"

#include <stdbool.h>
#include <stdint.h>

/* Messages that JSON writes in a form of their own. */
enum json_special {
	JSON_PLAIN,
	JSON_TIMESTAMP,
	JSON_DURATION,
	JSON_STRUCT,
	JSON_VALUE,
	JSON_LIST,
	JSON_WRAPPER,
};
enum json_special json_special_of(const ProtobufCMessageDescriptor *type);

/* protobuf-c keeps a map as repeated messages { key = 1; value = 2 } and says nowhere that it is
 * one: the name says it, which no other message can have. */
bool json_is_map(const ProtobufCMessageDescriptor *parent, const ProtobufCFieldDescriptor *field);

/* The size of one element of a repeated field, and of the member of a field that is not. */
size_t json_element_size(const ProtobufCFieldDescriptor *field);

static inline void *
json_member(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	return (char *)(uintptr_t)message + field->offset;
}

static inline void *
json_quantifier(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	return (char *)(uintptr_t)message + field->quantifier_offset;
}

/* "some_name" is "someName" in JSON. Writes at most `size` bytes with the NUL. */
void json_camel(const char *name, char *camel, size_t size);
bool json_name_matches(const char *name, const char *key, size_t len);

/* Numbers, the same in every locale. The shortest text that reads back as the same number. */
void json_print_double(double number, bool is_float, char text[40]);
/* All of the text is a number of JSON's grammar (checked by the caller). */
double json_read_double(const char *text);

/* json_time.c. The texts have no quotes. */
#define JSON_TIME_MAX 48
MUST_CHECK enum un_err json_print_timestamp(int64_t seconds, int32_t nanos,
                                            char text[JSON_TIME_MAX]);
MUST_CHECK enum un_err json_read_timestamp(const char *text, size_t len, int64_t *ret_seconds,
                                           int32_t *ret_nanos);
MUST_CHECK enum un_err json_print_duration(int64_t seconds, int32_t nanos,
                                           char text[JSON_TIME_MAX]);
MUST_CHECK enum un_err json_read_duration(const char *text, size_t len, int64_t *ret_seconds,
                                          int32_t *ret_nanos);

#endif
