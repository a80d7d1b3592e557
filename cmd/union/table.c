#include "table.h"

#include "base/alloc.h"

#include <libsmartcols.h>

struct table {
	struct libscols_table *columns;
	size_t count;
};

void
table_free(struct table *table)
{
	if (!table)
		return;
	scols_unref_table(table->columns);
	mem_free(table);
}

enum un_err
table_new(const char *const *titles, size_t count, struct table **ret_table)
{
	struct table *table = mem_zalloc(1, sizeof *table);

	if (!table)
		return UN_ERR_NO_MEMORY;
	table->columns = scols_new_table();
	table->count = count;
	for (size_t i = 0; table->columns && i < count; i++) {
		bool may_cut = titles[i][0] == '<';

		if (!scols_table_new_column(table->columns, titles[i] + may_cut, may_cut ? 0.2 : 0,
		                            may_cut ? SCOLS_FL_TRUNC : 0)) {
			table_free(table);
			return UN_ERR_NO_MEMORY;
		}
	}
	if (!table->columns) {
		mem_free(table);
		return UN_ERR_NO_MEMORY;
	}
	*ret_table = table;
	return UN_OK;
}

enum un_err
table_add(struct table *table, const char *const *cells)
{
	struct libscols_line *line = scols_table_new_line(table->columns, NULL);

	for (size_t i = 0; line && i < table->count; i++) {
		if (scols_line_set_data(line, i, cells[i]) != 0)
			line = NULL;
	}
	return line ? UN_OK : UN_ERR_NO_MEMORY;
}

enum un_err
table_print(struct table *table)
{
	return scols_print_table(table->columns) == 0 ? UN_OK : UN_ERR_IO;
}
