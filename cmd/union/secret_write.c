#include "secret_write.h"

#include "client/known_planes.h"
#include "client/sealing.h"
#include "crypto/hash.h"
#include "proto-all.h"
#include "value_input.h"

#include <string.h>

enum un_err
plane_key_pinned(struct cli *cli, uint8_t ret_key[BOX_PUBLIC_LEN])
{
	Union__V1__GetSealingKeyRequest request = UNION__V1__GET_SEALING_KEY_REQUEST__INIT;
	Union__V1__GetSealingKeyResponse *reply = NULL;
	char path[CLI_PATH_MAX];
	enum un_err err = cli_call(cli, "/union.v1.SecretService/GetSealingKey", &request,
	                           &union__v1__get_sealing_key_response__descriptor, &reply);

	if (err)
		return err;
	cli_pins_path(cli, path);
	if (reply->public_key.len != BOX_PUBLIC_LEN)
		err = un_fail(&cli->detail, UN_ERR_PROTOCOL,
		              "the control plane sent a malformed key");
	else
		err = known_planes_check(path, cli->url, reply->public_key.data, &cli->detail);
	if (!err)
		memcpy(ret_key, reply->public_key.data, BOX_PUBLIC_LEN);
	channel_message_free(reply);
	return err;
}

static int
tell(struct cli *cli, bool create, const struct secret_id *id, const Union__V1__SecretWritten *done)
{
	char scope[SCOPE_TEXT_MAX];

	if (done->project_is_new)
		cli_note_new(cli, "project", id->scope.project, done->nearest_project);
	if (done->domain_is_new)
		cli_note_new(cli, "domain", id->scope.domain, done->nearest_domain);
	scope_format(&id->scope, scope);
	(void)fprintf(stderr, "%s secret '%s' for %s, version %u\n", create ? "Created" : "Updated",
	              id->name, scope, done->version);
	return cli_finish(cli);
}

static enum un_err
send_sealed(struct cli *cli, bool create, const struct secret_id *id, const struct sealed *sealed,
            Union__V1__SecretWritten **ret_done)
{
	Cloudidl__Secret__SecretIdentifier wire_id = CLOUDIDL__SECRET__SECRET_IDENTIFIER__INIT;
	Union__V1__SealedValue value = UNION__V1__SEALED_VALUE__INIT;
	Union__V1__CreateSealedSecretRequest first = UNION__V1__CREATE_SEALED_SECRET_REQUEST__INIT;
	Union__V1__UpdateSealedSecretRequest next = UNION__V1__UPDATE_SEALED_SECRET_REQUEST__INIT;
	const char *type = cli->option[OPT_TYPE];

	wire_id.name = (char *)id->name;
	wire_id.project = (char *)id->scope.project;
	wire_id.domain = (char *)id->scope.domain;
	value.sealed_value.data = sealed->value.data;
	value.sealed_value.len = sealed->value.len;
	value.sealed_dek.data = (uint8_t *)sealed->dek;
	value.sealed_dek.len = sizeof sealed->dek;
	first.id = next.id = &wire_id;
	first.value = next.value = &value;
	if (type && strcmp(type, "image-pull") == 0)
		first.type = CLOUDIDL__SECRET__SECRET_TYPE__SECRET_TYPE_IMAGE_PULL_SECRET;
	if (create)
		return cli_call(cli, "/union.v1.SecretService/CreateSealedSecret", &first,
		                &union__v1__secret_written__descriptor, ret_done);
	return cli_call(cli, "/union.v1.SecretService/UpdateSealedSecret", &next,
	                &union__v1__secret_written__descriptor, ret_done);
}

int
secret_write(struct cli *cli, bool create)
{
	Union__V1__SecretWritten *done = NULL;
	uint8_t plane_key[BOX_PUBLIC_LEN];
	struct secbuf *value = NULL;
	struct secret_id id;
	struct sealed sealed;
	int status;
	enum un_err err = secret_id_init(&id, cli->option[OPT_PROJECT], cli->option[OPT_DOMAIN],
	                                 cli->args[0], &cli->detail);

	if (err)
		return cli_fail(cli, err);
	sealed_init(&sealed);
	err = value_input(cli, &value);
	if (!err)
		err = cli_connect(cli);
	if (!err)
		err = plane_key_pinned(cli, plane_key);
	if (!err)
		err = seal_for_plane(plane_key, &id, value, &sealed);
	secbuf_free(value); /* only its seal is needed from here on */
	if (!err)
		err = send_sealed(cli, create, &id, &sealed, &done);
	status = err ? cli_fail(cli, err) : tell(cli, create, &id, done);
	channel_message_free(done);
	sealed_fini(&sealed);
	return status;
}
