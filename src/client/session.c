#include "client/session.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "model/json.h"

#include <stddef.h>
#include <string.h>

#define DISCOVERY_PATH "/.well-known/oauth-authorization-server"
#define ANSWER_MAX 65536
#define URL_MAX 2048
#define EARLY_S 30 /* a token is not used in its last seconds */
#define SECONDS_MAX (400 * 86400)

struct session {
	struct channel_auth auth;
	struct session_options options;
	struct secbuf *token; /* NULL: none yet */
	int64_t until_us;     /* of clock_wall_us */
};

/* ---- what servers say ---- */

/* Reads a value that nobody asked for; the reader limits its depth. */
static enum un_err
skip_value(struct json_reader *in)
{
	enum json_kind kind = json_reader_peek(in);
	char number[JSON_NUMBER_MAX];
	struct buf unread;
	enum un_err err;

	if (kind == JSON_NUMBER)
		return json_reader_number(in, number);
	buf_init(&unread, ANSWER_MAX, BUF_WIPE);
	if (kind == JSON_STRING) {
		err = json_reader_string(in, &unread);
	} else if (kind == JSON_ARRAY || kind == JSON_OBJECT) {
		err = json_reader_enter(in);
		while (!err && json_reader_next(in)) {
			buf_clear(&unread);
			err = kind == JSON_OBJECT ? json_reader_key(in, &unread) : UN_OK;
			err = err ? err : skip_value(in);
		}
		err = err ? err : json_reader_error(in);
	} else {
		err = json_reader_word(in);
	}
	buf_fini(&unread);
	return err;
}

/* One member of an object; what is not `wanted` is passed over. */
static enum un_err
read_members(const uint8_t *bytes, size_t len,
             enum un_err (*member)(struct json_reader *in, const char *key, void *ctx), void *ctx)
{
	struct json_reader in;
	struct buf key;
	enum un_err err;

	json_reader_init(&in, (const char *)bytes, len);
	buf_init(&key, 1024, BUF_PLAIN);
	err = json_reader_enter(&in);
	while (!err && json_reader_next(&in)) {
		buf_clear(&key);
		err = json_reader_key(&in, &key);
		if (!err)
			err = member(&in, buf_text(&key), ctx);
	}
	if (!err)
		err = json_reader_error(&in);
	if (!err)
		err = json_reader_end(&in);
	buf_fini(&key);
	return err && err != UN_ERR_NO_MEMORY ? UN_ERR_PROTOCOL : err;
}

struct token_answer {
	struct buf token;
	uint64_t seconds;
};

static enum un_err
token_member(struct json_reader *in, const char *key, void *ctx)
{
	struct token_answer *answer = ctx;
	char number[JSON_NUMBER_MAX];
	enum un_err err;

	if (strcmp(key, "access_token") == 0) {
		buf_clear(&answer->token);
		return json_reader_string(in, &answer->token);
	}
	if (strcmp(key, "expires_in") != 0)
		return skip_value(in);
	err = json_reader_number(in, number);
	return err ? err : text_parse_u64(number, &answer->seconds);
}

/* Fit for a header. */
static bool
is_plain(const struct buf *text)
{
	for (size_t i = 0; i < text->len; i++) {
		if (text->data[i] <= 0x20 || text->data[i] >= 0x7f)
			return false;
	}
	return text->len > 0;
}

enum un_err
session_read_token(const uint8_t *json, size_t len, struct secbuf **ret_token, int64_t *ret_seconds)
{
	struct token_answer answer = {.seconds = 0};
	enum un_err err;

	buf_init(&answer.token, TOKEN_TEXT_MAX, BUF_WIPE);
	err = read_members(json, len, token_member, &answer);
	if (!err && (!is_plain(&answer.token) || !answer.seconds))
		err = UN_ERR_PROTOCOL;
	if (!err)
		err = secbuf_copy(answer.token.data, answer.token.len, ret_token);
	if (!err)
		*ret_seconds = answer.seconds > SECONDS_MAX ? SECONDS_MAX : (int64_t)answer.seconds;
	buf_fini(&answer.token);
	return err;
}

static enum un_err
metadata_member(struct json_reader *in, const char *key, void *ctx)
{
	struct buf *url = ctx;

	if (strcmp(key, "token_endpoint") != 0)
		return skip_value(in);
	buf_clear(url);
	return json_reader_string(in, url);
}

enum un_err
session_read_metadata(const uint8_t *json, size_t len, struct buf *ret_url)
{
	enum un_err err = read_members(json, len, metadata_member, ret_url);

	return !err && !is_plain(ret_url) ? UN_ERR_PROTOCOL : err;
}

/* ---- client credentials ---- */

static enum un_err
discover(struct session *session, struct channel *channel, int64_t deadline_ms, struct buf *url,
         struct un_detail *detail)
{
	const struct channel_ask ask = {.path = DISCOVERY_PATH, .deadline_ms = deadline_ms};
	struct buf answer;
	enum un_err err;

	buf_init(&answer, ANSWER_MAX, BUF_WIPE);
	err = channel_ask(channel, &ask, &answer, detail);
	if (!err) {
		err = session_read_metadata(answer.data, answer.len, url);
		if (err)
			err = un_fail(detail, err, "%.200s does not say where to log in",
			              session->options.place.url);
	}
	buf_fini(&answer);
	return err;
}

/* application/x-www-form-urlencoded. */
static size_t
quote(const void *bytes, size_t len, uint8_t *out)
{
	static const char hex[] = "0123456789ABCDEF";
	const uint8_t *in = bytes;
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t c = in[i];

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		    c == '-' || c == '_' || c == '.' || c == '~') {
			out[used++] = c;
			continue;
		}
		out[used++] = '%';
		out[used++] = (uint8_t)hex[c >> 4];
		out[used++] = (uint8_t)hex[c & 15];
	}
	return used;
}

static enum un_err
make_form(const struct session_options *options, struct secbuf **ret_form)
{
	const struct {
		const char *name;
		const void *bytes;
		size_t len;
	} fields[] = {
		{"grant_type=client_credentials&client_id=", options->place.client,
	         strlen(options->place.client)},
		{"&client_secret=", secbuf_peek(options->place.secret),
	         secbuf_len(options->place.secret)},
		{"&scope=", options->scopes, options->scopes ? strlen(options->scopes) : 0},
		{"&audience=", options->audience,
	         options->audience ? strlen(options->audience) : 0},
	};
	size_t count = sizeof fields / sizeof fields[0], room = 0, used = 0;
	struct secbuf *form = NULL;
	enum un_err err;

	for (size_t i = 0; i < count; i++)
		room += strlen(fields[i].name) + 3 * fields[i].len;
	err = secbuf_new(room, &form);
	if (err)
		return err;
	for (size_t i = 0; i < count; i++) {
		uint8_t *out = secbuf_edit(form);

		if (!fields[i].bytes)
			continue;
		memcpy(out + used, fields[i].name, strlen(fields[i].name));
		used += strlen(fields[i].name);
		used += quote(fields[i].bytes, fields[i].len, out + used);
	}
	secbuf_shrink(form, used);
	*ret_form = form;
	return UN_OK;
}

static enum un_err
exchange(struct session *session, struct channel *channel, int64_t deadline_ms,
         struct un_detail *detail)
{
	struct channel_ask ask = {.deadline_ms = deadline_ms};
	struct secbuf *form = NULL;
	struct buf answer, url;
	int64_t seconds = 0;
	enum un_err err;

	buf_init(&answer, ANSWER_MAX, BUF_WIPE);
	buf_init(&url, URL_MAX, BUF_PLAIN);
	err = discover(session, channel, deadline_ms, &url, detail);
	if (!err)
		err = endpoint_path_of(channel_endpoint(channel), buf_text(&url), &ask.path,
		                       detail);
	if (!err)
		err = make_form(&session->options, &form);
	if (!err) {
		ask.form = form;
		err = channel_ask(channel, &ask, &answer, detail);
	}
	secbuf_free(form);
	if (!err) {
		err = session_read_token(answer.data, answer.len, &session->token, &seconds);
		if (err)
			err = un_fail(detail, err, "%.200s answers the login with no token",
			              session->options.place.url);
	}
	if (!err)
		session->until_us =
			clock_wall_us() +
			(seconds - (seconds / 4 < EARLY_S ? seconds / 4 : EARLY_S)) * 1000000;
	buf_fini(&answer);
	buf_fini(&url);
	return err;
}

/* ---- the channel's question ---- */

static void
forget(struct session *session)
{
	secbuf_free(session->token);
	session->token = NULL;
	session->until_us = 0;
}

static enum un_err
token(struct channel_auth *auth, struct channel *channel, bool refused, int64_t deadline_ms,
      const struct secbuf **ret_token, struct un_detail *detail)
{
	struct session *session = (struct session *)((char *)auth - offsetof(struct session, auth));
	const struct session_options *options = &session->options;
	bool keeps = options->place.folder && !options->fetch;
	enum un_err err = UN_ERR_NOT_FOUND;

	if (refused || (session->token && session->until_us <= clock_wall_us()))
		forget(session);
	if (!session->token && keeps && !refused)
		err = token_cache_get(&options->place, clock_wall_us(), &session->token,
		                      &session->until_us, detail);
	if (!session->token && keeps && refused)
		token_cache_drop(&options->place);
	if (!session->token && err == UN_ERR_NOT_FOUND) {
		if (options->fetch) {
			err = options->fetch(options->fetch_ctx, &session->token, detail);
			session->until_us = INT64_MAX; /* until it is refused */
		} else {
			err = exchange(session, channel, deadline_ms, detail);
		}
		/* a home that takes no files costs a login each time, not the command */
		if (!err && keeps)
			(void)!token_cache_put(&options->place, session->token, session->until_us,
			                       NULL);
	}
	if (!session->token)
		return err;
	*ret_token = session->token;
	return UN_OK;
}

enum un_err
session_new(const struct session_options *options, struct session **ret_session)
{
	struct session *session = mem_zalloc(1, sizeof *session);

	if (!session)
		return UN_ERR_NO_MEMORY;
	session->auth.token = token;
	session->options = *options;
	*ret_session = session;
	return UN_OK;
}

void
session_free(struct session *session)
{
	if (!session)
		return;
	secbuf_free(session->token);
	mem_free(session);
}

struct channel_auth *
session_auth(struct session *session)
{
	return &session->auth;
}
