#include "inputs.h"

#include "base/alloc.h"
#include "base/text.h"
#include "model/literal_json.h"
#include "model/literal_text.h"

#include <string.h>

#define INPUTS_MAX 1024
#define NAME_MAX_BYTES 256

typedef Flyteidl__Core__VariableMap__VariablesEntry variable_entry;
typedef Flyteidl__Core__LiteralMap__LiteralsEntry literal_entry;

static const Flyteidl__Core__VariableMap *
declared(const Union__V1__CompiledScript *compiled)
{
	return compiled->interface->inputs;
}

/* "batch-size" finds batch_size. */
static bool
same_name(const char *given, size_t len, const char *name)
{
	if (strlen(name) != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (given[i] != name[i] && !(given[i] == '-' && name[i] == '_'))
			return false;
	}
	return true;
}

static const variable_entry *
find_variable(const Flyteidl__Core__VariableMap *map, const char *given, size_t len)
{
	for (size_t i = 0; map && i < map->n_variables; i++) {
		if (same_name(given, len, map->variables[i]->key))
			return map->variables[i];
	}
	return NULL;
}

static const Flyteidl__Core__Literal *
find_default(const Union__V1__CompiledScript *compiled, const char *name)
{
	const Flyteidl__Core__ParameterMap *map = compiled->parameters;

	for (size_t i = 0; map && i < map->n_parameters; i++) {
		const Flyteidl__Core__Parameter *parameter = map->parameters[i]->value;

		if (parameter && strcmp(map->parameters[i]->key, name) == 0 &&
		    parameter->behavior_case == FLYTEIDL__CORE__PARAMETER__BEHAVIOR_DEFAULT)
			return parameter->default_;
	}
	return NULL;
}

static bool
is_bool(const variable_entry *entry)
{
	const Flyteidl__Core__LiteralType *type = entry->value ? entry->value->type : NULL;

	return type && type->type_case == FLYTEIDL__CORE__LITERAL_TYPE__TYPE_SIMPLE &&
	       type->simple == FLYTEIDL__CORE__SIMPLE_TYPE__BOOLEAN;
}

void
inputs_free(Flyteidl__Core__LiteralMap *inputs)
{
	if (inputs)
		flyteidl__core__literal_map__free_unpacked(inputs, NULL);
}

static enum un_err
new_map(Flyteidl__Core__LiteralMap **ret_map)
{
	Flyteidl__Core__LiteralMap *map = mem_alloc(sizeof *map);

	if (!map)
		return UN_ERR_NO_MEMORY;
	flyteidl__core__literal_map__init(map);
	map->literals = mem_zalloc(INPUTS_MAX, sizeof(literal_entry *));
	if (!map->literals) {
		mem_free(map);
		return UN_ERR_NO_MEMORY;
	}
	*ret_map = map;
	return UN_OK;
}

/* Takes over `value`, also when it fails. */
static enum un_err
add_literal(Flyteidl__Core__LiteralMap *map, const char *name, Flyteidl__Core__Literal *value)
{
	literal_entry *entry = map->n_literals < INPUTS_MAX ? mem_alloc(sizeof *entry) : NULL;

	if (!entry) {
		literal_free(value);
		return UN_ERR_NO_MEMORY;
	}
	flyteidl__core__literal_map__literals_entry__init(entry);
	entry->key = mem_strdup(name);
	entry->value = value;
	map->literals[map->n_literals++] = entry;
	return entry->key ? UN_OK : UN_ERR_NO_MEMORY;
}

static bool
has_literal(const Flyteidl__Core__LiteralMap *map, const char *name)
{
	for (size_t i = 0; i < map->n_literals; i++) {
		if (strcmp(map->literals[i]->key, name) == 0)
			return true;
	}
	return false;
}

static enum un_err
unknown_input(struct cli *cli, const Union__V1__CompiledScript *compiled, const char *word,
              size_t len)
{
	const char *words[INPUTS_MAX], *nearest;
	char name[NAME_MAX_BYTES];
	size_t count = 0;

	(void)snprintf(name, sizeof name, "%.*s", (int)len, word);
	for (size_t i = 0; i < cli->command->option_count; i++) {
		if (strcmp(cli->command->options[i].name, name) == 0) {
			un_hint(&cli->detail, "options of 'union run' stand before '%s'",
			        cli->args[1]);
			return un_fail(&cli->detail, UN_ERR_INPUT_UNKNOWN, "'%s' has no input '%s'",
			               cli->args[1], name);
		}
	}
	for (size_t i = 0; declared(compiled) && i < declared(compiled)->n_variables; i++)
		words[count++] = declared(compiled)->variables[i]->key;
	nearest = text_nearest(name, words, count);
	if (nearest)
		un_hint(&cli->detail, "did you mean: --%s", nearest);
	else
		un_hint(&cli->detail, "see its inputs: union run %s %s --help", cli->args[0],
		        cli->args[1]);
	return un_fail(&cli->detail, UN_ERR_INPUT_UNKNOWN, "'%s' has no input '%s'", cli->args[1],
	               name);
}

static enum un_err
take_input(struct cli *cli, Flyteidl__Core__LiteralMap *map, const variable_entry *entry,
           const char *text)
{
	Flyteidl__Core__Literal *value = NULL;
	enum un_err err;

	if (has_literal(map, entry->key))
		return un_fail(&cli->detail, UN_ERR_USAGE, "--%s is given twice", entry->key);
	if (!entry->value || !entry->value->type)
		return un_fail(&cli->detail, UN_ERR_PROTOCOL, "Python's answer is not whole");
	err = literal_from_text(entry->key, entry->value->type, text, &value, &cli->detail);
	return err ? err : add_literal(map, entry->key, value);
}

/* --name VALUE, --name=VALUE; for a bool also --name and --no-name. */
static enum un_err
read_one(struct cli *cli, const Union__V1__CompiledScript *compiled,
         Flyteidl__Core__LiteralMap *map, int *at)
{
	const char *word = cli->rest[(*at)++], *name = word + 2;
	const char *equals = strchr(word, '='),
		   *next = *at < cli->rest_count ? cli->rest[*at] : NULL;
	size_t len = equals ? (size_t)(equals - name) : strlen(name);
	const variable_entry *entry;

	if (strncmp(word, "--", 2) != 0) {
		un_hint(&cli->detail, "inputs are given as --NAME VALUE");
		return un_fail(&cli->detail, UN_ERR_USAGE, "'%.100s' belongs to no input", word);
	}
	entry = find_variable(declared(compiled), name, len);
	if (!entry && len > 3 && strncmp(name, "no-", 3) == 0 && !equals) {
		entry = find_variable(declared(compiled), name + 3, len - 3);
		if (entry && is_bool(entry))
			return take_input(cli, map, entry, "false");
		entry = NULL;
	}
	if (!entry)
		return unknown_input(cli, compiled, name, len);
	if (equals)
		return take_input(cli, map, entry, equals + 1);
	if (is_bool(entry) && (!next || strncmp(next, "--", 2) == 0))
		return take_input(cli, map, entry, "true");
	if (!next)
		return un_fail(&cli->detail, UN_ERR_USAGE, "--%s needs a value", entry->key);
	++*at;
	return take_input(cli, map, entry, next);
}

static enum un_err
fill_defaults(struct cli *cli, const Union__V1__CompiledScript *compiled,
              Flyteidl__Core__LiteralMap *map)
{
	const Flyteidl__Core__VariableMap *variables = declared(compiled);
	char missing[512] = "";
	enum un_err err = UN_OK;

	for (size_t i = 0; variables && i < variables->n_variables && !err; i++) {
		const char *name = variables->variables[i]->key;
		const Flyteidl__Core__Literal *value = find_default(compiled, name);
		ProtobufCMessage *copy = NULL;

		if (has_literal(map, name))
			continue;
		if (!value) {
			size_t used = strlen(missing);

			(void)snprintf(missing + used, sizeof missing - used, "%s--%s",
			               used ? ", " : "", name);
			continue;
		}
		err = message_copy(&value->base, &copy);
		if (!err)
			err = add_literal(map, name, (Flyteidl__Core__Literal *)copy);
	}
	if (err || !missing[0])
		return err;
	un_hint(&cli->detail, "see its inputs: union run %s %s --help", cli->args[0], cli->args[1]);
	return un_fail(&cli->detail, UN_ERR_INPUT_MISSING, "'%s' needs %s", cli->args[1], missing);
}

enum un_err
inputs_read(struct cli *cli, const Union__V1__CompiledScript *compiled,
            Flyteidl__Core__LiteralMap **ret_inputs, bool *ret_help)
{
	Flyteidl__Core__LiteralMap *map = NULL;
	enum un_err err;

	for (int i = 0; i < cli->rest_count; i++) {
		*ret_help = *ret_help || strcmp(cli->rest[i], "--help") == 0 ||
		            strcmp(cli->rest[i], "-h") == 0;
	}
	if (*ret_help)
		return UN_OK;
	if (declared(compiled) && declared(compiled)->n_variables > INPUTS_MAX)
		return un_fail(&cli->detail, UN_ERR_TOO_LARGE, "more than %d inputs", INPUTS_MAX);
	err = new_map(&map);
	for (int at = 0; !err && at < cli->rest_count;)
		err = read_one(cli, compiled, map, &at);
	if (!err)
		err = fill_defaults(cli, compiled, map);
	if (err)
		inputs_free(map);
	else
		*ret_inputs = map;
	return err;
}

/* "(default: 0.5)" or "(required)" */
static enum un_err
append_default(const Union__V1__CompiledScript *compiled, const char *name, struct buf *line)
{
	const Flyteidl__Core__Literal *value = find_default(compiled, name);
	enum un_err err;

	if (!value)
		return buf_append_text(line, " (required)");
	err = buf_append_text(line, " (default: ");
	if (!err)
		err = literal_to_json(line, value);
	return err ? err : buf_append_byte(line, ')');
}

static enum un_err
print_input(const Union__V1__CompiledScript *compiled, const variable_entry *entry)
{
	const char *description = entry->value->description;
	struct buf line;
	enum un_err err;

	buf_init(&line, 1u << 20, BUF_PLAIN);
	err = buf_appendf(&line, "  --%s ", entry->key);
	if (!err)
		err = literal_type_append(&line, entry->value->type);
	if (!err)
		err = append_default(compiled, entry->key, &line);
	if (!err) {
		print_clean(stdout, buf_text(&line), line.len);
		(void)putchar('\n');
	}
	/* flytekit repeats the name where there is no description */
	if (!err && description[0] && strcmp(description, entry->key) != 0) {
		(void)printf("      ");
		print_clean(stdout, description, strlen(description));
		(void)putchar('\n');
	}
	buf_fini(&line);
	return err;
}

enum un_err
inputs_print_help(struct cli *cli, const Union__V1__CompiledScript *compiled)
{
	enum un_err err = UN_OK;

	(void)printf("usage: union run [OPTIONS] %s %s [--INPUT VALUE ...]\n", cli->args[0],
	             cli->args[1]);
	if (compiled->docstring[0]) {
		(void)putchar('\n');
		print_clean(stdout, compiled->docstring, strlen(compiled->docstring));
		(void)putchar('\n');
	}
	if (!compiled->n_input_order) {
		(void)printf("\nIt takes no inputs.\n");
		return UN_OK;
	}
	(void)printf("\ninputs:\n");
	for (size_t i = 0; !err && i < compiled->n_input_order; i++) {
		const char *name = compiled->input_order[i];
		const variable_entry *entry = find_variable(declared(compiled), name, strlen(name));

		if (entry && entry->value && entry->value->type)
			err = print_input(compiled, entry);
	}
	return err;
}
