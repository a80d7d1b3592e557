#include "guard/flat.h"

static uint64_t
number_at(struct flat flat, uint64_t at, unsigned size)
{
	const uint8_t *bytes = span_within(flat.bytes, flat.len, at, size);
	struct span span = span_of(bytes, bytes ? size : 0);

	return span_le(&span, size);
}

static struct flat_table
table_at(struct flat flat, uint64_t at)
{
	return (struct flat_table){.flat = flat,
	                           .at = at <= UINT32_MAX && at + 4 <= flat.len ? (uint32_t)at : 0};
}

struct flat_table
flat_root(const uint8_t *bytes, size_t len)
{
	struct flat flat = {.bytes = bytes, .len = len};

	return table_at(flat, number_at(flat, 0, 4));
}

/* Where a field lies; 0: it is not there. */
static uint64_t
field_at(struct flat_table table, unsigned field)
{
	int64_t vtable;
	uint64_t size, offset;

	if (!table.at)
		return 0;
	vtable = (int64_t)table.at - (int32_t)(uint32_t)number_at(table.flat, table.at, 4);
	if (vtable < 0)
		return 0;
	size = number_at(table.flat, (uint64_t)vtable, 2);
	if (4 + 2 * (uint64_t)field + 2 > size)
		return 0;
	offset = number_at(table.flat, (uint64_t)vtable + 4 + 2 * field, 2);
	return offset ? table.at + offset : 0;
}

uint64_t
flat_number(struct flat_table table, unsigned field, unsigned size)
{
	uint64_t at = field_at(table, field);

	return at ? number_at(table.flat, at, size) : 0;
}

static uint64_t
follow(struct flat flat, uint64_t at)
{
	uint64_t offset = at ? number_at(flat, at, 4) : 0;

	return offset ? at + offset : 0;
}

struct flat_table
flat_child(struct flat_table table, unsigned field)
{
	return table_at(table.flat, follow(table.flat, field_at(table, field)));
}

struct flat_list
flat_list(struct flat_table table, unsigned field, unsigned size)
{
	uint64_t at = follow(table.flat, field_at(table, field)), count;
	struct flat_list list = {.flat = table.flat, .size = size};

	if (!at || at + 4 > table.flat.len || at + 4 > UINT32_MAX)
		return list;
	count = number_at(table.flat, at, 4);
	if (count > (table.flat.len - at - 4) / size)
		count = (table.flat.len - at - 4) / size;
	list.at = (uint32_t)(at + 4);
	list.count = (uint32_t)count;
	return list;
}

struct flat_table
flat_list_table(struct flat_list list, uint32_t index)
{
	uint64_t at = list.at + (uint64_t)index * list.size;

	return table_at(list.flat, index < list.count ? follow(list.flat, at) : 0);
}

uint64_t
flat_list_u64(struct flat_list list, uint32_t index, unsigned offset)
{
	uint64_t at = list.at + (uint64_t)index * list.size;

	return index < list.count ? number_at(list.flat, at + offset, 8) : 0;
}

const uint8_t *
flat_text(struct flat_table table, unsigned field, size_t *ret_len)
{
	struct flat_list list = flat_list(table, field, 1);

	*ret_len = list.count;
	return list.count ? table.flat.bytes + list.at : NULL;
}
