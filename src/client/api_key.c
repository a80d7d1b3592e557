#include "client/api_key.h"

#include "client/endpoint.h"
#include "crypto/base64.h"

#include <string.h>

#define NO_ORG "None"

static enum un_err
refuse(struct un_detail *detail, const char *why)
{
	un_hint(detail, "an API key is one line that 'union create api-key admin' has printed");
	return un_fail(detail, UN_ERR_BAD_CONFIG, "this is not an API key: %s", why);
}

static bool
take_text(char *out, size_t size, const uint8_t *bytes, size_t len)
{
	if (!len || len >= size)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] <= 0x20 || bytes[i] >= 0x7f)
			return false;
	}
	memcpy(out, bytes, len);
	out[len] = '\0';
	return true;
}

/* The last colon before `end`; NULL: there is none. */
static const uint8_t *
colon_before(const uint8_t *text, const uint8_t *end)
{
	while (end > text) {
		if (*--end == ':')
			return end;
	}
	return NULL;
}

/* endpoint:client:secret:org, where only the endpoint may have more colons: of a port, or of an
 * IPv6 address. */
static enum un_err
split(const uint8_t *plain, size_t len, struct api_key *key, struct un_detail *detail)
{
	const uint8_t *org = colon_before(plain, plain + len);
	const uint8_t *secret = org ? colon_before(plain, org) : NULL;
	const uint8_t *client = secret ? colon_before(plain, secret) : NULL;
	struct endpoint endpoint;

	if (!client)
		return refuse(detail, "it does not have four parts");
	if (!take_text(key->endpoint, sizeof key->endpoint, plain, (size_t)(client - plain)) ||
	    strchr(key->endpoint, '/') || endpoint_parse(key->endpoint, &endpoint, NULL))
		return refuse(detail, "its first part is not a host");
	if (!take_text(key->client, sizeof key->client, client + 1, (size_t)(secret - client - 1)))
		return refuse(detail, "its second part is not a name");
	/* "host:8443:ci:half-a-secr": a port that slipped into the place of the name */
	if (key->client[strspn(key->client, "0123456789")] == '\0')
		return refuse(detail, "it was cut off");
	if (org - secret < 2)
		return refuse(detail, "its third part is empty");
	return secbuf_copy(secret + 1, (size_t)(org - secret - 1), &key->secret);
}

enum un_err
api_key_parse(const struct secbuf *text, struct api_key *ret_key, struct un_detail *detail)
{
	struct api_key key = {.secret = NULL};
	struct secbuf *plain = NULL;
	size_t len = secbuf_len(text);
	enum un_err err;

	while (len && (secbuf_peek(text)[len - 1] == '\n' || secbuf_peek(text)[len - 1] == '\r'))
		len--;
	if (!len || len > API_KEY_TEXT_MAX)
		return refuse(detail, len ? "it is too long" : "it is empty");
	err = secbuf_new(len / 4 * 3 + 2, &plain);
	if (err)
		return err;
	err = base64_decode(secbuf_peek(text), len, BASE64_STANDARD, secbuf_edit(plain), &len);
	if (err)
		err = refuse(detail, "it is not base64; is a part of it missing?");
	else
		err = split(secbuf_peek(plain), len, &key, detail);
	secbuf_free(plain);
	if (!err)
		*ret_key = key;
	return err;
}

enum un_err
api_key_format(const struct api_key *key, struct secbuf **ret_text)
{
	const struct {
		const void *bytes;
		size_t len;
	} parts[] = {{key->endpoint, strlen(key->endpoint)},
	             {":", 1},
	             {key->client, strlen(key->client)},
	             {":", 1},
	             {secbuf_peek(key->secret), secbuf_len(key->secret)},
	             {":" NO_ORG, sizeof NO_ORG}};
	struct secbuf *plain = NULL, *text = NULL;
	size_t len = 0, at = 0;
	enum un_err err;

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		len += parts[i].len;
	err = secbuf_new(len, &plain);
	if (!err)
		err = secbuf_new(base64_len(len, BASE64_STANDARD), &text);
	if (!err) {
		for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
			memcpy(secbuf_edit(plain) + at, parts[i].bytes, parts[i].len);
			at += parts[i].len;
		}
		base64_encode(secbuf_peek(plain), len, BASE64_STANDARD, secbuf_edit(text));
		*ret_text = text;
	}
	secbuf_free(plain);
	return err;
}
