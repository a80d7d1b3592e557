/* flat.h - reads FlatBuffers without trust: every place is checked before it is read.
 *
 * What is missing or lies outside reads as 0, or as a table or list that is empty. */
#ifndef GUARD_FLAT_H
#define GUARD_FLAT_H

#include "guard/span.h"

struct flat {
	const uint8_t *bytes;
	size_t len;
};

struct flat_table {
	struct flat flat;
	uint32_t at; /* 0: there is none */
};

struct flat_list {
	struct flat flat;
	uint32_t at; /* of its first part */
	uint32_t count;
	uint32_t size; /* bytes of a part */
};

struct flat_table flat_root(const uint8_t *bytes, size_t len);
/* Field `field` of a table, counted from 0. */
uint64_t flat_number(struct flat_table table, unsigned field, unsigned size);
struct flat_table flat_child(struct flat_table table, unsigned field);
/* `size`: of each part; 4 for tables. The count is cut to what can be there. */
struct flat_list flat_list(struct flat_table table, unsigned field, unsigned size);
struct flat_table flat_list_table(struct flat_list list, uint32_t index);
/* 8 bytes at `offset` in part `index`. */
uint64_t flat_list_u64(struct flat_list list, uint32_t index, unsigned offset);
/* NULL and 0 when there is none. */
const uint8_t *flat_text(struct flat_table table, unsigned field, size_t *ret_len);

#endif
