#include "launch/template.h"

#include <string.h>
#include <strings.h>

#define NAME_MAX_LEN 128

/* Reads "{{ .name }}" at `text`; its length, or 0 when it is no placeholder. */
static size_t
parse(const char *text, char name[NAME_MAX_LEN])
{
	const char *at = text;
	size_t len = 0;

	if (at[0] != '{' || at[1] != '{')
		return 0;
	at += 2;
	at += strspn(at, " \t");
	if (*at != '.' && *at != '$')
		return 0;
	at++;
	at += strspn(at, " \t");
	len = strcspn(at, " \t{}");
	if (len == 0 || len >= NAME_MAX_LEN)
		return 0;
	memcpy(name, at, len);
	name[len] = '\0';
	at += len;
	at += strspn(at, " \t");
	if (at[0] != '}' || at[1] != '}')
		return 0;
	return (size_t)(at + 2 - text);
}

static const char *
find(const char *name, const struct template_value *values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcasecmp(values[i].name, name) == 0)
			return values[i].text;
	return NULL;
}

enum un_err
template_expand(const char *word, const struct template_value *values, size_t count,
                struct buf *out)
{
	while (*word) {
		char name[NAME_MAX_LEN];
		size_t len = parse(word, name);
		const char *text = len ? find(name, values, count) : NULL;
		enum un_err err;

		if (text) {
			err = buf_append_text(out, text);
			word += len;
		} else {
			err = buf_append(out, word, 1);
			word++;
		}
		if (err)
			return err;
	}
	return UN_OK;
}
