/* table.h - rows for people, fitted to the terminal. One thread. */
#ifndef UNION_TABLE_H
#define UNION_TABLE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct table;

/* Where the terminal is narrow, columns whose title begins with '?' are left out, the last one
 * first; then those with '<' are wrapped. */
MUST_CHECK enum un_err table_new(const char *const *titles, size_t count, struct table **ret_table);
MUST_CHECK enum un_err table_add(struct table *table, const char *const *cells);
MUST_CHECK enum un_err table_print(struct table *table); /* to stdout */
void table_free(struct table *table);

#endif
