#include "args.h"

#include "base/text.h"

#include <string.h>

#define WORDS_MAX 64

const struct command_spec *
args_find_command(const char *first, const char *second)
{
	for (size_t i = 0; i < command_count; i++) {
		const char *name = commands[i].name;
		size_t len = strlen(first);

		if (strncmp(name, first, len) != 0)
			continue;
		if (!name[len] ||
		    (name[len] == ' ' && second && strcmp(name + len + 1, second) == 0))
			return &commands[i];
	}
	return NULL;
}

/* The distinct first words, or the second words behind `first`. */
static size_t
collect_words(const char *first, const char *words[WORDS_MAX], char storage[WORDS_MAX][32])
{
	size_t count = 0;

	for (size_t i = 0; i < command_count && count < WORDS_MAX; i++) {
		const char *name = commands[i].name, *blank = strchr(name, ' ');
		size_t first_len = blank ? (size_t)(blank - name) : strlen(name);

		if (!first) {
			memcpy(storage[count], name, first_len);
			storage[count][first_len] = '\0';
			if (count && strcmp(storage[count - 1], storage[count]) == 0)
				continue;
			words[count] = storage[count];
			count++;
		} else if (blank && strlen(first) == first_len &&
		           strncmp(name, first, first_len) == 0) {
			words[count++] = blank + 1;
		}
	}
	return count;
}

static enum un_err
unknown_command(struct cli *cli, const char *first, const char *second)
{
	char storage[WORDS_MAX][32];
	const char *words[WORDS_MAX], *nearest;
	size_t count = collect_words(first, words, storage);
	char list[256] = "";

	if (count && !second) {
		for (size_t i = 0; i < count; i++) {
			strncat(list, i ? ", " : "", sizeof list - strlen(list) - 1);
			strncat(list, words[i], sizeof list - strlen(list) - 1);
		}
		un_hint(&cli->detail, "one of: %s", list);
		return un_fail(&cli->detail, UN_ERR_USAGE, "what shall '%.100s' be applied to?",
		               first);
	}
	if (count) {
		nearest = text_nearest(second, words, count);
		if (!nearest && count == 1)
			nearest = words[0];
		un_hint(&cli->detail, nearest ? "did you mean: union %s %s" : "see: union --help",
		        first, nearest);
		return un_fail(&cli->detail, UN_ERR_USAGE, "unknown command '%.100s %.100s'", first,
		               second);
	}
	count = collect_words(NULL, words, storage);
	nearest = text_nearest(first, words, count);
	if (nearest)
		un_hint(&cli->detail, "did you mean: union %s", nearest);
	else
		un_hint(&cli->detail, "see: union --help");
	return un_fail(&cli->detail, UN_ERR_USAGE, "unknown command '%.100s'", first);
}

static const struct option_spec *
find_in(const struct command_spec *spec, const char *name, size_t len, char letter)
{
	for (size_t i = 0; spec && i < spec->option_count; i++) {
		const struct option_spec *option = &spec->options[i];

		if (letter ? option->letter == letter
		           : strlen(option->name) == len && strncmp(option->name, name, len) == 0)
			return option;
	}
	return NULL;
}

static enum un_err
unknown_option(struct cli *cli, const char *word, size_t len)
{
	const char *words[WORDS_MAX], *nearest;
	const struct command_spec *specs[] = {cli->command, &command_top};
	char copy[WORDS_MAX];
	size_t count = 0;

	for (size_t s = 0; s < 2; s++) {
		for (size_t i = 0; specs[s] && i < specs[s]->option_count && count < WORDS_MAX; i++)
			words[count++] = specs[s]->options[i].name;
	}
	if (len >= sizeof copy)
		len = sizeof copy - 1;
	memcpy(copy, word, len);
	copy[len] = '\0';
	nearest = word[0] == '-' && word[1] == '-' ? text_nearest(copy + 2, words, count) : NULL;
	if (nearest)
		un_hint(&cli->detail, "did you mean: --%s", nearest);
	else
		un_hint(&cli->detail, "see: union %s%s--help",
		        cli->command ? cli->command->name : "", cli->command ? " " : "");
	return un_fail(&cli->detail, UN_ERR_USAGE, "unknown option '%s'", copy);
}

static enum un_err
check_choice(struct cli *cli, const struct option_spec *option, const char *value)
{
	char list[256] = "";

	for (size_t i = 0; option->choices[i]; i++) {
		if (strcmp(option->choices[i], value) == 0)
			return UN_OK;
		strncat(list, i ? ", " : "", sizeof list - strlen(list) - 1);
		strncat(list, option->choices[i], sizeof list - strlen(list) - 1);
	}
	un_hint(&cli->detail, "one of: %s", list);
	return un_fail(&cli->detail, UN_ERR_USAGE, "--%s cannot be '%.100s'", option->name, value);
}

static enum un_err
take_secret(struct cli *cli, char *value)
{
	size_t len = strlen(value);
	struct secbuf *copy = NULL;
	enum un_err err = secbuf_copy(value, len, &copy);

	explicit_bzero(value, len); /* also what ps(1) shows */
	if (err)
		return err;
	secbuf_free(cli->value);
	cli->value = copy;
	return UN_OK;
}

static enum un_err
store_option(struct cli *cli, const struct option_spec *option, char *value)
{
	enum un_err err;

	if (!value) {
		cli->option[option->id] = "";
		return UN_OK;
	}
	if (option->secret) {
		cli->option[option->id] = "";
		return take_secret(cli, value);
	}
	if (option->choices) {
		err = check_choice(cli, option, value);
		if (err)
			return err;
	}
	if (option->repeat) {
		if (cli->repeated_count == CLI_REPEAT_MAX)
			return un_fail(&cli->detail, UN_ERR_USAGE, "--%s is given too often",
			               option->name);
		cli->repeated[cli->repeated_count++] = value;
	} else if (cli->option[option->id] && strcmp(cli->option[option->id], value) != 0) {
		return un_fail(&cli->detail, UN_ERR_USAGE, "--%s is given twice", option->name);
	}
	cli->option[option->id] = value;
	return UN_OK;
}

struct words {
	char **argv;
	int argc;
	int at;
};

/* argv[at] begins with '-': reads it and, when it needs one, its value. */
static enum un_err
read_option(struct cli *cli, struct words *words)
{
	char *word = words->argv[words->at++];
	bool is_long = word[1] == '-';
	char *equals = is_long ? strchr(word, '=') : NULL, *value = NULL;
	size_t len = is_long ? (equals ? (size_t)(equals - word) - 2 : strlen(word + 2)) : 1;
	char letter = is_long ? '\0' : word[1];
	const struct option_spec *option = find_in(cli->command, word + 2, len, letter);

	if (!option)
		option = find_in(&command_top, word + 2, len, letter);
	if (!option)
		return unknown_option(cli, word, is_long ? len + 2 : strlen(word));
	if (equals)
		value = equals + 1;
	else if (!is_long && word[2])
		value = word + 2;
	if (!option->argument) {
		if (value)
			return un_fail(&cli->detail, UN_ERR_USAGE, "--%s takes no value",
			               option->name);
		return store_option(cli, option, NULL);
	}
	if (!value && words->at < words->argc)
		value = words->argv[words->at++];
	if (!value) {
		un_hint(&cli->detail, "write: --%s %s", option->name, option->argument);
		return un_fail(&cli->detail, UN_ERR_USAGE, "--%s needs a value", option->name);
	}
	return store_option(cli, option, value);
}

static enum un_err
take_argument(struct cli *cli, char *word)
{
	if (cli->arg_count < cli->command->most && cli->arg_count < CLI_ARGS_MAX) {
		cli->args[cli->arg_count++] = word;
		return UN_OK;
	}
	un_hint(&cli->detail, "usage: %s", cli->command->usage);
	return un_fail(&cli->detail, UN_ERR_USAGE, "one argument too many: '%.100s'", word);
}

/* Whether an option of any command with this first word (NULL: any at all) takes the next word as
 * its value. The command is not known yet, so an option that only another one has counts too. */
static bool
takes_next_word(const char *first, const char *word)
{
	bool is_long = word[1] == '-';
	size_t first_len = first ? strlen(first) : 0;
	const struct option_spec *option;

	if (is_long ? strchr(word, '=') != NULL : word[2] != '\0')
		return false;
	option = find_in(&command_top, word + 2, strlen(word) - 1 - is_long, is_long ? 0 : word[1]);
	for (size_t i = 0; !option && i < command_count; i++) {
		if (!first || strncmp(commands[i].name, first, first_len) == 0)
			option = find_in(&commands[i], word + 2, strlen(word) - 1 - is_long,
			                 is_long ? 0 : word[1]);
	}
	return option && option->argument;
}

/* Where the one or two words of the command stand; options may stand before and between. */
struct command_words {
	int at[2]; /* 0: none */
};

static enum un_err
find_command(struct cli *cli, int argc, char **argv, struct command_words *words)
{
	const char *first = NULL;

	for (int i = 1; i < argc && !cli->command; i++) {
		if (argv[i][0] == '-' && argv[i][1]) {
			if (strcmp(argv[i], "--") == 0)
				break;
			i += takes_next_word(first, argv[i]);
			continue;
		}
		words->at[first != NULL] = i;
		cli->command = args_find_command(first ? first : argv[i], first ? argv[i] : NULL);
		if (first && !cli->command)
			return unknown_command(cli, first, argv[i]);
		first = first ? first : argv[i];
	}
	for (int i = 1; i < argc && !cli->command; i++) {
		if (strcmp(argv[i], "-h") == 0 || strcmp(argv[i], "--help") == 0) {
			cli->group = first;
			return UN_OK;
		}
	}
	if (cli->command || !first)
		return UN_OK;
	return unknown_command(cli, first, NULL);
}

static enum un_err
check_count(struct cli *cli)
{
	const char *usage = cli->command->usage + strlen("union ") + strlen(cli->command->name);
	char word[32] = "";
	size_t len = 0;

	if (cli->arg_count >= cli->command->least)
		return UN_OK;
	/* the usage names the arguments in capitals, in their order */
	for (unsigned skip = cli->arg_count + 1; skip && *usage; skip--) {
		usage += strcspn(usage, "[ABCDEFGHIJKLMNOPQRSTUVWXYZ");
		if (*usage == '[') {
			usage += strcspn(usage, "]");
			skip++;
			continue;
		}
		len = strspn(usage, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
		(void)snprintf(word, sizeof word, "%.*s", (int)len, usage);
		usage += len;
	}
	for (char *p = word; *p; p++)
		*p = (char)(*p >= 'A' && *p <= 'Z' ? *p + ('a' - 'A') : *p);
	un_hint(&cli->detail, "usage: %s", cli->command->usage);
	return un_fail(&cli->detail, UN_ERR_USAGE, "the %s is missing",
	               word[0] ? word : "argument");
}

enum un_err
args_parse(struct cli *cli, int argc, char **argv, bool *ret_help)
{
	struct words words = {.argv = argv, .argc = argc, .at = 1};
	struct command_words command = {{0, 0}};
	bool only_arguments = false;
	enum un_err err = find_command(cli, argc, argv, &command);

	while (!err && words.at < argc) {
		char *word = argv[words.at];

		if (words.at == command.at[0] || words.at == command.at[1]) {
			words.at++;
			continue;
		}
		if (cli->command && cli->command->rest && cli->arg_count == cli->command->most)
			break;
		if (!only_arguments && strcmp(word, "--") == 0) {
			only_arguments = true;
			words.at++;
		} else if (!only_arguments && word[0] == '-' && word[1]) {
			err = read_option(cli, &words);
		} else if (!cli->command) {
			err = un_fail(&cli->detail, UN_ERR_USAGE,
			              "a command is missing before '%.100s'", word);
		} else {
			words.at++;
			err = take_argument(cli, word);
		}
	}
	if (err)
		return err;
	cli->rest = argv + words.at;
	cli->rest_count = argc - words.at;
	*ret_help = cli->option[OPT_HELP] || argc <= 1;
	if (*ret_help || cli->option[OPT_VERSION])
		return UN_OK;
	if (!cli->command)
		return un_fail(&cli->detail, UN_ERR_USAGE, "a command is missing");
	return check_count(cli);
}
