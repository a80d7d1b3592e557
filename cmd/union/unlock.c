#include "cli.h"
#include "keeper/passphrase.h"
#include "proto-all.h"
#include "value_input.h"

static enum un_err
send_passphrase(struct cli *cli, const uint8_t *key, const struct secbuf *passphrase)
{
	Union__V1__UnlockRequest request = UNION__V1__UNLOCK_REQUEST__INIT;
	Union__V1__UnlockResponse *reply = NULL;
	struct buf sealed;
	enum un_err err;

	buf_init(&sealed, SEALED_PASSPHRASE_MAX, BUF_PLAIN);
	err = passphrase_seal(key, PASSPHRASE_UNLOCK, passphrase, &sealed);
	if (!err) {
		request.sealed_passphrase.data = sealed.data;
		request.sealed_passphrase.len = sealed.len;
		err = cli_call(cli, "/union.v1.PlaneService/Unlock", &request,
		               &union__v1__unlock_response__descriptor, &reply);
	}
	channel_message_free(reply);
	buf_fini(&sealed);
	return err;
}

int
command_unlock(struct cli *cli)
{
	Union__V1__GetInfoRequest request = UNION__V1__GET_INFO_REQUEST__INIT;
	Union__V1__GetInfoResponse *info = NULL;
	struct secbuf *passphrase = NULL;
	bool is_new;
	enum un_err err = cli_call(cli, "/union.v1.PlaneService/GetInfo", &request,
	                           &union__v1__get_info_response__descriptor, &info);

	if (err)
		return cli_fail(cli, err);
	if (!info->sealed) {
		channel_message_free(info);
		(void)fprintf(stderr, "The key ring is not locked\n");
		return cli_finish(cli);
	}
	if (info->unlock_key.len != BOX_PUBLIC_LEN)
		err = un_fail(&cli->detail, UN_ERR_PROTOCOL,
		              "the control plane sent a malformed key");
	is_new = info->plane_key.len == 0; /* no ring yet: what is typed now will protect it */
	if (!err)
		err = passphrase_input(cli, is_new ? "Choose a passphrase: " : "Enter passphrase: ",
		                       is_new, &passphrase);
	if (!err)
		err = send_passphrase(cli, info->unlock_key.data, passphrase);
	secbuf_free(passphrase);
	channel_message_free(info);
	if (err)
		return cli_fail(cli, err);
	(void)fprintf(stderr, "Unlocked\n");
	return cli_finish(cli);
}
