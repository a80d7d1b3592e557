/* automaton.h - Aho-Corasick over all patterns of a set.
 *
 * The patterns lie one behind the other in one secbuf, and node v of the trie IS the byte text[v -
 * 1]: what leads to it is the `depth[v]` bytes that end there. A pattern that shares its beginning
 * with an earlier one uses that one's nodes; its own stay unused up to where they part, and the
 * parting is one entry in `branches`.
 *
 * Patterns are added, then the automaton is built, then it is read only and any number of threads
 * may search. */
#ifndef REDACT_AUTOMATON_H
#define REDACT_AUTOMATON_H

#include "base/err.h"
#include "crypto/secbuf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ROOT 0u
#define NO_PATTERN UINT32_MAX

enum node_flag {
	NODE_NEXT = 1,   /* v + 1 is a child of v */
	NODE_BRANCH = 2, /* and there are entries in `branches` */
	NODE_OWN = 4,    /* a pattern ends here */
	NODE_OUT = 8,    /* here, or at a node that the failures lead to */
};

/* What the bytes of a pattern are of the value it was made of. */
enum pattern_kind {
	PATTERN_VALUE,
	PATTERN_LINE,     /* one line of it */
	PATTERN_REVERSED, /* back to front */
	PATTERN_RECODED,  /* in another character set */
	PATTERN_PLUS,     /* with + for each blank */
	PATTERN_QUOTED,   /* with a shell's way of writing quotes */
	PATTERN_ESCAPED,  /* with its bytes ESC: as texts with escapes have it */
	PATTERN_EXACT,    /* with its white space: as codes have it */
};

struct pattern {
	uint32_t offset; /* of its first byte in the text: its own nodes follow this number */
	uint32_t len;
	uint32_t same;    /* another one of the same bytes; NO_PATTERN: none */
	uint32_t name;    /* of the set */
	uint32_t spelled; /* where it lies with its white space; 0 bytes: it has none */
	uint32_t spelled_len;
	enum pattern_kind kind;
	bool coded; /* all bytes of a value: this is what its codes stand for */
};

struct node_pair { /* open-addressed tables by `key`; value 0: free */
	uint32_t key;
	uint32_t value;
};

struct automaton {
	struct pattern *patterns;
	size_t count;
	size_t room;
	struct secbuf *bytes; /* the patterns' bytes; grows until built */
	uint32_t total;
	struct secbuf *starts; /* the children of the root */
	const uint8_t *text;
	const uint32_t *start;
	uint32_t *fail;
	uint32_t *depth;
	uint8_t *flags;
	struct node_pair *branches; /* by parent: a child that does not follow it */
	struct node_pair *owns;     /* by node: its pattern, from 1 */
	size_t mask;                /* of both */
};

/* UN_ERR_NO_MEMORY, UN_ERR_TOO_LARGE. `pattern` needs no offset. */
MUST_CHECK enum un_err automaton_add(struct automaton *automaton, const uint8_t *bytes, size_t len,
                                     struct pattern pattern);
/* Equal patterns are linked, in the order in which they were added. */
MUST_CHECK enum un_err automaton_build(struct automaton *automaton);
void automaton_fini(struct automaton *automaton);

/* The child of `node` for a byte that does not follow it in the text; 0: none. */
uint32_t automaton_branch(const struct automaton *automaton, uint32_t node, uint8_t byte);
/* The first pattern that ends at `node` itself; NO_PATTERN: none. */
uint32_t automaton_own(const struct automaton *automaton, uint32_t node);
/* The pattern of which `node` is a beginning. */
uint32_t automaton_owner(const struct automaton *automaton, uint32_t node);

static inline uint32_t
automaton_child(const struct automaton *automaton, uint32_t node, uint8_t byte)
{
	if (node == ROOT)
		return automaton->start[byte];
	if ((automaton->flags[node] & NODE_NEXT) && automaton->text[node] == byte)
		return node + 1;
	return automaton->flags[node] & NODE_BRANCH ? automaton_branch(automaton, node, byte) : 0;
}

/* The state after `byte`. Follows failures, so a byte costs two steps on average at most. */
static inline uint32_t
automaton_step(const struct automaton *automaton, uint32_t state, uint8_t byte)
{
	for (;;) {
		uint32_t next = automaton_child(automaton, state, byte);

		if (next || state == ROOT)
			return next;
		state = automaton->fail[state];
	}
}

/* `state` without what can never become longer: the longest suffix that may still become a match.
 */
static inline uint32_t
automaton_rest(const struct automaton *automaton, uint32_t state)
{
	while (state != ROOT && !(automaton->flags[state] & (NODE_NEXT | NODE_BRANCH)))
		state = automaton->fail[state];
	return state;
}

#endif
