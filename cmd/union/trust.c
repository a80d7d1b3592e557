#include "audit_key.h"
#include "cli.h"
#include "client/known_planes.h"
#include "keeper/fingerprint.h"
#include "proto-all.h"

#include <string.h>

int
command_trust(struct cli *cli)
{
	Union__V1__GetSealingKeyRequest request = UNION__V1__GET_SEALING_KEY_REQUEST__INIT;
	Union__V1__GetSealingKeyResponse *reply = NULL;
	uint8_t audit_key[SIGN_PUBLIC_LEN];
	char fingerprint[FINGERPRINT_TEXT_MAX] = "", path[CLI_PATH_MAX];
	enum un_err err = cli_call(cli, "/union.v1.SecretService/GetSealingKey", &request,
	                           &union__v1__get_sealing_key_response__descriptor, &reply);

	if (!err && reply->public_key.len != BOX_PUBLIC_LEN)
		err = un_fail(&cli->detail, UN_ERR_PROTOCOL,
		              "the control plane sent a malformed key");
	if (!err) {
		fingerprint_format(reply->public_key.data, fingerprint);
		if (strcmp(fingerprint, cli->args[0]) != 0) {
			un_hint(&cli->detail,
			        "see it with 'union info' on the control plane's own machine");
			err = un_fail(&cli->detail, UN_ERR_PLANE_KEY_CHANGED,
			              "the key of %.300s has another fingerprint: %s", cli->url,
			              fingerprint);
		}
	}
	if (!err) {
		cli_pins_path(cli, path);
		err = known_planes_pin(path, cli->url, reply->public_key.data, &cli->detail);
	}
	/* a plane that was set up anew signs its audit trail with another key, too */
	if (!err) {
		err = audit_key_ask(cli, audit_key);
		if (!err)
			err = audit_key_pin(cli, audit_key);
		else if (err == UN_ERR_SEALED)
			err = UN_OK; /* it is not known before the ring is unlocked */
	}
	channel_message_free(reply);
	if (err)
		return cli_fail(cli, err);
	(void)fprintf(stderr, "Trusting the key %s of %s\n", fingerprint, cli->url);
	return cli_finish(cli);
}
