#include "launch.h"

#include "base/alloc.h"
#include "base/io.h"
#include "base/text.h"
#include "bundle_check.h"
#include "crypto/hash.h"
#include "runs/bundles.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define HEADERS_MAX 16
#define NAME_LETTERS 13

typedef Flyteidl__Core__TaskTemplate__ConfigEntry config_entry;

void
launch_make_name(char name[EXECUTION_NAME_SIZE])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint8_t bytes[NAME_LETTERS];

	random_bytes(bytes, sizeof bytes);
	name[0] = 'f';
	for (size_t i = 0; i < NAME_LETTERS; i++)
		name[i + 1] = letters[bytes[i] & 31];
	name[NAME_LETTERS + 1] = '\0';
}

static enum un_err
put_bundle(struct cli *cli, const struct script *script,
           const Flyteidl__Service__CreateUploadLocationResponse *place)
{
	struct channel_header headers[HEADERS_MAX] = {{.name = "content-md5"}};
	struct channel_file file = {
		.url = place->signed_url, .headers = headers, .header_count = 1};
	struct buf md5;
	enum un_err err;

	if (place->n_headers > HEADERS_MAX - 1)
		return un_fail(&cli->detail, UN_ERR_PROTOCOL,
		               "the control plane asks for too many headers");
	for (size_t i = 0; i < place->n_headers; i++) {
		headers[file.header_count++] = (struct channel_header){
		        .name = place->headers[i]->key, .value = place->headers[i]->value};
	}
	buf_init(&md5, 64, BUF_PLAIN);
	err = text_append_base64(&md5, script->compiled->bundle_md5.data,
	                         script->compiled->bundle_md5.len);
	headers[0].value = buf_text(&md5);
	file.size = script->compiled->bundle_size;
	file.fd = open(script->bundle, O_RDONLY | O_CLOEXEC);
	if (!err && file.fd < 0)
		err = un_fail_errno(&cli->detail, errno, "cannot read the code bundle %s",
		                    script->bundle);
	if (!err)
		err = channel_put_file(cli->channel, &file, &cli->detail);
	io_close(&file.fd);
	buf_fini(&md5);
	return err;
}

static enum un_err
upload(struct cli *cli, const struct script *script, const struct execution_name *execution,
       Flyteidl__Service__CreateUploadLocationResponse **ret_place)
{
	Flyteidl__Service__CreateUploadLocationRequest request =
	        FLYTEIDL__SERVICE__CREATE_UPLOAD_LOCATION_REQUEST__INIT;
	enum un_err err;

	request.project = execution->id.project;
	request.domain = execution->id.domain;
	request.filename = (char *)"script_mode.tar.gz";
	request.content_md5 = script->compiled->bundle_md5;
	request.content_length = (int64_t)script->compiled->bundle_size;
	request.add_content_md5_metadata = 1;
	err = cli_call(cli, "/flyteidl.service.DataProxyService/CreateUploadLocation", &request,
	               &flyteidl__service__create_upload_location_response__descriptor, ret_place);
	return err ? err : put_bundle(cli, script, *ret_place);
}

/* Adds BUNDLE_CONFIG_KEY to a template; what is added is freed with the message. */
static enum un_err
set_bundle(Flyteidl__Core__TaskTemplate *template, const char *url)
{
	config_entry **larger = mem_realloc(template->config,
	                                    (template->n_config + 1) * sizeof(config_entry *));
	config_entry *entry;

	if (!larger)
		return UN_ERR_NO_MEMORY;
	template->config = larger;
	entry = mem_alloc(sizeof *entry);
	if (!entry)
		return UN_ERR_NO_MEMORY;
	flyteidl__core__task_template__config_entry__init(entry);
	entry->key = mem_strdup(BUNDLE_CONFIG_KEY);
	entry->value = mem_strdup(url);
	template->config[template->n_config++] = entry;
	return entry->key && entry->value ? UN_OK : UN_ERR_NO_MEMORY;
}

/* --env K=V, borrowed from the command line. */
struct envs {
	Flyteidl__Admin__Envs message;
	Flyteidl__Core__KeyValuePair pairs[CLI_REPEAT_MAX];
	Flyteidl__Core__KeyValuePair *list[CLI_REPEAT_MAX];
	char *names[CLI_REPEAT_MAX];
};

static bool
looks_secret(const char *name)
{
	static const char *const words[] = {"SECRET", "PASSWORD", "PASSWD", "TOKEN", "API_KEY",
	                                    "APIKEY", "CREDENTIAL", "PRIVATE_KEY"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strcasestr(name, words[i]))
			return true;
	}
	return false;
}

static enum un_err
read_envs(struct cli *cli, struct envs *envs)
{
	flyteidl__admin__envs__init(&envs->message);
	envs->message.values = envs->list;
	for (size_t i = 0; i < cli->repeated_count; i++) {
		const char *equals = strchr(cli->repeated[i], '=');
		size_t len = equals ? (size_t)(equals - cli->repeated[i]) : 0;
		enum un_err err;

		if (!len) {
			un_hint(&cli->detail, "write: --env NAME=VALUE");
			return un_fail(&cli->detail, UN_ERR_USAGE,
			               "--env needs a name and a value");
		}
		envs->names[i] = mem_strndup(cli->repeated[i], len);
		if (!envs->names[i])
			return UN_ERR_NO_MEMORY;
		err = name_check_env_var(envs->names[i], &cli->detail);
		if (err)
			return err;
		if (looks_secret(envs->names[i]))
			cli_note(cli,
			         "'%s' looks like a secret, but --env is stored and shown; better: "
			         "union "
			         "create secret, and secret_requests in the task",
			         envs->names[i]);
		flyteidl__core__key_value_pair__init(&envs->pairs[i]);
		envs->pairs[i].key = envs->names[i];
		envs->pairs[i].value = (char *)equals + 1;
		envs->list[i] = &envs->pairs[i];
		envs->message.n_values++;
	}
	return UN_OK;
}

static void
free_envs(struct envs *envs)
{
	for (size_t i = 0; i < CLI_REPEAT_MAX; i++)
		mem_free(envs->names[i]);
}

/* The defaults are nobody's typing error. */
static void
note_new_scope(struct cli *cli, const struct execution_name *execution,
               const Union__V1__LaunchResponse *reply)
{
	if (reply->project_is_new && (cli->option[OPT_PROJECT] || cli_env("FLYTE_DEFAULT_PROJECT")))
		cli_note_new(cli, "project", execution->id.project, reply->nearest_project);
	if (reply->domain_is_new && (cli->option[OPT_DOMAIN] || cli_env("FLYTE_DEFAULT_DOMAIN")))
		cli_note_new(cli, "domain", execution->id.domain, reply->nearest_domain);
}

static enum un_err
send_launch(struct cli *cli, const struct script *script, struct envs *envs,
            Flyteidl__Core__LiteralMap *inputs, const struct execution_name *execution)
{
	Union__V1__CompiledScript *compiled = script->compiled;
	Union__V1__LaunchRequest request = UNION__V1__LAUNCH_REQUEST__INIT;
	Flyteidl__Admin__ExecutionCreateRequest create =
		FLYTEIDL__ADMIN__EXECUTION_CREATE_REQUEST__INIT;
	Flyteidl__Admin__ExecutionSpec spec = FLYTEIDL__ADMIN__EXECUTION_SPEC__INIT;
	Flyteidl__Admin__ExecutionMetadata metadata = FLYTEIDL__ADMIN__EXECUTION_METADATA__INIT;
	Union__V1__LaunchResponse *reply = NULL;
	enum un_err err;

	spec.launch_plan = compiled->entity;
	spec.metadata = &metadata;
	if (envs->message.n_values)
		spec.envs = &envs->message;
	create.project = execution->id.project;
	create.domain = execution->id.domain;
	create.name = execution->id.name;
	create.spec = &spec;
	create.inputs = inputs;
	request.tasks = compiled->tasks;
	request.n_tasks = compiled->n_tasks;
	request.workflows = compiled->workflows;
	request.n_workflows = compiled->n_workflows;
	request.launch_plans = compiled->launch_plans;
	request.n_launch_plans = compiled->n_launch_plans;
	request.execution = &create;
	err = cli_call(cli, "/union.v1.RunService/Launch", &request,
	               &union__v1__launch_response__descriptor, &reply);
	if (err == UN_ERR_UNREACHABLE && cli_connect(cli) == UN_OK) {
		/* the answer was lost, perhaps not the request: the name tells */
		cli->detail = (struct un_detail){0};
		err = cli_call(cli, "/union.v1.RunService/Launch", &request,
		               &union__v1__launch_response__descriptor, &reply);
		if (err == UN_ERR_EXISTS && !cli->option[OPT_NAME])
			err = UN_OK;
	}
	if (!err && reply)
		note_new_scope(cli, execution, reply);
	channel_message_free(reply);
	return err;
}

enum un_err
launch(struct cli *cli, struct script *script, Flyteidl__Core__LiteralMap *inputs,
       struct execution_name *execution)
{
	Flyteidl__Service__CreateUploadLocationResponse *place = NULL;
	Union__V1__CompiledScript *compiled = script->compiled;
	struct envs *envs = mem_zalloc(1, sizeof *envs);
	enum un_err err = envs ? read_envs(cli, envs) : UN_ERR_NO_MEMORY;

	if (!err)
		err = bundle_check(cli, script->bundle);
	if (!err)
		err = cli_connect(cli);
	if (!err)
		err = upload(cli, script, execution, &place);
	for (size_t i = 0; !err && i < compiled->n_tasks; i++) {
		if (!compiled->tasks[i]->spec || !compiled->tasks[i]->spec->template_)
			err = un_fail(&cli->detail, UN_ERR_PROTOCOL,
			              "Python's answer is not whole");
		else
			err = set_bundle(compiled->tasks[i]->spec->template_, place->native_url);
	}
	if (!err)
		err = send_launch(cli, script, envs, inputs, execution);
	channel_message_free(place);
	if (envs)
		free_envs(envs);
	mem_free(envs);
	return err;
}
