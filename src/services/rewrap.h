/* rewrap.h - after a rotation: every stored DEK of an older generation is sealed again, in the
 * background.
 *
 * There is no state on disk: what is left to do is what the database shows to be stale. A pass
 * reads a page of stale DEKs, has the keeper seal each under the newest generation, and swaps each
 * in if it is still the one that was read; so it may end anywhere, run twice, and go on beside
 * reads and writes. Belongs to one loop, whose store reader and keeper client it uses. */
#ifndef SERVICES_REWRAP_H
#define SERVICES_REWRAP_H

#include "base/err.h"
#include "keeper/keeper.h"
#include "net/loop.h"
#include "store/store.h"

#include <stdbool.h>

struct rewrap;

struct rewrap_options { /* all lent until rewrap_free; the loop until it is freed itself */
	struct loop *loop;
	struct store *store;
	struct store_reader *reader;
	struct keeper_client *keeper;
	/* A pass that found something has left nothing stale; on the loop. NULL is fine. */
	void (*done)(void *ctx, uint32_t generation, uint64_t rewrapped);
	void *ctx;
};

MUST_CHECK enum un_err rewrap_new(const struct rewrap_options *options, struct rewrap **ret_rewrap);
/* On the loop: looks for stale DEKs and seals them again. While a pass runs, another one follows.
 * Call it at the start, after a rotation and after an unlock; a sealed keeper ends the pass. */
void rewrap_start(struct rewrap *rewrap);
bool rewrap_is_running(const struct rewrap *rewrap);
/* On the loop's thread, also after the loop has stopped. Waits for writes that are under way; what
 * the keeper still answers is ignored. NULL is fine. */
void rewrap_free(struct rewrap *rewrap);

#endif
