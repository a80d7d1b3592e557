#include "nodes_view.h"

#include "base/alloc.h"
#include "show.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NODES_MAX 10000
#define TEXT_SIZE 128
#define GREEN "\033[32m"
#define RED "\033[31m"
#define YELLOW "\033[33m"
#define RESET "\033[0m"

struct node {
	char id[TEXT_SIZE];
	char task[TEXT_SIZE];
	int phase;
	uint32_t attempt, attempts;
};

struct nodes_view {
	struct cli *cli;
	struct node *nodes;
	size_t count, room;
	bool terminal;
	unsigned drawn; /* lines on the terminal now */
};

enum un_err
nodes_view_new(struct cli *cli, struct nodes_view **ret_view)
{
	const char *term = cli_env("TERM");
	struct nodes_view *view = mem_zalloc(1, sizeof *view);

	if (!view)
		return UN_ERR_NO_MEMORY;
	view->cli = cli;
	view->terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
	*ret_view = view;
	return UN_OK;
}

void
nodes_view_free(struct nodes_view *view)
{
	if (!view)
		return;
	mem_free(view->nodes);
	mem_free(view);
}

static enum un_err
find_node(struct nodes_view *view, const char *id, struct node **ret_node)
{
	for (size_t i = 0; i < view->count; i++) {
		if (strncmp(view->nodes[i].id, id, TEXT_SIZE - 1) == 0) {
			*ret_node = &view->nodes[i];
			return UN_OK;
		}
	}
	if (view->count == view->room) {
		size_t room = view->room ? view->room * 2 : 16;
		struct node *larger;

		if (view->count >= NODES_MAX)
			return UN_ERR_TOO_LARGE;
		larger = mem_realloc(view->nodes, room * sizeof *larger);
		if (!larger)
			return UN_ERR_NO_MEMORY;
		view->nodes = larger;
		view->room = room;
	}
	*ret_node = &view->nodes[view->count++];
	**ret_node = (struct node){.phase = -1};
	(void)snprintf((*ret_node)->id, TEXT_SIZE, "%s", id);
	return UN_OK;
}

static const char *
color_of(const struct nodes_view *view, int phase)
{
	if (!view->cli->color_err)
		return "";
	switch (phase) {
	case FLYTEIDL__CORE__NODE_EXECUTION__PHASE__SUCCEEDED:
		return GREEN;
	case FLYTEIDL__CORE__NODE_EXECUTION__PHASE__FAILED:
	case FLYTEIDL__CORE__NODE_EXECUTION__PHASE__FAILING:
	case FLYTEIDL__CORE__NODE_EXECUTION__PHASE__TIMED_OUT:
	case FLYTEIDL__CORE__NODE_EXECUTION__PHASE__ABORTED:
		return RED;
	case FLYTEIDL__CORE__NODE_EXECUTION__PHASE__RUNNING:
		return YELLOW;
	default:
		return "";
	}
}

static void
write_node(const struct nodes_view *view, const struct node *node, int width)
{
	const char *color = color_of(view, node->phase);
	char text[2 * TEXT_SIZE + 64], attempt[32] = "";

	if (node->attempt && node->attempt < node->attempts)
		(void)snprintf(attempt, sizeof attempt, ", attempt %u of %u", node->attempt + 1,
		               node->attempts);
	else if (node->attempt) /* one that a lost launcher cost, on top of the task's retries */
		(void)snprintf(attempt, sizeof attempt, ", attempt %u", node->attempt + 1);
	(void)snprintf(text, sizeof text, "%-8s %-24s ", node->id, node->task);
	if (width < 0 || width > (int)sizeof text)
		width = (int)sizeof text;
	print_clean(stderr, text, strnlen(text, (size_t)width));
	if (strlen(text) + 12 + strlen(attempt) < (size_t)width)
		(void)fprintf(stderr, "%s%s%s%s", color, show_node_phase(node->phase),
		              color[0] ? RESET : "", attempt);
	(void)putc('\n', stderr);
}

void
nodes_view_hide(struct nodes_view *view)
{
	if (!view)
		return;
	if (view->drawn)
		(void)fprintf(stderr, "\033[%uA\033[J", view->drawn);
	view->drawn = 0;
}

void
nodes_view_show(struct nodes_view *view)
{
	struct winsize size = {0};
	size_t first = 0;

	if (!view || !view->terminal)
		return;
	(void)ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
	if (!size.ws_row || !size.ws_col)
		size = (struct winsize){.ws_row = 24, .ws_col = 80};
	/* only what fits can be rewritten; the newest nodes are the interesting ones */
	if (view->count > (size_t)size.ws_row - 1)
		first = view->count - ((size_t)size.ws_row - 1);
	for (size_t i = first; i < view->count; i++)
		write_node(view, &view->nodes[i], size.ws_col - 1);
	view->drawn = (unsigned)(view->count - first);
	(void)fflush(stderr);
}

static bool
is_over(int phase)
{
	return phase == FLYTEIDL__CORE__NODE_EXECUTION__PHASE__SUCCEEDED ||
	       phase == FLYTEIDL__CORE__NODE_EXECUTION__PHASE__FAILED ||
	       phase == FLYTEIDL__CORE__NODE_EXECUTION__PHASE__ABORTED ||
	       phase == FLYTEIDL__CORE__NODE_EXECUTION__PHASE__SKIPPED ||
	       phase == FLYTEIDL__CORE__NODE_EXECUTION__PHASE__TIMED_OUT;
}

enum un_err
nodes_view_update(struct nodes_view *view, const Union__V1__NodeEvent *event, bool *ret_over)
{
	struct node *node;
	enum un_err err;

	*ret_over = is_over((int)event->phase);
	if (!view)
		return UN_OK;
	err = find_node(view, event->node_id, &node);
	if (err)
		return err;
	if (node->phase == (int)event->phase && node->attempt == event->attempt)
		return UN_OK;
	node->phase = (int)event->phase;
	node->attempt = event->attempt;
	node->attempts = event->max_attempts;
	if (event->task_name[0])
		(void)snprintf(node->task, TEXT_SIZE, "%s", event->task_name);
	if (view->terminal) {
		nodes_view_hide(view);
		nodes_view_show(view);
	} else {
		write_node(view, node, -1);
		(void)fflush(stderr);
	}
	return UN_OK;
}
