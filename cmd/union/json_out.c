#include "json_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define JSON_OUT_MAX (256u << 20)

void
jout_init(struct json_out *json)
{
	*json = (struct json_out){0};
	buf_init(&json->buf, JSON_OUT_MAX, BUF_PLAIN);
}

void
jout_fini(struct json_out *json)
{
	buf_fini(&json->buf);
}

static void
add(struct json_out *json, const char *text, size_t len)
{
	if (!json->err)
		json->err = buf_append(&json->buf, text, len);
}

static void
add_text(struct json_out *json, const char *text)
{
	add(json, text, strlen(text));
}

static void
new_line(struct json_out *json)
{
	if (json->compact)
		return;
	add_text(json, "\n");
	for (int i = 0; i < json->depth; i++)
		add_text(json, "  ");
}

static void
add_quoted(struct json_out *json, const char *text)
{
	add_text(json, "\"");
	for (const char *p = text; *p; p++) {
		unsigned char c = (unsigned char)*p;
		char escape[8];

		if (c == '"' || c == '\\') {
			escape[0] = '\\';
			escape[1] = (char)c;
			add(json, escape, 2);
		} else if (c == '\n') {
			add_text(json, "\\n");
		} else if (c < 0x20 || c == 0x7f) {
			(void)snprintf(escape, sizeof escape, "\\u%04x", c);
			add_text(json, escape);
		} else {
			add(json, p, 1);
		}
	}
	add_text(json, "\"");
}

static void
begin_item(struct json_out *json, const char *key)
{
	if (json->has_items)
		add_text(json, ",");
	if (json->depth)
		new_line(json);
	if (key) {
		add_quoted(json, key);
		add_text(json, ": ");
	}
	json->has_items = true;
}

void
jout_open(struct json_out *json, const char *key, char bracket)
{
	begin_item(json, key);
	add(json, &bracket, 1);
	json->depth++;
	json->has_items = false;
}

void
jout_close(struct json_out *json, char bracket)
{
	json->depth--;
	if (json->has_items)
		new_line(json);
	add(json, &bracket, 1);
	json->has_items = true;
}

void
jout_text(struct json_out *json, const char *key, const char *text)
{
	begin_item(json, key);
	add_quoted(json, text ? text : "");
}

void
jout_number(struct json_out *json, const char *key, int64_t number)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%" PRId64, number);
	begin_item(json, key);
	add_text(json, text);
}

void
jout_bool(struct json_out *json, const char *key, bool truth)
{
	begin_item(json, key);
	add_text(json, truth ? "true" : "false");
}

void
jout_null(struct json_out *json, const char *key)
{
	begin_item(json, key);
	add_text(json, "null");
}

void
jout_raw(struct json_out *json, const char *key, const char *text)
{
	begin_item(json, key);
	add_text(json, text);
}

enum un_err
jout_print(struct json_out *json)
{
	enum un_err err = json->err;

	if (!err) {
		(void)fwrite(buf_text(&json->buf), 1, json->buf.len, stdout);
		(void)putchar('\n');
	}
	jout_fini(json);
	return err;
}
