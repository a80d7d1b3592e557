#include "base/clock.h"
#include "cli.h"
#include "execution_name.h"
#include "follow.h"
#include "log_lines.h"
#include "wake.h"

#include <unistd.h>

#define QUIET_TIMEOUT_MS 60000

static enum un_err
copy_logs(struct cli *cli, struct channel_stream *stream, struct log_lines *lines)
{
	for (;;) {
		Union__V1__LogChunk *chunk = NULL;
		enum un_err err = channel_stream_next(stream, clock_mono_ms() + QUIET_TIMEOUT_MS,
		                                      (ProtobufCMessage **)&chunk, &cli->detail);

		if (err || !chunk)
			return err;
		err = log_lines_push(lines, chunk->node_id, chunk->attempt, chunk->data.data,
		                     chunk->data.len);
		channel_message_free(chunk);
		if (err)
			return err;
		if (ferror(stdout))
			return UN_ERR_CANCELLED; /* cli_finish says why */
	}
}

int
command_logs(struct cli *cli)
{
	Union__V1__GetLogsRequest request = UNION__V1__GET_LOGS_REQUEST__INIT;
	struct channel_call call = {
	        .method = "/union.v1.RunService/GetLogs",
	        .request = &request.base,
	        .reply = &union__v1__log_chunk__descriptor,
	};
	struct channel_stream *stream = NULL;
	struct execution_name execution;
	struct log_lines *lines = NULL;
	enum un_err err = execution_name_init(&execution, cli, cli->args[0]);

	request.id = &execution.id;
	if (!err)
		err = wake_on_signals(cli);
	if (!err)
		err = cli_connect(cli);
	if (!err && cli->option[OPT_FOLLOW])
		return follow_logs(cli, &execution);
	if (!err)
		err = log_lines_new(stdout, isatty(STDOUT_FILENO), &lines);
	if (!err)
		err = channel_stream_open(cli->channel, &call, &stream, &cli->detail);
	if (!err)
		err = copy_logs(cli, stream, lines);
	channel_stream_free(stream);
	if (lines)
		log_lines_flush(lines, NULL);
	log_lines_free(lines);
	if (err == UN_ERR_CANCELLED && ferror(stdout))
		return cli_finish(cli);
	return err ? cli_fail(cli, err) : cli_finish(cli);
}
