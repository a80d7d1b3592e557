/* plane_impl.h - the inside of a plane, for the files that wire it. */
#ifndef SERVICES_PLANE_IMPL_H
#define SERVICES_PLANE_IMPL_H

#include "crypto/box.h"
#include "keeper/keeper.h"
#include "net/loop.h"
#include "rpc/server.h"
#include "services/audit_clock.h"
#include "services/audit_notes.h"
#include "services/keeper_link.h"
#include "services/plane.h"
#include "store/store.h"

#include <stdatomic.h>

#define WORKERS_MAX (KEEPER_SOCKETS_MAX - 2)
#define PLANE_PATH_MAX 4200
#define INSTANCE_ID_LEN 8

struct worker_slot {
	struct plane_worker worker;
	struct loop_hook hook;   /* ends the batch's read transaction */
	struct loop_timer quiet; /* gives memory back when nothing is asked for a while */
	bool read_since;         /* the timer was last set */
};

struct worker_pulse {
	struct loop_task task;
	atomic_bool turned; /* since the last sign of life */
};

/* plane_watch.c */
struct file_stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	int64_t changed_ns;
};

struct plane_watch {
	struct loop_watch signals;
	struct file_stamp certificate, key; /* as they were last looked at */
	struct loop_watch files;            /* inotify: folders of certificate and key */
	struct loop_timer settle;           /* after a change there */
	struct loop_timer pulse;
	struct worker_pulse pulses[KEEPER_SOCKETS_MAX];
};

struct plane_services; /* plane_services.c */

struct plane {
	struct plane_options options;
	int64_t started_us; /* wall */
	uint8_t instance_id[INSTANCE_ID_LEN];
	unsigned worker_count;
	unsigned parallel_tasks;
	enum audit_reads audit_reads;
	_Atomic(struct audit_clock *) audit;

	struct loop *loop; /* the control loop */
	struct plane_watch watch;
	struct loop_watch supervisor_watch;
	struct loop_timer idle_timer;
	int64_t busy_ms; /* when a call or a run was last seen */
	atomic_bool stopping;
	atomic_bool backup_runs; /* one at a time */

	struct store *store;
	struct store_reader *reader; /* of the control loop */
	struct directory *access;
	struct keeper_supervisor *supervisor;
	struct keeper_link links[KEEPER_SOCKETS_MAX]; /* the workers', the control loop's and the
	                                               * scheduler's */
	uint8_t key[BOX_PUBLIC_LEN];                  /* the plane's public key, when has_key */
	bool has_key;

	struct plane_services *services;
	struct server *server;
	struct worker_slot slots[KEEPER_SOCKETS_MAX];
};

/* Makes the services and recovers the runs; plane_close_services takes a half-built one too. */
MUST_CHECK enum un_err plane_open_services(struct plane *plane, struct un_detail *detail);
void plane_close_services(struct plane *plane);
/* Listens; the workers call the two functions. */
MUST_CHECK enum un_err plane_open_server(
	struct plane *plane,
	enum un_err (*worker_init)(void *ctx, struct loop *loop, unsigned index, void **ret_worker),
	void (*worker_fini)(void *ctx, void *worker), struct un_detail *detail);
/* Signals from here on; certificates and signs of life once it serves. */
void plane_watch_init(struct plane *plane);
MUST_CHECK enum un_err plane_watch_open(struct plane *plane);
MUST_CHECK enum un_err plane_watch_serving(struct plane *plane);
void plane_watch_stopping(struct plane *plane);
void plane_watch_close(struct plane *plane);
/* On the control loop: the keeper has just been unlocked; its key is checked, or remembered when it
 * is the first. A ring of another plane stops this one. */
void plane_remember_key(struct plane *plane);
/* Executions that have not ended. */
unsigned plane_active_runs(const struct plane *plane);

#endif
