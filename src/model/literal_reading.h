/* literal_reading.h - what the parts of literal_text share; for nobody else.
 *
 * literal_scalar.c reads what is one piece of text, literal_text.c walks JSON, literal_plain.c
 * turns literals into the members of a Struct. */
#ifndef MODEL_LITERAL_READING_H
#define MODEL_LITERAL_READING_H

#include "model/json.h"
#include "model/literal.h"

struct reading {
	struct place place; /* left where it is when something fails: the error names it */
	struct json_reader json;
	struct un_detail *detail;
};

/* "... must be int, and what was given is not", with a hint at what is. */
MUST_CHECK enum un_err reading_fail(struct reading *in, const literal_type *type);
/* Passes UN_OK and what is no fault of the input; all else becomes reading_fail. */
MUST_CHECK enum un_err reading_judge(struct reading *in, const literal_type *type,
                                     enum un_err err);

bool literal_is_none_word(const char *text); /* null or None */
/* The types that are a piece of text. UN_ERR_INVALID, UN_ERR_RANGE: the text is not of it. */
MUST_CHECK enum un_err literal_scalar_from_text(const literal_type *type, const char *text,
                                                literal **ret_value);
MUST_CHECK enum un_err literal_enum_from_text(struct reading *in, const literal_type *type,
                                              const char *text, literal **ret_value);

/* The member of a Struct that stands for `value`: int beyond 2^53, bytes, datetime and timedelta as
 * text, Optional as what is in it. */
MUST_CHECK enum un_err literal_to_plain(const literal *value, Google__Protobuf__Value **ret_plain);
/* Any JSON value. UN_ERR_RANGE for an integer that is not exact as a double. */
MUST_CHECK enum un_err plain_from_json(struct json_reader *in, Google__Protobuf__Value **ret_plain);
void plain_free(Google__Protobuf__Value *value); /* NULL is fine */
/* Appends a member; takes over `member` (also when it fails), copies `name`. */
MUST_CHECK enum un_err plain_add_field(Google__Protobuf__Struct *to, const char *name,
                                       Google__Protobuf__Value *member);

/* Room for one more pointer behind `count`, growing in powers of two. */
MUST_CHECK enum un_err pointers_grow(void **items, size_t count);

#endif
