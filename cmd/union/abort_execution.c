#include "cli.h"
#include "execution_name.h"

int
command_abort_execution(struct cli *cli)
{
	Flyteidl__Admin__ExecutionTerminateRequest request =
	        FLYTEIDL__ADMIN__EXECUTION_TERMINATE_REQUEST__INIT;
	Flyteidl__Admin__ExecutionTerminateResponse *reply = NULL;
	struct execution_name execution;
	enum un_err err = execution_name_init(&execution, cli, cli->args[0]);

	if (err)
		return cli_fail(cli, err);
	request.id = &execution.id;
	if (cli->option[OPT_REASON])
		request.cause = (char *)cli->option[OPT_REASON];
	err = cli_call(cli, "/flyteidl.service.AdminService/TerminateExecution", &request,
	               &flyteidl__admin__execution_terminate_response__descriptor, &reply);
	channel_message_free(reply);
	if (err)
		return cli_fail(cli, err);
	(void)fprintf(stderr, "Aborting execution '%s'; its tasks are being stopped\n",
	              cli->args[0]);
	return cli_finish(cli);
}
