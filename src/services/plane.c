#include "services/plane_impl.h"
#include "services/plane_services.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/hash.h"
#include "keeper/fingerprint.h"
#include "keeper/keyring_file.h"
#include "store/meta.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORKERS_DEFAULT_MAX 8
#define DRAIN_MS 5000
#define IDLE_CHECK_MS 1000
#define QUIET_MS 5000
#define META_PLANE_KEY "plane.public_key"

/* The data directory holds everything; nobody else may look into it. */
static enum un_err
prepare_data_dir(const char *path, struct un_detail *detail)
{
	struct stat st;
	enum un_err err = io_make_dirs(path, 0700);

	if (err)
		return un_fail(detail, err, "cannot make the data directory '%s': %s", path,
		               un_err_text(err));
	if (stat(path, &st) != 0)
		return un_fail_errno(detail, errno, "cannot look at the data directory '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return un_fail(detail, UN_ERR_BAD_CONFIG, "'%s' is not a directory", path);
	if (st.st_uid != geteuid() || (st.st_mode & 077)) {
		un_hint(detail, "chmod 700 '%s', owned by the user that runs uniond", path);
		return un_fail(detail, UN_ERR_DENIED, "the data directory '%s' is open to others",
		               path);
	}
	return UN_OK;
}

static bool
is_missing_or_empty(const char *dir, const char *name)
{
	char path[PLANE_PATH_MAX + 32];
	struct stat st;

	(void)snprintf(path, sizeof path, "%s/%s", dir, name);
	return stat(path, &st) != 0 ? errno == ENOENT : st.st_size == 0;
}

/* Keys are made after the database: where they are and it is not, it was lost. To begin with an
 * empty one would say "no secrets", and hide that until nobody has the backup any more. */
static enum un_err
check_not_lost(const char *dir, struct un_detail *detail)
{
	if (is_missing_or_empty(dir, "keys/" KEYRING_FILE) ||
	    !is_missing_or_empty(dir, STORE_DATABASE) ||
	    !is_missing_or_empty(dir, STORE_DATABASE "-wal"))
		return UN_OK;
	un_hint(detail,
	        "restore the last backup: union restore FILE; or, to begin with nothing, move %s "
	        "away",
	        dir);
	return un_fail(detail, UN_ERR_DAMAGED, "the database %s/%s is gone, its keys are there",
	               dir, STORE_DATABASE);
}

static unsigned
processors(void)
{
	cpu_set_t set;
	int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

	return count < 1 ? 1 : (unsigned)count;
}

static unsigned
worker_count(const struct plane_options *options)
{
	unsigned count = processors();

	if (options->workers)
		return options->workers < WORKERS_MAX ? options->workers : WORKERS_MAX;
	return count < WORKERS_DEFAULT_MAX ? count : WORKERS_DEFAULT_MAX;
}

/* ---- the keeper ---- */

static void
give_socket(void *context, unsigned index, int fd)
{
	struct plane *plane = context;

	keeper_link_give(&plane->links[index], fd);
}

static void
on_supervisor(struct loop_watch *watch, uint32_t events)
{
	struct plane *plane = watch->ctx;

	(void)events;
	keeper_supervisor_pump(plane->supervisor);
}

/* The keeper knows its folder as a descriptor only. */
static void
say_which_keys(const char *keys_dir, enum un_err err, struct un_detail *detail)
{
	size_t used = strlen(detail->message);

	if (used)
		(void)snprintf(detail->message + used, sizeof detail->message - used, " (in %s)",
		               keys_dir);
	if (!detail->hint[0] || strcmp(detail->hint, un_err_hint(err)) == 0)
		un_hint(detail, "put the folder back as it was, or take it from a backup that has "
		                "it: union restore --with-keys --replace-keys FILE");
}

static enum un_err
start_keeper(struct plane *plane, struct un_detail *detail)
{
	char keys_dir[PLANE_PATH_MAX];
	struct keeper_options options = {
		.exe = plane->options.uniond_path,
		.keys_dir = keys_dir,
		.provider = plane->options.key_provider,
		.may_create = !plane->has_key,
		.passphrase_path =
			plane->options.passphrase_file[0] ? plane->options.passphrase_file : NULL,
		.passphrase_fd = plane->options.passphrase_fd,
		.sockets = plane->worker_count + 2,
		.give = give_socket,
		.context = plane,
	};
	enum un_err err;

	(void)snprintf(keys_dir, sizeof keys_dir, "%s/keys", plane->options.data_dir);
	err = keeper_supervisor_start(&options, detail, &plane->supervisor);
	if (err) {
		say_which_keys(keys_dir, err, detail);
		return err;
	}
	plane->supervisor_watch = (struct loop_watch){
		.fd = keeper_supervisor_fd(plane->supervisor),
		.events = EPOLLIN,
		.fn = on_supervisor,
		.ctx = plane,
	};
	err = loop_watch_add(plane->loop, &plane->supervisor_watch);
	if (err)
		return err;
	return keeper_link_open(&plane->links[plane->worker_count], plane->loop);
}

/* ---- the plane's key, remembered in the database ---- */

static enum un_err
load_plane_key(struct plane *plane, struct un_detail *detail)
{
	struct buf bytes;
	enum un_err err;

	buf_init(&bytes, META_VALUE_MAX, BUF_PLAIN);
	err = store_read_begin(plane->reader, detail);
	if (err)
		goto out;
	err = meta_get(store_reader_view(plane->reader), META_PLANE_KEY, &bytes, detail);
	store_read_end(plane->reader);
	if (!err && bytes.len == sizeof plane->key) {
		memcpy(plane->key, bytes.data, sizeof plane->key);
		plane->has_key = true;
	}
	if (err == UN_ERR_NOT_FOUND) {
		err = UN_OK;
		detail->message[0] = '\0';
	}
out:
	buf_fini(&bytes);
	return err;
}

static enum un_err
apply_plane_key(struct store_txn *txn, void *ctx, struct un_detail *detail)
{
	return meta_set(txn, META_PLANE_KEY, ctx, BOX_PUBLIC_LEN, detail);
}

/* The ring and the database belong together: a ring made by another plane opens nothing here, and
 * writing under it would mix two planes for good. */
static enum un_err
agree_on_key(struct plane *plane, const struct keeper_info *info, struct un_detail *detail)
{
	if (info->state == KEEPER_NEW)
		return UN_OK; /* no key yet: the first unlock makes it */
	if (!plane->has_key) {
		memcpy(plane->key, info->plane_public, sizeof plane->key);
		plane->has_key = true;
		return store_write_wait(plane->store, apply_plane_key, plane->key, detail);
	}
	if (bytes_equal(plane->key, info->plane_public, sizeof plane->key))
		return UN_OK;
	un_hint(detail,
	        "put the keys folder that belongs to this database back, or restore a backup "
	        "made with --with-keys");
	return un_fail(detail, UN_ERR_PLANE_KEY_CHANGED,
	               "the key ring in '%s/keys' is not the one this database was written with",
	               plane->options.data_dir);
}

struct info_wait {
	struct plane *plane;
	struct un_detail *detail;
	enum un_err err;
	bool answered;
};

static void
on_first_info(void *context, const struct keeper_answer *answer)
{
	struct info_wait *wait = context;

	wait->answered = true;
	wait->err = answer->err;
	if (answer->err && answer->detail)
		*wait->detail = *answer->detail;
	else if (!answer->err)
		wait->err = agree_on_key(wait->plane, answer->info, wait->detail);
}

static enum un_err
check_key(struct plane *plane, struct un_detail *detail)
{
	struct info_wait wait = {.plane = plane, .detail = detail};
	struct keeper_client *keeper = plane->links[plane->worker_count].client;
	enum un_err err;

	err = keeper_ask_info(keeper,
	                      (struct keeper_call){.done = on_first_info, .context = &wait});
	if (err)
		return err;
	err = keeper_client_drain(keeper, clock_mono_ms() + KEEPER_TIMEOUT_MS);
	if (!wait.answered)
		return err ? err : UN_ERR_TIMEOUT;
	return wait.err;
}

static void
on_unlocked_info(void *context, const struct keeper_answer *answer)
{
	struct plane *plane = context;
	struct un_detail detail = {0};
	enum un_err err = answer->err;

	if (err)
		return; /* the keeper went away again: the next unlock asks again */
	err = agree_on_key(plane, answer->info, &detail);
	if (!err)
		return;
	log_error("uniond", "%s", un_message(err, &detail));
	plane_stop(plane);
}

void
plane_remember_key(struct plane *plane)
{
	struct keeper_call call = {.done = on_unlocked_info, .context = plane};

	if (keeper_ask_info(plane->links[plane->worker_count].client, call))
		log_error("keeper", "cannot ask for the plane's key");
}

/* ---- stopping and idleness ---- */

void
plane_stop(struct plane *plane)
{
	atomic_store(&plane->stopping, true);
	loop_stop(plane->loop);
}

static void
on_idle_check(struct loop_timer *timer)
{
	struct plane *plane = timer->ctx;
	int64_t now = clock_mono_ms();
	int64_t quiet_since = server_last_activity_ms(plane->server);

	if (server_active_calls(plane->server) || plane_active_runs(plane))
		plane->busy_ms = now;
	if (plane->busy_ms > quiet_since)
		quiet_since = plane->busy_ms;
	if (now - quiet_since >= (int64_t)plane->options.idle_timeout_s * 1000) {
		log_notice("uniond", "idle for %u s", plane->options.idle_timeout_s);
		plane_stop(plane);
		return;
	}
	if (loop_timer_set(plane->loop, timer, now + IDLE_CHECK_MS))
		log_error("uniond", "out of memory for a timer");
}

/* ---- workers ---- */

static void
end_reads(struct loop_hook *hook)
{
	struct worker_slot *slot =
		(struct worker_slot *)((char *)hook - offsetof(struct worker_slot, hook));

	if (!store_is_reading(slot->worker.reader))
		return;
	store_read_end(slot->worker.reader);
	slot->read_since = true;
	if (!slot->quiet.place &&
	    loop_timer_set(slot->worker.loop, &slot->quiet, clock_mono_ms() + QUIET_MS))
		log_error("uniond", "out of memory for a timer");
}

/* A worker that had nothing to do for a while gives back what its reader has cached and mapped: an
 * idle plane must be small enough to forget. */
static void
on_quiet(struct loop_timer *timer)
{
	struct worker_slot *slot = timer->ctx;

	if (slot->read_since) {
		slot->read_since = false;
		if (loop_timer_set(slot->worker.loop, timer, clock_mono_ms() + QUIET_MS))
			log_error("uniond", "out of memory for a timer");
		return;
	}
	store_reader_trim(slot->worker.reader);
}

static enum un_err
worker_init(void *ctx, struct loop *loop, unsigned index, void **ret_worker)
{
	struct plane *plane = ctx;
	struct worker_slot *slot = &plane->slots[index];
	struct un_detail detail = {0};
	enum un_err err;

	slot->worker.plane = plane;
	slot->worker.loop = loop;
	slot->worker.index = index;
	err = store_reader_open(plane->store, &slot->worker.reader, &detail);
	if (err)
		return err;
	err = keeper_link_open(&plane->links[index], loop);
	if (err)
		return err;
	slot->worker.keeper = plane->links[index].client;
	directory_reader_init(&slot->worker.access, plane->access);
	err = audit_notes_new(plane->store, loop, plane->audit_reads, &slot->worker.notes);
	if (err)
		return err;
	slot->hook = (struct loop_hook){.fn = end_reads};
	slot->quiet = (struct loop_timer){.fn = on_quiet, .ctx = slot};
	loop_hook_add(loop, &slot->hook);
	*ret_worker = &slot->worker;
	return UN_OK;
}

static void
worker_fini(void *ctx, void *worker)
{
	struct plane *plane = ctx;
	struct plane_worker *mine = worker;
	struct worker_slot *slot = &plane->slots[mine->index];

	audit_notes_free(mine->notes);
	mine->notes = NULL;
	keeper_link_close(&plane->links[mine->index]);
	while (mine->logins) /* whose clients have gone; the store still answers */
		(void)!loop_step(mine->loop, 1000);
	loop_hook_remove(mine->loop, &slot->hook);
	loop_timer_cancel(mine->loop, &slot->quiet);
	loop_timer_cancel(mine->loop, &mine->access_retry);
	directory_reader_fini(&mine->access);
	store_reader_close(mine->reader);
	mine->reader = NULL;
}

/* ---- life ---- */

static enum un_err
open_access(struct plane *plane, struct un_detail *detail)
{
	enum un_err err = directory_new(&plane->access);

	if (!err)
		err = directory_refresh(plane->access, plane->reader, detail);
	store_read_end(plane->reader);
	return err;
}

/* On the writer thread. */
static void
on_batch(void *ctx)
{
	struct plane *plane = ctx;
	struct audit_clock *audit = atomic_load(&plane->audit);

	if (audit)
		audit_clock_kick(audit);
}

static enum un_err
open_audit(struct plane *plane, struct un_detail *detail)
{
	const struct audit_clock_options options = {
		.loop = plane->loop,
		.store = plane->store,
		.reader = plane->reader,
		.keeper = plane->links[plane->worker_count].client,
		.data_dir = plane->options.data_dir,
	};
	struct audit_clock *audit;
	enum un_err err = audit_clock_new(&options, &audit);

	if (err)
		return err;
	atomic_store(&plane->audit, audit);
	return audit_clock_start(audit, detail);
}

static enum un_err
open_parts(struct plane *plane, struct un_detail *detail)
{
	const struct store_options options = {.dir = plane->options.data_dir,
	                                      .create = true,
	                                      .batch_done = on_batch,
	                                      .batch_ctx = plane};
	enum un_err err;

	err = prepare_data_dir(plane->options.data_dir, detail);
	if (err)
		return err;
	err = check_not_lost(plane->options.data_dir, detail);
	if (err)
		return err;
	err = loop_new(&plane->loop);
	if (err)
		return err;
	err = plane_watch_open(plane);
	if (err)
		return err;
	err = store_open(&options, &plane->store, detail);
	if (err)
		return err;
	err = store_reader_open(plane->store, &plane->reader, detail);
	if (err)
		return err;
	err = open_access(plane, detail);
	if (err)
		return err;
	err = load_plane_key(plane, detail);
	if (err)
		return err;
	err = start_keeper(plane, detail);
	if (err)
		return err;
	err = check_key(plane, detail);
	if (err)
		return err;
	err = open_audit(plane, detail);
	if (err)
		return err;
	err = plane_open_services(plane, detail);
	if (err)
		return err;
	return plane_open_server(plane, worker_init, worker_fini, detail);
}

enum un_err
plane_new(const struct plane_options *options, struct plane **ret_plane, struct un_detail *detail)
{
	struct plane *plane = mem_zalloc(1, sizeof *plane);
	enum un_err err;

	if (!plane)
		return UN_ERR_NO_MEMORY;
	plane->options = *options;
	plane->started_us = clock_wall_us();
	plane->worker_count = worker_count(options);
	err = audit_reads_parse(options->audit_reads, &plane->audit_reads);
	if (err) {
		mem_free(plane);
		return un_fail(detail, UN_ERR_BAD_CONFIG, "'%s' is no way to record reads",
		               options->audit_reads);
	}
	plane->parallel_tasks = options->parallel_tasks ? options->parallel_tasks : processors();
	plane_watch_init(plane);
	random_bytes(plane->instance_id, sizeof plane->instance_id);
	for (unsigned i = 0; i <= plane->worker_count + 1; i++)
		keeper_link_init(&plane->links[i]);
	err = open_parts(plane, detail);
	if (err) {
		plane_free(plane);
		return err;
	}
	*ret_plane = plane;
	return UN_OK;
}

enum un_err
plane_run(struct plane *plane, void (*ready)(void *ctx), void *ctx, struct un_detail *detail)
{
	enum un_err err = server_start(plane->server, detail);

	if (err)
		return err;
	plane->busy_ms = clock_mono_ms();
	plane->idle_timer = (struct loop_timer){.fn = on_idle_check, .ctx = plane};
	if (plane->options.idle_timeout_s) {
		err = loop_timer_set(plane->loop, &plane->idle_timer,
		                     plane->busy_ms + IDLE_CHECK_MS);
		if (err)
			return err;
	}
	err = plane_watch_serving(plane);
	if (err)
		return err;
	ready(ctx);
	err = loop_run(plane->loop);
	plane_watch_stopping(plane);
	plane_services_stop(plane);
	server_drain(plane->server,
	             plane->options.drain_ms ? (int)plane->options.drain_ms : DRAIN_MS);
	return err;
}

void
plane_free(struct plane *plane)
{
	if (!plane)
		return;
	/* closing the services runs the loop once more: the idle check would look at the server
	 * then */
	if (plane->loop)
		loop_timer_cancel(plane->loop, &plane->idle_timer);
	server_free(plane->server);
	plane_close_services(plane);
	audit_clock_stop(plane->audit);
	if (plane->loop)
		keeper_link_close(&plane->links[plane->worker_count]);
	if (plane->supervisor)
		loop_watch_remove(plane->loop, &plane->supervisor_watch);
	keeper_supervisor_stop(plane->supervisor);
	for (unsigned i = 0; i <= plane->worker_count + 1; i++)
		keeper_link_fini(&plane->links[i]);
	directory_free(plane->access);
	store_reader_close(plane->reader);
	store_close(plane->store);
	if (plane->audit) {
		(void)!loop_step(plane->loop, 0); /* what the writer has posted */
		audit_clock_free(plane->audit);
	}
	plane_watch_close(plane);
	loop_free(plane->loop);
	mem_free(plane);
}

struct store *
plane_store(const struct plane *plane)
{
	return plane->store;
}

struct directory *
plane_access(const struct plane *plane)
{
	return plane->access;
}

const char *
plane_data_dir(const struct plane *plane)
{
	return plane->options.data_dir;
}
