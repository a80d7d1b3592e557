#include "guard/parquet.h"
#include "guard/span.h"

#include "base/alloc.h"

#define NUMBERS_MAX (1u << 22) /* texts in one page */
#define BLOCK_MAX (1u << 20)
#define MINI_MAX 512u
#define GATHER (1u << 20) /* bytes put together before they are searched */

/* ---- numbers as differences (DELTA_BINARY_PACKED) ----
 *
 *   varint values a block, parts a block, values; zigzag the first value
 *   a block: zigzag the least difference, one byte a part: bits of each number in it, the parts */
struct deltas {
	uint64_t parts;
	uint64_t part_len; /* values of a part */
	uint64_t count;
	int64_t last;
};

static bool
read_head(struct span *in, struct deltas *ret_head)
{
	uint64_t block = span_varint(in);

	ret_head->parts = span_varint(in);
	ret_head->count = span_varint(in);
	ret_head->last = span_zigzag(in);
	if (in->bad || block == 0 || block > BLOCK_MAX || ret_head->parts == 0 ||
	    ret_head->parts > MINI_MAX || block % ret_head->parts != 0 ||
	    ret_head->count > NUMBERS_MAX)
		return false;
	ret_head->part_len = block / ret_head->parts;
	return ret_head->part_len % 8 == 0;
}

static uint64_t
bits_at(const uint8_t *bytes, uint64_t first, unsigned width)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < width; i++) {
		uint64_t bit = first + i;

		number |= (uint64_t)(bytes[bit >> 3] >> (bit & 7) & 1) << i;
	}
	return number;
}

/* One part of a block: at most `left` numbers, to `out`. */
static bool
read_part(struct span *in, struct deltas *head, unsigned width, uint64_t least, uint32_t *out,
          uint64_t left)
{
	const uint8_t *bits = span_take(in, head->part_len * width / 8);

	if (!bits || width > 64)
		return false;
	for (uint64_t i = 0; i < head->part_len && i < left; i++) {
		uint64_t next = (uint64_t)head->last + least + bits_at(bits, i * width, width);

		head->last = (int64_t)next;
		if (next > INT32_MAX)
			return false;
		out[i] = (uint32_t)next;
	}
	return true;
}

/* Numbers that are lengths. *ret_numbers is freed by the caller, also when they are malformed. */
static enum un_err
read_deltas(struct span *in, uint32_t **ret_numbers, uint64_t *ret_count, bool *ret_good)
{
	struct deltas head;
	uint64_t done;
	uint32_t *numbers;
	bool good = read_head(in, &head) && head.last >= 0 && head.last <= INT32_MAX;

	*ret_numbers = NULL;
	*ret_count = 0;
	*ret_good = good;
	if (!good || head.count == 0)
		return UN_OK;
	numbers = mem_alloc((size_t)head.count * sizeof *numbers);
	if (!numbers)
		return UN_ERR_NO_MEMORY;
	*ret_numbers = numbers;
	*ret_count = head.count;
	numbers[0] = (uint32_t)head.last;
	for (done = 1; good && done < head.count;) {
		uint64_t least = (uint64_t)span_zigzag(in);
		const uint8_t *widths = span_take(in, head.parts);

		for (uint64_t part = 0; widths && good && part < head.parts && done < head.count;
		     part++) {
			good = read_part(in, &head, widths[part], least, numbers + done,
			                 head.count - done);
			done += head.part_len;
		}
		good = good && widths;
	}
	*ret_good = good;
	return UN_OK;
}

struct gather {
	struct guard *guard;
	struct buf all;
	struct buf last; /* the text before */
};

static enum un_err
search_gathered(struct gather *gather, bool to_the_end)
{
	enum un_err err = guard_search(gather->guard, (const uint8_t *)buf_text(&gather->all),
	                               gather->all.len);

	if (!err && !to_the_end && gather->all.len > gather->guard->overlap)
		buf_drop_front(&gather->all, gather->all.len - gather->guard->overlap);
	return err;
}

/* *ret_good: false: malformed. */
static enum un_err
add_text(struct gather *gather, struct span *rest, uint32_t shared, uint32_t own, bool *ret_good)
{
	const uint8_t *bytes = span_take(rest, own);
	enum un_err err = UN_OK;

	*ret_good = bytes && shared <= gather->last.len &&
	            (uint64_t)shared + own <= gather->guard->unpacked_left &&
	            shared + (uint64_t)own <= GUARD_HELD_MAX;
	if (!*ret_good)
		return UN_OK;
	gather->guard->unpacked_left -= (uint64_t)shared + own;
	if (gather->last.len > shared) {
		gather->last.len = shared;
		gather->last.data[shared] = '\0';
	}
	err = buf_append(&gather->last, bytes, own);
	if (!err && gather->all.len + gather->last.len > GATHER + gather->guard->overlap)
		err = search_gathered(gather, false);
	if (!err && gather->last.len <= GATHER)
		return buf_append(&gather->all, gather->last.data, gather->last.len);
	return err ? err : guard_search(gather->guard, gather->last.data, gather->last.len);
}

enum un_err
parquet_shared_texts(struct guard *guard, const uint8_t *bytes, size_t len)
{
	struct span in = span_of(bytes, len);
	uint32_t *shared = NULL, *own = NULL;
	uint64_t shared_count = 0, own_count = 0;
	struct gather gather = {.guard = guard};
	bool good = false;
	enum un_err err = read_deltas(&in, &shared, &shared_count, &good);

	buf_init(&gather.all, 2u * GATHER + 2 * guard->overlap, BUF_WIPE);
	buf_init(&gather.last, GUARD_HELD_MAX, BUF_WIPE);
	if (!err && good)
		err = read_deltas(&in, &own, &own_count, &good);
	good = good && shared_count == own_count;
	for (uint64_t i = 0; !err && good && i < own_count && !guard->over; i++) {
		err = add_text(&gather, &in, shared[i], own[i], &good);
		if (i % 4096 == 4095)
			(void)guard_late(guard);
	}
	if (!err)
		err = search_gathered(&gather, true);
	if (!err && !good)
		guard_blind_here(guard, "has a damaged page");
	buf_fini(&gather.all);
	buf_fini(&gather.last);
	mem_free(shared);
	mem_free(own);
	return err;
}

enum un_err
parquet_split_values(struct guard *guard, const uint8_t *bytes, size_t len, size_t width)
{
	size_t count = width ? len / width : 0;
	uint8_t *whole;
	enum un_err err;

	if (count == 0)
		return UN_OK;
	whole = mem_alloc(count * width);
	if (!whole)
		return UN_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < width; k++)
			whole[i * width + k] = bytes[k * count + i];
	err = guard_search(guard, whole, count * width);
	mem_wipe_free(whole, count * width);
	return err;
}
