#include "rpc/call.h"

#include <stdio.h>

/* /healthz: the process answers. /readyz: it may be sent work. /metrics: Prometheus text. */

#define METRICS_TEXT_MAX (4u << 20)

static void
say(struct web_call *call, int status, const char *text)
{
	char line[UN_DETAIL_MAX + 2];
	int len = snprintf(line, sizeof line, "%s\n", text);

	web_add_header(call, "cache-control", "no-store");
	web_reply(call, status, "text/plain; charset=utf-8", line, len > 0 ? (size_t)len : 0);
}

static void
healthz(struct web_call *call, void *ctx)
{
	(void)ctx;
	say(call, 200, "ok");
}

static void
readyz(struct web_call *call, void *ctx)
{
	struct server *server = web_server(call);
	struct un_detail why = {.message = ""};

	(void)ctx;
	if (!atomic_load(&server->serving))
		say(call, 503, "stopping");
	else if (server->options.ready && !server->options.ready(server->options.ready_ctx, &why))
		say(call, 503, why.message[0] ? why.message : "not ready");
	else
		say(call, 200, why.message[0] ? why.message : "ready");
}

static void
metrics(struct web_call *call, void *ctx)
{
	const struct server_options *options = &web_server(call)->options;
	struct un_detail detail = {0};
	struct buf text;
	enum un_err err = UN_OK;

	(void)ctx;
	buf_init(&text, METRICS_TEXT_MAX, BUF_PLAIN);
	if (options->may_measure)
		err = options->may_measure(call, options->measure_ctx, &detail);
	if (!err)
		err = metrics_format(web_server(call)->metrics, &text);
	if (err)
		web_fail(call, err, &detail);
	else
		web_reply(call, 200, "text/plain; version=0.0.4; charset=utf-8", text.data,
		          text.len);
	buf_fini(&text);
}

const struct http_route health_routes[] = {
	{.method = "GET", .path = "/healthz", .on_request = healthz},
	{.method = "GET", .path = "/readyz", .on_request = readyz},
	{.method = "GET", .path = "/metrics", .on_request = metrics},
};
const size_t health_route_count = sizeof health_routes / sizeof health_routes[0];
