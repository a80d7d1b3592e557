#include "base/clock.h"
#include "cli.h"
#include "client/wire.h"
#include "proto-all.h"

#include <inttypes.h>

#define LOOK_EVERY_MS 100

static enum un_err
await_rewrapping(struct cli *cli)
{
	Union__V1__GetRotationRequest request = UNION__V1__GET_ROTATION_REQUEST__INIT;
	uint64_t remaining = 1;

	while (remaining) {
		Union__V1__GetRotationResponse *reply = NULL;
		enum un_err err = cli_call(cli, "/union.v1.PlaneService/GetRotation", &request,
		                           &union__v1__get_rotation_response__descriptor, &reply);

		if (err)
			return err;
		remaining = reply->remaining;
		channel_message_free(reply);
		if (!remaining)
			break;
		err = wire_wait(-1, 0, cli->wake_fd, clock_mono_ms() + LOOK_EVERY_MS);
		if (err != UN_ERR_TIMEOUT)
			return err;
	}
	return UN_OK;
}

int
command_rotate_keys(struct cli *cli)
{
	Union__V1__RotateKeysRequest request = UNION__V1__ROTATE_KEYS_REQUEST__INIT;
	Union__V1__RotateKeysResponse *reply = NULL;
	enum un_err err = cli_call(cli, "/union.v1.PlaneService/RotateKeys", &request,
	                           &union__v1__rotate_keys_response__descriptor, &reply);

	if (err)
		return cli_fail(cli, err);
	(void)fprintf(stderr, "Generation %u is in use; %" PRIu64 " stored keys to seal again\n",
	              reply->generation, reply->to_rewrap);
	channel_message_free(reply);
	if (cli->option[OPT_NO_WAIT])
		return cli_finish(cli);
	err = await_rewrapping(cli);
	if (err)
		return cli_fail(cli, err);
	(void)fprintf(stderr, "All of them are under it\n");
	return cli_finish(cli);
}
