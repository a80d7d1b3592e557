#include "redact/automaton.h"

#include "base/alloc.h"

#include <string.h>

#define GOLDEN 0x9E3779B1u /* spreads the bits of a small number; Knuth's multiplier */
#define BYTES_FIRST 2048

static size_t
branch_slot(const struct automaton *automaton, uint32_t node, uint8_t byte)
{
	return ((node * 257u + byte) * GOLDEN >> 7) & automaton->mask;
}

uint32_t
automaton_branch(const struct automaton *automaton, uint32_t node, uint8_t byte)
{
	size_t slot = branch_slot(automaton, node, byte);

	for (; automaton->branches[slot].value; slot = (slot + 1) & automaton->mask) {
		const struct node_pair *one = &automaton->branches[slot];

		if (one->key == node && automaton->text[one->value - 1] == byte)
			return one->value;
	}
	return 0;
}

static void
branch_add(struct automaton *automaton, uint32_t node, uint32_t child)
{
	size_t slot = branch_slot(automaton, node, automaton->text[child - 1]);

	while (automaton->branches[slot].value)
		slot = (slot + 1) & automaton->mask;
	automaton->branches[slot] = (struct node_pair){.key = node, .value = child};
	automaton->flags[node] |= NODE_BRANCH;
}

uint32_t
automaton_own(const struct automaton *automaton, uint32_t node)
{
	size_t slot = (node * GOLDEN >> 7) & automaton->mask;

	if (!(automaton->flags[node] & NODE_OWN))
		return NO_PATTERN;
	while (automaton->owns[slot].key != node)
		slot = (slot + 1) & automaton->mask;
	return automaton->owns[slot].value - 1;
}

static void
own_add(struct automaton *automaton, uint32_t node, uint32_t pattern)
{
	size_t slot = (node * GOLDEN >> 7) & automaton->mask;
	uint32_t same = automaton_own(automaton, node);

	automaton->patterns[pattern].same = NO_PATTERN;
	if (same != NO_PATTERN) {
		while (automaton->patterns[same].same != NO_PATTERN)
			same = automaton->patterns[same].same;
		automaton->patterns[same].same = pattern;
		return;
	}
	while (automaton->owns[slot].value)
		slot = (slot + 1) & automaton->mask;
	automaton->owns[slot] = (struct node_pair){.key = node, .value = pattern + 1};
	automaton->flags[node] |= NODE_OWN | NODE_OUT;
}

uint32_t
automaton_owner(const struct automaton *automaton, uint32_t node)
{
	size_t low = 0, high = automaton->count;

	while (high - low > 1) {
		size_t middle = (low + high) / 2;

		if (automaton->patterns[middle].offset < node)
			low = middle;
		else
			high = middle;
	}
	return (uint32_t)low;
}

static enum un_err
make_room(struct automaton *automaton, size_t len)
{
	if (automaton->count == automaton->room) {
		size_t room = automaton->room ? automaton->room * 2 : 16;
		struct pattern *bigger = mem_realloc(automaton->patterns, room * sizeof *bigger);

		if (!bigger)
			return UN_ERR_NO_MEMORY;
		automaton->patterns = bigger;
		automaton->room = room;
	}
	if (!automaton->bytes || automaton->total + len > secbuf_len(automaton->bytes)) {
		size_t room = automaton->bytes ? secbuf_len(automaton->bytes) : BYTES_FIRST;
		struct secbuf *bigger;
		enum un_err err;

		while (room < automaton->total + len)
			room *= 2;
		err = secbuf_new(room < SECBUF_MAX ? room : SECBUF_MAX, &bigger);
		if (err)
			return err;
		if (automaton->total)
			memcpy(secbuf_edit(bigger), secbuf_peek(automaton->bytes),
			       automaton->total);
		secbuf_free(automaton->bytes);
		automaton->bytes = bigger;
	}
	return UN_OK;
}

enum un_err
automaton_add(struct automaton *automaton, const uint8_t *bytes, size_t len, struct pattern pattern)
{
	enum un_err err;

	if (len > SECBUF_MAX - automaton->total)
		return UN_ERR_TOO_LARGE;
	err = make_room(automaton, len);
	if (err)
		return err;
	memcpy(secbuf_edit(automaton->bytes) + automaton->total, bytes, len);
	pattern.offset = automaton->total;
	pattern.len = (uint32_t)len;
	automaton->total += (uint32_t)len;
	automaton->patterns[automaton->count++] = pattern;
	return UN_OK;
}

static enum un_err
allocate(struct automaton *automaton)
{
	size_t slots = 4, nodes = (size_t)automaton->total + 1;
	enum un_err err = make_room(automaton, 1);

	while (slots < automaton->count * 2)
		slots *= 2;
	if (!err)
		err = secbuf_new(256 * sizeof(uint32_t), &automaton->starts);
	if (err)
		return err;
	automaton->fail = mem_zalloc(nodes, sizeof *automaton->fail);
	automaton->depth = mem_zalloc(nodes, sizeof *automaton->depth);
	automaton->flags = mem_zalloc(nodes, sizeof *automaton->flags);
	automaton->branches = mem_zalloc(slots, sizeof *automaton->branches);
	automaton->owns = mem_zalloc(slots, sizeof *automaton->owns);
	if (!automaton->fail || !automaton->depth || !automaton->flags || !automaton->branches ||
	    !automaton->owns)
		return UN_ERR_NO_MEMORY;
	automaton->mask = slots - 1;
	automaton->text = secbuf_peek(automaton->bytes);
	automaton->start = (const uint32_t *)(const void *)secbuf_peek(automaton->starts);
	return UN_OK;
}

/* Adds one pattern to the trie. *ret_shared: how many of its bytes had nodes already. */
static void
insert(struct automaton *automaton, uint32_t number, uint32_t *ret_shared)
{
	uint32_t *start = (uint32_t *)(void *)secbuf_edit(automaton->starts);
	uint32_t offset = automaton->patterns[number].offset, len = automaton->patterns[number].len;
	const uint8_t *bytes = automaton->text + offset;
	uint32_t shared = 0, node = ROOT;

	while (shared < len) {
		uint32_t next = automaton_child(automaton, node, bytes[shared]);

		if (!next)
			break;
		node = next;
		shared++;
	}
	if (shared < len && node == ROOT)
		start[bytes[0]] = offset + 1;
	else if (shared < len)
		branch_add(automaton, node, offset + shared + 1);
	for (uint32_t at = shared; at < len; at++) {
		automaton->depth[offset + at + 1] = at + 1;
		if (at + 1 < len)
			automaton->flags[offset + at + 1] |= NODE_NEXT;
	}
	own_add(automaton, shared < len ? offset + len : node, number);
	*ret_shared = shared;
}

/* A pattern's nodes of its own, from depth `shared` + 1 on: what link_level goes through. */
struct own_nodes {
	uint32_t offset;
	uint32_t shared;
	uint32_t parent; /* of the next node to be linked */
	uint32_t len;
};

/* Links the nodes of one depth: a failure leads to a node of less depth, linked before. */
static void
link_level(struct automaton *automaton, struct own_nodes *own, uint32_t depth)
{
	uint32_t node = own->offset + depth, to;

	if (depth == own->shared + 1 && depth > 1) { /* the parting: its parent is another's node */
		uint32_t at = ROOT;

		for (uint32_t i = 0; i < own->shared; i++)
			at = automaton_child(automaton, at, automaton->text[own->offset + i]);
		own->parent = at;
	}
	to = depth == 1 ? ROOT
	                : automaton_step(automaton, automaton->fail[own->parent],
	                                 automaton->text[node - 1]);
	automaton->fail[node] = to;
	automaton->flags[node] |= automaton->flags[to] & NODE_OUT;
	own->parent = node;
}

static void
link_all(struct automaton *automaton, struct own_nodes *own)
{
	size_t left = automaton->count;

	for (uint32_t depth = 1; left; depth++) {
		for (size_t i = 0; i < left;) {
			if (depth > own[i].shared && depth <= own[i].len)
				link_level(automaton, &own[i], depth);
			if (depth >= own[i].len)
				own[i] = own[--left];
			else
				i++;
		}
	}
}

enum un_err
automaton_build(struct automaton *automaton)
{
	struct own_nodes *own;
	enum un_err err = allocate(automaton);

	if (err)
		return err;
	own = mem_zalloc(automaton->count + 1, sizeof *own);
	if (!own)
		return UN_ERR_NO_MEMORY;
	for (uint32_t i = 0; i < automaton->count; i++) {
		own[i].offset = automaton->patterns[i].offset;
		own[i].len = automaton->patterns[i].len;
		insert(automaton, i, &own[i].shared);
	}
	link_all(automaton, own);
	mem_free(own);
	return UN_OK;
}

void
automaton_fini(struct automaton *automaton)
{
	mem_free(automaton->patterns);
	secbuf_free(automaton->bytes);
	secbuf_free(automaton->starts);
	mem_free(automaton->fail);
	mem_free(automaton->depth);
	mem_free(automaton->flags);
	mem_free(automaton->branches);
	mem_free(automaton->owns);
}
