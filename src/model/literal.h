/* literal.h - values that flow between tasks: what they are, and whether one is of a type.
 *
 * Types: int, float, str, bool, bytes, None, datetime, timedelta, list, dict, dataclass, Optional
 * and enumerations of text. Messages are those of protobuf-c; what is made here is freed with
 * literal_free (or ..._free_unpacked of its parent). Text in errors names the place, such as "input
 * 'n'" or "output 'o0'[3]", and never a value. Any thread. */
#ifndef MODEL_LITERAL_H
#define MODEL_LITERAL_H

#include "base/buf.h"
#include "base/err.h"
#include "flyteidl/core/literals.pb-c.h"
#include "flyteidl/core/types.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LITERAL_DEPTH_MAX 32
#define LITERAL_PLACE_MAX 256
#define LITERAL_TYPES_SUPPORTED                                                                    \
	"int, float, str, bool, bytes, None, datetime, timedelta, list, dict, dataclass, Optional"

typedef Flyteidl__Core__Literal literal;
typedef Flyteidl__Core__LiteralType literal_type;
typedef Flyteidl__Core__LiteralMap literal_map;

/* Where in an input or output an error is: "input 'n'", then "[3]" and ".field" as the walk goes
 * down. `place_push...` returns the length to go back to with place_pop. */
struct place {
	char text[LITERAL_PLACE_MAX];
	size_t len;
};
void place_init(struct place *place, const char *what, const char *name);
size_t place_push_index(struct place *place, size_t index);
size_t place_push_name(struct place *place, const char *name);
void place_pop(struct place *place, size_t len);

/* As a Python programmer writes it: "int", "list[str]", "Optional[dict[str, float]]", the name of a
 * dataclass. UN_ERR_TYPE_UNSUPPORTED only for types nested too deep; an unknown one reads "?". */
MUST_CHECK enum un_err literal_type_append(struct buf *out, const literal_type *type);
/* UN_ERR_TYPE_UNSUPPORTED names `what` 'name', the type, and what is supported. */
MUST_CHECK enum un_err literal_type_check(const char *what, const char *name,
                                          const literal_type *type, struct un_detail *detail);

/* Whether `value` is of `type`. An int is taken for a float, T for Optional[T]; of a dataclass only
 * the kind is checked. UN_ERR_INPUT_TYPE says where it is not; UN_ERR_TYPE_UNSUPPORTED;
 * UN_ERR_TOO_LARGE when nested over LITERAL_DEPTH_MAX. `what` is "input", "output", ... */
MUST_CHECK enum un_err literal_check(const char *what, const char *name, const literal_type *type,
                                     const literal *value, struct un_detail *detail);

/* New literals. The text is copied. UN_ERR_NO_MEMORY. */
MUST_CHECK enum un_err literal_of_int(int64_t number, literal **ret_value);
MUST_CHECK enum un_err literal_of_float(double number, literal **ret_value);
MUST_CHECK enum un_err literal_of_bool(bool is, literal **ret_value);
MUST_CHECK enum un_err literal_of_text(const char *text, literal **ret_value);
MUST_CHECK enum un_err literal_of_bytes(const void *bytes, size_t len, literal **ret_value);
MUST_CHECK enum un_err literal_of_none(literal **ret_value);
MUST_CHECK enum un_err literal_of_instant(int64_t wall_us, literal **ret_value);
MUST_CHECK enum un_err literal_of_duration(int64_t us, literal **ret_value);
/* Empty; fill them and free the whole. */
MUST_CHECK enum un_err literal_of_list(literal **ret_value);
MUST_CHECK enum un_err literal_of_dict(literal **ret_value);
MUST_CHECK enum un_err literal_of_struct(literal **ret_value);
/* One chosen variant: takes over `value` (also when it fails), copies `type`. */
MUST_CHECK enum un_err literal_of_union(literal *value, const literal_type *type,
                                        literal **ret_value);
void literal_free(literal *value); /* NULL is fine */

/* A deep copy of any message, by its wire form. */
MUST_CHECK enum un_err message_copy(const ProtobufCMessage *message, ProtobufCMessage **ret_copy);

#endif
