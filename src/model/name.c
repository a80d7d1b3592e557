#include "model/name.h"

#include <stdio.h>
#include <string.h>

#define QUOTED_MAX (SECRET_NAME_MAX + 8)

static bool
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool
is_name_char(char c)
{
	return is_lower(c) || is_upper(c) || is_digit(c) || c == '-' || c == '_';
}

/* What was given, cut at SECRET_NAME_MAX bytes and with '?' for bytes that could fool a terminal.
 */
static const char *
quoted(const char *given, char text[QUOTED_MAX])
{
	size_t len = strnlen(given, SECRET_NAME_MAX + 1), used = 0;

	for (size_t i = 0; i < len && i < SECRET_NAME_MAX; i++)
		text[used++] = given[i] >= 0x20 && given[i] < 0x7f ? given[i] : '?';
	(void)snprintf(text + used, QUOTED_MAX - used, "%s", len > SECRET_NAME_MAX ? "..." : "");
	return text;
}

/* The first byte of `name` that is not a name character: "character 5 is a blank". */
static void
explain_byte(const char *name, size_t at, char *text, size_t size)
{
	unsigned char c = (unsigned char)name[at];

	if (c == ' ')
		(void)snprintf(text, size, "character %zu is a blank", at + 1);
	else if (c > 0x20 && c < 0x7f)
		(void)snprintf(text, size, "character %zu is '%c'", at + 1, c);
	else
		(void)snprintf(text, size, "character %zu is byte 0x%02x", at + 1, c);
}

enum un_err
name_check_secret(const char *name, struct un_detail *detail)
{
	char text[QUOTED_MAX], why[48];
	size_t len = strnlen(name, SECRET_NAME_MAX + 1);

	if (!len)
		return un_fail(detail, UN_ERR_BAD_NAME, "the secret's name is empty");
	if (len > SECRET_NAME_MAX)
		return un_fail(detail, UN_ERR_BAD_NAME, "bad name '%s': longer than %d bytes",
		               quoted(name, text), SECRET_NAME_MAX);
	for (size_t i = 0; i < len; i++) {
		if (is_name_char(name[i]))
			continue;
		explain_byte(name, i, why, sizeof why);
		return un_fail(detail, UN_ERR_BAD_NAME, "bad name '%s': %s", quoted(name, text),
		               why);
	}
	return UN_OK;
}

enum un_err
name_check_api_key(const char *name, struct un_detail *detail)
{
	char text[QUOTED_MAX];
	size_t len = strnlen(name, API_KEY_NAME_MAX + 1);
	bool good = len && len <= API_KEY_NAME_MAX;

	for (size_t i = 0; good && i < len; i++)
		good = is_name_char(name[i]);
	if (good)
		return UN_OK;
	un_hint(detail, "an API key's name is 1 to %d of the characters a-z A-Z 0-9 _ -",
	        API_KEY_NAME_MAX);
	return un_fail(detail, UN_ERR_INVALID, "bad name of an API key '%s'", quoted(name, text));
}

enum un_err
name_check_scope_part(const char *what, const char *part, struct un_detail *detail)
{
	char text[QUOTED_MAX], why[48];
	size_t len = strnlen(part, SCOPE_PART_MAX + 1);

	if (!len)
		return un_fail(detail, UN_ERR_BAD_SCOPE, "the %s is empty", what);
	if (len > SCOPE_PART_MAX)
		return un_fail(detail, UN_ERR_BAD_SCOPE, "bad %s '%s': longer than %d bytes", what,
		               quoted(part, text), SCOPE_PART_MAX);
	for (size_t i = 0; i < len; i++) {
		if (is_name_char(part[i]) && !is_upper(part[i]))
			continue;
		explain_byte(part, i, why, sizeof why);
		return un_fail(detail, UN_ERR_BAD_SCOPE, "bad %s '%s': %s", what,
		               quoted(part, text), why);
	}
	if (part[0] == '-' || part[len - 1] == '-')
		return un_fail(detail, UN_ERR_BAD_SCOPE, "bad %s '%s': it %s with '-'", what,
		               quoted(part, text), part[0] == '-' ? "begins" : "ends");
	return UN_OK;
}

/* What the dynamic linker, the shell, Python and our own runtime read before the task's code runs:
 * a secret there changes how the task starts, or tells its value to a program that prints it. A
 * word that ends in '*' stands for all that begin so. */
static const char *const reserved_env[] = {
        "LD_*",   "DYLD_*",   "GLIBC_*",     "MALLOC_*", "GCONV_PATH", "LOCPATH",  "NLSPATH",
        "PATH",   "HOME",     "IFS",         "ENV",      "BASH_*",     "SHELL",    "SHELLOPTS",
        "PWD",    "OLDPWD",   "TMPDIR",      "TERM",     "USER",       "LOGNAME",  "LANG",
        "LC_*",   "PYTHON*",  "FLYTE_*",     "_UNION_*", "_FSEC_*",    "PS4",      "TZ",
        "PERL5*", "RUBYOPT",  "NODE_OPTIONS", "CDPATH",   "PROMPT_COMMAND",
};

static const char *
reserved_by(const char *name)
{
	for (size_t i = 0; i < sizeof reserved_env / sizeof reserved_env[0]; i++) {
		const char *word = reserved_env[i];
		size_t len = strlen(word);
		bool prefix = word[len - 1] == '*';

		if (prefix ? strncmp(name, word, len - 1) == 0 : strcmp(name, word) == 0)
			return word;
	}
	return NULL;
}

enum un_err
name_check_env_var(const char *name, struct un_detail *detail)
{
	char text[QUOTED_MAX];
	size_t len = strnlen(name, ENV_NAME_MAX + 1);
	const char *word;

	if (!len)
		return un_fail(detail, UN_ERR_INVALID, "the environment variable's name is empty");
	if (len > ENV_NAME_MAX)
		return un_fail(detail, UN_ERR_INVALID,
		               "bad environment variable '%s': longer than %d bytes",
		               quoted(name, text), ENV_NAME_MAX);
	for (size_t i = 0; i < len; i++) {
		if (!is_name_char(name[i]) || name[i] == '-' || (i == 0 && is_digit(name[i]))) {
			un_hint(detail, "use A-Z a-z 0-9 and _, and no digit in front");
			return un_fail(detail, UN_ERR_INVALID, "bad environment variable '%s'",
			               quoted(name, text));
		}
	}
	word = reserved_by(name);
	if (word) {
		un_hint(detail, "choose another name; %s has a meaning before the task starts",
		        word);
		return un_fail(detail, UN_ERR_INVALID,
		               "the environment variable '%s' is reserved", name);
	}
	return UN_OK;
}

enum un_err
name_check_execution(const char *name, struct un_detail *detail)
{
	char text[QUOTED_MAX];
	size_t len = strnlen(name, SCOPE_PART_MAX + 1);
	bool good = len && len <= SCOPE_PART_MAX && is_lower(name[0]);

	for (size_t i = 0; good && i < len; i++)
		good = is_lower(name[i]) || is_digit(name[i]) || name[i] == '-';
	if (good)
		return UN_OK;
	un_hint(detail, "an execution's name is 1 to %d of the characters a-z 0-9 - and begins "
	                "with a letter",
	        SCOPE_PART_MAX);
	return un_fail(detail, UN_ERR_INVALID, "bad name of an execution '%s'",
	               quoted(name, text));
}
