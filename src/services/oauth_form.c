#include "services/oauth_form.h"

#include "base/buf.h"
#include "base/text.h"

#include <string.h>
#include <strings.h>

#define FORM_TYPE "application/x-www-form-urlencoded"
#define GRANT_MAX 64
/* Basic: base64 of a name, a colon, and a secret of which every byte may be quoted. */
#define PAIR_MAX (API_KEY_NAME_MAX + 1 + 3 * OAUTH_SECRET_MAX)

/* One field as it was sent; data NULL: not at all. */
struct field {
	const uint8_t *data;
	size_t len;
};

struct fields {
	struct field grant, client, secret;
};

static bool
is_form_type(const char *type)
{
	size_t len = sizeof FORM_TYPE - 1;

	return type && strncasecmp(type, FORM_TYPE, len) == 0 &&
	       (type[len] == '\0' || type[len] == ';' || type[len] == ' ');
}

/* Undoes application/x-www-form-urlencoded: '+' and %XX. False: not that, longer than `max`, or a
 * NUL or control byte in it. */
static bool
unquote(const struct field *field, uint8_t *out, size_t max, size_t *ret_len)
{
	size_t used = 0;

	for (size_t i = 0; i < field->len; i++) {
		int byte = field->data[i];

		if (byte == '+') {
			byte = ' ';
		} else if (byte == '%') {
			int high =
				i + 2 < field->len ? text_hex_digit((char)field->data[i + 1]) : -1;
			int low =
				i + 2 < field->len ? text_hex_digit((char)field->data[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			byte = high << 4 | low;
			i += 2;
		}
		if (byte < 0x20 || byte == 0x7f || used == max)
			return false;
		out[used++] = (uint8_t)byte;
	}
	*ret_len = used;
	return true;
}

static bool
is_named(const struct field *name, const char *wanted)
{
	return name->len == strlen(wanted) && text_equal(name->data, wanted, name->len);
}

/* Splits the form; what has another name is passed over, as the RFC has it. */
static bool
split_form(const uint8_t *form, size_t len, struct fields *fields)
{
	const uint8_t *at = form, *end = form + len;

	while (at < end) {
		const uint8_t *amp = memchr(at, '&', (size_t)(end - at));
		const uint8_t *stop = amp ? amp : end;
		const uint8_t *equal = memchr(at, '=', (size_t)(stop - at));
		struct field name = {at, (size_t)((equal ? equal : stop) - at)}, *slot = NULL;

		if (is_named(&name, "grant_type"))
			slot = &fields->grant;
		else if (is_named(&name, "client_id"))
			slot = &fields->client;
		else if (is_named(&name, "client_secret"))
			slot = &fields->secret;
		if (slot) {
			if (slot->data || !equal)
				return false; /* said twice, or nothing */
			*slot = (struct field){equal + 1, (size_t)(stop - equal - 1)};
		}
		at = amp ? amp + 1 : end;
	}
	return true;
}

static enum oauth_fault
check_grant(const struct field *grant, const char **ret_why)
{
	uint8_t text[GRANT_MAX];
	size_t len = 0;

	*ret_why = "grant_type is missing or malformed";
	if (!grant->data || !unquote(grant, text, sizeof text, &len) || !len)
		return OAUTH_INVALID_REQUEST;
	*ret_why = "the only grant_type of this server is client_credentials";
	if (len != 18 || !text_equal(text, "client_credentials", len))
		return OAUTH_UNSUPPORTED_GRANT;
	return OAUTH_FINE;
}

static enum oauth_fault
take_credentials(const struct field *client, const struct field *secret,
                 struct oauth_request *request, const char **ret_why)
{
	uint8_t name[API_KEY_NAME_MAX];
	struct secbuf *bytes = NULL;
	size_t len = 0;

	*ret_why = "the client's credentials are missing";
	if (!client->data || !secret->data)
		return OAUTH_INVALID_CLIENT;
	*ret_why = "client_id or client_secret is wrong";
	if (!unquote(client, name, sizeof name, &len))
		return OAUTH_INVALID_CLIENT;
	memcpy(request->client, name, len);
	request->client[len] = '\0';
	if (name_check_api_key(request->client, NULL) || !secret->len)
		return OAUTH_INVALID_CLIENT;
	if (secbuf_new(OAUTH_SECRET_MAX, &bytes))
		return OAUTH_NO_MEMORY;
	if (!unquote(secret, secbuf_edit(bytes), OAUTH_SECRET_MAX, &len)) {
		secbuf_free(bytes);
		return OAUTH_INVALID_CLIENT;
	}
	secbuf_shrink(bytes, len);
	request->secret = bytes;
	return OAUTH_FINE;
}

static enum oauth_fault
take_basic(const char *header, const struct field *named, struct oauth_request *request,
           const char **ret_why)
{
	struct field client, secret;
	const uint8_t *colon;
	enum oauth_fault fault = OAUTH_INVALID_REQUEST;
	struct buf pair;
	enum un_err err;

	*ret_why = "the Authorization header is not Basic";
	if (strncasecmp(header, "Basic ", 6) != 0 || strlen(header) > 6 + (PAIR_MAX + 2) / 3 * 4)
		return fault;
	buf_init(&pair, PAIR_MAX, BUF_WIPE);
	err = text_decode_base64(header + 6, strlen(header + 6), &pair);
	colon = err || !pair.len ? NULL : memchr(pair.data, ':', pair.len);
	if (colon) {
		client = (struct field){pair.data, (size_t)(colon - pair.data)};
		secret = (struct field){colon + 1, pair.len - client.len - 1};
		fault = take_credentials(&client, &secret, request, ret_why);
	}
	buf_fini(&pair);
	/* some clients repeat the name in the form; another one there is nobody */
	if (fault == OAUTH_FINE && named->data &&
	    (named->len != strlen(request->client) ||
	     !text_equal(named->data, request->client, named->len))) {
		secbuf_free(request->secret);
		request->secret = NULL;
		*ret_why = "client_id and the Authorization header differ";
		fault = OAUTH_INVALID_REQUEST;
	}
	return err == UN_ERR_NO_MEMORY ? OAUTH_NO_MEMORY : fault;
}

enum oauth_fault
oauth_form_parse(const char *type, const char *authorization, const uint8_t *form, size_t len,
                 struct oauth_request *ret_request, const char **ret_why)
{
	struct oauth_request request = {.secret = NULL};
	struct fields fields = {0};
	enum oauth_fault fault;

	*ret_why = "the body is not " FORM_TYPE;
	if (!is_form_type(type) || len > OAUTH_FORM_MAX)
		return OAUTH_INVALID_REQUEST;
	*ret_why = "the form is malformed";
	if (!split_form(form, len, &fields))
		return OAUTH_INVALID_REQUEST;
	fault = check_grant(&fields.grant, ret_why);
	if (fault)
		return fault;
	if (authorization && fields.secret.data) {
		*ret_why = "credentials in the Authorization header and in the form";
		return OAUTH_INVALID_REQUEST;
	}
	if (authorization)
		fault = take_basic(authorization, &fields.client, &request, ret_why);
	else
		fault = take_credentials(&fields.client, &fields.secret, &request, ret_why);
	if (!fault)
		*ret_request = request;
	return fault;
}
