/* redact_texts.h - texts to measure redaction with: made in memory, the same in each run. */
#ifndef BENCH_REDACT_TEXTS_H
#define BENCH_REDACT_TEXTS_H

#include <stddef.h>
#include <stdint.h>

struct text_kind {
	const char *name;
	/* One piece of the text, made with value number `turn` and chance: at most TEXT_PIECE
	 * bytes. Returns its length. */
	size_t (*make)(const char *value, size_t turn, char *out);
};

#define TEXT_PIECE 4096

/* What programs print, without any value. */
extern const struct text_kind real_texts[];
extern const size_t real_text_count;
/* What comes as near to a value as it can without being one. */
extern const struct text_kind near_texts[];
extern const size_t near_text_count;

/* Fills `out` with whole pieces. Returns the length. */
size_t text_fill(const struct text_kind *kind, const char *const *values, size_t count, char *out,
                 size_t room);

#endif
