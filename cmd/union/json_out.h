/* json_out.h - JSON for people's scripts: stable names, two blanks of indentation. Not for values.
 *
 * Errors stick and come out at the end. One thread. */
#ifndef UNION_JSON_OUT_H
#define UNION_JSON_OUT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct json_out {
	struct buf buf;
	int depth;
	bool has_items;
	bool compact; /* all on one line; set it after jout_init */
	enum un_err err;
};

void jout_init(struct json_out *json);
/* `key` NULL: inside a list, or the outermost. */
void jout_open(struct json_out *json, const char *key, char bracket); /* '{' or '[' */
void jout_close(struct json_out *json, char bracket);                 /* '}' or ']' */
void jout_text(struct json_out *json, const char *key, const char *text); /* NULL reads as "" */
void jout_number(struct json_out *json, const char *key, int64_t number);
void jout_bool(struct json_out *json, const char *key, bool truth);
void jout_null(struct json_out *json, const char *key);
/* Text that is JSON already, on one line. */
void jout_raw(struct json_out *json, const char *key, const char *text);
/* Writes it to stdout with a newline and frees it. */
MUST_CHECK enum un_err jout_print(struct json_out *json);
void jout_fini(struct json_out *json);

#endif
