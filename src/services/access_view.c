#include "services/access_view.h"

#include "base/clock.h"
#include "base/log.h"

#define RETRY_MS 100

static void
retry(struct loop_timer *timer)
{
	struct plane_worker *worker = timer->ctx;

	if (directory_is_stale(worker->access.directory))
		access_view_refresh(worker);
}

void
access_view_refresh(struct plane_worker *worker)
{
	struct un_detail detail = {0};
	enum un_err err =
		directory_refresh(worker->access.directory, worker->reader, &detail);

	if (!err)
		return;
	log_error("authz", "cannot read the grants, so that none hold: %s",
	          un_message(err, &detail));
	worker->access_retry = (struct loop_timer){.fn = retry, .ctx = worker};
	if (loop_timer_set(worker->loop, &worker->access_retry, clock_mono_ms() + RETRY_MS))
		log_error("authz", "out of memory for a timer");
}
