/* The key's secret goes from the reply into locked memory, from there into the line, and from there
 * to standard output: not through stdio's buffer. */
#include "base/io.h"
#include "cli.h"
#include "client/api_key.h"
#include "model/name.h"
#include "model/scope.h"
#include "model/times.h"
#include "proto-all.h"
#include "show.h"

#include <string.h>
#include <unistd.h>

#define OUTPUT_MAX 8192

/* The host that goes into the key: --host, or that of the endpoint. */
static enum un_err
host_of(struct cli *cli, char host[API_KEY_ENDPOINT_MAX])
{
	const struct endpoint *endpoint = channel_endpoint(cli->channel);
	const char *given = cli->option[OPT_HOST];
	struct endpoint parsed;

	if (given) {
		if (strchr(given, '/') || strlen(given) >= API_KEY_ENDPOINT_MAX ||
		    endpoint_parse(given, &parsed, NULL))
			return un_fail(&cli->detail, UN_ERR_USAGE,
			               "--host is a host, or host:port, not '%.200s'", given);
		(void)snprintf(host, API_KEY_ENDPOINT_MAX, "%s", given);
		return UN_OK;
	}
	if (endpoint->kind != ENDPOINT_HTTPS) {
		un_hint(&cli->detail, "add --host union.example.com, the name in its certificate");
		return un_fail(&cli->detail, UN_ERR_USAGE,
		               "by which host do clients reach this control plane? This command "
		               "uses %.200s",
		               cli->url);
	}
	if (endpoint->port == 443)
		(void)snprintf(host, API_KEY_ENDPOINT_MAX, "%s", endpoint->host);
	else
		(void)snprintf(host, API_KEY_ENDPOINT_MAX,
		               strchr(endpoint->host, ':') ? "[%s]:%u" : "%s:%u", endpoint->host,
		               endpoint->port);
	return UN_OK;
}

static enum un_err
expiry_of(struct cli *cli, Google__Protobuf__Timestamp *at)
{
	const char *text = cli->option[OPT_EXPIRES];
	int64_t us, now_us = clock_wall_us();
	enum un_err err = duration_parse(text, &us);

	if (!err)
		us += now_us;
	else
		err = instant_parse(text, &us);
	if (err) {
		un_hint(&cli->detail, "write 90d, 12h or 2027-01-01");
		return un_fail(&cli->detail, UN_ERR_USAGE, "--expires is no time: '%.100s'", text);
	}
	if (us <= now_us)
		return un_fail(&cli->detail, UN_ERR_USAGE, "--expires has passed already: '%.100s'",
		               text);
	at->seconds = us / 1000000;
	at->nanos = (int32_t)(us % 1000000 * 1000);
	return UN_OK;
}

/* "export UNION_API_KEY=..." or JSON, in locked memory. Every part is plain. */
static enum un_err
make_output(struct cli *cli, const struct api_key *key, const struct secbuf *text,
            struct secbuf **ret_output)
{
	struct secbuf *output = NULL;
	enum un_err err = secbuf_new(OUTPUT_MAX, &output);
	int len;

	if (err)
		return err;
	if (cli_wants_json(cli))
		len = snprintf((char *)secbuf_edit(output), OUTPUT_MAX,
		               "{\n  \"name\": \"%s\",\n  \"host\": \"%s\",\n"
		               "  \"client_id\": \"%s\",\n  \"client_secret\": \"%.*s\",\n"
		               "  \"api_key\": \"%.*s\"\n}\n",
		               key->client, key->endpoint, key->client,
		               (int)secbuf_len(key->secret), (const char *)secbuf_peek(key->secret),
		               (int)secbuf_len(text), (const char *)secbuf_peek(text));
	else
		len = snprintf((char *)secbuf_edit(output), OUTPUT_MAX,
		               "export UNION_API_KEY=\"%.*s\"\n", (int)secbuf_len(text),
		               (const char *)secbuf_peek(text));
	if (len < 0 || len >= OUTPUT_MAX) {
		secbuf_free(output);
		return UN_ERR_TOO_LARGE;
	}
	secbuf_shrink(output, (size_t)len);
	*ret_output = output;
	return UN_OK;
}

static enum un_err
show_key(struct cli *cli, struct api_key *key)
{
	struct secbuf *text = NULL, *output = NULL;
	enum un_err err = api_key_format(key, &text);

	if (!err)
		err = make_output(cli, key, text, &output);
	if (!err)
		err = io_write_all(STDOUT_FILENO, secbuf_peek(output), secbuf_len(output));
	if (err) {
		un_hint(&cli->detail, "nothing shows it again: union delete api-key %s",
		        key->client);
		err = un_fail(&cli->detail, err, "the API key '%s' was made, but not shown",
		              key->client);
	}
	secbuf_free(text);
	secbuf_free(output);
	return err;
}

static void
advise(struct cli *cli, const struct api_key *key, const Union__V1__CreateApiKeyResponse *reply)
{
	char scope_text[SCOPE_TEXT_MAX], until[CLOCK_TEXT_MAX] = "";
	struct scope scope = {.project = ""};
	const char *last =
		strrchr(key->endpoint, ']') ? strrchr(key->endpoint, ']') : key->endpoint;

	(void)snprintf(scope.project, sizeof scope.project, "%s", reply->key->project);
	(void)snprintf(scope.domain, sizeof scope.domain, "%s", reply->key->domain);
	scope_format(&scope, scope_text);
	if (reply->key->expires_at)
		show_time(reply->key->expires_at, false, until);
	(void)fprintf(stderr, "Created API key '%s' %s%s for %s%s%s\n", key->client,
	              reply->grant ? "with the role " : "without a role,",
	              reply->grant ? reply->grant->role : "", scope_text,
	              until[0] ? ", until " : "", until);
	(void)fprintf(stderr,
	              "It is not shown again. On another machine: put that line into the "
	              "environment, or\n  union create login --host %s --api-key -\n",
	              key->endpoint);
	if (strchr(last, ':'))
		cli_note(cli, "other clients cannot read the port in this key: they need authType: "
		              "ClientSecret in their configuration, or port 443");
}

static enum un_err
create(struct cli *cli, const char *host)
{
	Union__V1__CreateApiKeyRequest request = UNION__V1__CREATE_API_KEY_REQUEST__INIT;
	Google__Protobuf__Timestamp expires = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	const char *role = cli->option[OPT_ROLE] ? cli->option[OPT_ROLE] : "admin";
	const char *project = cli->option[OPT_PROJECT], *domain = cli->option[OPT_DOMAIN];
	Union__V1__CreateApiKeyResponse *reply = NULL;
	struct api_key key = {.secret = NULL};
	enum un_err err = UN_OK;

	request.name = (char *)(uintptr_t)cli->option[OPT_NAME];
	request.role = (char *)(uintptr_t)(strcmp(role, "none") ? role : "");
	request.project = (char *)(uintptr_t)(project ? project : "");
	request.domain = (char *)(uintptr_t)(domain ? domain : "");
	if (cli->option[OPT_EXPIRES]) {
		err = expiry_of(cli, &expires);
		request.expires_at = &expires;
	}
	if (!err)
		err = cli_call(cli, "/union.v1.AccessService/CreateApiKey", &request,
		               &union__v1__create_api_key_response__descriptor, &reply);
	if (err)
		return err;
	(void)snprintf(key.endpoint, sizeof key.endpoint, "%s", host);
	(void)snprintf(key.client, sizeof key.client, "%s", cli->option[OPT_NAME]);
	err = secbuf_copy(reply->client_secret.data, reply->client_secret.len, &key.secret);
	if (!err && !reply->key)
		err = UN_ERR_PROTOCOL;
	if (!err)
		err = show_key(cli, &key);
	if (!err)
		advise(cli, &key, reply);
	secbuf_free(key.secret);
	channel_message_free(reply); /* wipes */
	return err;
}

int
command_create_api_key(struct cli *cli)
{
	char host[API_KEY_ENDPOINT_MAX];
	enum un_err err;

	if (strcmp(cli->args[0], "admin") != 0) {
		un_hint(&cli->detail, "union create api-key admin --name NAME");
		return cli_failf(cli, UN_ERR_USAGE, "the only kind of API key is 'admin', not '%s'",
		                 cli->args[0]);
	}
	if (!cli->option[OPT_NAME])
		return cli_failf(cli, UN_ERR_USAGE, "--name is needed: what is the key called?");
	err = name_check_api_key(cli->option[OPT_NAME], &cli->detail);
	if (!err)
		err = cli_connect(cli);
	if (!err)
		err = host_of(cli, host);
	if (!err)
		err = create(cli, host);
	return err ? cli_fail(cli, err) : cli_finish(cli);
}
