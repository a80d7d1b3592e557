#include "cli.h"
#include "client/known_planes.h"
#include "json_out.h"
#include "keeper/fingerprint.h"
#include "proto-all.h"
#include "show.h"

#include <inttypes.h>
#include <string.h>

/* What can be said without the plane's own word: whether its key is the pinned one. */
static const char *
pin_state(struct cli *cli, const Union__V1__GetInfoResponse *info)
{
	char path[CLI_PATH_MAX];

	if (info->plane_key.len != BOX_PUBLIC_LEN)
		return "no key yet";
	cli_pins_path(cli, path);
	if (known_planes_check(path, cli->url, info->plane_key.data, &cli->detail) == UN_OK)
		return "pinned";
	return "NOT the pinned key";
}

/* Whoever may not inspect the plane is not told more than its version and key: what was left out
 * is not a zero. */
static bool
may_inspect(const Union__V1__GetInfoResponse *info)
{
	return info->pid != 0;
}

static void
print_table(struct cli *cli, const Union__V1__GetInfoResponse *info, const char *fingerprint)
{
	char since[CLOCK_TEXT_MAX];

	show_time(info->started_at, false, since);
	(void)printf("Version:      %s\n", info->version);
	(void)printf("Endpoint:     %s\n", cli->url);
	if (may_inspect(info))
		(void)printf("Process:      %" PRId64 ", since %s\n", info->pid, since);
	else
		(void)printf("Since:        %s\n", since);
	if (info->data_dir[0])
		(void)printf("Data:         %s\n", info->data_dir);
	if (cli->embedded)
		(void)printf("Log:          %s\n", cli->paths.log_file);
	(void)printf("Fingerprint:  %s (%s)\n", fingerprint, pin_state(cli, info));
	if (!may_inspect(info)) {
		if (info->sealed)
			(void)printf("Keys:         locked\n");
		return;
	}
	(void)printf("Keys:         %s, generation %u%s\n", info->key_provider,
	             info->kek_generation, info->sealed ? ", locked: union unlock" : "");
	if (info->stale_deks)
		(void)printf("Rotation:     %" PRIu64 " secrets still under an older generation\n",
		             info->stale_deks);
	(void)printf("Secrets:      %" PRIu64 "\n", info->secrets);
	(void)printf("Executions:   %" PRIu64 " active\n", info->active_executions);
	if (info->idle_timeout_seconds)
		(void)printf("Idle:         stops by itself after %u seconds\n",
		             info->idle_timeout_seconds);
}

static void
add_inspection(struct cli *cli, const Union__V1__GetInfoResponse *info, struct json_out *json)
{
	jout_number(json, "pid", info->pid);
	jout_text(json, "data_dir", info->data_dir);
	jout_text(json, "log_file", cli->embedded ? cli->paths.log_file : "");
	jout_text(json, "key_provider", info->key_provider);
	jout_number(json, "kek_generation", info->kek_generation);
	jout_number(json, "stale_deks", (int64_t)info->stale_deks);
	jout_number(json, "secrets", (int64_t)info->secrets);
	jout_number(json, "active_executions", (int64_t)info->active_executions);
	jout_number(json, "idle_timeout_seconds", info->idle_timeout_seconds);
}

static enum un_err
print_json(struct cli *cli, const Union__V1__GetInfoResponse *info, const char *fingerprint)
{
	char since[CLOCK_TEXT_MAX];
	struct json_out json;

	show_time(info->started_at, true, since);
	jout_init(&json);
	jout_open(&json, NULL, '{');
	jout_text(&json, "version", info->version);
	jout_text(&json, "endpoint", cli->url);
	jout_bool(&json, "embedded", cli->embedded);
	jout_text(&json, "instance_id", info->instance_id);
	jout_text(&json, "started_at", since);
	jout_text(&json, "fingerprint", fingerprint);
	jout_text(&json, "key_state", pin_state(cli, info));
	jout_bool(&json, "sealed", info->sealed);
	if (may_inspect(info))
		add_inspection(cli, info, &json);
	jout_close(&json, '}');
	return jout_print(&json);
}

int
command_info(struct cli *cli)
{
	Union__V1__GetInfoRequest request = UNION__V1__GET_INFO_REQUEST__INIT;
	Union__V1__GetInfoResponse *info = NULL;
	char fingerprint[FINGERPRINT_TEXT_MAX] = "none";
	enum un_err err = cli_call(cli, "/union.v1.PlaneService/GetInfo", &request,
	                           &union__v1__get_info_response__descriptor, &info);

	if (err)
		return cli_fail(cli, err);
	/* computed here: what a stranger says its fingerprint is means nothing */
	if (info->plane_key.len == BOX_PUBLIC_LEN)
		fingerprint_format(info->plane_key.data, fingerprint);
	if (cli_wants_json(cli))
		err = print_json(cli, info, fingerprint);
	else
		print_table(cli, info, fingerprint);
	channel_message_free(info);
	return err ? cli_fail(cli, err) : cli_finish(cli);
}
