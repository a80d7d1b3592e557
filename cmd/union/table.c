#include "table.h"

#include "base/alloc.h"

#include <assert.h>
#include <libsmartcols.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_MAX 16

struct table {
	struct libscols_table *columns;
	size_t count;
	size_t widths[COLUMNS_MAX]; /* of the widest cell */
	bool optional[COLUMNS_MAX];
};

static void
measure(struct table *table, size_t column, const char *cell)
{
	size_t len = strlen(cell);

	if (len > table->widths[column])
		table->widths[column] = len;
}

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

	assert(count && count <= COLUMNS_MAX);
	if (!table)
		return UN_ERR_NO_MEMORY;
	table->columns = scols_new_table();
	table->count = count;
	for (size_t i = 0; table->columns && i < count; i++) {
		bool may_wrap = titles[i][0] == '<';
		const char *title = titles[i] + (may_wrap || titles[i][0] == '?');

		table->optional[i] = titles[i][0] == '?';
		measure(table, i, title);
		if (!scols_table_new_column(table->columns, title, may_wrap ? 0.2 : 0,
		                            may_wrap ? SCOLS_FL_WRAP : 0)) {
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
		measure(table, i, cells[i]);
		if (scols_line_set_data(line, i, cells[i]) != 0)
			line = NULL;
	}
	return line ? UN_OK : UN_ERR_NO_MEMORY;
}

static void
leave_out_columns(struct table *table)
{
	struct winsize size = {0};
	size_t total = table->count - 1;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || !size.ws_col)
		return; /* not a terminal: everything */
	for (size_t i = 0; i < table->count; i++)
		total += table->widths[i];
	for (size_t i = table->count; i-- > 0 && total > size.ws_col;) {
		if (!table->optional[i])
			continue;
		(void)scols_column_set_flags(scols_table_get_column(table->columns, i),
		                             SCOLS_FL_HIDDEN);
		total -= table->widths[i] + 1;
	}
}

enum un_err
table_print(struct table *table)
{
	leave_out_columns(table);
	return scols_print_table(table->columns) == 0 ? UN_OK : UN_ERR_IO;
}
