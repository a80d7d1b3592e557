#include "literal_show.h"

#include <stdio.h>

#define TEXT_MAX (256u << 20)

void
literal_map_show(struct json_out *json, const char *key, const literal_map *map)
{
	struct buf text;
	enum un_err err;

	buf_init(&text, TEXT_MAX, BUF_PLAIN);
	err = literal_map_to_json(&text, map);
	if (!json->err)
		json->err = err;
	jout_raw(json, key, buf_text(&text));
	buf_fini(&text);
}

enum un_err
literal_map_print(const literal_map *map)
{
	struct buf text;
	enum un_err err;

	buf_init(&text, TEXT_MAX, BUF_PLAIN);
	err = literal_map_to_json(&text, map);
	if (!err) {
		(void)fwrite(buf_text(&text), 1, text.len, stdout);
		(void)putchar('\n');
	}
	buf_fini(&text);
	return err;
}
