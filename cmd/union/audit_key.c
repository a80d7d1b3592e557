#include "audit_key.h"

#include "base/clock.h"
#include "base/io.h"
#include "base/text.h"
#include "client/known_planes.h"
#include "proto-all.h"

#include <fcntl.h>
#include <string.h>

#define CHUNK_TIMEOUT_MS 60000
#define SUFFIX "#audit" /* behind the URL, in the file of pins */

_Static_assert(SIGN_PUBLIC_LEN == BOX_PUBLIC_LEN, "both kinds of keys are pinned alike");

static void
pin_name(const struct cli *cli, char name[CLI_PATH_MAX + 8])
{
	(void)snprintf(name, CLI_PATH_MAX + 8, "%s" SUFFIX, cli->url);
}

enum un_err
audit_key_ask(struct cli *cli, uint8_t ret_key[SIGN_PUBLIC_LEN])
{
	Union__V1__GetAuditKeyRequest request = UNION__V1__GET_AUDIT_KEY_REQUEST__INIT;
	Union__V1__GetAuditKeyResponse *reply = NULL;
	enum un_err err = cli_call(cli, "/union.v1.AuditService/GetAuditKey", &request,
	                           &union__v1__get_audit_key_response__descriptor, &reply);

	if (!err && reply->public_key.len != SIGN_PUBLIC_LEN)
		err = un_fail(&cli->detail, UN_ERR_PROTOCOL,
		              "the control plane sent a malformed key");
	if (!err)
		memcpy(ret_key, reply->public_key.data, SIGN_PUBLIC_LEN);
	channel_message_free(reply);
	return err;
}

enum un_err
audit_key_pinned(struct cli *cli, uint8_t ret_key[SIGN_PUBLIC_LEN])
{
	char path[CLI_PATH_MAX], name[CLI_PATH_MAX + 8];
	enum un_err err = audit_key_ask(cli, ret_key);

	if (err)
		return err;
	cli_pins_path(cli, path);
	pin_name(cli, name);
	return known_planes_check(path, name, ret_key, &cli->detail);
}

enum un_err
audit_key_pin(struct cli *cli, const uint8_t key[SIGN_PUBLIC_LEN])
{
	char path[CLI_PATH_MAX], name[CLI_PATH_MAX + 8];

	cli_pins_path(cli, path);
	pin_name(cli, name);
	return known_planes_pin(path, name, key, &cli->detail);
}

static enum un_err
find_in(const char *folder, const char *wanted)
{
	char path[CLI_PATH_MAX + 16];
	struct buf file;
	enum un_err err;

	(void)snprintf(path, sizeof path, "%s/known_planes", folder);
	buf_init(&file, KNOWN_PLANES_FILE_MAX, BUF_PLAIN);
	err = io_read_file(AT_FDCWD, path, &file);
	if (!err && !strstr(buf_text(&file), wanted))
		err = UN_ERR_NOT_FOUND;
	buf_fini(&file);
	return err;
}

enum un_err
audit_key_find(struct cli *cli, const uint8_t key[SIGN_PUBLIC_LEN])
{
	struct buf wanted;
	enum un_err err = cli_find_paths(cli);

	if (err)
		return err;
	buf_init(&wanted, 256, BUF_PLAIN);
	err = buf_append_text(&wanted, SUFFIX " ");
	if (!err)
		err = text_append_hex(&wanted, key, SIGN_PUBLIC_LEN);
	if (!err) /* the user's own plane keeps its pins beside itself */
		err = find_in(cli->paths.data_dir, buf_text(&wanted));
	if (err == UN_ERR_NOT_FOUND)
		err = find_in(cli->paths.state_dir, buf_text(&wanted));
	buf_fini(&wanted);
	return err;
}

enum un_err
audit_receive(struct cli *cli, enum un_err (*take)(void *ctx, const uint8_t *bytes, size_t len),
              void *ctx)
{
	Union__V1__ExportAuditRequest request = {
	        .base = PROTOBUF_C_MESSAGE_INIT(&union__v1__export_audit_request__descriptor),
	        .accepts_restore = cli->option[OPT_ACCEPT_RESTORE] != NULL,
	};
	struct channel_call call = {
	        .method = "/union.v1.AuditService/ExportAudit",
	        .request = &request.base,
	        .reply = &union__v1__audit_chunk__descriptor,
	        .deadline_ms = clock_mono_ms() + CHUNK_TIMEOUT_MS,
	};
	struct channel_stream *stream = NULL;
	enum un_err err = channel_stream_open(cli->channel, &call, &stream, &cli->detail);

	while (!err) {
		Union__V1__AuditChunk *chunk = NULL;

		err = channel_stream_next(stream, clock_mono_ms() + CHUNK_TIMEOUT_MS,
		                          (ProtobufCMessage **)&chunk, &cli->detail);
		if (err || !chunk)
			break;
		err = take(ctx, chunk->data.data, chunk->data.len);
		channel_message_free(chunk);
	}
	channel_stream_free(stream);
	return err;
}
