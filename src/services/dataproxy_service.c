/* flyteidl.service.DataProxyService: one address for one upload, and the upload itself.
 *
 * The address is a path on this server with a random token: good once, for exactly the content that
 * was announced, for a short time. */
#include "services/audit_notes.h"
#include "services/own_url.h"
#include "services/run_services_impl.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/hash.h"

#include <stdio.h>
#include <string.h>

#define UPLOAD_PATH "/union/upload/"

/* ---- where ---- */

/* Clients also upload files that are inputs; a task could not get at them. */
static bool
is_bundle_name(const char *name)
{
	size_t len = strlen(name), end = sizeof ".tar.gz" - 1;

	return len == 0 || (len > end && strcmp(name + len - end, ".tar.gz") == 0);
}

static enum un_err
read_grant(const Flyteidl__Service__CreateUploadLocationRequest *request,
           struct upload_grant *ret_grant, int64_t *ret_expires_us, struct un_detail *detail)
{
	int64_t seconds = UPLOAD_SECONDS_DEFAULT;
	enum un_err err;

	err = name_check_scope_part("project", request->project, detail);
	if (!err)
		err = name_check_scope_part("domain", request->domain, detail);
	if (!err)
		err = scope_init(&ret_grant->at, request->project, request->domain, detail);
	if (err)
		return err;
	if (!is_bundle_name(request->filename)) {
		un_hint(detail, "give the task an address that it can read: https://..., s3://...");
		return un_fail(detail, UN_ERR_INVALID,
		               "only code bundles (.tar.gz) are kept here, not files like '%.128s'",
		               request->filename);
	}
	if (request->content_md5.len != BUNDLE_MD5_LEN)
		return un_fail(detail, UN_ERR_INVALID, "content_md5 has %d bytes", BUNDLE_MD5_LEN);
	if (request->content_length < 0 || (uint64_t)request->content_length > BUNDLE_MAX)
		return un_fail(detail, UN_ERR_TOO_LARGE, "a code bundle has at most %llu MiB",
		               BUNDLE_MAX >> 20);
	if (request->expires_in != NULL)
		seconds = request->expires_in->seconds;
	if (seconds < 1 || seconds > UPLOAD_SECONDS_MAX)
		return un_fail(detail, UN_ERR_RANGE, "expires_in is 1 to %d seconds",
		               UPLOAD_SECONDS_MAX);
	memcpy(ret_grant->md5, request->content_md5.data, BUNDLE_MD5_LEN);
	ret_grant->len =
		request->content_length > 0 ? (uint64_t)request->content_length : UINT64_MAX;
	ret_grant->deadline_ms = clock_mono_ms() + seconds * 1000;
	*ret_expires_us = clock_wall_us() + seconds * 1000000;
	return UN_OK;
}

static void
create_upload_location(struct rpc_call *call, void *ctx, const ProtobufCMessage *message)
{
	struct run_services *services = ctx;
	Flyteidl__Service__CreateUploadLocationResponse response =
		FLYTEIDL__SERVICE__CREATE_UPLOAD_LOCATION_RESPONSE__INIT;
	Google__Protobuf__Timestamp expires = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	struct upload_grant grant = {0};
	char token[UPLOAD_TOKEN_TEXT], native[BUNDLE_URL_MAX], url[OWN_URL_MAX];
	char signed_url[OWN_URL_MAX + sizeof UPLOAD_PATH + UPLOAD_TOKEN_TEXT];
	struct un_detail detail = {0};
	int64_t expires_us = 0;
	enum un_err err;

	err = read_grant((const void *)message, &grant, &expires_us, &detail);
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	if (!caller_may(call, AUTHZ_DATA_UPLOAD, &grant.at))
		return;
	err = own_url(rpc_peer(call), rpc_authority(call), url, &detail);
	if (err) {
		rpc_fail(call, err, &detail);
		return;
	}
	err = bundles_grant(services->bundles, &grant, token);
	if (err) {
		rpc_failf(call, err, "too many uploads are waiting");
		return;
	}
	bundles_url(&grant, native);
	expires.seconds = expires_us / 1000000;
	(void)snprintf(signed_url, sizeof signed_url, "%s" UPLOAD_PATH "%s", url, token);
	response.signed_url = signed_url;
	response.native_url = native;
	response.expires_at = &expires;
	rpc_reply(call, &response.base);
	explicit_bzero(signed_url, sizeof signed_url);
	explicit_bzero(token, sizeof token);
}

const struct rpc_method dataproxy_methods[] = {
	{.name = "CreateUploadLocation",
         .input = &flyteidl__service__create_upload_location_request__descriptor,
         .output = &flyteidl__service__create_upload_location_response__descriptor,
         .handler = create_upload_location,
         .flags = RPC_SENSITIVE}, /* the address is a capability */
};
const size_t dataproxy_method_count = sizeof dataproxy_methods / sizeof dataproxy_methods[0];

/* ---- the upload ---- */

/* "Content-MD5" must be there and be what the address was made for. */
static enum un_err
check_md5_header(const struct web_call *call, const struct upload *upload, struct un_detail *detail)
{
	const char *header = web_header(call, "content-md5");
	struct buf md5;
	enum un_err err;

	if (header == NULL)
		return un_fail(detail, UN_ERR_INVALID, "the upload has no Content-MD5 header");
	buf_init(&md5, 64, BUF_PLAIN);
	err = text_decode_base64(header, strnlen(header, 64), &md5);
	if (err || md5.len != BUNDLE_MD5_LEN ||
	    !bytes_equal(md5.data, upload_md5(upload), BUNDLE_MD5_LEN))
		err = un_fail(detail, UN_ERR_INVALID,
		              "Content-MD5 is not the MD5 that this address was made for");
	buf_fini(&md5);
	return err;
}

static void
upload_request(struct web_call *call, void *ctx)
{
	struct run_services *services = ctx;
	const char *token = web_path(call) + sizeof UPLOAD_PATH - 1;
	struct plane_worker *worker = web_worker(call);
	struct upload *upload = NULL;
	struct un_detail detail = {0};
	enum un_err err;

	err = upload_begin(services->bundles, token, &upload);
	if (err == UN_ERR_DENIED) {
		(void)un_fail(&detail, err, "this upload address is not valid (any more)");
		audit_stranger_web(worker->notes, web_peer(call), err);
	}
	if (!err) {
		web_set_state(call, upload); /* on_close frees it */
		err = check_md5_header(call, upload, &detail);
	}
	if (!err && web_body_len(call) != UINT64_MAX && upload_len(upload) != UINT64_MAX &&
	    web_body_len(call) != upload_len(upload))
		err = un_fail(&detail, UN_ERR_INVALID,
		              "the upload does not have the length announced");
	if (err)
		web_fail(call, err, &detail);
}

static void
upload_body(struct web_call *call, void *ctx, const uint8_t *bytes, size_t len)
{
	struct upload *upload = web_state(call);
	enum un_err err = upload_push(upload, bytes, len);

	(void)ctx;
	if (err)
		web_fail(call, err, NULL);
}

static void
upload_whole(struct web_call *call, void *ctx)
{
	struct un_detail detail = {0};
	enum un_err err = upload_end(web_state(call), &detail);

	(void)ctx;
	if (err)
		web_fail(call, err, &detail);
	else
		web_reply(call, 200, "text/plain", "", 0);
}

static void
upload_close(struct web_call *call, void *ctx)
{
	(void)ctx;
	upload_free(web_state(call));
}

const struct http_route upload_route = {
	.method = "PUT",
	.path = UPLOAD_PATH,
	.body_max = BUNDLE_MAX,
	.on_request = upload_request,
	.on_body = upload_body,
	.on_end = upload_whole,
	.on_close = upload_close,
};
