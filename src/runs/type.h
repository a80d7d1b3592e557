/* type.h - which value fits where: types of inputs and outputs, and the literals that pass between
 * tasks. Pure rules; any thread.
 *
 * As in Python, an int may stand for a float; an Optional[int] is not an int. What a type says
 * beside its shape (metadata, annotation, structure) takes no part. */
#ifndef RUNS_TYPE_H
#define RUNS_TYPE_H

#include "base/err.h"
#include "runs/pb.h"

#include <stdbool.h>
#include <stddef.h>

#define TYPE_DEPTH_MAX 32 /* of types and of literals; what is deeper fits nowhere */
#define TYPE_TEXT_MAX 128

/* Every value of `from` may stand where `to` is wanted. */
bool type_fits(const pb_type *from, const pb_type *to);
/* `value` may stand where `to` is wanted. */
bool type_fits_literal(const pb_literal *value, const pb_type *to);
/* Shaped at all: every part set, not too deep. */
bool type_is_whole(const pb_type *type);

/* As Python writes it: "list[int]", "dict[str, float]", "int | None". Cut where too long. */
void type_format(const pb_type *type, char text[TYPE_TEXT_MAX]);
/* What a literal is, for the sentence "expected int, got ...". Never the value. */
const char *type_word_of_literal(const pb_literal *value);

/* The variable's type; NULL when there is no such variable (or no map). */
const pb_type *type_of_variable(const pb_variable_map *variables, const char *name);
/* The literal of `name`; NULL when it is not there. */
const pb_literal *literal_of(const pb_literal_map *map, const char *name);

/* A map of values against what is declared. UN_ERR_INPUT_MISSING, _TYPE, _UNKNOWN with the name and
 * both types in `detail`; `what` is "input" or "output". */
MUST_CHECK enum un_err type_check_map(const char *what, const pb_variable_map *declared,
                                      const pb_literal_map *values, struct un_detail *detail);

#endif
