/* literal_text.h - inputs as people give them on a command line or in a JSON file.
 *
 *   int        42, -7 (64 bits, exact)          datetime   2026-11-23T13:07:00Z, 2026-11-23
 *   float      0.5, 1e-3, nan, inf, -inf        timedelta  90s, 1h30m, PT1H30M
 *   str        as it is                         bytes      base64 (whoever reads a file:
 * literal_of_bytes) bool       true, false, yes, no, on, off, 1, 0 None       null, None Optional
 * null and None are None, else as T list, dict, dataclass                       JSON
 *
 * Inside JSON the same types are: number, string, true/false, null, and text in quotes for
 * datetime, timedelta, bytes, and for floats that JSON has no number for. An int beyond 2^53 in a
 * dataclass may be text too. Errors never quote what was given. Any thread. */
#ifndef MODEL_LITERAL_TEXT_H
#define MODEL_LITERAL_TEXT_H

#include "model/literal.h"

#define LITERAL_TEXT_MAX (8u << 20) /* bytes of one input */

/* `name` is the input's. UN_ERR_INPUT_TYPE says what is wrong where and hints at what is expected;
 * UN_ERR_TYPE_UNSUPPORTED, UN_ERR_TOO_LARGE. */
MUST_CHECK enum un_err literal_from_text(const char *name, const literal_type *type,
                                         const char *text, literal **ret_value,
                                         struct un_detail *detail);
/* The whole of `json` is one value of `type`. */
MUST_CHECK enum un_err literal_from_json(const char *name, const literal_type *type,
                                         const char *json, size_t len, literal **ret_value,
                                         struct un_detail *detail);

#endif
