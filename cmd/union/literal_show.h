/* literal_show.h - inputs and outputs of executions in JSON; src/model/literal_json.h says how each
 * type looks. One thread. */
#ifndef UNION_LITERAL_SHOW_H
#define UNION_LITERAL_SHOW_H

#include "json_out.h"
#include "model/literal_json.h"

/* A member of `json`. NULL reads as empty. */
void literal_map_show(struct json_out *json, const char *key, const literal_map *map);
/* One line on stdout: what `union run` leaves. */
MUST_CHECK enum un_err literal_map_print(const literal_map *map);

#endif
