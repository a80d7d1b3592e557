#include "script.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "model/wire.h"
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMPILED_MAX (64u << 20)
#define COMPILE_TIMEOUT_MS 600000 /* importing a large library from a cold disk takes its time */
#define READ_STEP 65536

const char *
script_python(const struct cli *cli)
{
	const char *python = cli->option[OPT_PYTHON];

	if (!python)
		python = cli_env("UNION_PYTHON");
	return python ? python : "python3";
}

void
script_environment_fini(struct script_environment *environment)
{
	mem_free(environment->path);
	mem_free(environment->list);
}

static enum un_err
make_path(const char *sdk_dir, char **ret_path)
{
	const char *rest = cli_env("PYTHONPATH");
	struct buf text;
	size_t len;
	enum un_err err;

	buf_init(&text, 1u << 20, BUF_PLAIN);
	err = buf_appendf(&text, "PYTHONPATH=%s%s%s", sdk_dir, rest ? ":" : "", rest ? rest : "");
	if (err)
		buf_fini(&text);
	else
		*ret_path = (char *)buf_take(&text, &len);
	return err;
}

enum un_err
script_environment_init(struct script_environment *environment, struct cli *cli)
{
	char **from = cli_environ();
	size_t count = 0, used = 1;
	enum un_err err = cli_find_paths(cli);

	*environment = (struct script_environment){0};
	if (err)
		return err;
	if (!cli->paths.sdk_dir[0]) {
		un_hint(&cli->detail, "is the installation whole?");
		return un_fail(&cli->detail, UN_ERR_NOT_FOUND,
		               "cannot find the Python package of union near %s",
		               cli->paths.program_dir);
	}
	err = make_path(cli->paths.sdk_dir, &environment->path);
	if (err)
		return err;
	while (from[count])
		count++;
	environment->list = mem_zalloc(count + 2, sizeof *environment->list);
	if (!environment->list)
		return UN_ERR_NO_MEMORY;
	environment->list[0] = environment->path;
	for (size_t i = 0; i < count; i++) {
		if (strncmp(from[i], "PYTHONPATH=", 11) != 0)
			environment->list[used++] = from[i];
	}
	return UN_OK;
}

void
script_free(struct script *script)
{
	if (script->compiled)
		union__v1__compiled_script__free_unpacked(script->compiled, NULL);
	if (script->bundle[0])
		(void)unlink(script->bundle);
	if (script->folder[0])
		(void)rmdir(script->folder);
	*script = (struct script){0};
}

static enum un_err
check_script(struct cli *cli, const char *path)
{
	struct stat facts;

	if (stat(path, &facts) != 0 && (errno == ENOENT || errno == ENOTDIR))
		return un_fail(&cli->detail, UN_ERR_SCRIPT_MISSING, "no such script: %.400s", path);
	if (stat(path, &facts) == 0 && S_ISDIR(facts.st_mode))
		return un_fail(&cli->detail, UN_ERR_FILE_IS_DIRECTORY, "%.400s is a directory",
		               path);
	if (access(path, R_OK) != 0)
		return un_fail(&cli->detail, UN_ERR_FILE_UNREADABLE, "cannot read %.400s: %s", path,
		               strerrordesc_np(errno));
	return UN_OK;
}

static enum un_err
make_folder(struct cli *cli, struct script *script)
{
	const char *base = cli_env("TMPDIR");

	if (!base || base[0] != '/' || strlen(base) > sizeof script->folder - 32)
		base = "/tmp";
	(void)snprintf(script->folder, sizeof script->folder, "%.220s/union-XXXXXX", base);
	if (!mkdtemp(script->folder)) {
		int saved = errno;

		script->folder[0] = '\0';
		un_hint(&cli->detail, "set TMPDIR to a folder that you can write to");
		return un_fail_errno(&cli->detail, saved, "cannot make a folder in %.200s", base);
	}
	(void)snprintf(script->bundle, sizeof script->bundle, "%s/bundle.tar.gz", script->folder);
	return UN_OK;
}

enum un_err
script_check_status(struct cli *cli, int status)
{
	const char *python = script_python(cli);

	if (!status)
		return UN_OK;
	un_hint(&cli->detail, "name a Python 3.9 or newer: --python FILE, or UNION_PYTHON");
	if (status == SCRIPT_TOO_OLD)
		return un_fail(&cli->detail, UN_ERR_UNSUPPORTED,
		               "'%.300s' is a Python older than 3.9", python);
	return un_fail(&cli->detail, UN_ERR_SCRIPT_ERROR,
	               "'%.300s' ended with status %d while reading the script", python, status);
}

/* All the process writes, until its end, the deadline, or a signal. */
static enum un_err
read_output(struct cli *cli, int fd, struct buf *out)
{
	int64_t deadline_ms = clock_mono_ms() + COMPILE_TIMEOUT_MS;

	for (;;) {
		ssize_t got;
		enum un_err err = wire_wait(fd, POLLIN, cli->wake_fd, deadline_ms);

		if (!err)
			err = buf_reserve(out, READ_STEP);
		if (err)
			return err;
		got = read(fd, out->data + out->len, READ_STEP);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return un_err_from_errno(errno);
		if (got == 0)
			return UN_OK;
		buf_added(out, (size_t)got);
	}
}

static enum un_err
run_compiler(struct cli *cli, struct process *process, struct buf *out)
{
	int pipe_fds[2], status;
	enum un_err err;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return un_fail_errno(&cli->detail, errno, "cannot make a pipe");
	process->ours[0] = pipe_fds[1];
	process->theirs[0] = STDOUT_FILENO;
	process->fd_count = 1;
	err = process_start(process, &pid);
	(void)close(pipe_fds[1]);
	if (err) {
		(void)close(pipe_fds[0]);
		un_hint(&cli->detail, "name a Python: --python FILE, or UNION_PYTHON");
		return un_fail(&cli->detail, UN_ERR_NOT_FOUND, "cannot start '%.300s': %s",
		               process->file, un_err_text(err));
	}
	err = read_output(cli, pipe_fds[0], out);
	(void)close(pipe_fds[0]);
	if (err)
		(void)kill(pid, SIGKILL);
	status = process_wait(pid);
	if (err == UN_ERR_TIMEOUT)
		return un_fail(&cli->detail, err,
		               "Python did not finish reading the script in time");
	return err ? err : script_check_status(cli, status);
}

static enum un_err
take_error(struct cli *cli, const Union__V1__CompileError *error)
{
	size_t len = strlen(error->traceback);

	(void)fwrite(error->traceback, 1, len, stderr);
	if (len && error->traceback[len - 1] != '\n')
		(void)putc('\n', stderr);
	if (error->hint[0])
		un_hint(&cli->detail, "%s", error->hint);
	return un_fail(&cli->detail, un_err_from_slug(error->code), "%s", error->message);
}

static enum un_err
take_message(struct cli *cli, const struct buf *out, struct script *script)
{
	if (!out->len) {
		un_hint(&cli->detail,
		        "name a Python 3.9 or newer: --python FILE, or UNION_PYTHON");
		return un_fail(&cli->detail, UN_ERR_PROTOCOL,
		               "'%.300s' does not answer like Python", script_python(cli));
	}
	if (wire_check(&union__v1__compiled_script__descriptor, out->data, out->len, NULL))
		return un_fail(&cli->detail, UN_ERR_PROTOCOL, "Python's answer is malformed");
	script->compiled = union__v1__compiled_script__unpack(NULL, out->len,
	                                                      (const uint8_t *)buf_text(out));
	if (!script->compiled)
		return un_fail(&cli->detail, UN_ERR_PROTOCOL, "Python's answer is malformed");
	for (size_t i = 0; i < script->compiled->n_notes; i++)
		cli_note(cli, "%s", script->compiled->notes[i]);
	if (script->compiled->error)
		return take_error(cli, script->compiled->error);
	if (!script->compiled->entity || !script->compiled->interface)
		return un_fail(&cli->detail, UN_ERR_PROTOCOL, "Python's answer is not whole");
	return UN_OK;
}

enum un_err
script_compile(struct cli *cli, const char *path, const char *entity, struct script *ret_script)
{
	const char *python = script_python(cli), *copy = cli->option[OPT_COPY];
	char *argv[] = {(char *)python,
	                "-c",
	                SCRIPT_START("compile"),
	                "--project",
	                (char *)cli_project(cli),
	                "--domain",
	                (char *)cli_domain(cli),
	                "--copy",
	                (char *)(copy ? copy : "auto"),
	                "--bundle-out",
	                ret_script->bundle,
	                "--",
	                (char *)path,
	                (char *)entity,
	                NULL};
	struct process process = {.file = python, .argv = argv};
	struct script_environment environment = {0};
	struct buf out;
	enum un_err err = check_script(cli, path);

	*ret_script = (struct script){0};
	if (!err)
		err = script_environment_init(&environment, cli);
	if (!err)
		err = make_folder(cli, ret_script);
	buf_init(&out, COMPILED_MAX, BUF_PLAIN);
	process.environment = environment.list;
	if (!err)
		err = run_compiler(cli, &process, &out);
	if (!err)
		err = take_message(cli, &out, ret_script);
	buf_fini(&out);
	script_environment_fini(&environment);
	return err;
}
