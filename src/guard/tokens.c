#include "guard/tokens.h"

#include "base/buf.h"
#include "base/text.h"

#include <string.h>
#include <zlib.h>

enum set {
	SET_UPPER32, /* A-Z 2-7 */
	SET_ALNUM,
	SET_WORD,   /* A-Z a-z 0-9 _ - */
	SET_DOTTED, /* the same and . */
	SET_BASE64,
	SET_HEX,
};

/* A token: `before`, then `least` to `most` of a set. `check` has the last word. */
struct shape {
	const char *kind;
	const char *before;
	enum set set;
	uint16_t least, most;
	bool (*check)(const char *body, size_t len);
};

static bool
is_of(enum set set, char c)
{
	bool digit = c >= '0' && c <= '9', upper = c >= 'A' && c <= 'Z',
	     lower = c >= 'a' && c <= 'z';

	switch (set) {
	case SET_UPPER32:
		return upper || (c >= '2' && c <= '7');
	case SET_ALNUM:
		return digit || upper || lower;
	case SET_WORD:
		return digit || upper || lower || c == '_' || c == '-';
	case SET_DOTTED:
		return digit || upper || lower || c == '_' || c == '-' || c == '.';
	case SET_BASE64:
		return digit || upper || lower || c == '+' || c == '/' || c == '=';
	case SET_HEX:
		return digit || (c >= 'a' && c <= 'f');
	}
	return false;
}

/* ---- checks ---- */

/* Real ones are random: many different characters, and no alphabet in order. */
static bool
is_varied(const char *body, size_t len)
{
	bool seen[256] = {false};
	size_t different = 0, runs = 0;

	for (size_t i = 0; i < len; i++) {
		different += !seen[(unsigned char)body[i]];
		seen[(unsigned char)body[i]] = true;
		if (i && (body[i] == body[i - 1] || body[i] == body[i - 1] + 1))
			runs++;
	}
	return different >= (len < 24 ? len * 2 / 5 : 10) && runs < len / 3;
}

static bool
ends_in(const char *body, size_t len, const char *end)
{
	size_t end_len = strlen(end);

	return len >= end_len && text_equal(body + len - end_len, end, end_len);
}

static bool
check_aws(const char *body, size_t len)
{
	return is_varied(body, len) && !ends_in(body, len, "EXAMPLE");
}

/* The last six of a GitHub token are the CRC-32 of the rest, in base 62. */
static bool
check_github(const char *body, size_t len)
{
	static const char digits[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	unsigned long sum = crc32(0, (const unsigned char *)body, (unsigned)(len - 6));

	for (size_t i = len; i-- > len - 6; sum /= 62)
		if (body[i] != digits[sum % 62])
			return false;
	return true;
}

static bool
check_slack(const char *body, size_t len)
{
	size_t digits = 0;

	for (size_t i = 0; i < len; i++)
		digits += body[i] >= '0' && body[i] <= '9';
	return digits >= 6 && is_varied(body, len);
}

static bool
check_openai(const char *body, size_t len)
{
	return memmem(body, len, "T3BlbkFJ", 8) && is_varied(body, len);
}

/* "eyJ..." of three parts, whose first two are JSON objects, the first with an algorithm. */
static bool
check_jwt(const char *body, size_t len)
{
	const char *first = memchr(body, '.', len), *second, *end = body + len;
	struct buf header;
	bool good;

	second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
	if (!second || first - body < 10 || second - first < 10 || end - second < 20 ||
	    first[1] != 'e' || first[2] != 'y')
		return false;
	buf_init(&header, TOKEN_MAX, BUF_PLAIN);
	/* the shape took the "eyJ" in front of what is given here */
	good = text_decode_base64(body - 3, (size_t)(first - body) + 3, &header) == UN_OK &&
	       memmem(header.data, header.len, "\"alg\"", 5) &&
	       !memmem(header.data, header.len, "\"none\"", 6);
	buf_fini(&header);
	return good;
}

/* Base64 of armour, as in client-key-data of a kubeconfig; the shape took its first 14 digits. */
static bool
check_packed_armour(const char *body, size_t len)
{
	struct buf head;
	bool good;

	buf_init(&head, 64, BUF_WIPE);
	good = text_decode_base64(body - 14, 64, &head) == UN_OK &&
	       memmem(head.data, head.len, "PRIVATE KEY-----", 16);
	buf_fini(&head);
	return good && len >= 100;
}

/* Base64 of HOST:CLIENT:SECRET:ORGANIZATION. */
static bool
check_api_key(const char *body, size_t len)
{
	struct buf key;
	size_t colons = 0;
	bool good;

	buf_init(&key, TOKEN_MAX, BUF_WIPE);
	good = text_decode_base64(body, len, &key) == UN_OK;
	for (size_t i = 0; good && i < key.len; i++)
		colons += key.data[i] == ':';
	buf_fini(&key);
	return colons >= 3 && is_varied(body, len);
}

static bool
check_aws_secret(const char *body, size_t len)
{
	return len == 40 && is_varied(body, len) && !ends_in(body, len, "EXAMPLEKEY");
}

static const struct shape shapes[] = {
	{"an AWS access key", "AKIA", SET_UPPER32, 16, 16, check_aws},
	{"an AWS access key", "ASIA", SET_UPPER32, 16, 16, check_aws},
	{"a GitHub token", "ghp_", SET_ALNUM, 36, 36, check_github},
	{"a GitHub token", "gho_", SET_ALNUM, 36, 36, check_github},
	{"a GitHub token", "ghu_", SET_ALNUM, 36, 36, check_github},
	{"a GitHub token", "ghs_", SET_ALNUM, 36, 36, check_github},
	{"a GitHub token", "ghr_", SET_ALNUM, 36, 76, is_varied},
	{"a GitHub token", "github_pat_", SET_WORD, 82, 82, is_varied},
	{"a GitLab token", "glpat-", SET_WORD, 20, 64, is_varied},
	{"a Slack token", "xoxb-", SET_WORD, 24, 200, check_slack},
	{"a Slack token", "xoxp-", SET_WORD, 24, 200, check_slack},
	{"a Slack token", "xoxa-", SET_WORD, 24, 200, check_slack},
	{"a Slack token", "xoxr-", SET_WORD, 24, 200, check_slack},
	{"a Slack token", "xoxs-", SET_WORD, 24, 200, check_slack},
	{"a Slack token", "xoxe-", SET_WORD, 24, 200, check_slack},
	{"a Slack token", "xapp-", SET_WORD, 24, 200, check_slack},
	{"a Google API key", "AIza", SET_WORD, 35, 35, is_varied},
	{"a Stripe key", "sk_live_", SET_ALNUM, 16, 200, is_varied},
	{"a Stripe key", "rk_live_", SET_ALNUM, 16, 200, is_varied},
	{"an npm token", "npm_", SET_ALNUM, 36, 36, is_varied},
	{"a PyPI token", "pypi-AgEIcHlwaS5vcmc", SET_WORD, 50, 1000, is_varied},
	{"an OpenAI key", "sk-", SET_WORD, 40, 300, check_openai},
	{"an Anthropic key", "sk-ant-", SET_WORD, 40, 300, is_varied},
	{"a Hugging Face token", "hf_", SET_ALNUM, 34, 34, is_varied},
	{"a SendGrid key", "SG.", SET_DOTTED, 66, 66, is_varied},
	{"a DigitalOcean token", "dop_v1_", SET_HEX, 64, 64, is_varied},
	{"a Databricks token", "dapi", SET_HEX, 32, 32, is_varied},
	{"an Azure storage key", "AccountKey=", SET_BASE64, 88, 88, is_varied},
	{"a JSON Web Token", "eyJ", SET_DOTTED, 40, TOKEN_MAX / 2, check_jwt},
	{"a private key in base64", "LS0tLS1CRUdJTi", SET_BASE64, 100, TOKEN_MAX / 2,
         check_packed_armour},
	{"a Union API key", "UNION_API_KEY=", SET_BASE64, 40, 1000, check_api_key},
	{"a Union API key", "UNION_API_KEY=\"", SET_BASE64, 40, 1000, check_api_key},
	{"a Union API key", "UNION_API_KEY='", SET_BASE64, 40, 1000, check_api_key},
	{"a Union API key", "UNION_API_KEY: ", SET_BASE64, 40, 1000, check_api_key},
	{"a private key of PuTTY", "PuTTY-User-Key-File-", SET_ALNUM, 1, 1, NULL},
};
#define SHAPE_COUNT (sizeof shapes / sizeof shapes[0])

static bool
fits(const struct shape *shape, const char *at, size_t left, size_t *ret_len)
{
	size_t before = strlen(shape->before), len = 0;

	if (left < before + shape->least || !text_equal(at, shape->before, before))
		return false;
	while (len < shape->most && before + len < left && is_of(shape->set, at[before + len]))
		len++;
	while (shape->set == SET_DOTTED && len && at[before + len - 1] == '.')
		len--;
	*ret_len = before + len;
	if (len < shape->least || (before + len < left && len == shape->most && shape->most != 1 &&
	                           is_of(shape->set, at[before + len])))
		return false;
	return !shape->check || shape->check(at + before, len);
}

/* ---- keys in armour ---- */

static size_t
skip_blanks(const char *at, size_t left)
{
	size_t skipped = 0;

	/* also as they are written in a string of code or JSON */
	while (skipped < left) {
		if (at[skipped] == '\n' || at[skipped] == '\r' || at[skipped] == ' ' ||
		    at[skipped] == '\t' || at[skipped] == '"' || at[skipped] == '\'')
			skipped++;
		else if (at[skipped] == '\\' && skipped + 1 < left &&
		         (at[skipped + 1] == 'n' || at[skipped + 1] == 'r'))
			skipped += 2;
		else
			break;
	}
	return skipped;
}

/* "-----BEGIN ... PRIVATE KEY-----" with a line of key behind it: code may only speak of it. */
static bool
is_armoured(const char *at, size_t left, size_t *ret_len)
{
	static const char begin[] = "-----BEGIN ";
	const char *end;
	size_t len = sizeof begin - 1, digits = 0;

	if (left < 64 || !text_equal(at, begin, len))
		return false;
	end = memmem(at + len, left < 80 ? left - len : 80 - len, "-----", 5);
	if (!end || !memmem(at, (size_t)(end - at), "PRIVATE KEY", 11))
		return false;
	len = (size_t)(end - at) + 5;
	/* "Proc-Type: 4,ENCRYPTED" and other headers stand between */
	for (size_t at_line = len; at_line < left && at_line < len + 400; at_line++) {
		at_line += skip_blanks(at + at_line, left - at_line);
		for (digits = 0; at_line < left && is_of(SET_BASE64, at[at_line]); digits++)
			at_line++;
		if (digits >= 40) {
			*ret_len = at_line;
			return is_varied(at + at_line - digits, digits);
		}
		if (at_line + 5 <= left && text_equal(at + at_line, "-----", 5))
			break;
	}
	return false;
}

/* "aws_secret_access_key = 40 characters", in any case. */
static bool
is_aws_secret(const char *at, size_t left, size_t *ret_len)
{
	static const char name[] = "aws_secret_access_key";
	size_t len = sizeof name - 1, body = 0;

	if (left < len + 41 || strncasecmp(at, name, len) != 0)
		return false;
	while (len < left && len < 40 && strchr(" \t\"'=:", at[len]) && at[len])
		len++;
	while (len + body < left && body <= 40 && is_of(SET_BASE64, at[len + body]))
		body++;
	*ret_len = len + body;
	return check_aws_secret(at + len, body);
}

/* ---- the search ---- */

static bool
may_begin(uint8_t byte)
{
	return byte && strchr("AaghxSsrndpePLU-", byte);
}

bool
token_find(const uint8_t *bytes, size_t len, size_t from, struct token *ret_token)
{
	const char *text = (const char *)bytes;
	bool first[256];

	for (unsigned i = 0; i < 256; i++)
		first[i] = may_begin((uint8_t)i);
	for (size_t at = from; at < len; at++) {
		const char *kind = NULL;
		size_t left = len - at, token_len = 0;

		if (!first[bytes[at]] || (at && is_of(SET_ALNUM, text[at - 1])))
			continue;
		if (left > TOKEN_MAX)
			left = TOKEN_MAX;
		if (bytes[at] == '-') {
			kind = is_armoured(text + at, left, &token_len) ? "a private key" : NULL;
		} else if (is_aws_secret(text + at, left, &token_len)) {
			kind = "an AWS secret key";
		} else {
			for (size_t i = 0; !kind && i < SHAPE_COUNT; i++)
				if (shapes[i].before[0] == text[at] &&
				    fits(&shapes[i], text + at, left, &token_len))
					kind = shapes[i].kind;
		}
		if (kind) {
			*ret_token = (struct token){.kind = kind, .at = at, .len = token_len};
			return true;
		}
	}
	return false;
}

/* A line NAME=VALUE with a value that is none of a template's. */
static bool
has_setting(const char *text, size_t len)
{
	for (size_t at = 0; at < len;) {
		const char *line = text + at, *end = memchr(line, '\n', len - at), *equals;
		size_t line_len = end ? (size_t)(end - line) : len - at;

		equals = memchr(line, '=', line_len);
		if (*line != '#' && equals && equals + 1 < line + line_len && equals[1] != '\r' &&
		    equals[1] != '<' && equals[1] != '$')
			return true;
		at += line_len + 1;
	}
	return false;
}

const char *
token_file(const char *path, const uint8_t *bytes, size_t len)
{
	static const char *const harmless[] = {"example", "sample", "template", "dist", "defaults"};
	const char *name = strrchr(path, '/');
	const char *text = (const char *)bytes;

	name = name ? name + 1 : path;
	if (strncmp(name, ".env", 4) == 0 && (name[4] == '\0' || name[4] == '.')) {
		for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++)
			if (strstr(name, harmless[i]))
				return NULL;
		return has_setting(text, len) ? "a .env file" : NULL;
	}
	if (strcmp(name, ".netrc") == 0 && memmem(bytes, len, "password", 8))
		return "a .netrc file";
	if (strcmp(name, ".pgpass") == 0 && memchr(bytes, ':', len))
		return "a .pgpass file";
	if (strcmp(name, ".pypirc") == 0 && memmem(bytes, len, "password", 8))
		return "a .pypirc file";
	if (strcmp(name, ".npmrc") == 0 && memmem(bytes, len, "_authToken=", 11) &&
	    !memmem(bytes, len, "_authToken=$", 12))
		return "an .npmrc file with a token";
	return NULL;
}
