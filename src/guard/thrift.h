/* thrift.h - reads Thrift's compact protocol, as Parquet has it in its metadata.
 *
 * A struct is read field by field: what is not wanted is skipped. Any malformed byte makes the span
 * bad, which ends every loop. */
#ifndef GUARD_THRIFT_H
#define GUARD_THRIFT_H

#include "guard/span.h"

enum thrift_type {
	THRIFT_STOP = 0,
	THRIFT_TRUE = 1,
	THRIFT_FALSE = 2,
	THRIFT_BYTE = 3,
	THRIFT_I16 = 4,
	THRIFT_I32 = 5,
	THRIFT_I64 = 6,
	THRIFT_DOUBLE = 7,
	THRIFT_BINARY = 8,
	THRIFT_LIST = 9,
	THRIFT_SET = 10,
	THRIFT_MAP = 11,
	THRIFT_STRUCT = 12,
};

struct thrift_field {
	int id;
	enum thrift_type type;
};

/* The head of the next field; *field is the one before, {0} at the start. False at the end. */
bool thrift_next(struct span *in, struct thrift_field *field);
/* Passes over what the field holds. */
void thrift_skip(struct span *in, enum thrift_type type);
/* Reads a number; one of another type reads as 0 and is skipped. */
int64_t thrift_number(struct span *in, enum thrift_type type);
const uint8_t *thrift_binary(struct span *in, enum thrift_type type, size_t *ret_len);
/* The parts of a list, which must be of type `of`; 0 and skipped when they are not. */
uint32_t thrift_list(struct span *in, enum thrift_type type, enum thrift_type of);

#endif
