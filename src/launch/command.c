#include "launch/command.h"

#include "base/alloc.h"
#include "launch/template.h"
#include "model/secret_request.h"
#include "runs/bundles.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const Flyteidl__Core__Container *
container_of(const Union__V1__ClaimResponse *claim)
{
	if (!claim->task ||
	    claim->task->target_case != FLYTEIDL__CORE__TASK_TEMPLATE__TARGET_CONTAINER)
		return NULL;
	return claim->task->container;
}

static bool
is_bundle_url(const char *word)
{
	return strncmp(word, BUNDLE_URL_PREFIX, sizeof BUNDLE_URL_PREFIX - 1) == 0;
}

bool
command_unpacks(const Union__V1__ClaimResponse *claim)
{
	const Flyteidl__Core__Container *container = container_of(claim);

	for (size_t i = 0; container && i < container->n_args; i++)
		if (is_bundle_url(container->args[i]))
			return true;
	return false;
}

/* Our SDK's tasks have their bundle in their configuration, and theirs alone get our package: it
 * has the name of the one that other SDKs would load. */
static bool
is_of_our_sdk(const Union__V1__ClaimResponse *claim)
{
	for (size_t i = 0; claim->task && i < claim->task->n_config; i++)
		if (strcmp(claim->task->config[i]->key, BUNDLE_CONFIG_KEY) == 0)
			return true;
	return false;
}

static enum un_err
add_word(struct command *command, const char *word, const struct template_value *values,
         size_t value_count)
{
	struct buf out;
	enum un_err err;

	buf_init(&out, COMMAND_BYTES_MAX, BUF_PLAIN);
	err = template_expand(word, values, value_count, &out);
	if (!err)
		command->words[command->count] = mem_strdup(buf_text(&out));
	if (!err && !command->words[command->count++])
		err = UN_ERR_NO_MEMORY;
	buf_fini(&out);
	return err;
}

enum un_err
command_init(struct command *command, const Union__V1__ClaimResponse *claim,
             const struct attempt_paths *paths, struct un_detail *detail)
{
	const Flyteidl__Core__Container *container = container_of(claim);
	const Flyteidl__Core__WorkflowExecutionIdentifier *execution = claim->execution;
	char unique[192], namespace[192];
	struct template_value values[] = {
	        {"input", paths->inputs},
	        {"inputPrefix", paths->inputs},
	        {"outputPrefix", paths->outputs},
	        {"rawOutputDataPrefix", paths->raw},
	        {"checkpointOutputPrefix", paths->checkpoints},
	        {"prevCheckpointPrefix", "\"\""},
	        {"perRetryUniqueKey", unique},
	        {"namespace", namespace},
	        {"runName", execution ? execution->name : ""},
	        {"actionName", claim->node_id},
	};
	enum un_err err = UN_OK;

	memset(command, 0, sizeof *command);
	if (!container || container->n_command + container->n_args == 0)
		return un_fail(detail, UN_ERR_INVALID, "the task has no command to run");
	if (container->n_command + container->n_args > COMMAND_WORDS_MAX)
		return un_fail(detail, UN_ERR_TOO_LARGE, "the task's command has too many words");
	(void)snprintf(unique, sizeof unique, "%s-%s-%u", execution ? execution->name : "",
	               claim->node_id, claim->attempt);
	(void)snprintf(namespace, sizeof namespace, "%s-%s", execution ? execution->project : "",
	               execution ? execution->domain : "");
	command->words = mem_zalloc(container->n_command + container->n_args + 1,
	                            sizeof *command->words);
	if (!command->words)
		return UN_ERR_NO_MEMORY;
	for (size_t i = 0; !err && i < container->n_command; i++)
		err = add_word(command, container->command[i], values,
		               sizeof values / sizeof *values);
	for (size_t i = 0; !err && i < container->n_args; i++)
		err = add_word(command,
		               paths->bundle[0] && is_bundle_url(container->args[i]) ?
		                       paths->bundle :
		                       container->args[i],
		               values, sizeof values / sizeof *values);
	if (err)
		command_fini(command);
	return err;
}

void
command_fini(struct command *command)
{
	for (size_t i = 0; i < command->count; i++)
		mem_free(command->words[i]);
	mem_free(command->words);
	memset(command, 0, sizeof *command);
}

/* What a task may know of the place where the launcher was started. */
static bool
is_passed_on(const char *entry, size_t name_len, bool stranger)
{
	/* the last three tell of us: not to a task that is somebody else */
	static const char *const names[] = {"PATH",    "LANG",     "LANGUAGE",      "TZ",
	                                    "TERM",    "HOSTNAME", "SSL_CERT_FILE", "SSL_CERT_DIR",
	                                    "SHELL",   "HOME",     "USER",          "LOGNAME"};
	size_t count = sizeof names / sizeof *names - (stranger ? 3 : 0);

	if (name_len > 3 && strncmp(entry, "LC_", 3) == 0)
		return true;
	for (size_t i = 0; i < count; i++)
		if (strlen(names[i]) == name_len && strncmp(entry, names[i], name_len) == 0)
			return true;
	return false;
}

static enum un_err
inherit(char *const *inherited, bool stranger, struct environment *environment)
{
	for (size_t i = 0; inherited[i]; i++) {
		size_t len = strcspn(inherited[i], "=");
		char name[64];
		enum un_err err;

		if (len == 0 || len >= sizeof name || !inherited[i][len] ||
		    !is_passed_on(inherited[i], len, stranger))
			continue;
		memcpy(name, inherited[i], len);
		name[len] = '\0';
		err = environment_set(environment, name, inherited[i] + len + 1);
		if (err)
			return err;
	}
	return UN_OK;
}

static enum un_err
set_pairs(Flyteidl__Core__KeyValuePair *const *pairs, size_t count, struct environment *environment,
          struct un_detail *detail)
{
	for (size_t i = 0; i < count; i++) {
		enum un_err err = environment_set(environment, pairs[i]->key, pairs[i]->value);

		if (err == UN_ERR_INVALID)
			return un_fail(detail, err, "'%.64s' cannot be an environment variable",
			               pairs[i]->key);
		if (err)
			return err;
	}
	return UN_OK;
}

struct fact {
	const char *name;
	const char *text;
};

static enum un_err
set_facts(const struct fact *facts, size_t count, struct environment *environment)
{
	for (size_t i = 0; i < count; i++) {
		enum un_err err =
			facts[i].text ? environment_set(environment, facts[i].name, facts[i].text)
				      : UN_OK;

		if (err)
			return err;
	}
	return UN_OK;
}

/* What the runtime itself tells the task: nothing before may have the last word on it. */
static enum un_err
set_runtime(const Union__V1__ClaimResponse *claim, const struct attempt_paths *paths,
            struct command_facts *texts, struct environment *environment)
{
	const Flyteidl__Core__WorkflowExecutionIdentifier *execution = claim->execution;
	const Flyteidl__Core__Identifier *task = claim->task ? claim->task->id : NULL;
	const char *python_path = environment_get(environment, "PYTHONPATH");
	const char *sdk = is_of_our_sdk(claim) ? paths->sdk : NULL;
	struct fact facts[] = {
	        {"FLYTE_INTERNAL_EXECUTION_ID", execution ? execution->name : NULL},
	        {"FLYTE_INTERNAL_EXECUTION_PROJECT", execution ? execution->project : NULL},
	        {"FLYTE_INTERNAL_EXECUTION_DOMAIN", execution ? execution->domain : NULL},
	        {"FLYTE_INTERNAL_TASK_PROJECT", task ? task->project : NULL},
	        {"FLYTE_INTERNAL_TASK_DOMAIN", task ? task->domain : NULL},
	        {"FLYTE_INTERNAL_TASK_NAME", task ? task->name : NULL},
	        {"FLYTE_INTERNAL_TASK_VERSION", task ? task->version : NULL},
	        {"FLYTE_ATTEMPT_NUMBER", texts->attempt},
	        {"FLYTE_SECRETS_ENV_PREFIX", SECRET_ENV_PREFIX},
	        {"FLYTE_SECRETS_DEFAULT_DIR", paths->secrets},
	        {"FLYTE_SECRETS_FILE_PREFIX", ""},
	        {"TMPDIR", paths->temporary},
	        {"PYTHONPATH", sdk ? texts->python_path : NULL},
	};

	(void)snprintf(texts->attempt, sizeof texts->attempt, "%u", claim->attempt);
	if (sdk) {
		int len = snprintf(texts->python_path, sizeof texts->python_path, "%s%s%s",
		                   sdk, python_path && *python_path ? ":" : "",
		                   python_path ? python_path : "");

		if (len < 0 || (size_t)len >= sizeof texts->python_path)
			return UN_ERR_TOO_LARGE;
	}
	return set_facts(facts, sizeof facts / sizeof *facts, environment);
}

enum un_err
command_environment(const Union__V1__ClaimResponse *claim, const struct attempt_paths *paths,
                    char *const *inherited, struct command_facts *texts,
                    struct environment *environment, struct un_detail *detail)
{
	/* Output as it is written, and no caches in a folder that is thrown away. */
	static const struct fact defaults[] = {{"PATH", DEFAULT_PATH},
	                                       {"HOME", "/"},
	                                       {"LANG", "C.UTF-8"},
	                                       {"PYTHONUNBUFFERED", "1"},
	                                       {"PYTHONDONTWRITEBYTECODE", "1"}};
	const Flyteidl__Core__Container *container = container_of(claim);
	enum un_err err = set_facts(defaults, sizeof defaults / sizeof *defaults, environment);

	if (!err)
		err = inherit(inherited, paths->home != NULL, environment);
	if (!err && paths->home)
		err = environment_set(environment, "HOME", paths->home);
	if (!err && container)
		err = set_pairs(container->env, container->n_env, environment, detail);
	if (!err)
		err = set_pairs(claim->envs, claim->n_envs, environment, detail);
	if (!err)
		err = set_runtime(claim, paths, texts, environment);
	return err;
}
