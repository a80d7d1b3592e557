#include "launch/attempt.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "crypto/box.h"
#include "crypto/hash.h"
#include "keeper/ticket.h"
#include "launch/bundle.h"
#include "launch/command.h"
#include "launch/report.h"
#include "launch/result.h"
#include "launch/task_rights.h"
#include "launch/task_secrets.h"
#include "launch/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNSEEN_MAX 65536 /* bytes of the names of secrets that are too short */
#define CONNECT_MS 5000
#define CONNECT_PAUSE_MS 20
#define BUNDLE_MS 120000
#define LOG_OWN_MAX 1400       /* bytes of one line */
#define PACKED_FOLDER ".union" /* in the bundle's folder, for the packed file */
#define PACKED_FILE "code.tar.gz"
#define BUNDLE_MAX (512ull << 20) /* bytes of a packed bundle */
#define SECBUFS_LIKELY 65536 /* bytes of secret memory for an attempt with a few small values */
#define CLAIM_REPLY_MAX                                                                            \
	(160u << 20) /* a hundred values of 1 MiB, inputs, and what is around them */

struct attempt {
	const struct attempt_options *options;
	struct attempt_outcome outcome;
	int base_fd;              /* the folder of all attempts */
	int lock_fd;              /* of ours, where workdir_fd is not it */
	char name[TREE_NAME_LEN]; /* of ours in it */
	char workdir[PATH_MAX];   /* and its path */
	char endpoint[PATH_MAX];  /* as it is reached from inside */
	int workdir_fd;
	int tmp_fd;
	int bundle_fd;
	int outputs_fd;
	int signal_fd;
	struct sandbox sandbox;
	uint8_t id[ATTEMPT_ID_LEN];
	struct box_receiver *receiver;
	struct channel *channel;
	Union__V1__ClaimResponse *claim;
	struct reporter *reporter;
	struct attempt_paths paths;
	struct task_secrets secrets;
	struct redact_set *values;
	struct leaving leaving;
	struct task_rights rights;
	struct result result;
	bool begun;     /* the task has been started */
	bool forgotten; /* what it had is gone */
};

/* Makes our own folder below the one of all attempts. */
static enum un_err
open_workdir(struct attempt *attempt, struct un_detail *detail)
{
	const char *given = attempt->options->workdir;
	char base[PATH_MAX];
	int len;
	enum un_err err;

	(void)mkdir(given, 0700);
	if (!realpath(given, base))
		return un_fail_errno(detail, errno, "cannot use the working folder '%s'", given);
	attempt->base_fd = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (attempt->base_fd < 0)
		return un_fail_errno(detail, errno, "cannot open the working folder '%s'", given);
	err = tree_claim(attempt->base_fd, false, attempt->name, &attempt->workdir_fd, detail);
	if (err)
		return err;
	len = snprintf(attempt->workdir, sizeof attempt->workdir, "%s/%s", base, attempt->name);
	if (len < 0 || (size_t)len >= sizeof attempt->workdir)
		return un_fail(detail, UN_ERR_INVALID, "'%.200s' is too long a path", base);
	if (mkdirat(attempt->workdir_fd, "bundle", 0700) != 0)
		return un_fail_errno(detail, errno, "cannot make the folder for the task's code");
	return tree_make(attempt->workdir_fd, "tmp", &attempt->tmp_fd, detail);
}

static enum un_err
set_path(char path[PATH_MAX], const char *folder, const char *name)
{
	int len = snprintf(path, PATH_MAX, "%s/%s", folder, name);

	return len > 0 && len < PATH_MAX ? UN_OK : UN_ERR_TOO_LARGE;
}

/* A socket in a folder that will be covered has no path any more: its folder becomes the current
 * one, where it stays in reach. */
static enum un_err
keep_endpoint(struct attempt *attempt, struct un_detail *detail)
{
	const char *given = attempt->options->endpoint, *slash = strrchr(given, '/');
	char folder[PATH_MAX];
	int len;

	if (strncmp(given, "unix:///", 8) != 0 || slash == given + 7 ||
	    (size_t)(slash - given) - 7 >= sizeof folder) {
		len = snprintf(attempt->endpoint, sizeof attempt->endpoint, "%s", given);
	} else {
		memcpy(folder, given + 7, (size_t)(slash - given) - 7);
		folder[slash - given - 7] = '\0';
		if (chdir(folder) != 0)
			return un_fail_errno(detail, errno, "cannot reach the control plane in %s",
			                     folder);
		len = snprintf(attempt->endpoint, sizeof attempt->endpoint, "unix://.%s", slash);
	}
	return len > 0 && (size_t)len < sizeof attempt->endpoint ? UN_OK : UN_ERR_TOO_LARGE;
}

/* Into the sandbox. What is hidden there could still be reached from a folder that was opened
 * before: ours is opened again, and the old one kept for its lock. */
static enum un_err
enter_sandbox(struct attempt *attempt, struct un_detail *detail)
{
	const struct attempt_options *options = attempt->options;
	bool is_here = strncmp(attempt->endpoint, "unix://.", 8) == 0;
	const struct sandbox_options sandbox = {
		.workdir = attempt->workdir,
		.hidden = options->hidden,
		.concealed = options->concealed,
		.socket = is_here ? options->endpoint + strlen("unix://") : NULL,
		.sdk = options->sdk,
		.authorities = options->remote ? options->remote->ca_file : NULL,
		.readable = options->readable,
		.writable = options->writable,
		.uid = options->uid,
		.without = options->without};
	enum un_err err = sandbox_enter(&attempt->sandbox, &sandbox, detail);

	if (err)
		return err;
	err = sandbox_give(&attempt->sandbox, attempt->tmp_fd, detail);
	if (err || !attempt->sandbox.mounts)
		return err;
	attempt->lock_fd = attempt->workdir_fd;
	attempt->workdir_fd = open(attempt->workdir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return attempt->workdir_fd >= 0
	               ? UN_OK
	               : un_fail_errno(detail, errno, "cannot open the attempt's folder");
}

/* Inputs and results are in memory: they may hold what must not reach a disk. */
static enum un_err
set_paths(struct attempt *attempt)
{
	struct attempt_paths *paths = &attempt->paths;
	const char *private = attempt->sandbox.private_path;
	enum un_err err = set_path(paths->inputs, private, "inputs.pb");

	if (!err)
		err = set_path(paths->outputs, private, "outputs");
	if (!err)
		err = set_path(paths->temporary, attempt->workdir, "tmp");
	if (!err)
		err = set_path(paths->raw, paths->temporary, "raw");
	if (!err)
		err = set_path(paths->checkpoints, paths->temporary, "checkpoints");
	memcpy(paths->secrets, attempt->sandbox.secrets_path, sizeof paths->secrets);
	paths->sdk = attempt->options->sdk;
	paths->home = attempt->sandbox.uid ? paths->temporary : NULL;
	return err;
}

static enum un_err
catch_signals(struct attempt *attempt)
{
	sigset_t signals, pipe_signal;

	supervise_signals(&signals);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
		return un_err_from_errno(errno);
	attempt->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	(void)sigemptyset(&pipe_signal);
	(void)sigaddset(&pipe_signal, SIGPIPE);
	(void)sigprocmask(SIG_BLOCK, &pipe_signal, NULL);
	return attempt->signal_fd >= 0 ? UN_OK : un_err_from_errno(errno);
}

/* A control plane that is just being restarted is waited for; after the claim was sent, nothing is
 * tried twice. */
static enum un_err
connect_patiently(struct channel *channel, struct un_detail *detail)
{
	int64_t deadline_ms = clock_mono_ms() + CONNECT_MS;

	for (;;) {
		enum un_err err = channel_connect(channel, deadline_ms, detail);

		if (!err || !un_err_may_retry(err) ||
		    clock_mono_ms() + CONNECT_PAUSE_MS >= deadline_ms)
			return err;
		(void)poll(NULL, 0, CONNECT_PAUSE_MS);
	}
}

/* A launcher that was started ahead of its attempt has time: what an attempt is likely to need is
 * made ready. Nothing of this depends on the attempt. */
static void
use_the_time(struct attempt *attempt)
{
	struct pollfd ticket = {.fd = attempt->options->ticket_fd, .events = POLLIN};

	if (poll(&ticket, 1, 0) != 0)
		return;
	sandbox_settle(&attempt->sandbox);
	secbuf_reserve(SECBUFS_LIKELY);
}

static enum un_err
read_ticket(struct attempt *attempt, struct secbuf **ret_ticket, struct un_detail *detail)
{
	struct secbuf *ticket;
	enum un_err err = secbuf_read(attempt->options->ticket_fd, TICKET_LEN_MAX, &ticket);

	if (err)
		return un_fail(detail, err, "cannot read the ticket: %s", un_err_text(err));
	attempt->outcome.unneeded = secbuf_len(ticket) == 0;
	err = ticket_attempt(ticket, attempt->id);
	if (err) {
		secbuf_free(ticket);
		return un_fail(detail, err, "what came in place of a ticket is none");
	}
	*ret_ticket = ticket;
	return UN_OK;
}

/* Values, their files, all that is left of the task's processes. */
static void
forget_task(void *ctx)
{
	struct attempt *attempt = ctx;

	if (attempt->forgotten)
		return;
	attempt->forgotten = true;
	redact_set_free(attempt->values);
	task_secrets_close(&attempt->secrets);
	sandbox_end(&attempt->sandbox);
}

/* The lease goes into a secbuf, and out of the message. */
static enum un_err
take_lease(struct attempt *attempt, int64_t start_ms, struct un_detail *detail)
{
	Union__V1__ClaimResponse *claim = attempt->claim;
	struct report_plan plan = {.channel = attempt->channel,
	                           .lease_start_ms = start_ms,
	                           .on_wait = forget_task,
	                           .ctx = attempt};
	enum un_err err;

	if (!claim->lease_ttl || claim->lease_ttl->seconds < 1 ||
	    claim->lease_ttl->seconds > 86400 || claim->lease.len == 0 || claim->lease.len > 64)
		return un_fail(detail, UN_ERR_PROTOCOL, "the control plane gave no usable lease");
	plan.lease_ttl_ms = claim->lease_ttl->seconds * 1000;
	err = secbuf_copy(claim->lease.data, claim->lease.len, &plan.lease);
	explicit_bzero(claim->lease.data, claim->lease.len);
	if (err)
		return err;
	attempt->channel = NULL;
	return report_new(&plan, &attempt->reporter);
}

/* For this attempt alone. */
static enum un_err
make_keys(struct attempt *attempt, uint8_t public_key[BOX_PUBLIC_LEN])
{
	struct secbuf *private_key;
	enum un_err err = box_keypair(&private_key, public_key);

	if (!err) {
		err = box_receiver_new(private_key, &attempt->receiver);
		secbuf_free(private_key);
	}
	return err;
}

static enum un_err
claim(struct attempt *attempt, struct un_detail *detail)
{
	Union__V1__ClaimRequest request = UNION__V1__CLAIM_REQUEST__INIT;
	struct channel_call call = {.method = "/union.v1.AttemptService/Claim",
	                            .request = &request.base,
	                            .reply = &union__v1__claim_response__descriptor,
	                            .reply_max = CLAIM_REPLY_MAX};
	struct secbuf *ticket = NULL;
	uint8_t public_key[BOX_PUBLIC_LEN];
	ProtobufCMessage *reply;
	int64_t start_ms;
	enum un_err err = make_keys(attempt, public_key);

	if (!err)
		err = channel_new(attempt->endpoint, attempt->options->remote, &attempt->channel,
		                  detail);
	if (!err) {
		use_the_time(attempt);
		err = read_ticket(attempt, &ticket, detail);
	}
	if (!err)
		err = connect_patiently(attempt->channel, detail);
	if (err)
		goto out;
	request.ticket.len = secbuf_len(ticket);
	request.ticket.data = (uint8_t *)(uintptr_t)secbuf_peek(ticket); /* only read */
	request.public_key.len = sizeof public_key;
	request.public_key.data = public_key;
	start_ms = clock_mono_ms();
	err = channel_unary(attempt->channel, &call, &reply, detail);
	if (err)
		goto out;
	attempt->claim = (Union__V1__ClaimResponse *)reply;
	err = take_lease(attempt, start_ms, detail);
out:
	secbuf_free(ticket);
	return err;
}

static void
say_ready(const struct attempt *attempt)
{
	if (attempt->options->ready_fd >= 0)
		(void)!write(attempt->options->ready_fd, "\n", 1);
}

/* A place for the packed bundle: in memory, or, where the task's own runtime unpacks it, a file. */
static enum un_err
open_packed(struct attempt *attempt, int *ret_fd, struct un_detail *detail)
{
	enum un_err err = UN_OK;

	if (!command_unpacks(attempt->claim)) {
		*ret_fd = memfd_create("bundle", MFD_CLOEXEC);
	} else if (mkdirat(attempt->bundle_fd, PACKED_FOLDER, 0700) == 0) {
		*ret_fd = openat(attempt->bundle_fd, PACKED_FOLDER "/" PACKED_FILE,
		                 O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		err = set_path(attempt->paths.bundle, attempt->workdir,
		               "bundle/" PACKED_FOLDER "/" PACKED_FILE);
	}
	if (*ret_fd < 0)
		return un_fail_errno(detail, errno, "cannot make a place for the code bundle");
	return err;
}

/* Before the reporter's thread runs, its channel is free to fetch the bundle. */
static enum un_err
fetch_bundle(struct attempt *attempt, struct un_detail *detail)
{
	struct channel_file file = {.url = attempt->claim->bundle_url,
	                            .size = attempt->claim->bundle_size < BUNDLE_MAX
	                                            ? attempt->claim->bundle_size
	                                            : BUNDLE_MAX,
	                            .deadline_ms = clock_mono_ms() + BUNDLE_MS,
	                            .fd = -1};
	uint64_t size;
	enum un_err err;

	attempt->bundle_fd = openat(attempt->workdir_fd, "bundle",
	                            O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (attempt->bundle_fd < 0)
		return un_fail_errno(detail, errno, "cannot open the folder for the task's code");
	if (!attempt->claim->bundle_url[0])
		return UN_OK;
	if (attempt->claim->bundle_size > BUNDLE_MAX)
		return un_fail(detail, UN_ERR_BUNDLE_REFUSED,
		               "the code bundle is refused: over %llu MiB", BUNDLE_MAX >> 20);
	err = open_packed(attempt, &file.fd, detail);
	if (!err)
		err = report_fetch(attempt->reporter, &file, &size, detail);
	if (!err && !attempt->paths.bundle[0]) {
		if (lseek(file.fd, 0, SEEK_SET) != 0)
			err = un_err_from_errno(errno);
		else
			err = bundle_unpack(file.fd, attempt->bundle_fd, detail);
		if (!err)
			err = leaving_check_code(&attempt->leaving, attempt->bundle_fd, detail);
	}
	io_close(&file.fd);
	return err;
}

static enum un_err
write_inputs(struct attempt *attempt, struct un_detail *detail)
{
	Flyteidl__Core__LiteralMap none = FLYTEIDL__CORE__LITERAL_MAP__INIT;
	const Flyteidl__Core__LiteralMap *inputs =
		attempt->claim->inputs ? attempt->claim->inputs : &none;
	size_t len = flyteidl__core__literal_map__get_packed_size(inputs);
	uint8_t *bytes = mem_alloc(len);
	int fd = -1;
	enum un_err err;

	if (!bytes)
		return UN_ERR_NO_MEMORY;
	(void)flyteidl__core__literal_map__pack(inputs, bytes);
	fd = openat(attempt->sandbox.private_fd, "inputs.pb",
	            O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	err = fd >= 0 ? io_write_all(fd, bytes, len) : un_err_from_errno(errno);
	if (!err && attempt->sandbox.uid &&
	    fchown(fd, attempt->sandbox.uid, attempt->sandbox.uid) != 0)
		err = un_err_from_errno(errno);
	io_close(&fd);
	mem_wipe_free(bytes, len);
	return err ? un_fail(detail, err, "cannot write the task's inputs: %s", un_err_text(err))
	           : UN_OK;
}

static enum un_err
make_folders(struct attempt *attempt, struct un_detail *detail)
{
	enum un_err err =
		tree_make(attempt->sandbox.private_fd, "outputs", &attempt->outputs_fd, detail);

	if (!err)
		err = sandbox_give(&attempt->sandbox, attempt->outputs_fd, detail);
	if (!err)
		err = sandbox_give(&attempt->sandbox, attempt->bundle_fd, detail);
	return err;
}

/* One line of our own in the attempt's log. */
static void
log_own(struct attempt *attempt, const char *text)
{
	char line[LOG_OWN_MAX];
	int len = snprintf(line, sizeof line, "[union-exec: %s]\n", text);

	if (len > 0)
		(void)!report_log(attempt->reporter, (const uint8_t *)line,
		                  (size_t)len < sizeof line ? (size_t)len : sizeof line - 1);
}

static void
say_own(void *ctx, const char *line)
{
	log_own(ctx, line);
}

/* Cancelled, or the lease is lost: nobody takes the results. */
static bool
is_ended(void *ctx)
{
	struct attempt *attempt = ctx;

	return report_state(attempt->reporter) != REPORT_GOING ||
	       report_left_ms(attempt->reporter) == 0;
}

/* What may leave, and how it is judged. */
static void
set_leaving(struct attempt *attempt)
{
	const struct task_secrets *secrets = &attempt->secrets;

	attempt->leaving = (struct leaving){.values = attempt->values,
	                                    .secrets = secrets,
	                                    .policy = (enum guard_policy)attempt->claim->guard,
	                                    .uid = attempt->sandbox.uid,
	                                    .say = say_own,
	                                    .stop = is_ended,
	                                    .ctx = attempt};
	for (size_t i = 0; i < secrets->count; i++) {
		size_t len = secbuf_len(secrets->values[i]);

		if (len > attempt->leaving.longest)
			attempt->leaving.longest = len;
	}
}

static void
log_unseen(struct attempt *attempt, const struct buf *unseen)
{
	struct buf text;

	if (!unseen->len)
		return;
	buf_init(&text, UNSEEN_MAX + 128, BUF_PLAIN);
	if (!buf_appendf(&text, "shorter than %d bytes and not looked for in the output: %s",
	                 REDACT_VALUE_MIN, buf_text(unseen)))
		log_own(attempt, buf_text(&text));
	buf_fini(&text);
}

static enum un_err
open_secrets(struct attempt *attempt, struct un_detail *detail)
{
	struct buf unseen;
	enum un_err err = task_secrets_open(&attempt->secrets, attempt->claim, attempt->receiver,
	                                    attempt->id, detail);

	box_receiver_free(attempt->receiver);
	attempt->receiver = NULL;
	buf_init(&unseen, UNSEEN_MAX, BUF_PLAIN);
	if (!err)
		err = task_secrets_redaction(&attempt->secrets, &attempt->values, &unseen);
	if (!err)
		set_leaving(attempt);
	if (!err)
		err = task_secrets_write(&attempt->secrets, attempt->sandbox.secrets_fd, detail);
	if (!err)
		err = sandbox_give(&attempt->sandbox, attempt->sandbox.secrets_fd, detail);
	if (!err) {
		sandbox_settle(&attempt->sandbox);
		sandbox_seal(&attempt->sandbox);
		log_unseen(attempt, &unseen);
	}
	buf_fini(&unseen);
	return err;
}

/* What the task may do; and what of that the kernel could not be made to hold goes to the log. */
static enum un_err
make_rights(struct attempt *attempt, struct un_detail *detail)
{
	const struct attempt_options *options = attempt->options;
	const struct task_rights_plan plan = {.claim = attempt->claim,
	                                      .sandbox = &attempt->sandbox,
	                                      .workdir = attempt->workdir,
	                                      .hidden = options->hidden,
	                                      .concealed = options->concealed,
	                                      .writable = options->writable,
	                                      .cgroups = options->cgroups,
	                                      .offline = options->offline,
	                                      .processes = options->processes,
	                                      .bundle_fd = attempt->bundle_fd,
	                                      .outputs_fd = attempt->outputs_fd};
	enum un_err err = task_rights_init(&attempt->rights, &plan, detail);

	if (!err && attempt->sandbox.notes[0]) {
		char text[SANDBOX_NOTES_MAX + 64];

		(void)snprintf(text, sizeof text, "the kernel refused part of the sandbox: %s",
		               attempt->sandbox.notes);
		log_own(attempt, text);
	}
	return err;
}

static enum un_err
start_confined(struct attempt *attempt, const struct child_plan *plan, struct child *ret_child,
               struct un_detail *detail)
{
	enum un_err err = child_start(plan, ret_child, detail);

	if (err != UN_ERR_UNSUPPORTED)
		return err;
	err = task_rights_without_network(&attempt->rights, detail);
	return err ? err : child_start(plan, ret_child, detail);
}

/* From here on this thread's children would be born beside the task, and die with it. */
static enum un_err
make_helper(struct attempt *attempt)
{
	if (attempt->leaving.policy == GUARD_OFF || !attempt->leaving.longest)
		return UN_OK;
	attempt->leaving.helper = looker_helper_new();
	return attempt->leaving.helper ? UN_OK : UN_ERR_NO_MEMORY;
}

/* Starts the task's process; the environment with the values is gone when this returns. */
static enum un_err
start_child(struct attempt *attempt, const struct command *command, struct child *ret_child,
            struct un_detail *detail)
{
	char program[PATH_MAX];
	struct command_facts facts;
	struct environment *environment = NULL;
	struct child_plan plan = {.program = program,
	                          .args = command->words,
	                          .dir_fd = attempt->bundle_fd,
	                          .confinement = &attempt->rights.confinement};
	enum un_err err = environment_new(&environment);

	if (err)
		return err;
	err = command_environment(attempt->claim, &attempt->paths, attempt->options->environment,
	                          &facts, environment, detail);
	if (!err && attempt->sandbox.mounts)
		mounts_show_programs(&attempt->sandbox.view, command->words[0],
		                     environment_get(environment, "PATH"));
	if (!err)
		err = child_find(command->words[0], environment_get(environment, "PATH"),
		                 attempt->sandbox.uid, program, detail);
	if (!err)
		err = task_secrets_set(&attempt->secrets, attempt->paths.secrets, environment,
		                       detail);
	if (!err)
		err = environment_vector(environment, &plan.environment);
	if (!err)
		err = report_start(attempt->reporter, detail);
	if (!err)
		err = make_helper(attempt);
	if (!err)
		err = sandbox_join(&attempt->sandbox, detail);
	if (!err)
		err = start_confined(attempt, &plan, ret_child, detail);
	environment_free(environment);
	return err;
}

/* A check build dies here of SIGKILL when it is told to: what a crash leaves, tests find out. */
static void
pass_step(const struct attempt *attempt, const char *step)
{
#ifdef UN_FAULTS
	for (char *const *e = attempt->options->environment; *e; e++)
		if (strncmp(*e, "UNION_EXEC_DIES_AT=", 19) == 0 && strcmp(*e + 19, step) == 0)
			(void)kill(getpid(), SIGKILL);
#endif
}

static int64_t
timeout_of(const Union__V1__ClaimResponse *claim)
{
	const Google__Protobuf__Duration *timeout = claim->timeout;

	if (!timeout || timeout->seconds < 0 || timeout->nanos < 0 ||
	    timeout->seconds > INT64_MAX / 2000)
		return 0;
	return timeout->seconds * 1000 + timeout->nanos / 1000000;
}

static enum un_err
run_task(struct attempt *attempt, struct ending *ret_ending, struct un_detail *detail)
{
	struct command command;
	struct child child = {.pid_fd = -1, .out_fd = -1, .err_fd = -1};
	struct supervision plan = {.sandbox = &attempt->sandbox,
	                           .child = &child,
	                           .cgroup = &attempt->rights.cgroup,
	                           .reporter = attempt->reporter,
	                           .values = attempt->values,
	                           .signal_fd = attempt->signal_fd,
	                           .timeout_ms = timeout_of(attempt->claim)};
	enum un_err err = command_init(&command, attempt->claim, &attempt->paths, detail);

	if (err)
		return err;
	err = start_child(attempt, &command, &child, detail);
	command_fini(&command);
	if (err)
		return err;
	attempt->begun = true;
	pass_step(attempt, "started");
	err = supervise(&plan, ret_ending);
	pass_step(attempt, "ended");
	child_close(&child);
	if (cgroup_oom_kills(&attempt->rights.cgroup) > 0) {
		ret_ending->memory_limit = attempt->rights.limits.memory_text;
		log_own(attempt, "the kernel ended a process of the task: out of memory");
	}
	return err;
}

static enum un_err
prepare(struct attempt *attempt, struct un_detail *detail)
{
	enum un_err err = open_secrets(attempt, detail);

	pass_step(attempt, "opened");
	if (!err)
		err = fetch_bundle(attempt, detail);
	pass_step(attempt, "fetched");
	if (!err)
		err = make_folders(attempt, detail);
	if (!err)
		err = write_inputs(attempt, detail);
	if (!err)
		err = make_rights(attempt, detail);
	pass_step(attempt, "prepared");
	return err;
}

/* From the claim on: whatever happens, the control plane is told, unless the lease is lost. */
static enum un_err
run_claimed(struct attempt *attempt, struct un_detail *detail)
{
	const Flyteidl__Core__TaskTemplate *task = attempt->claim->task;
	struct result_source source = {.interface = task ? task->interface : NULL,
	                               .timeout_ms = timeout_of(attempt->claim)};
	struct un_detail why = {0};
	struct ending ending = {0};
	enum un_err err = prepare(attempt, &why);

	if (!err)
		err = run_task(attempt, &ending, &why);
	if (!err && ending.cause == ENDED_LEASE_LOST)
		return un_fail(detail, UN_ERR_BAD_TICKET,
		               "the lease of the attempt is over; the task was killed");
	if (err) {
		err = result_of_failure(&attempt->result, err, &why, result_is_users_fault(err));
	} else {
		source.dir_fd = attempt->outputs_fd;
		source.leaving = attempt->leaving;
		err = result_of_task(&attempt->result, &source, &ending);
	}
	if (err)
		err = result_of_failure(&attempt->result, err, NULL, false);
	if (err)
		return err;
	if (attempt->begun)
		result_of_begun(&attempt->result);
	attempt->outcome.exit_status = result_exit_status(&attempt->result);
	pass_step(attempt, "judged");
	return report_finish(attempt->reporter, &attempt->result.finish, detail);
}

static void
clean_up(struct attempt *attempt)
{
	looker_helper_free(attempt->leaving.helper);
	report_free(attempt->reporter);
	channel_free(attempt->channel);
	result_fini(&attempt->result);
	box_receiver_free(attempt->receiver);
	channel_message_free(attempt->claim);
	forget_task(attempt);
	task_rights_fini(&attempt->rights);
	io_close(&attempt->tmp_fd);
	io_close(&attempt->bundle_fd);
	io_close(&attempt->outputs_fd);
	io_close(&attempt->signal_fd);
	if (attempt->workdir_fd >= 0 || attempt->lock_fd >= 0)
		(void)!tree_remove(attempt->base_fd, attempt->name);
	io_close(&attempt->workdir_fd);
	io_close(&attempt->lock_fd);
	io_close(&attempt->base_fd);
}

static enum un_err
run(struct attempt *attempt, struct un_detail *detail)
{
	enum un_err err = open_workdir(attempt, detail);

	pass_step(attempt, "begun");
	if (!err)
		err = keep_endpoint(attempt, detail);
	if (!err)
		err = enter_sandbox(attempt, detail);
	pass_step(attempt, "entered");
	if (!err)
		err = set_paths(attempt);
	if (!err)
		err = catch_signals(attempt);
	if (!err)
		err = crypto_init();
	if (!err)
		err = claim(attempt, detail);
	pass_step(attempt, "claimed");
	if (!err) {
		say_ready(attempt);
		err = run_claimed(attempt, detail);
	}
	pass_step(attempt, "told");
	return err;
}

enum un_err
attempt_run(const struct attempt_options *options, struct attempt_outcome *ret_outcome,
            struct un_detail *detail)
{
	/* not on the stack: of the paths in it, most of each is never touched */
	struct attempt *attempt = mem_zalloc(1, sizeof *attempt);
	enum un_err err;

	if (!attempt)
		return UN_ERR_NO_MEMORY;
	attempt->options = options;
	attempt->base_fd = attempt->lock_fd = attempt->workdir_fd = attempt->tmp_fd = -1;
	attempt->bundle_fd = attempt->outputs_fd = attempt->signal_fd = -1;
	sandbox_init(&attempt->sandbox);
	result_init(&attempt->result);
	(void)umask(077);
	err = run(attempt, detail);
	memcpy(attempt->outcome.notes, attempt->sandbox.notes, sizeof attempt->outcome.notes);
	clean_up(attempt);
	*ret_outcome = attempt->outcome;
	mem_free(attempt);
	return err;
}
