/* literal_json.h - outputs as JSON, for people and for `-o json`.
 *
 * int, float, str, bool and None as JSON has them (ints exact with all 64 bits; floats in the
 * shortest form that reads back, with a point; "NaN", "Infinity" and "-Infinity" as text), datetime
 * as RFC 3339 text, timedelta as seconds with an "s" ("5400s"), bytes as base64 text, list, dict
 * and dataclass as what they are, Optional as what is in it. Keys are sorted. A file is {"uri":
 * ...}. Any thread. */
#ifndef MODEL_LITERAL_JSON_H
#define MODEL_LITERAL_JSON_H

#include "model/literal.h"

/* UN_ERR_TOO_LARGE beyond the maximum of `out`, or nested over LITERAL_DEPTH_MAX. After an error
 * what was appended is of no use. */
MUST_CHECK enum un_err literal_to_json(struct buf *out, const literal *value);
/* {"o0": 1, "o1": "x"}; NULL is {}. */
MUST_CHECK enum un_err literal_map_to_json(struct buf *out, const literal_map *map);

#endif
