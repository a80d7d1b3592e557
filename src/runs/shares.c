/* What each project has of this server, so that none takes it all. */
#include "base/alloc.h"
#include "runs/runs_impl.h"

#include <stdio.h>
#include <string.h>

static struct share *
share_find(const struct runs *runs, const char *project)
{
	struct share *share = runs->shares;

	while (share != NULL && strcmp(share->project, project) != 0)
		share = share->next;
	return share;
}

struct share *
share_of(struct runs *runs, const char *project)
{
	struct share *share = share_find(runs, project);

	if (share != NULL)
		return share;
	share = mem_zalloc(1, sizeof *share);
	if (share == NULL)
		return NULL;
	(void)snprintf(share->project, sizeof share->project, "%s", project);
	share->next = runs->shares;
	runs->shares = share;
	return share;
}

void
share_count(struct runs *runs, struct share *share, int executions, int tasks)
{
	struct share **at = &runs->shares;

	if (share == NULL)
		return;
	share->executions += (unsigned)executions;
	share->tasks += (unsigned)tasks;
	if (share->executions > 0 || share->tasks > 0)
		return;
	while (*at != share)
		at = &(*at)->next;
	*at = share->next;
	mem_free(share);
}

void
shares_free(struct runs *runs)
{
	while (runs->shares != NULL) {
		struct share *share = runs->shares;

		runs->shares = share->next;
		mem_free(share);
	}
}

enum un_err
share_check(const struct runs *runs, const char *project, struct un_detail *detail)
{
	const struct share *share = share_find(runs, project);
	unsigned all = runs_active_count(runs), most = runs->options.project_executions;
	unsigned own = share != NULL ? share->executions : 0;

	if (all >= RUNS_ACTIVE_MAX)
		return un_fail(detail, UN_ERR_AGAIN,
		               "%d executions are running or waiting already on this server",
		               RUNS_ACTIVE_MAX);
	if (most == 0)
		return UN_OK;
	if (own >= most) {
		(void)un_fail(detail, UN_ERR_AGAIN,
		              "%u executions of project '%s' are running or waiting already", own,
		              project);
		un_hint(detail, "wait for one to end; projects.executions of the server is %u",
		        most);
		return UN_ERR_AGAIN;
	}
	if (all >= RUNS_ACTIVE_MAX - RUNS_KEPT && own >= RUNS_FEW)
		return un_fail(detail, UN_ERR_AGAIN,
		               "the server is almost full: its last %d places are for projects "
		               "with fewer than %d executions",
		               RUNS_KEPT, RUNS_FEW);
	return UN_OK;
}

bool
share_may_begin(const struct runs *runs, const struct share *share)
{
	return share == NULL || runs->options.project_tasks == 0 ||
	       share->tasks < runs->options.project_tasks;
}

static unsigned
tasks_of(const struct share *share)
{
	return share != NULL ? share->tasks : 0;
}

bool
share_goes_before(const struct runs *runs, const struct run *run, const struct run *other)
{
	unsigned tasks = tasks_of(run->share), others = tasks_of(other->share);

	if (tasks != others)
		return tasks < others;
	return run->id > runs->turn && other->id <= runs->turn;
}
