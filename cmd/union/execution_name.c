#include "execution_name.h"

enum un_err
execution_name_init(struct execution_name *execution, struct cli *cli, const char *name)
{
	enum un_err err = scope_init(&execution->scope, cli_project(cli), cli_domain(cli),
	                             &cli->detail);

	if (!err && name)
		err = name_check_execution(name, &cli->detail);
	flyteidl__core__workflow_execution_identifier__init(&execution->id);
	execution->id.project = execution->scope.project;
	execution->id.domain = execution->scope.domain;
	if (name)
		execution->id.name = (char *)name;
	return err;
}
