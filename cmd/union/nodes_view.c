#include "nodes_view.h"

#include "base/alloc.h"
#include "show.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NODES_MAX 10000
#define TEXT_SIZE 128
#define ATTEMPT_SIZE 32
#define ATTEMPT_WIDTH 16 /* ", attempt 2 of 3" */
#define PHASE_WIDTH 9    /* "succeeded" */
#define WIDE 4096        /* columns where there is no terminal */
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

struct widths {
	size_t id, task;
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

/* Characters, not bytes: what a column of a terminal holds of a Python name. */
static size_t
width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xC0) != 0x80;
	return width;
}

/* Of a name that does not fit its end is shown: the function's name behind the modules'. */
static void
write_cell(const char *text, size_t width)
{
	size_t have = width_of(text), cut = have > width ? have - width : 0;

	if (cut && width > 2) {
		(void)fputs("..", stderr);
		cut += 2;
	}
	for (; cut && *text; cut--) {
		text++;
		while (((unsigned char)*text & 0xC0) == 0x80)
			text++;
	}
	print_clean(stderr, text, strlen(text));
	for (; have < width; have++)
		(void)putc(' ', stderr);
}

static void
write_node(const struct nodes_view *view, const struct node *node, const struct widths *widths)
{
	const char *color = color_of(view, node->phase);
	char attempt[ATTEMPT_SIZE] = "";

	if (node->attempt && node->attempt < node->attempts)
		(void)snprintf(attempt, sizeof attempt, ", attempt %u of %u", node->attempt + 1,
		               node->attempts);
	else if (node->attempt) /* one that a lost launcher cost, on top of the task's retries */
		(void)snprintf(attempt, sizeof attempt, ", attempt %u", node->attempt + 1);
	write_cell(node->id, widths->id);
	(void)putc(' ', stderr);
	write_cell(node->task, widths->task);
	(void)fprintf(stderr, " %s%s%s%s\n", color, show_node_phase(node->phase),
	              color[0] ? RESET : "", attempt);
}

/* Columns as wide as their widest cell; where that is too much for `columns`, the names give way,
 * never the state. */
static struct widths
measure(const struct nodes_view *view, size_t columns)
{
	struct widths widths = {.id = 2, .task = 8};
	size_t state = PHASE_WIDTH, rest;

	for (size_t i = 0; i < view->count; i++) {
		const struct node *node = &view->nodes[i];
		size_t id = width_of(node->id), task = width_of(node->task);

		widths.id = id > widths.id ? id : widths.id;
		widths.task = task > widths.task ? task : widths.task;
		if (node->attempt)
			state = PHASE_WIDTH + ATTEMPT_WIDTH;
	}
	if (widths.id > columns / 3)
		widths.id = columns / 3;
	rest = columns > widths.id + state + 2 ? columns - widths.id - state - 2 : 0;
	if (widths.task > rest)
		widths.task = rest;
	return widths;
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

/* 0: somebody waits for news of it, or must hear of it; 1: not begun; 2: done. */
static unsigned
rank(int phase)
{
	if (phase == FLYTEIDL__CORE__NODE_EXECUTION__PHASE__SUCCEEDED ||
	    phase == FLYTEIDL__CORE__NODE_EXECUTION__PHASE__SKIPPED)
		return 2;
	return phase == FLYTEIDL__CORE__NODE_EXECUTION__PHASE__UNDEFINED ||
	                       phase == FLYTEIDL__CORE__NODE_EXECUTION__PHASE__QUEUED
	               ? 1
	               : 0;
}

/* More nodes than lines: those that matter most, in their order, then how many are not shown. */
static void
write_some(const struct nodes_view *view, const struct widths *widths, size_t lines)
{
	size_t counts[3] = {0}, shown[3], rest = lines;

	for (size_t i = 0; i < view->count; i++)
		counts[rank(view->nodes[i].phase)]++;
	for (size_t r = 0; r < 3; r++) {
		shown[r] = counts[r] < rest ? counts[r] : rest;
		rest -= shown[r];
		counts[r] -= shown[r];
	}
	for (size_t i = 0; i < view->count; i++) {
		unsigned r = rank(view->nodes[i].phase);

		if (shown[r]) {
			shown[r]--;
			write_node(view, &view->nodes[i], widths);
		}
	}
	(void)fprintf(stderr, "and %zu more:", counts[0] + counts[1] + counts[2]);
	if (counts[0])
		(void)fprintf(stderr, " %zu running or failed%s", counts[0],
		              counts[1] || counts[2] ? "," : "");
	if (counts[1])
		(void)fprintf(stderr, " %zu waiting%s", counts[1], counts[2] ? "," : "");
	if (counts[2])
		(void)fprintf(stderr, " %zu done", counts[2]);
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
	struct widths widths;
	size_t lines;

	if (!view || !view->terminal)
		return;
	(void)ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
	if (!size.ws_row || !size.ws_col)
		size = (struct winsize){.ws_row = 24, .ws_col = 80};
	/* only what fits can be rewritten; a line is left for output above and the cursor below */
	lines = size.ws_row > 4 ? size.ws_row - 2u : 2;
	widths = measure(view, size.ws_col - 1u);
	if (view->count > lines) {
		write_some(view, &widths, lines - 1);
		view->drawn = (unsigned)lines;
	} else {
		for (size_t i = 0; i < view->count; i++)
			write_node(view, &view->nodes[i], &widths);
		view->drawn = (unsigned)view->count;
	}
	(void)fflush(stderr);
}

enum un_err
nodes_view_update(struct nodes_view *view, const Union__V1__NodeEvent *event, bool *ret_over)
{
	struct widths widths;
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
		widths = measure(view, WIDE);
		write_node(view, node, &widths);
		(void)fflush(stderr);
	}
	return UN_OK;
}
