/* set.h - what a set of values is made of, for the other files of this folder. */
#ifndef REDACT_SET_H
#define REDACT_SET_H

#include "redact/automaton.h"
#include "redact/filter.h"
#include "redact/heads.h"
#include "redact/redact.h"
#include "redact/shorts.h"

struct value {
	char name[SECRET_NAME_MAX + 1];
	struct secbuf *core; /* until compiled */
};

struct redact_set {
	struct value *values;
	size_t count;
	size_t room;
	size_t total;
	bool compiled;
	bool empty;             /* there is nothing to look for */
	bool always_text;       /* some pattern has nothing that the filter could see */
	uint32_t longest;       /* of the patterns */
	int16_t digits[3][256]; /* machine_digit or DIGIT_OTHER, of 4, 5 and 6 bits */
	struct automaton automaton;
	struct heads coded; /* of the patterns that codes stand for */
	struct filter filter;
	struct shorts shorts;
	struct secbuf *spelled; /* the values that have white space in them */
	size_t spelled_len;
};

/* These bits may be the first ones of a value. */
static inline bool
set_lead(const struct redact_set *set, unsigned count, uint64_t bits)
{
	return set->filter.tables->lead[count][bits];
}

const uint8_t *set_spelled(const struct redact_set *set, const struct pattern *pattern);

#endif
