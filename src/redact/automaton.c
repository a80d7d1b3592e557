#include "redact/automaton.h"

#include "base/alloc.h"
#include "crypto/hash.h"

#include <string.h>

#define PATTERN_MAX 65535
#define GOLDEN 0x9E3779B1u /* spreads the bits of a small number; Knuth's multiplier */

static size_t
branch_slot(const struct redact_set *set, uint32_t parent, uint8_t byte)
{
	return ((parent * 257u + byte) * GOLDEN >> 7) & set->branch_mask;
}

static uint32_t
branch_find(const struct redact_set *set, uint32_t parent, uint8_t byte)
{
	size_t slot = branch_slot(set, parent, byte);

	for (; set->branches[slot].child; slot = (slot + 1) & set->branch_mask) {
		const struct branch *one = &set->branches[slot];

		if (one->parent == parent && set->text[one->child - 1] == byte)
			return one->child;
	}
	return 0;
}

static void
branch_add(struct redact_set *set, uint32_t parent, uint32_t child)
{
	size_t slot = branch_slot(set, parent, set->text[child - 1]);

	while (set->branches[slot].child)
		slot = (slot + 1) & set->branch_mask;
	set->branches[slot] = (struct branch){.parent = parent, .child = child};
	set->flags[parent] |= NODE_BRANCH;
}

/* The child of `node` for `byte`; 0: none. */
static inline uint32_t
child_of(const struct redact_set *set, uint32_t node, uint8_t byte)
{
	if (node == ROOT)
		return set->start->child[byte];
	if ((set->flags[node] & NODE_NEXT) && set->text[node] == byte)
		return node + 1;
	return set->flags[node] & NODE_BRANCH ? branch_find(set, node, byte) : 0;
}

uint32_t
automaton_step(const struct redact_set *set, uint32_t state, uint8_t byte)
{
	for (;;) {
		uint32_t next = child_of(set, state, byte);

		if (next || state == ROOT)
			return next;
		state = set->fail[state];
	}
}

uint32_t
automaton_rest(const struct redact_set *set, uint32_t state)
{
	while (state != ROOT && !set->flags[state])
		state = set->fail[state];
	return state;
}

static inline size_t
filter_bit(const uint8_t *gram)
{
	uint32_t four;

	memcpy(&four, gram, sizeof four);
	return four * GOLDEN >> (32 - FILTER_BITS);
}

size_t
automaton_skip(const struct redact_set *set, const uint8_t *bytes, size_t len)
{
	const uint8_t *filter = set->start->filter;
	size_t at = 0;

	while (at + FILTER_GRAM <= len) {
		size_t bit = filter_bit(bytes + at);

		if (filter[bit / 8] & 1u << bit % 8)
			return at;
		at++;
	}
	return at;
}

enum un_err
redact_set_new(struct redact_set **ret_set)
{
	struct redact_set *set = mem_zalloc(1, sizeof *set);

	if (!set)
		return UN_ERR_NO_MEMORY;
	*ret_set = set;
	return UN_OK;
}

/* The length of white space at the start of `bytes`: all that Python's str.strip() takes off, in
 * UTF-8. Taking off more than a reader does is harmless (what is left is still part of what it
 * shows), less would miss what it shows. */
static size_t
space_at(const uint8_t *bytes, size_t len)
{
	static const char *const wide[] = {"\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80",
	                                   "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
	                                   "\xe2\x81\x9f", "\xe3\x80\x80"};

	if (len &&
	    ((bytes[0] >= 0x09 && bytes[0] <= 0x0d) || (bytes[0] >= 0x1c && bytes[0] <= 0x20)))
		return 1;
	if (len >= 3 && bytes[0] == 0xe2 && bytes[1] == 0x80 && bytes[2] >= 0x80 &&
	    bytes[2] <= 0x8a)
		return 3;
	for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) {
		size_t wide_len = strlen(wide[i]);

		if (len >= wide_len && bytes_equal(bytes, wide[i], wide_len))
			return wide_len;
	}
	return 0;
}

/* What is looked for: the value without the white space around it, because that is how the SDKs
 * show it to a task, and because a line end that belongs to a file's value must not vanish from a
 * log. */
static void
core_of(const struct secbuf *value, const uint8_t **ret_bytes, size_t *ret_len)
{
	const uint8_t *bytes = secbuf_peek(value);
	size_t len = secbuf_len(value), space;

	while ((space = space_at(bytes, len)) > 0) {
		bytes += space;
		len -= space;
	}
	for (;;) {
		space = 0;
		for (size_t tail = 1; tail <= 3 && tail <= len && !space; tail++)
			space = space_at(bytes + len - tail, tail) == tail ? tail : 0;
		if (!space)
			break;
		len -= space;
	}
	*ret_bytes = bytes;
	*ret_len = len;
}

static bool
is_known(const struct redact_set *set, const struct secbuf *core)
{
	for (size_t i = 0; i < set->count; i++)
		if (secbuf_equal(set->patterns[i].value, core))
			return true;
	return false;
}

static enum un_err
make_room(struct redact_set *set)
{
	size_t room = set->room ? set->room * 2 : 8;
	struct pattern *bigger;

	if (set->count < set->room)
		return UN_OK;
	bigger = mem_realloc(set->patterns, room * sizeof *bigger);
	if (!bigger)
		return UN_ERR_NO_MEMORY;
	set->patterns = bigger;
	set->room = room;
	return UN_OK;
}

enum un_err
redact_set_add(struct redact_set *set, const char *name, const struct secbuf *value,
               bool *ret_too_short)
{
	struct secbuf *core;
	struct pattern *pattern;
	const uint8_t *bytes;
	size_t len;
	enum un_err err;

	if (set->compiled || strlen(name) > SECRET_NAME_MAX)
		return UN_ERR_INVALID;
	core_of(value, &bytes, &len);
	if (len < REDACT_VALUE_MIN) {
		*ret_too_short = true;
		return UN_OK;
	}
	if (set->count >= PATTERN_MAX || len > REDACT_TOTAL_MAX - set->total)
		return UN_ERR_TOO_LARGE;
	err = make_room(set);
	if (err)
		return err;
	err = secbuf_copy(bytes, len, &core);
	if (err)
		return err;
	*ret_too_short = false;
	if (is_known(set, core)) { /* the name that came first stays */
		secbuf_free(core);
		return UN_OK;
	}
	pattern = &set->patterns[set->count++];
	memcpy(pattern->name, name, strlen(name) + 1);
	pattern->value = core;
	pattern->len = (uint32_t)len;
	set->total += len;
	return UN_OK;
}

/* The arrays of the automaton, and the values copied together. */
static enum un_err
allocate(struct redact_set *set)
{
	size_t slots = 4;
	uint8_t *text;
	enum un_err err;

	while (slots < set->count * 2)
		slots *= 2;
	err = secbuf_new(set->total ? set->total : 1, &set->bytes);
	if (err)
		return err;
	err = secbuf_new(sizeof(struct start_tables), &set->starts);
	if (err)
		return err;
	set->fail = mem_zalloc(set->total + 1, sizeof *set->fail);
	set->depth = mem_zalloc(set->total + 1, sizeof *set->depth);
	set->match = mem_zalloc(set->total + 1, sizeof *set->match);
	set->flags = mem_zalloc(set->total + 1, sizeof *set->flags);
	set->branches = mem_zalloc(slots, sizeof *set->branches);
	if (!set->fail || !set->depth || !set->match || !set->flags || !set->branches)
		return UN_ERR_NO_MEMORY;
	set->branch_mask = slots - 1;
	text = secbuf_edit(set->bytes);
	for (size_t i = 0; i < set->count; i++) {
		memcpy(text, secbuf_peek(set->patterns[i].value), set->patterns[i].len);
		text += set->patterns[i].len;
	}
	set->text = secbuf_peek(set->bytes);
	set->start = (const struct start_tables *)secbuf_peek(set->starts);
	return UN_OK;
}

/* Adds the value that begins at text[offset]. *ret_shared: how many of its bytes had nodes already.
 */
static void
insert(struct redact_set *set, uint16_t number, uint32_t offset, uint32_t *ret_shared)
{
	struct start_tables *start = (struct start_tables *)secbuf_edit(set->starts);
	const uint8_t *bytes = set->text + offset;
	uint32_t len = set->patterns[number - 1].len, shared = 0, node = ROOT, last;
	size_t bit = filter_bit(bytes);

	start->filter[bit / 8] |= (uint8_t)(1u << bit % 8);
	while (shared < len) {
		uint32_t next = child_of(set, node, bytes[shared]);

		if (!next)
			break;
		node = next;
		shared++;
	}
	if (shared < len && node == ROOT)
		start->child[bytes[0]] = offset + 1;
	else if (shared < len)
		branch_add(set, node, offset + shared + 1);
	for (uint32_t at = shared; at < len; at++) {
		set->depth[offset + at + 1] = at + 1;
		if (at + 1 < len)
			set->flags[offset + at + 1] |= NODE_NEXT;
	}
	last = shared < len ? offset + len : node;
	set->match[last] = number;
	*ret_shared = shared;
}

/* A value's nodes of its own, from depth `shared` + 1 on: what link_level goes through. */
struct own_nodes {
	uint32_t offset;
	uint32_t shared;
	uint32_t parent; /* of the next node to be linked */
	uint32_t len;
};

/* Links the nodes of one depth: a failure leads to a node of less depth, linked before. */
static void
link_level(struct redact_set *set, struct own_nodes *own, uint32_t depth)
{
	uint32_t node = own->offset + depth, to;

	if (depth == own->shared + 1 && depth > 1) { /* the parting: its parent is another's node */
		uint32_t at = ROOT;

		for (uint32_t i = 0; i < own->shared; i++)
			at = child_of(set, at, set->text[own->offset + i]);
		own->parent = at;
	}
	to = depth == 1 ? ROOT : automaton_step(set, set->fail[own->parent], set->text[node - 1]);
	set->fail[node] = to;
	if (!set->match[node])
		set->match[node] = set->match[to];
	own->parent = node;
}

static void
link_all(struct redact_set *set, struct own_nodes *own)
{
	size_t left = set->count;

	for (uint32_t depth = 1; left; depth++) {
		for (size_t i = 0; i < left;) {
			if (depth > own[i].shared && depth <= own[i].len)
				link_level(set, &own[i], depth);
			if (depth >= own[i].len)
				own[i] = own[--left];
			else
				i++;
		}
	}
}

enum un_err
redact_set_compile(struct redact_set *set)
{
	struct own_nodes *own = NULL;
	uint32_t offset = 0;
	enum un_err err;

	if (set->compiled)
		return UN_ERR_INVALID;
	err = allocate(set);
	if (err)
		return err;
	own = mem_zalloc(set->count + 1, sizeof *own);
	if (!own)
		return UN_ERR_NO_MEMORY;
	for (size_t i = 0; i < set->count; i++) {
		own[i].offset = offset;
		own[i].len = set->patterns[i].len;
		insert(set, (uint16_t)(i + 1), offset, &own[i].shared);
		offset += own[i].len;
	}
	link_all(set, own);
	for (size_t i = 0; i < set->count; i++) {
		secbuf_free(set->patterns[i].value);
		set->patterns[i].value = NULL;
	}
	set->compiled = true;
	mem_free(own);
	return UN_OK;
}

void
redact_set_free(struct redact_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->count; i++)
		secbuf_free(set->patterns[i].value);
	mem_free(set->patterns);
	secbuf_free(set->bytes);
	secbuf_free(set->starts);
	mem_free(set->fail);
	mem_free(set->depth);
	mem_free(set->match);
	mem_free(set->flags);
	mem_free(set->branches);
	mem_free(set);
}

const char *
redact_find(const struct redact_set *set, const uint8_t *bytes, size_t len)
{
	uint32_t state = ROOT;

	if (!set->count)
		return NULL;
	for (size_t at = 0; at < len; at++) {
		if (state == ROOT) {
			at += automaton_skip(set, bytes + at, len - at);
			if (at == len)
				break;
		}
		state = automaton_step(set, state, bytes[at]);
		if (set->match[state])
			return set->patterns[set->match[state] - 1].name;
		state = automaton_rest(set, state);
	}
	return NULL;
}
