#include "base/clock.h"
#include "cli.h"
#include "execution_name.h"
#include "follow.h"
#include "inputs.h"
#include "launch.h"
#include "run_local.h"
#include "script.h"
#include "wake.h"

#include <string.h>

static int
run_remote(struct cli *cli, struct script *script, Flyteidl__Core__LiteralMap *inputs,
           struct execution_name *execution)
{
	enum un_err err = launch(cli, script, inputs, execution);

	if (err)
		return cli_fail(cli, err);
	script_free(script); /* the bundle is uploaded */
	if (cli->option[OPT_NO_WAIT]) {
		(void)printf("%s\n", execution->id.name);
		return cli_finish(cli);
	}
	(void)fprintf(stderr, "Execution '%s' in project '%s', domain '%s'\n", execution->id.name,
	              execution->id.project, execution->id.domain);
	return follow(cli, execution);
}

static int
run_compiled(struct cli *cli, struct script *script, struct execution_name *execution)
{
	Flyteidl__Core__LiteralMap *inputs = NULL;
	bool help = false;
	int status;
	enum un_err err = inputs_read(cli, script->compiled, &inputs, &help);

	if (!err && help)
		err = inputs_print_help(cli, script->compiled);
	if (err)
		return cli_fail(cli, err);
	if (help)
		return cli_finish(cli);
	if (cli->option[OPT_REMOTE])
		status = run_remote(cli, script, inputs, execution);
	else
		status = run_local(cli, inputs);
	inputs_free(inputs);
	return status;
}

/* Options that mean something on a control plane only. */
static enum un_err
check_local(struct cli *cli)
{
	static const struct {
		enum option_id id;
		const char *name;
	} remote_only[] = {{OPT_NAME, "name"}, {OPT_ENV, "env"}, {OPT_NO_WAIT, "no-wait"},
	                   {OPT_ALLOW_SECRETS_IN_BUNDLE, "allow-secrets-in-bundle"}};

	for (size_t i = 0; i < sizeof remote_only / sizeof remote_only[0]; i++) {
		if (cli->option[remote_only[i].id]) {
			un_hint(&cli->detail, "add --remote");
			return un_fail(&cli->detail, UN_ERR_USAGE, "--%s needs --remote",
			               remote_only[i].name);
		}
	}
	return UN_OK;
}

int
command_run(struct cli *cli)
{
	Flyteidl__Core__LiteralMap none = FLYTEIDL__CORE__LITERAL_MAP__INIT;
	struct execution_name execution;
	char made[EXECUTION_NAME_SIZE];
	struct script script = {0};
	int status;
	enum un_err err;

	launch_make_name(made);
	err = execution_name_init(&execution, cli,
	                          cli->option[OPT_NAME] ? cli->option[OPT_NAME] : made);
	if (!err && !cli->option[OPT_REMOTE])
		err = check_local(cli);
	if (err)
		return cli_fail(cli, err);
	/* without inputs to read, the local run checks everything itself */
	if (!cli->option[OPT_REMOTE] && !cli->rest_count)
		return run_local(cli, &none);
	if (cli->option[OPT_REMOTE]) {
		err = wake_on_signals(cli);
		if (err)
			return cli_fail(cli, err);
	}
	err = script_compile(cli, cli->args[0], cli->args[1], &script);
	status = err ? cli_fail(cli, err) : run_compiled(cli, &script, &execution);
	script_free(&script);
	return status;
}
