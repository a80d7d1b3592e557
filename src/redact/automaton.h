/* automaton.h - the search behind redact.h: Aho-Corasick over all values of an attempt.
 *
 * The values lie one behind the other in one secbuf, and node v of the trie IS the byte text[v -
 * 1]: what leads to it is the `depth[v]` bytes that end there. So the trie needs no bytes of its
 * own, and a stream need not keep what it holds back: the state names a place in the locked text. A
 * value that shares its beginning with an earlier one uses that one's nodes; its own stay unused up
 * to where they part, and the parting is one entry in `branches`.
 *
 * Built by redact_set_compile, read only after it; then any number of threads may search. */
#ifndef REDACT_AUTOMATON_H
#define REDACT_AUTOMATON_H

#include "redact/redact.h"

#define ROOT 0u
#define FILTER_BITS 15
#define FILTER_GRAM 4 /* bytes; no value is shorter than this */

enum node_flag {
	NODE_NEXT = 1,   /* v + 1 is a child of v */
	NODE_BRANCH = 2, /* and there are entries in `branches` */
};

struct pattern {
	char name[SECRET_NAME_MAX + 1];
	struct secbuf *value; /* until compiled */
	uint32_t len;
};

struct branch { /* an open-addressed table by parent and byte; child 0: free */
	uint32_t parent;
	uint32_t child;
};

/* What a value begins with; says something about values, so it lies in a secbuf. */
struct start_tables {
	uint32_t child[256]; /* of the root; 0: none */
	uint8_t filter[(1u << FILTER_BITS) / 8];
};

struct redact_set {
	struct pattern *patterns;
	size_t count;
	size_t room;
	size_t total; /* bytes of all values, and so nodes without the root */
	bool compiled;

	struct secbuf *bytes;  /* the values */
	struct secbuf *starts; /* struct start_tables */
	const uint8_t *text;   /* lent by bytes */
	const struct start_tables *start;
	uint32_t *fail;
	uint32_t *depth;
	uint16_t *match; /* the longest value that ends here, counted from 1; 0: none */
	uint8_t *flags;
	struct branch *branches;
	size_t branch_mask;
};

_Static_assert(REDACT_VALUE_MIN >= FILTER_GRAM, "the filter looks at the first bytes of a value");

/* The state after `byte`. Follows failures, so a byte costs two steps on average at most. */
uint32_t automaton_step(const struct redact_set *set, uint32_t state, uint8_t byte);
/* `state` without what can never become longer: the longest suffix that may still become a match.
 */
uint32_t automaton_rest(const struct redact_set *set, uint32_t state);
/* From the root: how many of the bytes can be passed over because no value begins there. */
size_t automaton_skip(const struct redact_set *set, const uint8_t *bytes, size_t len);

#endif
