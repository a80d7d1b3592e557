/* Literals that are one piece of text. */
#include "base/text.h"
#include "model/literal_reading.h"
#include "model/literal_text.h"
#include "model/times.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *
hint_of(const literal_type *type)
{
	if (type->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_COLLECTION_TYPE)
		return "give a JSON list, such as '[1, 2]'";
	if (type->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_MAP_VALUE_TYPE)
		return "give a JSON object, such as '{\"key\": 1}'";
	if (type->type_case != FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE)
		return "";
	switch (type->simple) {
	case FLYTEIDL__CORE__SIMPLE_TYPE__NONE:
		return "give null or None";
	case FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER:
		return "give a whole number of at most 64 bits, such as 42 or -7";
	case FLYTEIDL__CORE__SIMPLE_TYPE__FLOAT:
		return "give a number such as 0.5 or 1e-3, or nan, inf, -inf";
	case FLYTEIDL__CORE__SIMPLE_TYPE__STRING:
		return "give text in UTF-8; inside JSON, in double quotes";
	case FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN:
		return "give true or false";
	case FLYTEIDL__CORE__SIMPLE_TYPE__DATETIME:
		return "give ISO 8601, such as 2026-11-23 or 2026-11-23T13:07:00+01:00; without a "
		       "zone "
		       "it is UTC";
	case FLYTEIDL__CORE__SIMPLE_TYPE__DURATION:
		return "give a length with units w d h m s ms us, such as 90s or 1h30m, or ISO "
		       "8601, "
		       "such as PT1H30M";
	case FLYTEIDL__CORE__SIMPLE_TYPE__BINARY:
		return "give base64";
	case FLYTEIDL__CORE__SIMPLE_TYPE__STRUCT:
		return "give a JSON object with the fields of the dataclass, such as '{\"field\": "
		       "1}'";
	default:
		return "supported: " LITERAL_TYPES_SUPPORTED;
	}
}

enum un_err
reading_fail(struct reading *in, const literal_type *type)
{
	struct buf name;

	buf_init(&name, LITERAL_PLACE_MAX, BUF_PLAIN);
	if (literal_type_append(&name, type) == UN_ERR_NO_MEMORY) {
		buf_fini(&name);
		return UN_ERR_NO_MEMORY;
	}
	(void)un_fail(in->detail, UN_ERR_INPUT_TYPE, "%s must be %s, and what was given is not",
	              in->place.text, buf_text(&name));
	buf_fini(&name);
	if (*hint_of(type))
		un_hint(in->detail, "%s", hint_of(type));
	return UN_ERR_INPUT_TYPE;
}

/* What a parser refused is the input's fault, unless it was memory. */
enum un_err
reading_judge(struct reading *in, const literal_type *type, enum un_err err)
{
	if (err == UN_OK || err == UN_ERR_NO_MEMORY || err == UN_ERR_INPUT_TYPE ||
	    err == UN_ERR_TYPE_UNSUPPORTED)
		return err;
	return reading_fail(in, type);
}

static enum un_err
parse_int(const char *text, int64_t *ret_number)
{
	bool negative = *text == '-';
	uint64_t number;
	enum un_err err = text_parse_u64(text + (negative || *text == '+'), &number);

	if (err)
		return err;
	if (number > (uint64_t)INT64_MAX + negative)
		return UN_ERR_RANGE;
	*ret_number = negative ? (int64_t)(0 - number) : (int64_t)number;
	return UN_OK;
}

static enum un_err
parse_float(const char *text, double *ret_number)
{
	static const struct {
		const char *word;
		double number;
	} words[] = {{"nan", NAN},        {"inf", INFINITY},       {"+inf", INFINITY},
	             {"-inf", -INFINITY}, {"infinity", INFINITY}, {"-infinity", -INFINITY}};
	char number[JSON_NUMBER_MAX];
	struct json_reader in;
	double parsed;

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcasecmp(text, words[i].word) == 0) {
			*ret_number = words[i].number;
			return UN_OK;
		}
	}
	json_reader_init(&in, text, strlen(text));
	if (json_reader_number(&in, number) || json_reader_end(&in))
		return UN_ERR_INVALID;
	parsed = strtod(number, NULL); /* its syntax is checked: the locale has no say */
	if (!isfinite(parsed))
		return UN_ERR_RANGE;
	*ret_number = parsed;
	return UN_OK;
}

static enum un_err
parse_bool(const char *text, bool *ret_is)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*ret_is = i % 2 == 1;
			return UN_OK;
		}
	}
	return UN_ERR_INVALID;
}

bool
literal_is_none_word(const char *text)
{
	return strcmp(text, "null") == 0 || strcmp(text, "None") == 0;
}

static enum un_err
bytes_from_text(const char *text, literal **ret_value)
{
	struct buf bytes;
	enum un_err err;

	buf_init(&bytes, LITERAL_TEXT_MAX, BUF_PLAIN);
	err = text_decode_base64(text, strlen(text), &bytes);
	if (!err)
		err = literal_of_bytes(buf_text(&bytes), bytes.len, ret_value);
	buf_fini(&bytes);
	return err;
}

static enum un_err
number_from_text(const literal_type *type, const char *text, literal **ret_value)
{
	enum un_err err;
	int64_t whole;
	double number;
	bool is;

	switch (type->simple) {
	case FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER:
		err = parse_int(text, &whole);
		return err ? err : literal_of_int(whole, ret_value);
	case FLYTEIDL__CORE__SIMPLE_TYPE__FLOAT:
		err = parse_float(text, &number);
		return err ? err : literal_of_float(number, ret_value);
	default:
		err = parse_bool(text, &is);
		return err ? err : literal_of_bool(is, ret_value);
	}
}

enum un_err
literal_scalar_from_text(const literal_type *type, const char *text, literal **ret_value)
{
	enum un_err err;
	int64_t us;

	switch (type->simple) {
	case FLYTEIDL__CORE__SIMPLE_TYPE__INTEGER:
	case FLYTEIDL__CORE__SIMPLE_TYPE__FLOAT:
	case FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN:
		return number_from_text(type, text, ret_value);
	case FLYTEIDL__CORE__SIMPLE_TYPE__NONE:
		return literal_is_none_word(text) ? literal_of_none(ret_value) : UN_ERR_INVALID;
	case FLYTEIDL__CORE__SIMPLE_TYPE__STRING:
		if (!text_is_utf8(text, strlen(text)))
			return UN_ERR_INVALID;
		return literal_of_text(text, ret_value);
	case FLYTEIDL__CORE__SIMPLE_TYPE__DATETIME:
		err = instant_parse(text, &us);
		return err ? err : literal_of_instant(us, ret_value);
	case FLYTEIDL__CORE__SIMPLE_TYPE__DURATION:
		err = duration_parse(text, &us);
		return err ? err : literal_of_duration(us, ret_value);
	case FLYTEIDL__CORE__SIMPLE_TYPE__BINARY:
		return bytes_from_text(text, ret_value);
	default:
		return UN_ERR_TYPE_UNSUPPORTED;
	}
}

enum un_err
literal_enum_from_text(struct reading *in, const literal_type *type, const char *text,
                       literal **ret_value)
{
	const Flyteidl__Core__EnumType *of = type->enum_type;
	char list[512] = "";

	for (size_t i = 0; i < of->n_values; i++) {
		size_t used = strlen(list);

		if (strcmp(of->values[i], text) == 0)
			return literal_of_text(text, ret_value);
		(void)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "",
		               of->values[i]);
	}
	un_hint(in->detail, "give one of: %s", list);
	return un_fail(in->detail, UN_ERR_INPUT_TYPE, "%s is none of the values that it may have",
	               in->place.text);
}
