/* parquet.h - pages of Parquet whose texts do not lie one behind the other. Internal. */
#ifndef GUARD_PARQUET_H
#define GUARD_PARQUET_H

#include "guard/inside.h"

/* DELTA_BYTE_ARRAY: each text is given by how much it shares with the one before, and the rest.
 * Puts them together and searches them. */
MUST_CHECK enum un_err parquet_shared_texts(struct guard *guard, const uint8_t *bytes, size_t len);
/* BYTE_STREAM_SPLIT: the first bytes of all values, then the second ones, ... `width` bytes each.
 */
MUST_CHECK enum un_err parquet_split_values(struct guard *guard, const uint8_t *bytes, size_t len,
                                            size_t width);

#endif
