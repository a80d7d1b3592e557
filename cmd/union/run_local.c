#include "run_local.h"

#include "base/io.h"
#include "literal_show.h"
#include "model/wire.h"
#include "process.h"
#include "script.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define OUTPUTS_MAX (256u << 20)
#define INPUTS_FD 10
#define OUTPUTS_FD 11

/* Files in memory: no end of a pipe can block the other, and nothing is left on a disk. */
static enum un_err
make_inputs(const Flyteidl__Core__LiteralMap *inputs, int *ret_fd)
{
	size_t len = flyteidl__core__literal_map__get_packed_size(inputs);
	struct buf bytes;
	enum un_err err;

	buf_init(&bytes, OUTPUTS_MAX, BUF_PLAIN);
	err = buf_reserve(&bytes, len);
	if (!err) {
		(void)flyteidl__core__literal_map__pack(inputs, bytes.data);
		buf_added(&bytes, len);
		*ret_fd = memfd_create("inputs", MFD_CLOEXEC);
		err = *ret_fd < 0 ? un_err_from_errno(errno)
		                  : io_write_all(*ret_fd, bytes.data, len);
	}
	if (!err && lseek(*ret_fd, 0, SEEK_SET) != 0)
		err = UN_ERR_IO;
	buf_fini(&bytes);
	return err;
}

static enum un_err
print_outputs(int fd)
{
	Flyteidl__Core__LiteralMap *outputs;
	struct buf bytes;
	enum un_err err;

	if (lseek(fd, 0, SEEK_SET) != 0)
		return UN_ERR_IO;
	buf_init(&bytes, OUTPUTS_MAX, BUF_PLAIN);
	err = io_read_all(fd, &bytes);
	if (!err)
		err = wire_check(&flyteidl__core__literal_map__descriptor, bytes.data, bytes.len,
		                 NULL);
	outputs = err ? NULL
	              : flyteidl__core__literal_map__unpack(NULL, bytes.len,
	                                                    (const uint8_t *)buf_text(&bytes));
	buf_fini(&bytes);
	if (!outputs)
		return err ? err : UN_ERR_PROTOCOL;
	err = literal_map_print(outputs);
	flyteidl__core__literal_map__free_unpacked(outputs, NULL);
	return err;
}

/* Ctrl-C reaches both; the Python decides, and this process tells its status. */
static enum un_err
run_python(struct cli *cli, int inputs_fd, int outputs_fd, int *ret_status)
{
	char *argv[] = {(char *)script_python(cli),
	                "-c",
	                SCRIPT_START("local"),
	                "--inputs-fd",
	                "10",
	                "--outputs-fd",
	                "11",
	                (char *)cli->args[0],
	                (char *)cli->args[1],
	                NULL};
	struct process process = {
	        .file = argv[0],
	        .argv = argv,
	        .ours = {inputs_fd, outputs_fd},
	        .theirs = {INPUTS_FD, OUTPUTS_FD},
	        .fd_count = 2,
	};
	struct script_environment environment;
	enum un_err err = script_environment_init(&environment, cli);
	pid_t pid;

	process.environment = environment.list;
	if (!err) {
		err = process_start(&process, &pid);
		if (err) {
			un_hint(&cli->detail, "name a Python: --python FILE, or UNION_PYTHON");
			err = un_fail(&cli->detail, UN_ERR_NOT_FOUND, "cannot start '%.300s': %s",
			              argv[0], un_err_text(err));
		}
	}
	if (!err) {
		(void)signal(SIGINT, SIG_IGN);
		*ret_status = process_wait(pid);
	}
	script_environment_fini(&environment);
	return err;
}

int
run_local(struct cli *cli, const Flyteidl__Core__LiteralMap *inputs)
{
	int inputs_fd = -1, outputs_fd = -1, status = 1;
	enum un_err err = make_inputs(inputs, &inputs_fd);

	if (!err) {
		outputs_fd = memfd_create("outputs", MFD_CLOEXEC);
		if (outputs_fd < 0)
			err = un_fail_errno(&cli->detail, errno, "cannot make a file in memory");
	}
	if (!err)
		err = run_python(cli, inputs_fd, outputs_fd, &status);
	if (!err && status == 0)
		err = print_outputs(outputs_fd);
	io_close(&inputs_fd);
	io_close(&outputs_fd);
	if (!err && status == SCRIPT_TOO_OLD)
		err = script_check_status(cli, status);
	if (err)
		return cli_fail(cli, err);
	return status ? status : cli_finish(cli);
}
