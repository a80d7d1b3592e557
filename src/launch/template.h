/* template.h - the words of a command line with what belongs into them: "{{.input}}", "{{ $Input
 * }}".
 *
 * Names are compared without regard to case, blanks inside the braces are free, and a placeholder
 * may stand anywhere in a word. One that is not known is left as it is. Pure. */
#ifndef LAUNCH_TEMPLATE_H
#define LAUNCH_TEMPLATE_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

struct template_value {
	const char *name; /* "input" */
	const char *text;
};

/* Appends `word` with its placeholders replaced. What is put in is not looked at again. */
MUST_CHECK enum un_err template_expand(const char *word, const struct template_value *values,
                                       size_t count, struct buf *out);

#endif
