#include "value_input.h"

#include "keeper/passphrase.h"
#include "model/name.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum un_err
open_file(const char *path, int *ret_fd, struct un_detail *detail)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat facts;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return un_fail(detail, UN_ERR_FILE_MISSING, "no such file: %.400s", path);
	if (fd < 0)
		return un_fail(detail, UN_ERR_FILE_UNREADABLE, "cannot read %.400s: %s", path,
		               strerrordesc_np(errno));
	if (fstat(fd, &facts) == 0 && S_ISDIR(facts.st_mode)) {
		(void)close(fd);
		return un_fail(detail, UN_ERR_FILE_IS_DIRECTORY, "%.400s is a directory", path);
	}
	*ret_fd = fd;
	return UN_OK;
}

void
value_drop_newline(struct secbuf *buf)
{
	size_t len = secbuf_len(buf);

	if (len && secbuf_peek(buf)[len - 1] == '\n')
		secbuf_shrink(buf, len - 1);
}

static enum un_err
read_fd(struct cli *cli, int fd, const char *name, struct secbuf **ret_value)
{
	enum un_err err = secbuf_read(fd, SECRET_VALUE_MAX, ret_value);

	if (err == UN_ERR_TOO_LARGE)
		return un_fail(&cli->detail, UN_ERR_VALUE_TOO_LARGE, "%.400s is larger than 1 MiB",
		               name);
	if (err && err != UN_ERR_NO_MEMORY)
		return un_fail(&cli->detail, UN_ERR_FILE_UNREADABLE, "cannot read %.400s", name);
	return err;
}

static enum un_err
read_path(struct cli *cli, const char *path, struct secbuf **ret_value)
{
	int fd = -1;
	enum un_err err;

	if (strcmp(path, "-") == 0)
		return read_fd(cli, STDIN_FILENO, "standard input", ret_value);
	err = open_file(path, &fd, &cli->detail);
	if (err)
		return err;
	err = read_fd(cli, fd, path, ret_value);
	(void)close(fd);
	return err;
}

enum un_err
value_input(struct cli *cli, struct secbuf **ret_value)
{
	const char *path = cli->option[OPT_FILE];
	const char *name = path && strcmp(path, "-") != 0 ? path : "standard input";
	struct secbuf *value = NULL;
	enum un_err err;

	if (path && cli->value)
		return un_fail(&cli->detail, UN_ERR_USAGE, "give either --file or --value");
	if (cli->value) {
		value = cli->value;
		cli->value = NULL;
		name = "the value";
		err = UN_OK;
	} else if (path) {
		err = read_path(cli, path, &value);
	} else if (!isatty(STDIN_FILENO)) {
		err = read_fd(cli, STDIN_FILENO, name, &value);
		if (!err)
			value_drop_newline(value);
	} else {
		name = "the value";
		err = terminal_ask("Enter secret value: ", SECRET_VALUE_MAX, &value, &cli->detail);
	}
	if (err)
		return err;
	if (!secbuf_len(value))
		err = un_fail(&cli->detail, UN_ERR_EMPTY_VALUE, "%.400s is empty", name);
	else if (secbuf_len(value) > SECRET_VALUE_MAX)
		err = un_fail(&cli->detail, UN_ERR_VALUE_TOO_LARGE, "%.400s is larger than 1 MiB",
		              name);
	if (err)
		secbuf_free(value);
	else
		*ret_value = value;
	return err;
}

static enum un_err
ask_passphrase(struct cli *cli, const char *prompt, bool is_new, struct secbuf **ret_passphrase)
{
	struct secbuf *first = NULL, *second = NULL;
	enum un_err err = terminal_ask(prompt, PASSPHRASE_MAX, &first, &cli->detail);

	if (!err && is_new)
		err = terminal_ask("Enter it again: ", PASSPHRASE_MAX, &second, &cli->detail);
	if (!err && is_new && !secbuf_equal(first, second))
		err = un_fail(&cli->detail, UN_ERR_INVALID, "the passphrases differ");
	secbuf_free(second);
	if (err)
		secbuf_free(first);
	else
		*ret_passphrase = first;
	return err;
}

enum un_err
passphrase_input(struct cli *cli, const char *prompt, bool is_new, struct secbuf **ret_passphrase)
{
	const char *path = cli->option[OPT_FILE];
	struct secbuf *passphrase = NULL;
	enum un_err err;

	if (path || !isatty(STDIN_FILENO)) {
		err = read_path(cli, path ? path : "-", &passphrase);
		if (!err)
			value_drop_newline(passphrase);
	} else {
		err = ask_passphrase(cli, prompt, is_new, &passphrase);
	}
	if (!err && (is_new || secbuf_len(passphrase) == 0))
		err = passphrase_check(passphrase, &cli->detail);
	else if (!err && passphrase_check(passphrase, NULL))
		err = UN_ERR_WRONG_PASSPHRASE; /* none of this length was ever accepted */
	if (err)
		secbuf_free(passphrase);
	else
		*ret_passphrase = passphrase;
	return err;
}
