#include "services/sealing_key.h"

#include "base/alloc.h"
#include "keeper/keeper.h"
#include "rpc/server.h"

#include <assert.h>
#include <string.h>

struct sealing_keys {
	struct sealing_key entries[SERVER_WORKERS_MAX];
};

enum un_err
sealing_keys_new(struct sealing_keys **ret_keys)
{
	struct sealing_keys *keys = mem_zalloc(1, sizeof *keys);

	if (!keys)
		return UN_ERR_NO_MEMORY;
	*ret_keys = keys;
	return UN_OK;
}

void
sealing_keys_free(struct sealing_keys *keys)
{
	if (!keys)
		return;
	for (size_t i = 0; i < SERVER_WORKERS_MAX; i++)
		box_sender_free(keys->entries[i].sender);
	mem_free(keys);
}

static void
on_info(void *context, const struct keeper_answer *answer)
{
	struct sealing_key_wait *wait = context;
	struct sealing_key *entry = wait->entry;
	enum un_err err = answer->err;

	if (err == UN_OK && answer->info->state == KEEPER_NEW)
		err = UN_ERR_SEALED; /* no ring, no key */
	if (err == UN_OK && !entry->sender) {
		memcpy(entry->public_key, answer->info->plane_public, BOX_PUBLIC_LEN);
		err = box_sender_new(entry->public_key, &entry->sender);
	}
	wait->done(wait->context, err ? NULL : entry, err, answer->detail);
}

void
sealing_key_get(struct sealing_keys *keys, struct plane_worker *worker,
                struct sealing_key_wait *wait)
{
	struct sealing_key *entry = &keys->entries[worker->index];
	enum un_err err;

	assert(worker->index < SERVER_WORKERS_MAX);
	wait->entry = entry;
	if (entry->sender) {
		wait->done(wait->context, entry, UN_OK, NULL);
		return;
	}
	err = keeper_ask_info(worker->keeper, (struct keeper_call){on_info, wait, 0});
	if (err)
		wait->done(wait->context, NULL, err, NULL);
}
